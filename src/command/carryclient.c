/* SPDX-License-Identifier: Apache-2.0 */
/* Carries the directives of the provider and of the client over: tenant, client, credential, addresses, outbound calls.
 */
#include "command/convert.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/bytes.h"

/* ---- the tenant ---- */

static const char *cloud_of(const char *host)
{
    static const struct {
        const char *host;
        const char *cloud;
    } clouds[] = {{"login.microsoftonline.com", "global"}, {"login.windows.net", "global"},
                  {"login.microsoft.com", "global"},       {"sts.windows.net", "global"},
                  {"login.microsoftonline.us", "usgov"},   {"login.partner.microsoftonline.cn", "china"},
                  {"login.chinacloudapi.cn", "china"}};
    for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++) {
        if (strcasecmp(clouds[i].host, host) == 0) {
            return clouds[i].cloud;
        }
    }
    return NULL;
}

/* People of several tenants: the list is the administrator's to write. */
static void several_tenants(sso_convert_t *to, const char *tenant)
{
    if (strcmp(tenant, "organizations") == 0 || strcmp(tenant, "common") == 0) {
        sso_convert_left(to, "EntraAllowedTenants is missing: name the tenants whose people may sign in "
                             "(EntraAllowedTenants GUID ...)");
    }
}

/* "/TENANT/v2.0/.well-known/openid-configuration", or an issuer's "/TENANT/v2.0". */
static void tenant(sso_convert_t *to, const char *url)
{
    apr_uri_t uri;
    const char *cloud = NULL;
    if (url != NULL && apr_uri_parse(to->pool, url, &uri) == APR_SUCCESS && uri.hostname != NULL) {
        cloud = cloud_of(uri.hostname);
    }
    if (cloud == NULL) {
        sso_convert_left(to, "%s is not of Entra: this module signs in at Entra alone. Keep mod_auth_openidc for it",
                         to->line->name);
        return;
    }
    const char *path = uri.path == NULL ? "" : uri.path;
    path += strspn(path, "/");
    const char *name = apr_pstrmemdup(to->pool, path, strcspn(path, "/"));
    if (*name == '\0') {
        sso_convert_left(to, "%s names no tenant: write EntraTenant yourself", to->line->name);
        return;
    }
    if (to->tenant != NULL && strcasecmp(to->tenant, name) == 0) {
        sso_convert_note(to, "%s is not needed: EntraTenant above says it", to->line->name);
        return;
    }
    to->tenant = name;
    to->known.host = "login.microsoftonline.com";
    sso_convert_write(to, "EntraTenant %s", sso_confline_quote(to->pool, name));
    if (strcmp(cloud, "global") != 0) {
        to->known.host = uri.hostname;
        sso_convert_write(to, "EntraCloud %s", cloud);
    }
    if (strstr(path, "v2.0") == NULL) {
        sso_convert_note(to,
                         "the old endpoint was of version 1.0; tokens of 2.0 have preferred_username in the place of "
                         "upn and unique_name");
    }
    several_tenants(to, name);
}

void sso_carry_metadata(sso_convert_t *to)
{
    tenant(to, sso_convert_word(to, 0));
}

void sso_carry_issuer(sso_convert_t *to)
{
    tenant(to, sso_convert_word(to, 0));
}

void sso_carry_validate_issuer(sso_convert_t *to)
{
    sso_convert_note(to, "OIDCValidateIssuer is not needed: the issuer is always checked, for several tenants by "
                         "EntraAllowedTenants");
}

/* ---- the client ---- */

