/* SPDX-License-Identifier: Apache-2.0 */
/* What others ask about people, and the one lock between SCIM and sign-ins. */
#include "directory/people.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/barred.h"
#include "directory/fold.h"
#include "directory/rows.h"

/* ---- finding ---- */

typedef struct {
    const sso_person_key_t *key;
    const char *app;
    const char *id;
    sso_person_t *person;
} finding_t;

static void person_fill(const sso_scim_row_t *row, sso_person_t *person)
{
    person->state = row->active ? SSO_PERSON_ACTIVE : SSO_PERSON_DISABLED;
    person->jit = sso_scim_row_is_jit(row);
    person->id = row->id;
    person->disabled_at = row->disabled_at;
    person->touched = row->touched;
    person->document = row->document;
}

typedef struct {
    sso_person_t *person;
    bool by_name;
} taking_t;

static sso_rc take_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    const taking_t *taking = baton;
    sso_scim_row_t row;
    sso_rc rc = sso_scim_row_parse(ctx, ctx->pool, columns, &row);
    if (rc == SSO_OK) {
        person_fill(&row, taking->person);
        taking->person->by_name = taking->by_name;
    }
    return rc;
}

/* condition: the text behind "app = ... AND ". */
static sso_rc find_by(sso_ctx_t *ctx, sso_connection_t *connection, const char *name, const char *condition,
                      const char *const *args, const taking_t *taking)
{
    const sso_statement_t find = {name, apr_pstrcat(ctx->pool, "SELECT ", sso_scim_columns(SSO_SCIM_USER),
                                                    " FROM entra_scim_user WHERE app = %s AND ", condition, NULL)};
    taking_t copy = *taking;
    return sso_connection_select(ctx, connection, &find, args, take_row, &copy);
}

static sso_rc find_within(sso_ctx_t *ctx, sso_connection_t *connection, const sso_person_key_t *key,
                          sso_person_t *person)
{
    memset(person, 0, sizeof(*person));
    const char *user_key = sso_fold(ctx->pool, key->username == NULL ? "" : key->username);
    sso_rc rc = SSO_OK;
    if (key->match == SSO_MATCH_OID && key->oid != NULL && *key->oid != '\0') {
        const char *args[] = {key->app, sso_fold(ctx->pool, key->oid)};
        const taking_t taking = {person, false};
        rc = find_by(ctx, connection, "person_by_oid", "oid = %s", args, &taking);
    }
    if (rc == SSO_OK && person->state == SSO_PERSON_UNKNOWN && *user_key != '\0') {
        bool by_oid = key->match == SSO_MATCH_OID;
        const char *args[] = {key->app, user_key};
        const taking_t taking = {person, by_oid};
        rc = find_by(ctx, connection, by_oid ? "person_by_name_alone" : "person_by_name",
                     by_oid ? "user_key = %s AND oid = ''" : "user_key = %s", args, &taking);
    }
    return rc;
}

static sso_rc find_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    const finding_t *finding = baton;
    return find_within(ctx, connection, finding->key, finding->person);
}

sso_rc sso_people_find(sso_ctx_t *ctx, sso_store_t *store, const sso_person_key_t *key, sso_person_t *ret_person)
{
    finding_t finding = {.key = key, .person = ret_person};
    return sso_database_read(ctx, sso_store_database(store), find_work, &finding);
}

static sso_rc get_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    const finding_t *finding = baton;
    const char *args[] = {finding->app, finding->id};
    const taking_t taking = {finding->person, false};
    memset(finding->person, 0, sizeof(*finding->person));
    return find_by(ctx, connection, "person_by_id", "id = %s", args, &taking);
}

sso_rc sso_people_get(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *id, sso_person_t *ret_person)
{
    finding_t finding = {.app = app, .id = id, .person = ret_person};
    return sso_database_read(ctx, sso_store_database(store), get_work, &finding);
}

/* ---- groups ---- */

