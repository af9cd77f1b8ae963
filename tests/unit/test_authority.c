/* SPDX-License-Identifier: Apache-2.0 */
/* The authority: first fetch, refresh, last good copy, throttles, rollover, and failure of every call. */
#include "entra/authority.h"

#include "unit.h"

#include "base/limits.h"
#include "fake_http.h"
#include "fixture.h"
#include "node.h"

/* ---- the first fetch ---- */

static void test_authority_first_request_fetches_once(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    const sso_authority_view_t *view, *again;
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
    assert_string_equal(node->fake->requests[0].url,
                        FIXTURE_LOGIN "/" FIXTURE_TENANT "/v2.0/.well-known/openid-configuration");
    assert_string_equal(node->fake->requests[1].url, view->metadata->jwks_uri);
    assert_false(node->fake->requests[0].ungated);
    assert_int_equal(node->fake->requests[0].max_response, SSO_MAX_METADATA);
    assert_int_equal(node->fake->requests[1].max_response, SSO_MAX_JWKS);
    assert_int_equal(view->fetched, SSO_TEST_NOW);
    assert_int_equal(view->generation, 1);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &again));
    assert_ptr_equal(view, again);
    assert_int_equal(node->fake->request_count, 2);
    assert_ptr_equal(sso_authority_http(authority), &node->fake->face);
    assert_ptr_equal(sso_authority_config(authority), &node->config);
}

static void test_authority_tick_fetches_ungated_when_there_is_nothing(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_int_equal(node->fake->request_count, 2);
    assert_true(node->fake->requests[0].ungated && node->fake->requests[1].ungated);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_int_equal(node->fake->request_count, 2);
}

static void test_authority_two_processes_share_one_fetch(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *one = node_process(node), *two = node_process(node);
    const sso_authority_view_t *first, *second;
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, one, &first));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, two, &second));
    assert_int_equal(node->fake->request_count, 2);
    assert_ptr_not_equal(first, second);
    assert_non_null(sso_keys_find(first->keys, "kid-A"));
    assert_non_null(sso_keys_find(second->keys, "kid-A"));
    assert_int_equal(second->generation, first->generation);
    assert_int_equal(second->fetched, first->fetched);
}

static void test_authority_tenant_guid_comes_from_configuration_or_issuer(void **state)
{
    (void)state;
    const sso_authority_view_t *view;
    sso_authority_t *guid = node_process(node_good());
    assert_string_equal(sso_authority_tenant_guid(guid, NULL), FIXTURE_TENANT);
    sso_authority_t *domain = node_process(node_make("contoso.example", FIXTURE_TENANT));
    assert_null(sso_authority_tenant_guid(domain, NULL));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, domain, &view));
    assert_string_equal(sso_authority_tenant_guid(domain, view), FIXTURE_TENANT);
    sso_authority_t *consumers = node_process(node_make("consumers", SSO_CONSUMERS_TENANT));
    assert_string_equal(sso_authority_tenant_guid(consumers, NULL), SSO_CONSUMERS_TENANT);
    sso_authority_t *common = node_process(node_make("common", "{tenantid}"));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, common, &view));
    assert_null(sso_authority_tenant_guid(common, view));
    assert_null(sso_authority_tenant_guid(common, NULL));
}

/* ---- refusals of the outside ---- */

