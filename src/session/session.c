/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and writing the session cookie; the only code that turns a cookie into a session. */
#include "session/session.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"

/* The record of a cookie that we sealed, whatever time it is. */
static sso_rc unseal(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                     sso_record_t *ret_record)
{
    if (cookies->session == NULL) {
        return sso_fail(ctx, cookies->broken ? SSO_R_SESSION_CHUNKS : SSO_R_SESSION_NONE, "no whole cookie");
    }
    unsigned char *data;
    apr_size_t len;
    sso_rc rc = sso_open(ctx, policy->keyring, SSO_PURPOSE_SESSION, policy->binding, cookies->session,
                         cookies->session_len, &data, &len);
    return rc == SSO_OK ? sso_record_unpack(ctx, data, len, ret_record) : rc;
}

/* The same, remembered. */
static sso_rc recall(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                     sso_opened_t *opened, sso_record_t *ret_record)
{
    if (opened == NULL || cookies->session == NULL) {
        return unseal(ctx, policy, cookies, ret_record);
    }
    /* SECURITY: named before anything is opened, so that what was opened with a key that is retired meanwhile is not
     * found again. */
    const void *keys = sso_keyring_moment(ctx, policy->keyring);
    if (sso_opened_get(opened, ctx, policy, keys, cookies->session, cookies->session_len, ret_record)) {
        return SSO_OK;
    }
    sso_rc rc = unseal(ctx, policy, cookies, ret_record);
    if (rc == SSO_OK) {
        sso_opened_set(opened, policy, keys, cookies->session, cookies->session_len, ret_record);
    }
    return rc;
}

static sso_rc read_record(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                          sso_opened_t *opened, apr_interval_time_t idle, sso_record_t *ret_record)
{
    sso_record_t record;
    sso_rc rc = recall(ctx, policy, cookies, opened, &record);
    if (rc == SSO_OK) {
        rc = sso_record_check(ctx, &record, policy->max_age, idle, policy->skew);
    }
    if (rc == SSO_OK) {
        rc = sso_record_check_fresh(ctx, &record, &policy->freshness);
    }
    if (rc == SSO_OK) {
        *ret_record = record;
    }
    return rc;
}

