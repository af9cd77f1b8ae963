/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound HTTP on libcurl; the only file that knows it. Nothing of a query, a header or a body ever reaches a log. */
#include "base/http.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <curl/curl.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "base/headers.h"
#include "base/limits.h"
#include "base/url.h"

/* Entra's front ends keep an idle connection for four minutes; older ones of ours would mostly be dead ones. */
#define CONNECTION_IDLE_S 200L
/* Sometimes a new connection, so that a change in DNS is followed. */
#define CONNECTION_LIFE_S 3600L
#define BODY_FIRST_BYTES ((apr_size_t)4096)

typedef struct {
    sso_http_t face; /* first: what callers hold is a pointer to it */
    sso_gate_t *gate;
    CURLSH *share;
    apr_thread_mutex_t *share_locks[CURL_LOCK_DATA_LAST];
    /* Idle handles, chained by CURLOPT_PRIVATE: so a put takes no memory from a pool that other threads use. */
    CURL *idle;
    apr_thread_mutex_t *idle_lock;
    atomic_bool stopped;
} client_t;

/* One call, on the stack of sso_http_perform. */
typedef struct {
    sso_ctx_t *ctx;
    const sso_http_request_t *request;
    CURL *easy;
    CURLU *url;
    const char *host; /* for log details */
    bool loopback_http;
    sso_headers_t headers;
    char *body;
    apr_size_t body_len;
    apr_size_t body_room; /* without the NUL */
    bool too_large;
    apr_interval_time_t took; /* waiting at the gate not included */
} call_t;

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *baton)
{
    (void)easy;
    (void)access;
    const client_t *client = baton;
    apr_thread_mutex_lock(client->share_locks[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *baton)
{
    (void)easy;
    const client_t *client = baton;
    apr_thread_mutex_unlock(client->share_locks[data]);
}

/* Last in, first out: sequential calls meet the handle whose connection is still open. */
static CURL *handle_take(client_t *client)
{
    apr_thread_mutex_lock(client->idle_lock);
    CURL *easy = client->idle;
    if (easy) {
        char *next = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &next);
        client->idle = (CURL *)next;
    }
    apr_thread_mutex_unlock(client->idle_lock);
    if (!easy) {
        easy = curl_easy_init();
        if (easy && curl_easy_setopt(easy, CURLOPT_SHARE, client->share) != CURLE_OK) {
            curl_easy_cleanup(easy);
            easy = NULL;
        }
    }
    return easy;
}

/* The reset forgets every option, and with them the borrowed body and headers; connections stay. */
static void handle_put(client_t *client, CURL *easy)
{
    curl_easy_reset(easy);
    apr_thread_mutex_lock(client->idle_lock);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, client->idle);
    client->idle = easy;
    apr_thread_mutex_unlock(client->idle_lock);
}

/* Gives false when the bound is passed. Doubles, but never takes more than the bound. */
static bool body_append(call_t *call, const char *data, apr_size_t len)
{
    apr_size_t max = call->request->max_response;
    if (len > max - call->body_len) {
        return false;
    }
    apr_size_t wanted = call->body_len + len;
    if (wanted > call->body_room) {
        apr_size_t room = call->body_room > max / 2 ? max : call->body_room * 2;
        room = room > BODY_FIRST_BYTES ? room : BODY_FIRST_BYTES;
        room = room > wanted ? room : wanted;
        room = room < max ? room : max;
        char *body = apr_palloc(call->ctx->pool, room + 1);
        sso_wipe_later(call->ctx->pool, body, room + 1); /* it may hold tokens */
        memcpy(body, call->body, call->body_len);
        call->body = body;
        call->body_room = room;
    }
    memcpy(call->body + call->body_len, data, len);
    call->body_len = wanted;
    return true;
}

static size_t body_receive(char *data, size_t size, size_t count, void *baton)
{
    call_t *call = baton;
    if (!body_append(call, data, size * count)) {
        call->too_large = true;
        return 0;
    }
    return size * count;
}