static void test_authority_bad_answers_have_their_reasons(void **state)
{
    (void)state;
    const char *weak = fixture_jwks(unit_pool, node_jwk(FIXTURE_KEY_WEAK, "w"), NULL);
    const char *tenant = "{\"error\":\"invalid_tenant\",\"error_description\":\"AADSTS90002: Tenant 'x' not found.\"}";
    const char *name = "{\"error\":\"invalid_tenant\",\"error_description\":\"AADSTS900023: neither a DNS name\"}";
    const struct {
        const char *match;
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {DISCOVERY, 400, tenant, SSO_R_METADATA_TENANT},
        {DISCOVERY, 400, name, SSO_R_METADATA_TENANT},
        {DISCOVERY, 400, "{\"error_description\":\"AADSTS50049: unknown instance\"}", SSO_R_METADATA_STATUS},
        {DISCOVERY, 503, tenant, SSO_R_METADATA_STATUS},
        {DISCOVERY, 400, "<html>", SSO_R_METADATA_STATUS},
        {DISCOVERY, 404, "", SSO_R_METADATA_STATUS},
        {DISCOVERY, 302, "", SSO_R_METADATA_STATUS},
        {DISCOVERY, 429, "", SSO_R_METADATA_STATUS},
        {DISCOVERY, 200, "", SSO_R_JSON_SYNTAX},
        {DISCOVERY, 200, "{}", SSO_R_METADATA_FIELD},
        {KEYS, 500, "{}", SSO_R_KEYS_STATUS},
        {KEYS, 200, "null", SSO_R_KEYS_FORMAT},
        {KEYS, 200, "[]", SSO_R_KEYS_FORMAT},
        {KEYS, 200, "{\"keys\":[]}", SSO_R_KEYS_NONE},
        {KEYS, 200, weak, SSO_R_KEYS_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        node_t *node = node_good();
        const sso_authority_view_t *view;
        fake_http_always(node->fake, rows[i].match, rows[i].status, rows[i].body);
        assert_rc(rows[i].rc, sso_authority_view(&unit_ctx, node_process(node), &view));
    }
}

static void test_authority_fault_tells_number_and_retry_after(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    fake_http_always(node->fake, DISCOVERY, 429, "{\"error_description\":\"AADSTS90055: throttled\"}")->retry_after_s =
        17;
    assert_int_equal(sso_authority_view(&unit_ctx, node_process(node), &view), SSO_R_METADATA_STATUS);
    assert_int_equal(unit_ctx.fault.aadsts, 90055);
    assert_int_equal(unit_ctx.fault.retry_after_s, 17);
}

/* Each call fails in turn; nothing half-done stays, and the next second all is well. */
static void test_authority_failure_of_each_call_heals(void **state)
{
    (void)state;
    for (int call = 1; call <= 2; call++) {
        node_t *node = node_good();
        sso_authority_t *authority = node_process(node);
        const sso_authority_view_t *view;
        unit_ctx.now = SSO_TEST_NOW;
        node->fake->fail_at = call;
        assert_rc(SSO_R_HTTP_CONNECT, sso_authority_view(&unit_ctx, authority, &view));
        assert_int_equal(node->fake->request_count, call);
        /* Within the same second no request asks again. */
        assert_rc(SSO_R_METADATA_NONE, sso_authority_view(&unit_ctx, authority, &view));
        assert_int_equal(node->fake->request_count, call);
        unit_ctx.now += SEC(1);
        assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
        assert_int_equal(node->fake->request_count, call + 2);
    }
}

static void test_authority_tick_retries_the_first_fetch_every_two_seconds(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    fake_http_broken(node->fake, DISCOVERY, SSO_R_HTTP_TIMEOUT);
    for (int second = 0; second < 10; second++) {
        assert_rc(second % 2 == 0 ? SSO_R_HTTP_TIMEOUT : SSO_OK, sso_authority_tick(&unit_ctx, authority));
        unit_ctx.now += SEC(1);
    }
    assert_int_equal(node->fake->request_count, 5);
}

/* ---- refresh, age, last good copy ---- */

static void test_authority_keys_are_refreshed_hourly(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *one = node_process(node), *two = node_process(node);
    const sso_authority_view_t *old, *view;
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, one, &old));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, two, &view));
    node_roll(node, node_jwk(FIXTURE_KEY_B, "kid-B"));
    unit_ctx.now += SEC(3599);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, one));
    assert_int_equal(node->fake->request_count, 2);
    unit_ctx.now += SEC(1);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, one));
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, two));
    assert_int_equal(node->fake->request_count, 4);
    /* The other process has the new ones, and who still holds the old view keeps it. */
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, two, &view));
    assert_int_equal(view->generation, 2);
    assert_null(sso_keys_find(view->keys, "kid-A"));
    assert_non_null(sso_keys_find(view->keys, "kid-B"));
    assert_non_null(sso_keys_find(old->keys, "kid-A"));
}

