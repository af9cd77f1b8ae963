/* SPDX-License-Identifier: Apache-2.0 */
/* The handles are opened by the parent and inherited. A line is one write, so that the lines of two processes never
 * mix, and a program that does not read its pipe holds nobody up for long. */
#include "build_config.h"

#include "httpd/auditlog.h"

#include <string.h>

#include <http_core.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_poll.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flow/audit.h"
#include "httpd/endpoints.h"
#include "httpd/log.h"
#include "httpd/shared.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* Root writes, its group reads. */
#define MODE (APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD)
/* How long a full pipe is waited for, in steps; and no more after the first line that was lost. */
#define STEP apr_time_from_msec(200)
#define STEPS 5
/* The error log is told once in so many seconds. */
#define TELL_EVERY 60

/* What the processes of a node know of one log. */
typedef struct {
    apr_uint32_t failing; /* the last line was lost */
    apr_uint32_t lost;    /* lines, since then */
    apr_uint32_t told;    /* second in which the error log was told last */
    apr_uint32_t torn;    /* the file ends in the middle of a line */
} shared_t;

struct sso_audit_t {
    const char *name;
    apr_file_t *file;
    bool pipe;
    shared_t *shared;
};

/* ---- opening ---- */

static bool open_file(apr_pool_t *pconf, server_rec *s, sso_audit_t *audit)
{
    char why[120];
    apr_status_t status =
        apr_file_open(&audit->file, audit->name,
                      APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE | APR_FOPEN_LARGEFILE, MODE, pconf);
    if (status != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_EMERG, 0, s,
            "ENTRA2142: EntraAuditLog: %s cannot be opened: %s; make its folder (root writes into it), or name "
            "another file",
            audit->name, apr_strerror(status, why, sizeof(why)));
    }
    return status == APR_SUCCESS;
}

static bool open_pipe(apr_pool_t *pconf, server_rec *s, sso_audit_t *audit)
{
    piped_log *log = ap_open_piped_log(pconf, audit->name + 1);
    if (log == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                     "ENTRA2143: EntraAuditLog: the program of \"%s\" cannot be started; check its path and rights",
                     audit->name);
        return false;
    }
    audit->file = ap_piped_log_write_fd(log);
    /* SECURITY: a program that stops reading would hold up one worker after the other. */
    apr_file_pipe_timeout_set(audit->file, 0);
    return true;
}

static sso_audit_t *make_one(apr_pool_t *pconf, const char *name)
{
    sso_audit_t *audit = apr_pcalloc(pconf, sizeof(*audit));
    audit->name = name;
    audit->pipe = *name == '|';
    audit->shared = sso_shared_make(pconf, sizeof(*audit->shared));
    return audit->shared == NULL ? NULL : audit;
}

bool sso_audit_share(apr_pool_t *pconf, server_rec *main_server)
{
    apr_hash_t *made = apr_hash_make(pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        const char *name = site == NULL ? NULL : site->audit_name;
        if (name == NULL) {
            continue;
        }
        site->audit = apr_hash_get(made, name, APR_HASH_KEY_STRING);
        if (site->audit == NULL) {
            site->audit = make_one(pconf, name);
            apr_hash_set(made, name, APR_HASH_KEY_STRING, site->audit);
        }
        if (site->audit == NULL) {
            return false;
        }
    }
    return true;
}

bool sso_audit_start(apr_pool_t *pconf, server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        sso_audit_t *audit = site == NULL ? NULL : site->audit;
        if (audit != NULL && audit->file == NULL &&
            !(audit->pipe ? open_pipe(pconf, s, audit) : open_file(pconf, s, audit))) {
            return false;
        }
    }
    return true;
}

/* ---- writing ---- */

/* One write. A pipe takes a line of this length whole or not at all; of a file that fills up, a piece may be left. */
static apr_status_t write_once(const sso_audit_t *audit, const char *text, apr_size_t len)
{
    apr_size_t written = len;
    apr_status_t status = apr_file_write(audit->file, text, &written);
    if (status == APR_SUCCESS && written < len) {
        apr_atomic_set32(&audit->shared->torn, 1);
        return APR_ENOSPC;
    }
    return status;
}

static apr_status_t write_patiently(apr_pool_t *pool, const sso_audit_t *audit, const char *text)
{
    apr_pollfd_t wait = {.p = pool, .desc_type = APR_POLL_FILE, .reqevents = APR_POLLOUT, .desc.f = audit->file};
    apr_int32_t ready = 0;
    apr_size_t len = strlen(text);
    apr_status_t status = write_once(audit, text, len);
    for (int i = 0; APR_STATUS_IS_EAGAIN(status) && i < STEPS && apr_atomic_read32(&audit->shared->failing) == 0; i++) {
        (void)apr_poll(&wait, 1, &ready, STEP);
        status = write_once(audit, text, len);
    }
    return status;
}

