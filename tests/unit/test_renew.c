/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/renew.c against a real database: what Entra's answers make of a session, and that no failure on the way
 * leaves half a renewal. */
#include "flow/renew.h"

#include <string.h>

#include "unit.h"

#include "base/counters.h"
#include "site.h"

#define REVALIDATE (5 * SITE_MINUTE)
#define NEW_REFRESH_TOKEN "planted-next-refresh-token"

/* A session that was made at SSO_TEST_NOW; then it is the moment at which it is due. */
static sso_record_t due_session(void)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->site.session.freshness = (sso_freshness_t){REVALIDATE, SITE_HOUR};
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, &record));
    assert_true(record.renewable);
    site_world->scripted = true;
    unit_ctx.now += REVALIDATE + 1;
    return record;
}

static void entra_says(int status, const char *body)
{
    site_world->token->status = status;
    site_world->token->body = body;
}

/* New tokens; changes as site_world->changes. */
static void entra_renews(const fixture_claim_t *changes)
{
    site_world->changes = changes;
    entra_says(200, apr_pstrcat(unit_pool,
                                "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"planted-access\","
                                "\"refresh_token\":\"" NEW_REFRESH_TOKEN "\",\"id_token\":\"",
                                site_id_token("unused"), "\"}", NULL));
}

static sso_renewal_t renew(const sso_record_t *record, sso_record_t *ret_renewed)
{
    sso_fault_clear(&unit_ctx);
    return sso_renew(&unit_ctx, &site_world->site, record, ret_renewed);
}

static void assert_outcome(sso_renewal_t expected, sso_rc fault, sso_renewal_t got)
{
    if (got != expected || (fault != SSO_OK && unit_ctx.fault.rc != fault)) {
        unit_fail("outcome %d with %s (%s)", (int)got, sso_reason(unit_ctx.fault.rc)->name,
                  unit_ctx.fault.detail == NULL ? "-" : unit_ctx.fault.detail);
    }
    sso_fault_clear(&unit_ctx);
}

static sso_stored_t stored_row(const sso_record_t *record)
{
    sso_stored_t stored;
    bool found = false;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record->id, &stored, &found));
    assert_true(found);
    return stored;
}

/* The refresh token that the last request to Entra was made with. */
static const char *sent_token(void)
{
    return fake_http_field(fake_http_last(site_world->fake), "refresh_token");
}

static const fixture_claim_t ADMIN[] = {{"roles", "[\"admin\"]"}, {"name", "\"Ada Newname\""}, {NULL, NULL}};

static void test_renew_brings_roles_and_name_and_moves_no_end(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_renews(ADMIN);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    assert_string_equal(sent_token(), SITE_REFRESH_TOKEN);
    assert_string_equal(sso_list_join(unit_pool, &renewed.roles, ","), "admin");
    assert_string_equal(renewed.name, "Ada Newname");
    assert_memory_equal(renewed.id, record.id, sizeof(record.id));
    assert_int_equal(renewed.created, record.created);
    assert_int_equal(renewed.ends, record.ends);
    assert_int_equal(renewed.revalidated, unit_ctx.now);
    assert_true(renewed.renewable);
    assert_string_equal(renewed.sid, record.sid);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_REVALIDATION_OK), 1);
}

static void test_renew_uses_each_refresh_token_for_the_next(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_renews(NULL);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    unit_ctx.now += REVALIDATE + 1;
    entra_renews(NULL);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&renewed, &renewed));
    assert_string_equal(sent_token(), NEW_REFRESH_TOKEN);
    assert_null(strstr(stored_row(&record).refresh, "planted"));
}

static void test_renew_without_a_new_refresh_token_keeps_the_old(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_says(200, apr_pstrcat(unit_pool, "{\"id_token\":\"", site_id_token("unused"), "\"}", NULL));
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    unit_ctx.now += REVALIDATE + 1;
    entra_renews(NULL);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&renewed, &renewed));
    assert_string_equal(sent_token(), SITE_REFRESH_TOKEN);
}

static void test_renew_of_another_worker_is_taken_over(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t again;
    sso_record_t record = due_session();
    entra_renews(ADMIN);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    int calls = site_token_calls();
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &again));
    assert_int_equal(site_token_calls(), calls);
    assert_string_equal(sso_list_join(unit_pool, &again.roles, ","), "admin");
    assert_int_equal(again.revalidated, renewed.revalidated);
    assert_int_equal(again.ends, record.ends);
}