static void test_authority_last_good_copy_serves_a_day(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    const sso_authority_view_t *view;
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
    fake_http_broken(node->fake, "https://", SSO_R_HTTP_CONNECT);
    unit_ctx.now = SSO_TEST_NOW + SEC(24 * 3600);
    assert_rc(SSO_R_HTTP_CONNECT, sso_authority_tick(&unit_ctx, authority));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
    int calls = node->fake->request_count;
    unit_ctx.now += 1;
    assert_rc(SSO_R_METADATA_STALE, sso_authority_view(&unit_ctx, authority, &view));
    /* A request never waits for the outside then. */
    assert_int_equal(node->fake->request_count, calls);
    fake_http_always(node->fake, DISCOVERY, 200, fixture_discovery(unit_pool, FIXTURE_TENANT, FIXTURE_TENANT));
    node_roll(node, node_jwk(FIXTURE_KEY_A, "kid-A"));
    unit_ctx.now += SEC(60);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
}

static void test_authority_failed_refresh_is_retried_a_minute_later(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    fake_http_broken(node->fake, DISCOVERY, SSO_R_HTTP_TLS);
    unit_ctx.now += SEC(3600);
    int calls = node->fake->request_count;
    for (int second = 0; second < 180; second++) {
        assert_rc(second % 60 == 0 ? SSO_R_HTTP_TLS : SSO_OK, sso_authority_tick(&unit_ctx, authority));
        unit_ctx.now += SEC(1);
    }
    assert_int_equal(node->fake->request_count, calls + 3);
}

