/* SPDX-License-Identifier: Apache-2.0 */
/* `scim/token`: the provisioning service's own assertion for a short-lived access token of the SCIM service (RFC 6749
 * 4.4, RFC 7523 2.2). No secret is stored anywhere. */
#pragma once

#include "flow/directory.h"

/* Answers the form of a POST (NUL behind its end). *ret_body is JSON in any case: the token, or an error in OAuth's
 * shape; the status is then that of the reason. Errors: SSO_R_FEDERATED_*, and with 503 what keeps the keys from being
 * known. */
sso_rc sso_federation_exchange(sso_ctx_t *ctx, const sso_site_t *site, const char *form,
                               const char **ret_body) SSO_MUST_USE;

/* The body for a fault that came up before there was a form. */
const char *sso_federation_error(const sso_ctx_t *ctx);
