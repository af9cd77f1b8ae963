/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a filter of a document. */
#pragma once

#include <apr_pools.h>

#include "base/json.h"
#include "directory/filter.h"

/* Whether filter holds for a document as clients would read it (sso_resource_print: with id, meta and schemas; with
 * members or groups when sso_filter_uses says so). Strings compare by the caseExact of their attribute, what no schema
 * describes without case; dateTimes as moments; booleans also with "True"; orders of strings by code point. An absent
 * attribute answers only `ne`, `eq null` and `not`.
 *
 * decided: SSO_INDEX_BIT of each index for which the statement already demanded every term that sso_filter_index gave;
 * these terms are taken as true and not asked (so `id eq "G" and members eq "U"` needs no list of members).
 * scratch: for folded texts; clear it between documents. */
bool sso_filter_matches(apr_pool_t *scratch, const sso_filter_t *filter, const sso_json_t *document, unsigned decided);

/* Whether what stood in the brackets of a path holds for one entry of its attribute. */
bool sso_filter_fits(apr_pool_t *scratch, const sso_filter_t *filter, const sso_json_t *entry);
