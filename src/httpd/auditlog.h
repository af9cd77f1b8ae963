/* SPDX-License-Identifier: Apache-2.0 */
/* EntraAuditLog: files and pipes, and one call for each decision. Where a site has no audit log these calls cost one
 * comparison. A line that cannot be written is told in the error log, and the request goes on. */
#pragma once

#include <httpd.h>

#include "flow/tenantwatch.h"
#include "httpd/visit.h"

/* In post_config: one log for all sites that name it. False when there is no shared memory. */
bool sso_audit_share(apr_pool_t *pconf, server_rec *main_server);
/* Then, with the rights of the starting user: opens each for all processes to come. False, and said why, when one
 * cannot be opened. */
bool sso_audit_start(apr_pool_t *pconf, server_rec *main_server);

/* A sign-in or a step-up that went well. */
void sso_audit_signed_in(request_rec *r, const sso_visit_t *visit, const sso_answer_t *answer);
/* The context's fault is the answer to this request. record: of whom, as far as it was found out (its oid may be NULL);
 * trace: the id on the page. Writes nothing when the fault decides about nobody. */
void sso_audit_refused(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx, const sso_record_t *record,
                       const char *trace);
/* The same for an access token. */
void sso_audit_bearer_refused(request_rec *r, const sso_ctx_t *ctx, const char *trace);
/* A rule wants more than the session has, and sends the user for it. */
void sso_audit_step_up(request_rec *r, const sso_visit_t *visit, const char *contexts);

/* The sessions that answer ended. */
void sso_audit_endings(request_rec *r, const sso_answer_t *answer);
/* The directory does not want the visit's session any more: the context's fault. */
void sso_audit_out(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx);
/* Entra does not stand by the session: the context's fault. */
void sso_audit_not_renewed(const sso_site_config_t *site, const sso_ctx_t *ctx, const sso_record_t *record);
/* What a turn of the tenant watch of s ended. */
void sso_audit_watched(apr_pool_t *pool, const server_rec *s, const sso_tenantwatch_news_t *news);

/* What a SCIM request did, or why its token is not good. */
void sso_audit_scim(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx, const sso_scim_answer_t *answer);
/* A request at scim/token: a token was given, unless the context has a fault. */
void sso_audit_federated(request_rec *r, const sso_ctx_t *ctx);
