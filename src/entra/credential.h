/* SPDX-License-Identifier: Apache-2.0 */
/* How this application proves itself to Entra: secret, certificate, or a federated assertion. */
#pragma once

#include <apr_tables.h>

#include "base/crypto.h"
#include "base/http.h"
#include "base/result.h"

typedef enum {
    SSO_CREDENTIAL_SECRET,
    SSO_CREDENTIAL_CERTIFICATE,
    SSO_CREDENTIAL_FILE,            /* the assertion is a file's content, read at each use */
    SSO_CREDENTIAL_MANAGED_IDENTITY /* the assertion is a managed identity's token */
} sso_credential_kind_t;

/* One credential. Immutable but for the managed identity's cached token, which has its own mutex. */
typedef struct sso_credential_t sso_credential_t;

/* secret is borrowed and must live as long as pool. */
sso_credential_t *sso_credential_secret(apr_pool_t *pool, const char *secret);
sso_credential_t *sso_credential_certificate(apr_pool_t *pool, const sso_certificate_t *cert);
/* path is read at each use: the platform renews it (workload identity). */
sso_credential_t *sso_credential_file(apr_pool_t *pool, const char *path);
/* identity_id: client id of the user-assigned identity, or NULL. endpoint and header are App Service's
 * IDENTITY_ENDPOINT and IDENTITY_HEADER, NULL for the virtual machine's IMDS; audience as the cloud demands
 * ("api://AzureADTokenExchange"). */
sso_credential_t *sso_credential_managed_identity(apr_pool_t *pool, const char *identity_id, const char *endpoint,
                                                  const char *header, const char *audience);
sso_credential_kind_t sso_credential_kind(const sso_credential_t *credential);

/* Adds the form fields of client authentication (RFC 6749 2.3.1, RFC 7523 2.2) to form: client_secret, or
 * client_assertion and its type, with aud = token_endpoint and five minutes of life. Errors: SSO_R_ASSERTION,
 * SSO_R_CRYPTO, SSO_R_HTTP_*. */
sso_rc sso_credential_apply(sso_ctx_t *ctx, sso_credential_t *credential, const char *client_id,
                            const char *token_endpoint, sso_http_t *http, const sso_http_policy_t *policy,
                            apr_table_t *form) SSO_MUST_USE;
