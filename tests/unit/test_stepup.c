/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/stepup.c, and of sign-ins that strengthen a session (flow/signin.c): what is asked for, what counts as
 * an answer, and that neither account, age nor end of the session can be changed by the way. */
#include "flow/stepup.h"

#include <string.h>

#include "unit.h"

#include "base/limits.h"
#include "site.h"

static const sso_wishes_t C1 = {.acr = "c1"};
static const sso_wishes_t FRESH = {.max_age = 10 * 60 * APR_USEC_PER_SEC};

#define ACRS_C1                                                                                                        \
    {                                                                                                                  \
        "acrs", "[\"c1\"]"                                                                                             \
    }
#define OTHER_OID "11111111-2222-4333-8444-555555555555"

/* The site's rules name c1 and c2. */
static void name_contexts(void)
{
    apr_array_header_t *acrs = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(acrs, const char *) = "c1";
    APR_ARRAY_PUSH(acrs, const char *) = "c2";
    site_world->site.acrs = acrs;
}

static const char *auth_time(apr_interval_time_t ago)
{
    return apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, apr_time_sec(unit_ctx.now - ago));
}

/* A browser with a session of a sign-in whose token has no contexts. */
static site_browser_t *signed_in(sso_record_t *record)
{
    name_contexts();
    site_browser_t *browser = site_browser();
    site_world->changes = NULL;
    assert_page("/first", site_sign_in(browser, "/first"));
    assert_rc(SSO_OK, site_session(browser, record));
    return browser;
}

/* The browser goes to /page with these wishes, Entra's token has these claims, and comes back. */
static sso_answer_t step_up(site_browser_t *browser, const sso_wishes_t *wishes, const fixture_claim_t *claims)
{
    browser->wishes = wishes;
    site_world->changes = claims;
    return site_sign_in(browser, "/page?x=1");
}

/* ---- what is asked for ---- */

static void test_stepup_asks_for_the_context_in_the_claims_parameter(void **state)
{
    (void)state;
    name_contexts();
    site_browser_t *browser = site_browser();
    browser->wishes = &C1;
    sso_answer_t answer = site_visit(browser, "/page");
    assert_to_entra(answer);
    assert_string_equal(site_param(answer.location, "claims"),
                        "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}");
    assert_null(site_param(answer.location, "max_age"));
    const sso_wishes_t all = {.max_age = FRESH.max_age, .prompt = "login", .login_hint = "a b", .domain_hint = "d.e"};
    browser->wishes = &all;
    answer = site_visit(browser, "/page");
    assert_null(site_param(answer.location, "claims"));
    assert_string_equal(site_param(answer.location, "max_age"), "600");
    assert_string_equal(site_param(answer.location, "prompt"), "login");
    assert_string_equal(site_param(answer.location, "login_hint"), "a b");
    assert_string_equal(site_param(answer.location, "domain_hint"), "d.e");
    browser->wishes = NULL;
    answer = site_visit(browser, "/page");
    assert_null(site_param(answer.location, "prompt"));
    assert_null(site_param(answer.location, "max_age"));
}

static void test_stepup_wishes_go_along_to_the_public_origin_sealed(void **state)
{
    (void)state;
    name_contexts();
    site_browser_t *browser = site_browser();
    const sso_wishes_t wishes = {.acr = "c2", .max_age = FRESH.max_age, .login_hint = "planted-hint"};
    browser->wishes = &wishes;
    browser->host = "other.example.com";
    sso_answer_t answer = site_visit(browser, "/page");
    assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
    assert_true(site_begins(answer.location, SITE_ORIGIN "/.entra/login?rd=%2Fpage&hop=1&wishes="));
    assert_null(strstr(answer.location, "planted-hint"));
    browser->host = "app.example.com";
    sso_request_t request = site_request(browser, "GET", strchr(answer.location, '?') + 1);
    sso_signin_login(&unit_ctx, &site_world->site, &request, &answer);
    assert_to_entra(answer);
    assert_non_null(strstr(site_param(answer.location, "claims"), "\"c2\""));
    assert_string_equal(site_param(answer.location, "max_age"), "600");
    assert_string_equal(site_param(answer.location, "login_hint"), "planted-hint");
}

