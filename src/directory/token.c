/* SPDX-License-Identifier: Apache-2.0 */
/* A token is found by its public part and judged by its hash. */
#include "directory/token.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define ID_BYTES 8
#define ID_TEXT (2 * ID_BYTES)
#define SECRET_BYTES 32
#define SECRET_TEXT 43
#define PREFIX_TEXT (sizeof(SSO_SCIM_TOKEN_PREFIX) - 1)
#define TOKEN_TEXT (PREFIX_TEXT + ID_TEXT + 1 + SECRET_TEXT)
/* The minute is enough for people, and a write for each request would be too much. */
#define NOTE_EVERY apr_time_from_sec(60)

#define KEPT_EXPIRED apr_time_from_sec(30 * 24 * 60 * 60)
#define AUDIT_KEPT apr_time_from_sec(366 * 24 * 60 * 60)
#define BARRED_KEPT apr_time_from_sec(24 * 60 * 60)

static const char *number_text(apr_pool_t *pool, apr_int64_t number)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
}

static const char *hash_of(apr_pool_t *pool, const char *token)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(token, strlen(token), digest);
    return sso_hex(pool, digest, sizeof(digest));
}

/* ---- making ---- */

typedef struct {
    const sso_scim_token_t *row;
    const char *hash;
    apr_time_t older_end;
    int ended;
} making_t;

static sso_rc make_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t older = {"scim_token_older",
                                          "UPDATE entra_scim_token SET expires = CAST(%s AS BIGINT) "
                                          "WHERE app = %s AND expires > CAST(%s AS BIGINT)"};
    static const sso_statement_t add = {"scim_token_add",
                                        "INSERT INTO entra_scim_token (id, app, hash, created, expires, used) "
                                        "VALUES (%s, %s, %s, CAST(%s AS BIGINT), CAST(%s AS BIGINT), 0)"};
    making_t *making = baton;
    const sso_scim_token_t *row = making->row;
    const char *end = number_text(ctx->pool, making->older_end);
    const char *older_args[] = {end, row->app, end};
    const char *add_args[] = {row->id, row->app, making->hash, number_text(ctx->pool, row->created),
                              number_text(ctx->pool, row->expires)};
    sso_rc rc = sso_connection_change(ctx, connection, &older, older_args, &making->ended);
    return rc == SSO_OK ? sso_connection_change(ctx, connection, &add, add_args, NULL) : rc;
}

sso_rc sso_scim_token_make(sso_ctx_t *ctx, sso_store_t *store, const char *app, apr_interval_time_t overlap,
                           const char **ret_token, sso_scim_token_t *ret_row, int *ret_ended)
{
    unsigned char id[ID_BYTES];
    unsigned char secret[SECRET_BYTES];
    sso_rc rc = sso_random(ctx, id, sizeof(id));
    rc = rc == SSO_OK ? sso_random(ctx, secret, sizeof(secret)) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    const char *id_text = sso_hex(ctx->pool, id, sizeof(id));
    char *text = apr_pstrcat(ctx->pool, SSO_SCIM_TOKEN_PREFIX, id_text, "_",
                             sso_base64url(ctx->pool, secret, sizeof(secret)), NULL);
    sso_wipe(secret, sizeof(secret));
    sso_wipe_later(ctx->pool, text, strlen(text));
    *ret_row = (sso_scim_token_t){id_text, app, ctx->now, ctx->now + SSO_SCIM_TOKEN_LIFE, 0};
    making_t making = {ret_row, hash_of(ctx->pool, text), ctx->now + overlap, 0};
    rc = sso_database_change(ctx, sso_store_database(store), make_work, &making);
    if (rc == SSO_OK) {
        *ret_token = text;
        *ret_ended = making.ended;
    }
    return rc;
}

/* ---- listing and revoking ---- */

static sso_rc add_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    int64_t created;
    int64_t expires;
    int64_t used;
    if (columns[0] == NULL || columns[1] == NULL || !sso_integer_parse(columns[2], &created) ||
        !sso_integer_parse(columns[3], &expires) || !sso_integer_parse(columns[4], &used)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_scim_token, id %s", sso_printable(ctx->pool, columns[0]));
    }
    APR_ARRAY_PUSH((apr_array_header_t *)baton, sso_scim_token_t) = (sso_scim_token_t){
        apr_pstrdup(ctx->pool, columns[0]), apr_pstrdup(ctx->pool, columns[1]), created, expires, used};
    return SSO_OK;
}

static sso_rc list_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t list = {
        "scim_token_list", "SELECT id, app, created, expires, used FROM entra_scim_token ORDER BY created DESC, id"};
    apr_array_clear(baton);
    return sso_connection_select(ctx, connection, &list, NULL, add_row, baton);
}

sso_rc sso_scim_token_list(sso_ctx_t *ctx, sso_store_t *store, apr_array_header_t *ret_tokens)
{
    apr_array_header_t *tokens = apr_array_make(ctx->pool, 4, sizeof(sso_scim_token_t));
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), list_work, tokens);
    if (rc == SSO_OK) {
        apr_array_cat(ret_tokens, tokens);
    }
    return rc;
}

typedef struct {
    const char *id;
    int rows;
} revoking_t;

static sso_rc revoke_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t revoke = {"scim_token_revoke", "DELETE FROM entra_scim_token WHERE id = %s"};
    revoking_t *revoking = baton;
    return sso_connection_change(ctx, connection, &revoke, &revoking->id, &revoking->rows);
}