static void test_authority_unusable_documents_do_not_replace_the_good_copy(void **state)
{
    (void)state;
    static const struct {
        const char *match, *body;
        sso_rc rc;
    } rows[] = {
        {KEYS, "{\"keys\":[]}", SSO_R_KEYS_NONE},
        {KEYS, "<html>", SSO_R_KEYS_FORMAT},
        {DISCOVERY, "{}", SSO_R_METADATA_FIELD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        node_t *node = node_good();
        sso_authority_t *authority = node_process(node);
        const sso_authority_view_t *view;
        unit_ctx.now = SSO_TEST_NOW;
        assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
        fake_http_always(node->fake, rows[i].match, 200, rows[i].body);
        unit_ctx.now += SEC(3600);
        assert_rc(rows[i].rc, sso_authority_tick(&unit_ctx, authority));
        assert_rc(SSO_OK, sso_authority_view(&unit_ctx, node_process(node), &view));
        assert_int_equal(view->generation, 1);
        assert_non_null(sso_keys_find(view->keys, "kid-A"));
    }
}

/* A clock that is set back by a day stops neither refresh nor sign-in. */
static void test_authority_survives_a_clock_set_back(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    const sso_authority_view_t *view;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    unit_ctx.now -= SEC(24 * 3600);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_int_equal(node->fake->request_count, 4);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
    assert_int_equal(view->fetched, unit_ctx.now);
}

/* ---- unknown keys ---- */

static void test_authority_rolled_key_is_found_at_once(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    const sso_authority_view_t *view;
    const sso_key_t *key;
    assert_rc(SSO_OK, sso_authority_key(&unit_ctx, authority, "kid-A", &view, &key));
    assert_int_equal(node->fake->request_count, 2);
    node_roll(node, node_jwk(FIXTURE_KEY_B, "kid-B"));
    assert_rc(SSO_OK, sso_authority_key(&unit_ctx, authority, "kid-B", &view, &key));
    assert_string_equal(key->kid, "kid-B");
    assert_int_equal(view->generation, 2);
    assert_int_equal(node->fake->request_count, 4);
    /* A process that did not fetch finds it in the shared copy. */
    assert_rc(SSO_OK, sso_authority_key(&unit_ctx, node_process(node), "kid-B", &view, &key));
    assert_int_equal(node->fake->request_count, 4);
}

static void test_authority_flood_of_kids_fetches_once_a_minute(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *processes[] = {node_process(node), node_process(node)};
    const sso_authority_view_t *view;
    const sso_key_t *key;
    for (int minute = 0; minute < 2; minute++) {
        for (int i = 0; i < 1000; i++) {
            apr_pool_t *pool;
            sso_ctx_t ctx;
            apr_pool_create(&pool, unit_pool);
            sso_ctx_init(&ctx, pool, SSO_TEST_NOW + minute * SEC(60) + i * SEC(60) / 1000);
            sso_rc rc = sso_authority_key(&ctx, processes[i % 2], apr_psprintf(pool, "forged-%d", i), &view, &key);
            assert_int_equal(rc, SSO_R_JWT_KEY_UNKNOWN);
            apr_pool_destroy(pool);
        }
        /* The first fetch, and one for each minute of the flood. */
        assert_int_equal(fake_http_count(node->fake, KEYS), minute + 2);
    }
}

static void test_authority_unknown_key_stays_unknown_when_the_fetch_fails(void **state)
{
    (void)state;
    node_t *node = node_good();
    sso_authority_t *authority = node_process(node);
    const sso_authority_view_t *view;
    const sso_key_t *key;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    for (int call = 3; call <= 4; call++) {
        node->fake->fail_at = call;
        node->fake->request_count = call == 4 ? 2 : node->fake->request_count;
        unit_ctx.now += SEC(60);
        assert_rc(SSO_R_JWT_KEY_UNKNOWN, sso_authority_key(&unit_ctx, authority, "kid-B", &view, &key));
        assert_int_equal(node->fake->request_count, call);
        assert_rc(SSO_OK, sso_authority_key(&unit_ctx, authority, "kid-A", &view, &key));
    }
}

static void test_authority_key_without_any_copy_gives_the_fetchs_reason(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    const sso_key_t *key;
    fake_http_broken(node->fake, DISCOVERY, SSO_R_HTTP_BUSY);
    assert_rc(SSO_R_HTTP_BUSY, sso_authority_key(&unit_ctx, node_process(node), "kid-A", &view, &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_authority_first_request_fetches_once),
        unit_test(test_authority_tick_fetches_ungated_when_there_is_nothing),
        unit_test(test_authority_two_processes_share_one_fetch),
        unit_test(test_authority_tenant_guid_comes_from_configuration_or_issuer),
        unit_test(test_authority_bad_answers_have_their_reasons),
        unit_test(test_authority_fault_tells_number_and_retry_after),
        unit_test(test_authority_failure_of_each_call_heals),
        unit_test(test_authority_tick_retries_the_first_fetch_every_two_seconds),
        unit_test(test_authority_keys_are_refreshed_hourly),
        unit_test(test_authority_last_good_copy_serves_a_day),
        unit_test(test_authority_failed_refresh_is_retried_a_minute_later),
        unit_test(test_authority_unusable_documents_do_not_replace_the_good_copy),
        unit_test(test_authority_survives_a_clock_set_back),
        unit_test(test_authority_rolled_key_is_found_at_once),
        unit_test(test_authority_flood_of_kids_fetches_once_a_minute),
        unit_test(test_authority_unknown_key_stays_unknown_when_the_fetch_fails),
        unit_test(test_authority_key_without_any_copy_gives_the_fetchs_reason),
    };
    return fixture_run(tests);
}
