/* SPDX-License-Identifier: Apache-2.0 */
/* The changes of a tenant's users, by Graph's delta query: all users at first, from then on those alone that changed.
 */
#pragma once

#include "entra/graph.h"

typedef struct {
    const char *id; /* object id, lower case */
    bool removed;
    bool disabled;
    apr_time_t valid_from; /* sign-ins before this moment are void; 0 when Graph does not say */
} sso_delta_user_t;

typedef struct {
    apr_array_header_t *users; /* sso_delta_user_t */
    const char *link;          /* where to go on */
    bool last;                 /* link leads to what will change from now on, and not to more pages */
} sso_delta_page_t;

/* Where the first enumeration begins. In ctx->pool. */
const char *sso_delta_start(sso_ctx_t *ctx, const sso_graph_t *graph);
/* True when link may be asked for: of the delta query of that Graph. */
bool sso_delta_is_link(apr_pool_t *pool, const sso_graph_t *graph, const char *link);

/* One page, in ctx->pool; graph's token is an application's. Errors: SSO_R_WATCH_EXPIRED (begin again),
 * SSO_R_WATCH_CONSENT (403), SSO_R_WATCH_TOKEN (401), SSO_R_GRAPH_BUSY (429, with Retry-After), _LATER, _FORMAT, and
 * those of HTTP. */
sso_rc sso_delta_page(sso_ctx_t *ctx, const sso_graph_t *graph, const char *url,
                      sso_delta_page_t *ret_page) SSO_MUST_USE;
