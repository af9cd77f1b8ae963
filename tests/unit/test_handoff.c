/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-over: whole copies for threads and processes, wiping, and a writer that died over its work. */
#include "base/handoff.h"

#include "unit.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "base/limits.h"

static sso_handoff_t *shared_make(void)
{
    void *memory = mmap(NULL, sso_handoff_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void shared_drop(sso_handoff_t *handoff)
{
    munmap(handoff, sso_handoff_size());
}

static void test_handoff_zeroed_memory_holds_nothing(void **state)
{
    (void)state;
    sso_handoff_t *handoff = shared_make();
    const unsigned char *data;
    apr_size_t len;
    uint32_t generation;
    assert_int_equal(sso_handoff_generation(handoff), 0);
    assert_int_equal(sso_handoff_noted(handoff), 0);
    assert_false(sso_handoff_take(handoff, unit_pool, &data, &len, &generation));
    sso_handoff_clear(handoff);
    assert_int_equal(sso_handoff_generation(handoff), 0);
    shared_drop(handoff);
}

static void check_taken(const sso_handoff_t *handoff, const void *expected, apr_size_t expected_len)
{
    const unsigned char *data = NULL;
    apr_size_t len = 0;
    uint32_t generation = 0;
    assert_true(sso_handoff_take(handoff, unit_pool, &data, &len, &generation));
    assert_int_equal(generation, sso_handoff_generation(handoff));
    assert_int_equal(len, expected_len);
    assert_memory_equal(data, expected, len);
    assert_int_equal(data[len], '\0');
}

static void test_handoff_each_giving_replaces_the_one_before(void **state)
{
    (void)state;
    sso_handoff_t *handoff = shared_make();
    unsigned char *large = apr_palloc(unit_pool, SSO_MAX_HANDED + 1);
    memset(large, 'x', SSO_MAX_HANDED + 1);
    uint32_t last = 0;
    static const apr_size_t lens[] = {1, 7, 8, 9, 4096, SSO_MAX_HANDED, 3, 3};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        large[0] = (unsigned char)('a' + i);
        assert_true(sso_handoff_give(handoff, large, lens[i]));
        assert_int_not_equal(sso_handoff_generation(handoff), last);
        last = sso_handoff_generation(handoff);
        check_taken(handoff, large, lens[i]);
    }
    assert_false(sso_handoff_give(handoff, large, SSO_MAX_HANDED + 1));
    assert_false(sso_handoff_give(handoff, large, 0));
    check_taken(handoff, large, 3);
    shared_drop(handoff);
}

static bool has_text(const sso_handoff_t *handoff, const char *text)
{
    return memmem(handoff, sso_handoff_size(), text, strlen(text)) != NULL;
}

static void test_handoff_replaced_secret_is_wiped(void **state)
{
    (void)state;
    sso_handoff_t *handoff = shared_make();
    assert_true(sso_handoff_give(handoff, "first-secret", 12));
    assert_true(has_text(handoff, "first-secret"));
    assert_true(sso_handoff_give(handoff, "no2", 3));
    assert_false(has_text(handoff, "secret"));
    assert_true(has_text(handoff, "no2"));
    sso_handoff_clear(handoff);
    assert_false(has_text(handoff, "no2"));
    const unsigned char *data;
    apr_size_t len;
    uint32_t generation;
    assert_false(sso_handoff_take(handoff, unit_pool, &data, &len, &generation));
    assert_true(sso_handoff_give(handoff, "back", 4));
    check_taken(handoff, "back", 4);
    shared_drop(handoff);
}

static void test_handoff_note_is_taken_back_by_the_next_giving(void **state)
{
    (void)state;
    sso_handoff_t *handoff = shared_make();
    assert_true(sso_handoff_give(handoff, "a", 1));
    sso_handoff_note(handoff, SSO_TEST_NOW);
    assert_int_equal(sso_handoff_noted(handoff), SSO_TEST_NOW);
    check_taken(handoff, "a", 1);
    assert_true(sso_handoff_give(handoff, "b", 1));
    assert_int_equal(sso_handoff_noted(handoff), 0);
    shared_drop(handoff);
}

/* ---- readers beside a writer ---- */

#define LONG_LEN 20000
#define SHORT_LEN 24

/* Each giving is one byte repeated, so that half of two givings shows. */
static bool is_whole(const unsigned char *data, apr_size_t len)
{
    for (apr_size_t i = 1; i < len; i++) {
        if (data[i] != data[0]) {
            return false;
        }
    }
    return len == (data[0] % 2 == 0 ? LONG_LEN : SHORT_LEN);
}

/* Takes until the last giving is seen: 0, or what was wrong. */
static int read_until_the_end(const sso_handoff_t *handoff)
{
    for (;;) {
        const unsigned char *data = NULL;
        apr_size_t len = 0;
        uint32_t generation = 0;
        apr_pool_t *pool;
        apr_pool_create(&pool, NULL);
        bool taken = sso_handoff_take(handoff, pool, &data, &len, &generation);
        int result = !taken ? -1 : !is_whole(data, len) ? 1 : data[0] == 'z' ? 0 : -1;
        apr_pool_destroy(pool);
        if (result >= 0) {
            return result;
        }
    }
}

static void write_many(sso_handoff_t *handoff, int rounds)
{
    unsigned char data[LONG_LEN];
    for (int i = 0; i < rounds; i++) {
        memset(data, 'a' + i % 25, sizeof(data));
        sso_handoff_give(handoff, data, data[0] % 2 == 0 ? LONG_LEN : SHORT_LEN);
    }
    memset(data, 'z', sizeof(data));
    sso_handoff_give(handoff, data, LONG_LEN);
}

static void *reader_thread(void *handoff)
{
    return read_until_the_end(handoff) == 0 ? handoff : NULL;
}

static void test_handoff_threads_never_take_half(void **state)
{
    (void)state;
    pthread_t threads[3];
    sso_handoff_t *handoff = shared_make();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, handoff), 0);
    }
    write_many(handoff, 3000);
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, handoff);
    }
    shared_drop(handoff);
}

