/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of one resource, one attribute at a time: what POST, PUT and PATCH have in common. Works on a copy, so that
 * whoever meets a fault throws it away whole. The members of a group are never in the document: they stand in a table
 * of their own, where parallel additions cannot overwrite each other, and come out of here as a list of steps. */
#pragma once

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/filter.h"

typedef enum { SSO_CHANGE_ADD, SSO_CHANGE_REPLACE, SSO_CHANGE_REMOVE } sso_change_op_t;

typedef enum {
    SSO_MEMBERS_ADD,    /* these too; who is a member already stays one */
    SSO_MEMBERS_REMOVE, /* these no more; who is none stays none */
    SSO_MEMBERS_REPLACE /* these and nobody else; no ids: the group is empty */
} sso_members_op_t;

/* A step for the table of members. Steps are done in their order, within the transaction that stores the document. */
typedef struct {
    sso_members_op_t op;
    const apr_array_header_t *ids; /* const char *: SCIM ids as sent, at least one unless REPLACE; an id may stand
                                    * twice, and need not be anybody's: then it is left out silently */
} sso_members_step_t;

typedef struct {
    sso_ctx_t *ctx;
    apr_pool_t *pool;
    sso_scim_kind_t kind;
    sso_json_node_t *document;   /* the copy */
    apr_array_header_t *members; /* sso_members_step_t, in order */
    apr_size_t written;          /* bytes put into document so far: bounded, whatever becomes of them */
    apr_size_t ids;              /* members named so far */
} sso_change_t;

/* Begins with a copy of a stored document; NULL: with an empty one. */
void sso_change_begin(sso_change_t *change, sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind,
                      const sso_json_t *document);

/* Does one operation at a path. value NULL: none was sent (REMOVE alone allows that); null, "", [] and {} unassign.
 *
 *   single value        set, or unassigned; a complex one takes over the parts that value has; manager is set whole
 *   plural              ADD appends what is not there yet; REPLACE puts value in the place of all; REMOVE takes all,
 *                       with a value the entries that it names
 *   plural[filter].sub  of the entries that fit. When none does, ADD and REPLACE make one (SSO_R_SCIM_TARGET when the
 *                       filter does not say how); an entry of which only type and primary are left goes
 *   members             a step
 *
 * Setting primary on one entry takes it from the others. SECURITY: clearing `active` changes nothing: absence means
 * active, and only a client that says true enables a user. SSO_R_SCIM_MUTABILITY for what is read-only, SSO_R_SCIM_PATH
 * for what a path cannot do, SSO_R_SCIM_VALUE for values, SSO_R_SCIM_DOCUMENT past the bounds. */
sso_rc sso_change_apply(sso_change_t *change, sso_change_op_t op, const sso_scim_path_t *path,
                        const sso_json_t *value) SSO_MUST_USE;

/* Does ADD or REPLACE for every member of an object, whose names may be paths themselves ("name.givenName",
 * "URN:attribute", `emails[type eq "work"].value`). Members that are no attribute, or read-only (id, meta, schemas),
 * are left out, as those of a POST are. SSO_R_SCIM_SYNTAX when a name stands twice in different letters. */
sso_rc sso_change_merge(sso_change_t *change, sso_change_op_t op, const sso_json_t *object) SSO_MUST_USE;
