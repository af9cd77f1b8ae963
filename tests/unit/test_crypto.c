/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/crypto.c: published vectors, tampering, threads, life of the process state, certificates made here, and
 * that opening neither locks nor allocates, counted by standing in front of the C library's functions. */
#include "base/crypto.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/seal.h"

#ifndef UNDER_SANITIZER
static _Thread_local struct {
    bool on;
    int allocations;
    int locks;
} counts;

/* A function that stands in front of the C library's own, for this program and for every library that it loads. */
#define COUNTED(count, type, name, parameters, arguments)                                                              \
    __attribute__((visibility("default"))) type name parameters                                                        \
    {                                                                                                                  \
        static type(*next) parameters;                                                                                 \
        if (!next) {                                                                                                   \
            void *found = dlsym(RTLD_NEXT, #name);                                                                     \
            memcpy(&next, &found, sizeof(next));                                                                       \
        }                                                                                                              \
        counts.count += counts.on;                                                                                     \
        return next arguments;                                                                                         \
    }

COUNTED(allocations, void *, malloc, (size_t size), (size))
COUNTED(allocations, void *, calloc, (size_t count, size_t size), (count, size))
COUNTED(allocations, void *, realloc, (void *data, size_t size), (data, size))
COUNTED(locks, int, pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
COUNTED(locks, int, pthread_mutex_trylock, (pthread_mutex_t * lock), (lock))
COUNTED(locks, int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
COUNTED(locks, int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
#endif

static apr_pool_t *crypto_pool;
static EVP_PKEY *rsa_key;
static EVP_PKEY *other_rsa_key;

static int crypto_start(void)
{
    sso_ctx_t ctx;
    if (apr_pool_create(&crypto_pool, unit_process_pool) != APR_SUCCESS) {
        return -1;
    }
    sso_ctx_init(&ctx, crypto_pool, SSO_TEST_NOW);
    return sso_crypto_init(&ctx, crypto_pool) == SSO_OK ? 0 : -1;
}

static int group_setup(void **state)
{
    if (unit_group_setup(state) != 0 || crypto_start() != 0) {
        return -1;
    }
    rsa_key = EVP_RSA_gen(2048);
    other_rsa_key = EVP_RSA_gen(2048);
    return rsa_key && other_rsa_key ? 0 : -1;
}

static int group_teardown(void **state)
{
    EVP_PKEY_free(rsa_key);
    EVP_PKEY_free(other_rsa_key);
    return unit_group_teardown(state);
}

static unsigned char *from_hex(const char *hex, size_t *ret_len)
{
    size_t len = strlen(hex) / 2;
    unsigned char *data = apr_pcalloc(unit_pool, len + 1);
    for (size_t i = 0; i < len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        data[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    *ret_len = len;
    return data;
}

static void assert_hex(const char *expected, const void *data, size_t len)
{
    assert_string_equal(expected, sso_hex(unit_pool, data, len));
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16. */
static const struct {
    const char *key, *nonce, *aad, *plain, *cipher, *tag;
} gcm_vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void test_aead_published_vectors_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(gcm_vectors) / sizeof(gcm_vectors[0]); i++) {
        size_t key_len, nonce_len, aad_len, len;
        const unsigned char *key = from_hex(gcm_vectors[i].key, &key_len);
        const unsigned char *nonce = from_hex(gcm_vectors[i].nonce, &nonce_len);
        const unsigned char *aad = from_hex(gcm_vectors[i].aad, &aad_len);
        unsigned char *data = from_hex(gcm_vectors[i].plain, &len);
        assert_int_equal(key_len, SSO_KEY_BYTES);
        assert_int_equal(nonce_len, SSO_NONCE_BYTES);
        unsigned char tag[SSO_TAG_BYTES];
        assert_rc(SSO_OK, sso_aead_encrypt(&unit_ctx, key, nonce, aad, aad_len, data, len, data, tag));
        assert_hex(gcm_vectors[i].cipher, data, len);
        assert_hex(gcm_vectors[i].tag, tag, sizeof(tag));
        assert_true(sso_aead_decrypt(key, nonce, aad, aad_len, data, len, data, tag));
        assert_hex(gcm_vectors[i].plain, data, len);
    }
}

static const unsigned char some_key[SSO_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char some_nonce[SSO_NONCE_BYTES] = "nonce-12byt";

static void test_aead_altered_input_is_refused_and_wiped(void **state)
{
    (void)state;
    unsigned char plain[20] = "twenty bytes of text";
    unsigned char aad[5] = "bound";
    unsigned char sealed[20];
    unsigned char tag[SSO_TAG_BYTES];
    assert_rc(SSO_OK, sso_aead_encrypt(&unit_ctx, some_key, some_nonce, aad, 5, plain, 20, sealed, tag));
    unsigned char key[SSO_KEY_BYTES], nonce[SSO_NONCE_BYTES];
    memcpy(key, some_key, sizeof(key));
    memcpy(nonce, some_nonce, sizeof(nonce));
    struct {
        unsigned char *data;
        size_t len;
    } parts[] = {{key, sizeof(key)}, {nonce, sizeof(nonce)}, {aad, 5}, {sealed, 20}, {tag, sizeof(tag)}};
    static const unsigned char zeros[20];
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        for (size_t bit = 0; bit < parts[p].len * 8; bit++) {
            unsigned char out[20] = "not yet overwritten";
            parts[p].data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
            assert_false(sso_aead_decrypt(key, nonce, aad, 5, sealed, 20, out, tag));
            assert_memory_equal(out, zeros, sizeof(out));
            parts[p].data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        }
    }
    unsigned char out[20];
    assert_true(sso_aead_decrypt(key, nonce, aad, 5, sealed, 20, out, tag));
    assert_memory_equal(out, plain, sizeof(out));
    assert_false(sso_aead_decrypt(key, nonce, aad, 4, sealed, 20, out, tag));
    assert_false(sso_aead_decrypt(key, nonce, aad, 5, sealed, 19, out, tag));
}

static void *thread_use(void *baton)
{
    unsigned char key[SSO_KEY_BYTES], nonce[SSO_NONCE_BYTES] = {0}, data[64], tag[SSO_TAG_BYTES];
    memset(key, *(const unsigned char *)baton, sizeof(key));
    apr_pool_t *pool;
    apr_pool_create(&pool, NULL);
    sso_ctx_t ctx;
    sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
    bool good = true;
    for (unsigned i = 0; i < 200 && good; i++) {
        nonce[0] = (unsigned char)i;
        memset(data, (int)i, sizeof(data));
        good = sso_aead_encrypt(&ctx, key, nonce, NULL, 0, data, sizeof(data), data, tag) == SSO_OK &&
               sso_aead_decrypt(key, nonce, NULL, 0, data, sizeof(data), data, tag) && data[63] == (unsigned char)i;
    }
    apr_pool_destroy(pool);
    return good ? baton : NULL;
}

static void test_aead_many_threads_work_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned char numbers[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, thread_use, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &numbers[i]);
    }
}

static void test_crypto_not_initialised_fails_cleanly(void **state)
{
    (void)state;
    unsigned char out[32] = "text", tag[SSO_TAG_BYTES] = {0}, digest[SSO_SHA256_BYTES];
    assert_rc(SSO_OK, sso_aead_encrypt(&unit_ctx, some_key, some_nonce, NULL, 0, out, 4, out, tag));
    const sso_signing_key_t *signing = NULL, *none = NULL;
    unsigned char sig[SSO_ES256_BYTES];
    assert_rc(SSO_OK, sso_signing_key_derive(&unit_ctx, unit_pool, some_key, &signing));
    apr_pool_destroy(crypto_pool);
    assert_rc(SSO_R_CRYPTO, sso_signing_key_derive(&unit_ctx, unit_pool, some_key, &none));
    assert_null(none);
    assert_rc(SSO_R_CRYPTO, sso_signing_key_sign(&unit_ctx, signing, "x", 1, sig));
    assert_false(sso_aead_decrypt(some_key, some_nonce, NULL, 0, out, 4, out, tag));
    assert_rc(SSO_R_CRYPTO, sso_aead_encrypt(&unit_ctx, some_key, some_nonce, NULL, 0, out, 4, out, tag));
    assert_rc(SSO_R_CRYPTO, sso_derive_key(&unit_ctx, some_key, "info", out));
    const sso_certificate_t *cert = NULL;
    assert_rc(SSO_R_CRYPTO, sso_certificate_parse(&unit_ctx, unit_pool, "", "", &cert));
    sso_sha256("abc", 3, digest);
    assert_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest, sizeof(digest));
    /* And comes back: httpd loads modules twice. */
    assert_int_equal(crypto_start(), 0);
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_pool));
    assert_rc(SSO_OK, sso_aead_encrypt(&unit_ctx, some_key, some_nonce, NULL, 0, out, 4, out, tag));
    assert_true(sso_aead_decrypt(some_key, some_nonce, NULL, 0, out, 4, out, tag));
}

