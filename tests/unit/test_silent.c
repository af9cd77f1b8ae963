/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/silent.c: a session without a refresh token is renewed by way of the browser, unseen, or ends. */
#include "flow/silent.h"

#include <string.h>

#include "unit.h"

#include "base/counters.h"
#include "site.h"

static const char *const PAGE[] = {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", NULL};

/* Signed in without a refresh token, and due. */
static site_browser_t *due_browser(sso_record_t *ret_record)
{
    site_browser_t *browser = site_browser();
    browser->headers = PAGE;
    site_world->site.session.freshness = (sso_freshness_t){5 * SITE_MINUTE, SITE_HOUR};
    site_world->no_refresh_token = true;
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, ret_record));
    assert_false(ret_record->renewable);
    unit_ctx.now += 5 * SITE_MINUTE + 1;
    return browser;
}

static bool is_due(const site_browser_t *browser, const char *method, const sso_record_t *record, sso_wishes_t *wishes)
{
    sso_request_t request = site_request(browser, method, NULL);
    bool due = sso_silent_is_due(&unit_ctx, &site_world->site, &request, record, wishes);
    sso_fault_clear(&unit_ctx);
    return due;
}

/* A page is opened, and the browser sent to Entra. */
static sso_answer_t go(site_browser_t *browser, const sso_record_t *record)
{
    sso_wishes_t wishes;
    sso_answer_t answer;
    sso_request_t request = site_request(browser, "GET", NULL);
    assert_true(is_due(browser, "GET", record, &wishes));
    sso_signin_start(&unit_ctx, &site_world->site, &request, "/page?x=1", &wishes, &answer);
    site_keep_cookies(browser, answer.cookies);
    return answer;
}

static sso_answer_t come_back_with(site_browser_t *browser, const sso_answer_t *sent, const char *error)
{
    return site_call_back(
        browser, apr_pstrcat(unit_pool, "error=", error, "&state=", site_param(sent->location, "state"), NULL));
}

static void test_silent_is_for_pages_of_old_sessions_alone(void **state)
{
    (void)state;
    sso_record_t record;
    sso_wishes_t wishes;
    site_browser_t *browser = due_browser(&record);
    assert_true(is_due(browser, "GET", &record, &wishes));
    assert_true(sso_wishes_are_silent(&wishes));
    assert_false(is_due(browser, "POST", &record, &wishes));
    browser->headers = (const char *const[]){"Sec-Fetch-Mode", "cors", NULL};
    assert_false(is_due(browser, "GET", &record, &wishes));
    browser->headers = PAGE;
    sso_record_t other = record;
    other.renewable = true;
    assert_false(is_due(browser, "GET", &other, &wishes));
    unit_ctx.now -= SITE_MINUTE;
    assert_false(is_due(browser, "GET", &record, &wishes));
}

static void test_silent_renewal_keeps_the_session_and_its_end(void **state)
{
    (void)state;
    sso_record_t record;
    sso_record_t renewed;
    site_browser_t *browser = due_browser(&record);
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_answer_t sent = go(browser, &record);
    assert_string_equal(site_param(sent.location, "prompt"), "none");
    assert_page("/page?x=1", site_call_back(browser, site_entra_signs_in(sent.location)));
    assert_rc(SSO_OK, site_session(browser, &renewed));
    assert_memory_equal(renewed.id, record.id, sizeof(record.id));
    assert_int_equal(renewed.created, record.created);
    assert_int_equal(renewed.ends, record.ends);
    assert_int_equal(renewed.revalidated, unit_ctx.now);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_STARTED_SILENT), 1);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SILENT_OK), 1);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SIGNIN_OK), 0);
}

static void test_silent_callback_that_is_reloaded_goes_to_its_page(void **state)
{
    (void)state;
    sso_record_t record;
    site_browser_t *browser = due_browser(&record);
    sso_answer_t sent = go(browser, &record);
    const char *query = site_entra_signs_in(sent.location);
    assert_page("/page?x=1", site_call_back(browser, query));
    int calls = site_token_calls();
    assert_page("/page?x=1", site_call_back(browser, query));
    assert_int_equal(site_token_calls(), calls);
}

