/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ended sessions: what it says before, during and after, with many processes and threads, killed ones
 * among them, and without room. */
#include "session/ended.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#include "base/crypto.h"
#include "base/limits.h"

#define HOUR apr_time_from_sec(3600)
#define NOW SSO_TEST_NOW
#define LATER (NOW + 8 * HOUR)

/* As the table has them, behind its head. */
typedef struct {
    _Atomic uint64_t id[2];
    _Atomic int64_t until;
} raw_slot_t;

static sso_ended_t *table;

static int setup(void **state)
{
    table = mmap(NULL, sso_ended_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return table == MAP_FAILED ? -1 : unit_setup(state);
}

static int teardown(void **state)
{
    munmap(table, sso_ended_size());
    return unit_teardown(state);
}

#define ended_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* The n-th of invented ids, as good as random (splitmix64), the same in every process. */
static const unsigned char *id(uint64_t n)
{
    static _Thread_local unsigned char bytes[SSO_SESSION_ID_BYTES];
    for (size_t i = 0; i < 2; i++) {
        uint64_t x = (2 * n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(bytes + i * sizeof(x), &x, sizeof(x));
    }
    return bytes;
}

static raw_slot_t *raw_slots(void)
{
    return (raw_slot_t *)((unsigned char *)(void *)table + sso_ended_size() - SSO_ENDED_SLOTS * sizeof(raw_slot_t));
}

/* The first place of an id. */
static raw_slot_t *first_place(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return raw_slots() + (word & (SSO_ENDED_SLOTS - 1));
}

static bool has(uint64_t n)
{
    sso_fault_clear(&unit_ctx);
    sso_rc rc = sso_ended_check(&unit_ctx, table, id(n));
    sso_fault_clear(&unit_ctx);
    assert_true(rc == SSO_OK || rc == SSO_R_SESSION_ENDED);
    return rc == SSO_R_SESSION_ENDED;
}

static bool add(uint64_t n)
{
    return sso_ended_add(table, id(n), LATER, false, NOW);
}

static int pending_count(apr_time_t now)
{
    apr_array_header_t *pending = apr_array_make(unit_pool, 4, sizeof(sso_store_ended_t));
    sso_ended_pending(table, now, pending);
    return pending->nelts;
}

/* ---- what it says ---- */

static void test_ended_before_the_first_filling_nothing_is_known_but_what_was_added(void **state)
{
    (void)state;
    assert_rc(SSO_R_ENDED_UNKNOWN, sso_ended_check(&unit_ctx, table, id(1)));
    assert_true(add(1));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, table, id(1)));
    assert_rc(SSO_R_ENDED_UNKNOWN, sso_ended_check(&unit_ctx, table, id(2)));
    sso_ended_set_filled(table, NOW);
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, table, id(1)));
    assert_rc(SSO_OK, sso_ended_check(&unit_ctx, table, id(2)));
    assert_true(sso_ended_filled(table) == NOW);
}

static void test_ended_reasons_have_the_class_that_their_callers_go_by(void **state)
{
    (void)state;
    assert_int_equal(sso_reason(SSO_R_SESSION_ENDED)->class, SSO_CLASS_CLIENT);
    assert_int_equal(sso_reason(SSO_R_SESSION_ENDED)->status, 401);
    assert_int_equal(sso_reason(SSO_R_ENDED_UNKNOWN)->class, SSO_CLASS_LATER);
    assert_int_equal(sso_reason(SSO_R_ENDED_UNKNOWN)->status, 503);
}

static void test_ended_every_bit_of_the_id_counts(void **state)
{
    (void)state;
    unsigned char other[SSO_SESSION_ID_BYTES];
    sso_ended_set_filled(table, NOW);
    assert_true(add(7));
    for (size_t bit = 0; bit < 8 * sizeof(other); bit++) {
        memcpy(other, id(7), sizeof(other));
        other[bit / 8] ^= (unsigned char)(1U << (bit % 8));
        assert_rc(SSO_OK, sso_ended_check(&unit_ctx, table, other));
    }
    assert_true(has(7));
}