static void tell_lost(const server_rec *s, const sso_audit_t *audit, apr_status_t status, apr_time_t now)
{
    char why[120];
    shared_t *shared = audit->shared;
    apr_uint32_t second = (apr_uint32_t)apr_time_sec(now);
    apr_uint32_t told = apr_atomic_read32(&shared->told);
    apr_uint32_t lost = apr_atomic_inc32(&shared->lost) + 1;
    apr_atomic_set32(&shared->failing, 1);
    if (second - told >= TELL_EVERY && apr_atomic_cas32(&shared->told, second, told) == told) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "ENTRA2140: EntraAuditLog: %s cannot be written to: %s; %u lines are lost so far, and what they "
                     "tell of went on",
                     audit->name, apr_strerror(status, why, sizeof(why)), lost);
    }
}

static void tell_back(const server_rec *s, const sso_audit_t *audit)
{
    shared_t *shared = audit->shared;
    if (apr_atomic_read32(&shared->failing) != 0 && apr_atomic_cas32(&shared->failing, 0, 1) == 1) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "ENTRA2141: EntraAuditLog: %s is written to again; %u lines were lost", audit->name,
                     apr_atomic_xchg32(&shared->lost, 0));
        apr_atomic_set32(&shared->told, 0);
    }
}

static void write_event(apr_pool_t *pool, const sso_site_config_t *site, sso_audit_event_t *event)
{
    const sso_audit_t *audit = site->audit;
    apr_time_t now = sso_clock_now();
    event->service = site->site.origin->text;
    const char *line = sso_audit_line(pool, event, now);
    /* What a full disk left behind becomes a line of its own, by whoever comes first. */
    bool torn = apr_atomic_read32(&audit->shared->torn) != 0 && apr_atomic_cas32(&audit->shared->torn, 0, 1) == 1;
    apr_status_t status = write_patiently(pool, audit, torn ? apr_pstrcat(pool, "\n", line, NULL) : line);
    if (status == APR_SUCCESS) {
        tell_back(site->server, audit);
        return;
    }
    if (torn) {
        apr_atomic_set32(&audit->shared->torn, 1);
    }
    tell_lost(site->server, audit, status, now);
}

/* ---- what events have in common ---- */

/* SECURITY: the path alone; the query of a callback is the code. */
static void fill_request(request_rec *r, sso_audit_event_t *event)
{
    while (r->main != NULL || r->prev != NULL) {
        r = r->main != NULL ? r->main : r->prev;
    }
    event->ip = r->useragent_ip;
    event->method = r->method;
    event->path = r->uri;
    event->agent = apr_table_get(r->headers_in, "User-Agent");
}

static void fill_record(const sso_record_t *record, sso_audit_event_t *event)
{
    event->oid = record->oid;
    event->tid = record->tid;
    event->user_name = record->username;
}

static void fill_fault(const sso_ctx_t *ctx, sso_audit_event_t *event)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    event->code = reason->number;
    event->reason = reason->sentence;
    event->aadsts = ctx->fault.aadsts;
}

/* The site whose audit log hears of this request; NULL: none does. */
static const sso_site_config_t *audited(const sso_visit_t *visit)
{
    return visit != NULL && visit->site->audit != NULL ? visit->site : NULL;
}

/* ---- sign-ins and refusals ---- */

void sso_audit_signed_in(request_rec *r, const sso_visit_t *visit, const sso_answer_t *answer)
{
    const sso_site_config_t *site = audited(visit);
    if (site == NULL || !answer->signed_in) {
        return;
    }
    sso_audit_event_t event = {.action = answer->strengthened ? SSO_AUDIT_STEP_UP : SSO_AUDIT_SIGN_IN,
                               .code = answer->strengthened ? 2020 : 2001,
                               .session = answer->record.id,
                               .contexts = sso_list_join(r->pool, &answer->record.acrs, ","),
                               .trace = answer->correlation_id};
    fill_request(r, &event);
    fill_record(&answer->record, &event);
    write_event(r->pool, site, &event);
}

static bool is_of_form(sso_rc rc)
{
    return rc == SSO_R_FORM_GONE || rc == SSO_R_FORM_SIZE || rc == SSO_R_FORM_KIND || rc == SSO_R_FORM_TEXT ||
           rc == SSO_R_FORM_ORIGIN || rc == SSO_R_FORM_ADDRESS || rc == SSO_R_FORM_FULL;
}

/* True when the fault is a decision about somebody. Who has no session and is asked for one is nobody yet; the access
 * log has the 401. */
