/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the form and writes the answer; never a redirect, a page or a cookie. */
#include "build_config.h"

#include "httpd/tokenendpoint.h"

#include <string.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/limits.h"
#include "flow/federation.h"
#include "httpd/auditlog.h"
#include "httpd/log.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define FORM "application/x-www-form-urlencoded"

static bool is_form(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t len = strlen(FORM);
    return type != NULL && apr_cstr_casecmpn(type, FORM, len) == 0 && strchr("; \t", type[len]) != NULL;
}

/* NULL in *ret_form never with SSO_OK. */
static sso_rc read_form(request_rec *r, sso_ctx_t *ctx, const char **ret_form)
{
    char *form = apr_palloc(r->pool, SSO_MAX_FEDERATED_FORM + 1);
    apr_size_t len = 0;
    long got = 0;
    if (!is_form(r)) {
        return sso_fail(ctx, SSO_R_FEDERATED_FORM, "its Content-Type is not " FORM);
    }
    if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK || !ap_should_client_block(r)) {
        return sso_fail(ctx, SSO_R_FEDERATED_FORM, "it has no body");
    }
    while (len <= SSO_MAX_FEDERATED_FORM &&
           (got = ap_get_client_block(r, form + len, SSO_MAX_FEDERATED_FORM + 1 - len)) > 0) {
        len += (apr_size_t)got;
    }
    if (got < 0 || len > SSO_MAX_FEDERATED_FORM) {
        return sso_fail(ctx, SSO_R_FEDERATED_FORM, "its body is %s", got < 0 ? "cut" : "too large");
    }
    form[len] = '\0';
    *ret_form = form;
    return strlen(form) == len ? SSO_OK : sso_fail(ctx, SSO_R_FEDERATED_FORM, "its body holds a NUL");
}

/* What is left of a body that nobody reads would be taken for the next request. */
static int answer(request_rec *r, int status, const char *body)
{
    r->status = status;
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "Pragma", "no-cache");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "application/json");
    ap_rvputs(r, body, "\n", NULL);
    ap_discard_request_body(r);
    return DONE;
}

int sso_tokenendpoint_serve(request_rec *r, sso_ctx_t *ctx, const sso_site_t *site, const char *method)
{
    const char *form = NULL;
    const char *body = NULL;
    if (strcmp(method, "POST") != 0) {
        (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(r->pool, method));
        apr_table_setn(r->err_headers_out, "Allow", "POST");
        sso_log_fault(r, ctx, NULL);
        return answer(r, HTTP_METHOD_NOT_ALLOWED, sso_federation_error(ctx));
    }
    sso_rc rc = read_form(r, ctx, &form);
    if (rc == SSO_OK) {
        rc = sso_federation_exchange(ctx, site, form, &body);
    } else {
        body = sso_federation_error(ctx);
    }
    sso_audit_federated(r, ctx);
    if (rc != SSO_OK) {
        int status = sso_reason(rc)->status;
        sso_log_fault(r, ctx, NULL);
        if (status == HTTP_SERVICE_UNAVAILABLE) {
            apr_table_setn(r->err_headers_out, "Retry-After",
                           apr_itoa(r->pool, ctx->fault.retry_after_s > 0 ? ctx->fault.retry_after_s : 5));
        }
        return answer(r, status, body);
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "ENTRA2121: a token for the directory was given to service principal %s", site->directory->federated);
    return answer(r, HTTP_OK, body);
}
