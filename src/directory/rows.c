/* SPDX-License-Identifier: Apache-2.0 */
/* One row at a time. A database is an outsider: what it gives is judged. */
#include "directory/rows.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

#define OR_EMPTY(text) ((text) == NULL ? "" : (text))

const char *sso_scim_columns(sso_scim_kind_t kind)
{
    return kind == SSO_SCIM_USER
               ? "id, created, modified, version, document, active, disabled_at, touched, user_key, oid"
               : "id, created, modified, version, document, 1, 0, 0, '', ''";
}

const char *sso_scim_table(sso_scim_kind_t kind)
{
    return kind == SSO_SCIM_USER ? "entra_scim_user" : "entra_scim_group";
}

/* In the order of the columns. */
enum {
    COL_ID,
    COL_CREATED,
    COL_MODIFIED,
    COL_VERSION,
    COL_DOCUMENT,
    COL_ACTIVE,
    COL_DISABLED,
    COL_TOUCHED,
    COL_USER,
    COL_OID,
    COLUMNS
};

static bool numbers_parse(const char *const *columns, sso_scim_row_t *row)
{
    int64_t created;
    int64_t modified;
    int64_t active;
    int64_t disabled;
    int64_t touched;
    if (!sso_integer_parse(columns[COL_CREATED], &created) || !sso_integer_parse(columns[COL_MODIFIED], &modified) ||
        !sso_integer_parse(columns[COL_VERSION], &row->version) || !sso_integer_parse(columns[COL_ACTIVE], &active) ||
        !sso_integer_parse(columns[COL_DISABLED], &disabled) || !sso_integer_parse(columns[COL_TOUCHED], &touched)) {
        return false;
    }
    row->created = created;
    row->modified = modified;
    /* SECURITY: anything but 1 is not active. */
    row->active = active == 1;
    row->disabled_at = disabled;
    row->touched = touched;
    return true;
}

sso_rc sso_scim_row_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *const *columns, sso_scim_row_t *ret_row)
{
    sso_ctx_t look;
    sso_scim_row_t row = {.id = ""};
    bool good = true;
    for (int i = 0; good && i < COLUMNS; i++) {
        good = columns[i] != NULL;
    }
    good = good && sso_is_guid(columns[COL_ID]) && numbers_parse(columns, &row);
    /* In a context of its own: the reasons of base/json are for documents that Entra serves. */
    sso_ctx_init(&look, pool, ctx->now);
    if (!good || sso_json_parse_deep(&look, pool, columns[COL_DOCUMENT], strlen(columns[COL_DOCUMENT]),
                                     SSO_MAX_SCIM_DOCUMENT, SSO_MAX_SCIM_DEPTH, &row.document) != SSO_OK) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "SCIM, id %s", sso_printable(ctx->pool, columns[COL_ID]));
    }
    row.id = apr_pstrdup(pool, columns[COL_ID]);
    row.user_key = apr_pstrdup(pool, columns[COL_USER]);
    row.oid = apr_pstrdup(pool, columns[COL_OID]);
    *ret_row = row;
    return SSO_OK;
}

const char *sso_scim_row_tag(apr_pool_t *pool, const sso_scim_row_t *row)
{
    return apr_psprintf(pool, "W/\"%" APR_INT64_T_FMT "\"", (apr_int64_t)row->version);
}

/* ---- reading ---- */

typedef struct {
    sso_scim_row_t *row;
    bool found;
} getting_t;

static sso_rc get_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    getting_t *getting = baton;
    getting->found = true;
    return sso_scim_row_parse(ctx, ctx->pool, columns, getting->row);
}

