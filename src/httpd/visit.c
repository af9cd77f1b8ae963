/* SPDX-License-Identifier: Apache-2.0 */
/* From request_rec to the flow layer's request, once. */
#include "build_config.h"

#include "httpd/visit.h"

#include <string.h>

#include <http_config.h>

#include <apr_cstr.h>

#include "base/bytes.h"
#include "flow/refresh.h"
#include "flow/renewals.h"
#include "httpd/auditlog.h"
#include "httpd/keepalive.h"
#include "httpd/log.h"

extern module entra_sso_module;

sso_visit_t *sso_visit_get(const request_rec *r)
{
    sso_visit_t *visit = ap_get_module_config(r->request_config, &entra_sso_module);
    while (visit == NULL && (r->main != NULL || r->prev != NULL)) {
        r = r->main != NULL ? r->main : r->prev;
        visit = ap_get_module_config(r->request_config, &entra_sso_module);
    }
    return visit;
}

static void take_cookies(request_rec *r, sso_visit_t *visit)
{
    const char *header = apr_table_get(r->headers_in, "Cookie");
    sso_cookie_read(r->pool, &visit->site->site.session.cookies, header, &visit->cookies);
    /* RFC 2965, obsolete: no browser sends it, but a backend may still read cookies from it. */
    apr_table_unset(r->headers_in, "Cookie2");
    if (visit->cookies.rest == header) {
        return;
    }
    if (visit->cookies.rest == NULL) {
        apr_table_unset(r->headers_in, "Cookie");
    } else {
        apr_table_setn(r->headers_in, "Cookie", visit->cookies.rest);
    }
}

sso_visit_t *sso_visit_begin(request_rec *r, sso_site_config_t *site)
{
    sso_visit_t *visit = apr_pcalloc(r->pool, sizeof(*visit));
    visit->site = site;
    take_cookies(r, visit);
    ap_set_module_config(r->request_config, &entra_sso_module, visit);
    return visit;
}

/* SECURITY: a tenant that the administrator took off the list since the sign-in is out with its next request. */
static sso_rc check_tenant(sso_ctx_t *ctx, const sso_site_t *site, const char *tid)
{
    const apr_array_header_t *allowed = site->allowed_tenants;
    bool found = allowed == NULL || site->any_tenant;
    for (int i = 0; !found && i < allowed->nelts; i++) {
        found = apr_cstr_casecmp(sso_text_at(allowed, i), tid) == 0;
    }
    return found ? SSO_OK : sso_fail(ctx, SSO_R_ID_TENANT, "a session of tenant %s", tid);
}

apr_pool_t *sso_visit_pool(const request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return r->pool;
}

/* Entra's last word is old: its new one is taken if it is there, else somebody is sent to ask. The request goes on. */
static void renew(sso_ctx_t *ctx, const sso_site_t *site, sso_visit_t *visit)
{
    sso_record_t *record = &visit->record;
    if (record->renewable && site->renewals != NULL &&
        sso_record_renew_due(record, ctx->now, &site->session.freshness)) {
        visit->renewed = sso_renewals_ask(site->renewals, ctx, site, record);
    }
}

/* The directory says something new about the user: it is read here and now, which is rare. False: out. */
static bool refresh(request_rec *r, sso_ctx_t *ctx, const sso_site_t *site, sso_visit_t *visit)
{
    switch (sso_refresh(ctx, site, &visit->record)) {
    case SSO_REFRESH_NONE:
        return true;
    case SSO_REFRESH_DONE:
        visit->renewed = true;
        return true;
    case SSO_REFRESH_LATER:
        /* The request goes on without what the directory gave; what needs it is refused with this. */
        visit->late = true;
        sso_log_fault(r, ctx, NULL);
        return true;
    case SSO_REFRESH_OUT:
        sso_audit_out(r, visit, ctx);
        break;
    }
    return false;
}

bool sso_visit_has_session(request_rec *r, sso_visit_t *visit)
{
    if (visit->session == SSO_VISIT_UNKNOWN) {
        sso_ctx_t ctx;
        sso_log_ctx_init(&ctx, r);
        ctx.pool = sso_visit_pool(r);
        const sso_site_t *site = &visit->site->site;
        /* A stream of HTTP/2 is a connection of its own, of one request, for which nothing is worth remembering. */
        sso_opened_t *place = r->connection->master == NULL ? &sso_keepalive_get(r->connection)->opened : NULL;
        bool opened = sso_session_reopen(&ctx, &site->session, &visit->cookies, place, &visit->record) == SSO_OK &&
                      check_tenant(&ctx, site, visit->record.tid) == SSO_OK;
        if (opened) {
            renew(&ctx, site, visit);
            opened = refresh(r, &ctx, site, visit);
        }
        visit->session = opened ? SSO_VISIT_SESSION : SSO_VISIT_NO_SESSION;
        visit->fault = ctx.fault;
        /* What is for later becomes the answer's own fault, and is logged there. */
        if (!opened && sso_reason(ctx.fault.rc)->class != SSO_CLASS_LATER) {
            sso_log_fault(r, &ctx, NULL);
        }
    }
    return visit->session == SSO_VISIT_SESSION;
}

static const char *header_of(const void *baton, const char *name)
{
    return apr_table_get(((const request_rec *)baton)->headers_in, name);
}

void sso_visit_request(request_rec *r, const sso_visit_t *visit, sso_request_t *ret_request)
{
    /* An internal redirect has a path that the browser never asked for: it comes back to what it did ask for. */
    const request_rec *first = r;
    while (first->main != NULL || first->prev != NULL) {
        first = first->main != NULL ? first->main : first->prev;
    }
    ret_request->method = first->method;
    ret_request->host = first->hostname;
    ret_request->path = first->unparsed_uri;
    ret_request->query = visit->query;
    ret_request->cookies = &visit->cookies;
    ret_request->header = header_of;
    ret_request->baton = first;
}
