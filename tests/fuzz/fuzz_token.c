/* SPDX-License-Identifier: Apache-2.0 */
/* What the token endpoint answers, good or bad; and the machine's identity service. Invariants: a sign-in has an ID
 * token, an application an access token, or there is a reason. */
#include <stdlib.h>

#include "entra/oauth.h"

#include "fuzz.h"

static const sso_http_policy_t policy = {.total_timeout = APR_USEC_PER_SEC};

static void identity_service(sso_ctx_t *ctx, fuzz_http_t *http)
{
    const sso_managed_config_t config = {.audience = "api://AzureADTokenExchange"};
    const char *token;
    sso_managed_t *managed = sso_managed_make(ctx->pool, &config);
    /* What passes by itself is asked again, after a pause. */
    http->status = http->status == 200 ? 200 : 400;
    if (sso_managed_token(ctx, managed, &http->face, &policy, &token) == SSO_OK) {
        fuzz_check(sso_assertion_is_plausible(token));
    }
}

FUZZ_TARGET(token)
{
    fuzz_http_t http;
    sso_tokens_t tokens = {.expires_in_s = 0};
    unsigned call = fuzz_choice(&data, &len, 4);
    const sso_authority_config_t config = {.login_url = FUZZ_LOGIN, .tenant = FUZZ_TENANT, .policy = &policy};
    const sso_metadata_t metadata = {.issuer = FUZZ_ISSUER, .token_endpoint = FUZZ_LOGIN "/token"};
    fuzz_http_init(&http, ctx, data, len);
    sso_authority_t *authority =
        sso_authority_make(ctx->pool, &config, apr_pcalloc(ctx->pool, sso_authority_shared_size()), &http.face);
    sso_credential_t *credential = sso_credential_secret(ctx->pool, "secret");
    sso_rc rc = SSO_OK;
    if (call == 0) {
        const sso_redeem_t request = {
            .client_id = FUZZ_CLIENT, .credential = credential, .code = "code", .scope = "openid"};
        rc = sso_code_redeem(ctx, authority, &metadata, &request, &tokens);
        fuzz_check(rc != SSO_OK || tokens.id_token != NULL);
    } else if (call == 1) {
        const sso_refresh_t request = {.client_id = FUZZ_CLIENT, .credential = credential, .refresh_token = "token"};
        rc = sso_refresh_redeem(ctx, authority, &metadata, &request, &tokens);
        fuzz_check(rc != SSO_OK || tokens.id_token != NULL);
    } else if (call == 2) {
        const sso_app_request_t request = {.client_id = FUZZ_CLIENT, .credential = credential, .scope = "x/.default"};
        rc = sso_app_token(ctx, authority, &metadata, &request, &tokens);
        fuzz_check(rc != SSO_OK || (tokens.access_token != NULL && tokens.id_token == NULL));
    } else {
        identity_service(ctx, &http);
    }
    fuzz_check(rc == SSO_OK || ctx->fault.rc == rc);
    fuzz_check(call == 3 || http.status == 200 || rc != SSO_OK);
}
