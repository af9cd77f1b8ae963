/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of groups from Graph: all of a user, and those of a name; pages, links that lead away, bounds. */
#include "entra/graph.h"

#include "unit.h"

#include "directory.h"

/* ---- all groups of the user ---- */

static void test_graph_all_follows_the_pages(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_ALL, 200,
                   "{\"@odata.count\":3,\"@odata.nextLink\":\"" GRAPH GRAPH_ALL_PATH
                   "?$select=id&$skiptoken=X'4453%27\",\"value\":[{\"id\":\"" ID_A_UPPER "\"},{\"id\":\"" ID_B "\"}]}");
    fake_http_once(directory_fake, "skiptoken=X", 200,
                   "{\"value\":[],\"@odata.nextLink\":\"HTTPS://GRAPH.example.com:443/v1.0/me/x?$skiptoken=Y\"}");
    fake_http_once(directory_fake, "skiptoken=Y", 200,
                   "{\"value\":[{\"@odata.type\":\"#microsoft.graph.group\",\"id\":\"" ID_C
                   "\",\"displayName\":null}]}");
    assert_rc(SSO_OK, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
    directory_assert_members(3, ID_C);
    assert_string_equal(sso_text_at(directory_members, 1), ID_A);
    assert_string_equal(directory_fake->requests[0].url, GRAPH_ALL);
    assert_string_equal(directory_fake->requests[1].url, GRAPH GRAPH_ALL_PATH "?$select=id&$skiptoken=X'4453%27");
    assert_string_equal(directory_fake->requests[2].url, "HTTPS://GRAPH.example.com:443/v1.0/me/x?$skiptoken=Y");
    for (int i = 0; i < 3; i++) {
        const fake_request_t *request = &directory_fake->requests[i];
        assert_null(request->body);
        assert_null(request->content_type);
        assert_string_equal(apr_table_get(request->headers, "ConsistencyLevel"), "eventual");
        assert_string_equal(apr_table_get(request->headers, "Authorization"), "Bearer " DIRECTORY_TOKEN);
        assert_int_equal(request->max_response, SSO_MAX_GRAPH_RESPONSE);
    }
}

static void test_graph_all_without_groups_is_an_answer(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_ALL, 200, "{\"@odata.count\":0,\"value\":[]}");
    assert_rc(SSO_OK, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
    directory_assert_untouched();
}

/* The token goes to no address that an answer names, unless it is Graph's API. */
static void test_graph_all_link_elsewhere_is_not_followed(void **state)
{
    (void)state;
    static const char *const links[] = {
        "null",
        "7",
        "[]",
        "\"\"",
        "\"" GRAPH_ALL_PATH "\"",
        "\"//graph.example.com/v1.0/me\"",
        "\"https://evil.example/v1.0/me\"",
        "\"https://graph.example.com.evil.example/v1.0/me\"",
        "\"https://graph.example.com@evil.example/v1.0/me\"",
        "\"https://evil.example\\\\@graph.example.com/v1.0/me\"",
        "\"https://user@graph.example.com/v1.0/me\"",
        "\"https://graph.example.com:8443/v1.0/me\"",
        "\"http://graph.example.com/v1.0/me\"",
        "\"http://graph.example.com:443/v1.0/me\"",
        "\"ftp://graph.example.com/v1.0/me\"",
        "\"https://graph.example.com\"",
        "\"https://graph.example.com/\"",
        "\"https://graph.example.com?/v1.0/me\"",
        "\"https://graph.example.com/v1.0\"",
        "\"https://graph.example.com/v1.0evil/me\"",
        "\"https://graph.example.com/V1.0/me\"",
        "\"https://graph.example.com/beta/me\"",
        "\"https://graph.example.com//v1.0/me\"",
        "\"https://graph.example.com/evil?/v1.0/me\"",
        "\"https://graph.example.com/v1.0/../beta/me\"",
        "\"https://graph.example.com/v1.0/%2E%2e/beta/me\"",
        "\"https://graph.example.com/v1.0/me/.%2e/..\"",
        "\"https://graph.example.com/v1.0/me#f\"",
        "\"https://graph.example.com/v1.0/me x\"",
        "\"https://graph.example.com/v1.0/me\\r\\nX-Evil: 1\"",
        "\"https://graph.example.com/v1.0/\\u00e4\"",
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        const char *id = "before";
        const char *rest = apr_pstrcat(unit_pool, ",\"@odata.nextLink\":", links[i], "}", NULL);
        fake_http_once(directory_fake, GRAPH_ALL, 200,
                       apr_pstrcat(unit_pool, "{\"value\":[{\"id\":\"" ID_A "\"}]", rest, NULL));
        fake_http_once(directory_fake, "/groups?", 200, apr_pstrcat(unit_pool, "{\"value\":[]", rest, NULL));
        sso_rc rc = sso_graph_all_groups(&unit_ctx, &graph, directory_members);
        if (rc != SSO_R_GRAPH_FORMAT || directory_fake->request_count != 1) {
            unit_fail("%s: %s, %d calls", links[i], sso_reason(rc)->name, directory_fake->request_count);
        }
        sso_fault_clear(&unit_ctx);
        assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_group_id(&unit_ctx, &graph, "Finance", &id));
        assert_int_equal(directory_fake->request_count, 2);
        assert_string_equal(id, "before");
        directory_assert_untouched();
    }
}

