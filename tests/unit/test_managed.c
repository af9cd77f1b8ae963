/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a managed identity: how they are asked for, kept, and what of an answer is believed. */
#include "entra/managed.h"

#include "unit.h"

#include <stdatomic.h>

#include <apr_thread_proc.h>

#include "base/clock.h"
#include "fake_http.h"

#define AUDIENCE "api://AzureADTokenExchange"
#define MI_TOKEN "eyJ0.eyJh.c2ln"

/* Too short for a second try. */
static const sso_http_policy_t policy = {.proxy = "http://proxy.test:3128", .total_timeout = 1000};

static sso_managed_t *imds_make(const char *id)
{
    const sso_managed_config_t config = {.identity_id = id, .audience = AUDIENCE};
    sso_managed_t *managed = sso_managed_make(unit_pool, &config);
    assert_non_null(managed);
    return managed;
}

static sso_rc ask(sso_managed_t *managed, fake_http_t *fake, const char **ret_token)
{
    return sso_managed_token(&unit_ctx, managed, &fake->face, &policy, ret_token);
}

static const char *answer(apr_time_t expires)
{
    return apr_psprintf(unit_pool,
                        "{\"access_token\":\"" MI_TOKEN "\",\"refresh_token\":\"\",\"expires_in\":\"3599\","
                        "\"expires_on\":\"%" APR_TIME_T_FMT "\",\"token_type\":\"Bearer\"}",
                        apr_time_sec(expires));
}

static void test_managed_machine_is_asked_directly(void **state)
{
    (void)state;
    const char *token;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "169.254.169.254", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    assert_rc(SSO_OK, ask(imds_make("id-1"), fake, &token));
    assert_string_equal(token, MI_TOKEN);
    const fake_request_t *request = fake_http_last(fake);
    assert_string_equal(request->url, "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
                                      "&resource=api%3A%2F%2FAzureADTokenExchange&client_id=id-1");
    assert_string_equal(apr_table_get(request->headers, "Metadata"), "true");
    assert_null(request->body);
    assert_true(request->direct && request->ungated);
}

