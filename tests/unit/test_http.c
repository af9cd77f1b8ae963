/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/http.c against a server inside this program (127.0.0.1, any port) that answers by a script; TLS against
 * `openssl s_server`. */
#include "base/http.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#include "base/counters.h"

#include "server.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_ANSWER OK_HEAD "Content-Length: 5\r\n\r\nhello"
static const answer_t ok[] = {{KEEP, OK_ANSWER}};

static const sso_http_policy_t patient = {.connect_timeout = apr_time_from_sec(5),
                                          .total_timeout = apr_time_from_sec(10)};
static const sso_http_policy_t hasty = {.connect_timeout = apr_time_from_msec(200),
                                        .total_timeout = apr_time_from_msec(200)};

static sso_http_t *client_make(sso_gate_t *gate)
{
    sso_http_t *http = NULL;
    assert_rc(SSO_OK, sso_http_make(&unit_ctx, unit_pool, gate, &http));
    return http;
}

static sso_http_request_t request_to(const server_t *server)
{
    return (sso_http_request_t){.url = apr_psprintf(unit_pool, "http://127.0.0.1:%d/path?code=hidden", server->port),
                                .policy = &patient,
                                .max_response = 1000};
}

static sso_http_response_t get_good(sso_http_t *http, const server_t *server)
{
    sso_http_response_t response = {0};
    sso_http_request_t request = request_to(server);
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    return response;
}

/* Performs, wants the reason, and that nothing of the query got into the detail. */
static void assert_fails(sso_rc expected, sso_http_t *http, const sso_http_request_t *request)
{
    sso_http_response_t response = {.status = -1};
    sso_rc rc = sso_http_perform(http, &unit_ctx, request, &response);
    if (rc != SSO_OK) {
        assert_non_null(unit_ctx.fault.detail);
        assert_null(strstr(unit_ctx.fault.detail, "hidden"));
        assert_int_equal(response.status, -1); /* written on success only */
    }
    assert_rc(expected, rc);
}

static void test_http_get_gives_status_and_body(void **state)
{
    (void)state;
    server_t *server = server_start(ok);
    sso_http_response_t response = get_good(client_make(NULL), server);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.len, 5);
    assert_string_equal(response.body, "hello");
    assert_int_equal(response.retry_after_s, 0);
    assert_int_equal(response.date, 0);
    const char *received = server_received(server, 0);
    assert_ptr_equal(strstr(received, "GET /path?code=hidden HTTP/1.1\r\n"), received);
    assert_non_null(strstr(received, "\r\nUser-Agent: mod_entra_sso\r\n"));
}

