/* SPDX-License-Identifier: Apache-2.0 */
/* What a node does to know which sessions have ended. The rules are in session/ending.c; here are memory, processes and
 * log lines. */
#include "build_config.h"

#include "httpd/endings.h"

#include <string.h>

#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/gate.h"
#include "base/limits.h"
#include "httpd/auditlog.h"
#include "httpd/changes.h"
#include "httpd/log.h"
#include "httpd/shared.h"
#include "httpd/site.h"
#include "httpd/tasks.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* Another node's ending counts here within two seconds: a poll each second leaves one for the poll itself. */
#define POLL_EVERY apr_time_from_msec(900)
/* Also when the process that polled was killed: so long it may stay away, before another does it. */
#define POLL_LOST apr_time_from_msec(1400)
#define LOOK_EVERY apr_time_from_msec(200)
/* SECURITY: what has ended stays ended over a reload, also when the database is away then: the memory belongs to the
 * whole run of httpd. */
#define TABLES "entra_sso: " SSO_ENDED_FORM

/* ---- keeping up ---- */

/* What the administrator has to know of a change, once for the node. */
static void tell(server_rec *s, const sso_ctx_t *ctx, const sso_ended_t *ended, const sso_ending_news_t *news)
{
    const char *detail = ctx->fault.detail == NULL ? "-" : ctx->fault.detail;
    bool away = ctx->fault.rc != SSO_OK;
    if (away && !news->was_away && sso_ended_filled(ended) == 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "ENTRA2070: the database cannot be read since the start, so it is not known which sessions have "
                     "ended: none is accepted until it is there: %s: %s",
                     sso_reason(ctx->fault.rc)->sentence, detail);
    } else if (away && !news->was_away) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            "ENTRA2071: the database does not answer: who is signed in goes on, but sessions that end on other nodes "
            "live here until it is back: %s: %s",
            sso_reason(ctx->fault.rc)->sentence, detail);
    } else if (!away && news->was_away) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "ENTRA2072: the database is back; %d sessions that ended here meanwhile were written",
                     news->written);
    }
}

static void poll(server_rec *s, const sso_site_t *site, apr_pool_t *pool)
{
    sso_ctx_t ctx;
    sso_ending_news_t news;
    const sso_ending_t ending = {site->store, site->ended};
    sso_log_server_ctx_init(&ctx, pool, s);
    /* A database may be of several applications. */
    ctx.counters = sso_config_server(s)->site->node_counters;
    sso_rc rc = sso_ending_poll(&ctx, &ending, &news);
    tell(s, &ctx, site->ended, &news);
    if (rc == SSO_OK) {
        sso_changes_poll(s, site, pool);
    }
}

/* In every process, and one of them polls. mod_watchdog's singleton would not do: when its process goes, the next one
 * waits for ten seconds. */
static void keep_up(void *data, apr_pool_t *pool)
{
    sso_site_config_t *site = data;
    if (sso_ended_take_turn(site->site.ended, sso_clock_now(), POLL_EVERY, POLL_LOST, &site->ended_turn)) {
        poll((server_rec *)(apr_uintptr_t)site->server, &site->site, pool);
    }
}

/* ---- beginnings ---- */

bool sso_endings_share(apr_pool_t *pconf, server_rec *main_server)
{
    void *frontchannel = sso_shared_gate(pconf, SSO_MAX_FRONTCHANNEL);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL) {
            continue;
        }
        sso_ended_t *ended =
            sso_shared_entry(main_server->process->pool, TABLES, site->database.source, sso_ended_size());
        if (frontchannel == NULL || ended == NULL) {
            return false;
        }
        site->frontchannel = frontchannel;
        site->site.ended = ended;
        site->site.session.ended = ended;
    }
    return true;
}

bool sso_endings_watch(apr_pool_t *pconf, server_rec *main_server)
{
    apr_hash_t *watched = apr_hash_make(pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || apr_hash_get(watched, site->database.source, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        apr_hash_set(watched, site->database.source, APR_HASH_KEY_STRING, site);
        const char *name = apr_psprintf(pconf, "_entra_sso_ended_%u_", apr_hash_count(watched));
        if (!sso_tasks_add(pconf, name, false, LOOK_EVERY, keep_up, site)) {
            return false;
        }
    }
    return true;
}

void sso_endings_begin(apr_pool_t *pchild, server_rec *main_server)
{
    sso_gate_t *frontchannel = NULL;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL) {
            continue;
        }
        if (frontchannel == NULL) {
            frontchannel = sso_gate_join(pchild, site->frontchannel);
        }
        site->site.frontchannel = frontchannel;
        site->site.session.store = site->site.store;
        const sso_ending_t ending = {site->site.store, site->site.ended};
        if (sso_ending_is_first(&ending)) {
            apr_pool_t *pool;
            apr_pool_create(&pool, pchild);
            poll(s, &site->site, pool);
            apr_pool_destroy(pool);
            sso_ended_release(site->site.ended);
        }
    }
}

/* ---- lines ---- */

void sso_endings_log(request_rec *r, const sso_answer_t *answer)
{
    sso_audit_endings(r, answer);
    for (int i = 0; i < answer->ended->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(answer->ended, i, sso_store_ended_t);
        /* One's own has its line as a sign-out. */
        if (memcmp(entry->id, answer->record.id, sizeof(entry->id)) == 0) {
            continue;
        }
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ENTRA2073: session ended (%s): oid %s, tid %s, session %.8s",
                      answer->ended_cause, answer->ended_oid, answer->ended_tid,
                      sso_hex(r->pool, entry->id, sizeof(entry->id)));
    }
    if (answer->ended_waits) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "ENTRA2074: the session has ended on this node alone, since the database is away; the other nodes "
            "learn of it when it is back");
    }
}
