/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a statement, and what comes out as rows. For store.c alone. */
#pragma once

#include "session/store.h"

/* The columns that sso_row_parse reads, in its order; a whole row has the sealed ones behind them. */
#define SSO_ROW_COLUMNS "id, app, tenant, object, sid, username, created, ends, revalidated, ended, signed_in"
#define SSO_ROW_SEALED "refresh, renewed, access"

/* Ids and moments as text, in pool. */
const char *sso_row_id(apr_pool_t *pool, const unsigned char id[static SSO_SESSION_ID_BYTES]);
const char *sso_row_time(apr_pool_t *pool, apr_time_t when);
/* SSO_R_STORE_TEXT when text is NULL, longer than max bytes, or no UTF-8. what names it. */
sso_rc sso_row_check_text(sso_ctx_t *ctx, const char *what, const char *text, apr_size_t max) SSO_MUST_USE;
/* True for the form of sso_stored_t's app. */
bool sso_row_is_app(const char *text);

/* A row of sessions, texts in ctx->pool. SSO_R_STORE_ROW for anything that we would not have written. */
sso_rc sso_row_parse(sso_ctx_t *ctx, const char *const *columns, bool whole, sso_stored_t *ret_session) SSO_MUST_USE;
/* Rows added to an array, the baton: sso_stored_t of rows that are not whole, sso_store_ended_t of "id, moment". Of the
 * form of sso_row_fn. */
sso_rc sso_row_add(sso_ctx_t *ctx, const char *const *columns, void *baton) SSO_MUST_USE;
sso_rc sso_row_add_ended(sso_ctx_t *ctx, const char *const *columns, void *baton) SSO_MUST_USE;
