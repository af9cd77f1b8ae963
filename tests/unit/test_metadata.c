/* SPDX-License-Identifier: Apache-2.0 */
/* Clouds, tenant names, and discovery documents judged field by field. */
#include "entra/authority.h"

#include "unit.h"

#include "base/limits.h"
#include "fixture.h"

static void test_metadata_clouds_are_found_by_name(void **state)
{
    (void)state;
    static const sso_cloud_t rows[] = {
        {"global", "https://login.microsoftonline.com", "https://graph.microsoft.com", "api://AzureADTokenExchange",
         "https://sts.windows.net/{tenantid}/"},
        {"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us", "api://AzureADTokenExchangeUSGov",
         "https://sts.windows.net/{tenantid}/"},
        {"china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn",
         "api://AzureADTokenExchangeChina", "https://sts.chinacloudapi.cn/{tenantid}/"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_cloud_t *cloud = sso_cloud_find(rows[i].name);
        assert_non_null(cloud);
        assert_string_equal(cloud->name, rows[i].name);
        assert_string_equal(cloud->login_url, rows[i].login_url);
        assert_string_equal(cloud->graph_url, rows[i].graph_url);
        assert_string_equal(cloud->exchange_audience, rows[i].exchange_audience);
        assert_string_equal(cloud->v1_issuer, rows[i].v1_issuer);
    }
    assert_null(sso_cloud_find("Global"));
    assert_null(sso_cloud_find("germany"));
    assert_null(sso_cloud_find(""));
}

static void test_metadata_consumers_are_known_by_word_and_guid(void **state)
{
    (void)state;
    assert_true(sso_tenant_is_consumers("consumers"));
    assert_true(sso_tenant_is_consumers(SSO_CONSUMERS_TENANT));
    assert_true(sso_tenant_is_consumers("9188040D-6C67-4C5B-B112-36A304B66DAD"));
    assert_false(sso_tenant_is_consumers("common"));
    assert_false(sso_tenant_is_consumers(FIXTURE_TENANT));
}

static void test_metadata_tenant_names_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {FIXTURE_TENANT,  "contoso.onmicrosoft.com",
                                       "a.b",           "xn--bcher-kva.example",
                                       "organizations", "common",
                                       "consumers",     "7F3A1C52-9D0E-4B6A-8C41-2E5D90B7A613"};
    static const char *const bad[] = {"",      "contoso", "Common", "common/",    "a..b",   ".a.b",
                                      "a.b.",  "-a.b",    "a-.b",   "a.b/c",      "a.b?x",  "a b.c",
                                      "a.b\n", "../x.y",  "a_b.c",  "{tenantid}", "a%2e.b", "\xc3\xa4.b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (sso_tenant_check(good[i]) != NULL) {
            unit_fail("\"%s\" %s", good[i], sso_tenant_check(good[i]));
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_tenant_check(bad[i]) == NULL) {
            unit_fail("\"%s\" passes", bad[i]);
        }
    }
    char *longest = apr_psprintf(unit_pool, "%0250d.abc", 0);
    assert_non_null(sso_tenant_check(longest)); /* a label of more than 63 */
    for (int i = 60; i < 250; i += 60) {
        longest[i] = '.';
    }
    longest[253] = '\0';
    assert_null(sso_tenant_check(longest));
    assert_non_null(sso_tenant_check(apr_pstrcat(unit_pool, longest, "d", NULL)));
    assert_non_null(sso_tenant_check(NULL));
    assert_true(sso_tenant_is_several("organizations") && sso_tenant_is_several("common"));
    assert_false(sso_tenant_is_several("consumers") || sso_tenant_is_several(FIXTURE_TENANT));
}

static sso_rc metadata_of(const char *tenant, const char *text, const sso_metadata_t **ret_metadata)
{
    const sso_authority_config_t config = {.login_url = FIXTURE_LOGIN, .tenant = tenant};
    return sso_metadata_parse(&unit_ctx, unit_pool, &config, text, strlen(text), ret_metadata);
}

