/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's EVP behind few calls that are hard to misuse. The only file that knows OpenSSL. */
#pragma once

#include "base/result.h"

#define SSO_KEY_BYTES 32
#define SSO_NONCE_BYTES 12
#define SSO_TAG_BYTES 16
#define SSO_SHA256_BYTES 32
#define SSO_ES256_BYTES 64

/* Fetches the algorithms once, before threads start. Idempotent in a process. SSO_R_CRYPTO when OpenSSL has no
 * AES-256-GCM or SHA-256. The pool must not outlive the code (a loaded module's): its cleanup frees everything. */
sso_rc sso_crypto_init(sso_ctx_t *ctx, apr_pool_t *process_pool) SSO_MUST_USE;

/* Random bytes for keys, nonces and ids. SSO_R_RANDOM: the caller must refuse. */
sso_rc sso_random(sso_ctx_t *ctx, void *data, apr_size_t len) SSO_MUST_USE;

/* A random GUID (RFC 9562 5.4) as text in ctx->pool. */
sso_rc sso_random_guid(sso_ctx_t *ctx, const char **ret_guid) SSO_MUST_USE;

void sso_sha256(const void *data, apr_size_t len, unsigned char ret_digest[static SSO_SHA256_BYTES]);

/* HKDF-SHA256 (RFC 5869) without salt; info separates the purposes of the derived keys. */
sso_rc sso_derive_key(sso_ctx_t *ctx, const unsigned char key[static SSO_KEY_BYTES], const char *info,
                      unsigned char ret_key[static SSO_KEY_BYTES]) SSO_MUST_USE;

/* AES-256-GCM, tag of 16 bytes always. The cipher context is kept per thread: no lock and no allocation once a thread
 * has used it. out has room for len bytes and may be data itself. */
sso_rc sso_aead_encrypt(sso_ctx_t *ctx, const unsigned char key[static SSO_KEY_BYTES],
                        const unsigned char nonce[static SSO_NONCE_BYTES], const void *aad, apr_size_t aad_len,
                        const unsigned char *data, apr_size_t len, unsigned char *out,
                        unsigned char ret_tag[static SSO_TAG_BYTES]) SSO_MUST_USE;
/* False when the tag does not fit; then out holds nothing of use and is wiped. */
bool sso_aead_decrypt(const unsigned char key[static SSO_KEY_BYTES], const unsigned char nonce[static SSO_NONCE_BYTES],
                      const void *aad, apr_size_t aad_len, const unsigned char *data, apr_size_t len,
                      unsigned char *out, const unsigned char tag[static SSO_TAG_BYTES]);

/* A private key with its certificate, for client assertions. Lives in pool; the key is freed with it. */
typedef struct sso_certificate_t sso_certificate_t;
/* Reads PEM texts; key_pem may equal cert_pem (one file for both). Errors: SSO_R_CERTIFICATE (no PEM, no RSA key of
 * at least SSO_RSA_MIN_BITS, key and certificate differ). */
sso_rc sso_certificate_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *cert_pem, const char *key_pem,
                             const sso_certificate_t **ret_cert) SSO_MUST_USE;
/* True when a PEM text begins with a certificate that can be read, as a bundle of CAs does. */
bool sso_is_certificate(const char *pem);
/* How a certificate's key signs (RFC 7518 3.5 and 3.3). */
typedef enum {
    SSO_SIGN_PS256, /* named by x5t#S256 */
    SSO_SIGN_RS256  /* named by x5t: the older form */
} sso_sign_alg_t;
/* base64url of the DER certificate's SHA-256 (x5t#S256, RFC 7515 4.1.8), or of its SHA-1 (x5t, 4.1.7) for
 * SSO_SIGN_RS256. Lives with the certificate. */
const char *sso_certificate_thumbprint(const sso_certificate_t *cert, sso_sign_alg_t alg);
/* End of validity. */
apr_time_t sso_certificate_expires(const sso_certificate_t *cert);
/* The signature over data, in the pool of ctx. */
sso_rc sso_certificate_sign(sso_ctx_t *ctx, const sso_certificate_t *cert, sso_sign_alg_t alg, const void *data,
                            apr_size_t len, const unsigned char **ret_sig, apr_size_t *ret_sig_len) SSO_MUST_USE;

/* An ECDSA key pair on P-256, for assertions to backends. Lives in pool; the private part is freed with it, and no call
 * gives it out. Signing with it is safe for all threads. */
typedef struct sso_signing_key_t sso_signing_key_t;
/* The pair of this secret: the same on every node that has it. SSO_R_CRYPTO. */
sso_rc sso_signing_key_derive(sso_ctx_t *ctx, apr_pool_t *pool, const unsigned char secret[static SSO_KEY_BYTES],
                              const sso_signing_key_t **ret_key) SSO_MUST_USE;
/* The public point, base64url of 32 bytes each, and the thumbprint of RFC 7638. Live with the key. */
const char *sso_signing_key_x(const sso_signing_key_t *key);
const char *sso_signing_key_y(const sso_signing_key_t *key);
const char *sso_signing_key_id(const sso_signing_key_t *key);
/* ES256 (RFC 7518 3.4) over data: R and S of 32 bytes each. SSO_R_CRYPTO. */
sso_rc sso_signing_key_sign(sso_ctx_t *ctx, const sso_signing_key_t *key, const void *data, apr_size_t len,
                            unsigned char ret_sig[static SSO_ES256_BYTES]) SSO_MUST_USE;
