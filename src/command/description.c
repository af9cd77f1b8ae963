/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what httpd/dump.c writes. Module and command come in one package, but need not be of one version. */
#include "command/description.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"

/* Thousands of groups fit. */
#define MAX_DESCRIPTION (1024 * 1024)

static const apr_array_header_t *list_read(apr_pool_t *pool, const sso_json_t *object, const char *name)
{
    const sso_json_t *list = sso_json_get(object, name);
    apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        const char *text = sso_json_text(sso_json_at(list, i));
        if (text != NULL) {
            APR_ARRAY_PUSH(texts, const char *) = text;
        }
    }
    return texts;
}

static bool flag_read(const sso_json_t *object, const char *name)
{
    return sso_json_is_true(sso_json_get(object, name));
}

static bool credential_read(const sso_json_t *object, sso_described_credential_t *ret_credential)
{
    const sso_json_t *credential = sso_json_get(object, "credential");
    ret_credential->kind = sso_json_get_text(credential, "kind");
    ret_credential->source = sso_json_get_text(credential, "source");
    ret_credential->path = sso_json_get_text(credential, "path");
    ret_credential->key_path = sso_json_get_text(credential, "key");
    ret_credential->identity = sso_json_get_text(credential, "identity");
    ret_credential->audience = sso_json_get_text(credential, "audience");
    ret_credential->rs256 = flag_read(credential, "rs256");
    return ret_credential->kind != NULL;
}

static bool texts_read(const sso_json_t *object, sso_description_t *d)
{
    const struct {
        const char *name;
        const char **place;
        bool required;
    } texts[] = {
        {"app", &d->app, true},
        {"place", &d->place, true},
        {"origin", &d->origin, true},
        {"path", &d->path, true},
        {"redirect_uri", &d->redirect_uri, true},
        {"cookie_domain", &d->cookie_domain, false},
        {"state_directory", &d->state_directory, true},
        {"key_file", &d->key_file, true},
        {"database", &d->database, true},
        {"user", &d->user, true},
        {"login_url", &d->login_url, true},
        {"tenant", &d->tenant, true},
        {"graph_url", &d->graph_url, true},
        {"client_id", &d->client_id, true},
        {"scopes", &d->scopes, true},
        {"trusted_ca", &d->trusted_ca, false},
        {"proxy", &d->proxy, false},
        {"overage", &d->overage, true},
        {"scim_url", &d->scim_url, false},
        {"scim_federated", &d->scim_federated, false},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].place = sso_json_get_text(object, texts[i].name);
        if (texts[i].required && *texts[i].place == NULL) {
            return false;
        }
    }
    return true;
}

static bool numbers_read(const sso_json_t *object, sso_description_t *d)
{
    return sso_json_integer(sso_json_get(object, "connect_ms"), &d->connect_ms) &&
           sso_json_integer(sso_json_get(object, "total_ms"), &d->total_ms) &&
           sso_json_integer(sso_json_get(object, "skew_s"), &d->skew_s) &&
           sso_json_integer(sso_json_get(object, "watch_s"), &d->watch_s);
}

bool sso_description_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *json, sso_description_t *ret_description)
{
    sso_description_t d = {NULL};
    const sso_json_t *object;
    if (sso_json_parse(ctx, pool, json, strlen(json), MAX_DESCRIPTION, &object) != SSO_OK) {
        sso_fault_clear(ctx); /* the caller says that the versions differ */
        return false;
    }
    if (!texts_read(object, &d) || !numbers_read(object, &d) || !credential_read(object, &d.credential)) {
        return false;
    }
    d.allowed_tenants = list_read(pool, object, "allowed_tenants");
    d.groups = list_read(pool, object, "groups");
    d.claims = list_read(pool, object, "claims");
    d.contexts = list_read(pool, object, "contexts");
    d.any_tenant = flag_read(object, "any_tenant");
    d.continuous = flag_read(object, "continuous");
    d.groups_all = flag_read(object, "groups_all");
    d.groups_of_scim = flag_read(object, "groups_of_scim");
    d.bearer = flag_read(object, "bearer");
    d.protects = flag_read(object, "protects");
    d.scim = flag_read(object, "scim");
    d.scim_by_name = flag_read(object, "scim_by_name");
    d.scim_required = flag_read(object, "scim_required");
    *ret_description = d;
    return true;
}

bool sso_description_has_scope(const sso_description_t *description, const char *scope)
{
    apr_size_t len = strlen(scope);
    const char *scopes = description->scopes;
    for (const char *at = strstr(scopes, scope); at != NULL; at = strstr(at + len, scope)) {
        if ((at == scopes || at[-1] == ' ' || at[-1] == '/') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}