sso_rc sso_scim_row_get(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                        const char *id, bool locked, sso_scim_row_t *ret_row)
{
    /* SQLite's BEGIN IMMEDIATE is the lock already. */
    bool pgsql = locked && sso_connection_is_pgsql(connection);
    const char *table = sso_scim_table(kind);
    const sso_statement_t get = {
        apr_pstrcat(ctx->pool, table, pgsql ? "_lock" : "_get", NULL),
        apr_pstrcat(ctx->pool, "SELECT ", sso_scim_columns(kind), " FROM ", table, " WHERE id = %s AND app = %s",
                    pgsql ? " FOR UPDATE" : "", NULL),
    };
    const char *args[] = {id, app};
    getting_t getting = {ret_row, false};
    /* Ids are GUIDs of ours: what is none need not be looked for. */
    sso_rc rc = sso_is_guid(id) ? sso_connection_select(ctx, connection, &get, args, get_row, &getting) : SSO_OK;
    if (rc == SSO_OK && !getting.found) {
        rc = sso_fail(ctx, SSO_R_SCIM_NOT_FOUND, "%s", sso_printable(ctx->pool, id));
    }
    return rc;
}

bool sso_scim_row_is_jit(const sso_scim_row_t *row)
{
    const char *origin = sso_json_get_text(sso_json_get(row->document, SSO_JIT_URN), "origin");
    return row->version == 1 && origin != NULL && strcmp(origin, "jit") == 0;
}

/* A user that no change has reached since it was made, by a column that has an index: one condition a statement, since
 * SQLite looks at every user of the application for two that are joined by OR. */
static sso_rc find_unchanged(sso_ctx_t *ctx, sso_connection_t *connection, const char *column, const char *const *args,
                             getting_t *getting)
{
    const sso_statement_t find = {
        apr_pstrcat(ctx->pool, "scim_jit_by_", column, NULL),
        apr_pstrcat(ctx->pool, "SELECT ", sso_scim_columns(SSO_SCIM_USER), " FROM entra_scim_user WHERE app = %s AND ",
                    column, " = %s AND version = 1 AND id <> %s LIMIT 1",
                    sso_connection_is_pgsql(connection) ? " FOR UPDATE" : "", NULL),
    };
    return sso_connection_select(ctx, connection, &find, args, get_row, getting);
}

sso_rc sso_scim_row_find_jit(sso_ctx_t *ctx, sso_connection_t *connection, const char *app,
                             const sso_resource_keys_t *keys, const char *except, sso_scim_row_t *ret_row,
                             bool *ret_found)
{
    const char *by_oid[] = {app, keys->oid, except};
    const char *by_name[] = {app, keys->user_name, except};
    getting_t getting = {ret_row, false};
    sso_rc rc = SSO_OK;
    if (keys->oid != NULL && *keys->oid != '\0') {
        rc = find_unchanged(ctx, connection, "oid", by_oid, &getting);
    }
    if (rc == SSO_OK && !getting.found) {
        rc = find_unchanged(ctx, connection, "user_key", by_name, &getting);
    }
    *ret_found = rc == SSO_OK && getting.found && sso_scim_row_is_jit(ret_row);
    return rc;
}

/* ---- what one user alone may have ---- */

static sso_rc unique_take(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written,
                          const char *kind, const char *value)
{
    static const sso_statement_t take = {"scim_unique_take",
                                         "INSERT INTO entra_scim_unique (app, kind, value, id) "
                                         "VALUES (%s, %s, %s, %s) ON CONFLICT (app, kind, value) DO NOTHING"};
    const char *args[] = {written->app, kind, value, written->id};
    int rows = 0;
    sso_rc rc = sso_connection_change(ctx, connection, &take, args, &rows);
    if (rc == SSO_OK && rows == 0) {
        rc = sso_fail(ctx, SSO_R_SCIM_UNIQUE, "%s", kind);
    }
    return rc;
}

