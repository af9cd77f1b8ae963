/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/groups.c: which groups a whole sign-in keeps, what it asks Graph for that, and that no failure passes
 * for a user without groups. */
#include "flow/groups.h"

#include <string.h>

#include "unit.h"

#include "site.h"

#define GRAPH "https://graph.example.com"
#define GRAPH_CHECK "/v1.0/me/checkMemberGroups"
#define GRAPH_ALL "/v1.0/me/transitiveMemberOf/"
#define GRAPH_NAMES "/v1.0/groups?"
#define ID_A "0f1e2d3c-4b5a-4968-8776-655443322110"
#define ID_A_UPPER "0F1E2D3C-4B5A-4968-8776-655443322110"
#define ID_B "1a2b3c4d-5e6f-4a5b-8c7d-9e0f1a2b3c4d"
#define ID_C "22222222-3333-4444-8555-666666666666"
#define MINUTE apr_time_from_sec(60)

#define OVERAGE                                                                                                        \
    {"_claim_names", "{\"groups\":\"src1\"}"},                                                                         \
    {                                                                                                                  \
        "_claim_sources", "{\"src1\":{\"endpoint\":\"https://evil.test/x\"}}"                                          \
    }

static sso_group_policy_t policy;

/* The configuration names these groups; graph for overage, and no group beside. */
static void refer_to(const char *const *groups)
{
    apr_array_header_t *referenced = apr_array_make(unit_pool, 4, sizeof(const char *));
    for (; *groups != NULL; groups++) {
        APR_ARRAY_PUSH(referenced, const char *) = *groups;
    }
    policy = (sso_group_policy_t){.referenced = referenced, .overage = SSO_OVERAGE_GRAPH, .graph_url = GRAPH};
    site_world->site.groups = &policy;
    site_world->site.group_names = sso_group_names_make(unit_pool);
}

/* Signs in with these claims in the token; the groups that the session then holds, joined. */
static const char *signs_in_with(const fixture_claim_t *claims)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->changes = claims;
    sso_answer_t answer = site_sign_in(browser, "/");
    assert_page("/", answer);
    assert_rc(SSO_OK, site_session(browser, &record));
    const char *groups = sso_list_join(unit_pool, &record.groups, "|");
    return groups == NULL ? "" : groups;
}

static const char *signs_in(const char *groups)
{
    const fixture_claim_t claims[] = {{"groups", groups}, {NULL}};
    return signs_in_with(claims);
}

static const char *signs_in_over(void)
{
    static const fixture_claim_t claims[] = {OVERAGE, {NULL}};
    return signs_in_with(claims);
}

/* The sign-in ends with that reason, and nothing of a session goes out. Gives the seconds after which to come again. */
static int assert_no_sign_in(sso_rc reason, const fixture_claim_t *claims)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->changes = claims;
    sso_answer_t answer = site_sign_in(browser, "/");
    assert_fault(reason, answer);
    int retry_after_s = unit_ctx.fault.retry_after_s;
    assert_int_equal(answer.cookies->nelts, 0);
    assert_int_equal(site_session(browser, &record), SSO_R_SESSION_NONE);
    return retry_after_s;
}

static int graph_calls(void)
{
    return fake_http_count(site_world->fake, GRAPH);
}

static void graph_says(const char *match, const char *body)
{
    fake_http_always(site_world->fake, match, 200, body);
}

static const char *named(const char *id, const char *name)
{
    return apr_psprintf(unit_pool, "{\"value\":[{\"id\":\"%s\",\"displayName\":\"%s\"}]}", id, name);
}

/* ---- the token answers ---- */

static void test_groups_without_any_in_the_configuration_are_not_even_read(void **state)
{
    (void)state;
    refer_to(TEXTS(NULL));
    assert_string_equal(signs_in("\"no list\""), "");
    assert_string_equal(signs_in_over(), "");
    site_world->site.groups = NULL;
    assert_string_equal(signs_in_over(), "");
    assert_int_equal(graph_calls(), 0);
}

static void test_groups_referenced_are_kept_as_the_configuration_spells_them(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_A_UPPER, ID_B, ID_C));
    assert_string_equal(signs_in("[\"" ID_C "\",\"99999999-0000-4000-8000-000000000000\",\"" ID_A "\"]"),
                        ID_A_UPPER "|" ID_C);
    assert_int_equal(graph_calls(), 0);
}

