/* SPDX-License-Identifier: Apache-2.0 */
/* The access token: every refusal with its own reason, in tables for both versions; what keeps ID tokens and tokens of
 * other APIs out; and the whole way from text to claims. */
#include "entra/accesstoken.h"

#include "unit.h"

#include "base/limits.h"
#include "fake_http.h"
#include "fixture.h"

#define Q(text) FIXTURE_QUOTED(text)
#define SEVERAL_ISSUER FIXTURE_LOGIN "/{tenantid}/v2.0"
#define OTHER_ISSUER FIXTURE_LOGIN "/" FIXTURE_OTHER_TENANT "/v2.0"
#define V1_ISSUER "https://sts.windows.net/" FIXTURE_TENANT "/"
#define V1_OTHER_ISSUER "https://sts.windows.net/" FIXTURE_OTHER_TENANT "/"
#define API "4f5a6b7c-1d2e-4f3a-8b9c-0d1e2f3a4b5c"
#define API_URI "api://orders"
#define CALLER "0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a"

static sso_accesstoken_rules_t rules(void)
{
    apr_array_header_t *audiences = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(audiences, const char *) = API;
    APR_ARRAY_PUSH(audiences, const char *) = API_URI;
    sso_accesstoken_rules_t made = {
        .audiences = audiences,
        .v1_issuer = "https://sts.windows.net/{tenantid}/",
        .skew = apr_time_from_sec(300),
    };
    return made;
}

/* A user's token of version 2.0, or of 1.0, with changes. */
static const char *claims_of(bool first, const fixture_claim_t *changes)
{
    fixture_claim_t all[24] = {
        {"aud", first ? Q(API_URI) : Q(API)},   {"iss", first ? Q(V1_ISSUER) : Q(FIXTURE_ISSUER)},
        {"ver", first ? Q("1.0") : Q("2.0")},   {first ? "appid" : "azp", Q(CALLER)},
        {"scp", Q("Orders.Read Orders.Write")}, {"nonce", NULL},
    };
    size_t count = 6;
    for (; changes != NULL && changes->name != NULL; changes++) {
        assert_true(count < 23);
        all[count++] = *changes;
    }
    return fixture_claims(unit_pool, all);
}

static sso_rc check(bool first, const char *issuer, const sso_accesstoken_rules_t *with, const fixture_claim_t *changes,
                    sso_accesstoken_t *ret_token)
{
    const sso_json_t *claims;
    const char *text = claims_of(first, changes);
    sso_rc rc = sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), SSO_MAX_JWT, &claims);
    return rc != SSO_OK ? rc : sso_accesstoken_check(&unit_ctx, issuer, with, claims, ret_token);
}

static void test_accesstoken_of_a_user_is_given_in_both_versions(void **state)
{
    (void)state;
    const sso_accesstoken_rules_t with = rules();
    for (int first = 0; first <= 1; first++) {
        sso_accesstoken_t token = {{NULL}};
        assert_rc(SSO_OK, check(first == 1, FIXTURE_ISSUER, &with, NULL, &token));
        assert_string_equal(token.identity.iss, first == 1 ? V1_ISSUER : FIXTURE_ISSUER);
        assert_string_equal(token.identity.tid, FIXTURE_TENANT);
        assert_string_equal(token.identity.oid, FIXTURE_OID);
        assert_string_equal(token.client, CALLER);
        assert_false(token.app_only);
        assert_int_equal(token.expires, SSO_TEST_NOW + apr_time_from_sec(3600));
        assert_int_equal(token.identity.issued, SSO_TEST_NOW - apr_time_from_sec(300));
        assert_string_equal(sso_json_get_text(token.identity.claims, "scp"), "Orders.Read Orders.Write");
    }
}

/* One change of one good token of version 2.0 each, and the reason it must give. */
typedef struct {
    const char *name, *value;
    sso_rc rc;
} refusal_t;