static void test_http_any_status_is_a_success(void **state)
{
    (void)state;
    static const answer_t answers[] = {{KEEP, "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}"},
                                       {KEEP, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"},
                                       {KEEP, "HTTP/1.1 204 Nothing\r\n\r\n"}};
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    assert_int_equal(get_good(http, server).status, 400);
    sso_http_response_t response = get_good(http, server);
    assert_int_equal(response.status, 503);
    assert_string_equal(response.body, "");
    assert_int_equal(get_good(http, server).status, 204);
}

static void test_http_post_sends_body_type_and_headers_alone(void **state)
{
    (void)state;
    server_t *server = server_start(ok);
    sso_http_request_t request = request_to(server);
    /* Past the megabyte from which libcurl by itself would ask with Expect first. */
    char *body = apr_pcalloc(unit_pool, 1100001);
    memset(body, 'b', 1100000);
    apr_table_t *headers = apr_table_make(unit_pool, 2);
    apr_table_setn(headers, "Accept", "application/json");
    apr_table_setn(headers, "X-Empty", "");
    request.body = body;
    request.content_type = "application/x-test";
    request.headers = headers;
    sso_http_response_t response;
    assert_rc(SSO_OK, sso_http_perform(client_make(NULL), &unit_ctx, &request, &response));
    const char *received = server_received(server, 0);
    assert_ptr_equal(strstr(received, "POST /path"), received);
    assert_non_null(strstr(received, "\r\nContent-Type: application/x-test\r\n"));
    assert_non_null(strstr(received, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(received, "\r\nX-Empty:\r\n"));
    assert_int_equal(strcmp(strstr(received, "\r\n\r\n") + 4, body), 0);
    static const char *const never[] = {
        "Expect:", "Origin:", "Cookie:", "Accept-Encoding:", "Referer:", "Authorization:"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        assert_null(strstr(received, never[i]));
    }
}

static void test_http_header_with_control_bytes_is_refused(void **state)
{
    (void)state;
    server_t *server = server_start(ok);
    sso_http_request_t request = request_to(server);
    apr_table_t *headers = apr_table_make(unit_pool, 1);
    apr_table_setn(headers, "X-Test", "a\r\nX-Other: hidden");
    request.headers = headers;
    assert_fails(SSO_R_HTTP_FAILED, client_make(NULL), &request);
    assert_int_equal(server_connections(server), 0);
}

static void test_http_sequential_calls_share_one_connection(void **state)
{
    (void)state;
    server_t *server = server_start(ok);
    sso_http_t *http = client_make(NULL);
    for (int i = 0; i < 5; i++) {
        get_good(http, server);
    }
    assert_int_equal(server_requests(server), 5);
    assert_int_equal(server_connections(server), 1);
}

static sso_rc post(sso_http_t *http, const server_t *server)
{
    sso_http_request_t request = request_to(server);
    request.body = "grant=hidden";
    sso_http_response_t response;
    return sso_http_perform(http, &unit_ctx, &request, &response);
}

static void test_http_post_on_a_dead_kept_connection_succeeds(void **state)
{
    (void)state;
    /* Closed after an answer that promised to keep it. */
    static const answer_t closes[] = {{CLOSE, OK_ANSWER}};
    server_t *server = server_start(closes);
    sso_http_t *http = client_make(NULL);
    for (int i = 0; i < 5; i++) {
        assert_rc(SSO_OK, post(http, server));
    }
    assert_int_equal(server_connections(server), 5);
    /* Closed at the moment when the next request arrives. */
    static const answer_t drops[] = {{KEEP, OK_ANSWER}, {DROP, NULL}, {KEEP, OK_ANSWER}};
    server = server_start(drops);
    assert_rc(SSO_OK, post(http, server));
    assert_rc(SSO_OK, post(http, server));
    assert_int_equal(server_connections(server), 2);
    assert_non_null(strstr(server_received(server, 2), "\r\n\r\ngrant=hidden"));
}

static void test_http_answer_over_its_bound_is_refused(void **state)
{
    (void)state;
    char *body = apr_pcalloc(unit_pool, 20002);
    memset(body, 'x', 20001);
    const char *chunked =
        apr_psprintf(unit_pool, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4e21\r\n%s\r\n0\r\n\r\n", body);
    const char *endless = apr_psprintf(unit_pool, OK_HEAD "\r\n%s", body);
    const char *declared = OK_HEAD "Content-Length: 20001\r\n\r\n";
    const answer_t answers[] = {{CLOSE, chunked}, {CLOSE, endless}, {CLOSE, declared}, {CLOSE, endless}};
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    sso_http_request_t request = request_to(server);
    request.max_response = 20000;
    for (int i = 0; i < 3; i++) {
        assert_fails(SSO_R_HTTP_SIZE, http, &request);
    }
    request.max_response = 20001; /* exactly the bound */
    sso_http_response_t response;
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    assert_string_equal(response.body, body);
    request.max_response = 0;
    assert_fails(SSO_R_HTTP_SIZE, http, &request);
}

static void test_http_headers_over_their_bound_are_refused(void **state)
{
    (void)state;
    char *line = apr_pcalloc(unit_pool, 1000);
    memset(line, 'x', 999);
    apr_array_header_t *lines = apr_array_make(unit_pool, 70, sizeof(const char *));
    for (int i = 0; i < 70; i++) {
        *(const char **)apr_array_push(lines) = apr_psprintf(unit_pool, "X-%d: %s\r\n", i, line);
    }
    const answer_t answers[] = {
        {CLOSE, apr_pstrcat(unit_pool, OK_HEAD, apr_array_pstrcat(unit_pool, lines, 0), "\r\n", NULL)}};
    server_t *server = server_start(answers);
    sso_http_request_t request = request_to(server);
    assert_fails(SSO_R_HTTP_SIZE, client_make(NULL), &request);
}

/* How often a call for the token endpoint came to this end, since the last look. */
static void assert_counted(sso_count_t what)
{
    for (sso_count_t i = SSO_COUNT_OUTBOUND_OTHER_OK; i <= SSO_COUNT_OUTBOUND_GRAPH_FAILED; i++) {
        assert_int_equal(sso_counters_get(unit_ctx.counters, i), i == what);
    }
    memset(unit_ctx.counters, 0, sso_counters_size());
}

static void test_http_every_end_is_counted_under_its_kind(void **state)
{
    (void)state;
    static const answer_t answers[] = {{KEEP, OK_ANSWER},
                                       {KEEP, "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}"},
                                       {KEEP, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"},
                                       {KEEP, OK_ANSWER},
                                       {HANG, NULL}};
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    sso_http_request_t request = request_to(server);
    sso_http_response_t response;
    sso_latencies_t latencies;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    request.kind = SSO_OUTBOUND_TOKEN;
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    sso_counters_latencies(unit_ctx.counters, SSO_LATENCY_TOKEN, &latencies);
    assert_int_equal(latencies.count, 1);
    assert_true(latencies.sum > 0 && latencies.sum < patient.total_timeout);
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_OK);
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_REFUSED);
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_ERROR);
    request.max_response = 1;
    assert_fails(SSO_R_HTTP_SIZE, http, &request);
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_FAILED);
    request.policy = &hasty;
    assert_fails(SSO_R_HTTP_TIMEOUT, http, &request);
    sso_counters_latencies(unit_ctx.counters, SSO_LATENCY_TOKEN, &latencies);
    assert_int_equal(latencies.count, 0); /* of what got no answer, the time is our own patience */
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_TIMEOUT);
    request.policy = &patient;
    request.url = "https://name.invalid/?code=hidden";
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
    assert_counted(SSO_COUNT_OUTBOUND_TOKEN_UNREACHABLE);
    request.kind = SSO_OUTBOUND_GRAPH;
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
    assert_counted(SSO_COUNT_OUTBOUND_GRAPH_UNREACHABLE);
}