static void test_renew_after_the_clock_was_set_back_takes_the_word_of_now(void **state)
{
    (void)state;
    sso_record_t ahead;
    sso_record_t renewed;
    sso_record_t copy;
    sso_record_t record = due_session();
    const apr_time_t right = unit_ctx.now;
    unit_ctx.now += SITE_HOUR;
    entra_renews(NULL);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &ahead));
    unit_ctx.now = right;
    entra_renews(ADMIN);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&ahead, &renewed));
    assert_int_equal(renewed.revalidated, right);
    assert_int_equal(renewed.ends, record.ends);
    /* Who comes with the old cookie gets the new word, which looks older. */
    int calls = site_token_calls();
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&ahead, &copy));
    assert_int_equal(site_token_calls(), calls);
    assert_string_equal(sso_list_join(unit_pool, &copy.roles, ","), "admin");
}

/* The session was made by a node whose clock is ahead, but within bounds: its record stays one that can be read. */
static void test_renew_is_never_before_the_sessions_beginning(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    unit_ctx.now = record.created - SITE_MINUTE;
    record.revalidated = unit_ctx.now + SSO_MAX_CLOCK_SKEW + 1;
    database_sql(apr_psprintf(unit_pool, "UPDATE entra_session SET revalidated = %" APR_TIME_T_FMT " RETURNING id",
                              record.revalidated));
    entra_renews(NULL);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    assert_int_equal(renewed.revalidated, record.created);
}

static void test_renew_under_another_workers_claim_waits(void **state)
{
    (void)state;
    sso_record_t renewed;
    const char *claim = NULL;
    sso_record_t record = due_session();
    int calls = site_token_calls();
    assert_rc(SSO_OK, sso_store_claim(&unit_ctx, site_world->site.store, record.id, unit_ctx.now, apr_time_from_sec(60),
                                      &claim));
    assert_non_null(claim);
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_BUSY, renew(&record, &renewed));
    assert_int_equal(site_token_calls(), calls);
}

static void test_renew_ends_the_session_that_entra_refuses(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50057: disabled\"}",
        "{\"error\":\"invalid_grant\",\"suberror\":\"bad_token\"}",
        "{\"error\":\"invalid_grant\",\"suberror\":\"message_only\"}",
        "{\"error\":\"interaction_required\",\"suberror\":\"basic_action\"}",
        "{\"error\":\"login_required\"}",
        "{\"error\":\"consent_required\"}",
    };
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        sso_record_t renewed;
        site_world->scripted = false;
        unit_ctx.now = SSO_TEST_NOW;
        sso_record_t record = due_session();
        entra_says(400, bodies[i]);
        assert_outcome(SSO_RENEW_REFUSED, SSO_R_TOKEN_GRANT, renew(&record, &renewed));
        assert_true(stored_row(&record).ended);
        assert_string_equal(stored_row(&record).refresh, "");
        assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
        /* And nobody asks again. */
        int calls = site_token_calls();
        assert_outcome(SSO_RENEW_ENDED, SSO_OK, renew(&record, &renewed));
        assert_int_equal(site_token_calls(), calls);
    }
    /* Asked once each; what had ended already is no answer of Entra. */
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_REVALIDATION_REFUSED),
                     sizeof(bodies) / sizeof(bodies[0]));
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_ENDED_REVALIDATION),
                     sizeof(bodies) / sizeof(bodies[0]));
}

static void test_renew_ends_the_session_of_a_tenant_that_is_not_allowed_any_more(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    apr_array_header_t *others = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(others, const char *) = "99999999-0000-4000-8000-000000000000";
    site_world->site.allowed_tenants = others;
    entra_renews(NULL);
    assert_outcome(SSO_RENEW_REFUSED, SSO_R_ID_TENANT, renew(&record, &renewed));
    assert_true(stored_row(&record).ended);
}

static void test_renew_that_another_node_refused_ends_here_too(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    const sso_store_which_t which = {.id = record.id};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, site_world->site.store, &which, "test", "test", ended));
    assert_int_equal(ended->nelts, 1);
    assert_outcome(SSO_RENEW_ENDED, SSO_OK, renew(&record, &renewed));
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
}

