/* SPDX-License-Identifier: Apache-2.0 */
/* Compact JWS: header rules, signatures, mutations, weak keys, client assertions. */
#include "entra/jwt.h"

#include "unit.h"

#include "base/limits.h"
#include "fixture.h"

#define KID "kid-A"

static const sso_jwk_t *jwk_of(int role)
{
    const sso_jwk_t *jwk = NULL;
    assert_rc(SSO_OK,
              sso_jwk_make(&unit_ctx, unit_pool, fixture_number(unit_pool, fixture_key(role), OSSL_PKEY_PARAM_RSA_N),
                           fixture_number(unit_pool, fixture_key(role), OSSL_PKEY_PARAM_RSA_E), &jwk));
    return jwk;
}

/* Both steps, as sso_idtoken_open makes them. */
static sso_rc open_token(const sso_jwk_t *jwk, const char *token, const sso_json_t **ret_claims)
{
    sso_jwt_t jwt;
    sso_rc rc = sso_jwt_parse(&unit_ctx, token, &jwt);
    return rc != SSO_OK ? rc : sso_jwt_verify(&unit_ctx, &jwt, jwk, ret_claims);
}

static const char *good_token(void)
{
    return fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, KID), "{\"sub\":\"ada\",\"n\":1}");
}

static void test_jwt_good_token_gives_claims(void **state)
{
    (void)state;
    const sso_json_t *claims;
    sso_jwt_t jwt;
    const char *token = good_token();
    assert_rc(SSO_OK, sso_jwt_parse(&unit_ctx, token, &jwt));
    assert_string_equal(jwt.kid, KID);
    assert_rc(SSO_OK, sso_jwt_verify(&unit_ctx, &jwt, jwk_of(FIXTURE_KEY_A), &claims));
    assert_string_equal(sso_json_get_text(claims, "sub"), "ada");
}

static void test_jwt_without_typ_is_refused(void **state)
{
    (void)state;
    sso_jwt_t jwt;
    const char *token = fixture_token(unit_pool, FIXTURE_KEY_A, "{\"alg\":\"RS256\",\"kid\":\"a\"}", "{}");
    assert_rc(SSO_R_JWT_TYP, sso_jwt_parse(&unit_ctx, token, &jwt));
}

