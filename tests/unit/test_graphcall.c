/* SPDX-License-Identifier: Apache-2.0 */
/* One call of Graph: the token's header, refusals, and links that must not lead the token elsewhere. */
#include "entra/graphcall.h"

#include "unit.h"

#include "directory.h"

static void test_graphcall_sends_only_what_can_be_a_token(void **state)
{
    static const char *const bad[] = {NULL, "", "a b", "a\nb", "a\x7f", "\xc3\xa4"};
    (void)state;
    apr_table_t *headers;
    sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    assert_rc(SSO_OK, sso_graph_headers(&unit_ctx, &graph, &headers));
    assert_string_equal(apr_table_get(headers, "Authorization"), "Bearer " DIRECTORY_TOKEN);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        graph.access_token = bad[i];
        assert_rc(SSO_R_GRAPH_TOKEN, sso_graph_headers(&unit_ctx, &graph, &headers));
    }
}

static sso_rc ask(int status, const char *body, int retry_after_s, sso_http_response_t *ret_response)
{
    const sso_json_t *answer;
    apr_table_t *headers;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, "", status, body)->retry_after_s = retry_after_s;
    sso_fault_clear(&unit_ctx);
    assert_int_equal(sso_graph_headers(&unit_ctx, &graph, &headers), SSO_OK);
    const sso_graph_call_t call = {sso_graph_url(&unit_ctx, &graph, "me"), headers, NULL, 1000};
    return sso_graph_ask(&unit_ctx, unit_pool, &graph, &call, ret_response, &answer);
}

static void test_graphcall_refusals(void **state)
{
    static const struct {
        int status;
        sso_rc rc;
    } rows[] = {{401, SSO_R_GRAPH_TOKEN}, {403, SSO_R_GRAPH_CONSENT}, {408, SSO_R_GRAPH_LATER},
                {429, SSO_R_GRAPH_BUSY},  {500, SSO_R_GRAPH_LATER},   {302, SSO_R_GRAPH_FORMAT}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_http_response_t response = {.status = 0};
        assert_int_equal(ask(rows[i].status, "{\"error\":{\"code\":\"Word\",\"message\":\"secret\"}}", 7, &response),
                         rows[i].rc);
        assert_int_equal(response.status, rows[i].status);
        assert_int_equal(unit_ctx.fault.retry_after_s, 7);
        assert_non_null(strstr(unit_ctx.fault.detail, "code Word"));
        assert_null(strstr(unit_ctx.fault.detail, "secret"));
    }
    assert_rc(SSO_R_GRAPH_FORMAT, ask(200, "<html>", 0, NULL));
    assert_rc(SSO_OK, ask(200, "[1]", 0, NULL));
}

static void test_graphcall_token_that_comes_back_is_not_quoted(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    assert_string_equal(sso_graph_quote(&unit_ctx, &graph, "x " DIRECTORY_TOKEN), "(the token)");
    assert_string_equal(sso_graph_quote(&unit_ctx, &graph, "a\nb"), "a\\x0ab");
}

static void test_graphcall_links_stay_within_the_api(void **state)
{
    static const struct {
        const char *link;
        bool good;
    } rows[] = {
        {GRAPH "/v1.0/users/delta?$skiptoken=1", true},
        {"https://GRAPH.example.com:443/v1.0/me", true},
        {"http://graph.example.com/v1.0/me", false},
        {"https://graph.example.com:444/v1.0/me", false},
        {"https://graph.example.com.evil.example/v1.0/me", false},
        {"https://graph.example.com@evil.example/v1.0/me", false},
        {"//graph.example.com/v1.0/me", false},
        {"/v1.0/me", false},
        {GRAPH "/beta/me", false},
        {GRAPH "/v1.0/../beta/me", false},
        {GRAPH "/v1.0/%2E%2e/beta", false},
        {GRAPH "/v1.0/me#x", false},
        {"", false},
    };
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (sso_graph_is_link(unit_pool, &graph, rows[i].link) != rows[i].good) {
            unit_fail("%s", rows[i].link);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_graphcall_sends_only_what_can_be_a_token),
        unit_test(test_graphcall_refusals),
        unit_test(test_graphcall_token_that_comes_back_is_not_quoted),
        unit_test(test_graphcall_links_stay_within_the_api),
    };
    return unit_run(tests);
}
