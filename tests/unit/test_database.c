/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: how many, what becomes of those that fail, and that every statement may fail without leaving a half.
 * The linker puts functions of this file between the code and apr_dbd, the clock and the waiting. */
#include "session/database.h"

#include "unit.h"

#include "base/counters.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <apr_thread_cond.h>

#include "base/clock.h"
#include "base/limits.h"
#include "database.h"

/* ---- between the code and the world ---- */

static struct {
    int statements;          /* so far */
    int fail_at;             /* this one fails; 0: none */
    int opened;              /* connects so far */
    bool away;               /* connects fail */
    apr_interval_time_t ago; /* how far the clock was moved */
    int waits;
} world;

/* The linker lets apr-util see these, too. */
#pragma GCC visibility push(default)

#define STATEMENT_FAILS() (++world.statements == world.fail_at)

int __real_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle, int *nrows, const char *statement);
int __wrap_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle, int *nrows, const char *statement);
int __wrap_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle, int *nrows, const char *statement)
{
    return STATEMENT_FAILS() ? 1 : __real_apr_dbd_query(driver, handle, nrows, statement);
}

int __real_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs, const char **args);
int __wrap_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs, const char **args);
int __wrap_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs, const char **args)
{
    return STATEMENT_FAILS() ? 1 : __real_apr_dbd_pquery(driver, pool, handle, nrows, statement, nargs, args);
}

int __real_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                           apr_dbd_results_t **results, apr_dbd_prepared_t *statement, int random, int nargs,
                           const char **args);
int __wrap_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                           apr_dbd_results_t **results, apr_dbd_prepared_t *statement, int random, int nargs,
                           const char **args);
int __wrap_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                           apr_dbd_results_t **results, apr_dbd_prepared_t *statement, int random, int nargs,
                           const char **args)
{
    return STATEMENT_FAILS() ? 1
                             : __real_apr_dbd_pselect(driver, pool, handle, results, statement, random, nargs, args);
}

int __real_apr_dbd_select(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                          apr_dbd_results_t **results, const char *statement, int random);
int __wrap_apr_dbd_select(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                          apr_dbd_results_t **results, const char *statement, int random);
int __wrap_apr_dbd_select(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle,
                          apr_dbd_results_t **results, const char *statement, int random)
{
    return STATEMENT_FAILS() ? 1 : __real_apr_dbd_select(driver, pool, handle, results, statement, random);
}

apr_status_t __real_apr_dbd_open_ex(const apr_dbd_driver_t *driver, apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error);
apr_status_t __wrap_apr_dbd_open_ex(const apr_dbd_driver_t *driver, apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error);
apr_status_t __wrap_apr_dbd_open_ex(const apr_dbd_driver_t *driver, apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error)
{
    world.opened++;
    return world.away ? APR_EGENERAL : __real_apr_dbd_open_ex(driver, pool, params, handle, error);
}

apr_time_t __wrap_sso_clock_now(void);
apr_time_t __wrap_sso_clock_now(void)
{
    return SSO_TEST_NOW + world.ago;
}

/* Nobody gives a connection back while a test of one thread waits: the time passes. */
apr_status_t __wrap_apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                              apr_interval_time_t timeout);
apr_status_t __wrap_apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                              apr_interval_time_t timeout)
{
    (void)cond, (void)mutex;
    world.waits++;
    world.ago += timeout;
    return APR_TIMEUP;
}

#pragma GCC visibility pop

static int setup(void **state)
{
    int failed = database_setup(state);
    memset(&world, 0, sizeof(world));
    return failed;
}

/* ---- what the store is asked ---- */

