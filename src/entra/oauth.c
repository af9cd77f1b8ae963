/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization-code flow's messages: URLs out, the callback in, one token request. Decides by `error` and HTTP
 * status, never by AADSTS numbers or descriptions. */
#include "entra/oauth.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "entra/aadsts.h"

#define FORM_TYPE "application/x-www-form-urlencoded"
#define GUID_LENGTH 36
/* More than a day of life is more than any token has; the bound keeps sums of times from overflowing. */
#define EXPIRES_IN_MAX INT64_C(1000000000)

/* ---- what goes out ---- */

static void field_add(apr_table_t *fields, const char *name, const char *value)
{
    if (value != NULL) {
        apr_table_setn(fields, name, value);
    }
}

/* "a=b&c=d" in pool, in the order of adding, every value percent-encoded. */
static char *fields_print(apr_pool_t *pool, const apr_table_t *fields)
{
    const apr_array_header_t *rows = apr_table_elts(fields);
    const apr_table_entry_t *entries = (const void *)rows->elts;
    apr_array_header_t *pieces = apr_array_make(pool, rows->nelts * 4, sizeof(const char *));
    for (int i = 0; i < rows->nelts; i++) {
        if (i > 0) {
            APR_ARRAY_PUSH(pieces, const char *) = "&";
        }
        APR_ARRAY_PUSH(pieces, const char *) = entries[i].key;
        APR_ARRAY_PUSH(pieces, const char *) = "=";
        APR_ARRAY_PUSH(pieces, const char *) = sso_percent_encode(pool, entries[i].val);
    }
    return apr_array_pstrcat(pool, pieces, '\0');
}

/* An endpoint may have a query of its own (RFC 6749 3.1), which is kept. */
static const char *url_print(apr_pool_t *pool, const char *endpoint, const apr_table_t *fields)
{
    const char *between = "?";
    if (strchr(endpoint, '?') != NULL) {
        char last = endpoint[strlen(endpoint) - 1];
        between = last == '?' || last == '&' ? "" : "&";
    }
    return apr_pstrcat(pool, endpoint, between, fields_print(pool, fields), NULL);
}

const char *sso_authorize_url(apr_pool_t *pool, const sso_metadata_t *metadata, const sso_authorize_t *request)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(request->code_verifier, strlen(request->code_verifier), digest);
    apr_table_t *fields = apr_table_make(pool, 16);
    field_add(fields, "client_id", request->client_id);
    field_add(fields, "response_type", "code");
    field_add(fields, "redirect_uri", request->redirect_uri);
    field_add(fields, "response_mode", "query");
    field_add(fields, "scope", request->scope);
    field_add(fields, "state", request->state);
    field_add(fields, "nonce", request->nonce);
    field_add(fields, "code_challenge", sso_base64url(pool, digest, sizeof(digest)));
    field_add(fields, "code_challenge_method", "S256");
    field_add(fields, "prompt", request->prompt);
    field_add(fields, "login_hint", request->login_hint);
    field_add(fields, "domain_hint", request->domain_hint);
    field_add(fields, "claims", request->claims);
    field_add(fields, "max_age", request->max_age);
    field_add(fields, "client-request-id", request->correlation_id);
    return url_print(pool, metadata->authorization_endpoint, fields);
}

const char *sso_logout_url(apr_pool_t *pool, const sso_metadata_t *metadata, const char *post_logout_redirect_uri,
                           const char *logout_hint)
{
    if (metadata->end_session_endpoint == NULL) {
        return NULL;
    }
    apr_table_t *fields = apr_table_make(pool, 2);
    field_add(fields, "post_logout_redirect_uri", post_logout_redirect_uri);
    field_add(fields, "logout_hint", logout_hint);
    return url_print(pool, metadata->end_session_endpoint, fields);
}

/* ---- what comes back ---- */

/* VSCHAR of RFC 6749 appendix A. */
static bool is_visible(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            return false;
        }
    }
    return true;
}

