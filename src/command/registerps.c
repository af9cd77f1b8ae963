/* SPDX-License-Identifier: Apache-2.0 */
/* The registration as commands of Microsoft Graph PowerShell. SECURITY: what comes from the configuration goes through
 * sso_quote_powershell, or has been judged to be a plain word. */
#include "command/register.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "command/quote.h"

#define CALL "Invoke-MgGraphRequest -Method "
#define JSON " -ContentType 'application/json' -Body "

static const char *quote(const sso_registering_t *r, const char *text)
{
    return sso_quote_powershell(r->command->ctx.pool, text);
}

static const char *environment_of(const char *login_url)
{
    if (strcmp(login_url, "https://login.microsoftonline.us") == 0) {
        return " -Environment USGov";
    }
    return strcmp(login_url, "https://login.partner.microsoftonline.cn") == 0 ? " -Environment China" : "";
}

static const char *create_body(const sso_registering_t *r)
{
    sso_json_writer_t *object = sso_json_object_make(r->command->ctx.pool);
    sso_json_set_text(object, "displayName", r->wanted.name);
    sso_json_set_text(object, "signInAudience", r->wanted.audience);
    return quote(r, sso_json_print(r->command->ctx.pool, object));
}

static void head_print(const sso_registering_t *r)
{
    apr_file_t *out = r->command->out;
    const sso_wanted_t *wanted = &r->wanted;
    apr_file_printf(out,
                    "# ---- Microsoft Graph PowerShell: the app registration of %s ----\n"
                    "Connect-MgGraph%s%s%s -Scopes Application.ReadWrite.All,AppRoleAssignment.ReadWrite.All,"
                    "DelegatedPermissionGrant.ReadWrite.All\n$graph = %s\n",
                    sso_quote_comment(r->command->ctx.pool, wanted->first->origin),
                    environment_of(wanted->first->login_url), r->tenant == NULL ? "" : " -TenantId ",
                    r->tenant == NULL ? "" : quote(r, r->tenant),
                    quote(r, apr_pstrcat(r->command->ctx.pool, wanted->first->graph_url, "/v1.0", NULL)));
    if (wanted->is_new) {
        apr_file_printf(out,
                        "\n# The registration. Write its ID as EntraClientID.\n"
                        "$app = " CALL "POST -Uri \"$graph/applications\"" JSON "%s\n"
                        "\"EntraClientID $($app.appId)\"\n",
                        create_body(r));
    } else {
        apr_file_printf(
            out,
            "\n# The registration that the configuration names. To make another one, take the second line in "
            "place of the first, and write its ID as EntraClientID.\n"
            "$app = " CALL "GET -Uri \"$graph/applications(appId='%s')\"\n"
            "# $app = " CALL "POST -Uri \"$graph/applications\"" JSON "%s\n",
            wanted->first->client_id, create_body(r));
    }
}

static void body_print(const sso_registering_t *r)
{
    apr_file_t *out = r->command->out;
    apr_file_printf(
        out,
        "\n# Redirect URI (platform Web), front-channel logout, %soptional claims of the ID token. What the "
        "registration has of these is replaced.\n" CALL "PATCH -Uri \"$graph/applications/$($app.id)\"" JSON "%s\n",
        r->wanted.groups ? "groups claim, " : "", quote(r, sso_wanted_body(r->command->ctx.pool, &r->wanted)));
    if (r->wanted.bearer) {
        apr_file_printf(out,
                        "\n# Programs ask for access tokens of it as of an API. Its scopes and app roles are made "
                        "under Expose an API and App roles.\n" CALL "PATCH -Uri \"$graph/applications/$($app.id)\"" JSON
                        "(@{ identifierUris = @(\"api://$($app.appId)\") } | ConvertTo-Json)\n");
    }
}

