/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes over documents of the stored form: what the new one has otherwise, and what it does not have any more. */
#include "directory/changed.h"

#include <string.h>

#include <apr_strings.h>

#define URN "urn:"

typedef struct {
    apr_pool_t *pool;
    const char *urn; /* of the extension whose attributes these are; NULL: the resource itself */
    const sso_json_t *other;
    bool only_missing; /* what both have was looked at in the first pass */
    apr_array_header_t *names;
} comparing_t;

static bool compare(void *baton, const char *name, const sso_json_t *value);

/* The attributes of an extension, one by one. */
static void compare_extension(const comparing_t *outer, const char *urn, const sso_json_t *value)
{
    comparing_t inner = *outer;
    inner.urn = urn;
    inner.other = sso_json_get(outer->other, urn);
    sso_json_each(value, compare, &inner);
}

static bool compare(void *baton, const char *name, const sso_json_t *value)
{
    const comparing_t *comparing = baton;
    const sso_json_t *other = sso_json_get(comparing->other, name);
    if (comparing->urn == NULL && strncmp(name, URN, strlen(URN)) == 0 && sso_json_type(value) == SSO_JSON_OBJECT) {
        compare_extension(comparing, name, value);
    } else if (other == NULL || (!comparing->only_missing && !sso_json_equal(value, other))) {
        APR_ARRAY_PUSH(comparing->names, const char *) =
            comparing->urn == NULL ? apr_pstrdup(comparing->pool, name)
                                   : apr_pstrcat(comparing->pool, comparing->urn, ":", name, NULL);
    }
    return true;
}

apr_array_header_t *sso_changed_names(apr_pool_t *pool, const sso_json_t *before, const sso_json_t *after)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    comparing_t comparing = {pool, NULL, before, false, names};
    sso_json_each(after, compare, &comparing);
    comparing.other = after;
    comparing.only_missing = true;
    sso_json_each(before, compare, &comparing);
    return names;
}
