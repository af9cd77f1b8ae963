/* SPDX-License-Identifier: Apache-2.0 */
/* The page of the administrator's test sign-in (EntraTestPage). */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* True when httpd has asked who it is, by a Require with AuthType Entra, and let this session in. */
bool sso_testpage_admits(request_rec *r, sso_visit_t *visit);

/* The page before a test: the session of the request, and what the application gets of it. */
int sso_testpage_show(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx);

/* True when the request asks for a test with another account. */
bool sso_testpage_is_other(const sso_visit_t *visit);

/* The page after one: what Entra sent, what the application would get, what is wrong. Logs the context's fault. */
int sso_testpage_report(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const sso_answer_t *answer);
