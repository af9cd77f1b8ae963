/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of forms that wait: of one user, given out once, bounded. SQLite, or PostgreSQL with ENTRA_TEST_PGSQL. */
#include "session/posts.h"

#include "unit.h"

#include "base/limits.h"
#include "database.h"

#define APP "00112233445566778899aabbccddeeff"
#define OTHER_APP "ffeeddccbbaa99887766554433221100"
#define TENANT "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11"
#define ADA "11111111-0000-4000-8000-000000000001"
#define BOB "22222222-0000-4000-8000-000000000002"
#define MINUTE apr_time_from_sec(60)

static sso_post_key_t key_of(int number, const char *oid)
{
    sso_post_key_t key = {.app = APP, .tid = TENANT, .oid = oid};
    memset(key.id, number, sizeof(key.id));
    return key;
}

static bool add(sso_store_t *store, int number, const char *oid, const char *sealed)
{
    sso_post_key_t key = key_of(number, oid);
    bool kept = false;
    assert_rc(SSO_OK, sso_posts_add(&unit_ctx, store, &key, sealed, unit_ctx.now + 15 * MINUTE, &kept));
    return kept;
}

static const char *take(sso_store_t *store, int number, const char *oid)
{
    sso_post_key_t key = key_of(number, oid);
    const char *sealed = "untouched";
    assert_rc(SSO_OK, sso_posts_take(&unit_ctx, store, &key, &sealed));
    return sealed;
}

static void test_posts_form_is_given_out_once(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_true(add(store, 1, ADA, "sealed-1"));
    assert_true(add(store, 2, ADA, "sealed-2"));
    assert_string_equal(take(store, 1, ADA), "sealed-1");
    assert_null(take(store, 1, ADA));
    assert_string_equal(take(store, 2, ADA), "sealed-2");
    /* Nothing of it is left. */
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post WHERE sealed <> '' OR size <> 0"), "0");
}

static void test_posts_form_of_another_user_or_application_is_not_given_out(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_post_key_t key = key_of(1, ADA);
    const char *sealed = "untouched";
    assert_true(add(store, 1, ADA, "sealed-1"));
    assert_null(take(store, 1, BOB));
    key.app = OTHER_APP;
    assert_rc(SSO_OK, sso_posts_take(&unit_ctx, store, &key, &sealed));
    assert_null(sealed);
    key = key_of(1, ADA);
    key.tid = "99999999-0000-4000-8000-000000000009";
    assert_rc(SSO_OK, sso_posts_take(&unit_ctx, store, &key, &sealed));
    assert_null(sealed);
    /* And is still there for its own. */
    assert_string_equal(take(store, 1, ADA), "sealed-1");
}

static void test_posts_form_is_dropped_for_another_user_alone(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_post_key_t key = key_of(1, ADA);
    bool dropped = true;
    assert_true(add(store, 1, ADA, "sealed-1"));
    assert_rc(SSO_OK, sso_posts_drop_foreign(&unit_ctx, store, &key, &dropped));
    assert_false(dropped);
    key.app = OTHER_APP;
    key.oid = BOB;
    assert_rc(SSO_OK, sso_posts_drop_foreign(&unit_ctx, store, &key, &dropped));
    assert_false(dropped);
    key = key_of(1, BOB);
    assert_rc(SSO_OK, sso_posts_drop_foreign(&unit_ctx, store, &key, &dropped));
    assert_true(dropped);
    assert_null(take(store, 1, ADA));
    assert_rc(SSO_OK, sso_posts_drop_foreign(&unit_ctx, store, &key, &dropped));
    assert_false(dropped);
}

static void test_posts_form_waits_until_its_time_is_over(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_true(add(store, 1, ADA, "sealed-1"));
    assert_true(add(store, 2, ADA, "sealed-2"));
    unit_ctx.now += 15 * MINUTE - 1;
    assert_string_equal(take(store, 1, ADA), "sealed-1");
    unit_ctx.now += 1;
    assert_null(take(store, 2, ADA));
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post"), "0");
}

/* Another node's clock is ahead by far, and its forms take nobody else's away. */
static void test_posts_wait_by_the_databases_clock_too(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    unit_ctx.now = apr_time_now();
    assert_true(add(store, 1, ADA, "sealed-1"));
    unit_ctx.now += 9000 * MINUTE;
    assert_true(add(store, 2, BOB, "sealed-2"));
    assert_rc(SSO_OK, sso_store_purge(&unit_ctx, store));
    unit_ctx.now -= 9000 * MINUTE;
    assert_string_equal(take(store, 1, ADA), "sealed-1");
}

