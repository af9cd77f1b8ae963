/* SPDX-License-Identifier: Apache-2.0 */
/* What the SCIM directory decides for an application, and whether what is written about it fits together. */
#include "build_config.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "directory/attribute.h"
#include "httpd/draft.h"

static bool is_of_directory(const char *claim)
{
    return strncmp(claim, SSO_DIRECTORY_PREFIX, strlen(SSO_DIRECTORY_PREFIX)) == 0;
}

/* SECURITY: a claim of a token that is called like an attribute of the directory is none, so the two are told apart
 * here once and for all. */
static void split_claims(draft_t *draft)
{
    apr_array_header_t *claims = apr_array_make(draft->pool, 8, sizeof(const char *));
    apr_array_header_t *attributes = apr_array_make(draft->pool, 8, sizeof(const char *));
    for (int i = 0; i < draft->config->claims->nelts; i++) {
        const char *claim = sso_text_at(draft->config->claims, i);
        APR_ARRAY_PUSH(is_of_directory(claim) ? attributes : claims, const char *) = claim;
    }
    draft->site->site.claims = claims;
    draft->site->directory.attributes = attributes;
}

static void check_attributes(draft_t *draft, bool on)
{
    const apr_array_header_t *attributes = draft->site->directory.attributes;
    for (int i = 0; i < attributes->nelts; i++) {
        const char *name = sso_text_at(attributes, i) + strlen(SSO_DIRECTORY_PREFIX);
        sso_attribute_name_t found;
        if (!on) {
            complain(
                draft, "ENTRA4110", SSO_SERVER_SCIM,
                "is off, but scim:%s is named (in a template, a Require or an EntraRole), which only the directory "
                "has; write \"EntraSCIM on\", or take it out",
                name);
            return;
        }
        if (!sso_attribute_parse(draft->pool, SSO_SCIM_USER, name, strlen(name), &found) || found.name == NULL) {
            complain(
                draft, "ENTRA4116", SSO_SERVER_SCIM,
                "users of the directory have no attribute '%s'; write one such as department, name.givenName, or an "
                "extension's URN, a colon and the attribute's name",
                name);
        }
    }
}

/* What makes no sense without the directory. */
static void check_alone(draft_t *draft)
{
    if (get(draft, SSO_SERVER_GROUP_SOURCE)->choice == 1) {
        complain(draft, "ENTRA4111", SSO_SERVER_GROUP_SOURCE,
                 "scim is where groups are read, but EntraSCIM is off, so that nobody would be in any group; write "
                 "\"EntraSCIM on\", or \"EntraGroupSource token\"");
    }
    if (get(draft, SSO_SERVER_SCIM_REQUIRED)->choice == 1) {
        complain(draft, "ENTRA4112", SSO_SERVER_SCIM_REQUIRED,
                 "on admits those whom Entra provisions, but EntraSCIM is off, so that nobody could sign in; write "
                 "\"EntraSCIM on\" too");
    }
    if (get(draft, SSO_SERVER_SCIM_FEDERATED)->set) {
        complain(draft, "ENTRA4113", SSO_SERVER_SCIM_FEDERATED,
                 "names who may fetch tokens for the directory, but EntraSCIM is off; write \"EntraSCIM on\" too");
    }
}

/* SECURITY: a user name is only unique in one tenant, and so is the service that provisions. */
static void check_tenants(draft_t *draft)
{
    const char *tenant = get(draft, SSO_SERVER_TENANT)->first;
    if (tenant == NULL || !sso_tenant_is_several(tenant)) {
        return;
    }
    if (draft->site->directory.match == SSO_MATCH_UPN) {
        complain(draft, "ENTRA4114", SSO_SERVER_SCIM_MATCH,
                 "upn knows people by their user names, which are those of one tenant, but \"EntraTenant %s\" lets in "
                 "people of others; write the tenant's GUID, or \"EntraSCIMMatch oid\"",
                 tenant);
    }
    if (draft->site->directory.federated != NULL) {
        complain(draft, "ENTRA4115", SSO_SERVER_SCIM_FEDERATED,
                 "the service that provisions is of one tenant, but \"EntraTenant %s\" stands for many; write the "
                 "tenant's GUID, or use a token of entra-sso scim-token",
                 tenant);
    }
}

/* The forms in which documents have it. */
static const apr_array_header_t *default_audiences(apr_pool_t *pool, const char *client)
{
    apr_array_header_t *audiences = apr_array_make(pool, 3, sizeof(const char *));
    APR_ARRAY_PUSH(audiences, const char *) = apr_pstrcat(pool, "api://", client, NULL);
    APR_ARRAY_PUSH(audiences, const char *) = apr_pstrcat(pool, "api://", client, "/.default", NULL);
    APR_ARRAY_PUSH(audiences, const char *) = client;
    return audiences;
}

void sso_draft_people(sso_draft_t *draft)
{
    sso_directory_policy_t *policy = &draft->site->directory;
    const sso_value_t *federated = get(draft, SSO_SERVER_SCIM_FEDERATED);
    const char *client = get(draft, SSO_SERVER_CLIENT_ID)->first;
    bool on = get(draft, SSO_SERVER_SCIM)->choice == 1;
    policy->match = (sso_people_match_t)get(draft, SSO_SERVER_SCIM_MATCH)->choice;
    policy->required = get(draft, SSO_SERVER_SCIM_REQUIRED)->choice == 1;
    const char *tenant = get(draft, SSO_SERVER_TENANT)->first;
    /* Whoever comes from another tenant is nobody whom Entra provisions here. */
    policy->introduces = !policy->required && tenant != NULL && !sso_tenant_is_several(tenant);
    policy->groups = get(draft, SSO_SERVER_GROUP_SOURCE)->choice == 1;
    policy->federated = federated->first;
    if (federated->set && client != NULL) {
        policy->audiences = federated->items->nelts > 0 ? federated->items : default_audiences(draft->pool, client);
    }
    split_claims(draft);
    check_attributes(draft, on);
    if (on) {
        check_tenants(draft);
        draft->site->site.directory = policy;
    } else {
        check_alone(draft);
    }
}
