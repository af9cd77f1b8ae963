/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/patch.c: every operation of tests/vectors/scim/patch.json, bounds, and damaged requests. */
#include "directory/patch.h"

#include "unit.h"

#include "base/bytes.h"
#include "directory/resource.h"
#include "scim.h"

#define PATCH_OP "'schemas':['urn:ietf:params:scim:api:messages:2.0:PatchOp']"

static const sso_json_t *body_of(const sso_json_t *operations)
{
    sso_json_node_t *body = sso_json_node_copy(unit_pool, scim_json("{" PATCH_OP "}"));
    sso_json_node_set(unit_pool, body, "Operations", operations);
    return sso_json_node_view(body);
}

/* The steps as the vectors write them. */
static const sso_json_t *steps_of(const apr_array_header_t *steps)
{
    static const char *const names[] = {
        [SSO_MEMBERS_ADD] = "add", [SSO_MEMBERS_REMOVE] = "remove", [SSO_MEMBERS_REPLACE] = "replace"};
    sso_json_node_t *list = sso_json_node_array(unit_pool);
    for (int i = 0; i < steps->nelts; i++) {
        const sso_members_step_t *step = &((const sso_members_step_t *)(const void *)steps->elts)[i];
        sso_json_node_t *entry = sso_json_node_append_object(unit_pool, list);
        sso_json_node_set_text(unit_pool, entry, "op", names[step->op]);
        sso_json_node_t *ids = sso_json_node_set_array(unit_pool, entry, "ids");
        for (int k = 0; k < step->ids->nelts; k++) {
            sso_json_node_append_text(unit_pool, ids, sso_text_at(step->ids, k));
        }
    }
    return sso_json_node_view(list);
}

static sso_scim_kind_t kind_of(const sso_json_t *vector)
{
    return strcmp(sso_json_get_text(vector, "kind"), "Group") == 0 ? SSO_SCIM_GROUP : SSO_SCIM_USER;
}

static void check_vector(const sso_json_t *vector)
{
    const char *name = sso_json_get_text(vector, "name");
    const char *reason = sso_json_get_text(vector, "reason");
    const sso_json_t *before = sso_json_get(vector, "before");
    const char *printed = scim_print(before);
    sso_patch_result_t result = {0};
    sso_rc rc = sso_patch_apply(&unit_ctx, unit_pool, kind_of(vector), before,
                                body_of(sso_json_get(vector, "operations")), &result);
    if (strcmp(sso_reason(rc)->name, reason != NULL ? reason : "OK") != 0) {
        unit_fail("%s: %s (%s), expected %s", name, sso_reason(rc)->name, unit_ctx.fault.detail, reason);
    }
    sso_fault_clear(&unit_ctx);
    assert_string_equal(scim_print(before), printed);
    if (reason != NULL) {
        assert_null(result.document);
        return;
    }
    scim_check(name, sso_json_get(vector, "after"), result.document);
    assert_int_equal(result.changed, !sso_json_equal(before, result.document));
    const sso_json_t *members = sso_json_get(vector, "members");
    scim_check(name, members != NULL ? members : scim_json("[]"), steps_of(result.members));
    /* What was stored can be sent again, and is then as it was. */
    sso_resource_t resource;
    assert_rc(SSO_OK, sso_resource_make(&unit_ctx, unit_pool, kind_of(vector), result.document, NULL, &resource));
    scim_check(name, result.document, resource.document);
}

static void test_patch_vectors_fit(void **state)
{
    const sso_json_t *vectors = scim_vectors("patch.json");
    (void)state;
    for (apr_size_t i = 0; i < sso_json_size(vectors); i++) {
        check_vector(sso_json_at(vectors, i));
    }
}

static sso_rc patch(const char *body, sso_patch_result_t *ret_result)
{
    return sso_patch_apply(&unit_ctx, unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a','active':true}"),
                           scim_json(body), ret_result);
}

static void test_patch_envelope_is_checked(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{" PATCH_OP "}",
        "{" PATCH_OP ",'Operations':[]}",
        "{" PATCH_OP ",'Operations':{}}",
        "{" PATCH_OP ",'Operations':5}",
        "{'schemas':[],'Operations':[{'op':'add','path':'title','value':'x'}]}",
        "{'schemas':['urn:ietf:params:scim:api:messages:2.0:Error'],'Operations':[{'op':'add','path':'title','value':'"
        "x'}]}",
        "{'schemas':'urn:ietf:params:scim:api:messages:2.0:PatchOp','Operations':[{'op':'add','path':'title','value':'"
        "x'}]}",
        "[]",
        "{" PATCH_OP ",'Operations':[null]}",
        "{" PATCH_OP ",'Operations':[{}]}",
    };
    sso_patch_result_t result = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SCIM_SYNTAX, patch(bad[i], &result));
    }
    assert_null(result.document);
    assert_rc(SSO_OK, patch("{'Schemas':['URN:ietf:params:scim:api:messages:2.0:patchop'],"
                            "'operations':[{'op':'add','path':'title','value':'x'}]}",
                            &result));
    assert_true(result.changed);
    assert_rc(SSO_OK, patch("{'Operations':[{'op':'add','path':'active','value':true}]}", &result));
    assert_false(result.changed);
}

