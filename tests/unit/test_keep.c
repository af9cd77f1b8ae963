/* SPDX-License-Identifier: Apache-2.0 */
/* The row of a session: made with it, made stronger with it, and never brought back to life. */
#include "flow/keep.h"

#include "unit.h"

#include "site.h"

static sso_record_t record_of(unsigned char number)
{
    sso_record_t record = {.sid = "sid",
                           .tid = FIXTURE_TENANT,
                           .oid = "11111111-0000-4000-8000-000000000001",
                           .username = "ada@example.com",
                           .created = unit_ctx.now,
                           .ends = unit_ctx.now + 8 * SITE_HOUR,
                           .revalidated = unit_ctx.now};
    memset(record.id, number, sizeof(record.id));
    return record;
}

/* The stored refresh token in clear; "" for none. */
static const char *token_of(const sso_record_t *record)
{
    sso_stored_t row;
    bool found = false;
    unsigned char *token;
    apr_size_t len;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record->id, &row, &found));
    assert_true(found);
    if (*row.refresh == '\0') {
        return "";
    }
    assert_rc(SSO_OK, sso_session_unseal(&unit_ctx, &site_world->site.session, SSO_PURPOSE_REFRESH, record->id,
                                         row.refresh, &token, &len));
    return (const char *)token;
}

static void test_keep_new_session_has_a_row(void **state)
{
    (void)state;
    sso_record_t record = record_of(1);
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){.refresh_token = "first"},
                                   unit_ctx.now));
    assert_string_equal(token_of(&record), "first");
    record = record_of(2);
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){NULL}, unit_ctx.now));
    assert_string_equal(token_of(&record), "");
}

static void test_keep_dates_the_sign_in_by_entra(void **state)
{
    (void)state;
    const apr_interval_time_t skew = site_world->site.skew;
    const struct {
        apr_time_t auth_time;
        apr_time_t issued; /* before now */
        apr_time_t expected;
    } rows[] = {{0, 0, SSO_TEST_NOW},
                {0, skew / 2, SSO_TEST_NOW - skew / 2},
                {0, -skew / 2, SSO_TEST_NOW + skew / 2},
                /* Our clock is ahead by far: a revocation of this moment must not pass by. */
                {0, SITE_HOUR, SSO_TEST_NOW - SITE_HOUR},
                /* A date that nobody believes makes no session younger. */
                {0, -SITE_HOUR, SSO_TEST_NOW},
                {SSO_TEST_NOW - 2 * SITE_HOUR, SITE_HOUR, SSO_TEST_NOW - 2 * SITE_HOUR}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record = record_of((unsigned char)(i + 1));
        const sso_tokens_t tokens = {.issued = rows[i].issued == 0 ? 0 : SSO_TEST_NOW - rows[i].issued};
        sso_stored_t row;
        bool found;
        record.auth_time = rows[i].auth_time;
        assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &tokens, unit_ctx.now));
        assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record.id, &row, &found));
        assert_int_equal(row.signed_in, rows[i].expected);
    }
}

static void test_keep_without_a_store_is_a_fault(void **state)
{
    (void)state;
    sso_record_t record = record_of(1);
    bool kept = true;
    site_world->site.store = NULL;
    assert_rc(SSO_R_STORE_AWAY, sso_keep_new(&unit_ctx, &site_world->site, &record,
                                             &(sso_tokens_t){.refresh_token = "first"}, unit_ctx.now));
    assert_rc(SSO_R_STORE_AWAY, sso_keep_stronger(&unit_ctx, &site_world->site, &record,
                                                  &(sso_tokens_t){.refresh_token = "first"}, &kept));
}

static void test_keep_stronger_takes_the_new_token_and_stops_a_renewal(void **state)
{
    (void)state;
    sso_record_t record = record_of(1);
    const char *claim = NULL;
    bool kept = false;
    sso_store_t *store = site_world->site.store;
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){NULL}, unit_ctx.now));
    assert_rc(SSO_OK, sso_store_claim(&unit_ctx, store, record.id, unit_ctx.now, SITE_MINUTE, &claim));
    assert_non_null(claim);
    record.sid = "another";
    record.revalidated += SITE_MINUTE;
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site_world->site, &record,
                                        &(sso_tokens_t){.refresh_token = "second"}, &kept));
    assert_true(kept);
    assert_true(record.renewable);
    assert_string_equal(token_of(&record), "second");
    sso_stored_t row;
    bool found;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, store, record.id, &row, &found));
    assert_string_equal(row.sid, "another");
    assert_int_equal(row.revalidated, record.revalidated);
    assert_int_equal(row.ends, SSO_TEST_NOW + 8 * SITE_HOUR);
    /* What the renewal brings is of the old token. */
    assert_rc(SSO_OK, sso_store_renewed(&unit_ctx, store, record.id, claim,
                                        &(sso_store_result_t){"sealed", "identity", NULL}, &kept));
    assert_false(kept);
    assert_string_equal(token_of(&record), "second");
    /* Without a new token the old one stays. */
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){NULL}, &kept));
    assert_true(kept);
    assert_string_equal(token_of(&record), "second");
}

static void test_keep_stronger_brings_no_ended_session_back(void **state)
{
    (void)state;
    sso_record_t record = record_of(1);
    sso_store_which_t which = {.id = record.id};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    bool kept = true;
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){.refresh_token = "none"},
                                        &kept));
    assert_false(kept);
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){.refresh_token = "first"},
                                   unit_ctx.now));
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, site_world->site.store, &which, "test", "tester", ended));
    kept = true;
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site_world->site, &record,
                                        &(sso_tokens_t){.refresh_token = "second"}, &kept));
    assert_false(kept);
    assert_string_equal(token_of(&record), "");
}

static void test_keep_stronger_is_of_one_user_and_application(void **state)
{
    (void)state;
    sso_record_t record = record_of(1);
    bool kept = true;
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, &site_world->site, &record, &(sso_tokens_t){.refresh_token = "first"},
                                   unit_ctx.now));
    sso_record_t other = record;
    other.oid = "22222222-0000-4000-8000-000000000002";
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site_world->site, &other,
                                        &(sso_tokens_t){.refresh_token = "second"}, &kept));
    assert_false(kept);
    sso_site_t site = site_world->site;
    site.app = "ffffffffffffffffffffffffffffffff";
    kept = true;
    assert_rc(SSO_OK, sso_keep_stronger(&unit_ctx, &site, &record, &(sso_tokens_t){.refresh_token = "second"}, &kept));
    assert_false(kept);
    assert_string_equal(token_of(&record), "first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_keep_new_session_has_a_row),
        site_test(test_keep_dates_the_sign_in_by_entra),
        site_test(test_keep_without_a_store_is_a_fault),
        site_test(test_keep_stronger_takes_the_new_token_and_stops_a_renewal),
        site_test(test_keep_stronger_brings_no_ended_session_back),
        site_test(test_keep_stronger_is_of_one_user_and_application),
    };
    return site_run(tests);
}
