/* SPDX-License-Identifier: Apache-2.0 */
/* How this application proves itself to Entra: secret, certificate, or a federated assertion. */
#pragma once

#include <apr_tables.h>

#include "base/crypto.h"
#include "base/handoff.h"
#include "base/http.h"
#include "base/result.h"
#include "entra/certificates.h"
#include "entra/managed.h"

typedef enum {
    SSO_CREDENTIAL_SECRET,
    SSO_CREDENTIAL_CERTIFICATE,
    SSO_CREDENTIAL_FILE,            /* the assertion is a file's content, read at each use */
    SSO_CREDENTIAL_MANAGED_IDENTITY /* the assertion is a managed identity's token */
} sso_credential_kind_t;

/* One credential. Safe for all threads of a process. */
typedef struct sso_credential_t sso_credential_t;

/* secret is borrowed and must live as long as pool. */
sso_credential_t *sso_credential_secret(apr_pool_t *pool, const char *secret);
sso_credential_t *sso_credential_certificate(apr_pool_t *pool, const sso_certificate_t *cert, sso_sign_alg_t alg);
/* path is read at each use: the platform renews it (workload identity). */
sso_credential_t *sso_credential_file(apr_pool_t *pool, const char *path);
/* NULL when out of memory. */
sso_credential_t *sso_credential_managed_identity(apr_pool_t *pool, const sso_managed_config_t *config);
sso_credential_kind_t sso_credential_kind(const sso_credential_t *credential);

/* When the present certificate ends; 0 for every other kind, whose end only Entra knows. */
apr_time_t sso_credential_expires(sso_ctx_t *ctx, sso_credential_t *credential);

/* From now on a secret or certificate is what was handed over last: the secret's text, or sso_certificate_pack. Before
 * processes and threads start; pool must live as long as they. False when out of memory, or for another kind. */
bool sso_credential_follow(sso_credential_t *credential, apr_pool_t *pool, sso_handoff_t *handoff);

/* Adds the form fields of client authentication (RFC 6749 2.3.1, RFC 7523 2.2) to form: client_secret, or
 * client_assertion and its type, with aud = token_endpoint and five minutes of life. turn is of sso_credential_turn.
 * Errors: SSO_R_ASSERTION, SSO_R_ASSERTION_FILE, SSO_R_IDENTITY_LATER, SSO_R_CRYPTO, SSO_R_HTTP_*. */
sso_rc sso_credential_apply(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t turn, const char *client_id,
                            const char *token_endpoint, sso_http_t *http, const sso_http_policy_t *policy,
                            apr_table_t *form) SSO_MUST_USE;

/* As sso_certificates_turn and _taken: only a certificate that was renewed has a second turn. */
sso_turn_t sso_credential_turn(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t refused);
void sso_credential_taken(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t turn, sso_turn_t refused);
