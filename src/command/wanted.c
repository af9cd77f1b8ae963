/* SPDX-License-Identifier: Apache-2.0 */
/* From configurations to the registration that they need. Knows no tool. */
#include "command/wanted.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "command/optional.h"
#include "entra/scope.h"

#define ZERO_GUID "00000000-0000-0000-0000-000000000000"

bool sso_wanted_is_zero(const char *client_id)
{
    return strcmp(client_id, ZERO_GUID) == 0;
}

static void add_once(apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (strcmp(sso_text_at(texts, i), text) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(texts, const char *) = text;
}

static const char *audience_of(const char *tenant)
{
    static const struct {
        const char *tenant, *audience;
    } rows[] = {{"organizations", "AzureADMultipleOrgs"},
                {"common", "AzureADandPersonalMicrosoftAccount"},
                {"consumers", "PersonalMicrosoftAccount"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].tenant, tenant) == 0) {
            return rows[i].audience;
        }
    }
    return "AzureADMyOrg";
}

/* ---- permissions ---- */

static sso_wanted_api_t *api_of(apr_pool_t *pool, sso_wanted_t *wanted, const char *resource)
{
    for (int i = 0; i < wanted->apis->nelts; i++) {
        sso_wanted_api_t *api = &APR_ARRAY_IDX(wanted->apis, i, sso_wanted_api_t);
        if (strcmp(api->resource, resource) == 0) {
            return api;
        }
    }
    sso_wanted_api_t *api = &APR_ARRAY_PUSH(wanted->apis, sso_wanted_api_t);
    api->resource = resource;
    api->scopes = apr_array_make(pool, 4, sizeof(const char *));
    return api;
}

static void scopes_add(apr_pool_t *pool, sso_wanted_t *wanted, const sso_description_t *description)
{
    char *last = NULL;
    for (char *scope = apr_strtok(apr_pstrdup(pool, description->scopes), " ", &last); scope != NULL;
         scope = apr_strtok(NULL, " ", &last)) {
        const char *resource = sso_scope_resource(pool, scope);
        const char *slash = strrchr(scope, '/');
        bool graph = *resource == '\0' || strcmp(resource, description->graph_url) == 0;
        sso_wanted_api_t *api = api_of(pool, wanted, graph ? SSO_GRAPH_APP : resource);
        if (!sso_scope_is_default(scope)) {
            add_once(api->scopes, slash == NULL ? scope : slash + 1);
        }
    }
    if (description->watch_s > 0) {
        add_once(wanted->roles, "User.Read.All");
    }
}

/* ---- claims ---- */

static void claims_add(sso_wanted_t *wanted, const sso_description_t *description)
{
    for (int i = 0; i < description->claims->nelts; i++) {
        if (sso_claim_is_optional(sso_text_at(description->claims, i))) {
            add_once(wanted->claims, sso_text_at(description->claims, i));
        }
    }
    wanted->groups =
        wanted->groups || (!description->groups_of_scim && (description->groups_all || description->groups->nelts > 0));
    wanted->bearer = wanted->bearer || description->bearer;
}

void sso_wanted_make(apr_pool_t *pool, const apr_array_header_t *descriptions, sso_wanted_t *ret_wanted)
{
    sso_wanted_t wanted = {.first = APR_ARRAY_IDX(descriptions, 0, const sso_description_t *)};
    wanted.is_new = sso_wanted_is_zero(wanted.first->client_id);
    wanted.name = strstr(wanted.first->origin, "://") + 3;
    wanted.audience = audience_of(wanted.first->tenant);
    wanted.redirect_uris = apr_array_make(pool, 2, sizeof(const char *));
    wanted.claims = apr_array_make(pool, 8, sizeof(const char *));
    wanted.apis = apr_array_make(pool, 2, sizeof(sso_wanted_api_t));
    wanted.roles = apr_array_make(pool, 1, sizeof(const char *));
    if (strncmp(wanted.first->origin, "https:", 6) == 0) {
        wanted.logout_url = apr_pstrcat(pool, wanted.first->origin, wanted.first->path, "/frontchannel-logout", NULL);
    }
    /* What the module makes good use of wherever it is: e-mail, no question at the sign-out, the age of a sign-in, and
     * who is a guest. */
    add_once(wanted.claims, "email");
    add_once(wanted.claims, "login_hint");
    add_once(wanted.claims, "auth_time");
    for (int i = 0; i < descriptions->nelts; i++) {
        const sso_description_t *description = APR_ARRAY_IDX(descriptions, i, const sso_description_t *);
        add_once(wanted.redirect_uris, description->redirect_uri);
        scopes_add(pool, &wanted, description);
        claims_add(&wanted, description);
    }
    *ret_wanted = wanted;
}

/* ---- as Graph takes it ---- */

static void claims_write(sso_json_writer_t *object, const sso_wanted_t *wanted)
{
    sso_json_writer_t *claims = sso_json_set_object(object, "optionalClaims");
    for (int i = 0; i < wanted->claims->nelts; i++) {
        sso_json_writer_t *claim = sso_json_add_object(claims, "idToken");
        sso_json_set_text(claim, "name", sso_text_at(wanted->claims, i));
        sso_json_set_bool(claim, "essential", false);
    }
    if (wanted->groups) {
        sso_json_writer_t *claim = sso_json_add_object(claims, "idToken");
        sso_json_set_text(claim, "name", "groups");
        sso_json_set_bool(claim, "essential", false);
        sso_json_set_list(claim, "additionalProperties", NULL, 0);
    }
}

const char *sso_wanted_body(apr_pool_t *pool, const sso_wanted_t *wanted)
{
    sso_json_writer_t *object = sso_json_object_make(pool);
    sso_json_set_text(object, "signInAudience", wanted->audience);
    sso_json_set_bool(object, "isFallbackPublicClient", false);
    sso_json_writer_t *web = sso_json_set_object(object, "web");
    sso_json_set_list(web, "redirectUris", (const char *const *)(const void *)wanted->redirect_uris->elts,
                      (apr_size_t)wanted->redirect_uris->nelts);
    sso_json_set_text(web, "logoutUrl", wanted->logout_url);
    sso_json_writer_t *implicit = sso_json_set_object(web, "implicitGrantSettings");
    sso_json_set_bool(implicit, "enableIdTokenIssuance", false);
    sso_json_set_bool(implicit, "enableAccessTokenIssuance", false);
    sso_json_set_text(object, "groupMembershipClaims", wanted->groups ? "SecurityGroup" : "None");
    claims_write(object, wanted);
    if (wanted->bearer) {
        sso_json_set_integer(sso_json_set_object(object, "api"), "requestedAccessTokenVersion", 2);
    }
    return sso_json_print(pool, object);
}