#ifndef UNDER_SANITIZER
static sso_keyring_t *ring_make(void)
{
    char folder[] = "/tmp/test_crypto.XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *path = apr_pstrcat(unit_pool, folder, "/keys", NULL);
    sso_keyring_t *ring = NULL;
    bool made = false;
    assert_rc(SSO_OK, sso_keyring_make(&unit_ctx, path, &made));
    assert_rc(SSO_OK, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    unlink(path);
    rmdir(folder);
    /* As in httpd: the ring looks whether another file was handed over, which costs nothing either. */
    assert_true(sso_keyring_follow(ring, unit_pool, apr_pcalloc(unit_pool, sso_handoff_size())));
    return ring;
}

/* Without it, a count of nothing would prove nothing. */
static void test_crypto_counters_see_what_libraries_do(void **state)
{
    (void)state;
    if (getenv("UNDER_VALGRIND") != NULL) {
        skip(); /* it takes the calls before our counters see them */
    }
    unsigned char digest[SSO_SHA256_BYTES];
    apr_pool_t *pool = NULL;
    memset(&counts, 0, sizeof(counts));
    counts.on = true;
    sso_sha256("x", 1, digest);                /* libcrypto makes a context */
    apr_pool_create(&pool, unit_process_pool); /* APR locks its allocator */
    counts.on = false;
    apr_pool_destroy(pool);
    assert_true(counts.allocations > 0);
    assert_true(counts.locks > 0);
}

static void test_crypto_opening_neither_locks_nor_allocates(void **state)
{
    (void)state;
    if (getenv("UNDER_VALGRIND") != NULL) {
        skip();
    }
    const sso_keyring_t *ring = ring_make();
    const unsigned char binding[SSO_BINDING_BYTES] = "application";
    const char *text = NULL;
    assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, "a session", 9, &text));
    /* A pool with an allocator of its own, as a request's in httpd: what it holds is used again after a clear. */
    apr_allocator_t *allocator = NULL;
    apr_pool_t *pool = NULL;
    assert_int_equal(apr_allocator_create(&allocator), APR_SUCCESS);
    assert_int_equal(apr_pool_create_ex(&pool, NULL, NULL, allocator), APR_SUCCESS);
    apr_allocator_owner_set(allocator, pool);
    memset(&counts, 0, sizeof(counts));
    int opened = 0, refused = 0;
    for (int i = 0; i <= 1000; i++) {
        sso_ctx_t ctx;
        unsigned char *data = NULL;
        apr_size_t len = 0;
        sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
        counts.on = i > 0; /* the first warms up */
        opened += sso_open(&ctx, ring, SSO_PURPOSE_SESSION, binding, text, strlen(text), &data, &len) == SSO_OK;
        refused += sso_open(&ctx, ring, SSO_PURPOSE_STATE, binding, text, strlen(text), &data, &len) != SSO_OK;
        apr_pool_clear(pool);
        counts.on = false;
    }
    apr_pool_destroy(pool);
    assert_int_equal(opened, 1001);
    assert_int_equal(refused, 1001);
    assert_int_equal(counts.allocations, 0);
    assert_int_equal(counts.locks, 0);
}

