/* SPDX-License-Identifier: Apache-2.0 */
/* Access by bearer token. A token is judged whole or refused whole; what was found out is remembered, a refusal never.
 */
#include "flow/bearer.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "base/limits.h"
#include "entra/accesstoken.h"
#include "flow/directory.h"
#include "flow/groups.h"
#include "session/identity.h"

#define REMEMBER_MAX apr_time_from_sec(3600)
/* Microsoft's own APIs, Graph among them, have ids of this form. */
#define MICROSOFT_ID_END "-0000-0000-c000-000000000000"
#define FLAG_APP 1
#define FLAG_GROUPS_UNKNOWN 2

static const char *check_audience(apr_pool_t *pool, const char *word)
{
    apr_size_t len = strlen(word);
    if (sso_is_guid(word)) {
        /* SECURITY: a token for Graph is meant for Graph, whoever brings it. */
        return strcmp(word + 8, MICROSOFT_ID_END) == 0 ? "that is an API of Microsoft's, not this application's" : NULL;
    }
    if (strncmp(word, "api://", 6) != 0 || len < 7 || len > SSO_MAX_CLAIM_NAME * 2) {
        return apr_psprintf(pool,
                            "'%s' is no audience; write the API's client ID, a GUID (access tokens of version 2.0), or "
                            "its Application ID URI, api://... (of version 1.0)",
                            word);
    }
    for (const char *p = word; *p != '\0'; p++) {
        if (!apr_isgraph(*p) || strchr("\"'\\<>", *p) != NULL) {
            return "the URI holds a character that no URI has";
        }
    }
    return NULL;
}

const char *sso_audiences_make(apr_pool_t *pool, const apr_array_header_t *words, const sso_audiences_t **ret_audiences)
{
    sso_audiences_t *audiences = apr_pcalloc(pool, sizeof(*audiences));
    apr_array_header_t *items = apr_array_make(pool, words->nelts, sizeof(const char *));
    const char *all = "";
    for (int i = 0; i < words->nelts; i++) {
        char *word = apr_pstrdup(pool, sso_text_at(words, i));
        if (sso_is_guid(word)) {
            for (char *p = word; *p != '\0'; p++) {
                *p = (char)apr_tolower(*p);
            }
        }
        const char *wrong = check_audience(pool, word);
        if (wrong != NULL) {
            return wrong;
        }
        APR_ARRAY_PUSH(items, const char *) = word;
        all = apr_pstrcat(pool, all, word, " ", NULL);
    }
    audiences->items = items;
    sso_sha256(all, strlen(all), audiences->digest);
    *ret_audiences = audiences;
    return NULL;
}

/* ---- the header ---- */

