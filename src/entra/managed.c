/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a managed identity (Microsoft: how-to-use-vm-token, overview-managed-identity); never through a proxy,
 * which would be handed the identity. */
#include "entra/managed.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define IMDS_ORIGIN "http://169.254.169.254"
#define IMDS_PATH "/metadata/identity/oauth2/token"
#define IMDS_VERSION "2018-02-01"
#define APP_SERVICE_VERSION "2019-08-01"
/* A token is renewed this long before its end, and not asked for again this soon after a failure. */
#define RENEW_BEFORE apr_time_from_sec(300)
#define REST_AFTER_FAILURE apr_time_from_sec(5)
/* Whatever the endpoint says: no token of a managed identity lives longer. */
#define LIFE_MAX_S (24 * 3600)
/* Between two tries: doubled each time. */
#define FIRST_PAUSE apr_time_from_sec(1)
/* How often, and by how many workers of a process, another's call is waited for: the rest are told to come later. */
#define WAIT_STEP (20 * 1000)
#define WAITERS_MAX 4

struct sso_managed_t {
    sso_managed_config_t config;
    atomic_flag fetching; /* one thread asks; guards failed */
    apr_time_t failed;    /* moment of the last failed try */
    atomic_int waiting;
    apr_thread_mutex_t *mutex; /* guards the rest, and is held for no call */
    apr_pool_t *token_pool;    /* cleared at each renewal */
    const char *token;
    apr_time_t expires;
};

static apr_status_t token_pool_destroy(void *data)
{
    apr_pool_destroy(data);
    return APR_SUCCESS;
}

sso_managed_t *sso_managed_make(apr_pool_t *pool, const sso_managed_config_t *config)
{
    sso_managed_t *managed = apr_pcalloc(pool, sizeof(*managed));
    managed->config.identity_id = apr_pstrdup(pool, config->identity_id);
    managed->config.endpoint = apr_pstrdup(pool, config->endpoint);
    managed->config.header = apr_pstrdup(pool, config->header);
    managed->config.imds = apr_pstrdup(pool, config->imds);
    managed->config.audience = apr_pstrdup(pool, config->audience);
    atomic_flag_clear(&managed->fetching);
    if (apr_thread_mutex_create(&managed->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    /* No parent: it is cleared and filled by request threads, while the configuration's pool belongs to none. */
    if (apr_pool_create_unmanaged_ex(&managed->token_pool, apr_pool_abort_get(pool), NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, managed->token_pool, token_pool_destroy, apr_pool_cleanup_null);
    return managed;
}

bool sso_assertion_is_plausible(const char *text)
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

static const char *token_copy(apr_pool_t *pool, const char *token)
{
    char *copy = apr_pstrdup(pool, token);
    sso_wipe_later(pool, copy, strlen(copy));
    return copy;
}

/* A copy of the kept token when it lives past that moment, else NULL. */
static const char *token_kept(sso_ctx_t *ctx, sso_managed_t *managed, apr_time_t past)
{
    apr_thread_mutex_lock(managed->mutex);
    bool lives = managed->token != NULL && past < managed->expires;
    const char *copy = lives ? token_copy(ctx->pool, managed->token) : NULL;
    apr_thread_mutex_unlock(managed->mutex);
    return copy;
}

static void token_keep(sso_managed_t *managed, const char *token, apr_time_t expires)
{
    apr_thread_mutex_lock(managed->mutex);
    apr_pool_clear(managed->token_pool);
    managed->token = token_copy(managed->token_pool, token);
    managed->expires = expires;
    apr_thread_mutex_unlock(managed->mutex);
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

/* When the token ends by the answer, but a day from now at most. */
static apr_time_t end_read(sso_ctx_t *ctx, const sso_json_t *answer)
{
    int64_t now_s = apr_time_sec(ctx->now);
    int64_t expires_s = number_read(answer, "expires_on");
    if (expires_s == 0) {
        expires_s = now_s + number_read(answer, "expires_in");
    }
    return apr_time_from_sec(expires_s < now_s + LIFE_MAX_S ? expires_s : now_s + LIFE_MAX_S);
}

static sso_rc refusal_read(sso_ctx_t *ctx, const sso_http_response_t *response)
{
    const sso_json_t *answer = NULL;
    if (sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_TOKEN_RESPONSE, &answer) != SSO_OK) {
        /* A page in place of JSON: the status alone must do. */
        sso_fault_clear(ctx);
        answer = NULL;
    }
    return sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint answers %d, error %s: %s", response->status,
                    sso_printable(ctx->pool, sso_json_get_text(answer, "error")),
                    sso_printable(ctx->pool, sso_json_get_text(answer, "error_description")));
}

static sso_rc answer_read(sso_ctx_t *ctx, sso_managed_t *managed, const sso_http_response_t *response,
                          const char **ret_token)
{
    if (response->status != 200) {
        return refusal_read(ctx, response);
    }
    const sso_json_t *answer;
    sso_rc rc = sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_TOKEN_RESPONSE, &answer);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the credential, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint sends no strict JSON");
    }
    const char *token = sso_json_get_text(answer, "access_token");
    if (token == NULL || strlen(token) > SSO_MAX_JWT || !sso_assertion_is_plausible(token)) {
        return sso_fail(ctx, SSO_R_ASSERTION, "the managed identity's endpoint sends no token");
    }
    token_keep(managed, token, end_read(ctx, answer));
    *ret_token = token_copy(ctx->pool, token);
    return SSO_OK;
}