static void test_ended_odd_ids_are_ids_like_others(void **state)
{
    static const unsigned char zero[SSO_SESSION_ID_BYTES];
    unsigned char full[SSO_SESSION_ID_BYTES];
    (void)state;
    memset(full, 0xff, sizeof(full));
    sso_ended_set_filled(table, NOW);
    assert_rc(SSO_OK, sso_ended_check(&unit_ctx, table, zero));
    assert_true(sso_ended_add(table, zero, LATER, false, NOW));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, table, zero));
    assert_rc(SSO_OK, sso_ended_check(&unit_ctx, table, full));
    assert_true(sso_ended_add(table, full, LATER, false, NOW));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, table, full));
}

static void test_ended_what_is_over_is_not_taken_and_gives_way_but_stays_dead_until_then(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    assert_true(sso_ended_add(table, id(1), NOW, false, NOW));
    assert_true(sso_ended_add(table, id(1), NOW - HOUR, true, NOW));
    assert_false(has(1));
    assert_true(sso_ended_add(table, id(2), NOW + HOUR, false, NOW));
    unit_ctx.now = NOW + 2 * HOUR;
    assert_true(has(2));
    /* Another id that begins at the same place takes it over. */
    unsigned char same[SSO_SESSION_ID_BYTES];
    memcpy(same, id(2), sizeof(same));
    same[15] ^= 1;
    assert_true(sso_ended_add(table, same, LATER, false, NOW + 2 * HOUR));
    assert_false(has(2));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, table, same));
    assert_int_equal(sso_ended_reach(table), 1);
}

static void test_ended_added_again_is_remembered_for_the_longer_time(void **state)
{
    (void)state;
    const raw_slot_t *slot = first_place(id(1));
    assert_true(sso_ended_add(table, id(1), NOW + 2 * HOUR, false, NOW));
    assert_true(sso_ended_add(table, id(1), NOW + HOUR, false, NOW));
    assert_true(slot->until == NOW + 2 * HOUR);
    assert_true(sso_ended_add(table, id(1), NOW + 3 * HOUR, false, NOW));
    assert_true(slot->until == NOW + 3 * HOUR);
    /* A damaged row does not take a place for ever. */
    assert_true(sso_ended_add(table, id(1), APR_INT64_MAX, false, NOW));
    assert_true(slot->until <= NOW + 2 * SSO_SESSION_CAP);
}

/* ---- pending ---- */

static void test_ended_pending_is_found_until_the_store_knows(void **state)
{
    (void)state;
    apr_array_header_t *pending = apr_array_make(unit_pool, 4, sizeof(sso_store_ended_t));
    assert_true(add(1));
    assert_int_equal(pending_count(NOW), 0);
    assert_true(sso_ended_add(table, id(2), NOW + HOUR, true, NOW));
    assert_true(sso_ended_add(table, id(3), LATER, true, NOW));
    sso_ended_pending(table, NOW, pending);
    assert_int_equal(pending->nelts, 2);
    for (int i = 0; i < 2; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(pending, i, sso_store_ended_t);
        bool second = memcmp(entry->id, id(2), sizeof(entry->id)) == 0;
        assert_true(second || memcmp(entry->id, id(3), sizeof(entry->id)) == 0);
        assert_true(entry->until == (second ? NOW + HOUR : LATER));
    }
    assert_true(sso_ended_add(table, id(3), LATER, false, NOW));
    assert_int_equal(pending_count(NOW), 1);
    /* What the store knows does not become pending again. */
    assert_true(sso_ended_add(table, id(3), LATER, true, NOW));
    assert_int_equal(pending_count(NOW), 1);
    assert_true(sso_ended_add(table, id(2), NOW + HOUR, false, NOW));
    assert_int_equal(pending_count(NOW), 0);
}

