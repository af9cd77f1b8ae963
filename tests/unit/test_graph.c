/* SPDX-License-Identifier: Apache-2.0 */
/* Graph asked about certain groups: requests to the letter, answers judged item by item, refusals, failure of every
 * call. */
#include "entra/graph.h"

#include "unit.h"

#include "base/json.h"
#include "directory.h"

#define REQUEST_ID "2f9c0d8e-7b1a-4e55-9a3d-1c2b3a4d5e6f"

/* ---- which of these groups ---- */

static void test_graph_check_asks_to_the_letter(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200, "{\"@odata.context\":\"x\",\"value\":[\"" ID_A_UPPER "\"]}");
    assert_rc(SSO_OK, directory_check(&graph, ID_A_UPPER, ID_B));
    directory_assert_members(1, ID_A);
    const fake_request_t *request = fake_http_last(directory_fake);
    assert_string_equal(request->url, GRAPH_CHECK);
    assert_string_equal(request->body, "{\"groupIds\":[\"" ID_A "\",\"" ID_B "\"]}");
    assert_string_equal(request->content_type, "application/json");
    assert_string_equal(apr_table_get(request->headers, "Authorization"), "Bearer " DIRECTORY_TOKEN);
    assert_string_equal(apr_table_get(request->headers, "Accept"), "application/json");
    assert_null(apr_table_get(request->headers, "ConsistencyLevel"));
    assert_int_equal(request->max_response, SSO_MAX_GRAPH_RESPONSE);
    assert_false(request->direct || request->ungated);
}

static void test_graph_check_member_of_none_is_an_answer(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200, "{\"value\":[]}");
    assert_rc(SSO_OK, directory_check(&graph, ID_A, ID_B));
    directory_assert_untouched();
}

static void test_graph_check_of_no_groups_asks_nothing(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    assert_rc(SSO_OK, sso_graph_check_groups(&unit_ctx, &graph, directory_ids(0), directory_members));
    assert_int_equal(directory_fake->request_count, 0);
    directory_assert_untouched();
}

static void test_graph_check_gives_each_member_once(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200,
                   "{\"value\":[\"" ID_B "\",\"" ID_A "\",\"" ID_B "\",\"" ID_A_UPPER "\"]}");
    assert_rc(SSO_OK, directory_check(&graph, ID_A, ID_B));
    directory_assert_members(2, ID_A);
}

/* The ids outlive the context: they belong to the array. */
static void test_graph_check_ids_live_with_the_array(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    sso_ctx_t step = unit_ctx;
    apr_pool_create(&step.pool, unit_pool);
    apr_array_header_t *groups = apr_array_make(step.pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(groups, const char *) = apr_pstrdup(step.pool, ID_A);
    fake_http_once(directory_fake, GRAPH_CHECK, 200, "{\"value\":[\"" ID_A "\"]}");
    assert_rc(SSO_OK, sso_graph_check_groups(&step, &graph, groups, directory_members));
    apr_pool_destroy(step.pool);
    /* Takes the freed memory, so that a stale id would show. */
    apr_pool_create(&step.pool, unit_pool);
    for (int i = 0; i < 4; i++) {
        memset(apr_palloc(step.pool, 7000), '-', 7000);
    }
    directory_assert_members(1, ID_A);
}

static int asked_count(const fake_request_t *request, const char **ret_first)
{
    const sso_json_t *body;
    assert_int_equal(sso_json_parse(&unit_ctx, unit_pool, request->body, strlen(request->body), 4096, &body), SSO_OK);
    const sso_json_t *ids = sso_json_get(body, "groupIds");
    *ret_first = sso_json_text(sso_json_at(ids, 0));
    return (int)sso_json_size(ids);
}

static void test_graph_check_asks_twenty_at_a_time(void **state)
{
    (void)state;
    static const int calls[][4] = {{1, 1}, {20, 20}, {21, 20, 1}, {41, 20, 20, 1}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_always(directory_fake, GRAPH_CHECK, 200, "{\"value\":[]}");
        assert_rc(SSO_OK, sso_graph_check_groups(&unit_ctx, &graph, directory_ids(calls[i][0]), directory_members));
        for (int call = 0; call < directory_fake->request_count; call++) {
            const char *first;
            assert_int_equal(asked_count(&directory_fake->requests[call], &first), calls[i][call + 1]);
            assert_string_equal(first, directory_id(20 * call));
        }
        assert_int_equal(directory_fake->request_count, (calls[i][0] + 19) / 20);
    }
}

static const char *value_of(const char *id)
{
    return apr_pstrcat(unit_pool, "{\"value\":[\"", id, "\"]}", NULL);
}

/* A fault in any batch is a fault of the whole: what the others said is not believed. */
static void test_graph_check_fails_whole_with_any_batch(void **state)
{
    (void)state;
    for (int fail_at = 0; fail_at <= 3; fail_at++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        for (int call = 0; call < 3; call++) {
            fake_http_once(directory_fake, GRAPH_CHECK, 200, value_of(directory_id(20 * call)));
        }
        directory_fake->fail_at = fail_at;
        assert_rc(fail_at == 0 ? SSO_OK : SSO_R_HTTP_CONNECT,
                  sso_graph_check_groups(&unit_ctx, &graph, directory_ids(41), directory_members));
        assert_int_equal(directory_fake->request_count, fail_at == 0 ? 3 : fail_at);
        assert_int_equal(directory_members->nelts, fail_at == 0 ? 4 : 1);
    }
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200, value_of(directory_id(0)));
    fake_http_once(directory_fake, GRAPH_CHECK, 429, "")->retry_after_s = 7;
    assert_int_equal(sso_graph_check_groups(&unit_ctx, &graph, directory_ids(41), directory_members), SSO_R_GRAPH_BUSY);
    assert_int_equal(unit_ctx.fault.retry_after_s, 7);
    sso_fault_clear(&unit_ctx);
    directory_assert_untouched();
}

