/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of the tenant watch against a real database: exactly the right sessions end, and no failure loses one. */
#include "flow/tenantwatch.h"

#include <string.h>

#include "unit.h"

#include "base/clock.h"
#include "session/watchrow.h"
#include "site.h"

#define GRAPH "https://graph.example.com"
#define DELTA GRAPH "/v1.0/users/delta"
#define START DELTA "?$select="
#define DELTA_LINK "\"@odata.deltaLink\":\"" DELTA "?$deltatoken=d\""
#define ADA "11111111-0000-4000-8000-000000000001"
#define BOB "22222222-0000-4000-8000-000000000002"
#define OTHER_TENANT "99999999-0000-4000-8000-000000000000"
#define EVERY apr_time_from_sec(60)

static sso_tenantwatch_t *watch_of_site(void)
{
    site_world->site.graph_url = GRAPH;
    site_world->site.watch = EVERY;
    site_world->scripted = true;
    site_world->token->status = 200;
    site_world->token->body = "{\"expires_in\":3600,\"access_token\":\"planted-app-token\"}";
    return sso_tenantwatch_make(unit_pool, &site_world->site);
}

static unsigned char next_id;

static sso_stored_t add_session(const char *oid, apr_time_t created, apr_time_t signed_in)
{
    sso_stored_t session = {.app = SITE_APP,
                            .tid = FIXTURE_TENANT,
                            .oid = oid,
                            .sid = "",
                            .username = "x",
                            .created = created,
                            .signed_in = signed_in,
                            .ends = created + 8 * SITE_HOUR,
                            .revalidated = created,
                            .refresh = "",
                            .identity = "",
                            .access = ""};
    memset(session.id, ++next_id, sizeof(session.id));
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, site_world->site.store, &session));
    return session;
}

static bool is_alive(const sso_stored_t *session)
{
    sso_stored_t found;
    bool there = false;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, session->id, &found, &there));
    assert_true(there);
    bool noted = sso_ended_check(&unit_ctx, site_world->site.ended, session->id) != SSO_OK;
    sso_fault_clear(&unit_ctx);
    assert_true(noted == found.ended);
    return !found.ended;
}

static fake_row_t *page(const char *url, const char *users, const char *link)
{
    return fake_http_once(site_world->fake, url, 200,
                          apr_pstrcat(unit_pool, "{\"value\":[", users, "],", link, "}", NULL));
}

static sso_rc turn(sso_tenantwatch_t *watch, sso_tenantwatch_news_t *news)
{
    sso_fault_clear(&unit_ctx);
    return sso_tenantwatch_turn(&unit_ctx, watch, news);
}

/* The next turn may come at once. */
static void let_pass(void)
{
    database_sql("UPDATE entra_watch SET claimed_until = 0");
}

/* As after the loss of the row. The tables are there with the first use of the store. */
static void forget(void)
{
    sso_watchrow_turn_t none;
    assert_rc(SSO_OK, sso_watchrow_claim(&unit_ctx, site_world->site.store, "0", 0, &none));
    database_sql("DELETE FROM entra_watch");
}

static int asked(void)
{
    return fake_http_count(site_world->fake, DELTA);
}

static const char *user(const char *oid, const char *more)
{
    return apr_pstrcat(unit_pool, "{\"id\":\"", oid, "\"", more, "}", NULL);
}

static const char *revoked(const char *oid, apr_time_t when)
{
    return user(oid, apr_pstrcat(unit_pool, ",\"accountEnabled\":true,\"signInSessionsValidFromDateTime\":\"",
                                 sso_time_print(unit_pool, when), "\"", NULL));
}

