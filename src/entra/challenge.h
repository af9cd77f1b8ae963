/* SPDX-License-Identifier: Apache-2.0 */
/* Claims that are asked for by name (OpenID Connect Core 5.5): the parameter `claims` of authorize and token requests,
 * and the claims challenge by which a resource wants a token that says more. */
#pragma once

#include "base/result.h"

/* The parts of one parameter. */
typedef struct {
    const char *acr;       /* an authentication context that the ID token must have; NULL: none */
    bool continuous;       /* access tokens of continuous access evaluation (xms_cc cp1): revocable while they live */
    const char *challenge; /* what sso_challenge_read gave; NULL: none */
} sso_claims_parts_t;

/* The parameter in ctx->pool, NULL when no part is there. SSO_R_PROBE_CHALLENGE when challenge is no claims request. */
sso_rc sso_claims_compose(sso_ctx_t *ctx, const sso_claims_parts_t *parts, const char **ret_claims) SSO_MUST_USE;

/* The claims of a challenge with error="insufficient_claims" among the WWW-Authenticate lines of a 401 (RFC
 * 9110 11.6.1), decoded, in ctx->pool; NULL when there is no such challenge, or no header. SSO_R_PROBE_CHALLENGE when
 * the header is malformed, such a challenge has no claims that are JSON, or there are two of them. */
sso_rc sso_challenge_read(sso_ctx_t *ctx, const char *header, const char **ret_claims) SSO_MUST_USE;
