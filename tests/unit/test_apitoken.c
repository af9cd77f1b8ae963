/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/apitoken.c against a real database: which token a session gets, how often Entra is asked, and that no
 * failure ends a session or leaves anything half done. */
#include "flow/apitoken.h"

#include "unit.h"

#include "site.h"

#define LIFE 3600
#define NEXT_REFRESH "planted-next-refresh-token"

static const sso_api_t *api_of(const char *text)
{
    char *last = NULL;
    const sso_api_t *api = NULL;
    apr_array_header_t *words = apr_array_make(unit_pool, 2, sizeof(const char *));
    for (char *word = apr_strtok(apr_pstrdup(unit_pool, text), " ", &last); word != NULL;
         word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    const char *wrong = sso_api_make(unit_pool, words, &api);
    if (wrong != NULL) {
        unit_fail("%s: %s", text, wrong);
    }
    return api;
}

static sso_record_t signed_in(void)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    site_world->scripted = false;
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, &record));
    site_world->site.apitokens = sso_apitokens_make(unit_pool, 1);
    assert_non_null(site_world->site.apitokens);
    site_world->scripted = true;
    return record;
}

static void entra_says(int status, const char *body)
{
    site_world->token->status = status;
    site_world->token->body = body;
}

static void entra_gives(const char *token, int life)
{
    entra_says(200, apr_psprintf(unit_pool,
                                 "{\"token_type\":\"Bearer\",\"expires_in\":%d,\"access_token\":\"%s\","
                                 "\"refresh_token\":\"" NEXT_REFRESH "\"}",
                                 life, token));
}

static sso_rc get(const sso_record_t *record, const sso_api_t *api, const char **ret_token, bool *ret_fetched)
{
    sso_fault_clear(&unit_ctx);
    return sso_apitoken_get(&unit_ctx, &site_world->site, record, api, ret_token, ret_fetched);
}

static void assert_gets(const char *token, bool fetched, const sso_record_t *record, const sso_api_t *api)
{
    const char *got = NULL;
    bool was_fetched = false;
    assert_rc(SSO_OK, get(record, api, &got, &was_fetched));
    assert_string_equal(got, token);
    assert_int_equal(was_fetched, fetched);
}

static void assert_refused(sso_rc expected, const sso_record_t *record, const sso_api_t *api)
{
    const char *got = NULL;
    bool fetched = true;
    assert_rc(expected, get(record, api, &got, &fetched));
    assert_null(got);
    assert_false(fetched);
}

static sso_stored_t row_of(const sso_record_t *record)
{
    sso_stored_t stored;
    bool found = false;
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, site_world->site.store, record->id, &stored, &found));
    assert_true(found);
    return stored;
}

static const char *stored_token(const sso_record_t *record)
{
    unsigned char *data;
    apr_size_t len;
    assert_rc(SSO_OK, sso_session_unseal(&unit_ctx, &site_world->site.session, SSO_PURPOSE_REFRESH, record->id,
                                         row_of(record).refresh, &data, &len));
    return (const char *)data;
}

static const char *sent(const char *field)
{
    return fake_http_field(fake_http_last(site_world->fake), field);
}

/* ---- configuration ---- */

static void test_apitoken_scopes_are_of_one_resource(void **state)
{
    static const struct {
        const char *scopes, *name, *request;
    } good[] = {
        {"api://a/x api://a/y", "api://a", "api://a/x api://a/y offline_access"},
        {"User.Read https://graph.microsoft.com/Mail.Read", "Microsoft Graph",
         "User.Read https://graph.microsoft.com/Mail.Read offline_access"},
        {"api://a/.default", "api://a", "api://a/.default offline_access"},
    };
    static const char *const bad[] = {"openid",
                                      "offline_access",
                                      "api://a/x profile",
                                      "api://a/x api://b/x",
                                      "User.Read api://a/x",
                                      "api://a/x api://a/.default"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const sso_api_t *api = api_of(good[i].scopes);
        assert_string_equal(api->name, good[i].name);
        assert_string_equal(api->request, good[i].request);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *second = NULL;
        const sso_api_t *api = NULL;
        apr_array_header_t *words = apr_array_make(unit_pool, 2, sizeof(const char *));
        APR_ARRAY_PUSH(words, const char *) = apr_strtok(apr_pstrdup(unit_pool, bad[i]), " ", &second);
        if (*second != '\0') {
            APR_ARRAY_PUSH(words, const char *) = second;
        }
        assert_non_null(sso_api_make(unit_pool, words, &api));
        assert_null(api);
    }
}