typedef struct {
    const char *app;
    const char *id;
    apr_array_header_t *groups;
} grouping_t;

static sso_rc add_group(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    const grouping_t *grouping = baton;
    if (columns[0] == NULL || columns[1] == NULL || columns[2] == NULL) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "a group of user %s", sso_printable(ctx->pool, grouping->id));
    }
    sso_person_group_t *group = &APR_ARRAY_PUSH(grouping->groups, sso_person_group_t);
    group->id = apr_pstrdup(ctx->pool, columns[0]);
    group->external_id = apr_pstrdup(ctx->pool, columns[1]);
    group->display = apr_pstrdup(ctx->pool, columns[2]);
    return SSO_OK;
}

static sso_rc groups_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t groups = {
        "person_groups", "SELECT g.id, g.external_id, g.display FROM entra_scim_member m JOIN entra_scim_group g "
                         "ON g.id = m.group_id WHERE m.member_id = %s AND g.app = %s ORDER BY g.created, g.id "
                         "LIMIT CAST(%s AS BIGINT)"};
    const grouping_t *grouping = baton;
    const char *args[] = {grouping->id, grouping->app, apr_itoa(ctx->pool, SSO_MAX_SCIM_GROUPS)};
    apr_array_clear(grouping->groups);
    return sso_connection_select(ctx, connection, &groups, args, add_group, baton);
}

sso_rc sso_people_groups(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *id,
                         apr_array_header_t *ret_groups)
{
    grouping_t grouping = {app, id, apr_array_make(ctx->pool, 8, sizeof(sso_person_group_t))};
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), groups_work, &grouping);
    if (rc == SSO_OK) {
        apr_array_cat(ret_groups, grouping.groups);
    }
    return rc;
}

/* ---- attributes ---- */

static void add_text(apr_pool_t *pool, const sso_json_t *value, apr_array_header_t *texts)
{
    const char *text = sso_json_text(value);
    sso_json_type_t type = sso_json_type(value);
    if (text == NULL && (type == SSO_JSON_BOOL || type == SSO_JSON_INTEGER || type == SSO_JSON_REAL)) {
        text = sso_json_print_value(pool, value, SSO_MAX_SCIM_VALUE);
    }
    if (text != NULL && *text != '\0') {
        APR_ARRAY_PUSH(texts, const char *) = text;
    }
}

/* sub NULL: what stands for the whole. */
static void add_entry(apr_pool_t *pool, const sso_json_t *entry, const char *sub, apr_array_header_t *texts)
{
    if (sso_json_type(entry) == SSO_JSON_OBJECT) {
        entry = sso_attribute_member(entry, sub == NULL ? "value" : sub);
    } else if (sub != NULL) {
        return;
    }
    add_text(pool, entry, texts);
}

static bool is_primary(const sso_json_t *entry)
{
    return sso_json_is_true(sso_json_get(entry, "primary"));
}

const apr_array_header_t *sso_person_values(apr_pool_t *pool, const sso_person_t *person, const char *name)
{
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));
    sso_attribute_name_t found;
    if (person->document == NULL || !sso_attribute_parse(pool, SSO_SCIM_USER, name, strlen(name), &found) ||
        found.name == NULL) {
        return texts;
    }
    if (found.urn == NULL && found.sub == NULL && strcmp(found.name, "roles") == 0) {
        return sso_resource_roles(pool, person->document);
    }
    const sso_json_t *value = sso_attribute_value(person->document, &found);
    if (sso_json_type(value) != SSO_JSON_ARRAY) {
        add_entry(pool, value, found.sub, texts);
        return texts;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (apr_size_t i = 0; i < sso_json_size(value); i++) {
            if (is_primary(sso_json_at(value, i)) == (pass == 0)) {
                add_entry(pool, sso_json_at(value, i), found.sub, texts);
            }
        }
    }
    return texts;
}

/* ---- changes ---- */

typedef struct {
    const char *span;
    apr_array_header_t *changes;
} changing_t;