/* One that has read all users, none of whom changed, and whose next turn may come at once. */
static sso_tenantwatch_t *watch_of_the_changes(void)
{
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    page(START, "", DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    let_pass();
    return watch;
}

#define DISABLED ",\"accountEnabled\":false"
#define REMOVED ",\"@removed\":{\"reason\":\"deleted\"}"

static void test_tenantwatch_ends_sessions_of_the_disabled_and_removed_alone(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
    sso_stored_t also = add_session(ADA, unit_ctx.now - SITE_HOUR, 0);
    sso_stored_t bob = add_session(BOB, unit_ctx.now, 0);
    sso_stored_t eve = add_session(FIXTURE_CLIENT, unit_ctx.now, 0);
    sso_stored_t foreign = add_session(ADA, unit_ctx.now, 0);
    database_sql(apr_pstrcat(unit_pool, "UPDATE entra_session SET tenant = '" OTHER_TENANT "' WHERE id = '",
                             sso_hex(unit_pool, foreign.id, sizeof(foreign.id)), "'", NULL));
    page(START,
         apr_pstrcat(unit_pool, user(ADA, DISABLED), ",", user(BOB, REMOVED), ",", user(FIXTURE_CLIENT, ""), NULL),
         DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(news.ours && news.enumerated && !news.restarted);
    assert_int_equal(news.users, 3);
    assert_int_equal(news.ended->nelts, 2);
    assert_int_equal(APR_ARRAY_IDX(news.ended, 0, sso_tenantwatch_ended_t).sessions, 2);
    assert_string_equal(APR_ARRAY_IDX(news.ended, 0, sso_tenantwatch_ended_t).why, "disabled");
    assert_string_equal(APR_ARRAY_IDX(news.ended, 1, sso_tenantwatch_ended_t).why, "deleted");
    assert_false(is_alive(&ada) || is_alive(&also) || is_alive(&bob));
    assert_true(is_alive(&eve) && is_alive(&foreign));
    assert_string_equal(database_sql("SELECT cause FROM entra_audit"), "tenant watch");
}

static void test_tenantwatch_revocation_ends_what_is_from_before_it(void **state)
{
    (void)state;
    const apr_time_t revocation = SSO_TEST_NOW - SITE_MINUTE;
    const struct {
        const char *name;
        apr_time_t created, signed_in;
        bool lives;
    } rows[] = {
        {"long before", revocation - SITE_HOUR, revocation - SITE_HOUR, false},
        {"a second before", revocation - APR_USEC_PER_SEC, revocation - APR_USEC_PER_SEC, false},
        {"in the same second", revocation + 1, revocation, true},
        {"after", revocation + APR_USEC_PER_SEC, revocation + APR_USEC_PER_SEC, true},
        {"no word of Entra, before", revocation - 1, 0, false},
        {"no word of Entra, after", revocation, 0, true},
        {"our clock ahead", revocation + SITE_MINUTE, revocation - APR_USEC_PER_SEC, false},
        {"our clock behind", revocation - SITE_MINUTE, revocation + APR_USEC_PER_SEC, true},
        {"made just after, by an old browser session", revocation + SITE_MINUTE, revocation - 5 * SITE_HOUR, false},
        {"made long after, by whatever Entra let in", revocation + 16 * SITE_MINUTE, revocation - 5 * SITE_HOUR, true},
    };
    unit_ctx.now = SSO_TEST_NOW + 20 * SITE_MINUTE;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    sso_stored_t sessions[sizeof(rows) / sizeof(rows[0])];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sessions[i] = add_session(ADA, rows[i].created, rows[i].signed_in);
    }
    sso_stored_t bob = add_session(BOB, revocation - SITE_HOUR, 0);
    page(START, revoked(ADA, revocation), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is_alive(&sessions[i]) != rows[i].lives) {
            unit_fail("%s", rows[i].name);
        }
    }
    assert_true(is_alive(&bob));
    assert_string_equal(APR_ARRAY_IDX(news.ended, 0, sso_tenantwatch_ended_t).why, "revoked");
}

