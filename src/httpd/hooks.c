/* SPDX-License-Identifier: Apache-2.0 */
/* Between request_rec and the use cases. The signed-in path is post_read_request, check_authn, fixups: no lock, no I/O,
 * no JSON, nothing allocated outside the request's pool. */
#include "build_config.h"

#include "httpd/hooks.h"

#include <string.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_vhost.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "flow/access.h"
#include "flow/signin.h"
#include "httpd/auditlog.h"
#include "httpd/endpoints.h"
#include "httpd/export.h"
#include "httpd/forms.h"
#include "httpd/forward.h"
#include "httpd/hide.h"
#include "httpd/log.h"
#include "httpd/pages.h"
#include "httpd/section.h"
#include "httpd/tokens.h"
#include "httpd/visit.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

static bool is_entra(const request_rec *r)
{
    const char *type = ap_auth_type((request_rec *)(apr_uintptr_t)r);
    return type != NULL && apr_cstr_casecmp(type, "Entra") == 0;
}

static bool is_first(const request_rec *r)
{
    return r->main == NULL && r->prev == NULL;
}

/* httpd refused the request before any hook could see it; here it comes to the page that says so, with its query. */
static void hide_from_error_document(request_rec *r)
{
    sso_hide_refused(r->prev);
    r->the_request = r->prev->the_request;
}

/* mod_http2 makes the first stream of an upgraded connection of what is in this request, and session and code are no
 * longer in it. An offer to upgrade may be left alone (RFC 9110, 7.8). */
static void decline_http2_upgrade(request_rec *r)
{
    const char *offer = apr_table_get(r->headers_in, "Upgrade");
    if (offer != NULL && ap_find_token(r->pool, offer, "h2c")) {
        apr_table_unset(r->headers_in, "Upgrade");
    }
}

/* A request of a forward proxy's client names its host in the request line; mod_proxy looks at it only after us. */
static bool is_for_another(request_rec *r, const sso_site_t *site)
{
    const char *host = r->parsed_uri.hostname;
    if (host == NULL || apr_cstr_casecmp(host, site->origin->host) == 0) {
        return false;
    }
    apr_port_t port = r->parsed_uri.port_str != NULL ? r->parsed_uri.port : ap_default_port(r);
    return ap_matches_request_vhost(r, host, port) == 0;
}

int sso_hook_post_read_request(request_rec *r)
{
    sso_site_config_t *site = sso_config_server(r->server)->site;
    if (r->prev != NULL && sso_visit_get(r) == NULL && ap_is_HTTP_ERROR(r->prev->status)) {
        hide_from_error_document(r);
    }
    if (site == NULL || r->main != NULL) {
        return DECLINED;
    }
    /* An internal redirect passes here too: what the first location was told must not count as said for the next. */
    sso_scrub_request(r, site->scrub);
    if (r->prev != NULL) {
        return DECLINED;
    }
    sso_visit_t *visit = sso_visit_begin(r, site);
    const char *endpoint = is_for_another(r, &site->site) ? NULL : sso_endpoint_of(&site->site, r->parsed_uri.path);
    if (endpoint != NULL) {
        /* A copy: httpd will decode and normalise the path where it lies. */
        visit->endpoint = apr_pstrdup(r->pool, endpoint);
        /* SECURITY: the query of the callback is the authorization code. */
        visit->query = sso_hide_query(r);
    }
    if (visit->endpoint != NULL || visit->cookies.session_parts != 0) {
        decline_http2_upgrade(r);
    }
    return DECLINED;
}

/* The visit when this very request (no redirect or subrequest from it) is for one of our endpoints. */
static sso_visit_t *endpoint_visit(const request_rec *r)
{
    sso_visit_t *visit = is_first(r) ? sso_visit_get(r) : NULL;
    return visit != NULL && visit->endpoint != NULL ? visit : NULL;
}

int sso_hook_translate_name(request_rec *r)
{
    if (endpoint_visit(r) == NULL) {
        return DECLINED;
    }
    r->filename = apr_pstrdup(r->pool, r->uri);
    return OK;
}

int sso_hook_map_to_storage(request_rec *r)
{
    return endpoint_visit(r) == NULL ? DECLINED : OK;
}

int sso_hook_access_checker_ex(request_rec *r)
{
    const sso_visit_t *visit = sso_visit_get(r);
    if (r->main != NULL && visit != NULL) {
        /* httpd asks here about a subrequest of other sections than its main request's, whose headers it has. What
         * these were told must not count as said for the others. */
        sso_scrub_subrequest(r, visit->site->scrub);
    }
    /* SECURITY: every endpoint is open to everybody, but for the one that is a page and has a Require. */
    const sso_visit_t *own = endpoint_visit(r);
    return own == NULL || sso_endpoint_is_guarded(own) ? DECLINED : OK;
}

