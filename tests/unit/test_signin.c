/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/signin.c: whole sign-ins of whole browsers against an invented Entra, and what each stranger's
 * callback, reload, loop and failure ends in. */
#include "flow/signin.h"

#include <string.h>

#include <openssl/rand.h>

#include "unit.h"

#include "base/counters.h"
#include "site.h"

#define LOGIN_COOKIE "__Host-Entra-Login"
#define SESSION_COOKIE "__Host-Entra-Session"

/* OpenSSL's own, but for the one draw that a test makes fail. */
static int random_draws;
static int random_fails_at;

int RAND_bytes(unsigned char *bytes, int len)
{
    random_draws++;
    return random_draws == random_fails_at ? 0 : RAND_bytes_ex(NULL, bytes, (size_t)len, 0);
}

static bool has_session(const site_browser_t *browser)
{
    sso_record_t record;
    return site_session(browser, &record) == SSO_OK;
}

/* True when a Set-Cookie line of the answer gives that cookie a value. */
static bool sets_cookie(const sso_answer_t *answer, const char *name)
{
    for (int i = 0; i < answer->cookies->nelts; i++) {
        const char *line = sso_text_at(answer->cookies, i);
        if (site_begins(line, name) && strstr(line, "Max-Age=0") == NULL) {
            return true;
        }
    }
    return false;
}

static bool ends_cookie(const sso_answer_t *answer, const char *name)
{
    for (int i = 0; i < answer->cookies->nelts; i++) {
        const char *line = sso_text_at(answer->cookies, i);
        if (site_begins(line, apr_pstrcat(unit_pool, name, "=;", NULL)) && strstr(line, "; Max-Age=0;") != NULL) {
            return true;
        }
    }
    return false;
}

/* ---- a sign-in from end to end ---- */

static void test_signin_from_the_first_visit_to_the_page(void **state)
{
    (void)state;
    sso_record_t record;
    site_browser_t *browser = site_browser();
    const fixture_claim_t claims[] = {{"name", "\"Ada Lovelace\""}, {"roles", "[\"Reader\",\"Writer\"]"}, {NULL}};
    site_world->changes = claims;
    sso_answer_t answer = site_visit(browser, "/orders?id=1&x=%20");
    assert_to_entra(answer);
    assert_int_equal(answer.cookies->nelts, 1);
    assert_true(sets_cookie(&answer, LOGIN_COOKIE));
    assert_string_equal(site_param(answer.location, "redirect_uri"), SITE_ORIGIN "/.entra/callback");
    assert_string_equal(site_param(answer.location, "client_id"), FIXTURE_CLIENT);
    assert_string_equal(site_param(answer.location, "response_type"), "code");
    assert_string_equal(site_param(answer.location, "response_mode"), "query");
    assert_string_equal(site_param(answer.location, "code_challenge_method"), "S256");
    assert_string_equal(site_param(answer.location, "scope"), "openid profile email offline_access");
    answer = site_call_back(browser, site_entra_signs_in(answer.location));
    assert_page("/orders?id=1&x=%20", answer);
    assert_true(answer.signed_in);
    assert_true(sets_cookie(&answer, SESSION_COOKIE) && sets_cookie(&answer, LOGIN_COOKIE));
    assert_int_equal(site_token_calls(), 1);
    const fake_request_t *request = fake_http_last(site_world->fake);
    assert_string_equal(fake_http_field(request, "redirect_uri"), SITE_ORIGIN "/.entra/callback");
    assert_string_equal(fake_http_field(request, "client_secret"), SITE_SECRET);
    assert_rc(SSO_OK, site_session(browser, &record));
    assert_string_equal(record.oid, FIXTURE_OID);
    assert_string_equal(record.username, "ada@contoso.example");
    assert_string_equal(record.name, "Ada Lovelace");
    assert_string_equal(sso_list_join(unit_pool, &record.roles, ","), "Reader,Writer");
    assert_int_equal(record.ends - record.created, 8 * SITE_HOUR);
    assert_memory_equal(record.id, answer.record.id, sizeof(record.id));
}

static void test_signin_correlation_id_is_a_fresh_guid_that_entra_sees(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    sso_answer_t one = site_visit(browser, "/");
    sso_answer_t two = site_visit(browser, "/");
    assert_true(sso_is_guid(one.correlation_id) && one.correlation_id[14] == '4');
    assert_string_equal(one.correlation_id, site_param(one.location, "client-request-id"));
    assert_string_not_equal(one.correlation_id, two.correlation_id);
    sso_answer_t done = site_call_back(browser, site_entra_signs_in(two.location));
    assert_string_equal(done.correlation_id, fake_http_field(fake_http_last(site_world->fake), "client-request-id"));
}

static void test_signin_values_are_fresh_for_every_start(void **state)
{
    static const char *const names[] = {"state", "nonce", "code_challenge"};
    (void)state;
    site_browser_t *browser = site_browser();
    sso_answer_t one = site_visit(browser, "/same");
    sso_answer_t two = site_visit(browser, "/same");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_string_not_equal(site_param(one.location, names[i]), site_param(two.location, names[i]));
    }
}

static void test_signin_over_an_old_session_makes_a_new_one(void **state)
{
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = site_browser();
    (void)site_sign_in(browser, "/a");
    assert_rc(SSO_OK, site_session(browser, &before));
    unit_ctx.now += SITE_MINUTE;
    const fixture_claim_t claims[] = {{"preferred_username", "\"bob@contoso.example\""}, {NULL}};
    site_world->changes = claims;
    sso_answer_t answer = site_sign_in(browser, "/b");
    assert_page("/b", answer);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_string_equal(after.username, "bob@contoso.example");
    assert_memory_not_equal(before.id, after.id, sizeof(before.id));
    assert_int_equal(after.created, unit_ctx.now);
}

static void test_signin_over_a_larger_session_leaves_no_chunk_of_it(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    apr_table_set(browser->jar, SESSION_COOKIE, "4.stale");
    apr_table_set(browser->jar, SESSION_COOKIE "-1", "stale");
    apr_table_set(browser->jar, SESSION_COOKIE "-3", "stale");
    assert_page("/", site_sign_in(browser, "/"));
    assert_true(has_session(browser));
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 2);
}

/* ---- where it begins ---- */

