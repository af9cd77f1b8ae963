/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens for backends. The way of a request whose token is kept is sso_memo_get alone; all else is for the first
 * request of a session, and once in an hour. */
#include "flow/apitoken.h"

#include <string.h>

#include <apr_shm.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/flight.h"
#include "base/limits.h"
#include "entra/oauth.h"
#include "entra/scope.h"

/* A token is given out up to this long before its end, so that the backend has time to use it. */
#define LEFT_OVER apr_time_from_sec(60)
/* After a try without a token nobody asks for the same one again for so long: when Entra or the store is away, and when
 * somebody has to act first. */
#define HOLD_LATER apr_time_from_sec(2)
#define HOLD_REFUSED apr_time_from_sec(30)

/* An entry: when it was fetched, then the token. */
#define HEAD ((apr_size_t)sizeof(int64_t))

struct sso_apitokens_t {
    sso_memo_t *kept;
    sso_flights_t *flights;
};

_Static_assert(SSO_SESSION_ID_BYTES + SSO_API_BYTES == SSO_SHA256_BYTES, "a key is both");

/* ---- configuration ---- */

const char *sso_api_make(apr_pool_t *pool, const apr_array_header_t *words, const sso_api_t **ret_api)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_api_t *api = apr_pcalloc(pool, sizeof(*api));
    const char *name = "";
    api->request = "";
    for (int i = 0; i < words->nelts; i++) {
        const char *scope = sso_text_at(words, i);
        if (sso_scope_is_openid(scope)) {
            return apr_psprintf(pool, "'%s' is no scope of a resource; leave it away, the module asks for it by itself",
                                scope);
        }
        const char *own = sso_scope_resource(pool, scope);
        if (i > 0 && strcmp(own, name) != 0) {
            return apr_psprintf(pool,
                                "'%s' and '%s' are scopes of two resources, and a token is of one; write one of them "
                                "here, and the other in the section of its own backend",
                                sso_text_at(words, 0), scope);
        }
        if (words->nelts > 1 && sso_scope_is_default(scope)) {
            return apr_psprintf(pool, "'%s' stands for all scopes of its resource, and Entra takes no other beside it",
                                scope);
        }
        name = own;
        api->request = apr_pstrcat(pool, api->request, scope, " ", NULL);
    }
    /* Without it no new refresh token comes. */
    api->request = apr_pstrcat(pool, api->request, "offline_access", NULL);
    api->scopes = words;
    api->name = *name == '\0' ? "Microsoft Graph" : name;
    sso_sha256(api->request, strlen(api->request), digest);
    memcpy(api->digest, digest, sizeof(api->digest));
    *ret_api = api;
    return NULL;
}

sso_apitokens_t *sso_apitokens_make(apr_pool_t *pool, int waiters)
{
    apr_shm_t *shm;
    sso_apitokens_t *apitokens = apr_palloc(pool, sizeof(*apitokens));
    apitokens->flights = sso_flights_make(pool, waiters);
    /* Anonymous memory: zeroed, and pages of it that are never used cost nothing. */
    if (apitokens->flights == NULL ||
        apr_shm_create(&shm, sso_memo_size(SSO_MAX_FORWARDED), NULL, pool) != APR_SUCCESS) {
        return NULL;
    }
    apitokens->kept = sso_memo_init(apr_shm_baseaddr_get(shm), SSO_MAX_FORWARDED);
    return apitokens;
}

/* ---- what is kept ---- */

/* SECURITY: of this session and this resource. The id is random, ours, and of one application. */
static void key_of(const sso_record_t *record, const sso_api_t *api, unsigned char key[SSO_SHA256_BYTES])
{
    memcpy(key, record->id, SSO_SESSION_ID_BYTES);
    memcpy(key + SSO_SESSION_ID_BYTES, api->digest, SSO_API_BYTES);
}

static bool recall(sso_ctx_t *ctx, const sso_apitokens_t *apitokens, const unsigned char *key, const char **ret_token)
{
    const unsigned char *data;
    apr_size_t len;
    if (!sso_memo_get(apitokens->kept, key, 0, ctx->now, ctx->pool, &data, &len) || len <= HEAD) {
        return false;
    }
    sso_reader_t r;
    char *text = (char *)(apr_uintptr_t)data;
    sso_wipe_later(ctx->pool, text, len);
    sso_reader_init(&r, data, len);
    int64_t fetched = sso_read_i64(&r);
    const char *token = sso_read_text(&r);
    /* Before the clock was set back it may have been younger than now: its end is then later than Entra meant. */
    if (token == NULL || fetched > ctx->now + LEFT_OVER) {
        return false;
    }
    *ret_token = token;
    return true;
}

