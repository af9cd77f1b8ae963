/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/frontchannel.c: a sid that the store knows ends its sessions; nothing else does anything, nor shows. */
#include "flow/frontchannel.h"

#include <string.h>

#include "unit.h"

#include "site.h"

#define SID "00524ee6-0ce2-4a1e-9f2e-6d8a0c1b2e3f"
#define OTHER_SID "11524ee6-0ce2-4a1e-9f2e-6d8a0c1b2e3f"

/* The gate before it, as in a process of a node. */
static void open_gate(int limit)
{
    void *memory = apr_pcalloc(unit_pool, sso_gate_shared_size(4));
    sso_gate_shared_init(memory, 4, limit);
    site_world->site.frontchannel = sso_gate_join(unit_pool, memory);
    assert_non_null(site_world->site.frontchannel);
}

static int setup(void **state)
{
    if (site_setup(state) != 0) {
        return -1;
    }
    open_gate(SSO_MAX_FRONTCHANNEL);
    return 0;
}

#define frontchannel_test(function) cmocka_unit_test_setup_teardown(function, setup, database_teardown)

/* A call out of Entra's frame: no cookie, and nothing that says who. */
static sso_answer_t call(const char *method, const char *query)
{
    sso_answer_t answer;
    sso_request_t request = site_request(site_browser(), method, query);
    sso_fault_clear(&unit_ctx);
    sso_frontchannel(&unit_ctx, &site_world->site, &request, &answer);
    assert_int_equal(answer.cookies->nelts, 0);
    return answer;
}

static site_browser_t *signed_in(const char *sid)
{
    const fixture_claim_t claims[] = {{"sid", apr_psprintf(unit_pool, "\"%s\"", sid)}, {NULL}};
    site_browser_t *browser = site_browser();
    site_world->changes = claims;
    assert_page("/", site_sign_in(browser, "/"));
    site_world->changes = NULL;
    return browser;
}

static sso_rc session(const site_browser_t *browser)
{
    sso_record_t record;
    return site_session(browser, &record);
}

/* ---- what it ends ---- */

static void test_frontchannel_ends_the_sessions_of_that_sid_and_no_other(void **state)
{
    (void)state;
    site_browser_t *one = signed_in(SID), *two = signed_in(SID), *other = signed_in(OTHER_SID);
    sso_answer_t answer = call("GET", "sid=" SID);
    assert_int_equal(answer.kind, SSO_ANSWER_HEARD);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_string_equal(answer.ended_cause, "front-channel logout");
    assert_int_equal(answer.ended->nelts, 2);
    assert_string_equal(answer.ended_oid, FIXTURE_OID);
    assert_string_equal(answer.ended_tid, FIXTURE_TENANT);
    assert_int_equal(session(one), SSO_R_SESSION_ENDED);
    assert_int_equal(session(two), SSO_R_SESSION_ENDED);
    assert_int_equal(session(other), SSO_OK);
}

static void test_frontchannel_answers_the_same_for_a_sid_that_nobody_has(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SID);
    static const char *const queries[] = {"sid=" OTHER_SID, "sid=a", "sid=A.b-c_9"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sso_answer_t answer = call("GET", queries[i]);
        assert_int_equal(answer.kind, SSO_ANSWER_HEARD);
        assert_null(answer.ended_cause);
    }
    assert_int_equal(sso_ended_reach(site_world->site.ended), 0);
    assert_int_equal(session(browser), SSO_OK);
    /* Twice is as good as once. */
    assert_non_null(call("GET", "sid=" SID).ended_cause);
    sso_answer_t again = call("GET", "sid=" SID);
    assert_int_equal(again.kind, SSO_ANSWER_HEARD);
    assert_null(again.ended_cause);
}