static sso_stored_t session_of(unsigned char number)
{
    sso_stored_t session = {.app = "00112233445566778899aabbccddeeff",
                            .tid = "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11",
                            .oid = "11111111-0000-4000-8000-000000000001",
                            .sid = "sid",
                            .username = "ada@example.com",
                            .created = unit_ctx.now,
                            .ends = unit_ctx.now + apr_time_from_sec(3600),
                            .revalidated = unit_ctx.now,
                            .refresh = "refresh",
                            .identity = "",
                            .access = ""};
    memset(session.id, number, sizeof(session.id));
    return session;
}

static sso_rc add(sso_store_t *store, unsigned char number)
{
    sso_stored_t session = session_of(number);
    return sso_store_add(&unit_ctx, store, &session);
}

static sso_rc find(sso_store_t *store, unsigned char number, bool *ret_found)
{
    sso_stored_t session = session_of(number);
    return sso_store_find(&unit_ctx, store, session.id, &session, ret_found);
}

static sso_rc end_all(sso_store_t *store)
{
    sso_store_which_t all = {.sid = NULL};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    sso_rc rc = sso_store_end(&unit_ctx, store, &all, "test", "tester", ended);
    assert_true(rc == SSO_OK || ended->nelts == 0);
    return rc;
}

/* ---- connections ---- */

static void test_database_connection_is_kept(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    bool found;
    assert_int_equal(world.opened, 0);
    assert_rc(SSO_OK, add(store, 1));
    for (int i = 0; i < 20; i++) {
        assert_rc(SSO_OK, find(store, 1, &found));
    }
    assert_int_equal(world.opened, 1);
}

static void test_database_away_fails_at_once_for_a_second(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_store_t *store = database_store();
    bool found;
    world.away = true;
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    assert_int_equal(world.opened, 1);
    for (int i = 0; i < 100; i++) {
        assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    }
    assert_int_equal(world.opened, 1);
    world.ago += apr_time_from_sec(1);
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    assert_int_equal(world.opened, 2);
    world.away = false;
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    world.ago += apr_time_from_sec(1);
    assert_rc(SSO_OK, find(store, 1, &found));
    assert_int_equal(world.opened, 3);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_DATABASE_AWAY), 103);
}

/* It would be away for an hour. */
static void test_database_away_ends_when_the_clock_is_set_back(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    bool found;
    world.away = true;
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    world.away = false;
    world.ago -= apr_time_from_sec(3600);
    assert_rc(SSO_OK, find(store, 1, &found));
}

static void test_database_dead_idle_connection_is_replaced(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_store_t *store = database_store();
    bool found = false;
    assert_rc(SSO_OK, add(store, 1));
    world.fail_at = world.statements + 1;
    assert_rc(SSO_OK, find(store, 1, &found));
    assert_true(found);
    assert_int_equal(world.opened, 2);
    /* A change, too, when it is sure that nothing was done. */
    world.fail_at = world.statements + 2;
    assert_rc(SSO_OK, add(store, 2));
    assert_int_equal(world.opened, 3);
    assert_rc(SSO_OK, find(store, 2, &found));
    assert_true(found);
    /* Nobody noticed. */
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_DATABASE_FAILED), 0);
}

static void test_database_dead_connection_and_none_anew_is_away(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    bool found;
    assert_rc(SSO_OK, add(store, 1));
    world.away = true;
    world.fail_at = world.statements + 1;
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    world.fail_at = 0;
    assert_rc(SSO_R_STORE_AWAY, find(store, 1, &found));
    world.away = false;
    world.ago += apr_time_from_sec(2);
    assert_rc(SSO_OK, find(store, 1, &found));
    assert_true(found);
}

/* The third statement of an addition is its COMMIT: whether that was done is not known, so it is not done twice. */
static void test_database_unanswered_commit_is_an_error(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_store_t *store = database_store();
    bool found = true;
    assert_rc(SSO_OK, add(store, 1));
    world.fail_at = world.statements + 3;
    assert_rc(SSO_R_STORE_FAILED, add(store, 2));
    assert_rc(SSO_OK, find(store, 2, &found));
    assert_false(found);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_DATABASE_FAILED), 1);
}