static void keep(sso_ctx_t *ctx, const sso_apitokens_t *apitokens, const unsigned char *key, const char *token,
                 apr_time_t until)
{
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, SSO_MAX_FORWARDED);
    sso_write_i64(&w, ctx->now);
    sso_write_text(&w, token);
    if (!w.failed) {
        sso_wipe_later(ctx->pool, w.data, w.len);
        sso_memo_put(apitokens->kept, key, 0, ctx->now, until, w.data, w.len);
    }
}

/* ---- one token ---- */

/* SECURITY: it becomes a header, so it is of the letters of one (RFC 6750 2.1) and of a bounded length. */
static sso_rc check_token(sso_ctx_t *ctx, const sso_tokens_t *tokens)
{
    const char *token = tokens->access_token;
    if (token == NULL) {
        return sso_fail(ctx, SSO_R_API_TOKEN, "there is none");
    }
    apr_size_t len = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (token[len] != '\0') {
        return sso_fail(ctx, SSO_R_API_TOKEN, "it holds what no token holds");
    }
    if (len > SSO_MAX_FORWARDED - HEAD - sizeof(uint32_t)) {
        return sso_fail(ctx, SSO_R_API_TOKEN, "it has %" APR_SIZE_T_FMT " bytes", len);
    }
    if (apr_time_from_sec(tokens->expires_in_s) <= LEFT_OVER) {
        return sso_fail(ctx, SSO_R_API_TOKEN, "expires_in is %" APR_INT64_T_FMT, tokens->expires_in_s);
    }
    return SSO_OK;
}

/* The session's row, and the refresh token in it. */
static sso_rc find_refresh(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, sso_stored_t *stored,
                           const char **ret_refresh)
{
    unsigned char *data;
    apr_size_t len;
    bool found = false;
    if (site->store == NULL) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    sso_rc rc = sso_store_find(ctx, site->store, record->id, stored, &found);
    if (rc != SSO_OK) {
        return rc;
    }
    if (found && stored->ended) {
        /* Another node ended it a moment ago. */
        (void)sso_ended_add(site->ended, record->id, record->ends, false, ctx->now);
        return sso_fail(ctx, SSO_R_SESSION_ENDED, "session of oid %s", record->oid);
    }
    if (!found || *stored->refresh == '\0') {
        return sso_fail(ctx, SSO_R_API_REFRESH, "session of oid %s%s", record->oid,
                        found ? "" : "; the store does not hold it");
    }
    rc = sso_session_unseal(ctx, &site->session, SSO_PURPOSE_REFRESH, stored->id, stored->refresh, &data, &len);
    if (rc != SSO_OK) {
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_API_REFRESH, "the refresh token does not open (%s)", sso_reason(rc)->name);
    }
    *ret_refresh = (const char *)data;
    return SSO_OK;
}

/* Entra's no may be about this resource alone: a consent, or a policy of that API. So it ends nothing, however it is
 * worded; whether Entra stands by the session is what revalidation asks, by the same classes (flow/renew.c). */
static sso_rc refuse(sso_ctx_t *ctx, const sso_api_t *api)
{
    const sso_fault_t cause = ctx->fault;
    sso_fault_clear(ctx);
    sso_rc rc = sso_fail(ctx, SSO_R_API_REFUSED, "%s: %s", api->name,
                         cause.detail == NULL ? sso_reason(cause.rc)->sentence : cause.detail);
    ctx->fault.aadsts = cause.aadsts;
    ctx->fault.oauth_error = cause.oauth_error;
    ctx->fault.correlation_id = cause.correlation_id;
    return rc;
}

