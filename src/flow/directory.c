/* SPDX-License-Identifier: Apache-2.0 */
/* From a person of the directory to a session's groups and attributes. Fails closed: what cannot be read is no sign-in,
 * never one without groups. */
#include "flow/directory.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/fold.h"
#include "directory/provision.h"
#include "flow/groups.h"
#include "session/identity.h"

/* The mark of what a record has of the directory: the SCIM id ("" for nobody), and up to which change. No attribute has
 * an empty name. */
#define MARK SSO_DIRECTORY_PREFIX

/* In the place of an id: a row that may give way to another of the same user, who is then found by the name of the key.
 */
#define JIT_ID "-"

typedef struct {
    const char *id;
    apr_time_t touched;
} mark_t;

/* False for a record that was never read from this directory. */
static bool read_mark(const sso_record_t *record, mark_t *ret_mark)
{
    sso_list_t values;
    apr_size_t at = 0;
    int64_t touched;
    if (!sso_record_claim(record, MARK, &values) || values.count != 2) {
        return false;
    }
    ret_mark->id = sso_list_next(&values, &at);
    if (!sso_integer_parse(sso_list_next(&values, &at), &touched)) {
        return false;
    }
    ret_mark->touched = touched;
    return true;
}

static void add_mark(sso_ctx_t *ctx, const mark_t *mark, apr_array_header_t *packed)
{
    apr_array_header_t *values = apr_array_make(ctx->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(values, const char *) = mark->id;
    APR_ARRAY_PUSH(values, const char *) = apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, mark->touched);
    sso_claims_add(ctx->pool, packed, MARK, values);
}

/* The last change of the user of record, who is in the directory as id, or not at all. */
static apr_time_t last_change(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const char *id)
{
    bool by_oid = site->directory->match == SSO_MATCH_OID;
    const char *name = by_oid ? record->oid : sso_fold(ctx->pool, record->username);
    uint64_t key = sso_touched_key(ctx->pool, by_oid ? SSO_TOUCHED_OID : SSO_TOUCHED_NAME, site->app, name);
    /* SECURITY: of one whose row is known too. Between two looks the row can go, another be made for the same user, and
     * that one's end take the place of the first one's, of which nobody would hear. */
    apr_time_t user = sso_touched_at(site->touched, key);
    if (*id == '\0' || strcmp(id, JIT_ID) == 0) {
        return user;
    }
    apr_time_t row = sso_touched_at(site->touched, sso_touched_key(ctx->pool, SSO_TOUCHED_ID, site->app, id));
    return row > user ? row : user;
}

bool sso_directory_is_stale(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record)
{
    mark_t mark;
    if (site->directory == NULL) {
        return false;
    }
    return !read_mark(record, &mark) || sso_touched_is_blind(site->touched, ctx->now) ||
           last_change(ctx, site, record, mark.id) > mark.touched;
}

/* ---- the person ---- */

static sso_rc find_person(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, sso_person_t *ret_person)
{
    const sso_person_key_t key = {site->app, site->directory->match, record->oid, record->username};
    sso_rc rc = site->store == NULL ? sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store")
                                    : sso_people_find(ctx, site->store, &key, ret_person);
    if (rc == SSO_OK && ret_person->state == SSO_PERSON_DISABLED) {
        rc = sso_fail(ctx, SSO_R_PERSON_DISABLED, "oid %s, SCIM id %s", record->oid, ret_person->id);
    }
    /* SECURITY: a name that was given to somebody else opens nothing, and brings nothing. */
    if (rc == SSO_OK && (ret_person->state == SSO_PERSON_UNKNOWN || ret_person->by_name)) {
        if (site->directory->required) {
            rc = sso_fail(ctx, SSO_R_DIRECTORY_UNKNOWN, "oid %s%s", record->oid,
                          ret_person->by_name ? ", whose user name is there with an externalId that is no object id"
                                              : "");
        }
        *ret_person = (sso_person_t){.state = SSO_PERSON_UNKNOWN, .id = ""};
    }
    /* SECURITY: nor does having been here before. */
    if (rc == SSO_OK && ret_person->jit && site->directory->required) {
        rc = sso_fail(ctx, SSO_R_DIRECTORY_UNKNOWN, "oid %s, who is there from a sign-in alone", record->oid);
    }
    return rc;
}

