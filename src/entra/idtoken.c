/* SPDX-License-Identifier: Apache-2.0 */
/* The ID token: one small function per rule, in a fixed order, each with its own reason; it never half-believes. */
#include "entra/idtoken.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"

#define TENANT_PLACE "{tenantid}"
/* 9999-12-31T23:59:59Z, the last second that RFC 3339 can print; in microseconds it and a skew fit 64 bits. */
#define LAST_SECOND INT64_C(253402300799)

/* One check: what is judged, by what, and what was found so far. */
typedef struct {
    sso_ctx_t *ctx;
    const char *issuer;
    const sso_idtoken_rules_t *rules;
    const sso_json_t *claims;
    const char *tid; /* as the token spells it, since iss is compared byte for byte */
    sso_idtoken_t token;
} check_t;

static const char *claim_text(const check_t *check, const char *name)
{
    const char *text = sso_json_get_text(check->claims, name);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static const char *claim_printable(const check_t *check, const char *name)
{
    return sso_printable(check->ctx->pool, sso_json_get_text(check->claims, name));
}

/* A moment whose type and range types_check has judged. False when absent. */
static bool claim_time(const check_t *check, const char *name, apr_time_t *ret_time)
{
    int64_t seconds;
    if (!sso_json_integer(sso_json_get(check->claims, name), &seconds)) {
        return false;
    }
    *ret_time = apr_time_from_sec(seconds);
    return true;
}

/* GUIDs are keys of users and tenants, so there must be one spelling of each. */
static const char *lower_case(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text);
    for (char *at = copy; *at != '\0'; at++) {
        *at = (char)apr_tolower(*at);
    }
    return copy;
}

/* Texts are texts, moments are whole seconds (RFC 7519 section 2 allows fractions; Entra has none). */
static sso_rc types_check(check_t *check)
{
    static const char *const texts[] = {"iss", "sub", "oid", "tid", "ver", "nonce", "azp", "sid", "login_hint"};
    static const char *const moments[] = {"exp", "nbf", "iat", "auth_time"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const sso_json_t *value = sso_json_get(check->claims, texts[i]);
        if (value != NULL && sso_json_type(value) != SSO_JSON_STRING) {
            return sso_fail(check->ctx, SSO_R_ID_TYPE, "%s is no string", texts[i]);
        }
    }
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        const sso_json_t *value = sso_json_get(check->claims, moments[i]);
        int64_t seconds;
        if (value != NULL && (!sso_json_integer(value, &seconds) || seconds <= 0 || seconds > LAST_SECOND)) {
            return sso_fail(check->ctx, SSO_R_ID_TYPE, "%s is no moment in whole seconds", moments[i]);
        }
    }
    return SSO_OK;
}

static sso_rc version_check(check_t *check)
{
    const char *ver = claim_text(check, "ver");
    if (ver == NULL || strcmp(ver, "2.0") != 0) {
        return sso_fail(check->ctx, SSO_R_ID_VER, "ver %s", claim_printable(check, "ver"));
    }
    return SSO_OK;
}

/* Before the issuer, since the expected issuer is made from it. */
static sso_rc tenant_check(check_t *check)
{
    check->tid = claim_text(check, "tid");
    if (check->tid == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_TID_MISSING, "scope profile may be missing");
    }
    if (!sso_is_guid(check->tid)) {
        return sso_fail(check->ctx, SSO_R_ID_TID_FORMAT, "tid %s", claim_printable(check, "tid"));
    }
    check->token.tid = lower_case(check->ctx->pool, check->tid);
    return SSO_OK;
}

/* SECURITY: exact equality with the issuer, in which the token's own tenant replaces {tenantid}; and the tenant is a
 * whole path segment of it, so that tid and iss can never be of two tenants (as in Microsoft's AadIssuerValidator). */
static sso_rc issuer_check(check_t *check)
{
    const char *iss = claim_text(check, "iss");
    if (iss == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_ISS_MISSING, "no iss");
    }
    const char *expected = sso_issuer_expand(check->ctx->pool, check->issuer, check->tid);
    if (strstr(iss, TENANT_PLACE) != NULL || strcmp(iss, expected) != 0) {
        return sso_fail(check->ctx, SSO_R_ID_ISS, "iss %s, expected %s", claim_printable(check, "iss"), expected);
    }
    const char *segment = apr_pstrcat(check->ctx->pool, "/", check->token.tid, "/", NULL);
    if (strstr(lower_case(check->ctx->pool, iss), segment) == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_ISS, "iss %s is not of tid %s", claim_printable(check, "iss"), check->tid);
    }
    check->token.iss = apr_pstrdup(check->ctx->pool, iss);
    return SSO_OK;
}

