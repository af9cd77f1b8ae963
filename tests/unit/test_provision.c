/* SPDX-License-Identifier: Apache-2.0 */
/* A change and all that follows from it are one: sessions, audit, versions. */
#include "directory/provision.h"

#include "unit.h"

#include "service.h"

static void add(const sso_stored_t *session)
{
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, service.ending.store, session));
}

static void test_provision_disabling_ends_the_sessions(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "'}");
    sso_stored_t mine = service_session(1, SERVICE_OID, "ada@x");
    sso_stored_t other = service_session(2, "33333333-0000-4000-8000-000000000003", "ada@x");
    sso_stored_t elsewhere = service_session(3, SERVICE_OID, "ada@x");
    elsewhere.app = SERVICE_OTHER_APP;
    add(&mine);
    add(&other);
    add(&elsewhere);
    const char *path = service_path("Users", id);
    assert_int_equal(service_do("PATCH", path, NULL, SERVICE_PATCH("{'op':'Replace','path':'active','value':'False'}")),
                     200);
    assert_true(service_is_ended(&mine));
    assert_false(service_is_ended(&other));
    assert_false(service_is_ended(&elsewhere));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, service.ending.ended, mine.id));
    const sso_scim_event_t *event = &APR_ARRAY_IDX(service_answer.events, 0, sso_scim_event_t);
    assert_string_equal(event->what, "user disabled");
    assert_int_equal(event->ended->nelts, 1);
    assert_string_equal(database_sql("SELECT cause FROM entra_audit"), "disabled by SCIM");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_audit"), "2");
    /* A PUT that does not speak of it enables nobody. */
    assert_int_equal(service_do("PUT", path, NULL, "{'userName':'ada@x','externalId':'" SERVICE_OID "'}"), 200);
    assert_string_equal(database_sql("SELECT active FROM entra_scim_user"), "0");
}

static void test_provision_by_name_where_there_is_no_object_id(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'Ada@X','externalId':'ada'}");
    assert_true(APR_ARRAY_IDX(service_answer.events, 0, sso_scim_event_t).unmatched);
    sso_stored_t mine = service_session(1, SERVICE_OID, "ADA@x");
    add(&mine);
    assert_int_equal(service_do("DELETE", service_path("Users", id), NULL, NULL), 204);
    assert_true(service_is_ended(&mine));
    service.match = SSO_MATCH_UPN;
    id = service_make("/Users", "{'userName':'Ada@X','externalId':'" SERVICE_OID "'}");
    assert_false(APR_ARRAY_IDX(service_answer.events, 0, sso_scim_event_t).unmatched);
    sso_stored_t named = service_session(2, "33333333-0000-4000-8000-000000000003", "ada@x");
    sso_stored_t numbered = service_session(3, SERVICE_OID, "renamed@x");
    add(&named);
    add(&numbered);
    assert_int_equal(service_do("DELETE", service_path("Users", id), NULL, NULL), 204);
    assert_true(service_is_ended(&named));
    assert_false(service_is_ended(&numbered));
}

static void test_provision_fails_as_a_whole(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "'}");
    service_make("/Users", "{'userName':'taken@x'}");
    sso_stored_t mine = service_session(1, SERVICE_OID, "ada@x");
    add(&mine);
    assert_int_equal(service_do("PUT", service_path("Users", id), NULL,
                                "{'userName':'TAKEN@x','externalId':'" SERVICE_OID "','active':false}"),
                     409);
    assert_rc(SSO_R_SCIM_UNIQUE, unit_ctx.fault.rc);
    assert_false(service_is_ended(&mine));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_user WHERE active = 1"), "2");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_audit"), "2");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_unique"), "3");
}

static void test_provision_versions(void **state)
{
    (void)state;
    static const char *const named[] = {"W/\"3\"", "\"3\"", "*", "W/\"2\", W/\"3\"", " W/\"3\" ,x"};
    static const char *const others[] = {"", "W/\"33\"", "W/\"2\"", "3", "W/\"3\"x"};
    for (size_t i = 0; i < 5; i++) {
        assert_true(sso_version_is_named(named[i], "W/\"3\""));
        assert_false(sso_version_is_named(others[i], "W/\"3\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_provision_disabling_ends_the_sessions),
        service_test(test_provision_by_name_where_there_is_no_object_id),
        service_test(test_provision_fails_as_a_whole),
        service_test(test_provision_versions),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
