/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/trial.c: a test sign-in is judged as any other, and leaves nothing behind. */
#include "flow/trial.h"

#include <string.h>

#include "unit.h"

#include "site.h"

#define PAGE "/.entra/test"

/* An administrator, signed in, where the page is on. */
static site_browser_t *administrator(void)
{
    site_browser_t *browser = site_browser();
    site_world->site.trials = true;
    assert_page("/", site_sign_in(browser, "/"));
    return browser;
}

static sso_answer_t begin(site_browser_t *browser, bool other)
{
    sso_answer_t answer;
    sso_request_t request = site_request(browser, "POST", NULL);
    sso_fault_clear(&unit_ctx);
    sso_trial_start(&unit_ctx, &site_world->site, &request, other, &answer);
    site_keep_cookies(browser, answer.cookies);
    assert_to_entra(answer);
    return answer;
}

static sso_answer_t try(site_browser_t *browser)
{
    return site_call_back(browser, site_entra_signs_in(begin(browser, false).location));
}

static int sessions(void)
{
    const sso_store_which_t all = {.app = NULL};
    apr_array_header_t *found = apr_array_make(unit_pool, 4, sizeof(sso_stored_t));
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, site_world->site.store, &all, 100, found));
    return found->nelts;
}

static void test_trial_brings_claims_and_the_record_that_would_be(void **state)
{
    (void)state;
    sso_answer_t answer = try(administrator());
    assert_int_equal(answer.kind, SSO_ANSWER_TRIAL);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_true(answer.trial->complete);
    assert_string_equal(sso_json_get_text(answer.trial->claims, "oid"), FIXTURE_OID);
    assert_string_equal(answer.trial->kid, SITE_KID);
    assert_string_equal(answer.trial->record.oid, FIXTURE_OID);
    assert_true(answer.trial->record.renewable);
    assert_true(answer.trial->record.ends > unit_ctx.now);
    assert_int_equal(answer.trial->cookie_parts, 1);
    assert_in_range(answer.trial->cookie_bytes, 100, SSO_COOKIE_CHUNK);
    assert_non_null(answer.correlation_id);
}

static void test_trial_leaves_no_cookie_and_no_row(void **state)
{
    (void)state;
    sso_record_t before;
    sso_record_t after;
    site_browser_t *browser = administrator();
    assert_rc(SSO_OK, site_session(browser, &before));
    assert_int_equal(sessions(), 1);
    sso_answer_t answer = try(browser);
    assert_false(answer.signed_in);
    assert_int_equal(answer.cookies->nelts, 0);
    assert_int_equal(sessions(), 1);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_memory_equal(before.id, after.id, sizeof(before.id));
}

static void test_trial_often_is_no_loop(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(try(browser).kind, SSO_ANSWER_TRIAL);
    }
}

static void test_trial_with_another_account_lets_choose(void **state)
{
    (void)state;
    const char *location = begin(administrator(), true).location;
    assert_string_equal(site_param(location, "prompt"), "select_account");
    assert_null(site_param(location, "login_hint"));
    location = begin(administrator(), false).location;
    assert_null(site_param(location, "prompt"));
}

static void test_trial_of_another_browser_is_not_redeemed(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *query = site_entra_signs_in(begin(browser, false).location);
    int calls = site_token_calls();
    assert_to_entra(site_call_back(site_browser(), query));
    assert_int_equal(site_token_calls(), calls);
    /* Another one's session does not help. */
    site_browser_t *stranger = administrator();
    calls = site_token_calls();
    assert_to_entra(site_call_back(stranger, query));
    assert_int_equal(site_token_calls(), calls);
}

static void test_trial_without_the_session_goes_back_to_the_page(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *query = site_entra_signs_in(begin(browser, false).location);
    apr_table_unset(browser->jar, "__Host-Entra-Session");
    int calls = site_token_calls();
    assert_page(PAGE, site_call_back(browser, query));
    assert_int_equal(site_token_calls(), calls);
}

