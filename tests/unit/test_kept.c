/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/kept.c: a value comes back for its own bytes and within its time alone, and nothing piles up. */
#include "base/kept.h"

#include "unit.h"

#define LIFE apr_time_from_sec(45)

static void test_kept_same_bytes_give_the_value_within_its_life(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    assert_null(sso_kept_get(&kept, "a", 1, SSO_TEST_NOW, LIFE));
    assert_null(sso_kept_get(&kept, "", 0, SSO_TEST_NOW, LIFE));
    char value[] = "value";
    char source[] = "ab";
    assert_string_equal(sso_kept_set(&kept, source, 2, value, SSO_TEST_NOW), "value");
    /* It has copies. */
    memset(value, 'x', 5);
    memset(source, 'x', 2);
    assert_string_equal(sso_kept_get(&kept, "ab", 2, SSO_TEST_NOW, LIFE), "value");
    assert_string_equal(sso_kept_get(&kept, "ab", 2, SSO_TEST_NOW + LIFE, LIFE), "value");
    assert_null(sso_kept_get(&kept, "ab", 2, SSO_TEST_NOW + LIFE + 1, LIFE));
    assert_null(sso_kept_get(&kept, "ab", 2, SSO_TEST_NOW - 1, LIFE)); /* the clock was set back */
}

static void test_kept_other_bytes_give_nothing(void **state)
{
    (void)state;
    static const char *const others[] = {"", "session-", "session-abc", "session-ac", "Session-ab", "session-aa"};
    sso_kept_t kept = {.parent = unit_pool};
    sso_kept_set(&kept, "session-ab", 10, "value", SSO_TEST_NOW);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sso_kept_get(&kept, others[i], strlen(others[i]), SSO_TEST_NOW, LIFE) != NULL) {
            unit_fail("'%s' got the value of another", others[i]);
        }
    }
    /* Bytes, not texts: what stands behind a NUL counts. */
    sso_kept_set(&kept, "a\0b", 3, "value", SSO_TEST_NOW);
    assert_null(sso_kept_get(&kept, "a\0c", 3, SSO_TEST_NOW, LIFE));
    assert_non_null(sso_kept_get(&kept, "a\0b", 3, SSO_TEST_NOW, LIFE));
}

static void test_kept_new_value_takes_the_place_of_the_old(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_kept_set(&kept, "a", 1, "first", SSO_TEST_NOW);
    sso_kept_set(&kept, "b", 1, "second", SSO_TEST_NOW + 1);
    assert_null(sso_kept_get(&kept, "a", 1, SSO_TEST_NOW + 1, LIFE));
    assert_string_equal(sso_kept_get(&kept, "b", 1, SSO_TEST_NOW + 1, LIFE), "second");
}

static apr_status_t count_call(void *count)
{
    (*(int *)count)++;
    return APR_SUCCESS;
}

/* The old value's pool is cleared each time: what was registered with it is gone before the next is there. */
static void test_kept_nothing_of_the_old_value_stays(void **state)
{
    (void)state;
    int cleared = 0;
    sso_kept_t kept = {.parent = unit_pool};
    sso_kept_set(&kept, "a", 1, "value", SSO_TEST_NOW);
    apr_pool_t *place = kept.pool;
    for (int i = 0; i < 1000; i++) {
        apr_pool_cleanup_register(kept.pool, &cleared, count_call, apr_pool_cleanup_null);
        sso_kept_set(&kept, "a", 1, "value", SSO_TEST_NOW);
        assert_int_equal(cleared, i + 1);
        assert_ptr_equal(kept.pool, place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_kept_same_bytes_give_the_value_within_its_life),
        unit_test(test_kept_other_bytes_give_nothing),
        unit_test(test_kept_new_value_takes_the_place_of_the_old),
        unit_test(test_kept_nothing_of_the_old_value_stays),
    };
    return unit_run(tests);
}