int sso_hook_handler(request_rec *r)
{
    sso_visit_t *visit = endpoint_visit(r);
    return visit == NULL ? DECLINED : sso_endpoint_serve(r, visit);
}

/* A lookup by another module, or an error document: it gets a plain status, never a sign-in of its own. */
static bool is_side_request(const request_rec *r)
{
    return r->main != NULL || (r->prev != NULL && r->prev->status >= 400);
}

static int send_to_sign_in(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request,
                           const sso_wishes_t *wishes)
{
    const sso_site_t *site = &visit->site->site;
    sso_answer_t answer;
    sso_wishes_t all = *wishes;
    const char *return_path = sso_access_return_path(r->pool, site, request);
    int status = sso_forms_keep(r, visit, ctx, return_path, &all.form);
    if (status != OK) {
        return status;
    }
    sso_signin_start(ctx, site, request, return_path, &all, &answer);
    return sso_pages_send(r, visit, ctx, &answer);
}

/* A request that a sign-in with these wishes would let in: the browser goes there, everybody else gets a 401 with rc
 * (or 403, where the section answers so). */
static int ask_for_sign_in(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_wishes_t *wishes, sso_rc rc)
{
    const sso_site_t *site = &visit->site->site;
    const sso_dir_config_t *dir = sso_config_dir(r);
    sso_unauthenticated_t mode = (sso_unauthenticated_t)dir->option[SSO_DIR_UNAUTHENTICATED].choice;
    sso_request_t request;
    sso_visit_request(r, visit, &request);
    sso_access_t access = sso_access_decide(&request, mode, false);
    if (is_side_request(r)) {
        return access == SSO_ACCESS_FORBID ? HTTP_FORBIDDEN : HTTP_UNAUTHORIZED;
    }
    const char *return_path = sso_access_return_path(r->pool, site, &request);
    if (access == SSO_ACCESS_SIGN_IN) {
        return send_to_sign_in(r, visit, ctx, &request, wishes);
    }
    if (access == SSO_ACCESS_FORBID) {
        rc = SSO_R_ANONYMOUS;
    } else if (mode == SSO_UNAUTH_PASS && rc == SSO_R_SIGNIN_REQUIRED) {
        rc = SSO_R_PUBLIC_ONLY;
    }
    const char *why = visit->session == SSO_VISIT_SESSION ? "there is a session, but not enough of one"
                                                          : sso_reason(visit->fault.rc)->sentence;
    (void)sso_fail(ctx, rc, "%s", why);
    sso_bearer_invite(r, visit);
    return sso_pages_challenge(r, visit, ctx, return_path, wishes);
}

static int refuse_access(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx)
{
    sso_wishes_t wishes;
    sso_section_wishes(r, &wishes);
    return ask_for_sign_in(r, visit, ctx, &wishes, SSO_R_SIGNIN_REQUIRED);
}

static int refuse_token(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx)
{
    if (is_side_request(r)) {
        return sso_reason(ctx->fault.rc)->status == HTTP_FORBIDDEN ? HTTP_FORBIDDEN : HTTP_UNAUTHORIZED;
    }
    return sso_bearer_refuse(r, visit, ctx);
}

/* There is a session, but whether it was ended cannot be told now. A sign-in would not help, and the cookie stays. */
static int refuse_for_now(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx)
{
    if (is_side_request(r)) {
        return sso_reason(visit->fault.rc)->status;
    }
    ctx->fault = visit->fault;
    return sso_pages_refuse(r, visit, ctx, "/");
}

