/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens that programs bring for this application's API, of version 1.0 and 2.0: every rule has its own reason.
 */
#pragma once

#include <apr_tables.h>

#include "entra/authority.h"
#include "entra/idtoken.h"

typedef struct {
    const apr_array_header_t *audiences; /* const char *: client ids in small letters, api:// URIs */
    const char *v1_issuer;               /* of the cloud, with {tenantid} */
    /* As for ID tokens. */
    const apr_array_header_t *allowed_tenants;
    bool any_tenant;
    apr_interval_time_t skew;
} sso_accesstoken_rules_t;

/* Whose token it is, checked. */
typedef struct {
    sso_idtoken_t identity; /* in the form that a session is made from */
    const char *client;     /* the application that asked for the token (azp, appid), in small letters */
    bool app_only;          /* of the application itself: there is no user */
    apr_time_t expires;
} sso_accesstoken_t;

/* Whole check of a token as text: header, key, signature, key issuer, claims. ret_generation: of the keys that it was
 * checked with. Errors: SSO_R_JWT_*, SSO_R_ACCESS_*, those of sso_authority_key. */
sso_rc sso_accesstoken_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_accesstoken_rules_t *rules,
                            const char *text, sso_accesstoken_t *ret_token, uint32_t *ret_generation) SSO_MUST_USE;

/* The claims' part alone, for verified claims: issuer is the metadata's, of version 2.0. */
sso_rc sso_accesstoken_check(sso_ctx_t *ctx, const char *issuer, const sso_accesstoken_rules_t *rules,
                             const sso_json_t *claims, sso_accesstoken_t *ret_token) SSO_MUST_USE;
