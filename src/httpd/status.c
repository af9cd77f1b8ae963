/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's form of the status page, and mod_status's section. Keys are a promise, as the names of metrics are. */
#include "build_config.h"

#include "httpd/status.h"

#include <string.h>

#include <apr_optional_hooks.h>
#include <http_protocol.h>
#include <mod_status.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "httpd/facts.h"
#include "httpd/metrics.h"
#include "httpd/needs.h"
#include "httpd/statuspage.h"

/* ---- lines of "Key: value" ---- */

typedef struct {
    request_rec *r;
    const char *prefix; /* of each key */
} lines_t;

static void put_text(const lines_t *lines, const char *key, const char *value)
{
    ap_rvputs(lines->r, lines->prefix, key, ": ", value, "\n", NULL);
}

static void put_number(const lines_t *lines, const char *key, int64_t value)
{
    put_text(lines, key, apr_psprintf(lines->r->pool, "%" APR_INT64_T_FMT, value));
}

/* What never was has no line. */
static void put_time(const lines_t *lines, const char *key, apr_time_t when)
{
    if (when != 0) {
        put_text(lines, key, sso_time_print(lines->r->pool, when));
    }
}

static int64_t sum(const sso_facts_t *facts, sso_count_t first, sso_count_t last)
{
    return (int64_t)sso_counters_sum(facts->site->counters, first, last);
}

static void put_counts(const lines_t *lines, const sso_facts_t *facts)
{
    put_number(lines, ".SignIns", sum(facts, SSO_COUNT_SIGNIN_OK, SSO_COUNT_SIGNIN_STEPUP));
    put_number(lines, ".SignInsRefused", sum(facts, SSO_COUNT_SIGNIN_CLIENT, SSO_COUNT_SIGNIN_INTERNAL));
    put_number(lines, ".AccessRefused", sum(facts, SSO_COUNT_REFUSED_SESSION, SSO_COUNT_REFUSED_TOKEN));
    put_number(lines, ".SessionsEnded", sum(facts, SSO_COUNT_ENDED_SIGNOUT, SSO_COUNT_ENDED_OTHER));
    put_number(lines, ".Revalidations", sum(facts, SSO_COUNT_REVALIDATION_OK, SSO_COUNT_SILENT_LATER));
    put_number(lines, ".RevalidationsRefused",
               sum(facts, SSO_COUNT_REVALIDATION_REFUSED, SSO_COUNT_REVALIDATION_REFUSED) +
                   sum(facts, SSO_COUNT_SILENT_REFUSED, SSO_COUNT_SILENT_REFUSED));
}

static void put_scim(const lines_t *lines, const sso_facts_t *facts)
{
    if (!facts->scim) {
        return;
    }
    if (facts->known) {
        put_number(lines, ".ScimUsers", facts->users);
        put_number(lines, ".ScimUsersActive", facts->active);
        put_number(lines, ".ScimGroups", facts->groups);
        put_number(lines, ".ScimTokens", facts->tokens);
        put_time(lines, ".ScimTokenExpires", facts->token_latest);
    }
    put_number(lines, ".ScimRequests", sum(facts, SSO_COUNT_SCIM_READ_2XX, SSO_COUNT_SCIM_DELETE_5XX));
    put_time(lines, ".ScimLastRequest", facts->scim_request);
    put_time(lines, ".ScimLastErrorTime", facts->scim_error);
    if (facts->scim_error != 0) {
        put_text(lines, ".ScimLastError", apr_psprintf(lines->r->pool, "ENTRA%04d", facts->scim_error_number));
    }
}

static void put_site(request_rec *r, int number, const sso_facts_t *facts)
{
    const lines_t lines = {r, apr_psprintf(r->pool, "EntraSite%d", number)};
    put_text(&lines, "", facts->label);
    put_text(&lines, ".Tenant", facts->site->authority.tenant);
    put_text(&lines, ".ClientId", facts->site->site.client_id);
    put_number(&lines, ".DatabaseUp", facts->database_up);
    if (facts->known) {
        put_number(&lines, ".Sessions", facts->sessions);
    }
    put_counts(&lines, facts);
    put_number(&lines, ".Keys", facts->keys);
    put_time(&lines, ".KeysFetched", facts->fetched);
    put_time(&lines, ".CredentialExpires", facts->expires);
    put_scim(&lines, facts);
}

static void put_all(request_rec *r, const apr_array_header_t *facts)
{
    const apr_array_header_t *needs = sso_needs_list(r, facts);
    const lines_t lines = {r, "Entra"};
    put_text(&lines, "Version", SSO_VERSION);
    put_number(&lines, "Needs", needs->nelts);
    for (int i = 0; i < needs->nelts; i++) {
        const sso_need_t *need = &APR_ARRAY_IDX(needs, i, sso_need_t);
        put_text(&lines, apr_psprintf(r->pool, "Need%d", i + 1),
                 apr_pstrcat(r->pool, need->site, ": ", need->text, NULL));
    }
    put_number(&lines, "Sites", facts->nelts);
    for (int i = 0; i < facts->nelts; i++) {
        put_site(r, i + 1, &APR_ARRAY_IDX(facts, i, sso_facts_t));
    }
}

/* ---- hooks ---- */

/* As mod_status has it: a word of the query. */
static bool wants_lines(const request_rec *r)
{
    const char *found = r->args == NULL ? NULL : strstr(r->args, "auto");
    return found != NULL && (found == r->args || found[-1] == '&' || found[-1] == '?') &&
           (found[4] == '\0' || found[4] == '&' || found[4] == '=');
}

int sso_status_handler(request_rec *r)
{
    int status = sso_metrics_begin(r, "entra-status");
    if (status != OK) {
        return status;
    }
    const apr_array_header_t *facts = sso_facts_gather(r);
    if (wants_lines(r)) {
        ap_set_content_type(r, "text/plain; charset=utf-8");
        put_all(r, facts);
    } else {
        sso_statuspage_write(r, facts, sso_needs_list(r, facts));
    }
    return OK;
}

static int add_section(request_rec *r, int flags)
{
    const apr_array_header_t *facts = sso_facts_gather(r);
    if (facts->nelts == 0) {
        return DECLINED;
    }
    if ((flags & AP_STATUS_SHORT) != 0) {
        put_all(r, facts);
    } else {
        sso_statuspage_section(r, facts, sso_needs_list(r, facts));
    }
    return OK;
}

void sso_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, add_section, NULL, NULL, APR_HOOK_MIDDLE);
}