static bool decides(const sso_visit_t *visit, sso_rc rc, sso_audit_action_t *ret_action)
{
    if (visit->endpoint != NULL && !sso_endpoint_is_guarded(visit)) {
        *ret_action = SSO_AUDIT_SIGN_IN_REFUSED;
        return (strcmp(visit->endpoint, "callback") == 0 || strcmp(visit->endpoint, "login") == 0) &&
               rc != SSO_R_CALLBACK_METHOD;
    }
    if (sso_visit_is_known(visit)) {
        *ret_action = SSO_AUDIT_ACCESS_REFUSED;
        return rc != SSO_R_STEPUP_REQUIRED;
    }
    *ret_action = SSO_AUDIT_SIGN_IN_REFUSED;
    return rc != SSO_R_SIGNIN_REQUIRED && rc != SSO_R_ANONYMOUS && rc != SSO_R_PUBLIC_ONLY && rc != visit->fault.rc &&
           !is_of_form(rc);
}

void sso_audit_refused(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx, const sso_record_t *record,
                       const char *trace)
{
    const sso_site_config_t *site = audited(visit);
    sso_audit_event_t event = {.trace = trace};
    if (site == NULL || !decides(visit, ctx->fault.rc, &event.action)) {
        return;
    }
    fill_request(r, &event);
    fill_fault(ctx, &event);
    if (record->oid != NULL) {
        fill_record(record, &event);
    } else if (event.action == SSO_AUDIT_ACCESS_REFUSED) {
        fill_record(&visit->record, &event);
        event.session = visit->session == SSO_VISIT_SESSION ? visit->record.id : NULL;
        event.rule = ctx->fault.rc == SSO_R_FORBIDDEN ? visit->grounds == NULL ? "Require" : visit->grounds : NULL;
    }
    write_event(r->pool, site, &event);
}

void sso_audit_bearer_refused(request_rec *r, const sso_ctx_t *ctx, const char *trace)
{
    const sso_visit_t *visit = sso_visit_get(r);
    const sso_site_config_t *site = audited(visit);
    sso_audit_event_t event = {.action = SSO_AUDIT_BEARER_REFUSED, .trace = trace};
    if (site == NULL) {
        return;
    }
    fill_request(r, &event);
    fill_fault(ctx, &event);
    if (visit->session == SSO_VISIT_BEARER) {
        fill_record(&visit->record, &event);
        event.client = visit->bearer.client;
        event.rule = visit->grounds;
    }
    write_event(r->pool, site, &event);
}

void sso_audit_step_up(request_rec *r, const sso_visit_t *visit, const char *contexts)
{
    const sso_site_config_t *site = audited(visit);
    sso_audit_event_t event = {.action = SSO_AUDIT_STEP_UP_REQUIRED,
                               .code = 2021,
                               .session = visit->record.id,
                               .rule = visit->grounds,
                               .contexts = contexts};
    if (site == NULL) {
        return;
    }
    fill_request(r, &event);
    fill_record(&visit->record, &event);
    write_event(r->pool, site, &event);
}

/* ---- endings ---- */

void sso_audit_endings(request_rec *r, const sso_answer_t *answer)
{
    const sso_site_config_t *site = audited(sso_visit_get(r));
    sso_audit_event_t event = {.action = SSO_AUDIT_SESSION_ENDED, .reason = answer->ended_cause};
    if (site == NULL) {
        return;
    }
    fill_request(r, &event);
    event.oid = answer->ended_oid;
    event.tid = answer->ended_tid;
    event.code = 2073;
    for (int i = 0; i < answer->ended->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(answer->ended, i, sso_store_ended_t);
        if (memcmp(entry->id, answer->record.id, sizeof(entry->id)) != 0) {
            event.session = entry->id;
            write_event(r->pool, site, &event);
        }
    }
    if (answer->record.oid != NULL) {
        fill_record(&answer->record, &event);
        event.session = answer->record.id;
        event.code = strcmp(answer->ended_cause, "revalidation") == 0 ? 2145 : 2002;
        write_event(r->pool, site, &event);
    }
}

void sso_audit_out(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx)
{
    const sso_site_config_t *site = audited(visit);
    sso_audit_event_t event = {
        .action = SSO_AUDIT_SESSION_ENDED, .session = visit->record.id, .actor = "the directory"};
    if (site == NULL) {
        return;
    }
    fill_request(r, &event);
    fill_record(&visit->record, &event);
    fill_fault(ctx, &event);
    write_event(r->pool, site, &event);
}

void sso_audit_not_renewed(const sso_site_config_t *site, const sso_ctx_t *ctx, const sso_record_t *record)
{
    sso_audit_event_t event = {.action = SSO_AUDIT_SESSION_ENDED, .session = record->id, .actor = "Entra"};
    if (site->audit == NULL) {
        return;
    }
    fill_record(record, &event);
    event.reason = apr_pstrcat(ctx->pool, "revalidation: ", sso_reason(ctx->fault.rc)->sentence, NULL);
    event.code = 2081;
    event.aadsts = ctx->fault.aadsts;
    event.trace = ctx->fault.correlation_id;
    write_event(ctx->pool, site, &event);
}

