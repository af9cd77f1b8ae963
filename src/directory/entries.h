/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of a plural attribute: found, changed, made, removed in a list that the caller works on. Values are
 * normalized already. */
#pragma once

#include <apr_pools.h>

#include "base/json.h"
#include "directory/filter.h"

/* Appends the entries (a list, or one value; NULL: none) that are not there yet. A new entry with primary: true takes
 * it from the others. */
void sso_entries_add(apr_pool_t *pool, sso_json_node_t *list, const sso_json_t *entries);

/* Removes the entries that `given` names: those equal to it in all it says, $ref, names for display and primary aside.
 * NULL, or nothing to compare by, removes none. */
void sso_entries_remove(sso_json_node_t *list, const sso_attribute_t *attribute, const sso_json_t *given);

/* Changes the entries that the path's filter fits (no filter: all) and gives their number. With a sub-attribute, it is
 * set to value (NULL: taken out, and the entry with it when nothing but type and primary is left). Without, the entry
 * becomes value (merge: takes over what value has) and still fits the filter; NULL removes it. */
apr_size_t sso_entries_change(apr_pool_t *pool, sso_json_node_t *list, const sso_scim_path_t *path, bool merge,
                              const sso_json_t *value);

/* Appends an entry that fits the path's filter and has value. False when the filter is more than `eq` and `and`, so
 * that nobody can say which entry it means. */
bool sso_entries_make(apr_pool_t *pool, sso_json_node_t *list, const sso_scim_path_t *path, const sso_json_t *value);
