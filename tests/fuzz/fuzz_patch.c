/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a PATCH, on a user or a group. Line 1: which; the rest: the body. Invariants: the result is within the
 * bounds and valid, reads back to the same, is a resource that a POST could have made; nobody is enabled who was
 * disabled unless the body says true; a refusal changes nothing. */
#include "directory/patch.h"
#include "directory/resource.h"

#include "fuzz.h"

static const char *const befores[] = {
    "{\"userName\":\"ada@contoso.example\",\"active\":false,\"emails\":[{\"type\":\"work\",\"value\":\"a@b\","
    "\"primary\":true},"
    "{\"type\":\"home\",\"value\":\"c@d\"}],\"name\":{\"givenName\":\"Ada\",\"familyName\":\"B\"},\"roles\":[{"
    "\"value\":\"Admin\"}],"
    "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"manager\":{\"value\":\"7d02\"},\"department\":"
    "\"Ops\"}}",
    "{\"displayName\":\"Doctors\",\"externalId\":\"8f0c\"}",
};

static bool says_true(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++) {
        if ((data[i] | 0x20) == 't' && (data[i + 1] | 0x20) == 'r' && (data[i + 2] | 0x20) == 'u') {
            return true;
        }
        /* An escape may hide a letter. */
        if (data[i] == '\\' && data[i + 1] == 'u') {
            return true;
        }
    }
    return false;
}

static void check_members(const apr_array_header_t *members)
{
    const sso_members_step_t *step = (const void *)members->elts;
    int ids = 0;
    for (int i = 0; i < members->nelts; i++) {
        ids += step[i].ids->nelts;
        fuzz_check(step[i].op == SSO_MEMBERS_REPLACE || step[i].ids->nelts > 0);
        for (int j = 0; j < step[i].ids->nelts; j++) {
            fuzz_check(strlen(sso_text_at(step[i].ids, j)) <= SSO_MAX_SCIM_ID);
        }
    }
    fuzz_check(ids <= SSO_MAX_SCIM_MEMBERS);
}

FUZZ_TARGET(patch)
{
    const sso_json_t *body;
    sso_patch_result_t result;
    sso_resource_t made;
    unsigned which = fuzz_choice(&data, &len, 2);
    const sso_scim_kind_t kind = which == 0 ? SSO_SCIM_USER : SSO_SCIM_GROUP;
    const sso_json_t *before = fuzz_json(ctx, befores[which], strlen(befores[which]));
    if (sso_resource_parse(ctx, ctx->pool, (const char *)data, len, &body) != SSO_OK) {
        return;
    }
    sso_rc rc = sso_patch_apply(ctx, ctx->pool, kind, before, body, &result);
    fuzz_check(sso_json_equal(before, fuzz_json(ctx, befores[which], strlen(befores[which]))));
    if (rc != SSO_OK) {
        return;
    }
    fuzz_check(sso_resource_check(ctx, kind, result.document) == SSO_OK);
    fuzz_check(sso_json_print_value(ctx->pool, result.document, SSO_MAX_SCIM_DOCUMENT) != NULL);
    fuzz_check(result.changed == !sso_json_equal(before, result.document));
    fuzz_check(which == 1 || !sso_json_is_true(sso_json_get(result.document, "active")) || says_true(data, len));
    check_members(result.members);
    fuzz_check(sso_resource_make(ctx, ctx->pool, kind, result.document, NULL, &made) == SSO_OK);
    fuzz_check(which == 0 || sso_json_equal(made.document, result.document));
}