static size_t header_receive(char *data, size_t size, size_t count, void *baton)
{
    call_t *call = baton;
    /* libcurl itself knows no bound, and keeps all lines until the call ends. */
    if (!sso_headers_read(call->ctx->pool, &call->headers, data, size * count)) {
        call->too_large = true;
        return 0;
    }
    return size * count;
}

static const char *url_part(const call_t *call, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(call->url, part, &text, flags) != CURLUE_OK) {
        return NULL;
    }
    const char *copy = apr_pstrdup(call->ctx->pool, text);
    curl_free(text);
    return copy;
}

/* SECURITY: the rule of sso_url_check_outbound once more, on what libcurl itself understood, so that two parsers cannot
 * differ: https, or http to this machine; and with request->direct to its platform's own services, which are link-local
 * and only offered over http. */
static sso_rc url_check(call_t *call)
{
    apr_pool_t *pool = call->ctx->pool;
    call->host = "(no host)";
    call->url = curl_url();
    if (!call->url || curl_url_set(call->url, CURLUPART_URL, call->request->url, CURLU_DISALLOW_USER) != CURLUE_OK) {
        return sso_fail(call->ctx, SSO_R_HTTP_FAILED, "the URL is malformed");
    }
    const char *scheme = url_part(call, CURLUPART_SCHEME, 0);
    const char *host = url_part(call, CURLUPART_HOST, 0);
    const char *port = url_part(call, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!scheme || !host || !port) {
        return sso_fail(call->ctx, SSO_R_HTTP_FAILED, "the URL lacks a scheme or a host");
    }
    call->host = sso_printable(pool, host);
    const char *origin = apr_psprintf(pool, "%s://%s:%s", scheme, host, port);
    const char *wrong = sso_url_check_outbound(pool, origin, false);
    if (wrong && !(call->request->direct && sso_url_check_local(pool, origin, false) == NULL)) {
        return sso_fail(call->ctx, SSO_R_HTTP_FAILED, "%s: %s", call->host, wrong);
    }
    call->loopback_http = strcmp(scheme, "https") != 0;
    return SSO_OK;
}

/* One header line in front of list. libcurl only reads the list, so it lives in the pool, where nothing can fail. */
static struct curl_slist *header_add(apr_pool_t *pool, struct curl_slist *list, const char *name, const char *value)
{
    struct curl_slist *node = apr_palloc(pool, sizeof(*node));
    /* "Name;" is libcurl's way to send a header without value. */
    node->data = value[0] == '\0' ? apr_pstrcat(pool, name, ";", NULL) : apr_pstrcat(pool, name, ": ", value, NULL);
    sso_wipe_later(pool, node->data, strlen(node->data)); /* it may be a token's */
    node->next = list;
    return node;
}

typedef struct {
    apr_pool_t *pool;
    struct curl_slist *list;
} header_list_t;

static int header_take(void *baton, const char *name, const char *value)
{
    header_list_t *headers = baton;
    /* SECURITY: a line break in a value would be a header, or a request, of its own. */
    if (sso_has_control(name) || sso_has_control(value)) {
        return 0;
    }
    headers->list = header_add(headers->pool, headers->list, name, value);
    return 1;
}

static sso_rc headers_make(const call_t *call, struct curl_slist **ret_list)
{
    header_list_t headers = {.pool = call->ctx->pool};
    /* "Name:" is libcurl's way to leave a header out: no waiting for 100 Continue. */
    headers.list = apr_pcalloc(headers.pool, sizeof(*headers.list));
    headers.list->data = apr_pstrdup(headers.pool, "Expect:");
    bool ok = true;
    if (call->request->body && call->request->content_type) {
        ok = header_take(&headers, "Content-Type", call->request->content_type) != 0;
    }
    if (ok && call->request->headers) {
        ok = apr_table_do(header_take, &headers, call->request->headers, NULL) != 0;
    }
    if (!ok) {
        return sso_fail(call->ctx, SSO_R_HTTP_FAILED, "%s: control bytes in a request header", call->host);
    }
    *ret_list = headers.list;
    return SSO_OK;
}