static void test_ended_pending_that_is_over_is_forgotten(void **state)
{
    (void)state;
    unsigned char same[SSO_SESSION_ID_BYTES];
    assert_true(sso_ended_add(table, id(1), NOW + HOUR, true, NOW));
    assert_true(sso_ended_add(table, id(2), NOW + HOUR, true, NOW));
    assert_int_equal(pending_count(NOW), 2);
    /* One gives way to another, one is found over. */
    memcpy(same, id(1), sizeof(same));
    same[15] ^= 1;
    assert_true(sso_ended_add(table, same, LATER, false, NOW + HOUR));
    assert_int_equal(pending_count(NOW + HOUR), 0);
    assert_true(first_place(id(2))->until == NOW + HOUR);
    /* The count is exact again: the next one is found. */
    assert_true(sso_ended_add(table, id(3), LATER, true, NOW + HOUR));
    assert_int_equal(pending_count(NOW + HOUR), 1);
}

static void test_ended_turn_is_of_one_until_it_stays_away(void **state)
{
    (void)state;
    const apr_interval_time_t every = apr_time_from_sec(1);
    const apr_interval_time_t lost = apr_time_from_sec(2);
    apr_time_t one = 0;
    apr_time_t two = 0;
    assert_true(sso_ended_take_turn(table, NOW, every, lost, &one));
    assert_false(sso_ended_take_turn(table, NOW, every, lost, &two));
    /* Not before its time, also not the one that has it. */
    assert_false(sso_ended_take_turn(table, NOW + every - 1, every, lost, &one));
    assert_false(sso_ended_take_turn(table, NOW + lost - 1, every, lost, &two));
    assert_true(sso_ended_take_turn(table, NOW + every, every, lost, &one));
    /* It died: the other has the turn, and keeps it when the first comes back after all. */
    assert_false(sso_ended_take_turn(table, NOW + every + lost - 1, every, lost, &two));
    assert_true(sso_ended_take_turn(table, NOW + every + lost, every, lost, &two));
    assert_false(sso_ended_take_turn(table, NOW + 2 * every + lost, every, lost, &one));
    assert_true(sso_ended_take_turn(table, NOW + 2 * every + lost, every, lost, &two));
    /* The clock was set back: nobody waits until it has come round. */
    assert_true(sso_ended_take_turn(table, NOW - HOUR, every, lost, &one));
    assert_false(sso_ended_take_turn(table, NOW - HOUR, every, lost, &two));
}

static void test_ended_moment_of_going_away_is_seen_once(void **state)
{
    (void)state;
    assert_false(sso_ended_set_away(table, true));
    assert_true(sso_ended_set_away(table, true));
    assert_true(sso_ended_set_away(table, false));
    assert_false(sso_ended_set_away(table, false));
    assert_true(sso_ended_polled(table) == 0);
    sso_ended_set_polled(table, NOW);
    assert_true(sso_ended_polled(table) == NOW);
}

/* ---- many ---- */

static void test_ended_hundred_thousand_are_found_within_a_few_places(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    for (uint64_t n = 0; n < 10000; n++) {
        assert_true(add(n));
    }
    unsigned few = sso_ended_reach(table);
    assert_true(few <= 8);
    for (uint64_t n = 10000; n < 100000; n++) {
        assert_true(add(n));
    }
    assert_true(sso_ended_reach(table) <= 20);
    assert_false(sso_ended_overflowed(table, NOW));
    for (uint64_t n = 0; n < 100000; n++) {
        if (!has(n) || has(n + 1000000)) {
            unit_fail("entry %u", (unsigned)n);
        }
    }
}

/* Years of sign-outs: every slot has been used, and the look-up is as short as ever. */
static void test_ended_turnover_does_not_make_look_ups_longer(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    apr_time_t now = NOW;
    for (uint64_t n = 0; n < 400000; n++) {
        /* 5,000 at a time. */
        now += HOUR / 5000;
        assert_true(sso_ended_add(table, id(n), now + HOUR, false, now));
    }
    assert_false(sso_ended_overflowed(table, now));
    assert_true(sso_ended_reach(table) <= 8);
    assert_true(has(399999));
    assert_true(has(395001));
}