static void test_signin_under_another_host_first_goes_to_the_public_origin(void **state)
{
    static const struct {
        const char *host;
        bool hops;
    } rows[] = {
        {"app.example.com", false}, {"APP.Example.COM", false}, {NULL, false},       {"old.example.com", true},
        {"app.example.com.", true}, {"127.0.0.1", true},        {"evil.test", true}, {"", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = site_browser();
        browser->host = rows[i].host;
        sso_answer_t answer = site_visit(browser, "/a?b=c&d=e");
        if (rows[i].hops) {
            assert_page("/.entra/login?rd=%2Fa%3Fb%3Dc%26d%3De&hop=1", answer);
            assert_int_equal(answer.cookies->nelts, 0);
        } else {
            assert_to_entra(answer);
        }
    }
}

/* SECURITY: what was asked for goes along sealed, whichever part of it there is. */
static void test_signin_under_another_host_takes_each_wish_along(void **state)
{
    static const sso_wishes_t wishes[] = {
        {.acr = "c1"}, {.max_age = SITE_HOUR}, {.prompt = "login"}, {.login_hint = "a@b.c"}, {.domain_hint = "b.c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        sso_answer_t answer;
        site_browser_t *browser = site_browser();
        browser->host = "old.example.com";
        sso_request_t request = site_request(browser, "GET", NULL);
        sso_signin_start(&unit_ctx, &site_world->site, &request, "/a", &wishes[i], &answer);
        assert_non_null(strstr(answer.location, "/.entra/login?rd=%2Fa&hop=1&wishes="));
        sso_signin_try(&unit_ctx, &site_world->site, &request, "/a", &wishes[i], &answer);
        assert_non_null(strstr(answer.location, "/.entra/login?rd=%2Fa&hop=1&wishes="));
        assert_int_equal(answer.cookies->nelts, 0);
    }
}

static void test_signin_under_another_host_without_random_numbers_is_refused(void **state)
{
    (void)state;
    sso_answer_t answer;
    const sso_wishes_t wishes = {.prompt = "login"};
    site_browser_t *browser = site_browser();
    browser->host = "old.example.com";
    sso_request_t request = site_request(browser, "GET", NULL);
    random_draws = 0;
    random_fails_at = 1;
    sso_signin_start(&unit_ctx, &site_world->site, &request, "/a", &wishes, &answer);
    random_fails_at = 0;
    assert_fault(SSO_R_RANDOM, answer);
    assert_string_equal(answer.retry_path, "/a");
}

/* The answer of GET login?query. */
static sso_answer_t log_in(site_browser_t *browser, const char *method, const char *query)
{
    sso_answer_t answer;
    sso_request_t request = site_request(browser, method, query);
    sso_fault_clear(&unit_ctx);
    sso_signin_login(&unit_ctx, &site_world->site, &request, &answer);
    site_keep_cookies(browser, answer.cookies);
    return answer;
}

static void test_signin_login_hops_to_the_public_origin_once(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    browser->host = "old.example.com";
    assert_page("/.entra/login?rd=%2Fa&hop=1", log_in(browser, "GET", "rd=%2Fa"));
    /* A balancer hides the host: the second time it must do. */
    assert_to_entra(log_in(browser, "GET", "rd=%2Fa&hop=1"));
}

static void test_signin_login_is_for_get_alone(void **state)
{
    static const char *const methods[] = {"POST", "HEAD", "PUT", "OPTIONS", "get", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        sso_answer_t answer = log_in(site_browser(), methods[i], "rd=%2Fa");
        assert_fault(SSO_R_CALLBACK_METHOD, answer);
        assert_string_equal(answer.allow, "GET");
        assert_int_equal(answer.cookies->nelts, 0);
    }
}

static void test_signin_login_of_a_malformed_query_is_refused(void **state)
{
    static const struct {
        const char *query;
        sso_rc rc;
    } rows[] = {
        {"rd=/a&rd=/b", SSO_R_QUERY_DUPLICATE}, {"rd=/a&x=1&rd=/a", SSO_R_QUERY_DUPLICATE},
        {"rd=%zz", SSO_R_QUERY_FORMAT},         {"rd=%", SSO_R_QUERY_FORMAT},
        {"rd=/a%00b", SSO_R_QUERY_FORMAT},      {"%00", SSO_R_QUERY_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_answer_t answer = log_in(site_browser(), "GET", rows[i].query);
        assert_fault(rows[i].rc, answer);
        assert_string_equal(answer.retry_path, "/");
    }
}

/* attacks.md C: where a sign-in that was begun with this rd ends. */
static void test_signin_return_target_is_a_page_of_this_site_or_home(void **state)
{
    static const struct {
        const char *rd, *page;
    } rows[] = {
        {"rd=/a", "/a"},
        {"rd=%2Fpath%3Fu%3Dhttps%3A%2F%2Fevil.test", "/path?u=https://evil.test"},
        {"rd=/?//evil.test", "/?//evil.test"},
        {"rd=https%3A%2F%2Fapp.example.com%2Fa%3Fb", "/a?b"},
        {"rd=", "/"},
        {NULL, "/"},
        {"", "/"},
        {"&&&", "/"},
        {"RD=/a", "/"},
        {"rd=evil", "/"},
        {"rd=//evil.test", "/"},
        {"rd=///evil.test", "/"},
        {"rd=https:evil.test", "/"},
        {"rd=https:///evil.test", "/"},
        {"rd=https://evil.test/", "/"},
        {"rd=https://evil.test/https://app.example.com/", "/"},
        {"rd=https://app.example.com.evil.test/", "/"},
        {"rd=https://app.example.com@evil.test/", "/"},
        {"rd=https://app.example.com:444/", "/"},
        {"rd=http://app.example.com/a", "/"},
        {"rd=/%5Cevil.test", "/"},
        {"rd=%5C%5Cevil.test", "/"},
        {"rd=/%09/evil.test", "/"},
        {"rd=/%0d%0aLocation:%20https://evil.test", "/"},
        {"rd=/%252f%252fevil.test", "/"},
        {"rd=javascript:alert(1)", "/"},
        {"rd=/a%23b", "/"},
        {"rd=/.//evil.test", "/"},
        {"rd=%20", "/"},
        {"rd=/%ff/evil.test", "/"},
        {"rd=/.entra", "/"},
        {"rd=/.entra/", "/"},
        {"rd=/.entra/login?rd=/.entra/login", "/"},
        {"rd=/.entra/logout", "/"},
        {"rd=/.entra?x", "/"},
        {"rd=https://app.example.com/.entra/login", "/"},
        {"rd=/.entrance", "/.entrance"},
        {"rd=/a/.entra/login", "/a/.entra/login"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = site_browser();
        sso_answer_t answer = log_in(browser, "GET", rows[i].rd);
        assert_to_entra(answer);
        answer = site_call_back(browser, site_entra_signs_in(answer.location));
        const char *expected = apr_pstrcat(unit_pool, SITE_ORIGIN, rows[i].page, NULL);
        if (!answer.signed_in || strcmp(answer.location, expected) != 0) {
            unit_fail("%s: %s", rows[i].rd, answer.location);
        }
    }
}

static void test_signin_start_at_our_own_endpoints_comes_back_home(void **state)
{
    static const char *const paths[] = {"/.entra", "/.entra/", "/.entra/login?rd=/", "/.entra/callback?code=x&state=y",
                                        "/.entra?"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        site_browser_t *browser = site_browser();
        sso_answer_t answer = site_sign_in(browser, paths[i]);
        assert_page("/", answer);
    }
}

/* Why there was no session is no longer of interest once the person is on the way to sign in. */
static void test_signin_fault_is_its_own_and_not_of_the_session_before(void **state)
{
    static const struct {
        void (*serve)(sso_ctx_t *, const sso_site_t *, const sso_request_t *, sso_answer_t *);
        const char *method, *query;
        sso_rc rc;
    } rows[] = {
        {sso_signin_login, "GET", "rd=%zz", SSO_R_QUERY_FORMAT},
        {sso_signin_login, "POST", NULL, SSO_R_CALLBACK_METHOD},
        {sso_signin_login, "GET", NULL, SSO_R_HTTP_TIMEOUT},
        {sso_signin_callback, "POST", NULL, SSO_R_CALLBACK_METHOD},
        {sso_signin_callback, "GET", "code=a&code=b&state=x", SSO_R_QUERY_DUPLICATE},
        {sso_signin_callback, "GET", "code=a&state=x", SSO_R_STATE_INVALID},
    };
    (void)state;
    fake_http_broken(site_world->fake, "/openid-configuration", SSO_R_HTTP_TIMEOUT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_answer_t answer;
        sso_request_t request = site_request(site_browser(), rows[i].method, rows[i].query);
        sso_fault_clear(&unit_ctx);
        (void)sso_fail(&unit_ctx, SSO_R_SESSION_IDLE, "last seen long ago");
        rows[i].serve(&unit_ctx, &site_world->site, &request, &answer);
        assert_fault(rows[i].rc, answer);
    }
}

/* ---- the callback's own form ---- */

static void test_callback_is_for_get_alone(void **state)
{
    static const char *const methods[] = {"POST", "HEAD", "PUT", "OPTIONS", "get", ""};
    (void)state;
    site_browser_t *browser = site_browser();
    const char *query = site_entra_signs_in(site_visit(browser, "/").location);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        sso_answer_t answer;
        sso_request_t request = site_request(browser, methods[i], query);
        sso_fault_clear(&unit_ctx);
        sso_signin_callback(&unit_ctx, &site_world->site, &request, &answer);
        assert_fault(SSO_R_CALLBACK_METHOD, answer);
        assert_string_equal(answer.allow, "GET");
    }
    assert_int_equal(site_token_calls(), 0);
}

static void test_callback_of_a_malformed_query_is_refused_without_a_token_call(void **state)
{
    static const struct {
        const char *query; /* $ stands for a good state */
        sso_rc rc;
    } rows[] = {
        {"code=a", SSO_R_STATE_MISSING},
        {"error=access_denied", SSO_R_STATE_MISSING},
        {"code=a&state=", SSO_R_STATE_MISSING},
        {"code=a&state=x", SSO_R_STATE_INVALID},
        {"code=a&state=%s%25n", SSO_R_QUERY_FORMAT},
        {"code=a&state=%25s%25n", SSO_R_STATE_INVALID},
        {"code=a&state=$&state=$", SSO_R_QUERY_DUPLICATE},
        {"code=a&code=b&state=$", SSO_R_QUERY_DUPLICATE},
        {"code=a&code=a&state=$", SSO_R_QUERY_DUPLICATE},
        {"error=a&error=b&state=$", SSO_R_QUERY_DUPLICATE},
        {"code=a&state=$&x=1&x=2", SSO_R_QUERY_DUPLICATE},
        {"state=$&state=$", SSO_R_QUERY_DUPLICATE},
        {"code=a&error=b&state=$", SSO_R_CALLBACK_CODE},
        {"code=&state=$", SSO_R_CALLBACK_CODE},
        {"code=&error=&state=$", SSO_R_CALLBACK_CODE},
        {"error=&state=$", SSO_R_CALLBACK_CODE},
        {"code=a%0d%0ab&state=$", SSO_R_CALLBACK_CODE},
        {"code=a%ffb&state=$", SSO_R_CALLBACK_CODE},
        {"code=a%00b&state=$", SSO_R_QUERY_FORMAT},
        {"code=%zz&state=$", SSO_R_QUERY_FORMAT},
        {"Code=a&state=$", SSO_R_CALLBACK_CODE},
        {"a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&1&2&3&4&5&6&7", SSO_R_QUERY_FORMAT},
    };
    (void)state;
    site_browser_t *browser = site_browser();
    const char *good = site_param(site_visit(browser, "/").location, "state");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *query = "";
        for (const char *p = rows[i].query; *p != '\0'; p++) {
            query = apr_pstrcat(unit_pool, query, *p == '$' ? good : apr_pstrmemdup(unit_pool, p, 1), NULL);
        }
        sso_answer_t answer = site_call_back(browser, query);
        if (answer.kind != SSO_ANSWER_FAULT || unit_ctx.fault.rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].query, sso_reason(unit_ctx.fault.rc)->name);
        }
        assert_int_equal(answer.cookies->nelts, 0);
        assert_string_equal(answer.retry_path, "/");
    }
    assert_int_equal(site_token_calls(), 0);
}

