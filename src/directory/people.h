/* SPDX-License-Identifier: Apache-2.0 */
/* The provisioned people and groups of an application, for those who ask about them: sign-in, rules, headers. Reading
 * only; who changes them is directory/scim.c. The tables are those of the sessions' database, and everything in them
 * belongs to one application. */
#pragma once

#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/resource.h"
#include "session/store.h"

/* How a provisioned user is known to be somebody who signs in. */
typedef enum {
    SSO_MATCH_OID, /* externalId is the object id. A user whose externalId is no GUID is known by userName */
    SSO_MATCH_UPN  /* userName is the user name (preferred_username), letters without case */
} sso_people_match_t;

/* Who is asked about. */
typedef struct {
    const char *app;
    sso_people_match_t match;
    const char *oid;
    const char *username;
} sso_person_key_t;

typedef enum { SSO_PERSON_UNKNOWN, SSO_PERSON_ACTIVE, SSO_PERSON_DISABLED } sso_person_state_t;

/* A provisioned user. Of an unknown one only state is set. */
typedef struct {
    sso_person_state_t state;
    /* SECURITY: found by userName although match is SSO_MATCH_OID, since the directory does not know the object id. A
     * user name can be given to somebody else later: enough to keep somebody out, not to let anybody in. */
    bool by_name;
    bool jit;                   /* made at a first sign-in, and nobody has provisioned it since */
    const char *id;             /* SCIM id */
    apr_time_t disabled_at;     /* last moment at which it became disabled, by the database's clock; 0: never */
    apr_time_t touched;         /* as of sso_people_changed */
    const sso_json_t *document; /* as of directory/resource.h */
} sso_person_t;

/* All calls: SSO_R_STORE_* as those of session/store.h. Results live in ctx->pool. */

/* The user of this key; one read by index. */
sso_rc sso_people_find(sso_ctx_t *ctx, sso_store_t *store, const sso_person_key_t *key,
                       sso_person_t *ret_person) SSO_MUST_USE;
/* The same by SCIM id. */
sso_rc sso_people_get(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *id,
                      sso_person_t *ret_person) SSO_MUST_USE;

/* A group of a user: a direct one, as SCIM knows no other. */
typedef struct {
    const char *id;          /* SCIM id */
    const char *external_id; /* Entra's object id, as long as Entra's default mapping stands; "" for none */
    const char *display;     /* displayName, as sent */
} sso_person_group_t;

/* The groups of the user with this SCIM id, sso_person_group_t, in the order of their creation; SSO_MAX_SCIM_GROUPS at
 * most. */
sso_rc sso_people_groups(sso_ctx_t *ctx, sso_store_t *store, const char *app, const char *id,
                         apr_array_header_t *ret_groups) SSO_MUST_USE;

/* The values of an attribute by its SCIM name ("department", "name.givenName", "roles", "URN:folders", "emails"), const
 * char * in pool. Of a plural complex attribute the `value` of each entry, the primary one first; of manager its value;
 * of roles as sso_resource_roles; booleans and numbers as they are written. Empty when there is none, or when name is
 * no attribute of users. Values may hold anything but NUL. */
const apr_array_header_t *sso_person_values(apr_pool_t *pool, const sso_person_t *person, const char *name);

/* Somebody about whom a cache may be wrong. */
typedef struct {
    const char *app;
    const char *id;          /* SCIM id */
    const char *oid;         /* object id, "" for none */
    const char *user_key;    /* userName, folded */
    apr_time_t touched;      /* grows with each change, by the database's clock */
    apr_interval_time_t age; /* since then, by the same clock; not below 0 */
} sso_person_change_t;

/* Adds to ret_changes (sso_person_change_t) the users of all applications in the database who were changed in the last
 * `span` by the database's clock: attributes, active, groups (a member more or less, a group renamed or deleted), and
 * users who were made or deleted. A row can become visible up to SSO_STORE_LATENESS after its moment: ask for that much
 * more than has passed since the last call. One read by index; cheap enough for each second. */
sso_rc sso_people_changed(sso_ctx_t *ctx, sso_store_t *store, apr_interval_time_t span,
                          apr_array_header_t *ret_changes) SSO_MUST_USE;

/* Whether a session may begin now, for a transaction that adds its row (sso_store_add_if): an sso_guard_fn, baton an
 * sso_people_guard_t. SECURITY: it and a change by SCIM wait for each other, so that no session slips in between a
 * disabling and the ending of the sessions. SSO_R_PERSON_DISABLED; SSO_R_PERSON_STALE when the user was disabled or
 * deleted after `began`. */
typedef struct {
    sso_person_key_t key;
    apr_time_t began; /* when the sign-in began */
} sso_people_guard_t;
sso_rc sso_people_guard(sso_ctx_t *ctx, sso_connection_t *connection, const void *baton) SSO_MUST_USE;
