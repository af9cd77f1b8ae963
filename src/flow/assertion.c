/* SPDX-License-Identifier: Apache-2.0 */
/* Signed identity: ES256 over what the session knows, by the first key of the ring. Only public numbers are printed. */
#include "flow/assertion.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "entra/jwt.h"

/* The length before each. */
#define LENGTH 4

const void *sso_subject_bytes(apr_pool_t *pool, const char *place, const sso_subject_t *subject, apr_size_t *ret_len)
{
    const sso_record_t *record = subject->record;
    const char *const texts[] = {place,        subject->user, record->oid, record->tid, record->username,
                                 record->name, record->email, NULL};
    const sso_list_t *const lists[] = {subject->roles, &record->groups, NULL};
    apr_size_t max = sizeof(record->id);
    for (int i = 0; texts[i] != NULL; i++) {
        max += strlen(texts[i]) + LENGTH;
    }
    for (int i = 0; lists[i] != NULL; i++) {
        max += lists[i]->len + LENGTH;
    }
    sso_writer_t w;
    sso_writer_init(&w, pool, max);
    sso_write_bytes(&w, record->id, sizeof(record->id));
    for (int i = 0; texts[i] != NULL; i++) {
        sso_write_u32(&w, (uint32_t)strlen(texts[i]));
        sso_write_bytes(&w, texts[i], strlen(texts[i]));
    }
    for (int i = 0; lists[i] != NULL; i++) {
        sso_write_u32(&w, (uint32_t)lists[i]->len);
        sso_write_bytes(&w, lists[i]->data, lists[i]->len);
    }
    *ret_len = w.len;
    return w.data;
}

static void set_list(sso_json_writer_t *claims, apr_pool_t *pool, const char *name, const sso_list_t *list)
{
    apr_size_t count;
    const char *const *items = sso_list_items(pool, list, &count);
    sso_json_set_list(claims, name, items, count);
}

/* The session's id itself would name the session in our log and in the store; a digest of it names it to backends. */
static const char *session_name(apr_pool_t *pool, const sso_record_t *record)
{
    static const char PURPOSE[] = "entra-sso assertion sid 1";
    unsigned char input[sizeof(PURPOSE) + SSO_SESSION_ID_BYTES];
    unsigned char digest[SSO_SHA256_BYTES];
    memcpy(input, PURPOSE, sizeof(PURPOSE));
    memcpy(input + sizeof(PURPOSE), record->id, SSO_SESSION_ID_BYTES);
    sso_sha256(input, sizeof(input), digest);
    return sso_base64url(pool, digest, sizeof(digest));
}

static const char *unless_empty(const char *text)
{
    return *text == '\0' ? NULL : text;
}

static sso_rc sign(sso_ctx_t *ctx, const sso_site_t *site, const sso_signing_key_t *key, const char *issuer,
                   const sso_subject_t *subject, const char **ret_token)
{
    const sso_record_t *record = subject->record;
    const char *id;
    sso_rc rc = sso_random_guid(ctx, &id);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_json_writer_t *claims = sso_json_object_make(ctx->pool);
    sso_json_set_text(claims, "iss", issuer);
    sso_json_set_text(claims, "aud", site->origin->text);
    sso_json_set_text(claims, "sub", apr_pstrcat(ctx->pool, record->oid, "@", record->tid, NULL));
    sso_json_set_text(claims, "oid", record->oid);
    sso_json_set_text(claims, "tid", record->tid);
    sso_json_set_text(claims, "user", subject->user);
    sso_json_set_text(claims, "preferred_username", unless_empty(record->username));
    sso_json_set_text(claims, "name", unless_empty(record->name));
    sso_json_set_text(claims, "email", unless_empty(record->email));
    set_list(claims, ctx->pool, "roles", subject->roles);
    set_list(claims, ctx->pool, "groups", &record->groups);
    sso_json_set_text(claims, "sid", session_name(ctx->pool, record));
    sso_json_set_integer(claims, "iat", apr_time_sec(ctx->now));
    sso_json_set_integer(claims, "nbf", apr_time_sec(ctx->now - SSO_ASSERTION_BACKDATE));
    sso_json_set_integer(claims, "exp", apr_time_sec(ctx->now + SSO_ASSERTION_LIFE));
    sso_json_set_text(claims, "jti", id);
    return sso_jwt_sign_es256(ctx, key, claims, ret_token);
}

sso_rc sso_assertion_get(sso_ctx_t *ctx, const sso_site_t *site, const sso_subject_t *subject, sso_kept_t *kept,
                         const char **ret_token)
{
    const char *issuer = apr_pstrcat(ctx->pool, site->origin->text, site->path, NULL);
    const sso_signing_key_t *keys[SSO_MAX_RING_KEYS];
    (void)sso_keyring_signing_keys(ctx, site->session.keyring, keys);
    /* A rotated key signs at once, also for whom an assertion is kept. */
    const char *place = apr_pstrcat(ctx->pool, issuer, " ", sso_signing_key_id(keys[0]), NULL);
    apr_size_t len;
    const void *bytes = sso_subject_bytes(ctx->pool, place, subject, &len);
    const char *token = sso_kept_get(kept, bytes, len, ctx->now, SSO_ASSERTION_REUSE);
    if (token == NULL) {
        sso_rc rc = sign(ctx, site, keys[0], issuer, subject, &token);
        if (rc != SSO_OK) {
            return rc;
        }
        token = sso_kept_set(kept, bytes, len, token, ctx->now);
    }
    *ret_token = token;
    return SSO_OK;
}

const char *sso_assertion_keys(sso_ctx_t *ctx, const sso_keyring_t *ring)
{
    sso_json_writer_t *set = sso_json_object_make(ctx->pool);
    const sso_signing_key_t *keys[SSO_MAX_RING_KEYS];
    int count = sso_keyring_signing_keys(ctx, ring, keys);
    for (int i = 0; i < count; i++) {
        sso_json_writer_t *jwk = sso_json_add_object(set, "keys");
        sso_json_set_text(jwk, "kty", "EC");
        sso_json_set_text(jwk, "crv", "P-256");
        sso_json_set_text(jwk, "use", "sig");
        sso_json_set_text(jwk, "alg", "ES256");
        sso_json_set_text(jwk, "kid", sso_signing_key_id(keys[i]));
        sso_json_set_text(jwk, "x", sso_signing_key_x(keys[i]));
        sso_json_set_text(jwk, "y", sso_signing_key_y(keys[i]));
    }
    return sso_json_print(ctx->pool, set);
}