static void test_callback_of_a_code_of_any_allowed_size_is_redeemed(void **state)
{
    (void)state;
    char *code = apr_palloc(unit_pool, SSO_MAX_CODE + 2);
    memset(code, 'c', SSO_MAX_CODE + 1);
    code[SSO_MAX_CODE + 1] = '\0';
    site_browser_t *browser = site_browser();
    const char *good = site_param(site_visit(browser, "/").location, "state");
    sso_answer_t answer = site_call_back(browser, apr_pstrcat(unit_pool, "code=", code, "&state=", good, NULL));
    assert_fault(SSO_R_CALLBACK_CODE, answer);
    assert_int_equal(site_token_calls(), 0);
    code[SSO_MAX_CODE] = '\0';
    (void)site_call_back(browser, apr_pstrcat(unit_pool, "code=", code, "&state=", good, NULL));
    assert_int_equal(site_token_calls(), 1);
}

/* ---- other people's callbacks ---- */

static void test_callback_that_another_browser_began_is_not_redeemed(void **state)
{
    (void)state;
    site_browser_t *attacker = site_browser();
    const char *planted = site_entra_signs_in(site_visit(attacker, "/attackers/page").location);
    /* A clean browser, one that has begun a sign-in of its own, and one that signed in before. */
    site_browser_t *clean = site_browser();
    site_browser_t *waiting = site_browser();
    const char *own = site_entra_signs_in(site_visit(waiting, "/own").location);
    site_browser_t *const victims[] = {clean, waiting};
    for (size_t i = 0; i < 2; i++) {
        sso_answer_t answer = site_call_back(victims[i], planted);
        assert_to_entra(answer);
        assert_false(sets_cookie(&answer, SESSION_COOKIE));
        assert_false(has_session(victims[i]));
        assert_int_equal(site_token_calls(), 0);
    }
    assert_page("/own", site_call_back(waiting, own));
    assert_int_equal(site_token_calls(), 1);
    /* The attacker's own browser still ends where it wanted to. */
    assert_page("/attackers/page", site_call_back(attacker, planted));
}