static void test_frontchannel_sid_of_the_callback_stands_in_for_the_claim(void **state)
{
    static const struct {
        const char *session_state;
        const char *sid;
    } rows[] = {
        {OTHER_SID, OTHER_SID},
        {"no-guid", ""},
        {"11524ee6-0ce2-4a1e-9f2e-6d8a0c1b2e3fx", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const fixture_claim_t claims[] = {{"sid", NULL}, {NULL}};
        sso_record_t record;
        site_browser_t *browser = site_browser();
        site_world->changes = claims;
        const char *query = site_entra_signs_in(site_visit(browser, "/").location);
        const char *cut = strstr(query, "&session_state=");
        query = apr_pstrcat(unit_pool, apr_pstrmemdup(unit_pool, query, (apr_size_t)(cut - query)),
                            "&session_state=", rows[i].session_state, NULL);
        assert_page("/", site_call_back(browser, query));
        assert_int_equal(site_session(browser, &record), SSO_OK);
        assert_string_equal(record.sid, rows[i].sid);
    }
    assert_non_null(call("GET", "sid=" OTHER_SID).ended_cause);
    /* The claim goes first. */
    site_browser_t *browser = signed_in(SID);
    sso_record_t record;
    assert_int_equal(site_session(browser, &record), SSO_OK);
    assert_string_equal(record.sid, SID);
}

/* ---- issuers ---- */

static void test_frontchannel_issuer_is_this_authority_s_or_absent(void **state)
{
    static const struct {
        const char *iss;
        bool good;
    } rows[] = {
        {FIXTURE_ISSUER, true},
        {FIXTURE_LOGIN "/11111111-2222-4333-8444-555555555555/v2.0", false},
        {FIXTURE_ISSUER "/", false},
        {"https://evil.test/" FIXTURE_TENANT "/v2.0", false},
        {FIXTURE_LOGIN "/%7Btenantid%7D/v2.0", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_browser_t *browser = signed_in(SID);
        sso_answer_t answer = call("GET", apr_pstrcat(unit_pool, "sid=" SID "&iss=", rows[i].iss, NULL));
        if (rows[i].good) {
            assert_int_equal(answer.kind, SSO_ANSWER_HEARD);
            assert_int_equal(session(browser), SSO_R_SESSION_ENDED);
        } else {
            assert_fault(SSO_R_FRONTCHANNEL_ISS, answer);
            assert_int_equal(session(browser), SSO_OK);
            assert_non_null(call("GET", "sid=" SID).ended_cause);
        }
    }
}

static void test_frontchannel_issuer_of_several_tenants_means_one_of_them(void **state)
{
    (void)state;
    static const sso_http_policy_t policy = {NULL, NULL, 100000, 100000};
    static const sso_authority_config_t config = {FIXTURE_LOGIN, "organizations", &policy};
    site_browser_t *browser = signed_in(SID);
    fake_http_always(site_world->fake, "/openid-configuration", 200,
                     fixture_discovery(unit_pool, "organizations", "{tenantid}"));
    site_world->site.authority = sso_authority_make(
        unit_pool, &config, apr_pcalloc(unit_pool, sso_authority_shared_size()), &site_world->fake->face);
    assert_fault(SSO_R_FRONTCHANNEL_ISS, call("GET", "sid=" SID "&iss=" FIXTURE_LOGIN "/%7Btenantid%7D/v2.0"));
    assert_fault(SSO_R_FRONTCHANNEL_ISS, call("GET", "sid=" SID "&iss=" FIXTURE_LOGIN "/organizations/v2.0"));
    assert_fault(SSO_R_FRONTCHANNEL_ISS, call("GET", "sid=" SID "&iss=" FIXTURE_LOGIN));
    assert_fault(SSO_R_FRONTCHANNEL_ISS, call("GET", "sid=" SID "&iss=" FIXTURE_ISSUER "x"));
    /* Another tenant has no session of that sid. */
    sso_answer_t answer = call("GET", "sid=" SID "&iss=" FIXTURE_LOGIN "/11111111-2222-4333-8444-555555555555/v2.0");
    assert_int_equal(answer.kind, SSO_ANSWER_HEARD);
    assert_null(answer.ended_cause);
    assert_int_equal(session(browser), SSO_OK);
    assert_non_null(call("GET", "sid=" SID "&iss=" FIXTURE_ISSUER).ended_cause);
    assert_int_equal(session(browser), SSO_R_SESSION_ENDED);
}

/* ---- refusals ---- */

static void test_frontchannel_of_another_form_is_refused(void **state)
{
    static const char letters[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    (void)state;
    const struct {
        const char *query;
        sso_rc rc;
    } rows[] = {
        {NULL, SSO_R_FRONTCHANNEL_SID},
        {"", SSO_R_FRONTCHANNEL_SID},
        {"sid=", SSO_R_FRONTCHANNEL_SID},
        {"iss=" FIXTURE_ISSUER, SSO_R_FRONTCHANNEL_SID},
        {apr_pstrcat(unit_pool, "sid=", letters, NULL), SSO_R_FRONTCHANNEL_SID},
        {"sid=a%20b", SSO_R_FRONTCHANNEL_SID},
        {"sid=a+b", SSO_R_FRONTCHANNEL_SID},
        {"sid=%27%20OR%201=1--", SSO_R_FRONTCHANNEL_SID},
        {"sid=%25", SSO_R_FRONTCHANNEL_SID},
        {"sid=%C3%A9", SSO_R_FRONTCHANNEL_SID},
        {"sid=a%00", SSO_R_QUERY_FORMAT},
        {"sid=%zz", SSO_R_QUERY_FORMAT},
        {"sid=" SID "&sid=" OTHER_SID, SSO_R_QUERY_DUPLICATE},
        {"sid=" SID "&iss=a&iss=b", SSO_R_QUERY_DUPLICATE},
    };
    site_browser_t *browser = signed_in(SID);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_fault(rows[i].rc, call("GET", rows[i].query));
    }
    assert_int_equal(strlen(letters), SSO_MAX_SID + 1);
    assert_int_equal(call("GET", apr_pstrcat(unit_pool, "sid=", letters + 1, NULL)).kind, SSO_ANSWER_HEARD);
    assert_int_equal(session(browser), SSO_OK);
}

static void test_frontchannel_by_another_method_is_refused(void **state)
{
    static const char *const methods[] = {"HEAD", "POST", "PUT", "OPTIONS", "get", ""};
    (void)state;
    site_browser_t *browser = signed_in(SID);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        sso_answer_t answer = call(methods[i], "sid=" SID);
        assert_fault(SSO_R_CALLBACK_METHOD, answer);
        assert_string_equal(answer.allow, "GET");
    }
    assert_int_equal(session(browser), SSO_OK);
}

static void test_frontchannel_without_the_store_says_later(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SID);
    sso_store_t *store = site_world->site.store;
    site_world->site.store = NULL;
    assert_fault(SSO_R_STORE_AWAY, call("GET", "sid=" SID));
    assert_int_equal(session(browser), SSO_OK);
    site_world->site.store = store;
    assert_non_null(call("GET", "sid=" SID).ended_cause);
}