static void test_aead_both_directions_neither_lock_nor_allocate(void **state)
{
    (void)state;
    unsigned char data[64] = "data", tag[SSO_TAG_BYTES];
    memset(&counts, 0, sizeof(counts));
    for (int i = 0; i <= 1000; i++) {
        counts.on = i > 0;
        bool good = sso_aead_encrypt(&unit_ctx, some_key, some_nonce, "aad", 3, data, 64, data, tag) == SSO_OK &&
                    sso_aead_decrypt(some_key, some_nonce, "aad", 3, data, 64, data, tag);
        counts.on = false;
        assert_true(good);
    }
    assert_int_equal(counts.allocations, 0);
    assert_int_equal(counts.locks, 0);
}
#endif

static void test_sha256_published_vectors_fit(void **state)
{
    (void)state;
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256("", 0, digest);
    assert_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest, sizeof(digest));
    sso_sha256("abc", 3, digest);
    assert_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest, sizeof(digest));
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sso_sha256(two_blocks, sizeof(two_blocks) - 1, digest);
    assert_hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", digest, sizeof(digest));
}

static void test_random_two_draws_differ(void **state)
{
    (void)state;
    unsigned char a[32] = {0}, b[32] = {0};
    assert_rc(SSO_OK, sso_random(&unit_ctx, a, sizeof(a)));
    assert_rc(SSO_OK, sso_random(&unit_ctx, b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void test_random_impossible_length_is_refused(void **state)
{
    (void)state;
    unsigned char a[1];
    assert_rc(SSO_R_RANDOM, sso_random(&unit_ctx, a, (apr_size_t)INT32_MAX + 1));
}

/* RFC 5869 without salt, written once more with HMAC alone. */
static void hkdf_reference(const unsigned char *ikm, size_t ikm_len, const char *info, unsigned char *okm, size_t len)
{
    static const unsigned char no_salt[32];
    unsigned char prk[32], block[32], input[32 + 256 + 1];
    assert_non_null(HMAC(EVP_sha256(), no_salt, 32, ikm, ikm_len, prk, NULL));
    size_t block_len = 0;
    for (unsigned char n = 1; len > 0; n++) {
        memcpy(input, block, block_len);
        memcpy(input + block_len, info, strlen(info));
        input[block_len + strlen(info)] = n;
        assert_non_null(HMAC(EVP_sha256(), prk, 32, input, block_len + strlen(info) + 1, block, NULL));
        block_len = 32;
        size_t part = len < 32 ? len : 32;
        memcpy(okm, block, part);
        okm += part;
        len -= part;
    }
}

static void test_derive_key_is_hkdf_of_rfc_5869(void **state)
{
    (void)state;
    /* Test case 3 first shows that the reference is right; our call takes keys of 32 bytes alone. */
    unsigned char ikm[22], okm[42], expected[SSO_KEY_BYTES], derived[SSO_KEY_BYTES];
    memset(ikm, 0x0b, sizeof(ikm));
    hkdf_reference(ikm, sizeof(ikm), "", okm, sizeof(okm));
    assert_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", okm, 42);
    static const char *const infos[] = {"", "entra-sso session 1", "entra-sso state 1"};
    for (size_t i = 0; i < 3; i++) {
        hkdf_reference(some_key, sizeof(some_key), infos[i], expected, sizeof(expected));
        assert_rc(SSO_OK, sso_derive_key(&unit_ctx, some_key, infos[i], derived));
        assert_memory_equal(expected, derived, sizeof(derived));
    }
}

static void test_derive_key_other_info_gives_other_key(void **state)
{
    (void)state;
    unsigned char a[SSO_KEY_BYTES], b[SSO_KEY_BYTES];
    assert_rc(SSO_OK, sso_derive_key(&unit_ctx, some_key, "a", a));
    assert_rc(SSO_OK, sso_derive_key(&unit_ctx, some_key, "b", b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, some_key, sizeof(a));
}

static const char *bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    const char *text = apr_pstrmemdup(unit_pool, data, (apr_size_t)len);
    BIO_free(bio);
    return text;
}

static const char *key_pem(EVP_PKEY *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase,
                                                   passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                     1);
    return bio_text(bio);
}

/* Self-signed, until 2030-01-02T03:04:05Z. */
static X509 *x509_make(EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 7);
    ASN1_TIME_set_string(X509_getm_notBefore(x509), "20260101000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), "20300102030405Z");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, key);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    return x509;
}

static const char *cert_pem(EVP_PKEY *key)
{
    X509 *x509 = x509_make(key);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    X509_free(x509);
    return bio_text(bio);
}

static const sso_certificate_t *parse_good(void)
{
    const sso_certificate_t *cert = NULL;
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, cert_pem(rsa_key), key_pem(rsa_key, NULL), &cert));
    assert_non_null(cert);
    return cert;
}

