/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter `claims`, composed of its parts, and the challenges that bring one of them. */
#include "entra/challenge.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"

/* ---- composing ---- */

/* The member of that name, made of the challenge's, with the rest still to be added. */
typedef struct {
    sso_json_writer_t *into;
} copy_t;

static bool copy_member(void *baton, const char *name, const sso_json_t *member)
{
    sso_json_set_value(((copy_t *)baton)->into, name, member);
    return true;
}

/* A claims request is an object of objects: "access_token", "id_token", "userinfo". */
static bool is_object(void *baton, const char *name, const sso_json_t *member)
{
    (void)name;
    bool *good = baton;
    *good = *good && sso_json_type(member) == SSO_JSON_OBJECT;
    return *good;
}

static sso_rc challenge_parse(sso_ctx_t *ctx, const char *text, const sso_json_t **ret_challenge)
{
    const sso_json_t *challenge = NULL;
    bool good = true;
    sso_rc rc = sso_json_parse(ctx, ctx->pool, text, strlen(text), SSO_MAX_CHALLENGE_CLAIMS, &challenge);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the challenge, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_PROBE_CHALLENGE, "its claims are no strict JSON (%s)", sso_reason(rc)->name);
    }
    sso_json_each(challenge, is_object, &good);
    if (sso_json_type(challenge) != SSO_JSON_OBJECT || sso_json_size(sso_json_get(challenge, "access_token")) == 0 ||
        !good) {
        return sso_fail(ctx, SSO_R_PROBE_CHALLENGE, "its claims ask for nothing in an access token");
    }
    *ret_challenge = challenge;
    return SSO_OK;
}

