/* SPDX-License-Identifier: Apache-2.0 */
/* From a value as clients send it to the value that is stored: types checked, booleans made of "True", what is empty
 * taken as unassigned, everything bounded. Texts stay as they were sent. */
#pragma once

#include <apr_pools.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"

/* The stored form of value for attribute, in pool; *ret_value NULL when it is unassigned (null, "", [], {}).
 *   string, reference, …   a string; a whole number becomes its digits
 *   boolean                true, false, or one of these words in any case
 *   complex                its known parts that a client may write; a lone string is its `value` (manager: "ID")
 *   plural                 a list of entries; one entry stands for a list of one; equal entries once; of several with
 *                          primary: true the first keeps it. Scalar parts that no schema describes are kept (roles)
 *   attribute NULL         of a client's extension: kept as sent, without nulls, SSO_MAX_SCIM_VALUE_DEPTH levels
 * A list of one, or an object with `value`, is taken for a single value as well, since Entra's older dialect sends
 * that. Read-only attributes and parts are dropped (NULL). SSO_R_SCIM_VALUE for everything else. */
sso_rc sso_value_normalize(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute, const sso_json_t *value,
                           const sso_json_t **ret_value) SSO_MUST_USE;

/* The same for one entry of a plural attribute (or of a client's own, attribute NULL). */
sso_rc sso_value_entry(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute, const sso_json_t *value,
                       const sso_json_t **ret_value) SSO_MUST_USE;

/* True for null, "", [], {} and NULL. */
bool sso_value_is_empty(const sso_json_t *value);
/* "True", "false" …; false when text is neither. */
bool sso_value_boolean(const char *text, bool *ret_value);
/* True when an element of list equals value. */
bool sso_value_is_in(const sso_json_t *list, const sso_json_t *value);
/* Takes primary: true from all entries but the one at index. */
void sso_value_keep_primary(apr_pool_t *pool, sso_json_node_t *entries, apr_size_t index);