/* The same, and up to which change that is. A moment of the table is looked at before the directory is read: a change
 * in between is then younger than what the record says it knows. */
static sso_rc find_marked(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, sso_person_t *ret_person,
                          mark_t *ret_mark)
{
    apr_time_t known = last_change(ctx, site, record, "");
    sso_rc rc = find_person(ctx, site, record, ret_person);
    const char *id = rc == SSO_OK && ret_person->jit ? JIT_ID : ret_person->id;
    if (rc == SSO_OK && *id != '\0') {
        known = last_change(ctx, site, record, id);
        /* As a rule the person's own moment is the youngest, and this is the only reading. */
        rc = known > ret_person->touched ? find_person(ctx, site, record, ret_person) : SSO_OK;
        known = known > ret_person->touched ? known : ret_person->touched;
    }
    *ret_mark = (mark_t){id, known};
    return rc;
}

/* ---- groups ---- */

/* Members are written by object id; a name is the group's displayName, letters without case. */
static bool is_member(const apr_array_header_t *groups, const char *wanted)
{
    bool guid = sso_is_guid(wanted);
    for (int i = 0; i < groups->nelts; i++) {
        const sso_person_group_t *group = &APR_ARRAY_IDX(groups, i, sso_person_group_t);
        if (guid ? apr_cstr_casecmp(group->external_id, wanted) == 0 : sso_fold_equal(group->display, wanted)) {
            return true;
        }
    }
    return false;
}

static bool has_text(const apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (apr_cstr_casecmp(sso_text_at(texts, i), text) == 0) {
            return true;
        }
    }
    return false;
}

