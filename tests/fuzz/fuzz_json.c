/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of anybody. Invariants: what parses prints to what parses, and prints the same again; no level beyond the bound.
 */
#include "base/json.h"

#include "fuzz.h"

static int depth_of(const sso_json_t *value);

typedef struct {
    int deepest;
} depth_t;

static bool deeper(void *baton, const char *name, const sso_json_t *member)
{
    depth_t *depth = baton;
    int found = depth_of(member);
    fuzz_check(sso_is_utf8(name, strlen(name)));
    depth->deepest = found > depth->deepest ? found : depth->deepest;
    return true;
}

static int depth_of(const sso_json_t *value)
{
    depth_t depth = {0};
    bool is_array = sso_json_type(value) == SSO_JSON_ARRAY;
    for (apr_size_t i = 0; is_array && i < sso_json_size(value); i++) {
        (void)deeper(&depth, "", sso_json_at(value, i));
    }
    sso_json_each(value, deeper, &depth);
    return depth.deepest + (is_array || sso_json_type(value) == SSO_JSON_OBJECT ? 1 : 0);
}

FUZZ_TARGET(json)
{
    const sso_json_t *value;
    if (sso_json_parse(ctx, ctx->pool, (const char *)data, len, SSO_MAX_METADATA, &value) != SSO_OK) {
        return;
    }
    fuzz_check(len <= SSO_MAX_METADATA && depth_of(value) <= SSO_MAX_JSON_DEPTH);
    const char *text = sso_json_print_value(ctx->pool, value, 8 * SSO_MAX_METADATA);
    fuzz_check(text != NULL && strlen(text) == sso_json_length(value));
    const sso_json_t *again = fuzz_json(ctx, text, strlen(text));
    /* Of a number with a point 15 digits are printed, so that the texts are compared. */
    fuzz_check(again != NULL);
    fuzz_check(strcmp(sso_json_print_value(ctx->pool, again, 8 * SSO_MAX_METADATA), text) == 0);
    fuzz_check(sso_json_equal(sso_json_node_view(sso_json_node_copy(ctx->pool, value)), value));
}
