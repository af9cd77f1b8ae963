/* SPDX-License-Identifier: Apache-2.0 */
/* The tables: made once whoever comes first, refused when they are of a newer program, never half made. */
#include "session/schema.h"

#include "unit.h"

#include <sys/wait.h>

#include "database.h"

static sso_rc look(sso_store_t *store)
{
    static const unsigned char id[SSO_SESSION_ID_BYTES] = {1};
    bool ended;
    return sso_store_is_ended(&unit_ctx, store, id, &ended);
}

/* As httpd's processes do, which try again after a second: on a slow disk one of ten may find the file locked for
 * longer than it waits. Any other fault is one. */
static bool look_patiently(sso_store_t *store)
{
    for (int i = 0; i < 30; i++) {
        sso_fault_clear(&unit_ctx);
        sso_rc rc = look(store);
        if (rc == SSO_OK || unit_ctx.fault.detail == NULL || strstr(unit_ctx.fault.detail, "locked") == NULL) {
            return rc == SSO_OK;
        }
        apr_sleep(apr_time_from_sec(1));
    }
    return false;
}

static void test_schema_is_made_by_the_first_use(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_int_not_equal(access(database_params, F_OK), 0);
    assert_rc(SSO_OK, look(store));
    assert_string_equal(database_sql("SELECT version FROM entra_schema"), apr_itoa(unit_pool, sso_schema_version()));
}

/* Each child is a process of httpd that starts at the same moment. */
static void test_schema_of_ten_processes_is_made_once(void **state)
{
    (void)state;
    enum { PROCESSES = 10 };
    int gate[2];
    pid_t pids[PROCESSES];
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char nothing;
            sso_store_t *store = NULL;
            close(gate[1]);
            bool good = read(gate[0], &nothing, 1) == 0 &&
                        sso_store_make(&unit_ctx, unit_pool, database_driver, database_params, &store) == SSO_OK &&
                        look_patiently(store);
            if (!good) {
                print_error("%s: %s\n", sso_reason(unit_ctx.fault.rc)->name,
                            unit_ctx.fault.detail == NULL ? "-" : unit_ctx.fault.detail);
            }
            _exit(good ? 0 : 1);
        }
    }
    close(gate[1]);
    close(gate[0]);
    int failed = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        failed += status == 0 ? 0 : 1;
    }
    assert_int_equal(failed, 0);
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_schema"), "1");
}

static void test_schema_of_a_newer_program_is_refused(void **state)
{
    (void)state;
    assert_rc(SSO_OK, look(database_store()));
    /* A newer program that only added something. */
    database_sql("UPDATE entra_schema SET version = 99");
    assert_rc(SSO_OK, look(database_store()));
    database_sql("UPDATE entra_schema SET least = 99");
    assert_rc(SSO_R_STORE_NEWER, look(database_store()));
    assert_string_equal(database_sql("SELECT version FROM entra_schema"), "99");
}

static void test_schema_malformed_version_is_refused(void **state)
{
    (void)state;
    assert_rc(SSO_OK, look(database_store()));
    database_sql("UPDATE entra_schema SET version = -1");
    assert_rc(SSO_R_STORE_SCHEMA, look(database_store()));
}

static void test_schema_that_fails_midway_leaves_nothing(void **state)
{
    (void)state;
    database_sql("CREATE TABLE entra_audit (x BIGINT)");
    assert_rc(SSO_R_STORE_SCHEMA, look(database_store()));
    database_sql("DROP TABLE entra_audit");
    assert_rc(SSO_OK, look(database_store()));
}

/* SQLite drops one at a time. */
static void drop(const char *tables)
{
    char *last = NULL;
    char *names = apr_pstrdup(unit_pool, tables);
    for (char *name = apr_strtok(names, ", ", &last); name != NULL; name = apr_strtok(NULL, ", ", &last)) {
        database_sql(apr_pstrcat(unit_pool, "DROP TABLE ", name, NULL));
    }
}

static void test_schema_is_made_again_when_the_tables_are_gone(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_rc(SSO_OK, look(store));
    drop(DATABASE_TABLES);
    assert_rc(SSO_OK, look(store));
}

/* The tables as the first version made them, with a session in them. */
static void test_schema_of_version_1_is_migrated(void **state)
{
    (void)state;
    static const unsigned char id[SSO_SESSION_ID_BYTES] = {7};
    sso_stored_t session;
    bool found = false;
    assert_rc(SSO_OK, look(database_store()));
    drop(DATABASE_STEP_4);
    database_sql("DROP TABLE entra_post");
    database_sql("DROP TABLE entra_watch");
    database_sql("ALTER TABLE entra_session DROP COLUMN access");
    database_sql("ALTER TABLE entra_session DROP COLUMN signed_in");
    database_sql("UPDATE entra_schema SET version = 1, least = 1");
    database_sql(
        "INSERT INTO entra_session (id, app, tenant, object, sid, username, created, ends, revalidated, ended, "
        "refresh, renewed, claim, claimed_until) VALUES ('07000000000000000000000000000000', "
        "'00112233445566778899aabbccddeeff', '8d6f4f0e-0000-4000-8000-3a6c2f1b7c11', "
        "'11111111-0000-4000-8000-000000000001', '', 'ada', 1, 2, 1, 0, 'sealed', '', '', 0)");
    sso_store_t *store = database_store();
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, store, id, &session, &found));
    assert_true(found);
    assert_string_equal(session.refresh, "sealed");
    assert_string_equal(session.access, "");
    assert_int_equal(session.signed_in, 0);
    assert_string_equal(database_sql("SELECT version FROM entra_schema"), apr_itoa(unit_pool, sso_schema_version()));
    /* A program of version 1 can still work with it. */
    assert_string_equal(database_sql("SELECT least FROM entra_schema"), "1");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_watch"), "0");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        database_test(test_schema_is_made_by_the_first_use),
        database_test(test_schema_of_ten_processes_is_made_once),
        database_test(test_schema_of_a_newer_program_is_refused),
        database_test(test_schema_malformed_version_is_refused),
        database_test(test_schema_that_fails_midway_leaves_nothing),
        database_test(test_schema_of_version_1_is_migrated),
        database_test(test_schema_is_made_again_when_the_tables_are_gone),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
