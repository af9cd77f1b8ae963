/* SPDX-License-Identifier: Apache-2.0 */
/* The ID token: every refusal with its own reason, in one table, and the whole way from text to claims. */
#include "entra/idtoken.h"

#include "unit.h"

#include "base/limits.h"
#include "fake_http.h"
#include "fixture.h"

#define Q(text) FIXTURE_QUOTED(text)
#define SEVERAL_ISSUER FIXTURE_LOGIN "/{tenantid}/v2.0"
#define CONSUMERS_ISSUER FIXTURE_LOGIN "/" SSO_CONSUMERS_TENANT "/v2.0"
#define OTHER_ISSUER FIXTURE_LOGIN "/" FIXTURE_OTHER_TENANT "/v2.0"

static sso_idtoken_rules_t rules(void)
{
    sso_idtoken_rules_t made = {
        .client_id = FIXTURE_CLIENT,
        .skew = apr_time_from_sec(300),
        .nonce = FIXTURE_NONCE,
    };
    return made;
}

static sso_rc check_claims(const char *issuer, const sso_idtoken_rules_t *with, const fixture_claim_t *changes,
                           sso_idtoken_t *ret_token)
{
    const sso_json_t *claims;
    const char *text = fixture_claims(unit_pool, changes);
    sso_rc rc = sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), SSO_MAX_JWT, &claims);
    return rc != SSO_OK ? rc : sso_idtoken_check(&unit_ctx, issuer, with, claims, ret_token);
}

static void test_idtoken_good_claims_are_given(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    const fixture_claim_t changes[] = {
        {"sid", Q("s-1")}, {"login_hint", Q("O.Ci")}, {"auth_time", "1795440000"}, {NULL}};
    sso_idtoken_t token = {NULL};
    assert_rc(SSO_OK, check_claims(FIXTURE_ISSUER, &with, changes, &token));
    assert_string_equal(token.iss, FIXTURE_ISSUER);
    assert_string_equal(token.tid, FIXTURE_TENANT);
    assert_string_equal(token.oid, FIXTURE_OID);
    assert_string_equal(token.sub, "k7Yw3nQ2pR8sT1uV4xZ6aB9cD0eF5gH7jK2lM8nO1pQ");
    assert_string_equal(token.sid, "s-1");
    assert_string_equal(token.login_hint, "O.Ci");
    assert_int_equal(token.auth_time, apr_time_from_sec(1795440000));
    assert_int_equal(token.issued, SSO_TEST_NOW - apr_time_from_sec(300));
    assert_string_equal(sso_json_get_text(token.claims, "preferred_username"), "ada@contoso.example");
}

static void test_idtoken_optional_claims_may_be_absent(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    const fixture_claim_t changes[] = {{"nbf", NULL}, {NULL}};
    sso_idtoken_t token = {NULL};
    assert_rc(SSO_OK, check_claims(FIXTURE_ISSUER, &with, changes, &token));
    assert_null(token.sid);
    assert_null(token.login_hint);
    assert_int_equal(token.auth_time, 0);
}

/* GUIDs are keys of people: one spelling each. */
static void test_idtoken_guids_are_given_in_lower_case(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    const fixture_claim_t changes[] = {
        {"oid", Q("5B9E7D10-3C44-4A1F-9F2E-6D8A0C1B2E3F")}, {"tid", Q("7F3A1C52-9D0E-4B6A-8C41-2E5D90B7A613")}, {NULL}};
    sso_idtoken_t token = {NULL};
    assert_rc(SSO_OK, check_claims(FIXTURE_ISSUER, &with, changes, &token));
    assert_string_equal(token.oid, FIXTURE_OID);
    assert_string_equal(token.tid, FIXTURE_TENANT);
}

