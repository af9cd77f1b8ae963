/* SPDX-License-Identifier: Apache-2.0 */
/* Front-channel logout: Entra tells, through the browser, that a session has ended there (OpenID Connect Front-Channel
 * Logout 1.0). */
#pragma once

#include "flow/flow.h"

/* The `frontchannel-logout` endpoint: frontchannel-logout?sid=...[&iss=...], GET. Anybody may call it, and it looks at
 * no cookie: in Entra's frame a browser sends none. Ends the sessions that the store has of that sid. The answer is the
 * same whether there were any. */
void sso_frontchannel(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer);
