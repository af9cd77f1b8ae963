/* SPDX-License-Identifier: Apache-2.0 */
/* Clouds, tenants, and the judgement of a discovery document; it does no I/O and keeps no state. */
#include "entra/authority.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/url.h"

#define ISSUER_END "/v2.0"
#define SEVERAL_TENANTS "{tenantid}"
/* Longest name of a domain (RFC 1035 2.3.4, as text). */
#define DOMAIN_MAX 253
#define DOMAIN_LABEL_MAX 63

/* The cloud of the US government has kept the issuer of the global one for version 1.0. */
static const sso_cloud_t clouds[] = {
    {"global", "https://login.microsoftonline.com", "https://graph.microsoft.com", "api://AzureADTokenExchange",
     "https://sts.windows.net/{tenantid}/"},
    {"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us", "api://AzureADTokenExchangeUSGov",
     "https://sts.windows.net/{tenantid}/"},
    {"china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn",
     "api://AzureADTokenExchangeChina", "https://sts.chinacloudapi.cn/{tenantid}/"},
};

const sso_cloud_t *sso_cloud_find(const char *name)
{
    for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++) {
        if (strcmp(clouds[i].name, name) == 0) {
            return &clouds[i];
        }
    }
    return NULL;
}

bool sso_tenant_is_several(const char *tenant)
{
    return strcmp(tenant, "organizations") == 0 || strcmp(tenant, "common") == 0;
}

