/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test program shares: cmocka in the right order, a pool and a context per test, assert_rc.
 * Included by tests only, once per program, after the header under test. */
#pragma once

/* cmocka.h wants the first four of these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include <cmocka.h>

#include "base/result.h"

/* 2026-11-23T15:00:00Z: the moment at which every test lives. */
#define SSO_TEST_NOW_S 1795446000
#define SSO_TEST_NOW ((apr_time_t)SSO_TEST_NOW_S * APR_USEC_PER_SEC)

/* They bring an allocator of their own, which no test can put its own before. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#endif

#define UNIT_MAYBE_UNUSED __attribute__((unused))

/* unit_process_pool lives as long as the program, unit_pool and unit_ctx as long as one test. */
static apr_pool_t *unit_process_pool UNIT_MAYBE_UNUSED;
static apr_pool_t *unit_pool UNIT_MAYBE_UNUSED;
static sso_ctx_t unit_ctx UNIT_MAYBE_UNUSED;

static int UNIT_MAYBE_UNUSED unit_group_setup(void **state)
{
    (void)state;
    if (apr_initialize() != APR_SUCCESS) {
        return -1;
    }
    return apr_pool_create(&unit_process_pool, NULL) == APR_SUCCESS ? 0 : -1;
}

static int UNIT_MAYBE_UNUSED unit_group_teardown(void **state)
{
    (void)state;
    apr_pool_destroy(unit_process_pool);
    apr_terminate();
    return 0;
}

static int UNIT_MAYBE_UNUSED unit_setup(void **state)
{
    (void)state;
    if (apr_pool_create(&unit_pool, unit_process_pool) != APR_SUCCESS) {
        return -1;
    }
    sso_ctx_init(&unit_ctx, unit_pool, SSO_TEST_NOW);
    return 0;
}

static int UNIT_MAYBE_UNUSED unit_teardown(void **state)
{
    (void)state;
    apr_pool_destroy(unit_pool);
    unit_pool = NULL;
    return 0;
}

/* Fails the test with both names and what the context knows of the fault. Returns when they are equal. */
static void UNIT_MAYBE_UNUSED unit_check_rc(sso_rc expected, sso_rc got, const char *call, const char *file, int line)
{
    if (got != expected) {
        print_error("%s\n  gave %s (%s:%d: %s), expected %s\n", call, sso_reason(got)->name,
                    unit_ctx.fault.file ? unit_ctx.fault.file : "-", unit_ctx.fault.line,
                    unit_ctx.fault.detail ? unit_ctx.fault.detail : "-", sso_reason(expected)->name);
        _fail(file, line);
    }
}

static apr_status_t UNIT_MAYBE_UNUSED unit_free(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* A copy of exactly len bytes, freed with the test. Not from the pool: there AddressSanitizer sees no end. */
static UNIT_MAYBE_UNUSED void *unit_exact_copy(const void *data, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    apr_pool_cleanup_register(unit_pool, copy, unit_free, apr_pool_cleanup_null);
    return copy;
}

/* Compares an sso_rc by name and clears the fault of unit_ctx, so that the next call starts clean. */
#define assert_rc(expected, call)                                                                                      \
    do {                                                                                                               \
        unit_check_rc((expected), (call), #call, __FILE__, __LINE__);                                                  \
        sso_fault_clear(&unit_ctx);                                                                                    \
    } while (0)

/* Fails the test with a printf text that names the row of a table. */
#define unit_fail(...)                                                                                                 \
    do {                                                                                                               \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        _fail(__FILE__, __LINE__);                                                                                     \
    } while (0)

/* A test with its own pool and context; the whole program. cmocka still has an old macro of this name. */
#undef unit_test
#define unit_test(function) cmocka_unit_test_setup_teardown(function, unit_setup, unit_teardown)
#define unit_run(tests) cmocka_run_group_tests((tests), unit_group_setup, unit_group_teardown)
