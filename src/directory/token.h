/* SPDX-License-Identifier: Apache-2.0 */
/* The bearer tokens of SCIM clients: random, shown once, kept as a hash.
 *
 *   entra_scim_ 0123456789abcdef _ 43 characters
 *   prefix      id                 256 random bits, base64url */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/store.h"

#define SSO_SCIM_TOKEN_PREFIX "entra_scim_"
#define SSO_SCIM_TOKEN_LIFE apr_time_from_sec(365 * 24 * 60 * 60)

/* A token as the database has it. */
typedef struct {
    const char *id;
    const char *app;
    apr_time_t created;
    apr_time_t expires;
    apr_time_t used; /* to the minute; 0: never */
} sso_scim_token_t;

/* Makes one for app; *ret_token is its text, which cannot be got again, wiped with ctx->pool. The older ones of app
 * end: at once, or after overlap. *ret_ended: how many that are. */
sso_rc sso_scim_token_make(sso_ctx_t *ctx, sso_store_t *store, const char *app, apr_interval_time_t overlap,
                           const char **ret_token, sso_scim_token_t *ret_row, int *ret_ended) SSO_MUST_USE;
/* All tokens in the database, sso_scim_token_t, newest first. */
sso_rc sso_scim_token_list(sso_ctx_t *ctx, sso_store_t *store, apr_array_header_t *ret_tokens) SSO_MUST_USE;
/* *ret_found false: there is none of this id. */
sso_rc sso_scim_token_revoke(sso_ctx_t *ctx, sso_store_t *store, const char *id, bool *ret_found) SSO_MUST_USE;

/* Judges an Authorization header (NULL: none) for app. SSO_R_SCIM_TOKEN_NONE, _UNKNOWN, _EXPIRED, _OTHER. Notes its
 * use, at most once a minute. */
sso_rc sso_scim_token_check(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *authorization,
                            const char **ret_id) SSO_MUST_USE;

/* Deletes what nobody needs any more: tokens that expired a month ago, the audit of more than a year, moments of
 * disablings that no sign-in can have begun before. */
sso_rc sso_scim_purge(sso_ctx_t *ctx, sso_store_t *store) SSO_MUST_USE;
