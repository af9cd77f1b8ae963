/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft Graph asked as a user: which groups it is in, and whether its token still counts. A failure never reads as
 * "no groups". */
#pragma once

#include <apr_tables.h>

#include "base/http.h"
#include "base/result.h"

/* Where and with what: the Graph root ("https://graph.microsoft.com"), and the user's delegated access token for it. */
typedef struct {
    sso_http_t *http;
    const sso_http_policy_t *policy;
    const char *graph_url;
    const char *access_token;
} sso_graph_t;

/* Which of groups (const char * GUIDs) the user is a direct or transitive member of: POST /v1.0/me/checkMemberGroups,
 * 20 a call. Adds the members to ret_members (const char *, lower case). Errors: SSO_R_GRAPH_CONSENT (403), _TOKEN
 * (401), _BUSY (429, with Retry-After), _LATER (5xx), _FORMAT, and those of HTTP. */
sso_rc sso_graph_check_groups(sso_ctx_t *ctx, const sso_graph_t *graph, const apr_array_header_t *groups,
                              apr_array_header_t *ret_members) SSO_MUST_USE;

/* All groups of the user: GET /v1.0/me/transitiveMemberOf/microsoft.graph.group, following @odata.nextLink on the same
 * host only, at most SSO_MAX_GRAPH_GROUPS. Adds GUIDs in lower case. */
sso_rc sso_graph_all_groups(sso_ctx_t *ctx, const sso_graph_t *graph, apr_array_header_t *ret_members) SSO_MUST_USE;

/* The object id of the group with that display name: GET /v1.0/groups?$filter=displayName eq '...'. *ret_id NULL when
 * there is none; two of one name are SSO_R_GRAPH_AMBIGUOUS, since nobody can know which was meant. */
sso_rc sso_graph_group_id(sso_ctx_t *ctx, const sso_graph_t *graph, const char *name, const char **ret_id) SSO_MUST_USE;

typedef enum {
    SSO_PROBE_GOOD,
    SSO_PROBE_STALE,     /* no longer taken, as of an expired token, or of nobody that Graph knows: a refresh tells */
    SSO_PROBE_CHALLENGED /* Graph wants a token that is younger than what happened to this account */
} sso_probe_state_t;

typedef struct {
    sso_probe_state_t state;
    const char *claims; /* of SSO_PROBE_CHALLENGED: what a refresh has to ask for, JSON */
} sso_probe_t;

/* Asks Graph for the user's own id, of which only the status counts. Errors: SSO_R_PROBE_CHALLENGE, SSO_R_PROBE_CONSENT
 * (403), SSO_R_GRAPH_BUSY, _LATER, _FORMAT, _TOKEN (it cannot even be sent), and those of HTTP. */
sso_rc sso_graph_probe(sso_ctx_t *ctx, const sso_graph_t *graph, sso_probe_t *ret_probe) SSO_MUST_USE;
