/* SPDX-License-Identifier: Apache-2.0 */
/* The rules are those of all tokens of Entra (entra/claims.c); what is its own is the subject. */
#include "entra/serviceassertion.h"

#include <string.h>

#include "base/bytes.h"
#include "entra/claims.h"

/* Whoever sends such an assertion learns one thing: it is not good. The detail is for the log. */
#define REASON SSO_R_FEDERATED_ASSERTION
static const sso_claims_reasons_t REASONS = {
    .type = REASON,
    .iss_missing = REASON,
    .tid_missing = REASON,
    .tid_format = REASON,
    .iss = REASON,
    .tenant = REASON,
    .aud_missing = REASON,
    .aud = REASON,
    .sub_missing = REASON,
    .oid_missing = REASON,
    .oid_format = REASON,
    .exp_missing = REASON,
    .expired = REASON,
    .nbf = REASON,
    .iat_missing = REASON,
    .iat_future = REASON,
};

/* SECURITY: every application of the tenant can have an assertion of this issuer; the subject is what tells the
 * provisioning service from all others. */
static sso_rc check_subject(const sso_claims_t *claims, const char *subject)
{
    const char *sub;
    sso_rc rc = sso_claims_subject(claims, &sub);
    if (rc == SSO_OK && strcmp(sso_claims_lower(claims->ctx->pool, sub), subject) != 0) {
        rc = sso_fail(claims->ctx, SSO_R_FEDERATED_SUBJECT, "sub %s, expected %s", sso_claims_printable(claims, "sub"),
                      subject);
    }
    return rc;
}

sso_rc sso_serviceassertion_check(sso_ctx_t *ctx, const char *issuer, const sso_serviceassertion_rules_t *rules,
                                  const sso_json_t *json, apr_time_t *ret_expires)
{
    static const char *const texts[] = {"iss", "sub", "oid", "tid", NULL};
    const sso_claims_t claims = {.ctx = ctx, .claims = json, .reasons = &REASONS, .skew = rules->skew};
    const char *tid = NULL;
    const char *iss;
    apr_time_t issued;
    sso_rc rc = sso_claims_types(&claims, texts);
    if (rc == SSO_OK) {
        rc = sso_claims_tenant(&claims, &tid);
    }
    if (rc == SSO_OK) {
        rc = sso_claims_issuer(&claims, issuer, tid, &iss);
    }
    if (rc == SSO_OK) {
        rc = sso_claims_audience(&claims, rules->audiences);
    }
    if (rc == SSO_OK) {
        rc = sso_claims_validity(&claims, ret_expires);
    }
    if (rc == SSO_OK) {
        rc = sso_claims_issued(&claims, &issued);
    }
    return rc == SSO_OK ? check_subject(&claims, rules->subject) : rc;
}

/* Here the client brought what cannot be believed; for a sign-in it would be Entra's fault. */
static sso_rc clients_fault(sso_ctx_t *ctx, sso_rc rc)
{
    const sso_reason_t *reason = sso_reason(rc);
    if (reason->status == 401 || reason->status == 503) {
        return rc;
    }
    const char *detail = ctx->fault.detail == NULL ? "no detail" : ctx->fault.detail;
    sso_fault_clear(ctx);
    return sso_fail(ctx, REASON, "%s: %s", reason->sentence, detail);
}

sso_rc sso_serviceassertion_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_serviceassertion_rules_t *rules,
                                 const char *text, apr_time_t *ret_expires)
{
    const sso_authority_view_t *view;
    const sso_key_t *key;
    const sso_json_t *claims;
    apr_time_t expires;
    sso_rc rc = sso_claims_open(ctx, authority, text, &view, &key, &claims);
    if (rc == SSO_OK) {
        rc = sso_serviceassertion_check(ctx, view->metadata->issuer, rules, claims, &expires);
    }
    if (rc == SSO_OK) {
        const char *tid = sso_json_get_text(claims, "tid");
        bool several = sso_tenant_is_several(sso_authority_config(authority)->tenant);
        rc = sso_key_issuer_check(ctx, key, sso_json_get_text(claims, "iss"), tid, several);
    }
    if (rc != SSO_OK) {
        return clients_fault(ctx, rc);
    }
    *ret_expires = expires;
    return SSO_OK;
}
