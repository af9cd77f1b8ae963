/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: opaque, of one question, for an hour. */
#include "directory/cursor.h"

#include "unit.h"

#include "service.h"

static void test_cursor_there_and_back(void **state)
{
    (void)state;
    const sso_cursor_t cursor = {12345, SERVICE_OID, 0};
    sso_cursor_t back;
    const char *text;
    assert_rc(SSO_OK, sso_cursor_seal(&unit_ctx, &service, "question", &cursor, &text));
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"), strlen(text));
    assert_rc(SSO_OK, sso_cursor_open(&unit_ctx, &service, "question", text, &back));
    assert_int_equal(back.created, 12345);
    assert_string_equal(back.id, SERVICE_OID);
    assert_rc(SSO_R_SCIM_CURSOR, sso_cursor_open(&unit_ctx, &service, "another", text, &back));
    assert_rc(SSO_R_SCIM_CURSOR, sso_cursor_open(&unit_ctx, &service, "question", text + 1, &back));
    unit_ctx.now += SSO_SCIM_CURSOR_LIFE + 1;
    assert_rc(SSO_R_SCIM_CURSOR_OVER, sso_cursor_open(&unit_ctx, &service, "question", text, &back));
}

/* Only a holder of the key could make one. */
static void test_cursor_of_a_moment_before_all_is_none(void **state)
{
    (void)state;
    const sso_cursor_t cursor = {12345, SERVICE_OID, 0};
    sso_cursor_t back;
    const char *text;
    unit_ctx.now = INT64_MIN + 1;
    assert_rc(SSO_OK, sso_cursor_seal(&unit_ctx, &service, "question", &cursor, &text));
    unit_ctx.now = SSO_TEST_NOW;
    assert_rc(SSO_R_SCIM_CURSOR, sso_cursor_open(&unit_ctx, &service, "question", text, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_cursor_there_and_back),
        service_test(test_cursor_of_a_moment_before_all_is_none),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