/* From the value that it had to the one that it has. */
static sso_rc unique_move(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written,
                          const char *kind, const char *old, const char *value)
{
    static const sso_statement_t give = {
        "scim_unique_give", "DELETE FROM entra_scim_unique WHERE app = %s AND kind = %s AND value = %s AND id = %s"};
    const char *args[] = {written->app, kind, old, written->id};
    sso_rc rc = SSO_OK;
    if (strcmp(old, value) == 0) {
        return SSO_OK;
    }
    if (*old != '\0') {
        rc = sso_connection_change(ctx, connection, &give, args, NULL);
    }
    return rc == SSO_OK && *value != '\0' ? unique_take(ctx, connection, written, kind, value) : rc;
}

static sso_rc unique_keep(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written,
                          const sso_scim_row_t *old)
{
    if (written->kind != SSO_SCIM_USER) {
        return SSO_OK;
    }
    /* Always in this order, so that two transactions do not wait for each other. */
    sso_rc rc = unique_move(ctx, connection, written, "oid", old == NULL ? "" : old->oid, OR_EMPTY(written->keys.oid));
    return rc == SSO_OK ? unique_move(ctx, connection, written, "user", old == NULL ? "" : old->user_key,
                                      OR_EMPTY(written->keys.user_name))
                        : rc;
}

/* ---- writing ---- */

static sso_rc document_print(sso_ctx_t *ctx, const sso_json_t *document, const char **ret_text)
{
    *ret_text = sso_json_print_value(ctx->pool, document, SSO_MAX_SCIM_DOCUMENT);
    return *ret_text != NULL ? SSO_OK : sso_fail(ctx, SSO_R_SCIM_DOCUMENT, NULL);
}

sso_rc sso_scim_row_add(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written)
{
    static const sso_statement_t user = {
        "scim_user_add",
        "INSERT INTO entra_scim_user (id, app, user_key, external_id, oid, display_key, email, manager, "
        "active, created, modified, version, touched, disabled_at, document) "
        "SELECT CAST(%s AS VARCHAR(36)), CAST(%s AS VARCHAR(32)), CAST(%s AS TEXT), CAST(%s AS TEXT), "
        "CAST(%s AS VARCHAR(36)), CAST(%s AS TEXT), CAST(%s AS TEXT), CAST(%s AS TEXT), flag, moment, "
        "moment, 1, moment, CASE WHEN flag = 1 THEN 0 ELSE moment END, CAST(%s AS TEXT) "
        "FROM (SELECT CAST(%s AS BIGINT) AS flag, {now} AS moment) AS given"};
    static const sso_statement_t group = {
        "scim_group_add",
        "INSERT INTO entra_scim_group (id, app, external_id, display_key, display, created, modified, "
        "version, document) "
        "SELECT CAST(%s AS VARCHAR(36)), CAST(%s AS VARCHAR(32)), CAST(%s AS TEXT), CAST(%s AS TEXT), "
        "CAST(%s AS TEXT), moment, moment, 1, CAST(%s AS TEXT) FROM (SELECT {now} AS moment) AS given"};
    const sso_resource_keys_t *keys = &written->keys;
    const char *text;
    sso_rc rc = document_print(ctx, written->document, &text);
    rc = rc == SSO_OK ? unique_keep(ctx, connection, written, NULL) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    if (written->kind == SSO_SCIM_GROUP) {
        const char *args[] = {written->id,
                              written->app,
                              OR_EMPTY(keys->external_id),
                              OR_EMPTY(keys->display_name),
                              OR_EMPTY(sso_json_get_text(written->document, "displayName")),
                              text};
        return sso_connection_change(ctx, connection, &group, args, NULL);
    }
    const char *args[] = {written->id,
                          written->app,
                          OR_EMPTY(keys->user_name),
                          OR_EMPTY(keys->external_id),
                          OR_EMPTY(keys->oid),
                          OR_EMPTY(keys->display_name),
                          OR_EMPTY(keys->work_email),
                          OR_EMPTY(keys->manager),
                          text,
                          keys->active ? "1" : "0"};
    return sso_connection_change(ctx, connection, &user, args, NULL);
}