bool sso_tenant_is_consumers(const char *tenant)
{
    return strcmp(tenant, "consumers") == 0 || apr_cstr_casecmp(tenant, SSO_CONSUMERS_TENANT) == 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Two labels or more of letters, digits and inner dashes (RFC 1123 2.1): the tenant becomes part of a URL's path, so no
 * other character may pass. */
static bool is_domain(const char *text)
{
    if (strlen(text) > DOMAIN_MAX) {
        return false;
    }
    int labels = 0;
    const char *label = text;
    for (const char *at = text;; at++) {
        if (*at != '.' && *at != '\0') {
            if (!is_alphanumeric(*at) && *at != '-') {
                return false;
            }
            continue;
        }
        if (at == label || at - label > DOMAIN_LABEL_MAX || label[0] == '-' || at[-1] == '-') {
            return false;
        }
        labels++;
        label = at + 1;
        if (*at == '\0') {
            return labels > 1;
        }
    }
}

const char *sso_tenant_check(const char *tenant)
{
    if (tenant == NULL || tenant[0] == '\0') {
        return "is empty";
    }
    if (sso_tenant_is_several(tenant) || strcmp(tenant, "consumers") == 0 || sso_is_guid(tenant) || is_domain(tenant)) {
        return NULL;
    }
    return "is neither a tenant GUID, nor a domain, nor organizations, common or consumers";
}

/* SECURITY: an endpoint is where codes, credentials and browsers are sent to, so it must be on the login host itself,
 * and fit for a Location header. A query is allowed (RFC 6749 3.1; Entra's jwks_uri has one with custom keys). */
static sso_rc endpoint_check(sso_ctx_t *ctx, const sso_authority_config_t *config, const char *name, const char *url)
{
    const char *why = NULL;
    for (const char *at = url; *at != '\0' && why == NULL; at++) {
        if (*at <= ' ' || *at > '~' || strchr("#\"<>\\^`{|}", *at) != NULL) {
            why = "holds characters that no URL has";
        }
    }
    const char *bare = apr_pstrmemdup(ctx->pool, url, strcspn(url, "?"));
    if (why == NULL) {
        why = sso_url_check_outbound(ctx->pool, bare, true);
    }
    if (why == NULL && !sso_url_same_origin(ctx->pool, bare, config->login_url)) {
        why = "is not on the login host";
    }
    if (why != NULL) {
        return sso_fail(ctx, SSO_R_METADATA_ENDPOINT, "%s %s: %s", name, sso_printable(ctx->pool, url), why);
    }
    return SSO_OK;
}

/* The issuer is {login_url}/X/v2.0. X is the literal {tenantid} for several tenants, else a GUID: the configured one,
 * that of personal accounts, or any for a domain, whose GUID only Entra knows. */
static sso_rc issuer_check(sso_ctx_t *ctx, const sso_authority_config_t *config, const char *issuer)
{
    const char *place = NULL;
    apr_size_t base_len = strlen(config->login_url);
    if (strncmp(issuer, config->login_url, base_len) == 0 && issuer[base_len] == '/') {
        const char *from = issuer + base_len + 1;
        apr_size_t len = strcspn(from, "/");
        if (strcmp(from + len, ISSUER_END) == 0) {
            place = apr_pstrmemdup(ctx->pool, from, len);
        }
    }
    bool good = false;
    if (place != NULL && sso_tenant_is_several(config->tenant)) {
        good = strcmp(place, SEVERAL_TENANTS) == 0;
    } else if (place != NULL && sso_is_guid(place)) {
        const char *expected = strcmp(config->tenant, "consumers") == 0 ? SSO_CONSUMERS_TENANT : config->tenant;
        /* Hexadecimal digits have two spellings; Entra writes small letters whatever an administrator typed. */
        good = !sso_is_guid(expected) || strcasecmp(place, expected) == 0;
    }
    if (!good) {
        return sso_fail(ctx, SSO_R_METADATA_ISSUER, "issuer %s for tenant %s at %s", sso_printable(ctx->pool, issuer),
                        config->tenant, config->login_url);
    }
    return SSO_OK;
}

/* A member of the document: a non-empty string copied into pool, or NULL when it may be absent and is. */
static sso_rc field_read(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *document, const char *name, bool required,
                         const char **ret_text)
{
    const sso_json_t *member = sso_json_get(document, name);
    const char *text = sso_json_text(member);
    if (member == NULL && !required) {
        *ret_text = NULL;
        return SSO_OK;
    }
    if (text == NULL || text[0] == '\0') {
        return sso_fail(ctx, SSO_R_METADATA_FIELD, "%s is %s", name, member == NULL ? "absent" : "no text");
    }
    *ret_text = apr_pstrdup(pool, text);
    return SSO_OK;
}

/* msgraph_host comes to stand in URLs that carry access tokens. */
static sso_rc host_check(sso_ctx_t *ctx, const char *host)
{
    for (const char *at = host; host != NULL && *at != '\0'; at++) {
        if (!is_alphanumeric(*at) && strchr("-.:[]", *at) == NULL) {
            return sso_fail(ctx, SSO_R_METADATA_FIELD, "msgraph_host is no host");
        }
    }
    return SSO_OK;
}

static sso_rc document_read(sso_ctx_t *ctx, apr_pool_t *pool, const sso_authority_config_t *config,
                            const sso_json_t *document, sso_metadata_t *ret_metadata)
{
    const struct {
        const char *name;
        bool required, endpoint;
        const char **place;
    } fields[] = {
        {"issuer", true, false, &ret_metadata->issuer},
        {"authorization_endpoint", true, true, &ret_metadata->authorization_endpoint},
        {"token_endpoint", true, true, &ret_metadata->token_endpoint},
        {"jwks_uri", true, true, &ret_metadata->jwks_uri},
        {"end_session_endpoint", false, true, &ret_metadata->end_session_endpoint},
        {"msgraph_host", false, false, &ret_metadata->graph_host},
    };
    if (sso_json_type(document) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_METADATA_FIELD, "the document is no object");
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        sso_rc rc = field_read(ctx, pool, document, fields[i].name, fields[i].required, fields[i].place);
        if (rc == SSO_OK && fields[i].endpoint && *fields[i].place != NULL) {
            rc = endpoint_check(ctx, config, fields[i].name, *fields[i].place);
        }
        if (rc != SSO_OK) {
            return rc;
        }
    }
    sso_rc rc = host_check(ctx, ret_metadata->graph_host);
    return rc != SSO_OK ? rc : issuer_check(ctx, config, ret_metadata->issuer);
}

sso_rc sso_metadata_parse(sso_ctx_t *ctx, apr_pool_t *pool, const sso_authority_config_t *config, const char *text,
                          apr_size_t len, const sso_metadata_t **ret_metadata)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, ctx->pool);
    sso_metadata_t *metadata = apr_pcalloc(pool, sizeof(*metadata));
    const sso_json_t *document;
    sso_rc rc = sso_json_parse(ctx, scratch, text, len, SSO_MAX_METADATA, &document);
    if (rc == SSO_OK) {
        rc = document_read(ctx, pool, config, document, metadata);
    }
    apr_pool_destroy(scratch);
    if (rc == SSO_OK) {
        *ret_metadata = metadata;
    }
    return rc;
}