static void test_groups_named_twice_are_kept_once(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_A, ID_A_UPPER, ID_A));
    assert_string_equal(signs_in("[\"" ID_A "\",\"" ID_A "\"]"), ID_A);
}

static void test_groups_absent_or_empty_are_none_and_ask_nothing(void **state)
{
    static const fixture_claim_t none[] = {{NULL}};
    static const fixture_claim_t no_overage[] = {
        {"_claim_names", "{\"other\":\"src1\"}"}, {"hasgroups", "false"}, {NULL}};
    (void)state;
    refer_to(TEXTS(ID_A, "Finance"));
    assert_string_equal(signs_in_with(none), "");
    assert_string_equal(signs_in_with(no_overage), "");
    assert_string_equal(signs_in("[]"), "");
    assert_int_equal(graph_calls(), 0);
}

static void test_groups_all_keeps_every_one_referenced_first(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_B));
    policy.all = true;
    assert_string_equal(signs_in("[\"" ID_A "\",\"" ID_B "\",\"" ID_C "\"]"), ID_B "|" ID_A "|" ID_C);
    refer_to(TEXTS(NULL));
    policy.all = true;
    assert_string_equal(signs_in("[\"" ID_A "\"]"), ID_A);
    assert_int_equal(graph_calls(), 0);
}

static void test_groups_that_the_token_names_need_no_graph(void **state)
{
    (void)state;
    refer_to(TEXTS("CORP\\Finance"));
    assert_string_equal(signs_in("[\"corp\\\\finance\"]"), "CORP\\Finance");
    assert_int_equal(graph_calls(), 0);
}

static void test_groups_claim_of_another_shape_is_refused(void **state)
{
    const char *huge = apr_psprintf(unit_pool, "[\"%0*d\"]", SSO_MAX_CLAIM_VALUE + 1, 1);
    const char *const bad[] = {
        "\"" ID_A "\"",    "{}",     "null",     "true", "[1]", "[\"" ID_A "\",null]", "[[\"x\"]]", "[\"a\\nb\"]",
        "[\"a\\u0085b\"]", "[\"\"]", "[\" x\"]", huge};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refer_to(TEXTS(ID_A));
        const fixture_claim_t claims[] = {{"groups", bad[i]}, {NULL}};
        print_message("groups %.30s\n", bad[i]);
        assert_no_sign_in(SSO_R_GROUPS_TYPE, claims);
    }
}

/* ---- names ---- */

static void test_groups_name_is_looked_up_once_an_hour(void **state)
{
    (void)state;
    refer_to(TEXTS("Finance", ID_B));
    graph_says(GRAPH_NAMES, named(ID_A, "Finance"));
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "Finance");
    assert_int_equal(graph_calls(), 1);
    assert_non_null(strstr(fake_http_last(site_world->fake)->url, "displayName%20eq%20%27Finance%27"));
    unit_ctx.now += 59 * MINUTE;
    assert_string_equal(signs_in("[\"" ID_C "\"]"), "");
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "Finance");
    assert_int_equal(graph_calls(), 1);
    graph_says(GRAPH_NAMES, named(ID_C, "Finance"));
    unit_ctx.now += MINUTE;
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "");
    assert_string_equal(signs_in("[\"" ID_C "\"]"), "Finance");
    assert_int_equal(graph_calls(), 2);
}

static void test_groups_name_that_is_none_is_asked_for_again_after_five_minutes(void **state)
{
    (void)state;
    refer_to(TEXTS("Finance"));
    graph_says(GRAPH_NAMES, "{\"value\":[]}");
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "");
    unit_ctx.now += 4 * MINUTE;
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "");
    assert_int_equal(graph_calls(), 1);
    graph_says(GRAPH_NAMES, named(ID_A, "Finance"));
    unit_ctx.now += MINUTE;
    assert_string_equal(signs_in("[\"" ID_A "\"]"), "Finance");
    assert_int_equal(graph_calls(), 2);
}

static void test_groups_name_beside_ids_is_kept_with_them(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_B, "Finance"));
    graph_says(GRAPH_NAMES, named(ID_A, "Finance"));
    assert_string_equal(signs_in("[\"" ID_A "\",\"" ID_B "\"]"), ID_B "|Finance");
}