static void test_callback_of_a_stranger_leaves_an_older_session_alone(void **state)
{
    (void)state;
    sso_record_t before, after;
    site_browser_t *victim = site_browser();
    (void)site_sign_in(victim, "/");
    assert_rc(SSO_OK, site_session(victim, &before));
    unit_ctx.now += SITE_MINUTE;
    const char *planted = site_entra_signs_in(site_visit(site_browser(), "/x").location);
    assert_to_entra(site_call_back(victim, planted));
    assert_rc(SSO_OK, site_session(victim, &after));
    assert_memory_equal(before.id, after.id, sizeof(before.id));
    assert_int_equal(site_token_calls(), 1);
}

static void test_callback_of_a_stranger_meets_a_younger_session_and_its_code_is_left(void **state)
{
    (void)state;
    sso_record_t record;
    const char *planted = site_entra_signs_in(site_visit(site_browser(), "/x").location);
    site_browser_t *victim = site_browser();
    (void)site_sign_in(victim, "/");
    int calls = site_token_calls();
    assert_page("/x", site_call_back(victim, planted));
    assert_rc(SSO_OK, site_session(victim, &record));
    assert_int_equal(site_token_calls(), calls);
}

static void test_callback_with_an_error_for_another_browser_is_not_shown(void **state)
{
    (void)state;
    const char *foreign = site_param(site_visit(site_browser(), "/x").location, "state");
    sso_answer_t answer =
        site_call_back(site_browser(), apr_pstrcat(unit_pool, "error=access_denied&state=", foreign, NULL));
    assert_to_entra(answer);
}

/* The code is good, but the verifier is of another tab's state: Entra's check, with what we send. */
static void test_callback_with_a_code_of_another_state_is_refused_by_pkce(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    const char *one = site_visit(browser, "/one").location;
    const char *two = site_visit(browser, "/two").location;
    (void)site_entra_signs_in(one);
    const char *mixed = apr_pstrcat(unit_pool, "code=planted-code-0&state=", site_param(two, "state"), NULL);
    assert_to_entra(site_call_back(browser, mixed));
    assert_false(has_session(browser));
}

/* ---- reloads, tabs, time ---- */

static void test_callback_reloaded_with_its_session_goes_to_its_page(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
    assert_page("/page", site_call_back(browser, query));
    for (int i = 0; i < 5; i++) {
        unit_ctx.now += 10 * SITE_MINUTE;
        sso_answer_t answer = site_call_back(browser, query);
        assert_page("/page", answer);
        assert_int_equal(answer.cookies->nelts, 0);
        assert_false(answer.signed_in);
    }
    assert_int_equal(site_token_calls(), 1);
}

static void test_callback_reloaded_without_its_session_signs_in_afresh(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
    (void)site_call_back(browser, query);
    apr_table_unset(browser->jar, SESSION_COOKIE);
    sso_answer_t answer = site_call_back(browser, query);
    assert_to_entra(answer);
    assert_false(has_session(browser));
    assert_page("/page", site_call_back(browser, site_entra_signs_in(answer.location)));
    assert_true(has_session(browser));
}

static void test_signin_thirty_tabs_finish_in_any_order_on_their_own_pages(void **state)
{
    enum { TABS = 30 };
    const char *locations[TABS];
    unsigned order[TABS];
    unsigned seed = 2026;
    (void)state;
    site_browser_t *browser = site_browser();
    (void)site_visit(browser, "/first");
    apr_size_t size = strlen(site_cookie_header(browser));
    for (unsigned i = 0; i < TABS; i++) {
        locations[i] = site_visit(browser, apr_psprintf(unit_pool, "/tab/%u", i)).location;
        assert_int_equal(strlen(site_cookie_header(browser)), size);
        order[i] = i;
    }
    for (unsigned i = TABS - 1; i > 0; i--) {
        seed = seed * 1103515245U + 12345U;
        unsigned other = (seed >> 16) % (i + 1);
        unsigned kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (unsigned i = 0; i < TABS; i++) {
        sso_answer_t answer = site_call_back(browser, site_entra_signs_in(locations[order[i]]));
        assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
        assert_string_equal(answer.location, apr_psprintf(unit_pool, SITE_ORIGIN "/tab/%u", order[i]));
    }
    assert_int_equal(site_token_calls(), 1);
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 2);
}

/* All callbacks are on their way before the first answer comes back. */
static void test_signin_thirty_tabs_at_once_each_get_their_page(void **state)
{
    enum { TABS = 30 };
    const char *locations[TABS];
    (void)state;
    site_browser_t *browser = site_browser();
    for (unsigned i = 0; i < TABS; i++) {
        locations[i] = site_visit(browser, apr_psprintf(unit_pool, "/tab/%u", i)).location;
    }
    const char *login = apr_table_get(browser->jar, LOGIN_COOKIE);
    site_browser_t *after = site_browser();
    for (unsigned i = 0; i < TABS; i++) {
        site_browser_t *before = site_browser();
        apr_table_set(before->jar, LOGIN_COOKIE, login);
        sso_answer_t answer = site_call_back(before, site_entra_signs_in(locations[i]));
        assert_string_equal(answer.location, apr_psprintf(unit_pool, SITE_ORIGIN "/tab/%u", i));
        assert_true(answer.signed_in);
        site_keep_cookies(after, answer.cookies);
    }
    assert_true(has_session(after));
    assert_int_equal(apr_table_elts(after->jar)->nelts, 2);
    /* And none of that counts as a loop. */
    assert_to_entra(site_visit(after, "/again"));
}

