/* SPDX-License-Identifier: Apache-2.0 */
/* Filters and paths (RFC 7644 sections 3.4.2.2 and 3.5.2), read into a tree: bounded in length, terms and brackets.
 *
 *   userName eq "ada@contoso.example" and (emails[type eq "work"].value co "@contoso" or not (active eq false))
 *
 *   AND --- TERM userName eq …
 *       \-- OR --- ENTRY emails, sub value, op co …
 *              |      \-- TERM type eq "work"          asked of each entry
 *              \-- NOT --- TERM active eq false
 *
 * SECURITY: an attribute that there is not is a fault, never a filter that is left out, since a filter that holds for
 * everybody hands out everybody. Only names in extensions of the client's own are taken as they are; who lacks them
 * does not match. */
#pragma once

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"

typedef enum { SSO_FILTER_AND, SSO_FILTER_OR, SSO_FILTER_NOT, SSO_FILTER_TERM, SSO_FILTER_ENTRY } sso_filter_kind_t;

typedef enum {
    SSO_OP_NONE, /* of an ENTRY alone: that an entry fits is enough */
    SSO_OP_PR,
    SSO_OP_EQ,
    SSO_OP_NE,
    SSO_OP_CO,
    SSO_OP_SW,
    SSO_OP_EW,
    SSO_OP_GT,
    SSO_OP_GE,
    SSO_OP_LT,
    SSO_OP_LE
} sso_op_t;

/* What stands behind an operator. */
typedef struct {
    const char *text; /* content of a string, or a word, number, true or false as it was written; NULL for null */
    const char *key;  /* text, folded */
    const sso_json_t *value; /* of a number, true, false or null; NULL for a string or a word */
    bool is_time;
    apr_time_t time; /* when is_time */
} sso_literal_t;

typedef struct sso_filter_t sso_filter_t;
struct sso_filter_t {
    sso_filter_kind_t kind;
    const sso_filter_t *first;   /* AND, OR: two operands or more, NOT: one, ENTRY: what stands in the brackets */
    const sso_filter_t *next;    /* the next operand of the same parent */
    sso_attribute_name_t name;   /* TERM, ENTRY: what is compared. Within brackets its sub is asked of the entry */
    const sso_attribute_t *leaf; /* the row whose type and case rule; NULL where no schema says */
    sso_op_t op;
    sso_literal_t literal;
};

/* Parses a filter that was percent-decoded. A word without quotes is a string, as Microsoft's own tools send it.
 * SSO_R_SCIM_FILTER for everything wrong, with the place. */
sso_rc sso_filter_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *text,
                        const sso_filter_t **ret_filter) SSO_MUST_USE;

/* The path of a PATCH operation: attribute, attribute.sub, attribute[filter], attribute[filter].sub, or an extension.
 */
typedef struct {
    sso_attribute_name_t name;
    const sso_filter_t *filter; /* NULL: none */
} sso_scim_path_t;

/* SSO_R_SCIM_PATH for a malformed path or an attribute that there is not, SSO_R_SCIM_FILTER for what is in brackets.
 * value is the operation's (may be NULL); it decides whether a URN is an extension or an attribute, as in
 * sso_attribute_parse_member. */
sso_rc sso_scim_path_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *text,
                           const sso_json_t *value, sso_scim_path_t *ret_path) SSO_MUST_USE;

/* True when filter asks for the attribute of this name (of the table: "members", "groups"), at any place: then a
 * document without it cannot be judged, and the caller puts it in first. */
bool sso_filter_uses(const sso_filter_t *filter, const char *name);

/* Columns that the tables have an index for. */
typedef enum {
    SSO_INDEX_ID,           /* id */
    SSO_INDEX_EXTERNAL_ID,  /* externalId */
    SSO_INDEX_USER_NAME,    /* userName, folded */
    SSO_INDEX_DISPLAY_NAME, /* displayName, folded */
    SSO_INDEX_WORK_EMAIL,   /* emails[type eq "work"].value, folded; of several, the first alone */
    SSO_INDEX_MANAGER,      /* manager, manager.value */
    SSO_INDEX_MEMBER,       /* of a group: members, members.value */
    SSO_INDEX_GROUP         /* of a user: groups, groups.value */
} sso_index_t;

typedef struct {
    sso_index_t index;
    const char *key; /* what the key column has to equal, byte by byte: folded where its column is */
} sso_index_term_t;

/* The comparisons by eq on indexed attributes that hold for everything that filter can match: the filter itself, or
 * operands of its outermost AND. sso_index_term_t in pool, in the order of writing; empty when there is none. The
 * statement may demand any or all of them, then what it gives is asked with sso_filter_matches. */
const apr_array_header_t *sso_filter_index(apr_pool_t *pool, const sso_filter_t *filter);
/* Which index a term of the outermost AND is, as above; false when it is none. */
bool sso_filter_index_of(const sso_filter_t *term, sso_index_term_t *ret_term);

/* The bit of an index in `decided` of sso_filter_matches. */
#define SSO_INDEX_BIT(index) (1u << (index))