static const refusal_t refusals[] = {
    {"ver", NULL, SSO_R_ACCESS_VER},
    {"ver", Q("3.0"), SSO_R_ACCESS_VER},
    {"ver", Q(""), SSO_R_ACCESS_VER},
    {"ver", "2.0", SSO_R_ACCESS_TYPE},
    {"ver", Q("1.0"), SSO_R_ACCESS_ISS},
    {"iss", NULL, SSO_R_ACCESS_ISS_MISSING},
    {"iss", Q(""), SSO_R_ACCESS_ISS_MISSING},
    {"iss", "[\"" FIXTURE_ISSUER "\"]", SSO_R_ACCESS_TYPE},
    {"iss", Q(OTHER_ISSUER), SSO_R_ACCESS_ISS},
    {"iss", Q(SEVERAL_ISSUER), SSO_R_ACCESS_ISS},
    {"iss", Q(V1_ISSUER), SSO_R_ACCESS_ISS},
    {"iss", Q(FIXTURE_ISSUER "/"), SSO_R_ACCESS_ISS},
    {"tid", NULL, SSO_R_ACCESS_TID_MISSING},
    {"tid", Q(""), SSO_R_ACCESS_TID_MISSING},
    {"tid", "7", SSO_R_ACCESS_TYPE},
    {"tid", Q("{tenantid}"), SSO_R_ACCESS_TID_FORMAT},
    {"tid", Q(FIXTURE_OTHER_TENANT), SSO_R_ACCESS_ISS},
    {"aud", NULL, SSO_R_ACCESS_AUD_MISSING},
    {"aud", Q(""), SSO_R_ACCESS_AUD_MISSING},
    {"aud", "[]", SSO_R_ACCESS_AUD_MISSING},
    {"aud", "7", SSO_R_ACCESS_TYPE},
    {"aud", "[7]", SSO_R_ACCESS_TYPE},
    {"aud", Q(FIXTURE_CLIENT), SSO_R_ACCESS_AUD},
    {"aud", Q("00000003-0000-0000-c000-000000000000"), SSO_R_ACCESS_AUD},
    {"aud", Q("https://graph.microsoft.com"), SSO_R_ACCESS_AUD},
    {"aud", Q("api://orders/"), SSO_R_ACCESS_AUD},
    {"aud", Q("API://orders"), SSO_R_ACCESS_AUD},
    {"aud", "[\"" API "\",\"" API_URI "\"]", SSO_R_ACCESS_AUD},
    {"sub", NULL, SSO_R_ACCESS_SUB_MISSING},
    {"sub", Q(""), SSO_R_ACCESS_SUB_MISSING},
    {"sub", "7", SSO_R_ACCESS_TYPE},
    {"oid", NULL, SSO_R_ACCESS_OID_MISSING},
    {"oid", "7", SSO_R_ACCESS_TYPE},
    {"oid", Q("ada"), SSO_R_ACCESS_OID_FORMAT},
    {"exp", NULL, SSO_R_ACCESS_EXP_MISSING},
    {"exp", "\"1795449600\"", SSO_R_ACCESS_TYPE},
    {"exp", "1795449600.5", SSO_R_ACCESS_TYPE},
    {"exp", "9223372036854775807", SSO_R_ACCESS_TYPE},
    {"exp", "1795445700", SSO_R_ACCESS_EXPIRED}, /* 300 s ago: just past the skew */
    {"nbf", "1795446301", SSO_R_ACCESS_NBF},
    {"nbf", "1795449600", SSO_R_ACCESS_NBF}, /* as exp */
    {"nbf", "\"1\"", SSO_R_ACCESS_TYPE},
    {"iat", NULL, SSO_R_ACCESS_IAT_MISSING},
    {"iat", "1795446301", SSO_R_ACCESS_IAT_FUTURE},
    {"iat", "\"1795446000\"", SSO_R_ACCESS_TYPE},
    {"azp", NULL, SSO_R_ACCESS_CLIENT},
    {"azp", Q(""), SSO_R_ACCESS_CLIENT},
    {"azp", Q("everyone"), SSO_R_ACCESS_CLIENT},
    {"azp", "7", SSO_R_ACCESS_TYPE},
    {"nonce", Q(FIXTURE_NONCE), SSO_R_ACCESS_KIND},
    {"at_hash", Q("x"), SSO_R_ACCESS_KIND},
    {"c_hash", Q("x"), SSO_R_ACCESS_KIND},
    {"scp", NULL, SSO_R_ACCESS_GRANT},
    {"scp", Q(""), SSO_R_ACCESS_GRANT},
    {"scp", Q("   "), SSO_R_ACCESS_GRANT},
    {"scp", "[\"Orders.Read\"]", SSO_R_ACCESS_TYPE},
    {"idtyp", "7", SSO_R_ACCESS_TYPE},
    /* Of the application itself it has to have roles, whatever scopes it has. */
    {"idtyp", Q("app"), SSO_R_ACCESS_GRANT},
    {"sub", Q(FIXTURE_OID), SSO_R_ACCESS_GRANT},
    /* And what is accepted. */
    {"aud", Q(API_URI), SSO_OK},
    {"aud", "[\"" API "\"]", SSO_OK},
    {"exp", "1795445701", SSO_OK},
    {"nbf", "1795446300", SSO_OK},
    {"nbf", NULL, SSO_OK},
    {"iat", "1795446300", SSO_OK},
    {"idtyp", Q("user"), SSO_OK},
    {"roles", "[\"a\"]", SSO_OK},
};

