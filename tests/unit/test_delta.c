/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of Graph's delta query: the question to the letter, each user judged, links that lead nowhere else. */
#include "entra/delta.h"

#include "unit.h"

#include "directory.h"

#define START GRAPH "/v1.0/users/delta?$select=id,accountEnabled,signInSessionsValidFromDateTime"
#define NEXT GRAPH "/v1.0/users/delta?$skiptoken=abc"
#define DELTA GRAPH "/v1.0/users/delta?$deltatoken=def"
#define LINK_NEXT "\"@odata.nextLink\":\"" NEXT "\""
#define LINK_DELTA "\"@odata.deltaLink\":\"" DELTA "\""

static sso_rc page_of(int status, const char *body, sso_delta_page_t *ret_page)
{
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, "", status, body);
    sso_fault_clear(&unit_ctx);
    return sso_delta_page(&unit_ctx, &graph, sso_delta_start(&unit_ctx, &graph), ret_page);
}

static void test_delta_asks_to_the_letter(void **state)
{
    (void)state;
    sso_delta_page_t page;
    assert_rc(SSO_OK, page_of(200, "{" LINK_DELTA ",\"value\":[]}", &page));
    const fake_request_t *request = fake_http_last(directory_fake);
    assert_string_equal(request->url, START);
    assert_null(request->body);
    assert_string_equal(apr_table_get(request->headers, "Authorization"), "Bearer " DIRECTORY_TOKEN);
    assert_int_equal(request->max_response, SSO_MAX_DELTA_RESPONSE);
    assert_true(page.last);
    assert_string_equal(page.link, DELTA);
    assert_int_equal(page.users->nelts, 0);
}

static void test_delta_reads_users(void **state)
{
    (void)state;
    sso_delta_page_t page;
    assert_rc(SSO_OK, page_of(200,
                              "{" LINK_NEXT ",\"value\":["
                              "{\"id\":\"" ID_A_UPPER "\",\"accountEnabled\":true,\"signInSessionsValidFromDateTime\":"
                              "\"2026-11-23T15:00:00Z\"},"
                              "{\"id\":\"" ID_B "\",\"accountEnabled\":false,\"signInSessionsValidFromDateTime\":null},"
                              "{\"id\":\"" ID_C "\",\"@removed\":{\"reason\":\"changed\"}},"
                              "{\"id\":\"" ID_C "\",\"accountEnabled\":null,\"further\":[1],"
                              "\"signInSessionsValidFromDateTime\":\"2026-11-23T15:00:00.1234567Z\"},"
                              "{\"id\":\"" ID_C "\",\"signInSessionsValidFromDateTime\":\"0001-01-01T00:00:00Z\"},"
                              "{\"id\":\"" ID_C "\",\"signInSessionsValidFromDateTime\":\"0001-01-01T00:00:00.0Z\"}]}",
                              &page));
    assert_false(page.last);
    assert_string_equal(page.link, NEXT);
    assert_int_equal(page.users->nelts, 6);
    const sso_delta_user_t *users = (const void *)page.users->elts;
    assert_string_equal(users[0].id, ID_A);
    assert_false(users[0].disabled || users[0].removed);
    assert_int_equal(users[0].valid_from, SSO_TEST_NOW);
    assert_true(users[1].disabled);
    assert_int_equal(users[1].valid_from, 0);
    assert_true(users[2].removed && !users[2].disabled);
    assert_false(users[3].disabled || users[3].removed);
    assert_int_equal(users[3].valid_from, SSO_TEST_NOW);
    assert_int_equal(users[4].valid_from, 0);
    assert_int_equal(users[5].valid_from, 0);
}

static void test_delta_bad_pages_are_refused_whole(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "{}",
        "<html>",
        "{\"value\":[]}",
        "{" LINK_DELTA "}",
        "{" LINK_DELTA ",\"value\":{}}",
        "{" LINK_DELTA "," LINK_NEXT ",\"value\":[]}",
        "{\"@odata.deltaLink\":7,\"value\":[]}",
        "{\"@odata.deltaLink\":\"https://evil.example/v1.0/users/delta?a\",\"value\":[]}",
        "{\"@odata.deltaLink\":\"http://graph.example.com/v1.0/users/delta?a\",\"value\":[]}",
        "{\"@odata.deltaLink\":\"" GRAPH "/v1.0/users?a\",\"value\":[]}",
        "{\"@odata.deltaLink\":\"" GRAPH "/v1.0/users/delta/../x?a\",\"value\":[]}",
        "{\"@odata.deltaLink\":\"" GRAPH "/beta/users/delta?a\",\"value\":[]}",
        "{\"@odata.deltaLink\":\"" GRAPH "/v1.0/me?/users/delta\",\"value\":[]}",
        "{" LINK_DELTA ",\"value\":[null]}",
        "{" LINK_DELTA ",\"value\":[{}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"ada\"}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A "\",\"accountEnabled\":\"false\"}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A "\",\"accountEnabled\":0}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A "\",\"signInSessionsValidFromDateTime\":1}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A "\",\"signInSessionsValidFromDateTime\":\"yesterday\"}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A
        "\",\"signInSessionsValidFromDateTime\":\"0002-01-01T00:00:00Z\"}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A
        "\",\"signInSessionsValidFromDateTime\":\"2026-11-23T15:00:00.Z\"}]}",
        "{" LINK_DELTA ",\"value\":[{\"id\":\"" ID_A "\"},{\"id\":\"\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sso_delta_page_t page = {.link = "before"};
        sso_rc rc = page_of(200, bad[i], &page);
        if (rc != SSO_R_GRAPH_FORMAT || strcmp(page.link, "before") != 0) {
            unit_fail("%s: %s", bad[i], sso_reason(rc)->name);
        }
    }
}

