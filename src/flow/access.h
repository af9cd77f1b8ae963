/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a request for something protected: one pure decision, no I/O. */
#pragma once

#include "flow/flow.h"

typedef enum {
    SSO_UNAUTH_AUTO,
    SSO_UNAUTH_LOGIN,
    SSO_UNAUTH_401,
    SSO_UNAUTH_403,
    SSO_UNAUTH_PASS
} sso_unauthenticated_t;

typedef enum {
    SSO_ACCESS_GO_ON,     /* there is a session */
    SSO_ACCESS_SIGN_IN,   /* send the browser to sign in */
    SSO_ACCESS_CHALLENGE, /* 401 for a program */
    SSO_ACCESS_FORBID     /* 403 */
} sso_access_t;

/* True when a browser asks for a page that it will show: Fetch Metadata where the browser sends it, else Accept.
 * Decides only between sign-in and 401: no header opens anything. */
bool sso_request_is_navigation(const sso_request_t *request);

/* The decision, given whether a session was opened. SSO_UNAUTH_PASS lets nobody in by itself: without a session it is a
 * challenge, and it is for the caller to let a request go on where no user is asked for. */
sso_access_t sso_access_decide(const sso_request_t *request, sso_unauthenticated_t mode, bool has_session);

/* Where a sign-in that this request begins comes back to: its own path for GET and HEAD; else, since a form cannot be
 * sent again by a redirect, the page it came from when that is of this site, else "/". */
const char *sso_access_return_path(apr_pool_t *pool, const sso_site_t *site, const sso_request_t *request);
/* The same for a program's request: always the page it came from. */
const char *sso_access_page_path(apr_pool_t *pool, const sso_site_t *site, const sso_request_t *request);