static const refusal_t first_refusals[] = {
    {"ver", Q("2.0"), SSO_R_ACCESS_ISS},
    {"iss", Q(FIXTURE_ISSUER), SSO_R_ACCESS_ISS},
    {"iss", Q("https://sts.windows.net/" FIXTURE_TENANT), SSO_R_ACCESS_ISS},
    {"iss", Q("https://sts.windows.net/{tenantid}/"), SSO_R_ACCESS_ISS},
    {"iss", Q("http://sts.windows.net/" FIXTURE_TENANT "/"), SSO_R_ACCESS_ISS},
    {"iss", Q("https://sts.chinacloudapi.cn/" FIXTURE_TENANT "/"), SSO_R_ACCESS_ISS},
    {"iss", Q(V1_OTHER_ISSUER), SSO_R_ACCESS_ISS},
    {"tid", Q(FIXTURE_OTHER_TENANT), SSO_R_ACCESS_ISS},
    {"appid", NULL, SSO_R_ACCESS_CLIENT},
    {"azp", Q(CALLER), SSO_OK},
    {"aud", Q(API), SSO_OK},
};

static void check_row(bool first, const refusal_t *row)
{
    const sso_accesstoken_rules_t with = rules();
    bool exp = strcmp(row->name, "exp") == 0;
    const fixture_claim_t changes[] = {{row->name, row->value}, {exp ? "nbf" : NULL, NULL}, {NULL}};
    sso_accesstoken_t token = {{NULL}};
    sso_rc rc = check(first, FIXTURE_ISSUER, &with, changes, &token);
    if (rc != row->rc || unit_ctx.fault.rc != rc || (rc != SSO_OK && token.client != NULL)) {
        unit_fail("%s %s: %s, expected %s", row->name, row->value ? row->value : "(absent)", sso_reason(rc)->name,
                  sso_reason(row->rc)->name);
    }
    sso_fault_clear(&unit_ctx);
}

static void test_accesstoken_each_bad_claim_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        check_row(false, &refusals[i]);
    }
    for (size_t i = 0; i < sizeof(first_refusals) / sizeof(first_refusals[0]); i++) {
        check_row(true, &first_refusals[i]);
    }
}

/* The one of this tenant is not enough: the issuer of version 1.0 fits every tenant's token. */
static void test_accesstoken_of_version_1_is_of_the_configured_tenant(void **state)
{
    (void)state;
    const fixture_claim_t other[] = {{"iss", Q(V1_OTHER_ISSUER)}, {"tid", Q(FIXTURE_OTHER_TENANT)}, {NULL}};
    sso_accesstoken_rules_t with = rules();
    sso_accesstoken_t token;
    assert_rc(SSO_R_ACCESS_ISS, check(true, FIXTURE_ISSUER, &with, other, &token));
    assert_rc(SSO_R_ACCESS_TENANT, check(true, SEVERAL_ISSUER, &with, other, &token));
    with.any_tenant = true;
    assert_rc(SSO_OK, check(true, SEVERAL_ISSUER, &with, other, &token));
    assert_rc(SSO_R_ACCESS_ISS, check(true, FIXTURE_ISSUER, &with, other, &token));
}

