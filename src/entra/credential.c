/* SPDX-License-Identifier: Apache-2.0 */
/* Client authentication at the token endpoint: puts a secret or a fresh assertion into the form; logs neither. */
#include "entra/credential.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "entra/jwt.h"
#include "entra/secret.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE_S 300
/* Entra's clock may be behind ours. */
#define ASSERTION_BACKDATED_S 60

#define IMDS_URL "http://169.254.169.254/metadata/identity/oauth2/token"
#define IMDS_VERSION "2018-02-01"
#define APP_SERVICE_VERSION "2019-08-01"
/* A managed identity's token is renewed this long before its end, and not asked for again this soon after a failure. */
#define RENEW_BEFORE apr_time_from_sec(300)
#define REST_AFTER_FAILURE apr_time_from_sec(5)

struct sso_credential_t {
    sso_credential_kind_t kind;
    const char *secret;
    const sso_certificate_t *cert;
    const char *path;
    const char *identity_id, *endpoint, *header, *audience;
    apr_thread_mutex_t *mutex; /* guards all below */
    apr_pool_t *token_pool;    /* cleared at each renewal */
    const char *token;
    apr_time_t expires;
    apr_time_t failed; /* moment of the last failed try */
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

sso_credential_t *sso_credential_certificate(apr_pool_t *pool, const sso_certificate_t *cert)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_CERTIFICATE);
    credential->cert = cert;
    return credential;
}

sso_credential_t *sso_credential_file(apr_pool_t *pool, const char *path)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_FILE);
    credential->path = apr_pstrdup(pool, path);
    return credential;
}

static apr_status_t token_pool_destroy(void *data)
{
    apr_pool_destroy(data);
    return APR_SUCCESS;
}

sso_credential_t *sso_credential_managed_identity(apr_pool_t *pool, const char *identity_id, const char *endpoint,
                                                  const char *header, const char *audience)
{
    sso_credential_t *credential = credential_make(pool, SSO_CREDENTIAL_MANAGED_IDENTITY);
    credential->identity_id = apr_pstrdup(pool, identity_id);
    credential->endpoint = apr_pstrdup(pool, endpoint);
    credential->header = apr_pstrdup(pool, header);
    credential->audience = apr_pstrdup(pool, audience);
    if (apr_thread_mutex_create(&credential->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    /* No parent: it is cleared and filled by request threads, while the configuration's pool belongs to none. */
    if (apr_pool_create_unmanaged_ex(&credential->token_pool, apr_pool_abort_get(pool), NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, credential->token_pool, token_pool_destroy, apr_pool_cleanup_null);
    return credential;
}

sso_credential_kind_t sso_credential_kind(const sso_credential_t *credential)
{
    return credential->kind;
}

/* private_key_jwt (OpenID Connect Core section 9; Microsoft: certificate-credentials): fresh for each request, so that
 * no two carry one jti. */
static sso_rc assertion_sign(sso_ctx_t *ctx, const sso_credential_t *credential, const char *client_id,
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
    return sso_jwt_sign(ctx, credential->cert, claims, ret_assertion);
}

/* Of another's assertion only the shape is ours to judge: three base64url parts. */
static bool is_assertion(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int i = 0; i < 3; i++) {
        size_t len = strspn(text, alphabet);
        if (len == 0 || text[len] != (i < 2 ? '.' : '\0')) {
            return false;
        }
        text += len + 1;
    }
    return true;
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
        return sso_fail(ctx, SSO_R_ASSERTION, "%s", detail == NULL ? credential->path : detail);
    }
    if (!is_assertion(text)) {
        return sso_fail(ctx, SSO_R_ASSERTION, "%s holds no token", credential->path);
    }
    *ret_assertion = text;
    return SSO_OK;
}

/* Numbers arrive as strings (IMDS), or as numbers. 0 when absent or unusable. */
static int64_t number_read(const sso_json_t *object, const char *name)
{
    int64_t number = 0;
    const sso_json_t *member = sso_json_get(object, name);
    const char *text = sso_json_text(member);
    if (text == NULL) {
        return sso_json_integer(member, &number) && number > 0 && number < INT64_C(100000000000) ? number : 0;
    }
    if (text[0] == '\0' || strlen(text) > 11 || strspn(text, "0123456789") != strlen(text)) {
        return 0;
    }
    return apr_atoi64(text);
}

static sso_rc identity_answer_read(sso_ctx_t *ctx, sso_credential_t *credential, const sso_http_response_t *response)
{
    if (response->status != 200) {
        sso_rc rc = sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint answers %d", response->status);
        ctx->fault.retry_after_s = response->retry_after_s;
        return rc;
    }
    const sso_json_t *answer;
    sso_rc rc = sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_TOKEN_RESPONSE, &answer);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the credential, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint sends no strict JSON");
    }
    const char *token = sso_json_get_text(answer, "access_token");
    if (token == NULL || strlen(token) > SSO_MAX_JWT || !is_assertion(token)) {
        return sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint sends no token");
    }
    int64_t expires_s = number_read(answer, "expires_on");
    if (expires_s == 0) {
        expires_s = apr_time_sec(ctx->now) + number_read(answer, "expires_in");
    }
    apr_pool_clear(credential->token_pool);
    char *copy = apr_pstrdup(credential->token_pool, token);
    sso_wipe_later(credential->token_pool, copy, strlen(copy));
    credential->token = copy;
    credential->expires = apr_time_from_sec(expires_s);
    return SSO_OK;
}

