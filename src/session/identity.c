/* SPDX-License-Identifier: Apache-2.0 */
/* Claims into record fields. The values come from Entra, but people and other tenants' administrators write them. */
#include "session/identity.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Replaces C0, DEL and C1 (U+0080 to U+009F as UTF-8) by spaces, so that no encoding of a header can bring one back. */
static const char *without_controls(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text);
    for (unsigned char *p = (unsigned char *)copy; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = ' ';
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
            *p = ' ';
            p[1] = ' ';
        }
    }
    return copy;
}

static bool is_clean(apr_pool_t *pool, const char *text)
{
    return strcmp(without_controls(pool, text), text) == 0;
}

bool sso_identity_is_exact(apr_pool_t *pool, const char *text)
{
    apr_size_t len = strlen(text);
    return len > 0 && len <= SSO_MAX_CLAIM_VALUE && text[0] != ' ' && text[len - 1] != ' ' && is_clean(pool, text);
}

bool sso_identity_is_plain(apr_pool_t *pool, const char *text)
{
    return strlen(text) <= SSO_MAX_CLAIM_VALUE && is_clean(pool, text);
}

static sso_rc fill_display(sso_ctx_t *ctx, const sso_idtoken_t *token, const char *claim, const char **ret_text)
{
    const char *text = sso_json_get_text(token->claims, claim);
    if (text != NULL && strlen(text) > SSO_MAX_CLAIM_VALUE) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "%s has %" APR_SIZE_T_FMT " bytes", claim, strlen(text));
    }
    *ret_text = text == NULL ? "" : without_controls(ctx->pool, text);
    return SSO_OK;
}

static sso_rc fill_username(sso_ctx_t *ctx, const sso_idtoken_t *token, sso_record_t *record)
{
    const char *text = sso_json_get_text(token->claims, "preferred_username");
    if (text == NULL || *text == '\0') {
        record->username = "";
        return SSO_OK;
    }
    if (!sso_identity_is_exact(ctx->pool, text)) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM,
                        "preferred_username is too long, or begins or ends with a space, "
                        "or holds a control character");
    }
    record->username = apr_pstrdup(ctx->pool, text);
    return SSO_OK;
}

/* An array of plain strings, and nothing else: what is dropped here could be what a rule waits for. An absent claim is
 * an empty list. */
static sso_rc read_texts(sso_ctx_t *ctx, const sso_idtoken_t *token, const char *claim, apr_array_header_t **ret_items)
{
    const sso_json_t *list = sso_json_get(token->claims, claim);
    apr_size_t count = sso_json_size(list);
    if (list != NULL && sso_json_type(list) != SSO_JSON_ARRAY) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "%s is no array", claim);
    }
    if (count > SSO_MAX_LIST_ITEMS) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "%s has %" APR_SIZE_T_FMT " items", claim, count);
    }
    apr_array_header_t *items = apr_array_make(ctx->pool, (int)count + 1, sizeof(const char *));
    for (apr_size_t i = 0; i < count; i++) {
        const char *text = sso_json_text(sso_json_at(list, i));
        if (text == NULL || !sso_identity_is_exact(ctx->pool, text)) {
            return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "an item of %s is no plain text", claim);
        }
        APR_ARRAY_PUSH(items, const char *) = text;
    }
    *ret_items = items;
    return SSO_OK;
}

static sso_rc fill_roles(sso_ctx_t *ctx, const sso_idtoken_t *token, sso_record_t *record)
{
    apr_array_header_t *items;
    sso_rc rc = read_texts(ctx, token, "roles", &items);
    if (rc == SSO_OK) {
        record->roles = sso_list_make(ctx->pool, items);
    }
    return rc;
}

static bool has_text(const apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (strcmp(sso_text_at(texts, i), text) == 0) {
            return true;
        }
    }
    return false;
}

sso_rc sso_identity_fill_acrs(sso_ctx_t *ctx, const sso_idtoken_t *token, const apr_array_header_t *contexts,
                              sso_record_t *record)
{
    apr_array_header_t *items;
    /* A site without contexts of its own has no business with the claim, whatever stands in it. */
    if (contexts == NULL || contexts->nelts == 0) {
        record->acrs = (sso_list_t){NULL, 0, 0};
        return SSO_OK;
    }
    sso_rc rc = read_texts(ctx, token, "acrs", &items);
    if (rc != SSO_OK) {
        return rc;
    }
    apr_array_header_t *kept = apr_array_make(ctx->pool, contexts->nelts, sizeof(const char *));
    for (int i = 0; i < contexts->nelts; i++) {
        if (has_text(items, sso_text_at(contexts, i))) {
            APR_ARRAY_PUSH(kept, const char *) = sso_text_at(contexts, i);
        }
    }
    record->acrs = sso_list_make(ctx->pool, kept);
    return SSO_OK;
}