static void test_handoff_processes_never_take_half(void **state)
{
    (void)state;
    pid_t readers[3];
    sso_handoff_t *handoff = shared_make();
    for (int i = 0; i < 3; i++) {
        readers[i] = fork();
        assert_true(readers[i] >= 0);
        if (readers[i] == 0) {
            _exit(read_until_the_end(handoff));
        }
    }
    write_many(handoff, 3000);
    for (int i = 0; i < 3; i++) {
        int status = -1;
        assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
        assert_int_equal(status, 0);
    }
    shared_drop(handoff);
}

/* Whatever moment a writer is killed at, readers have a whole copy, and the next writer goes on. */
static void test_handoff_killed_writer_leaves_a_whole_copy(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        sso_handoff_t *handoff = shared_make();
        pid_t writer = fork();
        assert_true(writer >= 0);
        if (writer == 0) {
            for (;;) {
                write_many(handoff, 50);
            }
        }
        while (sso_handoff_generation(handoff) < 3) {
        }
        usleep((useconds_t)(round * 37));
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
        const unsigned char *data = NULL;
        apr_size_t len = 0;
        uint32_t generation = 0;
        assert_true(sso_handoff_take(handoff, unit_pool, &data, &len, &generation));
        assert_true(is_whole(data, len));
        assert_true(sso_handoff_give(handoff, "next", 4));
        check_taken(handoff, "next", 4);
        assert_true(sso_handoff_give(handoff, "and one", 7));
        check_taken(handoff, "and one", 7);
        shared_drop(handoff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_handoff_zeroed_memory_holds_nothing),
        unit_test(test_handoff_each_giving_replaces_the_one_before),
        unit_test(test_handoff_replaced_secret_is_wiped),
        unit_test(test_handoff_note_is_taken_back_by_the_next_giving),
        unit_test(test_handoff_threads_never_take_half),
        unit_test(test_handoff_processes_never_take_half),
        unit_test(test_handoff_killed_writer_leaves_a_whole_copy),
    };
    return unit_run(tests);
}