int sso_hook_check_authn(request_rec *r)
{
    bool bearer;
    if (!is_entra(r)) {
        return DECLINED;
    }
    sso_visit_t *visit = sso_visit_get(r);
    if (visit == NULL) {
        /* SECURITY: AuthType Entra (in .htaccess, say) where no application is configured: closed, never open. */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "ENTRA2003: AuthType Entra protects %s, but this virtual host has no "
                      "EntraTenant and EntraClientID",
                      r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    sso_ctx_t ctx;
    sso_log_ctx_init(&ctx, r);
    if (sso_bearer_judge(r, &ctx, visit, &bearer) != SSO_OK) {
        return refuse_token(r, visit, &ctx);
    }
    if (!bearer && !sso_visit_has_session(r, visit)) {
        return sso_reason(visit->fault.rc)->class == SSO_CLASS_LATER ? refuse_for_now(r, visit, &ctx)
                                                                     : refuse_access(r, visit, &ctx);
    }
    sso_wishes_t wishes;
    if (!sso_section_is_fresh(r, visit, &wishes)) {
        if (bearer) {
            /* Nobody to send anywhere: the program has to bring a token of a fresher sign-in. */
            (void)sso_fail(&ctx, SSO_R_AUTH_TIME_REQUIRED, "an access token of an older sign-in");
            return refuse_token(r, visit, &ctx);
        }
        return ask_for_sign_in(r, visit, &ctx, &wishes, SSO_R_AUTH_TIME_REQUIRED);
    }
    if (!bearer && !is_side_request(r) && sso_section_is_silent(r, visit, &ctx, &wishes)) {
        return ask_for_sign_in(r, visit, &ctx, &wishes, SSO_R_SIGNIN_REQUIRED);
    }
    if (sso_export_identity(r, &ctx, visit) != SSO_OK) {
        if (bearer) {
            return refuse_token(r, visit, &ctx);
        }
        return is_side_request(r) ? HTTP_FORBIDDEN : sso_pages_refuse(r, visit, &ctx, "/");
    }
    return OK;
}

/* A no of the Require lines to somebody who is signed in, as it goes out. */
static int refuse_user(request_rec *r, sso_visit_t *visit)
{
    sso_ctx_t ctx;
    sso_wishes_t wishes;
    sso_log_ctx_init(&ctx, r);
    bool closed = sso_config_dir(r)->option[SSO_DIR_UNAUTHENTICATED].choice == SSO_UNAUTH_403;
    bool helps = !closed && sso_section_stepup_helps(r, visit, &wishes);
    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    if (visit->late) {
        /* Perhaps the rules would let this user in, if only what they ask for were known. */
        ctx.fault = visit->fault;
        return sso_pages_refuse(r, visit, &ctx, "/");
    }
    if (helps) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2021: %s needs a step-up to %s: oid %s, session %.8s",
                      sso_printable(r->pool, r->uri), wishes.acr, visit->record.oid,
                      sso_hex(r->pool, visit->record.id, sizeof(visit->record.id)));
        sso_audit_step_up(r, visit, wishes.acr);
        return ask_for_sign_in(r, visit, &ctx, &wishes, SSO_R_STEPUP_REQUIRED);
    }
    sso_section_ask_held(r, visit);
    sso_count(&ctx, SSO_COUNT_REFUSED_SESSION);
    (void)sso_fail(&ctx, SSO_R_FORBIDDEN, "oid %s at %s: %s", visit->record.oid, sso_printable(r->pool, r->uri),
                   visit->grounds == NULL ? "Require" : sso_printable(r->pool, visit->grounds));
    return sso_pages_refuse(r, visit, &ctx, "/");
}

static int ask_others(request_rec *r, sso_visit_t *visit)
{
    visit->grounds = NULL;
    visit->missing = 0;
    visit->groups_asked = visit->groups_asked && !visit->late;
    visit->asking_others = true;
    int status = ap_run_auth_checker(r);
    visit->asking_others = false;
    /* SECURITY: what hangs on a directory that nobody could read is a no, also where the line says "not". */
    return status == OK && visit->late && visit->groups_asked ? HTTP_FORBIDDEN : status;
}

int sso_hook_auth_checker(request_rec *r)
{
    sso_visit_t *visit = sso_visit_get(r);
    if (visit == NULL || visit->asking_others || !is_entra(r)) {
        return DECLINED;
    }
    /* httpd answers 401 to a user whom the Require lines do not admit. With a sign-in that would go round for ever, so
     * the others decide first, and the meaning of their no is made plain here. */
    bool bearer = visit->session == SSO_VISIT_BEARER;
    int status = bearer ? sso_bearer_ask(r, visit, ask_others) : ask_others(r, visit);
    if ((status != HTTP_UNAUTHORIZED && status != HTTP_FORBIDDEN) || r->user == NULL) {
        return status;
    }
    if (is_side_request(r)) {
        return HTTP_FORBIDDEN;
    }
    if (bearer) {
        sso_ctx_t ctx;
        sso_wishes_t wishes;
        sso_log_ctx_init(&ctx, r);
        bool helps = !visit->bearer.app_only && sso_section_stepup_helps(r, visit, &wishes);
        apr_table_unset(r->err_headers_out, "WWW-Authenticate");
        if (helps) {
            return sso_bearer_step_up(r, visit, &ctx, wishes.acr);
        }
        sso_count(&ctx, SSO_COUNT_REFUSED_TOKEN);
        sso_bearer_explain(r, visit, &ctx);
        return sso_bearer_refuse(r, visit, &ctx);
    }
    return refuse_user(r, visit);
}

