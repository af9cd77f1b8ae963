/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: what is kept, what is left out, what is no key set, and whose a key is. */
#include "entra/keys.h"

#include "unit.h"

#include "base/limits.h"
#include "fixture.h"

#define TEMPLATE_ISSUER FIXTURE_LOGIN "/{tenantid}/v2.0"

static sso_rc parse(const char *text, const sso_keyset_t **ret_keys)
{
    return sso_keys_parse(&unit_ctx, unit_pool, text, strlen(text), ret_keys);
}

static const char *entra_jwk(int role, const char *kid)
{
    return fixture_entra_jwk(unit_pool, role, kid, FIXTURE_ISSUER);
}

static void test_keys_of_entra_are_parsed(void **state)
{
    (void)state;
    const sso_keyset_t *keys;
    const char *text = fixture_jwks(unit_pool, entra_jwk(FIXTURE_KEY_A, "kid-A"),
                                    fixture_entra_jwk(unit_pool, FIXTURE_KEY_B, "kid-B", TEMPLATE_ISSUER));
    assert_rc(SSO_OK, parse(text, &keys));
    assert_int_equal(keys->count, 2);
    assert_string_equal(sso_keys_find(keys, "kid-A")->issuer, FIXTURE_ISSUER);
    assert_string_equal(sso_keys_find(keys, "kid-B")->issuer, TEMPLATE_ISSUER);
    assert_non_null(sso_keys_find(keys, "kid-B")->jwk);
}

static void test_keys_find_is_exact(void **state)
{
    (void)state;
    const sso_keyset_t *keys;
    assert_rc(SSO_OK, parse(fixture_jwks(unit_pool, entra_jwk(FIXTURE_KEY_A, "kid-A"), NULL), &keys));
    assert_non_null(sso_keys_find(keys, "kid-A"));
    assert_null(sso_keys_find(keys, "kid-a"));
    assert_null(sso_keys_find(keys, "kid-"));
    assert_null(sso_keys_find(keys, "kid-AA"));
    assert_null(sso_keys_find(keys, ""));
}

/* Beside a good key, each of these is left out, and the good one stays. */
static void test_keys_unfit_entry_is_left_out(void **state)
{
    (void)state;
    const char *rows[] = {
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "b", ",\"use\":\"enc\""),
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "b", ",\"use\":null"),
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "b", ",\"use\":\"sig\",\"alg\":\"PS256\""),
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "b", ",\"use\":\"sig\",\"alg\":\"none\""),
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "b", ",\"use\":\"sig\",\"issuer\":7"),
        fixture_jwk(unit_pool, FIXTURE_KEY_B, "", ",\"use\":\"sig\""),
        fixture_jwk(unit_pool, FIXTURE_KEY_WEAK, "b", ",\"use\":\"sig\""),
        "{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"b\"}",
        "{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"b\",\"n\":7,\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"b\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"use\":\"sig\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"use\":\"sig\",\"kid\":\"b\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"oct\",\"use\":\"sig\",\"kid\":\"b\",\"k\":\"c2VjcmV0\"}",
        "{\"use\":\"sig\",\"kid\":\"b\"}",
        "{\"kty\":\"RSA\",\"kid\":null}",
        "{}",
        "[]",
        "null",
        "\"text\"",
        "7",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_keyset_t *keys = NULL;
        assert_rc(SSO_OK, parse(fixture_jwks(unit_pool, rows[i], entra_jwk(FIXTURE_KEY_A, "kid-A")), &keys));
        if (keys->count != 1 || sso_keys_find(keys, "kid-A") == NULL) {
            unit_fail("%s: %d keys", rows[i], keys->count);
        }
        assert_rc(SSO_R_KEYS_NONE, parse(fixture_jwks(unit_pool, rows[i], NULL), &keys));
    }
}

static void test_keys_kid_that_stands_twice_is_left_out(void **state)
{
    (void)state;
    const sso_keyset_t *keys;
    const char *twice =
        apr_pstrcat(unit_pool, entra_jwk(FIXTURE_KEY_A, "same"), ",", entra_jwk(FIXTURE_KEY_ATTACKER, "same"), NULL);
    assert_rc(SSO_OK, parse(fixture_jwks(unit_pool, twice, entra_jwk(FIXTURE_KEY_B, "kid-B")), &keys));
    assert_int_equal(keys->count, 1);
    assert_null(sso_keys_find(keys, "same"));
    assert_rc(SSO_R_KEYS_NONE, parse(fixture_jwks(unit_pool, twice, NULL), &keys));
    /* Also when the other one is of no use by itself. */
    const char *mixed =
        apr_pstrcat(unit_pool, entra_jwk(FIXTURE_KEY_A, "same"), ",{\"kty\":\"EC\",\"kid\":\"same\"}", NULL);
    assert_rc(SSO_R_KEYS_NONE, parse(fixture_jwks(unit_pool, mixed, NULL), &keys));
}

