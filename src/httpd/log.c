/* SPDX-License-Identifier: Apache-2.0 */
/* From faults and debug texts to httpd's error log. Nothing that is logged here holds a secret: details are made so. */
#include "build_config.h"

#include "httpd/log.h"

#include <http_log.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/counters.h"
#include "entra/aadsts.h"
#include "httpd/site.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

static int level_of(sso_level_t level)
{
    switch (level) {
    case SSO_LEVEL_ERROR:
        return APLOG_ERR;
    case SSO_LEVEL_WARNING:
        return APLOG_WARNING;
    case SSO_LEVEL_INFO:
        return APLOG_INFO;
    case SSO_LEVEL_DEBUG:
        break;
    }
    return APLOG_DEBUG;
}

static void log_request_debug(void *baton, sso_level_t level, const char *file, int line, const char *text)
{
    ap_log_rerror(file, line, APLOG_MODULE_INDEX, level_of(level), 0, (request_rec *)baton, "%s", text);
}

static void log_server_debug(void *baton, sso_level_t level, const char *file, int line, const char *text)
{
    ap_log_error(file, line, APLOG_MODULE_INDEX, level_of(level), 0, (server_rec *)baton, "%s", text);
}

/* Those of the application, if this server has one. */
static struct sso_counters_t *counters_of(const server_rec *s)
{
    const sso_server_config_t *config = sso_config_server(s);
    return config == NULL || config->site == NULL ? NULL : config->site->counters;
}

void sso_log_ctx_init(sso_ctx_t *ctx, request_rec *r)
{
    /* The request's own time: every rule of one request sees one moment, and no system call is spent. */
    sso_ctx_init(ctx, r->pool, r->request_time);
    ctx->counters = counters_of(r->server);
    ctx->log = log_request_debug;
    ctx->log_baton = r;
}

void sso_log_server_ctx_init(sso_ctx_t *ctx, apr_pool_t *pool, server_rec *s)
{
    sso_ctx_init(ctx, pool, sso_clock_now());
    ctx->counters = counters_of(s);
    ctx->log = log_server_debug;
    ctx->log_baton = s;
}

const char *sso_log_number(apr_pool_t *pool, sso_rc rc)
{
    return apr_psprintf(pool, "ENTRA%04d", sso_reason(rc)->number);
}

/* What stands behind the sentence: detail, Entra's own numbers, and the administrator's mend. */
static const char *fault_tail(const sso_ctx_t *ctx)
{
    const sso_fault_t *fault = &ctx->fault;
    const char *tail = fault->detail == NULL ? "" : apr_pstrcat(ctx->pool, ": ", fault->detail, NULL);
    if (fault->aadsts != 0) {
        const sso_aadsts_t *row = sso_aadsts_find(fault->aadsts);
        tail = apr_psprintf(ctx->pool, "%s; AADSTS%u%s%s", tail, fault->aadsts, row == NULL ? "" : ": ",
                            row == NULL ? "" : row->mend);
    }
    if (fault->correlation_id != NULL) {
        tail = apr_psprintf(ctx->pool, "%s; Entra's correlation id %s", tail, fault->correlation_id);
    }
    return tail;
}

void sso_log_fault(request_rec *r, const sso_ctx_t *ctx, const char *id)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    const char *file = ctx->fault.file == NULL ? __FILE__ : ctx->fault.file;
    sso_count_fault(ctx, ctx->fault.rc);
    if (ap_get_request_module_loglevel(r, APLOG_MODULE_INDEX) < level_of(reason->level)) {
        return;
    }
    ap_log_rerror(file, ctx->fault.line, APLOG_MODULE_INDEX, level_of(reason->level), 0, r, "ENTRA%04d: %s%s%s%s%s",
                  reason->number, reason->sentence, fault_tail(ctx), id == NULL ? "" : " [id ", id == NULL ? "" : id,
                  id == NULL ? "" : "]");
}

void sso_log_server_fault(server_rec *s, const sso_ctx_t *ctx)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    const char *file = ctx->fault.file == NULL ? __FILE__ : ctx->fault.file;
    sso_count_fault(ctx, ctx->fault.rc);
    ap_log_error(file, ctx->fault.line, APLOG_MODULE_INDEX, level_of(reason->level), 0, s, "ENTRA%04d: %s%s",
                 reason->number, reason->sentence, fault_tail(ctx));
}
