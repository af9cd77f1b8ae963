/* SPDX-License-Identifier: Apache-2.0 */
/* What ID tokens and access tokens must both be; it never half-believes. */
#include "entra/claims.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/keys.h"

#define TENANT_PLACE "{tenantid}"
/* 9999-12-31T23:59:59Z, the last second that RFC 3339 can print; in microseconds it and a skew fit 64 bits. */
#define LAST_SECOND INT64_C(253402300799)

sso_rc sso_claims_open(sso_ctx_t *ctx, sso_authority_t *authority, const char *text,
                       const sso_authority_view_t **ret_view, const sso_key_t **ret_key, const sso_json_t **ret_claims)
{
    sso_jwt_t jwt;
    sso_rc rc = sso_jwt_parse(ctx, text, &jwt);
    if (rc == SSO_OK) {
        rc = sso_authority_key(ctx, authority, jwt.kid, ret_view, ret_key);
    }
    return rc != SSO_OK ? rc : sso_jwt_verify(ctx, &jwt, (*ret_key)->jwk, ret_claims);
}

const char *sso_claims_text(const sso_claims_t *claims, const char *name)
{
    const char *text = sso_json_get_text(claims->claims, name);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

const char *sso_claims_printable(const sso_claims_t *claims, const char *name)
{
    return sso_printable(claims->ctx->pool, sso_json_get_text(claims->claims, name));
}

bool sso_claims_time(const sso_claims_t *claims, const char *name, apr_time_t *ret_time)
{
    int64_t seconds;
    if (!sso_json_integer(sso_json_get(claims->claims, name), &seconds)) {
        return false;
    }
    *ret_time = apr_time_from_sec(seconds);
    return true;
}

const char *sso_claims_lower(apr_pool_t *pool, const char *guid)
{
    char *copy = apr_pstrdup(pool, guid);
    for (char *at = copy; *at != '\0'; at++) {
        *at = (char)apr_tolower(*at);
    }
    return copy;
}

/* Moments are whole seconds (RFC 7519 section 2 allows fractions; Entra has none). */
sso_rc sso_claims_types(const sso_claims_t *claims, const char *const *texts)
{
    static const char *const moments[] = {"exp", "nbf", "iat", "auth_time"};
    for (; *texts != NULL; texts++) {
        const sso_json_t *value = sso_json_get(claims->claims, *texts);
        if (value != NULL && sso_json_type(value) != SSO_JSON_STRING) {
            return sso_fail(claims->ctx, claims->reasons->type, "%s is no string", *texts);
        }
    }
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        const sso_json_t *value = sso_json_get(claims->claims, moments[i]);
        int64_t seconds;
        if (value != NULL && (!sso_json_integer(value, &seconds) || seconds <= 0 || seconds > LAST_SECOND)) {
            return sso_fail(claims->ctx, claims->reasons->type, "%s is no moment in whole seconds", moments[i]);
        }
    }
    return SSO_OK;
}

sso_rc sso_claims_tenant(const sso_claims_t *claims, const char **ret_tid)
{
    const char *tid = sso_claims_text(claims, "tid");
    if (tid == NULL) {
        return sso_fail(claims->ctx, claims->reasons->tid_missing, "scope profile may be missing");
    }
    if (!sso_is_guid(tid)) {
        return sso_fail(claims->ctx, claims->reasons->tid_format, "tid %s", sso_claims_printable(claims, "tid"));
    }
    *ret_tid = tid;
    return SSO_OK;
}

/* SECURITY: exact equality with the issuer, in which the token's own tenant replaces {tenantid}; and the tenant is a
 * whole path segment of it, so that tid and iss can never be of two tenants (as in Microsoft's AadIssuerValidator). */
sso_rc sso_claims_issuer(const sso_claims_t *claims, const char *issuer, const char *tid, const char **ret_iss)
{
    apr_pool_t *pool = claims->ctx->pool;
    const char *iss = sso_claims_text(claims, "iss");
    if (iss == NULL) {
        return sso_fail(claims->ctx, claims->reasons->iss_missing, "no iss");
    }
    const char *expected = sso_issuer_expand(pool, issuer, tid);
    if (strstr(iss, TENANT_PLACE) != NULL || strcmp(iss, expected) != 0) {
        return sso_fail(claims->ctx, claims->reasons->iss, "iss %s, expected %s", sso_claims_printable(claims, "iss"),
                        expected);
    }
    const char *segment = apr_pstrcat(pool, "/", sso_claims_lower(pool, tid), "/", NULL);
    if (strstr(sso_claims_lower(pool, iss), segment) == NULL) {
        return sso_fail(claims->ctx, claims->reasons->iss, "iss %s is not of tid %s",
                        sso_claims_printable(claims, "iss"), tid);
    }
    *ret_iss = apr_pstrdup(pool, iss);
    return SSO_OK;
}

/* SECURITY: with several tenants the list is the only door: no list admits nobody. */
sso_rc sso_claims_allowed_tenant(const sso_claims_t *claims, const char *tid, const apr_array_header_t *allowed,
                                 bool any, bool several)
{
    if (any || (allowed == NULL && !several)) {
        return SSO_OK;
    }
    for (int i = 0; allowed != NULL && i < allowed->nelts; i++) {
        if (strcasecmp(sso_text_at(allowed, i), tid) == 0) {
            return SSO_OK;
        }
    }
    return sso_fail(claims->ctx, claims->reasons->tenant, "tid %s", tid);
}

