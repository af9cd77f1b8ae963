/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the database, and how those of an older version become today's. */
#pragma once

#include "session/database.h"

/* The version that this program makes. */
int sso_schema_version(void);

/* Which version the tables of a connection's database have, 0 for none, without a change to them: an sso_work_fn for
 * sso_database_read, baton an int. SSO_R_STORE_NEWER when this program cannot work with them. */
sso_rc sso_schema_find(sso_ctx_t *ctx, sso_connection_t *connection, void *baton) SSO_MUST_USE;

/* Sees that the tables of this connection's database are of a version that we can work with, and makes or migrates them
 * under a lock. An sso_work_fn for sso_database_make. Errors: SSO_R_STORE_SCHEMA, SSO_R_STORE_NEWER. */
sso_rc sso_schema_ready(sso_ctx_t *ctx, sso_connection_t *connection, void *baton) SSO_MUST_USE;
