/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for the tests of src/directory: written with ' for ", compared whatever the order of members, and the vectors of
 * tests/vectors/scim. Included after unit.h. */
#pragma once

#include <stdio.h>

#include "base/json.h"
#include "base/limits.h"

#define ENTERPRISE "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define CUSTOM "urn:ietf:params:scim:schemas:extension:ContosoBadge:2.0:User"
#define METADATA "urn:ietf:params:scim:schemas:extension:2.0:Metadata"

static UNIT_MAYBE_UNUSED const sso_json_t *scim_parse(const char *text)
{
    const sso_json_t *value = NULL;
    assert_rc(SSO_OK, sso_json_parse_deep(&unit_ctx, unit_pool, text, strlen(text), SSO_MAX_SCIM_BODY * 4,
                                          SSO_MAX_SCIM_DEPTH, &value));
    return value;
}

/* text with ' for ". */
static UNIT_MAYBE_UNUSED const sso_json_t *scim_json(const char *text)
{
    char *copy = apr_pstrdup(unit_pool, text);
    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return scim_parse(copy);
}

static UNIT_MAYBE_UNUSED const char *scim_print(const sso_json_t *value)
{
    return value == NULL ? "(none)" : sso_json_print_value(unit_pool, value, SSO_MAX_SCIM_BODY * 4);
}

/* Fails the test with both values unless they are equal; case names the row. */
static void UNIT_MAYBE_UNUSED scim_check(const char *name, const sso_json_t *expected, const sso_json_t *got)
{
    if (!sso_json_equal(expected, got)) {
        unit_fail("%s:\n  got      %s\n  expected %s", name, scim_print(got), scim_print(expected));
    }
}

#define assert_json(expected, got) scim_check(#got, scim_json(expected), (got))

#ifdef TEST_VECTORS_DIR
/* A file of tests/vectors/scim, an array of objects. */
static UNIT_MAYBE_UNUSED const sso_json_t *scim_vectors(const char *name)
{
    char *text = apr_palloc(unit_pool, SSO_MAX_SCIM_BODY);
    FILE *file = fopen(apr_pstrcat(unit_pool, TEST_VECTORS_DIR "/scim/", name, NULL), "r");
    assert_non_null(file);
    size_t len = fread(text, 1, SSO_MAX_SCIM_BODY - 1, file);
    fclose(file);
    text[len] = '\0';
    const sso_json_t *vectors = scim_parse(text);
    assert_true(sso_json_type(vectors) == SSO_JSON_ARRAY && sso_json_size(vectors) > 0);
    return vectors;
}
#endif
