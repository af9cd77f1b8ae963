/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that bring an access token: from the Authorization header to the record that rules are asked of. */
#pragma once

#include "base/memo.h"
#include "flow/flow.h"

/* The audiences of one EntraBearer line. Immutable. */
typedef struct {
    const apr_array_header_t *items; /* const char *: client ids in small letters, api:// URIs */
    unsigned char digest[SSO_SHA256_BYTES];
} sso_audiences_t;

/* NULL when the words (const char *) are audiences of an API, else what is wrong, for the administrator. */
const char *sso_audiences_make(apr_pool_t *pool, const apr_array_header_t *words,
                               const sso_audiences_t **ret_audiences);

/* Whose token it is. */
typedef struct {
    sso_record_t record; /* as of a session that ends with the token */
    const char *client;  /* the application that asked for the token */
    bool app_only;       /* there is no user: REMOTE_USER is "app:" and the client */
    bool groups_unknown; /* the token does not tell all groups */
} sso_bearer_t;

/* The token of an Authorization header; NULL for other schemes and none. SSO_R_BEARER_FORMAT when a bearer token is
 * named in any way but one token alone: two headers, say, which arrive here joined. */
sso_rc sso_bearer_token(sso_ctx_t *ctx, const char *authorization, const char **ret_token) SSO_MUST_USE;

/* Checks a token, or remembers that this process has: until it expires, for an hour at most, and only while Entra's
 * keys are those that it was checked with. Errors: SSO_R_ACCESS_*, SSO_R_BEARER_TOKEN (401), and with 503 what keeps
 * the keys from being known. */
sso_rc sso_bearer_open(sso_ctx_t *ctx, const sso_site_t *site, const sso_audiences_t *audiences, const char *token,
                       sso_bearer_t *ret_bearer) SSO_MUST_USE;
