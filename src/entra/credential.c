/* SPDX-License-Identifier: Apache-2.0 */
/* Client authentication at the token endpoint: puts a secret or a fresh assertion into the form; logs neither. */
#include "entra/credential.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "entra/jwt.h"
#include "entra/secret.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE_S 300
/* Entra's clock may be behind ours. */
#define ASSERTION_BACKDATED_S 60

struct sso_credential_t {
    sso_credential_kind_t kind;
    const char *secret;
    const sso_handoff_t *handoff; /* of a secret; NULL: nobody hands over */
    sso_certificates_t *certs;
    sso_sign_alg_t alg;
    const char *path;
    sso_managed_t *managed;
};

static sso_credential_t *credential_make(apr_pool_t *pool, sso_credential_kind_t kind)
{
    sso_credential_t *credential = apr_pcalloc(pool, sizeof(*credential));
    credential->kind = kind;
    return credential;
}

sso_credential_t *sso_credential_secret(apr_pool_t *pool, const char *secret)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_SECRET);
    credential->secret = secret;
    return credential;
}

sso_credential_t *sso_credential_certificate(apr_pool_t *pool, const sso_certificate_t *cert, sso_sign_alg_t alg)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_CERTIFICATE);
    credential->certs = sso_certificates_make(pool, cert);
    credential->alg = alg;
    return credential;
}

sso_credential_t *sso_credential_file(apr_pool_t *pool, const char *path)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_FILE);
    credential->path = apr_pstrdup(pool, path);
    return credential;
}

sso_credential_t *sso_credential_managed_identity(apr_pool_t *pool, const sso_managed_config_t *config)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_MANAGED_IDENTITY);
    credential->managed = sso_managed_make(pool, config);
    return credential->managed == NULL ? NULL : credential;
}

sso_credential_kind_t sso_credential_kind(const sso_credential_t *credential)
{
    return credential->kind;
}

apr_time_t sso_credential_expires(sso_ctx_t *ctx, sso_credential_t *credential)
{
    if (credential->kind != SSO_CREDENTIAL_CERTIFICATE) {
        return 0;
    }
    /* The turn is of no interest, but asking for it takes what was handed over. */
    (void)sso_certificates_turn(ctx, credential->certs, SSO_TURN_NONE);
    return sso_certificate_expires(sso_certificates_get(credential->certs, SSO_TURN_CURRENT));
}

bool sso_credential_follow(sso_credential_t *credential, apr_pool_t *pool, sso_handoff_t *handoff)
{
    if (credential->kind == SSO_CREDENTIAL_CERTIFICATE) {
        return sso_certificates_follow(credential->certs, pool, handoff);
    }
    credential->handoff = handoff;
    return credential->kind == SSO_CREDENTIAL_SECRET;
}

/* The secret as it was handed over last: copied for this request, so nothing else must be kept in step. */
static const char *secret_now(sso_ctx_t *ctx, const sso_credential_t *credential)
{
    const unsigned char *text;
    apr_size_t len;
    uint32_t generation;
    if (credential->handoff == NULL || !sso_handoff_take(credential->handoff, ctx->pool, &text, &len, &generation)) {
        return credential->secret;
    }
    return (const char *)text;
}

/* private_key_jwt (OpenID Connect Core section 9; Microsoft: certificate-credentials): fresh for each request, so that
 * no two carry one jti. */
static sso_rc assertion_sign(sso_ctx_t *ctx, const sso_credential_t *credential, sso_turn_t turn, const char *client_id,
                             const char *token_endpoint, const char **ret_assertion)
{
    const char *jti;
    sso_rc rc = sso_random_guid(ctx, &jti);
    if (rc != SSO_OK) {
        return rc;
    }
    int64_t now_s = apr_time_sec(ctx->now);
    sso_json_writer_t *claims = sso_json_object_make(ctx->pool);
    sso_json_set_text(claims, "aud", token_endpoint);
    sso_json_set_text(claims, "iss", client_id);
    sso_json_set_text(claims, "sub", client_id);
    sso_json_set_text(claims, "jti", jti);
    sso_json_set_integer(claims, "nbf", now_s - ASSERTION_BACKDATED_S);
    sso_json_set_integer(claims, "iat", now_s);
    sso_json_set_integer(claims, "exp", now_s + ASSERTION_LIFE_S);
    return sso_jwt_sign(ctx, sso_certificates_get(credential->certs, turn), credential->alg, claims, ret_assertion);
}

/* Workload identity: the platform renews the file hourly, so it is read at each use. */
static sso_rc assertion_read(sso_ctx_t *ctx, const sso_credential_t *credential, const char **ret_assertion)
{
    const char *text;
    sso_rc rc = sso_secret_file(ctx, ctx->pool, credential->path, true, &text);
    if (rc != SSO_OK) {
        /* While serving, a missing file is a missing assertion, not a mistake in the configuration. */
        const char *detail = apr_pstrdup(ctx->pool, ctx->fault.detail);
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_ASSERTION_FILE, "%s", detail == NULL ? credential->path : detail);
    }
    if (!sso_assertion_is_plausible(text)) {
        return sso_fail(ctx, SSO_R_ASSERTION_FILE, "%s holds no token", credential->path);
    }
    *ret_assertion = text;
    return SSO_OK;
}

sso_turn_t sso_credential_turn(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t refused)
{
    if (credential->kind != SSO_CREDENTIAL_CERTIFICATE) {
        return refused == SSO_TURN_NONE ? SSO_TURN_CURRENT : SSO_TURN_NONE;
    }
    return sso_certificates_turn(ctx, credential->certs, refused);
}

void sso_credential_taken(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t turn, sso_turn_t refused)
{
    if (credential->kind == SSO_CREDENTIAL_CERTIFICATE) {
        sso_certificates_taken(ctx, credential->certs, turn, refused);
    }
}

sso_rc sso_credential_apply(sso_ctx_t *ctx, sso_credential_t *credential, sso_turn_t turn, const char *client_id,
                            const char *token_endpoint, sso_http_t *http, const sso_http_policy_t *policy,
                            apr_table_t *form)
{
    const char *assertion = NULL;
    sso_rc rc = SSO_OK;
    switch (credential->kind) {
    case SSO_CREDENTIAL_SECRET:
        apr_table_setn(form, "client_secret", secret_now(ctx, credential));
        return SSO_OK;
    case SSO_CREDENTIAL_CERTIFICATE:
        rc = assertion_sign(ctx, credential, turn, client_id, token_endpoint, &assertion);
        break;
    case SSO_CREDENTIAL_FILE:
        rc = assertion_read(ctx, credential, &assertion);
        break;
    case SSO_CREDENTIAL_MANAGED_IDENTITY:
        rc = sso_managed_token(ctx, credential->managed, http, policy, &assertion);
        break;
    }
    if (rc != SSO_OK) {
        return rc;
    }
    apr_table_setn(form, "client_assertion_type", ASSERTION_TYPE);
    apr_table_setn(form, "client_assertion", assertion);
    return SSO_OK;
}
