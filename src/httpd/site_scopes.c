/* SPDX-License-Identifier: Apache-2.0 */
/* The scopes of a site: what its sign-ins ask for, and whether what EntraAccessToken needs can be had. */
#include "build_config.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/scope.h"
#include "flow/probe.h"
#include "httpd/draft.h"

static void add_words(apr_pool_t *pool, apr_array_header_t *scopes, const char *words)
{
    char *last = NULL;
    for (char *word = apr_strtok(apr_pstrdup(pool, words), " ", &last); word != NULL;
         word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(scopes, const char *) = word;
    }
}

static bool has_scope(const apr_array_header_t *scopes, const char *scope)
{
    bool has = false;
    for (int i = 0; i < scopes->nelts; i++) {
        has = has || strcmp(sso_text_at(scopes, i), scope) == 0;
    }
    return has;
}

/* The first scope of the same resource that Entra does not take beside this one; NULL when there is none. */
static const char *clash_of(apr_pool_t *pool, const apr_array_header_t *scopes, const char *scope)
{
    for (int i = 0; sso_scope_is_default(scope) && i < scopes->nelts; i++) {
        const char *other = sso_text_at(scopes, i);
        if (!sso_scope_is_openid(other) && !sso_scope_is_default(other) &&
            strcmp(sso_scope_resource(pool, other), sso_scope_resource(pool, scope)) == 0) {
            return other;
        }
    }
    return NULL;
}

static void check_tokens(draft_t *draft, const apr_array_header_t *scopes)
{
    const apr_array_header_t *wanted = draft->config->scopes;
    if (wanted->nelts == 0) {
        return;
    }
    if (!has_scope(scopes, "offline_access")) {
        complain(draft, "ENTRA4065", SSO_SERVER_SCOPES,
                 "has no offline_access, so there is no refresh token with which EntraAccessToken %s could be fetched; "
                 "add offline_access",
                 sso_text_at(wanted, 0));
    }
    for (int i = 0; i < scopes->nelts; i++) {
        const char *scope = sso_text_at(scopes, i);
        const char *other = clash_of(draft->pool, scopes, scope);
        if (other != NULL) {
            complain(draft, "ENTRA4066", SSO_SERVER_SCOPES,
                     "%s stands for all scopes of its resource, and Entra takes no other beside it in one sign-in, but "
                     "%s is asked for as well; write only one kind of the two in EntraScopes and EntraAccessToken",
                     scope, other);
        }
    }
}

void sso_draft_scopes(sso_draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    apr_array_header_t *scopes = apr_array_make(draft->pool, 8, sizeof(const char *));
    add_words(draft->pool, scopes, "openid profile email");
    apr_array_cat(scopes, get(draft, SSO_SERVER_SCOPES)->items);
    add_words(draft->pool, scopes, sso_groups_scopes(site->groups));
    if (get(draft, SSO_SERVER_CONTINUOUS_ACCESS)->choice == 1) {
        add_words(draft->pool, scopes, SSO_PROBE_SCOPE);
    }
    site->scope = sso_scope_of_request(draft->pool, scopes);
    apr_array_cat(scopes, draft->config->scopes);
    site->authorize_scope = sso_scope_of_all(draft->pool, scopes);
    check_tokens(draft, scopes);
    if (strlen(site->authorize_scope) > SSO_MAX_SCOPES_TEXT) {
        complain(draft, "ENTRA4067", SSO_SERVER_SCOPES,
                 "and all EntraAccessToken of this server are %" APR_SIZE_T_FMT
                 " characters, more than the %d that fit "
                 "into the address of a sign-in; name fewer scopes, or the .default of a resource",
                 strlen(site->authorize_scope), SSO_MAX_SCOPES_TEXT);
    }
}
