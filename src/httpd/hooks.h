/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of a request, in the order in which httpd calls them. */
#pragma once

#include <httpd.h>

/* Cleans what the client sent, takes our cookies out, recognises our endpoints. */
int sso_hook_post_read_request(request_rec *r);
/* Claims the paths below EntraPath before any mapping (pre_translate_name and translate_name). */
int sso_hook_translate_name(request_rec *r);
/* No folder stands behind our paths. */
int sso_hook_map_to_storage(request_rec *r);
/* Our endpoints answer whatever Require says. */
int sso_hook_access_checker_ex(request_rec *r);
/* Who is it: a session, or a way to sign in. */
int sso_hook_check_authn(request_rec *r);
/* Turns "signed in, but not entitled" into a 403 of ours instead of one more sign-in. */
int sso_hook_auth_checker(request_rec *r);
/* The request may enter: keeps the session alive; identity for sections with `pass`. */
int sso_hook_fixups(request_rec *r);
/* Serves our endpoints. */
int sso_hook_handler(request_rec *r);
/* What httpd refused while reading it is logged without an authorization code. */
int sso_hook_log_transaction(request_rec *r);