sso_rc sso_scim_row_set(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written,
                        const sso_scim_row_t *old)
{
    static const sso_statement_t user = {
        "scim_user_set", "UPDATE entra_scim_user SET user_key = %s, external_id = %s, oid = %s, display_key = %s, "
                         "email = %s, manager = %s, active = CAST(%s AS BIGINT), document = %s, modified = {now}, "
                         "touched = " SSO_SCIM_TOUCH ", version = version + 1, "
                         "disabled_at = CASE WHEN %s = '1' THEN {now} ELSE disabled_at END WHERE id = %s AND app = %s"};
    static const sso_statement_t group = {
        "scim_group_set",
        "UPDATE entra_scim_group SET external_id = %s, display_key = %s, display = %s, document = %s, "
        "modified = {now}, version = version + 1 WHERE id = %s AND app = %s"};
    const sso_resource_keys_t *keys = &written->keys;
    const char *text;
    sso_rc rc = document_print(ctx, written->document, &text);
    rc = rc == SSO_OK ? unique_keep(ctx, connection, written, old) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    if (written->kind == SSO_SCIM_GROUP) {
        const char *args[] = {OR_EMPTY(keys->external_id),
                              OR_EMPTY(keys->display_name),
                              OR_EMPTY(sso_json_get_text(written->document, "displayName")),
                              text,
                              written->id,
                              written->app};
        return sso_connection_change(ctx, connection, &group, args, NULL);
    }
    const char *args[] = {OR_EMPTY(keys->user_name),
                          OR_EMPTY(keys->external_id),
                          OR_EMPTY(keys->oid),
                          OR_EMPTY(keys->display_name),
                          OR_EMPTY(keys->work_email),
                          OR_EMPTY(keys->manager),
                          keys->active ? "1" : "0",
                          text,
                          old->active && !keys->active ? "1" : "0",
                          written->id,
                          written->app};
    return sso_connection_change(ctx, connection, &user, args, NULL);
}

sso_rc sso_scim_row_delete(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                           const char *id)
{
    static const sso_statement_t members = {"scim_member_delete",
                                            "DELETE FROM entra_scim_member WHERE group_id = %s OR member_id = %s"};
    static const sso_statement_t unique = {"scim_unique_delete",
                                           "DELETE FROM entra_scim_unique WHERE app = %s AND kind = %s AND value IN "
                                           "(SELECT CASE WHEN %s = 'oid' THEN oid ELSE user_key END "
                                           "FROM entra_scim_user WHERE id = %s AND app = %s)"};
    const sso_statement_t row = {
        apr_pstrcat(ctx->pool, sso_scim_table(kind), "_delete", NULL),
        apr_pstrcat(ctx->pool, "DELETE FROM ", sso_scim_table(kind), " WHERE id = %s AND app = %s", NULL)};
    const char *member_args[] = {id, id};
    const char *row_args[] = {id, app};
    sso_rc rc = sso_connection_change(ctx, connection, &members, member_args, NULL);
    for (int i = 0; rc == SSO_OK && kind == SSO_SCIM_USER && i < 2; i++) {
        const char *name = i == 0 ? "oid" : "user";
        const char *args[] = {app, name, name, id, app};
        rc = sso_connection_change(ctx, connection, &unique, args, NULL);
    }
    return rc == SSO_OK ? sso_connection_change(ctx, connection, &row, row_args, NULL) : rc;
}

sso_rc sso_scim_audit(sso_ctx_t *ctx, sso_connection_t *connection, const char *app, const char *actor,
                      const char *what, const char *id)
{
    static const sso_statement_t audit = {"scim_audit_add",
                                          "INSERT INTO entra_scim_audit (at, app, actor, what, resource) "
                                          "VALUES ({now}, %s, %s, %s, %s)"};
    const char *args[] = {app, actor, what, id};
    return sso_connection_change(ctx, connection, &audit, args, NULL);
}
