/* SPDX-License-Identifier: Apache-2.0 */
/* Which scopes go together. Entra refuses a token request with scopes of several resources (AADSTS700022). */
#include "entra/scope.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/authority.h"

bool sso_scope_is_openid(const char *scope)
{
    static const char *const NAMES[] = {"openid", "profile", "email", "offline_access", NULL};
    for (int i = 0; NAMES[i] != NULL; i++) {
        if (strcmp(NAMES[i], scope) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_graph(const char *resource)
{
    static const char *const CLOUDS[] = {"global", "usgov", "china", NULL};
    for (int i = 0; CLOUDS[i] != NULL; i++) {
        if (strcmp(sso_cloud_find(CLOUDS[i])->graph_url, resource) == 0) {
            return true;
        }
    }
    return false;
}

const char *sso_scope_resource(apr_pool_t *pool, const char *scope)
{
    const char *slash = strrchr(scope, '/');
    const char *resource = slash == NULL ? "" : apr_pstrmemdup(pool, scope, (apr_size_t)(slash - scope));
    return is_graph(resource) ? "" : resource;
}

bool sso_scope_is_default(const char *scope)
{
    const char *slash = strrchr(scope, '/');
    return strcmp(slash == NULL ? scope : slash + 1, ".default") == 0;
}

static bool is_before(const apr_array_header_t *scopes, int end)
{
    for (int i = 0; i < end; i++) {
        if (strcmp(sso_text_at(scopes, i), sso_text_at(scopes, end)) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of OpenID Connect and of that resource; of every resource when it is NULL. */
static const char *join(apr_pool_t *pool, const apr_array_header_t *scopes, const char *resource)
{
    const char *text = "";
    for (int i = 0; i < scopes->nelts; i++) {
        const char *scope = sso_text_at(scopes, i);
        bool wanted =
            sso_scope_is_openid(scope) || resource == NULL || strcmp(sso_scope_resource(pool, scope), resource) == 0;
        if (wanted && !is_before(scopes, i)) {
            text = apr_pstrcat(pool, text, *text == '\0' ? "" : " ", scope, NULL);
        }
    }
    return text;
}

const char *sso_scope_of_request(apr_pool_t *pool, const apr_array_header_t *scopes)
{
    const char *chosen = NULL;
    for (int i = 0; i < scopes->nelts; i++) {
        const char *scope = sso_text_at(scopes, i);
        if (!sso_scope_is_openid(scope)) {
            const char *resource = sso_scope_resource(pool, scope);
            chosen = chosen == NULL || *resource == '\0' ? resource : chosen;
        }
    }
    return join(pool, scopes, chosen == NULL ? "" : chosen);
}

const char *sso_scope_of_all(apr_pool_t *pool, const apr_array_header_t *scopes)
{
    return join(pool, scopes, NULL);
}
