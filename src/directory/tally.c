/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of the status and metrics pages that only the database knows. It changes nothing there. */
#include "directory/tally.h"

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "session/database.h"

#define KEPT_FOR apr_time_from_sec(10)

#define COLUMNS 7

typedef struct {
    const char *const *args;
    int64_t numbers[COLUMNS];
} reading_t;

static sso_rc row_read(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    reading_t *reading = baton;
    for (int i = 0; i < COLUMNS; i++) {
        if (!sso_integer_parse(columns[i], &reading->numbers[i])) {
            return sso_fail(ctx, SSO_R_STORE_ROW, "a count of an application");
        }
    }
    return SSO_OK;
}

static sso_rc read_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t count = {
        "tally",
        "SELECT (SELECT COUNT(*) FROM entra_session WHERE app = %s AND ended = 0 AND ends > CAST(%s AS BIGINT)), "
        "(SELECT COUNT(*) FROM entra_scim_user WHERE app = %s), "
        "(SELECT COUNT(*) FROM entra_scim_user WHERE app = %s AND active = 1), "
        "(SELECT COUNT(*) FROM entra_scim_group WHERE app = %s), "
        "(SELECT COUNT(*) FROM entra_scim_token WHERE app = %s AND expires > CAST(%s AS BIGINT)), "
        "(SELECT COALESCE(MIN(expires), 0) FROM entra_scim_token WHERE app = %s AND expires > CAST(%s AS BIGINT)), "
        "(SELECT COALESCE(MAX(expires), 0) FROM entra_scim_token WHERE app = %s)"};
    reading_t *reading = baton;
    return sso_connection_select(ctx, connection, &count, reading->args, row_read, reading);
}

sso_rc sso_tally_count(sso_ctx_t *ctx, sso_store_t *store, const char *app, sso_tally_t *ret_tally)
{
    const char *now = apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, ctx->now);
    const char *args[] = {app, now, app, app, app, app, now, app, now, app};
    reading_t reading = {.args = args};
    if (store == NULL) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), read_work, &reading);
    if (rc == SSO_OK) {
        const int64_t *n = reading.numbers;
        *ret_tally = (sso_tally_t){n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
    }
    return rc;
}

static void note(const sso_ctx_t *ctx, const sso_tally_t *tally)
{
    sso_count_note(ctx, SSO_NOTE_TALLY_SESSIONS, tally->sessions);
    sso_count_note(ctx, SSO_NOTE_TALLY_USERS, tally->users);
    sso_count_note(ctx, SSO_NOTE_TALLY_ACTIVE, tally->active);
    sso_count_note(ctx, SSO_NOTE_TALLY_GROUPS, tally->groups);
    sso_count_note(ctx, SSO_NOTE_TALLY_TOKENS, tally->tokens);
    sso_count_note(ctx, SSO_NOTE_TALLY_TOKEN_SOONEST, tally->token_soonest);
    sso_count_note(ctx, SSO_NOTE_TALLY_TOKEN_LATEST, tally->token_latest);
    sso_count_note(ctx, SSO_NOTE_TALLY_READ, ctx->now);
}

void sso_tally_keep(sso_ctx_t *ctx, sso_store_t *store, const sso_ended_t *ended, const char *app)
{
    sso_tally_t tally;
    if (ctx->counters == NULL) {
        return;
    }
    apr_time_t claimed = sso_counters_note(ctx->counters, SSO_NOTE_TALLY_CLAIMED);
    /* A moment in the future is one of before the clock was set back. */
    if ((claimed <= ctx->now && ctx->now - claimed < KEPT_FOR) ||
        !sso_counters_take(ctx->counters, SSO_NOTE_TALLY_CLAIMED, claimed, ctx->now)) {
        return;
    }
    bool up = sso_tally_count(ctx, store, app, &tally) == SSO_OK;
    /* The database's own log lines tell why. */
    sso_fault_clear(ctx);
    if (up) {
        note(ctx, &tally);
    }
    if (ended != NULL) {
        sso_count_note(ctx, SSO_NOTE_TALLY_ENDED, sso_ended_used(ended, ctx->now));
    }
    sso_count_note(ctx, SSO_NOTE_TALLY_FAILED, !up);
}