static void test_metadata_document_of_entra_is_read(void **state)
{
    (void)state;
    const sso_metadata_t *metadata;
    assert_rc(SSO_OK,
              metadata_of(FIXTURE_TENANT, fixture_discovery(unit_pool, FIXTURE_TENANT, FIXTURE_TENANT), &metadata));
    assert_string_equal(metadata->issuer, FIXTURE_ISSUER);
    assert_string_equal(metadata->authorization_endpoint, FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/authorize");
    assert_string_equal(metadata->token_endpoint, FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/token");
    assert_string_equal(metadata->end_session_endpoint, FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/logout");
    assert_string_equal(metadata->jwks_uri, FIXTURE_LOGIN "/" FIXTURE_TENANT "/discovery/v2.0/keys");
    assert_string_equal(metadata->graph_host, "graph.example.com");
}

static void test_metadata_issuer_must_fit_the_tenant(void **state)
{
    (void)state;
    static const struct {
        const char *tenant, *place;
        sso_rc rc;
    } rows[] = {
        {FIXTURE_TENANT, FIXTURE_TENANT, SSO_OK},
        {"7F3A1C52-9D0E-4B6A-8C41-2E5D90B7A613", FIXTURE_TENANT, SSO_OK},
        {FIXTURE_TENANT, FIXTURE_OTHER_TENANT, SSO_R_METADATA_ISSUER},
        {FIXTURE_TENANT, "{tenantid}", SSO_R_METADATA_ISSUER},
        {FIXTURE_TENANT, "", SSO_R_METADATA_ISSUER},
        {FIXTURE_TENANT, FIXTURE_TENANT "/x", SSO_R_METADATA_ISSUER},
        {"contoso.example", FIXTURE_TENANT, SSO_OK},
        {"contoso.example", "contoso.example", SSO_R_METADATA_ISSUER},
        {"contoso.example", "{tenantid}", SSO_R_METADATA_ISSUER},
        {"organizations", "{tenantid}", SSO_OK},
        {"common", "{tenantid}", SSO_OK},
        {"common", FIXTURE_TENANT, SSO_R_METADATA_ISSUER},
        {"common", "{tenantId}", SSO_R_METADATA_ISSUER},
        {"consumers", SSO_CONSUMERS_TENANT, SSO_OK},
        {"consumers", FIXTURE_TENANT, SSO_R_METADATA_ISSUER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_metadata_t *metadata;
        sso_rc rc = metadata_of(rows[i].tenant, fixture_discovery(unit_pool, rows[i].tenant, rows[i].place), &metadata);
        if (rc != rows[i].rc) {
            unit_fail("%s with %s: %s", rows[i].tenant, rows[i].place, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_metadata_fields_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        sso_rc rc;
    } rows[] = {
        {"", "", SSO_OK},
        {"issuer", "", SSO_R_METADATA_FIELD},
        {"issuer", "7", SSO_R_METADATA_FIELD},
        {"issuer", "\"\"", SSO_R_METADATA_FIELD},
        {"issuer", "\"https://login.example.com.evil.test/" FIXTURE_TENANT "/v2.0\"", SSO_R_METADATA_ISSUER},
        {"issuer", "\"https://sts.windows.net/" FIXTURE_TENANT "/\"", SSO_R_METADATA_ISSUER},
        {"authorization_endpoint", "", SSO_R_METADATA_FIELD},
        {"authorization_endpoint", "null", SSO_R_METADATA_FIELD},
        {"authorization_endpoint", "\"https://evil.test/authorize\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"javascript:alert(1)\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"/authorize\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"" FIXTURE_LOGIN "/a?p=1\"", SSO_OK},
        {"authorization_endpoint", "\"" FIXTURE_LOGIN "/a#f\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"" FIXTURE_LOGIN "/a\\r\\nX-Evil: 1\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"" FIXTURE_LOGIN "\\\\@evil.test/\"", SSO_R_METADATA_ENDPOINT},
        {"authorization_endpoint", "\"https://user@login.example.com/a\"", SSO_R_METADATA_ENDPOINT},
        {"token_endpoint", "", SSO_R_METADATA_FIELD},
        {"token_endpoint", "\"http://login.example.com/token\"", SSO_R_METADATA_ENDPOINT},
        {"token_endpoint", "\"https://login.example.com:8443/token\"", SSO_R_METADATA_ENDPOINT},
        {"token_endpoint", "\"https://login.example.com:443/token\"", SSO_OK},
        {"token_endpoint", "\"https://login.example.com.evil.test/token\"", SSO_R_METADATA_ENDPOINT},
        {"jwks_uri", "", SSO_R_METADATA_FIELD},
        {"jwks_uri", "\"https://evil.test/keys\"", SSO_R_METADATA_ENDPOINT},
        {"jwks_uri", "\"file:///etc/passwd\"", SSO_R_METADATA_ENDPOINT},
        {"jwks_uri", "\"" FIXTURE_LOGIN "/keys?appid=" FIXTURE_CLIENT "\"", SSO_OK},
        {"end_session_endpoint", "", SSO_OK},
        {"end_session_endpoint", "7", SSO_R_METADATA_FIELD},
        {"end_session_endpoint", "\"https://evil.test/logout\"", SSO_R_METADATA_ENDPOINT},
        {"msgraph_host", "", SSO_OK},
        {"msgraph_host", "\"evil.test/path\"", SSO_R_METADATA_FIELD},
        {"msgraph_host", "\"a@evil.test\"", SSO_R_METADATA_FIELD},
        {"msgraph_host", "[]", SSO_R_METADATA_FIELD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_metadata_t *metadata;
        sso_rc rc = metadata_of(FIXTURE_TENANT, fixture_document(rows[i].name, rows[i].value), &metadata);
        if (rc != rows[i].rc) {
            unit_fail("%s %s: %s", rows[i].name, rows[i].value, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_metadata_text_that_is_no_document_is_refused(void **state)
{
    (void)state;
    const sso_metadata_t *metadata;
    assert_rc(SSO_R_METADATA_FIELD, metadata_of(FIXTURE_TENANT, "[]", &metadata));
    assert_rc(SSO_R_METADATA_FIELD, metadata_of(FIXTURE_TENANT, "null", &metadata));
    assert_rc(SSO_R_JSON_SYNTAX, metadata_of(FIXTURE_TENANT, "<html>", &metadata));
    assert_rc(SSO_R_JSON_SYNTAX, metadata_of(FIXTURE_TENANT, "{\"issuer\":\"a\",\"issuer\":\"b\"}", &metadata));
    assert_rc(SSO_R_JSON_DEPTH, metadata_of(FIXTURE_TENANT, "{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", &metadata));
    char *large = apr_palloc(unit_pool, SSO_MAX_METADATA + 2);
    memset(large, ' ', SSO_MAX_METADATA + 1);
    large[SSO_MAX_METADATA + 1] = '\0';
    assert_rc(SSO_R_JSON_SIZE, metadata_of(FIXTURE_TENANT, large, &metadata));
    const char *good = fixture_document("", "");
    for (size_t len = 0; len < strlen(good); len++) {
        if (metadata_of(FIXTURE_TENANT, apr_pstrmemdup(unit_pool, good, len), &metadata) == SSO_OK) {
            unit_fail("the first %zu bytes are accepted", len);
        }
        sso_fault_clear(&unit_ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_metadata_clouds_are_found_by_name),
        unit_test(test_metadata_consumers_are_known_by_word_and_guid),
        unit_test(test_metadata_tenant_names_are_checked),
        unit_test(test_metadata_document_of_entra_is_read),
        unit_test(test_metadata_issuer_must_fit_the_tenant),
        unit_test(test_metadata_fields_are_judged),
        unit_test(test_metadata_text_that_is_no_document_is_refused),
    };
    return fixture_run(tests);
}
