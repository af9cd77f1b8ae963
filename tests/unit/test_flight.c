/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/flight.c: one goes, the others wait for it, not all of them for long, and what failed is remembered.
 * The waiting itself is the test's, so no test waits. */
#include "base/flight.h"

#include "unit.h"

#include <pthread.h>

#include <apr_thread_cond.h>

#include "base/clock.h"
#include "base/limits.h"

#define SECOND apr_time_from_sec(1)

/* ---- a clock, and what happens while somebody waits ---- */

/* The linker lets apr-util see these, too. */
#pragma GCC visibility push(default)
apr_time_t __wrap_sso_clock_now(void);
apr_status_t __wrap_apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                              apr_interval_time_t timeout);
apr_status_t __real_apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                              apr_interval_time_t timeout);

static apr_time_t now;
static bool really_wait;
static void (*meanwhile)(void);
static int waits;

apr_time_t __wrap_sso_clock_now(void)
{
    return now;
}

apr_status_t __wrap_apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                              apr_interval_time_t timeout)
{
    if (really_wait) {
        return __real_apr_thread_cond_timedwait(cond, mutex, timeout);
    }
    waits++;
    apr_thread_mutex_unlock(mutex);
    if (meanwhile != NULL) {
        meanwhile();
    } else {
        now += timeout;
    }
    apr_thread_mutex_lock(mutex);
    return APR_SUCCESS;
}

#pragma GCC visibility pop

static sso_flights_t *flights;
static unsigned char keys[3][SSO_SHA256_BYTES];

static int setup(void **state)
{
    if (unit_setup(state) != 0) {
        return -1;
    }
    now = SSO_TEST_NOW;
    meanwhile = NULL;
    really_wait = false;
    waits = 0;
    flights = sso_flights_make(unit_pool, 1);
    for (unsigned i = 0; i < 3; i++) {
        memset(keys[i], (int)i + 1, sizeof(keys[i]));
    }
    return flights == NULL ? -1 : 0;
}

#define flight_test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

static sso_flight_t begin(int key)
{
    sso_fault_clear(&unit_ctx);
    return sso_flights_begin(flights, &unit_ctx, keys[key]);
}

static void land_badly(int key, sso_rc rc, apr_interval_time_t hold)
{
    sso_fault_t fault = {.rc = rc, .detail = "of its own request", .retry_after_s = 7, .aadsts = 65001};
    fault.oauth_error = "invalid_grant";
    fault.correlation_id = "2f9c0d8e-7b1a-4e55-9a3d-1c2b3a4d5e6f";
    sso_flights_land(flights, keys[key], &fault, hold);
}

static void land_first(void)
{
    sso_flights_land(flights, keys[0], NULL, 0);
}

static void fail_first(void)
{
    land_badly(0, SSO_R_TOKEN_LATER, SECOND);
}

/* It lands, and another begins before the waiting thread wakes. */
static void land_and_begin_again(void)
{
    land_first();
    assert_int_equal(sso_flights_begin(flights, &unit_ctx, keys[0]), SSO_FLIGHT_OURS);
}

static void test_flight_of_one_key_is_one_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    assert_int_equal(begin(1), SSO_FLIGHT_OURS);
    meanwhile = land_first;
    assert_int_equal(begin(0), SSO_FLIGHT_LANDED);
    assert_int_equal(waits, 1);
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    assert_int_equal(waits, 1);
    meanwhile = land_and_begin_again;
    assert_int_equal(begin(0), SSO_FLIGHT_LANDED);
}

static void test_flight_that_failed_is_everybodys_for_a_while(void **state)
{
    (void)state;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    meanwhile = fail_first;
    assert_int_equal(begin(0), SSO_FLIGHT_FAILED);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_TOKEN_LATER);
    assert_int_equal(unit_ctx.fault.retry_after_s, 7);
    assert_int_equal(unit_ctx.fault.aadsts, 65001);
    assert_string_equal(unit_ctx.fault.oauth_error, "invalid_grant");
    assert_string_equal(unit_ctx.fault.correlation_id, "2f9c0d8e-7b1a-4e55-9a3d-1c2b3a4d5e6f");
    assert_string_not_equal(unit_ctx.fault.detail, "of its own request");
    now += SECOND - 1;
    assert_int_equal(begin(0), SSO_FLIGHT_FAILED);
    assert_int_equal(begin(1), SSO_FLIGHT_OURS);
    now += 1;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    land_badly(0, SSO_R_TOKEN_LATER, 60 * SECOND);
    /* A clock that is set back holds nothing up. */
    now -= SECOND;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
}

