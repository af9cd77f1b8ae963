/* SPDX-License-Identifier: Apache-2.0 */
/* Compact JWS: judges a header before anything trusts it, verifies RS256 through cjose, signs assertions; it
 * never takes an algorithm or a key from the token. */
#include "entra/jwt.h"

#include <string.h>

#include <apr_strings.h>

#include <cjose/cjose.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Exponents: 65537 is what everybody uses; OpenSSL itself takes no more than 64 bits with large moduli. */
#define EXPONENT_MIN 65537U
#define EXPONENT_MAX_BYTES 8

struct sso_jwk_t {
    cjose_jwk_t *key;
};

/* The three parts of a compact serialization (RFC 7515 section 3.1), not yet decoded. */
typedef struct {
    const char *start[3];
    apr_size_t len[3];
} parts_t;

static apr_status_t jwk_release(void *data)
{
    cjose_jwk_release(data);
    return APR_SUCCESS;
}

/* Drops leading zero octets, which RFC 7518 6.3.1.1 forbids but some senders write. */
static unsigned char *number_trim(unsigned char *number, apr_size_t *len)
{
    while (*len > 0 && number[0] == 0) {
        number++;
        (*len)--;
    }
    return number;
}

static apr_size_t number_bits(const unsigned char *number, apr_size_t len)
{
    if (len == 0) {
        return 0;
    }
    apr_size_t bits = len * 8;
    for (unsigned top = number[0]; (top & 0x80U) == 0; top <<= 1) {
        bits--;
    }
    return bits;
}

/* Odd, and neither 1 nor 3 nor any other of the small exponents that make RSA brittle. */
static bool exponent_is_sound(const unsigned char *e, apr_size_t len)
{
    if (len == 0 || len > EXPONENT_MAX_BYTES) {
        return false;
    }
    uint64_t value = 0;
    for (apr_size_t i = 0; i < len; i++) {
        value = (value << 8) | e[i];
    }
    return value >= EXPONENT_MIN && (value & 1U) == 1U;
}

sso_rc sso_jwk_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *n, const char *e, const sso_jwk_t **ret_jwk)
{
    cjose_jwk_rsa_keyspec spec = {NULL};
    unsigned char *modulus = n == NULL ? NULL : sso_base64url_decode(pool, n, strlen(n), &spec.nlen);
    unsigned char *exponent = e == NULL ? NULL : sso_base64url_decode(pool, e, strlen(e), &spec.elen);
    if (modulus == NULL || exponent == NULL) {
        return sso_fail(ctx, SSO_R_JWT_KEY_WEAK, "modulus or exponent is no base64url");
    }
    spec.n = number_trim(modulus, &spec.nlen);
    spec.e = number_trim(exponent, &spec.elen);
    apr_size_t bits = number_bits(spec.n, spec.nlen);
    if (bits < SSO_RSA_MIN_BITS || bits > SSO_RSA_MAX_BITS || (spec.n[spec.nlen - 1] & 1U) == 0) {
        return sso_fail(ctx, SSO_R_JWT_KEY_WEAK, "a modulus of %" APR_SIZE_T_FMT " bits", bits);
    }
    if (!exponent_is_sound(spec.e, spec.elen)) {
        return sso_fail(ctx, SSO_R_JWT_KEY_WEAK, "an unsound public exponent");
    }
    cjose_err err;
    cjose_jwk_t *key = cjose_jwk_create_RSA_spec(&spec, &err);
    if (key == NULL) {
        return sso_fail(ctx, SSO_R_JWT_KEY_WEAK, "cjose: %s", err.message);
    }
    apr_pool_cleanup_register(pool, key, jwk_release, apr_pool_cleanup_null);
    sso_jwk_t *jwk = apr_palloc(pool, sizeof(*jwk));
    jwk->key = key;
    *ret_jwk = jwk;
    return SSO_OK;
}

/* Exactly two dots, three non-empty parts. */
static bool parts_split(const char *text, parts_t *ret_parts)
{
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        const char *end = i < 2 ? strchr(at, '.') : at + strlen(at);
        if (end == NULL || end == at) {
            return false;
        }
        ret_parts->start[i] = at;
        ret_parts->len[i] = (apr_size_t)(end - at);
        at = end + 1;
    }
    return memchr(ret_parts->start[2], '.', ret_parts->len[2]) == NULL;
}