static void test_managed_stand_in_of_the_metadata_service_is_asked(void **state)
{
    (void)state;
    const char *token;
    fake_http_t *fake = fake_http_make(unit_pool);
    const sso_managed_config_t config = {.identity_id = "id-1", .imds = "http://127.0.0.1:40342", .audience = AUDIENCE};
    fake_http_always(fake, "127.0.0.1", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    assert_rc(SSO_OK, ask(sso_managed_make(unit_pool, &config), fake, &token));
    assert_string_equal(fake_http_last(fake)->url,
                        "http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2018-02-01"
                        "&resource=api%3A%2F%2FAzureADTokenExchange&client_id=id-1");
}

static void test_managed_app_service_is_asked_with_its_header(void **state)
{
    (void)state;
    const char *token;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "127.0.0.1", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    const sso_managed_config_t config = {
        .endpoint = "http://127.0.0.1:41741/msi/token", .header = "h34der", .audience = AUDIENCE};
    assert_rc(SSO_OK, ask(sso_managed_make(unit_pool, &config), fake, &token));
    const fake_request_t *request = fake_http_last(fake);
    assert_string_equal(request->url, "http://127.0.0.1:41741/msi/token?api-version=2019-08-01"
                                      "&resource=api%3A%2F%2FAzureADTokenExchange");
    assert_string_equal(apr_table_get(request->headers, "X-IDENTITY-HEADER"), "h34der");
    assert_null(apr_table_get(request->headers, "Metadata"));
}

/* Kept until five minutes before its end; then renewed; when that fails, used to its very end. */
static void test_managed_token_is_kept_and_renewed(void **state)
{
    (void)state;
    const char *token;
    fake_http_t *fake = fake_http_make(unit_pool);
    sso_managed_t *managed = imds_make(NULL);
    fake_http_always(fake, "169.254", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    static const struct {
        int second, calls;
        sso_rc rc;
        bool broken;
    } rows[] = {
        {0, 1, SSO_OK, false},
        {3299, 1, SSO_OK, false},
        {3300, 2, SSO_OK, true},
        {3301, 2, SSO_OK, true},
        {3305, 3, SSO_OK, true},
        {3599, 4, SSO_OK, true},
        {3600, 4, SSO_R_IDENTITY_LATER, true},
        {3604, 5, SSO_R_HTTP_TIMEOUT, true},
        {3605, 5, SSO_R_IDENTITY_LATER, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].broken) {
            fake_http_broken(fake, "169.254", SSO_R_HTTP_TIMEOUT);
        }
        unit_ctx.now = SSO_TEST_NOW + apr_time_from_sec(rows[i].second);
        assert_rc(rows[i].rc, ask(managed, fake, &token));
        assert_int_equal(fake->request_count, rows[i].calls);
    }
    fake_http_always(fake, "169.254", 200, answer(SSO_TEST_NOW + apr_time_from_sec(7200)));
    unit_ctx.now += apr_time_from_sec(5);
    assert_rc(SSO_OK, ask(managed, fake, &token));
}

/* Whatever the answer says of its life, a token is asked for anew after a day. */
static void test_managed_token_is_kept_for_a_day_at_most(void **state)
{
    (void)state;
    static const char *const ends[] = {"\"expires_on\":\"99999999999\"", "\"expires_on\":99999999999",
                                       "\"expires_in\":\"99999999999\""};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const char *token;
        fake_http_t *fake = fake_http_make(unit_pool);
        sso_managed_t *managed = imds_make(NULL);
        unit_ctx.now = SSO_TEST_NOW;
        fake_http_always(fake, "169.254", 200,
                         apr_pstrcat(unit_pool, "{\"access_token\":\"" MI_TOKEN "\",", ends[i], "}", NULL));
        assert_rc(SSO_OK, ask(managed, fake, &token));
        unit_ctx.now += apr_time_from_sec(24 * 3600 - 301);
        assert_rc(SSO_OK, ask(managed, fake, &token));
        assert_int_equal(fake->request_count, 1);
        unit_ctx.now += apr_time_from_sec(1);
        assert_rc(SSO_OK, ask(managed, fake, &token));
        assert_int_equal(fake->request_count, 2);
    }
}

