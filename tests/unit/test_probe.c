/* SPDX-License-Identifier: Apache-2.0 */
/* Graph is asked before each refresh with the token from the sign-in: what each of its answers makes of a session. */
#include "flow/probe.h"

#include <string.h>

#include "unit.h"

#include "flow/renew.h"
#include "site.h"

#define GRAPH "https://graph.example.com"
#define ME GRAPH "/v1.0/me?$select=id"
#define REVALIDATE (5 * SITE_MINUTE)
#define CLAIMS "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1790000000\"}}}"
#define CAPABLE "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}"
#define BOTH                                                                                                           \
    "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1790000000\"},\"xms_cc\":{\"values\":[\"cp1\"]}}}"

/* A session of a site with continuous access, at the moment at which it is due. */
static sso_record_t due_session(void)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->site.session.freshness = (sso_freshness_t){REVALIDATE, SITE_HOUR};
    site_world->site.continuous = true;
    site_world->site.graph_url = GRAPH;
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, &record));
    site_world->scripted = true;
    unit_ctx.now += REVALIDATE + 1;
    return record;
}

static void entra_renews(const char *access_token)
{
    site_world->token->status = 200;
    site_world->token->body = apr_pstrcat(unit_pool, "{\"access_token\":\"", access_token, "\",\"id_token\":\"",
                                          site_id_token("unused"), "\"}", NULL);
}

static fake_row_t *graph_says(int status, const char *body)
{
    return fake_http_once(site_world->fake, ME, status, body);
}

static void graph_challenges(const char *claims)
{
    graph_says(401, "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}")->challenge =
        apr_pstrcat(unit_pool, "Bearer error=\"insufficient_claims\", claims=\"",
                    sso_base64(unit_pool, claims, strlen(claims)), "\"", NULL);
}

static sso_renewal_t renew(const sso_record_t *record)
{
    sso_record_t renewed;
    sso_fault_clear(&unit_ctx);
    return sso_renew(&unit_ctx, &site_world->site, record, &renewed);
}

static void assert_outcome(sso_renewal_t expected, sso_rc fault, sso_renewal_t got)
{
    if (got != expected || (fault != SSO_OK && unit_ctx.fault.rc != fault)) {
        unit_fail("outcome %d with %s (%s)", (int)got, sso_reason(unit_ctx.fault.rc)->name,
                  unit_ctx.fault.detail == NULL ? "-" : unit_ctx.fault.detail);
    }
    sso_fault_clear(&unit_ctx);
}

/* The bearer token of the last question to Graph. */
static const char *asked_with(void)
{
    const char *token = NULL;
    for (int i = 0; i < site_world->fake->request_count; i++) {
        if (strcmp(site_world->fake->requests[i].url, ME) == 0) {
            token = apr_table_get(site_world->fake->requests[i].headers, "Authorization");
        }
    }
    return token;
}

static int probes(void)
{
    return fake_http_count(site_world->fake, ME);
}

static sso_stored_t stored_row(const sso_record_t *record)
{
    sso_stored_t stored;
    bool found = false;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record->id, &stored, &found));
    assert_true(found);
    return stored;
}

static void test_probe_token_is_kept_sealed_and_the_client_says_what_it_can(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    assert_string_not_equal(stored_row(&record).access, "");
    assert_null(strstr(stored_row(&record).access, "planted"));
    assert_string_equal(fake_http_field(fake_http_last(site_world->fake), "claims"), CAPABLE);
    sso_answer_t answer = site_visit(site_browser(), "/");
    assert_string_equal(site_param(answer.location, "claims"), CAPABLE);
}

static void test_probe_off_keeps_and_asks_nothing(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    site_world->site.continuous = false;
    sso_answer_t answer = site_visit(site_browser(), "/");
    assert_null(site_param(answer.location, "claims"));
    entra_renews("planted-access-2");
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
    assert_int_equal(probes(), 0);
    assert_null(fake_http_field(fake_http_last(site_world->fake), "claims"));
}

/* The oldest token that Graph takes is the one that knows of what happened since. */
static void test_probe_good_keeps_the_token_that_was_asked_with(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    for (int i = 0; i < 3; i++) {
        graph_says(200, "{\"id\":\"x\"}");
        entra_renews("planted-access-2");
        assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
        assert_string_equal(asked_with(), "Bearer planted-access-token");
        assert_string_equal(fake_http_field(fake_http_last(site_world->fake), "claims"), CAPABLE);
        unit_ctx.now += REVALIDATE + 1;
    }
    assert_int_equal(probes(), 3);
}

static void test_probe_stale_token_is_replaced(void **state)
{
    static const int statuses[] = {401, 404};
    (void)state;
    sso_record_t record = due_session();
    for (int i = 0; i < 2; i++) {
        const char *next = apr_psprintf(unit_pool, "planted-access-%d", i);
        graph_says(statuses[i], "{}");
        entra_renews(next);
        assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
        unit_ctx.now += REVALIDATE + 1;
        graph_says(200, "{\"id\":\"x\"}");
        entra_renews("planted-unused");
        assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
        assert_string_equal(asked_with(), apr_pstrcat(unit_pool, "Bearer ", next, NULL));
        unit_ctx.now += REVALIDATE + 1;
    }
}

static void test_probe_challenge_that_entra_refuses_ends_the_session(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    graph_challenges(CLAIMS);
    site_world->token->status = 400;
    site_world->token->body = "{\"error\":\"invalid_grant\",\"error_codes\":[50133]}";
    assert_outcome(SSO_RENEW_REFUSED, SSO_R_TOKEN_GRANT, renew(&record));
    assert_string_equal(fake_http_field(fake_http_last(site_world->fake), "claims"), BOTH);
    assert_true(stored_row(&record).ended);
    assert_string_equal(stored_row(&record).access, "");
    assert_string_equal(database_sql("SELECT cause FROM entra_audit"), "continuous access");
}

