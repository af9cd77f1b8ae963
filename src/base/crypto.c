/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's EVP behind few calls that are hard to misuse; the only file that knows OpenSSL, and it keeps no key itself.
 */
#include "base/crypto.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/limits.h"

#define COORDINATE_BYTES 32
#define POINT_BYTES (1 + 2 * COORDINATE_BYTES) /* uncompressed: 4 | x | y */
/* What the derived keys stand for; raised, the number makes other key pairs of the same secrets. */
#define SCALAR_INFO_HIGH "entra-sso P-256 scalar 1 high"
#define SCALAR_INFO_LOW "entra-sso P-256 scalar 1 low"

/* One context for each direction: a context that changed its direction would be built anew by OpenSSL. */
typedef struct {
    EVP_CIPHER_CTX *encrypt;
    EVP_CIPHER_CTX *decrypt;
} thread_ciphers_t;

/* The one state of this process that is not in a pool: fetching an algorithm takes OpenSSL's locks, so it is done once,
 * before threads exist, and only read afterwards. httpd loads modules twice and unloads them between: the cleanup on
 * the pool given to sso_crypto_init puts all of it back to zero. */
static struct {
    bool ready;
    EVP_CIPHER *aes_256_gcm;
    EVP_MD *sha256;
    EVP_KDF *hkdf;
    apr_threadkey_t *thread_key;
} process;

struct sso_certificate_t {
    EVP_PKEY *key;
    const char *thumbprint;       /* SHA-256 */
    const char *older_thumbprint; /* SHA-1 */
    apr_time_t expires;
};

struct sso_signing_key_t {
    EVP_PKEY *key;
    const char *x;
    const char *y;
    const char *id;
};

/* Errors must not stay in OpenSSL's queue: mod_ssl on the same thread would take them for its own. */
static sso_rc openssl_fail_at(sso_ctx_t *ctx, sso_rc rc, int line, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return sso_fail_at(ctx, rc, __FILE__, line, "%s: %s", what, reason ? reason : "no reason given");
}
#define openssl_fail(ctx, rc, what) openssl_fail_at(ctx, rc, __LINE__, what)

/* Runs at the end of each thread that used a cipher, and once in process_reset. */
static void thread_ciphers_free(void *data)
{
    thread_ciphers_t *own = data;
    if (!own) {
        return;
    }
    EVP_CIPHER_CTX_free(own->encrypt);
    EVP_CIPHER_CTX_free(own->decrypt);
    OPENSSL_free(own);
}

static apr_status_t process_reset(void *unused)
{
    (void)unused;
    /* Deleting the key runs no destructors, and once the module is unloaded none may run: its code is gone. The
     * thread that unloads frees its own contexts here; others have ended by then. */
    if (process.thread_key) {
        void *own = NULL;
        if (apr_threadkey_private_get(&own, process.thread_key) == APR_SUCCESS) {
            thread_ciphers_free(own);
        }
        apr_threadkey_private_delete(process.thread_key);
    }
    EVP_CIPHER_free(process.aes_256_gcm);
    EVP_MD_free(process.sha256);
    EVP_KDF_free(process.hkdf);
    memset(&process, 0, sizeof(process));
    return APR_SUCCESS;
}

sso_rc sso_crypto_init(sso_ctx_t *ctx, apr_pool_t *process_pool)
{
    if (process.ready) {
        return SSO_OK;
    }
    process.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    process.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    process.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    if (!process.aes_256_gcm || !process.sha256 || !process.hkdf) {
        process_reset(NULL);
        return openssl_fail(ctx, SSO_R_CRYPTO, "OpenSSL lacks AES-256-GCM, SHA-256 or HKDF");
    }
    if (apr_threadkey_private_create(&process.thread_key, thread_ciphers_free, process_pool) != APR_SUCCESS) {
        process.thread_key = NULL;
        process_reset(NULL);
        return sso_fail(ctx, SSO_R_CRYPTO, "no key for thread-local data");
    }
    apr_pool_cleanup_register(process_pool, NULL, process_reset, apr_pool_cleanup_null);
    process.ready = true;
    return SSO_OK;
}

