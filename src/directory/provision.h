/* SPDX-License-Identifier: Apache-2.0 */
/* One change of one resource, as one transaction with all that follows from it: members, the ending of sessions, the
 * audit. */
#pragma once

#include "directory/projection.h"
#include "directory/rows.h"
#include "directory/scim.h"

typedef enum {
    SSO_PROVISION_CREATE,
    SSO_PROVISION_REPLACE,
    SSO_PROVISION_PATCH,
    SSO_PROVISION_DELETE
} sso_provision_op_t;

typedef struct {
    sso_provision_op_t op;
    sso_scim_kind_t kind;
    const char *id;         /* NULL to create */
    const sso_json_t *body; /* NULL to delete */
    const char *if_match;   /* NULL: whatever version is there */
    const char *actor;      /* id of the token */
    bool jit;               /* CREATE for a first sign-in: it takes nobody's place (SSO_JIT_URN) */
} sso_provision_t;

/* What came of it. */
typedef struct {
    sso_scim_row_t row;              /* as it is now; as it was, when deleted */
    bool changed;                    /* else the request changed nothing */
    sso_scim_event_t event;          /* when changed */
    const apr_array_header_t *links; /* groups of a user, NULL for a group */
} sso_provisioned_t;

/* Does it. Sessions that end are in this node's table when it returns. SECURITY: a user who is not active afterwards
 * has no session: those that were live have ended with the same COMMIT. Errors: those of directory/resource.h and
 * patch.h, SSO_R_SCIM_NOT_FOUND, _UNIQUE, _VERSION, and those of the store. */
sso_rc sso_provision(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_provision_t *provision,
                     sso_provisioned_t *ret_provisioned) SSO_MUST_USE;

/* Whether a version (W/"3") is one that a header of If-Match or If-None-Match names; weak and strong are one here, * is
 * any. */
bool sso_version_is_named(const char *header, const char *version);