/* Graph tells once; what comes to its row after that is found by the next look, and by no look for ever. */
static void test_tenantwatch_looks_again_at_those_it_was_told_of(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_the_changes();
    const apr_time_t revocation = unit_ctx.now;
    page("deltatoken=d", apr_pstrcat(unit_pool, revoked(ADA, revocation), ",", user(BOB, DISABLED), NULL), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.ended->nelts, 0);
    sso_stored_t old_browser = add_session(ADA, revocation + 2 * SITE_MINUTE, revocation - 5 * SITE_HOUR);
    sso_stored_t anew = add_session(ADA, revocation + 2 * SITE_MINUTE, revocation + APR_USEC_PER_SEC);
    sso_stored_t under_way = add_session(BOB, revocation + APR_USEC_PER_SEC, 0);
    sso_stored_t enabled_again = add_session(BOB, revocation + 2 * SITE_MINUTE, 0);
    unit_ctx.now += 3 * SITE_MINUTE;
    /* Also while another node has the turn. */
    database_sql("UPDATE entra_watch SET claimed_until = claimed_until + 3600000000");
    assert_rc(SSO_OK, turn(watch, &news));
    assert_false(news.ours);
    assert_int_equal(news.ended->nelts, 2);
    assert_string_equal(news.tid, FIXTURE_TENANT);
    assert_false(is_alive(&old_browser) || is_alive(&under_way));
    assert_true(is_alive(&anew) && is_alive(&enabled_again));
    unit_ctx.now += 13 * SITE_MINUTE;
    assert_rc(SSO_OK, turn(watch, &news));
    sso_stored_t late = add_session(ADA, revocation + 2 * SITE_MINUTE, revocation - 5 * SITE_HOUR);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(is_alive(&late));
}