void sso_carry_client_id(sso_convert_t *to)
{
    const char *id = sso_convert_word(to, 0);
    if (id == NULL || !sso_is_guid(id)) {
        sso_convert_left(to, "OIDCClientID is no GUID: write EntraClientID with the Application (client) ID");
        return;
    }
    to->known.client_id = id;
    sso_convert_write(to, "EntraClientID %s", id);
    if (!to->known.has_idle) {
        sso_convert_note(to, "without OIDCSessionInactivityTimeout it was five minutes; the default here is an hour");
        sso_convert_write(to, "EntraSessionIdleTimeout 5m");
    }
    if (!to->known.has_user) {
        sso_convert_note(to,
                         "without OIDCRemoteUserClaim it was sub@issuer; preferred_username, the default here, reads "
                         "better");
        sso_convert_write(to, "EntraRemoteUser %%{sub}@%s/%%{tid}/v2.0",
                          to->known.host == NULL ? "login.microsoftonline.com" : to->known.host);
    }
    sso_carry_claims(to);
}

/* SECURITY: a secret goes from its file into another file by the administrator's hand, and never through an output that
 * ends on a screen or in a log. */
void sso_carry_secret(sso_convert_t *to)
{
    const char *source = sso_convert_word(to, 0);
    if (to->known.key_signs) {
        sso_convert_note(to, "OIDCClientSecret is not needed beside the certificate");
    } else if (source != NULL && (strncmp(source, "exec:", 5) == 0 || strncmp(source, "${", 2) == 0)) {
        sso_convert_write(to, "EntraClientSecret %s", sso_confline_quote(to->pool, source));
    } else {
        sso_convert_left(to, "put the value of OIDCClientSecret into the file that is named here: of root, mode 0600");
        sso_convert_write(to, "EntraClientSecret file:/etc/apache2/entra/client-secret");
    }
}

void sso_carry_redirect(sso_convert_t *to)
{
    apr_uri_t uri;
    const char *url = sso_convert_word(to, 0);
    if (url != NULL && apr_uri_parse(to->pool, url, &uri) == APR_SUCCESS && uri.scheme != NULL &&
        uri.hostname != NULL) {
        const char *origin = apr_pstrcat(to->pool, uri.scheme, "://", uri.hostname, uri.port_str == NULL ? "" : ":",
                                         uri.port_str == NULL ? "" : uri.port_str, NULL);
        sso_convert_write(to, "EntraPublicURL %s", sso_confline_quote(to->pool, origin));
        sso_convert_left(to, "register the redirect URI %s/.entra/callback (platform Web) beside the old one",
                         sso_printable(to->pool, origin));
        return;
    }
    sso_convert_left(to, "OIDCRedirectURI is relative: write the scheme into ServerName (ServerName https://...), and "
                         "register https://HOST/.entra/callback (platform Web)");
}

void sso_carry_scope(sso_convert_t *to)
{
    const char *scopes = "";
    for (int i = 0; i < to->line->words->nelts; i++) {
        char *last = NULL;
        char *copy = apr_pstrdup(to->pool, sso_text_at(to->line->words, i));
        for (char *one = apr_strtok(copy, " ", &last); one != NULL; one = apr_strtok(NULL, " ", &last)) {
            if (strcmp(one, "openid") != 0 && strcmp(one, "profile") != 0 && strcmp(one, "email") != 0 &&
                strcmp(one, "offline_access") != 0) {
                scopes = apr_pstrcat(to->pool, scopes, " ", sso_confline_quote(to->pool, one), NULL);
            }
        }
    }
    if (*scopes == '\0') {
        sso_convert_note(to, "OIDCScope is not needed: openid, profile, email and offline_access are asked for");
        return;
    }
    sso_convert_write(to, "EntraScopes offline_access%s", scopes);
}

/* ---- the credential ---- */

void sso_carry_endpoint_auth(sso_convert_t *to)
{
    const char *method = sso_convert_word(to, 0);
    if (method == NULL || strncmp(method, "client_secret_", 14) == 0) {
        sso_convert_note(to, "OIDCProviderTokenEndpointAuth is not needed: EntraClientSecret says it");
    } else if (to->known.key_signs && to->known.private_key == NULL) {
        sso_convert_left(
            to, "private_key_jwt without OIDCPrivateKeyFiles here: write EntraClientCertificate CERTIFICATE KEY");
    } else if (to->known.key_signs) {
        sso_convert_note(to, "private_key_jwt: see EntraClientCertificate");
    } else {
        sso_convert_left(to,
                         "OIDCProviderTokenEndpointAuth %s has no counterpart: use EntraClientSecret, "
                         "EntraClientCertificate or EntraClientAssertion",
                         sso_printable(to->pool, method));
    }
}