/* SECURITY: with several tenants the list is the only door: no list admits nobody. */
static sso_rc allowed_tenant_check(check_t *check)
{
    const sso_idtoken_rules_t *rules = check->rules;
    if (rules->any_tenant || (rules->allowed_tenants == NULL && strstr(check->issuer, TENANT_PLACE) == NULL)) {
        return SSO_OK;
    }
    int count = rules->allowed_tenants == NULL ? 0 : rules->allowed_tenants->nelts;
    const char *const *tenants = count == 0 ? NULL : (const void *)rules->allowed_tenants->elts;
    for (int i = 0; i < count; i++) {
        if (strcasecmp(tenants[i], check->tid) == 0) {
            return SSO_OK;
        }
    }
    return sso_fail(check->ctx, SSO_R_ID_TENANT, "tid %s", check->tid);
}

/* One audience, and it is this client, as a string or as an array of one (OpenID Connect Core 3.1.3.7, 3; of further
 * audiences none is trusted). */
static sso_rc audience_check(check_t *check)
{
    const sso_json_t *aud = sso_json_get(check->claims, "aud");
    if (aud == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_AUD_MISSING, "no aud");
    }
    if (sso_json_type(aud) == SSO_JSON_ARRAY) {
        apr_size_t size = sso_json_size(aud);
        for (apr_size_t i = 0; i < size; i++) {
            if (sso_json_text(sso_json_at(aud, i)) == NULL) {
                return sso_fail(check->ctx, SSO_R_ID_TYPE, "aud holds what is no string");
            }
        }
        if (size != 1) {
            return sso_fail(check->ctx, size == 0 ? SSO_R_ID_AUD_MISSING : SSO_R_ID_AUD,
                            "%" APR_SIZE_T_FMT " audiences", size);
        }
        aud = sso_json_at(aud, 0);
    }
    const char *text = sso_json_text(aud);
    if (text == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_TYPE, "aud is neither string nor array");
    }
    if (text[0] == '\0') {
        return sso_fail(check->ctx, SSO_R_ID_AUD_MISSING, "an empty aud");
    }
    if (strcmp(text, check->rules->client_id) != 0) {
        return sso_fail(check->ctx, SSO_R_ID_AUD, "aud %s, expected %s", sso_printable(check->ctx->pool, text),
                        check->rules->client_id);
    }
    return SSO_OK;
}

/* Entra sends none; whoever does must mean us (OpenID Connect Core 3.1.3.7, 5). */
static sso_rc authorized_party_check(check_t *check)
{
    const char *azp = sso_json_get_text(check->claims, "azp");
    if (azp != NULL && strcmp(azp, check->rules->client_id) != 0) {
        return sso_fail(check->ctx, SSO_R_ID_AZP, "azp %s", claim_printable(check, "azp"));
    }
    return SSO_OK;
}

static sso_rc subject_check(check_t *check)
{
    const char *sub = claim_text(check, "sub");
    if (sub == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_SUB_MISSING, "no sub");
    }
    check->token.sub = apr_pstrdup(check->ctx->pool, sub);
    return SSO_OK;
}

static sso_rc object_check(check_t *check)
{
    const char *oid = claim_text(check, "oid");
    if (oid == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_OID_MISSING, "scope profile may be missing");
    }
    if (!sso_is_guid(oid)) {
        return sso_fail(check->ctx, SSO_R_ID_OID_FORMAT, "oid %s", claim_printable(check, "oid"));
    }
    check->token.oid = lower_case(check->ctx->pool, oid);
    return SSO_OK;
}

