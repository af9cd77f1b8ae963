/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-out: this site's session, and the one at Entra (OpenID Connect RP-Initiated Logout 1.0). */
#pragma once

#include "flow/flow.h"

/* The `logout` endpoint: logout?rd=/path. POST from this site, or GET that this site or the person began, ends the
 * session; everything else gets a page that asks for a click, since a foreign image must not sign anybody out. With
 * everywhere=1 a POST ends all sessions that the user has in this application, and a GET always asks. */
void sso_signout(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer);

/* The `callback` endpoint, to which Entra's logout brings the browser back too, since only this URI is registered:
 * without code or error, and with the state where Entra echoes it. False when this is no such request; ret_answer is
 * one that was begun. */
bool sso_signout_comes_back(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                            sso_answer_t *ret_answer);
