/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a site: how Entra is asked about sessions that are there. */
#include "build_config.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/bytes.h"
#include "entra/authority.h"
#include "httpd/draft.h"

#define LEAST_REVALIDATE apr_time_from_sec(10)
#define LEAST_GRACE apr_time_from_sec(60)
#define LEAST_WATCH apr_time_from_sec(30)

/* A scope stands in the list as a whole word. */
static bool has_scope(const char *scopes, const char *scope)
{
    apr_size_t len = strlen(scope);
    for (const char *at = strstr(scopes, scope); at != NULL; at = strstr(at + len, scope)) {
        if ((at == scopes || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static void fill_continuous(draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    site->continuous = get(draft, SSO_SERVER_CONTINUOUS_ACCESS)->choice == 1;
    if (!site->continuous) {
        return;
    }
    if (site->session.freshness.revalidate == 0 || !has_scope(site->scope, "offline_access")) {
        complain(draft, "ENTRA4087", SSO_SERVER_CONTINUOUS_ACCESS,
                 "Graph is asked when a session is revalidated, and that needs a refresh token; leave "
                 "EntraSessionRevalidate on and offline_access in EntraScopes, or write EntraContinuousAccess off");
    }
}

static void fill_watch(draft_t *draft)
{
    const sso_value_t *watch = get(draft, SSO_SERVER_TENANT_WATCH);
    const char *tenant = get(draft, SSO_SERVER_TENANT)->first;
    if (watch->choice == 1) {
        return;
    }
    draft->site->site.watch = watch->span;
    if (watch->span < LEAST_WATCH || watch->span > SSO_SESSION_CAP) {
        complain(draft, "ENTRA4088", SSO_SERVER_TENANT_WATCH,
                 "must be between 30s and 8h, since Graph is asked that often; write off to ask never");
    }
    if (tenant != NULL && (sso_tenant_is_several(tenant) || sso_tenant_is_consumers(tenant))) {
        complain(draft, "ENTRA4089", SSO_SERVER_TENANT_WATCH,
                 "an application can watch the users of its own tenant alone, and with \"EntraTenant %s\" there is "
                 "none; write the tenant's GUID, or EntraTenantWatch off",
                 tenant);
    }
}

void sso_draft_freshness(sso_draft_t *draft)
{
    sso_freshness_t *freshness = &draft->site->site.session.freshness;
    const sso_value_t *revalidate = get(draft, SSO_SERVER_SESSION_REVALIDATE);
    const sso_value_t *grace = get(draft, SSO_SERVER_SESSION_GRACE);
    freshness->revalidate = revalidate->span;
    freshness->grace = grace->span;
    if (revalidate->choice == 0 && revalidate->span < LEAST_REVALIDATE) {
        complain(draft, "ENTRA4085", SSO_SERVER_SESSION_REVALIDATE,
                 "must be 10s at least, since each session asks Entra that often; write off to ask never");
    }
    if (grace->choice == 1 || grace->span < LEAST_GRACE || grace->span > SSO_SESSION_CAP) {
        complain(draft, "ENTRA4086", SSO_SERVER_SESSION_GRACE,
                 "must be between 1m and 8h: Entra is asked in the background, while the session goes on");
    }
    fill_continuous(draft);
    fill_watch(draft);
}
