/* SPDX-License-Identifier: Apache-2.0 */
/* From a record and a refresh token to a row of the store. */
#include "flow/keep.h"

#include <string.h>

static sso_rc row_fill(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const char *refresh_token,
                       sso_stored_t *ret_row)
{
    sso_stored_t row = {
        .app = site->app,
        .tid = record->tid,
        .oid = record->oid,
        .sid = record->sid,
        .username = record->username,
        .created = record->created,
        .ends = record->ends,
        .revalidated = record->revalidated,
        .refresh = "",
        .identity = "",
    };
    sso_rc rc = SSO_OK;
    memcpy(row.id, record->id, sizeof(row.id));
    if (site->store == NULL) {
        rc = sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    if (rc == SSO_OK && refresh_token != NULL && *refresh_token != '\0') {
        rc = sso_session_seal(ctx, &site->session, SSO_PURPOSE_REFRESH, record->id, refresh_token,
                              strlen(refresh_token), &row.refresh);
    }
    if (rc == SSO_OK) {
        *ret_row = row;
    }
    return rc;
}

sso_rc sso_keep_new(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const char *refresh_token)
{
    sso_stored_t row;
    sso_rc rc = row_fill(ctx, site, record, refresh_token, &row);
    return rc == SSO_OK ? sso_store_add(ctx, site->store, &row) : rc;
}

sso_rc sso_keep_stronger(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record, const char *refresh_token,
                         bool *ret_kept)
{
    sso_stored_t row;
    sso_rc rc = row_fill(ctx, site, record, refresh_token, &row);
    if (rc == SSO_OK) {
        rc = sso_store_strengthen(ctx, site->store, &row, ret_kept);
    }
    if (rc == SSO_OK && *ret_kept) {
        record->renewable = record->renewable || *row.refresh != '\0';
    }
    return rc;
}