static void test_jwt_bad_header_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        sso_rc rc;
    } rows[] = {
        {"{\"alg\":\"none\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"None\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"HS256\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"PS256\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"ES256\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"EdDSA\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"RS512\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"rs256\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"RS256 \",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":\"\",\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"kid\":\"a\"}", SSO_R_JWT_ALG},
        {"{\"alg\":null,\"kid\":\"a\"}", SSO_R_JWT_HEADER},
        {"{\"alg\":[\"RS256\"],\"kid\":\"a\"}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":null}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":7}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":null}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":\"at+jwt\"}", SSO_R_JWT_TYP},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":\"\"}", SSO_R_JWT_TYP},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":\"jwt\"}", SSO_R_JWT_TYP},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":\"application/jwt\"}", SSO_R_JWT_TYP},
        {"{\"alg\":\"RS256\",\"kid\":\"a\"}", SSO_R_JWT_TYP},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\",\"crit\":[\"exp\"]}", SSO_R_JWT_CRIT},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\",\"crit\":[]}", SSO_R_JWT_CRIT},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\",\"crit\":null}", SSO_R_JWT_CRIT},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\",\"b64\":false}", SSO_R_JWT_CRIT},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\",\"b64\":true}", SSO_R_JWT_CRIT},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\"}", SSO_R_JWT_KID},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"\"}", SSO_R_JWT_KID},
        {"{\"alg\":\"RS256\",\"alg\":\"none\",\"kid\":\"a\"}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}", SSO_R_JWT_HEADER},
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\"} ", SSO_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"a\"}{}", SSO_R_JWT_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"a\\u0000b\"}", SSO_R_JWT_HEADER},
        {"[\"RS256\"]", SSO_R_JWT_HEADER},
        {"null", SSO_R_JWT_HEADER},
        {"\"RS256\"", SSO_R_JWT_HEADER},
        {"{", SSO_R_JWT_HEADER},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]", SSO_R_JWT_HEADER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_jwt_t jwt;
        const char *token = fixture_token(unit_pool, FIXTURE_KEY_A, rows[i].header, "{}");
        sso_rc rc = sso_jwt_parse(&unit_ctx, token, &jwt);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s, expected %s", rows[i].header, sso_reason(rc)->name, sso_reason(rows[i].rc)->name);
        }
        if (rc != SSO_OK) {
            assert_int_equal(unit_ctx.fault.rc, rc);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* A key that the header brings along, or points to, is never looked at. */
static void test_jwt_key_in_header_is_ignored(void **state)
{
    (void)state;
    const sso_json_t *claims;
    const char *header =
        apr_pstrcat(unit_pool, "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"" KID "\",\"jwk\":",
                    fixture_jwk(unit_pool, FIXTURE_KEY_ATTACKER, KID, ""),
                    ",\"jku\":\"https://evil.test/keys\",\"x5u\":\"https://evil.test/\",\"x5c\":[\"AA==\"]}", NULL);
    const char *token = fixture_token(unit_pool, FIXTURE_KEY_ATTACKER, header, "{}");
    assert_rc(SSO_R_JWT_SIGNATURE, open_token(jwk_of(FIXTURE_KEY_A), token, &claims));
}

static void test_jwt_wrong_shape_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a..b",
        ".a.b",
        "a.b.",
        "a.b.c.d",
        "a.b.c.",
        "eyJ9.e30",
        "eyJ9.e30.",
        " e30.e30.e30",
        "e30.e30.e30\n",
        "e30.e30.e3=",
        "e30=.e30.e30",
        "e30.e3+.e30",
        "e30.e3/.e30",
        "e30.e30.e",
        "e31.e30.e30",
        "e30.e30.%00",
        "e30.e30.\xc3\xa4",
        "e30.e30.e30.e30.e30",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_jwt_t jwt;
        sso_rc rc = sso_jwt_parse(&unit_ctx, rows[i], &jwt);
        if (rc != SSO_R_JWT_SHAPE) {
            unit_fail("\"%s\": %s", rows[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* a times 'x' */
static char *run_of(apr_size_t count)
{
    char *text = apr_palloc(unit_pool, count + 1);
    memset(text, 'x', count);
    text[count] = '\0';
    return text;
}

static void test_jwt_too_large_is_refused(void **state)
{
    (void)state;
    sso_jwt_t jwt;
    assert_rc(SSO_R_JWT_SIZE, sso_jwt_parse(&unit_ctx, run_of(SSO_MAX_JWT + 1), &jwt));
    assert_rc(SSO_R_JWT_SHAPE, sso_jwt_parse(&unit_ctx, run_of(SSO_MAX_JWT), &jwt));
    assert_rc(SSO_R_JWT_SIZE, sso_jwt_parse(&unit_ctx, run_of(1000 * 1000), &jwt));
    const char *header =
        apr_pstrcat(unit_pool, "{\"alg\":\"RS256\",\"kid\":\"a\",\"z\":\"", run_of(SSO_MAX_JWT_HEADER), "\"}", NULL);
    assert_rc(SSO_R_JWT_SIZE, sso_jwt_parse(&unit_ctx, fixture_token(unit_pool, FIXTURE_KEY_A, header, "{}"), &jwt));
    const char *kid_most = run_of(SSO_MAX_KID);
    const char *kid_over = run_of(SSO_MAX_KID + 1);
    assert_rc(SSO_OK,
              sso_jwt_parse(&unit_ctx,
                            fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, kid_most), "{}"), &jwt));
    assert_rc(SSO_R_JWT_KID,
              sso_jwt_parse(&unit_ctx,
                            fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, kid_over), "{}"), &jwt));
}

/* The header says RS256, the signature is of something else. */
static void test_jwt_signature_of_another_kind_is_refused(void **state)
{
    (void)state;
    static const char *const algs[] = {"PS256", "RS384", "RS1"};
    const sso_jwk_t *jwk = jwk_of(FIXTURE_KEY_A);
    const sso_json_t *claims;
    const char *input = fixture_input(unit_pool, fixture_header(unit_pool, KID), "{}");
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        const char *token =
            apr_pstrcat(unit_pool, input, ".", fixture_signature(unit_pool, FIXTURE_KEY_A, algs[i], input), NULL);
        assert_rc(SSO_R_JWT_SIGNATURE, open_token(jwk, token, &claims));
    }
    /* HMAC keyed with the public modulus, as the confusion of algorithms has it. */
    const char *modulus = fixture_number(unit_pool, fixture_key(FIXTURE_KEY_A), OSSL_PKEY_PARAM_RSA_N);
    unsigned char mac[32];
    assert_non_null(
        HMAC(EVP_sha256(), modulus, (int)strlen(modulus), (const unsigned char *)input, strlen(input), mac, NULL));
    const char *token = apr_pstrcat(unit_pool, input, ".", sso_base64url(unit_pool, mac, sizeof(mac)), NULL);
    assert_rc(SSO_R_JWT_SIGNATURE, open_token(jwk, token, &claims));
    token = fixture_token(unit_pool, FIXTURE_KEY_ATTACKER, fixture_header(unit_pool, KID), "{}");
    assert_rc(SSO_R_JWT_SIGNATURE, open_token(jwk, token, &claims));
}

