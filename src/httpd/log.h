/* SPDX-License-Identifier: Apache-2.0 */
/* The edge's log lines: one for each fault, with its number. */
#pragma once

#include <httpd.h>

#include "base/result.h"

/* A context for a request: its pool, the request's own time, a sink for the core's debug lines. */
void sso_log_ctx_init(sso_ctx_t *ctx, request_rec *r);
/* The same for background work of a server. */
void sso_log_server_ctx_init(sso_ctx_t *ctx, apr_pool_t *pool, server_rec *s);

/* The one line of the context's fault, at its reason's level: "ENTRA1264: sentence: detail [id ...]". id may be NULL.
 */
void sso_log_fault(request_rec *r, const sso_ctx_t *ctx, const char *id);
void sso_log_server_fault(server_rec *s, const sso_ctx_t *ctx);

/* "ENTRA1264". */
const char *sso_log_number(apr_pool_t *pool, sso_rc rc);