static void test_callback_of_an_old_state_signs_in_afresh(void **state)
{
    static const struct {
        apr_interval_time_t later;
        bool redeemed;
    } rows[] = {
        {15 * SITE_MINUTE, true}, {15 * SITE_MINUTE + 1, false}, {400 * 24 * SITE_HOUR, false},
        {-5 * SITE_MINUTE, true}, {-5 * SITE_MINUTE - 1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_restart();
        unit_ctx.now = SSO_TEST_NOW;
        site_browser_t *browser = site_browser();
        const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
        unit_ctx.now = SSO_TEST_NOW + rows[i].later;
        site_restart(); /* Entra's keys would be stale after a year */
        sso_answer_t answer = site_call_back(browser, query);
        assert_int_equal(site_token_calls(), rows[i].redeemed ? 1 : 0);
        assert_int_equal(answer.signed_in, rows[i].redeemed);
        if (!rows[i].redeemed) {
            assert_to_entra(answer);
            assert_page("/page", site_call_back(browser, site_entra_signs_in(answer.location)));
        }
    }
}

static void test_callback_of_a_sign_outs_state_is_no_sign_in(void **state)
{
    (void)state;
    const char *sealed;
    sso_state_t out = {.kind = SSO_STATE_SIGN_OUT, .issued = SSO_TEST_NOW, .return_path = ""};
    assert_rc(SSO_OK, sso_state_seal(&unit_ctx, &site_world->site, &out, &sealed));
    const char *query = apr_pstrcat(unit_pool, "code=a&state=", sealed, NULL);
    site_browser_t *browser = site_browser();
    sso_answer_t answer = site_call_back(browser, query);
    assert_fault(SSO_R_STATE_INVALID, answer);
    (void)site_sign_in(browser, "/");
    answer = site_call_back(browser, query);
    assert_fault(SSO_R_STATE_INVALID, answer);
}

/* ---- loops ---- */

static void test_signin_stops_after_three_rounds_of_a_browser_without_cookies(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    site_browser_t *browser = site_browser();
    browser->drops_login = browser->drops_session = true;
    sso_answer_t answer = site_visit(browser, "/page");
    for (int round = 1; round < SSO_MAX_ATTEMPTS; round++) {
        assert_to_entra(answer);
        answer = site_call_back(browser, site_entra_signs_in(answer.location));
    }
    assert_to_entra(answer);
    answer = site_call_back(browser, site_entra_signs_in(answer.location));
    assert_fault(SSO_R_SIGNIN_LOOP, answer);
    assert_string_equal(answer.retry_path, "/page");
    assert_true(ends_cookie(&answer, LOGIN_COOKIE));
    assert_int_equal(site_token_calls(), 0);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_STARTED_PLAIN), 3);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SIGNIN_AGAIN), 2);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_SIGNIN_CLIENT), 1);
}

static void test_signin_stops_when_the_session_cookie_is_dropped(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    browser->drops_session = true;
    for (int round = 0; round < 3; round++) {
        assert_page("/page", site_sign_in(browser, "/page"));
        unit_ctx.now += apr_time_from_sec(2);
    }
    sso_answer_t answer = site_visit(browser, "/page");
    assert_fault(SSO_R_SIGNIN_LOOP, answer);
    assert_string_equal(answer.retry_path, "/page");
    assert_true(ends_cookie(&answer, LOGIN_COOKIE));
    assert_int_equal(answer.cookies->nelts, 1);
    assert_int_equal(site_token_calls(), 3);
    /* "Try again" starts from nothing. */
    assert_to_entra(site_visit(browser, "/page"));
}

static void test_signin_of_a_browser_that_keeps_its_session_is_no_loop(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    for (int round = 0; round < 5; round++) {
        sso_answer_t answer = log_in(browser, "GET", "rd=%2Fpage");
        assert_to_entra(answer);
        assert_page("/page", site_call_back(browser, site_entra_signs_in(answer.location)));
        unit_ctx.now += apr_time_from_sec(2);
    }
}

static void test_signin_three_times_in_a_day_is_no_loop(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    browser->drops_session = true;
    for (int round = 0; round < 10; round++) {
        assert_page("/page", site_sign_in(browser, "/page"));
        unit_ctx.now += 2 * SITE_MINUTE;
    }
}

static void test_callback_whose_code_entra_does_not_take_signs_in_afresh_then_stops(void **state)
{
    static const char *const bodies[] = {
        SITE_INVALID_GRANT,
        "{\"error\":\"interaction_required\",\"error_description\":\"AADSTS50076: you must use multi-factor\"}",
        "{\"error\":\"consent_required\",\"error_description\":\"AADSTS65001: no consent\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        site_restart();
        site_world->scripted = true;
        site_world->token->body = bodies[i];
        site_browser_t *browser = site_browser();
        sso_answer_t answer = site_visit(browser, "/page");
        for (int round = 0; round < SSO_MAX_ATTEMPTS; round++) {
            assert_to_entra(answer);
            answer = site_call_back(browser, site_entra_signs_in(answer.location));
            assert_false(sets_cookie(&answer, SESSION_COOKIE));
        }
        assert_fault(SSO_R_SIGNIN_LOOP, answer);
        assert_int_equal(site_token_calls(), SSO_MAX_ATTEMPTS);
        /* The administrator must learn what went round: cookies were kept here. */
        assert_non_null(strstr(unit_ctx.fault.detail, "TOKEN_GRANT"));
        assert_int_not_equal(unit_ctx.fault.aadsts, 0);
    }
}

/* ---- what Entra and the network refuse ---- */

static void test_callback_with_an_error_of_entra_is_that_fault(void **state)
{
    static const struct {
        const char *error;
        sso_rc rc;
    } rows[] = {
        {"error=access_denied&error_subcode=cancel", SSO_R_AUTHORIZE_DENIED},
        {"error=access_denied&error_description=AADSTS50105%3A+not+assigned", SSO_R_AUTHORIZE_DENIED},
        {"error=unauthorized_client", SSO_R_AUTHORIZE_CONFIG},
        {"error=temporarily_unavailable", SSO_R_AUTHORIZE_LATER},
        {"error=%3Cscript%3E", SSO_R_AUTHORIZE_CONFIG},
    };
    (void)state;
    site_browser_t *browser = site_browser();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *sealed = site_param(site_visit(browser, "/page").location, "state");
        sso_answer_t answer = site_call_back(browser, apr_pstrcat(unit_pool, rows[i].error, "&state=", sealed, NULL));
        assert_fault(rows[i].rc, answer);
        assert_string_equal(answer.retry_path, "/page");
        assert_int_equal(answer.cookies->nelts, 0);
    }
    assert_int_equal(site_token_calls(), 0);
}

