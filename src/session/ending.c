/* SPDX-License-Identifier: Apache-2.0 */
/* Store and table together: the order in which they learn of an ending, and how a node keeps up with the others. */
#include "session/ending.h"

#include <string.h>

#include "base/clock.h"
#include "base/counters.h"

/* A longer gap since the last good poll, by our own clock, makes the next one read everything. */
#define LONGEST_GAP apr_time_from_sec(60)
/* How far a usual poll looks back, by the database's clock. */
#define LOOK_BACK (LONGEST_GAP + 4 * SSO_STORE_LATENESS)
#define ALL_EVERY apr_time_from_sec(600)
/* Waiting for the process that fills the table. */
#define FIRST_STEP apr_time_from_msec(10)
#define FIRST_STEPS 500

static void note(const sso_ending_t *ending, const apr_array_header_t *entries, int first, apr_time_t now)
{
    for (int i = first; i < entries->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(entries, i, sso_store_ended_t);
        /* Without room the table itself remembers that a miss proves nothing. */
        (void)sso_ended_add(ending->ended, entry->id, entry->until, false, now);
    }
}

static void count(const sso_ctx_t *ctx, const char *cause, int many)
{
    static const struct {
        const char *cause;
        sso_count_t count;
    } causes[] = {{"sign-out", SSO_COUNT_ENDED_SIGNOUT},
                  {"sign-out everywhere", SSO_COUNT_ENDED_EVERYWHERE},
                  {"front-channel logout", SSO_COUNT_ENDED_FRONTCHANNEL},
                  {"revalidation", SSO_COUNT_ENDED_REVALIDATION},
                  {"continuous access", SSO_COUNT_ENDED_CONTINUOUS},
                  {"tenant watch", SSO_COUNT_ENDED_WATCH},
                  {"directory", SSO_COUNT_ENDED_SCIM}};
    sso_count_t found = SSO_COUNT_ENDED_OTHER;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        found = strcmp(causes[i].cause, cause) == 0 ? causes[i].count : found;
    }
    sso_count_many(ctx, found, (unsigned)many);
}

void sso_ending_note(const sso_ending_t *ending, const apr_array_header_t *ended, apr_time_t now)
{
    note(ending, ended, 0, now);
}

static sso_rc store_end(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_store_which_t *which, const char *cause,
                        const char *actor, apr_array_header_t *ret_ended)
{
    int first = ret_ended->nelts;
    if (ending->store == NULL) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    sso_rc rc = sso_store_end(ctx, ending->store, which, cause, actor, ret_ended);
    if (rc == SSO_OK) {
        /* Died here: the next poll sees the rows. */
        note(ending, ret_ended, first, ctx->now);
    }
    return rc;
}

sso_rc sso_ending_end(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_store_which_t *which, const char *cause,
                      const char *actor, apr_array_header_t *ret_ended)
{
    int first = ret_ended->nelts;
    sso_rc rc = store_end(ctx, ending, which, cause, actor, ret_ended);
    if (rc == SSO_OK) {
        count(ctx, cause, ret_ended->nelts - first);
    }
    return rc;
}

/* One session by its id, whether the store has it or not. */
static sso_rc store_one(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_store_ended_t *entry, const char *cause,
                        const char *actor)
{
    const sso_store_which_t which = {.id = entry->id};
    apr_array_header_t *ended = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    sso_rc rc = store_end(ctx, ending, &which, cause, actor, ended);
    if (rc == SSO_OK && ended->nelts == 0) {
        rc = sso_store_add_ended(ctx, ending->store, entry, cause);
    }
    if (rc == SSO_OK) {
        (void)sso_ended_add(ending->ended, entry->id, entry->until, false, ctx->now);
    }
    return rc;
}