/* SECURITY: cjose decodes base64url loosely; after this strict look every token has one spelling only. */
static bool parts_are_base64url(apr_pool_t *pool, const parts_t *parts)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    bool good = true;
    for (int i = 1; i < 3 && good; i++) {
        apr_size_t len;
        unsigned char *bytes = sso_base64url_decode(scratch, parts->start[i], parts->len[i], &len);
        good = bytes != NULL;
        if (good) {
            sso_wipe(bytes, len);
        }
    }
    apr_pool_destroy(scratch);
    return good;
}

/* A member that must be a string if it is there. False when it is of another type. */
static bool member_text(const sso_json_t *object, const char *name, const char **ret_text)
{
    *ret_text = sso_json_get_text(object, name);
    return *ret_text != NULL || sso_json_get(object, name) == NULL;
}

/* SECURITY: the rules of RFC 8725 3.1, 3.9 and 3.11: one algorithm, one type, nothing that the header itself could
 * bring along. */
static sso_rc header_check(sso_ctx_t *ctx, const sso_json_t *header, const char **ret_kid)
{
    const char *alg, *typ, *kid;
    if (!member_text(header, "alg", &alg) || !member_text(header, "typ", &typ) || !member_text(header, "kid", &kid)) {
        return sso_fail(ctx, SSO_R_JWT_HEADER, "alg, typ or kid is no string");
    }
    if (alg == NULL || strcmp(alg, "RS256") != 0) {
        return sso_fail(ctx, SSO_R_JWT_ALG, "alg %s", sso_printable(ctx->pool, alg));
    }
    /* All that comes here is signed by Entra, which writes typ into ID tokens and access tokens of both versions. */
    if (typ == NULL || strcmp(typ, "JWT") != 0) {
        return sso_fail(ctx, SSO_R_JWT_TYP, "typ %s", typ == NULL ? "is absent" : sso_printable(ctx->pool, typ));
    }
    /* Even an empty crit is an offence (RFC 7515 4.1.11), and b64 changes what is signed (RFC 7797). */
    if (sso_json_get(header, "crit") != NULL || sso_json_get(header, "b64") != NULL) {
        return sso_fail(ctx, SSO_R_JWT_CRIT, "the header has crit or b64");
    }
    if (kid == NULL || kid[0] == '\0' || strlen(kid) > SSO_MAX_KID) {
        return sso_fail(ctx, SSO_R_JWT_KID, "kid %s", kid == NULL ? "is absent" : "is empty or too long");
    }
    *ret_kid = kid;
    return SSO_OK;
}

sso_rc sso_jwt_parse(sso_ctx_t *ctx, const char *text, sso_jwt_t *ret_jwt)
{
    apr_size_t len = strlen(text);
    if (len > SSO_MAX_JWT) {
        return sso_fail(ctx, SSO_R_JWT_SIZE, "%" APR_SIZE_T_FMT " bytes", len);
    }
    parts_t parts;
    if (!parts_split(text, &parts)) {
        return sso_fail(ctx, SSO_R_JWT_SHAPE, "not three parts");
    }
    /* Before decoding: 4 characters are 3 bytes. */
    if (parts.len[0] > SSO_MAX_JWT_HEADER / 3 * 4) {
        return sso_fail(ctx, SSO_R_JWT_SIZE, "a header of %" APR_SIZE_T_FMT " characters", parts.len[0]);
    }
    apr_size_t header_len;
    const unsigned char *bytes = sso_base64url_decode(ctx->pool, parts.start[0], parts.len[0], &header_len);
    if (bytes == NULL || !parts_are_base64url(ctx->pool, &parts)) {
        return sso_fail(ctx, SSO_R_JWT_SHAPE, "a part is no base64url");
    }
    const sso_json_t *header;
    if (sso_json_parse(ctx, ctx->pool, (const char *)bytes, header_len, SSO_MAX_JWT_HEADER, &header) != SSO_OK) {
        /* The reason for the log is that of the token, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_JWT_HEADER, "the header is no strict JSON");
    }
    if (sso_json_type(header) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_JWT_HEADER, "the header is no object");
    }
    const char *kid = NULL;
    sso_rc rc = header_check(ctx, header, &kid);
    if (rc != SSO_OK) {
        return rc;
    }
    ret_jwt->text = text;
    ret_jwt->len = len;
    ret_jwt->kid = kid;
    return SSO_OK;
}

/* The claims' text in ctx->pool once the signature holds, else NULL. */
static char *verified_text(sso_ctx_t *ctx, const sso_jwt_t *jwt, const sso_jwk_t *jwk, apr_size_t *ret_len)
{
    cjose_err err;
    cjose_jws_t *jws = cjose_jws_import(jwt->text, jwt->len, &err);
    if (jws == NULL) {
        return NULL;
    }
    char *text = NULL;
    uint8_t *plain = NULL;
    size_t plain_len = 0;
    /* SECURITY: the algorithm is pinned once more on what cjose read, so that its parser and ours cannot differ. */
    const char *alg = cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &err);
    if (alg != NULL && strcmp(alg, CJOSE_HDR_ALG_RS256) == 0 && cjose_jws_verify(jws, jwk->key, &err) &&
        cjose_jws_get_plaintext(jws, &plain, &plain_len, &err)) {
        text = apr_pstrmemdup(ctx->pool, (const char *)plain, plain_len);
        *ret_len = plain_len;
    }
    cjose_jws_release(jws);
    return text;
}

sso_rc sso_jwt_verify(sso_ctx_t *ctx, const sso_jwt_t *jwt, const sso_jwk_t *jwk, const sso_json_t **ret_claims)
{
    apr_size_t len = 0;
    char *text = verified_text(ctx, jwt, jwk, &len);
    if (text == NULL) {
        return sso_fail(ctx, SSO_R_JWT_SIGNATURE, "kid %s", sso_printable(ctx->pool, jwt->kid));
    }
    const sso_json_t *claims;
    sso_rc rc = sso_json_parse(ctx, ctx->pool, text, len, SSO_MAX_JWT, &claims);
    sso_wipe(text, len);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the token, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_JWT_CLAIMS, "the claims are no strict JSON");
    }
    if (sso_json_type(claims) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_JWT_CLAIMS, "the claims are no object");
    }
    *ret_claims = claims;
    return SSO_OK;
}