static void test_frontchannel_past_the_bound_says_later(void **state)
{
    (void)state;
    site_browser_t *browser = signed_in(SID);
    open_gate(1);
    assert_true(sso_gate_enter(site_world->site.frontchannel));
    assert_fault(SSO_R_FRONTCHANNEL_BUSY, call("GET", "sid=" SID));
    assert_int_equal(session(browser), SSO_OK);
    sso_gate_leave(site_world->site.frontchannel, true);
    assert_int_equal(call("GET", "sid=" SID).kind, SSO_ANSWER_HEARD);
    assert_int_equal(sso_gate_count(site_world->site.frontchannel), 0);
    /* A process that found no place at the gate takes none. */
    site_world->site.frontchannel = NULL;
    assert_fault(SSO_R_FRONTCHANNEL_BUSY, call("GET", "sid=" SID));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        frontchannel_test(test_frontchannel_ends_the_sessions_of_that_sid_and_no_other),
        frontchannel_test(test_frontchannel_answers_the_same_for_a_sid_that_nobody_has),
        frontchannel_test(test_frontchannel_sid_of_the_callback_stands_in_for_the_claim),
        frontchannel_test(test_frontchannel_issuer_is_this_authority_s_or_absent),
        frontchannel_test(test_frontchannel_issuer_of_several_tenants_means_one_of_them),
        frontchannel_test(test_frontchannel_of_another_form_is_refused),
        frontchannel_test(test_frontchannel_by_another_method_is_refused),
        frontchannel_test(test_frontchannel_without_the_store_says_later),
        frontchannel_test(test_frontchannel_past_the_bound_says_later),
    };
    return site_run(tests);
}