static void test_database_failure_of_a_fresh_connection_is_not_repeated(void **state)
{
    (void)state;
    bool found;
    assert_rc(SSO_OK, find(database_store(), 1, &found)); /* makes the tables */
    int before = world.statements;
    assert_rc(SSO_OK, find(database_store(), 1, &found));
    int last = world.statements - before;
    int opened = world.opened;
    world.fail_at = world.statements + last;
    assert_rc(SSO_R_STORE_FAILED, find(database_store(), 1, &found));
    assert_int_equal(world.opened, opened + 1);
}

typedef struct {
    sso_database_t *database;
    int depth;
    sso_rc innermost;
} nest_t;

static sso_rc ready(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    (void)ctx, (void)connection, (void)baton;
    return SSO_OK;
}

/* Holds its connection while it asks for another. */
static sso_rc nest(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    nest_t *nested = baton;
    (void)connection;
    nested->depth++;
    nested->innermost = sso_database_read(ctx, nested->database, nest, nested);
    return SSO_OK;
}

static void test_database_connections_are_bounded(void **state)
{
    (void)state;
    nest_t nested = {.depth = 0};
    assert_rc(SSO_OK,
              sso_database_make(&unit_ctx, unit_pool, database_driver, database_params, ready, &nested.database));
    sso_rc rc = sso_database_read(&unit_ctx, nested.database, nest, &nested);
    assert_int_equal(rc, SSO_OK);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_STORE_BUSY);
    sso_fault_clear(&unit_ctx);
    assert_int_equal(nested.depth, SSO_MAX_STORE_CONNECTIONS);
    assert_int_equal(world.opened, SSO_MAX_STORE_CONNECTIONS);
    assert_int_equal(world.waits, 1);
    assert_int_equal(world.ago, apr_time_from_sec(2));
}

static void test_database_replaced_file_is_opened_anew(void **state)
{
    (void)state;
    if (database_is_pgsql()) {
        skip();
    }
    sso_store_t *store = database_store();
    bool found = true;
    assert_rc(SSO_OK, add(store, 1));
    unlink(database_params);
    unlink(apr_pstrcat(unit_pool, database_params, "-wal", NULL));
    unlink(apr_pstrcat(unit_pool, database_params, "-shm", NULL));
    assert_rc(SSO_OK, find(store, 1, &found));
    assert_false(found);
    assert_rc(SSO_OK, add(store, 1));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_session"), "1");
}