/* Whatever is not about this user leaves the session, its refresh token and its roles as they were. */
static void test_renew_without_an_answer_changes_nothing(void **state)
{
    static const fixture_claim_t other_user[] = {{"oid", "\"22222222-2222-4000-8000-333333333333\""}, {NULL, NULL}};
    static const fixture_claim_t old[] = {{"exp", "1000"}, {NULL, NULL}};
    static const fixture_claim_t bad_roles[] = {{"roles", "\"admin\""}, {NULL, NULL}};
    static const struct {
        const char *name;
        int status;
        const char *body; /* NULL: new tokens with these changes */
        const fixture_claim_t *changes;
        sso_rc rc;
    } rows[] = {
        {"429", 429, "{}", NULL, SSO_R_TOKEN_LATER},
        {"503", 503, "", NULL, SSO_R_TOKEN_LATER},
        {"our secret has ended", 401, "{\"error\":\"invalid_client\"}", NULL, SSO_R_TOKEN_CLIENT},
        {"a scope is wrong", 400, "{\"error\":\"invalid_scope\"}", NULL, SSO_R_TOKEN_REFUSED},
        {"a proxy's page", 200, "<html>", NULL, SSO_R_TOKEN_FORMAT},
        {"no ID token", 200, "{\"access_token\":\"a\"}", NULL, SSO_R_TOKEN_NO_ID_TOKEN},
        {"another user", 0, NULL, other_user, SSO_R_RENEW_USER},
        {"an old token", 0, NULL, old, SSO_R_ID_EXPIRED},
        {"malformed roles", 0, NULL, bad_roles, SSO_R_IDENTITY_CLAIM},
    };
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_record_t record = due_session();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t renewed;
        if (rows[i].body != NULL) {
            entra_says(rows[i].status, rows[i].body);
        } else {
            entra_renews(rows[i].changes);
        }
        const char *refresh = stored_row(&record).refresh;
        sso_renewal_t outcome = renew(&record, &renewed);
        if (outcome != SSO_RENEW_LATER || unit_ctx.fault.rc != rows[i].rc) {
            unit_fail("%s: outcome %d with %s", rows[i].name, (int)outcome, sso_reason(unit_ctx.fault.rc)->name);
        }
        sso_fault_clear(&unit_ctx);
        sso_stored_t after = stored_row(&record);
        assert_string_equal(after.refresh, refresh);
        assert_int_equal(after.revalidated, record.revalidated);
        assert_false(after.ended);
        assert_string_equal(database_sql("UPDATE entra_session SET claimed_until = 0 RETURNING id"),
                            sso_hex(unit_pool, record.id, sizeof(record.id)));
    }
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_REVALIDATION_LATER), sizeof(rows) / sizeof(rows[0]));
}

static void test_renew_is_not_tried_again_at_once(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_says(503, "");
    assert_outcome(SSO_RENEW_LATER, SSO_R_TOKEN_LATER, renew(&record, &renewed));
    int calls = site_token_calls();
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_BUSY, renew(&record, &renewed));
    assert_int_equal(site_token_calls(), calls);
}

static void test_renew_of_a_session_without_a_row_is_no_refusal(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    database_sql("DELETE FROM entra_session");
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_MISSING, renew(&record, &renewed));
    assert_rc(SSO_OK, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
}

/* SECURITY: who can write to the database cannot give one session the token or the roles of another. */
static void test_renew_refuses_rows_of_another_session(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t first = due_session();
    site_world->scripted = false;
    sso_record_t second = due_session();
    const char *first_id = sso_hex(unit_pool, first.id, sizeof(first.id));
    const char *second_id = sso_hex(unit_pool, second.id, sizeof(second.id));
    database_sql(apr_psprintf(unit_pool,
                              "UPDATE entra_session SET refresh = (SELECT refresh FROM entra_session WHERE id = '%s') "
                              "WHERE id = '%s' RETURNING id",
                              first_id, second_id));
    entra_renews(ADMIN);
    int calls = site_token_calls();
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_RECORD, renew(&second, &renewed));
    assert_int_equal(site_token_calls(), calls);
    /* The result of the first, put into the row of the second. */
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&first, &renewed));
    database_sql(apr_psprintf(unit_pool,
                              "UPDATE entra_session SET revalidated = %" APR_TIME_T_FMT
                              ", renewed = (SELECT renewed FROM entra_session WHERE id = '%s') "
                              "WHERE id = '%s' RETURNING id",
                              unit_ctx.now, first_id, second_id));
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_RECORD, renew(&second, &renewed));
}