/* SECURITY: half a second anybody waits, then as many as were allowed, five seconds at most. */
static void test_flight_that_lasts_holds_few_threads(void **state)
{
    (void)state;
    apr_time_t began = now;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    assert_int_equal(begin(0), SSO_FLIGHT_BUSY);
    assert_int_equal(now - began, 5 * SECOND);
    /* Late already: nobody begins to wait. */
    waits = 0;
    assert_int_equal(begin(0), SSO_FLIGHT_BUSY);
    assert_int_equal(waits, 0);
    now = began - SECOND;
    assert_int_equal(begin(0), SSO_FLIGHT_BUSY);
    assert_int_equal(waits, 0);
}

static void test_flight_without_waiters_is_waited_for_half_a_second(void **state)
{
    (void)state;
    flights = sso_flights_make(unit_pool, 0);
    apr_time_t began = now;
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
    assert_int_equal(begin(0), SSO_FLIGHT_BUSY);
    assert_int_equal(now - began, SECOND / 2);
    sso_flights_land(flights, keys[0], NULL, 0);
    assert_int_equal(begin(0), SSO_FLIGHT_OURS);
}

static void test_flight_is_refused_when_too_many_are_under_way(void **state)
{
    (void)state;
    unsigned char key[SSO_SHA256_BYTES] = {0};
    int begun = 0;
    for (unsigned i = 0; i < SSO_MAX_FLIGHTS; i++) {
        key[5] = (unsigned char)i; /* of one set */
        begun += sso_flights_begin(flights, &unit_ctx, key) == SSO_FLIGHT_OURS ? 1 : 0;
    }
    assert_in_range(begun, 1, SSO_MAX_FLIGHTS / 8);
    /* One of them lands, and its place is free. */
    key[5] = 0;
    sso_flights_land(flights, key, NULL, 0);
    key[5] = 0xff;
    assert_int_equal(sso_flights_begin(flights, &unit_ctx, key), SSO_FLIGHT_OURS);
    /* A failure of long ago gives way too. */
    sso_fault_t fault = {.rc = SSO_R_TOKEN_LATER};
    sso_flights_land(flights, key, &fault, SECOND);
    key[5] = 0xfe;
    assert_int_equal(sso_flights_begin(flights, &unit_ctx, key), SSO_FLIGHT_OURS);
}

/* ---- threads ---- */

#define THREADS 8

typedef struct {
    apr_pool_t *pool;
    int flown, landed;
} thread_t;

static _Atomic int fetched;

static void *take_part(void *data)
{
    thread_t *self = data;
    sso_ctx_t ctx;
    sso_ctx_init(&ctx, self->pool, SSO_TEST_NOW);
    for (int i = 0; i < 200; i++) {
        sso_flight_t flight = sso_flights_begin(flights, &ctx, keys[0]);
        if (flight == SSO_FLIGHT_OURS) {
            /* Nobody else is here at this moment. */
            self->flown += ++fetched == 1 ? 1 : 1000000;
            fetched--;
            sso_flights_land(flights, keys[0], NULL, 0);
        } else {
            self->landed += flight == SSO_FLIGHT_LANDED ? 1 : 1000000;
        }
    }
    return NULL;
}

static void test_flight_of_many_threads_is_never_two(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    thread_t parts[THREADS] = {{NULL, 0, 0}};
    int sum = 0;
    really_wait = true;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(apr_pool_create_unmanaged_ex(&parts[i].pool, NULL, NULL), APR_SUCCESS);
        assert_int_equal(pthread_create(&threads[i], NULL, take_part, &parts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        apr_pool_destroy(parts[i].pool);
        sum += parts[i].flown + parts[i].landed;
    }
    assert_int_equal(sum, THREADS * 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flight_test(test_flight_of_one_key_is_one_at_a_time),
        flight_test(test_flight_that_failed_is_everybodys_for_a_while),
        flight_test(test_flight_that_lasts_holds_few_threads),
        flight_test(test_flight_without_waiters_is_waited_for_half_a_second),
        flight_test(test_flight_is_refused_when_too_many_are_under_way),
        flight_test(test_flight_of_many_threads_is_never_two),
    };
    return unit_run(tests);
}
