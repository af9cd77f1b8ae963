/* SPDX-License-Identifier: Apache-2.0 */
/* An invented Entra for unit tests: RSA keys made once per program, key sets, discovery documents, signed tokens of
 * every good and bad kind. Included by tests only, after unit.h; links libcrypto. */
#pragma once

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.h"

#define FIXTURE_LOGIN "https://login.example.com"
#define FIXTURE_TENANT "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613"
#define FIXTURE_OTHER_TENANT "2b8e4d10-6f5a-4c3b-9d7e-1a0f9e8d7c6b"
#define FIXTURE_CLIENT "c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f"
#define FIXTURE_OID "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f"
#define FIXTURE_ISSUER FIXTURE_LOGIN "/" FIXTURE_TENANT "/v2.0"
#define FIXTURE_NONCE "n-0S6_WzA2Mj"

/* Keys by role. */
enum { FIXTURE_KEY_A, FIXTURE_KEY_B, FIXTURE_KEY_ATTACKER, FIXTURE_KEY_WEAK, FIXTURE_KEYS };
static EVP_PKEY *fixture_keys[FIXTURE_KEYS];

static UNIT_MAYBE_UNUSED EVP_PKEY *fixture_key(int role)
{
    if (fixture_keys[role] == NULL) {
        fixture_keys[role] = EVP_RSA_gen(role == FIXTURE_KEY_WEAK ? 1024U : 2048U);
        assert_non_null(fixture_keys[role]);
    }
    return fixture_keys[role];
}

/* As the group's teardown, so that leak checkers see an end. */
static int UNIT_MAYBE_UNUSED fixture_teardown(void **state)
{
    for (int i = 0; i < FIXTURE_KEYS; i++) {
        EVP_PKEY_free(fixture_keys[i]);
        fixture_keys[i] = NULL;
    }
    return unit_group_teardown(state);
}
#define fixture_run(tests) cmocka_run_group_tests((tests), unit_group_setup, fixture_teardown)

static UNIT_MAYBE_UNUSED const char *fixture_number(apr_pool_t *pool, EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    unsigned char *bytes = apr_palloc(pool, (apr_size_t)BN_num_bytes(number));
    int len = BN_bn2bin(number, bytes);
    BN_free(number);
    return sso_base64url(pool, bytes, (apr_size_t)len);
}

/* One entry of a key set. more: further members with a leading comma, or "". */
static UNIT_MAYBE_UNUSED const char *fixture_jwk(apr_pool_t *pool, int role, const char *kid, const char *more)
{
    EVP_PKEY *key = fixture_key(role);
    return apr_pstrcat(pool, "{\"kty\":\"RSA\",\"kid\":\"", kid, "\",\"n\":\"",
                       fixture_number(pool, key, OSSL_PKEY_PARAM_RSA_N), "\",\"e\":\"",
                       fixture_number(pool, key, OSSL_PKEY_PARAM_RSA_E), "\"", more, "}", NULL);
}

/* A key of Entra: signature use, an issuer. */
static UNIT_MAYBE_UNUSED const char *fixture_entra_jwk(apr_pool_t *pool, int role, const char *kid, const char *issuer)
{
    return fixture_jwk(pool, role, kid, apr_pstrcat(pool, ",\"use\":\"sig\",\"issuer\":\"", issuer, "\"", NULL));
}

static UNIT_MAYBE_UNUSED const char *fixture_jwks(apr_pool_t *pool, const char *first, const char *second)
{
    return apr_pstrcat(pool, "{\"keys\":[", first, second == NULL ? "" : ",", second == NULL ? "" : second, "]}", NULL);
}

/* The discovery document of a tenant segment whose issuer has place in it. */
static UNIT_MAYBE_UNUSED const char *fixture_discovery(apr_pool_t *pool, const char *segment, const char *place)
{
    const char *base = apr_pstrcat(pool, FIXTURE_LOGIN "/", segment, NULL);
    return apr_pstrcat(
        pool, "{\"token_endpoint\":\"", base, "/oauth2/v2.0/token\",\"jwks_uri\":\"", base,
        "/discovery/v2.0/keys\",\"response_modes_supported\":[\"query\"],\"issuer\":\"" FIXTURE_LOGIN "/", place,
        "/v2.0\",\"userinfo_endpoint\":\"https://graph.example.com/oidc/userinfo\","
        "\"authorization_endpoint\":\"",
        base, "/oauth2/v2.0/authorize\",\"end_session_endpoint\":\"", base,
        "/oauth2/v2.0/logout\",\"http_logout_supported\":true,"
        "\"msgraph_host\":\"graph.example.com\"}",
        NULL);
}

/* A discovery document with one member changed to this JSON text; an empty text leaves it out. */
static UNIT_MAYBE_UNUSED const char *fixture_document(const char *name, const char *value)
{
    static const char *const names[] = {"issuer",   "authorization_endpoint", "token_endpoint",
                                        "jwks_uri", "end_session_endpoint",   "msgraph_host"};
    static const char *const values[] = {"\"" FIXTURE_ISSUER "\"",       "\"" FIXTURE_LOGIN "/authorize\"",
                                         "\"" FIXTURE_LOGIN "/token\"",  "\"" FIXTURE_LOGIN "/keys\"",
                                         "\"" FIXTURE_LOGIN "/logout\"", "\"graph.example.com\""};
    const char *text = "{\"x\":1";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *chosen = strcmp(names[i], name) == 0 ? value : values[i];
        if (chosen[0] != '\0') {
            text = apr_pstrcat(unit_pool, text, ",\"", names[i], "\":", chosen, NULL);
        }
    }
    return apr_pstrcat(unit_pool, text, "}", NULL);
}