/* Whole milliseconds, at least one: to libcurl 0 means its own default, or never. */
static long milliseconds(apr_interval_time_t span)
{
    apr_interval_time_t ms = apr_time_as_msec(span);
    if (ms < 1) {
        return 1;
    }
    return ms < INT_MAX ? (long)ms : INT_MAX;
}

/* libcurl asks here at least once a second while it waits. */
static int go_on(void *baton, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    client_t *client = baton;
    return atomic_load_explicit(&client->stopped, memory_order_relaxed) ? 1 : 0;
}

/* curl_easy_setopt checks types by macro, so each option is a statement; their results are or-ed together. */
#define SET(option, value) failed |= curl_easy_setopt(call->easy, option, value) != CURLE_OK

static bool transport_set(client_t *client, const call_t *call)
{
    const sso_http_policy_t *policy = call->request->policy;
    bool failed = false;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, go_on);
    SET(CURLOPT_XFERINFODATA, client);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(policy->connect_timeout));
    SET(CURLOPT_TIMEOUT_MS, milliseconds(policy->total_timeout));
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S);
#if LIBCURL_VERSION_NUM >= 0x075000 /* 7.80.0 */
    SET(CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
#endif
    /* A handle has one call at a time: HTTP/2 would gain nothing and bring a second protocol engine. */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (policy->ca_file) {
        SET(CURLOPT_CAINFO, policy->ca_file);
        SET(CURLOPT_CAPATH, NULL); /* else the system's folder would be trusted beside the given file */
    }
    /* SECURITY: without both, libcurl reads the proxy from the environment. Plain http leaves this machine for no
     * proxy. */
    bool direct = call->request->direct || call->loopback_http || !policy->proxy;
    SET(CURLOPT_PROXY, direct ? "" : policy->proxy);
    SET(CURLOPT_NOPROXY, direct ? "*" : "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return !failed;
}

static bool request_set(call_t *call, struct curl_slist *headers)
{
    const sso_http_request_t *request = call->request;
    bool failed = false;
    SET(CURLOPT_CURLU, call->url);
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0, which also calls the other form deprecated */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(CURLOPT_REDIR_PROTOCOLS, 0L);
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, "mod_entra_sso");
    SET(CURLOPT_HTTPHEADER, headers);
    if (request->body) {
        /* Borrowed, not copied: it may hold a secret, and its owner wipes it. */
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, request->body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    /* Refuses by Content-Length before the body comes; body_receive holds the bound in any case. */
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_response);
    SET(CURLOPT_WRITEFUNCTION, body_receive);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, header_receive);
    SET(CURLOPT_HEADERDATA, call);
    return !failed;
}

static const struct {
    CURLcode code;
    sso_rc rc;
} code_reasons[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, SSO_R_HTTP_CONNECT},
    {CURLE_COULDNT_RESOLVE_HOST, SSO_R_HTTP_CONNECT},
    {CURLE_COULDNT_CONNECT, SSO_R_HTTP_CONNECT},
#if LIBCURL_VERSION_NUM >= 0x074900 /* 7.73.0 */
    {CURLE_PROXY, SSO_R_HTTP_CONNECT},
#endif
    {CURLE_PEER_FAILED_VERIFICATION, SSO_R_HTTP_TLS},
    {CURLE_SSL_CONNECT_ERROR, SSO_R_HTTP_TLS},
    {CURLE_SSL_CACERT_BADFILE, SSO_R_HTTP_TLS},
    {CURLE_SSL_CERTPROBLEM, SSO_R_HTTP_TLS},
    {CURLE_SSL_CIPHER, SSO_R_HTTP_TLS},
    {CURLE_SSL_ISSUER_ERROR, SSO_R_HTTP_TLS},
    {CURLE_ABORTED_BY_CALLBACK, SSO_R_HTTP_ENDING},
    {CURLE_OPERATION_TIMEDOUT, SSO_R_HTTP_TIMEOUT},
    {CURLE_FILESIZE_EXCEEDED, SSO_R_HTTP_SIZE},
};

