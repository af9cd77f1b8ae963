/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of entra_post. One that was given out stays, empty, until its time is over: so a form that is sent and lost
 * again and again reaches its user's bound. */
#include "session/posts.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "session/database.h"
#include "session/row.h"

static const sso_statement_t purge = {"post_purge", "DELETE FROM entra_post WHERE " SSO_OVER("keep_until")};

/* What is over takes nobody's place, so it goes with each new one too, and not once an hour alone. */
static sso_rc purge_within(sso_ctx_t *ctx, sso_connection_t *connection)
{
    const char *args[] = {sso_row_time(ctx->pool, ctx->now + 1), "0"};
    return sso_connection_change(ctx, connection, &purge, args, NULL);
}

static sso_rc key_check(sso_ctx_t *ctx, const sso_post_key_t *key)
{
    if (!sso_row_is_app(key->app) || !sso_is_guid(key->tid) || !sso_is_guid(key->oid)) {
        return sso_fail(ctx, SSO_R_STORE_TEXT, "tenant or object is no GUID, or app no hexadecimal");
    }
    return SSO_OK;
}

/* ---- adding ---- */

typedef struct {
    const char *const *args;
    int rows;
} adding_t;

static sso_rc add_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t add = {
        "post_add",
        "INSERT INTO entra_post (id, app, tenant, object, keep_until, size, sealed) "
        "SELECT CAST(%s AS TEXT), CAST(%s AS TEXT), CAST(%s AS TEXT), CAST(%s AS TEXT), CAST(%s AS BIGINT), "
        "CAST(%s AS BIGINT), CAST(%s AS TEXT) "
        "WHERE (SELECT COUNT(*) FROM entra_post WHERE app = %s AND tenant = %s AND object = %s) < CAST(%s AS BIGINT) "
        "AND (SELECT COALESCE(SUM(size), 0) FROM entra_post) <= CAST(%s AS BIGINT)"};
    adding_t *adding = baton;
    sso_rc rc = purge_within(ctx, connection);
    return rc == SSO_OK ? sso_connection_change(ctx, connection, &add, adding->args, &adding->rows) : rc;
}

sso_rc sso_posts_add(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char *sealed,
                     apr_time_t until, bool *ret_kept)
{
    sso_rc rc = key_check(ctx, key);
    if (rc == SSO_OK) {
        rc = sso_row_check_text(ctx, "form", sealed, SSO_MAX_FORM_SEALED);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    apr_size_t size = strlen(sealed);
    const char *args[] = {sso_row_id(ctx->pool, key->id),
                          key->app,
                          key->tid,
                          key->oid,
                          sso_row_time(ctx->pool, until),
                          apr_psprintf(ctx->pool, "%" APR_SIZE_T_FMT, size),
                          sealed,
                          key->app,
                          key->tid,
                          key->oid,
                          apr_itoa(ctx->pool, SSO_MAX_FORMS_OF_USER),
                          apr_psprintf(ctx->pool, "%" APR_SIZE_T_FMT, (apr_size_t)SSO_MAX_FORMS_BYTES - size)};
    adding_t adding = {.args = args};
    rc = sso_database_change(ctx, sso_store_database(store), add_work, &adding);
    if (rc == SSO_OK) {
        *ret_kept = adding.rows == 1;
    }
    return rc;
}

/* ---- giving out ---- */

typedef struct {
    const char *const *args;
    const char *sealed;
} taking_t;

static sso_rc read_sealed(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    if (columns[0] == NULL || strlen(columns[0]) > SSO_MAX_FORM_SEALED) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_post");
    }
    ((taking_t *)baton)->sealed = apr_pstrdup(ctx->pool, columns[0]);
    return SSO_OK;
}

static sso_rc take_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t get = {"post_get", "SELECT sealed FROM entra_post WHERE id = %s AND app = %s "
                                                    "AND tenant = %s AND object = %s AND sealed <> '' "
                                                    "AND keep_until > CAST(%s AS BIGINT)"};
    static const sso_statement_t empty = {
        "post_empty", "UPDATE entra_post SET sealed = '', size = 0 WHERE id = %s AND app = %s "
                      "AND tenant = %s AND object = %s AND sealed <> '' AND keep_until > CAST(%s AS BIGINT)"};
    taking_t *taking = baton;
    int rows = 0;
    taking->sealed = NULL;
    sso_rc rc = sso_connection_select(ctx, connection, &get, taking->args, read_sealed, taking);
    if (rc == SSO_OK) {
        rc = sso_connection_change(ctx, connection, &empty, taking->args, &rows);
    }
    if (rows != 1) {
        /* SECURITY: whoever read it at the same moment and was faster has it. */
        taking->sealed = NULL;
    }
    return rc;
}

sso_rc sso_posts_take(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char **ret_sealed)
{
    sso_rc rc = key_check(ctx, key);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {sso_row_id(ctx->pool, key->id), key->app, key->tid, key->oid,
                          sso_row_time(ctx->pool, ctx->now)};
    taking_t taking = {.args = args};
    rc = sso_database_change(ctx, sso_store_database(store), take_work, &taking);
    if (rc == SSO_OK) {
        *ret_sealed = taking.sealed;
    }
    return rc;
}

/* ---- deleting ---- */

typedef struct {
    const sso_statement_t *statement;
    const char *const *args;
    int rows;
} change_t;

static sso_rc change_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    change_t *change = baton;
    return sso_connection_change(ctx, connection, change->statement, change->args, &change->rows);
}

sso_rc sso_posts_drop_foreign(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, bool *ret_dropped)
{
    static const sso_statement_t drop = {"post_drop", "DELETE FROM entra_post WHERE id = %s AND app = %s "
                                                      "AND (tenant <> %s OR object <> %s)"};
    sso_rc rc = key_check(ctx, key);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {sso_row_id(ctx->pool, key->id), key->app, key->tid, key->oid};
    change_t change = {.statement = &drop, .args = args};
    rc = sso_database_change(ctx, sso_store_database(store), change_work, &change);
    if (rc == SSO_OK) {
        *ret_dropped = change.rows > 0;
    }
    return rc;
}

static sso_rc purge_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    (void)baton;
    return purge_within(ctx, connection);
}

sso_rc sso_posts_purge(sso_ctx_t *ctx, sso_store_t *store)
{
    return sso_database_change(ctx, sso_store_database(store), purge_work, NULL);
}