static void test_callback_whose_token_is_refused_makes_no_session(void **state)
{
    static const struct {
        const fixture_claim_t change[2];
        sso_rc rc;
    } rows[] = {
        {{{"aud", "\"another-client\""}}, SSO_R_ID_AUD},
        {{{"iss", "\"https://login.example.com/other/v2.0\""}}, SSO_R_ID_ISS},
        {{{"tid", "\"2b8e4d10-6f5a-4c3b-9d7e-1a0f9e8d7c6b\""}}, SSO_R_ID_ISS},
        {{{"nonce", "\"another\""}}, SSO_R_ID_NONCE},
        {{{"nonce", NULL}}, SSO_R_ID_NONCE_MISSING},
        {{{"exp", "1"}}, SSO_R_ID_EXPIRED},
        {{{"oid", NULL}}, SSO_R_ID_OID_MISSING},
        {{{"preferred_username", "\"ada\\r\\nX-Entra-Roles: admin\""}}, SSO_R_IDENTITY_CLAIM},
        {{{"roles", "\"admin\""}}, SSO_R_IDENTITY_CLAIM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = site_browser();
        site_world->changes = rows[i].change;
        sso_answer_t answer = site_sign_in(browser, "/page");
        if (answer.kind != SSO_ANSWER_FAULT || unit_ctx.fault.rc != rows[i].rc) {
            unit_fail("row %d: %s", (int)i, sso_reason(unit_ctx.fault.rc)->name);
        }
        assert_int_equal(answer.cookies->nelts, 0);
        assert_string_equal(answer.retry_path, "/page");
        assert_non_null(answer.correlation_id);
        assert_false(has_session(browser));
    }
}

static void test_callback_of_a_tenant_that_is_not_allowed_is_forbidden(void **state)
{
    (void)state;
    apr_array_header_t *allowed = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(allowed, const char *) = FIXTURE_OTHER_TENANT;
    site_world->site.allowed_tenants = allowed;
    sso_answer_t answer = site_sign_in(site_browser(), "/");
    assert_fault(SSO_R_ID_TENANT, answer);
    assert_int_equal(sso_reason(unit_ctx.fault.rc)->status, 403);
    APR_ARRAY_PUSH(allowed, const char *) = FIXTURE_TENANT;
    assert_page("/", site_sign_in(site_browser(), "/"));
}

static void test_callback_of_a_session_too_large_for_its_cookie_is_refused(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    site_world->site.session.max_cookie = 100;
    sso_answer_t answer = site_sign_in(browser, "/page");
    assert_fault(SSO_R_SESSION_SIZE, answer);
    sso_store_which_t all = {.sid = NULL};
    apr_array_header_t *rows = apr_array_make(unit_pool, 1, sizeof(sso_stored_t));
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, site_world->site.store, &all, 10, rows));
    assert_int_equal(rows->nelts, 0);
    assert_int_equal(answer.cookies->nelts, 0);
}

static void test_callback_keeps_the_claims_of_the_configuration(void **state)
{
    (void)state;
    sso_record_t record;
    sso_list_t values;
    apr_array_header_t *names = apr_array_make(unit_pool, 1, sizeof(const char *));
    const fixture_claim_t claims[] = {{"department", "\"Sales\""}, {"salary", "100000"}, {NULL}};
    APR_ARRAY_PUSH(names, const char *) = "department";
    site_world->site.claims = names;
    site_world->changes = claims;
    site_browser_t *browser = site_browser();
    (void)site_sign_in(browser, "/");
    assert_rc(SSO_OK, site_session(browser, &record));
    assert_true(sso_record_claim(&record, "department", &values));
    assert_false(sso_record_claim(&record, "salary", &values));
}

/* A sign-in whose process begins without any key or document: discovery, keys, token. */
static void test_signin_whose_nth_call_fails_leaves_no_half_of_a_session(void **state)
{
    (void)state;
    int failed = 0;
    for (int nth = 1; nth <= 4; nth++) {
        site_browser_t *browser = site_browser();
        site_restart();
        const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
        site_restart();
        site_world->fake->fail_at = nth;
        sso_answer_t answer = site_call_back(browser, query);
        if (answer.kind == SSO_ANSWER_FAULT) {
            assert_fault(SSO_R_HTTP_CONNECT, answer);
            assert_int_equal(sso_reason(unit_ctx.fault.rc)->class, SSO_CLASS_LATER);
            assert_string_equal(answer.retry_path, "/page");
            assert_int_equal(answer.cookies->nelts, 0);
            assert_false(has_session(browser));
            failed++;
        } else {
            assert_page("/page", answer);
            assert_true(has_session(browser));
        }
    }
    assert_int_equal(failed, 3);
}

/* Ids, nonces, verifier and the seals of three texts; only the two correlation ids are labels that a sign-in can do
 * without. */
static void test_signin_whose_nth_random_number_fails_leaves_no_half_of_a_session(void **state)
{
    (void)state;
    int failed = 0;
    int nth = 0;
    do {
        site_browser_t *browser = site_browser();
        random_draws = 0;
        random_fails_at = ++nth;
        sso_answer_t answer = site_visit(browser, "/page");
        if (answer.kind == SSO_ANSWER_REDIRECT) {
            answer = site_call_back(browser, site_entra_signs_in(answer.location));
        }
        random_fails_at = 0;
        if (answer.kind == SSO_ANSWER_FAULT) {
            assert_fault(SSO_R_RANDOM, answer);
            assert_false(sets_cookie(&answer, SESSION_COOKIE));
            assert_false(has_session(browser));
            failed++;
        } else {
            assert_page("/page", answer);
            assert_true(has_session(browser));
        }
    } while (random_draws >= nth);
    assert_int_equal(failed, nth - 1 - 2);
    assert_in_range(failed, 8, 20);
}

static void test_signin_start_while_entra_is_away_is_a_fault_for_later(void **state)
{
    static const sso_rc reasons[] = {SSO_R_HTTP_CONNECT, SSO_R_HTTP_TLS, SSO_R_HTTP_TIMEOUT, SSO_R_HTTP_BUSY,
                                     SSO_R_HTTP_FAILED};
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        site_restart();
        fake_http_broken(site_world->fake, "/openid-configuration", reasons[i]);
        site_browser_t *browser = site_browser();
        sso_answer_t answer = site_visit(browser, "/page");
        assert_fault(reasons[i], answer);
        assert_int_equal(sso_reason(reasons[i])->status, 503);
        assert_string_equal(answer.retry_path, "/page");
    }
    assert_true(sso_counters_get(unit_ctx.counters, SSO_COUNT_SIGNIN_LATER) > 0);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_STARTED_PLAIN), 0);
}