/* SECURITY: what we ask for ourselves stands last, so that a challenge cannot take it back. */
sso_rc sso_claims_compose(sso_ctx_t *ctx, const sso_claims_parts_t *parts, const char **ret_claims)
{
    static const char *const capabilities[] = {"cp1"};
    const sso_json_t *challenge = NULL;
    if (parts->challenge != NULL) {
        sso_rc rc = challenge_parse(ctx, parts->challenge, &challenge);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    if (challenge == NULL && parts->acr == NULL && !parts->continuous) {
        *ret_claims = NULL;
        return SSO_OK;
    }
    sso_json_writer_t *claims = sso_json_object_make(ctx->pool);
    copy_t copy = {claims};
    sso_json_each(challenge, copy_member, &copy);
    if (parts->acr != NULL) {
        copy.into = sso_json_set_object(claims, "id_token");
        sso_json_each(sso_json_get(challenge, "id_token"), copy_member, &copy);
        sso_json_writer_t *acrs = sso_json_set_object(copy.into, "acrs");
        sso_json_set_bool(acrs, "essential", true);
        sso_json_set_text(acrs, "value", parts->acr);
    }
    if (parts->continuous) {
        copy.into = sso_json_set_object(claims, "access_token");
        sso_json_each(sso_json_get(challenge, "access_token"), copy_member, &copy);
        sso_json_set_list(sso_json_set_object(copy.into, "xms_cc"), "values", capabilities, 1);
    }
    *ret_claims = sso_json_print(ctx->pool, claims);
    return SSO_OK;
}

/* ---- reading a challenge ---- */

/* Of RFC 9110 5.6.2. */
#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* Of a token68 (RFC 9110 11.2), before its '='. */
#define TOKEN68 "-._~+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BLANK " \t"

/* One challenge, as far as it has been read. */
typedef struct {
    const char *scheme;
    apr_table_t *fields;
} challenge_t;

static const char *skip(const char *at, const char *characters)
{
    return at + strspn(at, characters);
}

/* A token or quoted string (RFC 9110 5.6.4). NULL when it is neither; *at behind it. */
static const char *value_read(apr_pool_t *pool, const char **at)
{
    const char *from = *at;
    if (*from != '"') {
        *at = skip(from, TOKEN);
        return *at == from ? NULL : apr_pstrmemdup(pool, from, (apr_size_t)(*at - from));
    }
    char *value = apr_palloc(pool, strlen(from) + 1);
    char *end = value;
    for (from++; *from != '"'; from++) {
        from += *from == '\\' ? 1 : 0;
        if (*from == '\0' || (*from < ' ' && *from != '\t') || *from == 0x7f) {
            return NULL;
        }
        *end++ = *from;
    }
    *end = '\0';
    *at = from + 1;
    return value;
}

/* "name = value" into the challenge; false when there is none, with *at as it was. */
static bool field_read(apr_pool_t *pool, const char **at, challenge_t *challenge, bool *good)
{
    const char *name_end = skip(*at, TOKEN);
    const char *equals = skip(name_end, BLANK);
    if (name_end == *at || *equals != '=') {
        return false;
    }
    const char *name = apr_pstrmemdup(pool, *at, (apr_size_t)(name_end - *at));
    const char *value_at = skip(equals + 1, BLANK);
    const char *value = value_read(pool, &value_at);
    /* The padding of a token68 looks like a field without a value. */
    if (value == NULL && *value_at != '"') {
        return false;
    }
    /* SECURITY: two of one name: which is meant is anybody's guess, so it is nobody's. */
    *good = *good && value != NULL && apr_table_get(challenge->fields, name) == NULL;
    if (value != NULL) {
        apr_table_setn(challenge->fields, name, value);
    }
    *at = value_at;
    return true;
}

static sso_rc claims_take(sso_ctx_t *ctx, const challenge_t *challenge, const char **ret_claims)
{
    const char *error = challenge->scheme == NULL || apr_cstr_casecmp(challenge->scheme, "Bearer") != 0
                            ? NULL
                            : apr_table_get(challenge->fields, "error");
    if (error == NULL || strcmp(error, "insufficient_claims") != 0) {
        return SSO_OK;
    }
    const char *text = apr_table_get(challenge->fields, "claims");
    const sso_json_t *parsed;
    apr_size_t len = 0;
    if (*ret_claims != NULL) {
        return sso_fail(ctx, SSO_R_PROBE_CHALLENGE, "it challenges twice");
    }
    if (text == NULL || strlen(text) > (SSO_MAX_CHALLENGE_CLAIMS + 2) / 3 * 4) {
        return sso_fail(ctx, SSO_R_PROBE_CHALLENGE, text == NULL ? "it has no claims" : "its claims are too long");
    }
    const char *claims = (const char *)sso_base64_decode(ctx->pool, text, strlen(text), &len);
    if (claims == NULL || strlen(claims) != len) {
        return sso_fail(ctx, SSO_R_PROBE_CHALLENGE, "its claims are no base64 of a text");
    }
    sso_rc rc = challenge_parse(ctx, claims, &parsed);
    if (rc == SSO_OK) {
        *ret_claims = claims;
    }
    return rc;
}

/* The scheme of the next challenge, and the token68 that may follow in the place of fields. False when there is none.
 */
static bool scheme_read(sso_ctx_t *ctx, const char **at, challenge_t *challenge)
{
    const char *end = skip(*at, TOKEN);
    if (end == *at || strchr(" \t,", *end) == NULL) {
        return false;
    }
    challenge->scheme = apr_pstrmemdup(ctx->pool, *at, (apr_size_t)(end - *at));
    challenge->fields = apr_table_make(ctx->pool, 4);
    *at = skip(end, BLANK);
    const char *behind = skip(skip(skip(*at, TOKEN68), "="), BLANK);
    if (behind != *at && (*behind == ',' || *behind == '\0')) {
        *at = behind;
    }
    return true;
}

sso_rc sso_challenge_read(sso_ctx_t *ctx, const char *header, const char **ret_claims)
{
    challenge_t challenge = {.scheme = NULL};
    const char *claims = NULL;
    bool good = header == NULL || strlen(header) <= SSO_MAX_CHALLENGE;
    sso_rc rc = SSO_OK;
    for (const char *at = header == NULL ? "" : skip(header, BLANK ","); good && rc == SSO_OK && *at != '\0';) {
        if (challenge.scheme == NULL || !field_read(ctx->pool, &at, &challenge, &good)) {
            rc = claims_take(ctx, &challenge, &claims);
            good = good && scheme_read(ctx, &at, &challenge);
            /* A first field follows the scheme without a comma. */
            good = good && (*at == '\0' || *at == ',' || field_read(ctx->pool, &at, &challenge, &good));
        }
        at = skip(at, BLANK);
        good = good && (*at == '\0' || *at == ',');
        at = skip(at, BLANK ",");
    }
    if (rc == SSO_OK && !good) {
        rc = sso_fail(ctx, SSO_R_PROBE_CHALLENGE, "WWW-Authenticate does not follow RFC 9110");
    }
    if (rc == SSO_OK) {
        rc = claims_take(ctx, &challenge, &claims);
    }
    if (rc == SSO_OK) {
        *ret_claims = claims;
    }
    return rc;
}
