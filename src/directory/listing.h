/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of users or groups: filtered, paged by index or by cursor, in the order of their creation. */
#pragma once

#include "directory/filter.h"
#include "directory/projection.h"
#include "directory/scim.h"

/* What is asked for. */
typedef struct {
    sso_scim_kind_t kind;
    const sso_filter_t *filter; /* NULL: all */
    const sso_projection_t *projection;
    apr_int64_t start; /* index of the first, from 1 */
    apr_int64_t count; /* at most SSO_MAX_SCIM_PAGE; 0: the total alone */
    bool by_cursor;
    const char *cursor; /* by_cursor: "" for the first page */
    const char *digest; /* what a cursor belongs to: the same question gives the same text */
} sso_listing_t;

typedef struct {
    apr_array_header_t *resources; /* sso_json_node_t * */
    apr_int64_t total;             /* below 0: not known, since a page by cursor does not look so far */
    const char *next_cursor;       /* NULL: this is the last page */
} sso_listed_t;

/* Makes the list. A page may be shorter than asked for when its members are many. SSO_R_SCIM_TOO_MANY,
 * SSO_R_SCIM_CURSOR, SSO_R_SCIM_CURSOR_OVER, those of the store. */
sso_rc sso_listing_make(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_listing_t *listing,
                        sso_listed_t *ret_listed) SSO_MUST_USE;

/* The statement for a chunk of the list, for tests that look at its plan: where a list begins and with what arguments.
 */
const char *sso_listing_sql(apr_pool_t *pool, const sso_listing_t *listing);