static void test_delta_refusals_have_their_reasons(void **state)
{
    static const struct {
        int status;
        sso_rc rc;
    } rows[] = {
        {401, SSO_R_WATCH_TOKEN},  {403, SSO_R_WATCH_CONSENT}, {410, SSO_R_WATCH_EXPIRED}, {429, SSO_R_GRAPH_BUSY},
        {400, SSO_R_GRAPH_FORMAT}, {500, SSO_R_GRAPH_LATER},   {503, SSO_R_GRAPH_LATER},   {302, SSO_R_GRAPH_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_delta_page_t page;
        assert_int_equal(page_of(rows[i].status, "{\"error\":{\"code\":\"x\"}}", &page), rows[i].rc);
        assert_non_null(strstr(unit_ctx.fault.detail, "code x"));
    }
}

/* As Microsoft says of expired links: "a 40X-series error". */
static void test_delta_link_that_is_not_taken_any_more_has_expired(void **state)
{
    static const int statuses[] = {400, 404, 410};
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        sso_delta_page_t page;
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_once(directory_fake, "", statuses[i], "{}");
        assert_rc(SSO_R_WATCH_EXPIRED, sso_delta_page(&unit_ctx, &graph, NEXT, &page));
    }
}

static void test_delta_kept_links_are_judged(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    static const char *const bad[] = {"",
                                      "x",
                                      "/v1.0/users/delta",
                                      GRAPH,
                                      GRAPH "/v1.0/users/delta#x",
                                      GRAPH "/v1.0/groups/delta",
                                      GRAPH ".evil.example/v1.0/users/delta",
                                      "https://u:p@graph.example.com/v1.0/users/delta",
                                      GRAPH "/v1.0/%2e%2e/users/delta"};
    assert_true(sso_delta_is_link(unit_pool, &graph, START));
    assert_true(sso_delta_is_link(unit_pool, &graph, NEXT));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_delta_is_link(unit_pool, &graph, bad[i])) {
            unit_fail("accepted: %s", bad[i]);
        }
    }
    char *longest = apr_palloc(unit_pool, SSO_MAX_WATCH_LINK + 2);
    memset(longest, 'x', SSO_MAX_WATCH_LINK + 1);
    memcpy(longest, NEXT, strlen(NEXT));
    longest[SSO_MAX_WATCH_LINK + 1] = '\0';
    assert_false(sso_delta_is_link(unit_pool, &graph, longest));
    longest[SSO_MAX_WATCH_LINK] = '\0';
    assert_true(sso_delta_is_link(unit_pool, &graph, longest));
}

static void test_delta_more_users_than_a_page_has_are_refused(void **state)
{
    (void)state;
    for (int count = SSO_MAX_DELTA_USERS; count <= SSO_MAX_DELTA_USERS + 1; count++) {
        sso_delta_page_t page;
        apr_array_header_t *items = apr_array_make(unit_pool, count, sizeof(const char *));
        for (int i = 0; i < count; i++) {
            APR_ARRAY_PUSH(items, const char *) = apr_pstrcat(unit_pool, "{\"id\":\"", directory_id(i), "\"}", NULL);
        }
        const char *body =
            apr_pstrcat(unit_pool, "{" LINK_DELTA ",\"value\":[", apr_array_pstrcat(unit_pool, items, ','), "]}", NULL);
        assert_rc(count > SSO_MAX_DELTA_USERS ? SSO_R_GRAPH_FORMAT : SSO_OK, page_of(200, body, &page));
    }
}

static void test_delta_token_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    sso_delta_page_t page;
    const sso_graph_t graph = directory_graph("a b");
    assert_rc(SSO_R_GRAPH_TOKEN, sso_delta_page(&unit_ctx, &graph, NEXT, &page));
    assert_int_equal(directory_fake->request_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_delta_asks_to_the_letter),
        unit_test(test_delta_reads_users),
        unit_test(test_delta_bad_pages_are_refused_whole),
        unit_test(test_delta_refusals_have_their_reasons),
        unit_test(test_delta_link_that_is_not_taken_any_more_has_expired),
        unit_test(test_delta_kept_links_are_judged),
        unit_test(test_delta_more_users_than_a_page_has_are_refused),
        unit_test(test_delta_token_that_cannot_be_sent_is_refused),
    };
    return unit_run(tests);
}
