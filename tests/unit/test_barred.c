/* SPDX-License-Identifier: Apache-2.0 */
/* Moments of disablings: kept by each name that somebody is known by. */
#include "directory/barred.h"

#include "unit.h"

#include "service.h"

typedef struct {
    sso_barred_who_t who;
    bool notes;
    apr_time_t since;
} asking_t;

static sso_rc ask_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    asking_t *asking = baton;
    sso_rc rc = sso_barred_lock(ctx, connection, &asking->who, asking->notes);
    if (rc == SSO_OK && asking->notes) {
        rc = sso_barred_note(ctx, connection, &asking->who, SERVICE_TENANT);
    }
    return rc == SSO_OK ? sso_barred_since(ctx, connection, &asking->who, &asking->since) : rc;
}

static apr_time_t ask(bool notes, const char *app, const char *oid, const char *user_key)
{
    asking_t asking = {{app, oid, user_key}, notes, -1};
    assert_rc(SSO_OK, sso_database_change(&unit_ctx, sso_store_database(service.ending.store), ask_work, &asking));
    return asking.since;
}

static void test_barred_by_each_name(void **state)
{
    (void)state;
    assert_int_equal(ask(false, SERVICE_APP, SERVICE_OID, "ada@x"), 0);
    apr_time_t first = ask(true, SERVICE_APP, SERVICE_OID, "ada@x");
    assert_true(first > 0);
    assert_true(ask(false, SERVICE_APP, SERVICE_OID, NULL) > 0);
    assert_true(ask(false, SERVICE_APP, "", "ada@x") > 0);
    assert_int_equal(ask(false, SERVICE_APP, NULL, SERVICE_OID), 0);
    assert_int_equal(ask(false, SERVICE_OTHER_APP, SERVICE_OID, "ada@x"), 0);
    database_sql("UPDATE entra_scim_barred SET at = 5");
    assert_true(ask(true, SERVICE_APP, SERVICE_OID, "ada@x") >= first);
    /* A day later nobody needs it. */
    unit_ctx.now = apr_time_now() + apr_time_from_sec(2 * 86400);
    assert_rc(SSO_OK, sso_scim_purge(&unit_ctx, service.ending.store));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_barred"), "0");
}

/* SECURITY: a moment that cannot be read is no permission. */
static void test_barred_row_that_is_no_row_is_a_failure(void **state)
{
    (void)state;
    asking_t asking = {{SERVICE_APP, SERVICE_OID, NULL}, false, -1};
    if (database_is_pgsql()) {
        skip(); /* its column takes numbers alone */
    }
    assert_true(ask(true, SERVICE_APP, SERVICE_OID, NULL) > 0);
    database_sql("UPDATE entra_scim_barred SET at = 'never'");
    assert_rc(SSO_R_STORE_ROW,
              sso_database_change(&unit_ctx, sso_store_database(service.ending.store), ask_work, &asking));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_barred_by_each_name),
        service_test(test_barred_row_that_is_no_row_is_a_failure),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