static void test_certificate_good_pair_gives_thumbprint_and_end(void **state)
{
    (void)state;
    const sso_certificate_t *cert = parse_good();
    assert_int_equal(sso_certificate_expires(cert), apr_time_from_sec(1893553445));
    X509 *x509 = x509_make(rsa_key); /* PKCS #1 v1.5 signatures are deterministic: the same certificate again */
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    assert_true(len > 0);
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(der, (apr_size_t)len, digest);
    assert_string_equal(sso_certificate_thumbprint(cert, SSO_SIGN_PS256),
                        sso_base64url(unit_pool, digest, sizeof(digest)));
    unsigned char older[20];
    assert_int_equal(EVP_Digest(der, (size_t)len, older, NULL, EVP_sha1(), NULL), 1);
    assert_string_equal(sso_certificate_thumbprint(cert, SSO_SIGN_RS256),
                        sso_base64url(unit_pool, older, sizeof(older)));
    OPENSSL_free(der);
    X509_free(x509);
}

static void test_certificate_one_file_for_both_is_read(void **state)
{
    (void)state;
    const char *key = key_pem(rsa_key, NULL);
    const char *pem = cert_pem(rsa_key);
    const char *both[] = {apr_pstrcat(unit_pool, pem, key, NULL), apr_pstrcat(unit_pool, "a note\n", key, pem, NULL)};
    for (int i = 0; i < 2; i++) {
        const sso_certificate_t *cert = NULL;
        assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, both[i], both[i], &cert));
    }
}

