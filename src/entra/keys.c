/* SPDX-License-Identifier: Apache-2.0 */
/* A key set from a JWKS document: keeps what is an RSA signature key beyond doubt and nothing else. */
#include "entra/keys.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"

#define TENANT_PLACE "{tenantid}"
/* A login host, a tenant and "/v2.0" are some 80 bytes. */
#define ISSUER_MAX 1024

/* A member that must be this text if it is there. */
static bool member_is(const sso_json_t *entry, const char *name, const char *expected)
{
    if (sso_json_get(entry, name) == NULL) {
        return true;
    }
    const char *text = sso_json_get_text(entry, name);
    return text != NULL && strcmp(text, expected) == 0;
}

/* How many entries have this kid, whatever else they are: of two keys of one name none can be meant. */
static int kid_count(const sso_json_t *entries, const char *kid)
{
    int count = 0;
    for (apr_size_t i = 0; i < sso_json_size(entries); i++) {
        const char *other = sso_json_get_text(sso_json_at(entries, i), "kid");
        if (other != NULL && strcmp(other, kid) == 0) {
            count++;
        }
    }
    return count;
}

/* Why an entry cannot be used, NULL when it can, but for its numbers. */
static const char *entry_check(const sso_json_t *entries, const sso_json_t *entry)
{
    const char *kid = sso_json_get_text(entry, "kid");
    if (kid == NULL || kid[0] == '\0' || strlen(kid) > SSO_MAX_KID) {
        return "it has no usable kid";
    }
    if (sso_json_get(entry, "kty") == NULL || !member_is(entry, "kty", "RSA")) {
        return "its kty is not RSA";
    }
    /* use and alg are optional (RFC 7517 4.2, 4.4), but must not say otherwise. */
    if (!member_is(entry, "use", "sig") || !member_is(entry, "alg", "RS256")) {
        return "it is not for RS256 signatures";
    }
    const sso_json_t *issuer = sso_json_get(entry, "issuer");
    if (issuer != NULL && (sso_json_text(issuer) == NULL || strlen(sso_json_text(issuer)) > ISSUER_MAX)) {
        return "its issuer is no string, or too long";
    }
    return kid_count(entries, kid) > 1 ? "its kid stands twice" : NULL;
}

/* False when the entry was left out. */
static bool entry_parse(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *entries, const sso_json_t *entry,
                        sso_key_t *ret_key)
{
    const char *kid = sso_json_get_text(entry, "kid");
    const char *why = entry_check(entries, entry);
    if (why == NULL && sso_jwk_make(ctx, pool, sso_json_get_text(entry, "n"), sso_json_get_text(entry, "e"),
                                    &ret_key->jwk) != SSO_OK) {
        why = apr_pstrdup(ctx->pool, ctx->fault.detail);
        /* One odd entry does not spoil the others. */
        sso_fault_clear(ctx);
    }
    if (why != NULL) {
        sso_debug(ctx, "key %s is left out: %s", sso_printable(ctx->pool, kid), why);
        return false;
    }
    ret_key->kid = apr_pstrdup(pool, kid);
    ret_key->issuer = apr_pstrdup(pool, sso_json_get_text(entry, "issuer"));
    return true;
}

static sso_rc entries_parse(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *document, const sso_keyset_t **ret_keys)
{
    const sso_json_t *entries = sso_json_get(document, "keys");
    if (entries == NULL || sso_json_type(entries) != SSO_JSON_ARRAY) {
        return sso_fail(ctx, SSO_R_KEYS_FORMAT, "no array of keys");
    }
    apr_size_t size = sso_json_size(entries);
    if (size > SSO_MAX_KEYS) {
        return sso_fail(ctx, SSO_R_KEYS_FORMAT, "%" APR_SIZE_T_FMT " keys", size);
    }
    sso_key_t *keys = apr_pcalloc(pool, (size + 1) * sizeof(*keys));
    int count = 0;
    for (apr_size_t i = 0; i < size; i++) {
        if (entry_parse(ctx, pool, entries, sso_json_at(entries, i), &keys[count])) {
            count++;
        }
    }
    if (count == 0) {
        return sso_fail(ctx, SSO_R_KEYS_NONE, "none of %" APR_SIZE_T_FMT " entries", size);
    }
    sso_keyset_t *set = apr_palloc(pool, sizeof(*set));
    set->keys = keys;
    set->count = count;
    *ret_keys = set;
    return SSO_OK;
}

sso_rc sso_keys_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len, const sso_keyset_t **ret_keys)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, ctx->pool);
    const sso_json_t *document;
    sso_rc rc = sso_json_parse(ctx, scratch, text, len, SSO_MAX_JWKS, &document);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the key set, not of JSON in general. */
        const char *name = sso_reason(rc)->name;
        sso_fault_clear(ctx);
        rc = sso_fail(ctx, SSO_R_KEYS_FORMAT, "no strict JSON (%s)", name);
    } else {
        rc = entries_parse(ctx, pool, document, ret_keys);
    }
    apr_pool_destroy(scratch);
    return rc;
}

const sso_key_t *sso_keys_find(const sso_keyset_t *keys, const char *kid)
{
    for (int i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].kid, kid) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

const char *sso_issuer_expand(apr_pool_t *pool, const char *text, const char *tid)
{
    const char *result = "";
    const char *place;
    while ((place = strstr(text, TENANT_PLACE)) != NULL) {
        result = apr_pstrcat(pool, result, apr_pstrmemdup(pool, text, (apr_size_t)(place - text)), tid, NULL);
        text = place + sizeof(TENANT_PLACE) - 1;
    }
    return apr_pstrcat(pool, result, text, NULL);
}

/* SECURITY: keeps a key that is published for one issuer, such as personal accounts, from signing for another. */
sso_rc sso_key_issuer_check(sso_ctx_t *ctx, const sso_key_t *key, const char *iss, const char *tid, bool required)
{
    if (key->issuer == NULL) {
        if (required) {
            return sso_fail(ctx, SSO_R_JWT_KEY_ISSUER_MISSING, "kid %s", sso_printable(ctx->pool, key->kid));
        }
        return SSO_OK;
    }
    if (strcmp(sso_issuer_expand(ctx->pool, key->issuer, tid), iss) != 0) {
        return sso_fail(ctx, SSO_R_JWT_KEY_ISSUER, "kid %s is of %s, the token of %s",
                        sso_printable(ctx->pool, key->kid), sso_printable(ctx->pool, key->issuer),
                        sso_printable(ctx->pool, iss));
    }
    return SSO_OK;
}