/* One change of one good token each, and the reason it must give. */
static const struct {
    const char *name, *value;
    sso_rc rc;
} refusals[] = {
    {"ver", NULL, SSO_R_ID_VER},
    {"ver", Q("1.0"), SSO_R_ID_VER},
    {"ver", Q(""), SSO_R_ID_VER},
    {"ver", "2.0", SSO_R_ID_TYPE},
    {"iss", NULL, SSO_R_ID_ISS_MISSING},
    {"iss", Q(""), SSO_R_ID_ISS_MISSING},
    {"iss", "[\"" FIXTURE_ISSUER "\"]", SSO_R_ID_TYPE},
    {"iss", Q(OTHER_ISSUER), SSO_R_ID_ISS},
    {"iss", Q(SEVERAL_ISSUER), SSO_R_ID_ISS},
    {"iss", Q(FIXTURE_ISSUER "/"), SSO_R_ID_ISS},
    {"iss", Q("https://sts.windows.net/" FIXTURE_TENANT "/"), SSO_R_ID_ISS},
    {"iss", Q("http://login.example.com/" FIXTURE_TENANT "/v2.0"), SSO_R_ID_ISS},
    {"iss", Q("https://LOGIN.example.com/" FIXTURE_TENANT "/v2.0"), SSO_R_ID_ISS},
    {"iss", Q("https://evil.test/" FIXTURE_TENANT "/v2.0"), SSO_R_ID_ISS},
    {"tid", NULL, SSO_R_ID_TID_MISSING},
    {"tid", Q(""), SSO_R_ID_TID_MISSING},
    {"tid", "null", SSO_R_ID_TYPE},
    {"tid", Q("contoso.example"), SSO_R_ID_TID_FORMAT},
    {"tid", Q("{tenantid}"), SSO_R_ID_TID_FORMAT},
    {"tid", Q(FIXTURE_TENANT "0"), SSO_R_ID_TID_FORMAT},
    {"tid", Q(FIXTURE_OTHER_TENANT), SSO_R_ID_ISS},
    {"tid", Q(SSO_CONSUMERS_TENANT), SSO_R_ID_ISS},
    {"aud", NULL, SSO_R_ID_AUD_MISSING},
    {"aud", Q(""), SSO_R_ID_AUD_MISSING},
    {"aud", "[]", SSO_R_ID_AUD_MISSING},
    {"aud", "7", SSO_R_ID_TYPE},
    {"aud", "[7]", SSO_R_ID_TYPE},
    {"aud", "null", SSO_R_ID_TYPE},
    {"aud", "{\"a\":1}", SSO_R_ID_TYPE},
    {"aud", Q("0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a"), SSO_R_ID_AUD},
    {"aud", Q("api://" FIXTURE_CLIENT), SSO_R_ID_AUD},
    {"aud", "[\"" FIXTURE_CLIENT "\",\"other\"]", SSO_R_ID_AUD},
    {"aud", "[\"" FIXTURE_CLIENT "\",\"" FIXTURE_CLIENT "\"]", SSO_R_ID_AUD},
    {"aud", "[\"other\"]", SSO_R_ID_AUD},
    {"azp", Q("0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a"), SSO_R_ID_AZP},
    {"azp", Q(""), SSO_R_ID_AZP},
    {"azp", "7", SSO_R_ID_TYPE},
    {"sub", NULL, SSO_R_ID_SUB_MISSING},
    {"sub", Q(""), SSO_R_ID_SUB_MISSING},
    {"sub", "7", SSO_R_ID_TYPE},
    {"oid", NULL, SSO_R_ID_OID_MISSING},
    {"oid", Q(""), SSO_R_ID_OID_MISSING},
    {"oid", "7", SSO_R_ID_TYPE},
    {"oid", Q("ada"), SSO_R_ID_OID_FORMAT},
    {"oid", Q("5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3g"), SSO_R_ID_OID_FORMAT},
    {"exp", NULL, SSO_R_ID_EXP_MISSING},
    {"exp", "\"1795449600\"", SSO_R_ID_TYPE},
    {"exp", "1795449600.5", SSO_R_ID_TYPE},
    {"exp", "1795449600.0", SSO_R_ID_TYPE},
    {"exp", "1e300", SSO_R_ID_TYPE},
    {"exp", "-1", SSO_R_ID_TYPE},
    {"exp", "0", SSO_R_ID_TYPE},
    {"exp", "null", SSO_R_ID_TYPE},
    {"exp", "true", SSO_R_ID_TYPE},
    {"exp", "253402300800", SSO_R_ID_TYPE},
    {"exp", "9223372036854775807", SSO_R_ID_TYPE},
    {"exp", "9223372036854775808", SSO_R_JSON_SYNTAX},
    {"exp", "1", SSO_R_ID_EXPIRED},
    {"exp", "1795445700", SSO_R_ID_EXPIRED}, /* 300 s ago: just past the skew */
    {"nbf", "1795446301", SSO_R_ID_NBF},     /* in 301 s */
    {"nbf", "1795449600", SSO_R_ID_NBF},     /* as exp */
    {"nbf", "1795449601", SSO_R_ID_NBF},     /* after exp */
    {"nbf", "\"1\"", SSO_R_ID_TYPE},
    {"nbf", "1.5", SSO_R_ID_TYPE},
    {"nbf", "9223372036854775807", SSO_R_ID_TYPE},
    {"iat", NULL, SSO_R_ID_IAT_MISSING},
    {"iat", "1795446301", SSO_R_ID_IAT_FUTURE},
    {"iat", "253402300799", SSO_R_ID_IAT_FUTURE},
    {"iat", "\"1795446000\"", SSO_R_ID_TYPE},
    {"iat", "9223372036854775807", SSO_R_ID_TYPE},
    {"nonce", NULL, SSO_R_ID_NONCE_MISSING},
    {"nonce", Q(""), SSO_R_ID_NONCE_MISSING},
    {"nonce", Q("another"), SSO_R_ID_NONCE},
    {"nonce", Q(FIXTURE_NONCE "x"), SSO_R_ID_NONCE},
    {"nonce", "7", SSO_R_ID_TYPE},
    {"auth_time", "\"1\"", SSO_R_ID_TYPE},
    {"auth_time", "-5", SSO_R_ID_TYPE},
    {"sid", "7", SSO_R_ID_TYPE},
    {"login_hint", "[]", SSO_R_ID_TYPE},
    /* And what is accepted at the very border. */
    {"aud", "[\"" FIXTURE_CLIENT "\"]", SSO_OK},
    {"azp", Q(FIXTURE_CLIENT), SSO_OK},
    {"exp", "1795445701", SSO_OK},
    {"exp", "253402300799", SSO_OK},
    {"nbf", "1795446300", SSO_OK},
    {"iat", "1795446300", SSO_OK},
    {"iat", "1", SSO_OK},
};

