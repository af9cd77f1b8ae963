/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in: sending the browser to Entra, and what comes back. */
#pragma once

#include "flow/flow.h"

/* Sends the browser to Entra, to come back to return_path (a path of this site, from sso_return_path), with these
 * wishes; NULL for none. A sign-in that wishes for a context or a fresh sign-in strengthens the session that is there.
 * A request that came under another host name than the public origin's first goes to `login` there, so that the login
 * cookie and the callback meet. The answer is complete in every case. */
void sso_signin_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                      const sso_wishes_t *wishes, sso_answer_t *ret_answer);

/* The same for a sign-in that ends in a report (flow/trial.h). */
void sso_signin_try(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                    const sso_wishes_t *wishes, sso_answer_t *ret_answer);

/* The `login` endpoint: GET login?rd=/path, with acr=ID (one of site->acrs) and max_age=SECONDS where they are wished
 * for. hop=1 tells that the browser was sent here from another host already; `wishes`, sealed, what it wished for
 * there. */
void sso_signin_login(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer);

/* The `callback` endpoint. */
void sso_signin_callback(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                         sso_answer_t *ret_answer);