static bool is_token_character(char c)
{
    return apr_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* SECURITY: the word stands there by itself, wherever. Applications read this header in many ways, and some search it.
 */
static bool names_bearer(const char *value)
{
    for (const char *p = value; *p != '\0'; p++) {
        if (apr_cstr_casecmpn(p, "bearer", 6) == 0 && (p == value || !is_token_character(p[-1])) &&
            !is_token_character(p[6])) {
            return true;
        }
    }
    return false;
}

/* RFC 6750 2.1: the scheme, one blank or more, one b64token. */
sso_rc sso_bearer_token(sso_ctx_t *ctx, const char *authorization, const char **ret_token)
{
    *ret_token = NULL;
    if (authorization == NULL || !names_bearer(authorization)) {
        return SSO_OK;
    }
    const char *token = authorization + strcspn(authorization, " ");
    if (apr_cstr_casecmpn(authorization, "bearer ", 7) != 0) {
        return sso_fail(ctx, SSO_R_BEARER_FORMAT, "something else stands before the scheme or right behind it");
    }
    token += strspn(token, " ");
    apr_size_t len = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");
    if (len == 0 || token[len] != '\0') {
        return sso_fail(ctx, SSO_R_BEARER_FORMAT, len == 0 ? "there is no token" : "more than one token");
    }
    *ret_token = token;
    return SSO_OK;
}

/* ---- what is remembered ---- */

/* SECURITY: of the token and of all that it was judged by: a token that is good for one section must not be found for
 * another. What else the judgement needs is fixed for the life of the process with its site, whose address names it. */
static void memo_key(const sso_site_t *site, const sso_audiences_t *audiences, const char *token,
                     unsigned char ret_key[static SSO_SHA256_BYTES])
{
    unsigned char parts[SSO_SHA256_BYTES * 2 + sizeof(site)];
    sso_sha256(token, strlen(token), parts);
    memcpy(parts + SSO_SHA256_BYTES, audiences->digest, SSO_SHA256_BYTES);
    memcpy(parts + SSO_SHA256_BYTES * 2, &site, sizeof(site));
    sso_sha256(parts, sizeof(parts), ret_key);
}

static bool recall(sso_ctx_t *ctx, const sso_site_t *site, const unsigned char *key, sso_bearer_t *ret_bearer)
{
    const unsigned char *data;
    apr_size_t len;
    uint32_t generation = sso_authority_generation(site->authority);
    if (site->bearers == NULL || generation == 0 ||
        !sso_memo_get(site->bearers, key, generation, ctx->now, ctx->pool, &data, &len)) {
        return false;
    }
    sso_reader_t r;
    sso_reader_init(&r, data, len);
    uint8_t flags = sso_read_u8(&r);
    ret_bearer->client = sso_read_text(&r);
    ret_bearer->app_only = (flags & FLAG_APP) != 0;
    ret_bearer->groups_unknown = (flags & FLAG_GROUPS_UNKNOWN) != 0;
    bool good = !r.failed && sso_record_unpack(ctx, data + r.pos, len - r.pos, &ret_bearer->record) == SSO_OK &&
                /* Before the clock was set back it may have been younger than now. */
                ret_bearer->record.created <= ctx->now + site->skew &&
                /* SECURITY: a user who was disabled or lost a group since then is judged anew. */
                (ret_bearer->app_only || !sso_directory_is_stale(ctx, site, &ret_bearer->record));
    /* What cannot be read is found out anew. */
    sso_fault_clear(ctx);
    return good;
}

static void remember(sso_ctx_t *ctx, const sso_site_t *site, const unsigned char *key, uint32_t generation,
                     const sso_bearer_t *bearer)
{
    const unsigned char *record;
    apr_size_t len;
    sso_writer_t w;
    if (site->bearers == NULL || sso_record_pack(ctx, &bearer->record, SSO_MAX_MEMO_BYTES, &record, &len) != SSO_OK) {
        /* Too large: the next request checks the token again. */
        sso_fault_clear(ctx);
        return;
    }
    sso_writer_init(&w, ctx->pool, SSO_MAX_MEMO_BYTES);
    sso_write_u8(&w, (uint8_t)((bearer->app_only ? FLAG_APP : 0) | (bearer->groups_unknown ? FLAG_GROUPS_UNKNOWN : 0)));
    sso_write_text(&w, bearer->client);
    sso_write_bytes(&w, record, len);
    if (!w.failed) {
        apr_time_t until = ctx->now + REMEMBER_MAX;
        until = bearer->record.ends < until ? bearer->record.ends : until;
        sso_memo_put(site->bearers, key, generation, ctx->now, until, w.data, w.len);
    }
}

/* ---- one token ---- */

/* Version 1.0 has upn for what 2.0 calls preferred_username. */
static sso_rc fill_user_name(sso_ctx_t *ctx, const sso_accesstoken_t *token, sso_record_t *record)
{
    const char *upn = sso_json_get_text(token->identity.claims, "upn");
    if (*record->username != '\0' || token->app_only || upn == NULL || *upn == '\0') {
        return SSO_OK;
    }
    if (!sso_identity_is_exact(ctx->pool, upn)) {
        return sso_fail(ctx, SSO_R_IDENTITY_CLAIM, "upn is no plain text");
    }
    record->username = apr_pstrdup(ctx->pool, upn);
    return SSO_OK;
}

static sso_rc fill(sso_ctx_t *ctx, const sso_site_t *site, const char *text, const sso_accesstoken_t *token,
                   sso_bearer_t *bearer)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_record_t *record = &bearer->record;
    sso_rc rc = sso_identity_fill(ctx, &token->identity, site->claims, record);
    if (rc == SSO_OK) {
        rc = fill_user_name(ctx, token, record);
    }
    if (rc == SSO_OK) {
        rc = sso_identity_fill_acrs(ctx, &token->identity, site->acrs, record);
    }
    if (rc == SSO_OK) {
        rc = sso_groups_of_token(ctx, site, &token->identity, record, &bearer->groups_unknown);
    }
    if (rc == SSO_OK && !token->app_only) {
        rc = sso_directory_fill(ctx, site, record);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    sso_sha256(text, strlen(text), digest);
    memcpy(record->id, digest, sizeof(record->id));
    record->created = ctx->now;
    record->seen = ctx->now;
    record->revalidated = ctx->now;
    record->ends = token->expires + site->skew;
    if (record->ends > ctx->now + SSO_SESSION_CAP) {
        record->ends = ctx->now + SSO_SESSION_CAP;
    }
    if (token->app_only) {
        /* SECURITY: whatever a directory calls an application, it is no user's name. */
        record->username = "";
    }
    bearer->client = token->client;
    bearer->app_only = token->app_only;
    return SSO_OK;
}

static sso_rc judge(sso_ctx_t *ctx, const sso_site_t *site, const sso_audiences_t *audiences, const char *text,
                    sso_bearer_t *bearer, uint32_t *ret_generation)
{
    const sso_accesstoken_rules_t rules = {
        .audiences = audiences->items,
        .v1_issuer = site->v1_issuer,
        .allowed_tenants = site->allowed_tenants,
        .any_tenant = site->any_tenant,
        .skew = site->skew,
    };
    sso_accesstoken_t token;
    sso_rc rc = sso_accesstoken_open(ctx, site->authority, &rules, text, &token, ret_generation);
    return rc != SSO_OK ? rc : fill(ctx, site, text, &token, bearer);
}

/* For a sign-in, a token that cannot be believed is Entra's fault. Here the client brought it, and anybody can: the
 * status is the client's, and the line in the log no alarm. */
static sso_rc clients_fault(sso_ctx_t *ctx, sso_rc rc)
{
    const sso_reason_t *reason = sso_reason(rc);
    if (reason->status == 401 || reason->status == 503) {
        return rc;
    }
    const char *detail = ctx->fault.detail == NULL ? "no detail" : ctx->fault.detail;
    sso_fault_clear(ctx);
    return sso_fail(ctx, SSO_R_BEARER_TOKEN, "%s: %s", reason->sentence, detail);
}

sso_rc sso_bearer_open(sso_ctx_t *ctx, const sso_site_t *site, const sso_audiences_t *audiences, const char *token,
                       sso_bearer_t *ret_bearer)
{
    unsigned char key[SSO_SHA256_BYTES];
    sso_bearer_t bearer = {.record = {.sid = ""}};
    uint32_t generation = 0;
    memo_key(site, audiences, token, key);
    if (recall(ctx, site, key, ret_bearer)) {
        return SSO_OK;
    }
    sso_rc rc = judge(ctx, site, audiences, token, &bearer, &generation);
    if (rc != SSO_OK) {
        sso_count(ctx, sso_reason(rc)->class == SSO_CLASS_LATER ? SSO_COUNT_BEARER_LATER : SSO_COUNT_BEARER_REFUSED);
        return clients_fault(ctx, rc);
    }
    sso_count(ctx, SSO_COUNT_BEARER_OK);
    remember(ctx, site, key, generation, &bearer);
    *ret_bearer = bearer;
    return SSO_OK;
}