static void test_idtoken_each_bad_claim_is_refused_with_its_reason(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        /* exp only makes sense with an nbf before it. */
        bool exp = strcmp(refusals[i].name, "exp") == 0;
        const fixture_claim_t changes[] = {{refusals[i].name, refusals[i].value}, {exp ? "nbf" : NULL, NULL}, {NULL}};
        sso_idtoken_t token;
        sso_rc rc = check_claims(FIXTURE_ISSUER, &with, changes, &token);
        if (rc != refusals[i].rc || unit_ctx.fault.rc != rc) {
            unit_fail("%s %s: %s, expected %s", refusals[i].name, refusals[i].value ? refusals[i].value : "(absent)",
                      sso_reason(rc)->name, sso_reason(refusals[i].rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_idtoken_result_is_untouched_by_refusal(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    const fixture_claim_t changes[] = {{"nonce", Q("another")}, {NULL}};
    sso_idtoken_t token = {.iss = "before"};
    assert_rc(SSO_R_ID_NONCE, check_claims(FIXTURE_ISSUER, &with, changes, &token));
    assert_string_equal(token.iss, "before");
    assert_null(token.oid);
}

static void test_idtoken_refreshed_needs_no_nonce(void **state)
{
    (void)state;
    sso_idtoken_rules_t with = rules();
    const fixture_claim_t changes[] = {{"nonce", NULL}, {NULL}};
    sso_idtoken_t token;
    with.nonce = NULL;
    assert_rc(SSO_OK, check_claims(FIXTURE_ISSUER, &with, changes, &token));
}

static const apr_array_header_t *tenants(const char *first, const char *second)
{
    apr_array_header_t *list = apr_array_make(unit_pool, 2, sizeof(const char *));
    if (first != NULL) {
        APR_ARRAY_PUSH(list, const char *) = first;
    }
    if (second != NULL) {
        APR_ARRAY_PUSH(list, const char *) = second;
    }
    return list;
}

static void test_idtoken_tenant_must_be_allowed(void **state)
{
    (void)state;
    const apr_array_header_t *none = NULL;
    const struct {
        const char *issuer;
        const apr_array_header_t *allowed;
        bool any;
        sso_rc rc;
    } rows[] = {
        {FIXTURE_ISSUER, none, false, SSO_OK},
        {FIXTURE_ISSUER, tenants(FIXTURE_TENANT, NULL), false, SSO_OK},
        {FIXTURE_ISSUER, tenants(FIXTURE_OTHER_TENANT, NULL), false, SSO_R_ID_TENANT},
        {FIXTURE_ISSUER, tenants(NULL, NULL), false, SSO_R_ID_TENANT},
        {SEVERAL_ISSUER, tenants(FIXTURE_TENANT, NULL), false, SSO_OK},
        {SEVERAL_ISSUER, tenants(FIXTURE_OTHER_TENANT, FIXTURE_TENANT), false, SSO_OK},
        {SEVERAL_ISSUER, tenants("7F3A1C52-9D0E-4B6A-8C41-2E5D90B7A613", NULL), false, SSO_OK},
        {SEVERAL_ISSUER, tenants(FIXTURE_OTHER_TENANT, NULL), false, SSO_R_ID_TENANT},
        {SEVERAL_ISSUER, tenants(NULL, NULL), false, SSO_R_ID_TENANT},
        {SEVERAL_ISSUER, none, false, SSO_R_ID_TENANT},
        {SEVERAL_ISSUER, none, true, SSO_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_idtoken_rules_t with = rules();
        sso_idtoken_t token;
        with.allowed_tenants = rows[i].allowed;
        with.any_tenant = rows[i].any;
        sso_rc rc = check_claims(rows[i].issuer, &with, NULL, &token);
        if (rc != rows[i].rc) {
            unit_fail("row %zu: %s, expected %s", i, sso_reason(rc)->name, sso_reason(rows[i].rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* Personal accounts behind common are a tenant like every other. */
static void test_idtoken_of_personal_account_needs_its_tenant_in_the_list(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"iss", Q(CONSUMERS_ISSUER)}, {"tid", Q(SSO_CONSUMERS_TENANT)}, {NULL}};
    sso_idtoken_rules_t with = rules();
    sso_idtoken_t token;
    with.allowed_tenants = tenants(FIXTURE_TENANT, NULL);
    assert_rc(SSO_R_ID_TENANT, check_claims(SEVERAL_ISSUER, &with, changes, &token));
    with.allowed_tenants = tenants(FIXTURE_TENANT, SSO_CONSUMERS_TENANT);
    assert_rc(SSO_OK, check_claims(SEVERAL_ISSUER, &with, changes, &token));
}

/* A tid of one tenant with the iss of another, whichever way round. */
static void test_idtoken_of_several_tenants_ties_iss_to_tid(void **state)
{
    (void)state;
    sso_idtoken_rules_t with = rules();
    sso_idtoken_t token;
    with.any_tenant = true;
    const fixture_claim_t iss[] = {{"iss", Q(OTHER_ISSUER)}, {NULL}};
    const fixture_claim_t tid[] = {{"tid", Q(FIXTURE_OTHER_TENANT)}, {NULL}};
    const fixture_claim_t template[] = {{"iss", Q(SEVERAL_ISSUER)}, {NULL}};
    assert_rc(SSO_R_ID_ISS, check_claims(SEVERAL_ISSUER, &with, iss, &token));
    assert_rc(SSO_R_ID_ISS, check_claims(SEVERAL_ISSUER, &with, tid, &token));
    assert_rc(SSO_R_ID_ISS, check_claims(SEVERAL_ISSUER, &with, template, &token));
}

static void test_idtoken_without_skew_is_judged_to_the_second(void **state)
{
    (void)state;
    sso_idtoken_rules_t with = rules();
    sso_idtoken_t token;
    with.skew = 0;
    const fixture_claim_t now[] = {{"exp", FIXTURE_SECONDS(0)}, {NULL}};
    const fixture_claim_t next[] = {{"exp", FIXTURE_SECONDS(1)}, {NULL}};
    const fixture_claim_t nbf[] = {{"nbf", FIXTURE_SECONDS(1)}, {NULL}};
    assert_rc(SSO_R_ID_EXPIRED, check_claims(FIXTURE_ISSUER, &with, now, &token));
    assert_rc(SSO_OK, check_claims(FIXTURE_ISSUER, &with, next, &token));
    assert_rc(SSO_R_ID_NBF, check_claims(FIXTURE_ISSUER, &with, nbf, &token));
}

/* ---- from text to claims ---- */

static const sso_http_policy_t policy = {.connect_timeout = 1000, .total_timeout = 1000};

/* An authority whose key set is that. */
static sso_authority_t *authority_of(const char *tenant, const char *place, const char *jwks)
{
    sso_authority_config_t *config = apr_pcalloc(unit_pool, sizeof(*config));
    config->login_url = FIXTURE_LOGIN;
    config->tenant = tenant;
    config->policy = &policy;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "openid-configuration", 200, fixture_discovery(unit_pool, tenant, place));
    fake_http_always(fake, "/discovery/v2.0/keys", 200, jwks);
    return sso_authority_make(unit_pool, config, apr_pcalloc(unit_pool, sso_authority_shared_size()), &fake->face);
}

static const char *token_of(int role, const char *kid, const fixture_claim_t *changes)
{
    return fixture_token(unit_pool, role, fixture_header(unit_pool, kid), fixture_claims(unit_pool, changes));
}

static sso_authority_t *single_tenant(void)
{
    return authority_of(FIXTURE_TENANT, FIXTURE_TENANT,
                        fixture_jwks(unit_pool, fixture_entra_jwk(unit_pool, FIXTURE_KEY_A, "kid-A", FIXTURE_ISSUER),
                                     fixture_entra_jwk(unit_pool, FIXTURE_KEY_B, "kid-B", CONSUMERS_ISSUER)));
}

static void test_idtoken_open_gives_checked_claims(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    sso_idtoken_t token;
    assert_rc(SSO_OK,
              sso_idtoken_open(&unit_ctx, single_tenant(), &with, token_of(FIXTURE_KEY_A, "kid-A", NULL), &token));
    assert_string_equal(token.oid, FIXTURE_OID);
}

static void test_idtoken_open_refuses_with_the_reason_of_each_step(void **state)
{
    (void)state;
    const sso_idtoken_rules_t with = rules();
    const fixture_claim_t expired[] = {{"exp", "1"}, {"nbf", NULL}, {NULL}};
    sso_idtoken_t token;
    sso_authority_t *authority = single_tenant();
    assert_rc(SSO_R_JWT_SHAPE, sso_idtoken_open(&unit_ctx, authority, &with, "a.b", &token));
    assert_rc(SSO_R_JWT_KEY_UNKNOWN,
              sso_idtoken_open(&unit_ctx, authority, &with, token_of(FIXTURE_KEY_A, "kid-C", NULL), &token));
    assert_rc(SSO_R_JWT_SIGNATURE,
              sso_idtoken_open(&unit_ctx, authority, &with, token_of(FIXTURE_KEY_ATTACKER, "kid-A", NULL), &token));
    assert_rc(SSO_R_ID_EXPIRED,
              sso_idtoken_open(&unit_ctx, authority, &with, token_of(FIXTURE_KEY_A, "kid-A", expired), &token));
    /* The key of personal accounts signs for a work tenant. */
    assert_rc(SSO_R_JWT_KEY_ISSUER,
              sso_idtoken_open(&unit_ctx, authority, &with, token_of(FIXTURE_KEY_B, "kid-B", NULL), &token));
}

static void test_idtoken_open_with_several_tenants_wants_an_issuer_of_the_key(void **state)
{
    (void)state;
    sso_idtoken_rules_t with = rules();
    sso_idtoken_t token;
    with.any_tenant = true;
    const char *bare = fixture_jwk(unit_pool, FIXTURE_KEY_A, "kid-A", ",\"use\":\"sig\"");
    const char *text = token_of(FIXTURE_KEY_A, "kid-A", NULL);
    assert_rc(SSO_R_JWT_KEY_ISSUER_MISSING,
              sso_idtoken_open(&unit_ctx,
                               authority_of("organizations", "{tenantid}", fixture_jwks(unit_pool, bare, NULL)), &with,
                               text, &token));
    const char *templated = fixture_entra_jwk(unit_pool, FIXTURE_KEY_A, "kid-A", SEVERAL_ISSUER);
    sso_authority_t *common = authority_of("common", "{tenantid}", fixture_jwks(unit_pool, templated, NULL));
    assert_rc(SSO_OK, sso_idtoken_open(&unit_ctx, common, &with, text, &token));
    /* For one tenant the issuer of the key is not demanded. */
    assert_rc(SSO_OK, sso_idtoken_open(
                          &unit_ctx, authority_of(FIXTURE_TENANT, FIXTURE_TENANT, fixture_jwks(unit_pool, bare, NULL)),
                          &with, text, &token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_idtoken_good_claims_are_given),
        unit_test(test_idtoken_optional_claims_may_be_absent),
        unit_test(test_idtoken_guids_are_given_in_lower_case),
        unit_test(test_idtoken_each_bad_claim_is_refused_with_its_reason),
        unit_test(test_idtoken_result_is_untouched_by_refusal),
        unit_test(test_idtoken_refreshed_needs_no_nonce),
        unit_test(test_idtoken_tenant_must_be_allowed),
        unit_test(test_idtoken_of_personal_account_needs_its_tenant_in_the_list),
        unit_test(test_idtoken_of_several_tenants_ties_iss_to_tid),
        unit_test(test_idtoken_without_skew_is_judged_to_the_second),
        unit_test(test_idtoken_open_gives_checked_claims),
        unit_test(test_idtoken_open_refuses_with_the_reason_of_each_step),
        unit_test(test_idtoken_open_with_several_tenants_wants_an_issuer_of_the_key),
    };
    return fixture_run(tests);
}