/* SECURITY: what cannot be told counts as ended, but the cookie stays: the request is to come again. */
static sso_rc check_ended(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_record_t *record)
{
    bool ended;
    if (policy->ended == NULL) {
        return SSO_OK;
    }
    sso_rc rc = sso_ended_check(ctx, policy->ended, record->id);
    /* Before the first filling the store is not at hand, and not every request shall find that out anew. */
    if (rc != SSO_R_ENDED_UNKNOWN || policy->store == NULL || sso_ended_filled(policy->ended) == 0) {
        return rc;
    }
    sso_fault_clear(ctx);
    if (sso_store_is_ended(ctx, policy->store, record->id, &ended) != SSO_OK) {
        /* The poller tells of the store; this request of itself. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_ENDED_UNKNOWN, "the table of ended sessions has no room, and the database is away");
    }
    return ended ? sso_fail(ctx, SSO_R_SESSION_ENDED, "by the database") : SSO_OK;
}

sso_rc sso_session_reopen(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                          sso_opened_t *opened, sso_record_t *ret_record)
{
    sso_record_t record;
    sso_rc rc = read_record(ctx, policy, cookies, opened, policy->idle, &record);
    if (rc == SSO_OK) {
        rc = check_ended(ctx, policy, &record);
    }
    if (rc == SSO_OK) {
        *ret_record = record;
    }
    return rc;
}

sso_rc sso_session_open(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                        sso_record_t *ret_record)
{
    return sso_session_reopen(ctx, policy, cookies, NULL, ret_record);
}

sso_rc sso_session_read(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                        sso_record_t *ret_record)
{
    return read_record(ctx, policy, cookies, NULL, 0, ret_record);
}

sso_rc sso_session_owner(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                         apr_interval_time_t ago, sso_record_t *ret_record)
{
    sso_record_t record;
    sso_rc rc = unseal(ctx, policy, cookies, &record);
    if (rc == SSO_OK && record.created > ctx->now + policy->skew) {
        rc = sso_fail(ctx, SSO_R_SESSION_FUTURE, "made ahead of now");
    }
    if (rc == SSO_OK && ctx->now - record.ends > ago) {
        rc = sso_fail(ctx, SSO_R_SESSION_OVER, "long ago");
    }
    if (rc == SSO_OK) {
        *ret_record = record;
    }
    return rc;
}

sso_rc sso_session_start(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_record_t *record)
{
    /* SECURITY: always a new id, so that a session planted in a browser never becomes somebody's (session fixation). */
    sso_rc rc = sso_random(ctx, record->id, sizeof(record->id));
    if (rc != SSO_OK) {
        return rc;
    }
    record->created = ctx->now;
    record->seen = ctx->now;
    record->revalidated = ctx->now;
    record->ends = ctx->now + (policy->max_age < SSO_SESSION_CAP ? policy->max_age : SSO_SESSION_CAP);
    return SSO_OK;
}

/* Both lists as one, each item once. */
static sso_list_t join_lists(apr_pool_t *pool, const sso_list_t *present, const sso_list_t *fresh)
{
    apr_array_header_t *items = apr_array_make(pool, (int)(present->count + fresh->count) + 1, sizeof(const char *));
    apr_size_t at = 0;
    for (const char *item = sso_list_next(present, &at); item != NULL; item = sso_list_next(present, &at)) {
        APR_ARRAY_PUSH(items, const char *) = item;
    }
    at = 0;
    for (const char *item = sso_list_next(fresh, &at); item != NULL; item = sso_list_next(fresh, &at)) {
        if (!sso_list_has(present, item)) {
            APR_ARRAY_PUSH(items, const char *) = item;
        }
    }
    return sso_list_make(pool, items);
}

void sso_session_strengthen(sso_ctx_t *ctx, const sso_record_t *present, sso_record_t *record)
{
    memcpy(record->id, present->id, sizeof(record->id));
    /* SECURITY: whoever steps up every hour still signs in anew when the session's time is over. */
    record->created = present->created;
    record->ends = present->ends;
    /* Another node's clock may be ahead: no moment of a session comes before its beginning. */
    sso_record_touch(record, ctx->now);
    record->revalidated = record->seen;
    record->renewable = present->renewable;
    /* A token names what was asked for, and what else only if the registration wants it so: without this, a page that
     * needs two contexts would send the browser to and fro between them. */
    record->acrs = join_lists(ctx->pool, &present->acrs, &record->acrs);
}

/* SECURITY: what the store keeps is bound to application and session, so that whoever can write to the database cannot
 * give one session the token of another. Both parts are of fixed size, so no two pairs look alike. */
static void row_binding(const sso_session_policy_t *policy, const unsigned char id[static SSO_SESSION_ID_BYTES],
                        unsigned char ret_binding[static SSO_BINDING_BYTES])
{
    unsigned char both[SSO_BINDING_BYTES + SSO_SESSION_ID_BYTES];
    memcpy(both, policy->binding, SSO_BINDING_BYTES);
    memcpy(both + SSO_BINDING_BYTES, id, SSO_SESSION_ID_BYTES);
    sso_sha256(both, sizeof(both), ret_binding);
}

sso_rc sso_session_seal(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_purpose_t purpose,
                        const unsigned char id[static SSO_SESSION_ID_BYTES], const void *data, apr_size_t len,
                        const char **ret_text)
{
    unsigned char binding[SSO_BINDING_BYTES];
    row_binding(policy, id, binding);
    return sso_seal(ctx, policy->keyring, purpose, binding, data, len, ret_text);
}

sso_rc sso_session_unseal(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_purpose_t purpose,
                          const unsigned char id[static SSO_SESSION_ID_BYTES], const char *text,
                          unsigned char **ret_data, apr_size_t *ret_len)
{
    unsigned char binding[SSO_BINDING_BYTES];
    row_binding(policy, id, binding);
    sso_rc rc = sso_open(ctx, policy->keyring, purpose, binding, text, strlen(text), ret_data, ret_len);
    if (rc == SSO_OK) {
        sso_wipe_later(ctx->pool, *ret_data, *ret_len);
    }
    return rc;
}

sso_rc sso_session_write(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_record_t *record,
                         unsigned sent_parts, apr_array_header_t *lines)
{
    const unsigned char *data;
    apr_size_t len;
    const char *sealed;
    sso_rc rc = sso_record_pack(ctx, record, SSO_MAX_SEALED, &data, &len);
    if (rc == SSO_OK) {
        rc = sso_seal(ctx, policy->keyring, SSO_PURPOSE_SESSION, policy->binding, data, len, &sealed);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    /* A cookie that the browser then sends in a header line longer than httpd reads would lock its owner out of the
     * whole site with a 400: better no session at all, and a reason. */
    if (strlen(sealed) > policy->max_cookie ||
        !sso_cookie_set_session(ctx->pool, &policy->cookies, sealed, sent_parts, lines)) {
        return sso_fail(ctx, SSO_R_SESSION_SIZE,
                        "%" APR_SIZE_T_FMT " bytes, room for %" APR_SIZE_T_FMT
                        " in one Cookie header (LimitRequestFieldSize)",
                        strlen(sealed), policy->max_cookie);
    }
    return SSO_OK;
}
