/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of one application, counted. */
#include "directory/survey.h"

#include "unit.h"

#include "service.h"
#include "directory/rows.h"
#include "session/schema.h"

static void test_survey_counts(void **state)
{
    (void)state;
    sso_survey_t survey;
    assert_rc(SSO_OK, sso_survey(&unit_ctx, service.ending.store, SERVICE_APP, &survey));
    assert_int_equal(survey.users, 0);
    assert_int_equal(survey.without_oid, 0);
    assert_int_equal(survey.groups, 0);
    (void)service_make("/Users", "{'userName':'a@example.com','externalId':'" SERVICE_OID "'}");
    (void)service_make("/Users", "{'userName':'b@example.com','externalId':'b'}");
    (void)service_make("/Users", "{'userName':'c@example.com'}");
    (void)service_make("/Users", "{'userName':'d@example.com','" SSO_JIT_URN "':{'origin':'jit'}}");
    (void)service_make("/Groups", "{'displayName':'g','externalId':'" SERVICE_OID "'}");
    assert_rc(SSO_OK, sso_survey(&unit_ctx, service.ending.store, SERVICE_APP, &survey));
    assert_int_equal(survey.users, 3);
    assert_int_equal(survey.without_oid, 2);
    assert_int_equal(survey.groups, 1);
    assert_rc(SSO_OK, sso_survey(&unit_ctx, service.ending.store, SERVICE_OTHER_APP, &survey));
    assert_int_equal(survey.users, 0);
}

static sso_rc leave_tables(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    (void)ctx, (void)connection, (void)baton;
    return SSO_OK;
}

/* A look at the tables' version makes none: an administrator may look before httpd ever ran. */
static void test_schema_is_found_and_left_alone(void **state)
{
    (void)state;
    sso_database_t *database;
    int version = -1;
    assert_rc(SSO_OK,
              sso_database_make(&unit_ctx, unit_pool, database_driver, database_params, leave_tables, &database));
    assert_rc(SSO_OK, sso_database_read(&unit_ctx, database, sso_schema_find, &version));
    assert_int_equal(version, sso_schema_version());
    (void)database_sql("UPDATE entra_schema SET version = 99, least = 99");
    assert_rc(SSO_R_STORE_NEWER, sso_database_read(&unit_ctx, database, sso_schema_find, &version));
    assert_int_equal(version, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_survey_counts),
        service_test(test_schema_is_found_and_left_alone),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
