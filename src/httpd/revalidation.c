/* SPDX-License-Identifier: Apache-2.0 */
/* Between the renewals of the core and this server: contexts, log lines, the end of the process. */
#include "build_config.h"

#include "httpd/revalidation.h"

#include <http_config.h>
#include <http_log.h>

#include "base/bytes.h"
#include "flow/renewals.h"
#include "httpd/auditlog.h"
#include "httpd/log.h"
#include "httpd/site.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* What a renewal waits for is Entra, so two threads are many, and a burst of them is still a stream. */
#define THREADS 2

static server_rec *server_of(const sso_site_t *site)
{
    /* The site is the first member of what it was made in. */
    const sso_site_config_t *config = (const sso_site_config_t *)site;
    return (server_rec *)(apr_uintptr_t)config->server;
}

static void begin(void *baton, const sso_site_t *site, apr_pool_t *pool, sso_ctx_t *ret_ctx)
{
    (void)baton;
    sso_log_server_ctx_init(ret_ctx, pool, server_of(site));
}

static void done(void *baton, const sso_site_t *site, sso_ctx_t *ctx, const sso_record_t *record, sso_renewal_t outcome)
{
    (void)baton;
    server_rec *s = server_of(site);
    switch (outcome) {
    case SSO_RENEWED:
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "ENTRA2080: session renewed: oid %s, tid %s", record->oid,
                     record->tid);
        break;
    case SSO_RENEW_LATER:
        sso_log_server_fault(s, ctx);
        break;
    case SSO_RENEW_REFUSED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "ENTRA2081: session ended, since Entra does not stand by it: oid %s, tid %s, session %.8s: "
                     "ENTRA%04d: %s",
                     record->oid, record->tid, sso_hex(ctx->pool, record->id, sizeof(record->id)),
                     sso_reason(ctx->fault.rc)->number, ctx->fault.detail == NULL ? "-" : ctx->fault.detail);
        sso_audit_not_renewed((const sso_site_config_t *)site, ctx, record);
        break;
    case SSO_RENEW_ENDED:
        break;
    }
}

static void behind(void *baton, const sso_site_t *site, apr_interval_time_t waited, unsigned turned_away)
{
    (void)baton;
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, server_of(site),
        "ENTRA2087: revalidation does not keep up with EntraSessionRevalidate: a session waited %" APR_TIME_T_FMT
        " s in this process's line, and %u requests of other sessions found no place in it; a dismissed user is out "
        "that much later",
        apr_time_sec(waited), turned_away);
}

static apr_status_t stop_calls(void *http)
{
    sso_http_stop(http);
    return APR_SUCCESS;
}

void sso_revalidation_begin(apr_pool_t *pchild, server_rec *main_server, sso_http_t *http)
{
    static const sso_renewals_observer_t observer = {NULL, begin, done, behind};
    sso_ctx_t ctx;
    sso_renewals_t *renewals = NULL;
    sso_log_server_ctx_init(&ctx, pchild, main_server);
    if (sso_renewals_make(&ctx, pchild, THREADS, &observer, &renewals) != SSO_OK) {
        /* Sessions of this process live on until their grace ends; other processes renew. */
        sso_log_server_fault(main_server, &ctx);
        return;
    }
    /* After the renewals, hence before they are waited for. */
    apr_pool_pre_cleanup_register(pchild, http, stop_calls);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        /* Without a store there is nothing to renew with. */
        if (site != NULL && site->site.store != NULL && site->site.authority != NULL) {
            site->site.renewals = renewals;
        }
    }
}
