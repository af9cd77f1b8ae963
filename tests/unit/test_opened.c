/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/opened.c: a record is given again for the very same cookie, application and keys, and for nothing
 * else; nothing of it stays behind. */
#include "session/opened.h"

#include <string.h>

#include "unit.h"

#include "base/limits.h"
#include "lists.h"

static const char cookie[] = "AXq3-sealed_text";
static const int application, other_application, keys, other_keys;

/* Of texts that the test may change afterwards. */
static sso_record_t record_of(char *name)
{
    sso_record_t record = {
        .id = {1, 2, 3},
        .created = 1,
        .ends = 2,
        .sid = "s",
        .tid = "t",
        .oid = "o",
        .username = "ada@contoso.example",
        .name = name,
        .email = "",
        .login_hint = "",
        .roles = list_of(TEXTS("reader", "writer")),
    };
    return record;
}

static bool get(const sso_opened_t *opened, const char *text, sso_record_t *record)
{
    return sso_opened_get(opened, &unit_ctx, &application, &keys, text, strlen(text), record);
}

static void set(sso_opened_t *opened, const char *text, char *name)
{
    sso_record_t record = record_of(name);
    sso_opened_set(opened, &application, &keys, text, strlen(text), &record);
}

static void test_opened_record_is_given_again_for_the_same_cookie(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t got;
    char name[] = "Ada", text[] = "AXq3-sealed_text";
    assert_false(get(&opened, cookie, &got));
    set(&opened, text, name);
    /* It holds copies: neither of what it was given... */
    memset(name, 'x', sizeof(name) - 1);
    memset(text, 'x', sizeof(text) - 1);
    assert_true(get(&opened, cookie, &got));
    assert_string_equal(got.name, "Ada");
    assert_string_equal(got.username, "ada@contoso.example");
    assert_int_equal(got.id[2], 3);
    assert_true(sso_list_has(&got.roles, "writer"));
    /* ... nor of what stands there later is a record that was given a part. */
    char other[] = "Bob";
    set(&opened, "another", other);
    assert_string_equal(got.name, "Ada");
    assert_false(get(&opened, cookie, &got));
    assert_true(get(&opened, "another", &got));
    assert_string_equal(got.name, "Bob");
}

static void test_opened_record_is_for_no_other_cookie_application_or_keys(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t got;
    char name[] = "Ada", changed[sizeof(cookie)];
    set(&opened, cookie, name);
    for (size_t i = 0; i < sizeof(cookie) - 1; i++) {
        memcpy(changed, cookie, sizeof(cookie));
        changed[i] ^= 1;
        assert_false(get(&opened, changed, &got));
        changed[i] = '\0';
        assert_false(get(&opened, changed, &got));
    }
    assert_false(get(&opened, "AXq3-sealed_text.", &got));
    assert_false(get(&opened, "", &got));
    apr_size_t len = strlen(cookie);
    assert_false(sso_opened_get(&opened, &unit_ctx, &other_application, &keys, cookie, len, &got));
    assert_false(sso_opened_get(&opened, &unit_ctx, &application, &other_keys, cookie, len, &got));
    assert_true(get(&opened, cookie, &got));
}

/* Every byte that the place had, of whatever moment. */
static void assert_forgotten(const unsigned char *bytes, apr_size_t size, const char *text)
{
    for (apr_size_t i = 0; i + strlen(text) <= size; i++) {
        assert_int_not_equal(memcmp(bytes + i, text, strlen(text)), 0);
    }
}

static void test_opened_record_is_wiped_when_another_takes_its_place(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    char name[] = "Ada Lovelace, Countess", small[] = "B";
    set(&opened, "a cookie of some length", name);
    const unsigned char *bytes = opened.bytes;
    apr_size_t size = opened.size;
    set(&opened, "short", small);
    assert_ptr_equal(opened.bytes, bytes);
    assert_forgotten(bytes, size, "Countess");
    assert_forgotten(bytes, size, "of some length");
}

static apr_status_t look(void *opened)
{
    const sso_opened_t *place = opened;
    assert_forgotten(place->bytes, place->size, "Countess");
    assert_forgotten(place->bytes, place->size, cookie);
    *(bool *)(uintptr_t)place->whose = true;
    return APR_SUCCESS;
}

static void test_opened_record_is_wiped_with_the_pool(void **state)
{
    (void)state;
    bool looked = false;
    char name[] = "Ada Lovelace, Countess";
    apr_pool_t *pool;
    assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
    sso_opened_t opened = {.pool = pool};
    /* The first to be registered is the last to run, before the memory goes. */
    apr_pool_cleanup_register(pool, &opened, look, apr_pool_cleanup_null);
    set(&opened, cookie, name);
    opened.whose = &looked;
    apr_pool_destroy(pool);
    assert_true(looked);
}

static void test_opened_record_over_the_bound_is_not_kept(void **state)
{
    (void)state;
    static char text[SSO_MAX_OPENED + 1];
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t got;
    char name[] = "Ada";
    memset(text, 'a', sizeof(text) - 1);
    set(&opened, cookie, name);
    set(&opened, text, name);
    assert_false(get(&opened, text, &got));
    assert_false(get(&opened, cookie, &got));
    assert_true(opened.size <= SSO_MAX_OPENED);
    set(&opened, text + SSO_MAX_OPENED / 2, name);
    assert_true(get(&opened, text + SSO_MAX_OPENED / 2, &got));
}

static void test_opened_place_does_not_grow_with_each_cookie(void **state)
{
    (void)state;
    static char text[SSO_MAX_OPENED + 1];
    sso_opened_t opened = {.pool = unit_pool};
    char name[] = "Ada";
    apr_size_t all = 0, last = 0;
    memset(text, 'a', sizeof(text) - 1);
    for (size_t len = 1; len < SSO_MAX_OPENED; len++) {
        set(&opened, text + sizeof(text) - 1 - len, name);
        all += opened.size != last ? opened.size : 0;
        last = opened.size;
    }
    assert_true(all <= 4 * (apr_size_t)SSO_MAX_OPENED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_opened_record_is_given_again_for_the_same_cookie),
        unit_test(test_opened_record_is_for_no_other_cookie_application_or_keys),
        unit_test(test_opened_record_is_wiped_when_another_takes_its_place),
        unit_test(test_opened_record_is_wiped_with_the_pool),
        unit_test(test_opened_record_over_the_bound_is_not_kept),
        unit_test(test_opened_place_does_not_grow_with_each_cookie),
    };
    return unit_run(tests);
}
