/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant watch: Graph is asked at intervals, once for the whole cluster, which accounts were disabled, deleted or
 * had their sign-ins revoked, and their sessions end without waiting for a request of theirs. */
#pragma once

#include "flow/flow.h"

/* The permission that the application needs, for texts. */
#define SSO_WATCH_PERMISSION "User.Read.All"

/* Entra may still let old browser sessions in for so long after a revocation; whoever signs in later has signed in
 * anew. */
#define SSO_WATCH_LATENESS apr_time_from_sec(15 * 60)

/* One watch in one process. Of one thread at a time. */
typedef struct sso_tenantwatch_t sso_tenantwatch_t;

/* The sessions of one user that ended. */
typedef struct {
    const char *oid;
    const char *why; /* "disabled", "deleted", "revoked" */
    int sessions;
    const apr_array_header_t *ended; /* which, sso_store_ended_t */
} sso_tenantwatch_ended_t;

/* What a turn did. */
typedef struct {
    bool ours;       /* it was this node's turn, and Graph was asked to the end of it */
    bool restarted;  /* what was known of the last turn was of no use: all users are read anew */
    bool enumerated; /* all users of the tenant have been read, for the first time or anew */
    int pages;
    int users;
    apr_array_header_t *ended; /* sso_tenantwatch_ended_t */
    const char *tid;
    apr_interval_time_t wait; /* how long nothing is to be done on this node */
} sso_tenantwatch_news_t;

/* A watch for the tenant of site, in pool. Makes no call. Sites of one tenant, client, Graph and database share one. */
sso_tenantwatch_t *sso_tenantwatch_make(apr_pool_t *pool, const sso_site_t *site);

/* The process is about to end: a turn under way begins no further page, and a call that breaks off
 * is no fault. Of any thread. */
void sso_tenantwatch_stop(sso_tenantwatch_t *watch);

/* A second look at those of whom this process read lately, whose sessions may have come after it; then one turn, if it
 * is this node's: as many pages as one turn may read, the sessions of whom they name, and where to go
 * on kept in the database. With an error the users of the pages before it have been dealt with, and ret_news tells of
 * them; no session has ended for want of an answer. Errors: SSO_R_WATCH_*, SSO_R_GRAPH_*, SSO_R_TOKEN_*, and those of
 * the credential, the authority, HTTP and the store. */
sso_rc sso_tenantwatch_turn(sso_ctx_t *ctx, sso_tenantwatch_t *watch, sso_tenantwatch_news_t *ret_news) SSO_MUST_USE;
