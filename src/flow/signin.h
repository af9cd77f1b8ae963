/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in: sending the browser to Entra, and what comes back. */
#pragma once

#include "flow/flow.h"

/* Sends the browser to Entra, to come back to return_path (a path of this site, from sso_return_path). A request that
 * came under another host name than the public origin's first goes to `login` there, so that the login cookie and the
 * callback meet. The answer is complete in every case. */
void sso_signin_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                      sso_answer_t *ret_answer);

/* The `login` endpoint: GET login?rd=/path. hop=1 tells that the browser was sent here from another host already. */
void sso_signin_login(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer);

/* The `callback` endpoint. */
void sso_signin_callback(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                         sso_answer_t *ret_answer);