/* A step-up leaves the moment and no result: its browser has the newer cookie. */
static void test_renew_of_a_session_made_stronger_meanwhile_waits(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    database_sql(apr_psprintf(unit_pool,
                              "UPDATE entra_session SET renewed = '', revalidated = %" APR_TIME_T_FMT " RETURNING id",
                              unit_ctx.now));
    assert_outcome(SSO_RENEW_LATER, SSO_R_RENEW_BUSY, renew(&record, &renewed));
    assert_int_equal(site_token_calls(), 1);
}

static void test_renew_after_a_restart_without_entra_changes_nothing(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    sso_store_t *store = site_world->site.store;
    site_restart();
    site_world->site.store = store;
    site_world->site.session.freshness = (sso_freshness_t){REVALIDATE, SITE_HOUR};
    site_world->fake->fail_at = 1;
    assert_outcome(SSO_RENEW_LATER, SSO_OK, renew(&record, &renewed));
    assert_int_equal(site_token_calls(), 0);
    assert_false(stored_row(&record).ended);
}

static void test_renew_of_more_than_a_record_holds_keeps_the_session(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    const char *roles = "\"0\"";
    for (int i = 1; i < 200; i++) {
        roles = apr_psprintf(unit_pool, "%s,\"%0100d\"", roles, i);
    }
    const fixture_claim_t changes[] = {{"roles", apr_pstrcat(unit_pool, "[", roles, "]", NULL)}, {NULL, NULL}};
    entra_renews(changes);
    assert_outcome(SSO_RENEW_LATER, SSO_R_SESSION_SIZE, renew(&record, &renewed));
    assert_false(stored_row(&record).ended);
}

static void test_renew_while_the_database_is_away_changes_nothing(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    sso_store_t *good = site_world->site.store;
    assert_rc(SSO_OK, sso_store_make(&unit_ctx, unit_pool, "sqlite3", "/nowhere/entra.db", &site_world->site.store));
    assert_outcome(SSO_RENEW_LATER, SSO_R_STORE_AWAY, renew(&record, &renewed));
    site_world->site.store = good;
    assert_int_equal(site_token_calls(), 1);
    assert_false(stored_row(&record).ended);
}

static void test_renew_takes_the_moment_of_a_new_sign_in(void **state)
{
    static const fixture_claim_t changes[] = {{"auth_time", "1763910000"}, {NULL, NULL}};
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_renews(changes);
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    assert_int_equal(renewed.auth_time, apr_time_from_sec(1763910000));
}

/* Every outbound call and the database in turn are away: the next try finds everything as it was. */
static void test_renew_that_breaks_off_can_be_repeated(void **state)
{
    (void)state;
    sso_record_t renewed;
    sso_record_t record = due_session();
    entra_renews(ADMIN);
    site_world->fake->fail_at = site_world->fake->request_count + 1;
    assert_outcome(SSO_RENEW_LATER, SSO_R_HTTP_CONNECT, renew(&record, &renewed));
    database_sql("UPDATE entra_session SET claimed_until = 0 RETURNING id");
    assert_outcome(SSO_RENEWED, SSO_OK, renew(&record, &renewed));
    assert_string_equal(sent_token(), SITE_REFRESH_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_renew_brings_roles_and_name_and_moves_no_end),
        site_test(test_renew_uses_each_refresh_token_for_the_next),
        site_test(test_renew_without_a_new_refresh_token_keeps_the_old),
        site_test(test_renew_of_another_worker_is_taken_over),
        site_test(test_renew_after_the_clock_was_set_back_takes_the_word_of_now),
        site_test(test_renew_is_never_before_the_sessions_beginning),
        site_test(test_renew_under_another_workers_claim_waits),
        site_test(test_renew_ends_the_session_that_entra_refuses),
        site_test(test_renew_ends_the_session_of_a_tenant_that_is_not_allowed_any_more),
        site_test(test_renew_that_another_node_refused_ends_here_too),
        site_test(test_renew_without_an_answer_changes_nothing),
        site_test(test_renew_is_not_tried_again_at_once),
        site_test(test_renew_of_a_session_without_a_row_is_no_refusal),
        site_test(test_renew_refuses_rows_of_another_session),
        site_test(test_renew_of_a_session_made_stronger_meanwhile_waits),
        site_test(test_renew_after_a_restart_without_entra_changes_nothing),
        site_test(test_renew_of_more_than_a_record_holds_keeps_the_session),
        site_test(test_renew_while_the_database_is_away_changes_nothing),
        site_test(test_renew_takes_the_moment_of_a_new_sign_in),
        site_test(test_renew_that_breaks_off_can_be_repeated),
    };
    return site_run(tests);
}