/* ---- tokens ---- */

static void test_apitoken_is_fetched_once_and_kept_until_a_minute_before_its_end(void **state)
{
    (void)state;
    const sso_api_t *api = api_of("api://a/x");
    sso_record_t record = signed_in();
    apr_time_t fetched = unit_ctx.now;
    entra_gives("first", LIFE);
    int calls = site_token_calls();
    assert_gets("first", true, &record, api);
    assert_string_equal(sent("grant_type"), "refresh_token");
    assert_string_equal(sent("refresh_token"), SITE_REFRESH_TOKEN);
    assert_string_equal(sent("scope"), "api://a/x offline_access");
    entra_gives("second", LIFE);
    assert_gets("first", false, &record, api);
    unit_ctx.now = fetched + apr_time_from_sec(LIFE - 60) - 1;
    assert_gets("first", false, &record, api);
    assert_int_equal(site_token_calls(), calls + 1);
    unit_ctx.now++;
    assert_gets("second", true, &record, api);
    assert_int_equal(site_token_calls(), calls + 2);
    /* The clock was wrong, and is set back: what was fetched "later" is not believed. */
    unit_ctx.now = fetched;
    entra_gives("third", LIFE);
    assert_gets("third", true, &record, api);
}

static void test_apitoken_is_of_one_session_and_one_resource(void **state)
{
    (void)state;
    const sso_api_t *a = api_of("api://a/x");
    const sso_api_t *b = api_of("api://b/x");
    sso_record_t one = signed_in();
    sso_record_t two = signed_in();
    entra_gives("one-a", LIFE);
    assert_gets("one-a", true, &one, a);
    entra_gives("one-b", LIFE);
    assert_gets("one-b", true, &one, b);
    entra_gives("two-a", LIFE);
    assert_gets("two-a", true, &two, a);
    assert_gets("one-a", false, &one, a);
    assert_gets("one-b", false, &one, b);
    assert_gets("two-a", false, &two, a);
}

static void test_apitoken_ends_with_the_session_at_the_latest(void **state)
{
    (void)state;
    const sso_api_t *api = api_of("api://a/x");
    sso_record_t record = signed_in();
    entra_gives("long", 28 * 3600);
    assert_gets("long", true, &record, api);
    unit_ctx.now = record.ends - 1;
    assert_gets("long", false, &record, api);
    unit_ctx.now = record.ends;
    entra_gives("other", LIFE);
    bool fetched = false;
    const char *token = NULL;
    assert_rc(SSO_OK, get(&record, api, &token, &fetched));
    assert_true(fetched);
}

/* ---- the refresh token ---- */

static void test_apitoken_keeps_the_next_refresh_token(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    entra_gives("a", LIFE);
    assert_gets("a", true, &record, api_of("api://a/x"));
    assert_string_equal(stored_token(&record), NEXT_REFRESH);
    assert_gets("a", true, &record, api_of("api://b/x"));
    assert_string_equal(sent("refresh_token"), NEXT_REFRESH);
    /* None comes: the one that is there goes on. */
    entra_says(200, "{\"expires_in\":3600,\"access_token\":\"c\"}");
    assert_gets("c", true, &record, api_of("api://c/x"));
    assert_string_equal(stored_token(&record), NEXT_REFRESH);
}

static const sso_record_t *renewed_meanwhile;

/* A renewal of the session, by another worker, while Entra answers us. */
static void renew_meanwhile(fake_http_t *fake, const char *url)
{
    const char *sealed = NULL;
    fake->during = NULL;
    assert_non_null(strstr(url, "/token"));
    assert_rc(SSO_OK, sso_session_seal(&unit_ctx, &site_world->site.session, SSO_PURPOSE_REFRESH, renewed_meanwhile->id,
                                       "of the renewal", 14, &sealed));
    assert_rc(SSO_OK, sso_store_rotate(&unit_ctx, site_world->site.store, renewed_meanwhile->id,
                                       row_of(renewed_meanwhile).refresh, sealed));
}

