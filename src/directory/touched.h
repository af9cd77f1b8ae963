/* SPDX-License-Identifier: Apache-2.0 */
/* Who was changed in the directory, and when, as every process of a node sees it: a table in shared memory that a
 * request looks into without a lock, in constant time. */
#pragma once

#include <stdint.h>

#include "base/result.h"
#include "session/store.h"

/* The table itself, in shared memory. Zeroed memory is an empty table that nobody has filled yet. Its form is of one
 * version of this file: memory kept over a reload is found by SSO_TOUCHED_FORM too. */
typedef struct sso_touched_t sso_touched_t;
#define SSO_TOUCHED_FORM "changes of people, form 1"

/* Bytes of shared memory. Pages of it that are never used take no room. */
apr_size_t sso_touched_size(void);

/* What an entry is about. A user has three names: the SCIM id, the object id, the folded user name. */
typedef enum { SSO_TOUCHED_ID, SSO_TOUCHED_OID, SSO_TOUCHED_NAME, SSO_TOUCHED_ASSERTION } sso_touched_kind_t;
/* Never 0. */
uint64_t sso_touched_key(apr_pool_t *pool, sso_touched_kind_t kind, const char *app, const char *name);

/* Raises the moment of key. True when it was raised: of all that note one moment for a key, in all processes, one is
 * told so. Entries that no session can be older than give way. Without room for it, true, and from then on
 * sso_touched_overflowed. */
bool sso_touched_note(sso_touched_t *touched, uint64_t key, apr_time_t moment, apr_time_t now);
/* The last moment of key, 0: none. The look-up of every request: no lock, no allocation. */
apr_time_t sso_touched_at(const sso_touched_t *touched, uint64_t key);

/* SECURITY: true while a miss proves nothing: before the directory was read once since the start, and while a session
 * could be older than a change that found no room. */
bool sso_touched_is_blind(const sso_touched_t *touched, apr_time_t now);

/* The node's regular look, from one process at a time: all changes that a session can be older than at first, else
 * those since the last good look. Errors: those of the store. */
sso_rc sso_touched_poll(sso_ctx_t *ctx, sso_touched_t *touched, sso_store_t *store) SSO_MUST_USE;