/* The key with another byte in its first prime: its public numbers, in front, are whole. */
static const char *damaged(const char *pem)
{
    char *copy = apr_pstrdup(unit_pool, pem);
    char *at = copy + strlen(copy) * 55 / 100;
    at += *at == '\n' ? 1 : 0;
    *at = *at == 'A' ? 'B' : 'A';
    return copy;
}

static void test_certificate_faulty_input_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *small = EVP_RSA_gen(1024);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    const char *good_cert = cert_pem(rsa_key);
    const char *good_key = key_pem(rsa_key, NULL);
    const struct {
        const char *what, *cert, *key;
    } rows[] = {
        {"no certificate", "", good_key},
        {"no key", good_cert, ""},
        {"text for a certificate", "hello", good_key},
        {"text for a key", good_cert, "hello"},
        {"swapped", good_key, good_cert},
        {"truncated certificate", apr_pstrmemdup(unit_pool, good_cert, strlen(good_cert) / 2), good_key},
        {"truncated key", good_cert, apr_pstrmemdup(unit_pool, good_key, strlen(good_key) / 2)},
        {"damaged key", good_cert, damaged(good_key)},
        {"another's key", good_cert, key_pem(other_rsa_key, NULL)},
        {"RSA of 1024 bits", cert_pem(small), key_pem(small, NULL)},
        {"elliptic curve", cert_pem(curve), key_pem(curve, NULL)},
        {"passphrase", good_cert, key_pem(rsa_key, "secret")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_certificate_t *cert = NULL;
        sso_rc rc = sso_certificate_parse(&unit_ctx, unit_pool, rows[i].cert, rows[i].key, &cert);
        if (rc != SSO_R_CERTIFICATE || cert) {
            unit_fail("%s: gave %s", rows[i].what, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
    EVP_PKEY_free(small);
    EVP_PKEY_free(curve);
}

/* As Entra would: PSS, MGF1 with SHA-256, and a salt of exactly 32 bytes. */
static bool ps256_verifies(const unsigned char *sig, size_t sig_len, const void *data, size_t len)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pss = NULL;
    assert_int_equal(EVP_DigestVerifyInit(md, &pss, EVP_sha256(), NULL, rsa_key), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pss, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(pss, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pss, 32), 1);
    bool good = EVP_DigestVerify(md, sig, sig_len, data, len) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

static void test_certificate_sign_is_ps256(void **state)
{
    (void)state;
    const sso_certificate_t *cert = parse_good();
    const unsigned char *sig = NULL, *again = NULL;
    apr_size_t len = 0;
    assert_rc(SSO_OK, sso_certificate_sign(&unit_ctx, cert, SSO_SIGN_PS256, "header.claims", 13, &sig, &len));
    assert_int_equal(len, 256);
    assert_true(ps256_verifies(sig, len, "header.claims", 13));
    assert_false(ps256_verifies(sig, len, "header.claimz", 13));
    assert_rc(SSO_OK, sso_certificate_sign(&unit_ctx, cert, SSO_SIGN_PS256, "header.claims", 13, &again, &len));
    assert_memory_not_equal(sig, again, len); /* salted */
}

static void test_certificate_sign_is_rs256_where_it_is_asked_for(void **state)
{
    (void)state;
    const sso_certificate_t *cert = parse_good();
    const unsigned char *sig = NULL, *again = NULL;
    apr_size_t len = 0;
    assert_rc(SSO_OK, sso_certificate_sign(&unit_ctx, cert, SSO_SIGN_RS256, "header.claims", 13, &sig, &len));
    assert_int_equal(len, 256);
    assert_false(ps256_verifies(sig, len, "header.claims", 13));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, rsa_key), 1); /* PKCS #1 v1.5 */
    assert_int_equal(EVP_DigestVerify(md, sig, len, (const unsigned char *)"header.claims", 13), 1);
    EVP_MD_CTX_free(md);
    assert_rc(SSO_OK, sso_certificate_sign(&unit_ctx, cert, SSO_SIGN_RS256, "header.claims", 13, &again, &len));
    assert_memory_equal(sig, again, len);
}

static void test_certificate_parse_leaves_no_error_behind(void **state)
{
    (void)state;
    const sso_certificate_t *cert = NULL;
    assert_rc(SSO_R_CERTIFICATE, sso_certificate_parse(&unit_ctx, unit_pool, "hello", "hello", &cert));
    assert_int_equal(ERR_peek_error(), 0);
    parse_good();
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_aead_published_vectors_fit),
        unit_test(test_aead_altered_input_is_refused_and_wiped),
        unit_test(test_aead_many_threads_work_at_once),
        unit_test(test_crypto_not_initialised_fails_cleanly),
#ifndef UNDER_SANITIZER
        unit_test(test_crypto_counters_see_what_libraries_do),
        unit_test(test_crypto_opening_neither_locks_nor_allocates),
        unit_test(test_aead_both_directions_neither_lock_nor_allocate),
#endif
        unit_test(test_sha256_published_vectors_fit),
        unit_test(test_random_two_draws_differ),
        unit_test(test_random_impossible_length_is_refused),
        unit_test(test_derive_key_is_hkdf_of_rfc_5869),
        unit_test(test_derive_key_other_info_gives_other_key),
        unit_test(test_certificate_good_pair_gives_thumbprint_and_end),
        unit_test(test_certificate_one_file_for_both_is_read),
        unit_test(test_certificate_faulty_input_is_refused),
        unit_test(test_certificate_sign_is_ps256),
        unit_test(test_certificate_sign_is_rs256_where_it_is_asked_for),
        unit_test(test_certificate_parse_leaves_no_error_behind),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
