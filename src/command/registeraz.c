/* SPDX-License-Identifier: Apache-2.0 */
/* The registration as commands of the Azure CLI, for a POSIX shell. SECURITY: what comes from the configuration goes
 * through sso_quote_shell, or has been judged to be a plain word. */
#include "command/register.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "command/quote.h"

#define JSON_HEADER "--headers Content-Type=application/json"

static const char *quote(const sso_registering_t *r, const char *text)
{
    return sso_quote_shell(r->command->ctx.pool, text);
}

static const char *graph_of(const sso_registering_t *r)
{
    return quote(r, apr_pstrcat(r->command->ctx.pool, r->wanted.first->graph_url, "/v1.0", NULL));
}

static void head_print(const sso_registering_t *r)
{
    apr_file_t *out = r->command->out;
    const sso_wanted_t *wanted = &r->wanted;
    apr_file_printf(out, "# ---- Azure CLI, for a shell: the app registration of %s ----\n",
                    sso_quote_comment(r->command->ctx.pool, wanted->first->origin));
    if (strcmp(wanted->first->login_url, "https://login.microsoftonline.us") == 0) {
        apr_file_printf(out, "az cloud set --name AzureUSGovernment\n");
    } else if (strcmp(wanted->first->login_url, "https://login.partner.microsoftonline.cn") == 0) {
        apr_file_printf(out, "az cloud set --name AzureChinaCloud\n");
    }
    if (r->tenant != NULL) {
        apr_file_printf(out, "az login --tenant %s --allow-no-subscriptions\n", quote(r, r->tenant));
    }
    const char *create = apr_psprintf(
        r->command->ctx.pool, "APP_ID=$(az ad app create --display-name %s --sign-in-audience %s --query appId -o tsv)",
        quote(r, wanted->name), wanted->audience);
    if (wanted->is_new) {
        apr_file_printf(
            out, "\n# The registration. Write its ID as EntraClientID.\n%s\necho \"EntraClientID $APP_ID\"\n", create);
    } else {
        apr_file_printf(
            out,
            "\n# The registration that the configuration names. To make another one, take the second line in "
            "place of the first, and write its ID as EntraClientID.\nAPP_ID=%s\n# %s\n",
            quote(r, wanted->first->client_id), create);
    }
    apr_file_printf(out, "OBJECT=$(az ad app show --id \"$APP_ID\" --query id -o tsv)\n");
}

static void body_print(const sso_registering_t *r)
{
    apr_file_t *out = r->command->out;
    apr_file_printf(
        out,
        "\n# Redirect URI (platform Web), front-channel logout, %soptional claims of the ID token. What the "
        "registration has of these is replaced.\n"
        "az rest --method PATCH --uri %s/applications/\"$OBJECT\" " JSON_HEADER " \\\n    --body %s\n",
        r->wanted.groups ? "groups claim, " : "", graph_of(r),
        quote(r, sso_wanted_body(r->command->ctx.pool, &r->wanted)));
    if (r->wanted.bearer) {
        apr_file_printf(out, "\n# Programs ask for access tokens of it as of an API. Its scopes and app roles are made "
                             "under Expose an API and App roles.\n"
                             "az ad app update --id \"$APP_ID\" --identifier-uris \"api://$APP_ID\"\n");
    }
}

static void principal_print(const sso_registering_t *r)
{
    apr_file_printf(r->command->out,
                    "\n# The enterprise application. Who is not assigned to it gets no token.\n"
                    "az ad sp show --id \"$APP_ID\" >/dev/null 2>&1 || az ad sp create --id \"$APP_ID\" >/dev/null\n"
                    "SP=$(az ad sp show --id \"$APP_ID\" --query id -o tsv)\n"
                    "az rest --method PATCH --uri %s/servicePrincipals/\"$SP\" " JSON_HEADER
                    " --body '{\"appRoleAssignmentRequired\":true}'\n"
                    "# Once for each user or group that may enter (its object id in the place of OBJECT-ID):\n"
                    "# az rest --method POST --uri %s/servicePrincipals/\"$SP\"/appRoleAssignedTo " JSON_HEADER
                    " --body '{\"principalId\":\"OBJECT-ID\",\"resourceId\":\"'\"$SP\"'\",\"appRoleId\":"
                    "\"00000000-0000-0000-0000-000000000000\"}'\n",
                    graph_of(r), graph_of(r));
}

