/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint `scim/token`. */
#pragma once

#include "httpd/visit.h"

/* Its path below EntraPath. */
#define SSO_TOKENENDPOINT_PATH "scim/token"

/* Answers a request for it; DONE when the response is written. */
int sso_tokenendpoint_serve(request_rec *r, sso_ctx_t *ctx, const sso_site_t *site, const char *method);