static void test_accesstoken_tenant_must_be_allowed(void **state)
{
    (void)state;
    const fixture_claim_t other[] = {{"iss", Q(OTHER_ISSUER)}, {"tid", Q(FIXTURE_OTHER_TENANT)}, {NULL}};
    sso_accesstoken_rules_t with = rules();
    sso_accesstoken_t token;
    apr_array_header_t *allowed = apr_array_make(unit_pool, 1, sizeof(const char *));
    assert_rc(SSO_R_ACCESS_TENANT, check(false, SEVERAL_ISSUER, &with, NULL, &token));
    with.allowed_tenants = allowed;
    assert_rc(SSO_R_ACCESS_TENANT, check(false, FIXTURE_ISSUER, &with, NULL, &token));
    APR_ARRAY_PUSH(allowed, const char *) = FIXTURE_TENANT;
    assert_rc(SSO_OK, check(false, SEVERAL_ISSUER, &with, NULL, &token));
    assert_rc(SSO_R_ACCESS_TENANT, check(false, SEVERAL_ISSUER, &with, other, &token));
}

static void test_accesstoken_tells_applications_from_users(void **state)
{
    (void)state;
    const sso_accesstoken_rules_t with = rules();
    const struct {
        fixture_claim_t changes[5];
        sso_rc rc;
        bool app;
    } rows[] = {
        {{{"scp", NULL}, {"idtyp", Q("app")}, {"roles", "[\"a\"]"}}, SSO_OK, true},
        {{{"scp", NULL}, {"sub", Q(FIXTURE_OID)}, {"roles", "[\"a\"]"}}, SSO_OK, true},
        {{{"scp", NULL}, {"sub", Q("5B9E7D10-3C44-4A1F-9F2E-6D8A0C1B2E3F")}, {"roles", "[\"a\"]"}}, SSO_OK, true},
        /* Whatever else it says: what could be an application's is one. */
        {{{"idtyp", Q("app")}, {"roles", "[\"a\"]"}}, SSO_OK, true},
        {{{"sub", Q(FIXTURE_OID)}, {"idtyp", Q("user")}, {"roles", "[\"a\"]"}}, SSO_OK, true},
        {{{"scp", NULL}, {"idtyp", Q("app")}, {"roles", "[]"}}, SSO_R_ACCESS_GRANT, false},
        {{{"scp", NULL}, {"idtyp", Q("app")}}, SSO_R_ACCESS_GRANT, false},
        /* Roles without scopes are what an ID token has. */
        {{{"scp", NULL}, {"roles", "[\"a\"]"}}, SSO_R_ACCESS_KIND, false},
        {{{"scp", NULL}, {"idtyp", Q("user")}, {"roles", "[\"a\"]"}}, SSO_R_ACCESS_KIND, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_accesstoken_t token = {{NULL}};
        sso_rc rc = check(false, FIXTURE_ISSUER, &with, rows[i].changes, &token);
        if (rc != rows[i].rc || token.app_only != rows[i].app) {
            unit_fail("row %zu: %s, app %d", i, sso_reason(rc)->name, token.app_only);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* A sign-in's own token, for the API that shares the registration, after a refresh and so without a nonce. */
static void test_accesstoken_is_no_id_token(void **state)
{
    (void)state;
    const sso_accesstoken_rules_t with = rules();
    const fixture_claim_t changes[] = {{"scp", NULL}, {"azp", NULL}, {"roles", "[\"admin\"]"}, {NULL}};
    sso_accesstoken_t token;
    assert_rc(SSO_R_ACCESS_CLIENT, check(false, FIXTURE_ISSUER, &with, changes, &token));
}

/* ---- from text to claims ---- */

static const sso_http_policy_t policy = {.connect_timeout = 1000, .total_timeout = 1000};

static sso_authority_t *authority_of(const char *tenant, const char *place, const char *key_issuer)
{
    sso_authority_config_t *config = apr_pcalloc(unit_pool, sizeof(*config));
    config->login_url = FIXTURE_LOGIN;
    config->tenant = tenant;
    config->policy = &policy;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "openid-configuration", 200, fixture_discovery(unit_pool, tenant, place));
    fake_http_always(fake, "/discovery/v2.0/keys", 200,
                     fixture_jwks(unit_pool,
                                  key_issuer == NULL ? fixture_jwk(unit_pool, FIXTURE_KEY_A, "kid-A", "")
                                                     : fixture_entra_jwk(unit_pool, FIXTURE_KEY_A, "kid-A", key_issuer),
                                  fixture_entra_jwk(unit_pool, FIXTURE_KEY_B, "kid-B",
                                                    FIXTURE_LOGIN "/" SSO_CONSUMERS_TENANT "/v2.0")));
    return sso_authority_make(unit_pool, config, apr_pcalloc(unit_pool, sso_authority_shared_size()), &fake->face);
}

static sso_rc open_token(sso_authority_t *authority, const sso_accesstoken_rules_t *with, int role, const char *kid,
                         bool first)
{
    sso_accesstoken_t token;
    uint32_t generation = 0;
    const char *text = fixture_token(unit_pool, role, fixture_header(unit_pool, kid), claims_of(first, NULL));
    sso_rc rc = sso_accesstoken_open(&unit_ctx, authority, with, text, &token, &generation);
    assert_true(rc != SSO_OK || (generation != 0 && generation == sso_authority_generation(authority)));
    return rc;
}

static void test_accesstoken_open_takes_both_versions_by_the_same_keys(void **state)
{
    (void)state;
    sso_accesstoken_rules_t with = rules();
    sso_authority_t *single = authority_of(FIXTURE_TENANT, FIXTURE_TENANT, FIXTURE_ISSUER);
    assert_int_equal(sso_authority_generation(single), 0);
    assert_int_equal(sso_authority_generation(NULL), 0);
    assert_rc(SSO_OK, open_token(single, &with, FIXTURE_KEY_A, "kid-A", false));
    assert_rc(SSO_OK, open_token(single, &with, FIXTURE_KEY_A, "kid-A", true));
    sso_authority_t *several = authority_of("organizations", "{tenantid}", SEVERAL_ISSUER);
    with.any_tenant = true;
    assert_rc(SSO_OK, open_token(several, &with, FIXTURE_KEY_A, "kid-A", false));
    assert_rc(SSO_OK, open_token(several, &with, FIXTURE_KEY_A, "kid-A", true));
}

/* A key of personal accounts signs for no tenant, in neither version; nor does a key of nobody for several. */
static void test_accesstoken_open_minds_whose_the_key_is(void **state)
{
    (void)state;
    sso_accesstoken_rules_t with = rules();
    sso_authority_t *single = authority_of(FIXTURE_TENANT, FIXTURE_TENANT, NULL);
    for (int first = 0; first <= 1; first++) {
        assert_rc(SSO_R_JWT_KEY_ISSUER, open_token(single, &with, FIXTURE_KEY_B, "kid-B", first == 1));
        assert_rc(SSO_OK, open_token(single, &with, FIXTURE_KEY_A, "kid-A", first == 1));
    }
    with.any_tenant = true;
    sso_authority_t *several = authority_of("organizations", "{tenantid}", NULL);
    assert_rc(SSO_R_JWT_KEY_ISSUER_MISSING, open_token(several, &with, FIXTURE_KEY_A, "kid-A", true));
}

static void test_accesstoken_open_refuses_other_signatures(void **state)
{
    (void)state;
    const sso_accesstoken_rules_t with = rules();
    sso_authority_t *single = authority_of(FIXTURE_TENANT, FIXTURE_TENANT, FIXTURE_ISSUER);
    sso_accesstoken_t token;
    uint32_t generation;
    const char *const headers[] = {
        "{\"typ\":\"JWT\",\"alg\":\"none\",\"kid\":\"kid-A\"}",
        "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"kid-A\"}",
        "{\"typ\":\"JWT\",\"alg\":\"PS256\",\"kid\":\"kid-A\"}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *text = fixture_token(unit_pool, FIXTURE_KEY_A, headers[i], claims_of(false, NULL));
        assert_rc(SSO_R_JWT_ALG, sso_accesstoken_open(&unit_ctx, single, &with, text, &token, &generation));
    }
    assert_rc(SSO_R_JWT_SIGNATURE, open_token(single, &with, FIXTURE_KEY_ATTACKER, "kid-A", false));
    assert_rc(SSO_R_JWT_KEY_UNKNOWN, open_token(single, &with, FIXTURE_KEY_ATTACKER, "kid-X", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_accesstoken_of_a_user_is_given_in_both_versions),
        unit_test(test_accesstoken_each_bad_claim_is_refused_with_its_reason),
        unit_test(test_accesstoken_of_version_1_is_of_the_configured_tenant),
        unit_test(test_accesstoken_tenant_must_be_allowed),
        unit_test(test_accesstoken_tells_applications_from_users),
        unit_test(test_accesstoken_is_no_id_token),
        unit_test(test_accesstoken_open_takes_both_versions_by_the_same_keys),
        unit_test(test_accesstoken_open_minds_whose_the_key_is),
        unit_test(test_accesstoken_open_refuses_other_signatures),
    };
    return fixture_run(tests);
}