/* A link's query is as secret as Graph makes it, so only where it leads is told. */
static void test_graph_all_link_elsewhere_is_told_without_its_query(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_once(directory_fake, GRAPH_ALL, 200,
                   "{\"value\":[],\"@odata.nextLink\":\"https://evil.example/v1.0/me?$skiptoken=secret#secret\"}");
    assert_int_equal(sso_graph_all_groups(&unit_ctx, &graph, directory_members), SSO_R_GRAPH_FORMAT);
    assert_string_equal(unit_ctx.fault.detail, "the next page is at https://evil.example/v1.0/me");
}

static void test_graph_all_pages_are_bounded(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_always(directory_fake, GRAPH, 200,
                     "{\"value\":[{\"id\":\"" ID_A "\"}],\"@odata.nextLink\":\"" GRAPH GRAPH_ALL_PATH
                     "?$skiptoken=again\"}");
    assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
    assert_int_equal(directory_fake->request_count, SSO_MAX_GRAPH_PAGES);
    directory_assert_untouched();
}

/* A page of count groups, with a link to the page that is named, unless that is NULL. */
static const char *page_of(int count, const char *next)
{
    apr_array_header_t *pieces = apr_array_make(unit_pool, count + 4, sizeof(const char *));
    APR_ARRAY_PUSH(pieces, const char *) = "{";
    if (next != NULL) {
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrcat(unit_pool, "\"@odata.nextLink\":\"" GRAPH GRAPH_ALL_PATH "?$skiptoken=", next, "\",", NULL);
    }
    APR_ARRAY_PUSH(pieces, const char *) = "\"value\":[";
    for (int i = 0; i < count; i++) {
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrcat(unit_pool, i == 0 ? "" : ",", "{\"id\":\"", directory_id(i), "\"}", NULL);
    }
    APR_ARRAY_PUSH(pieces, const char *) = "]}";
    return apr_array_pstrcat(unit_pool, pieces, '\0');
}

static void test_graph_all_groups_are_bounded(void **state)
{
    (void)state;
    const char *full = page_of(SSO_MAX_GRAPH_GROUPS / 20, "again");
    for (int more = 0; more <= 1; more++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        for (int page = 0; page < 20; page++) {
            fake_http_once(directory_fake, GRAPH, 200, full);
        }
        fake_http_once(directory_fake, GRAPH, 200, page_of(more, NULL));
        assert_rc(more == 0 ? SSO_OK : SSO_R_GRAPH_FORMAT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_int_equal(directory_members->nelts, more == 0 ? SSO_MAX_GRAPH_GROUPS + 1 : 1);
    }
}

static void test_graph_all_fails_whole_with_any_page(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"value\":[{\"id\":\"" ID_B "\"},{}]}",
                                      "{\"value\":[{\"id\":null}]}",
                                      "{\"value\":[{\"id\":\"Finance\"}]}",
                                      "{\"value\":[\"" ID_B "\"]}",
                                      "{\"value\":[null]}",
                                      "{\"value\":[{},{\"id\":\"" ID_B "\"}]}"};
    for (int fail_at = 1; fail_at <= 3; fail_at++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        fake_http_always(directory_fake, GRAPH, 200, page_of(2, "again"));
        directory_fake->fail_at = fail_at;
        assert_rc(SSO_R_HTTP_CONNECT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_int_equal(directory_fake->request_count, fail_at);
        directory_assert_untouched();
    }
    for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        if (i % 2 == 0) {
            fake_http_once(directory_fake, GRAPH_ALL, 200, page_of(2, "second"));
        }
        fake_http_always(directory_fake, GRAPH, 200, bad[i / 2]);
        assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        directory_assert_untouched();
    }
}

static void test_graph_all_malformed_answer_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(directory_bad_answers) / sizeof(directory_bad_answers[0]); i++) {
        const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
        const char *id;
        fake_http_always(directory_fake, GRAPH, 200, directory_bad_answers[i]);
        assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_all_groups(&unit_ctx, &graph, directory_members));
        assert_rc(SSO_R_GRAPH_FORMAT, sso_graph_group_id(&unit_ctx, &graph, "Finance", &id));
        directory_assert_untouched();
    }
}

/* ---- a group by its name ---- */

#define GROUP(id, name) "{\"id\":\"" id "\",\"displayName\":\"" name "\"}"
#define BY_NAME(encoded) GRAPH "/v1.0/groups?$filter=displayName%20eq%20%27" encoded "%27&$select=id,displayName"

