/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of SCIM resources (RFC 7643 sections 3, 4 and 8.7.1): the one table, and their names as clients write
 * them. */
#pragma once

#include <apr_pools.h>

#include "base/json.h"
#include "base/result.h"

#define SSO_SCIM_CORE "urn:ietf:params:scim:schemas:core:2.0:"
#define SSO_SCIM_URN_USER SSO_SCIM_CORE "User"
#define SSO_SCIM_URN_GROUP SSO_SCIM_CORE "Group"
#define SSO_SCIM_EXTENSION "urn:ietf:params:scim:schemas:extension:"
#define SSO_SCIM_URN_ENTERPRISE SSO_SCIM_EXTENSION "enterprise:2.0:User"

/* What a resource is. */
typedef enum { SSO_SCIM_USER, SSO_SCIM_GROUP } sso_scim_kind_t;

/* Where an attribute is defined. Common ones are in every resource. */
typedef enum { SSO_SCHEMA_COMMON, SSO_SCHEMA_USER, SSO_SCHEMA_GROUP, SSO_SCHEMA_ENTERPRISE } sso_schema_t;

typedef enum {
    SSO_TYPE_STRING,
    SSO_TYPE_BOOLEAN,
    SSO_TYPE_DATETIME,
    SSO_TYPE_REFERENCE,
    SSO_TYPE_BINARY,
    SSO_TYPE_COMPLEX
} sso_attribute_type_t;

typedef enum { SSO_MUTABILITY_READWRITE, SSO_MUTABILITY_READONLY, SSO_MUTABILITY_WRITEONLY } sso_mutability_t;
typedef enum { SSO_RETURNED_DEFAULT, SSO_RETURNED_ALWAYS, SSO_RETURNED_NEVER } sso_returned_t;
typedef enum { SSO_UNIQUENESS_NONE, SSO_UNIQUENESS_SERVER } sso_uniqueness_t;

/* A row of attributes.def. Static storage: compare pointers freely. */
typedef struct {
    sso_schema_t schema;
    const char *parent; /* name of the complex attribute that this is a part of, else NULL */
    const char *name;
    sso_attribute_type_t type;
    bool plural;
    bool case_exact;
    bool required;
    sso_mutability_t mutability;
    sso_returned_t returned;
    sso_uniqueness_t uniqueness;
    const char *description;
} sso_attribute_t;

/* The row at index, in the order of the table; NULL past its end. */
const sso_attribute_t *sso_attribute_at(apr_size_t index);
/* The row of a name (any case) within a schema; parent NULL for a top-level one. NULL when there is none. */
const sso_attribute_t *sso_attribute_find(sso_schema_t schema, const char *parent, const char *name);
/* The part of a complex attribute. NULL when it has no such part. */
const sso_attribute_t *sso_attribute_part(const sso_attribute_t *attribute, const char *name);
/* The core schema of a kind, and its URN. */
sso_schema_t sso_attribute_core(sso_scim_kind_t kind);
const char *sso_attribute_core_urn(sso_scim_kind_t kind);

/* A name that was understood. name and sub are spelled as the table does, or as the client did where no schema says. */
typedef struct {
    const char *urn;                  /* of the extension that holds it; NULL: at the top of the resource */
    const char *name;                 /* NULL: the extension as a whole */
    const char *sub;                  /* NULL: none was named */
    const sso_attribute_t *attribute; /* NULL: the extension as a whole, or one that no schema describes */
    const sso_attribute_t *part;      /* of sub; NULL as above */
} sso_attribute_name_t;

/* Understands `name`, `name.sub`, `URN:name`, `URN:name.sub` and the URN of an extension (RFC 7644 section 3.10);
 * letters have no case. A URN ends at the last colon; one that ends in User or Group is an extension as a whole. The
 * enterprise extension's names stand for themselves on a user, too ("manager"). Every extension under
 * SSO_SCIM_EXTENSION is taken, and each name in it. False when text is malformed, too long, or no attribute of the
 * kind. */
bool sso_attribute_parse(apr_pool_t *pool, sso_scim_kind_t kind, const char *text, apr_size_t len,
                         sso_attribute_name_t *ret_name);
/* The same for a member of an object that a client sends: a URN that does not end in User or Group is an extension when
 * its value is an object, and an attribute of a shorter one when it is not ("…:2.0:Metadata", "…:2.0:Metadata:key"). */
bool sso_attribute_parse_member(apr_pool_t *pool, sso_scim_kind_t kind, const char *text, const sso_json_t *value,
                                sso_attribute_name_t *ret_name);
/* The sub-attribute of a plural attribute in brackets: `type` of emails. False when it has none of this name. */
bool sso_attribute_parse_part(apr_pool_t *pool, const sso_attribute_name_t *whole, const char *text, apr_size_t len,
                              sso_attribute_name_t *ret_name);

/* True for letters, digits, - and _ (and a leading $), SSO_MAX_SCIM_NAME of them at most. */
bool sso_attribute_is_name(const char *text);
/* True for a URN that a client's extension may have: under SSO_SCIM_EXTENSION, of a URN's characters, of bounded
 * length. */
bool sso_attribute_is_extension(const char *urn);

/* The member of an object whose name is equal without case, the exact spelling first; NULL when there is none. */
const sso_json_t *sso_attribute_member(const sso_json_t *object, const char *name);
/* How that member is spelled in object, else name itself: under which name to write. Lives as long as object. */
const char *sso_attribute_spelling(const sso_json_t *object, const char *name);
/* What stands at name (without its sub) in a document; NULL when unassigned. */
const sso_json_t *sso_attribute_value(const sso_json_t *document, const sso_attribute_name_t *name);