void sso_carry_private_key(sso_convert_t *to)
{
    const char *certificate = to->known.public_key;
    const char *key = to->known.private_key;
    if (!to->known.key_signs) {
        sso_convert_note(to, "OIDCPrivateKeyFiles is not needed: nothing else here is signed or decrypted with it");
        return;
    }
    if (certificate == NULL) {
        sso_convert_left(to, "OIDCPublicKeyFiles is not here: write EntraClientCertificate CERTIFICATE KEY");
        return;
    }
    sso_convert_note(to, "the first file has to be the certificate that the registration knows, not a bare public key");
    sso_convert_write(to, "EntraClientCertificate %s %s", sso_confline_quote(to->pool, certificate),
                      sso_confline_quote(to->pool, key));
}

void sso_carry_public_key(sso_convert_t *to)
{
    sso_convert_note(to, "OIDCPublicKeyFiles: %s",
                     to->known.key_signs ? "see EntraClientCertificate"
                                         : "not needed: nothing is decrypted or signed with it");
}

void sso_carry_audience(sso_convert_t *to)
{
    sso_convert_note(to, "OIDCOAuthVerifyAudience: see the EntraBearer lines");
}

/* ---- calls to Entra ---- */

void sso_carry_tls(sso_convert_t *to)
{
    const char *word = sso_convert_word(to, 0);
    if (word != NULL && strcasecmp(word, "off") == 0) {
        sso_convert_left(
            to,
            "%s off has no counterpart: certificates are always checked. A proxy's own authority goes into "
            "EntraTrustedCA",
            to->line->name);
        return;
    }
    sso_convert_note(to, "%s is not needed: certificates are always checked", to->line->name);
}

void sso_carry_response_type(sso_convert_t *to)
{
    const char *type = sso_convert_word(to, 0);
    if (type != NULL && strcmp(type, "code") != 0) {
        sso_convert_left(to,
                         "OIDCResponseType %s becomes code: take the boxes for implicit and hybrid tokens out of the "
                         "registration",
                         sso_printable(to->pool, type));
        return;
    }
    sso_convert_note(to, "OIDCResponseType is not needed: code, with PKCE");
}

void sso_carry_proxy(sso_convert_t *to)
{
    const char *proxy = sso_convert_word(to, 0);
    if (proxy == NULL || to->line->words->nelts > 1 || strchr(proxy, '@') != NULL) {
        sso_convert_left(
            to, "OIDCOutgoingProxy with a user name has no counterpart: let this host through the proxy without "
                "one, and write EntraOutboundProxy http://HOST:PORT");
        return;
    }
    sso_convert_write(to, "EntraOutboundProxy %s",
                      sso_confline_quote(to->pool, strstr(proxy, "://") != NULL
                                                       ? proxy
                                                       : apr_pstrcat(to->pool, "http://", proxy, NULL)));
}

void sso_carry_timeout(sso_convert_t *to)
{
    int64_t total = 0;
    int64_t connect = 3;
    const char *words[] = {sso_convert_word(to, 0), sso_convert_word(to, 1)};
    if (!sso_integer_parse(words[0], &total) || total < 1 ||
        (words[1] != NULL && (!sso_integer_parse(words[1], &connect) || connect < 1))) {
        sso_convert_left(to, "OIDCHTTPTimeoutLong is no number of seconds: write EntraOutboundTimeout CONNECT TOTAL");
        return;
    }
    total = total > 60 ? 60 : total;
    connect = connect > total ? total : connect;
    sso_convert_write(to, "EntraOutboundTimeout %ds %ds", (int)connect, (int)total);
}
