/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the signing keys of base/crypto.c: derived the same everywhere, valid every time, their signatures good for
 * somebody who has the public point alone. The reference derives once more with HMAC and big numbers. */
#include "base/crypto.h"

#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>

#include "base/bytes.h"

#define DERIVATIONS 10000
#define COMPARED_EACH 50 /* with the reference's own point */

static const unsigned char some_secret[SSO_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static int signing_group_setup(void **state)
{
    sso_ctx_t ctx;
    if (unit_group_setup(state) != 0) {
        return -1;
    }
    sso_ctx_init(&ctx, unit_process_pool, SSO_TEST_NOW);
    return sso_crypto_init(&ctx, unit_process_pool) == SSO_OK ? 0 : -1;
}

static const sso_signing_key_t *key_of(const unsigned char *secret)
{
    const sso_signing_key_t *key = NULL;
    assert_rc(SSO_OK, sso_signing_key_derive(&unit_ctx, unit_pool, secret, &key));
    assert_non_null(key);
    return key;
}

/* The point as OpenSSL takes it. */
static void point_of(const sso_signing_key_t *key, unsigned char ret_point[65])
{
    apr_size_t x_len, y_len;
    const char *x_text = sso_signing_key_x(key), *y_text = sso_signing_key_y(key);
    const unsigned char *x = sso_base64url_decode(unit_pool, x_text, strlen(x_text), &x_len);
    const unsigned char *y = sso_base64url_decode(unit_pool, y_text, strlen(y_text), &y_len);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(x_len, 32);
    assert_int_equal(y_len, 32);
    ret_point[0] = 4;
    memcpy(ret_point + 1, x, 32);
    memcpy(ret_point + 33, y, 32);
}

/* HKDF-SHA256 without salt gives its first 32 bytes so. */
static void hkdf_32(const unsigned char *secret, const char *info, unsigned char *out)
{
    static const unsigned char no_salt[32];
    unsigned char prk[32];
    const char *input = apr_psprintf(unit_pool, "%s\001", info);
    assert_non_null(HMAC(EVP_sha256(), no_salt, 32, secret, SSO_KEY_BYTES, prk, NULL));
    assert_non_null(HMAC(EVP_sha256(), prk, 32, (const unsigned char *)input, strlen(input), out, NULL));
}

static BIGNUM *scalar_reference(const unsigned char *secret, const EC_GROUP *group, BN_CTX *scratch)
{
    unsigned char wide[64];
    hkdf_32(secret, "entra-sso P-256 scalar 1 high", wide);
    hkdf_32(secret, "entra-sso P-256 scalar 1 low", wide + 32);
    BIGNUM *c = BN_bin2bn(wide, sizeof(wide), NULL);
    BIGNUM *most = BN_dup(EC_GROUP_get0_order(group));
    BIGNUM *scalar = BN_new();
    assert_int_equal(BN_sub_word(most, 1), 1);
    assert_int_equal(BN_mod(scalar, c, most, scratch), 1);
    assert_int_equal(BN_add_word(scalar, 1), 1);
    BN_free(c);
    BN_free(most);
    return scalar;
}

static void assert_point_is_of(const EC_GROUP *group, const BIGNUM *scalar, const unsigned char point[65])
{
    unsigned char expected[65];
    EC_POINT *product = EC_POINT_new(group);
    assert_int_equal(EC_POINT_mul(group, product, scalar, NULL, NULL, NULL), 1);
    assert_int_equal(
        EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, expected, sizeof(expected), NULL), 65);
    EC_POINT_free(product);
    assert_memory_equal(expected, point, sizeof(expected));
}

/* Somebody else's view: only the published point. */
static bool verifies(const sso_signing_key_t *key, const unsigned char sig[64], const void *data, size_t len)
{
    unsigned char point[65];
    char curve[] = "P-256";
    point_of(key, point);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *public_key = NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
    assert_int_equal(EVP_PKEY_fromdata(maker, &public_key, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(maker);
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    assert_int_equal(ECDSA_SIG_set0(numbers, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL)), 1);
    unsigned char *der = NULL;
    int der_len = i2d_ECDSA_SIG(numbers, &der);
    assert_true(der_len > 0);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, public_key), 1);
    bool good = EVP_DigestVerify(md, der, (size_t)der_len, data, len) == 1;
    EVP_MD_CTX_free(md);
    OPENSSL_free(der);
    ECDSA_SIG_free(numbers);
    EVP_PKEY_free(public_key);
    return good;
}

static void test_signing_key_same_secret_gives_same_key(void **state)
{
    (void)state;
    unsigned char other[SSO_KEY_BYTES];
    memcpy(other, some_secret, sizeof(other));
    const sso_signing_key_t *a = key_of(some_secret);
    const sso_signing_key_t *again = key_of(other);
    assert_string_equal(sso_signing_key_x(a), sso_signing_key_x(again));
    assert_string_equal(sso_signing_key_y(a), sso_signing_key_y(again));
    assert_string_equal(sso_signing_key_id(a), sso_signing_key_id(again));
    other[31] ^= 1;
    const sso_signing_key_t *b = key_of(other);
    assert_string_not_equal(sso_signing_key_x(a), sso_signing_key_x(b));
    assert_string_not_equal(sso_signing_key_id(a), sso_signing_key_id(b));
}

