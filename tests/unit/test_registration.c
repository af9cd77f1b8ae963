/* SPDX-License-Identifier: Apache-2.0 */
/* An app registration held against a configuration: each fault is named, and nothing else is. */
#include "command/look.h"

#include "unit.h"

#include "base/bytes.h"

#define CALLBACK "https://app.example.com/.entra/callback"
#define GOOD_WEB                                                                                                       \
    "\"web\":{\"redirectUris\":[\"" CALLBACK "\"],\"logoutUrl\":\"https://app.example.com/.entra/"                     \
    "frontchannel-logout\"}"
#define GOOD_CLAIMS "\"optionalClaims\":{\"idToken\":[{\"name\":\"sid\"},{\"name\":\"upn\"}]}"
#define GOOD_REST                                                                                                      \
    "\"signInAudience\":\"AzureADMyOrg\",\"groupMembershipClaims\":\"ApplicationGroup\",\"passwordCredentials\":"      \
    "[{\"hint\":\"abc\",\"endDateTime\":\"2027-10-01T00:00:00.123Z\"}]"

static sso_description_t description;
static sso_report_t report;

static int setup(void **state)
{
    if (unit_setup(state) != 0) {
        return -1;
    }
    apr_array_header_t *groups = apr_array_make(unit_pool, 1, sizeof(const char *));
    apr_array_header_t *claims = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(groups, const char *) = "Finance";
    APR_ARRAY_PUSH(claims, const char *) = "acct";
    APR_ARRAY_PUSH(claims, const char *) = "upn";
    description = (sso_description_t){.origin = "https://app.example.com",
                                      .path = "/.entra",
                                      .redirect_uri = CALLBACK,
                                      .tenant = "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11",
                                      .groups = groups,
                                      .claims = claims,
                                      .credential = {.kind = "secret"}};
    return 0;
}

/* What is found in this registration, as text. */
static const char *found(const char *json)
{
    const sso_json_t *registration;
    char *text = apr_pcalloc(unit_pool, 16384);
    apr_size_t len = 16383;
    apr_off_t start = 0;
    char *name = apr_pstrdup(unit_pool, "/tmp/sso-unit-XXXXXX");
    report = (sso_report_t){.pool = unit_pool};
    assert_int_equal(apr_file_mktemp(&report.out, name, 0, unit_pool), APR_SUCCESS);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, json, strlen(json), 65536, &registration));
    sso_check_registration(&report, &description, registration, "abc", SSO_TEST_NOW);
    assert_int_equal(apr_file_seek(report.out, APR_SET, &start), APR_SUCCESS);
    (void)apr_file_read(report.out, text, &len);
    apr_file_close(report.out);
    return text;
}

static void test_registration_that_is_right(void **state)
{
    (void)state;
    const char *text = found("{" GOOD_WEB "," GOOD_CLAIMS "," GOOD_REST "}");
    if (report.counts[SSO_FOUND_OK] != 6 || strstr(text, "mend:") != NULL) {
        unit_fail("%s", text);
    }
}

static void test_registration_faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *word, *holds;
    } rows[] = {
        {"{" GOOD_CLAIMS "," GOOD_REST "}", "warn     front-channel logout", "does not reach this one"},
        {"{\"web\":{\"logoutUrl\":\"https://other.example/\"}," GOOD_CLAIMS "," GOOD_REST "}",
         "warn     front-channel logout", "another address"},
        {"{" GOOD_WEB "," GOOD_REST ",\"optionalClaims\":{\"idToken\":[{\"name\":\"sid\"}]}}",
         "FAIL     optional claims", "ID > upn"},
        {"{" GOOD_WEB "," GOOD_CLAIMS "," GOOD_REST ",\"spa\":{\"redirectUris\":[\"" CALLBACK "\"]}}",
         "FAIL     platform", "Single-page application"},
        {"{" GOOD_WEB "," GOOD_CLAIMS "," GOOD_REST ",\"publicClient\":{\"redirectUris\":[\"" CALLBACK "\"]}}",
         "FAIL     platform", "Mobile and desktop"},
        {"{" GOOD_WEB "," GOOD_CLAIMS ",\"groupMembershipClaims\":\"None\"}", "FAIL     groups claim",
         "Add groups claim"},
        {"{" GOOD_WEB "," GOOD_CLAIMS ",\"groupMembershipClaims\":\"DirectoryRole\"}", "FAIL     groups claim",
         "no groups"},
        {"{" GOOD_WEB ",\"groupMembershipClaims\":\"SecurityGroup\",\"optionalClaims\":{\"idToken\":[{\"name\":"
         "\"groups\",\"additionalProperties\":[\"cloud_displayname\"]}]}}",
         "FAIL     groups claim", "Group ID"},
        {"{\"passwordCredentials\":[{\"hint\":\"abc\",\"endDateTime\":\"2026-11-22T00:00:00Z\"}]}",
         "FAIL     end of the secret", "New client secret"},
        {"{\"passwordCredentials\":[{\"hint\":\"abc\",\"endDateTime\":\"2026-12-01T00:00:00Z\"}]}",
         "warn     end of the secret", "in 7 days"},
        {"{\"passwordCredentials\":[{\"hint\":\"xyz\",\"endDateTime\":\"2027-12-01T00:00:00Z\"}]}",
         "unknown  end of the secret", "begins like it"},
        {"{}", "unknown  end of the secret", "begins like it"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = found(rows[i].json);
        const char *line = strstr(text, rows[i].word);
        if (line == NULL || strstr(line, rows[i].holds) == NULL) {
            unit_fail("%zu: %s", i, text);
        }
    }
}

static void test_registration_is_for_these_accounts(void **state)
{
    (void)state;
    static const struct {
        const char *tenant, *audience;
        bool good;
    } rows[] = {
        {"8d6f4f0e-0000-4000-8000-3a6c2f1b7c11", "AzureADMyOrg", true},
        {"organizations", "AzureADMyOrg", false},
        {"common", "AzureADMyOrg", false},
        {"consumers", "AzureADMyOrg", false},
        {"organizations", "AzureADMultipleOrgs", true},
        {"consumers", "AzureADMultipleOrgs", false},
        {"consumers", "AzureADandPersonalMicrosoftAccount", true},
        {"common", "AzureADandPersonalMicrosoftAccount", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        description.tenant = rows[i].tenant;
        const char *text = found(apr_psprintf(unit_pool, "{\"signInAudience\":\"%s\"}", rows[i].audience));
        if ((strstr(text, "ok       supported accounts") != NULL) != rows[i].good ||
            (strstr(text, "FAIL     supported accounts") != NULL) == rows[i].good) {
            unit_fail("%s at %s: %s", rows[i].audience, rows[i].tenant, text);
        }
    }
}

/* What the configuration does not use need not be registered. */
static void test_registration_of_less(void **state)
{
    (void)state;
    description.groups = apr_array_make(unit_pool, 1, sizeof(const char *));
    description.claims = description.groups;
    description.origin = "http://localhost";
    description.credential.kind = "certificate";
    const char *text = found("{}");
    if (strstr(text, "mend:") != NULL || strstr(text, "groups claim") != NULL || strstr(text, "secret") != NULL) {
        unit_fail("%s", text);
    }
}

#define registration_test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        registration_test(test_registration_that_is_right),
        registration_test(test_registration_faults_are_named),
        registration_test(test_registration_is_for_these_accounts),
        registration_test(test_registration_of_less),
    };
    return unit_run(tests);
}