static void principal_print(const sso_registering_t *r)
{
    apr_file_printf(
        r->command->out,
        "\n# The enterprise application. Who is not assigned to it gets no token.\n"
        "$found = " CALL "GET -Uri \"$graph/servicePrincipals?`$filter=appId eq '$($app.appId)'\"\n"
        "$sp = if ($found.value) { $found.value[0] } else { " CALL "POST -Uri \"$graph/servicePrincipals\"" JSON
        "(@{ appId = $app.appId } | ConvertTo-Json) }\n" CALL "PATCH -Uri \"$graph/servicePrincipals/$($sp.id)\"" JSON
        "'{\"appRoleAssignmentRequired\":true}'\n"
        "# Once for each user or group that may enter (its object id in the place of OBJECT-ID):\n"
        "# " CALL "POST -Uri \"$graph/servicePrincipals/$($sp.id)/appRoleAssignedTo\"" JSON
        "(@{ principalId = 'OBJECT-ID'; resourceId = $sp.id; appRoleId = '00000000-0000-0000-0000-000000000000' } | "
        "ConvertTo-Json)\n");
}

/* Consent is granted for what is named; a grant that is there already is an error, which changes nothing. */
static void permissions_print(const sso_registering_t *r)
{
    apr_pool_t *pool = r->command->ctx.pool;
    apr_file_t *out = r->command->out;
    apr_file_printf(out, "\n# What sign-ins ask for%s: consent for everybody.\n",
                    r->wanted.roles->nelts > 0 ? ", and what the application does by itself" : "");
    for (int i = 0; i < r->wanted.apis->nelts; i++) {
        const sso_wanted_api_t *api = &APR_ARRAY_IDX(r->wanted.apis, i, sso_wanted_api_t);
        bool graph = strcmp(api->resource, SSO_GRAPH_APP) == 0;
        const char *scopes = apr_array_pstrcat(pool, api->scopes, ' ');
        apr_file_printf(out,
                        "$name = %s\n"
                        "$api = (" CALL
                        "GET -Uri (\"$graph/servicePrincipals?`$filter=servicePrincipalNames/any(n:n eq "
                        "'\" + [uri]::EscapeDataString($name.Replace(\"'\", \"''\")) + \"')\")).value[0]\n",
                        quote(r, api->resource));
        if (api->scopes->nelts > 0) {
            apr_file_printf(out,
                            CALL
                            "POST -Uri \"$graph/oauth2PermissionGrants\"" JSON
                            "(@{ clientId = $sp.id; consentType = 'AllPrincipals'; resourceId = $api.id; scope = %s "
                            "} | ConvertTo-Json)\n",
                            quote(r, scopes));
        }
        for (int j = 0; graph && j < r->wanted.roles->nelts; j++) {
            apr_file_printf(out,
                            CALL "POST -Uri \"$graph/servicePrincipals/$($sp.id)/appRoleAssignments\"" JSON
                                 "(@{ principalId = $sp.id; resourceId = $api.id; appRoleId = ($api.appRoles | "
                                 "Where-Object { $_.value -eq %s }).id } | ConvertTo-Json)\n",
                            quote(r, sso_text_at(r->wanted.roles, j)));
        }
    }
}

/* ---- the credential ---- */

static void secret_print(const sso_registering_t *r)
{
    const char *path = r->wanted.first->credential.path;
    apr_file_printf(r->command->out,
                    "\n# A client secret, shown this once. Put it %s%s.\n"
                    "(" CALL "POST -Uri \"$graph/applications/$($app.id)/addPassword\"" JSON
                    "'{\"passwordCredential\":{\"displayName\":\"httpd\"}}').secretText\n",
                    path == NULL ? "where EntraClientSecret takes it from"
                                 : "into this file on the server, mode 0600: ",
                    path == NULL ? "" : sso_quote_comment(r->command->ctx.pool, path));
}

/* PATCH of keyCredentials replaces them, so what is there is sent along. */
static void certificate_print(const sso_registering_t *r)
{
    apr_file_printf(
        r->command->out,
        "\n# The certificate, without its key, beside those that are registered. Copy it from the server to "
        "here.\n"
        "$certificate = [Security.Cryptography.X509Certificates.X509Certificate2]::new(%s)\n"
        "$key = @{ type = 'AsymmetricX509Cert'; usage = 'Verify'; displayName = 'httpd'; key = "
        "[Convert]::ToBase64String($certificate.RawData) }\n" CALL "PATCH -Uri \"$graph/applications/$($app.id)\"" JSON
        "(@{ keyCredentials = @($app.keyCredentials) + $key } | ConvertTo-Json -Depth 5)\n",
        quote(r, r->wanted.first->credential.path));
}