static void test_managed_answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":1795449600}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_in\":\"3600\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":\"01/01/2027 00:00:00 +00:00\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":\"99999999999999999999\"}", SSO_OK},
        {200, "{\"access_token\":\"opaque\",\"expires_on\":\"1795449600\"}", SSO_R_ASSERTION},
        {200, "{\"access_token\":\"a.b.c&d=e\",\"expires_on\":\"1795449600\"}", SSO_R_ASSERTION},
        {200, "{\"access_token\":7}", SSO_R_ASSERTION},
        {200, "{}", SSO_R_ASSERTION},
        {200, "null", SSO_R_ASSERTION},
        {200, "<html>", SSO_R_ASSERTION},
        {301, "", SSO_R_ASSERTION},
        {400, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}", SSO_R_ASSERTION},
        {400, "<html>", SSO_R_ASSERTION},
        {401, "", SSO_R_ASSERTION},
        {404, "", SSO_R_IDENTITY_LATER},
        {408, "", SSO_R_IDENTITY_LATER},
        {410, "", SSO_R_IDENTITY_LATER},
        {429, "", SSO_R_IDENTITY_LATER},
        {500, "", SSO_R_IDENTITY_LATER},
        {503, "", SSO_R_IDENTITY_LATER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *token;
        fake_http_t *fake = fake_http_make(unit_pool);
        sso_managed_t *managed = imds_make(NULL);
        fake_http_always(fake, "169.254", rows[i].status, rows[i].body);
        sso_rc rc = ask(managed, fake, &token);
        if (rc != rows[i].rc) {
            unit_fail("%d %s: %s", rows[i].status, rows[i].body, sso_reason(rc)->name);
        }
        if (strstr(rows[i].body, "not found") != NULL) {
            assert_non_null(strstr(unit_ctx.fault.detail, "invalid_request: Identity not found"));
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* What passes is asked again, after a second, within the outbound timeout. */
static void test_managed_passing_trouble_is_asked_again(void **state)
{
    (void)state;
    const sso_http_policy_t patient = {.total_timeout = apr_time_from_sec(5)};
    const char *token;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_once(fake, "169.254", 410, "");
    fake_http_always(fake, "169.254", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    apr_time_t begin = sso_clock_now();
    assert_rc(SSO_OK, sso_managed_token(&unit_ctx, imds_make(NULL), &fake->face, &patient, &token));
    assert_string_equal(token, MI_TOKEN);
    assert_int_equal(fake->request_count, 2);
    assert_true(sso_clock_now() - begin >= apr_time_from_sec(1));
}

/* ---- several threads ---- */

#define THREADS 8

static sso_managed_t *shared;
static fake_http_t *slow;
static atomic_int answered, later;

static void be_slow(fake_http_t *fake, const char *url)
{
    (void)fake, (void)url;
    apr_sleep(50 * 1000);
}

static void *APR_THREAD_FUNC ask_thread(apr_thread_t *thread, void *data)
{
    (void)data;
    const sso_http_policy_t patient = {.total_timeout = apr_time_from_sec(5)};
    const char *token = NULL;
    sso_ctx_t ctx;
    apr_pool_t *pool;
    apr_pool_create(&pool, NULL);
    sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
    sso_rc rc = sso_managed_token(&ctx, shared, &slow->face, &patient, &token);
    if (rc == SSO_OK && strcmp(token, MI_TOKEN) == 0) {
        atomic_fetch_add(&answered, 1);
    } else if (rc == SSO_R_IDENTITY_LATER) {
        atomic_fetch_add(&later, 1);
    }
    apr_pool_destroy(pool);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* One asks, four wait for its answer, and the others are not held. */
static void test_managed_one_thread_asks_for_all(void **state)
{
    (void)state;
    apr_thread_t *threads[THREADS];
    apr_status_t status;
    shared = imds_make(NULL);
    slow = fake_http_make(unit_pool);
    slow->during = be_slow;
    fake_http_always(slow, "169.254", 200, answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    atomic_store(&answered, 0);
    atomic_store(&later, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(apr_thread_create(&threads[i], NULL, ask_thread, NULL, unit_pool), APR_SUCCESS);
    }
    for (int i = 0; i < THREADS; i++) {
        apr_thread_join(&status, threads[i]);
    }
    assert_int_equal(slow->request_count, 1);
    assert_int_equal(atomic_load(&answered) + atomic_load(&later), THREADS);
    assert_true(atomic_load(&answered) >= 5);
}

static void test_assertion_is_plausible_only_in_its_shape(void **state)
{
    (void)state;
    assert_true(sso_assertion_is_plausible("eyJ0.eyJh.c2ln"));
    static const char *const bad[] = {"",     "a",       "a.b",    "a.b.",    ".b.c",
                                      "a..c", "a.b.c.d", "a.b.c=", "a.b.c d", "a.b.c\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sso_assertion_is_plausible(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_managed_machine_is_asked_directly),
        unit_test(test_managed_stand_in_of_the_metadata_service_is_asked),
        unit_test(test_managed_app_service_is_asked_with_its_header),
        unit_test(test_managed_token_is_kept_and_renewed),
        unit_test(test_managed_token_is_kept_for_a_day_at_most),
        unit_test(test_managed_answers_are_judged),
        unit_test(test_managed_passing_trouble_is_asked_again),
        unit_test(test_managed_one_thread_asks_for_all),
        unit_test(test_assertion_is_plausible_only_in_its_shape),
    };
    return unit_run(tests);
}
