/* SPDX-License-Identifier: Apache-2.0 */
/* No cookie is read or written here, nothing is redirected, and no Require of the site asks anything. */
#include "build_config.h"

#include "httpd/provisioning.h"

#include <string.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/gate.h"
#include "base/limits.h"
#include "directory/scim.h"
#include "httpd/auditlog.h"
#include "httpd/counts.h"
#include "httpd/log.h"
#include "httpd/shared.h"
#include "httpd/site.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define FIRST_ROOM ((apr_size_t)8 * 1024)

/* ---- beginnings ---- */

bool sso_provisioning_share(apr_pool_t *pconf, server_rec *main_server)
{
    void *gate = NULL;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->site.scim == NULL) {
            continue;
        }
        if (gate == NULL) {
            gate = sso_shared_gate(pconf, SSO_MAX_SCIM_REQUESTS);
            if (gate == NULL) {
                return false;
            }
        }
        site->scim_gate = gate;
    }
    return true;
}

void sso_provisioning_begin(apr_pool_t *pchild, server_rec *main_server)
{
    sso_gate_t *gate = NULL;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->site.scim == NULL) {
            continue;
        }
        if (gate == NULL) {
            gate = sso_gate_join(pchild, site->scim_gate);
        }
        site->scim.gate = gate;
        site->scim.ending = (sso_ending_t){site->site.store, site->site.ended};
        site->scim.keyring = site->site.session.keyring;
    }
}

/* ---- bodies ---- */

static sso_rc read_fail(request_rec *r, sso_ctx_t *ctx, sso_rc rc, const char *detail)
{
    /* What is left of the body stays unread. */
    r->connection->keepalive = AP_CONN_CLOSE;
    return sso_fail(ctx, rc, "%s", detail);
}

/* As much as there is, one byte more than the bound at most. */
static sso_rc read_rest(request_rec *r, sso_ctx_t *ctx, char **ret_text, apr_size_t *ret_len)
{
    apr_size_t room = r->remaining > 0 && r->remaining < SSO_MAX_SCIM_BODY ? (apr_size_t)r->remaining + 1 : FIRST_ROOM;
    char *text = apr_palloc(r->pool, room + 1);
    apr_size_t len = 0;
    for (;;) {
        if (len == room) {
            char *larger = apr_palloc(r->pool, 2 * room + 1);
            memcpy(larger, text, len);
            text = larger;
            room *= 2;
        }
        long got = ap_get_client_block(r, text + len, room - len);
        if (got < 0) {
            return read_fail(r, ctx, SSO_R_SCIM_READ, "the client stopped in the middle, or took too long");
        }
        len += (apr_size_t)got;
        if (len > SSO_MAX_SCIM_BODY) {
            return read_fail(r, ctx, SSO_R_SCIM_BODY, "more than the bound");
        }
        if (got == 0) {
            break;
        }
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return SSO_OK;
}

/* Refused by its length before a byte of it is asked for (Expect), else when it grows too long. */
static sso_rc read_body(request_rec *r, sso_ctx_t *ctx, sso_scim_request_t *request)
{
    char *text = NULL;
    if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK) {
        return read_fail(r, ctx, SSO_R_SCIM_READ, "its length or transfer coding");
    }
    if (r->remaining > SSO_MAX_SCIM_BODY) {
        return read_fail(r, ctx, SSO_R_SCIM_BODY, "its Content-Length is more than the bound");
    }
    if (!ap_should_client_block(r)) {
        return SSO_OK;
    }
    sso_rc rc = read_rest(r, ctx, &text, &request->len);
    request->body = text;
    return rc;
}

/* ---- log lines ---- */

static void log_event(request_rec *r, const sso_scim_event_t *event, const char *token)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2100: SCIM: %s: %s [token %s]", event->what, event->id, token);
    for (int i = 0; event->ended != NULL && i < event->ended->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(event->ended, i, sso_store_ended_t);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2101: session ended (SCIM, %s %s): oid %s, session %.8s",
                      event->what, event->id, *event->oid == '\0' ? "unknown" : event->oid,
                      sso_hex(r->pool, entry->id, sizeof(entry->id)));
    }
}