static void test_ended_without_room_every_miss_is_unknown_until_it_is_over(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    raw_slot_t *slots = raw_slots();
    for (size_t i = 0; i < SSO_ENDED_SLOTS; i++) {
        slots[i].until = LATER;
    }
    assert_false(sso_ended_add(table, id(1), NOW + 2 * HOUR, false, NOW));
    assert_false(sso_ended_add(table, id(2), NOW + HOUR, true, NOW));
    assert_int_equal(sso_ended_reach(table), SSO_ENDED_PLACES);
    assert_int_equal(pending_count(NOW), 0);
    assert_rc(SSO_R_ENDED_UNKNOWN, sso_ended_check(&unit_ctx, table, id(1)));
    assert_rc(SSO_R_ENDED_UNKNOWN, sso_ended_check(&unit_ctx, table, id(3)));
    assert_true(sso_ended_overflowed(table, NOW + 2 * HOUR - 1));
    /* When the last that found no room is over, a miss proves something again. */
    assert_false(sso_ended_overflowed(table, NOW + 2 * HOUR));
    unit_ctx.now = NOW + 2 * HOUR;
    assert_rc(SSO_OK, sso_ended_check(&unit_ctx, table, id(3)));
}

/* ---- at once ---- */

#define THREADS 4
#define EACH 5000

static _Atomic uint64_t lost;

static void *adding_thread(void *data)
{
    uint64_t first = *(const uint64_t *)data;
    for (uint64_t n = first; n < first + EACH; n++) {
        sso_ctx_t ctx;
        memset(&ctx, 0, sizeof(ctx));
        ctx.now = NOW;
        if (!sso_ended_add(table, id(n), LATER, n % 64 == 0, NOW) ||
            sso_ended_check(&ctx, table, id(n)) != SSO_R_SESSION_ENDED) {
            lost++;
        }
        /* What others are adding meanwhile, too, so that they meet. */
        (void)sso_ended_add(table, id((n + EACH / 2) % ((uint64_t)THREADS * EACH)), LATER, false, NOW);
    }
    return NULL;
}