/* Signing does without cjose, which would want the private numbers themselves: no key leaves base/crypto.c. What is
 * signed and the signature are only put together here. */
static const char *signing_input(apr_pool_t *pool, const sso_json_writer_t *header, const sso_json_writer_t *claims)
{
    const char *header_text = sso_json_print(pool, header);
    const char *claims_text = sso_json_print(pool, claims);
    return apr_pstrcat(pool, sso_base64url(pool, header_text, strlen(header_text)), ".",
                       sso_base64url(pool, claims_text, strlen(claims_text)), NULL);
}

/* The token is a credential for minutes, so it is wiped; its parts before the signature prove nothing. */
static const char *token_join(apr_pool_t *pool, const char *input, const unsigned char *sig, apr_size_t len)
{
    char *token = apr_pstrcat(pool, input, ".", sso_base64url(pool, sig, len), NULL);
    sso_wipe_later(pool, token, strlen(token));
    return token;
}

sso_rc sso_jwt_sign(sso_ctx_t *ctx, const sso_certificate_t *cert, sso_sign_alg_t alg, const sso_json_writer_t *claims,
                    const char **ret_token)
{
    const char *thumbprint = sso_certificate_thumbprint(cert, alg);
    if (thumbprint == NULL) {
        return sso_fail(ctx, SSO_R_CRYPTO, "OpenSSL gives no SHA-1 here, which x5t is made of; use PS256");
    }
    sso_json_writer_t *header = sso_json_object_make(ctx->pool);
    sso_json_set_text(header, "alg", alg == SSO_SIGN_RS256 ? "RS256" : "PS256");
    sso_json_set_text(header, "typ", "JWT");
    sso_json_set_text(header, alg == SSO_SIGN_RS256 ? "x5t" : "x5t#S256", thumbprint);
    const char *input = signing_input(ctx->pool, header, claims);
    const unsigned char *sig;
    apr_size_t sig_len;
    sso_rc rc = sso_certificate_sign(ctx, cert, alg, input, strlen(input), &sig, &sig_len);
    if (rc == SSO_OK) {
        *ret_token = token_join(ctx->pool, input, sig, sig_len);
    }
    return rc;
}

sso_rc sso_jwt_sign_es256(sso_ctx_t *ctx, const sso_signing_key_t *key, const sso_json_writer_t *claims,
                          const char **ret_token)
{
    sso_json_writer_t *header = sso_json_object_make(ctx->pool);
    sso_json_set_text(header, "alg", "ES256");
    sso_json_set_text(header, "typ", "JWT");
    sso_json_set_text(header, "kid", sso_signing_key_id(key));
    const char *input = signing_input(ctx->pool, header, claims);
    unsigned char sig[SSO_ES256_BYTES];
    sso_rc rc = sso_signing_key_sign(ctx, key, input, strlen(input), sig);
    if (rc == SSO_OK) {
        *ret_token = token_join(ctx->pool, input, sig, sizeof(sig));
    }
    return rc;
}
