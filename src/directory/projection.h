/* SPDX-License-Identifier: Apache-2.0 */
/* `attributes` and `excludedAttributes` (RFC 7644 section 3.9): which parts of a resource an answer shows. */
#pragma once

#include <apr_pools.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"

typedef struct sso_projection_t sso_projection_t;

/* Reads the two query parameters (decoded; NULL or "" when absent). What stands in brackets is left out
 * (`emails[type eq "work"]` shows emails), and so are names of nothing: with `attributes` they show nothing.
 * *ret_projection NULL: everything. SSO_R_SCIM_PROJECTION for more than SSO_MAX_FILTER bytes or
 * SSO_MAX_PROJECTION_NAMES names. */
sso_rc sso_projection_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *attributes,
                            const char *excluded, const sso_projection_t **ret_projection) SSO_MUST_USE;

/* Whether any part of this attribute (its name in the table) will be shown: members and groups need not be read else.
 * projection may be NULL. */
bool sso_projection_shows(const sso_projection_t *projection, const char *name);

/* Takes out of a printed resource what is not shown; schemas and id always are. projection may be NULL. */
void sso_projection_apply(apr_pool_t *pool, const sso_projection_t *projection, sso_json_node_t *resource);