static const char *empty_as_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : text;
}

/* "Correlation ID: <GUID>" in a description of Entra; NULL when it is not there to the letter. */
static const char *correlation_find(apr_pool_t *pool, const char *description)
{
    static const char mark[] = "Correlation ID: ";
    const char *at = description == NULL ? NULL : strstr(description, mark);
    if (at == NULL) {
        return NULL;
    }
    const char *guid = apr_pstrndup(pool, at + sizeof(mark) - 1, GUID_LENGTH);
    return sso_is_guid(guid) ? guid : NULL;
}

/* Fills the fault with what Entra said about it, for people and logs. */
static void fault_explain(sso_ctx_t *ctx, const char *error, const char *description)
{
    ctx->fault.oauth_error = sso_printable(ctx->pool, error);
    ctx->fault.aadsts = description == NULL ? 0 : sso_aadsts_code_from(description, strlen(description));
    ctx->fault.correlation_id = correlation_find(ctx->pool, description);
}

/* Also of parameters unknown to us: two of one name are a smuggling attempt (RFC 6749 3.1). */
static sso_rc names_check(sso_ctx_t *ctx, const apr_table_t *pairs)
{
    const apr_array_header_t *rows = apr_table_elts(pairs);
    const apr_table_entry_t *row = (const void *)rows->elts;
    for (int i = 0; i < rows->nelts; i++, row++) {
        const char *unused;
        sso_rc rc = sso_query_one(ctx, pairs, row->key, &unused);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    return SSO_OK;
}

sso_rc sso_callback_parse(sso_ctx_t *ctx, const char *query, sso_callback_t *ret_callback)
{
    sso_callback_t callback = {NULL};
    const struct {
        const char *name;
        const char **place;
    } known[] = {
        {"state", &callback.state},
        {"code", &callback.code},
        {"error", &callback.error},
        {"error_description", &callback.error_description},
        {"session_state", &callback.session_state},
    };
    apr_table_t *pairs;
    sso_rc rc = sso_query_parse(ctx, query, &pairs);
    if (rc == SSO_OK) {
        rc = names_check(ctx, pairs);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && rc == SSO_OK; i++) {
        const char *value = NULL;
        rc = sso_query_one(ctx, pairs, known[i].name, &value);
        *known[i].place = empty_as_null(value);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (callback.state == NULL) {
        return sso_fail(ctx, SSO_R_STATE_MISSING, "no state");
    }
    if ((callback.code == NULL) == (callback.error == NULL)) {
        return sso_fail(ctx, SSO_R_CALLBACK_CODE, callback.code == NULL ? "neither code nor error" : "code and error");
    }
    if (callback.code != NULL && (strlen(callback.code) > SSO_MAX_CODE || !is_visible(callback.code))) {
        return sso_fail(ctx, SSO_R_CALLBACK_CODE, "the code is too long, or of other characters than a code has");
    }
    *ret_callback = callback;
    return SSO_OK;
}

typedef struct {
    const char *error;
    sso_rc rc;
} error_row_t;

static sso_rc error_find(const error_row_t *rows, size_t count, const char *error, sso_rc otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].error, error) == 0) {
            return rows[i].rc;
        }
    }
    return otherwise;
}

sso_rc sso_callback_error(sso_ctx_t *ctx, const sso_callback_t *callback)
{
    static const error_row_t rows[] = {
        {"access_denied", SSO_R_AUTHORIZE_DENIED},        {"login_required", SSO_R_AUTHORIZE_DENIED},
        {"interaction_required", SSO_R_AUTHORIZE_DENIED}, {"consent_required", SSO_R_AUTHORIZE_DENIED},
        {"server_error", SSO_R_AUTHORIZE_LATER},          {"temporarily_unavailable", SSO_R_AUTHORIZE_LATER},
    };
    sso_rc rc = error_find(rows, sizeof(rows) / sizeof(rows[0]), callback->error, SSO_R_AUTHORIZE_CONFIG);
    (void)sso_fail(ctx, rc, "%s: %s", sso_printable(ctx->pool, callback->error),
                   sso_printable(ctx->pool, callback->error_description));
    fault_explain(ctx, callback->error, callback->error_description);
    return rc;
}