static sso_rc add_change(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    const changing_t *changing = baton;
    int64_t touched;
    int64_t now;
    for (int i = 0; i < 4; i++) {
        if (columns[i] == NULL) {
            return sso_fail(ctx, SSO_R_STORE_ROW, "a change of a user");
        }
    }
    if (!sso_integer_parse(columns[4], &touched) || !sso_integer_parse(columns[5], &now) || touched < 0 || now < 0) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "a change of user %s", sso_printable(ctx->pool, columns[1]));
    }
    sso_person_change_t *change = &APR_ARRAY_PUSH(changing->changes, sso_person_change_t);
    change->app = apr_pstrdup(ctx->pool, columns[0]);
    change->id = apr_pstrdup(ctx->pool, columns[1]);
    change->oid = apr_pstrdup(ctx->pool, columns[2]);
    change->user_key = apr_pstrdup(ctx->pool, columns[3]);
    change->touched = touched;
    change->age = now > touched ? now - touched : 0;
    return SSO_OK;
}

static sso_rc changed_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t users = {"people_changed",
                                          "SELECT app, id, oid, user_key, touched, {now} FROM entra_scim_user "
                                          "WHERE touched >= (SELECT {now}) - CAST(%s AS BIGINT)"};
    /* Who is gone has left this behind. */
    static const sso_statement_t barred = {
        "people_barred", "SELECT app, id, CASE WHEN SUBSTR(who, 1, 5) = 'name:' THEN '' ELSE who END, "
                         "CASE WHEN SUBSTR(who, 1, 5) = 'name:' THEN SUBSTR(who, 6) ELSE '' END, at, {now} "
                         "FROM entra_scim_barred "
                         "WHERE at >= (SELECT {now}) - CAST(%s AS BIGINT)"};
    const changing_t *changing = baton;
    apr_array_clear(changing->changes);
    sso_rc rc = sso_connection_select(ctx, connection, &users, &changing->span, add_change, baton);
    return rc == SSO_OK ? sso_connection_select(ctx, connection, &barred, &changing->span, add_change, baton) : rc;
}

sso_rc sso_people_changed(sso_ctx_t *ctx, sso_store_t *store, apr_interval_time_t span, apr_array_header_t *ret_changes)
{
    changing_t changing = {apr_psprintf(ctx->pool, "%" APR_INT64_T_FMT, (apr_int64_t)span),
                           apr_array_make(ctx->pool, 8, sizeof(sso_person_change_t))};
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), changed_work, &changing);
    if (rc == SSO_OK) {
        apr_array_cat(ret_changes, changing.changes);
    }
    return rc;
}

/* ---- sign-ins ---- */

sso_rc sso_people_guard(sso_ctx_t *ctx, sso_connection_t *connection, const void *baton)
{
    const sso_people_guard_t *guard = baton;
    const sso_person_key_t *key = &guard->key;
    const char *user_key = sso_fold(ctx->pool, key->username == NULL ? "" : key->username);
    sso_barred_who_t who = {key->app, key->match == SSO_MATCH_OID ? sso_fold(ctx->pool, key->oid) : NULL, user_key};
    sso_person_t person;
    apr_time_t barred = 0;
    sso_rc rc = sso_barred_lock(ctx, connection, &who, false);
    rc = rc == SSO_OK ? find_within(ctx, connection, key, &person) : rc;
    if (rc == SSO_OK && person.state == SSO_PERSON_DISABLED) {
        rc = sso_fail(ctx, SSO_R_PERSON_DISABLED, "oid %s, SCIM id %s", sso_printable(ctx->pool, key->oid), person.id);
    }
    rc = rc == SSO_OK ? sso_barred_since(ctx, connection, &who, &barred) : rc;
    if (rc == SSO_OK && barred > guard->began) {
        rc = sso_fail(ctx, SSO_R_PERSON_STALE, "oid %s", sso_printable(ctx->pool, key->oid));
    }
    return rc;
}
