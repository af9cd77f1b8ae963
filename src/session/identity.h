/* SPDX-License-Identifier: Apache-2.0 */
/* From a checked ID token to what a session keeps of it. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "entra/idtoken.h"
#include "session/record.h"

/* Fills the identity fields of record from token; claim_names (const char *) are the further claims that the
 * configuration names, and no others are kept. Display claims (name, email) have control characters
 * replaced by spaces; a user name, role or further claim with one is refused, since two people must not share a name.
 * Errors: SSO_R_IDENTITY_CLAIM. */
sso_rc sso_identity_fill(sso_ctx_t *ctx, const sso_idtoken_t *token, const apr_array_header_t *claim_names,
                         sso_record_t *record) SSO_MUST_USE;

/* Fills record->acrs: of the authentication contexts that the configuration names (const char *, may be NULL) those
 * that the token's `acrs` has. Errors: SSO_R_IDENTITY_CLAIM. */
sso_rc sso_identity_fill_acrs(sso_ctx_t *ctx, const sso_idtoken_t *token, const apr_array_header_t *contexts,
                              sso_record_t *record) SSO_MUST_USE;

/* True for a text that may decide something: not empty, no longer than SSO_MAX_CLAIM_VALUE, no outer space and no
 * control character, so that the same text cannot come out of two different ones. */
bool sso_identity_is_exact(apr_pool_t *pool, const char *text);
/* True for a text that may be shown and become a header: no longer than SSO_MAX_CLAIM_VALUE, no control character. */
bool sso_identity_is_plain(apr_pool_t *pool, const char *text);