/* ---- the token request ---- */

/* Why the request failed. HTTP status first: who is overloaded may say anything in the body. */
static sso_rc refusal_class(int status, const char *error)
{
    static const error_row_t rows[] = {
        {"invalid_grant", SSO_R_TOKEN_GRANT},           {"interaction_required", SSO_R_TOKEN_GRANT},
        {"login_required", SSO_R_TOKEN_GRANT},          {"consent_required", SSO_R_TOKEN_GRANT},
        {"invalid_client", SSO_R_TOKEN_CLIENT},         {"unauthorized_client", SSO_R_TOKEN_CLIENT},
        {"temporarily_unavailable", SSO_R_TOKEN_LATER}, {"server_error", SSO_R_TOKEN_LATER},
    };
    if (status == 429 || status == 408 || (status >= 500 && status <= 599)) {
        return SSO_R_TOKEN_LATER;
    }
    if (error == NULL) {
        return SSO_R_TOKEN_FORMAT;
    }
    return error_find(rows, sizeof(rows) / sizeof(rows[0]), error, SSO_R_TOKEN_REFUSED);
}

/* The AADSTS number, from error_codes or the description. */
static unsigned refusal_number(const sso_json_t *answer, const char *description)
{
    int64_t number;
    if (sso_json_integer(sso_json_at(sso_json_get(answer, "error_codes"), 0), &number) && number > 0 &&
        number <= 999999999) {
        return (unsigned)number;
    }
    return description == NULL ? 0 : sso_aadsts_code_from(description, strlen(description));
}

static sso_rc refusal_read(sso_ctx_t *ctx, const sso_http_response_t *response)
{
    const sso_json_t *answer = NULL;
    if (sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_TOKEN_RESPONSE, &answer) != SSO_OK) {
        /* A gateway's page in place of JSON: the status alone must do. */
        sso_fault_clear(ctx);
        answer = NULL;
    }
    const char *error = empty_as_null(sso_json_get_text(answer, "error"));
    const char *suberror = sso_json_get_text(answer, "suberror");
    const char *description = sso_json_get_text(answer, "error_description");
    const char *correlation = sso_json_get_text(answer, "correlation_id");
    sso_rc rc = refusal_class(response->status, error);
    (void)sso_fail(ctx, rc, "status %d, error %s, suberror %s: %s", response->status, sso_printable(ctx->pool, error),
                   sso_printable(ctx->pool, suberror), sso_printable(ctx->pool, description));
    if (error != NULL) {
        fault_explain(ctx, error, description);
        ctx->fault.aadsts = refusal_number(answer, description);
    }
    if (correlation != NULL && sso_is_guid(correlation)) {
        ctx->fault.correlation_id = apr_pstrdup(ctx->pool, correlation);
    }
    ctx->fault.retry_after_s = response->retry_after_s;
    return rc;
}

/* A token in ctx->pool, wiped with it. False when it is there, but is no text. */
static bool token_read(sso_ctx_t *ctx, const sso_json_t *answer, const char *name, const char **ret_token)
{
    const char *text = sso_json_get_text(answer, name);
    if (text == NULL) {
        *ret_token = NULL;
        return sso_json_get(answer, name) == NULL;
    }
    char *copy = apr_pstrdup(ctx->pool, text);
    sso_wipe_later(ctx->pool, copy, strlen(copy));
    *ret_token = empty_as_null(copy);
    return true;
}

