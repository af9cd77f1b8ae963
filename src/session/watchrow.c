/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of the table entra_watch. */
#include "session/watchrow.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "session/database.h"

/* A turn that begins by so much ahead of now is of before the database's clock was set back. */
#define STEADY apr_time_from_sec(10)
/* No turn is claimed for longer, nor put off: the same. */
#define LONGEST_WAIT (SSO_SESSION_CAP + apr_time_from_sec(60 * 60))

static const char *number_text(apr_pool_t *pool, apr_int64_t number)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
}

/* ---- taking the turn ---- */

typedef struct {
    const char *key;
    const char *mark;
    const char *hold;
    bool ours;
    sso_watchrow_turn_t turn;
} claim_t;

static sso_rc row_read(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    claim_t *claim = baton;
    int64_t left;
    if (columns[0] == NULL || strlen(columns[0]) > SSO_MAX_WATCH_LINK || !sso_integer_parse(columns[1], &left)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_watch, id %s", claim->key);
    }
    claim->turn.link = apr_pstrdup(ctx->pool, columns[0]);
    claim->turn.wait = left < 0 ? 0 : left;
    return SSO_OK;
}

static sso_rc claim_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t make = {"watch_make",
                                         "INSERT INTO entra_watch (id, link, claim, claimed_until, began) "
                                         "VALUES (%s, '', '', 0, 0) ON CONFLICT (id) DO NOTHING"};
    static const sso_statement_t take = {
        "watch_take", "UPDATE entra_watch SET claim = %s, began = {now}, claimed_until = {now} + CAST(%s AS BIGINT) "
                      "WHERE id = %s AND (claimed_until <= {now} OR claimed_until > {now} + CAST(%s AS BIGINT) "
                      "OR began > {now} + CAST(%s AS BIGINT))"};
    static const sso_statement_t get = {"watch_get",
                                        "SELECT link, claimed_until - {now} FROM entra_watch WHERE id = %s"};
    claim_t *claim = baton;
    const char *take_args[] = {claim->mark, claim->hold, claim->key, number_text(ctx->pool, LONGEST_WAIT),
                               number_text(ctx->pool, STEADY)};
    int rows = 0;
    sso_rc rc = sso_connection_change(ctx, connection, &make, &claim->key, NULL);
    if (rc == SSO_OK) {
        rc = sso_connection_change(ctx, connection, &take, take_args, &rows);
    }
    claim->ours = rows == 1;
    return rc == SSO_OK ? sso_connection_select(ctx, connection, &get, &claim->key, row_read, claim) : rc;
}

sso_rc sso_watchrow_claim(sso_ctx_t *ctx, sso_store_t *store, const char *key, apr_interval_time_t hold,
                          sso_watchrow_turn_t *ret_turn)
{
    unsigned char bytes[SSO_SESSION_ID_BYTES];
    sso_rc rc = sso_random(ctx, bytes, sizeof(bytes));
    if (rc != SSO_OK) {
        return rc;
    }
    claim_t claim = {.key = key,
                     .mark = sso_hex(ctx->pool, bytes, sizeof(bytes)),
                     .hold = number_text(ctx->pool, hold),
                     .turn = {.link = ""}};
    rc = sso_database_change(ctx, sso_store_database(store), claim_work, &claim);
    if (rc == SSO_OK) {
        claim.turn.claim = claim.ours ? claim.mark : NULL;
        *ret_turn = claim.turn;
    }
    return rc;
}

/* ---- giving it back ---- */

typedef struct {
    const char *const *args;
    int rows;
} release_t;

static sso_rc release_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t give = {
        "watch_give",
        "UPDATE entra_watch SET link = CASE WHEN %s = '1' THEN %s ELSE link END, claim = '', "
        "claimed_until = CASE WHEN began + CAST(%s AS BIGINT) > {now} + CAST(%s AS BIGINT) "
        "THEN began + CAST(%s AS BIGINT) ELSE {now} + CAST(%s AS BIGINT) END WHERE id = %s AND claim = %s"};
    release_t *release = baton;
    return sso_connection_change(ctx, connection, &give, release->args, &release->rows);
}

sso_rc sso_watchrow_release(sso_ctx_t *ctx, sso_store_t *store, const char *key, const char *claim, const char *link,
                            apr_interval_time_t every, apr_interval_time_t wait, bool *ret_kept)
{
    if (link != NULL && (strlen(link) > SSO_MAX_WATCH_LINK || !sso_is_utf8(link, strlen(link)))) {
        return sso_fail(ctx, SSO_R_STORE_TEXT, "link of the tenant watch: %lu bytes", (unsigned long)strlen(link));
    }
    const char *since = number_text(ctx->pool, every);
    const char *from_now = number_text(ctx->pool, wait);
    const char *args[] = {
        link == NULL ? "0" : "1", link == NULL ? "" : link, since, from_now, since, from_now, key, claim};
    release_t release = {args, 0};
    sso_rc rc = sso_database_change(ctx, sso_store_database(store), release_work, &release);
    if (rc == SSO_OK) {
        *ret_kept = release.rows == 1;
    }
    return rc;
}