/* Also when the group belongs to another batch: each answer is to its own question. */
static void test_graph_check_answer_with_other_group_is_refused(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200, "{\"value\":[\"" ID_A "\",\"" ID_C "\"]}");
    assert_rc(SSO_R_GRAPH_FORMAT, directory_check(&graph, ID_A, ID_B));
    fake_http_once(directory_fake, GRAPH_CHECK, 200, value_of(directory_id(20)));
    assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_check_groups(&unit_ctx, &graph, directory_ids(21), directory_members));
    directory_assert_untouched();
}

static void test_graph_check_malformed_answer_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(directory_bad_answers) / sizeof(directory_bad_answers[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_once(directory_fake, GRAPH_CHECK, 200, directory_bad_answers[i]);
        sso_rc rc = directory_check(&graph, ID_A, ID_B);
        if (rc != SSO_R_GRAPH_FORMAT) {
            unit_fail("%s: %s", directory_bad_answers[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
        directory_assert_untouched();
    }
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 200,
                   "{\"value\":[],\"@odata.nextLink\":\"" GRAPH_CHECK "?$skiptoken=x\"}");
    assert_rc(SSO_R_GRAPH_FORMAT, directory_check(&graph, ID_A, ID_B));
    assert_int_equal(directory_fake->request_count, 1);
}

/* Every truncation is refused; no flipped bit makes a member of a group that was not asked for. */
static void test_graph_check_mutated_answer_adds_no_other_group(void **state)
{
    (void)state;
    static const char good[] = "{\"value\":[\"" ID_A "\",\"" ID_B "\"]}";
    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_once(directory_fake, GRAPH_CHECK, 200, apr_pstrmemdup(unit_pool, good, len));
        assert_rc(SSO_R_GRAPH_FORMAT, directory_check(&graph, ID_A, ID_B));
    }
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        char *bad = apr_pstrdup(unit_pool, good);
        bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << bit % 8));
        fake_http_once(directory_fake, GRAPH_CHECK, 200, bad);
        if (directory_check(&graph, ID_A, ID_B) != SSO_OK) {
            sso_fault_clear(&unit_ctx);
            directory_assert_untouched();
        }
        for (int i = 1; i < directory_members->nelts; i++) {
            assert_true(strcmp(sso_text_at(directory_members, i), ID_A) == 0 ||
                        strcmp(sso_text_at(directory_members, i), ID_B) == 0);
        }
    }
}

static void test_graph_check_of_what_is_no_id_asks_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "Finance", ID_A "0", "0f1e2d3c_4b5a-4968-8776-655443322110",
                                      "\"]},\"x\":[\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        assert_rc(SSO_R_GRAPH_FORMAT, directory_check(&graph, ID_A, bad[i]));
        assert_int_equal(directory_fake->request_count, 0);
        directory_assert_untouched();
    }
}

/* ---- refusals ---- */

