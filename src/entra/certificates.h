/* SPDX-License-Identifier: Apache-2.0 */
/* An application's certificate while it is renewed: the new one, and the one before it until Entra knows the new. */
#pragma once

#include "base/crypto.h"
#include "base/handoff.h"
#include "base/result.h"

/* PEM texts of a certificate and its key. */
typedef struct {
    const char *cert_pem;
    const char *key_pem;
} sso_pem_pair_t;

/* Reads the files, key_path NULL when both stand in one, and judges them: a usable pair. The texts and *ret_cert are in
 * pool and wiped with it. Errors: SSO_R_SECRET_*, SSO_R_CERTIFICATE. Whether it has ended is the caller's question. */
sso_rc sso_certificate_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *cert_path, const char *key_path,
                            sso_pem_pair_t *ret_pair, const sso_certificate_t **ret_cert) SSO_MUST_USE;
/* The bytes to hand over, in pool and wiped with it: pair, and behind it the one that was the newest in handed, the
 * bytes of the last time (len 0: there were none). NULL when pair itself was the newest: nothing has changed. */
const unsigned char *sso_certificate_pack(apr_pool_t *pool, const sso_pem_pair_t *pair, const unsigned char *handed,
                                          apr_size_t handed_len, apr_size_t *ret_len);

/* The certificates of one application in one process. Safe for all threads. */
typedef struct sso_certificates_t sso_certificates_t;

/* cert is borrowed. */
sso_certificates_t *sso_certificates_make(apr_pool_t *pool, const sso_certificate_t *cert);
/* From now on what is handed over counts (sso_certificate_pack). Before processes and threads start; pool must live as
 * long as they. False when out of memory. */
bool sso_certificates_follow(sso_certificates_t *certs, apr_pool_t *pool, sso_handoff_t *handoff);

/* Which one a token request shows. */
typedef enum { SSO_TURN_NONE, SSO_TURN_CURRENT, SSO_TURN_PREVIOUS } sso_turn_t;

/* The one to show first, for refused SSO_TURN_NONE; else the one to try once after Entra refused that, SSO_TURN_NONE
 * when there is none that has not ended. For a minute after the current one was refused the previous comes first. */
sso_turn_t sso_certificates_turn(sso_ctx_t *ctx, sso_certificates_t *certs, sso_turn_t refused);
/* The certificate of that turn. */
const sso_certificate_t *sso_certificates_get(sso_certificates_t *certs, sso_turn_t turn);
/* Entra took the certificate of turn, after it had refused the other one (or SSO_TURN_NONE). */
void sso_certificates_taken(sso_ctx_t *ctx, sso_certificates_t *certs, sso_turn_t turn, sso_turn_t refused);
/* When, over all processes, Entra last refused the current certificate and took the previous; 0: it takes the current
 * one, or nobody asked it yet. */
apr_time_t sso_certificates_refused(const sso_handoff_t *handoff);
