/* SPDX-License-Identifier: Apache-2.0 */
/* The access token: one small function per rule, in a fixed order. What it shares with ID tokens is in entra/claims.c;
 * what keeps the two apart is here. */
#include "entra/accesstoken.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/claims.h"

#define TENANT_PLACE "{tenantid}"

static const sso_claims_reasons_t REASONS = {
    .type = SSO_R_ACCESS_TYPE,
    .iss_missing = SSO_R_ACCESS_ISS_MISSING,
    .tid_missing = SSO_R_ACCESS_TID_MISSING,
    .tid_format = SSO_R_ACCESS_TID_FORMAT,
    .iss = SSO_R_ACCESS_ISS,
    .tenant = SSO_R_ACCESS_TENANT,
    .aud_missing = SSO_R_ACCESS_AUD_MISSING,
    .aud = SSO_R_ACCESS_AUD,
    .sub_missing = SSO_R_ACCESS_SUB_MISSING,
    .oid_missing = SSO_R_ACCESS_OID_MISSING,
    .oid_format = SSO_R_ACCESS_OID_FORMAT,
    .exp_missing = SSO_R_ACCESS_EXP_MISSING,
    .expired = SSO_R_ACCESS_EXPIRED,
    .nbf = SSO_R_ACCESS_NBF,
    .iat_missing = SSO_R_ACCESS_IAT_MISSING,
    .iat_future = SSO_R_ACCESS_IAT_FUTURE,
};

typedef struct {
    sso_claims_t claims;
    const char *issuer; /* of version 2.0 */
    const sso_accesstoken_rules_t *rules;
    bool first_version;
    const char *tid; /* as the token spells it */
    sso_accesstoken_t token;
} check_t;

static bool is_of_several(const check_t *check)
{
    return strstr(check->issuer, TENANT_PLACE) != NULL;
}

static sso_rc types_check(check_t *check)
{
    static const char *const texts[] = {"iss",   "sub", "oid",        "tid", "ver",   "azp",
                                        "appid", "sid", "login_hint", "scp", "idtyp", NULL};
    return sso_claims_types(&check->claims, texts);
}

/* Which issuer and which name of the client count follows from it (Microsoft: validate a token by the rules of its own
 * version). */
static sso_rc version_check(check_t *check)
{
    const char *ver = sso_claims_text(&check->claims, "ver");
    check->first_version = ver != NULL && strcmp(ver, "1.0") == 0;
    if (!check->first_version && (ver == NULL || strcmp(ver, "2.0") != 0)) {
        return sso_fail(check->claims.ctx, SSO_R_ACCESS_VER, "ver %s", sso_claims_printable(&check->claims, "ver"));
    }
    return SSO_OK;
}

static sso_rc tenant_check(check_t *check)
{
    sso_rc rc = sso_claims_tenant(&check->claims, &check->tid);
    if (rc == SSO_OK) {
        check->token.identity.tid = sso_claims_lower(check->claims.ctx->pool, check->tid);
    }
    return rc;
}

/* SECURITY: the issuer of version 1.0 is one for all tenants of a cloud. A single-tenant application takes it of its
 * own tenant alone, which it knows by the issuer of version 2.0. */
static sso_rc issuer_check(check_t *check)
{
    apr_pool_t *pool = check->claims.ctx->pool;
    const char *issuer = check->first_version ? check->rules->v1_issuer : check->issuer;
    const char *segment = apr_pstrcat(pool, "/", check->token.identity.tid, "/", NULL);
    sso_rc rc = sso_claims_issuer(&check->claims, issuer, check->tid, &check->token.identity.iss);
    if (rc == SSO_OK && !is_of_several(check) && strstr(sso_claims_lower(pool, check->issuer), segment) == NULL) {
        rc = sso_fail(check->claims.ctx, SSO_R_ACCESS_ISS, "tid %s is not of %s", check->tid, check->issuer);
    }
    return rc;
}

static sso_rc allowed_tenant_check(check_t *check)
{
    const sso_accesstoken_rules_t *rules = check->rules;
    return sso_claims_allowed_tenant(&check->claims, check->tid, rules->allowed_tenants, rules->any_tenant,
                                     is_of_several(check));
}

static sso_rc audience_check(check_t *check)
{
    return sso_claims_audience(&check->claims, check->rules->audiences);
}

static sso_rc subject_check(check_t *check)
{
    return sso_claims_subject(&check->claims, &check->token.identity.sub);
}

static sso_rc object_check(check_t *check)
{
    return sso_claims_object(&check->claims, &check->token.identity.oid);
}

static sso_rc validity_check(check_t *check)
{
    return sso_claims_validity(&check->claims, &check->token.expires);
}

