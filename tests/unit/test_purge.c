/* SPDX-License-Identifier: Apache-2.0 */
/* What the purge takes: rows whose time is over, after a while, and nothing else, however many there are. */
#include "session/store.h"

#include "unit.h"

#include "database.h"

#define APP "00112233445566778899aabbccddeeff"
#define TENANT "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11"
#define ADA "11111111-0000-4000-8000-000000000001"
#define HOUR apr_time_from_sec(3600)
#define MINUTE apr_time_from_sec(60)

static void add(sso_store_t *store, unsigned char number, apr_time_t created)
{
    sso_stored_t session = {.app = APP,
                            .tid = TENANT,
                            .oid = ADA,
                            .sid = "",
                            .username = "ada@example.com",
                            .created = created,
                            .ends = created + 8 * HOUR,
                            .revalidated = created,
                            .refresh = "",
                            .identity = "",
                            .access = ""};
    memset(session.id, number, sizeof(session.id));
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &session));
}

/* The session of number 1. */
static void end_first(sso_store_t *store)
{
    static const unsigned char first[SSO_SESSION_ID_BYTES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const sso_store_which_t which = {.id = first};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, store, &which, "test", "tester", ended));
}

static void assert_rows(const char *table, const char *count)
{
    assert_string_equal(database_sql(apr_pstrcat(unit_pool, "SELECT COUNT(*) FROM ", table, NULL)), count);
}

static void test_purge_takes_what_is_over(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1, unit_ctx.now);
    add(store, 2, unit_ctx.now - HOUR);
    add(store, 3, unit_ctx.now);
    end_first(store);
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_session", "3");
    assert_rows("entra_ended", "1");
    unit_ctx.now += 8 * HOUR + 14 * MINUTE;
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_session", "2");
    assert_rows("entra_ended", "1");
    unit_ctx.now += 2 * MINUTE;
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_session", "0");
    assert_rows("entra_ended", "1");
    unit_ctx.now += 24 * HOUR - 17 * MINUTE;
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_ended", "1");
    unit_ctx.now += 2 * MINUTE;
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_ended", "0");
    assert_rows("entra_audit", "1");
    database_sql("UPDATE entra_audit SET at = 1");
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_audit", "0");
}

/* The rows are of all nodes, and the database has a clock too. */
static void test_purge_of_a_node_whose_clock_is_ahead_takes_nothing(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    unit_ctx.now = apr_time_now() - HOUR;
    add(store, 1, unit_ctx.now);
    add(store, 2, unit_ctx.now);
    end_first(store);
    unit_ctx.now += 9000 * HOUR;
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_session", "2");
    assert_rows("entra_ended", "1");
    assert_rows("entra_audit", "1");
}

static void test_purge_takes_more_than_one_transaction_may(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store)); /* the tables are there */
    database_sql("INSERT INTO entra_ended (id, keep_until, listed, cause) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                 "SELECT i + 1 FROM n WHERE i < 4500) SELECT CAST(i AS TEXT), 1, 1, '' FROM n");
    assert_rows("entra_ended", "4500");
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_rows("entra_ended", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        database_test(test_purge_takes_what_is_over),
        database_test(test_purge_of_a_node_whose_clock_is_ahead_takes_nothing),
        database_test(test_purge_takes_more_than_one_transaction_may),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