static const char *url_of(apr_pool_t *pool, const sso_managed_config_t *config)
{
    const char *base = config->endpoint;
    if (base == NULL) {
        base = apr_pstrcat(pool, config->imds == NULL ? IMDS_ORIGIN : config->imds, IMDS_PATH, NULL);
    }
    const char *version = config->endpoint == NULL ? IMDS_VERSION : APP_SERVICE_VERSION;
    const char *url = apr_pstrcat(pool, base, "?api-version=", version,
                                  "&resource=", sso_percent_encode(pool, config->audience), NULL);
    if (config->identity_id != NULL) {
        url = apr_pstrcat(pool, url, "&client_id=", sso_percent_encode(pool, config->identity_id), NULL);
    }
    return url;
}

/* Not counted by the gate, as it is not Entra that is slow here. */
static sso_rc ask(sso_ctx_t *ctx, const sso_managed_t *managed, sso_http_t *http, const sso_http_policy_t *policy,
                  sso_http_response_t *ret_response)
{
    apr_table_t *headers = apr_table_make(ctx->pool, 1);
    if (managed->config.endpoint == NULL) {
        apr_table_setn(headers, "Metadata", "true");
    } else if (managed->config.header != NULL) {
        apr_table_setn(headers, "X-IDENTITY-HEADER", managed->config.header);
    }
    const sso_http_request_t request = {
        .url = url_of(ctx->pool, &managed->config),
        .policy = policy,
        .headers = headers,
        .max_response = SSO_MAX_TOKEN_RESPONSE,
        .direct = true,
        .ungated = true,
    };
    return sso_http_perform(http, ctx, &request, ret_response);
}

/* What Microsoft asks to try again: 410 is an update of the service that lasts 70 seconds at most. */
static bool passes(int status)
{
    return status == 404 || status == 408 || status == 410 || status == 429 || (status >= 500 && status <= 599);
}

