/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso check --online: what Microsoft Graph tells the application about itself. It tells only what the application
 * may read; what that leaves unknown is said, with the permission that would show it. */
#include "command/look.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/graphcall.h"
#include "entra/scope.h"
#include "entra/secret.h"

#define GRAPH_PERMISSIONS "App registration > API permissions > Microsoft Graph"

static const char *const read_applications[] = {"Application.Read.All", "Application.ReadWrite.All",
                                                "Directory.Read.All", NULL};
static const char *const read_groups[] = {"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", NULL};
static const char *const read_users[] = {"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", NULL};
static const char *const read_grants[] = {"DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All",
                                          "Directory.Read.All", NULL};

/* Asks Graph. *ret_status is 0 when there was no answer; *ret_answer NULL unless it is 200. */
static void graph_get(const sso_look_t *look, const char *rest, int *ret_status, const sso_json_t **ret_answer)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_graph_t graph = {look->http, &look->policy, look->description->graph_url, look->access_token};
    sso_http_response_t response = {.status = 0};
    apr_table_t *headers;
    *ret_answer = NULL;
    if (sso_graph_headers(ctx, &graph, &headers) == SSO_OK) {
        const sso_graph_call_t call = {sso_graph_url(ctx, &graph, rest), headers, NULL, SSO_MAX_GRAPH_RESPONSE};
        if (sso_graph_ask(ctx, ctx->pool, &graph, &call, &response, ret_answer) != SSO_OK) {
            *ret_answer = NULL;
        }
    }
    *ret_status = response.status;
}

static void unknown_say(const sso_look_t *look, const char *subject, const char *what, const char *permission)
{
    sso_report_say(look->report, SSO_FOUND_UNKNOWN, subject,
                   apr_psprintf(look->report->pool,
                                GRAPH_PERMISSIONS " > Application permissions > %s, for the time of the check; or look "
                                                  "in the portal",
                                permission),
                   "%s cannot be known: that needs the application permission %s", what, permission);
}

/* ---- permissions ---- */

/* A scope of Graph in the sign-in's scopes, by its bare name. */
static bool is_graph_scope(const sso_look_t *look, const char *scope)
{
    return !sso_scope_is_openid(scope) && *sso_scope_resource(look->report->pool, scope) == '\0';
}

static bool has_word(const char *words, const char *word)
{
    apr_size_t len = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + len, word)) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* What an administrator has consented to for everybody, joined by blanks. NULL when Graph does not tell. */
static const char *granted_scopes(const sso_look_t *look)
{
    apr_pool_t *pool = look->report->pool;
    const char *filter = sso_percent_encode(pool, apr_psprintf(pool, "clientId eq '%s'", look->principal));
    const sso_json_t *answer;
    int status;
    graph_get(look, apr_pstrcat(pool, "oauth2PermissionGrants?$filter=", filter, NULL), &status, &answer);
    sso_fault_clear(&look->command->ctx); /* "unknown" is all that can be said of it */
    if (answer == NULL) {
        return NULL;
    }
    const sso_json_t *grants = sso_json_get(answer, "value");
    const char *all = "";
    for (apr_size_t i = 0; i < sso_json_size(grants); i++) {
        const char *type = sso_json_get_text(sso_json_at(grants, i), "consentType");
        const char *scope = sso_json_get_text(sso_json_at(grants, i), "scope");
        if (type != NULL && strcmp(type, "AllPrincipals") == 0 && scope != NULL) {
            all = apr_pstrcat(pool, all, " ", scope, NULL);
        }
    }
    return all;
}

static void delegated_look(const sso_look_t *look)
{
    static const char subject[] = "Graph consent";
    apr_pool_t *pool = look->report->pool;
    const char *needed = "";
    const char *missing = "";
    const char *granted = NULL;
    char *last = NULL;
    bool may = look->principal != NULL && sso_is_guid(look->principal) && sso_look_may(look, read_grants);
    for (char *scope = apr_strtok(apr_pstrdup(pool, look->description->scopes), " ", &last); scope != NULL;
         scope = apr_strtok(NULL, " ", &last)) {
        if (is_graph_scope(look, scope)) {
            const char *slash = strrchr(scope, '/');
            needed = apr_pstrcat(pool, needed, " ", slash == NULL ? scope : slash + 1, NULL);
        }
    }
    if (*needed == '\0') {
        sso_report_good(look->report, subject, "sign-ins ask nothing of Graph");
        return;
    }
    granted = may ? granted_scopes(look) : NULL;
    if (granted == NULL) {
        unknown_say(look, subject, apr_pstrcat(pool, "whether somebody consented to", needed, NULL),
                    "Directory.Read.All");
        return;
    }
    for (char *scope = apr_strtok(apr_pstrdup(pool, needed), " ", &last); scope != NULL;
         scope = apr_strtok(NULL, " ", &last)) {
        missing = has_word(granted, scope) ? missing : apr_pstrcat(pool, missing, " ", scope, NULL);
    }
    if (*missing != '\0') {
        sso_report_say(
            look->report, SSO_FOUND_FAULT, subject,
            apr_psprintf(pool, GRAPH_PERMISSIONS " > Delegated permissions >%s, then Grant admin consent", missing),
            "nobody has consented for the organization to:%s", missing);
    } else {
        sso_report_good(look->report, subject, "an administrator has consented to:%s", needed);
    }
}

