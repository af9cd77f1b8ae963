/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: what comes out of the database is judged; unique names come and go. */
#include "directory/rows.h"

#include "unit.h"

#include "service.h"

static void test_rows_are_judged(void **state)
{
    (void)state;
    static const char *const breaks[] = {
        "UPDATE entra_scim_user SET document = 'x'",
        "UPDATE entra_scim_user SET document = '{\"a\":1,\"a\":2}'",
        "UPDATE entra_scim_user SET id = 'x'",
    };
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        service_make("/Users", "{'userName':'ada'}");
        database_sql(breaks[i]);
        assert_int_equal(service_do("GET", "/Users", NULL, NULL), 500);
        assert_rc(SSO_R_STORE_ROW, unit_ctx.fault.rc);
        assert_null(strstr(service_answer.body, "entra_scim"));
        database_sql("DELETE FROM entra_scim_user");
        database_sql("DELETE FROM entra_scim_unique");
    }
}

static void test_rows_unique_names_come_and_go(void **state)
{
    (void)state;
    const char *a = service_make("/Users", "{'userName':'Ada','externalId':'" SERVICE_OID "'}");
    assert_int_equal(service_do("POST", "/Users", NULL, "{'userName':'aDA'}"), 409);
    assert_int_equal(service_do("POST", "/Users", NULL, "{'userName':'b','externalId':'" SERVICE_OID "'}"), 409);
    assert_int_equal(service_do("PUT", service_path("Users", a), NULL, "{'userName':'c'}"), 200);
    service_make("/Users", "{'userName':'ada','externalId':'" SERVICE_OID "'}");
    assert_int_equal(service_do("DELETE", service_path("Users", a), NULL, NULL), 204);
    service_make("/Users", "{'userName':'C'}");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_unique"), "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_rows_are_judged),
        service_test(test_rows_unique_names_come_and_go),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