/* A fresh cookie with a new time of last use, or with what a renewal brought; only for requests that were let in, so
 * that a refused client that keeps asking lets its session run out. */
static void touch_session(request_rec *r, sso_visit_t *visit)
{
    const sso_session_policy_t *policy = &visit->site->site.session;
    if (visit->touched || visit->late || r->main != NULL ||
        !(visit->renewed || sso_record_touch_due(&visit->record, r->request_time, policy->idle))) {
        return;
    }
    sso_ctx_t ctx;
    sso_log_ctx_init(&ctx, r);
    apr_array_header_t *lines = apr_array_make(r->pool, 2, sizeof(const char *));
    sso_record_t record = visit->record;
    sso_record_touch(&record, r->request_time);
    if (sso_session_write(&ctx, policy, &record, visit->cookies.session_parts, lines) != SSO_OK) {
        /* The present cookie is still good; the request goes on. */
        sso_log_fault(r, &ctx, NULL);
        return;
    }
    sso_pages_set_cookies(r, lines);
    visit->touched = true;
}

/* The identity once more, where httpd did not come by our check_authn. */
static int export_late(request_rec *r, sso_visit_t *visit, int status_of_failure)
{
    sso_ctx_t ctx;
    sso_log_ctx_init(&ctx, r);
    if (sso_export_identity(r, &ctx, visit) == SSO_OK) {
        return OK;
    }
    sso_log_fault(r, &ctx, NULL);
    return status_of_failure;
}

/* SECURITY: a backend that expects a token does not get a request without one. */
static int refuse_forwarding(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx)
{
    sso_request_t request;
    if (is_side_request(r)) {
        sso_log_fault(r, ctx, NULL);
        return sso_reason(ctx->fault.rc)->status;
    }
    sso_visit_request(r, visit, &request);
    return sso_pages_refuse(r, visit, ctx, sso_access_return_path(r->pool, &visit->site->site, &request));
}

int sso_hook_fixups(request_rec *r)
{
    sso_visit_t *visit = sso_visit_get(r);
    sso_ctx_t ctx;
    bool bearer;
    if (visit == NULL || visit->endpoint != NULL || !is_entra(r)) {
        return DECLINED;
    }
    sso_log_ctx_init(&ctx, r);
    /* SECURITY: no request goes on with a token that was not checked, also where httpd asked nobody who it is. */
    if (sso_bearer_judge(r, &ctx, visit, &bearer) != SSO_OK) {
        return refuse_token(r, visit, &ctx);
    }
    const sso_dir_config_t *dir = sso_config_dir(r);
    if (r->user == NULL && dir->option[SSO_DIR_UNAUTHENTICATED].choice == SSO_UNAUTH_PASS &&
        (bearer || sso_visit_has_session(r, visit))) {
        /* The page is open to everyone; without a name this one is nobody in particular. */
        (void)export_late(r, visit, OK);
    }
    /* httpd does not authenticate an internal redirect that stays within the same sections (a front controller by
     * mod_rewrite, say), and what was said for the first request was removed with the client's words. */
    if (r->user != NULL && r->prev != NULL && sso_visit_is_known(visit) && export_late(r, visit, DECLINED) != OK) {
        return HTTP_FORBIDDEN;
    }
    if (r->user != NULL && sso_visit_is_known(visit)) {
        if (sso_forward_token(r, &ctx, visit) != SSO_OK) {
            return refuse_forwarding(r, visit, &ctx);
        }
        if (!bearer) {
            touch_session(r, visit);
        }
        /* What was made for one user must not be kept by a shared cache, this httpd's own among them. */
        if (r->main == NULL) {
            apr_table_mergen(r->err_headers_out, "Cache-Control", "private");
            /* mod_cache by its own word too, since "Header always set Cache-Control" comes after ours and over it. */
            apr_table_setn(r->subprocess_env, "no-cache", "1");
        }
    }
    return DECLINED;
}

int sso_hook_log_transaction(request_rec *r)
{
    if (ap_is_HTTP_ERROR(r->status) && sso_visit_get(r) == NULL) {
        sso_hide_refused(r);
    }
    return DECLINED;
}
