/* SPDX-License-Identifier: Apache-2.0 */
/* Between the tenant watch of the core and this server: which watches there are, when their turn is looked for, log
 * lines.
 */
#include "build_config.h"

#include "httpd/watching.h"

#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "flow/tenantwatch.h"
#include "httpd/auditlog.h"
#include "httpd/log.h"
#include "httpd/site.h"
#include "httpd/tasks.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define LOOK_EVERY apr_time_from_sec(1)

/* Made in pconf and inherited by fork; then each process has its own. Of its watchdog's thread alone. */
typedef struct sso_watching_t {
    server_rec *server;
    sso_tenantwatch_t *watch; /* of the process; NULL: it has no store or no way out */
    apr_interval_time_t every;
    apr_time_t next; /* no turn is looked for before */
    sso_rc told;     /* what the log was told of last */
} sso_watching_t;

/* ---- lines ---- */

static void tell_ended(server_rec *s, const sso_tenantwatch_news_t *news)
{
    for (int i = 0; i < news->ended->nelts; i++) {
        const sso_tenantwatch_ended_t *entry = &APR_ARRAY_IDX(news->ended, i, sso_tenantwatch_ended_t);
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "ENTRA2084: tenant watch: %s: %d sessions ended: oid %s, tid %s",
                     entry->why, entry->sessions, entry->oid, news->tid);
    }
}

/* A fault is told of once, until it is another or over. */
static void tell_state(server_rec *s, const sso_ctx_t *ctx, sso_watching_t *watching)
{
    sso_rc rc = ctx->fault.rc;
    if (rc != SSO_OK && rc != watching->told) {
        sso_log_server_fault(s, ctx);
    } else if (rc == SSO_OK && watching->told != SSO_OK) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "ENTRA2083: the tenant watch works again");
    }
    watching->told = rc;
}

static void tell(const sso_ctx_t *ctx, sso_watching_t *watching, const sso_tenantwatch_news_t *news)
{
    server_rec *s = watching->server;
    tell_ended(s, news);
    sso_audit_watched(ctx->pool, s, news);
    if (news->restarted) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "ENTRA2085: tenant watch: Graph does not go on from the last state; all users are read anew");
    }
    if (news->enumerated) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "ENTRA2082: tenant watch: all users of the tenant %s have been read; from now on the changes",
                     news->tid);
    } else if (news->ours && ctx->fault.rc == SSO_OK) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "ENTRA2086: tenant watch: %d users on %d pages", news->users,
                     news->pages);
    }
    /* It was another node's turn: that node has the word. */
    if (news->ours || ctx->fault.rc != SSO_OK) {
        tell_state(s, ctx, watching);
    }
}

/* ---- in the watchdog's thread ---- */

/* The watchdog's singleton: one process of the node does this, and another takes over when it goes. */
static void take_turn(void *data, apr_pool_t *pool)
{
    sso_watching_t *watching = data;
    apr_time_t now = sso_clock_now();
    sso_tenantwatch_news_t news;
    sso_ctx_t ctx;
    bool set_back = watching->next > now + watching->every + SSO_WATCH_LATENESS;
    if (watching->watch == NULL || (now < watching->next && !set_back)) {
        return;
    }
    sso_log_server_ctx_init(&ctx, pool, watching->server);
    ctx.background = true;
    if (sso_tenantwatch_turn(&ctx, watching->watch, &news) == SSO_R_WATCH_LOST) {
        /* The other node goes on with it. */
        sso_debug(&ctx, "tenant watch: %s", sso_reason(ctx.fault.rc)->sentence);
        sso_fault_clear(&ctx);
    }
    tell(&ctx, watching, &news);
    watching->next = now + (news.wait > 0 ? news.wait : 0);
}

/* ---- beginnings ---- */

/* Sites with equal keys have the same users to watch, in the same database. */
static const char *key_of(apr_pool_t *pool, const sso_site_config_t *site)
{
    return apr_pstrcat(pool, site->authority_key, "\n", site->site.client_id, "\n", site->site.graph_url, "\n",
                       site->database.source, NULL);
}

bool sso_watching_start(apr_pool_t *pconf, server_rec *main_server)
{
    apr_hash_t *known = apr_hash_make(pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->site.watch == 0) {
            continue;
        }
        const char *key = key_of(pconf, site);
        sso_site_config_t *first = apr_hash_get(known, key, APR_HASH_KEY_STRING);
        if (first != NULL) {
            /* The shortest interval of all that share a watch. */
            first->site.watch = site->site.watch < first->site.watch ? site->site.watch : first->site.watch;
            first->watching->every = first->site.watch;
            continue;
        }
        site->watching = apr_pcalloc(pconf, sizeof(*site->watching));
        site->watching->server = s;
        site->watching->every = site->site.watch;
        apr_hash_set(known, key, APR_HASH_KEY_STRING, site);
        const char *name = apr_psprintf(pconf, "_entra_sso_watch_%u_", apr_hash_count(known));
        if (!sso_tasks_add(pconf, name, true, LOOK_EVERY, take_turn, site->watching)) {
            return false;
        }
    }
    return true;
}

void sso_watching_begin(apr_pool_t *pchild, server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->watching != NULL && site->site.authority != NULL) {
            site->watching->watch = sso_tenantwatch_make(pchild, &site->site);
        }
    }
}

static apr_status_t stop(void *watch)
{
    sso_tenantwatch_stop(watch);
    return APR_SUCCESS;
}

void sso_watching_ready(apr_pool_t *pchild, server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->watching != NULL && site->watching->watch != NULL) {
            /* The last to be registered is the first to run. */
            apr_pool_pre_cleanup_register(pchild, site->watching->watch, stop);
        }
    }
}
