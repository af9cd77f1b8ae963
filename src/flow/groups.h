/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups a session keeps (design 7): from the token, and where a token cannot hold them, from Graph. */
#pragma once

#include "entra/idtoken.h"
#include "flow/flow.h"

/* What the token does past 200 groups. */
typedef enum { SSO_OVERAGE_GRAPH, SSO_OVERAGE_DENY, SSO_OVERAGE_IGNORE } sso_overage_t;

/* The group rules of one application. Immutable. */
struct sso_group_policy_t {
    const apr_array_header_t *referenced; /* const char *: names and object ids that the configuration names */
    bool all;                             /* keep every group, not only the referenced */
    bool elsewhere; /* the directory has them (flow/directory.h): neither token nor Graph is read */
    sso_overage_t overage;
    const char *graph_url;
};

/* The Graph scopes that these rules need, "" for none: names need a look-up in the directory, overage the user's own
 * groups. */
const char *sso_groups_scopes(const sso_group_policy_t *policy);

/* Ids of group names, looked up once and kept for an hour in this process. */
sso_group_names_t *sso_group_names_make(apr_pool_t *pool);

/* Fills record->groups with what is kept: of the referenced ones those that the user is in, written as the
 * configuration writes them; with `all` every object id beside. No failure reads as "no groups": SSO_R_GROUPS_*,
 * SSO_R_GRAPH_*, those of HTTP. */
sso_rc sso_groups_fill(sso_ctx_t *ctx, const sso_site_t *site, const sso_idtoken_t *token, const char *access_token,
                       sso_record_t *record) SSO_MUST_USE;

/* The same for a token with which nothing can be asked of Graph: *ret_unknown when it does not tell whether its user is
 * in all of the referenced groups (past 200 groups, or a name that this process has not looked up). */
sso_rc sso_groups_of_token(sso_ctx_t *ctx, const sso_site_t *site, const sso_idtoken_t *token, sso_record_t *record,
                           bool *ret_unknown) SSO_MUST_USE;
