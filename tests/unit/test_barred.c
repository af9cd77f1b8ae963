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

static void assert_since(apr_time_t since, apr_time_t from)
{
    assert_in_range(since, from, apr_time_now());
}

static void test_barred_by_each_name(void **state)
{
    (void)state;
    const apr_time_t before = apr_time_now();
    assert_int_equal(ask(false, SERVICE_APP, SERVICE_OID, "ada@x"), 0);
    apr_time_t first = ask(true, SERVICE_APP, SERVICE_OID, "ada@x");
    assert_since(first, before);
    /* Found by its age where the database has a clock of its own. */
    const apr_time_t earliest = database_is_pgsql() ? first - apr_time_from_sec(60) : first;
    assert_since(ask(false, SERVICE_APP, SERVICE_OID, NULL), earliest);
    assert_since(ask(false, SERVICE_APP, "", "ada@x"), earliest);
    assert_int_equal(ask(false, SERVICE_APP, NULL, SERVICE_OID), 0);
    assert_int_equal(ask(false, SERVICE_OTHER_APP, SERVICE_OID, "ada@x"), 0);
    database_sql("UPDATE entra_scim_barred SET at = 5");
    assert_in_range(ask(false, SERVICE_APP, SERVICE_OID, "ada@x"), 5, before);
    /* The latest of several. */
    assert_since(ask(true, SERVICE_APP, SERVICE_OID, NULL), earliest);
    assert_since(ask(false, SERVICE_APP, SERVICE_OID, "ada@x"), earliest);
    /* A day later nobody needs it. */
    const apr_time_t lately = apr_time_now() - apr_time_from_sec(2 * 86400);
    database_sql(apr_psprintf(unit_pool, "UPDATE entra_scim_barred SET at = %" APR_TIME_T_FMT, lately));
    unit_ctx.now = lately;
    assert_rc(SSO_OK, sso_scim_purge(&unit_ctx, service.ending.store));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_barred"), "2");
    unit_ctx.now = apr_time_now();
    assert_rc(SSO_OK, sso_scim_purge(&unit_ctx, service.ending.store));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_barred"), "0");
}

/* SECURITY: a moment that cannot be read is no permission. */
static void test_barred_row_that_is_no_row_is_a_failure(void **state)
{
    (void)state;
    static const char *const moments[] = {"-1", "-9223372036854775808", "9223372036854775807", "'never'"};
    const int kinds = database_is_pgsql() ? 3 : 4; /* its column takes numbers alone */
    asking_t asking = {{SERVICE_APP, SERVICE_OID, NULL}, false, -1};
    (void)ask(true, SERVICE_APP, SERVICE_OID, NULL);
    for (int i = 0; i < kinds; i++) {
        database_sql(apr_pstrcat(unit_pool, "UPDATE entra_scim_barred SET at = ", moments[i], NULL));
        assert_rc(SSO_R_STORE_ROW,
                  sso_database_change(&unit_ctx, sso_store_database(service.ending.store), ask_work, &asking));
    }
}

static sso_rc take_now(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    (void)ctx;
    assert_true(sso_integer_parse(columns[0], baton));
    return SSO_OK;
}

static sso_rc now_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t now = {"test_now", "SELECT {now} WHERE %s = ''"};
    const char *args[] = {""};
    return sso_connection_select(ctx, connection, &now, args, take_now, baton);
}

/* SQLite counts days, as a double: of some milliseconds the product lies below. */
static void test_barred_clock_of_the_database_is_never_behind(void **state)
{
    (void)state;
    if (database_is_pgsql()) {
        skip(); /* another clock */
    }
    for (int i = 0; i < 200; i++) {
        int64_t now = 0;
        const apr_time_t before = apr_time_now() / 1000 * 1000;
        assert_rc(SSO_OK, sso_database_read(&unit_ctx, sso_store_database(service.ending.store), now_work, &now));
        assert_in_range(now, before, apr_time_now());
        apr_sleep(37);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_barred_by_each_name),
        service_test(test_barred_row_that_is_no_row_is_a_failure),
        service_test(test_barred_clock_of_the_database_is_never_behind),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