static void federated_print(const sso_registering_t *r)
{
    const sso_described_credential_t *credential = &r->wanted.first->credential;
    bool known = r->assertion.issuer != NULL && r->assertion.subject != NULL;
    bool identity = strcmp(credential->kind, "managed-identity") == 0;
    const char *issuer = known ? r->assertion.issuer : "ISSUER-OF-THE-CLUSTER";
    const char *subject = known ? r->assertion.subject : "system:serviceaccount:NAMESPACE:ACCOUNT";
    if (identity) {
        issuer = apr_pstrcat(r->command->ctx.pool, r->wanted.first->login_url, "/",
                             r->tenant == NULL ? "TENANT-ID" : r->tenant, "/v2.0", NULL);
        subject = "OBJECT-ID-OF-THE-IDENTITY";
    }
    apr_file_printf(r->command->out,
                    "\n# %s takes the place of a secret. %s\n" CALL
                    "POST -Uri \"$graph/applications/$($app.id)/federatedIdentityCredentials\"" JSON
                    "(@{ name = 'httpd'; issuer = %s; subject = %s; audiences = @(%s) } | ConvertTo-Json)\n",
                    identity ? "The managed identity" : "The assertion of the platform",
                    known ? "Issuer and subject are those of the token that is there now."
                          : "Issuer and subject have to be those of its token, to the letter.",
                    quote(r, issuer), quote(r, subject), quote(r, credential->audience));
}

static void credential_print(const sso_registering_t *r)
{
    const char *kind = r->wanted.first->credential.kind;
    if (strcmp(kind, "secret") == 0) {
        secret_print(r);
    } else if (strcmp(kind, "certificate") == 0) {
        certificate_print(r);
    } else {
        federated_print(r);
    }
}

/* ---- provisioning ---- */

static void scim_print(const sso_registering_t *r, const sso_description_t *description)
{
    apr_pool_t *pool = r->command->ctx.pool;
    const char *name = apr_pstrcat(pool, strstr(description->origin, "://") + 3, " provisioning", NULL);
    apr_file_printf(
        r->command->out,
        "\n# Provisioning of %s: an enterprise application of its own, since a registration for sign-in has "
        "none. Entra needs a minute after the first line.\n"
        "$scim = (" CALL "POST -Uri \"$graph/applicationTemplates/" SSO_TEMPLATE_APP "/instantiate\"" JSON
        "(@{ displayName = %s } | ConvertTo-Json)).servicePrincipal\n"
        "$jobs = \"$graph/servicePrincipals/$($scim.id)/synchronization\"\n"
        "$template = (" CALL "GET -Uri \"$jobs/templates\").value[0].id\n"
        "$job = " CALL "POST -Uri \"$jobs/jobs\"" JSON "(@{ templateId = $template } | ConvertTo-Json)\n",
        sso_quote_comment(pool, description->origin), quote(r, name));
    if (description->scim_federated == NULL) {
        apr_file_printf(
            r->command->out,
            "# The token is made on the server: entra-sso scim-token new --app %s\n"
            "$token = Read-Host 'SCIM token'\n" CALL "PUT -Uri \"$jobs/secrets\"" JSON
            "(@{ value = @(@{ key = 'BaseAddress'; value = %s }, @{ key = 'SecretToken'; value = $token }) } "
            "| ConvertTo-Json -Depth 5)\n",
            sso_quote_comment(pool, description->origin), quote(r, description->scim_url));
    }
    apr_file_printf(r->command->out,
                    "# Then in the portal: Provisioning > Mappings > Users: map objectId to externalId; Users "
                    "and groups: assign. And start it:\n"
                    "# " CALL "POST -Uri \"$jobs/jobs/$($job.id)/start\"\n");
}

void sso_register_powershell(const sso_registering_t *registering)
{
    head_print(registering);
    body_print(registering);
    principal_print(registering);
    permissions_print(registering);
    credential_print(registering);
    for (int i = 0; i < registering->descriptions->nelts; i++) {
        const sso_description_t *description = APR_ARRAY_IDX(registering->descriptions, i, const sso_description_t *);
        if (description->scim) {
            scim_print(registering, description);
        }
    }
    apr_file_printf(registering->command->out, "\n# Last, on the server: entra-sso check --online\n\n");
}
