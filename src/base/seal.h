/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed records: AES-256-GCM with a key ring, a purpose and a binding. Nothing else to choose. */
#pragma once

#include "base/crypto.h"
#include "base/handoff.h"
#include "base/keyring.h"
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
    SSO_PURPOSE_CURSOR,   /* cursors of SCIM lists */
    SSO_PURPOSE_SCIM,     /* short-lived access tokens of the SCIM service */
    SSO_PURPOSE_COUNT
} sso_purpose_t;

/* Safe for all threads. Wiped with its pool. */
typedef struct sso_keyring_t sso_keyring_t;

/* Reads the text of a key file: one line "key <8 hex id> <43 base64url> <RFC 3339 created>" each; '#' begins a comment;
 * the first key seals, all open. No key may stand there twice, and none be of equal bytes. path is for messages.
 * Errors: SSO_R_KEYFILE_FORMAT, _WEAK. The keys live in pool. */
sso_rc sso_keyring_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, const char *path,
                         sso_keyring_t **ret_ring) SSO_MUST_USE;
/* The same of the file itself (sso_keyring_read). Errors: SSO_R_KEYFILE_*. */
sso_rc sso_keyring_load(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, sso_keyring_t **ret_ring) SSO_MUST_USE;
/* From now on the ring is what is handed over, texts of key files: sso_seal and sso_open take a new one at their next
 * call, in each process. What was handed before this call counts as loaded. Before processes and threads start; pool
 * must live as long as they use the ring. False when out of memory. */
bool sso_keyring_follow(sso_keyring_t *ring, apr_pool_t *pool, const sso_handoff_t *handoff);
/* Number of keys. */
int sso_keyring_size(const sso_keyring_t *ring);
/* Stands for the keys of this moment: another address after each change of the file, and never one of before. For who
 * remembers what was opened. */
const void *sso_keyring_moment(sso_ctx_t *ctx, const sso_keyring_t *ring);
/* The key pairs that the ring's keys derive for signing assertions, all of one moment: the first signs, all are
 * published. Gives their number. They live with the ring, also when it takes another file. */
int sso_keyring_signing_keys(sso_ctx_t *ctx, const sso_keyring_t *ring,
                             const sso_signing_key_t *ret_keys[static SSO_MAX_RING_KEYS]);

/* Seals data for purpose and binding; base64url text in ctx->pool. Errors: SSO_R_RANDOM, SSO_R_CRYPTO. */
sso_rc sso_seal(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const void *data, apr_size_t len,
                const char **ret_text) SSO_MUST_USE;
/* Opens what sso_seal gave with the same purpose and binding. Data in ctx->pool, NUL behind its end. Errors:
 * SSO_R_SEAL_FORMAT, SSO_R_SEAL_KEY, SSO_R_SEAL_TAG. Does no I/O, takes no lock. */
sso_rc sso_open(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const char *text, apr_size_t text_len,
                unsigned char **ret_data, apr_size_t *ret_len) SSO_MUST_USE;