static void test_groups_scopes_are_asked_for_only_where_needed(void **state)
{
    static const struct {
        const char *groups[3];
        bool all;
        sso_overage_t overage;
        const char *scopes;
    } cases[] = {
        {{NULL}, false, SSO_OVERAGE_GRAPH, ""},
        {{NULL}, true, SSO_OVERAGE_GRAPH, "User.Read"},
        {{NULL}, true, SSO_OVERAGE_DENY, ""},
        {{ID_A}, false, SSO_OVERAGE_GRAPH, "User.Read"},
        {{ID_A}, false, SSO_OVERAGE_IGNORE, ""},
        {{ID_A, "Finance"}, false, SSO_OVERAGE_GRAPH, "User.Read GroupMember.Read.All"},
        {{"Finance"}, false, SSO_OVERAGE_DENY, "GroupMember.Read.All"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        refer_to(cases[i].groups);
        policy.all = cases[i].all;
        policy.overage = cases[i].overage;
        assert_string_equal(sso_groups_scopes(&policy), cases[i].scopes);
    }
}

/* ---- more than a token holds ---- */

static void test_groups_overage_asks_graph_only_about_the_referenced(void **state)
{
    static const fixture_claim_t hidden[] = {{"hasgroups", "true"}, {NULL}};
    (void)state;
    refer_to(TEXTS(ID_A_UPPER, ID_B, ID_A));
    graph_says(GRAPH_CHECK, "{\"value\":[\"" ID_A "\"]}");
    assert_string_equal(signs_in_over(), ID_A_UPPER);
    const fake_request_t *request = fake_http_last(site_world->fake);
    assert_string_equal(request->url, GRAPH GRAPH_CHECK);
    assert_string_equal(request->body, "{\"groupIds\":[\"" ID_A "\",\"" ID_B "\"]}");
    assert_string_equal(apr_table_get(request->headers, "Authorization"), "Bearer planted-access-token");
    assert_int_equal(graph_calls(), 1);
    assert_string_equal(signs_in_with(hidden), ID_A_UPPER);
    assert_int_equal(graph_calls(), 2);
    /* The address of the token is not followed. */
    assert_int_equal(fake_http_count(site_world->fake, "evil.test"), 0);
}

static void test_groups_overage_resolves_names_and_asks_about_their_ids(void **state)
{
    (void)state;
    refer_to(TEXTS("Finance", "Nowhere", ID_B));
    fake_http_once(site_world->fake, GRAPH_NAMES, 200, named(ID_A, "Finance"));
    fake_http_once(site_world->fake, GRAPH_NAMES, 200, "{\"value\":[]}");
    graph_says(GRAPH_CHECK, "{\"value\":[\"" ID_A "\",\"" ID_B "\"]}");
    assert_string_equal(signs_in_over(), "Finance|" ID_B);
    assert_string_equal(fake_http_last(site_world->fake)->body, "{\"groupIds\":[\"" ID_A "\",\"" ID_B "\"]}");
    assert_int_equal(graph_calls(), 3);
}

static void test_groups_overage_of_nothing_that_exists_asks_no_membership(void **state)
{
    (void)state;
    refer_to(TEXTS("Nowhere"));
    graph_says(GRAPH_NAMES, "{\"value\":[]}");
    assert_string_equal(signs_in_over(), "");
    assert_int_equal(fake_http_count(site_world->fake, GRAPH_CHECK), 0);
}

static void test_groups_overage_all_follows_the_pages(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_B));
    policy.all = true;
    fake_http_once(site_world->fake, GRAPH_ALL, 200,
                   "{\"@odata.nextLink\":\"" GRAPH GRAPH_ALL "p?$skiptoken=2\",\"value\":[{\"id\":\"" ID_A "\"}]}");
    fake_http_once(site_world->fake, GRAPH_ALL, 200, "{\"value\":[{\"id\":\"" ID_B "\"},{\"id\":\"" ID_C "\"}]}");
    assert_string_equal(signs_in_over(), ID_B "|" ID_A "|" ID_C);
    assert_int_equal(graph_calls(), 2);
}

