/* SPDX-License-Identifier: Apache-2.0 */
/* Short-lived access tokens of the SCIM service: sealed statements that are stored nowhere. */
#pragma once

#include "base/seal.h"

/* How long one is good; Entra takes one hour to six. */
#define SSO_FEDERATED_LIFE apr_time_from_sec(60 * 60)
/* They begin with it, other tokens do not. */
#define SSO_FEDERATED_MARK "entra-fed."

/* For whom tokens are made, and of which application. */
typedef struct {
    const sso_keyring_t *keyring;
    const unsigned char *binding; /* SSO_BINDING_BYTES */
    const char *subject;          /* object id of the service that provisions; NULL: no token is good */
} sso_federated_t;

/* A token that ends SSO_FEDERATED_LIFE from now. Errors: those of sealing. */
sso_rc sso_federated_make(sso_ctx_t *ctx, const sso_federated_t *federated, const char **ret_token) SSO_MUST_USE;

/* The token of an Authorization header that begins with the mark; NULL for any other. */
const char *sso_federated_read(const char *authorization);
/* Whether a token that begins with the mark is good now. SSO_R_FEDERATED_EXPIRED; SSO_R_SCIM_TOKEN_UNKNOWN also for one
 * whose service is not the configured one any more. */
sso_rc sso_federated_check(sso_ctx_t *ctx, const sso_federated_t *federated, const char *token) SSO_MUST_USE;
