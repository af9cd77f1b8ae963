/* SPDX-License-Identifier: Apache-2.0 */
/* Ending sessions: here at once whatever the store does, in the store as soon as it can be, and learned from others. */
#include "session/ending.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "base/counters.h"
#include "base/limits.h"
#include "fake_store.h"

#define SEC(n) apr_time_from_sec(n)
#define MINUTE SEC(60)
#define HOUR SEC(3600)
#define TID "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613"
#define OID "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f"

static sso_store_t *store;

/* A node with an empty table. */
static sso_ending_t node_make(void)
{
    sso_ended_t *table = calloc(1, sso_ended_size());
    assert_non_null(table);
    apr_pool_cleanup_register(unit_pool, table, unit_free, apr_pool_cleanup_null);
    return (sso_ending_t){store, table};
}

static int setup(void **state)
{
    if (unit_setup(state) != 0) {
        return -1;
    }
    store = fake_store_make();
    return 0;
}

#define ending_test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

static sso_record_t session(unsigned char n)
{
    sso_record_t record = {.tid = TID, .oid = OID, .ends = unit_ctx.now + 8 * HOUR};
    memset(record.id, n, sizeof(record.id));
    return record;
}

/* A session that the store knows. */
static sso_record_t stored(unsigned char n)
{
    sso_record_t record = session(n);
    sso_stored_t row = {.app = "app", .tid = TID, .oid = OID, .sid = "sid", .ends = record.ends, .refresh = "sealed"};
    memcpy(row.id, record.id, sizeof(row.id));
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &row));
    return record;
}

static sso_rc check(const sso_ending_t *node, const sso_record_t *record)
{
    sso_fault_clear(&unit_ctx);
    sso_rc rc = sso_ended_check(&unit_ctx, node->ended, record->id);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static sso_ending_news_t poll(const sso_ending_t *node, sso_rc expected)
{
    sso_ending_news_t news;
    assert_rc(expected, sso_ending_poll(&unit_ctx, node, &news));
    return news;
}

static int pending(const sso_ending_t *node)
{
    apr_array_header_t *entries = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    sso_ended_pending(node->ended, unit_ctx.now, entries);
    return entries->nelts;
}

/* ---- one ---- */

static void test_ending_one_ends_it_in_store_and_table(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t record = stored(1), other = stored(2);
    bool waits = true;
    (void)poll(&node, SSO_OK);
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &record, "sign-out", OID, &waits));
    assert_false(waits);
    assert_int_equal(check(&node, &record), SSO_R_SESSION_ENDED);
    assert_int_equal(check(&node, &other), SSO_OK);
    assert_true(store->rows[0].ended);
    assert_string_equal(store->rows[0].refresh, "");
    assert_false(store->rows[1].ended);
    assert_int_equal(store->ended_count, 1);
    assert_string_equal(store->causes[0], "sign-out");
    assert_string_equal(store->actor, OID);
    assert_int_equal(pending(&node), 0);
}

static void test_ending_one_without_a_row_is_listed_all_the_same(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t record = session(1);
    bool waits = true;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &record, "sign-out", OID, &waits));
    assert_false(waits);
    assert_int_equal(store->ended_count, 1);
    assert_memory_equal(store->ended[0].id, record.id, sizeof(record.id));
    assert_true(store->ended[0].until == record.ends);
}