static void test_probe_challenge_that_entra_grants_brings_the_next_token(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    graph_challenges(CLAIMS);
    entra_renews("planted-after");
    int calls = site_token_calls();
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
    assert_int_equal(site_token_calls(), calls + 1);
    unit_ctx.now += REVALIDATE + 1;
    graph_says(200, "{\"id\":\"x\"}");
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
    assert_string_equal(asked_with(), "Bearer planted-after");
}

/* What is no answer leaves everything as it was, and does not refresh: that would bring a token from after the event.
 */
static void test_probe_without_an_answer_changes_nothing(void **state)
{
    static const struct {
        int status;
        const char *body, *challenge;
        sso_rc rc;
    } rows[] = {
        {429, "{}", NULL, SSO_R_GRAPH_BUSY},
        {503, "", NULL, SSO_R_GRAPH_LATER},
        {200, "<html>", NULL, SSO_R_GRAPH_FORMAT},
        {302, "", NULL, SSO_R_GRAPH_FORMAT},
        {403, "{}", NULL, SSO_R_PROBE_CONSENT},
        {401, "{}", "Bearer error=\"insufficient_claims\"", SSO_R_PROBE_CHALLENGE},
        {401, "{}", "Bearer error=\"insufficient_claims\", claims=\"!\"", SSO_R_PROBE_CHALLENGE},
        {401, "{}", "Bearer \"", SSO_R_PROBE_CHALLENGE},
    };
    (void)state;
    sso_record_t record = due_session();
    const sso_stored_t before = stored_row(&record);
    int calls = site_token_calls();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        graph_says(rows[i].status, rows[i].body)->challenge = rows[i].challenge;
        assert_outcome(SSO_RENEW_LATER, rows[i].rc, renew(&record));
        assert_string_equal(stored_row(&record).access, before.access);
        assert_string_equal(stored_row(&record).refresh, before.refresh);
        assert_false(stored_row(&record).ended);
        assert_int_equal(site_token_calls(), calls);
        database_sql("UPDATE entra_session SET claimed_until = 0 RETURNING id");
    }
    fake_http_once(site_world->fake, ME, 0, "")->rc = SSO_R_HTTP_TIMEOUT;
    assert_outcome(SSO_RENEW_LATER, SSO_R_HTTP_TIMEOUT, renew(&record));
}

static void test_probe_of_a_session_from_before_begins_with_the_next_token(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    database_sql("UPDATE entra_session SET access = '' RETURNING id");
    entra_renews("planted-first");
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
    assert_int_equal(probes(), 0);
    unit_ctx.now += REVALIDATE + 1;
    graph_says(200, "{\"id\":\"x\"}");
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record));
    assert_string_equal(asked_with(), "Bearer planted-first");
}

/* SECURITY: who can write to the database cannot put another session's token, or another kind of text, into this row.
 */
static void test_probe_token_of_another_row_is_not_sent(void **state)
{
    (void)state;
    sso_record_t record = due_session();
    int calls = site_token_calls();
    database_sql("UPDATE entra_session SET access = refresh RETURNING id");
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_RECORD, renew(&record));
    assert_int_equal(probes(), 0);
    assert_int_equal(site_token_calls(), calls);
}

/* ---- when a session began, by Entra's clock ---- */

static sso_stored_t signed_in_row(apr_time_t date, const fixture_claim_t *changes)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->token->date = date;
    site_world->changes = changes;
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, &record));
    return stored_row(&record);
}

static void test_probe_sign_in_is_dated_by_entras_clock(void **state)
{
    (void)state;
    const fixture_claim_t known[] = {
        {"auth_time", apr_psprintf(unit_pool, "%d", SSO_TEST_NOW_S - 7200)},
        {NULL, NULL},
    };
    static const fixture_claim_t unknown[] = {{"auth_time", NULL}, {NULL, NULL}};
    assert_int_equal(signed_in_row(unit_ctx.now + SITE_MINUTE, known).signed_in, SSO_TEST_NOW - 2 * SITE_HOUR);
    assert_int_equal(signed_in_row(unit_ctx.now + SITE_MINUTE, unknown).signed_in, SSO_TEST_NOW + SITE_MINUTE);
    assert_int_equal(signed_in_row(unit_ctx.now - SITE_MINUTE, unknown).signed_in, SSO_TEST_NOW - SITE_MINUTE);
    /* No Date, or one that is none: our own clock. */
    assert_int_equal(signed_in_row(0, unknown).signed_in, SSO_TEST_NOW);
    assert_int_equal(signed_in_row(unit_ctx.now + SITE_HOUR, unknown).signed_in, SSO_TEST_NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_probe_token_is_kept_sealed_and_the_client_says_what_it_can),
        site_test(test_probe_off_keeps_and_asks_nothing),
        site_test(test_probe_good_keeps_the_token_that_was_asked_with),
        site_test(test_probe_stale_token_is_replaced),
        site_test(test_probe_challenge_that_entra_refuses_ends_the_session),
        site_test(test_probe_challenge_that_entra_grants_brings_the_next_token),
        site_test(test_probe_without_an_answer_changes_nothing),
        site_test(test_probe_of_a_session_from_before_begins_with_the_next_token),
        site_test(test_probe_token_of_another_row_is_not_sent),
        site_test(test_probe_sign_in_is_dated_by_entras_clock),
    };
    return site_run(tests);
}
