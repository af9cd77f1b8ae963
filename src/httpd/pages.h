/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the module itself says to a client: redirects, pages for people, problem documents for programs. */
#pragma once

#include <httpd.h>

#include "flow/flow.h"
#include "httpd/visit.h"

/* Sends answer and gives what a hook must return: an HTTP status for httpd to finish (redirects, ErrorDocument), or
 * DONE when the whole response has been written, so that no handler can add to it. Logs the fault of ctx. */
int sso_pages_send(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const sso_answer_t *answer);

/* A refusal of a request for something protected: as page, or as application/problem+json (RFC 9457) for a program. */
int sso_pages_refuse(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *retry_path);

/* The same where a sign-in with these wishes (may be NULL) would mend it: the login address asks for them. */
int sso_pages_challenge(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *retry_path,
                        const sso_wishes_t *wishes);
/* A refusal of a program's access token: always as problem document. challenge: WWW-Authenticate, NULL for none. */
int sso_pages_deny(request_rec *r, sso_ctx_t *ctx, const char *challenge);

/* Adds Set-Cookie values (const char *), also to a response that httpd or a backend makes. */
void sso_pages_set_cookies(request_rec *r, const apr_array_header_t *lines);

/* A page of another file's, in the same style and under the same policy, with buttons that may lead to Entra:
 * beginning, end (gives DONE), and a button that posts to a path. */
void sso_pages_begin(request_rec *r, const sso_visit_t *visit, const char *title);
void sso_pages_button(request_rec *r, const char *label, const char *target);
int sso_pages_end(request_rec *r);

/* JSON text with status 200, for `session`. Gives DONE. */
int sso_pages_json(request_rec *r, const char *json);
/* A key set with status 200, which anybody may keep for five minutes. Gives DONE. */
int sso_pages_keys(request_rec *r, const char *json);