/* "extn.attribute" is a claim of its own; only then is the dot a step into an object. */
static const sso_json_t *find_claim(sso_ctx_t *ctx, const sso_json_t *claims, const char *name)
{
    const sso_json_t *value = sso_json_get(claims, name);
    const char *dot = strchr(name, '.');
    if (value == NULL && dot != NULL) {
        const char *outer = apr_pstrmemdup(ctx->pool, name, (apr_size_t)(dot - name));
        value = sso_json_get(sso_json_get(claims, outer), dot + 1);
    }
    return value;
}

/* NULL for null, objects, arrays and reals: they have no one text. */
static const char *scalar_text(sso_ctx_t *ctx, const sso_json_t *value)
{
    int64_t number;
    const char *text = sso_json_text(value);
    if (text != NULL) {
        return text;
    }
    if (sso_json_integer(value, &number)) {
        return apr_psprintf(ctx->pool, "%" APR_INT64_T_FMT, (apr_int64_t)number);
    }
    if (value != NULL && sso_json_type(value) == SSO_JSON_BOOL) {
        return sso_json_is_true(value) ? "true" : "false";
    }
    return NULL;
}

/* The scopes of an access token: one text with blanks between them (RFC 9068 section 2.2.3), so that a rule can ask for
 * one of them. */
static sso_rc add_scopes(sso_ctx_t *ctx, const char *scp, apr_array_header_t *packed)
{
    apr_array_header_t *scopes = apr_array_make(ctx->pool, 8, sizeof(const char *));
    if (!sso_identity_is_plain(ctx->pool, scp)) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "scp is too long or holds control characters");
    }
    for (apr_size_t len; *(scp += strspn(scp, " ")) != '\0'; scp += len) {
        len = strcspn(scp, " ");
        APR_ARRAY_PUSH(scopes, const char *) = apr_pstrmemdup(ctx->pool, scp, len);
    }
    if (scopes->nelts > 0 && scopes->nelts <= SSO_MAX_LIST_ITEMS) {
        sso_claims_add(ctx->pool, packed, "scp", scopes);
    }
    return scopes->nelts <= SSO_MAX_LIST_ITEMS ? SSO_OK
                                               : sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "scp has %d items", scopes->nelts);
}

static sso_rc add_claim(sso_ctx_t *ctx, const char *name, const sso_json_t *value, apr_array_header_t *packed)
{
    if (strcmp(name, "scp") == 0 && sso_json_text(value) != NULL) {
        return add_scopes(ctx, sso_json_text(value), packed);
    }
    bool list = sso_json_type(value) == SSO_JSON_ARRAY;
    apr_size_t count = list ? sso_json_size(value) : 1;
    if (count > SSO_MAX_LIST_ITEMS) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "%s has %" APR_SIZE_T_FMT " items", name, count);
    }
    apr_array_header_t *texts = apr_array_make(ctx->pool, (int)count + 1, sizeof(const char *));
    for (apr_size_t i = 0; i < count; i++) {
        const char *text = scalar_text(ctx, list ? sso_json_at(value, i) : value);
        if (text != NULL && !sso_identity_is_plain(ctx->pool, text)) {
            return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "%s has a value that is too long or holds control characters",
                            name);
        }
        if (text != NULL) {
            APR_ARRAY_PUSH(texts, const char *) = text;
        }
    }
    if (texts->nelts > 0) {
        sso_claims_add(ctx->pool, packed, name, texts);
    }
    return SSO_OK;
}

static sso_rc fill_claims(sso_ctx_t *ctx, const sso_idtoken_t *token, const apr_array_header_t *names,
                          sso_record_t *record)
{
    apr_array_header_t *packed = apr_array_make(ctx->pool, 8, sizeof(const char *));
    for (int i = 0; names != NULL && i < names->nelts; i++) {
        const char *name = sso_text_at(names, i);
        const sso_json_t *value = find_claim(ctx, token->claims, name);
        sso_rc rc = value == NULL ? SSO_OK : add_claim(ctx, name, value, packed);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    record->claims = sso_list_make(ctx->pool, packed);
    return SSO_OK;
}

sso_rc sso_identity_fill(sso_ctx_t *ctx, const sso_idtoken_t *token, const apr_array_header_t *claim_names,
                         sso_record_t *record)
{
    record->oid = token->oid;
    record->tid = token->tid;
    record->sid = token->sid == NULL ? "" : without_controls(ctx->pool, token->sid);
    record->login_hint = token->login_hint == NULL ? "" : without_controls(ctx->pool, token->login_hint);
    record->auth_time = token->auth_time;
    record->groups = (sso_list_t){NULL, 0, 0};
    record->acrs = (sso_list_t){NULL, 0, 0};
    sso_rc rc = fill_username(ctx, token, record);
    if (rc == SSO_OK) {
        rc = fill_display(ctx, token, "name", &record->name);
    }
    if (rc == SSO_OK) {
        rc = fill_display(ctx, token, "email", &record->email);
    }
    if (rc == SSO_OK) {
        rc = fill_roles(ctx, token, record);
    }
    return rc != SSO_OK ? rc : fill_claims(ctx, token, claim_names, record);
}