static void test_patch_operations_are_bounded(void **state)
{
    sso_json_node_t *operations = sso_json_node_array(unit_pool);
    sso_patch_result_t result;
    (void)state;
    for (int i = 0; i < SSO_MAX_SCIM_OPERATIONS; i++) {
        sso_json_node_append(unit_pool, operations, scim_json("{'op':'replace','path':'title','value':'x'}"));
    }
    const sso_json_t *before = scim_json("{'userName':'a'}");
    assert_rc(SSO_OK, sso_patch_apply(&unit_ctx, unit_pool, SSO_SCIM_USER, before,
                                      body_of(sso_json_node_view(operations)), &result));
    sso_json_node_append(unit_pool, operations, scim_json("{'op':'replace','path':'title','value':'x'}"));
    assert_rc(SSO_R_SCIM_SYNTAX, sso_patch_apply(&unit_ctx, unit_pool, SSO_SCIM_USER, before,
                                                 body_of(sso_json_node_view(operations)), &result));
}

static void test_patch_document_is_bounded(void **state)
{
    char *value = apr_palloc(unit_pool, SSO_MAX_SCIM_VALUE + 1);
    sso_json_node_t *operations = sso_json_node_array(unit_pool);
    sso_patch_result_t result;
    (void)state;
    memset(value, 'a', SSO_MAX_SCIM_VALUE);
    value[SSO_MAX_SCIM_VALUE] = '\0';
    for (int i = 0; i < 4; i++) {
        sso_json_node_t *operation = sso_json_node_append_object(unit_pool, operations);
        sso_json_node_set_text(unit_pool, operation, "op", "add");
        sso_json_node_set_text(unit_pool, operation, "path", apr_psprintf(unit_pool, METADATA ":k%d", i));
        sso_json_node_set_text(unit_pool, operation, "value", value);
    }
    assert_rc(SSO_R_SCIM_DOCUMENT, sso_patch_apply(&unit_ctx, unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a'}"),
                                                   body_of(sso_json_node_view(operations)), &result));
}

/* Every bit of a whole request flipped, every length cut. What is still accepted is a document that may be stored. */
static void test_patch_mutated_never_crashes(void **state)
{
    static const char seed[] =
        "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":["
        "{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"},"
        "{\"op\":\"Add\",\"path\":\"emails[type eq \\\"work\\\"].value\",\"value\":\"b@x.example\"},"
        "{\"op\":\"Remove\",\"path\":\"roles\",\"value\":[{\"value\":\"r\"}]},"
        "{\"op\":\"add\",\"value\":{\"name.givenName\":\"A\",\"" CUSTOM ":tag\":[\"x\",1]}}]}";
    const sso_json_t *before =
        scim_json("{'userName':'a','active':true,'emails':[{'type':'work','value':'a'}],'roles':[{'value':'r'}]}");
    const size_t len = sizeof(seed) - 1;
    (void)state;
    for (size_t i = 0; i < len * 9; i++) {
        apr_pool_t *pool;
        const sso_json_t *body = NULL;
        sso_patch_result_t result;
        assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
        /* First every cut, then every bit. */
        size_t size = i < len ? i : len;
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, seed, size);
        if (i >= len) {
            size_t bit = i - len;
            copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        }
        sso_rc rc = sso_resource_parse(&unit_ctx, pool, copy, size, &body);
        free(copy);
        assert_true(i >= len || rc == SSO_R_SCIM_SYNTAX);
        if (rc == SSO_OK && sso_patch_apply(&unit_ctx, pool, SSO_SCIM_USER, before, body, &result) == SSO_OK) {
            assert_rc(SSO_OK, sso_resource_check(&unit_ctx, SSO_SCIM_USER, result.document));
        }
        sso_fault_clear(&unit_ctx);
        apr_pool_destroy(pool);
    }
}

static void test_patch_schemas_name_it_among_others(void **state)
{
    static const struct {
        const char *schemas;
        sso_rc rc;
    } rows[] = {
        {"[5,'x','URN:ietf:params:scim:api:messages:2.0:patchop','y']", SSO_OK},
        {"[5]", SSO_R_SCIM_SYNTAX},
        {"[]", SSO_R_SCIM_SYNTAX},
        {"{'a':'urn:ietf:params:scim:api:messages:2.0:PatchOp'}", SSO_R_SCIM_SYNTAX},
        {"'urn:ietf:params:scim:api:messages:2.0:PatchOp'", SSO_R_SCIM_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_patch_result_t result;
        const char *body = apr_pstrcat(unit_pool, "{'schemas':", rows[i].schemas,
                                       ",'Operations':[{'op':'add','path':'title','value':'x'}]}", NULL);
        assert_rc(rows[i].rc, sso_patch_apply(&unit_ctx, unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a'}"),
                                              scim_json(body), &result));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_patch_vectors_fit),         unit_test(test_patch_schemas_name_it_among_others),
        unit_test(test_patch_envelope_is_checked), unit_test(test_patch_operations_are_bounded),
        unit_test(test_patch_document_is_bounded), unit_test(test_patch_mutated_never_crashes),
    };
    return unit_run(tests);
}