/* list: oauth2PermissionScopes or appRoles of the service principal behind "$API". */
static void permission_print(const sso_registering_t *r, const char *list, const char *name, const char *type)
{
    if (!sso_register_is_plain(name)) {
        apr_file_printf(r->command->out, "# Look for this one under API permissions: %s\n",
                        sso_quote_comment(r->command->ctx.pool, name));
        return;
    }
    apr_file_printf(r->command->out,
                    "az ad app permission add --id \"$APP_ID\" --api \"$API\" --api-permissions \"$(az ad sp show --id "
                    "\"$API\" --query \"%s[?value=='%s'].id | [0]\" -o tsv)=%s\"\n",
                    list, name, type);
}

static void permissions_print(const sso_registering_t *r)
{
    apr_file_t *out = r->command->out;
    apr_file_printf(out, "\n# What sign-ins ask for%s, and consent for everybody.\n",
                    r->wanted.roles->nelts > 0 ? ", and what the application does by itself" : "");
    for (int i = 0; i < r->wanted.apis->nelts; i++) {
        const sso_wanted_api_t *api = &APR_ARRAY_IDX(r->wanted.apis, i, sso_wanted_api_t);
        bool graph = strcmp(api->resource, SSO_GRAPH_APP) == 0;
        apr_file_printf(out, "API=$(az ad sp show --id %s --query appId -o tsv)\n", quote(r, api->resource));
        for (int j = 0; j < api->scopes->nelts; j++) {
            permission_print(r, "oauth2PermissionScopes", sso_text_at(api->scopes, j), "Scope");
        }
        for (int j = 0; graph && j < r->wanted.roles->nelts; j++) {
            permission_print(r, "appRoles", sso_text_at(r->wanted.roles, j), "Role");
        }
    }
    apr_file_printf(out, "az ad app permission admin-consent --id \"$APP_ID\"\n");
}

/* ---- the credential ---- */

static void secret_print(const sso_registering_t *r)
{
    static const char reset[] = "az ad app credential reset --id \"$APP_ID\" --append --display-name httpd --years 1 "
                                "--query password -o tsv";
    const char *path = r->wanted.first->credential.path;
    if (path != NULL) {
        apr_file_printf(
            r->command->out,
            "\n# A client secret, good for a year, into the file that the configuration names. On the server, "
            "as root.\n(umask 077; %s >%s)\n",
            reset, quote(r, path));
    } else {
        apr_file_printf(r->command->out,
                        "\n# A client secret, good for a year, shown this once. Put it where "
                        "EntraClientSecret takes it from.\n%s\n",
                        reset);
    }
}

static void certificate_print(const sso_registering_t *r)
{
    apr_file_printf(r->command->out,
                    "\n# The certificate, without its key.\n"
                    "CERT=$(mktemp)\n"
                    "openssl x509 -in %s -out \"$CERT\"\n"
                    "az ad app credential reset --id \"$APP_ID\" --append --cert \"@$CERT\"\n"
                    "rm -f \"$CERT\"\n",
                    quote(r, r->wanted.first->credential.path));
}

/* Issuer and subject have to be those of the assertion, to the letter. */
static const char *federated_body(const sso_registering_t *r, const char *issuer, const char *subject)
{
    const char *const audiences[] = {r->wanted.first->credential.audience};
    sso_json_writer_t *object = sso_json_object_make(r->command->ctx.pool);
    sso_json_set_text(object, "name", "httpd");
    sso_json_set_text(object, "issuer", issuer);
    sso_json_set_text(object, "subject", subject);
    sso_json_set_list(object, "audiences", audiences, 1);
    return sso_json_print(r->command->ctx.pool, object);
}

static void federated_print(const sso_registering_t *r)
{
    bool known = r->assertion.issuer != NULL && r->assertion.subject != NULL;
    const char *body = federated_body(r, known ? r->assertion.issuer : "ISSUER-OF-THE-CLUSTER",
                                      known ? r->assertion.subject : "system:serviceaccount:NAMESPACE:ACCOUNT");
    apr_file_printf(r->command->out,
                    "\n# The assertion of the platform takes the place of a secret. %s\n"
                    "az ad app federated-credential create --id \"$APP_ID\" --parameters %s\n",
                    known ? "Issuer and subject are those of the token that is there now."
                          : "Fill in issuer and subject: the token's iss and sub, to the letter.",
                    quote(r, body));
}

