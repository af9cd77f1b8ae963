/* SPDX-License-Identifier: Apache-2.0 */
/* Between request_rec and the use case of bearer access. A section with EntraBearer looks at the Authorization header
 * of every request; any other never does. */
#include "build_config.h"

#include "httpd/tokens.h"

#include <string.h>

#include <http_core.h>
#include <http_log.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "httpd/config.h"
#include "httpd/log.h"
#include "httpd/pages.h"

extern module entra_sso_module;

/* NULL where no token is taken. */
static const sso_audiences_t *audiences_of(const request_rec *r)
{
    return sso_config_dir(r)->option[SSO_DIR_BEARER].object;
}

/* The identity of the cookie again, for a section that takes no tokens: it is opened when it is asked for. */
static void leave_token(sso_visit_t *visit)
{
    if (visit->session == SSO_VISIT_BEARER) {
        visit->session = SSO_VISIT_UNKNOWN;
        visit->roles_for = NULL;
    }
}

sso_rc sso_bearer_judge(request_rec *r, sso_ctx_t *ctx, sso_visit_t *visit, bool *ret_bearer)
{
    const sso_audiences_t *audiences = audiences_of(r);
    const char *token = NULL;
    *ret_bearer = false;
    if (audiences == NULL) {
        leave_token(visit);
        return SSO_OK;
    }
    const char *header = apr_table_get(r->headers_in, "Authorization");
    /* SECURITY: a header that was taken off for the application still says who asked, and still keeps the cookie out.
     */
    header = header == NULL ? visit->authorization : header;
    sso_rc rc = sso_bearer_token(ctx, header, &token);
    if (rc == SSO_OK && token == NULL) {
        leave_token(visit);
        return SSO_OK;
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (visit->bearer_for != audiences || strcmp(visit->authorization, header) != 0) {
        sso_ctx_t whole = *ctx;
        whole.pool = sso_visit_pool(r);
        visit->bearer_for = NULL;
        rc = sso_bearer_open(&whole, &visit->site->site, audiences, token, &visit->bearer);
        ctx->fault = whole.fault;
        if (rc != SSO_OK) {
            return rc;
        }
        visit->bearer_for = audiences;
        visit->authorization = apr_pstrdup(whole.pool, header);
    }
    if (visit->session != SSO_VISIT_BEARER || visit->record.created != visit->bearer.record.created) {
        visit->roles_for = NULL;
    }
    visit->session = SSO_VISIT_BEARER;
    visit->record = visit->bearer.record;
    *ret_bearer = true;
    return SSO_OK;
}

/* ---- answers ---- */

/* The origin has been judged: no quote or backslash can be in it. */
static const char *realm_of(request_rec *r, const sso_visit_t *visit)
{
    return apr_pstrcat(r->pool, "Bearer realm=\"", visit->site->site.origin->text, "\"", NULL);
}

void sso_bearer_invite(request_rec *r, sso_visit_t *visit)
{
    visit->challenge = audiences_of(r) == NULL ? NULL : realm_of(r, visit);
}

/* SECURITY: the description is the reason's own sentence; the detail, which may quote the token, is for the log alone.
 */
int sso_bearer_refuse(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    const char *error = reason->status == HTTP_UNAUTHORIZED ? "invalid_token"
                        : reason->status == HTTP_FORBIDDEN  ? "insufficient_scope"
                                                            : NULL;
    const char *challenge = NULL;
    if (error != NULL) {
        challenge = apr_psprintf(r->pool, "%s, error=\"%s\", error_description=\"%s\"", realm_of(r, visit), error,
                                 reason->sentence);
    }
    return sso_pages_deny(r, ctx, challenge);
}

int sso_bearer_step_up(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *acr)
{
    /* A context has only letters, digits, '.', '_' and '-' (session/entitle.c), so there is nothing to escape. */
    const char *claims =
        apr_pstrcat(r->pool, "{\"access_token\":{\"acrs\":{\"essential\":true,\"value\":\"", acr, "\"}}}", NULL);
    (void)sso_fail(ctx, SSO_R_STEPUP_REQUIRED, "oid %s, client %s at %s: %s", visit->record.oid, visit->bearer.client,
                   sso_printable(r->pool, r->uri), acr);
    return sso_pages_deny(r, ctx,
                          apr_psprintf(r->pool, "%s, error=\"insufficient_claims\", claims=\"%s\"", realm_of(r, visit),
                                       sso_base64(r->pool, claims, strlen(claims))));
}

/* ---- rules ---- */

/* A question whose no is expected is not for the log. */
static int ask_quietly(request_rec *r, sso_visit_t *visit, int (*ask)(request_rec *r, sso_visit_t *visit))
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};
    const struct ap_logconf *log = r->log;
    r->log = &quiet;
    int status = ask(r, visit);
    r->log = log;
    return status;
}

/* SECURITY: an application without a user comes in only by Require entra-app. httpd evaluates the lines of a section as
 * a whole, and stops where the answer is known, so it is asked three times, each time without a user's name:
 *
 *   as things are                                         must be yes, for the lines with "not"
 *   other rules of ours may forbid, but not let in        must be yes
 *   and entra-app lets nobody in either                   must be no: then it is entra-app that let this one in */
static int ask_for_app(request_rec *r, sso_visit_t *visit, int (*ask)(request_rec *r, sso_visit_t *visit))
{
    char *user = r->user;
    r->user = NULL;
    visit->asking = SSO_ASK_TRUTH;
    int status = ask(r, visit);
    if (status == OK) {
        visit->asking = SSO_ASK_APP_ALONE;
        status = ask(r, visit);
    }
    if (status == OK) {
        visit->asking = SSO_ASK_NOT_APP;
        status = ask_quietly(r, visit, ask) == OK ? HTTP_FORBIDDEN : OK;
    }
    visit->asking = SSO_ASK_TRUTH;
    r->user = user;
    return status;
}

int sso_bearer_ask(request_rec *r, sso_visit_t *visit, int (*ask)(request_rec *r, sso_visit_t *visit))
{
    visit->groups_asked = false;
    int status = visit->bearer.app_only ? ask_for_app(r, visit, ask) : ask(r, visit);
    /* SECURITY: what hangs on groups that nobody knows is a no, also where the line says "not". */
    return status == OK && visit->groups_asked ? HTTP_FORBIDDEN : status;
}

void sso_bearer_explain(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx)
{
    sso_rc rc = visit->groups_asked      ? SSO_R_BEARER_GROUPS
                : visit->bearer.app_only ? SSO_R_BEARER_APP
                                         : SSO_R_BEARER_SCOPE;
    (void)sso_fail(ctx, rc, "oid %s, client %s at %s: %s", visit->record.oid, visit->bearer.client,
                   sso_printable(r->pool, r->uri),
                   visit->grounds == NULL ? "Require" : sso_printable(r->pool, visit->grounds));
}
