/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics page. Names are a promise: dashboards and alerts of administrators are made of them (docs/status.md). */
#include "build_config.h"

#include "httpd/metrics.h"

#include <string.h>

#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include "base/exposition.h"
#include "base/gate.h"
#include "base/limits.h"
#include "httpd/facts.h"

int sso_metrics_begin(request_rec *r, const char *name)
{
    if (r->handler == NULL || strcmp(r->handler, name) != 0) {
        return DECLINED;
    }
    if (r->method_number != M_GET) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    /* mod_cache can be told to keep what says no-store (CacheStoreNoStore), but not against this. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");
    return OK;
}

/* ---- what stands now ---- */

typedef enum {
    GAUGE_KEYS,
    GAUGE_KEYS_FETCHED,
    GAUGE_KEYS_AGE,
    GAUGE_CREDENTIAL,
    GAUGE_DATABASE,
    GAUGE_SESSIONS,
    GAUGE_ENDED,
    GAUGE_ENDED_ROOM,
    GAUGE_USERS,
    GAUGE_ACTIVE,
    GAUGE_GROUPS,
    GAUGE_TOKENS,
    GAUGE_SOONEST,
    GAUGE_LATEST,
    GAUGE_SCIM_REQUEST,
    GAUGE_SCIM_ERROR,
    GAUGE_SCIM_NUMBER,
    GAUGES
} gauge_id_t;

/* One name after the other; of one name the rows stand together. */
static const struct {
    const char *name;
    const char *labels; /* beside the site's; NULL: none */
    bool is_time;       /* microseconds here, seconds on the page */
    const char *help;
} gauges[GAUGES] = {
    [GAUGE_KEYS] = {"entra_signing_keys", NULL, false, "Signing keys of Entra at hand."},
    [GAUGE_KEYS_FETCHED] = {"entra_keys_fetched_timestamp_seconds", NULL, true, "When they were fetched last."},
    [GAUGE_KEYS_AGE] = {"entra_keys_age_seconds", NULL, true,
                        "How long ago that was: an hour at most, while all is well."},
    [GAUGE_CREDENTIAL] = {"entra_credential_expiry_timestamp_seconds", NULL, true,
                          "When the application's certificate expires."},
    [GAUGE_DATABASE] = {"entra_database_up", NULL, false, "1 while the database answers."},
    [GAUGE_SESSIONS] = {"entra_sessions", NULL, false, "Sessions that are open, on all nodes."},
    [GAUGE_ENDED] = {"entra_ended_sessions", NULL, false, "Ended sessions that this node remembers."},
    [GAUGE_ENDED_ROOM] = {"entra_ended_sessions_capacity", NULL, false, "Places of the table of ended sessions."},
    [GAUGE_USERS] = {"entra_scim_users", NULL, false, "Users in the directory."},
    [GAUGE_ACTIVE] = {"entra_scim_users_active", NULL, false, "Users in the directory who are not disabled."},
    [GAUGE_GROUPS] = {"entra_scim_groups", NULL, false, "Groups in the directory."},
    [GAUGE_TOKENS] = {"entra_scim_tokens", NULL, false, "Tokens of SCIM that have not expired."},
    [GAUGE_SOONEST] = {"entra_scim_token_expiry_timestamp_seconds", "token=\"soonest\"", true,
                       "When tokens of SCIM expire: the first of those that are good, and the last of all."},
    [GAUGE_LATEST] = {"entra_scim_token_expiry_timestamp_seconds", "token=\"latest\"", true, NULL},
    [GAUGE_SCIM_REQUEST] = {"entra_scim_last_request_timestamp_seconds", NULL, true,
                            "The last SCIM request with a good token."},
    [GAUGE_SCIM_ERROR] = {"entra_scim_last_error_timestamp_seconds", NULL, true, "The last of them that was refused."},
    [GAUGE_SCIM_NUMBER] = {"entra_scim_last_error_number", NULL, false, "Its ENTRA number."},
};

typedef struct {
    bool there;
    int64_t value;
} value_t;

/* A moment that never was is left out. */
static value_t moment(apr_time_t when)
{
    return (value_t){when != 0, when};
}

/* Numbers of the database are left out while it does not answer. */
static void fill_database(const sso_facts_t *facts, value_t *values)
{
    bool scim = facts->known && facts->scim;
    values[GAUGE_DATABASE] = (value_t){true, facts->database_up};
    values[GAUGE_SESSIONS] = (value_t){facts->known, facts->sessions};
    values[GAUGE_ENDED] = (value_t){true, facts->ended};
    values[GAUGE_ENDED_ROOM] = (value_t){true, SSO_ENDED_SLOTS};
    values[GAUGE_USERS] = (value_t){scim, facts->users};
    values[GAUGE_ACTIVE] = (value_t){scim, facts->active};
    values[GAUGE_GROUPS] = (value_t){scim, facts->groups};
    values[GAUGE_TOKENS] = (value_t){scim, facts->tokens};
    values[GAUGE_SOONEST] = (value_t){scim && facts->token_soonest != 0, facts->token_soonest};
    values[GAUGE_LATEST] = (value_t){scim && facts->token_latest != 0, facts->token_latest};
}

static void fill(request_rec *r, const sso_facts_t *facts, value_t *values)
{
    values[GAUGE_KEYS] = (value_t){true, facts->keys};
    values[GAUGE_KEYS_FETCHED] = moment(facts->fetched);
    values[GAUGE_KEYS_AGE] = (value_t){facts->fetched != 0, r->request_time - facts->fetched};
    values[GAUGE_CREDENTIAL] = moment(facts->expires);
    values[GAUGE_SCIM_REQUEST] = moment(facts->scim_request);
    values[GAUGE_SCIM_ERROR] = moment(facts->scim_error);
    values[GAUGE_SCIM_NUMBER] = (value_t){facts->scim_error != 0, facts->scim_error_number};
    fill_database(facts, values);
}

static void put_gauge(const sso_exposition_t *page, int id, const char *site, int64_t value)
{
    const char *labels = gauges[id].labels == NULL ? site : apr_pstrcat(page->pool, site, ",", gauges[id].labels, NULL);
    if (gauges[id].is_time) {
        sso_exposition_seconds(page, gauges[id].name, labels, value);
    } else {
        sso_exposition_number(page, gauges[id].name, labels, value);
    }
}

/* Rows of one name are one family: all samples of it in one place. */
static int put_family(const sso_exposition_t *page, int first, const value_t (*values)[GAUGES],
                      const sso_counted_t *counted, int count)
{
    int next = first + 1;
    while (next < GAUGES && strcmp(gauges[next].name, gauges[first].name) == 0) {
        next++;
    }
    sso_exposition_family(page, gauges[first].name, "gauge", gauges[first].help);
    for (int who = 0; who < count; who++) {
        for (int id = first; id < next; id++) {
            if (values[who][id].there) {
                put_gauge(page, id, counted[who].labels, values[who][id].value);
            }
        }
    }
    return next;
}

static void put_gauges(request_rec *r, const sso_exposition_t *page, const apr_array_header_t *facts,
                       const sso_counted_t *counted)
{
    value_t(*values)[GAUGES] = apr_pcalloc(r->pool, (apr_size_t)(facts->nelts + 1) * sizeof(*values));
    for (int i = 0; i < facts->nelts; i++) {
        fill(r, &APR_ARRAY_IDX(facts, i, sso_facts_t), values[i]);
    }
    for (int id = 0; id < GAUGES;) {
        id = put_family(page, id, (const value_t(*)[GAUGES])values, counted, facts->nelts);
    }
}

/* ---- what is of the node, and what says who is who ---- */

static void put_info(const sso_exposition_t *page, const apr_array_header_t *facts, const sso_counted_t *counted)
{
    sso_exposition_family(page, "entra_build_info", "gauge", "The module that answers.");
    sso_exposition_number(page, "entra_build_info", sso_label(page->pool, "version", SSO_VERSION), 1);
    sso_exposition_family(page, "entra_application_info", "gauge", "Which application of which tenant a site is.");
    for (int i = 0; i < facts->nelts; i++) {
        const sso_site_config_t *site = APR_ARRAY_IDX(facts, i, sso_facts_t).site;
        const char *labels =
            apr_pstrcat(page->pool, counted[i].labels, ",", sso_label(page->pool, "tenant", site->authority.tenant),
                        ",", sso_label(page->pool, "client_id", site->site.client_id), NULL);
        sso_exposition_number(page, "entra_application_info", labels, 1);
    }
}

static void put_gate(const sso_exposition_t *page, const sso_gate_t *gate)
{
    if (gate == NULL) {
        return;
    }
    sso_exposition_family(page, "entra_gate_in_use", "gauge", "Workers of the node that wait for the outside.");
    sso_exposition_number(page, "entra_gate_in_use", "", sso_gate_count(gate));
    sso_exposition_family(page, "entra_gate_limit", "gauge", "How many may: a quarter of all.");
    sso_exposition_number(page, "entra_gate_limit", "", sso_gate_limit(gate));
}

/* ---- the page ---- */

static void put(void *baton, const char *text)
{
    ap_rputs(text, (request_rec *)baton);
}

int sso_metrics_handler(request_rec *r)
{
    int status = sso_metrics_begin(r, "entra-metrics");
    if (status != OK) {
        return status;
    }
    const apr_array_header_t *facts = sso_facts_gather(r);
    const sso_exposition_t page = {r->pool, put, r};
    /* One more for what is of no application. */
    sso_counted_t *counted = apr_pcalloc(r->pool, (apr_size_t)(facts->nelts + 1) * sizeof(*counted));
    int count = facts->nelts;
    for (int i = 0; i < count; i++) {
        const sso_facts_t *of = &APR_ARRAY_IDX(facts, i, sso_facts_t);
        counted[i] = (sso_counted_t){sso_label(r->pool, "site", of->label), of->site->counters};
    }
    ap_set_content_type(r, SSO_EXPOSITION_TYPE);
    put_info(&page, facts, counted);
    if (count > 0) {
        const sso_site_config_t *first = APR_ARRAY_IDX(facts, 0, sso_facts_t).site;
        put_gate(&page, first->gate);
        put_gauges(r, &page, facts, counted);
        counted[count] = (sso_counted_t){sso_label(r->pool, "site", ""), first->node_counters};
        sso_exposition_counters(&page, counted, count + 1);
    }
    return OK;
}