/* The next turn is the second look, however late it is. */
static void test_tenantwatch_looks_again_at_long_intervals_too(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    const apr_time_t revocation = unit_ctx.now;
    page(START, revoked(ADA, revocation), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    sso_stored_t old_browser = add_session(ADA, revocation + 2 * SITE_MINUTE, revocation - 5 * SITE_HOUR);
    unit_ctx.now += SITE_HOUR;
    assert_rc(SSO_OK, turn(watch, &news));
    assert_false(is_alive(&old_browser));
}

/* Of more than it keeps the first are forgotten, which costs them nothing but revalidation. */
static void test_tenantwatch_is_told_of_many_at_once(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_the_changes();
    const char *users = revoked(BOB, unit_ctx.now);
    const char *old = "";
    for (int i = 0; i < 300; i++) {
        const char *oid = apr_psprintf(unit_pool, "33333333-0000-4000-8000-%012d", i);
        users = apr_pstrcat(unit_pool, users, ",", revoked(oid, unit_ctx.now), NULL);
    }
    /* Those whose revocation is long ago take no place. */
    for (int i = 0; i < 300; i++) {
        const char *oid = apr_psprintf(unit_pool, "44444444-0000-4000-8000-%012d", i);
        old = apr_pstrcat(unit_pool, old, ",", revoked(oid, unit_ctx.now - SITE_HOUR), NULL);
    }
    page("deltatoken=d", apr_pstrcat(unit_pool, users, ",", revoked(ADA, unit_ctx.now), old, NULL), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.users, 602);
    sso_stored_t ada = add_session(ADA, unit_ctx.now, unit_ctx.now - SITE_HOUR);
    sso_stored_t bob = add_session(BOB, unit_ctx.now, unit_ctx.now - SITE_HOUR);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_false(is_alive(&ada));
    assert_true(is_alive(&bob));
}

/* All users are read anew, of whom many have been disabled for years. */
static void test_tenantwatch_enumeration_takes_no_place_of_those_it_was_told_of(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    const char *users = user(BOB, "");
    page(START, revoked(ADA, unit_ctx.now), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    for (int i = 0; i < 300; i++) {
        users = apr_pstrcat(unit_pool, users, ",",
                            user(apr_psprintf(unit_pool, "33333333-0000-4000-8000-%012d", i), DISABLED), NULL);
    }
    database_sql("UPDATE entra_watch SET claimed_until = 0, link = ''");
    page(START, users, DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.users, 301);
    sso_stored_t ada = add_session(ADA, unit_ctx.now, unit_ctx.now - SITE_HOUR);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_false(is_alive(&ada));
}

static void test_tenantwatch_old_revocations_cost_nothing(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    sso_stored_t ada = add_session(ADA, unit_ctx.now, unit_ctx.now - 100 * SITE_HOUR);
    page(START, revoked(ADA, unit_ctx.now - 9 * SITE_HOUR), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(is_alive(&ada));
}

static void test_tenantwatch_follows_pages_and_then_the_changes(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    page(START, user(ADA, ""), "\"@odata.nextLink\":\"" DELTA "?$skiptoken=1\"");
    page("skiptoken=1", user(BOB, ""), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.pages, 2);
    assert_int_equal(news.wait / APR_USEC_PER_SEC, EVERY / APR_USEC_PER_SEC - 1);
    /* Not before its time. */
    assert_rc(SSO_OK, turn(watch, &news));
    assert_false(news.ours);
    assert_true(news.wait > 0 && news.wait <= EVERY);
    assert_int_equal(asked(), 2);
    let_pass();
    page("deltatoken=d", "", DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(news.ours && !news.enumerated);
    assert_int_equal(asked(), 3);
    /* The token of the application is used again, until it is old. */
    assert_int_equal(site_token_calls(), 1);
    assert_string_equal(apr_table_get(fake_http_last(site_world->fake)->headers, "Authorization"),
                        "Bearer planted-app-token");
    unit_ctx.now += 56 * SITE_MINUTE;
    let_pass();
    page("deltatoken=d", "", DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(site_token_calls(), 2);
}

static void test_tenantwatch_large_tenant_goes_on_in_the_next_turn(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
    fake_row_t *row =
        fake_http_always(site_world->fake, START, 200, "{\"value\":[],\"@odata.nextLink\":\"" DELTA "?$skiptoken=n\"}");
    fake_http_always(site_world->fake, "skiptoken=n", 200, row->body);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.pages, SSO_MAX_WATCH_PAGES);
    assert_int_equal(news.wait, 0);
    page("skiptoken=n", user(ADA, DISABLED), DELTA_LINK);
    /* At once, and by another process of the node. */
    assert_rc(SSO_OK, turn(watch, &news));
    assert_int_equal(news.pages, 1);
    assert_true(news.enumerated);
    assert_false(is_alive(&ada));
    assert_int_equal(fake_http_count(site_world->fake, START), 1);
}

/* During the first page the process is told to end. */
static sso_tenantwatch_t *stopping;
static void stop(fake_http_t *fake, const char *url)
{
    (void)fake;
    if (strstr(url, DELTA) != NULL) {
        sso_tenantwatch_stop(stopping);
    }
}

static void test_tenantwatch_stops_between_two_pages(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    stopping = watch_of_site();
    page(START, "", "\"@odata.nextLink\":\"" DELTA "?$skiptoken=1\"");
    page("skiptoken=1", "", DELTA_LINK);
    site_world->fake->during = stop;
    assert_rc(SSO_OK, turn(stopping, &news));
    assert_int_equal(news.pages, 1);
    assert_int_equal(news.wait, 0);
    /* Another process goes on at once. */
    assert_rc(SSO_OK, turn(watch_of_site(), &news));
    assert_int_equal(fake_http_count(site_world->fake, START), 1);
    assert_int_equal(asked(), 2);
}

static void test_tenantwatch_call_broken_off_by_the_end_is_no_fault(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    stopping = watch_of_site();
    fake_http_broken(site_world->fake, DELTA, SSO_R_HTTP_FAILED);
    assert_rc(SSO_R_HTTP_FAILED, turn(stopping, &news));
    assert_true(news.ours);
    let_pass();
    site_world->fake->during = stop;
    assert_rc(SSO_OK, turn(stopping, &news));
    assert_int_equal(asked(), 2);
    assert_false(news.ours);
    assert_int_equal(news.wait, 0);
}

static void test_tenantwatch_failure_keeps_what_was_reached(void **state)
{
    static const struct {
        int status, retry_after_s;
        sso_rc rc;
    } rows[] = {{429, 300, SSO_R_GRAPH_BUSY}, {503, 0, SSO_R_GRAPH_LATER}, {302, 0, SSO_R_GRAPH_FORMAT}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tenantwatch_news_t news;
        site_restart();
        forget();
        sso_tenantwatch_t *watch = watch_of_site();
        sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
        sso_stored_t bob = add_session(BOB, unit_ctx.now, 0);
        page(START, user(ADA, DISABLED), "\"@odata.nextLink\":\"" DELTA "?$skiptoken=1\"");
        fake_http_once(site_world->fake, "skiptoken=1", rows[i].status, "{}")->retry_after_s = rows[i].retry_after_s;
        assert_rc(rows[i].rc, turn(watch, &news));
        assert_false(is_alive(&ada));
        assert_true(is_alive(&bob));
        assert_int_equal(news.ended->nelts, 1);
        assert_true(news.wait > (rows[i].retry_after_s == 0 ? 0 : 299 * APR_USEC_PER_SEC));
        assert_rc(SSO_OK, turn(watch, &news));
        assert_false(news.ours);
        let_pass();
        page("skiptoken=1", user(BOB, DISABLED), DELTA_LINK);
        assert_rc(SSO_OK, turn(watch, &news));
        assert_false(is_alive(&bob));
        assert_int_equal(fake_http_count(site_world->fake, START), 1);
    }
}

static void test_tenantwatch_expired_link_begins_anew_once(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_the_changes();
    sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
    fake_http_always(site_world->fake, "deltatoken=d", 410, "{}");
    page(START, user(ADA, DISABLED), DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(news.restarted && news.enumerated);
    assert_false(is_alive(&ada));
    /* A Graph that has forgotten the beginning as well is asked twice, and no more. */
    let_pass();
    int before = asked();
    fake_http_always(site_world->fake, START, 410, "{}");
    assert_rc(SSO_R_WATCH_EXPIRED, turn(watch, &news));
    assert_int_equal(asked(), before + 2);
    assert_true(news.wait > 0);
}

static void test_tenantwatch_link_of_the_database_leads_nowhere_else(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    page(START, "", DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    database_sql("UPDATE entra_watch SET claimed_until = 0, link = 'https://evil.example/v1.0/users/delta?x'");
    page(START, "", DELTA_LINK);
    assert_rc(SSO_OK, turn(watch, &news));
    assert_true(news.restarted);
    assert_int_equal(fake_http_count(site_world->fake, "evil"), 0);
}

static void test_tenantwatch_refused_token_is_fetched_anew_once(void **state)
{
    static const struct {
        int status;
        sso_rc rc;
    } rows[] = {{401, SSO_R_WATCH_TOKEN}, {403, SSO_R_WATCH_CONSENT}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tenantwatch_news_t news;
        site_restart();
        forget();
        sso_tenantwatch_t *watch = watch_of_site();
        /* A fresh one is not fetched again. */
        fake_row_t *row = fake_http_always(site_world->fake, DELTA, rows[i].status, "{}");
        assert_rc(rows[i].rc, turn(watch, &news));
        assert_int_equal(site_token_calls(), 1);
        assert_int_equal(asked(), 1);
        /* And one from before the permission was granted is not used. */
        row->status = 200;
        row->body = "{\"value\":[]," DELTA_LINK "}";
        let_pass();
        assert_rc(SSO_OK, turn(watch, &news));
        assert_int_equal(site_token_calls(), 2);
        /* A kept one that is refused is replaced within the turn. */
        let_pass();
        fake_http_once(site_world->fake, DELTA, rows[i].status, "{}");
        assert_rc(SSO_OK, turn(watch, &news));
        assert_int_equal(site_token_calls(), 3);
    }
}

static void test_tenantwatch_without_a_token_says_why(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    site_world->token->status = 401;
    site_world->token->body = "{\"error\":\"invalid_client\"}";
    assert_rc(SSO_R_TOKEN_CLIENT, turn(watch, &news));
    assert_int_equal(asked(), 0);
}

/* Another node takes the turn while Graph is slow. */
static void steal(fake_http_t *fake, const char *url)
{
    (void)fake;
    if (strstr(url, DELTA) != NULL) {
        database_sql("UPDATE entra_watch SET claim = 'another'");
    }
}

static void test_tenantwatch_lost_turn_is_told(void **state)
{
    (void)state;
    sso_tenantwatch_news_t news;
    sso_tenantwatch_t *watch = watch_of_site();
    sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
    page(START, user(ADA, DISABLED), DELTA_LINK);
    site_world->fake->during = steal;
    assert_rc(SSO_R_WATCH_LOST, turn(watch, &news));
    assert_false(is_alive(&ada));
    assert_string_equal(database_sql("SELECT link FROM entra_watch"), "");
}

/* Each outbound call in turn fails: nobody is signed out for it, and the next turn does what was to be done. */
static void test_tenantwatch_survives_the_failure_of_every_call(void **state)
{
    (void)state;
    for (int call = 1; call <= 5; call++) {
        sso_tenantwatch_news_t news;
        site_restart();
        forget();
        sso_tenantwatch_t *watch = watch_of_site();
        sso_stored_t ada = add_session(ADA, unit_ctx.now, 0);
        sso_stored_t bob = add_session(BOB, unit_ctx.now, 0);
        fake_http_always(site_world->fake, START, 200, "{\"value\":[],\"@odata.nextLink\":\"" DELTA "?$skiptoken=1\"}");
        fake_http_always(site_world->fake, "skiptoken=1", 200,
                         apr_pstrcat(unit_pool, "{\"value\":[", user(ADA, DISABLED), "]," DELTA_LINK "}", NULL));
        site_world->fake->fail_at = call;
        sso_rc rc = turn(watch, &news);
        assert_true(rc == SSO_R_HTTP_CONNECT || (rc == SSO_OK && !is_alive(&ada)));
        assert_true(is_alive(&bob));
        if (rc != SSO_OK) {
            assert_true(is_alive(&ada));
            let_pass();
            unit_ctx.now += 2 * SITE_MINUTE; /* the authority's pause */
            assert_rc(SSO_OK, turn(watch, &news));
        }
        assert_false(is_alive(&ada));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_tenantwatch_ends_sessions_of_the_disabled_and_removed_alone),
        site_test(test_tenantwatch_revocation_ends_what_is_from_before_it),
        site_test(test_tenantwatch_looks_again_at_those_it_was_told_of),
        site_test(test_tenantwatch_looks_again_at_long_intervals_too),
        site_test(test_tenantwatch_enumeration_takes_no_place_of_those_it_was_told_of),
        site_test(test_tenantwatch_is_told_of_many_at_once),
        site_test(test_tenantwatch_old_revocations_cost_nothing),
        site_test(test_tenantwatch_follows_pages_and_then_the_changes),
        site_test(test_tenantwatch_large_tenant_goes_on_in_the_next_turn),
        site_test(test_tenantwatch_stops_between_two_pages),
        site_test(test_tenantwatch_call_broken_off_by_the_end_is_no_fault),
        site_test(test_tenantwatch_failure_keeps_what_was_reached),
        site_test(test_tenantwatch_expired_link_begins_anew_once),
        site_test(test_tenantwatch_link_of_the_database_leads_nowhere_else),
        site_test(test_tenantwatch_refused_token_is_fetched_anew_once),
        site_test(test_tenantwatch_without_a_token_says_why),
        site_test(test_tenantwatch_lost_turn_is_told),
        site_test(test_tenantwatch_survives_the_failure_of_every_call),
    };
    return site_run(tests);
}
