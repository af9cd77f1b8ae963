/* SPDX-License-Identifier: Apache-2.0 */
/* Where the tenant watch of a cluster stands: one row for each, in the database that its nodes share. */
#pragma once

#include "session/store.h"

/* Hexadecimal: which watch. */
#define SSO_WATCH_KEY_TEXT 32

typedef struct {
    const char *claim;        /* NULL: it is not our turn */
    const char *link;         /* where to go on; "" from the beginning */
    apr_interval_time_t wait; /* how long it is somebody else's turn or nobody's, when it is not ours */
} sso_watchrow_turn_t;

/* Takes the turn, of all nodes for one, until it is given back or `hold` has passed, by the database's clock. Errors:
 * those of the store. */
sso_rc sso_watchrow_claim(sso_ctx_t *ctx, sso_store_t *store, const char *key, apr_interval_time_t hold,
                          sso_watchrow_turn_t *ret_turn) SSO_MUST_USE;

/* Gives the turn back: link is where the next one goes on, NULL where this one began. It is nobody's turn before
 * `every` has passed since this one began, and `wait` from now. *ret_kept false: the turn was lost, and nothing is
 * kept. */
sso_rc sso_watchrow_release(sso_ctx_t *ctx, sso_store_t *store, const char *key, const char *claim, const char *link,
                            apr_interval_time_t every, apr_interval_time_t wait, bool *ret_kept) SSO_MUST_USE;