sso_rc sso_random(sso_ctx_t *ctx, void *data, apr_size_t len)
{
    if (len > INT_MAX || RAND_bytes(data, (int)len) != 1) {
        return openssl_fail(ctx, SSO_R_RANDOM, "RAND_bytes");
    }
    return SSO_OK;
}

sso_rc sso_random_guid(sso_ctx_t *ctx, const char **ret_guid)
{
    unsigned char bytes[16];
    sso_rc rc = sso_random(ctx, bytes, sizeof(bytes));
    if (rc != SSO_OK) {
        return rc;
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = (unsigned char)((bytes[8] & 0x3fU) | 0x80U);
    const char *hex = sso_hex(ctx->pool, bytes, sizeof(bytes));
    *ret_guid = apr_psprintf(ctx->pool, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return SSO_OK;
}

void sso_sha256(const void *data, apr_size_t len, unsigned char ret_digest[static SSO_SHA256_BYTES])
{
    const EVP_MD *md = process.ready ? process.sha256 : EVP_sha256();
    unsigned int n = 0;
    if (EVP_Digest(data, len, ret_digest, &n, md, NULL) != 1 || n != SSO_SHA256_BYTES) {
        /* SECURITY: digests bind records to applications and browsers. Out of memory is the only way here, and no
         * value would be a safe one to go on with; APR ends the process on such occasions too. */
        abort();
    }
}

sso_rc sso_derive_key(sso_ctx_t *ctx, const unsigned char key[static SSO_KEY_BYTES], const char *info,
                      unsigned char ret_key[static SSO_KEY_BYTES])
{
    if (!process.ready) {
        return sso_fail(ctx, SSO_R_CRYPTO, "not initialised");
    }
    /* OSSL_PARAM wants what is not const. */
    unsigned char key_copy[SSO_KEY_BYTES];
    memcpy(key_copy, key, sizeof(key_copy));
    char digest[] = OSSL_DIGEST_NAME_SHA2_256;
    char *info_copy = apr_pstrdup(ctx->pool, info);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key_copy, sizeof(key_copy)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_copy, strlen(info_copy)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(process.hkdf);
    bool ok = kdf && EVP_KDF_derive(kdf, ret_key, SSO_KEY_BYTES, params) == 1;
    EVP_KDF_CTX_free(kdf);
    sso_wipe(key_copy, sizeof(key_copy));
    if (!ok) {
        sso_wipe(ret_key, SSO_KEY_BYTES);
        return openssl_fail(ctx, SSO_R_CRYPTO, "HKDF");
    }
    return SSO_OK;
}

static thread_ciphers_t *thread_ciphers_make(void)
{
    thread_ciphers_t *own = OPENSSL_zalloc(sizeof(*own));
    if (!own) {
        return NULL;
    }
    own->encrypt = EVP_CIPHER_CTX_new();
    own->decrypt = EVP_CIPHER_CTX_new();
    bool ok = own->encrypt && own->decrypt &&
              EVP_EncryptInit_ex(own->encrypt, process.aes_256_gcm, NULL, NULL, NULL) == 1 &&
              EVP_DecryptInit_ex(own->decrypt, process.aes_256_gcm, NULL, NULL, NULL) == 1 &&
              apr_threadkey_private_set(own, process.thread_key) == APR_SUCCESS;
    if (!ok) {
        thread_ciphers_free(own);
        return NULL;
    }
    return own;
}

/* The contexts of the calling thread; NULL before sso_crypto_init and when out of memory. */
static const thread_ciphers_t *thread_ciphers_get(void)
{
    void *own = NULL;
    if (!process.ready || apr_threadkey_private_get(&own, process.thread_key) != APR_SUCCESS) {
        return NULL;
    }
    return own ? own : thread_ciphers_make();
}

sso_rc sso_aead_encrypt(sso_ctx_t *ctx, const unsigned char key[static SSO_KEY_BYTES],
                        const unsigned char nonce[static SSO_NONCE_BYTES], const void *aad, apr_size_t aad_len,
                        const unsigned char *data, apr_size_t len, unsigned char *out,
                        unsigned char ret_tag[static SSO_TAG_BYTES])
{
    const thread_ciphers_t *own = thread_ciphers_get();
    if (!own) {
        return openssl_fail(ctx, SSO_R_CRYPTO, "no cipher context, or not initialised");
    }
    EVP_CIPHER_CTX *c = own->encrypt;
    unsigned char rest[EVP_MAX_BLOCK_LENGTH]; /* GCM leaves nothing for the end */
    int n = 0;
    bool ok = len <= INT_MAX && aad_len <= INT_MAX && EVP_EncryptInit_ex(c, NULL, NULL, key, nonce) == 1 &&
              (aad_len == 0 || EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1) &&
              (len == 0 || EVP_EncryptUpdate(c, out, &n, data, (int)len) == 1) &&
              EVP_EncryptFinal_ex(c, rest, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SSO_TAG_BYTES, ret_tag) == 1;
    if (!ok) {
        sso_wipe(out, len);
        return openssl_fail(ctx, SSO_R_CRYPTO, "AES-256-GCM");
    }
    return SSO_OK;
}

bool sso_aead_decrypt(const unsigned char key[static SSO_KEY_BYTES], const unsigned char nonce[static SSO_NONCE_BYTES],
                      const void *aad, apr_size_t aad_len, const unsigned char *data, apr_size_t len,
                      unsigned char *out, const unsigned char tag[static SSO_TAG_BYTES])
{
    const thread_ciphers_t *own = thread_ciphers_get();
    bool ok = false;
    if (own && len <= INT_MAX && aad_len <= INT_MAX) {
        EVP_CIPHER_CTX *c = own->decrypt;
        unsigned char rest[EVP_MAX_BLOCK_LENGTH];
        unsigned char expected[SSO_TAG_BYTES]; /* OpenSSL wants what is not const */
        memcpy(expected, tag, sizeof(expected));
        int n = 0;
        /* SECURITY: the tag's length is a constant, never the sender's (CVE-2023-37464). */
        ok = EVP_DecryptInit_ex(c, NULL, NULL, key, nonce) == 1 &&
             EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SSO_TAG_BYTES, expected) == 1 &&
             (aad_len == 0 || EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1) &&
             (len == 0 || EVP_DecryptUpdate(c, out, &n, data, (int)len) == 1) && EVP_DecryptFinal_ex(c, rest, &n) == 1;
    }
    if (!ok) {
        sso_wipe(out, len);
        ERR_clear_error();
    }
    return ok;
}

/* SECURITY: OpenSSL's own callback would ask at the terminal and hold up the start of httpd. */
static int passphrase_refuse(char *text, int size, int writing, void *baton)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)baton;
    return -1;
}