static void test_stepup_by_link_takes_only_what_the_configuration_names(void **state)
{
    static const struct {
        const char *acr, *max_age;
        sso_rc expected;
    } rows[] = {
        {NULL, NULL, SSO_OK},
        {"c1", NULL, SSO_OK},
        {"c2", "1", SSO_OK},
        {NULL, "999999999", SSO_OK},
        {"c3", NULL, SSO_R_STEPUP_UNKNOWN},
        {"C1", NULL, SSO_R_STEPUP_UNKNOWN},
        {"", NULL, SSO_R_STEPUP_UNKNOWN},
        {"c1\"}", NULL, SSO_R_STEPUP_UNKNOWN},
        {NULL, "", SSO_R_STEPUP_UNKNOWN},
        {NULL, "0", SSO_R_STEPUP_UNKNOWN},
        {NULL, "-1", SSO_R_STEPUP_UNKNOWN},
        {NULL, "+1", SSO_R_STEPUP_UNKNOWN},
        {NULL, " 1", SSO_R_STEPUP_UNKNOWN},
        {NULL, "1s", SSO_R_STEPUP_UNKNOWN},
        {NULL, "1000000000", SSO_R_STEPUP_UNKNOWN},
        {"c1", "x", SSO_R_STEPUP_UNKNOWN},
    };
    (void)state;
    name_contexts();
    sso_wishes_t wishes;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *acr = rows[i].acr == NULL ? NULL : apr_pstrdup(unit_pool, rows[i].acr);
        assert_rc(rows[i].expected, sso_wishes_parse(&unit_ctx, &site_world->site, acr, rows[i].max_age, &wishes));
        if (rows[i].expected == SSO_OK && acr != NULL) {
            /* The site's own text goes on, not the link's. */
            assert_ptr_not_equal(wishes.acr, acr);
            assert_string_equal(wishes.acr, acr);
        }
    }
    site_world->site.acrs = NULL;
    assert_rc(SSO_R_STEPUP_UNKNOWN, sso_wishes_parse(&unit_ctx, &site_world->site, "c1", NULL, &wishes));
}

static void test_stepup_hint_is_the_session_s_own_account(void **state)
{
    (void)state;
    char *longest = apr_palloc(unit_pool, SSO_MAX_HINT + 2);
    memset(longest, 'x', SSO_MAX_HINT + 1);
    longest[SSO_MAX_HINT + 1] = '\0';
    sso_record_t record = {.login_hint = "O.hint", .username = "ada@contoso.example"};
    assert_string_equal(sso_hint_of(&record), "O.hint");
    record.login_hint = "";
    assert_string_equal(sso_hint_of(&record), "ada@contoso.example");
    record.username = "";
    assert_null(sso_hint_of(&record));
    record.login_hint = longest;
    assert_null(sso_hint_of(&record));
    longest[SSO_MAX_HINT] = '\0';
    assert_string_equal(sso_hint_of(&record), longest);
}

/* ---- what comes back ---- */

static void test_stepup_makes_the_session_stronger(void **state)
{
    static const fixture_claim_t claims[] = {ACRS_C1, {"roles", "[\"New\"]"}, {NULL}};
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    unit_ctx.now += SITE_HOUR / 2;
    sso_answer_t answer = step_up(browser, &C1, claims);
    assert_page("/page?x=1", answer);
    assert_true(answer.signed_in && answer.strengthened);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_memory_equal(after.id, before.id, sizeof(after.id));
    assert_int_equal(after.created, before.created);
    assert_int_equal(after.ends, before.ends);
    assert_int_equal(after.revalidated, unit_ctx.now);
    assert_string_equal(sso_list_join(unit_pool, &after.acrs, ","), "c1");
    assert_string_equal(sso_list_join(unit_pool, &after.roles, ","), "New");
}

