/* SPDX-License-Identifier: Apache-2.0 */
/* Who was disabled or deleted, and when; and the lock by which a sign-in and a change by SCIM wait for each other. */
#pragma once

#include <stdint.h>

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
/* Notes the present moment. id: the SCIM id. */
sso_rc sso_barred_note(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                       const char *id) SSO_MUST_USE;
/* How long ago the latest such moment is, by the same clock, which need not be ours; SSO_BARRED_NEVER for never. Of
 * what is less than a millisecond apart the noted moment counts as the later. */
#define SSO_BARRED_NEVER INT64_MAX
sso_rc sso_barred_age(sso_ctx_t *ctx, sso_connection_t *connection, const sso_barred_who_t *who,
                      apr_interval_time_t *ret_age) SSO_MUST_USE;
