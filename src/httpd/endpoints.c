/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of path and use case, and the thin code between them. */
#include "build_config.h"

#include "httpd/endpoints.h"

#include <string.h>

#include <http_log.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "flow/assertion.h"
#include "flow/form.h"
#include "flow/frontchannel.h"
#include "flow/signin.h"
#include "flow/signout.h"
#include "flow/trial.h"
#include "httpd/auditlog.h"
#include "httpd/endings.h"
#include "httpd/export.h"
#include "httpd/tokenendpoint.h"
#include "httpd/log.h"
#include "httpd/pages.h"
#include "httpd/provisioning.h"
#include "httpd/testpage.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

typedef int serve_t(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request);

static const char *contexts_of(request_rec *r, const sso_record_t *record)
{
    const char *contexts = sso_list_join(r->pool, &record->acrs, ",");
    return contexts == NULL ? "none" : contexts;
}

static int serve_callback(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    sso_signin_callback(ctx, &visit->site->site, request, &answer);
    if (answer.strengthened) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "ENTRA2020: stepped up: oid %s, tid %s, session %.8s, contexts %s [id %s]", answer.record.oid,
                      answer.record.tid, sso_hex(r->pool, answer.record.id, sizeof(answer.record.id)),
                      contexts_of(r, &answer.record), answer.correlation_id);
    } else if (answer.signed_in) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2001: signed in: oid %s, tid %s, session %.8s [id %s]",
                      answer.record.oid, answer.record.tid,
                      sso_hex(r->pool, answer.record.id, sizeof(answer.record.id)), answer.correlation_id);
    }
    if (answer.kind == SSO_ANSWER_TRIAL) {
        return sso_testpage_report(r, visit, ctx, &answer);
    }
    sso_audit_signed_in(r, visit, &answer);
    if (answer.ended_cause != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "ENTRA2145: session ended, since Entra does not stand by it without asking: oid %s, tid %s, "
                      "session %.8s",
                      answer.record.oid, answer.record.tid,
                      sso_hex(r->pool, answer.record.id, sizeof(answer.record.id)));
        sso_endings_log(r, &answer);
    }
    if (answer.form_dropped) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "ENTRA2092: a form is dropped: another user signed in than the one who sent it");
    }
    return sso_pages_send(r, visit, ctx, &answer);
}

static int serve_resend(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    const sso_record_t *user = sso_visit_has_session(r, visit) ? &visit->record : NULL;
    sso_form_resend(ctx, &visit->site->site, request, user, &answer);
    if (answer.kind == SSO_ANSWER_FORM) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2091: a form comes back to oid %s", visit->record.oid);
    }
    return sso_pages_send(r, visit, ctx, &answer);
}

static int serve_login(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    sso_signin_login(ctx, &visit->site->site, request, &answer);
    return sso_pages_send(r, visit, ctx, &answer);
}

static int serve_logout(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    sso_signout(ctx, &visit->site->site, request, &answer);
    if (answer.ended_cause != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2002: signed out: oid %s, tid %s, session %.8s",
                      answer.record.oid, answer.record.tid,
                      sso_hex(r->pool, answer.record.id, sizeof(answer.record.id)));
        sso_endings_log(r, &answer);
    }
    return sso_pages_send(r, visit, ctx, &answer);
}

static int serve_frontchannel(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    sso_frontchannel(ctx, &visit->site->site, request, &answer);
    if (answer.ended_cause != NULL) {
        sso_endings_log(r, &answer);
    }
    return sso_pages_send(r, visit, ctx, &answer);
}

static void set_list(sso_json_writer_t *object, apr_pool_t *pool, const char *name, const sso_list_t *list)
{
    apr_size_t count;
    const char *const *items = sso_list_items(pool, list, &count);
    sso_json_set_list(object, name, items, count);
}

static int refuse_method(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request,
                         const char *allow)
{
    sso_answer_t answer;
    sso_answer_init(&answer, r->pool);
    answer.allow = allow;
    (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(r->pool, request->method));
    sso_answer_fault(&answer, "/");
    return sso_pages_send(r, visit, ctx, &answer);
}