static void test_stepup_without_the_context_is_refused_and_changes_nothing(void **state)
{
    static const fixture_claim_t rows[][2] = {
        {{NULL}, {NULL}},
        {{"acrs", "[]"}, {NULL}},
        {{"acrs", "[\"c2\"]"}, {NULL}},
        {{"acrs", "[\"C1\"]"}, {NULL}},
        {{"acr", "\"c1\""}, {NULL}},
    };
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_answer_t answer = step_up(browser, &C1, rows[i]);
        assert_fault(SSO_R_STEPUP_MISSING, answer);
        assert_int_equal(answer.cookies->nelts, 0);
        assert_string_equal(answer.retry_path, "/page?x=1");
        assert_string_equal(answer.wishes->acr, "c1");
        assert_rc(SSO_OK, site_session(browser, &after));
        assert_int_equal(after.acrs.count, 0);
        assert_memory_equal(after.id, before.id, sizeof(after.id));
    }
}

static void test_stepup_of_another_user_is_refused(void **state)
{
    static const fixture_claim_t other[] = {ACRS_C1, {"oid", "\"" OTHER_OID "\""}, {NULL}};
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    sso_answer_t answer = step_up(browser, &C1, other);
    assert_fault(SSO_R_STEPUP_ACCOUNT, answer);
    assert_int_equal(answer.cookies->nelts, 0);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_string_equal(after.oid, FIXTURE_OID);
    assert_int_equal(after.acrs.count, 0);
    /* The same object id in another tenant is another user, too. */
    sso_record_t elsewhere = before;
    elsewhere.tid = OTHER_OID;
    elsewhere.acrs = list_of(TEXTS("c1"));
    assert_rc(SSO_R_STEPUP_ACCOUNT, sso_wishes_check(&unit_ctx, &site_world->site, &C1, &before, &elsewhere));
    elsewhere.tid = before.tid;
    assert_rc(SSO_OK, sso_wishes_check(&unit_ctx, &site_world->site, &C1, &before, &elsewhere));
}

static void test_stepup_of_a_session_that_is_gone_is_a_new_sign_in(void **state)
{
    static const fixture_claim_t other[] = {ACRS_C1, {"oid", "\"" OTHER_OID "\""}, {NULL}};
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    apr_table_unset(browser->jar, "__Host-Entra-Session");
    unit_ctx.now += SITE_MINUTE;
    sso_answer_t answer = step_up(browser, &C1, other);
    assert_page("/page?x=1", answer);
    assert_true(answer.signed_in && !answer.strengthened);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_memory_not_equal(after.id, before.id, sizeof(after.id));
    assert_string_equal(after.oid, OTHER_OID);
    assert_int_equal(after.created, unit_ctx.now);
    assert_string_equal(sso_list_join(unit_pool, &after.acrs, ","), "c1");
}

/* Somebody ended it while the browser was at Entra: the id does not come back, whoever signs in signs in anew. */
static void test_stepup_of_a_session_that_was_ended_is_a_new_sign_in(void **state)
{
    static const fixture_claim_t claims[] = {ACRS_C1, {NULL}};
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    sso_store_which_t which = {.id = before.id};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, site_world->site.store, &which, "test", "tester", ended));
    assert_int_equal(ended->nelts, 1);
    unit_ctx.now += SITE_MINUTE;
    sso_answer_t answer = step_up(browser, &C1, claims);
    assert_page("/page?x=1", answer);
    assert_true(answer.signed_in && !answer.strengthened);
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_memory_not_equal(after.id, before.id, sizeof(after.id));
    assert_int_equal(after.created, unit_ctx.now);
    assert_true(after.renewable);
}

static void test_stepup_that_is_reloaded_goes_to_its_page_without_its_code(void **state)
{
    static const fixture_claim_t claims[] = {ACRS_C1, {NULL}};
    (void)state;
    sso_record_t record;
    site_browser_t *browser = signed_in(&record);
    browser->wishes = &C1;
    site_world->changes = claims;
    sso_answer_t answer = site_visit(browser, "/page");
    const char *callback = site_entra_signs_in(answer.location);
    int calls = site_token_calls();
    for (int i = 0; i < 3; i++) {
        assert_page("/page", site_call_back(browser, callback));
        assert_int_equal(site_token_calls(), calls + 1);
    }
}