sso_rc sso_ending_end_one(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_record_t *record, const char *cause,
                          const char *actor, bool *ret_waits)
{
    sso_store_ended_t entry = {.until = record->ends};
    memcpy(entry.id, record->id, sizeof(entry.id));
    /* SECURITY: here first, before the store may take its time; and as pending, so that it is written later even if
     * this process dies on the way. */
    bool noted = sso_ended_add(ending->ended, entry.id, entry.until, true, ctx->now);
    bool waits = store_one(ctx, ending, &entry, cause, actor) != SSO_OK;
    if (waits && !noted) {
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_SIGNOUT_LOST, "the database is away, and the table of ended sessions has no room");
    }
    /* Whoever signs out is signed out here. */
    sso_fault_clear(ctx);
    count(ctx, cause, 1);
    *ret_waits = waits;
    return SSO_OK;
}

/* The table does not keep why; the log of that moment does. */
#define LATE_CAUSE "ended while the database was away"

static sso_rc write_pending(sso_ctx_t *ctx, const sso_ending_t *ending, int *written)
{
    apr_array_header_t *pending = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    sso_ended_pending(ending->ended, ctx->now, pending);
    for (int i = 0; i < pending->nelts; i++) {
        sso_rc rc = store_one(ctx, ending, &APR_ARRAY_IDX(pending, i, sso_store_ended_t), LATE_CAUSE, "node");
        if (rc != SSO_OK) {
            return rc;
        }
        (*written)++;
    }
    return SSO_OK;
}

/* What ended on another node, or by the command. Only what this table has not heard of: a poll sees each row for
 * minutes. */
static void count_elsewhere(sso_ctx_t *ctx, const sso_ending_t *ending, const apr_array_header_t *ended)
{
    unsigned fresh = 0;
    sso_ctx_t own;
    sso_ctx_init(&own, ctx->pool, ctx->now);
    if (ctx->counters == NULL || sso_ended_filled(ending->ended) == 0) {
        return;
    }
    for (int i = 0; i < ended->nelts; i++) {
        fresh +=
            sso_ended_check(&own, ending->ended, APR_ARRAY_IDX(ended, i, sso_store_ended_t).id) != SSO_R_SESSION_ENDED;
    }
    sso_count_many(ctx, SSO_COUNT_ENDED_ELSEWHERE, fresh);
}

static sso_rc read_endings(sso_ctx_t *ctx, const sso_ending_t *ending, bool *filled)
{
    bool all = sso_clock_is_past(sso_ended_filled(ending->ended), ALL_EVERY, ctx->now) ||
               sso_clock_is_past(sso_ended_polled(ending->ended), LONGEST_GAP, ctx->now);
    apr_array_header_t *ended = apr_array_make(ctx->pool, 64, sizeof(sso_store_ended_t));
    sso_rc rc = sso_store_ended_since(ctx, ending->store, all ? 0 : LOOK_BACK, ended);
    if (rc != SSO_OK) {
        return rc;
    }
    count_elsewhere(ctx, ending, ended);
    note(ending, ended, 0, ctx->now);
    if (all) {
        *filled = sso_ended_filled(ending->ended) == 0;
        sso_ended_set_filled(ending->ended, ctx->now);
    }
    sso_ended_set_polled(ending->ended, ctx->now);
    return SSO_OK;
}

sso_rc sso_ending_poll(sso_ctx_t *ctx, const sso_ending_t *ending, sso_ending_news_t *ret_news)
{
    memset(ret_news, 0, sizeof(*ret_news));
    sso_rc rc = ending->store == NULL ? sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store")
                                      : write_pending(ctx, ending, &ret_news->written);
    if (ending->store != NULL) {
        /* Also when nothing could be written: a database on a full disk still tells what ended elsewhere. */
        sso_rc read = read_endings(ctx, ending, &ret_news->filled);
        rc = rc == SSO_OK ? read : rc;
    }
    ret_news->was_away = sso_ended_set_away(ending->ended, rc != SSO_OK);
    return rc;
}

bool sso_ending_is_first(const sso_ending_t *ending)
{
    for (int i = 0; i < FIRST_STEPS; i++) {
        if (sso_ended_filled(ending->ended) != 0 || sso_ended_is_away(ending->ended)) {
            return false;
        }
        if (sso_ended_claim(ending->ended)) {
            return true;
        }
        apr_sleep(FIRST_STEP);
    }
    return false;
}