static void test_callback_of_a_token_endpoint_that_answers_badly_is_a_fault(void **state)
{
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {200, "", SSO_R_TOKEN_FORMAT},
        {200, "[]", SSO_R_TOKEN_FORMAT},
        {200, "<html>", SSO_R_TOKEN_FORMAT},
        {200, "{}", SSO_R_TOKEN_NO_ID_TOKEN},
        {200, "{\"id_token\":\"a.b.c\"}", SSO_R_JWT_SHAPE},
        {200, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_FORMAT},
        {400, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {401, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {400, "{\"error\":\"invalid_request\"}", SSO_R_TOKEN_REFUSED},
        {429, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_LATER},
        {500, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_LATER},
        {503, "", SSO_R_TOKEN_LATER},
    };
    (void)state;
    site_world->scripted = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_world->token->status = rows[i].status;
        site_world->token->body = rows[i].body;
        site_browser_t *browser = site_browser();
        sso_answer_t answer = site_sign_in(browser, "/page");
        if (answer.kind != SSO_ANSWER_FAULT || unit_ctx.fault.rc != rows[i].rc) {
            unit_fail("%d %s: %s", rows[i].status, rows[i].body, sso_reason(unit_ctx.fault.rc)->name);
        }
        assert_int_equal(answer.cookies->nelts, 0);
        assert_false(has_session(browser));
    }
    assert_int_equal(site_token_calls(), sizeof(rows) / sizeof(rows[0]));
}

/* ---- back from Entra's logout ---- */

static void test_callback_without_parameters_says_goodbye_and_repeats_nothing(void **state)
{
    static const char *const queries[] = {
        NULL,
        "",
        "&",
        "&&&",
        "=",
        "=&=",
        "Your+account+is+blocked,+call+555",
        "iss=https%3A%2F%2Fevil.test&target_link_uri=x",
        "session_state=a",
        "state=",
        "state=x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sso_answer_t answer = site_call_back(site_browser(), queries[i]);
        if (answer.kind != SSO_ANSWER_GOODBYE) {
            unit_fail("%s: %d", queries[i], (int)answer.kind);
        }
        assert_null(answer.location);
        assert_string_equal(answer.retry_path, "/");
        assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    }
}

/* attacks.md F: what the page says must be true. */
static void test_callback_without_parameters_never_says_goodbye_to_a_live_session(void **state)
{
    static const char *const queries[] = {NULL, "", "state=x", "session_state=a"};
    (void)state;
    site_browser_t *browser = site_browser();
    (void)site_sign_in(browser, "/page");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sso_answer_t answer = site_call_back(browser, queries[i]);
        assert_page("/", answer);
        assert_int_equal(answer.cookies->nelts, 0);
    }
    assert_true(has_session(browser));
}

static void test_callback_with_the_state_of_a_sign_out_goes_to_its_page_in_its_time(void **state)
{
    static const struct {
        sso_state_kind_t kind;
        const char *path;
        apr_interval_time_t later;
        const char *page; /* NULL: goodbye */
    } rows[] = {
        {SSO_STATE_SIGN_OUT, "/bye", 0, SITE_ORIGIN "/bye"},
        {SSO_STATE_SIGN_OUT, "/bye", 15 * SITE_MINUTE, SITE_ORIGIN "/bye"},
        {SSO_STATE_SIGN_OUT, "/bye", 15 * SITE_MINUTE + 1, NULL},
        {SSO_STATE_SIGN_OUT, "", 0, NULL},
        {SSO_STATE_SIGN_IN, "/page", 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *sealed;
        sso_state_t made = {.kind = rows[i].kind, .issued = SSO_TEST_NOW, .return_path = rows[i].path};
        assert_rc(SSO_OK, sso_state_seal(&unit_ctx, &site_world->site, &made, &sealed));
        unit_ctx.now = SSO_TEST_NOW + rows[i].later;
        sso_answer_t answer = site_call_back(site_browser(), apr_pstrcat(unit_pool, "state=", sealed, NULL));
        if (rows[i].page == NULL) {
            assert_int_equal(answer.kind, SSO_ANSWER_GOODBYE);
        } else {
            assert_string_equal(answer.location, rows[i].page);
        }
    }
}

/* ---- secrets ---- */

static void collect(void *baton, sso_level_t level, const char *file, int line, const char *text)
{
    const char **all = baton;
    (void)level;
    (void)file;
    (void)line;
    *all = apr_pstrcat(unit_pool, *all, text, "\n", NULL);
}

static void assert_no_secret(const char *text)
{
    static const char *const secrets[] = {SITE_SECRET, "planted-code", "planted-access-token", "eyJ"};
    for (size_t i = 0; text != NULL && i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (strstr(text, secrets[i]) != NULL) {
            unit_fail("%s shows %s", text, secrets[i]);
        }
    }
}

/* The number of a reason stands in the line that tells why a sign-in began again. */
static void assert_begins_again_for(sso_rc rc, site_browser_t *browser, const char *query)
{
    const char *lines = "";
    unit_ctx.log = collect;
    unit_ctx.log_baton = &lines;
    assert_to_entra(site_call_back(browser, query));
    const char *number = apr_psprintf(unit_pool, "ENTRA%04d", sso_reason(rc)->number);
    if (strstr(lines, number) == NULL) {
        unit_fail("%s is not in: %s", number, lines);
    }
}

static void test_callback_that_begins_again_tells_why(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
    assert_begins_again_for(SSO_R_STATE_BROWSER, site_browser(), query);
    unit_ctx.now += 16 * SITE_MINUTE;
    assert_begins_again_for(SSO_R_STATE_EXPIRED, browser, query);
}

static void test_signin_shows_no_secret_in_answers_faults_and_debug_lines(void **state)
{
    (void)state;
    const char *lines = "";
    unit_ctx.log = collect;
    unit_ctx.log_baton = &lines;
    site_browser_t *browser = site_browser();
    const char *query = site_entra_signs_in(site_visit(browser, "/page").location);
    assert_no_secret(site_call_back(browser, query).location);
    apr_table_unset(browser->jar, SESSION_COOKIE);
    assert_no_secret(site_call_back(browser, query).location);
    assert_no_secret(site_call_back(site_browser(), query).location);
    assert_no_secret(unit_ctx.fault.detail);
    assert_no_secret(site_cookie_header(browser));
    const fixture_claim_t claims[] = {{"aud", "\"another\""}, {NULL}};
    site_world->changes = claims;
    (void)site_sign_in(site_browser(), "/page");
    assert_no_secret(unit_ctx.fault.detail);
    assert_no_secret(lines);
    assert_int_not_equal(strlen(lines), 0);
}

/* ---- the session's row ---- */

static sso_stored_t row_of(const sso_record_t *record)
{
    sso_stored_t stored = {.app = NULL};
    bool found = false;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record->id, &stored, &found));
    assert_true(found);
    return stored;
}