static sso_rc id_by(const char *name, const char *answer, const char **ret_id)
{
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    fake_http_always(directory_fake, GRAPH, 200, answer);
    return sso_graph_group_id(&unit_ctx, &graph, name, ret_id);
}

static void test_graph_name_is_asked_to_the_letter(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Finance", BY_NAME("Finance")},
        {"All staff", BY_NAME("All%20staff")},
        {"O'Brien's", BY_NAME("O%27%27Brien%27%27s")},
        {"'", BY_NAME("%27%27")},
        {"' or displayName ne '", BY_NAME("%27%27%20or%20displayName%20ne%20%27%27")},
        {"a&$top=1#\r\n?", BY_NAME("a%26%24top%3D1%23%0D%0A%3F")},
        {"100%41", BY_NAME("100%2541")},
        {"\xc3\x84rzte", BY_NAME("%C3%84rzte")},
        {"", BY_NAME("")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *id = "before";
        assert_rc(SSO_OK, id_by(rows[i][0], "{\"value\":[]}", &id));
        assert_null(id);
        const fake_request_t *request = fake_http_last(directory_fake);
        assert_string_equal(request->url, rows[i][1]);
        assert_null(request->body);
        assert_null(apr_table_get(request->headers, "ConsistencyLevel"));
        assert_string_equal(apr_table_get(request->headers, "Authorization"), "Bearer " DIRECTORY_TOKEN);
    }
}

static void test_graph_name_answer_is_compared(void **state)
{
    (void)state;
    static const struct {
        const char *name, *answer;
        sso_rc rc;
    } rows[] = {
        {"Finance", "{\"value\":[" GROUP(ID_A_UPPER, "Finance") "]}", SSO_OK},
        {"finance", "{\"value\":[" GROUP(ID_A, "FINANCE") "]}", SSO_OK},
        {"\xc3\x84rzte", "{\"value\":[" GROUP(ID_A, "\\u00c4RZTE") "]}", SSO_OK},
        {"\xc3\xa4rzte", "{\"value\":[" GROUP(ID_A, "\\u00c4rzte") "]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance") "," GROUP(ID_A_UPPER, "finance") "]}", SSO_OK},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance") "," GROUP(ID_B, "Finance") "]}", SSO_R_GRAPH_AMBIGUOUS},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance") "," GROUP(ID_B, "finance") "]}", SSO_R_GRAPH_AMBIGUOUS},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance admins") "]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance ") "]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[" GROUP(ID_A, "Finance") "," GROUP(ID_B, "Sales") "]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[" GROUP("Finance", "Finance") "]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[{\"id\":\"" ID_A "\"}]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[{\"id\":\"" ID_A "\",\"displayName\":null}]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[{\"displayName\":\"Finance\"}]}", SSO_R_GRAPH_FORMAT},
        {"Finance", "{\"value\":[\"Finance\"]}", SSO_R_GRAPH_FORMAT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *id = "before";
        sso_rc rc = id_by(rows[i].name, rows[i].answer, &id);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].answer, sso_reason(rc)->name);
        }
        assert_string_equal(id, rc == SSO_OK ? ID_A : "before");
        sso_fault_clear(&unit_ctx);
    }
}

/* A page may be shorter than it could be, so the second of one name may come later. */
static void test_graph_name_on_two_pages_is_ambiguous(void **state)
{
    (void)state;
    const sso_graph_t graph = directory_graph(DIRECTORY_TOKEN);
    const char *id = "before";
    fake_http_once(directory_fake, "filter=", 200,
                   "{\"@odata.nextLink\":\"" GRAPH
                   "/v1.0/groups?$skiptoken=x\",\"value\":[" GROUP(ID_A, "Finance") "]}");
    fake_http_once(directory_fake, "skiptoken", 200, "{\"value\":[" GROUP(ID_B, "Finance") "]}");
    assert_int_equal(sso_graph_group_id(&unit_ctx, &graph, "Finance", &id), SSO_R_GRAPH_AMBIGUOUS);
    assert_string_equal(unit_ctx.fault.detail, "Finance is " ID_A " as well as " ID_B);
    assert_string_equal(id, "before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_graph_all_follows_the_pages),
        unit_test(test_graph_all_without_groups_is_an_answer),
        unit_test(test_graph_all_link_elsewhere_is_not_followed),
        unit_test(test_graph_all_link_elsewhere_is_told_without_its_query),
        unit_test(test_graph_all_pages_are_bounded),
        unit_test(test_graph_all_groups_are_bounded),
        unit_test(test_graph_all_fails_whole_with_any_page),
        unit_test(test_graph_all_malformed_answer_is_refused),
        unit_test(test_graph_name_is_asked_to_the_letter),
        unit_test(test_graph_name_answer_is_compared),
        unit_test(test_graph_name_on_two_pages_is_ambiguous),
    };
    return unit_run(tests);
}