/* RFC 6749 5.1. */
static sso_rc answer_read(sso_ctx_t *ctx, const sso_http_response_t *response, sso_tokens_t *ret_tokens)
{
    const sso_json_t *answer;
    if (sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_TOKEN_RESPONSE, &answer) != SSO_OK) {
        /* The reason for the log is that of the answer, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "no strict JSON");
    }
    if (sso_json_type(answer) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "no object");
    }
    if (sso_json_get(answer, "error") != NULL) {
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "an error with status 200");
    }
    const char *type = sso_json_get_text(answer, "token_type");
    if (sso_json_get(answer, "token_type") != NULL && (type == NULL || strcasecmp(type, "Bearer") != 0)) {
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "token_type %s", sso_printable(ctx->pool, type));
    }
    sso_tokens_t tokens = {NULL};
    const sso_json_t *expires = sso_json_get(answer, "expires_in");
    if (expires != NULL && (!sso_json_integer(expires, &tokens.expires_in_s) || tokens.expires_in_s < 0 ||
                            tokens.expires_in_s > EXPIRES_IN_MAX)) {
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "expires_in is no usable number");
    }
    if (!token_read(ctx, answer, "id_token", &tokens.id_token) ||
        !token_read(ctx, answer, "access_token", &tokens.access_token) ||
        !token_read(ctx, answer, "refresh_token", &tokens.refresh_token)) {
        return sso_fail(ctx, SSO_R_TOKEN_FORMAT, "a token is no text");
    }
    tokens.issued = response->date;
    *ret_tokens = tokens;
    return SSO_OK;
}

/* Who asks, and with which of its certificates. */
typedef struct {
    const char *id;
    sso_credential_t *credential;
    sso_turn_t turn;
} client_t;

/* One POST, not repeated by us: a code is good once, and a second try may end what the first one gave (RFC 6749 4.1.2).
 * libcurl alone sends it again, when a kept connection turns out to have died before any answer. */
static sso_rc form_post(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                        const apr_table_t *form, sso_tokens_t *ret_tokens)
{
    char *body = fields_print(ctx->pool, form);
    sso_wipe_later(ctx->pool, body, strlen(body));
    apr_table_t *headers = apr_table_make(ctx->pool, 1);
    apr_table_setn(headers, "Accept", "application/json");
    const sso_http_request_t request = {
        .kind = SSO_OUTBOUND_TOKEN,
        .url = metadata->token_endpoint,
        .policy = sso_authority_config(authority)->policy,
        .body = body,
        .content_type = FORM_TYPE,
        .headers = headers,
        .max_response = SSO_MAX_TOKEN_RESPONSE,
    };
    sso_http_response_t response;
    sso_rc rc = sso_http_perform(sso_authority_http(authority), ctx, &request, &response);
    if (rc != SSO_OK) {
        return rc;
    }
    return response.status == 200 ? answer_read(ctx, &response, ret_tokens) : refusal_read(ctx, &response);
}

/* Shows the credential of that turn, and posts. */
static sso_rc attempt(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                      const client_t *client, apr_table_t *form, sso_tokens_t *ret_tokens)
{
    sso_rc rc = sso_credential_apply(ctx, client->credential, client->turn, client->id, metadata->token_endpoint,
                                     sso_authority_http(authority), sso_authority_config(authority)->policy, form);
    return rc != SSO_OK ? rc : form_post(ctx, authority, metadata, form, ret_tokens);
}

/* Only a certificate that was renewed lately is shown twice: Entra knows both or one of them. What it refuses as
 * invalid_client it refuses before it looks at the code, which so stays good (RFC 6749 5.2). */
static sso_rc token_request(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                            sso_credential_t *credential, const char *client_id, apr_table_t *form,
                            sso_tokens_t *ret_tokens)
{
    sso_turn_t refused = SSO_TURN_NONE;
    client_t client = {client_id, credential, sso_credential_turn(ctx, credential, SSO_TURN_NONE)};
    sso_rc rc = attempt(ctx, authority, metadata, &client, form, ret_tokens);
    if (rc == SSO_R_TOKEN_CLIENT && ctx->fault.oauth_error != NULL &&
        strcmp(ctx->fault.oauth_error, "invalid_client") == 0) {
        sso_fault_t first = ctx->fault;
        refused = client.turn;
        client.turn = sso_credential_turn(ctx, credential, refused);
        if (client.turn == SSO_TURN_NONE) {
            return rc;
        }
        sso_fault_clear(ctx); /* the other one may be good */
        rc = attempt(ctx, authority, metadata, &client, form, ret_tokens);
        if (rc == SSO_R_TOKEN_CLIENT && refused == SSO_TURN_CURRENT) {
            ctx->fault = first; /* of the two, the one to mend */
        }
    }
    if (rc == SSO_OK || rc == SSO_R_TOKEN_GRANT) {
        sso_credential_taken(ctx, credential, client.turn, refused);
    }
    return rc;
}

static sso_rc user_tokens(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                          sso_credential_t *credential, const char *client_id, apr_table_t *form,
                          sso_tokens_t *ret_tokens)
{
    sso_tokens_t tokens = {NULL};
    sso_rc rc = token_request(ctx, authority, metadata, credential, client_id, form, &tokens);
    if (rc == SSO_OK && tokens.id_token == NULL) {
        rc = sso_fail(ctx, SSO_R_TOKEN_NO_ID_TOKEN, "scope openid may be missing");
    }
    if (rc == SSO_OK) {
        *ret_tokens = tokens;
    }
    return rc;
}

sso_rc sso_code_redeem(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                       const sso_redeem_t *request, sso_tokens_t *ret_tokens)
{
    apr_table_t *form = apr_table_make(ctx->pool, 12);
    field_add(form, "client_id", request->client_id);
    field_add(form, "grant_type", "authorization_code");
    field_add(form, "code", request->code);
    field_add(form, "redirect_uri", request->redirect_uri);
    field_add(form, "code_verifier", request->code_verifier);
    field_add(form, "scope", request->scope);
    field_add(form, "claims", request->claims);
    field_add(form, "client-request-id", request->correlation_id);
    return user_tokens(ctx, authority, metadata, request->credential, request->client_id, form, ret_tokens);
}

static apr_table_t *refresh_form(sso_ctx_t *ctx, const sso_refresh_t *request)
{
    apr_table_t *form = apr_table_make(ctx->pool, 10);
    field_add(form, "client_id", request->client_id);
    field_add(form, "grant_type", "refresh_token");
    field_add(form, "refresh_token", request->refresh_token);
    field_add(form, "scope", request->scope);
    field_add(form, "claims", request->claims);
    field_add(form, "client-request-id", request->correlation_id);
    return form;
}

sso_rc sso_refresh_redeem(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                          const sso_refresh_t *request, sso_tokens_t *ret_tokens)
{
    return user_tokens(ctx, authority, metadata, request->credential, request->client_id, refresh_form(ctx, request),
                       ret_tokens);
}

sso_rc sso_refresh_fetch(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                         const sso_refresh_t *request, sso_tokens_t *ret_tokens)
{
    return token_request(ctx, authority, metadata, request->credential, request->client_id, refresh_form(ctx, request),
                         ret_tokens);
}

sso_rc sso_app_token(sso_ctx_t *ctx, sso_authority_t *authority, const sso_metadata_t *metadata,
                     const sso_app_request_t *request, sso_tokens_t *ret_tokens)
{
    sso_tokens_t tokens = {NULL};
    apr_table_t *form = apr_table_make(ctx->pool, 8);
    field_add(form, "client_id", request->client_id);
    field_add(form, "grant_type", "client_credentials");
    field_add(form, "scope", request->scope);
    sso_rc rc = token_request(ctx, authority, metadata, request->credential, request->client_id, form, &tokens);
    if (rc == SSO_OK && tokens.access_token == NULL) {
        rc = sso_fail(ctx, SSO_R_TOKEN_FORMAT, "no access token");
    }
    if (rc == SSO_OK) {
        /* An application has no user and no session: what an answer says of them is not taken. */
        tokens.id_token = NULL;
        tokens.refresh_token = NULL;
        *ret_tokens = tokens;
    }
    return rc;
}
