/* SPDX-License-Identifier: Apache-2.0 */
/* Sections with EntraAccessToken: the access token on the way to the backend. */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* In each process, for the sites that have such a section. */
void sso_forward_begin(apr_pool_t *pchild, server_rec *main_server);

/* Puts the access token of this section's resource into the request's headers, for somebody who has a session and was
 * let in; else does nothing. Errors: those of sso_apitoken_get; then nothing is set, and the request must not go on. */
sso_rc sso_forward_token(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit) SSO_MUST_USE;