static void test_jwt_claims_that_are_no_strict_object_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "[]",
        "null",
        "\"text\"",
        "1",
        "{",
        "{}{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\xff\"}",
        "{\"exp\":9223372036854775808}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "not json",
    };
    const sso_jwk_t *jwk = jwk_of(FIXTURE_KEY_A);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_json_t *claims;
        sso_rc rc =
            open_token(jwk, fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, KID), rows[i]), &claims);
        if (rc != SSO_R_JWT_CLAIMS) {
            unit_fail("%s: %s", rows[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_jwt_every_truncation_is_refused(void **state)
{
    (void)state;
    const sso_jwk_t *jwk = jwk_of(FIXTURE_KEY_A);
    const char *token = good_token();
    for (size_t len = 0; len < strlen(token); len++) {
        const sso_json_t *claims;
        if (open_token(jwk, apr_pstrmemdup(unit_pool, token, len), &claims) == SSO_OK) {
            unit_fail("the first %zu bytes are accepted", len);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_jwt_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    const sso_jwk_t *jwk = jwk_of(FIXTURE_KEY_A);
    const char *token = good_token();
    size_t len = strlen(token);
    char *changed = apr_pstrdup(unit_pool, token);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            const sso_json_t *claims;
            sso_ctx_t ctx = unit_ctx;
            apr_pool_create(&unit_ctx.pool, unit_pool);
            changed[i] = (char)((unsigned char)token[i] ^ (1U << bit));
            if (open_token(jwk, changed, &claims) == SSO_OK) {
                unit_fail("bit %d of byte %zu flipped is accepted", bit, i);
            }
            apr_pool_destroy(unit_ctx.pool);
            unit_ctx = ctx;
        }
        changed[i] = token[i];
    }
}

/* A modulus of so many bits, odd or even. */
static const char *modulus_of(apr_size_t bits, bool odd)
{
    apr_size_t len = (bits + 7) / 8;
    unsigned char *bytes = apr_pcalloc(unit_pool, len);
    bytes[0] = (unsigned char)(1U << ((bits - 1) % 8));
    bytes[len - 1] |= odd ? 1U : 0U;
    return sso_base64url(unit_pool, bytes, len);
}

static void test_jwt_weak_key_is_refused(void **state)
{
    (void)state;
    const sso_jwk_t *jwk;
    assert_rc(SSO_OK, sso_jwk_make(&unit_ctx, unit_pool, modulus_of(SSO_RSA_MIN_BITS, true), "AQAB", &jwk));
    assert_rc(SSO_OK, sso_jwk_make(&unit_ctx, unit_pool, modulus_of(SSO_RSA_MAX_BITS, true), "AQAB", &jwk));
    /* AQ is 1, Aw is 3, AQAA is 65536, AQABAQABAQABAQAB is longer than OpenSSL takes. */
    static const char *const exponents[] = {"AQ",    "Aw",  "Ag", "AQAA", "AQAC", "AA", "", "AQABAQABAQABAQAB",
                                            "AQAB=", "AQA+"};
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        assert_rc(SSO_R_JWT_KEY_WEAK,
                  sso_jwk_make(&unit_ctx, unit_pool, modulus_of(SSO_RSA_MIN_BITS, true), exponents[i], &jwk));
    }
    assert_rc(SSO_R_JWT_KEY_WEAK,
              sso_jwk_make(&unit_ctx, unit_pool, modulus_of(SSO_RSA_MIN_BITS - 1, true), "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK,
              sso_jwk_make(&unit_ctx, unit_pool, modulus_of(SSO_RSA_MAX_BITS + 1, true), "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, modulus_of(1024, true), "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, modulus_of(2048, false), "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, "", "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, NULL, "AQAB", &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, modulus_of(2048, true), NULL, &jwk));
    assert_rc(SSO_R_JWT_KEY_WEAK, sso_jwk_make(&unit_ctx, unit_pool, "not base64url!", "AQAB", &jwk));
}

/* Octets of zero in front do not make a small key large. */
static void test_jwt_padded_weak_modulus_is_refused(void **state)
{
    (void)state;
    const sso_jwk_t *jwk;
    unsigned char bytes[256] = {0};
    bytes[128] = 0x80;
    bytes[255] = 1;
    assert_rc(SSO_R_JWT_KEY_WEAK,
              sso_jwk_make(&unit_ctx, unit_pool, sso_base64url(unit_pool, bytes, sizeof(bytes)), "AQAB", &jwk));
}

/* The header and the signature of an assertion. */
static void check_assertion(const sso_certificate_t *cert, sso_sign_alg_t alg, const char *header)
{
    const char *token = NULL;
    sso_json_writer_t *claims = sso_json_object_make(unit_pool);
    sso_json_set_text(claims, "iss", "me");
    assert_rc(SSO_OK, sso_jwt_sign(&unit_ctx, cert, alg, claims, &token));
    char *text = apr_pstrdup(unit_pool, token);
    char *first = strchr(text, '.');
    char *second = strrchr(text, '.');
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    apr_size_t header_len, sig_len;
    unsigned char *bytes = sso_base64url_decode(unit_pool, text, (apr_size_t)(first - text), &header_len);
    unsigned char *sig = sso_base64url_decode(unit_pool, second + 1, strlen(second + 1), &sig_len);
    assert_non_null(bytes);
    assert_non_null(sig);
    const char *expected = apr_pstrcat(unit_pool, header, sso_certificate_thumbprint(cert, alg), "\"}", NULL);
    assert_string_equal(apr_pstrmemdup(unit_pool, (char *)bytes, header_len), expected);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx;
    assert_int_equal(EVP_DigestVerifyInit(md, &key_ctx, EVP_sha256(), NULL, fixture_key(FIXTURE_KEY_A)), 1);
    if (alg == SSO_SIGN_PS256) {
        EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, 32);
    }
    assert_int_equal(EVP_DigestVerify(md, sig, sig_len, (unsigned char *)text, (size_t)(second - text)), 1);
    EVP_MD_CTX_free(md);
}

static void test_jwt_sign_es256_gives_three_parts(void **state)
{
    (void)state;
    static const unsigned char secret[SSO_KEY_BYTES] = {1};
    const sso_signing_key_t *key = NULL;
    const char *token = NULL;
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_process_pool));
    assert_rc(SSO_OK, sso_signing_key_derive(&unit_ctx, unit_pool, secret, &key));
    sso_json_writer_t *claims = sso_json_object_make(unit_pool);
    sso_json_set_text(claims, "iss", "me");
    assert_rc(SSO_OK, sso_jwt_sign_es256(&unit_ctx, key, claims, &token));
    const char *header =
        apr_pstrcat(unit_pool, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"", sso_signing_key_id(key), "\"}", NULL);
    const char *input = apr_pstrcat(unit_pool, sso_base64url(unit_pool, header, strlen(header)), ".",
                                    sso_base64url(unit_pool, "{\"iss\":\"me\"}", 12), ".", NULL);
    assert_int_equal(strncmp(token, input, strlen(input)), 0);
    apr_size_t len = 0;
    assert_non_null(sso_base64url_decode(unit_pool, token + strlen(input), strlen(token + strlen(input)), &len));
    assert_int_equal(len, SSO_ES256_BYTES);
    /* It is no token of Entra: what reads those refuses it. */
    sso_jwt_t jwt;
    assert_rc(SSO_R_JWT_ALG, sso_jwt_parse(&unit_ctx, token, &jwt));
}