static void test_graph_refusal_is_classed_by_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        sso_rc rc;
    } rows[] = {
        {401, SSO_R_GRAPH_TOKEN},  {403, SSO_R_GRAPH_CONSENT}, {429, SSO_R_GRAPH_BUSY},   {408, SSO_R_GRAPH_LATER},
        {500, SSO_R_GRAPH_LATER},  {502, SSO_R_GRAPH_LATER},   {503, SSO_R_GRAPH_LATER},  {504, SSO_R_GRAPH_LATER},
        {599, SSO_R_GRAPH_LATER},  {400, SSO_R_GRAPH_FORMAT},  {404, SSO_R_GRAPH_FORMAT}, {405, SSO_R_GRAPH_FORMAT},
        {201, SSO_R_GRAPH_FORMAT}, {204, SSO_R_GRAPH_FORMAT},  {302, SSO_R_GRAPH_FORMAT}, {600, SSO_R_GRAPH_FORMAT},
        {0, SSO_R_GRAPH_FORMAT},
    };
    static const char *const bodies[] = {"", "{\"value\":[]}", "<html>", "{\"error\":{\"code\":\"UnknownError\"}}"};
    for (size_t i = 0; i < 4 * sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_always(directory_fake, "", rows[i / 4].status, bodies[i % 4])->retry_after_s = 3;
        const char *id = "before";
        assert_int_equal(directory_check(&graph, ID_A, ID_B), rows[i / 4].rc);
        assert_int_equal(unit_ctx.fault.retry_after_s, 3);
        sso_fault_clear(&unit_ctx);
        assert_rc(rows[i / 4].rc, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_rc(rows[i / 4].rc, sso_graph_group_id(&unit_ctx, &graph, "Finance", &id));
        assert_string_equal(id, "before");
        directory_assert_untouched();
        assert_int_equal(directory_fake->request_count, 3);
    }
}

static void test_graph_refusal_tells_code_and_request_id(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_CHECK, 403,
                   "{\"error\":{\"code\":\"Authorization_RequestDenied\",\"message\":\"Insufficient privileges.\","
                   "\"innerError\":{\"date\":\"2026-09-21T10:15:30\",\"request-id\":\"" REQUEST_ID "\"}}}");
    assert_int_equal(directory_check(&graph, ID_A, ID_B), SSO_R_GRAPH_CONSENT);
    assert_string_equal(unit_ctx.fault.detail, "status 403, code Authorization_RequestDenied");
    assert_string_equal(unit_ctx.fault.correlation_id, REQUEST_ID);
}

/* What is no code of Graph is not told: it could be anything. */
static void test_graph_refusal_tells_no_other_text(void **state)
{
    (void)state;
    char word[65 + 1];
    memset(word, 'c', sizeof(word) - 1);
    word[65] = '\0';
    const char *const rows[][2] = {
        {word + 1, word + 1}, {word, "(none)"},  {"two words", "(none)"}, {"a\\nb", "(none)"},
        {"<b>", "(none)"},    {"a-b", "(none)"}, {"a_B.9", "a_B.9"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        const char *body = apr_pstrcat(unit_pool, "{\"error\":{\"code\":\"", rows[i][0], "\"}}", NULL);
        fake_http_once(directory_fake, GRAPH_CHECK, 400, body);
        assert_int_equal(directory_check(&graph, ID_A, ID_B), SSO_R_GRAPH_FORMAT);
        assert_string_equal(unit_ctx.fault.detail, apr_pstrcat(unit_pool, "status 400, code ", rows[i][1], NULL));
        sso_fault_clear(&unit_ctx);
    }
}

/* Whatever the other side sends back, the log has no token. */
static void test_graph_fault_never_quotes_the_token(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
    } rows[] = {
        {401, "{\"error\":{\"code\":\"token\",\"message\":\"IDX14100: token 'token' is no JWT\"}}"},
        {401, "{\"error\":{\"code\":\"x token\",\"innerError\":{\"request-id\":\"token\"}}}"},
        {500, "token"},
        {200, "{\"value\":[\"token\"]}"},
        {200, "{\"value\":[{\"id\":\"token\",\"displayName\":\"Finance\"}]}"},
        {200, "{\"value\":[{\"id\":\"" ID_A "\",\"displayName\":\"the token\"}]}"},
        {200, "{\"value\":[],\"@odata.nextLink\":\"https://evil.example/token?a=token\"}"},
        {200, "token"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_graph_t graph = directory_graph("token");
        const char *id;
        fake_http_always(directory_fake, "", rows[i].status, rows[i].body);
        for (int call = 0; call < 3; call++) {
            sso_rc rc = call == 0   ? directory_check(&graph, ID_A, ID_B)
                        : call == 1 ? sso_graph_all_groups(&unit_ctx, &graph, directory_members)
                                    : sso_graph_group_id(&unit_ctx, &graph, "Finance", &id);
            const char *detail = rc == SSO_OK ? "" : unit_ctx.fault.detail;
            const char *words = strstr(detail, "(the token)");
            if (strstr(words == NULL ? detail : words + 11, "token") != NULL) {
                unit_fail("%s: %s", rows[i].body, detail);
            }
            assert_null(unit_ctx.fault.correlation_id);
            sso_fault_clear(&unit_ctx);
        }
    }
}

static void test_graph_token_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", " ", "a b", "a\r\nX-Evil: 1", "a\tb", "\x7f", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const sso_graph_t graph = directory_graph(bad[i]);
        const char *id;
        sso_probe_t probe;
        assert_rc(SSO_R_GRAPH_TOKEN, directory_check(&graph, ID_A, ID_B));
        assert_rc(SSO_R_GRAPH_TOKEN, directory_check(&graph, "no id", NULL));
        assert_rc(SSO_R_GRAPH_TOKEN, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_rc(SSO_R_GRAPH_TOKEN, sso_graph_group_id(&unit_ctx, &graph, "Finance", &id));
        assert_rc(SSO_R_GRAPH_TOKEN, sso_graph_probe(&unit_ctx, &graph, &probe));
        assert_int_equal(directory_fake->request_count, 0);
    }
}