sso_rc sso_scim_token_revoke(sso_ctx_t *ctx, sso_store_t *store, const char *id, bool *ret_found)
{
    revoking_t revoking = {id, 0};
    sso_rc rc = sso_database_change(ctx, sso_store_database(store), revoke_work, &revoking);
    if (rc == SSO_OK) {
        *ret_found = revoking.rows > 0;
    }
    return rc;
}

/* ---- judging ---- */

typedef struct {
    const char *id;
    const char *hash;
    bool found;
    const char *stored;
    const char *app;
    apr_time_t expires;
    apr_time_t used;
} judging_t;

static sso_rc judge_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    judging_t *judging = baton;
    int64_t expires;
    int64_t used;
    if (columns[0] == NULL || columns[1] == NULL || !sso_integer_parse(columns[2], &expires) ||
        !sso_integer_parse(columns[3], &used)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_scim_token, id %s", judging->id);
    }
    judging->found = true;
    judging->stored = apr_pstrdup(ctx->pool, columns[0]);
    judging->app = apr_pstrdup(ctx->pool, columns[1]);
    judging->expires = expires;
    judging->used = used;
    return SSO_OK;
}

static sso_rc judge_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t get = {"scim_token_get",
                                        "SELECT hash, app, expires, used FROM entra_scim_token WHERE id = %s"};
    judging_t *judging = baton;
    judging->found = false;
    return sso_connection_select(ctx, connection, &get, &judging->id, judge_row, judging);
}

static sso_rc note_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t note = {"scim_token_note", "UPDATE entra_scim_token SET used = CAST(%s AS BIGINT) "
                                                            "WHERE id = %s AND used <= CAST(%s AS BIGINT)"};
    const judging_t *judging = baton;
    const char *args[] = {number_text(ctx->pool, ctx->now), judging->id, number_text(ctx->pool, ctx->now - NOTE_EVERY)};
    return sso_connection_change(ctx, connection, &note, args, NULL);
}

/* The token of the header, NULL when it is none; *ret_id its public part. */
static const char *read_header(apr_pool_t *pool, const char *authorization, const char **ret_id)
{
    static const char scheme[] = "Bearer ";
    if (apr_cstr_casecmpn(authorization, scheme, sizeof(scheme) - 1) != 0) {
        return NULL;
    }
    const char *token = authorization + sizeof(scheme) - 1;
    token += strspn(token, " ");
    if (strlen(token) != TOKEN_TEXT || strncmp(token, SSO_SCIM_TOKEN_PREFIX, PREFIX_TEXT) != 0 ||
        strspn(token + PREFIX_TEXT, "0123456789abcdef") != ID_TEXT || token[PREFIX_TEXT + ID_TEXT] != '_') {
        return NULL;
    }
    *ret_id = apr_pstrmemdup(pool, token + PREFIX_TEXT, ID_TEXT);
    return token;
}

sso_rc sso_scim_token_check(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *authorization,
                            const char **ret_id)
{
    judging_t judging = {.id = NULL};
    if (authorization == NULL || *authorization == '\0') {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_NONE, NULL);
    }
    const char *token = read_header(ctx->pool, authorization, &judging.id);
    if (token == NULL) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_UNKNOWN, "it does not have the form of one");
    }
    judging.hash = hash_of(ctx->pool, token);
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), judge_work, &judging);
    if (rc != SSO_OK) {
        return rc;
    }
    /* SECURITY: in constant time; and what expired or is for another application is told only to who has the token. */
    if (!judging.found || !sso_secret_equal(judging.stored, judging.hash)) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_UNKNOWN, "token %s", judging.id);
    }
    if (judging.expires <= ctx->now) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_EXPIRED, "token %s; make one with entra-sso scim-token new", judging.id);
    }
    if (strcmp(judging.app, app) != 0) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_OTHER, "token %s", judging.id);
    }
    if (judging.used <= ctx->now - NOTE_EVERY) {
        rc = sso_database_change(ctx, sso_store_database(store), note_work, &judging);
    }
    *ret_id = judging.id;
    return rc;
}

/* ---- purge ---- */

static sso_rc purge_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t statements[] = {
        {"purge_scim_token", "DELETE FROM entra_scim_token WHERE " SSO_OVER("expires")},
        {"purge_scim_audit", "DELETE FROM entra_scim_audit WHERE " SSO_OVER("at")},
        {"purge_scim_barred", "DELETE FROM entra_scim_barred WHERE " SSO_OVER("at")},
    };
    static const apr_interval_time_t kept[] = {KEPT_EXPIRED, AUDIT_KEPT, BARRED_KEPT};
    sso_rc rc = SSO_OK;
    (void)baton;
    for (apr_size_t i = 0; rc == SSO_OK && i < sizeof(kept) / sizeof(kept[0]); i++) {
        const char *args[] = {number_text(ctx->pool, ctx->now - kept[i]), number_text(ctx->pool, kept[i])};
        rc = sso_connection_change(ctx, connection, &statements[i], args, NULL);
    }
    return rc;
}

sso_rc sso_scim_purge(sso_ctx_t *ctx, sso_store_t *store)
{
    return sso_database_change(ctx, sso_store_database(store), purge_work, NULL);
}