static sso_rc code_fail(const call_t *call, CURLcode code)
{
    if (call->too_large) {
        return sso_fail(call->ctx, SSO_R_HTTP_SIZE, "%s: more than %lu bytes, or too many headers", call->host,
                        (unsigned long)call->request->max_response);
    }
    long proxy_status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status >= 300) {
        return sso_fail(call->ctx, SSO_R_HTTP_CONNECT, "%s: the proxy answered %ld", call->host, proxy_status);
    }
    sso_rc rc = SSO_R_HTTP_FAILED;
    for (size_t i = 0; i < sizeof(code_reasons) / sizeof(code_reasons[0]); i++) {
        if (code_reasons[i].code == code) {
            rc = code_reasons[i].rc;
        }
    }
    return sso_fail(call->ctx, rc, "%s: %s", call->host, curl_easy_strerror(code));
}

static void response_fill(const call_t *call, sso_http_response_t *ret_response)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->body[call->body_len] = '\0';
    *ret_response = (sso_http_response_t){.status = (int)status,
                                          .body = call->body,
                                          .len = call->body_len,
                                          .challenge = call->headers.challenge,
                                          .location = call->headers.location,
                                          .date = sso_headers_date(&call->headers),
                                          .retry_after_s = sso_headers_retry_after(&call->headers, call->ctx->now)};
}

static sso_rc call_perform(client_t *client, call_t *call, struct curl_slist *headers,
                           sso_http_response_t *ret_response)
{
    if (atomic_load_explicit(&client->stopped, memory_order_relaxed)) {
        return sso_fail(call->ctx, SSO_R_HTTP_ENDING, "%s", call->host);
    }
    call->easy = handle_take(client);
    if (!call->easy) {
        return sso_fail(call->ctx, SSO_R_HTTP_FAILED, "%s: no handle", call->host);
    }
    sso_rc rc = SSO_OK;
    if (!transport_set(client, call) || !request_set(call, headers)) {
        rc = sso_fail(call->ctx, SSO_R_HTTP_FAILED, "%s: libcurl does not know an option", call->host);
    } else {
        CURLcode code = curl_easy_perform(call->easy);
        if (code != CURLE_OK) {
            rc = code_fail(call, code);
        } else {
            response_fill(call, ret_response);
        }
        curl_off_t took = 0;
        curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &took);
        call->took = took;
    }
    handle_put(client, call->easy);
    return rc;
}

static sso_rc call_perform_gated(client_t *client, call_t *call, struct curl_slist *headers,
                                 sso_http_response_t *ret_response)
{
    sso_gate_t *gate = call->request->ungated || call->ctx->background ? NULL : client->gate;
    if (gate && !sso_gate_enter(gate)) {
        return sso_fail(call->ctx, SSO_R_HTTP_BUSY, "%s", call->host);
    }
    sso_rc rc = call_perform(client, call, headers, ret_response);
    if (gate) {
        sso_gate_leave(gate, rc == SSO_OK);
    }
    return rc;
}

/* The step from a kind's first counter (base/counters.def) to that of this outcome. */
static unsigned result_of(sso_rc rc, int status)
{
    static const struct {
        sso_rc rc;
        unsigned step;
    } steps[] = {{SSO_R_HTTP_CONNECT, 3}, {SSO_R_HTTP_TLS, 3}, {SSO_R_HTTP_TIMEOUT, 4}, {SSO_R_HTTP_BUSY, 5}};
    if (rc == SSO_OK) {
        return status >= 500 ? 2 : status >= 400 ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].rc == rc) {
            return steps[i].step;
        }
    }
    return 6;
}