static void test_keys_document_of_another_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        sso_rc rc;
    } rows[] = {
        {"", SSO_R_KEYS_FORMAT},
        {"null", SSO_R_KEYS_FORMAT},
        {"[]", SSO_R_KEYS_FORMAT},
        {"7", SSO_R_KEYS_FORMAT},
        {"{}", SSO_R_KEYS_FORMAT},
        {"{\"keys\":null}", SSO_R_KEYS_FORMAT},
        {"{\"keys\":{}}", SSO_R_KEYS_FORMAT},
        {"{\"keys\":\"x\"}", SSO_R_KEYS_FORMAT},
        {"{\"keys\":[]", SSO_R_KEYS_FORMAT},
        {"{\"keys\":[],\"keys\":[]}", SSO_R_KEYS_FORMAT},
        {"{\"keys\":[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]}", SSO_R_KEYS_FORMAT},
        {"<html>", SSO_R_KEYS_FORMAT},
        {"{\"keys\":[]}", SSO_R_KEYS_NONE},
        {"{\"keys\":[null,[],{}]}", SSO_R_KEYS_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_keyset_t *keys;
        sso_rc rc = parse(rows[i].text, &keys);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].text, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* count keys, all of key A, each of its own name. */
static const char *many_keys(int count)
{
    const char *text = "";
    for (int i = 0; i < count; i++) {
        text = apr_pstrcat(unit_pool, text, i == 0 ? "" : ",",
                           entra_jwk(FIXTURE_KEY_A, apr_psprintf(unit_pool, "k%d", i)), NULL);
    }
    return fixture_jwks(unit_pool, text, NULL);
}

static void test_keys_past_the_bounds_are_refused(void **state)
{
    (void)state;
    const sso_keyset_t *keys;
    assert_rc(SSO_OK, parse(many_keys(SSO_MAX_KEYS), &keys));
    assert_int_equal(keys->count, SSO_MAX_KEYS);
    assert_rc(SSO_R_KEYS_FORMAT, parse(many_keys(SSO_MAX_KEYS + 1), &keys));
    char *large = apr_palloc(unit_pool, SSO_MAX_JWKS + 2);
    memset(large, ' ', SSO_MAX_JWKS + 1);
    large[SSO_MAX_JWKS + 1] = '\0';
    assert_rc(SSO_R_KEYS_FORMAT, parse(large, &keys));
}

static void test_keys_every_truncation_is_refused(void **state)
{
    (void)state;
    const char *text = fixture_jwks(unit_pool, entra_jwk(FIXTURE_KEY_A, "kid-A"), NULL);
    for (size_t len = 0; len < strlen(text); len++) {
        const sso_keyset_t *keys;
        if (sso_keys_parse(&unit_ctx, unit_pool, text, len, &keys) == SSO_OK) {
            unit_fail("the first %zu bytes are accepted", len);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_keys_issuer_must_fit_the_token(void **state)
{
    (void)state;
    static const struct {
        const char *issuer;
        bool required;
        sso_rc rc;
    } rows[] = {
        {FIXTURE_ISSUER, false, SSO_OK},
        {FIXTURE_ISSUER, true, SSO_OK},
        {TEMPLATE_ISSUER, true, SSO_OK},
        {NULL, false, SSO_OK},
        {NULL, true, SSO_R_JWT_KEY_ISSUER_MISSING},
        {FIXTURE_LOGIN "/" FIXTURE_OTHER_TENANT "/v2.0", false, SSO_R_JWT_KEY_ISSUER},
        {FIXTURE_LOGIN "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", true, SSO_R_JWT_KEY_ISSUER},
        {"", false, SSO_R_JWT_KEY_ISSUER},
        {"https://evil.test/{tenantid}/v2.0", false, SSO_R_JWT_KEY_ISSUER},
        {FIXTURE_ISSUER "/", false, SSO_R_JWT_KEY_ISSUER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_key_t key = {.kid = "k", .issuer = rows[i].issuer};
        assert_rc(rows[i].rc, sso_key_issuer_check(&unit_ctx, &key, FIXTURE_ISSUER, FIXTURE_TENANT, rows[i].required));
    }
}

static void test_keys_issuer_template_is_expanded(void **state)
{
    (void)state;
    assert_string_equal(sso_issuer_expand(unit_pool, "a/{tenantid}/b", "T"), "a/T/b");
    assert_string_equal(sso_issuer_expand(unit_pool, "{tenantid}{tenantid}", "T"), "TT");
    assert_string_equal(sso_issuer_expand(unit_pool, "a/{TenantId}/b", "T"), "a/{TenantId}/b");
    assert_string_equal(sso_issuer_expand(unit_pool, "", "T"), "");
    assert_string_equal(sso_issuer_expand(unit_pool, "{tenantid", "T"), "{tenantid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_keys_of_entra_are_parsed),
        unit_test(test_keys_find_is_exact),
        unit_test(test_keys_unfit_entry_is_left_out),
        unit_test(test_keys_kid_that_stands_twice_is_left_out),
        unit_test(test_keys_document_of_another_form_is_refused),
        unit_test(test_keys_past_the_bounds_are_refused),
        unit_test(test_keys_every_truncation_is_refused),
        unit_test(test_keys_issuer_must_fit_the_token),
        unit_test(test_keys_issuer_template_is_expanded),
    };
    return fixture_run(tests);
}