static void test_ending_one_with_the_store_away_ends_here_and_is_written_later(void **state)
{
    (void)state;
    sso_ending_t node = node_make(), elsewhere = node_make();
    sso_record_t known = stored(1), unknown = session(2);
    bool waits = false;
    (void)poll(&node, SSO_OK);
    (void)poll(&elsewhere, SSO_OK);
    store->away = true;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &known, "sign-out", OID, &waits));
    assert_true(waits);
    waits = false;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &unknown, "sign-out", OID, &waits));
    assert_true(waits);
    assert_int_equal(check(&node, &known), SSO_R_SESSION_ENDED);
    assert_int_equal(check(&node, &unknown), SSO_R_SESSION_ENDED);
    assert_int_equal(store->ended_count, 0);
    sso_ending_news_t news = poll(&node, SSO_R_STORE_AWAY);
    assert_false(news.was_away);
    assert_int_equal(pending(&node), 2);
    store->away = false;
    news = poll(&node, SSO_OK);
    assert_true(news.was_away);
    assert_int_equal(news.written, 2);
    assert_int_equal(pending(&node), 0);
    assert_int_equal(store->ended_count, 2);
    assert_string_equal(store->causes[0], "ended while the database was away");
    assert_string_equal(store->actor, "node");
    assert_true(store->rows[0].ended);
    assert_string_equal(store->rows[0].refresh, "");
    (void)poll(&elsewhere, SSO_OK);
    assert_int_equal(check(&elsewhere, &known), SSO_R_SESSION_ENDED);
    assert_int_equal(check(&elsewhere, &unknown), SSO_R_SESSION_ENDED);
    /* Once is enough. */
    assert_int_equal(poll(&node, SSO_OK).written, 0);
}

static void test_ending_one_in_a_process_without_a_store_waits(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t record = session(1);
    sso_ending_t crippled = {NULL, node.ended};
    bool waits = false;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &crippled, &record, "sign-out", OID, &waits));
    assert_true(waits);
    (void)poll(&crippled, SSO_R_STORE_AWAY);
    assert_int_equal(poll(&node, SSO_OK).written, 1);
    assert_int_equal(store->ended_count, 1);
}

static void fill_up(sso_ended_t *table)
{
    sso_ended_set_filled(table, unit_ctx.now);
    unsigned char *bytes = (unsigned char *)(void *)table;
    memset(bytes + sso_ended_size() - SSO_ENDED_SLOTS * 24, 0x11, SSO_ENDED_SLOTS * 24);
}

static void test_ending_one_that_can_be_noted_nowhere_is_an_error(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t record = session(1);
    bool waits;
    fill_up(node.ended);
    store->away = true;
    assert_rc(SSO_R_SIGNOUT_LOST, sso_ending_end_one(&unit_ctx, &node, &record, "sign-out", OID, &waits));
    store->away = false;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &record, "sign-out", OID, &waits));
    assert_false(waits);
    assert_int_equal(check(&node, &record), SSO_R_ENDED_UNKNOWN);
}

/* Whichever statement fails, the session is dead here, and in the end everywhere. */
static void test_ending_one_survives_the_failure_of_any_statement(void **state)
{
    (void)state;
    for (int n = 1; n <= 2; n++) {
        for (int has_row = 0; has_row < 2; has_row++) {
            store = fake_store_make();
            sso_ending_t node = node_make();
            sso_record_t record = has_row ? stored(1) : session(1);
            bool waits;
            store->fail_at = store->calls + n;
            assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &record, "sign-out", OID, &waits));
            assert_int_equal(waits, n == 1 || !has_row);
            assert_int_equal(check(&node, &record), SSO_R_SESSION_ENDED);
            store->fail_at = 0;
            (void)poll(&node, SSO_OK);
            assert_int_equal(store->ended_count, 1);
            assert_int_equal(pending(&node), 0);
        }
    }
}

/* ---- several ---- */

static void test_ending_several_ends_those_that_fit_or_none(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t first = stored(1), second = stored(2);
    sso_store_which_t which = {.tid = TID, .oid = OID};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    (void)poll(&node, SSO_OK);
    store->away = true;
    assert_rc(SSO_R_STORE_AWAY, sso_ending_end(&unit_ctx, &node, &which, "sign-out everywhere", OID, ended));
    assert_int_equal(ended->nelts, 0);
    assert_int_equal(check(&node, &first), SSO_OK);
    store->away = false;
    assert_rc(SSO_OK, sso_ending_end(&unit_ctx, &node, &which, "sign-out everywhere", OID, ended));
    assert_int_equal(ended->nelts, 2);
    assert_int_equal(check(&node, &first), SSO_R_SESSION_ENDED);
    assert_int_equal(check(&node, &second), SSO_R_SESSION_ENDED);
    assert_int_equal(pending(&node), 0);
}

