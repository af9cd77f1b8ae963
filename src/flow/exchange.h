/* SPDX-License-Identifier: Apache-2.0 */
/* A code for a user: redeemed, its ID token judged, groups and directory asked. Makes no session. */
#pragma once

#include "entra/idtoken.h"
#include "entra/oauth.h"
#include "flow/state.h"

/* What an exchange is about, and how far it came: the token is filled (claims not NULL) once it is believed, whatever
 * failed behind it. */
typedef struct {
    const sso_record_t *present; /* the session that becomes stronger; NULL: a new one */
    const char *correlation_id;
    sso_tokens_t tokens; /* what Entra gave */
    sso_idtoken_t token;
} sso_exchange_t;

/* Fills record with what the code of the callback brings. Errors: those of the credential, the authority, HTTP,
 * SSO_R_TOKEN_*, SSO_R_JWT_*, SSO_R_ID_*, SSO_R_IDENTITY_*, those of the wishes, of groups and of the directory. */
sso_rc sso_exchange(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, const sso_callback_t *callback,
                    sso_exchange_t *exchange, sso_record_t *record) SSO_MUST_USE;
