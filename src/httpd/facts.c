/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers what is known, and changes nothing. No secret comes into it. */
#include "build_config.h"

#include "httpd/facts.h"

#include <string.h>

#include <http_config.h>
#include <http_main.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "directory/tally.h"
#include "entra/authority.h"
#include "entra/credential.h"
#include "entra/keys.h"
#include "httpd/log.h"

static void fill_entra(sso_ctx_t *ctx, const sso_site_t *site, sso_facts_t *facts)
{
    const sso_authority_view_t *view = sso_authority_at_hand(ctx, site->authority);
    if (view != NULL) {
        facts->keys = view->keys->count;
        facts->fetched = view->fetched;
    }
    facts->tried = sso_authority_tried(site->authority);
    facts->expires = site->credential == NULL ? 0 : sso_credential_expires(ctx, site->credential);
}

static void fill_database(sso_ctx_t *ctx, const sso_site_t *site, sso_facts_t *facts)
{
    const sso_counters_t *counters = ctx->counters;
    sso_tally_keep(ctx, site->store, site->ended, site->app);
    facts->database_up = sso_counters_note(counters, SSO_NOTE_TALLY_FAILED) == 0 && !sso_ended_is_away(site->ended);
    facts->tallied = sso_counters_note(counters, SSO_NOTE_TALLY_READ);
    facts->known = facts->database_up && facts->tallied != 0;
    facts->sessions = sso_counters_note(counters, SSO_NOTE_TALLY_SESSIONS);
    facts->ended = sso_counters_note(counters, SSO_NOTE_TALLY_ENDED);
    facts->scim = site->scim != NULL;
    facts->users = sso_counters_note(counters, SSO_NOTE_TALLY_USERS);
    facts->active = sso_counters_note(counters, SSO_NOTE_TALLY_ACTIVE);
    facts->groups = sso_counters_note(counters, SSO_NOTE_TALLY_GROUPS);
    facts->tokens = sso_counters_note(counters, SSO_NOTE_TALLY_TOKENS);
    facts->token_soonest = sso_counters_note(counters, SSO_NOTE_TALLY_TOKEN_SOONEST);
    facts->token_latest = sso_counters_note(counters, SSO_NOTE_TALLY_TOKEN_LATEST);
    facts->scim_request = sso_counters_note(counters, SSO_NOTE_SCIM_REQUEST);
    facts->scim_error = sso_counters_note(counters, SSO_NOTE_SCIM_ERROR);
    facts->scim_error_number = (int)sso_counters_note(counters, SSO_NOTE_SCIM_ERROR_NUMBER);
}

/* Two applications of one origin would be one series twice, which no scraper takes. */
static const char *label_of(apr_pool_t *pool, const apr_array_header_t *before, const sso_site_t *site)
{
    for (int i = 0; i < before->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(before, i, sso_facts_t).site->site.origin->text, site->origin->text) == 0) {
            return apr_pstrcat(pool, site->origin->text, " ", site->client_id, NULL);
        }
    }
    return site->origin->text;
}

const apr_array_header_t *sso_facts_gather(request_rec *r)
{
    apr_hash_t *seen = apr_hash_make(r->pool);
    apr_array_header_t *all = apr_array_make(r->pool, 4, sizeof(sso_facts_t));
    for (server_rec *s = ap_server_conf; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        /* Virtual hosts of one application count together. */
        if (site == NULL || site->counters == NULL || apr_hash_get(seen, site->site.app, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        sso_ctx_t ctx;
        sso_facts_t facts = {.site = site, .server = s, .label = label_of(r->pool, all, &site->site)};
        apr_hash_set(seen, site->site.app, APR_HASH_KEY_STRING, site);
        sso_log_server_ctx_init(&ctx, r->pool, s);
        fill_entra(&ctx, &site->site, &facts);
        fill_database(&ctx, &site->site, &facts);
        APR_ARRAY_PUSH(all, sso_facts_t) = facts;
    }
    return all;
}
