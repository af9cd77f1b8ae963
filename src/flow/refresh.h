/* SPDX-License-Identifier: Apache-2.0 */
/* A session whose user was changed in the directory: its record read anew, in the one request that meets it first. */
#pragma once

#include "base/memo.h"
#include "flow/directory.h"

typedef enum {
    SSO_REFRESH_NONE,  /* nothing has changed */
    SSO_REFRESH_DONE,  /* record has what the directory says now, and is worth a new cookie */
    SSO_REFRESH_LATER, /* nobody can tell now: record has nothing of the directory any more, and must not be kept */
    SSO_REFRESH_OUT    /* the user may not be here: the session has ended, in the store and on this node */
} sso_refreshed_t;

/* The refreshes of one process. memo: of the process too, where results wait for clients that keep no new cookie; NULL:
 * none is remembered. */
sso_refreshes_t *sso_refreshes_make(apr_pool_t *pool, sso_memo_t *memo);

/* The question of every request with a session. Costs nothing but a look into a table as long as nothing has changed;
 * then one reading by index, and of the process at most SSO_MAX_REFRESHES at once. With SSO_REFRESH_LATER and _OUT the
 * context's fault tells why. */
sso_refreshed_t sso_refresh(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record);
