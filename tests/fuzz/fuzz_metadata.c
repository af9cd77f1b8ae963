/* SPDX-License-Identifier: Apache-2.0 */
/* A discovery document. Invariant: every address that is believed is of the authority's host, and fit to be called. */
#include "base/url.h"
#include "entra/authority.h"

#include "fuzz.h"

FUZZ_TARGET(metadata)
{
    static const char *const tenants[] = {FUZZ_TENANT, "contoso.example", "organizations", "consumers"};
    const sso_metadata_t *metadata;
    const sso_authority_config_t config = {.login_url = FUZZ_LOGIN, .tenant = tenants[fuzz_choice(&data, &len, 4)]};
    if (sso_metadata_parse(ctx, ctx->pool, &config, (const char *)data, len, &metadata) != SSO_OK) {
        return;
    }
    const char *const urls[] = {metadata->issuer, metadata->authorization_endpoint, metadata->token_endpoint,
                                metadata->jwks_uri, metadata->end_session_endpoint};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        fuzz_check(urls[i] != NULL || i == 4);
        if (urls[i] != NULL && i > 0) {
            fuzz_check(sso_url_same_origin(ctx->pool, urls[i], FUZZ_LOGIN));
            const char *plain = apr_pstrndup(ctx->pool, urls[i], strcspn(urls[i], "?"));
            fuzz_check(sso_url_check_outbound(ctx->pool, plain, true) == NULL);
            fuzz_check(!sso_has_control(urls[i]));
        }
    }
    fuzz_check(strncmp(metadata->issuer, FUZZ_LOGIN "/", strlen(FUZZ_LOGIN) + 1) == 0);
}