/* Never through a proxy, which would be handed the identity; and not counted by the gate, as it is not Entra that is
 * slow here. */
static sso_rc identity_fetch(sso_ctx_t *ctx, sso_credential_t *credential, sso_http_t *http,
                             const sso_http_policy_t *policy)
{
    bool app_service = credential->endpoint != NULL;
    const char *url = apr_pstrcat(ctx->pool, app_service ? credential->endpoint : IMDS_URL,
                                  "?api-version=", app_service ? APP_SERVICE_VERSION : IMDS_VERSION,
                                  "&resource=", sso_percent_encode(ctx->pool, credential->audience), NULL);
    if (credential->identity_id != NULL) {
        url = apr_pstrcat(ctx->pool, url, "&client_id=", sso_percent_encode(ctx->pool, credential->identity_id), NULL);
    }
    apr_table_t *headers = apr_table_make(ctx->pool, 1);
    if (!app_service) {
        apr_table_setn(headers, "Metadata", "true");
    } else if (credential->header != NULL) {
        apr_table_setn(headers, "X-IDENTITY-HEADER", credential->header);
    }
    const sso_http_request_t request = {
        .url = url,
        .policy = policy,
        .headers = headers,
        .max_response = SSO_MAX_TOKEN_RESPONSE,
        .direct = true,
        .ungated = true,
    };
    sso_http_response_t response;
    sso_rc rc = sso_http_perform(http, ctx, &request, &response);
    return rc != SSO_OK ? rc : identity_answer_read(ctx, credential, &response);
}

/* The cached token, renewed near its end; while it lives a failed renewal does no harm. The mutex is held. */
static sso_rc identity_token(sso_ctx_t *ctx, sso_credential_t *credential, sso_http_t *http,
                             const sso_http_policy_t *policy, const char **ret_assertion)
{
    apr_time_t now = ctx->now;
    bool lives = credential->token != NULL && now < credential->expires;
    /* In either direction: another thread's now may be a little later, and a clock set back must not rest for long. */
    bool rests = credential->failed != 0 && now - credential->failed < REST_AFTER_FAILURE &&
                 credential->failed - now < RENEW_BEFORE;
    sso_rc rc = SSO_OK;
    if (!lives || (now >= credential->expires - RENEW_BEFORE && !rests)) {
        rc = rests ? sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint failed a moment ago")
                   : identity_fetch(ctx, credential, http, policy);
        if (!rests) {
            credential->failed = rc == SSO_OK ? 0 : now;
        }
    }
    if (rc != SSO_OK && lives) {
        /* The old token is good for minutes yet. */
        sso_fault_clear(ctx);
        rc = SSO_OK;
    }
    if (rc == SSO_OK) {
        char *copy = apr_pstrdup(ctx->pool, credential->token);
        sso_wipe_later(ctx->pool, copy, strlen(copy));
        *ret_assertion = copy;
    }
    return rc;
}

/* One thread asks, the others wait for its answer: at most for one outbound timeout, since a failure is remembered. */
static sso_rc identity_assertion(sso_ctx_t *ctx, sso_credential_t *credential, sso_http_t *http,
                                 const sso_http_policy_t *policy, const char **ret_assertion)
{
    apr_thread_mutex_lock(credential->mutex);
    sso_rc rc = identity_token(ctx, credential, http, policy, ret_assertion);
    apr_thread_mutex_unlock(credential->mutex);
    return rc;
}

sso_rc sso_credential_apply(sso_ctx_t *ctx, sso_credential_t *credential, const char *client_id,
                            const char *token_endpoint, sso_http_t *http, const sso_http_policy_t *policy,
                            apr_table_t *form)
{
    const char *assertion = NULL;
    sso_rc rc = SSO_OK;
    switch (credential->kind) {
    case SSO_CREDENTIAL_SECRET:
        apr_table_setn(form, "client_secret", credential->secret);
        return SSO_OK;
    case SSO_CREDENTIAL_CERTIFICATE:
        rc = assertion_sign(ctx, credential, client_id, token_endpoint, &assertion);
        break;
    case SSO_CREDENTIAL_FILE:
        rc = assertion_read(ctx, credential, &assertion);
        break;
    case SSO_CREDENTIAL_MANAGED_IDENTITY:
        rc = identity_assertion(ctx, credential, http, policy, &assertion);
        break;
    }
    if (rc != SSO_OK) {
        return rc;
    }
    apr_table_setn(form, "client_assertion_type", ASSERTION_TYPE);
    apr_table_setn(form, "client_assertion", assertion);
    return SSO_OK;
}