static void tell_watched(apr_pool_t *pool, const sso_site_config_t *site, const sso_tenantwatch_news_t *news)
{
    for (int i = 0; i < news->ended->nelts; i++) {
        const sso_tenantwatch_ended_t *entry = &APR_ARRAY_IDX(news->ended, i, sso_tenantwatch_ended_t);
        sso_audit_event_t event = {.action = SSO_AUDIT_SESSION_ENDED,
                                   .code = 2084,
                                   .reason = apr_pstrcat(pool, "tenant watch: ", entry->why, NULL),
                                   .oid = entry->oid,
                                   .tid = news->tid,
                                   .actor = "Entra"};
        for (int k = 0; k < entry->ended->nelts; k++) {
            event.session = APR_ARRAY_IDX(entry->ended, k, sso_store_ended_t).id;
            write_event(pool, site, &event);
        }
    }
}

/* One watch stands for all sites of its tenant in its database, and each audit log among them hears of it once. */
void sso_audit_watched(apr_pool_t *pool, const server_rec *s, const sso_tenantwatch_news_t *news)
{
    const sso_site_config_t *watching = sso_config_server(s)->site;
    apr_hash_t *told = apr_hash_make(pool);
    for (const server_rec *other = ap_server_conf; news->ended->nelts > 0 && other != NULL; other = other->next) {
        const sso_site_config_t *site = sso_config_server(other)->site;
        if (site != NULL && site->audit != NULL && apr_hash_get(told, &site->audit, sizeof(site->audit)) == NULL &&
            strcmp(site->database.source, watching->database.source) == 0 &&
            strcmp(site->authority_key, watching->authority_key) == 0) {
            apr_hash_set(told, &site->audit, sizeof(site->audit), site);
            tell_watched(pool, site, news);
        }
    }
}

/* ---- the directory ---- */

static void tell_change(request_rec *r, const sso_site_config_t *site, const sso_scim_event_t *event, const char *actor)
{
    const sso_audit_change_t change = {event->what,    event->id,     event->user_name, event->external_id,
                                       event->is_user, event->active, event->changed};
    sso_audit_event_t told = {.action = SSO_AUDIT_SCIM_CHANGE,
                              .code = 2100,
                              .oid = event->oid,
                              .user_name = event->user_name,
                              .actor = actor,
                              .change = &change};
    fill_request(r, &told);
    write_event(r->pool, site, &told);
    told.action = SSO_AUDIT_SESSION_ENDED;
    told.code = 2101;
    told.reason = apr_pstrcat(r->pool, "SCIM: ", event->what, NULL);
    told.change = NULL;
    for (int i = 0; event->ended != NULL && i < event->ended->nelts; i++) {
        told.session = APR_ARRAY_IDX(event->ended, i, sso_store_ended_t).id;
        write_event(r->pool, site, &told);
    }
}

void sso_audit_scim(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx, const sso_scim_answer_t *answer)
{
    const sso_site_config_t *site = audited(visit);
    if (site == NULL) {
        return;
    }
    const char *actor = apr_pstrcat(r->pool, "SCIM token ", answer->token, NULL);
    if (answer->status == HTTP_UNAUTHORIZED || ctx->fault.rc == SSO_R_SCIM_TOKEN_OTHER) {
        sso_audit_event_t event = {.action = SSO_AUDIT_SCIM_REFUSED, .actor = answer->token == NULL ? NULL : actor};
        fill_request(r, &event);
        fill_fault(ctx, &event);
        write_event(r->pool, site, &event);
    }
    for (int i = 0; i < answer->events->nelts; i++) {
        tell_change(r, site, &APR_ARRAY_IDX(answer->events, i, sso_scim_event_t), actor);
    }
}

void sso_audit_federated(request_rec *r, const sso_ctx_t *ctx)
{
    const sso_site_config_t *site = audited(sso_visit_get(r));
    bool refused = ctx->fault.rc != SSO_OK;
    sso_audit_event_t event = {.action = refused ? SSO_AUDIT_SCIM_REFUSED : SSO_AUDIT_SCIM_TOKEN_ISSUED, .code = 2121};
    if (site == NULL) {
        return;
    }
    fill_request(r, &event);
    event.actor = refused ? NULL : apr_pstrcat(r->pool, "service principal ", site->site.directory->federated, NULL);
    if (refused) {
        fill_fault(ctx, &event);
    }
    write_event(r->pool, site, &event);
}
