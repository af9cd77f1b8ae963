/* SPDX-License-Identifier: Apache-2.0 */
/* The ID token: one small function per rule, in a fixed order, each with its own reason; it never half-believes. What
 * it shares with access tokens is in entra/claims.c. */
#include "entra/idtoken.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/claims.h"

#define TENANT_PLACE "{tenantid}"

static const sso_claims_reasons_t REASONS = {
    .type = SSO_R_ID_TYPE,
    .iss_missing = SSO_R_ID_ISS_MISSING,
    .tid_missing = SSO_R_ID_TID_MISSING,
    .tid_format = SSO_R_ID_TID_FORMAT,
    .iss = SSO_R_ID_ISS,
    .tenant = SSO_R_ID_TENANT,
    .aud_missing = SSO_R_ID_AUD_MISSING,
    .aud = SSO_R_ID_AUD,
    .sub_missing = SSO_R_ID_SUB_MISSING,
    .oid_missing = SSO_R_ID_OID_MISSING,
    .oid_format = SSO_R_ID_OID_FORMAT,
    .exp_missing = SSO_R_ID_EXP_MISSING,
    .expired = SSO_R_ID_EXPIRED,
    .nbf = SSO_R_ID_NBF,
    .iat_missing = SSO_R_ID_IAT_MISSING,
    .iat_future = SSO_R_ID_IAT_FUTURE,
};

/* One check: what is judged, by what, and what was found so far. */
typedef struct {
    sso_claims_t claims;
    const char *issuer;
    const sso_idtoken_rules_t *rules;
    const char *tid; /* as the token spells it, since iss is compared byte for byte */
    sso_idtoken_t token;
} check_t;

static sso_rc types_check(check_t *check)
{
    static const char *const texts[] = {"iss", "sub", "oid", "tid", "ver", "nonce", "azp", "sid", "login_hint", NULL};
    return sso_claims_types(&check->claims, texts);
}

static sso_rc version_check(check_t *check)
{
    const char *ver = sso_claims_text(&check->claims, "ver");
    if (ver == NULL || strcmp(ver, "2.0") != 0) {
        return sso_fail(check->claims.ctx, SSO_R_ID_VER, "ver %s", sso_claims_printable(&check->claims, "ver"));
    }
    return SSO_OK;
}

/* Before the issuer, since the expected issuer is made from it. */
static sso_rc tenant_check(check_t *check)
{
    sso_rc rc = sso_claims_tenant(&check->claims, &check->tid);
    if (rc == SSO_OK) {
        check->token.tid = sso_claims_lower(check->claims.ctx->pool, check->tid);
    }
    return rc;
}

static sso_rc issuer_check(check_t *check)
{
    return sso_claims_issuer(&check->claims, check->issuer, check->tid, &check->token.iss);
}

static sso_rc allowed_tenant_check(check_t *check)
{
    const sso_idtoken_rules_t *rules = check->rules;
    return sso_claims_allowed_tenant(&check->claims, check->tid, rules->allowed_tenants, rules->any_tenant,
                                     strstr(check->issuer, TENANT_PLACE) != NULL);
}

static sso_rc audience_check(check_t *check)
{
    apr_array_header_t *ours = apr_array_make(check->claims.ctx->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(ours, const char *) = check->rules->client_id;
    return sso_claims_audience(&check->claims, ours);
}

/* Entra sends none; whoever does must mean us (OpenID Connect Core 3.1.3.7, 5). */
static sso_rc authorized_party_check(check_t *check)
{
    const char *azp = sso_json_get_text(check->claims.claims, "azp");
    if (azp != NULL && strcmp(azp, check->rules->client_id) != 0) {
        return sso_fail(check->claims.ctx, SSO_R_ID_AZP, "azp %s", sso_claims_printable(&check->claims, "azp"));
    }
    return SSO_OK;
}

static sso_rc subject_check(check_t *check)
{
    return sso_claims_subject(&check->claims, &check->token.sub);
}

static sso_rc object_check(check_t *check)
{
    return sso_claims_object(&check->claims, &check->token.oid);
}

static sso_rc validity_check(check_t *check)
{
    apr_time_t expires;
    return sso_claims_validity(&check->claims, &expires);
}

static sso_rc issued_check(check_t *check)
{
    return sso_claims_issued(&check->claims, &check->token.issued);
}

/* SECURITY: ties the token to the sign-in that this browser began (OpenID Connect Core 3.1.3.7, 11). */
static sso_rc nonce_check(check_t *check)
{
    if (check->rules->nonce == NULL) {
        return SSO_OK;
    }
    const char *nonce = sso_claims_text(&check->claims, "nonce");
    if (nonce == NULL) {
        return sso_fail(check->claims.ctx, SSO_R_ID_NONCE_MISSING, "no nonce");
    }
    if (!sso_secret_equal(nonce, check->rules->nonce)) {
        return sso_fail(check->claims.ctx, SSO_R_ID_NONCE, "another nonce");
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
    check_t check = {
        .claims = {.ctx = ctx, .claims = claims, .reasons = &REASONS, .skew = rules->skew},
        .issuer = issuer,
        .rules = rules,
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        sso_rc rc = steps[i](&check);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    /* Absent leaves 0. */
    (void)sso_claims_time(&check.claims, "auth_time", &check.token.auth_time);
    check.token.sid = apr_pstrdup(ctx->pool, sso_claims_text(&check.claims, "sid"));
    check.token.login_hint = apr_pstrdup(ctx->pool, sso_claims_text(&check.claims, "login_hint"));
    check.token.claims = claims;
    *ret_token = check.token;
    return SSO_OK;
}

sso_rc sso_idtoken_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_idtoken_rules_t *rules, const char *text,
                        sso_idtoken_t *ret_token)
{
    const sso_authority_view_t *view;
    const sso_key_t *key;
    const sso_json_t *claims;
    sso_idtoken_t token;
    sso_rc rc = sso_claims_open(ctx, authority, text, &view, &key, &claims);
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
