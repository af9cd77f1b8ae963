/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body, bounded, once all that can be said before it was read has been said. Never logs a part of it. */
#include "build_config.h"

#include "httpd/forms.h"

#include <string.h>

#include <http_log.h>
#include <http_protocol.h>

#include "base/bytes.h"
#include "flow/form.h"
#include "httpd/log.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

typedef struct {
    char *data; /* room for one byte more than max, and a NUL */
    apr_size_t len;
    apr_size_t max;
    bool ended;
} body_t;

/* APR's macros for its rings cast a volatile away, and clang minds. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
static apr_status_t read_buckets(apr_bucket_brigade *brigade, body_t *body)
{
    for (apr_bucket *b = APR_BRIGADE_FIRST(brigade); b != APR_BRIGADE_SENTINEL(brigade); b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;
        if (APR_BUCKET_IS_EOS(b)) {
            body->ended = true;
            return APR_SUCCESS;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        apr_status_t rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        apr_size_t room = body->max + 1 - body->len;
        len = len < room ? len : room;
        memcpy(body->data + body->len, data, len);
        body->len += len;
    }
    return APR_SUCCESS;
}
#pragma GCC diagnostic pop

/* Stops one byte past the bound; httpd itself throws the rest away. */
static int read_body(request_rec *r, body_t *body)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    body->data = apr_pcalloc(r->pool, body->max + 2);
    sso_wipe_later(r->pool, body->data, body->max + 2);
    while (!body->ended && body->len <= body->max) {
        apr_status_t rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ, HUGE_STRING_LEN);
        if (rv == APR_SUCCESS) {
            rv = read_buckets(brigade, body);
        }
        if (rv != APR_SUCCESS) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
        apr_brigade_cleanup(brigade);
    }
    body->data[body->len] = '\0';
    return OK;
}

/* True when somebody is known to have sent it. A session that was made ahead of time, or of a tenant that is not
 * allowed any more, is nobody's. */
static bool find_owner(sso_ctx_t *ctx, const sso_visit_t *visit, const sso_request_t *request, sso_record_t *owner)
{
    if (visit->session == SSO_VISIT_SESSION) {
        *owner = visit->record;
        return true;
    }
    return sso_reason(visit->fault.rc)->class == SSO_CLASS_CLIENT &&
           sso_form_owner(ctx, &visit->site->site, request, owner);
}

static void tell(request_rec *r, sso_ctx_t *ctx, sso_rc rc, const sso_record_t *owner, const body_t *body)
{
    if (rc == SSO_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "ENTRA2090: a form of %" APR_SIZE_T_FMT " bytes for %s waits for the sign-in of oid %s",
                      body->len, sso_printable(r->pool, r->uri), owner->oid);
        return;
    }
    sso_log_fault(r, ctx, NULL);
    /* The sign-in goes on without it. */
    sso_fault_clear(ctx);
}

int sso_forms_keep(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *back, const char **ret_id)
{
    const sso_site_t *site = &visit->site->site;
    sso_request_t request;
    sso_record_t owner;
    body_t body = {.max = site->preserve_post};
    sso_visit_request(r, visit, &request);
    *ret_id = NULL;
    if (!sso_form_is_one(site, &request) || !find_owner(ctx, visit, &request, &owner)) {
        return OK;
    }
    sso_fault_clear(ctx);
    sso_rc rc = sso_form_check(ctx, site, &request);
    if (rc == SSO_OK) {
        int status = read_body(r, &body);
        if (status != OK) {
            return status;
        }
        rc = sso_form_keep(ctx, site, &request, &owner, back, body.data, body.len, ret_id);
    }
    tell(r, ctx, rc, &owner, &body);
    return OK;
}
