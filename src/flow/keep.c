/* SPDX-License-Identifier: Apache-2.0 */
/* From a record and tokens to a row of the store. */
#include "flow/keep.h"

#include <string.h>

#include "directory/people.h"
#include "flow/probe.h"

/* When Entra signed this user in, by Entra's clock: a revocation is dated by the same clock, and ours may differ.
 * SECURITY: never later than ours by more than the skew, since a revocation would pass by a session that began after
 * it. */
static apr_time_t signed_in(const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens)
{
    if (record->auth_time != 0) {
        return record->auth_time;
    }
    return tokens->issued != 0 && tokens->issued - record->created <= site->skew ? tokens->issued : record->created;
}

static sso_rc row_fill(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens,
                       sso_stored_t *ret_row)
{
    sso_stored_t row = {
        .app = site->app,
        .tid = record->tid,
        .oid = record->oid,
        .sid = record->sid,
        .username = record->username,
        .created = record->created,
        .signed_in = signed_in(site, record, tokens),
        .ends = record->ends,
        .revalidated = record->revalidated,
        .refresh = "",
        .identity = "",
        .access = "",
    };
    sso_rc rc = SSO_OK;
    memcpy(row.id, record->id, sizeof(row.id));
    if (site->store == NULL) {
        rc = sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    bool renewable = tokens->refresh_token != NULL;
    if (rc == SSO_OK && renewable) {
        rc = sso_session_seal(ctx, &site->session, SSO_PURPOSE_REFRESH, record->id, tokens->refresh_token,
                              strlen(tokens->refresh_token), &row.refresh);
    }
    if (rc == SSO_OK && renewable) {
        rc = sso_probe_seal(ctx, site, record->id, tokens->access_token, &row.access);
    }
    if (rc == SSO_OK) {
        *ret_row = row;
    }
    return rc;
}

sso_rc sso_keep_new(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens,
                    apr_time_t began)
{
    sso_stored_t row;
    sso_rc rc = row_fill(ctx, site, record, tokens, &row);
    if (rc != SSO_OK || site->scim == NULL) {
        return rc == SSO_OK ? sso_store_add(ctx, site->store, &row) : rc;
    }
    /* SECURITY: in one transaction with the row, so that nobody gets a session while SCIM disables them. */
    const sso_people_guard_t guard = {{site->scim->app, site->scim->match, record->oid, record->username}, began};
    return sso_store_add_if(ctx, site->store, &row, sso_people_guard, &guard);
}

sso_rc sso_keep_stronger(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record, const sso_tokens_t *tokens,
                         bool *ret_kept)
{
    sso_stored_t row;
    sso_rc rc = row_fill(ctx, site, record, tokens, &row);
    if (rc == SSO_OK) {
        rc = sso_store_strengthen(ctx, site->store, &row, ret_kept);
    }
    if (rc == SSO_OK && *ret_kept) {
        record->renewable = record->renewable || *row.refresh != '\0';
    }
    return rc;
}