static X509 *x509_parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, passphrase_refuse, NULL) : NULL;
    BIO_free(bio);
    return x509;
}

static EVP_PKEY *private_key_parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_refuse, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static apr_status_t private_key_cleanup(void *data)
{
    EVP_PKEY_free(data);
    return APR_SUCCESS;
}

static bool asn1_time_get(const ASN1_TIME *when, apr_time_t *ret_when)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(when, &tm) != 1) {
        return false;
    }
    apr_time_exp_t exp = {.tm_sec = tm.tm_sec,
                          .tm_min = tm.tm_min,
                          .tm_hour = tm.tm_hour,
                          .tm_mday = tm.tm_mday,
                          .tm_mon = tm.tm_mon,
                          .tm_year = tm.tm_year};
    return apr_time_exp_gmt_get(ret_when, &exp) == APR_SUCCESS;
}

/* A damaged file may have the certificate's public numbers beside private ones that sign nothing. */
static bool is_whole(EVP_PKEY *key)
{
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(key, NULL);
    bool good = check != NULL && EVP_PKEY_pairwise_check(check) == 1;
    EVP_PKEY_CTX_free(check);
    return good;
}

static sso_rc certificate_check(sso_ctx_t *ctx, const X509 *x509, EVP_PKEY *key)
{
    /* Not "RSA-PSS": such a key may forbid what PS256 asks for. */
    if (!EVP_PKEY_is_a(key, "RSA")) {
        return sso_fail(ctx, SSO_R_CERTIFICATE, "the private key is no RSA key");
    }
    int bits = EVP_PKEY_get_bits(key);
    if (bits < SSO_RSA_MIN_BITS || bits > SSO_RSA_MAX_BITS) {
        return sso_fail(ctx, SSO_R_CERTIFICATE, "the private key has %d bits, not %d to %d", bits, SSO_RSA_MIN_BITS,
                        SSO_RSA_MAX_BITS);
    }
    if (X509_check_private_key(x509, key) != 1) {
        return openssl_fail(ctx, SSO_R_CERTIFICATE, "the private key is not the certificate's");
    }
    if (!is_whole(key)) {
        return openssl_fail(ctx, SSO_R_CERTIFICATE, "the private key is damaged");
    }
    return SSO_OK;
}

