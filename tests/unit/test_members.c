/* SPDX-License-Identifier: Apache-2.0 */
/* Members: steps in order, each id once, nobody of another application. */
#include "directory/rows.h"

#include "unit.h"

#include "service.h"

static int count(const char *group)
{
    assert_int_equal(service_do("GET", service_path("Groups", group), NULL, NULL), 200);
    return (int)sso_json_size(sso_json_get(service_json(), "members"));
}

static void patch(const char *group, const char *operations)
{
    const char *body = apr_psprintf(unit_pool, SERVICE_PATCH("%s"), operations);
    assert_int_equal(service_do("PATCH", service_path("Groups", group), NULL, body), 204);
}

static void test_members_steps(void **state)
{
    (void)state;
    const char *a = service_make("/Users", "{'userName':'a'}");
    const char *b = service_make("/Users", "{'userName':'b'}");
    const char *inner = service_make("/Groups", "{'displayName':'Inner'}");
    const char *group = service_make("/Groups", "{'displayName':'G'}");
    patch(group, apr_psprintf(unit_pool,
                              "{'op':'Add','path':'members','value':[{'value':'%s'},{'value':'%s'},{'value':'%s'},"
                              "{'value':'%s'},{'value':'nobody'},{'value':'" SERVICE_OID "'}]}",
                              b, a, b, inner));
    assert_int_equal(count(group), 3);
    assert_string_equal(service_answer.tag, "W/\"2\"");
    /* Nothing new: no version. */
    patch(group, apr_psprintf(unit_pool, "{'op':'Add','path':'members','value':[{'value':'%s'}]}", a));
    count(group);
    assert_string_equal(service_answer.tag, "W/\"2\"");
    patch(group, apr_psprintf(unit_pool,
                              "{'op':'replace','path':'members','value':[{'value':'%s'}]},"
                              "{'op':'Remove','path':'members','value':[{'value':'%s'}]},"
                              "{'op':'Add','path':'members','value':[{'value':'%s'}]}",
                              a, a, b));
    assert_int_equal(count(group), 1);
    /* Who is deleted leaves, and the group has a new version. */
    assert_int_equal(service_do("DELETE", service_path("Users", b), NULL, NULL), 204);
    assert_int_equal(count(group), 0);
    assert_string_equal(service_answer.tag, "W/\"4\"");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_member"), "0");
}

static void test_members_of_another_application_are_nobody(void **state)
{
    (void)state;
    const char *a = service_make("/Users", "{'userName':'a'}");
    database_sql("UPDATE entra_scim_user SET app = '" SERVICE_OTHER_APP "'");
    const char *body = apr_psprintf(unit_pool, "{'displayName':'G','members':[{'value':'%s'}]}", a);
    assert_int_equal(count(service_make("/Groups", body)), 0);
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_member"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_members_steps),
        service_test(test_members_of_another_application_are_nobody),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
