/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed records: AES-256-GCM with a key ring, a purpose and a binding. Nothing else to choose. */
#pragma once

#include "base/crypto.h"
#include "base/limits.h"
#include "base/result.h"

/* A sealed record, before base64url:  version 1 | key id 4 | nonce 12 | ciphertext | tag 16 */
#define SSO_SEAL_OVERHEAD (1 + 4 + SSO_NONCE_BYTES + SSO_TAG_BYTES)
#define SSO_BINDING_BYTES SSO_SHA256_BYTES

/* Each purpose has its own derived key, so a record of one can never be opened as another. */
typedef enum {
    SSO_PURPOSE_SESSION,  /* the session cookie */
    SSO_PURPOSE_STATE,    /* the state of a sign-in */
    SSO_PURPOSE_LOGIN,    /* the login cookie */
    SSO_PURPOSE_REFRESH,  /* refresh tokens in the store */
    SSO_PURPOSE_IDENTITY, /* renewed records in the store */
    SSO_PURPOSE_ACCESS,   /* access tokens for Graph in the store */
    SSO_PURPOSE_POST,     /* forms that wait for a sign-in */
    SSO_PURPOSE_COUNT
} sso_purpose_t;

/* Immutable after loading; safe for all threads. Wiped with its pool. */
typedef struct sso_keyring_t sso_keyring_t;

/* Reads the key file: one line "key <8 hex id> <43 base64url> <RFC 3339 created>" each; '#' begins a comment; the first
 * key seals, all open. The file must be a regular one of the effective user, no bits for group and others, and hold
 * no key twice and none of equal bytes. Errors: SSO_R_KEYFILE_*. The keys live in pool. */
sso_rc sso_keyring_load(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, sso_keyring_t **ret_ring) SSO_MUST_USE;
/* Makes the file with one new key if there is none: written aside with mode 0600 and linked into place, so that
 * of two makers one wins and both read the same. *ret_made tells whether this call made it. */
sso_rc sso_keyring_make(sso_ctx_t *ctx, const char *path, bool *ret_made) SSO_MUST_USE;
/* Number of keys. */
int sso_keyring_size(const sso_keyring_t *ring);
/* The key pairs that the ring's keys derive for signing assertions, all of one moment: the first signs, all are
 * published. Gives their number. They live with the ring. */
int sso_keyring_signing_keys(const sso_keyring_t *ring, const sso_signing_key_t *ret_keys[static SSO_MAX_RING_KEYS]);

/* Seals data for purpose and binding; base64url text in ctx->pool. Errors: SSO_R_RANDOM, SSO_R_CRYPTO. */
sso_rc sso_seal(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const void *data, apr_size_t len,
                const char **ret_text) SSO_MUST_USE;
/* Opens what sso_seal gave with the same purpose and binding. Data in ctx->pool, NUL behind its end. Errors:
 * SSO_R_SEAL_FORMAT, SSO_R_SEAL_KEY, SSO_R_SEAL_TAG. Does no I/O, takes no lock. */
sso_rc sso_open(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const char *text, apr_size_t text_len,
                unsigned char **ret_data, apr_size_t *ret_len) SSO_MUST_USE;