static void test_database_file_is_closed_to_others(void **state)
{
    (void)state;
    if (database_is_pgsql()) {
        skip();
    }
    static const char *const tails[] = {"", "-wal", "-shm"};
    mode_t before = umask(0);
    sso_store_t *store = database_store();
    assert_rc(SSO_OK, add(store, 1));
    umask(before);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        assert_int_equal(stat(apr_pstrcat(unit_pool, database_params, tails[i], NULL), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

/* A transaction is open while this process makes one more connection, and another process comes and goes. */
static sso_rc meet_others(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    bool found;
    (void)ctx, (void)connection;
    sso_rc rc = find(baton, 1, &found);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("python3", "python3", "-c",
               "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
               "c.execute('SELECT COUNT(*) FROM entra_session').fetchall(); c.close()",
               database_params, (char *)NULL);
        _exit(127);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return rc == SSO_OK && WEXITSTATUS(status) == 0 ? SSO_OK : SSO_R_STORE_FAILED;
}

static void test_database_locks_survive_a_further_connection(void **state)
{
    (void)state;
    struct stat before;
    struct stat after;
    if (database_is_pgsql() || system("python3 -c 'import sqlite3' 2>/dev/null") != 0) {
        skip();
    }
    sso_store_t *store = database_store();
    const char *log = apr_pstrcat(unit_pool, database_params, "-wal", NULL);
    assert_rc(SSO_OK, add(store, 1));
    assert_int_equal(stat(log, &before), 0);
    assert_rc(SSO_OK, sso_database_read(&unit_ctx, sso_store_database(store), meet_others, store));
    /* Nobody took this process for gone and removed the log that is in use. */
    assert_int_equal(stat(log, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_database_that_is_no_database_is_refused(void **state)
{
    (void)state;
    if (database_is_pgsql()) {
        skip();
    }
    bool found;
    FILE *file = fopen(database_params, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        fputs("this is no database\n", file);
    }
    fclose(file);
    assert_rc(SSO_R_STORE_FAILED, find(database_store(), 1, &found));
    unlink(database_params);
    assert_int_equal(mkdir(database_params, 0700), 0);
    assert_rc(SSO_R_STORE_AWAY, find(database_store(), 1, &found));
    rmdir(database_params);
}

/* The kernel refuses to let any file grow, as a full disk does. */
static void test_database_full_disk_refuses_and_reads_on(void **state)
{
    (void)state;
    if (database_is_pgsql()) {
        skip();
    }
    assert_rc(SSO_OK, add(database_store(), 1));
    pid_t pid = fork();
    if (pid == 0) {
        sso_store_t *store = NULL;
        bool found = false;
        struct rlimit limit = {4096, 4096};
        signal(SIGXFSZ, SIG_IGN);
        bool good = sso_store_make(&unit_ctx, unit_pool, database_driver, database_params, &store) == SSO_OK &&
                    find(store, 1, &found) == SSO_OK && found && setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                    add(store, 2) == SSO_R_STORE_FAILED;
        sso_fault_clear(&unit_ctx);
        good = good && find(store, 1, &found) == SSO_OK && found && find(store, 2, &found) == SSO_OK && !found;
        _exit(good ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_rc(SSO_OK, add(database_store(), 2));
}

/* ---- every statement fails once ---- */

typedef struct {
    const char *name;
    sso_rc (*call)(sso_store_t *store);
    const char *trace; /* SQL that gives "1" when it was done, "0" when not, and NULL when it was done by half */
} flow_t;

static sso_rc flow_add(sso_store_t *store)
{
    return add(store, 2);
}

static sso_rc flow_renew(sso_store_t *store)
{
    sso_stored_t session = session_of(1);
    const char *claim = NULL;
    bool kept = false;
    sso_rc rc = sso_store_claim(&unit_ctx, store, session.id, unit_ctx.now, 0, &claim);
    if (rc == SSO_OK) {
        assert_non_null(claim);
        rc = sso_store_renewed(&unit_ctx, store, session.id, claim, &(sso_store_result_t){"second", "identity", NULL},
                               &kept);
    }
    assert_true(rc != SSO_OK || kept);
    return rc;
}

static sso_rc flow_add_ended(sso_store_t *store)
{
    sso_stored_t session = session_of(1);
    sso_store_ended_t ended = {.until = session.ends};
    memcpy(ended.id, session.id, sizeof(ended.id));
    return sso_store_add_ended(&unit_ctx, store, &ended, "test");
}

static const flow_t flows[] = {
    {"add", flow_add, "SELECT COUNT(*) FROM entra_session WHERE username = 'ada@example.com' AND id LIKE '02%'"},
    {"end", end_all,
     "SELECT CASE WHEN e.n = l.n AND l.n = a.n THEN e.n END FROM "
     "(SELECT COUNT(*) AS n FROM entra_session WHERE ended = 1 AND refresh = '') AS e, "
     "(SELECT COUNT(*) AS n FROM entra_ended) AS l, (SELECT COUNT(*) AS n FROM entra_audit) AS a"},
    {"add_ended", flow_add_ended,
     "SELECT CASE WHEN e.n = l.n THEN e.n END FROM "
     "(SELECT COUNT(*) AS n FROM entra_session WHERE ended = 1 AND refresh = '') AS e, "
     "(SELECT COUNT(*) AS n FROM entra_ended) AS l"},
    {"renew", flow_renew,
     "SELECT CASE WHEN refresh = 'second' AND renewed = 'identity' THEN 1 WHEN refresh = 'refresh' AND renewed = '' "
     "THEN 0 END FROM entra_session"},
};

static void clean(void)
{
    database_sql("DELETE FROM entra_session");
    database_sql("DELETE FROM entra_ended");
    database_sql("DELETE FROM entra_audit");
}

static void flow_fails_nowhere_by_half(const flow_t *flow)
{
    int count = 1;
    for (int n = 1; n <= count; n++) {
        sso_store_t *store = database_store();
        bool found;
        assert_rc(SSO_OK, find(store, 1, &found));
        clean();
        assert_rc(SSO_OK, add(store, 1));
        int before = world.statements;
        /* The connection and the one that would take its place. */
        world.fail_at = before + n;
        sso_rc rc = flow->call(store);
        count = world.statements - before > count && rc == SSO_OK && n == 1 ? world.statements - before : count;
        world.fail_at = 0;
        sso_fault_clear(&unit_ctx);
        const char *trace = database_sql(flow->trace);
        if (trace == NULL || *trace == '\0' || strcmp(trace, rc == SSO_OK ? "1" : "0") != 0) {
            unit_fail("%s, statement %d: %s, trace %s", flow->name, n, sso_reason(rc)->name, trace ? trace : "half");
        }
        if (rc != SSO_OK) {
            sso_rc again = flow->call(store);
            if (again != SSO_OK) {
                unit_fail("%s, statement %d, again: %s", flow->name, n, sso_reason(again)->name);
            }
        }
    }
    assert_true(count > 2);
}

static void test_database_no_statement_fails_by_half(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        flow_fails_nowhere_by_half(&flows[i]);
    }
}

/* ---- many at once ---- */

/* Each child is a worker of another node; for each session one of them gets the claim. */
static void test_database_claims_of_many_processes_are_given_once(void **state)
{
    (void)state;
    enum { PROCESSES = 6, SESSIONS = 20 };
    sso_store_t *parent = database_store();
    for (unsigned char i = 1; i <= SESSIONS; i++) {
        assert_rc(SSO_OK, add(parent, i));
    }
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            sso_store_t *store = NULL;
            int won = 0;
            bool good = sso_store_make(&unit_ctx, unit_pool, database_driver, database_params, &store) == SSO_OK;
            for (unsigned char s = 1; good && s <= SESSIONS; s++) {
                sso_stored_t session = session_of(s);
                const char *claim = NULL;
                good = sso_store_claim(&unit_ctx, store, session.id, unit_ctx.now, apr_time_from_sec(60), &claim) ==
                       SSO_OK;
                won += claim == NULL ? 0 : 1;
            }
            _exit(good ? won : 255);
        }
    }
    int won = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 255);
        won += WEXITSTATUS(status);
    }
    assert_int_equal(won, SESSIONS);
}

#define test_of(function) cmocka_unit_test_setup_teardown(function, setup, database_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_database_connection_is_kept),
        test_of(test_database_away_fails_at_once_for_a_second),
        test_of(test_database_away_ends_when_the_clock_is_set_back),
        test_of(test_database_dead_idle_connection_is_replaced),
        test_of(test_database_dead_connection_and_none_anew_is_away),
        test_of(test_database_unanswered_commit_is_an_error),
        test_of(test_database_failure_of_a_fresh_connection_is_not_repeated),
        test_of(test_database_connections_are_bounded),
        test_of(test_database_replaced_file_is_opened_anew),
        test_of(test_database_file_is_closed_to_others),
        test_of(test_database_locks_survive_a_further_connection),
        test_of(test_database_that_is_no_database_is_refused),
        test_of(test_database_full_disk_refuses_and_reads_on),
        test_of(test_database_no_statement_fails_by_half),
        test_of(test_database_claims_of_many_processes_are_given_once),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
