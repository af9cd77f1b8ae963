/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the authorization-code flow (RFC 6749 4.1, RFC 7636, OpenID Connect Core 3.1): authorize and logout
 * URLs, what comes back at the callback, the token request. */
#pragma once

#include <apr_tables.h>

#include "entra/authority.h"
#include "entra/credential.h"

#define SSO_PKCE_BYTES 32

typedef struct {
    const char *client_id;
    const char *redirect_uri;
    const char *scope;
    const char *state;
    const char *nonce;
    const char *code_verifier; /* its S256 challenge goes out */
    const char *prompt;        /* the rest NULL when not wanted */
    const char *login_hint;
    const char *domain_hint;
    const char *claims;
    const char *max_age;        /* seconds */
    const char *correlation_id; /* client-request-id */
} sso_authorize_t;

/* The URL to send the browser to. */
const char *sso_authorize_url(apr_pool_t *pool, const sso_metadata_t *metadata, const sso_authorize_t *request);

/* end_session_endpoint with post_logout_redirect_uri and, when not NULL, logout_hint. NULL when the authority has none.
 */
const char *sso_logout_url(apr_pool_t *pool, const sso_metadata_t *metadata, const char *post_logout_redirect_uri,
                           const char *logout_hint);

/* What the callback was given (RFC 6749 4.1.2). Exactly one of code and error is set. */
typedef struct {
    const char *state;
    const char *code;
    const char *error;
    const char *error_description;
    const char *session_state;
} sso_callback_t;
/* Parses the callback's raw query. Every parameter at most once. Errors: SSO_R_QUERY_*, SSO_R_STATE_MISSING,
 * SSO_R_CALLBACK_CODE. */
sso_rc sso_callback_parse(sso_ctx_t *ctx, const char *query, sso_callback_t *ret_callback) SSO_MUST_USE;

/* Turns an authorize error into a reason: by the value of `error`, the AADSTS number only noted for people. Always a
 * failure: SSO_R_AUTHORIZE_*. */
sso_rc sso_callback_error(sso_ctx_t *ctx, const sso_callback_t *callback);

typedef struct {
    const char *client_id;
    sso_credential_t *credential;
    const char *redirect_uri;
    const char *scope;
    const char *code;
    const char *code_verifier;
    const char *claims; /* as in the authorize request, NULL for none */
    const char *correlation_id;
} sso_redeem_t;

typedef struct {
    const char *id_token;      /* NULL when absent: after sso_refresh_fetch alone */
    const char *access_token;  /* NULL when absent */
    const char *refresh_token; /* NULL when absent */
    int64_t expires_in_s;
    apr_time_t issued; /* by the clock of who gave them; 0 when the answer had no Date */
} sso_tokens_t;

typedef struct {
    const char *client_id;
    sso_credential_t *credential;
    const char *scope;
    const char *refresh_token;
    const char *claims; /* a claims request, or the claims of a challenge; NULL for none */
    const char *correlation_id;
} sso_refresh_t;

/* Redeems a refresh token (RFC 6749 6). Entra gives a new one with each use and does not end the old one at once.
 * Errors and ownership as sso_code_redeem; SSO_R_TOKEN_GRANT is Entra's no to this user. */
sso_rc sso_refresh_redeem(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                          const sso_refresh_t *request, sso_tokens_t *ret_tokens) SSO_MUST_USE;

/* The same for the access token of another resource: the scope names that one alone, and no ID token has to come. */
sso_rc sso_refresh_fetch(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                         const sso_refresh_t *request, sso_tokens_t *ret_tokens) SSO_MUST_USE;

/* Redeems the code once, without a second try unless Entra does not know a renewed certificate yet. Errors:
 * SSO_R_TOKEN_* (by `error`, never by number), those of the credential and of HTTP. The tokens live in ctx->pool and
 * are wiped with it. */
sso_rc sso_code_redeem(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                       const sso_redeem_t *request, sso_tokens_t *ret_tokens) SSO_MUST_USE;

typedef struct {
    const char *client_id;
    sso_credential_t *credential;
    const char *scope; /* "<resource>/.default" */
} sso_app_request_t;

/* A token of the application itself, for its own work (RFC 6749 4.4): *ret_tokens has an access token and neither of
 * the others. Errors and ownership as sso_code_redeem. */
sso_rc sso_app_token(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                     const sso_app_request_t *request, sso_tokens_t *ret_tokens) SSO_MUST_USE;
