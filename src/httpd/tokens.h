/* SPDX-License-Identifier: Apache-2.0 */
/* Sections that take access tokens (EntraBearer): who a request is by its token, and what a program is told. */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* Judges the Authorization header by the rules of r's section. SSO_OK: *ret_bearer tells whether the visit's identity
 * is that of a token now; when not, it is that of the session cookie, as without this file. Else the fault is in ctx.
 */
sso_rc sso_bearer_judge(request_rec *r, sso_ctx_t *ctx, sso_visit_t *visit, bool *ret_bearer) SSO_MUST_USE;

/* Notes for the answer 401 to a request without a token that the section would take one (RFC 6750 section 3). */
void sso_bearer_invite(request_rec *r, sso_visit_t *visit);

/* Answers with the fault of ctx: 401 invalid_token, 403 insufficient_scope, 503. Never a redirect. */
int sso_bearer_refuse(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx);

/* Answers 401 with the claims challenge of an API (Entra: developer guide to authentication contexts): the program gets
 * a token with the context acr and comes again. */
int sso_bearer_step_up(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *acr);

/* Asks the authorization modules (by ask) about a request whose identity is a token's, and records why they said no. */
int sso_bearer_ask(request_rec *r, sso_visit_t *visit, int (*ask)(request_rec *r, sso_visit_t *visit));
/* The reason for a no, in ctx. */
void sso_bearer_explain(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx);