/* ---- keeping up ---- */

static void test_ending_first_poll_reads_all_and_only_then_a_no_is_a_no(void **state)
{
    (void)state;
    sso_ending_t here = node_make(), after_restart = node_make();
    sso_record_t record = stored(1), other = session(2);
    bool waits;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &here, &record, "sign-out", OID, &waits));
    assert_int_equal(check(&after_restart, &record), SSO_R_ENDED_UNKNOWN);
    store->away = true;
    (void)poll(&after_restart, SSO_R_STORE_AWAY);
    assert_int_equal(check(&after_restart, &other), SSO_R_ENDED_UNKNOWN);
    store->away = false;
    assert_true(poll(&after_restart, SSO_OK).filled);
    assert_true(store->span == 0);
    assert_int_equal(check(&after_restart, &record), SSO_R_SESSION_ENDED);
    assert_int_equal(check(&after_restart, &other), SSO_OK);
    assert_false(poll(&after_restart, SSO_OK).filled);
}

static void test_ending_polls_look_back_far_enough(void **state)
{
    /* Seconds since the poll before, and whether everything is read. */
    static const struct {
        int after;
        bool all;
    } steps[] = {{0, true}, {1, false}, {2, false}, {59, false}, {60, true}, {1, false}, {-5, true}, {1, false}};
    (void)state;
    sso_ending_t node = node_make();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        unit_ctx.now += SEC(steps[i].after);
        (void)poll(&node, SSO_OK);
        if ((store->span == 0) != steps[i].all || (store->span != 0 && store->span != SEC(120))) {
            unit_fail("step %d: %d s", (int)i, (int)apr_time_sec(store->span));
        }
    }
}

static void test_ending_everything_is_read_again_every_ten_minutes(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    int complete = 0;
    for (int i = 0; i < 3600; i += 2) {
        (void)poll(&node, SSO_OK);
        complete += store->span == 0;
        unit_ctx.now += SEC(2);
    }
    assert_int_equal(complete, 6);
}

static void test_ending_change_of_the_store_s_being_away_is_news_once(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    assert_false(poll(&node, SSO_OK).was_away);
    store->away = true;
    assert_false(poll(&node, SSO_R_STORE_AWAY).was_away);
    assert_true(poll(&node, SSO_R_STORE_AWAY).was_away);
    store->away = false;
    assert_true(poll(&node, SSO_OK).was_away);
    assert_false(poll(&node, SSO_OK).was_away);
}

/* A full disk: nothing can be written, but what ended elsewhere is still learned. */
static void test_ending_poll_that_cannot_write_still_reads(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    sso_record_t here = session(1), elsewhere = stored(2);
    const sso_store_which_t which = {.id = elsewhere.id};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    bool waits;
    store->away = true;
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &here, "sign-out", OID, &waits));
    store->away = false;
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, store, &which, "test", "test", ended));
    store->fail_at = store->calls + 1;
    (void)poll(&node, SSO_R_STORE_FAILED);
    assert_int_equal(check(&node, &elsewhere), SSO_R_SESSION_ENDED);
    assert_int_equal(pending(&node), 1);
    (void)poll(&node, SSO_OK);
    assert_int_equal(pending(&node), 0);
}

/* ---- the start of a node ---- */

static void test_ending_first_process_fills_and_the_others_wait_for_it(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    assert_true(sso_ending_is_first(&node));
    assert_false(sso_ended_claim(node.ended));
    (void)poll(&node, SSO_OK);
    assert_false(sso_ending_is_first(&node));
    sso_ended_release(node.ended);
    assert_false(sso_ending_is_first(&node));
    /* With the store away one try is enough for all. */
    node = node_make();
    store->away = true;
    assert_true(sso_ending_is_first(&node));
    (void)poll(&node, SSO_R_STORE_AWAY);
    assert_false(sso_ending_is_first(&node));
}