static void watch_look(const sso_look_t *look)
{
    if (look->description->watch_s == 0) {
        return;
    }
    if (look->roles == NULL) {
        sso_report_say(look->report, SSO_FOUND_UNKNOWN, "tenant watch", GRAPH_PERMISSIONS " > Application permissions",
                       "the access token does not tell its permissions");
    } else if (!sso_look_may(look, read_users)) {
        sso_report_say(look->report, SSO_FOUND_FAULT, "tenant watch",
                       GRAPH_PERMISSIONS " > Application permissions > User.Read.All, then Grant admin consent",
                       "EntraTenantWatch asks Graph about all users, and the application may not: it lacks "
                       "User.Read.All");
    } else {
        sso_report_good(look->report, "tenant watch", "the application may read who was disabled");
    }
}

/* ---- the registration and the enterprise application ---- */

static const char *secret_hint(const sso_look_t *look)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_described_credential_t *credential = &look->description->credential;
    const char *secret;
    bool literal;
    if (strcmp(credential->kind, "secret") != 0 || credential->source == NULL ||
        strcmp(credential->source, "literal") == 0 ||
        sso_secret_read(ctx, ctx->pool, credential->source, &secret, &literal) != SSO_OK) {
        sso_fault_clear(ctx); /* it is said of the credential */
        return NULL;
    }
    char *hint = apr_pstrndup(ctx->pool, secret, 3);
    sso_wipe_later(ctx->pool, hint, strlen(hint));
    return hint;
}

static void registration_look(const sso_look_t *look)
{
    const char *rest = apr_psprintf(look->report->pool,
                                    "applications(appId='%s')?$select=appId,signInAudience,web,spa,publicClient,"
                                    "groupMembershipClaims,optionalClaims,passwordCredentials",
                                    look->description->client_id);
    const sso_json_t *registration;
    int status;
    graph_get(look, rest, &status, &registration);
    if (status == 404) {
        sso_fault_clear(&look->command->ctx);
        sso_report_say(look->report, SSO_FOUND_UNKNOWN, "registration",
                       "Look into the tenant where the application was registered",
                       "the application is registered in another tenant than %s", look->description->tenant);
    } else if (registration == NULL) {
        sso_report_fault(look->report, SSO_FOUND_UNKNOWN, "registration", &look->command->ctx);
    } else {
        sso_check_registration(look->report, look->description, registration, secret_hint(look),
                               look->command->ctx.now);
    }
}

static void principal_look(const sso_look_t *look)
{
    static const char subject[] = "enterprise application";
    const char *rest = apr_psprintf(look->report->pool,
                                    "servicePrincipals(appId='%s')?$select=id,accountEnabled,appRoleAssignmentRequired",
                                    look->description->client_id);
    const sso_json_t *principal;
    bool enabled;
    int status;
    graph_get(look, rest, &status, &principal);
    if (principal == NULL) {
        sso_report_fault(look->report, SSO_FOUND_UNKNOWN, subject, &look->command->ctx);
        return;
    }
    enabled = sso_json_is_true(sso_json_get(principal, "accountEnabled"));
    if (!enabled) {
        sso_report_say(look->report, SSO_FOUND_FAULT, subject,
                       "Enterprise applications > the app > Properties: Enabled for users to sign-in = Yes",
                       "nobody can sign in to it: it is disabled");
    } else if (!sso_json_is_true(sso_json_get(principal, "appRoleAssignmentRequired"))) {
        sso_report_say(
            look->report, SSO_FOUND_WARN, subject,
            "Enterprise applications > the app > Properties: Assignment required = Yes, and assign users and "
            "groups; leave it so if rules of Require decide",
            "everybody in the tenant gets a token for it, assigned or not");
    } else {
        sso_report_good(look->report, subject, "enabled, for those who are assigned");
    }
}

/* ---- the groups that rules name ---- */

static bool group_is_there(const sso_look_t *look, const char *group)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_graph_t graph = {look->http, &look->policy, look->description->graph_url, look->access_token};
    const char *id = NULL;
    const sso_json_t *answer;
    int status;
    if (!sso_is_guid(group)) {
        return sso_graph_group_id(ctx, &graph, group, &id) == SSO_OK && id != NULL;
    }
    graph_get(look, apr_pstrcat(ctx->pool, "groups/", group, "?$select=id", NULL), &status, &answer);
    if (status == 404) {
        sso_fault_clear(ctx); /* there is none: that is the finding */
    }
    return answer != NULL;
}

static void groups_look(const sso_look_t *look)
{
    const sso_description_t *d = look->description;
    int there = 0;
    if (d->groups_of_scim || d->groups->nelts == 0) {
        return;
    }
    if (!sso_look_may(look, read_groups)) {
        unknown_say(look, "groups named", "whether the tenant has them", "GroupMember.Read.All");
        return;
    }
    for (int i = 0; i < d->groups->nelts; i++) {
        const char *group = sso_text_at(d->groups, i);
        if (group_is_there(look, group)) {
            there++;
        } else if (look->command->ctx.fault.rc != SSO_OK) {
            sso_report_fault(look->report, SSO_FOUND_FAULT, "groups named", &look->command->ctx);
        } else {
            sso_report_say(look->report, SSO_FOUND_FAULT, "groups named",
                           "Correct the name or object id in Require entra-group or EntraRole, or make the group",
                           "the tenant has no group '%s', so that nobody is in it", group);
        }
    }
    if (there == d->groups->nelts) {
        sso_report_good(look->report, "groups named", "all %d are in the tenant", there);
    }
}

void sso_check_graph(sso_look_t *look)
{
    if (look->access_token == NULL) {
        return;
    }
    watch_look(look);
    delegated_look(look);
    if (sso_look_may(look, read_applications)) {
        registration_look(look);
        principal_look(look);
    } else {
        unknown_say(look, "registration", "groups claim, optional claims, platform and end of the secret",
                    "Application.Read.All");
    }
    groups_look(look);
}
