/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/counters.c: sums are exact whoever adds at once, and the form of the memory has a name of its own. */
#include "base/counters.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#define PROCESSES 3
#define THREADS 4
#define ROUNDS 5000

static sso_counters_t *memory;

static int memory_make(void **state)
{
    /* Shared with children, as httpd's is. */
    memory = mmap(NULL, sso_counters_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || unit_setup(state) != 0) {
        return -1;
    }
    unit_ctx.counters = memory;
    return 0;
}

static int memory_drop(void **state)
{
    munmap(memory, sso_counters_size());
    return unit_teardown(state);
}

static void test_counters_absent_are_not_needed(void **state)
{
    (void)state;
    unit_ctx.counters = NULL;
    sso_count(&unit_ctx, SSO_COUNT_SIGNIN_OK);
    sso_count_latency(&unit_ctx, SSO_LATENCY_TOKEN, 1);
    sso_count_fault(&unit_ctx, SSO_R_FORBIDDEN);
    sso_count_note(&unit_ctx, SSO_NOTE_SCIM_REQUEST, 1);
    assert_int_equal(sso_counters_get(memory, SSO_COUNT_SIGNIN_OK), 0);
}

static void *add_all(void *data)
{
    sso_ctx_t ctx = *(const sso_ctx_t *)data;
    for (int i = 0; i < ROUNDS; i++) {
        sso_count(&ctx, SSO_COUNT_SIGNIN_OK);
        sso_count_many(&ctx, SSO_COUNT_ENDED_SCIM, 3);
        sso_count_latency(&ctx, SSO_LATENCY_TOKEN, 10000 + i % 2);
        sso_count_fault(&ctx, SSO_R_FORBIDDEN);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, &unit_ctx), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void test_counters_of_threads_and_processes_are_exact(void **state)
{
    (void)state;
    const unsigned all = PROCESSES * THREADS * ROUNDS;
    sso_latencies_t latencies;
    apr_time_t last;
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            run_threads();
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sso_counters_get(memory, SSO_COUNT_SIGNIN_OK), all);
    assert_int_equal(sso_counters_get(memory, SSO_COUNT_ENDED_SCIM), 3 * all);
    assert_int_equal(sso_counters_get(memory, SSO_COUNT_SIGNIN_STEPUP), 0);
    assert_int_equal(sso_counters_sum(memory, SSO_COUNT_SIGNIN_OK, SSO_COUNT_ENDED_SCIM), 4 * all);
    assert_int_equal(sso_counters_sum(memory, SSO_COUNT_SIGNIN_STEPUP, SSO_COUNT_SIGNIN_INTERNAL), 0);
    sso_counters_latencies(memory, SSO_LATENCY_TOKEN, &latencies);
    assert_int_equal(latencies.buckets[0], all / 2);
    assert_int_equal(latencies.buckets[1], all / 2);
    assert_int_equal(latencies.count, all);
    assert_int_equal(latencies.sum, (apr_interval_time_t)all * 10000 + all / 2);
    assert_int_equal(sso_counters_faults(memory, SSO_R_FORBIDDEN, &last), all);
    assert_int_equal(last, SSO_TEST_NOW);
}

static void test_counters_latency_at_each_bound_is_within_it(void **state)
{
    (void)state;
    sso_latencies_t latencies;
    for (int i = 0; i < SSO_LATENCY_BUCKETS; i++) {
        assert_true(i == 0 || sso_latency_bound(i - 1) < sso_latency_bound(i));
        sso_count_latency(&unit_ctx, SSO_LATENCY_GRAPH, sso_latency_bound(i));
    }
    sso_count_latency(&unit_ctx, SSO_LATENCY_GRAPH, sso_latency_bound(SSO_LATENCY_BUCKETS - 1) + 1);
    /* Of a clock that was set back. */
    sso_count_latency(&unit_ctx, SSO_LATENCY_GRAPH, -5);
    sso_counters_latencies(memory, SSO_LATENCY_GRAPH, &latencies);
    assert_int_equal(latencies.buckets[0], 2);
    for (int i = 1; i <= SSO_LATENCY_BUCKETS; i++) {
        assert_int_equal(latencies.buckets[i], 1);
    }
}

static void test_counters_class_has_its_own(void **state)
{
    (void)state;
    static const struct {
        sso_rc rc;
        sso_count_t count;
    } rows[] = {{SSO_R_STATE_EXPIRED, SSO_COUNT_SIGNIN_CLIENT}, {SSO_R_ID_TENANT, SSO_COUNT_SIGNIN_USER},
                {SSO_R_TOKEN_CLIENT, SSO_COUNT_SIGNIN_CONFIG},  {SSO_R_ID_AUD, SSO_COUNT_SIGNIN_PROVIDER},
                {SSO_R_HTTP_CONNECT, SSO_COUNT_SIGNIN_LATER},   {SSO_R_CRYPTO, SSO_COUNT_SIGNIN_INTERNAL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_count_class(&unit_ctx, SSO_COUNT_SIGNIN_CLIENT, rows[i].rc);
        assert_int_equal(sso_counters_get(memory, rows[i].count), 1);
    }
}

static void test_counters_unknown_reason_is_nobodys(void **state)
{
    (void)state;
    apr_time_t last;
    sso_count_fault(&unit_ctx, SSO_RC_COUNT);
    sso_count_fault(&unit_ctx, (sso_rc)100000);
    /* Nor is one for debugging alone. */
    sso_count_fault(&unit_ctx, SSO_R_SESSION_NONE);
    for (int i = 0; i < SSO_RC_COUNT; i++) {
        assert_int_equal(sso_counters_faults(memory, (sso_rc)i, &last), 0);
    }
}

static void test_counters_note_is_taken_by_one(void **state)
{
    (void)state;
    sso_count_note(&unit_ctx, SSO_NOTE_TALLY_CLAIMED, 5);
    assert_true(sso_counters_take(memory, SSO_NOTE_TALLY_CLAIMED, 5, 9));
    assert_false(sso_counters_take(memory, SSO_NOTE_TALLY_CLAIMED, 5, 10));
    assert_int_equal(sso_counters_note(memory, SSO_NOTE_TALLY_CLAIMED), 9);
}

static void test_counters_form_is_one_name(void **state)
{
    (void)state;
    const char *form = sso_counters_form(unit_pool);
    assert_string_equal(form, sso_counters_form(unit_pool));
    assert_int_equal(strncmp(form, "counters ", 9), 0);
    assert_int_equal(strlen(form), 9 + 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#undef unit_test
#define unit_test(function) cmocka_unit_test_setup_teardown(function, memory_make, memory_drop)
        unit_test(test_counters_absent_are_not_needed),
        unit_test(test_counters_of_threads_and_processes_are_exact),
        unit_test(test_counters_latency_at_each_bound_is_within_it),
        unit_test(test_counters_class_has_its_own),
        unit_test(test_counters_unknown_reason_is_nobodys),
        unit_test(test_counters_note_is_taken_by_one),
        unit_test(test_counters_form_is_one_name),
    };
    return unit_run(tests);
}
