/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that redeems the code of a sign-in. */
#include "flow/exchange.h"

#include <apr_strings.h>

#include "base/bytes.h"
#include "flow/directory.h"
#include "flow/groups.h"
#include "flow/probe.h"
#include "flow/stepup.h"
#include "session/identity.h"

/* Entra's name of the browser session, when the token has no sid (an optional claim): session_state is the same GUID.
 * It comes through the browser, which by a wrong one could only end its own session. */
static const char *sid_of(sso_ctx_t *ctx, const sso_callback_t *callback)
{
    bool good = callback->session_state != NULL && sso_is_guid(callback->session_state);
    return good ? apr_pstrdup(ctx->pool, callback->session_state) : "";
}

/* The ID token, believed. */
static sso_rc get_token(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state,
                        const sso_callback_t *callback, sso_exchange_t *exchange)
{
    const sso_authority_view_t *view;
    sso_redeem_t request = {
        .client_id = site->client_id,
        .credential = site->credential,
        .redirect_uri = site->redirect_uri,
        .scope = site->scope,
        .code = callback->code,
        .code_verifier = sso_state_verifier(ctx->pool, state),
        .correlation_id = exchange->correlation_id,
    };
    sso_idtoken_rules_t rules = {
        .client_id = site->client_id,
        .allowed_tenants = site->allowed_tenants,
        .any_tenant = site->any_tenant,
        .skew = site->skew,
        .nonce = sso_state_nonce(ctx->pool, state),
    };
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc == SSO_OK) {
        rc = sso_probe_claims(ctx, site, NULL, NULL, &request.claims);
    }
    if (rc == SSO_OK) {
        rc = sso_code_redeem(ctx, site->authority, view->metadata, &request, &exchange->tokens);
    }
    if (rc == SSO_OK) {
        rc = sso_idtoken_open(ctx, site->authority, &rules, exchange->tokens.id_token, &exchange->token);
    }
    return rc;
}

sso_rc sso_exchange(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, const sso_callback_t *callback,
                    sso_exchange_t *exchange, sso_record_t *record)
{
    const sso_idtoken_t *token = &exchange->token;
    sso_rc rc = get_token(ctx, site, state, callback, exchange);
    if (rc == SSO_OK) {
        rc = sso_identity_fill(ctx, token, site->claims, record);
    }
    if (rc == SSO_OK && *record->sid == '\0') {
        record->sid = sid_of(ctx, callback);
    }
    if (rc == SSO_OK) {
        rc = sso_identity_fill_acrs(ctx, token, site->acrs, record);
    }
    if (rc == SSO_OK) {
        rc = sso_wishes_check(ctx, site, &state->wishes, exchange->present, record);
    }
    if (rc == SSO_OK) {
        rc = sso_groups_fill(ctx, site, token, exchange->tokens.access_token, record);
    }
    if (rc == SSO_OK) {
        rc = sso_directory_fill(ctx, site, record);
    }
    return rc;
}