static void test_groups_overage_denied_is_no_sign_in(void **state)
{
    static const fixture_claim_t hidden[] = {{"hasgroups", "true"}, {NULL}};
    static const fixture_claim_t over[] = {OVERAGE, {NULL}};
    (void)state;
    refer_to(TEXTS(ID_A));
    policy.overage = SSO_OVERAGE_DENY;
    assert_no_sign_in(SSO_R_GROUPS_OVERAGE, over);
    assert_no_sign_in(SSO_R_GROUPS_OVERAGE, hidden);
    assert_int_equal(graph_calls(), 0);
    assert_string_equal(signs_in("[\"" ID_A "\"]"), ID_A);
}

static void test_groups_overage_ignored_is_a_session_without_groups(void **state)
{
    (void)state;
    refer_to(TEXTS(ID_A));
    policy.overage = SSO_OVERAGE_IGNORE;
    assert_string_equal(signs_in_over(), "");
    assert_int_equal(graph_calls(), 0);
}

/* ---- failures ---- */

typedef struct {
    int status;
    const char *body;
    sso_rc reason;
} failure_t;

static const failure_t FAILURES[] = {
    {403, "{\"error\":{\"code\":\"Authorization_RequestDenied\"}}", SSO_R_GRAPH_CONSENT},
    {401, "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}", SSO_R_GRAPH_TOKEN},
    {429, "{}", SSO_R_GRAPH_BUSY},
    {500, "", SSO_R_GRAPH_LATER},
    {503, "<html>", SSO_R_GRAPH_LATER},
    {404, "{}", SSO_R_GRAPH_FORMAT},
    {200, "", SSO_R_GRAPH_FORMAT},
    {200, "{\"value\":{}}", SSO_R_GRAPH_FORMAT},
    {200, "{\"value\":[7]}", SSO_R_GRAPH_FORMAT},
    {200, "{\"value\":[\"" ID_C "\"],\"value\":[]}", SSO_R_GRAPH_FORMAT},
};

/* Every failure, at every question of the sign-in. */
static void assert_failures_refuse(const char *match, const fixture_claim_t *claims)
{
    for (size_t i = 0; i < sizeof(FAILURES) / sizeof(FAILURES[0]); i++) {
        fake_row_t *row = fake_http_once(site_world->fake, match, FAILURES[i].status, FAILURES[i].body);
        row->retry_after_s = FAILURES[i].status == 429 ? 17 : 0;
        print_message("%s: %d %s\n", match, FAILURES[i].status, FAILURES[i].body);
        assert_int_equal(assert_no_sign_in(FAILURES[i].reason, claims), row->retry_after_s);
    }
    static const sso_rc broken[] = {SSO_R_HTTP_CONNECT, SSO_R_HTTP_TIMEOUT, SSO_R_HTTP_SIZE, SSO_R_HTTP_BUSY,
                                    SSO_R_HTTP_TLS};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        fake_http_once(site_world->fake, match, 0, "")->rc = broken[i];
        assert_no_sign_in(broken[i], claims);
    }
}

static void test_groups_failure_at_the_question_of_membership_is_no_sign_in(void **state)
{
    static const fixture_claim_t over[] = {OVERAGE, {NULL}};
    (void)state;
    refer_to(TEXTS(ID_A));
    assert_failures_refuse(GRAPH_CHECK, over);
    /* And then the same user comes in. */
    graph_says(GRAPH_CHECK, "{\"value\":[\"" ID_A "\"]}");
    assert_string_equal(signs_in_over(), ID_A);
}

static void test_groups_failure_at_all_groups_is_no_sign_in(void **state)
{
    static const fixture_claim_t over[] = {OVERAGE, {NULL}};
    (void)state;
    refer_to(TEXTS(ID_A));
    policy.all = true;
    assert_failures_refuse(GRAPH_ALL, over);
}

static void test_groups_failure_at_a_name_is_no_sign_in_and_is_not_remembered(void **state)
{
    static const fixture_claim_t member[] = {{"groups", "[\"" ID_A "\"]"}, {NULL}};
    (void)state;
    refer_to(TEXTS("Finance"));
    assert_failures_refuse(GRAPH_NAMES, member);
    graph_says(GRAPH_NAMES, named(ID_A, "Finance"));
    assert_string_equal(signs_in_with(member), "Finance");
}

static void test_groups_name_of_two_is_no_sign_in(void **state)
{
    static const fixture_claim_t member[] = {{"groups", "[\"" ID_A "\"]"}, {NULL}};
    (void)state;
    refer_to(TEXTS("Finance"));
    graph_says(GRAPH_NAMES, "{\"value\":[{\"id\":\"" ID_A "\",\"displayName\":\"Finance\"},{\"id\":\"" ID_B
                            "\",\"displayName\":\"FINANCE\"}]}");
    assert_no_sign_in(SSO_R_GRAPH_AMBIGUOUS, member);
}