/* An ordinary sign-in in another tab makes a session that is younger, and lacks the context all the same. */
static void test_stepup_is_redeemed_over_a_younger_session_without_the_context(void **state)
{
    static const fixture_claim_t claims[] = {ACRS_C1, {NULL}};
    (void)state;
    sso_record_t record;
    site_browser_t *browser = signed_in(&record);
    browser->wishes = &C1;
    sso_answer_t answer = site_visit(browser, "/page");
    browser->wishes = NULL;
    unit_ctx.now += SITE_MINUTE;
    (void)site_sign_in(browser, "/tab");
    site_world->changes = claims;
    answer = site_call_back(browser, site_entra_signs_in(answer.location));
    assert_page("/page", answer);
    assert_true(answer.strengthened);
}

static void test_stepup_that_never_reaches_the_session_is_explained(void **state)
{
    static const fixture_claim_t claims[] = {ACRS_C1, {NULL}};
    (void)state;
    sso_record_t record;
    site_browser_t *browser = signed_in(&record);
    browser->drops_session = true;
    assert_page("/page?x=1", step_up(browser, &C1, claims));
    assert_page("/page?x=1", step_up(browser, &C1, claims));
    sso_answer_t answer = site_visit(browser, "/page");
    assert_fault(SSO_R_STEPUP_LOOP, answer);
    assert_string_equal(answer.wishes->acr, "c1");
    /* The cookie went with the page, so a click begins anew. */
    assert_to_entra(site_visit(browser, "/page"));
}

static void test_stepup_begun_again_still_asks(void **state)
{
    (void)state;
    sso_record_t record;
    site_browser_t *browser = signed_in(&record);
    browser->wishes = &C1;
    sso_answer_t answer = site_visit(browser, "/page");
    const char *callback = site_entra_signs_in(answer.location);
    unit_ctx.now += 16 * SITE_MINUTE;
    answer = site_call_back(browser, callback);
    assert_to_entra(answer);
    assert_non_null(strstr(site_param(answer.location, "claims"), "\"c1\""));
}

/* ---- fresh sign-ins ---- */

static void test_stepup_fresh_is_by_auth_time_with_the_skew(void **state)
{
    static const struct {
        apr_interval_time_t ago; /* seconds */
        bool fresh;
    } rows[] = {{0, true}, {599, true}, {900, true}, {901, false}, {86400, false}, {-300, true}, {-301, false}};
    (void)state;
    sso_record_t record = {.auth_time = 0};
    assert_false(sso_auth_is_fresh(&record, SSO_TEST_NOW, FRESH.max_age, 5 * SITE_MINUTE));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record.auth_time = SSO_TEST_NOW - apr_time_from_sec(rows[i].ago);
        if (sso_auth_is_fresh(&record, SSO_TEST_NOW, FRESH.max_age, 5 * SITE_MINUTE) != rows[i].fresh) {
            unit_fail("%d s ago", (int)rows[i].ago);
        }
    }
}

static void test_stepup_fresh_sign_in_is_believed_by_auth_time_alone(void **state)
{
    (void)state;
    sso_record_t before, after;
    site_browser_t *browser = signed_in(&before);
    const fixture_claim_t none[] = {{"name", "\"x\""}, {NULL}};
    assert_fault(SSO_R_AUTH_TIME_MISSING, step_up(browser, &FRESH, none));
    const fixture_claim_t stale[] = {{"auth_time", auth_time(SITE_HOUR)}, {NULL}};
    assert_fault(SSO_R_AUTH_TIME_STALE, step_up(browser, &FRESH, stale));
    const fixture_claim_t future[] = {{"auth_time", auth_time(-SITE_HOUR)}, {NULL}};
    assert_fault(SSO_R_AUTH_TIME_STALE, step_up(browser, &FRESH, future));
    unit_ctx.now += SITE_MINUTE;
    const fixture_claim_t good[] = {{"auth_time", auth_time(SITE_MINUTE)}, {NULL}};
    assert_page("/page?x=1", step_up(browser, &FRESH, good));
    assert_rc(SSO_OK, site_session(browser, &after));
    assert_memory_equal(after.id, before.id, sizeof(after.id));
    assert_int_equal(after.ends, before.ends);
    assert_int_equal(after.auth_time, SSO_TEST_NOW);
    /* Without a session it is the same rule, for a new one. */
    site_browser_t *stranger = site_browser();
    assert_fault(SSO_R_AUTH_TIME_MISSING, step_up(stranger, &FRESH, none));
    sso_answer_t answer = step_up(stranger, &FRESH, good);
    assert_page("/page?x=1", answer);
    assert_false(answer.strengthened);
}

