/* SPDX-License-Identifier: Apache-2.0 */
/* Which sessions have ended, as every process of a node sees it: a table in shared memory that a request looks into
 * without a lock, in constant time. */
#pragma once

#include "base/result.h"
#include "session/record.h"

/* The table itself, in shared memory. Zeroed memory is an empty table that nobody has filled from the store yet. */
typedef struct sso_ended_t sso_ended_t;

/* Bytes of shared memory: room for 100,000 ended sessions and more. */
apr_size_t sso_ended_size(void);

/* Adds a session that must not be accepted until `until`. Any number of processes and threads may add at once; a
 * process that dies in the middle harms nobody. pending: the store does not know of it yet. */
void sso_ended_add(sso_ended_t *ended, const unsigned char id[static SSO_SESSION_ID_BYTES], apr_time_t until,
                   bool pending);

/* SECURITY: the table can say yes only after it was filled from the store once, so that an ended session does not come
 * back to life with a restart. */
void sso_ended_set_filled(sso_ended_t *ended, apr_time_t now);

/* The look-up of every request: no lock, no allocation. SSO_OK: not ended. Errors: SSO_R_SESSION_ENDED;
 * SSO_R_ENDED_UNKNOWN (class LATER) before the first filling, or when the table overflowed and does not hold the id. */
sso_rc sso_ended_check(sso_ctx_t *ctx, const sso_ended_t *ended,
                       const unsigned char id[static SSO_SESSION_ID_BYTES]) SSO_MUST_USE;
