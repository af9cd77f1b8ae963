/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/gate.c: the limit over processes and threads, and that the dead give back what they held. */
#include "base/gate.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#include "base/clock.h"

/* The clock, which a test moves, and how often it was looked at. */
static apr_interval_time_t ahead;
static atomic_uint looks;

apr_time_t __wrap_sso_clock_now(void);
apr_time_t __wrap_sso_clock_now(void)
{
    atomic_fetch_add(&looks, 1);
    return apr_time_now() + ahead;
}

/* Shared with children, as httpd's is. */
static void *memory_make(int processes, int limit)
{
    void *memory =
        mmap(NULL, sso_gate_shared_size(processes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    sso_gate_shared_init(memory, processes, limit);
    return memory;
}

static void memory_drop(void *memory, int processes)
{
    munmap(memory, sso_gate_shared_size(processes));
}

/* A child that joins and enters so many times, tells so, and waits to be killed. */
static pid_t child_start(void *memory, int entries)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sso_gate_t *gate = sso_gate_join(unit_pool, memory);
        char told = gate ? 'y' : 'n';
        for (int i = 0; gate && i < entries; i++) {
            told = sso_gate_enter(gate) ? told : 'n';
        }
        if (write(ends[1], &told, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    char told = '-';
    assert_int_equal(read(ends[0], &told, 1), 1);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(told, 'y');
    return pid;
}

static void child_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_gate_zeroed_memory_is_empty_and_joins_nobody(void **state)
{
    (void)state;
    void *memory = apr_pcalloc(unit_pool, sso_gate_shared_size(4));
    assert_null(sso_gate_join(unit_pool, memory));
}

static void test_gate_limit_is_reached_and_left(void **state)
{
    (void)state;
    void *memory = memory_make(2, 2);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_non_null(gate);
    assert_true(sso_gate_enter(gate));
    assert_true(sso_gate_enter(gate));
    assert_false(sso_gate_enter(gate));
    assert_int_equal(sso_gate_count(gate), 2);
    sso_gate_leave(gate, true);
    assert_true(sso_gate_enter(gate));
    sso_gate_leave(gate, true);
    sso_gate_leave(gate, true);
    assert_int_equal(sso_gate_count(gate), 0);
    apr_pool_destroy(pool);
    memory_drop(memory, 2);
}

static void test_gate_left_too_often_stays_at_zero(void **state)
{
    (void)state;
    void *memory = memory_make(1, 1);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    sso_gate_leave(gate, true);
    assert_int_equal(sso_gate_count(gate), 0);
    assert_true(sso_gate_enter(gate));
    assert_false(sso_gate_enter(gate));
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

static void test_gate_other_process_counts(void **state)
{
    (void)state;
    void *memory = memory_make(2, 3);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    pid_t child = child_start(memory, 2);
    assert_int_equal(sso_gate_count(gate), 2);
    assert_true(sso_gate_enter(gate));
    assert_false(sso_gate_enter(gate));
    child_kill(child);
    apr_pool_destroy(pool);
    memory_drop(memory, 2);
}

static void test_gate_killed_process_is_taken_back_by_a_full_gate(void **state)
{
    (void)state;
    void *memory = memory_make(2, 2);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    pid_t child = child_start(memory, 2);
    assert_false(sso_gate_enter(gate));
    child_kill(child);
    assert_int_equal(sso_gate_count(gate), 2);
    assert_true(sso_gate_enter(gate));
    assert_int_equal(sso_gate_count(gate), 1);
    apr_pool_destroy(pool);
    memory_drop(memory, 2);
}

static void test_gate_killed_process_is_taken_back_by_a_new_one(void **state)
{
    (void)state;
    void *memory = memory_make(2, 5);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    child_kill(child_start(memory, 3));
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_int_equal(sso_gate_count(gate), 0);
    /* The dead one's slot was taken, so that there is room for another. */
    pid_t child = child_start(memory, 1);
    assert_int_equal(sso_gate_count(gate), 1);
    child_kill(child);
    apr_pool_destroy(pool);
    memory_drop(memory, 2);
}

static void test_gate_without_free_slot_gives_null(void **state)
{
    (void)state;
    void *memory = memory_make(1, 5);
    pid_t child = child_start(memory, 0);
    assert_null(sso_gate_join(unit_pool, memory));
    child_kill(child);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    assert_non_null(sso_gate_join(pool, memory));
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

static void test_gate_pool_cleanup_gives_the_slot_back(void **state)
{
    (void)state;
    void *memory = memory_make(1, 1);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_true(sso_gate_enter(gate));
    apr_pool_destroy(pool);
    pid_t child = child_start(memory, 1);
    child_kill(child);
    memory_drop(memory, 1);
}

static void test_gate_forked_child_does_not_give_back_its_parents_slot(void **state)
{
    (void)state;
    void *memory = memory_make(1, 2);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_true(sso_gate_enter(gate));
    pid_t child = fork();
    if (child == 0) {
        apr_pool_destroy(pool);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    assert_int_equal(sso_gate_count(gate), 1);
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

#define RUSH_LIMIT 3

typedef struct {
    sso_gate_t *gate;
    atomic_int inside;
    atomic_int most;
    atomic_int entered;
} rush_t;

static void *rush(void *baton)
{
    rush_t *all = baton;
    for (int i = 0; i < 2000; i++) {
        if (!sso_gate_enter(all->gate)) {
            continue;
        }
        int inside = atomic_fetch_add(&all->inside, 1) + 1;
        int most = atomic_load(&all->most);
        while (inside > most && !atomic_compare_exchange_weak(&all->most, &most, inside)) {
        }
        atomic_fetch_add(&all->entered, 1);
        sched_yield();
        atomic_fetch_sub(&all->inside, 1);
        sso_gate_leave(all->gate, true);
    }
    return NULL;
}

static void test_gate_rush_of_threads_never_passes_the_limit(void **state)
{
    (void)state;
    void *memory = memory_make(4, RUSH_LIMIT);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    rush_t all = {.gate = sso_gate_join(pool, memory)};
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, rush, &all), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_in_range(atomic_load(&all.most), 1, RUSH_LIMIT);
    assert_true(atomic_load(&all.entered) > 0);
    assert_int_equal(sso_gate_count(all.gate), 0);
    apr_pool_destroy(pool);
    memory_drop(memory, 4);
}

static void *enter_once(void *baton)
{
    return sso_gate_enter(baton) ? baton : NULL;
}

static void test_gate_answers_let_a_burst_through(void **state)
{
    (void)state;
    void *memory = memory_make(1, 1);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_true(sso_gate_enter(gate));
    pthread_t queuing;
    void *entered = NULL;
    assert_int_equal(pthread_create(&queuing, NULL, enter_once, gate), 0);
    sched_yield();
    sso_gate_leave(gate, true);
    pthread_join(queuing, &entered);
    assert_ptr_equal(entered, gate);
    assert_int_equal(sso_gate_count(gate), 1);
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

static void test_gate_without_answers_stops_the_queue(void **state)
{
    (void)state;
    void *memory = memory_make(1, 1);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    assert_true(sso_gate_enter(gate));
    assert_false(sso_gate_enter(gate)); /* the first queues for the stall to show */
    apr_time_t before = apr_time_now();
    for (int i = 0; i < 100; i++) {
        assert_false(sso_gate_enter(gate));
    }
    /* A hundred that queued would take fifty seconds; the bound is so wide that no busy machine reaches it. */
    assert_in_range(apr_time_now() - before, 0, apr_time_from_sec(25));
    sso_gate_leave(gate, false);
    assert_true(sso_gate_enter(gate));
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

/* The last answer lies an hour ahead, and says nothing about an outside that hangs now. */
static void test_gate_answer_of_before_the_clock_was_set_back_lets_nobody_queue(void **state)
{
    (void)state;
    void *memory = memory_make(1, 1);
    apr_pool_t *pool;
    apr_pool_create(&pool, unit_pool);
    sso_gate_t *gate = sso_gate_join(pool, memory);
    ahead = apr_time_from_sec(3600);
    assert_true(sso_gate_enter(gate));
    ahead = 0;
    atomic_store(&looks, 0);
    assert_false(sso_gate_enter(gate));
    /* Who queues looks again and again. */
    assert_int_equal(atomic_load(&looks), 1);
    apr_pool_destroy(pool);
    memory_drop(memory, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_gate_zeroed_memory_is_empty_and_joins_nobody),
        unit_test(test_gate_limit_is_reached_and_left),
        unit_test(test_gate_left_too_often_stays_at_zero),
        unit_test(test_gate_other_process_counts),
        unit_test(test_gate_killed_process_is_taken_back_by_a_full_gate),
        unit_test(test_gate_killed_process_is_taken_back_by_a_new_one),
        unit_test(test_gate_without_free_slot_gives_null),
        unit_test(test_gate_pool_cleanup_gives_the_slot_back),
        unit_test(test_gate_forked_child_does_not_give_back_its_parents_slot),
        unit_test(test_gate_rush_of_threads_never_passes_the_limit),
        unit_test(test_gate_answers_let_a_burst_through),
        unit_test(test_gate_without_answers_stops_the_queue),
        unit_test(test_gate_answer_of_before_the_clock_was_set_back_lets_nobody_queue),
    };
    return unit_run(tests);
}
