/* SPDX-License-Identifier: Apache-2.0 */
/* How much of everything an application has in the database, for those who show it. */
#pragma once

#include "session/ended.h"
#include "session/store.h"

typedef struct {
    int64_t sessions; /* live ones */
    int64_t users;    /* provisioned ones, and those of a first sign-in */
    int64_t active;   /* of these */
    int64_t groups;
    int64_t tokens;           /* of SCIM, whose time is not over */
    apr_time_t token_soonest; /* end of the first of these to end; 0: there is none */
    apr_time_t token_latest;  /* end of the last to end, of all that there are; 0: there is none */
} sso_tally_t;

/* Counts at ctx->now. Errors: those of the store. */
sso_rc sso_tally_count(sso_ctx_t *ctx, sso_store_t *store, const char *app, sso_tally_t *ret_tally) SSO_MUST_USE;

/* Keeps the notes TALLY_* of ctx->counters (base/counters.def): counts anew when the last time was ten seconds ago, in
 * one thread of all processes that ask; everybody else goes on with what is there. Never fails: while the database does
 * not answer, TALLY_FAILED is 1 and the numbers are those of before. store may be NULL. */
void sso_tally_keep(sso_ctx_t *ctx, sso_store_t *store, const sso_ended_t *ended, const char *app);
