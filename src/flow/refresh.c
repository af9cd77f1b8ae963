/* SPDX-License-Identifier: Apache-2.0 */
/* From "somebody was changed" to the record of an open session. Whatever fails, the session is left without what the
 * directory gave it: a membership that was lost is never used again. */
#include "flow/refresh.h"

#include <stdatomic.h>
#include <string.h>

#include "base/limits.h"

/* After a fault of the database nobody of this process asks it for so long. */
#define PAUSE apr_time_from_sec(1)
/* For clients that never take the new cookie. */
#define REMEMBER apr_time_from_sec(60 * 60)

struct sso_refreshes_t {
    sso_memo_t *memo;
    _Atomic int inside;
    _Atomic int64_t pause_until;
};

sso_refreshes_t *sso_refreshes_make(apr_pool_t *pool, sso_memo_t *memo)
{
    sso_refreshes_t *refreshes = apr_pcalloc(pool, sizeof(*refreshes));
    refreshes->memo = memo;
    return refreshes;
}

/* ---- what is remembered ---- */

/* The site's address is fixed for the life of the process. */
static void memo_key(const sso_site_t *site, const sso_record_t *record, unsigned char ret_key[static SSO_SHA256_BYTES])
{
    static const char name[] = "refresh";
    unsigned char parts[sizeof(name) + SSO_SESSION_ID_BYTES + sizeof(site)];
    memcpy(parts, name, sizeof(name));
    memcpy(parts + sizeof(name), record->id, SSO_SESSION_ID_BYTES);
    memcpy(parts + sizeof(name) + SSO_SESSION_ID_BYTES, &site, sizeof(site));
    sso_sha256(parts, sizeof(parts), ret_key);
}

/* An earlier request of this session has read it, and nothing has changed since. */
static bool recall(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    unsigned char key[SSO_SHA256_BYTES];
    const unsigned char *data;
    apr_size_t len;
    sso_record_t known;
    memo_key(site, record, key);
    if (site->refreshes->memo == NULL ||
        !sso_memo_get(site->refreshes->memo, key, 0, ctx->now, ctx->pool, &data, &len)) {
        return false;
    }
    bool good = sso_record_unpack(ctx, data, len, &known) == SSO_OK &&
                !sso_record_is_younger(record->revalidated, known.revalidated, ctx->now) &&
                !sso_directory_is_stale(ctx, site, &known);
    /* What cannot be read is found out anew. */
    sso_fault_clear(ctx);
    return good && sso_record_renew(record, &known);
}

static void remember(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record)
{
    unsigned char key[SSO_SHA256_BYTES];
    const unsigned char *data;
    apr_size_t len;
    if (site->refreshes->memo == NULL || sso_record_pack(ctx, record, SSO_MAX_MEMO_BYTES, &data, &len) != SSO_OK) {
        /* Too large: a client that keeps its old cookie reads the directory each time. */
        sso_fault_clear(ctx);
        return;
    }
    memo_key(site, record, key);
    sso_memo_put(site->refreshes->memo, key, 0, ctx->now, ctx->now + REMEMBER, data, len);
}

/* ---- reading ---- */

/* SECURITY: a slow or dead database holds up so many workers for a moment, and no more. */
static sso_rc read_within_bounds(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    sso_refreshes_t *refreshes = site->refreshes;
    if (ctx->now < atomic_load(&refreshes->pause_until) && atomic_load(&refreshes->pause_until) <= ctx->now + PAUSE) {
        return sso_fail(ctx, SSO_R_DIRECTORY_LATE, "the database failed a moment ago");
    }
    sso_rc rc = atomic_fetch_add(&refreshes->inside, 1) < SSO_MAX_REFRESHES
                    ? sso_directory_fill(ctx, site, record)
                    : sso_fail(ctx, SSO_R_DIRECTORY_LATE, "too many sessions are read at once");
    atomic_fetch_sub(&refreshes->inside, 1);
    if (rc != SSO_OK && rc != SSO_R_DIRECTORY_LATE && sso_reason(rc)->class == SSO_CLASS_LATER) {
        atomic_store(&refreshes->pause_until, ctx->now + PAUSE);
    }
    return rc;
}

/* SECURITY: disabled, or gone where the directory rules: out, everywhere. */
static sso_refreshed_t end(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record)
{
    const sso_fault_t cause = ctx->fault;
    const sso_ending_t ending = {site->store, site->ended};
    bool waits = false;
    sso_fault_clear(ctx);
    if (sso_ending_end_one(ctx, &ending, record, "directory", "scim", &waits) != SSO_OK || waits) {
        sso_debug(ctx, "the other nodes find it out by themselves");
    }
    ctx->fault = cause;
    return SSO_REFRESH_OUT;
}

/* The fault of a request is what it means for it; what went wrong becomes the detail. */
static sso_refreshed_t put_off(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    const sso_fault_t cause = ctx->fault;
    sso_directory_strip(ctx, site, record);
    if (cause.rc != SSO_R_DIRECTORY_LATE) {
        sso_fault_clear(ctx);
        (void)sso_fail(ctx, SSO_R_DIRECTORY_LATE, "%s: %s", sso_reason(cause.rc)->sentence,
                       cause.detail == NULL ? "no detail" : cause.detail);
    }
    ctx->fault.retry_after_s = 1;
    return SSO_REFRESH_LATER;
}

sso_refreshed_t sso_refresh(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    if (!sso_directory_is_stale(ctx, site, record)) {
        return SSO_REFRESH_NONE;
    }
    sso_rc rc = SSO_OK;
    if (site->refreshes == NULL) {
        rc = sso_fail(ctx, SSO_R_DIRECTORY_LATE, "this process has no store");
    } else if (recall(ctx, site, record)) {
        return SSO_REFRESH_DONE;
    } else {
        rc = read_within_bounds(ctx, site, record);
    }
    if (rc == SSO_OK) {
        remember(ctx, site, record);
        return SSO_REFRESH_DONE;
    }
    return sso_reason(rc)->class == SSO_CLASS_USER ? end(ctx, site, record) : put_off(ctx, site, record);
}