static void test_ending_first_process_that_died_is_replaced(void **state)
{
    (void)state;
    sso_ending_t node = node_make();
    void *shared = mmap(NULL, sso_ended_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    node.ended = shared;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(sso_ending_is_first(&node) ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(sso_ending_is_first(&node));
    munmap(shared, sso_ended_size());
}

static uint64_t counted(sso_count_t what)
{
    return sso_counters_get(unit_ctx.counters, what);
}

static void test_ending_counts_by_cause(void **state)
{
    (void)state;
    static const struct {
        const char *cause;
        sso_count_t count;
    } rows[] = {{"sign-out", SSO_COUNT_ENDED_SIGNOUT},
                {"sign-out everywhere", SSO_COUNT_ENDED_EVERYWHERE},
                {"front-channel logout", SSO_COUNT_ENDED_FRONTCHANNEL},
                {"revalidation", SSO_COUNT_ENDED_REVALIDATION},
                {"continuous access", SSO_COUNT_ENDED_CONTINUOUS},
                {"tenant watch", SSO_COUNT_ENDED_WATCH},
                {"directory", SSO_COUNT_ENDED_SCIM},
                {"else", SSO_COUNT_ENDED_OTHER}};
    const sso_ending_t node = node_make();
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    for (unsigned char i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record = stored((unsigned char)(i + 1));
        bool waits = true;
        assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &record, rows[i].cause, OID, &waits));
        assert_int_equal(counted(rows[i].count), 1);
    }
    apr_array_header_t *ended = apr_array_make(unit_pool, 2, sizeof(sso_store_ended_t));
    const sso_store_which_t which = {.oid = OID};
    (void)stored(100);
    (void)stored(101);
    assert_rc(SSO_OK, sso_ending_end(&unit_ctx, &node, &which, "tenant watch", "entra", ended));
    assert_int_equal(counted(SSO_COUNT_ENDED_WATCH), 3);
}

static void test_ending_elsewhere_is_counted_once(void **state)
{
    (void)state;
    const sso_ending_t node = node_make();
    const sso_ending_t other = node_make();
    sso_record_t before = stored(1);
    sso_record_t record = stored(2);
    sso_record_t own = stored(3);
    bool waits = true;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &other, &before, "sign-out", OID, &waits));
    /* What has ended before the start is no news. */
    (void)poll(&node, SSO_OK);
    assert_int_equal(counted(SSO_COUNT_ENDED_ELSEWHERE), 0);
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &other, &record, "sign-out", OID, &waits));
    assert_rc(SSO_OK, sso_ending_end_one(&unit_ctx, &node, &own, "sign-out", OID, &waits));
    for (int i = 0; i < 3; i++) {
        unit_ctx.now += SEC(1);
        (void)poll(&node, SSO_OK);
        assert_int_equal(counted(SSO_COUNT_ENDED_ELSEWHERE), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ending_test(test_ending_one_ends_it_in_store_and_table),
        ending_test(test_ending_one_without_a_row_is_listed_all_the_same),
        ending_test(test_ending_one_with_the_store_away_ends_here_and_is_written_later),
        ending_test(test_ending_one_in_a_process_without_a_store_waits),
        ending_test(test_ending_one_that_can_be_noted_nowhere_is_an_error),
        ending_test(test_ending_one_survives_the_failure_of_any_statement),
        ending_test(test_ending_several_ends_those_that_fit_or_none),
        ending_test(test_ending_first_poll_reads_all_and_only_then_a_no_is_a_no),
        ending_test(test_ending_polls_look_back_far_enough),
        ending_test(test_ending_everything_is_read_again_every_ten_minutes),
        ending_test(test_ending_poll_that_cannot_write_still_reads),
        ending_test(test_ending_first_process_fills_and_the_others_wait_for_it),
        ending_test(test_ending_first_process_that_died_is_replaced),
        ending_test(test_ending_counts_by_cause),
        ending_test(test_ending_elsewhere_is_counted_once),
        ending_test(test_ending_change_of_the_store_s_being_away_is_news_once),
    };
    return unit_run(tests);
}
