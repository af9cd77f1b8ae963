/* SPDX-License-Identifier: Apache-2.0 */
/* Who was disabled or deleted, and when; and the lock by which a sign-in and a change by SCIM wait for each other. */
#pragma once

#include "base/result.h"
#include "session/database.h"

/* Somebody by the object id, by the folded user name, or by both. NULL or "": not known. */
typedef struct {
    const char *app;
    const char *oid;
    const char *user_key;
} sso_barred_who_t;

/* SECURITY: PostgreSQL lets transactions of two connections run side by side, and neither sees the rows of the other.
 * So a sign-in (not alone) and who ends sessions (alone) take this before they look; it holds until the transaction is
 * over. SQLite has one writer anyway. */
sso_rc sso_barred_lock(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                       bool alone) SSO_MUST_USE;
/* Notes the present moment, in the transaction and under the lock of what ends the sessions. id: the SCIM id. */
sso_rc sso_barred_note(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                       const char *id) SSO_MUST_USE;
/* The latest such moment, by this process's clock, 0 for never. PostgreSQL has a clock of its own, so there it is found
 * by its age, later by the time that the question takes, and earlier only if that clock was set forward since. */
sso_rc sso_barred_since(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                        apr_time_t *ret_since) SSO_MUST_USE;
