/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH (RFC 7644 section 3.5.2), in both dialects of Entra's provisioning service and as other clients speak it. All
 * of a request's operations are done, or none. */
#pragma once

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/change.h"

typedef struct {
    const sso_json_t *document; /* the changed copy, in pool */
    bool changed;               /* it differs from what was handed in */
    /* sso_members_step_t, in order: a group's. Whether they change anything, the table knows. */
    const apr_array_header_t *members;
} sso_patch_result_t;

/* Does the operations of body (sso_resource_parse) on a copy of a stored document. The result has passed
 * sso_resource_check. op has no case; `value` of a remove counts for plural attributes without a filter alone.
 *
 * SSO_R_SCIM_SYNTAX     no PatchOp, no operations or too many, an op that is none
 * SSO_R_SCIM_PATH       a path that is malformed or names no attribute
 * SSO_R_SCIM_FILTER     what stands in its brackets
 * SSO_R_SCIM_TARGET     a remove without path; an entry that cannot be made
 * SSO_R_SCIM_VALUE      a value of a wrong type, or none
 * SSO_R_SCIM_MUTABILITY id, meta, groups and the like as a path
 * SSO_R_SCIM_REQUIRED   userName, or a group's displayName, would be gone
 * SSO_R_SCIM_DOCUMENT   the document would be too large */
sso_rc sso_patch_apply(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                       const sso_json_t *body, sso_patch_result_t *ret_result) SSO_MUST_USE;