/* exp and nbf within the skew (RFC 7519 4.1.4, 4.1.5). Details give seconds, which tell a wrong clock. */
static sso_rc validity_check(check_t *check)
{
    apr_time_t now = check->ctx->now;
    apr_time_t exp, nbf;
    if (!claim_time(check, "exp", &exp)) {
        return sso_fail(check->ctx, SSO_R_ID_EXP_MISSING, "no exp");
    }
    if (now >= exp + check->rules->skew) {
        return sso_fail(check->ctx, SSO_R_ID_EXPIRED, "%" APR_TIME_T_FMT " s ago", apr_time_sec(now - exp));
    }
    if (!claim_time(check, "nbf", &nbf)) {
        return SSO_OK;
    }
    if (exp <= nbf) {
        return sso_fail(check->ctx, SSO_R_ID_NBF, "exp is not after nbf");
    }
    if (nbf > now + check->rules->skew) {
        return sso_fail(check->ctx, SSO_R_ID_NBF, "in %" APR_TIME_T_FMT " s", apr_time_sec(nbf - now));
    }
    return SSO_OK;
}

/* No upper bound of age: Entra dates tokens back by five minutes. */
static sso_rc issued_check(check_t *check)
{
    apr_time_t now = check->ctx->now;
    if (!claim_time(check, "iat", &check->token.issued)) {
        return sso_fail(check->ctx, SSO_R_ID_IAT_MISSING, "no iat");
    }
    if (check->token.issued > now + check->rules->skew) {
        return sso_fail(check->ctx, SSO_R_ID_IAT_FUTURE, "in %" APR_TIME_T_FMT " s",
                        apr_time_sec(check->token.issued - now));
    }
    return SSO_OK;
}

/* SECURITY: ties the token to the sign-in that this browser began (OpenID Connect Core 3.1.3.7, 11). */
static sso_rc nonce_check(check_t *check)
{
    if (check->rules->nonce == NULL) {
        return SSO_OK;
    }
    const char *nonce = claim_text(check, "nonce");
    if (nonce == NULL) {
        return sso_fail(check->ctx, SSO_R_ID_NONCE_MISSING, "no nonce");
    }
    if (!sso_secret_equal(nonce, check->rules->nonce)) {
        return sso_fail(check->ctx, SSO_R_ID_NONCE, "another nonce");
    }
    return SSO_OK;
}

sso_rc sso_idtoken_check(sso_ctx_t *ctx, const char *issuer, const sso_idtoken_rules_t *rules, const sso_json_t *claims,
                         sso_idtoken_t *ret_token)
{
    static sso_rc (*const steps[])(check_t *) = {
        types_check,          version_check,  tenant_check,           issuer_check,
        allowed_tenant_check, audience_check, authorized_party_check, subject_check,
        object_check,         validity_check, issued_check,           nonce_check,
    };
    check_t check = {.ctx = ctx, .issuer = issuer, .rules = rules, .claims = claims};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        sso_rc rc = steps[i](&check);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    /* Absent leaves 0. */
    (void)claim_time(&check, "auth_time", &check.token.auth_time);
    check.token.sid = apr_pstrdup(ctx->pool, claim_text(&check, "sid"));
    check.token.login_hint = apr_pstrdup(ctx->pool, claim_text(&check, "login_hint"));
    check.token.claims = claims;
    *ret_token = check.token;
    return SSO_OK;
}

sso_rc sso_idtoken_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_idtoken_rules_t *rules, const char *text,
                        sso_idtoken_t *ret_token)
{
    sso_jwt_t jwt;
    const sso_authority_view_t *view;
    const sso_key_t *key;
    const sso_json_t *claims;
    sso_idtoken_t token;
    sso_rc rc = sso_jwt_parse(ctx, text, &jwt);
    if (rc == SSO_OK) {
        rc = sso_authority_key(ctx, authority, jwt.kid, &view, &key);
    }
    if (rc == SSO_OK) {
        rc = sso_jwt_verify(ctx, &jwt, key->jwk, &claims);
    }
    if (rc == SSO_OK) {
        rc = sso_idtoken_check(ctx, view->metadata->issuer, rules, claims, &token);
    }
    /* Last, as it needs iss and tid, which are known to be there and to fit now. */
    if (rc == SSO_OK) {
        bool several = sso_tenant_is_several(sso_authority_config(authority)->tenant);
        rc = sso_key_issuer_check(ctx, key, token.iss, sso_json_get_text(claims, "tid"), several);
    }
    if (rc == SSO_OK) {
        *ret_token = token;
    }
    return rc;
}
