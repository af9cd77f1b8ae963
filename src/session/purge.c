/* SPDX-License-Identifier: Apache-2.0 */
/* What the database loses by the hour: rows whose time is over. */
#include "session/store.h"

#include <apr_strings.h>

#include "session/database.h"
#include "session/posts.h"

/* A row outlives its time by this, since another node's clock may be behind. What has ended is small, and without its
 * row would live again where a clock was ahead for a while. */
#define KEPT_LONGER apr_time_from_sec(15 * 60)
#define ENDED_KEPT apr_time_from_sec(24 * 60 * 60)
#define AUDIT_KEPT apr_time_from_sec(366 * 24 * 60 * 60)
/* Rows deleted by one transaction, so that no sign-in waits long behind a purge. */
#define PURGE_ROWS 2000

typedef struct {
    const sso_statement_t *statement;
    const char *const *args;
    int rows;
} purge_t;

static sso_rc purge_some(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    purge_t *purge = baton;
    return sso_connection_change(ctx, connection, purge->statement, purge->args, &purge->rows);
}

static sso_rc purge_all(sso_ctx_t *ctx, sso_store_t *store, const sso_statement_t *statement, apr_interval_time_t kept)
{
    const char *args[] = {apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, ctx->now - kept),
                          apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, kept), APR_STRINGIFY(PURGE_ROWS)};
    purge_t purge = {statement, args, 0};
    sso_rc rc;
    do {
        rc = sso_database_change(ctx, sso_store_database(store), purge_some, &purge);
    } while (rc == SSO_OK && purge.rows >= PURGE_ROWS);
    return rc;
}

sso_rc sso_store_purge(sso_ctx_t *ctx, sso_store_t *store)
{
    static const sso_statement_t sessions = {"purge_session",
                                             "DELETE FROM entra_session WHERE id IN (SELECT id FROM entra_session "
                                             "WHERE " SSO_OVER("ends") " LIMIT CAST(%s AS BIGINT))"};
    static const sso_statement_t ended = {"purge_ended",
                                          "DELETE FROM entra_ended WHERE id IN (SELECT id FROM entra_ended "
                                          "WHERE " SSO_OVER("keep_until") " LIMIT CAST(%s AS BIGINT))"};
    static const sso_statement_t audit = {"purge_audit",
                                          "DELETE FROM entra_audit WHERE at IN (SELECT at FROM entra_audit "
                                          "WHERE " SSO_OVER("at") " LIMIT CAST(%s AS BIGINT))"};
    sso_rc rc = purge_all(ctx, store, &sessions, KEPT_LONGER);
    if (rc == SSO_OK) {
        rc = purge_all(ctx, store, &ended, ENDED_KEPT);
    }
    if (rc == SSO_OK) {
        rc = purge_all(ctx, store, &audit, AUDIT_KEPT);
    }
    return rc == SSO_OK ? sso_posts_purge(ctx, store) : rc;
}