/* The next fetch or renewal goes on with the new refresh token. Without it the old one is still good at Entra. */
static void rotate(sso_ctx_t *ctx, const sso_site_t *site, const sso_stored_t *stored, const char *refresh)
{
    const char *sealed = NULL;
    if (refresh == NULL) {
        return;
    }
    sso_rc rc =
        sso_session_seal(ctx, &site->session, SSO_PURPOSE_REFRESH, stored->id, refresh, strlen(refresh), &sealed);
    if (rc == SSO_OK) {
        rc = sso_store_rotate(ctx, site->store, stored->id, stored->refresh, sealed);
    }
    if (rc != SSO_OK) {
        sso_fault_clear(ctx);
        sso_debug(ctx, "the refresh token before stays in the store: %s", sso_reason(rc)->sentence);
    }
}

static sso_rc fetch(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_api_t *api,
                    const unsigned char *key, const char **ret_token)
{
    const sso_authority_view_t *view;
    sso_stored_t stored;
    sso_tokens_t tokens = {NULL};
    sso_refresh_t request = {
        .client_id = site->client_id,
        .credential = site->credential,
        .scope = api->request,
    };
    sso_rc rc = find_refresh(ctx, site, record, &stored, &request.refresh_token);
    if (rc == SSO_OK) {
        rc = sso_authority_view(ctx, site->authority, &view);
    }
    if (rc == SSO_OK) {
        rc = sso_refresh_fetch(ctx, site->authority, view->metadata, &request, &tokens);
    }
    if (rc == SSO_R_TOKEN_GRANT) {
        return refuse(ctx, api);
    }
    if (rc == SSO_OK) {
        rc = check_token(ctx, &tokens);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    apr_time_t until = ctx->now + apr_time_from_sec(tokens.expires_in_s) - LEFT_OVER;
    /* SECURITY: nothing of a session outlives it. */
    keep(ctx, site->apitokens, key, tokens.access_token, until < record->ends ? until : record->ends);
    rotate(ctx, site, &stored, tokens.refresh_token);
    *ret_token = tokens.access_token;
    return SSO_OK;
}

/* SECURITY: a browser that asks for fifty things at once does not ask Entra fifty times for what it refuses. */
static apr_interval_time_t hold_after(const sso_fault_t *fault)
{
    if (sso_reason(fault->rc)->class != SSO_CLASS_LATER) {
        return HOLD_REFUSED;
    }
    apr_interval_time_t asked = apr_time_from_sec(fault->retry_after_s);
    return asked > HOLD_LATER ? asked : HOLD_LATER;
}

/* The flight is ours. Between our first look and its beginning another may have landed. */
static sso_rc fly(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_api_t *api,
                  const unsigned char *key, const char **ret_token, bool *ret_fetched)
{
    sso_rc rc = SSO_OK;
    if (!recall(ctx, site->apitokens, key, ret_token)) {
        rc = fetch(ctx, site, record, api, key, ret_token);
        *ret_fetched = rc == SSO_OK;
    }
    sso_flights_land(site->apitokens->flights, key, rc == SSO_OK ? NULL : &ctx->fault,
                     rc == SSO_OK ? 0 : hold_after(&ctx->fault));
    return rc;
}

sso_rc sso_apitoken_get(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_api_t *api,
                        const char **ret_token, bool *ret_fetched)
{
    unsigned char key[SSO_SHA256_BYTES];
    *ret_fetched = false;
    if (site->apitokens == NULL) {
        return sso_fail(ctx, SSO_R_API_MEMORY, "%s", api->name);
    }
    key_of(record, api, key);
    if (recall(ctx, site->apitokens, key, ret_token)) {
        return SSO_OK;
    }
    if (!record->renewable) {
        return sso_fail(ctx, SSO_R_API_REFRESH, "session of oid %s", record->oid);
    }
    /* Twice: what another brought may have lost its place in memory by now. */
    for (int tries = 0; tries < 2; tries++) {
        switch (sso_flights_begin(site->apitokens->flights, ctx, key)) {
        case SSO_FLIGHT_OURS:
            return fly(ctx, site, record, api, key, ret_token, ret_fetched);
        case SSO_FLIGHT_FAILED:
            return ctx->fault.rc;
        case SSO_FLIGHT_LANDED:
            if (recall(ctx, site->apitokens, key, ret_token)) {
                return SSO_OK;
            }
            break;
        case SSO_FLIGHT_BUSY:
            return sso_fail(ctx, SSO_R_API_BUSY, "%s", api->name);
        }
    }
    return sso_fail(ctx, SSO_R_API_BUSY, "%s; it was fetched, and is gone again", api->name);
}