static void test_posts_user_has_a_bound_that_forms_given_out_count_for(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    for (int i = 1; i <= SSO_MAX_FORMS_OF_USER; i++) {
        assert_true(add(store, i, ADA, "sealed"));
        assert_string_equal(take(store, i, ADA), "sealed");
    }
    assert_false(add(store, 100, ADA, "sealed"));
    assert_null(take(store, 100, ADA));
    assert_true(add(store, 101, BOB, "sealed"));
    unit_ctx.now += 15 * MINUTE;
    assert_true(add(store, 102, ADA, "sealed"));
    /* The adding has tidied up. */
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post"), "1");
}

static void test_posts_all_together_have_a_bound(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    assert_true(add(store, 1, ADA, "sealed"));
    database_sql(apr_psprintf(unit_pool, "UPDATE entra_post SET size = %d", SSO_MAX_FORMS_BYTES - 6));
    assert_true(add(store, 2, BOB, "sealed"));
    assert_false(add(store, 3, BOB, "x"));
    assert_string_equal(take(store, 2, BOB), "sealed");
    assert_true(add(store, 3, BOB, "sealed"));
}

static void test_posts_largest_form_is_kept_whole_and_a_larger_one_refused(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_post_key_t key = key_of(2, ADA);
    char *sealed = apr_palloc(unit_pool, SSO_MAX_FORM_SEALED + 2);
    bool kept = true;
    memset(sealed, 'x', SSO_MAX_FORM_SEALED + 1);
    sealed[SSO_MAX_FORM_SEALED + 1] = '\0';
    assert_rc(SSO_R_STORE_TEXT, sso_posts_add(&unit_ctx, store, &key, sealed, unit_ctx.now + MINUTE, &kept));
    sso_fault_clear(&unit_ctx);
    sealed[SSO_MAX_FORM_SEALED] = '\0';
    assert_true(add(store, 1, ADA, sealed));
    assert_string_equal(take(store, 1, ADA), sealed);
}

static void test_posts_malformed_row_is_not_given_out(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_post_key_t key = key_of(1, ADA);
    const char *sealed = NULL;
    assert_true(add(store, 1, ADA, "sealed"));
    database_sql(
        apr_psprintf(unit_pool, "UPDATE entra_post SET sealed = '%s'",
                     (char *)memset(apr_pcalloc(unit_pool, SSO_MAX_FORM_SEALED + 2), 'x', SSO_MAX_FORM_SEALED + 1)));
    assert_rc(SSO_R_STORE_ROW, sso_posts_take(&unit_ctx, store, &key, &sealed));
    assert_null(sealed);
}

static void test_posts_key_that_is_none_is_refused(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    const char *sealed;
    bool done;
    for (int i = 0; i < 3; i++) {
        sso_post_key_t key = key_of(1, i == 0 ? "' OR 1 = 1 --" : ADA);
        key.app = i == 1 ? "app" : APP;
        key.tid = i == 2 ? "" : TENANT;
        sso_fault_clear(&unit_ctx);
        assert_rc(SSO_R_STORE_TEXT, sso_posts_add(&unit_ctx, store, &key, "sealed", unit_ctx.now + MINUTE, &done));
        sso_fault_clear(&unit_ctx);
        assert_rc(SSO_R_STORE_TEXT, sso_posts_take(&unit_ctx, store, &key, &sealed));
        sso_fault_clear(&unit_ctx);
        assert_rc(SSO_R_STORE_TEXT, sso_posts_drop_foreign(&unit_ctx, store, &key, &done));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        database_test(test_posts_form_is_given_out_once),
        database_test(test_posts_form_of_another_user_or_application_is_not_given_out),
        database_test(test_posts_form_is_dropped_for_another_user_alone),
        database_test(test_posts_form_waits_until_its_time_is_over),
        database_test(test_posts_wait_by_the_databases_clock_too),
        database_test(test_posts_user_has_a_bound_that_forms_given_out_count_for),
        database_test(test_posts_all_together_have_a_bound),
        database_test(test_posts_largest_form_is_kept_whole_and_a_larger_one_refused),
        database_test(test_posts_malformed_row_is_not_given_out),
        database_test(test_posts_key_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
