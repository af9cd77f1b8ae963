/* SPDX-License-Identifier: Apache-2.0 */
/* Judges the facts. A sentence says what is wrong, what it does to people, and what to do. */
#include "build_config.h"

#include "httpd/needs.h"

#include <scoreboard.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "httpd/renewal.h"

#define HOUR apr_time_from_sec(60 * 60)
/* Keys are fetched hourly, and tried again every minute. */
#define KEYS_LATE (2 * HOUR)
#define KEYS_OVER (24 * HOUR)
/* The first fetch, until its absence is news. */
#define START_TAKES apr_time_from_sec(10)
/* A fault that was mended is no need for longer. */
#define FAULT_RECENT HOUR

typedef struct {
    apr_pool_t *pool;
    apr_time_t now;
    const sso_facts_t *facts;
    apr_array_header_t *needs;
} judging_t;

static void add(const judging_t *judging, bool urgent, const char *text)
{
    APR_ARRAY_PUSH(judging->needs, sso_need_t) = (sso_need_t){urgent, judging->facts->label, text};
}

static void judge_database(const judging_t *judging)
{
    if (!judging->facts->database_up) {
        add(judging, true,
            "The database does not answer: sign-ins fail until it is back, and who is signed in goes on. The error log "
            "says why.");
    }
}

static apr_time_t started(void)
{
    return ap_scoreboard_image == NULL ? 0 : ap_scoreboard_image->global->restart_time;
}

static void judge_keys(const judging_t *judging)
{
    const sso_facts_t *facts = judging->facts;
    apr_interval_time_t age = judging->now - facts->fetched;
    if (facts->fetched == 0 && judging->now - started() > START_TAKES) {
        add(judging, true,
            "Entra's metadata and keys could not be fetched since the start: nobody can sign in. Look at the error "
            "log, "
            "the firewall and EntraTrustedCA.");
    } else if (facts->fetched != 0 && age > KEYS_LATE) {
        add(judging, age > KEYS_OVER,
            apr_psprintf(
                judging->pool,
                "Entra's keys could not be refreshed for %d hours: a day after the last time nobody can sign in. "
                "The error log says why.",
                (int)(age / HOUR)));
    }
}

static const char *date(const judging_t *judging, apr_time_t when)
{
    return sso_time_print(judging->pool, when);
}

static void judge_credential(const judging_t *judging)
{
    apr_time_t expires = judging->facts->expires;
    if (expires != 0 && expires - judging->now <= SSO_WARN_BEFORE_END) {
        bool over = expires <= judging->now;
        add(judging, over,
            apr_psprintf(
                judging->pool,
                "The certificate %s on %s%s. Make a new one, upload it to the app registration and put it into "
                "its file; no restart is needed.",
                over ? "expired" : "expires", date(judging, expires), over ? ", and Entra refuses it" : ""));
    }
}

/* With a service principal of Entra's that brings assertions, no token is needed. */
static void judge_tokens(const judging_t *judging)
{
    const sso_facts_t *facts = judging->facts;
    const sso_directory_policy_t *policy = facts->site->site.directory;
    if (!facts->scim || !facts->database_up || facts->tallied == 0 || (policy != NULL && policy->federated != NULL)) {
        return;
    }
    if (facts->token_latest == 0) {
        add(judging, false,
            "There is no token for SCIM, so Entra cannot provision. Make one with entra-sso scim-token new.");
    } else if (facts->token_latest - judging->now <= SSO_WARN_BEFORE_END) {
        bool over = facts->token_latest <= judging->now;
        add(judging, over,
            apr_psprintf(judging->pool,
                         "The token for SCIM %s on %s%s. Make one with entra-sso scim-token new, and put it into the "
                         "enterprise application.",
                         over ? "expired" : "expires", date(judging, facts->token_latest),
                         over ? ": provisioning has stopped, and dismissed users are not ended by it" : ""));
    }
}

static void judge_room(const judging_t *judging)
{
    if (judging->facts->ended > SSO_ENDED_SLOTS / 2) {
        add(judging, false,
            "The table of ended sessions is more than half full. What makes so many sessions end? When it is full, "
            "sessions are refused for a while.");
    }
}

/* Of the class that says so: the administrator must act, here or at Entra; and our own. */
static void judge_faults(const judging_t *judging)
{
    for (int rc = 1; rc < SSO_RC_COUNT; rc++) {
        const sso_reason_t *reason = sso_reason((sso_rc)rc);
        apr_time_t last;
        uint64_t many = sso_counters_faults(judging->facts->site->counters, (sso_rc)rc, &last);
        bool ours = reason->class == SSO_CLASS_CONFIG || reason->class == SSO_CLASS_INTERNAL;
        if (many == 0 || !ours || reason->level != SSO_LEVEL_ERROR || judging->now - last > FAULT_RECENT) {
            continue;
        }
        add(judging, false,
            apr_psprintf(judging->pool, "ENTRA%04d within the last hour: %s. The error log has the detail.",
                         reason->number, reason->sentence));
    }
}

static void judge_gate(const judging_t *judging, const sso_gate_t *gate)
{
    if (gate != NULL && sso_gate_count(gate) >= sso_gate_limit(gate)) {
        add(judging, true,
            "As many workers as may wait for the outside do so: further sign-ins are answered with 503. Entra or the "
            "way "
            "to it is slow.");
    }
}

/* The urgent ones first, and the order among them as it is. */
static apr_array_header_t *sorted(apr_pool_t *pool, const apr_array_header_t *needs)
{
    apr_array_header_t *all = apr_array_make(pool, needs->nelts + 1, sizeof(sso_need_t));
    for (int urgent = 1; urgent >= 0; urgent--) {
        for (int i = 0; i < needs->nelts; i++) {
            const sso_need_t *need = &APR_ARRAY_IDX(needs, i, sso_need_t);
            if (need->urgent == (urgent != 0)) {
                APR_ARRAY_PUSH(all, sso_need_t) = *need;
            }
        }
    }
    return all;
}

const apr_array_header_t *sso_needs_list(request_rec *r, const apr_array_header_t *facts)
{
    apr_array_header_t *needs = apr_array_make(r->pool, 4, sizeof(sso_need_t));
    for (int i = 0; i < facts->nelts; i++) {
        const judging_t judging = {r->pool, r->request_time, &APR_ARRAY_IDX(facts, i, sso_facts_t), needs};
        judge_database(&judging);
        judge_keys(&judging);
        judge_credential(&judging);
        judge_tokens(&judging);
        judge_room(&judging);
        judge_faults(&judging);
        if (i == 0) {
            /* One for all applications. */
            judge_gate(&judging, judging.facts->site->gate);
        }
    }
    return sorted(r->pool, needs);
}
