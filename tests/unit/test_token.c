/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: shown once, kept as a hash, each for one application. */
#include "directory/token.h"

#include "unit.h"

#include "service.h"

static sso_rc check(const char *token, const char *app)
{
    const char *id = NULL;
    return sso_scim_token_check(&unit_ctx, service.ending.store, app, apr_pstrcat(unit_pool, "Bearer ", token, NULL),
                                &id);
}

static void test_token_is_judged(void **state)
{
    (void)state;
    const char *id;
    assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    assert_rc(SSO_R_SCIM_TOKEN_OTHER, check(service_token, SERVICE_OTHER_APP));
    assert_rc(SSO_R_SCIM_TOKEN_NONE, sso_scim_token_check(&unit_ctx, service.ending.store, SERVICE_APP, NULL, &id));
    char *wrong = apr_pstrdup(unit_pool, service_token);
    wrong[strlen(wrong) - 1] ^= 1;
    const char *const bad[] = {wrong,
                               "",
                               "x",
                               apr_pstrcat(unit_pool, service_token, "x", NULL),
                               apr_pstrmemdup(unit_pool, service_token, strlen(service_token) - 1),
                               "entra_scim_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, check(bad[i], SERVICE_APP));
        assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, check(bad[i], SERVICE_OTHER_APP));
    }
}

static void test_token_expires_after_a_year(void **state)
{
    (void)state;
    unit_ctx.now += SSO_SCIM_TOKEN_LIFE - 1;
    assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    unit_ctx.now += 1;
    assert_rc(SSO_R_SCIM_TOKEN_EXPIRED, check(service_token, SERVICE_APP));
    /* A node whose clock is ahead takes nothing that is good by the database's. */
    unit_ctx.now += apr_time_from_sec(40 * 86400);
    assert_rc(SSO_OK, sso_scim_purge(&unit_ctx, service.ending.store));
    assert_rc(SSO_R_SCIM_TOKEN_EXPIRED, check(service_token, SERVICE_APP));
    database_sql("UPDATE entra_scim_token SET expires = 1");
    assert_rc(SSO_OK, sso_scim_purge(&unit_ctx, service.ending.store));
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, check(service_token, SERVICE_APP));
}

static void test_token_new_one_ends_the_old(void **state)
{
    (void)state;
    const char *second;
    const char *third;
    sso_scim_token_t row;
    int ended = -1;
    sso_store_t *store = service.ending.store;
    assert_rc(SSO_OK, sso_scim_token_make(&unit_ctx, store, SERVICE_APP, apr_time_from_sec(60), &second, &row, &ended));
    assert_int_equal(ended, 1);
    assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    assert_rc(SSO_OK, check(second, SERVICE_APP));
    assert_rc(SSO_OK, sso_scim_token_make(&unit_ctx, store, SERVICE_OTHER_APP, 0, &third, &row, &ended));
    assert_int_equal(ended, 0);
    unit_ctx.now += apr_time_from_sec(61);
    assert_rc(SSO_R_SCIM_TOKEN_EXPIRED, check(service_token, SERVICE_APP));
    assert_rc(SSO_OK, check(second, SERVICE_APP));
    assert_rc(SSO_OK, sso_scim_token_make(&unit_ctx, store, SERVICE_APP, 0, &third, &row, &ended));
    assert_rc(SSO_R_SCIM_TOKEN_EXPIRED, check(second, SERVICE_APP));
}

static apr_time_t used(void)
{
    apr_array_header_t *tokens = apr_array_make(unit_pool, 1, sizeof(sso_scim_token_t));
    assert_rc(SSO_OK, sso_scim_token_list(&unit_ctx, service.ending.store, tokens));
    assert_int_equal(tokens->nelts, 1);
    assert_non_null(strstr(service_token, APR_ARRAY_IDX(tokens, 0, sso_scim_token_t).id));
    return APR_ARRAY_IDX(tokens, 0, sso_scim_token_t).used;
}

static void test_token_is_stored_as_a_hash_with_its_use(void **state)
{
    (void)state;
    bool found = false;
    assert_int_equal(used(), 0);
    assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    apr_time_t first = unit_ctx.now;
    assert_int_equal(used(), first);
    assert_int_equal(strlen(database_sql("SELECT hash FROM entra_scim_token")), 64);
    assert_null(strstr(service_token, database_sql("SELECT hash FROM entra_scim_token")));
    /* At most once a minute. */
    unit_ctx.now += apr_time_from_sec(59);
    assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    assert_int_equal(used(), first);
    const char *id = apr_pstrmemdup(unit_pool, service_token + strlen(SSO_SCIM_TOKEN_PREFIX), 16);
    assert_rc(SSO_OK, sso_scim_token_revoke(&unit_ctx, service.ending.store, id, &found));
    assert_true(found);
    assert_rc(SSO_OK, sso_scim_token_revoke(&unit_ctx, service.ending.store, id, &found));
    assert_false(found);
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, check(service_token, SERVICE_APP));
}

static sso_rc list(void)
{
    return sso_scim_token_list(&unit_ctx, service.ending.store, apr_array_make(unit_pool, 2, sizeof(sso_scim_token_t)));
}

/* SECURITY: who can write into the table by another way than ours gets nobody in. */
static void test_token_row_that_is_no_row_lets_nobody_in(void **state)
{
    (void)state;
    static const char *const columns[] = {"expires", "used"};
    if (database_is_pgsql()) {
        skip(); /* its columns take numbers alone */
    }
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        const char *was = database_sql(apr_psprintf(unit_pool, "SELECT %s FROM entra_scim_token", columns[i]));
        database_sql(apr_psprintf(unit_pool, "UPDATE entra_scim_token SET %s = '9x'", columns[i]));
        assert_rc(SSO_R_STORE_ROW, check(service_token, SERVICE_APP));
        assert_rc(SSO_R_STORE_ROW, list());
        database_sql(apr_psprintf(unit_pool, "UPDATE entra_scim_token SET %s = %s", columns[i], was));
        assert_rc(SSO_OK, check(service_token, SERVICE_APP));
    }
    database_sql("UPDATE entra_scim_token SET created = 'yesterday'");
    assert_rc(SSO_R_STORE_ROW, list());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_token_is_judged),
        service_test(test_token_row_that_is_no_row_lets_nobody_in),
        service_test(test_token_expires_after_a_year),
        service_test(test_token_new_one_ends_the_old),
        service_test(test_token_is_stored_as_a_hash_with_its_use),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