static sso_rc read_groups(sso_ctx_t *ctx, const sso_site_t *site, const sso_person_t *person, sso_list_t *ret_groups)
{
    const sso_group_policy_t *policy = site->groups;
    apr_array_header_t *groups = apr_array_make(ctx->pool, 8, sizeof(sso_person_group_t));
    apr_array_header_t *kept = apr_array_make(ctx->pool, 8, sizeof(const char *));
    if (policy == NULL || (!policy->all && policy->referenced->nelts == 0) || *person->id == '\0') {
        return SSO_OK;
    }
    sso_rc rc = sso_people_groups(ctx, site->store, site->app, person->id, groups);
    if (rc == SSO_OK && groups->nelts >= SSO_MAX_SCIM_GROUPS) {
        rc = sso_fail(ctx, SSO_R_DIRECTORY_VALUE, "SCIM id %s is in %d groups or more", person->id, groups->nelts);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    for (int i = 0; i < policy->referenced->nelts; i++) {
        const char *wanted = sso_text_at(policy->referenced, i);
        if (is_member(groups, wanted) && !has_text(kept, wanted)) {
            APR_ARRAY_PUSH(kept, const char *) = wanted;
        }
    }
    for (int i = 0; policy->all && i < groups->nelts; i++) {
        const char *id = APR_ARRAY_IDX(groups, i, sso_person_group_t).external_id;
        if (sso_is_guid(id) && !has_text(kept, id)) {
            APR_ARRAY_PUSH(kept, const char *) = id;
        }
    }
    *ret_groups = sso_list_make(ctx->pool, kept);
    return SSO_OK;
}

/* ---- attributes ---- */

static sso_rc add_attribute(sso_ctx_t *ctx, const sso_person_t *person, const char *name, apr_array_header_t *packed)
{
    const apr_array_header_t *values = sso_person_values(ctx->pool, person, name + strlen(SSO_DIRECTORY_PREFIX));
    if (values->nelts > SSO_MAX_LIST_ITEMS) {
        return sso_fail(ctx, SSO_R_DIRECTORY_VALUE, "%s of SCIM id %s has %d values", name, person->id, values->nelts);
    }
    for (int i = 0; i < values->nelts; i++) {
        /* SECURITY: it may become a header. */
        if (!sso_identity_is_plain(ctx->pool, sso_text_at(values, i))) {
            return sso_fail(ctx, SSO_R_DIRECTORY_VALUE,
                            "%s of SCIM id %s has a value that is too long or holds control characters", name,
                            person->id);
        }
    }
    if (values->nelts > 0) {
        sso_claims_add(ctx->pool, packed, name, values);
    }
    return SSO_OK;
}

static sso_rc read_attributes(sso_ctx_t *ctx, const sso_site_t *site, const sso_person_t *person,
                              apr_array_header_t *packed)
{
    const apr_array_header_t *names = site->directory->attributes;
    sso_rc rc = SSO_OK;
    for (int i = 0; rc == SSO_OK && *person->id != '\0' && i < names->nelts; i++) {
        rc = add_attribute(ctx, person, sso_text_at(names, i), packed);
    }
    return rc;
}

/* ---- all of it ---- */

sso_rc sso_directory_fill(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    sso_person_t person = {.id = ""};
    mark_t mark;
    sso_list_t groups = {NULL, 0, 0};
    apr_array_header_t *packed = apr_array_make(ctx->pool, 16, sizeof(const char *));
    if (site->directory == NULL) {
        return SSO_OK;
    }
    sso_claims_copy(ctx->pool, record, SSO_DIRECTORY_PREFIX, packed);
    sso_rc rc = find_marked(ctx, site, record, &person, &mark);
    if (rc == SSO_OK && site->directory->groups) {
        rc = read_groups(ctx, site, &person, &groups);
    }
    if (rc == SSO_OK) {
        rc = read_attributes(ctx, site, &person, packed);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    add_mark(ctx, &mark, packed);
    record->claims = sso_list_make(ctx->pool, packed);
    if (site->directory->groups) {
        record->groups = groups;
    }
    return SSO_OK;
}

void sso_directory_strip(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    apr_array_header_t *packed = apr_array_make(ctx->pool, 8, sizeof(const char *));
    sso_claims_copy(ctx->pool, record, SSO_DIRECTORY_PREFIX, packed);
    record->claims = sso_list_make(ctx->pool, packed);
    if (site->directory->groups) {
        record->groups = (sso_list_t){NULL, 0, 0};
    }
}

/* ---- first sign-ins ---- */

static const sso_json_t *introduction(apr_pool_t *pool, const sso_record_t *record)
{
    sso_json_node_t *user = sso_json_node_object(pool);
    sso_json_node_set_text(pool, user, "userName", record->username);
    sso_json_node_set_text(pool, user, "externalId", record->oid);
    sso_json_node_set_text(pool, user, "displayName", record->name);
    sso_json_node_set_bool(pool, user, "active", true);
    sso_json_node_set_text(pool, sso_json_node_set_object(pool, user, SSO_JIT_URN), "origin", "jit");
    return sso_json_node_view(user);
}

void sso_directory_introduce(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record)
{
    mark_t mark;
    if (site->directory == NULL || !site->directory->introduces || site->scim == NULL || *record->username == '\0' ||
        !read_mark(record, &mark) || *mark.id != '\0') {
        return;
    }
    const sso_provision_t provision = {.op = SSO_PROVISION_CREATE,
                                       .kind = SSO_SCIM_USER,
                                       .body = introduction(ctx->pool, record),
                                       .actor = "sign-in",
                                       .jit = true};
    sso_provisioned_t provisioned;
    if (sso_provision(ctx, site->scim, &provision, &provisioned) != SSO_OK) {
        /* The user name is there already, known by no object id, or the database has gone since. */
        sso_debug(ctx, "no row for a first sign-in: %s", sso_reason(ctx->fault.rc)->sentence);
        sso_fault_clear(ctx);
    }
}