static void identity_print(const sso_registering_t *r)
{
    const char *identity = r->wanted.first->credential.identity;
    const char *issuer = apr_pstrcat(r->command->ctx.pool, r->wanted.first->login_url, "/",
                                     r->tenant == NULL ? "TENANT-ID" : r->tenant, "/v2.0", NULL);
    apr_file_printf(
        r->command->out,
        "\n# The managed identity takes the place of a secret. The tenant in the issuer is its GUID.\n"
        "PRINCIPAL=$(az ad sp show --id %s --query id -o tsv)\n"
        "az ad app federated-credential create --id \"$APP_ID\" --parameters "
        "'{\"name\":\"httpd\",\"issuer\":\"'%s'\",\"subject\":\"'\"$PRINCIPAL\"'\",\"audiences\":[\"%s\"]}'\n",
        identity == NULL ? "CLIENT-ID-OF-THE-IDENTITY" : quote(r, identity), quote(r, issuer),
        r->wanted.first->credential.audience);
}

static void credential_print(const sso_registering_t *r)
{
    const char *kind = r->wanted.first->credential.kind;
    if (strcmp(kind, "secret") == 0) {
        secret_print(r);
    } else if (strcmp(kind, "certificate") == 0) {
        certificate_print(r);
    } else if (strcmp(kind, "file") == 0) {
        federated_print(r);
    } else {
        identity_print(r);
    }
}

/* ---- provisioning ---- */

static const char *name_body(const sso_registering_t *r, const sso_description_t *description)
{
    sso_json_writer_t *object = sso_json_object_make(r->command->ctx.pool);
    sso_json_set_text(object, "displayName",
                      apr_pstrcat(r->command->ctx.pool, strstr(description->origin, "://") + 3, " provisioning", NULL));
    return quote(r, sso_json_print(r->command->ctx.pool, object));
}

/* SECURITY: the token goes through a file of root's, not through a command line that others on the machine can see. */
static void scim_print(const sso_registering_t *r, const sso_description_t *description)
{
    apr_pool_t *pool = r->command->ctx.pool;
    const char *config = r->command->options.config;
    const char *jobs = apr_pstrcat(pool, graph_of(r), "/servicePrincipals/\"$SCIM\"/synchronization", NULL);
    apr_file_printf(
        r->command->out,
        "\n# Provisioning of %s: an enterprise application of its own, since a registration for sign-in has "
        "none. Entra needs a minute after the first line.\n"
        "SCIM=$(az rest --method POST --uri %s/applicationTemplates/" SSO_TEMPLATE_APP "/instantiate " JSON_HEADER
        " --body %s --query servicePrincipal.id -o tsv)\n"
        "TEMPLATE=$(az rest --method GET --uri %s/templates --query 'value[0].id' -o tsv)\n"
        "JOB=$(az rest --method POST --uri %s/jobs " JSON_HEADER
        " --body '{\"templateId\":\"'\"$TEMPLATE\"'\"}' --query id -o tsv)\n",
        sso_quote_comment(pool, description->origin), graph_of(r), name_body(r, description), jobs, jobs);
    if (description->scim_federated == NULL) {
        apr_file_printf(r->command->out,
                        "BODY=$(umask 077; mktemp)\n"
                        "printf '{\"value\":[{\"key\":\"BaseAddress\",\"value\":\"%%s\"},{\"key\":\"SecretToken\","
                        "\"value\":\"%%s\"}]}' %s \"$(entra-sso %s%sscim-token new --app %s)\" >\"$BODY\"\n"
                        "az rest --method PUT --uri %s/secrets " JSON_HEADER " --body \"@$BODY\"\n"
                        "rm -f \"$BODY\"\n",
                        quote(r, description->scim_url), config == NULL ? "" : "--config ",
                        config == NULL ? "" : apr_pstrcat(pool, quote(r, config), " ", NULL),
                        quote(r, description->origin), jobs);
    }
    apr_file_printf(
        r->command->out,
        "# Then in the portal: Provisioning > Mappings > Users: map objectId to externalId; Users and groups: "
        "assign. And start it:\n"
        "# az rest --method POST --uri %s/jobs/\"$JOB\"/start\n",
        jobs);
}

void sso_register_az(const sso_registering_t *registering)
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
    apr_file_printf(registering->command->out, "\n# Last: entra-sso check --online\n\n");
}
