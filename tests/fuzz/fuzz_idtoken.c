/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of ID tokens and access tokens, and what a session keeps of them. Invariants: what is accepted is for us, of
 * our issuer and tenant, lives, and has our nonce; what is kept packs into a record that unpacks. */
#include "entra/idtoken.h"

#include "entra/accesstoken.h"
#include "entra/claims.h"
#include "fuzz.h"
#include "session/identity.h"

static apr_array_header_t *texts(sso_ctx_t *ctx, const char *first, const char *second)
{
    apr_array_header_t *list = apr_array_make(ctx->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(list, const char *) = first;
    APR_ARRAY_PUSH(list, const char *) = second;
    return list;
}

/* The same rules once more, written another way. */
static void judge(sso_ctx_t *ctx, const sso_json_t *claims, bool any_tenant)
{
    int64_t exp = 0;
    const char *tid = sso_json_get_text(claims, "tid");
    const char *aud = sso_json_get_text(claims, "aud");
    fuzz_check(aud != NULL && strcmp(aud, FUZZ_CLIENT) == 0);
    fuzz_check(sso_is_guid(tid) && sso_is_guid(sso_json_get_text(claims, "oid")));
    fuzz_check(any_tenant || apr_strnatcasecmp(tid, FUZZ_TENANT) == 0);
    /* A GUID is the same in capitals. */
    const char *iss = sso_claims_lower(ctx->pool, sso_json_get_text(claims, "iss"));
    fuzz_check(strstr(iss, sso_claims_lower(ctx->pool, tid)) != NULL);
    fuzz_check(sso_json_integer(sso_json_get(claims, "exp"), &exp) && exp > FUZZ_NOW_S - 60);
}

static void keep(sso_ctx_t *ctx, const sso_idtoken_t *token)
{
    const unsigned char *packed;
    apr_size_t packed_len;
    sso_record_t record;
    sso_record_t again;
    memset(&record, 0, sizeof(record));
    record.created = record.seen = record.revalidated = ctx->now;
    record.ends = ctx->now + SSO_SESSION_CAP;
    if (sso_identity_fill(ctx, token, texts(ctx, "department", "address.country"), &record) != SSO_OK ||
        sso_identity_fill_acrs(ctx, token, texts(ctx, "c1", "c2"), &record) != SSO_OK ||
        sso_record_pack(ctx, &record, SSO_MAX_SEALED, &packed, &packed_len) != SSO_OK) {
        return;
    }
    fuzz_check(!sso_has_control(record.username) && !sso_has_control(record.name) && !sso_has_control(record.email));
    fuzz_check(strcmp(record.oid, token->oid) == 0 && strcmp(record.tid, token->tid) == 0);
    fuzz_check(sso_record_unpack(ctx, packed, packed_len, &again) == SSO_OK);
    fuzz_check(strcmp(again.username, record.username) == 0 && again.roles.count == record.roles.count);
}

static void access_token(sso_ctx_t *ctx, const sso_json_t *claims)
{
    sso_accesstoken_t token;
    const sso_accesstoken_rules_t rules = {.audiences = texts(ctx, FUZZ_CLIENT, "api://" FUZZ_CLIENT),
                                           .v1_issuer = "https://sts.example.com/{tenantid}/",
                                           .skew = apr_time_from_sec(60)};
    sso_fault_clear(ctx);
    if (sso_accesstoken_check(ctx, FUZZ_ISSUER, &rules, claims, &token) == SSO_OK) {
        fuzz_check(apr_strnatcasecmp(token.identity.tid, FUZZ_TENANT) == 0 && token.client != NULL);
        keep(ctx, &token.identity);
    }
}

FUZZ_TARGET(idtoken)
{
    const sso_json_t *claims;
    sso_idtoken_t token;
    bool any = fuzz_choice(&data, &len, 2) == 1;
    const sso_idtoken_rules_t rules = {
        .client_id = FUZZ_CLIENT, .any_tenant = any, .skew = apr_time_from_sec(60), .nonce = FUZZ_NONCE};
    const char *issuer = any ? FUZZ_LOGIN "/{tenantid}/v2.0" : FUZZ_ISSUER;
    if (sso_json_parse(ctx, ctx->pool, (const char *)data, len, SSO_MAX_JWT, &claims) != SSO_OK) {
        return;
    }
    if (sso_idtoken_check(ctx, issuer, &rules, claims, &token) == SSO_OK) {
        judge(ctx, claims, any);
        fuzz_check(strcmp(sso_json_get_text(claims, "nonce"), FUZZ_NONCE) == 0);
        keep(ctx, &token);
    }
    access_token(ctx, claims);
}