static void test_http_silent_server_is_a_timeout(void **state)
{
    (void)state;
    static const answer_t answers[] = {{HANG, NULL}};
    server_t *server = server_start(answers);
    sso_http_request_t request = request_to(server);
    request.policy = &hasty;
    assert_fails(SSO_R_HTTP_TIMEOUT, client_make(NULL), &request);
}

static void test_http_refused_connection_is_reported(void **state)
{
    (void)state;
    sso_http_t *http = client_make(NULL);
    server_t *server = server_start(ok);
    sso_http_request_t request = request_to(server);
    apr_pool_cleanup_run(unit_pool, server, server_stop);
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
    request.url = "https://name.invalid/?code=hidden";
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
}

static void test_http_broken_answer_is_a_failure(void **state)
{
    (void)state;
    static const answer_t answers[] = {
        {DROP, NULL}, {CLOSE, "hidden nonsense"}, {CLOSE, OK_HEAD "Content-Length: 9\r\n\r\nhidden"}};
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    sso_http_request_t request = request_to(server);
    for (int i = 0; i < 3; i++) {
        assert_fails(SSO_R_HTTP_FAILED, http, &request);
    }
}

static void test_http_retry_after_takes_every_form(void **state)
{
    (void)state;
#define LATER "HTTP/1.1 429 Later\r\nContent-Length: 0\r\n"
#define DATED LATER "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
    static const struct {
        answer_t answer;
        int expected;
    } rows[] = {
        {{KEEP, LATER "Retry-After: 17\r\n\r\n"}, 17},
        {{KEEP, LATER "retry-after:17 \r\n\r\n"}, 17},
        {{KEEP, LATER "Retry-After: 0\r\n\r\n"}, 0},
        {{KEEP, LATER "Retry-After: 3601\r\n\r\n"}, 3600},
        {{KEEP, LATER "Retry-After: 99999999999999999999\r\n\r\n"}, 3600},
        {{KEEP, LATER "Retry-After: -5\r\n\r\n"}, 0},
        {{KEEP, LATER "Retry-After: soon\r\n\r\n"}, 0},
        {{KEEP, LATER "Retry-After:\r\n\r\n"}, 0},
        /* By the context's moment, 15:00:00, when the answer has no Date; else by the Date. */
        {{KEEP, LATER "Retry-After: Mon, 23 Nov 2026 15:00:30 GMT\r\n\r\n"}, 30},
        {{KEEP, LATER "Retry-After: Mon, 23 Nov 2026 14:59:59 GMT\r\n\r\n"}, 0},
        {{KEEP, DATED "Retry-After: Mon, 23 Nov 2026 12:00:45 GMT\r\n\r\n"}, 45},
        {{KEEP, DATED "Retry-After: Tue, 24 Nov 2026 12:00:45 GMT\r\n\r\n"}, 3600},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    answer_t answers[ROWS];
    for (int i = 0; i < ROWS; i++) {
        answers[i] = rows[i].answer;
    }
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    for (int i = 0; i < ROWS; i++) {
        sso_http_response_t response = get_good(http, server);
        if (response.retry_after_s != rows[i].expected) {
            unit_fail("%s gave %d", rows[i].answer.text, response.retry_after_s);
        }
        assert_int_equal(response.date, i < 10 ? 0 : apr_time_from_sec(SSO_TEST_NOW_S - 3 * 3600));
    }
}

static void test_http_interim_answer_is_passed_over(void **state)
{
    (void)state;
    static const answer_t answers[] = {{KEEP, "HTTP/1.1 103 Early\r\nRetry-After: 9\r\n\r\n" OK_ANSWER}};
    sso_http_response_t response = get_good(client_make(NULL), server_start(answers));
    assert_int_equal(response.status, 200);
    assert_int_equal(response.retry_after_s, 0);
}

static void test_http_redirect_is_not_followed(void **state)
{
    (void)state;
    server_t *target = server_start(ok);
    const answer_t answers[] = {{KEEP, apr_psprintf(unit_pool,
                                                    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\n"
                                                    "Content-Length: 0\r\n\r\n",
                                                    target->port)}};
    server_t *server = server_start(answers);
    sso_http_response_t response = get_good(client_make(NULL), server);
    assert_int_equal(response.status, 302);
    assert_string_equal(response.location, apr_psprintf(unit_pool, "http://127.0.0.1:%d/", target->port));
    assert_int_equal(server_connections(target), 0);
    assert_null(get_good(client_make(NULL), target).location);
}

static void test_http_cookie_is_not_sent_back(void **state)
{
    (void)state;
    static const answer_t answers[] = {{KEEP, OK_HEAD "Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"}};
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    get_good(http, server);
    get_good(http, server);
    assert_null(strstr(server_received(server, 1), "Cookie"));
}

static void test_http_proxy_of_the_environment_is_ignored(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    server_t *proxy = server_start(ok), *server = server_start(ok);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv(names[i], apr_psprintf(unit_pool, "http://127.0.0.1:%d", proxy->port), 1);
    }
    sso_http_t *http = client_make(NULL);
    get_good(http, server);
    sso_http_request_t request = request_to(server);
    request.url = apr_psprintf(unit_pool, "https://127.0.0.1:%d/?code=hidden", server->port);
    assert_fails(SSO_R_HTTP_TLS, http, &request); /* it reached the server, which speaks no TLS */
    assert_int_equal(server_connections(proxy), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static void test_http_proxy_of_the_policy_is_used_for_https_alone(void **state)
{
    (void)state;
    static const answer_t refuses[] = {{CLOSE, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"}};
    server_t *proxy = server_start(refuses), *server = server_start(ok);
    sso_http_policy_t policy = patient;
    policy.proxy = apr_psprintf(unit_pool, "http://127.0.0.1:%d", proxy->port);
    sso_http_t *http = client_make(NULL);
    sso_http_request_t request = request_to(server);
    request.policy = &policy;
    setenv("no_proxy", "*", 1);
    request.url = "https://login.invalid/?code=hidden";
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
    unsetenv("no_proxy");
    assert_int_equal(server_requests(proxy), 1);
    assert_non_null(strstr(server_received(proxy, 0), "CONNECT login.invalid:443 "));
    request.direct = true;
    assert_fails(SSO_R_HTTP_CONNECT, http, &request);
    assert_int_equal(server_requests(proxy), 1);
    request = request_to(server);
    request.policy = &policy;
    sso_http_response_t response;
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    assert_int_equal(server_requests(proxy), 1);
}

static void test_http_url_outside_the_rule_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://login.example/?hidden",
                                       "http://10.0.0.1/?hidden",
                                       "http://127.0.0.1.example/?hidden",
                                       "ftp://127.0.0.1/?hidden",
                                       "file:///etc/passwd",
                                       "https://user:hidden@127.0.0.1/",
                                       "//127.0.0.1/?hidden",
                                       "http://localhost@10.0.0.1/",
                                       "http://10.0.0.1#@127.0.0.1/",
                                       "",
                                       "hidden",
                                       "https://a b/?hidden"};
    sso_http_t *http = client_make(NULL);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        sso_http_request_t request = {.url = urls[i], .policy = &hasty, .max_response = 10};
        sso_http_response_t response;
        sso_rc rc = sso_http_perform(http, &unit_ctx, &request, &response);
        if (rc != SSO_R_HTTP_FAILED || strstr(unit_ctx.fault.detail, "hidden")) {
            unit_fail("%s gave %s: %s", urls[i], sso_reason(rc)->name, unit_ctx.fault.detail);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_http_full_gate_is_busy_at_once(void **state)
{
    (void)state;
    static const answer_t answers[] = {{KEEP, OK_ANSWER}, {KEEP, OK_ANSWER}, {DROP, NULL}};
    void *memory = apr_pcalloc(unit_pool, sso_gate_shared_size(1));
    sso_gate_shared_init(memory, 1, 1);
    sso_gate_t *gate = sso_gate_join(unit_pool, memory);
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(gate);
    assert_true(sso_gate_enter(gate));
    sso_http_request_t request = request_to(server);
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    assert_fails(SSO_R_HTTP_BUSY, http, &request);
    assert_counted(SSO_COUNT_OUTBOUND_OTHER_BUSY);
    assert_int_equal(server_connections(server), 0);
    request.ungated = true;
    sso_http_response_t response;
    assert_rc(SSO_OK, sso_http_perform(http, &unit_ctx, &request, &response));
    assert_int_equal(sso_gate_count(gate), 1);
    sso_gate_leave(gate, true);
    get_good(http, server);
    assert_int_equal(sso_gate_count(gate), 0);
    request.ungated = false;
    assert_fails(SSO_R_HTTP_FAILED, client_make(gate), &request);
    assert_int_equal(sso_gate_count(gate), 0); /* left after a failure, too */
}

typedef struct {
    sso_http_t *http;
    sso_http_request_t request;
} caller_t;

static void *caller_run(void *baton)
{
    const caller_t *caller = baton;
    bool good = true;
    for (int i = 0; i < 50 && good; i++) {
        apr_pool_t *pool = NULL;
        sso_ctx_t ctx;
        sso_http_response_t response;
        apr_pool_create(&pool, NULL);
        sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
        good = sso_http_perform(caller->http, &ctx, &caller->request, &response) == SSO_OK && response.len == 5;
        apr_pool_destroy(pool);
    }
    return good ? baton : NULL;
}

static void test_http_many_threads_use_one_client(void **state)
{
    (void)state;
    server_t *server = server_start(ok);
    caller_t caller = {client_make(NULL), request_to(server)};
    pthread_t threads[6];
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, caller_run, &caller), 0);
    }
    for (int i = 0; i < 6; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    assert_int_equal(server_requests(server), 300);
    assert_in_range(server_connections(server), 1, 6);
}

/* ---- TLS ---- */

extern char **environ;

/* Runs a shell command; its standard output can be read from *ret_out. */
static pid_t command_start(const char *command, int *ret_out)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    char shell[] = "sh", option[] = "-c", *copy = apr_pstrdup(unit_pool, command);
    char *arguments[] = {shell, option, copy, NULL};
    pid_t pid = 0;
    assert_int_equal(posix_spawnp(&pid, shell, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *ret_out = ends[0];
    return pid;
}

static apr_status_t folder_remove(void *folder)
{
    return system(apr_psprintf(unit_process_pool, "rm -rf %s", (const char *)folder)) == 0 ? APR_SUCCESS : APR_EGENERAL;
}

typedef struct {
    pid_t pid;
    int out;
} tls_server_t;

static apr_status_t tls_server_stop(void *baton)
{
    const tls_server_t *server = baton;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    close(server->out);
    return APR_SUCCESS;
}

/* Gives the port that s_server names on its standard output. */
static int tls_server_start(const char *folder, const char *options)
{
    tls_server_t *server = apr_palloc(unit_pool, sizeof(*server));
    server->pid = command_start(apr_psprintf(unit_pool,
                                             "cd %s && exec openssl s_server -accept 127.0.0.1:0 -www"
                                             " -cert cert.pem -key key.pem %s",
                                             folder, options),
                                &server->out);
    apr_pool_cleanup_register(unit_pool, server, tls_server_stop, apr_pool_cleanup_null);
    char text[512];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(server->out, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        const char *accept = strstr(text, "ACCEPT 127.0.0.1:");
        if (accept && strchr(accept, '\n')) {
            return (int)strtol(accept + 17, NULL, 10);
        }
    }
    fail_msg("openssl s_server did not start");
    return 0;
}

static void test_http_only_verified_tls_is_accepted(void **state)
{
    (void)state;
    char *folder = apr_pstrdup(unit_pool, "/tmp/test_http.XXXXXX");
    assert_non_null(mkdtemp(folder));
    apr_pool_cleanup_register(unit_pool, folder, folder_remove, apr_pool_cleanup_null);
    if (system(apr_psprintf(unit_pool,
                            "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
                            " -keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                            " 2>/dev/null",
                            folder)) != 0) {
        skip(); /* no openssl command here; the end-to-end tests have theirs */
    }
    const char *ca = apr_pstrcat(unit_pool, folder, "/cert.pem", NULL);
    int modern = tls_server_start(folder, "");
    int old = tls_server_start(folder, "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
    const struct {
        const char *what, *host, *ca_file;
        int port;
        sso_rc rc;
    } rows[] = {
        {"trusted authority, right name", "localhost", ca, modern, SSO_OK},
        {"unknown authority", "localhost", NULL, modern, SSO_R_HTTP_TLS},
        {"wrong name", "127.0.0.1", ca, modern, SSO_R_HTTP_TLS},
        {"missing bundle", "localhost", "/none/ca.pem", modern, SSO_R_HTTP_TLS},
        {"TLS 1.1", "localhost", ca, old, SSO_R_HTTP_TLS},
        {"once more, after the failures", "localhost", ca, modern, SSO_OK},
    };
    sso_http_t *http = client_make(NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_http_policy_t policy = patient;
        policy.ca_file = rows[i].ca_file;
        sso_http_request_t request = {.url = apr_psprintf(unit_pool, "https://%s:%d/", rows[i].host, rows[i].port),
                                      .policy = &policy,
                                      .max_response = 100000};
        sso_http_response_t response;
        sso_rc rc = sso_http_perform(http, &unit_ctx, &request, &response);
        if (rc != rows[i].rc) {
            unit_fail("%s gave %s: %s", rows[i].what, sso_reason(rc)->name, unit_ctx.fault.detail);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_http_challenge_is_given_whole(void **state)
{
    (void)state;
    static const answer_t answers[] = {
        {KEEP, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"a\"\r\nwww-authenticate: Bearer error=\"x\"\r\n"
               "Content-Length: 0\r\n\r\n"},
        {KEEP, OK_ANSWER},
    };
    server_t *server = server_start(answers);
    sso_http_t *http = client_make(NULL);
    assert_string_equal(get_good(http, server).challenge, "Basic realm=\"a\", Bearer error=\"x\"");
    assert_null(get_good(http, server).challenge);
}

static void *stop_soon(void *data)
{
    apr_sleep(apr_time_from_msec(100));
    sso_http_stop(data);
    return NULL;
}

static void test_http_stopped_client_ends_its_calls(void **state)
{
    (void)state;
    static const answer_t never[] = {{HANG, NULL}};
    server_t *server = server_start(never);
    sso_http_t *http = client_make(NULL);
    sso_http_request_t request = request_to(server);
    pthread_t stopper;
    apr_time_t began = apr_time_now();
    assert_int_equal(pthread_create(&stopper, NULL, stop_soon, http), 0);
    assert_fails(SSO_R_HTTP_ENDING, http, &request);
    pthread_join(stopper, NULL);
    /* Not by the timeout of the call, which is much longer. */
    assert_true(apr_time_now() - began < patient.total_timeout);
    int requests = server_requests(server);
    assert_fails(SSO_R_HTTP_ENDING, http, &request);
    assert_int_equal(server_requests(server), requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_http_get_gives_status_and_body),
        unit_test(test_http_any_status_is_a_success),
        unit_test(test_http_post_sends_body_type_and_headers_alone),
        unit_test(test_http_header_with_control_bytes_is_refused),
        unit_test(test_http_sequential_calls_share_one_connection),
        unit_test(test_http_post_on_a_dead_kept_connection_succeeds),
        unit_test(test_http_answer_over_its_bound_is_refused),
        unit_test(test_http_headers_over_their_bound_are_refused),
        unit_test(test_http_every_end_is_counted_under_its_kind),
        unit_test(test_http_silent_server_is_a_timeout),
        unit_test(test_http_refused_connection_is_reported),
        unit_test(test_http_broken_answer_is_a_failure),
        unit_test(test_http_retry_after_takes_every_form),
        unit_test(test_http_interim_answer_is_passed_over),
        unit_test(test_http_redirect_is_not_followed),
        unit_test(test_http_cookie_is_not_sent_back),
        unit_test(test_http_proxy_of_the_environment_is_ignored),
        unit_test(test_http_proxy_of_the_policy_is_used_for_https_alone),
        unit_test(test_http_url_outside_the_rule_is_refused),
        unit_test(test_http_full_gate_is_busy_at_once),
        unit_test(test_http_many_threads_use_one_client),
        unit_test(test_http_only_verified_tls_is_accepted),
        unit_test(test_http_challenge_is_given_whole),
        unit_test(test_http_stopped_client_ends_its_calls),
    };
    return unit_run(tests);
}