/* Once an hour and process: the mapping is wrong for all of them. */
static void warn_unmatched(request_rec *r, sso_site_config_t *site, const sso_scim_event_t *event)
{
    apr_uint32_t hour = (apr_uint32_t)(apr_time_sec(r->request_time) / 3600);
    apr_uint32_t last = apr_atomic_read32(&site->scim_warned);
    if (last != hour && apr_atomic_cas32(&site->scim_warned, hour, last) == last) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "ENTRA2102: SCIM: the externalId of user %s is no object id of Entra, so the user is known by "
                      "userName alone: map objectId to externalId in the provisioning of the enterprise application",
                      event->id);
    }
}

static void log_events(request_rec *r, sso_site_config_t *site, const sso_scim_answer_t *answer)
{
    for (int i = 0; i < answer->events->nelts; i++) {
        const sso_scim_event_t *event = &APR_ARRAY_IDX(answer->events, i, sso_scim_event_t);
        log_event(r, event, answer->token);
        if (event->unmatched) {
            warn_unmatched(r, site, event);
        }
    }
}

/* ---- answers ---- */

static void set_header(request_rec *r, const char *name, const char *value)
{
    if (value != NULL) {
        apr_table_setn(r->err_headers_out, name, value);
    }
}

static int send_answer(request_rec *r, const sso_scim_answer_t *answer)
{
    r->status = answer->status;
    set_header(r, "Cache-Control", "no-store");
    set_header(r, "X-Content-Type-Options", "nosniff");
    /* mod_cache can be told to keep what says no-store (CacheStoreNoStore), but not against this. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");
    set_header(r, "ETag", answer->tag);
    set_header(r, "Location", answer->status == 201 ? answer->location : NULL);
    set_header(r, "Content-Location", answer->status == 200 ? answer->location : NULL);
    set_header(r, "Allow", answer->allow);
    set_header(r, "WWW-Authenticate", answer->challenge);
    if (answer->retry_after_s > 0) {
        set_header(r, "Retry-After", apr_itoa(r->pool, answer->retry_after_s));
    }
    if (answer->body != NULL) {
        ap_set_content_type(r, "application/scim+json");
        ap_rputs(answer->body, r);
    }
    return DONE;
}

/* ---- requests ---- */

static const char *header_of(request_rec *r, const char *name)
{
    return apr_table_get(r->headers_in, name);
}

bool sso_provisioning_serves(const sso_visit_t *visit)
{
    apr_size_t len = strlen(SSO_SCIM_PATH);
    return visit->site->site.scim != NULL && strncmp(visit->endpoint, SSO_SCIM_PATH, len) == 0 &&
           (visit->endpoint[len] == '/' || visit->endpoint[len] == '\0');
}

int sso_provisioning_serve(request_rec *r, const sso_visit_t *visit)
{
    const sso_scim_t *scim = visit->site->site.scim;
    const sso_scim_request_t head = {.method = r->method,
                                     .path = visit->endpoint + strlen(SSO_SCIM_PATH),
                                     .query = visit->query,
                                     .authorization = header_of(r, "Authorization"),
                                     .content_type = header_of(r, "Content-Type"),
                                     .if_match = header_of(r, "If-Match"),
                                     .if_none_match = header_of(r, "If-None-Match")};
    sso_scim_request_t request = head;
    sso_scim_answer_t answer;
    sso_ctx_t ctx;
    sso_log_ctx_init(&ctx, r);
    if (sso_scim_admit(&ctx, scim, &request, &answer)) {
        if (read_body(r, &ctx, &request) == SSO_OK) {
            sso_scim_serve(&ctx, scim, &request, &answer);
        } else {
            sso_scim_give_up(&ctx, scim, &answer);
        }
    } else {
        /* SECURITY: a stranger's body is not read. */
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    if (answer.status >= 400) {
        sso_log_fault(r, &ctx, NULL);
    }
    sso_counts_scim(&ctx, r->method, answer.status);
    log_events(r, visit->site, &answer);
    sso_audit_scim(r, visit, &ctx, &answer);
    return send_answer(r, &answer);
}