static void call_count(const call_t *call, sso_rc rc, const sso_http_response_t *response)
{
    const unsigned results = SSO_COUNT_OUTBOUND_METADATA_OK - SSO_COUNT_OUTBOUND_OTHER_OK;
    sso_outbound_t kind = call->request->kind;
    if (rc == SSO_R_HTTP_ENDING) {
        return;
    }
    unsigned first = SSO_COUNT_OUTBOUND_OTHER_OK + (unsigned)kind * results;
    sso_count(call->ctx, (sso_count_t)(first + result_of(rc, rc == SSO_OK ? response->status : 0)));
    if (rc == SSO_OK) {
        sso_count_latency(call->ctx, (sso_latency_t)kind, call->took);
    }
}

static sso_rc client_perform(sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                             sso_http_response_t *ret_response)
{
    call_t call = {.ctx = ctx, .request = request, .body = apr_pcalloc(ctx->pool, 1)};
    struct curl_slist *headers = NULL;
    sso_rc rc = url_check(&call);
    if (rc == SSO_OK) {
        rc = headers_make(&call, &headers);
    }
    if (rc == SSO_OK) {
        rc = call_perform_gated((client_t *)http, &call, headers, ret_response);
    }
    call_count(&call, rc, ret_response);
    curl_url_cleanup(call.url);
    return rc;
}

void sso_http_stop(sso_http_t *http)
{
    client_t *client = (client_t *)http;
    atomic_store_explicit(&client->stopped, true, memory_order_relaxed);
}

static apr_status_t client_cleanup(void *data)
{
    client_t *client = data;
    CURL *easy = NULL;
    while ((easy = client->idle) != NULL) {
        char *next = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &next);
        client->idle = (CURL *)next;
        curl_easy_cleanup(easy);
    }
    if (client->share) {
        curl_share_cleanup(client->share);
    }
    curl_global_cleanup();
    return APR_SUCCESS;
}

static bool client_locks_make(client_t *client, apr_pool_t *pool)
{
    bool ok = apr_thread_mutex_create(&client->idle_lock, APR_THREAD_MUTEX_DEFAULT, pool) == APR_SUCCESS;
    for (int i = 0; i < CURL_LOCK_DATA_LAST; i++) {
        ok = ok && apr_thread_mutex_create(&client->share_locks[i], APR_THREAD_MUTEX_DEFAULT, pool) == APR_SUCCESS;
    }
    return ok;
}

/* Connections are not shared: libcurl's sharing of them is not safe between threads. */
static bool client_share_make(client_t *client)
{
    client->share = curl_share_init();
    return client->share && curl_share_setopt(client->share, CURLSHOPT_LOCKFUNC, share_lock) == CURLSHE_OK &&
           curl_share_setopt(client->share, CURLSHOPT_UNLOCKFUNC, share_unlock) == CURLSHE_OK &&
           curl_share_setopt(client->share, CURLSHOPT_USERDATA, client) == CURLSHE_OK &&
           curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

sso_rc sso_http_make(sso_ctx_t *ctx, apr_pool_t *pool, sso_gate_t *gate, sso_http_t **ret_http)
{
    client_t *client = apr_pcalloc(pool, sizeof(*client));
    client->face.perform = client_perform;
    client->gate = gate;
    if (!client_locks_make(client, pool)) {
        return sso_fail(ctx, SSO_R_HTTP_FAILED, "no mutex");
    }
    /* libcurl counts the calls, and guards the count itself: only the first does something, and only the last cleanup
     * undoes it. So we can neither start it twice nor stop it under mod_md. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return sso_fail(ctx, SSO_R_HTTP_FAILED, "libcurl does not start");
    }
    /* After the mutexes, hence before they are gone: handles unlock the share as they close. */
    apr_pool_cleanup_register(pool, client, client_cleanup, apr_pool_cleanup_null);
    if (!client_share_make(client)) {
        return sso_fail(ctx, SSO_R_HTTP_FAILED, "libcurl shares nothing");
    }
    *ret_http = &client->face;
    return SSO_OK;
}