/* Entra wants its user: every copy of the cookie is dead, and a sign-in that shows something follows. */
static void test_silent_refusal_ends_the_session(void **state)
{
    static const char *const errors[] = {"login_required", "interaction_required", "consent_required", "access_denied"};
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        sso_record_t record;
        unit_ctx.now = SSO_TEST_NOW;
        site_browser_t *browser = due_browser(&record);
        sso_answer_t sent = go(browser, &record);
        sso_answer_t answer = come_back_with(browser, &sent, errors[i]);
        assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
        assert_null(site_param(answer.location, "prompt"));
        assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
        assert_page("/page?x=1", site_call_back(browser, site_entra_signs_in(answer.location)));
        sso_record_t fresh;
        assert_rc(SSO_OK, site_session(browser, &fresh));
        assert_int_not_equal(memcmp(fresh.id, record.id, sizeof(fresh.id)), 0);
    }
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SILENT_REFUSED), sizeof(errors) / sizeof(errors[0]));
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_ENDED_REVALIDATION),
                     sizeof(errors) / sizeof(errors[0]));
}

static void test_silent_refusal_without_a_session_signs_in_and_is_no_loop(void **state)
{
    (void)state;
    sso_record_t record;
    site_browser_t *browser = due_browser(&record);
    sso_answer_t sent = go(browser, &record);
    assert_to_entra(come_back_with(browser, &sent, "login_required"));
    sso_answer_t again = come_back_with(browser, &sent, "login_required");
    assert_to_entra(again);
    assert_null(again.ended_cause);
    /* One that was begun again for its age has rounds left, but not for ever. */
    for (int i = 1; i < SSO_MAX_ATTEMPTS; i++) {
        unit_ctx.now += SSO_STATE_LIFE + 1;
        sent = come_back_with(browser, &sent, "login_required");
        assert_string_equal(site_param(sent.location, "prompt"), "none");
    }
    assert_fault(SSO_R_SIGNIN_LOOP, come_back_with(browser, &sent, "login_required"));
}

/* An outage is no refusal: the page is shown, and the next one does not try again at once. */
static void test_silent_failure_lets_the_session_go_on(void **state)
{
    static const char *const errors[] = {"temporarily_unavailable", "server_error", "invalid_request"};
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        sso_record_t record;
        sso_wishes_t wishes;
        unit_ctx.now = SSO_TEST_NOW;
        site_browser_t *browser = due_browser(&record);
        sso_answer_t sent = go(browser, &record);
        assert_page("/page?x=1", come_back_with(browser, &sent, errors[i]));
        sso_record_t after;
        assert_rc(SSO_OK, site_session(browser, &after));
        assert_int_equal(after.revalidated, record.revalidated);
        assert_false(is_due(browser, "GET", &record, &wishes));
        unit_ctx.now += 2 * SITE_MINUTE;
        assert_true(is_due(browser, "GET", &record, &wishes));
    }
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SILENT_LATER), sizeof(errors) / sizeof(errors[0]));
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SILENT_REFUSED), 0);
}

static void test_silent_renewal_by_another_user_is_refused(void **state)
{
    static const fixture_claim_t other[] = {{"oid", "\"22222222-2222-4000-8000-333333333333\""}, {NULL, NULL}};
    (void)state;
    sso_record_t record;
    site_browser_t *browser = due_browser(&record);
    sso_answer_t sent = go(browser, &record);
    site_world->changes = other;
    assert_fault(SSO_R_STEPUP_ACCOUNT, site_call_back(browser, site_entra_signs_in(sent.location)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_silent_is_for_pages_of_old_sessions_alone),
        site_test(test_silent_renewal_keeps_the_session_and_its_end),
        site_test(test_silent_callback_that_is_reloaded_goes_to_its_page),
        site_test(test_silent_refusal_ends_the_session),
        site_test(test_silent_refusal_without_a_session_signs_in_and_is_no_loop),
        site_test(test_silent_failure_lets_the_session_go_on),
        site_test(test_silent_renewal_by_another_user_is_refused),
    };
    return site_run(tests);
}