/* For single-page applications. It never writes a cookie, so a polling tab does not keep a session alive. */
static int serve_session(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    const sso_record_t *record = &visit->record;
    apr_interval_time_t idle = visit->site->site.session.idle;
    if (strcmp(request->method, "GET") != 0) {
        return refuse_method(r, visit, ctx, request, "GET");
    }
    if (!sso_visit_has_session(r, visit)) {
        if (sso_reason(visit->fault.rc)->class == SSO_CLASS_LATER) {
            ctx->fault = visit->fault;
        } else {
            (void)sso_fail(ctx, SSO_R_SIGNIN_REQUIRED, "session endpoint");
        }
        return sso_pages_refuse(r, visit, ctx, "/");
    }
    sso_json_writer_t *json = sso_json_object_make(r->pool);
    sso_json_set_text(json, "user", sso_export_user(r, visit));
    sso_json_set_text(json, "name", record->name);
    sso_json_set_text(json, "oid", record->oid);
    sso_json_set_text(json, "tid", record->tid);
    set_list(json, r->pool, "roles", &record->roles);
    sso_json_set_text(json, "signed_in_at", sso_time_print(r->pool, record->created));
    apr_time_t ends = record->created + visit->site->site.session.max_age;
    sso_json_set_text(json, "ends_at", sso_time_print(r->pool, ends < record->ends ? ends : record->ends));
    if (idle > 0) {
        sso_json_set_text(json, "idle_ends_at", sso_time_print(r->pool, record->seen + idle));
    }
    sso_json_set_text(json, "revalidated_at", sso_time_print(r->pool, record->revalidated));
    return sso_pages_json(r, sso_json_print(r->pool, json));
}

static int refuse_unknown(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx)
{
    (void)sso_fail(ctx, SSO_R_ENDPOINT_UNKNOWN, "%s", sso_printable(r->pool, visit->endpoint));
    return sso_pages_refuse(r, visit, ctx, "/");
}

/* For backends, which have no session. */
static int serve_keys(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    if (!visit->site->signs) {
        return refuse_unknown(r, visit, ctx);
    }
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        return refuse_method(r, visit, ctx, request, "GET, HEAD");
    }
    return sso_pages_keys(r, sso_assertion_keys(ctx, visit->site->site.session.keyring));
}

/* For Entra's provisioning, which has neither session nor browser. */
static int serve_federation(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    const sso_site_t *site = &visit->site->site;
    if (site->directory == NULL || site->directory->federated == NULL) {
        return refuse_unknown(r, visit, ctx);
    }
    return sso_tokenendpoint_serve(r, ctx, site, request->method);
}

/* For the administrator, whom the Require of its own has let in. */
static int serve_test(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx, const sso_request_t *request)
{
    sso_answer_t answer;
    if (!visit->site->site.trials) {
        return refuse_unknown(r, visit, ctx);
    }
    if (!sso_testpage_admits(r, visit)) {
        (void)sso_fail(ctx, SSO_R_TRIAL_OPEN, "nobody asked who it is: %s", sso_printable(r->pool, r->uri));
        return sso_pages_refuse(r, visit, ctx, "/");
    }
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) {
        return sso_testpage_show(r, visit, ctx);
    }
    if (strcmp(request->method, "POST") != 0) {
        return refuse_method(r, visit, ctx, request, "GET, HEAD, POST");
    }
    sso_trial_start(ctx, &visit->site->site, request, sso_testpage_is_other(visit), &answer);
    return sso_pages_send(r, visit, ctx, &answer);
}

static const struct {
    const char *path;
    serve_t *serve;
} ENDPOINTS[] = {
    {"callback", serve_callback},
    {"frontchannel-logout", serve_frontchannel},
    {"login", serve_login},
    {"logout", serve_logout},
    {"session", serve_session},
    {"keys", serve_keys},
    {SSO_TOKENENDPOINT_PATH, serve_federation},
    {"resend", serve_resend},
    {SSO_TRIAL_PATH, serve_test},
};

const char *sso_endpoint_of(const sso_site_t *site, const char *path)
{
    apr_size_t len = strlen(site->path);
    if (path == NULL || strncmp(path, site->path, len) != 0) {
        return NULL;
    }
    if (path[len] == '\0') {
        return "";
    }
    return path[len] == '/' ? path + len + 1 : NULL;
}

bool sso_endpoint_is_guarded(const sso_visit_t *visit)
{
    return visit->site->site.trials && strcmp(visit->endpoint, SSO_TRIAL_PATH) == 0;
}

int sso_endpoint_serve(request_rec *r, sso_visit_t *visit)
{
    sso_ctx_t ctx;
    sso_request_t request;
    sso_log_ctx_init(&ctx, r);
    if (sso_provisioning_serves(visit)) {
        return sso_provisioning_serve(r, visit);
    }
    sso_visit_request(r, visit, &request);
    for (apr_size_t i = 0; i < sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]); i++) {
        if (strcmp(visit->endpoint, ENDPOINTS[i].path) == 0) {
            return ENDPOINTS[i].serve(r, visit, &ctx, &request);
        }
    }
    return refuse_unknown(r, visit, &ctx);
}
