/* SPDX-License-Identifier: Apache-2.0 */
/* The request of a PATCH: its envelope and its operations in order. What an operation does stands in change.c. */
#include "directory/patch.h"

#include <string.h>

#include <apr_cstr.h>

#include "base/limits.h"
#include "directory/resource.h"

#define PATCH_OP "urn:ietf:params:scim:api:messages:2.0:PatchOp"

static sso_rc read_op(sso_ctx_t *ctx, const sso_json_t *operation, sso_change_op_t *ret_op)
{
    static const struct {
        const char *word;
        sso_change_op_t op;
    } OPS[] = {{"add", SSO_CHANGE_ADD}, {"replace", SSO_CHANGE_REPLACE}, {"remove", SSO_CHANGE_REMOVE}};
    const char *word = sso_json_text(sso_attribute_member(operation, "op"));
    for (apr_size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]) && word != NULL; i++) {
        if (apr_cstr_casecmp(word, OPS[i].word) == 0) {
            *ret_op = OPS[i].op;
            return SSO_OK;
        }
    }
    return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "op is %s", sso_printable(ctx->pool, word));
}

/* A path without value that is the URN of a stored extension means that extension, and not an attribute of a shorter
 * URN. */
static void prefer_extension(const sso_change_t *change, const char *text, sso_scim_path_t *path)
{
    const sso_json_t *member = sso_attribute_member(sso_json_node_view(change->document), text);
    if (path->name.urn != NULL && path->filter == NULL && sso_json_type(member) == SSO_JSON_OBJECT) {
        path->name = (sso_attribute_name_t){.urn = text};
    }
}

static sso_rc apply_operation(sso_change_t *change, const sso_json_t *operation)
{
    sso_change_op_t op = SSO_CHANGE_ADD;
    sso_scim_path_t path = {{0}, NULL};
    const sso_json_t *where = sso_attribute_member(operation, "path");
    const sso_json_t *value = sso_attribute_member(operation, "value");
    const char *text = sso_json_text(where);
    sso_rc rc = read_op(change->ctx, operation, &op);
    if (rc != SSO_OK) {
        return rc;
    }
    if (text == NULL && sso_json_type(where) != SSO_JSON_NULL) {
        return sso_fail(change->ctx, SSO_R_SCIM_PATH, "the path is no string");
    }
    if (text == NULL || *text == '\0') {
        return op == SSO_CHANGE_REMOVE ? sso_fail(change->ctx, SSO_R_SCIM_TARGET, "a remove without path")
                                       : sso_change_merge(change, op, value);
    }
    rc = sso_scim_path_parse(change->ctx, change->pool, change->kind, text, value, &path);
    if (rc != SSO_OK) {
        return rc;
    }
    prefer_extension(change, text, &path);
    return sso_change_apply(change, op, &path, value);
}

static sso_rc check_envelope(sso_ctx_t *ctx, const sso_json_t *body, const sso_json_t *operations)
{
    const sso_json_t *schemas = sso_attribute_member(body, "schemas");
    bool named = schemas == NULL;
    for (apr_size_t i = 0; i < sso_json_size(schemas) && sso_json_type(schemas) == SSO_JSON_ARRAY; i++) {
        const char *urn = sso_json_text(sso_json_at(schemas, i));
        named = named || (urn != NULL && apr_cstr_casecmp(urn, PATCH_OP) == 0);
    }
    if (!named || sso_json_type(body) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "the body is no PatchOp");
    }
    apr_size_t count = sso_json_size(operations);
    if (sso_json_type(operations) != SSO_JSON_ARRAY || count == 0 || count > SSO_MAX_SCIM_OPERATIONS) {
        return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "Operations has to list 1 to %d", SSO_MAX_SCIM_OPERATIONS);
    }
    return SSO_OK;
}

sso_rc sso_patch_apply(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                       const sso_json_t *body, sso_patch_result_t *ret_result)
{
    sso_change_t change;
    const sso_json_t *operations = sso_attribute_member(body, "Operations");
    sso_rc rc = check_envelope(ctx, body, operations);
    sso_change_begin(&change, ctx, pool, kind, document);
    for (apr_size_t i = 0; rc == SSO_OK && i < sso_json_size(operations); i++) {
        rc = apply_operation(&change, sso_json_at(operations, i));
    }
    const sso_json_t *changed = sso_json_node_view(change.document);
    rc = rc != SSO_OK ? rc : sso_resource_check(ctx, kind, changed);
    if (rc == SSO_OK) {
        ret_result->document = changed;
        ret_result->changed = !sso_json_equal(changed, document);
        ret_result->members = change.members;
    }
    return rc;
}