/* NULL where OpenSSL does not offer the digest. */
static const char *thumbprint_make(apr_pool_t *pool, const X509 *x509, const EVP_MD *md)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    return X509_digest(x509, md, digest, &n) == 1 ? sso_base64url(pool, digest, n) : NULL;
}

static sso_rc certificate_fill(sso_ctx_t *ctx, apr_pool_t *pool, X509 *x509, sso_certificate_t *cert)
{
    sso_rc rc = certificate_check(ctx, x509, cert->key);
    if (rc != SSO_OK) {
        return rc;
    }
    cert->thumbprint = thumbprint_make(pool, x509, process.sha256);
    /* SHA-1 only names the certificate among those that the administrator uploaded; no signature rests on it. */
    cert->older_thumbprint = thumbprint_make(pool, x509, EVP_sha1());
    if (!cert->thumbprint) {
        return openssl_fail(ctx, SSO_R_CERTIFICATE, "the certificate has no thumbprint");
    }
    if (!asn1_time_get(X509_get0_notAfter(x509), &cert->expires)) {
        return openssl_fail(ctx, SSO_R_CERTIFICATE, "the certificate's end of validity is malformed");
    }
    return SSO_OK;
}

sso_rc sso_certificate_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *cert_pem, const char *key_pem,
                             const sso_certificate_t **ret_cert)
{
    if (!process.ready) {
        return sso_fail(ctx, SSO_R_CRYPTO, "not initialised");
    }
    X509 *x509 = x509_parse(cert_pem);
    if (!x509) {
        return openssl_fail(ctx, SSO_R_CERTIFICATE, "no certificate in the PEM text");
    }
    sso_rc rc;
    EVP_PKEY *key = private_key_parse(key_pem);
    if (!key) {
        rc = openssl_fail(ctx, SSO_R_CERTIFICATE, "no private key without passphrase in the PEM text");
        goto out;
    }
    sso_certificate_t *cert = apr_pcalloc(pool, sizeof(*cert));
    cert->key = key;
    rc = certificate_fill(ctx, pool, x509, cert);
    if (rc != SSO_OK) {
        EVP_PKEY_free(key);
        goto out;
    }
    apr_pool_cleanup_register(pool, key, private_key_cleanup, apr_pool_cleanup_null);
    *ret_cert = cert;
out:
    X509_free(x509);
    ERR_clear_error(); /* the PEM readers leave what they tried in the queue even when they succeed */
    return rc;
}

bool sso_is_certificate(const char *pem)
{
    X509 *x509 = x509_parse(pem);
    bool good = x509 != NULL;
    X509_free(x509);
    ERR_clear_error();
    return good;
}

const char *sso_certificate_thumbprint(const sso_certificate_t *cert, sso_sign_alg_t alg)
{
    return alg == SSO_SIGN_RS256 ? cert->older_thumbprint : cert->thumbprint;
}

apr_time_t sso_certificate_expires(const sso_certificate_t *cert)
{
    return cert->expires;
}

