/* SPDX-License-Identifier: Apache-2.0 */
/* What a sign-in leaves in the store: the session's row, without which it could neither be renewed nor ended from
 * elsewhere. */
#pragma once

#include "entra/oauth.h"
#include "flow/flow.h"

/* The row of a new session, with the tokens that it is asked about with (none without a refresh token) sealed for it
 * alone. began: when the sign-in did. Errors: those of the store and of sealing, and where there is a directory
 * SSO_R_PERSON_DISABLED and SSO_R_PERSON_STALE: then there must be no session. */
sso_rc sso_keep_new(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens,
                    apr_time_t began) SSO_MUST_USE;

/* The row of a session that a fresh sign-in made stronger: the new tokens take the old ones' place, and a
 * renewal that is under way comes to nothing. Sets record->renewable. *ret_kept is false when no such session is alive.
 */
sso_rc sso_keep_stronger(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record, const sso_tokens_t *tokens,
                         bool *ret_kept) SSO_MUST_USE;
