/* SPDX-License-Identifier: Apache-2.0 */
/* Packed lists for the tests of session and flow. Included by tests only, after unit.h. */
#pragma once

#include "session/record.h"

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* items ends with NULL. */
static sso_list_t UNIT_MAYBE_UNUSED list_of(const char *const *items)
{
    apr_array_header_t *array = apr_array_make(unit_pool, 4, sizeof(const char *));
    for (; *items != NULL; items++) {
        APR_ARRAY_PUSH(array, const char *) = *items;
    }
    return sso_list_make(unit_pool, array);
}
