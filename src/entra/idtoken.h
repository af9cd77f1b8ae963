/* SPDX-License-Identifier: Apache-2.0 */
/* The ID token: every rule of design section 5 and OpenID Connect Core 3.1.3.7, one reason each. */
#pragma once

#include <apr_tables.h>

#include "base/json.h"
#include "entra/authority.h"

typedef struct {
    const char *client_id;
    /* Tenants whose users may sign in (const char * GUIDs); NULL: those of the issuer. Needed for several tenants,
     * where an empty list admits nobody. */
    const apr_array_header_t *allowed_tenants;
    bool any_tenant; /* EntraAllowedTenants any */
    apr_interval_time_t skew;
    const char *nonce; /* NULL for a refreshed token, which needs none */
} sso_idtoken_rules_t;

/* Claims that have been checked. Texts live in ctx->pool; NULL when absent, but for those marked always. */
typedef struct {
    const char *iss, *sub, *oid, *tid; /* always */
    const char *sid, *login_hint;
    const sso_json_t *claims; /* all of them */
    apr_time_t issued;        /* iat */
    apr_time_t auth_time;     /* 0 when absent */
} sso_idtoken_t;

/* Whole check of a token as text: header, key, signature, key issuer, claims. */
sso_rc sso_idtoken_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_idtoken_rules_t *rules, const char *text,
                        sso_idtoken_t *ret_token) SSO_MUST_USE;

/* The claims' part alone, for verified claims: issuer is the metadata's (with {tenantid} for several tenants). */
sso_rc sso_idtoken_check(sso_ctx_t *ctx, const char *issuer, const sso_idtoken_rules_t *rules, const sso_json_t *claims,
                         sso_idtoken_t *ret_token) SSO_MUST_USE;
