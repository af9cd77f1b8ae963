/* SPDX-License-Identifier: Apache-2.0 */
/* How Entra's provisioning service says who it is: the token that scim/token gives, in the Authorization header and
 * behind its seal, and the claims of the assertion that is sent there. Invariants: no header opens anything by itself;
 * what is taken is of our service and lives. */
#include "directory/federated.h"

#include "entra/serviceassertion.h"
#include "site.h"

static void token(sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    const sso_federated_t federated = {fuzz_ring(), fuzz_site()->session.binding, FUZZ_OID};
    const char *sealed;
    const char *read = sso_federated_read(fuzz_text(ctx, data, len));
    fuzz_check(read == NULL || sso_federated_check(ctx, &federated, read) != SSO_OK);
    sso_fault_clear(ctx);
    fuzz_check(sso_seal(ctx, federated.keyring, SSO_PURPOSE_SCIM, federated.binding, data, len, &sealed) == SSO_OK);
    const char *header = apr_pstrcat(ctx->pool, "bearer  ", SSO_FEDERATED_MARK, sealed, NULL);
    read = sso_federated_read(header);
    fuzz_check(read != NULL);
    if (sso_federated_check(ctx, &federated, read) == SSO_OK) {
        const sso_federated_t other = {federated.keyring, federated.binding, FUZZ_TENANT};
        fuzz_check(len >= 9 && memmem(data, len, FUZZ_OID, strlen(FUZZ_OID)) != NULL);
        fuzz_check(sso_federated_check(ctx, &other, read) == SSO_R_SCIM_TOKEN_UNKNOWN);
    }
    sso_fault_clear(ctx);
}

static void assertion(sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    const sso_json_t *claims;
    apr_time_t expires = 0;
    apr_array_header_t *audiences = apr_array_make(ctx->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(audiences, const char *) = FUZZ_ORIGIN;
    const sso_serviceassertion_rules_t rules = {
        .subject = FUZZ_OID, .audiences = audiences, .skew = apr_time_from_sec(60)};
    if (sso_json_parse(ctx, ctx->pool, (const char *)data, len, SSO_MAX_JWT, &claims) != SSO_OK ||
        sso_serviceassertion_check(ctx, FUZZ_ISSUER, &rules, claims, &expires) != SSO_OK) {
        return;
    }
    const char *sub = sso_json_get_text(claims, "sub");
    fuzz_check(strcasecmp(sub, FUZZ_OID) == 0);
    fuzz_check(strcasecmp(sso_json_get_text(claims, "iss"), FUZZ_ISSUER) == 0);
    fuzz_check(strcasecmp(sso_json_get_text(claims, "tid"), FUZZ_TENANT) == 0);
    fuzz_check(expires > ctx->now - apr_time_from_sec(60));
}

FUZZ_TARGET(federated)
{
    if (fuzz_choice(&data, &len, 2) == 0) {
        token(ctx, data, len);
    } else {
        assertion(ctx, data, len);
    }
}