/* Whichever outbound call fails, there is no half of a session. */
static void test_groups_failure_of_every_call_leaves_no_session(void **state)
{
    static const fixture_claim_t over[] = {OVERAGE, {NULL}};
    (void)state;
    refer_to(TEXTS("Finance", ID_B));
    graph_says(GRAPH_NAMES, named(ID_A, "Finance"));
    graph_says(GRAPH_CHECK, "{\"value\":[]}");
    int refused = 0;
    for (int call = 1; call <= 3; call++) {
        sso_record_t record;
        site_browser_t *browser = site_browser();
        site_world->changes = over;
        site_world->site.group_names = sso_group_names_make(unit_pool);
        sso_answer_t answer = site_visit(browser, "/");
        site_world->fake->fail_at = site_world->fake->request_count + call;
        answer = site_call_back(browser, site_entra_signs_in(answer.location));
        refused += answer.kind == SSO_ANSWER_FAULT ? 1 : 0;
        assert_true(site_session(browser, &record) != SSO_OK);
    }
    assert_int_equal(refused, 3);
}

static void test_groups_many_thousand_make_no_large_cookie(void **state)
{
    (void)state;
    apr_array_header_t *groups = apr_array_make(unit_pool, 20, sizeof(const char *));
    const char *body = "{\"value\":[";
    for (int i = 0; i < 20; i++) {
        const char *id = apr_psprintf(unit_pool, "%08x-0000-4000-8000-00000000abcd", (unsigned)i);
        APR_ARRAY_PUSH(groups, const char *) = id;
        body = apr_pstrcat(unit_pool, body, i == 0 ? "\"" : ",\"", id, "\"", NULL);
    }
    refer_to(TEXTS(NULL));
    policy.referenced = groups;
    graph_says(GRAPH_CHECK, apr_pstrcat(unit_pool, body, "]}", NULL));
    static const fixture_claim_t over[] = {OVERAGE,
                                           {"roles", "[\"app.reader\",\"app.writer\",\"app.auditor\"]"},
                                           {"name", "\"Maximilian Groups\""},
                                           {NULL}};
    site_browser_t *browser = site_browser();
    site_world->changes = over;
    assert_page("/", site_sign_in(browser, "/"));
    const char *cookie = apr_table_get(browser->jar, "__Host-Entra-Session");
    assert_non_null(cookie);
    assert_true(strlen(cookie) < 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_groups_without_any_in_the_configuration_are_not_even_read),
        site_test(test_groups_referenced_are_kept_as_the_configuration_spells_them),
        site_test(test_groups_named_twice_are_kept_once),
        site_test(test_groups_absent_or_empty_are_none_and_ask_nothing),
        site_test(test_groups_all_keeps_every_one_referenced_first),
        site_test(test_groups_that_the_token_names_need_no_graph),
        site_test(test_groups_claim_of_another_shape_is_refused),
        site_test(test_groups_name_is_looked_up_once_an_hour),
        site_test(test_groups_name_that_is_none_is_asked_for_again_after_five_minutes),
        site_test(test_groups_name_beside_ids_is_kept_with_them),
        site_test(test_groups_scopes_are_asked_for_only_where_needed),
        site_test(test_groups_overage_asks_graph_only_about_the_referenced),
        site_test(test_groups_overage_resolves_names_and_asks_about_their_ids),
        site_test(test_groups_overage_of_nothing_that_exists_asks_no_membership),
        site_test(test_groups_overage_all_follows_the_pages),
        site_test(test_groups_overage_denied_is_no_sign_in),
        site_test(test_groups_overage_ignored_is_a_session_without_groups),
        site_test(test_groups_failure_at_the_question_of_membership_is_no_sign_in),
        site_test(test_groups_failure_at_all_groups_is_no_sign_in),
        site_test(test_groups_failure_at_a_name_is_no_sign_in_and_is_not_remembered),
        site_test(test_groups_name_of_two_is_no_sign_in),
        site_test(test_groups_failure_of_every_call_leaves_no_session),
        site_test(test_groups_many_thousand_make_no_large_cookie),
    };
    return site_run(tests);
}