static sso_rc issued_check(check_t *check)
{
    return sso_claims_issued(&check->claims, &check->token.identity.issued);
}

/* SECURITY: an ID token is of the same issuer, the same keys and, where the site and its API share a registration, of
 * the same audience. It has a nonce or a hash, which no access token has, and it does not say which client asked for
 * it. */
static sso_rc client_check(check_t *check)
{
    static const char *const others[] = {"nonce", "at_hash", "c_hash"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sso_json_get(check->claims.claims, others[i]) != NULL) {
            return sso_fail(check->claims.ctx, SSO_R_ACCESS_KIND, "it has %s, as ID tokens do", others[i]);
        }
    }
    const char *name = check->first_version ? "appid" : "azp";
    const char *client = sso_claims_text(&check->claims, name);
    if (client == NULL || !sso_is_guid(client)) {
        return sso_fail(check->claims.ctx, SSO_R_ACCESS_CLIENT, "%s %s", name,
                        sso_claims_printable(&check->claims, name));
    }
    check->token.client = sso_claims_lower(check->claims.ctx->pool, client);
    return SSO_OK;
}

/* scp holds more than blanks. */
static bool has_scopes(const check_t *check)
{
    const char *scp = sso_claims_text(&check->claims, "scp");
    return scp != NULL && scp[strspn(scp, " ")] != '\0';
}

/* SECURITY: Entra gives out tokens of any tenant's application for any API that exists there; only scopes or roles say
 * that somebody granted something (access-token-claims-reference). A user's token has scopes; one of an application
 * alone has roles, and idtyp, or its own object as its subject. What is neither is nobody's. */
static sso_rc grant_check(check_t *check)
{
    const char *idtyp = sso_claims_text(&check->claims, "idtyp");
    const sso_idtoken_t *identity = &check->token.identity;
    bool scopes = has_scopes(check);
    bool roles = sso_json_size(sso_json_get(check->claims.claims, "roles")) > 0;
    check->token.app_only =
        (idtyp != NULL && strcmp(idtyp, "app") == 0) || strcasecmp(identity->sub, identity->oid) == 0;
    if (check->token.app_only ? !roles : !scopes && !roles) {
        return sso_fail(check->claims.ctx, SSO_R_ACCESS_GRANT, "%s", check->token.app_only ? "no roles" : "no scp");
    }
    if (!check->token.app_only && !scopes) {
        return sso_fail(check->claims.ctx, SSO_R_ACCESS_KIND, "it has roles, but is neither a user's nor an app's");
    }
    return SSO_OK;
}

sso_rc sso_accesstoken_check(sso_ctx_t *ctx, const char *issuer, const sso_accesstoken_rules_t *rules,
                             const sso_json_t *claims, sso_accesstoken_t *ret_token)
{
    static sso_rc (*const steps[])(check_t *) = {
        types_check,   version_check, tenant_check,   issuer_check, allowed_tenant_check, audience_check,
        subject_check, object_check,  validity_check, issued_check, client_check,         grant_check,
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
    sso_idtoken_t *identity = &check.token.identity;
    /* Absent leaves 0. */
    (void)sso_claims_time(&check.claims, "auth_time", &identity->auth_time);
    identity->sid = apr_pstrdup(ctx->pool, sso_claims_text(&check.claims, "sid"));
    identity->login_hint = apr_pstrdup(ctx->pool, sso_claims_text(&check.claims, "login_hint"));
    identity->claims = claims;
    *ret_token = check.token;
    return SSO_OK;
}

sso_rc sso_accesstoken_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_accesstoken_rules_t *rules,
                            const char *text, sso_accesstoken_t *ret_token, uint32_t *ret_generation)
{
    const sso_authority_view_t *view;
    const sso_key_t *key;
    const sso_json_t *claims;
    sso_accesstoken_t token;
    sso_rc rc = sso_claims_open(ctx, authority, text, &view, &key, &claims);
    if (rc == SSO_OK) {
        rc = sso_accesstoken_check(ctx, view->metadata->issuer, rules, claims, &token);
    }
    if (rc == SSO_OK) {
        /* Keys name the issuer of version 2.0 also where they sign tokens of 1.0, so it is the tenant's that must fit.
         */
        const char *tid = sso_json_get_text(claims, "tid");
        bool several = sso_tenant_is_several(sso_authority_config(authority)->tenant);
        const char *issuer = sso_issuer_expand(ctx->pool, view->metadata->issuer, tid);
        rc = sso_key_issuer_check(ctx, key, issuer, tid, several);
    }
    if (rc == SSO_OK) {
        *ret_token = token;
        *ret_generation = view->generation;
    }
    return rc;
}