static void run_threads(uint64_t first, uint64_t step)
{
    pthread_t threads[THREADS];
    uint64_t firsts[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        firsts[i] = first + i * step;
        assert_int_equal(pthread_create(&threads[i], NULL, adding_thread, &firsts[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void test_ended_threads_that_add_at_once_lose_nothing(void **state)
{
    (void)state;
    lost = 0;
    sso_ended_set_filled(table, NOW);
    run_threads(0, EACH);
    assert_int_equal(lost, 0);
    for (uint64_t n = 0; n < (uint64_t)THREADS * EACH; n++) {
        assert_true(has(n));
    }
}

static void test_ended_threads_that_add_the_same_agree(void **state)
{
    (void)state;
    lost = 0;
    sso_ended_set_filled(table, NOW);
    run_threads(0, 0);
    assert_int_equal(lost, 0);
    for (uint64_t n = 0; n < EACH; n++) {
        assert_true(has(n));
        assert_true(add(n));
    }
    /* All are settled, wherever they stand twice. */
    assert_int_equal(pending_count(NOW), 0);
}

static void test_ended_processes_see_each_other_s(void **state)
{
    (void)state;
    pid_t children[3];
    sso_ended_set_filled(table, NOW);
    for (uint64_t c = 0; c < 3; c++) {
        children[c] = fork();
        assert_true(children[c] >= 0);
        if (children[c] == 0) {
            bool good = true;
            for (uint64_t n = c * EACH; n < (c + 1) * EACH; n++) {
                good = add(n) && good;
            }
            _exit(good ? 0 : 1);
        }
    }
    for (size_t c = 0; c < 3; c++) {
        int status = 1;
        assert_int_equal(waitpid(children[c], &status, 0), children[c]);
        assert_int_equal(status, 0);
    }
    for (uint64_t n = 0; n < 3 * EACH; n++) {
        assert_true(has(n));
    }
}

/* ---- death ---- */

/* A process that adds one after the other until it is killed; *done counts those that it was told are there. */
static pid_t start_adder(_Atomic uint64_t *done, uint64_t first)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* No more than the table has room for, however late the killer comes. */
        for (uint64_t n = first; n < first + 4000; n++) {
            (void)sso_ended_add(table, id(n), LATER, n % 2 == 0, NOW);
            atomic_fetch_add(done, 1);
        }
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void test_ended_killed_adders_take_nothing_with_them(void **state)
{
    (void)state;
    _Atomic uint64_t *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(done, MAP_FAILED);
    sso_ended_set_filled(table, NOW);
    for (uint64_t round = 0; round < 20; round++) {
        uint64_t first = round << 32;
        atomic_store(done, 0);
        pid_t pid = start_adder(done, first);
        while (atomic_load(done) < 50 * (round + 1)) {
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (uint64_t n = 0; n < atomic_load(done); n++) {
            assert_true(has(first + n));
        }
    }
    munmap(done, sizeof(*done));
}

static pid_t dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return pid;
}

static void test_ended_place_of_who_died_in_the_middle_is_taken_over(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    raw_slot_t *slot = first_place(id(1));
    slot->until = -(int64_t)dead_pid();
    assert_false(has(1));
    assert_true(add(1));
    assert_true(has(1));
    assert_true(slot->until == LATER);
    assert_int_equal(sso_ended_reach(table), 1);
}

/* Nobody waits for a process that is only slow, or stopped in a debugger. */
static void test_ended_place_of_who_is_alive_is_passed_by(void **state)
{
    (void)state;
    sso_ended_set_filled(table, NOW);
    raw_slot_t *slot = first_place(id(1));
    slot->until = -(int64_t)getppid();
    uint64_t words[2];
    memcpy(words, id(1), sizeof(words));
    slot->id[0] = words[0];
    slot->id[1] = words[1];
    assert_false(has(1));
    assert_true(add(1));
    assert_true(has(1));
    assert_true(slot->until == -(int64_t)getppid());
    assert_int_equal(sso_ended_reach(table), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ended_test(test_ended_before_the_first_filling_nothing_is_known_but_what_was_added),
        ended_test(test_ended_reasons_have_the_class_that_their_callers_go_by),
        ended_test(test_ended_every_bit_of_the_id_counts),
        ended_test(test_ended_odd_ids_are_ids_like_others),
        ended_test(test_ended_what_is_over_is_not_taken_and_gives_way_but_stays_dead_until_then),
        ended_test(test_ended_added_again_is_remembered_for_the_longer_time),
        ended_test(test_ended_pending_is_found_until_the_store_knows),
        ended_test(test_ended_pending_that_is_over_is_forgotten),
        ended_test(test_ended_turn_is_of_one_until_it_stays_away),
        ended_test(test_ended_moment_of_going_away_is_seen_once),
        ended_test(test_ended_hundred_thousand_are_found_within_a_few_places),
        ended_test(test_ended_turnover_does_not_make_look_ups_longer),
        ended_test(test_ended_without_room_every_miss_is_unknown_until_it_is_over),
        ended_test(test_ended_threads_that_add_at_once_lose_nothing),
        ended_test(test_ended_threads_that_add_the_same_agree),
        ended_test(test_ended_processes_see_each_other_s),
        ended_test(test_ended_killed_adders_take_nothing_with_them),
        ended_test(test_ended_place_of_who_died_in_the_middle_is_taken_over),
        ended_test(test_ended_place_of_who_is_alive_is_passed_by),
    };
    return unit_run(tests);
}