/* As a string or as an array of one (OpenID Connect Core 3.1.3.7, 3; of further audiences none is trusted). */
static sso_rc read_audience(const sso_claims_t *claims, const char **ret_aud)
{
    const sso_claims_reasons_t *reasons = claims->reasons;
    const sso_json_t *aud = sso_json_get(claims->claims, "aud");
    if (aud == NULL) {
        return sso_fail(claims->ctx, reasons->aud_missing, "no aud");
    }
    if (sso_json_type(aud) == SSO_JSON_ARRAY) {
        apr_size_t size = sso_json_size(aud);
        for (apr_size_t i = 0; i < size; i++) {
            if (sso_json_text(sso_json_at(aud, i)) == NULL) {
                return sso_fail(claims->ctx, reasons->type, "aud holds what is no string");
            }
        }
        if (size != 1) {
            return sso_fail(claims->ctx, size == 0 ? reasons->aud_missing : reasons->aud,
                            "%" APR_SIZE_T_FMT " audiences", size);
        }
        aud = sso_json_at(aud, 0);
    }
    const char *text = sso_json_text(aud);
    if (text == NULL) {
        return sso_fail(claims->ctx, reasons->type, "aud is neither string nor array");
    }
    if (text[0] == '\0') {
        return sso_fail(claims->ctx, reasons->aud_missing, "an empty aud");
    }
    *ret_aud = text;
    return SSO_OK;
}

sso_rc sso_claims_audience(const sso_claims_t *claims, const apr_array_header_t *ours)
{
    const char *aud = "";
    sso_rc rc = read_audience(claims, &aud);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *expected = "";
    for (int i = 0; i < ours->nelts; i++) {
        if (strcmp(sso_text_at(ours, i), aud) == 0) {
            return SSO_OK;
        }
        expected = apr_pstrcat(claims->ctx->pool, expected, i == 0 ? "" : " or ", sso_text_at(ours, i), NULL);
    }
    return sso_fail(claims->ctx, claims->reasons->aud, "aud %s, expected %s", sso_printable(claims->ctx->pool, aud),
                    expected);
}

sso_rc sso_claims_subject(const sso_claims_t *claims, const char **ret_sub)
{
    const char *sub = sso_claims_text(claims, "sub");
    if (sub == NULL) {
        return sso_fail(claims->ctx, claims->reasons->sub_missing, "no sub");
    }
    *ret_sub = apr_pstrdup(claims->ctx->pool, sub);
    return SSO_OK;
}

sso_rc sso_claims_object(const sso_claims_t *claims, const char **ret_oid)
{
    const char *oid = sso_claims_text(claims, "oid");
    if (oid == NULL) {
        return sso_fail(claims->ctx, claims->reasons->oid_missing, "scope profile may be missing");
    }
    if (!sso_is_guid(oid)) {
        return sso_fail(claims->ctx, claims->reasons->oid_format, "oid %s", sso_claims_printable(claims, "oid"));
    }
    *ret_oid = sso_claims_lower(claims->ctx->pool, oid);
    return SSO_OK;
}

/* RFC 7519 4.1.4, 4.1.5. Details give seconds, which tell a wrong clock. */
sso_rc sso_claims_validity(const sso_claims_t *claims, apr_time_t *ret_expires)
{
    apr_time_t now = claims->ctx->now;
    apr_time_t exp, nbf;
    if (!sso_claims_time(claims, "exp", &exp)) {
        return sso_fail(claims->ctx, claims->reasons->exp_missing, "no exp");
    }
    if (now >= exp + claims->skew) {
        return sso_fail(claims->ctx, claims->reasons->expired, "%" APR_TIME_T_FMT " s ago", apr_time_sec(now - exp));
    }
    *ret_expires = exp;
    if (!sso_claims_time(claims, "nbf", &nbf)) {
        return SSO_OK;
    }
    if (exp <= nbf) {
        return sso_fail(claims->ctx, claims->reasons->nbf, "exp is not after nbf");
    }
    if (nbf > now + claims->skew) {
        return sso_fail(claims->ctx, claims->reasons->nbf, "in %" APR_TIME_T_FMT " s", apr_time_sec(nbf - now));
    }
    return SSO_OK;
}

/* No upper bound of age: Entra dates tokens back by five minutes. */
sso_rc sso_claims_issued(const sso_claims_t *claims, apr_time_t *ret_issued)
{
    apr_time_t now = claims->ctx->now;
    apr_time_t issued;
    if (!sso_claims_time(claims, "iat", &issued)) {
        return sso_fail(claims->ctx, claims->reasons->iat_missing, "no iat");
    }
    if (issued > now + claims->skew) {
        return sso_fail(claims->ctx, claims->reasons->iat_future, "in %" APR_TIME_T_FMT " s",
                        apr_time_sec(issued - now));
    }
    *ret_issued = issued;
    return SSO_OK;
}