/* RFC 7518 section 3.5: MGF1 with the same hash, and a salt as long as the hash. */
static bool pss_set(EVP_PKEY_CTX *key_ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(key_ctx, process.sha256) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool sign_start(EVP_MD_CTX *md_ctx, EVP_PKEY *key, sso_sign_alg_t alg)
{
    EVP_PKEY_CTX *key_ctx = NULL; /* belongs to md_ctx */
    if (EVP_DigestSignInit(md_ctx, &key_ctx, process.sha256, NULL, key) != 1) {
        return false;
    }
    return alg == SSO_SIGN_RS256 ? EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PADDING) == 1 : pss_set(key_ctx);
}

sso_rc sso_certificate_sign(sso_ctx_t *ctx, const sso_certificate_t *cert, sso_sign_alg_t alg, const void *data,
                            apr_size_t len, const unsigned char **ret_sig, apr_size_t *ret_sig_len)
{
    if (!process.ready) {
        return sso_fail(ctx, SSO_R_CRYPTO, "not initialised");
    }
    EVP_MD_CTX *md_ctx = EVP_MD_CTX_new();
    unsigned char *sig = NULL;
    size_t sig_len = 0;
    bool ok = md_ctx && sign_start(md_ctx, cert->key, alg) && EVP_DigestSign(md_ctx, NULL, &sig_len, data, len) == 1;
    if (ok) {
        sig = apr_palloc(ctx->pool, sig_len);
        ok = EVP_DigestSign(md_ctx, sig, &sig_len, data, len) == 1;
    }
    EVP_MD_CTX_free(md_ctx);
    if (!ok) {
        return openssl_fail(ctx, SSO_R_CRYPTO, alg == SSO_SIGN_RS256 ? "RS256" : "PS256");
    }
    *ret_sig = sig;
    *ret_sig_len = sig_len;
    return SSO_OK;
}

/* SECURITY: FIPS 186-5 A.2.1, key pairs by extra random bits: d = (c mod (n - 1)) + 1. c has 512 bits for an order of
 * 256, so the scalar is nearer to uniform than anybody could tell, it is never 0 nor n, and nothing is tried again. */
static bool scalar_reduce(const unsigned char *wide, int len, const EC_GROUP *group, BIGNUM *ret_scalar)
{
    BN_CTX *scratch = BN_CTX_secure_new();
    BIGNUM *c = BN_secure_new();
    BIGNUM *most = BN_dup(EC_GROUP_get0_order(group));
    bool ok = scratch && c && most && BN_bin2bn(wide, len, c) && BN_sub_word(most, 1) == 1;
    if (ok) {
        BN_set_flags(c, BN_FLG_CONSTTIME);
        ok = BN_mod(ret_scalar, c, most, scratch) == 1 && BN_add_word(ret_scalar, 1) == 1;
    }
    BN_clear_free(c);
    BN_free(most);
    BN_CTX_free(scratch);
    return ok;
}

static sso_rc scalar_derive(sso_ctx_t *ctx, const unsigned char secret[static SSO_KEY_BYTES], const EC_GROUP *group,
                            BIGNUM *ret_scalar)
{
    unsigned char wide[2 * SSO_KEY_BYTES];
    sso_rc rc = sso_derive_key(ctx, secret, SCALAR_INFO_HIGH, wide);
    if (rc == SSO_OK) {
        rc = sso_derive_key(ctx, secret, SCALAR_INFO_LOW, wide + SSO_KEY_BYTES);
    }
    if (rc == SSO_OK && !scalar_reduce(wide, sizeof(wide), group, ret_scalar)) {
        rc = openssl_fail(ctx, SSO_R_CRYPTO, "the scalar of a signing key");
    }
    sso_wipe(wide, sizeof(wide));
    return rc;
}

static bool point_of(const EC_GROUP *group, const BIGNUM *scalar, unsigned char ret_point[static POINT_BYTES])
{
    EC_POINT *point = EC_POINT_new(group);
    bool ok =
        point && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret_point, POINT_BYTES, NULL) == POINT_BYTES;
    EC_POINT_free(point);
    return ok;
}