static void test_jwt_sign_gives_an_assertion_of_either_form(void **state)
{
    (void)state;
    const char *cert_pem, *key_pem;
    const sso_certificate_t *cert = NULL;
    fixture_certificate(unit_pool, &cert_pem, &key_pem);
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_process_pool));
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, cert_pem, key_pem, &cert));
    check_assertion(cert, SSO_SIGN_PS256, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    check_assertion(cert, SSO_SIGN_RS256, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"");
    assert_int_equal(strlen(sso_certificate_thumbprint(cert, SSO_SIGN_PS256)), 43);
    assert_int_equal(strlen(sso_certificate_thumbprint(cert, SSO_SIGN_RS256)), 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_jwt_good_token_gives_claims),
        unit_test(test_jwt_without_typ_is_refused),
        unit_test(test_jwt_bad_header_is_refused_with_its_reason),
        unit_test(test_jwt_key_in_header_is_ignored),
        unit_test(test_jwt_wrong_shape_is_refused),
        unit_test(test_jwt_too_large_is_refused),
        unit_test(test_jwt_signature_of_another_kind_is_refused),
        unit_test(test_jwt_claims_that_are_no_strict_object_are_refused),
        unit_test(test_jwt_every_truncation_is_refused),
        unit_test(test_jwt_every_flipped_bit_is_refused),
        unit_test(test_jwt_weak_key_is_refused),
        unit_test(test_jwt_padded_weak_modulus_is_refused),
        unit_test(test_jwt_sign_gives_an_assertion_of_either_form),
        unit_test(test_jwt_sign_es256_gives_three_parts),
    };
    return fixture_run(tests);
}
