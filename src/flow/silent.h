/* SPDX-License-Identifier: Apache-2.0 */
/* Revalidation through the browser, for a session without a refresh token: a page goes by way of Entra with
 * prompt=none, which nobody sees as long as the user is signed in there (OpenID Connect Core 3.1.2.1). */
#pragma once

#include "flow/flow.h"

/* True for a sign-in that must not show anything. No directive can ask for prompt=none, so it is ours. */
bool sso_wishes_are_silent(const sso_wishes_t *wishes);

/* True when this request of a live session is to go by way of Entra: Entra's word is old, there is no refresh token to
 * ask with, a page is being opened, and the way was not gone a moment ago (then the session goes on within its grace).
 * Fills wishes. */
bool sso_silent_is_due(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *record,
                       sso_wishes_t *ret_wishes);

/* Entra could not, or would not, do it without a word: rc, the context's fault. Where it is away or this registration
 * is at fault, the session goes on: true, and a login cookie remembers the try. False: Entra wants the user; the
 * session was ended, and a sign-in that shows something is to follow. */
bool sso_silent_goes_on(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_rc rc,
                        apr_array_header_t *cookies);
