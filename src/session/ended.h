/* SPDX-License-Identifier: Apache-2.0 */
/* Which sessions have ended, as every process of a node sees it: a table in shared memory that a request looks into
 * without a lock, in constant time. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/store.h"

/* The table itself, in shared memory. Zeroed memory is an empty table that nobody has filled from the store yet. Its
 * form is of one version of this file: memory kept over a reload is found by SSO_ENDED_FORM too. */
typedef struct sso_ended_t sso_ended_t;
#define SSO_ENDED_FORM "ended sessions, form 2"

/* Bytes of shared memory: room for 100,000 ended sessions and more. */
apr_size_t sso_ended_size(void);

/* Adds a session that must not be accepted until `until`. Any number of processes and threads may add at once; a
 * process that dies in the middle harms nobody. pending: the store does not know of it yet; adding it once more without
 * pending says that now it does. Entries whose time is over at now give way. False when there was no room: until then
 * every miss counts as unknown (below), and a pending one is lost. */
bool sso_ended_add(sso_ended_t *ended, const unsigned char id[static SSO_SESSION_ID_BYTES], apr_time_t until,
                   bool pending, apr_time_t now);

/* SECURITY: the table can say no only after it was filled from the store once, so that an ended session does not come
 * back to life with a restart. now: of this complete reading. */
void sso_ended_set_filled(sso_ended_t *ended, apr_time_t now);
/* The moment of the last complete reading, 0 for never. */
apr_time_t sso_ended_filled(const sso_ended_t *ended);
/* The same for the last good reading of any kind, by which the next one knows how far to look back. */
void sso_ended_set_polled(sso_ended_t *ended, apr_time_t now);
apr_time_t sso_ended_polled(const sso_ended_t *ended);
/* Whether this process is the one that reads the store now. Of a node's processes one has the turn, again each time
 * that `every` has passed, and keeps it until it stays away for `lost` (it died, or hangs): then the next that asks
 * gets it. turn: 0 at first, and then this process's own, to be given back unchanged. */
bool sso_ended_take_turn(sso_ended_t *ended, apr_time_t now, apr_interval_time_t every, apr_interval_time_t lost,
                         apr_time_t *turn);
/* Notes whether the store is out of reach, and gives what was noted before: of all processes one sees each change. */
bool sso_ended_set_away(sso_ended_t *ended, bool away);
bool sso_ended_is_away(const sso_ended_t *ended);
/* True for one process at a time, until it releases or dies: the one that fills the table. */
bool sso_ended_claim(sso_ended_t *ended);
void sso_ended_release(sso_ended_t *ended);

/* The look-up of every request: no lock, no allocation. SSO_OK: not ended. Errors: SSO_R_SESSION_ENDED;
 * SSO_R_ENDED_UNKNOWN (class LATER) before the first filling, or when the table overflowed and does not hold the id. */
sso_rc sso_ended_check(sso_ctx_t *ctx, const sso_ended_t *ended,
                       const unsigned char id[static SSO_SESSION_ID_BYTES]) SSO_MUST_USE;
/* True while a session that found no room could still be presented: the store has to be asked about each miss. */
bool sso_ended_overflowed(const sso_ended_t *ended, apr_time_t now);

/* Adds the pending entries (sso_store_ended_t) to ret_pending, and forgets that those whose time is over were. Costs
 * nothing when there are none, else a walk over the whole table. */
void sso_ended_pending(sso_ended_t *ended, apr_time_t now, apr_array_header_t *ret_pending);
/* How many sessions the table holds whose time is not over: a walk over all of it, for those who only show it. */
int sso_ended_used(const sso_ended_t *ended, apr_time_t now);
/* The most places that a look-up visits at present; SSO_ENDED_PLACES at the very most. */
unsigned sso_ended_reach(const sso_ended_t *ended);