static void test_trial_where_the_page_is_off_is_refused(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *query = site_entra_signs_in(begin(browser, false).location);
    site_world->site.trials = false;
    int calls = site_token_calls();
    assert_fault(SSO_R_TRIAL_OFF, site_call_back(browser, query));
    assert_int_equal(site_token_calls(), calls);
}

static void test_trial_that_is_too_old_begins_anew(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *query = site_entra_signs_in(begin(browser, false).location);
    unit_ctx.now += SSO_STATE_LIFE + 1;
    sso_answer_t answer = site_call_back(browser, query);
    assert_to_entra(answer);
    /* As a sign-in whose page is the test page. */
    assert_page(PAGE, site_call_back(browser, site_entra_signs_in(answer.location)));
}

static void test_trial_that_entra_refuses_is_a_report_with_the_fault(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *sent = begin(browser, false).location;
    sso_answer_t answer =
        site_call_back(browser, apr_pstrcat(unit_pool, "error=access_denied&error_description=AADSTS50105%3A+x&state=",
                                            site_param(sent, "state"), NULL));
    assert_int_equal(answer.kind, SSO_ANSWER_TRIAL);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_AUTHORIZE_DENIED);
    assert_int_equal(unit_ctx.fault.aadsts, 50105);
    assert_false(answer.trial->complete);
    assert_null(answer.trial->claims);
}

static void test_trial_with_a_wrong_token_shows_no_claim(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const fixture_claim_t other[] = {{"aud", FIXTURE_QUOTED(FIXTURE_OTHER_TENANT)}, {NULL, NULL}};
    site_world->changes = other;
    sso_answer_t answer = try(browser);
    assert_int_equal(answer.kind, SSO_ANSWER_TRIAL);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_ID_AUD);
    assert_null(answer.trial->claims);
    assert_string_equal(answer.trial->kid, SITE_KID);
}

static void test_trial_twice_with_one_code_is_refused_by_entra(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    const char *query = site_entra_signs_in(begin(browser, false).location);
    assert_true(site_call_back(browser, query).trial->complete);
    sso_answer_t answer = site_call_back(browser, query);
    assert_int_equal(answer.kind, SSO_ANSWER_TRIAL);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_TOKEN_GRANT);
}

static void test_trial_whose_session_is_too_large_has_no_cookie(void **state)
{
    (void)state;
    site_browser_t *browser = administrator();
    site_world->site.session.max_cookie = 50;
    sso_answer_t answer = try(browser);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_true(answer.trial->complete);
    assert_int_equal(answer.trial->cookie_bytes, 0);
}

static void test_trial_page_is_one_to_come_back_to_where_it_is_on(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    site_world->site.trials = true;
    assert_page(PAGE, site_sign_in(browser, PAGE));
    site_world->site.trials = false;
    assert_page("/", site_sign_in(site_browser(), PAGE));
    site_world->site.trials = true;
    assert_page("/", site_sign_in(site_browser(), PAGE "/x"));
    assert_page("/", site_sign_in(site_browser(), "/.entra/login"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_trial_brings_claims_and_the_record_that_would_be),
        site_test(test_trial_leaves_no_cookie_and_no_row),
        site_test(test_trial_often_is_no_loop),
        site_test(test_trial_with_another_account_lets_choose),
        site_test(test_trial_of_another_browser_is_not_redeemed),
        site_test(test_trial_without_the_session_goes_back_to_the_page),
        site_test(test_trial_where_the_page_is_off_is_refused),
        site_test(test_trial_that_is_too_old_begins_anew),
        site_test(test_trial_that_entra_refuses_is_a_report_with_the_fault),
        site_test(test_trial_with_a_wrong_token_shows_no_claim),
        site_test(test_trial_twice_with_one_code_is_refused_by_entra),
        site_test(test_trial_whose_session_is_too_large_has_no_cookie),
        site_test(test_trial_page_is_one_to_come_back_to_where_it_is_on),
    };
    return site_run(tests);
}
