/* SPDX-License-Identifier: Apache-2.0 */
/* A managed identity of Azure: its token, asked for at the machine's own endpoint, serves as client assertion. */
#pragma once

#include "base/http.h"
#include "base/result.h"

/* One identity. Safe for all threads of a process; the token is kept until five minutes before its end. */
typedef struct sso_managed_t sso_managed_t;

/* Where to ask. */
typedef struct {
    const char *identity_id; /* client id of the user-assigned identity, or NULL */
    const char *endpoint;    /* App Service's IDENTITY_ENDPOINT; NULL: the virtual machine's IMDS */
    const char *header;      /* App Service's IDENTITY_HEADER, NULL for IMDS */
    const char *imds;        /* another origin of IMDS, as http://127.0.0.1:40342; NULL: http://169.254.169.254 */
    const char *audience;    /* as the cloud demands: "api://AzureADTokenExchange" */
} sso_managed_config_t;

/* Copies config into pool. NULL when out of memory. */
sso_managed_t *sso_managed_make(apr_pool_t *pool, const sso_managed_config_t *config);

/* The token, in ctx->pool and wiped with it. One thread asks, a few wait for its answer, never longer than the outbound
 * timeout; while a token lives nobody waits and no failure shows. What passes by itself (404, 408, 410, 429, 5xx) is
 * asked again within the timeout. Errors: SSO_R_IDENTITY_LATER, SSO_R_ASSERTION, SSO_R_HTTP_*. */
sso_rc sso_managed_token(sso_ctx_t *ctx, sso_managed_t *managed, sso_http_t *http, const sso_http_policy_t *policy,
                         const char **ret_token) SSO_MUST_USE;

/* True for three base64url parts: of another's assertion only the shape is ours to judge. */
bool sso_assertion_is_plausible(const char *text);
