/* SPDX-License-Identifier: Apache-2.0 */
/* Which attributes of a resource a change has touched, by name, for those who must know that it happened and may not
 * see what it holds. */
#pragma once

#include <apr_tables.h>

#include "base/json.h"

/* The names (const char *, in pool) whose values differ; of an extension "URN:name". NULL is a resource that is not
 * there. */
apr_array_header_t *sso_changed_names(apr_pool_t *pool, const sso_json_t *before, const sso_json_t *after);
