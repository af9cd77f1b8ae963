/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: what each answers. */
#include "directory/operation.h"

#include "unit.h"

#include "service.h"

static void test_operation_answers(void **state)
{
    (void)state;
    static const char patch[] = SERVICE_PATCH("{'op':'replace','path':'displayName','value':'x'}");
    const char *user = service_make("/Users", "{'userName':'ada'}");
    assert_string_equal(service_answer.location,
                        apr_pstrcat(unit_pool, "https://app.example.com/.entra/scim/v2/Users/", user, NULL));
    assert_string_equal(service_answer.tag, "W/\"1\"");
    const char *group = service_make("/Groups", "{'displayName':'G'}");
    const sso_scim_request_t known = {.method = "GET", .path = service_path("Users", user), .if_none_match = "W/\"1\""};
    assert_int_equal(service_send(&known, NULL), 304);
    assert_null(service_answer.body);
    assert_int_equal(service_do("PATCH", service_path("Users", user), NULL, patch), 200);
    assert_string_equal(service_answer.tag, "W/\"2\"");
    assert_int_equal(service_answer.events->nelts, 1);
    assert_int_equal(service_do("PATCH", service_path("Users", user), NULL, patch), 200);
    assert_string_equal(service_answer.tag, "W/\"2\"");
    assert_int_equal(service_answer.events->nelts, 0);
    assert_int_equal(service_do("PATCH", service_path("Groups", group), NULL, patch), 204);
    assert_null(service_answer.body);
    assert_int_equal(service_do("GET", service_path("Groups", user), NULL, NULL), 404);
    assert_int_equal(service_do("DELETE", service_path("Groups", group), NULL, NULL), 204);
    assert_int_equal(service_do("DELETE", service_path("Groups", group), NULL, NULL), 404);
}

static void test_operation_kinds(void **state)
{
    (void)state;
    sso_scim_kind_t kind;
    assert_true(sso_operation_kind_of("Users/x", 5, &kind));
    assert_int_equal(kind, SSO_SCIM_USER);
    assert_true(sso_operation_kind_of("Groups", 6, &kind));
    assert_int_equal(kind, SSO_SCIM_GROUP);
    assert_false(sso_operation_kind_of("users", 5, &kind));
    assert_false(sso_operation_kind_of("Use", 3, &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_operation_answers),
        service_test(test_operation_kinds),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
