/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups: from a request's body to the document that is stored, and from there to the answer.
 *
 *   POST:   sso_resource_parse, sso_resource_make (old NULL), sso_resource_keys; store; sso_resource_print
 *   PUT:    the same with the stored document as old
 *   PATCH:  sso_resource_parse, sso_patch_apply, sso_resource_keys; store; sso_resource_print
 *
 * A stored document holds the client's attributes and nothing else, under the names of the table, extensions under
 * their URN:
 *
 *   {"userName": …, "active": true, "emails": […], "urn:…:enterprise:2.0:User": {"manager": {"value": …}}}
 *
 * No schemas, id, meta, groups (the server's; put in by sso_resource_print), no password (never stored), and no members
 * (a table of their own). Its text is sso_json_print_value with SSO_MAX_SCIM_DOCUMENT, read back by sso_json_parse_deep
 * with the same bound and SSO_MAX_SCIM_DEPTH. */
#pragma once

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"
#include "directory/projection.h"

/* Parses a request's body: one JSON object within SSO_MAX_SCIM_BODY and SSO_MAX_SCIM_DEPTH, strict as sso_json_parse.
 * SSO_R_SCIM_BODY (413), SSO_R_SCIM_SYNTAX. */
sso_rc sso_resource_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len,
                          const sso_json_t **ret_body) SSO_MUST_USE;

typedef struct {
    const sso_json_t *document; /* to be stored */
    /* const char *, SCIM ids: all members of the group from now on; empty for a user. */
    const apr_array_header_t *members;
} sso_resource_t;

/* The resource that a POST (old NULL) or a PUT (old: the stored document) asks for. id, meta, schemas and read-only
 * attributes of the client, and names that are no attribute, are left out; null, "" and [] are unassigned. A user is
 * active unless the body says otherwise. SECURITY: a PUT that does not speak of `active` leaves it as it was, so that
 * it enables nobody. SSO_R_SCIM_REQUIRED, _VALUE, _SYNTAX, _DOCUMENT. */
sso_rc sso_resource_make(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *body,
                         const sso_json_t *old, sso_resource_t *ret_resource) SSO_MUST_USE;

/* What every document must be before it is stored: has userName (a group: displayName), within the bounds. Of the
 * functions here and in patch.h, callers need not call it again. */
sso_rc sso_resource_check(sso_ctx_t *ctx, sso_scim_kind_t kind, const sso_json_t *document) SSO_MUST_USE;

/* The columns beside a stored document. Texts live in pool or in document; NULL: nothing to be found by. */
typedef struct {
    const char *user_name;    /* folded; unique; never NULL for a user, NULL for a group */
    const char *display_name; /* folded; never NULL for a group */
    const char *external_id;  /* as sent */
    const char *work_email;   /* folded: the first of emails[type eq "work"].value */
    const char *manager;      /* SCIM id, as sent */
    const char *oid;          /* externalId in lower case when it is a GUID: Entra's object id */
    bool active;              /* of a user; true for a group */
} sso_resource_keys_t;

void sso_resource_keys(apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                       sso_resource_keys_t *ret_keys);

/* The values of a user's roles, const char * in pool: of a value that is a JSON text ({"id":…,"value":"Admin",…}, which
 * Entra sends for complex role assignments) its `value`. Only texts without control characters. */
const apr_array_header_t *sso_resource_roles(apr_pool_t *pool, const sso_json_t *document);

/* A member of a group, or a group of a user. */
typedef struct {
    const char *id;
    const char *display; /* NULL: none */
    bool is_group;       /* of a member; a user's groups are groups */
} sso_resource_link_t;

/* What the server knows of a resource. */
typedef struct {
    const char *id;
    apr_time_t created;
    apr_time_t modified;
    const char *version; /* the entity tag as in the header: W/"…" */
    const char *base;    /* public address of the service, without slash at its end, of the configuration */
    /* sso_resource_link_t: members of a group, groups of a user; NULL: leave them out. */
    const apr_array_header_t *links;
} sso_resource_frame_t;

/* The resource as clients read it, in pool: schemas of what is there, id, meta, members or groups; projection may be
 * NULL. Print with sso_json_print_value. */
sso_json_node_t *sso_resource_print(apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                                    const sso_resource_frame_t *frame, const sso_projection_t *projection);

/* BASE/Users/ID, the id percent-encoded. */
const char *sso_resource_location(apr_pool_t *pool, sso_scim_kind_t kind, const char *base, const char *id);