static void test_apitoken_leaves_the_refresh_token_of_a_renewal(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    renewed_meanwhile = &record;
    site_world->fake->during = renew_meanwhile;
    entra_gives("a", LIFE);
    assert_gets("a", true, &record, api_of("api://a/x"));
    assert_string_equal(stored_token(&record), "of the renewal");
}

static void test_apitoken_without_a_refresh_token_asks_nobody(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    int calls = site_token_calls();
    sso_record_t without = record;
    without.renewable = false;
    assert_refused(SSO_R_API_REFRESH, &without, api_of("api://a/x"));
    database_sql("UPDATE entra_session SET refresh = '' RETURNING id");
    assert_refused(SSO_R_API_REFRESH, &record, api_of("api://a/x"));
    database_sql("UPDATE entra_session SET refresh = 'of nobody' RETURNING id");
    assert_refused(SSO_R_API_REFRESH, &record, api_of("api://b/x"));
    database_sql("DELETE FROM entra_session");
    assert_refused(SSO_R_API_REFRESH, &record, api_of("api://c/x"));
    assert_int_equal(site_token_calls(), calls);
}

/* ---- refusals ---- */

static void test_apitoken_refusal_ends_nothing_and_is_not_asked_for_again(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":\"invalid_grant\",\"suberror\":\"consent_required\",\"error_codes\":[65001]}",
        "{\"error\":\"invalid_grant\",\"suberror\":\"bad_token\",\"error_codes\":[65001]}",
        "{\"error\":\"interaction_required\",\"error_codes\":[65001]}",
        "{\"error\":\"consent_required\",\"error_codes\":[65001]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        sso_record_t record = signed_in();
        int calls = site_token_calls();
        entra_says(400, bodies[i]);
        assert_refused(SSO_R_API_REFUSED, &record, api_of("api://a/x"));
        const char *token;
        bool fetched;
        assert_int_equal(get(&record, api_of("api://a/x"), &token, &fetched), SSO_R_API_REFUSED);
        assert_int_equal(unit_ctx.fault.aadsts, 65001);
        assert_non_null(unit_ctx.fault.oauth_error);
        assert_int_equal(site_token_calls(), calls + 1);
        assert_false(row_of(&record).ended);
        assert_rc(SSO_OK, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
        /* Another resource is another question. */
        entra_gives("b", LIFE);
        assert_gets("b", true, &record, api_of("api://b/x"));
    }
}

static void test_apitoken_failure_has_its_own_reason(void **state)
{
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {429, "{}", SSO_R_TOKEN_LATER},
        {503, "", SSO_R_TOKEN_LATER},
        {401, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {400, "{\"error\":\"invalid_scope\"}", SSO_R_TOKEN_REFUSED},
        {400, "{\"error\":\"invalid_resource\"}", SSO_R_TOKEN_REFUSED},
        {200, "<html>", SSO_R_TOKEN_FORMAT},
        {200, "{\"expires_in\":3600}", SSO_R_API_TOKEN},
        {200, "{\"expires_in\":60,\"access_token\":\"a\"}", SSO_R_API_TOKEN},
        {200, "{\"access_token\":\"a\"}", SSO_R_API_TOKEN},
        {200, "{\"expires_in\":3600,\"access_token\":\"a\\r\\nX-Entra-User: root\"}", SSO_R_API_TOKEN},
        {200, "{\"expires_in\":3600,\"access_token\":\"a b\"}", SSO_R_API_TOKEN},
        {200, "{\"expires_in\":3600,\"access_token\":\"\\u00e4\"}", SSO_R_API_TOKEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record = signed_in();
        entra_says(rows[i].status, rows[i].body);
        assert_refused(rows[i].rc, &record, api_of("api://a/x"));
        assert_false(row_of(&record).ended);
        assert_string_equal(stored_token(&record), SITE_REFRESH_TOKEN);
    }
}

static void test_apitoken_has_a_bounded_length(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    char *longest = apr_palloc(unit_pool, SSO_MAX_FORWARDED + 1);
    memset(longest, 'a', SSO_MAX_FORWARDED);
    longest[SSO_MAX_FORWARDED - 12] = '\0';
    entra_gives(longest, LIFE);
    assert_gets(longest, true, &record, api_of("api://a/x"));
    assert_gets(longest, false, &record, api_of("api://a/x"));
    longest[SSO_MAX_FORWARDED - 12] = 'a';
    longest[SSO_MAX_FORWARDED - 11] = '\0';
    entra_gives(longest, LIFE);
    assert_refused(SSO_R_API_TOKEN, &record, api_of("api://b/x"));
}

static void test_apitoken_of_a_session_that_ended_elsewhere_is_none(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    const sso_store_which_t which = {.id = record.id};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, site_world->site.store, &which, "test", "test", ended));
    int calls = site_token_calls();
    assert_refused(SSO_R_SESSION_ENDED, &record, api_of("api://a/x"));
    assert_int_equal(site_token_calls(), calls);
    /* This node knows it from now on. */
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
}

