/* SPDX-License-Identifier: Apache-2.0 */
/* A row for each name that somebody is known by. */
#include "directory/barred.h"

#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
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

sso_rc sso_barred_note(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who, const char *id)
{
    /* SECURITY: SQLite's moments are the beginnings of milliseconds, and what came before within this one is older. */
    static const sso_statement_t note = {"barred_note",
                                         "INSERT INTO entra_scim_barred (app, who, id, at) "
                                         "VALUES (%s, %s, %s, {now} + 1000) "
                                         "ON CONFLICT (app, who) DO UPDATE SET at = excluded.at, id = excluded.id"};
    const char *names[NAMES];
    sso_rc rc = SSO_OK;
    int count = names_of(ctx->pool, who, names);
    for (int i = 0; rc == SSO_OK && i < count; i++) {
        const char *args[] = {who->app, names[i], id};
        rc = sso_connection_change(ctx, connection, &note, args, NULL);
    }
    return rc;
}

static sso_rc take_age(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    int64_t at;
    int64_t now;
    apr_interval_time_t *age = baton;
    if (!sso_integer_parse(columns[0], &at) || !sso_integer_parse(columns[1], &now) || at < 0 || now < 0) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_scim_barred");
    }
    *age = now - at < *age ? now - at : *age;
    return SSO_OK;
}

sso_rc sso_barred_age(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                      apr_interval_time_t *ret_age)
{
    static const sso_statement_t get = {"barred_get",
                                        "SELECT at, {now} FROM entra_scim_barred WHERE app = %s AND who = %s"};
    const char *names[NAMES];
    sso_rc rc = SSO_OK;
    *ret_age = SSO_BARRED_NEVER;
    int count = names_of(ctx->pool, who, names);
    for (int i = 0; rc == SSO_OK && i < count; i++) {
        const char *args[] = {who->app, names[i]};
        rc = sso_connection_select(ctx, connection, &get, args, take_age, ret_age);
    }
    return rc;
}