static sso_rc fetch(sso_ctx_t *ctx, sso_managed_t *managed, sso_http_t *http, const sso_http_policy_t *policy,
                    const char **ret_token)
{
    apr_time_t deadline = sso_clock_now() + policy->total_timeout;
    sso_http_policy_t rest = *policy;
    apr_interval_time_t pause = FIRST_PAUSE;
    for (;;) {
        sso_http_response_t response = {0};
        sso_rc rc = ask(ctx, managed, http, &rest, &response);
        if (rc == SSO_OK && !passes(response.status)) {
            return answer_read(ctx, managed, &response, ret_token);
        }
        apr_interval_time_t wanted = apr_time_from_sec(response.retry_after_s);
        wanted = wanted > pause ? wanted : pause;
        rest.total_timeout = deadline - sso_clock_now() - wanted;
        /* A time-out has used all the time there was. */
        if (rest.total_timeout <= 0 || (rc != SSO_OK && rc != SSO_R_HTTP_CONNECT)) {
            if (rc == SSO_OK) {
                rc = sso_fail(ctx, SSO_R_IDENTITY_LATER, "it answers %d", response.status);
                ctx->fault.retry_after_s = response.retry_after_s;
            }
            return rc;
        }
        sso_fault_clear(ctx); /* asked again */
        apr_sleep(wanted);
        pause *= 2;
    }
}

/* Another thread is asking: its answer is ours. */
static sso_rc wait_for_other(sso_ctx_t *ctx, sso_managed_t *managed, const sso_http_policy_t *policy,
                             const char **ret_token)
{
    const char *token = NULL;
    apr_time_t deadline = sso_clock_now() + policy->total_timeout;
    bool room = atomic_fetch_add(&managed->waiting, 1) < WAITERS_MAX;
    bool done = false;
    while (room && !done && sso_clock_now() < deadline) {
        apr_sleep(WAIT_STEP);
        done = !atomic_flag_test_and_set(&managed->fetching);
        if (done) {
            atomic_flag_clear(&managed->fetching);
            token = token_kept(ctx, managed, ctx->now); /* none: it has failed, and so did we */
        }
    }
    atomic_fetch_sub(&managed->waiting, 1);
    if (token == NULL) {
        return sso_fail(ctx, SSO_R_IDENTITY_LATER, "another request asks it, without success so far");
    }
    *ret_token = token;
    return SSO_OK;
}

/* The flag is held. */
static sso_rc our_turn(sso_ctx_t *ctx, sso_managed_t *managed, sso_http_t *http, const sso_http_policy_t *policy,
                       const char **ret_token)
{
    /* Another thread may have finished since the first look. */
    const char *fresh = token_kept(ctx, managed, ctx->now + RENEW_BEFORE);
    if (fresh != NULL) {
        *ret_token = fresh;
        return SSO_OK;
    }
    /* In either direction: another thread's now may be a little later, and a clock set back must not rest for long. */
    if (managed->failed != 0 && ctx->now - managed->failed < REST_AFTER_FAILURE &&
        managed->failed - ctx->now < RENEW_BEFORE) {
        return sso_fail(ctx, SSO_R_IDENTITY_LATER, "it failed a moment ago");
    }
    sso_rc rc = fetch(ctx, managed, http, policy, ret_token);
    managed->failed = rc == SSO_OK ? 0 : ctx->now;
    return rc;
}

sso_rc sso_managed_token(sso_ctx_t *ctx, sso_managed_t *managed, sso_http_t *http, const sso_http_policy_t *policy,
                         const char **ret_token)
{
    const char *token = token_kept(ctx, managed, ctx->now + RENEW_BEFORE);
    if (token != NULL) {
        *ret_token = token;
        return SSO_OK;
    }
    token = token_kept(ctx, managed, ctx->now);
    sso_rc rc;
    if (!atomic_flag_test_and_set(&managed->fetching)) {
        rc = our_turn(ctx, managed, http, policy, &token);
        atomic_flag_clear(&managed->fetching);
    } else {
        rc = token != NULL ? SSO_OK : wait_for_other(ctx, managed, policy, &token);
    }
    if (rc != SSO_OK && token != NULL) {
        /* The old token is good for minutes yet. */
        sso_fault_clear(ctx);
        rc = SSO_OK;
    }
    if (rc == SSO_OK) {
        *ret_token = token;
    }
    return rc;
}
