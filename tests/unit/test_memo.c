/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/memo.c: what is remembered, for how long, in how much room; and that threads never see half of it. */
#include "base/memo.h"

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"

#define SECOND apr_time_from_sec(1)
#define LATER (SSO_TEST_NOW + 60 * SECOND)
#define PLACES (SSO_MEMO_SETS * SSO_MEMO_WAYS)

static sso_memo_t *memo_make(void)
{
    return sso_memo_init(apr_pcalloc(unit_pool, sso_memo_size(SSO_MAX_MEMO_BYTES)), SSO_MAX_MEMO_BYTES);
}

static void key_of(unsigned number, unsigned char key[SSO_SHA256_BYTES])
{
    sso_sha256(&number, sizeof(number), key);
}

static void put(sso_memo_t *memo, unsigned number, uint32_t stamp, apr_time_t until, const char *text)
{
    unsigned char key[SSO_SHA256_BYTES];
    key_of(number, key);
    sso_memo_put(memo, key, stamp, SSO_TEST_NOW, until, (const unsigned char *)text, strlen(text) + 1);
}

/* The text, or NULL. */
static const char *get(const sso_memo_t *memo, unsigned number, uint32_t stamp, apr_time_t now)
{
    unsigned char key[SSO_SHA256_BYTES];
    const unsigned char *data;
    apr_size_t len;
    key_of(number, key);
    return sso_memo_get(memo, key, stamp, now, unit_pool, &data, &len) ? (const char *)data : NULL;
}

static void test_memo_gives_what_was_put(void **state)
{
    (void)state;
    sso_memo_t *memo = memo_make();
    assert_null(get(memo, 1, 7, SSO_TEST_NOW));
    put(memo, 1, 7, LATER, "one");
    put(memo, 2, 7, LATER, "two");
    assert_string_equal(get(memo, 1, 7, SSO_TEST_NOW), "one");
    assert_string_equal(get(memo, 2, 7, SSO_TEST_NOW), "two");
    assert_null(get(memo, 3, 7, SSO_TEST_NOW));
    put(memo, 1, 7, LATER, "another");
    assert_string_equal(get(memo, 1, 7, SSO_TEST_NOW), "another");
}

static void test_memo_forgets_at_the_end_and_with_another_stamp(void **state)
{
    (void)state;
    sso_memo_t *memo = memo_make();
    put(memo, 1, 7, LATER, "one");
    assert_string_equal(get(memo, 1, 7, LATER - 1), "one");
    assert_null(get(memo, 1, 7, LATER));
    assert_null(get(memo, 1, 8, SSO_TEST_NOW));
    put(memo, 2, 7, SSO_TEST_NOW, "over already");
    assert_null(get(memo, 2, 7, SSO_TEST_NOW - SECOND));
}

static void test_memo_keeps_no_more_than_its_bound(void **state)
{
    (void)state;
    sso_memo_t *memo = memo_make();
    unsigned char key[SSO_SHA256_BYTES];
    unsigned char data[SSO_MAX_MEMO_BYTES + 1];
    const unsigned char *got;
    apr_size_t len;
    memset(data, 0x5a, sizeof(data));
    key_of(1, key);
    sso_memo_put(memo, key, 1, SSO_TEST_NOW, LATER, data, sizeof(data));
    assert_false(sso_memo_get(memo, key, 1, SSO_TEST_NOW, unit_pool, &got, &len));
    sso_memo_put(memo, key, 1, SSO_TEST_NOW, LATER, data, SSO_MAX_MEMO_BYTES);
    assert_true(sso_memo_get(memo, key, 1, SSO_TEST_NOW, unit_pool, &got, &len));
    assert_int_equal(len, SSO_MAX_MEMO_BYTES);
    assert_memory_equal(got, data, SSO_MAX_MEMO_BYTES);
}

/* SECURITY: a token that was replaced is gone from memory, also where the new entry is shorter. */
static void test_memo_wipes_what_it_replaces(void **state)
{
    static const char secret[] = "a long text that must not be left behind";
    (void)state;
    const apr_size_t size = sso_memo_size(SSO_MAX_MEMO_BYTES);
    sso_memo_t *memo = memo_make();
    put(memo, 1, 7, LATER, secret);
    assert_non_null(memmem(memo, size, "left behind", 11));
    put(memo, 1, 7, LATER, "short");
    assert_null(memmem(memo, size, "left behind", 11));
    assert_string_equal(get(memo, 1, 7, SSO_TEST_NOW), "short");
}