/* Numbers by another program (Python's cryptography). A later version must derive the same: nodes of both stand side by
 * side during an upgrade. */
static void test_signing_key_of_known_secret_stays(void **state)
{
    (void)state;
    const sso_signing_key_t *key = key_of(some_secret);
    assert_string_equal(sso_signing_key_x(key), "0yE2FQdtQLV4ibaw4smetc-ZbdvCdA_q55pHrNRwuaI");
    assert_string_equal(sso_signing_key_y(key), "AIc7OLwUdCC62bhiIpn5kGYC_i1I5HqZQJ2TTjNPWU8");
    assert_string_equal(sso_signing_key_id(key), "-crLKwTiN0bAWBenQHrRgSr_wKHCxnmwRb1xh5Ic5fA");
}

static void test_signing_key_id_is_rfc_7638_thumbprint(void **state)
{
    (void)state;
    const sso_signing_key_t *key = key_of(some_secret);
    const char *json = apr_pstrcat(unit_pool, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"", sso_signing_key_x(key),
                                   "\",\"y\":\"", sso_signing_key_y(key), "\"}", NULL);
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(json, strlen(json), digest);
    assert_string_equal(sso_signing_key_id(key), sso_base64url(unit_pool, digest, sizeof(digest)));
}

/* Each scalar is from 1 to n - 1, the point lies on the curve, and both are those of the reference. */
static void test_signing_key_ten_thousand_derivations_are_in_range(void **state)
{
    (void)state;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_CTX *scratch = BN_CTX_new();
    EC_POINT *on_curve = EC_POINT_new(group);
    apr_pool_t *outer = unit_pool;
    for (unsigned i = 0; i < DERIVATIONS; i++) {
        unsigned char secret[SSO_KEY_BYTES] = {(unsigned char)i, (unsigned char)(i >> 8), 0x55};
        unsigned char point[65];
        apr_pool_create(&unit_pool, outer);
        unit_ctx.pool = unit_pool;
        BIGNUM *scalar = scalar_reference(secret, group, scratch);
        assert_false(BN_is_zero(scalar));
        assert_true(BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0);
        point_of(key_of(secret), point);
        /* Refuses a point that is not on the curve. */
        assert_int_equal(EC_POINT_oct2point(group, on_curve, point, sizeof(point), scratch), 1);
        if (i % COMPARED_EACH == 0) {
            assert_point_is_of(group, scalar, point);
        }
        BN_free(scalar);
        apr_pool_destroy(unit_pool);
        unit_pool = outer;
        unit_ctx.pool = outer;
    }
    EC_POINT_free(on_curve);
    BN_CTX_free(scratch);
    EC_GROUP_free(group);
}

static void test_signing_key_signature_verifies_by_the_public_point(void **state)
{
    (void)state;
    const sso_signing_key_t *key = key_of(some_secret);
    static const unsigned char other_secret[SSO_KEY_BYTES] = {9};
    /* Often enough that a number with leading zeros is among them. */
    for (int i = 0; i < 600; i++) {
        unsigned char sig[SSO_ES256_BYTES];
        const char *text = apr_psprintf(unit_pool, "header.claims %d", i);
        assert_rc(SSO_OK, sso_signing_key_sign(&unit_ctx, key, text, strlen(text), sig));
        assert_true(verifies(key, sig, text, strlen(text)));
        if (i == 0) {
            assert_false(verifies(key, sig, "header.claimz 0", strlen(text)));
            assert_false(verifies(key_of(other_secret), sig, text, strlen(text)));
            sig[63] ^= 1;
            assert_false(verifies(key, sig, text, strlen(text)));
        }
    }
    ERR_clear_error();
}

static void test_signing_key_two_signatures_differ(void **state)
{
    (void)state;
    unsigned char a[SSO_ES256_BYTES], b[SSO_ES256_BYTES];
    const sso_signing_key_t *key = key_of(some_secret);
    assert_rc(SSO_OK, sso_signing_key_sign(&unit_ctx, key, "x", 1, a));
    assert_rc(SSO_OK, sso_signing_key_sign(&unit_ctx, key, "x", 1, b));
    assert_memory_not_equal(a, b, 32); /* a fresh nonce each time */
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_signing_key_same_secret_gives_same_key),
        unit_test(test_signing_key_of_known_secret_stays),
        unit_test(test_signing_key_id_is_rfc_7638_thumbprint),
        unit_test(test_signing_key_ten_thousand_derivations_are_in_range),
        unit_test(test_signing_key_signature_verifies_by_the_public_point),
        unit_test(test_signing_key_two_signatures_differ),
    };
    return cmocka_run_group_tests(tests, signing_group_setup, unit_group_teardown);
}