static void test_signin_leaves_a_row_with_the_sealed_refresh_token(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    sso_record_t record;
    unsigned char *token;
    apr_size_t len;
    assert_page("/page", site_sign_in(browser, "/page"));
    assert_rc(SSO_OK, site_session(browser, &record));
    assert_true(record.renewable);
    sso_stored_t row = row_of(&record);
    assert_string_equal(row.app, SITE_APP);
    assert_string_equal(row.tid, record.tid);
    assert_string_equal(row.oid, record.oid);
    assert_string_equal(row.sid, record.sid);
    assert_string_equal(row.username, record.username);
    assert_int_equal(row.created, record.created);
    assert_int_equal(row.ends, record.ends);
    assert_int_equal(row.revalidated, record.revalidated);
    assert_string_equal(row.identity, "");
    assert_null(strstr(row.refresh, SITE_REFRESH_TOKEN));
    assert_rc(SSO_OK, sso_session_unseal(&unit_ctx, &site_world->site.session, SSO_PURPOSE_REFRESH, record.id,
                                         row.refresh, &token, &len));
    assert_string_equal((const char *)token, SITE_REFRESH_TOKEN);
}

static void test_signin_without_a_refresh_token_is_not_renewable(void **state)
{
    (void)state;
    site_browser_t *browser = site_browser();
    sso_record_t record;
    const char *location = site_visit(browser, "/").location;
    const char *code = site_entra_signs_in(location);
    site_world->scripted = true;
    site_world->token->status = 200;
    site_world->token->body = apr_pstrcat(unit_pool, "{\"token_type\":\"Bearer\",\"id_token\":\"",
                                          site_id_token(site_param(location, "nonce")), "\"}", NULL);
    assert_page("/", site_call_back(browser, code));
    assert_rc(SSO_OK, site_session(browser, &record));
    assert_false(record.renewable);
    assert_string_equal(row_of(&record).refresh, "");
}

static void test_signin_while_the_database_is_away_makes_no_session(void **state)
{
    (void)state;
    static const char *const params[] = {"/nowhere/entra.db", NULL};
    for (int i = 0; i < 2; i++) {
        site_browser_t *browser = site_browser();
        sso_store_t *good = site_world->site.store;
        site_world->site.store = NULL;
        if (params[i] != NULL) {
            assert_rc(SSO_OK, sso_store_make(&unit_ctx, unit_pool, "sqlite3", params[i], &site_world->site.store));
        }
        sso_answer_t answer = site_sign_in(browser, "/page");
        assert_fault(SSO_R_STORE_AWAY, answer);
        assert_int_equal(sso_reason(unit_ctx.fault.rc)->status, 503);
        assert_int_equal(answer.cookies->nelts, 0);
        assert_string_equal(answer.retry_path, "/page");
        assert_false(has_session(browser));
        site_world->site.store = good;
        assert_page("/page", site_sign_in(browser, "/page"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_signin_from_the_first_visit_to_the_page),
        site_test(test_signin_correlation_id_is_a_fresh_guid_that_entra_sees),
        site_test(test_signin_values_are_fresh_for_every_start),
        site_test(test_signin_over_an_old_session_makes_a_new_one),
        site_test(test_signin_over_a_larger_session_leaves_no_chunk_of_it),
        site_test(test_signin_under_another_host_first_goes_to_the_public_origin),
        site_test(test_signin_under_another_host_takes_each_wish_along),
        site_test(test_signin_under_another_host_without_random_numbers_is_refused),
        site_test(test_signin_login_hops_to_the_public_origin_once),
        site_test(test_signin_login_is_for_get_alone),
        site_test(test_signin_login_of_a_malformed_query_is_refused),
        site_test(test_signin_return_target_is_a_page_of_this_site_or_home),
        site_test(test_signin_start_at_our_own_endpoints_comes_back_home),
        site_test(test_signin_fault_is_its_own_and_not_of_the_session_before),
        site_test(test_callback_is_for_get_alone),
        site_test(test_callback_of_a_malformed_query_is_refused_without_a_token_call),
        site_test(test_callback_of_a_code_of_any_allowed_size_is_redeemed),
        site_test(test_callback_that_another_browser_began_is_not_redeemed),
        site_test(test_callback_of_a_stranger_leaves_an_older_session_alone),
        site_test(test_callback_of_a_stranger_meets_a_younger_session_and_its_code_is_left),
        site_test(test_callback_with_an_error_for_another_browser_is_not_shown),
        site_test(test_callback_with_a_code_of_another_state_is_refused_by_pkce),
        site_test(test_callback_reloaded_with_its_session_goes_to_its_page),
        site_test(test_callback_reloaded_without_its_session_signs_in_afresh),
        site_test(test_signin_thirty_tabs_finish_in_any_order_on_their_own_pages),
        site_test(test_signin_thirty_tabs_at_once_each_get_their_page),
        site_test(test_callback_of_an_old_state_signs_in_afresh),
        site_test(test_callback_of_a_sign_outs_state_is_no_sign_in),
        site_test(test_signin_stops_after_three_rounds_of_a_browser_without_cookies),
        site_test(test_signin_stops_when_the_session_cookie_is_dropped),
        site_test(test_signin_of_a_browser_that_keeps_its_session_is_no_loop),
        site_test(test_signin_three_times_in_a_day_is_no_loop),
        site_test(test_callback_whose_code_entra_does_not_take_signs_in_afresh_then_stops),
        site_test(test_callback_with_an_error_of_entra_is_that_fault),
        site_test(test_callback_whose_token_is_refused_makes_no_session),
        site_test(test_callback_of_a_tenant_that_is_not_allowed_is_forbidden),
        site_test(test_callback_of_a_session_too_large_for_its_cookie_is_refused),
        site_test(test_callback_keeps_the_claims_of_the_configuration),
        site_test(test_signin_whose_nth_call_fails_leaves_no_half_of_a_session),
        site_test(test_signin_whose_nth_random_number_fails_leaves_no_half_of_a_session),
        site_test(test_signin_start_while_entra_is_away_is_a_fault_for_later),
        site_test(test_callback_of_a_token_endpoint_that_answers_badly_is_a_fault),
        site_test(test_callback_without_parameters_says_goodbye_and_repeats_nothing),
        site_test(test_callback_without_parameters_never_says_goodbye_to_a_live_session),
        site_test(test_callback_with_the_state_of_a_sign_out_goes_to_its_page_in_its_time),
        site_test(test_callback_that_begins_again_tells_why),
        site_test(test_signin_shows_no_secret_in_answers_faults_and_debug_lines),
        site_test(test_signin_leaves_a_row_with_the_sealed_refresh_token),
        site_test(test_signin_without_a_refresh_token_is_not_renewable),
        site_test(test_signin_while_the_database_is_away_makes_no_session),
    };
    return site_run(tests);
}
