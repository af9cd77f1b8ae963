/* SPDX-License-Identifier: Apache-2.0 */
/* The service: paths, methods, and each refusal with its reason. */
#include "directory/scim.h"

#include "unit.h"

#include "directory/federated.h"
#include "service.h"

static void assert_refused(sso_rc rc, int status)
{
    if (unit_ctx.fault.rc != rc || service_answer.status != status) {
        unit_fail("%s (%d), expected %s: %s", sso_reason(unit_ctx.fault.rc)->name, service_answer.status,
                  sso_reason(rc)->name, service_answer.body);
    }
    assert_string_equal(sso_json_get_text(service_json(), "status"), apr_itoa(unit_pool, status));
}

static void test_scim_refuses_with_its_reason(void **state)
{
    (void)state;
    static const char user[] = "{'userName':'ada'}";
    const char *id = service_make("/Users", user);
    static const struct {
        const char *method, *path, *query, *body;
        sso_rc rc;
        int status;
    } cases[] = {
        {"GET", "/Nothing", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "/Admins", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "/Users/", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"POST", "/Bulk/x", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "/Users/a/b", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "/Users/%00", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"GET", "/users", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"DELETE", "/Users", NULL, NULL, SSO_R_SCIM_METHOD, 405},
        {"GET", "/Bulk", NULL, NULL, SSO_R_SCIM_METHOD, 405},
        {"POS", "/Users", NULL, NULL, SSO_R_SCIM_METHOD, 405},
        {"POST", "/Users", NULL, user, SSO_R_SCIM_UNIQUE, 409},
        {"GET", "/Me", NULL, NULL, SSO_R_SCIM_ABSENT, 501},
        {"GET", "/Users", "count=x", NULL, SSO_R_SCIM_QUERY, 400},
        {"GET", "/Users", "filter=", NULL, SSO_R_SCIM_FILTER, 400},
        {"GET", "/Users", "cursor=x", NULL, SSO_R_SCIM_CURSOR, 400},
        {"GET", "/Schemas", "filter=id+pr", NULL, SSO_R_SCIM_DISCOVERY, 403},
        {"GET", "/Schemas/urn:x", NULL, NULL, SSO_R_SCIM_NOT_FOUND, 404},
        {"POST", "/Users", NULL, "", SSO_R_SCIM_SYNTAX, 400},
        {"POST", "/Users", NULL, NULL, SSO_R_SCIM_SYNTAX, 400},
        {"POST", "/Bulk", NULL, NULL, SSO_R_SCIM_SYNTAX, 400},
        {"POST", "/.search", NULL, NULL, SSO_R_SCIM_SYNTAX, 400},
        {"POST", "/Users/.search", NULL, "[]", SSO_R_SCIM_SYNTAX, 400},
        {"POST", "/.search", NULL, "{'cursor':''}", SSO_R_SCIM_CURSOR, 400},
        {"POST", "/.search", NULL, "{'cursor':'x'}", SSO_R_SCIM_CURSOR, 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        service_do(cases[i].method, cases[i].path, cases[i].query, cases[i].body);
        assert_refused(cases[i].rc, cases[i].status);
    }
    const sso_scim_request_t form = {.method = "POST", .path = "/Users", .content_type = "text/plain"};
    service_send(&form, user);
    assert_refused(SSO_R_SCIM_MEDIA, 415);
    static const char *const types[] = {"application/json", "Application/SCIM+json; charset=utf-8"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const sso_scim_request_t json = {.method = "POST", .path = "/Users", .content_type = types[i]};
        service_send(&json, user);
        assert_refused(SSO_R_SCIM_UNIQUE, 409);
    }
    char *many = apr_pstrdup(unit_pool, "attributes=");
    for (int i = 0; i <= SSO_MAX_PROJECTION_NAMES; i++) {
        many = apr_pstrcat(unit_pool, many, "a,", NULL);
    }
    service_do("GET", service_path("Users", id), many, NULL);
    assert_refused(SSO_R_SCIM_PROJECTION, 400);
    service_do("POST", "/.search", NULL, apr_pstrcat(unit_pool, "{'attributes':['", many + 11, "']}", NULL));
    assert_refused(SSO_R_SCIM_PROJECTION, 400);
    const sso_scim_request_t stale = {.method = "DELETE", .path = service_path("Users", id), .if_match = "W/\"9\""};
    service_send(&stale, NULL);
    assert_refused(SSO_R_SCIM_VERSION, 412);
}

static void test_scim_asks_for_a_token_first(void **state)
{
    (void)state;
    const sso_scim_request_t basic = {.method = "GET", .path = "/Nothing", .authorization = "Basic YTpi"};
    service_send(&basic, NULL);
    assert_refused(SSO_R_SCIM_TOKEN_UNKNOWN, 401);
    assert_string_equal(service_answer.challenge, "Bearer realm=\"SCIM\", error=\"invalid_token\"");
    const sso_scim_request_t federated = {
        .method = "GET", .path = "/Users", .authorization = "Bearer " SSO_FEDERATED_MARK "x"};
    service_send(&federated, NULL);
    assert_refused(SSO_R_SCIM_TOKEN_UNKNOWN, 401);
    assert_string_equal(service_answer.token, "federated");
    const sso_scim_request_t none = {.method = "GET", .path = "/Users"};
    assert_false(sso_scim_admit(&unit_ctx, &service, &none, &service_answer));
    assert_refused(SSO_R_SCIM_TOKEN_NONE, 401);
    assert_string_equal(service_answer.challenge, "Bearer realm=\"SCIM\"");
    assert_null(service_answer.token);
}

static void test_scim_is_bounded(void **state)
{
    (void)state;
    sso_scim_answer_t first;
    /* As many as there are places are inside. */
    for (int i = 0; i < SERVICE_PLACES; i++) {
        assert_true(sso_gate_enter(service.gate));
    }
    assert_int_equal(service_do("GET", "/Users", NULL, NULL), 503);
    assert_refused(SSO_R_SCIM_BUSY, 503);
    assert_true(service_answer.retry_after_s > 0);
    for (int i = 0; i < SERVICE_PLACES; i++) {
        sso_gate_leave(service.gate, true);
    }
    const sso_scim_request_t request = {
        .method = "GET", .path = "/Users", .authorization = apr_pstrcat(unit_pool, "Bearer ", service_token, NULL)};
    assert_true(sso_scim_admit(&unit_ctx, &service, &request, &first));
    (void)!sso_fail(&unit_ctx, SSO_R_SCIM_READ, "half a body");
    sso_scim_give_up(&unit_ctx, &service, &first);
    assert_int_equal(first.status, 400);
    assert_int_equal(sso_gate_count(service.gate), 0);
    sso_gate_t *gate = service.gate;
    service.gate = NULL;
    assert_int_equal(service_do("GET", "/Users", NULL, NULL), 503);
    assert_refused(SSO_R_SCIM_BUSY, 503);
    service.gate = gate;
    service.ending.store = NULL;
    assert_int_equal(service_do("GET", "/Users", NULL, NULL), 503);
    assert_refused(SSO_R_STORE_AWAY, 503);
}

static void test_scim_reads_what_is_asked_for(void **state)
{
    (void)state;
    const char *path = service_path("Users", service_make("/Users", "{'userName':'ada'}"));
    assert_int_equal(service_do("HEAD", path, NULL, NULL), 200);
    assert_int_equal(service_do("GET", path, "attributes=userName", NULL), 200);
    assert_string_equal(sso_json_get_text(service_json(), "userName"), "ada");
    assert_null(sso_json_get(service_json(), "meta"));
    const sso_scim_request_t other = {.method = "GET", .path = path, .if_none_match = "W/\"9\""};
    assert_int_equal(service_send(&other, NULL), 200);
    assert_int_equal(service_do("POST", "/Users/.search", NULL, "{'filter':'userName eq ada'}"), 200);
    assert_int_equal(sso_json_size(sso_json_get(service_json(), "Resources")), 1);
}

static void test_scim_says_what_it_can_do(void **state)
{
    (void)state;
    static const char *const paths[] = {"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/User",
                                        "/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AGroup"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(service_do("HEAD", paths[i], NULL, NULL), 200);
    }
    assert_int_equal(service_do("OPTIONS", "/Groups", NULL, NULL), 204);
    assert_string_equal(service_answer.allow, "GET, HEAD, POST, OPTIONS");
}

static void test_scim_search_of_both_kinds_is_one_list(void **state)
{
    (void)state;
    int64_t total = 0;
    service_make("/Users", "{'userName':'ada','displayName':'same'}");
    service_make("/Groups", "{'displayName':'Same'}");
    assert_int_equal(service_do("POST", "/.search", NULL, "{'filter':'displayName eq same','startIndex':2}"), 200);
    assert_true(sso_json_integer(sso_json_get(service_json(), "totalResults"), &total));
    assert_int_equal(total, 2);
    assert_int_equal(sso_json_size(sso_json_get(service_json(), "Resources")), 1);
    assert_int_equal(service_do("POST", "/.search", NULL, "{'filter':'userName pr'}"), 200);
    service_make("/Users", "{'userName':'eve','displayName':'same'}");
    assert_int_equal(service_do("POST", "/.search", NULL, "{'filter':'displayName eq same','count':1}"), 200);
    assert_int_equal(sso_json_size(sso_json_get(service_json(), "Resources")), 1);
    assert_int_equal(service_do("POST", "/.search", NULL, "{'filter':'nonsense pr'}"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_scim_refuses_with_its_reason),
        service_test(test_scim_asks_for_a_token_first),
        service_test(test_scim_is_bounded),
        service_test(test_scim_reads_what_is_asked_for),
        service_test(test_scim_says_what_it_can_do),
        service_test(test_scim_search_of_both_kinds_is_one_list),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