static EVP_PKEY *p256_pair(const BIGNUM *scalar, unsigned char point[static POINT_BYTES])
{
    unsigned char native[COORDINATE_BYTES]; /* OSSL_PARAM has the machine's byte order */
    char name[] = "P-256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof(native)),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, POINT_BYTES),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool ok = maker && BN_bn2nativepad(scalar, native, sizeof(native)) == sizeof(native) &&
              EVP_PKEY_fromdata_init(maker) == 1 &&
              EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)(uintptr_t)params) == 1;
    EVP_PKEY_CTX_free(maker);
    sso_wipe(native, sizeof(native));
    return ok ? key : NULL;
}

static void signing_key_publish(apr_pool_t *pool, const unsigned char point[static POINT_BYTES], sso_signing_key_t *key)
{
    key->x = sso_base64url(pool, point + 1, COORDINATE_BYTES);
    key->y = sso_base64url(pool, point + 1 + COORDINATE_BYTES, COORDINATE_BYTES);
    /* RFC 7638 3.2: the required members alone, in the order of their names, no blanks. */
    const char *canonical =
        apr_psprintf(pool, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x, key->y);
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(canonical, strlen(canonical), digest);
    key->id = sso_base64url(pool, digest, sizeof(digest));
}

sso_rc sso_signing_key_derive(sso_ctx_t *ctx, apr_pool_t *pool, const unsigned char secret[static SSO_KEY_BYTES],
                              const sso_signing_key_t **ret_key)
{
    unsigned char point[POINT_BYTES];
    EVP_PKEY *pair = NULL;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *scalar = BN_secure_new();
    sso_rc rc = group && scalar ? scalar_derive(ctx, secret, group, scalar)
                                : openssl_fail(ctx, SSO_R_CRYPTO, "OpenSSL has no P-256");
    if (rc == SSO_OK && (!point_of(group, scalar, point) || !(pair = p256_pair(scalar, point)))) {
        rc = openssl_fail(ctx, SSO_R_CRYPTO, "a signing key on P-256");
    }
    BN_clear_free(scalar);
    EC_GROUP_free(group);
    if (rc != SSO_OK) {
        return rc;
    }
    apr_pool_cleanup_register(pool, pair, private_key_cleanup, apr_pool_cleanup_null);
    sso_signing_key_t *key = apr_pcalloc(pool, sizeof(*key));
    key->key = pair;
    signing_key_publish(pool, point, key);
    *ret_key = key;
    return SSO_OK;
}

const char *sso_signing_key_x(const sso_signing_key_t *key)
{
    return key->x;
}

const char *sso_signing_key_y(const sso_signing_key_t *key)
{
    return key->y;
}

const char *sso_signing_key_id(const sso_signing_key_t *key)
{
    return key->id;
}

/* OpenSSL gives the DER form; a JWS has the two numbers side by side (RFC 7518 3.4). */
static bool signature_unwrap(const unsigned char *der, size_t len, unsigned char ret_sig[static SSO_ES256_BYTES])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_sig, COORDINATE_BYTES) == COORDINATE_BYTES &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_sig + COORDINATE_BYTES, COORDINATE_BYTES) == COORDINATE_BYTES;
    ECDSA_SIG_free(sig);
    return ok;
}

sso_rc sso_signing_key_sign(sso_ctx_t *ctx, const sso_signing_key_t *key, const void *data, apr_size_t len,
                            unsigned char ret_sig[static SSO_ES256_BYTES])
{
    unsigned char der[96]; /* 72 at most on P-256 */
    size_t der_len = sizeof(der);
    EVP_MD_CTX *md_ctx = EVP_MD_CTX_new();
    bool ok = process.ready && md_ctx && EVP_DigestSignInit(md_ctx, NULL, process.sha256, NULL, key->key) == 1 &&
              EVP_DigestSign(md_ctx, der, &der_len, data, len) == 1 && signature_unwrap(der, der_len, ret_sig);
    EVP_MD_CTX_free(md_ctx);
    return ok ? SSO_OK : openssl_fail(ctx, SSO_R_CRYPTO, "ES256");
}
