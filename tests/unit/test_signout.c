/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/signout.c: who may end a session, that it ends whatever Entra does, and where the browser lands. */
#include "flow/signout.h"

#include <string.h>

#include "unit.h"

#include "site.h"

static sso_answer_t sign_out(site_browser_t *browser, const char *method, const char *query)
{
    sso_answer_t answer;
    sso_request_t request = site_request(browser, method, query);
    sso_fault_clear(&unit_ctx);
    sso_signout(&unit_ctx, &site_world->site, &request, &answer);
    site_keep_cookies(browser, answer.cookies);
    return answer;
}

/* A browser that is signed in and sends these headers. */
static site_browser_t *signed_in(const char *const *headers)
{
    site_browser_t *browser = site_browser();
    assert_page("/", site_sign_in(browser, "/"));
    browser->headers = headers;
    return browser;
}

static bool has_session(const site_browser_t *browser)
{
    sso_record_t record;
    return site_session(browser, &record) == SSO_OK;
}

static const char *const SAME_ORIGIN[] = {"Sec-Fetch-Site", "same-origin", NULL};

/* ---- who may ---- */

static void test_signout_is_for_this_site_and_the_person_alone(void **state)
{
    static const struct {
        const char *method;
        const char *headers[7];
        bool ends;
    } rows[] = {
        /* Fetch Metadata decides where there is some. */
        {"POST", {"Sec-Fetch-Site", "same-origin"}, true},
        {"POST", {"Sec-Fetch-Site", "none"}, false},
        {"POST", {"Sec-Fetch-Site", "same-site"}, false},
        {"POST", {"Sec-Fetch-Site", "cross-site"}, false},
        {"GET", {"Sec-Fetch-Site", "same-origin"}, true},
        {"GET", {"Sec-Fetch-Site", "none"}, true},
        {"GET", {"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, true},
        {"GET", {"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "no-cors"}, false},
        {"GET", {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors"}, false},
        {"GET", {"Sec-Fetch-Site", "same-origin", "Sec-Purpose", "prefetch;prerender"}, false},
        {"GET", {"Sec-Fetch-Site", "same-origin", "Purpose", "prefetch"}, false},
        {"GET", {"Sec-Fetch-Site", "same-site"}, false},
        {"GET", {"Sec-Fetch-Site", "cross-site"}, false},
        {"GET", {"Sec-Fetch-Site", "SAME-ORIGIN"}, true},
        {"GET", {"Sec-Fetch-Site", "same-origin, same-origin"}, false},
        {"GET", {"Sec-Fetch-Site", "same-origin "}, false},
        {"GET", {"Sec-Fetch-Site", "invented"}, false},
        {"POST", {"Sec-Fetch-Site", "cross-site", "Origin", SITE_ORIGIN}, false},
        {"GET", {"Sec-Fetch-Site", "cross-site", "Referer", SITE_ORIGIN "/page"}, false},
        {"POST", {"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.test"}, true},
        /* Else Origin for POST. */
        {"POST", {"Origin", SITE_ORIGIN}, true},
        {"POST", {"Origin", "HTTPS://APP.EXAMPLE.COM:443"}, true},
        {"POST", {"Origin", "null"}, false},
        {"POST", {"Origin", ""}, false},
        {"POST", {"Origin", "https://evil.test"}, false},
        {"POST", {"Origin", "http://app.example.com"}, false},
        {"POST", {"Origin", "https://app.example.com:444"}, false},
        {"POST", {"Origin", "https://app.example.com.evil.test"}, false},
        {"POST", {"Origin", "https://evil-app.example.com"}, false},
        {"POST", {"Origin", SITE_ORIGIN " https://evil.test"}, false},
        {"POST", {"Referer", SITE_ORIGIN "/page"}, false},
        {"POST", {NULL}, false},
        /* And Referer for GET. */
        {"GET", {"Referer", SITE_ORIGIN "/page?a=b"}, true},
        {"GET", {"Referer", SITE_ORIGIN}, true},
        {"GET", {"Referer", "https://evil.test/" SITE_ORIGIN "/"}, false},
        {"GET", {"Referer", "https://app.example.com.evil.test/"}, false},
        {"GET", {"Referer", "https://app.example.com@evil.test/"}, false},
        {"GET", {"Referer", "https://evil.test\\@app.example.com/"}, false},
        {"GET", {"Referer", "http://app.example.com/"}, false},
        {"GET", {"Referer", "/page"}, false},
        {"GET", {"Referer", ""}, false},
        {"GET", {"Origin", SITE_ORIGIN}, false},
        {"GET", {"X-Requested-With", "XMLHttpRequest"}, false},
        {"GET", {NULL}, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = signed_in(rows[i].headers);
        sso_answer_t answer = sign_out(browser, rows[i].method, "rd=/bye");
        bool ended = !has_session(browser);
        if (ended != rows[i].ends) {
            unit_fail("%s %s: %s", rows[i].method, rows[i].headers[0], rows[i].headers[1]);
        }
        if (rows[i].ends) {
            assert_to_entra(answer);
            assert_int_equal(apr_table_elts(browser->jar)->nelts, 0);
        } else {
            assert_int_equal(answer.kind, SSO_ANSWER_CONFIRM);
            assert_string_equal(answer.retry_path, "/bye");
            assert_int_equal(answer.cookies->nelts, 0);
        }
    }
}

static void test_signout_by_another_method_is_refused(void **state)
{
    static const char *const methods[] = {"HEAD", "PUT", "DELETE", "OPTIONS", "post", "Get", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        site_browser_t *browser = signed_in(SAME_ORIGIN);
        sso_answer_t answer = sign_out(browser, methods[i], NULL);
        assert_fault(SSO_R_CALLBACK_METHOD, answer);
        assert_string_equal(answer.allow, "GET, POST");
        assert_true(has_session(browser));
    }
}

static void test_signout_of_a_malformed_query_is_refused(void **state)
{
    static const struct {
        const char *query;
        sso_rc rc;
    } rows[] = {
        {"rd=/a&rd=/b", SSO_R_QUERY_DUPLICATE},
        {"rd=%zz", SSO_R_QUERY_FORMAT},
        {"rd=/%00", SSO_R_QUERY_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = signed_in(SAME_ORIGIN);
        sso_fault_clear(&unit_ctx);
        sso_answer_t answer = sign_out(browser, "POST", rows[i].query);
        assert_fault(rows[i].rc, answer);
        assert_true(has_session(browser));
    }
}

static void test_signout_fault_is_its_own_and_not_of_the_session_before(void **state)
{
    (void)state;
    sso_answer_t answer;
    sso_request_t request = site_request(site_browser(), "PUT", NULL);
    (void)sso_fail(&unit_ctx, SSO_R_SESSION_IDLE, "last seen long ago");
    sso_signout(&unit_ctx, &site_world->site, &request, &answer);
    assert_fault(SSO_R_CALLBACK_METHOD, answer);
    sso_fault_clear(&unit_ctx);
    (void)sso_fail(&unit_ctx, SSO_R_SESSION_IDLE, "last seen long ago");
    request = site_request(site_browser(), "POST", "rd=%zz");
    sso_signout(&unit_ctx, &site_world->site, &request, &answer);
    assert_fault(SSO_R_QUERY_FORMAT, answer);
}

/* ---- what ends ---- */

/* A copy of what the browser holds now: what a thief took. */
static site_browser_t *copy_of(const site_browser_t *browser)
{
    site_browser_t *copy = site_browser();
    copy->jar = apr_table_copy(unit_pool, browser->jar);
    copy->headers = browser->headers;
    return copy;
}

static sso_rc session_of(const site_browser_t *browser)
{
    sso_record_t record;
    return site_session(browser, &record);
}

static void test_signout_ends_the_session_and_every_copy_of_its_cookie(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN), *other = signed_in(SAME_ORIGIN);
    site_browser_t *thief = copy_of(browser);
    sso_answer_t answer = sign_out(browser, "POST", NULL);
    assert_string_equal(answer.ended_cause, "sign-out");
    assert_string_equal(answer.ended_oid, FIXTURE_OID);
    assert_false(answer.ended_waits);
    assert_int_equal(session_of(thief), SSO_R_SESSION_ENDED);
    assert_int_equal(session_of(other), SSO_OK);
    sso_stored_t row;
    bool found;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, answer.record.id, &row, &found));
    assert_true(found && row.ended);
    assert_string_equal(row.refresh, "");
    /* It is nobody's any more: neither to end, nor to lend its name. */
    answer = sign_out(thief, "POST", NULL);
    assert_to_entra(answer);
    assert_null(answer.ended_cause);
    thief = copy_of(other);
    answer = sign_out(copy_of(browser), "POST", "everywhere=1");
    assert_null(answer.ended_cause);
    assert_int_equal(session_of(thief), SSO_OK);
}

static void test_signout_with_the_database_away_ends_the_session_here(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    site_browser_t *thief = copy_of(browser);
    site_world->site.store = NULL;
    sso_answer_t answer = sign_out(browser, "POST", NULL);
    assert_to_entra(answer);
    assert_true(answer.ended_waits);
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 0);
    assert_int_equal(session_of(thief), SSO_R_SESSION_ENDED);
}

/* Before the first look into the database nobody is let in, but whoever wants to be out is. */
static void test_signout_of_a_session_that_may_have_ended_ends_it(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    site_browser_t *thief = copy_of(browser);
    sso_ended_set_filled(site_world->site.ended, 0);
    assert_int_equal(session_of(browser), SSO_R_ENDED_UNKNOWN);
    assert_fault(SSO_R_SIGNOUT_EVERYWHERE, sign_out(browser, "POST", "everywhere=1"));
    sso_answer_t answer = sign_out(browser, "POST", NULL);
    assert_to_entra(answer);
    assert_string_equal(answer.ended_cause, "sign-out");
    assert_int_equal(session_of(thief), SSO_R_SESSION_ENDED);
}

static void test_signout_of_an_idle_session_ends_its_copies_in_use(void **state)
{
    (void)state;
    sso_record_t record;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    site_browser_t *thief = copy_of(browser);
    apr_array_header_t *lines = apr_array_make(unit_pool, 1, sizeof(const char *));
    unit_ctx.now += 50 * SITE_MINUTE;
    assert_int_equal(site_session(thief, &record), SSO_OK);
    record.seen = unit_ctx.now;
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, &record, 1, lines));
    site_keep_cookies(thief, lines);
    unit_ctx.now += 20 * SITE_MINUTE;
    assert_int_equal(session_of(browser), SSO_R_SESSION_IDLE);
    assert_int_equal(session_of(thief), SSO_OK);
    /* It has no say over others. */
    assert_null(sign_out(copy_of(browser), "POST", "everywhere=1").ended_cause);
    assert_int_equal(session_of(thief), SSO_OK);
    assert_string_equal(sign_out(browser, "POST", NULL).ended_cause, "sign-out");
    assert_int_equal(session_of(thief), SSO_R_SESSION_ENDED);
}

static void test_signout_that_can_be_noted_nowhere_says_so_and_keeps_the_cookie(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    unsigned char *table = (unsigned char *)(void *)site_world->site.ended;
    apr_size_t slots = SSO_ENDED_SLOTS * (apr_size_t)24;
    memset(table + sso_ended_size() - slots, 0x11, slots);
    site_world->site.store = NULL;
    sso_answer_t answer = sign_out(browser, "POST", "rd=/bye");
    assert_fault(SSO_R_SIGNOUT_LOST, answer);
    assert_int_equal(answer.cookies->nelts, 0);
    assert_string_equal(answer.retry_path, "/.entra/logout?rd=%2Fbye");
}

static void test_signout_everywhere_ends_all_of_this_user_in_this_application(void **state)
{
    (void)state;
    const fixture_claim_t bob[] = {{"oid", "\"22222222-3c44-4a1f-9f2e-6d8a0c1b2e3f\""}, {NULL}};
    site_browser_t *here = signed_in(SAME_ORIGIN), *phone = signed_in(SAME_ORIGIN);
    site_world->changes = bob;
    site_browser_t *bobs = signed_in(SAME_ORIGIN);
    site_world->changes = NULL;
    site_browser_t *thief = copy_of(here);
    const char *app = site_world->site.app;
    site_world->site.app = "00000000000000000000000000000000";
    site_browser_t *elsewhere = signed_in(SAME_ORIGIN);
    site_world->site.app = app;
    sso_answer_t answer = sign_out(here, "POST", "everywhere=1&rd=/bye");
    assert_to_entra(answer);
    assert_string_equal(answer.ended_cause, "sign-out everywhere");
    assert_int_equal(answer.ended->nelts, 2);
    assert_int_equal(session_of(thief), SSO_R_SESSION_ENDED);
    assert_int_equal(session_of(phone), SSO_R_SESSION_ENDED);
    assert_int_equal(session_of(bobs), SSO_OK);
    assert_int_equal(session_of(elsewhere), SSO_OK);
}

static void test_signout_everywhere_takes_a_button(void **state)
{
    (void)state;
    site_browser_t *here = signed_in(SAME_ORIGIN), *phone = signed_in(SAME_ORIGIN);
    static const char *const elsewhere[] = {"Sec-Fetch-Site", "cross-site", NULL};
    sso_answer_t answer = sign_out(here, "GET", "everywhere=1&rd=/bye");
    assert_int_equal(answer.kind, SSO_ANSWER_CONFIRM);
    assert_true(answer.asks_everywhere && answer.offers_everywhere);
    assert_string_equal(answer.retry_path, "/bye");
    here->headers = elsewhere;
    answer = sign_out(here, "POST", "everywhere=1");
    assert_int_equal(answer.kind, SSO_ANSWER_CONFIRM);
    answer = sign_out(here, "GET", NULL);
    assert_true(!answer.asks_everywhere && answer.offers_everywhere);
    assert_int_equal(session_of(here), SSO_OK);
    assert_int_equal(session_of(phone), SSO_OK);
    /* Nobody has no sessions elsewhere; another word than 1 is none. */
    site_browser_t *nobody = site_browser();
    assert_false(sign_out(nobody, "GET", "everywhere=1").offers_everywhere);
    phone->headers = SAME_ORIGIN;
    assert_string_equal(sign_out(phone, "POST", "everywhere=0").ended_cause, "sign-out");
    assert_int_equal(session_of(here), SSO_OK);
    assert_fault(SSO_R_QUERY_DUPLICATE, sign_out(here, "POST", "everywhere=1&everywhere=1"));
}

static void test_signout_everywhere_with_the_database_away_ends_nothing(void **state)
{
    (void)state;
    site_browser_t *here = signed_in(SAME_ORIGIN);
    sso_store_t *store = site_world->site.store;
    site_world->site.store = NULL;
    sso_answer_t answer = sign_out(here, "POST", "everywhere=1&rd=/bye");
    assert_fault(SSO_R_SIGNOUT_EVERYWHERE, answer);
    assert_int_equal(answer.cookies->nelts, 0);
    assert_string_equal(answer.retry_path, "/.entra/logout?rd=%2Fbye&everywhere=1");
    assert_int_equal(session_of(here), SSO_OK);
    site_world->site.store = store;
    assert_to_entra(sign_out(here, "POST", "everywhere=1"));
}

/* ---- to Entra and back ---- */

static void test_signout_goes_to_entra_and_comes_back_to_its_page(void **state)
{
    (void)state;
    const fixture_claim_t claims[] = {{"login_hint", "\"O.Ci-Q\""}, {NULL}};
    site_world->changes = claims;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    sso_answer_t answer = sign_out(browser, "GET", "rd=/bye%3Fa");
    assert_true(site_begins(answer.location, FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/logout?"));
    assert_string_equal(site_param(answer.location, "post_logout_redirect_uri"), SITE_ORIGIN "/.entra/callback");
    assert_string_equal(site_param(answer.location, "logout_hint"), "O.Ci-Q");
    const char *sealed = site_param(answer.location, "state");
    assert_page("/bye?a", site_call_back(browser, apr_pstrcat(unit_pool, "state=", sealed, NULL)));
    /* And it is no key to a sign-in. */
    assert_fault(SSO_R_STATE_INVALID, site_call_back(browser, apr_pstrcat(unit_pool, "code=a&state=", sealed, NULL)));
    assert_int_equal(site_token_calls(), 1);
}

static void test_signout_without_a_page_says_goodbye(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    sso_answer_t answer = sign_out(browser, "POST", NULL);
    assert_null(site_param(answer.location, "logout_hint"));
    answer = site_call_back(browser, apr_pstrcat(unit_pool, "state=", site_param(answer.location, "state"), NULL));
    assert_int_equal(answer.kind, SSO_ANSWER_GOODBYE);
    /* As when Entra echoes no state. */
    assert_int_equal(site_call_back(browser, NULL).kind, SSO_ANSWER_GOODBYE);
}

static void test_signout_without_a_session_goes_to_entra_all_the_same(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    browser->headers = SAME_ORIGIN;
    assert_to_entra(sign_out(browser, "POST", "rd=/"));
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    apr_table_set(browser->jar, "__Host-Entra-Session", "AQID");
    assert_to_entra(sign_out(browser, "POST", "rd=/"));
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 0);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
}

static void test_signout_ends_every_chunk_that_was_sent(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    apr_table_set(browser->jar, "__Host-Entra-Session-1", "stale");
    apr_table_set(browser->jar, "__Host-Entra-Session-3", "stale");
    (void)sign_out(browser, "POST", NULL);
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 0);
}

static void test_signout_then_sign_in_begins_with_another_browser_id(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    const char *waiting = site_entra_signs_in(site_visit(browser, "/waiting").location);
    (void)sign_out(browser, "POST", NULL);
    int calls = site_token_calls();
    assert_to_entra(site_call_back(browser, waiting));
    assert_int_equal(site_token_calls(), calls);
}

/* ---- Entra away ---- */

static void test_signout_while_entra_is_away_ends_the_session_here(void **state)
{
    static const struct {
        const char *query;
        const char *location; /* NULL: the goodbye page */
    } rows[] = {
        {"rd=/bye", SITE_ORIGIN "/bye"},
        {"rd=https://evil.test", SITE_ORIGIN "/"},
        {NULL, NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_restart();
        site_browser_t *browser = signed_in(SAME_ORIGIN);
        site_restart(); /* a node that has fetched nothing yet */
        fake_http_broken(site_world->fake, "/openid-configuration", SSO_R_HTTP_CONNECT);
        sso_answer_t answer = sign_out(browser, "POST", rows[i].query);
        assert_false(has_session(browser));
        assert_int_equal(apr_table_elts(browser->jar)->nelts, 0);
        assert_int_equal(unit_ctx.fault.rc, SSO_OK);
        if (rows[i].location == NULL) {
            assert_int_equal(answer.kind, SSO_ANSWER_GOODBYE);
        } else {
            assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
            assert_string_equal(answer.location, rows[i].location);
        }
    }
}

static void test_signout_of_an_authority_without_logout_ends_the_session_here(void **state)
{
    (void)state;
    const char *discovery = fixture_discovery(unit_pool, FIXTURE_TENANT, FIXTURE_TENANT);
    const char *name = strstr(discovery, "end_session_endpoint");
    const char *without =
        apr_pstrcat(unit_pool, apr_pstrmemdup(unit_pool, discovery, (apr_size_t)(name - discovery)), "x_", name, NULL);
    fake_http_always(site_world->fake, "/openid-configuration", 200, without);
    site_browser_t *browser = signed_in(SAME_ORIGIN);
    assert_page("/bye", sign_out(browser, "POST", "rd=/bye"));
    assert_false(has_session(browser));
}

/* ---- where to ---- */

static void test_signout_target_is_a_page_of_this_site_or_home(void **state)
{
    static const struct {
        const char *rd, *page; /* page "": goodbye */
    } rows[] = {
        {"rd=/a%3Fb%3Dc", "/a?b=c"},
        {"rd=/path?u=https://evil.test", "/path?u=https://evil.test"},
        {"rd=https%3A%2F%2Fapp.example.com%2Fa", "/a"},
        {"rd=", "/"},
        {"rd=https://H///evil.test/", "/"},
        {"rd=///evil.test", "/"},
        {"rd=https:///evil.test", "/"},
        {"rd=//evil.test", "/"},
        {"rd=/%5Cevil.test", "/"},
        {"rd=/%5c%5cevil.test", "/"},
        {"rd=%5C%5Cevil.test", "/"},
        {"rd=https://evil.test%5C@app.example.com/", "/"},
        {"rd=https:%5C%5Cevil.test", "/"},
        {"rd=http:www.evil.test", "/"},
        {"rd=/%09/evil.test", "/"},
        {"rd=/%0d%0aSet-Cookie:x=1", "/"},
        {"rd=/HTTP://evil.test", "/HTTP://evil.test"},
        {"rd=https://app.example.com.evil.test/", "/"},
        {"rd=https://good@evil", "/"},
        {"rd=javascript:alert(1)", "/"},
        {"rd=data:text/html,x", "/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = site_browser();
        browser->headers = SAME_ORIGIN;
        sso_answer_t answer = sign_out(browser, "POST", rows[i].rd);
        assert_to_entra(answer);
        answer = site_call_back(browser, apr_pstrcat(unit_pool, "state=", site_param(answer.location, "state"), NULL));
        const char *expected = apr_pstrcat(unit_pool, SITE_ORIGIN, rows[i].page, NULL);
        if (answer.kind != SSO_ANSWER_REDIRECT || strcmp(answer.location, expected) != 0) {
            unit_fail("%s: %s", rows[i].rd, answer.location);
        }
        /* The page that asks for a click keeps nothing else either. */
        browser->headers = NULL;
        answer = sign_out(browser, "GET", rows[i].rd);
        assert_int_equal(answer.kind, SSO_ANSWER_CONFIRM);
        assert_string_equal(answer.retry_path, rows[i].page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_signout_is_for_this_site_and_the_person_alone),
        site_test(test_signout_by_another_method_is_refused),
        site_test(test_signout_of_a_malformed_query_is_refused),
        site_test(test_signout_fault_is_its_own_and_not_of_the_session_before),
        site_test(test_signout_ends_the_session_and_every_copy_of_its_cookie),
        site_test(test_signout_with_the_database_away_ends_the_session_here),
        site_test(test_signout_of_a_session_that_may_have_ended_ends_it),
        site_test(test_signout_of_an_idle_session_ends_its_copies_in_use),
        site_test(test_signout_that_can_be_noted_nowhere_says_so_and_keeps_the_cookie),
        site_test(test_signout_everywhere_ends_all_of_this_user_in_this_application),
        site_test(test_signout_everywhere_takes_a_button),
        site_test(test_signout_everywhere_with_the_database_away_ends_nothing),
        site_test(test_signout_goes_to_entra_and_comes_back_to_its_page),
        site_test(test_signout_without_a_page_says_goodbye),
        site_test(test_signout_without_a_session_goes_to_entra_all_the_same),
        site_test(test_signout_ends_every_chunk_that_was_sent),
        site_test(test_signout_then_sign_in_begins_with_another_browser_id),
        site_test(test_signout_while_entra_is_away_ends_the_session_here),
        site_test(test_signout_of_an_authority_without_logout_ends_the_session_here),
        site_test(test_signout_target_is_a_page_of_this_site_or_home),
    };
    return site_run(tests);
}
