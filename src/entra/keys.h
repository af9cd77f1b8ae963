/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed key set (JWKS, RFC 7517): immutable, built once per fetched document, never per token. */
#pragma once

#include "base/result.h"
#include "entra/jwt.h"

typedef struct {
    const char *kid;
    const char *issuer; /* the key's own issuer, may hold "{tenantid}"; NULL when the document names none */
    const sso_jwk_t *jwk;
} sso_key_t;

typedef struct {
    const sso_key_t *keys;
    int count;
} sso_keyset_t;

/* Parses a JWKS document into pool. Entries that are no RSA signature key (kty, use, key size) are left out with a
 * debug line, as is every entry of a kid that stands twice; more than SSO_MAX_KEYS entries, or no usable one, is an
 * error: SSO_R_KEYS_FORMAT, SSO_R_KEYS_NONE. */
sso_rc sso_keys_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len,
                      const sso_keyset_t **ret_keys) SSO_MUST_USE;

/* Exact, case-sensitive. NULL when absent. */
const sso_key_t *sso_keys_find(const sso_keyset_t *keys, const char *kid);

/* The key's issuer rule (Entra: the JWK's "issuer", with {tenantid} replaced by tid, must equal iss). required: the key
 * must name one. Errors: SSO_R_JWT_KEY_ISSUER, SSO_R_JWT_KEY_ISSUER_MISSING. */
sso_rc sso_key_issuer_check(sso_ctx_t *ctx, const sso_key_t *key, const char *iss, const char *tid,
                            bool required) SSO_MUST_USE;

/* text with every "{tenantid}" replaced by tid. */
const char *sso_issuer_expand(apr_pool_t *pool, const char *text, const char *tid);
