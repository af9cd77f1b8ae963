/* SPDX-License-Identifier: Apache-2.0 */
/* Ending sessions: in the store, for all nodes and for good, and in this node's table, at once. */
#pragma once

#include "session/ended.h"
#include "session/store.h"

/* Where sessions end. */
typedef struct {
    sso_store_t *store; /* of the process; NULL is as good as out of reach */
    sso_ended_t *ended; /* of the node */
} sso_ending_t;

/* Ends the live sessions that fit, in the store and here, and adds them to ret_ended (sso_store_ended_t). cause and
 * actor are words for the audit. Errors: those of the store, and then nothing has ended. */
sso_rc sso_ending_end(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_store_which_t *which, const char *cause,
                      const char *actor, apr_array_header_t *ret_ended) SSO_MUST_USE;

/* Takes endings that a transaction of somebody else's has written (sso_store_end_within) into this node's table, once
 * that is committed. */
void sso_ending_note(const sso_ending_t *ending, const apr_array_header_t *ended, apr_time_t now);

/* Ends the session of record, whatever becomes of the store: here at once; *ret_waits true when the other nodes learn
 * of it only when the store is back. SSO_R_SIGNOUT_LOST when it could be noted nowhere. */
sso_rc sso_ending_end_one(sso_ctx_t *ctx, const sso_ending_t *ending, const sso_record_t *record, const char *cause,
                          const char *actor, bool *ret_waits) SSO_MUST_USE;

/* What a poll did, for the log. */
typedef struct {
    int written; /* sessions that had ended while the store was away */
    bool filled; /* for the first time */
    bool was_away;
} sso_ending_news_t;

/* The node's regular look, from one process at a time: writes what ended while the store was away, and learns what has
 * ended elsewhere: of the last two minutes, or of all time at first, every ten minutes, and after a gap. Errors: those
 * of the store; ret_news is written in any case. */
sso_rc sso_ending_poll(sso_ctx_t *ctx, const sso_ending_t *ending, sso_ending_news_t *ret_news) SSO_MUST_USE;

/* True when this process is to poll at its start, before its first request: the first of the node is, and the others
 * wait here until that has been tried, five seconds at most. Call sso_ended_release when it is done. */
bool sso_ending_is_first(const sso_ending_t *ending);