/* ---- when a step-up helps ---- */

/* The rules of a section as a function of the contexts that are there; counts how often it was asked. */
typedef struct {
    bool (*rules)(uint64_t has, uint64_t *missing);
    int asked;
} section_t;

#define BIT(i) (UINT64_C(1) << (i))

static bool attempt(void *baton, uint64_t supposed, uint64_t *ret_missing)
{
    section_t *section = baton;
    section->asked++;
    *ret_missing = 0;
    return section->rules(supposed, ret_missing);
}

static bool needs(uint64_t has, int context, uint64_t *missing)
{
    if ((has & BIT(context)) != 0) {
        return true;
    }
    *missing |= BIT(context);
    return false;
}

static bool rules_one(uint64_t has, uint64_t *missing)
{
    return needs(has, 3, missing);
}
static bool rules_both(uint64_t has, uint64_t *missing)
{
    return needs(has, 4, missing) && needs(has, 2, missing);
}
static bool rules_never(uint64_t has, uint64_t *missing)
{
    return needs(has, 0, missing) && false;
}
/* (0 and a role that is not there) or 5 */
static bool rules_other(uint64_t has, uint64_t *missing)
{
    return (needs(has, 0, missing) && false) || needs(has, 5, missing);
}
/* not 9, and 63 */
static bool rules_not(uint64_t has, uint64_t *missing)
{
    return !needs(has, 9, missing) && needs(has, 63, missing);
}
/* A new one each time. */
static bool rules_endless(uint64_t has, uint64_t *missing)
{
    *missing = ~has;
    return false;
}

static void test_stepup_search_finds_a_smallest_set_that_helps(void **state)
{
    static const struct {
        const char *name;
        bool (*rules)(uint64_t has, uint64_t *missing);
        int expected[2]; /* either */
    } rows[] = {
        {"one", rules_one, {3, 3}},     {"both", rules_both, {2, 4}}, {"never", rules_never, {-1, -1}},
        {"other", rules_other, {5, 5}}, {"not", rules_not, {63, 63}}, {"endless", rules_endless, {-1, -1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        section_t section = {rows[i].rules, 0};
        uint64_t missing = 0;
        assert_false(rows[i].rules(0, &missing));
        int found = sso_stepup_search(attempt, &section, missing);
        if (found != rows[i].expected[0] && found != rows[i].expected[1]) {
            unit_fail("%s: %d", rows[i].name, found);
        }
        assert_in_range(section.asked, 1, SSO_MAX_SUPPOSITIONS);
    }
    section_t none = {rules_one, 0};
    assert_int_equal(sso_stepup_search(attempt, &none, 0), -1);
    assert_int_equal(none.asked, 0);
}

static void test_stepup_claims_name_the_context(void **state)
{
    (void)state;
    assert_string_equal(sso_stepup_claims(unit_pool, "c1"),
                        "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_stepup_asks_for_the_context_in_the_claims_parameter),
        site_test(test_stepup_claims_name_the_context),
        site_test(test_stepup_wishes_go_along_to_the_public_origin_sealed),
        site_test(test_stepup_by_link_takes_only_what_the_configuration_names),
        site_test(test_stepup_hint_is_the_session_s_own_account),
        site_test(test_stepup_makes_the_session_stronger),
        site_test(test_stepup_without_the_context_is_refused_and_changes_nothing),
        site_test(test_stepup_of_another_user_is_refused),
        site_test(test_stepup_of_a_session_that_is_gone_is_a_new_sign_in),
        site_test(test_stepup_of_a_session_that_was_ended_is_a_new_sign_in),
        site_test(test_stepup_that_is_reloaded_goes_to_its_page_without_its_code),
        site_test(test_stepup_is_redeemed_over_a_younger_session_without_the_context),
        site_test(test_stepup_that_never_reaches_the_session_is_explained),
        site_test(test_stepup_begun_again_still_asks),
        site_test(test_stepup_fresh_is_by_auth_time_with_the_skew),
        site_test(test_stepup_fresh_sign_in_is_believed_by_auth_time_alone),
        unit_test(test_stepup_search_finds_a_smallest_set_that_helps),
    };
    return site_run(tests);
}