static void test_graph_name_with_a_quote_stays_a_literal(void **state)
{
    (void)state;
    const char *id = NULL;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    /* The same group twice is one group. */
    fake_http_once(directory_fake, GRAPH "/v1.0/groups", 200,
                   "{\"value\":[{\"id\":\"" ID_A "\",\"displayName\":\"O'Neil's\"},"
                   "{\"id\":\"" ID_A_UPPER "\",\"displayName\":\"O'Neil's\"}]}");
    assert_rc(SSO_OK, sso_graph_group_id(&unit_ctx, &graph, "O'Neil's", &id));
    assert_string_equal(id, ID_A);
    assert_non_null(
        strstr(fake_http_last(directory_fake)->url, "displayName%20eq%20%27O%27%27Neil%27%27s%27&$select="));
}

static void test_graph_more_groups_than_anybody_has_are_refused(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    const char *items = "{\"id\":\"" ID_A "\"}";
    for (int i = 0; i < 12; i++) {
        items = apr_pstrcat(unit_pool, items, ",", items, NULL);
    }
    for (int page = 0; page < 5; page++) {
        fake_http_once(
            directory_fake, "", 200,
            apr_pstrcat(unit_pool, "{\"@odata.nextLink\":\"" GRAPH "/v1.0/me/next\",\"value\":[", items, "]}", NULL));
    }
    assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
    assert_int_equal(directory_fake->request_count, 5);
    directory_assert_untouched();
}

static void test_graph_faults_of_http_pass(void **state)
{
    (void)state;
    static const sso_rc rows[] = {SSO_R_HTTP_CONNECT, SSO_R_HTTP_TLS,  SSO_R_HTTP_TIMEOUT,
                                  SSO_R_HTTP_SIZE,    SSO_R_HTTP_BUSY, SSO_R_HTTP_FAILED};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        const char *id;
        fake_http_broken(directory_fake, "", rows[i]);
        assert_rc(rows[i], directory_check(&graph, ID_A, ID_B));
        assert_rc(rows[i], sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_rc(rows[i], sso_graph_group_id(&unit_ctx, &graph, "Finance", &id));
        directory_assert_untouched();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_graph_check_asks_to_the_letter),
        unit_test(test_graph_check_member_of_none_is_an_answer),
        unit_test(test_graph_check_of_no_groups_asks_nothing),
        unit_test(test_graph_check_gives_each_member_once),
        unit_test(test_graph_check_ids_live_with_the_array),
        unit_test(test_graph_check_asks_twenty_at_a_time),
        unit_test(test_graph_check_fails_whole_with_any_batch),
        unit_test(test_graph_check_answer_with_other_group_is_refused),
        unit_test(test_graph_check_malformed_answer_is_refused),
        unit_test(test_graph_check_mutated_answer_adds_no_other_group),
        unit_test(test_graph_check_of_what_is_no_id_asks_nothing),
        unit_test(test_graph_refusal_is_classed_by_status),
        unit_test(test_graph_refusal_tells_code_and_request_id),
        unit_test(test_graph_refusal_tells_no_other_text),
        unit_test(test_graph_fault_never_quotes_the_token),
        unit_test(test_graph_token_that_cannot_be_sent_is_refused),
        unit_test(test_graph_name_with_a_quote_stays_a_literal),
        unit_test(test_graph_more_groups_than_anybody_has_are_refused),
        unit_test(test_graph_faults_of_http_pass),
    };
    return unit_run(tests);
}
