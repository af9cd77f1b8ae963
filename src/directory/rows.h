/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of users and groups: read, written, looked for. Every statement of SCIM resources is in rows.c, members.c
 * and listing.c. What is here works over a connection, as a part of the caller's transaction. */
#pragma once

#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/change.h"
#include "directory/resource.h"
#include "session/database.h"

/* A user or a group as it is stored. Texts are never NULL; of a group, the last five say nothing. */
typedef struct {
    const char *id;
    apr_time_t created;
    apr_time_t modified;
    int64_t version;
    const sso_json_t *document;
    bool active;
    apr_time_t disabled_at; /* 0: never */
    apr_time_t touched;
    const char *user_key;
    const char *oid; /* "" for none */
} sso_scim_row_t;

/* SECURITY: the next moment of a user. SQLite's clock has milliseconds, and any clock can be set back; but two changes
 * of one user are never of one moment, so that who knows of the first learns of the second. */
#define SSO_SCIM_TOUCH "CASE WHEN touched < {now} THEN {now} ELSE touched + 1 END"

/* A user whom nobody has provisioned: made at a first sign-in, so that Entra finds it when it looks for a match. It is
 * one as long as its first version stands; a document says where it came from for good. */
#define SSO_JIT_URN SSO_SCIM_EXTENSION "entra-sso:2.0:User"
#define SSO_JIT_MARK "\"" SSO_JIT_URN "\":{\"origin\":\"jit\"}"
bool sso_scim_row_is_jit(const sso_scim_row_t *row);

/* The columns that sso_scim_row_parse reads, in its order, and the table. */
const char *sso_scim_columns(sso_scim_kind_t kind);
const char *sso_scim_table(sso_scim_kind_t kind);
/* A row of them, in pool. SSO_R_STORE_ROW for anything that we would not have written. */
sso_rc sso_scim_row_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *const *columns,
                          sso_scim_row_t *ret_row) SSO_MUST_USE;
/* W/"version". */
const char *sso_scim_row_tag(apr_pool_t *pool, const sso_scim_row_t *row);

/* The row of this id in this application; SSO_R_SCIM_NOT_FOUND. locked: nobody else changes it until the transaction is
 * over. In ctx->pool. */
sso_rc sso_scim_row_get(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                        const char *id, bool locked, sso_scim_row_t *ret_row) SSO_MUST_USE;

/* What is to be written. */
typedef struct {
    sso_scim_kind_t kind;
    const char *app;
    const char *id;
    const sso_json_t *document;
    sso_resource_keys_t keys;
} sso_scim_written_t;

/* A new row. SSO_R_SCIM_UNIQUE when userName or object id are another user's, also when that one is being made at this
 * very moment. */
sso_rc sso_scim_row_add(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written) SSO_MUST_USE;
/* Puts it in the place of old, which was read locked; the version grows by one. Errors as above. */
sso_rc sso_scim_row_set(sso_ctx_t *ctx, sso_connection_t *connection, const sso_scim_written_t *written,
                        const sso_scim_row_t *old) SSO_MUST_USE;
/* Deletes it, and its memberships on both sides. */
sso_rc sso_scim_row_delete(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                           const char *id) SSO_MUST_USE;

/* A line of the audit. */
sso_rc sso_scim_audit(sso_ctx_t *ctx, sso_connection_t *connection, const char *app, const char *actor,
                      const char *what, const char *id) SSO_MUST_USE;

/* ---- members.c ---- */

/* Does the steps on the members of a group whose row is locked. *ret_changed: any of them changed something. Who is
 * more or less is touched. Ids that are nobody's in this application are left out. */
sso_rc sso_members_apply(sso_ctx_t *ctx, sso_connection_t *connection, const char *app, const char *group,
                         const apr_array_header_t *steps, bool *ret_changed) SSO_MUST_USE;
/* Touches all users of a group: its name changed, or it is about to be deleted. */
sso_rc sso_members_touch(sso_ctx_t *ctx, sso_connection_t *connection, const char *group) SSO_MUST_USE;
/* Before a user's row is locked for its deletion: locks its groups, whose versions grow. */
sso_rc sso_members_leave(sso_ctx_t *ctx, sso_connection_t *connection, const char *user) SSO_MUST_USE;
/* The members of a group, or the groups of a user, sso_resource_link_t in ctx->pool. */
sso_rc sso_members_links(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                         const char *id, apr_array_header_t *ret_links) SSO_MUST_USE;

/* The user who was made at a first sign-in and has this object id (NULL: none) or else this folded user name, and not
 * the SCIM id except; locked until the transaction is over. *ret_found false: there is none. */
sso_rc sso_scim_row_find_jit(sso_ctx_t *ctx, sso_connection_t *connection, const char *app,
                             const sso_resource_keys_t *keys, const char *except, sso_scim_row_t *ret_row,
                             bool *ret_found) SSO_MUST_USE;
