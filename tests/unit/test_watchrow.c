/* SPDX-License-Identifier: Apache-2.0 */
/* The turn of the tenant watch: of all nodes for one, and where it goes on. */
#include "session/watchrow.h"

#include "unit.h"

#include <sys/wait.h>

#include "base/limits.h"
#include "database.h"

#define KEY "00112233445566778899aabbccddeeff"
#define OTHER "ffeeddccbbaa99887766554433221100"
#define MINUTE apr_time_from_sec(60)

static sso_watchrow_turn_t claim(sso_store_t *store, const char *key, apr_interval_time_t hold)
{
    sso_watchrow_turn_t turn;
    assert_rc(SSO_OK, sso_watchrow_claim(&unit_ctx, store, key, hold, &turn));
    return turn;
}

static bool release(sso_store_t *store, const char *mark, const char *link, apr_interval_time_t every,
                    apr_interval_time_t wait)
{
    bool kept = false;
    assert_rc(SSO_OK, sso_watchrow_release(&unit_ctx, store, KEY, mark, link, every, wait, &kept));
    return kept;
}

static void test_watchrow_first_turn_begins_at_the_beginning(void **state)
{
    (void)state;
    sso_watchrow_turn_t turn = claim(database_store(), KEY, MINUTE);
    assert_non_null(turn.claim);
    assert_string_equal(turn.link, "");
}

static void test_watchrow_is_of_one_at_a_time(void **state)
{
    (void)state;
    sso_store_t *one = database_store();
    sso_store_t *two = database_store();
    sso_watchrow_turn_t mine = claim(one, KEY, MINUTE);
    sso_watchrow_turn_t theirs = claim(two, KEY, MINUTE);
    assert_null(theirs.claim);
    assert_true(theirs.wait > 50 * APR_USEC_PER_SEC && theirs.wait <= MINUTE);
    assert_non_null(claim(two, OTHER, MINUTE).claim);
    assert_true(release(one, mine.claim, "link", MINUTE, 0));
    theirs = claim(two, KEY, MINUTE);
    assert_null(theirs.claim);
    assert_true(theirs.wait > 50 * APR_USEC_PER_SEC && theirs.wait <= MINUTE);
    assert_string_equal(theirs.link, "link");
}

static void test_watchrow_goes_on_where_it_was_left(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_true(release(store, claim(store, KEY, MINUTE).claim, "first", 0, 0));
    sso_watchrow_turn_t turn = claim(store, KEY, MINUTE);
    assert_string_equal(turn.link, "first");
    assert_true(release(store, turn.claim, NULL, 0, 0));
    turn = claim(store, KEY, MINUTE);
    assert_string_equal(turn.link, "first");
    assert_true(release(store, turn.claim, "", 0, 0));
    assert_string_equal(claim(store, KEY, MINUTE).link, "");
}

static void test_watchrow_waits_for_the_longer_of_interval_and_retry(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_true(release(store, claim(store, KEY, MINUTE).claim, NULL, MINUTE, 5 * MINUTE));
    apr_interval_time_t wait = claim(store, KEY, MINUTE).wait;
    assert_true(wait > 4 * MINUTE && wait <= 5 * MINUTE);
}

static void test_watchrow_lost_turn_keeps_nothing(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_watchrow_turn_t late = claim(store, KEY, 0);
    sso_watchrow_turn_t turn = claim(store, KEY, MINUTE);
    assert_non_null(late.claim);
    assert_non_null(turn.claim);
    assert_false(release(store, late.claim, "late", 0, 0));
    assert_true(release(store, turn.claim, "good", 0, 0));
    assert_string_equal(claim(store, KEY, MINUTE).link, "good");
}

/* The clock of the database was set back by a year. */
static void test_watchrow_a_turn_in_the_far_future_is_nonsense(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_non_null(claim(store, KEY, MINUTE).claim);
    database_sql("UPDATE entra_watch SET claimed_until = claimed_until + 31536000000000");
    assert_non_null(claim(store, KEY, MINUTE).claim);
}

/* By an hour: who has the turn, or has put off the next, did so in a time that has not come. */
static void test_watchrow_a_turn_of_before_the_clock_was_set_back_is_over(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_non_null(claim(store, KEY, MINUTE).claim);
    database_sql("UPDATE entra_watch SET began = began + 5000000, claimed_until = claimed_until + 5000000");
    assert_null(claim(store, KEY, MINUTE).claim);
    database_sql("UPDATE entra_watch SET began = began + 3600000000, claimed_until = claimed_until + 3600000000");
    assert_non_null(claim(store, KEY, MINUTE).claim);
    assert_null(claim(store, KEY, MINUTE).claim);
}

static void test_watchrow_bounds(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_watchrow_turn_t turn = claim(store, KEY, MINUTE);
    bool kept;
    char *link = apr_palloc(unit_pool, SSO_MAX_WATCH_LINK + 2);
    memset(link, 'x', SSO_MAX_WATCH_LINK + 1);
    link[SSO_MAX_WATCH_LINK + 1] = '\0';
    assert_rc(SSO_R_STORE_TEXT, sso_watchrow_release(&unit_ctx, store, KEY, turn.claim, link, 0, 0, &kept));
    sso_fault_clear(&unit_ctx);
    link[SSO_MAX_WATCH_LINK] = '\0';
    assert_true(release(store, turn.claim, link, 0, 0));
    assert_string_equal(claim(store, KEY, 0).link, link);
    database_sql("UPDATE entra_watch SET link = link || 'x'");
    assert_rc(SSO_R_STORE_ROW, sso_watchrow_claim(&unit_ctx, store, KEY, MINUTE, &turn));
}

/* Each child is a node that looks for a turn at the same moment. */
static void test_watchrow_of_eight_nodes_one_gets_it(void **state)
{
    (void)state;
    enum { NODES = 8 };
    int gate[2];
    pid_t pids[NODES];
    (void)claim(database_store(), OTHER, 0); /* the tables are there */
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < NODES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char nothing;
            sso_store_t *store = NULL;
            sso_watchrow_turn_t turn = {NULL, NULL, 0};
            close(gate[1]);
            bool good = read(gate[0], &nothing, 1) == 0 &&
                        sso_store_make(&unit_ctx, unit_pool, database_driver, database_params, &store) == SSO_OK &&
                        sso_watchrow_claim(&unit_ctx, store, KEY, MINUTE, &turn) == SSO_OK;
            _exit(!good ? 2 : turn.claim != NULL ? 1 : 0);
        }
    }
    close(gate[1]);
    close(gate[0]);
    int got = 0;
    for (int i = 0; i < NODES; i++) {
        int status = 2;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        got += WEXITSTATUS(status);
    }
    assert_int_equal(got, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        database_test(test_watchrow_first_turn_begins_at_the_beginning),
        database_test(test_watchrow_is_of_one_at_a_time),
        database_test(test_watchrow_goes_on_where_it_was_left),
        database_test(test_watchrow_waits_for_the_longer_of_interval_and_retry),
        database_test(test_watchrow_lost_turn_keeps_nothing),
        database_test(test_watchrow_a_turn_in_the_far_future_is_nonsense),
        database_test(test_watchrow_a_turn_of_before_the_clock_was_set_back_is_over),
        database_test(test_watchrow_bounds),
        database_test(test_watchrow_of_eight_nodes_one_gets_it),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
