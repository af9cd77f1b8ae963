/* SPDX-License-Identifier: Apache-2.0 */
/* A row for each name that somebody is known by. */
#include "directory/barred.h"

#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"

enum { NAMES = 2 };

/* The names that are known; gives their number. */
static int names_of(apr_pool_t *pool, const sso_barred_who_t *who, const char *ret_names[static NAMES])
{
    int count = 0;
    if (who->oid != NULL && *who->oid != '\0') {
        ret_names[count++] = who->oid;
    }
    if (who->user_key != NULL && *who->user_key != '\0') {
        ret_names[count++] = apr_pstrcat(pool, "name:", who->user_key, NULL);
    }
    return count;
}

/* A number for PostgreSQL's advisory locks, of application and name. Two names of one number only wait needlessly. */
static int64_t lock_number(const sso_barred_who_t *who, apr_pool_t *pool, const char *name)
{
    unsigned char digest[SSO_SHA256_BYTES];
    uint64_t number = 0;
    const char *text = apr_pstrcat(pool, "entra_scim ", who->app, " ", name, NULL);
    sso_sha256(text, strlen(text), digest);
    for (int i = 0; i < 8; i++) {
        number = number << 8 | digest[i];
    }
    return (int64_t)(number >> 1);
}

static sso_rc ignore_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    (void)ctx, (void)columns, (void)baton;
    return SSO_OK;
}

sso_rc sso_barred_lock(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who, bool alone)
{
    static const sso_statement_t exclusive = {"barred_lock_alone", "SELECT pg_advisory_xact_lock(CAST(%s AS BIGINT))"};
    static const sso_statement_t shared = {"barred_lock_shared",
                                           "SELECT pg_advisory_xact_lock_shared(CAST(%s AS BIGINT))"};
    const char *names[NAMES];
    int64_t numbers[NAMES];
    sso_rc rc = SSO_OK;
    if (!sso_connection_is_pgsql(connection)) {
        return SSO_OK;
    }
    int count = names_of(ctx->pool, who, names);
    for (int i = 0; i < count; i++) {
        numbers[i] = lock_number(who, ctx->pool, names[i]);
    }
    if (count == 2 && numbers[1] < numbers[0]) {
        /* In one order everywhere, so that no two wait for each other. */
        int64_t first = numbers[1];
        numbers[1] = numbers[0];
        numbers[0] = first;
    }
    for (int i = 0; rc == SSO_OK && i < count; i++) {
        const char *args[] = {apr_psprintf(ctx->pool, "%" APR_INT64_T_FMT, (apr_int64_t)numbers[i])};
        rc = sso_connection_select(ctx, connection, alone ? &exclusive : &shared, args, ignore_row, NULL);
    }
    return rc;
}

#define NOTE(at)                                                                                                       \
    "INSERT INTO entra_scim_barred (app, who, id, at) VALUES (%s, %s, %s, " at ") "                                    \
    "ON CONFLICT (app, who) DO UPDATE SET at = excluded.at, id = excluded.id"

sso_rc sso_barred_note(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who, const char *id)
{
    static const sso_statement_t by_database = {"barred_note", NOTE("{now}")};
    /* SECURITY: SQLite's clock is this one, cut to the millisecond: a sign-in that began within it would be the
     * younger. */
    static const sso_statement_t by_us = {"barred_note", NOTE("CAST(%s AS BIGINT)")};
    const char *ours = apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, sso_clock_now());
    const sso_statement_t *note = sso_connection_is_pgsql(connection) ? &by_database : &by_us;
    const char *names[NAMES];
    sso_rc rc = SSO_OK;
    int count = names_of(ctx->pool, who, names);
    for (int i = 0; rc == SSO_OK && i < count; i++) {
        const char *args[] = {who->app, names[i], id, ours};
        rc = sso_connection_change(ctx, connection, note, args, NULL);
    }
    return rc;
}

typedef struct {
    bool pgsql;
    apr_time_t since;
} latest_t;

/* Below it sums and differences do not overflow. */
static bool moment_parse(const char *text, int64_t *ret_moment)
{
    return sso_integer_parse(text, ret_moment) && *ret_moment >= 0 && *ret_moment < INT64_MAX / 2;
}

static sso_rc take_moment(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    latest_t *latest = baton;
    int64_t at;
    int64_t now;
    if (!moment_parse(columns[0], &at) || !moment_parse(columns[1], &now)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_scim_barred");
    }
    apr_time_t since = latest->pgsql ? sso_clock_now() - (now - at) : at;
    latest->since = since > latest->since ? since : latest->since;
    return SSO_OK;
}

sso_rc sso_barred_since(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                        apr_time_t *ret_since)
{
    static const sso_statement_t get = {"barred_get",
                                        "SELECT at, {now} FROM entra_scim_barred WHERE app = %s AND who = %s"};
    const char *names[NAMES];
    latest_t latest = {sso_connection_is_pgsql(connection), 0};
    sso_rc rc = SSO_OK;
    int count = names_of(ctx->pool, who, names);
    for (int i = 0; rc == SSO_OK && i < count; i++) {
        const char *args[] = {who->app, names[i]};
        rc = sso_connection_select(ctx, connection, &get, args, take_moment, &latest);
    }
    if (rc == SSO_OK) {
        *ret_since = latest.since;
    }
    return rc;
}