static void test_apitoken_needs_store_and_memory(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    sso_apitokens_t *tokens = site_world->site.apitokens;
    site_world->site.store = NULL;
    assert_refused(SSO_R_STORE_AWAY, &record, api_of("api://a/x"));
    site_world->site.apitokens = NULL;
    assert_refused(SSO_R_API_MEMORY, &record, api_of("api://a/x"));
    site_world->site.apitokens = tokens;
    site_world->site.store = database_store();
    entra_gives("b", LIFE);
    assert_gets("b", true, &record, api_of("api://b/x"));
}

static void test_apitoken_that_breaks_off_can_be_fetched_later(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    entra_gives("a", LIFE);
    site_world->fake->fail_at = site_world->fake->request_count + 1;
    assert_refused(SSO_R_HTTP_CONNECT, &record, api_of("api://a/x"));
    site_world->site.apitokens = sso_apitokens_make(unit_pool, 1);
    assert_gets("a", true, &record, api_of("api://a/x"));
    assert_string_equal(sent("refresh_token"), SITE_REFRESH_TOKEN);
}

/* ---- several at once ---- */

static const sso_record_t *asked_meanwhile;

/* The same question comes again while Entra has not answered the first: it would wait for itself here, so no more than
 * half a second. */
static void ask_meanwhile(fake_http_t *fake, const char *url)
{
    const char *token = NULL;
    bool fetched = true;
    sso_ctx_t ctx;
    (void)url;
    fake->during = NULL;
    sso_ctx_init(&ctx, unit_pool, unit_ctx.now);
    assert_int_equal(sso_apitoken_get(&ctx, &site_world->site, asked_meanwhile, api_of("api://a/x"), &token, &fetched),
                     SSO_R_API_BUSY);
    assert_false(fetched);
}

static void test_apitoken_is_asked_for_by_one_at_a_time(void **state)
{
    (void)state;
    sso_record_t record = signed_in();
    site_world->site.apitokens = sso_apitokens_make(unit_pool, 0);
    asked_meanwhile = &record;
    site_world->fake->during = ask_meanwhile;
    entra_gives("a", LIFE);
    int calls = site_token_calls();
    assert_gets("a", true, &record, api_of("api://a/x"));
    assert_int_equal(site_token_calls(), calls + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_apitoken_scopes_are_of_one_resource),
        site_test(test_apitoken_is_fetched_once_and_kept_until_a_minute_before_its_end),
        site_test(test_apitoken_is_of_one_session_and_one_resource),
        site_test(test_apitoken_ends_with_the_session_at_the_latest),
        site_test(test_apitoken_keeps_the_next_refresh_token),
        site_test(test_apitoken_leaves_the_refresh_token_of_a_renewal),
        site_test(test_apitoken_without_a_refresh_token_asks_nobody),
        site_test(test_apitoken_refusal_ends_nothing_and_is_not_asked_for_again),
        site_test(test_apitoken_failure_has_its_own_reason),
        site_test(test_apitoken_has_a_bounded_length),
        site_test(test_apitoken_of_a_session_that_ended_elsewhere_is_none),
        site_test(test_apitoken_needs_store_and_memory),
        site_test(test_apitoken_that_breaks_off_can_be_fetched_later),
        site_test(test_apitoken_is_asked_for_by_one_at_a_time),
    };
    return site_run(tests);
}