/* The signature of text under alg: RS256, RS384, PS256 or RS1 (SHA-1). */
static UNIT_MAYBE_UNUSED const char *fixture_signature(apr_pool_t *pool, int role, const char *alg, const char *text)
{
    const EVP_MD *digest = strcmp(alg, "RS384") == 0 ? EVP_sha384()
                           : strcmp(alg, "RS1") == 0 ? EVP_sha1()
                                                     : EVP_sha256();
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx;
    size_t len = 0;
    assert_int_equal(EVP_DigestSignInit(md, &key_ctx, digest, NULL, fixture_key(role)), 1);
    if (strcmp(alg, "PS256") == 0) {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST) > 0);
    }
    assert_int_equal(EVP_DigestSign(md, NULL, &len, (const unsigned char *)text, strlen(text)), 1);
    unsigned char *bytes = apr_palloc(pool, len);
    assert_int_equal(EVP_DigestSign(md, bytes, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(md);
    return sso_base64url(pool, bytes, len);
}

static UNIT_MAYBE_UNUSED const char *fixture_input(apr_pool_t *pool, const char *header, const char *claims)
{
    return apr_pstrcat(pool, sso_base64url(pool, header, strlen(header)), ".",
                       sso_base64url(pool, claims, strlen(claims)), NULL);
}

/* A token of literal header and claims, signed RS256 by the key of that role whatever the header says. */
static UNIT_MAYBE_UNUSED const char *fixture_token(apr_pool_t *pool, int role, const char *header, const char *claims)
{
    const char *input = fixture_input(pool, header, claims);
    return apr_pstrcat(pool, input, ".", fixture_signature(pool, role, "RS256", input), NULL);
}

static UNIT_MAYBE_UNUSED const char *fixture_header(apr_pool_t *pool, const char *kid)
{
    return apr_pstrcat(pool, "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"", kid, "\"}", NULL);
}

/* Claims: name and JSON text. A change replaces the value, adds the claim, or with NULL removes it. */
typedef struct {
    const char *name;
    const char *value;
} fixture_claim_t;

#define FIXTURE_QUOTED(text) "\"" text "\""
#define FIXTURE_SECONDS(offset) apr_psprintf(unit_pool, "%" APR_INT64_T_FMT, (apr_int64_t)SSO_TEST_NOW_S + (offset))

/* Good claims at SSO_TEST_NOW, changed by the rows up to one without a name. changes may be NULL. */
static UNIT_MAYBE_UNUSED const char *fixture_claims(apr_pool_t *pool, const fixture_claim_t *changes)
{
    apr_table_t *claims = apr_table_make(pool, 16);
    apr_table_setn(claims, "aud", FIXTURE_QUOTED(FIXTURE_CLIENT));
    apr_table_setn(claims, "iss", FIXTURE_QUOTED(FIXTURE_ISSUER));
    apr_table_setn(claims, "iat", FIXTURE_SECONDS(-300));
    apr_table_setn(claims, "nbf", FIXTURE_SECONDS(-300));
    apr_table_setn(claims, "exp", FIXTURE_SECONDS(3600));
    apr_table_setn(claims, "nonce", FIXTURE_QUOTED(FIXTURE_NONCE));
    apr_table_setn(claims, "oid", FIXTURE_QUOTED(FIXTURE_OID));
    apr_table_setn(claims, "sub", FIXTURE_QUOTED("k7Yw3nQ2pR8sT1uV4xZ6aB9cD0eF5gH7jK2lM8nO1pQ"));
    apr_table_setn(claims, "tid", FIXTURE_QUOTED(FIXTURE_TENANT));
    apr_table_setn(claims, "ver", FIXTURE_QUOTED("2.0"));
    apr_table_setn(claims, "preferred_username", FIXTURE_QUOTED("ada@contoso.example"));
    for (; changes != NULL && changes->name != NULL; changes++) {
        if (changes->value == NULL) {
            apr_table_unset(claims, changes->name);
        } else {
            apr_table_setn(claims, changes->name, changes->value);
        }
    }
    const apr_array_header_t *rows = apr_table_elts(claims);
    const apr_table_entry_t *row = (const void *)rows->elts;
    const char *text = "";
    for (int i = 0; i < rows->nelts; i++, row++) {
        text = apr_pstrcat(pool, text, i == 0 ? "{\"" : ",\"", row->key, "\":", row->val, NULL);
    }
    return apr_pstrcat(pool, text, "}", NULL);
}

static UNIT_MAYBE_UNUSED const char *fixture_bio_text(apr_pool_t *pool, BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    const char *text = apr_pstrmemdup(pool, data, (apr_size_t)len);
    BIO_free(bio);
    return text;
}

/* A self-signed certificate of the key of that role in PEM, and its key. It ends so many seconds from today on. */
static void UNIT_MAYBE_UNUSED fixture_certificate_of(apr_pool_t *pool, int role, long life_s, const char **ret_cert_pem,
                                                     const char **ret_key_pem)
{
    EVP_PKEY *key = fixture_key(role);
    X509 *cert = X509_new();
    assert_non_null(cert);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), life_s);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"unit", -1, -1,
                               0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(cert_bio, cert), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL), 1);
    X509_free(cert);
    *ret_cert_pem = fixture_bio_text(pool, cert_bio);
    *ret_key_pem = fixture_bio_text(pool, key_bio);
}

static void UNIT_MAYBE_UNUSED fixture_certificate(apr_pool_t *pool, const char **ret_cert_pem, const char **ret_key_pem)
{
    fixture_certificate_of(pool, FIXTURE_KEY_A, 24L * 3600 * 365, ret_cert_pem, ret_key_pem);
}