static void test_memo_has_the_room_that_was_asked_for(void **state)
{
    (void)state;
    const apr_size_t bytes = 13;
    unsigned char key[SSO_SHA256_BYTES];
    const unsigned char *data;
    apr_size_t len;
    sso_memo_t *memo = sso_memo_init(apr_pcalloc(unit_pool, sso_memo_size(bytes)), bytes);
    for (unsigned i = 0; i < 5 * PLACES; i++) {
        put(memo, i, 1, LATER, "twelve bytes");
        assert_string_equal(get(memo, i, 1, SSO_TEST_NOW), "twelve bytes");
    }
    key_of(1, key);
    sso_memo_put(memo, key, 9, SSO_TEST_NOW, LATER, (const unsigned char *)"seventeen letters", 17);
    assert_false(sso_memo_get(memo, key, 9, SSO_TEST_NOW, unit_pool, &data, &len));
}

/* A flood of others drives entries out; the room stays, and what would live longest stays longest. */
static void test_memo_takes_a_flood_in_the_same_room(void **state)
{
    (void)state;
    sso_memo_t *memo = memo_make();
    put(memo, 0, 1, LATER + SECOND, "lives longest");
    unsigned kept = 0;
    for (unsigned i = 1; i <= 20 * PLACES; i++) {
        put(memo, i, 1, LATER, "flood");
    }
    for (unsigned i = 1; i <= 20 * PLACES; i++) {
        kept += get(memo, i, 1, SSO_TEST_NOW) != NULL ? 1U : 0U;
    }
    assert_in_range(kept, PLACES / 2, PLACES - 1);
    assert_string_equal(get(memo, 0, 1, SSO_TEST_NOW), "lives longest");
}

/* ---- threads ---- */

#define WRITERS 3
#define READERS 3
#define ROUNDS 20000
#define FEW_KEYS 3

typedef struct {
    sso_memo_t *memo;
    unsigned char keys[FEW_KEYS][SSO_SHA256_BYTES];
    _Atomic int hits, torn;
} crowd_t;

/* Each value is one byte over and over, of a length that tells which. */
static void *write_rounds(void *data)
{
    crowd_t *crowd = data;
    unsigned char value[SSO_MAX_MEMO_BYTES];
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned byte = i % 200 + 1;
        memset(value, (int)byte, sizeof(value));
        sso_memo_put(crowd->memo, crowd->keys[i % FEW_KEYS], 1, SSO_TEST_NOW, LATER, value, byte * 9);
    }
    return NULL;
}

static void *read_rounds(void *data)
{
    crowd_t *crowd = data;
    apr_pool_t *pool;
    assert_int_equal(apr_pool_create_unmanaged_ex(&pool, NULL, NULL), APR_SUCCESS);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const unsigned char *got;
        apr_size_t len;
        if (!sso_memo_get(crowd->memo, crowd->keys[i % FEW_KEYS], 1, SSO_TEST_NOW, pool, &got, &len)) {
            continue;
        }
        atomic_fetch_add(&crowd->hits, 1);
        for (apr_size_t at = 0; at < len; at++) {
            if (len != got[0] * 9U || got[at] != got[0]) {
                atomic_fetch_add(&crowd->torn, 1);
                break;
            }
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_memo_readers_never_see_half_a_write(void **state)
{
    (void)state;
    crowd_t crowd = {.memo = memo_make()};
    pthread_t threads[WRITERS + READERS];
    for (unsigned i = 0; i < FEW_KEYS; i++) {
        key_of(i, crowd.keys[i]);
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < WRITERS ? write_rounds : read_rounds, &crowd), 0);
    }
    for (int i = 0; i < WRITERS + READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    (void)read_rounds(&crowd);
    assert_true(atomic_load(&crowd.hits) >= ROUNDS);
    assert_int_equal(atomic_load(&crowd.torn), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_memo_gives_what_was_put),
        unit_test(test_memo_forgets_at_the_end_and_with_another_stamp),
        unit_test(test_memo_keeps_no_more_than_its_bound),
        unit_test(test_memo_wipes_what_it_replaces),
        unit_test(test_memo_has_the_room_that_was_asked_for),
        unit_test(test_memo_takes_a_flood_in_the_same_room),
        unit_test(test_memo_readers_never_see_half_a_write),
    };
    return unit_run(tests);
}
