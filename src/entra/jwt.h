/* SPDX-License-Identifier: Apache-2.0 */
/* Compact JWS (RFC 7515): parse, verify RS256, sign assertions. The only file that knows cjose. */
#pragma once

#include "base/crypto.h"
#include "base/json.h"
#include "base/result.h"

/* A public RSA key, parsed. Lives in the pool it was made in. Verifying with it is safe for all threads. */
typedef struct sso_jwk_t sso_jwk_t;

/* Makes a key from base64url modulus and exponent. SSO_R_JWT_KEY_WEAK outside SSO_RSA_MIN_BITS..SSO_RSA_MAX_BITS or
 * when the numbers are none. */
sso_rc sso_jwk_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *n, const char *e,
                    const sso_jwk_t **ret_jwk) SSO_MUST_USE;

/* A token whose header was read and allowed, but whose signature was not yet checked: nothing of its claims can be
 * reached. */
typedef struct {
    const char *text;
    apr_size_t len;
    const char *kid;
} sso_jwt_t;

/* Reads and judges the header: alg is RS256, typ absent or JWT, no crit, no b64, kid a non-empty string. jwk, jku, x5u,
 * x5c are never looked at. Errors: SSO_R_JWT_SIZE, _SHAPE, _HEADER, _ALG, _TYP, _CRIT, _KID. text is borrowed. */
sso_rc sso_jwt_parse(sso_ctx_t *ctx, const char *text, sso_jwt_t *ret_jwt) SSO_MUST_USE;

/* Checks the signature with jwk and gives the claims, a strict JSON object in ctx->pool. Errors: SSO_R_JWT_SIGNATURE,
 * SSO_R_JWT_CLAIMS. */
sso_rc sso_jwt_verify(sso_ctx_t *ctx, const sso_jwt_t *jwt, const sso_jwk_t *jwk,
                      const sso_json_t **ret_claims) SSO_MUST_USE;

/* A compact JWS over claims, signed by cert as Entra's certificate credentials are: PS256 with x5t#S256, or RS256 with
 * x5t. In ctx->pool; wiped with it. SSO_R_CRYPTO also when OpenSSL gave no SHA-1 thumbprint. */
sso_rc sso_jwt_sign(sso_ctx_t *ctx, const sso_certificate_t *cert, sso_sign_alg_t alg, const sso_json_writer_t *claims,
                    const char **ret_token) SSO_MUST_USE;

/* A compact JWS with {"alg":"ES256","typ":"JWT","kid":...} over claims, for backends. In ctx->pool; wiped with it. */
sso_rc sso_jwt_sign_es256(sso_ctx_t *ctx, const sso_signing_key_t *key, const sso_json_writer_t *claims,
                          const char **ret_token) SSO_MUST_USE;
