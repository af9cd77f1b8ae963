/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/resource.c: every body of tests/vectors/scim/resources.json, keys, output, bounds. */
#include "directory/resource.h"

#include "unit.h"

#include "base/bytes.h"
#include "scim.h"

static sso_scim_kind_t kind_of(const sso_json_t *vector)
{
    return strcmp(sso_json_get_text(vector, "kind"), "Group") == 0 ? SSO_SCIM_GROUP : SSO_SCIM_USER;
}

static const sso_json_t *texts_of(const apr_array_header_t *texts)
{
    sso_json_node_t *list = sso_json_node_array(unit_pool);
    for (int i = 0; i < texts->nelts; i++) {
        sso_json_node_append_text(unit_pool, list, sso_text_at(texts, i));
    }
    return sso_json_node_view(list);
}

static void check_vector(const sso_json_t *vector)
{
    const char *name = sso_json_get_text(vector, "name");
    const char *reason = sso_json_get_text(vector, "reason");
    const sso_json_t *members = sso_json_get(vector, "members");
    const sso_json_t *roles = sso_json_get(vector, "roles");
    sso_resource_t resource = {NULL, NULL};
    sso_rc rc = sso_resource_make(&unit_ctx, unit_pool, kind_of(vector), sso_json_get(vector, "body"),
                                  sso_json_get(vector, "old"), &resource);
    if (strcmp(sso_reason(rc)->name, reason != NULL ? reason : "OK") != 0) {
        unit_fail("%s: %s (%s), expected %s", name, sso_reason(rc)->name, unit_ctx.fault.detail, reason);
    }
    sso_fault_clear(&unit_ctx);
    scim_check(name, sso_json_get(vector, "document"), resource.document);
    if (members != NULL) {
        scim_check(name, members, texts_of(resource.members));
    }
    if (roles != NULL) {
        scim_check(name, roles, texts_of(sso_resource_roles(unit_pool, resource.document)));
    }
}

static void test_resource_vectors_fit(void **state)
{
    const sso_json_t *vectors = scim_vectors("resources.json");
    (void)state;
    for (apr_size_t i = 0; i < sso_json_size(vectors); i++) {
        check_vector(sso_json_at(vectors, i));
    }
}

static sso_rc parse(const char *text, apr_size_t len)
{
    const sso_json_t *body = NULL;
    return sso_resource_parse(&unit_ctx, unit_pool, text, len, &body);
}

static void test_resource_body_is_strict_and_bounded(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "null",
        "'a'",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "{}{}",
        "{\"a\":NaN}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SCIM_SYNTAX, parse(bad[i], strlen(bad[i])));
    }
    assert_rc(SSO_R_SCIM_SYNTAX, parse("{\"a\0\":1}", 8));
    char *text = apr_palloc(unit_pool, SSO_MAX_SCIM_BODY + 2);
    memset(text, ' ', SSO_MAX_SCIM_BODY + 2);
    text[0] = '{';
    text[1] = '}';
    assert_rc(SSO_OK, parse(text, SSO_MAX_SCIM_BODY));
    assert_rc(SSO_R_SCIM_BODY, parse(text, SSO_MAX_SCIM_BODY + 1));
    /* 20,000 brackets do not reach the stack. */
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', 20000);
    assert_rc(SSO_R_SCIM_SYNTAX, parse(text, 20005));
    memset(text + 5, '[', SSO_MAX_SCIM_DEPTH);
    memset(text + 5 + SSO_MAX_SCIM_DEPTH, ']', SSO_MAX_SCIM_DEPTH);
    text[5 + 2 * SSO_MAX_SCIM_DEPTH] = '}';
    assert_rc(SSO_R_SCIM_SYNTAX, parse(text, 6 + 2 * SSO_MAX_SCIM_DEPTH));
    memset(text + 5, '[', SSO_MAX_SCIM_DEPTH - 1);
    memset(text + 4 + SSO_MAX_SCIM_DEPTH, ']', SSO_MAX_SCIM_DEPTH - 1);
    text[3 + 2 * SSO_MAX_SCIM_DEPTH] = '}';
    assert_rc(SSO_OK, parse(text, 4 + 2 * SSO_MAX_SCIM_DEPTH));
}

static void test_resource_bounds_are_kept(void **state)
{
    sso_json_node_t *document = sso_json_node_copy(unit_pool, scim_json("{'userName':'a','" METADATA "':{}}"));
    sso_json_node_t *metadata = sso_json_node_get(document, METADATA);
    const sso_json_t *view = sso_json_node_view(document);
    (void)state;
    for (int i = 1; i < SSO_MAX_SCIM_ATTRIBUTES; i++) {
        sso_json_node_set_text(unit_pool, metadata, apr_psprintf(unit_pool, "k%d", i), "x");
    }
    assert_rc(SSO_OK, sso_resource_check(&unit_ctx, SSO_SCIM_USER, view));
    sso_json_node_set_text(unit_pool, document, "title", "x");
    assert_rc(SSO_R_SCIM_VALUE, sso_resource_check(&unit_ctx, SSO_SCIM_USER, view));
    document = sso_json_node_copy(unit_pool, scim_json("{'userName':'a','title':''}"));
    view = sso_json_node_view(document);
    apr_size_t room = SSO_MAX_SCIM_DOCUMENT - sso_json_length(view);
    char *title = apr_palloc(unit_pool, room + 2);
    memset(title, 'a', room + 1);
    title[room + 1] = '\0';
    sso_json_node_set_text(unit_pool, document, "title", title + 1);
    assert_rc(SSO_OK, sso_resource_check(&unit_ctx, SSO_SCIM_USER, view));
    sso_json_node_set_text(unit_pool, document, "title", title);
    assert_rc(SSO_R_SCIM_DOCUMENT, sso_resource_check(&unit_ctx, SSO_SCIM_USER, view));
    assert_rc(SSO_R_SCIM_REQUIRED, sso_resource_check(&unit_ctx, SSO_SCIM_GROUP, view));
    assert_rc(SSO_R_SCIM_REQUIRED, sso_resource_check(&unit_ctx, SSO_SCIM_USER, scim_json("{'userName':''}")));
}

static void test_resource_keys_are_folded_where_case_does_not_count(void **state)
{
    sso_resource_keys_t keys;
    (void)state;
    sso_resource_keys(
        unit_pool, SSO_SCIM_USER,
        scim_json("{'userName':'ÄDA@x','displayName':'Ada B','externalId':'5C1F0A3E-7a55-4f0c-8a07-20f1c5f9a9d1',"
                  "'active':true,'emails':[{'type':'home','value':'H@x'},{'type':'WORK','value':'W@x'},"
                  "{'type':'work','value':'z'}],'" ENTERPRISE "':{'manager':{'value':'M1'}}}"),
        &keys);
    assert_string_equal(keys.user_name, "äda@x");
    assert_string_equal(keys.display_name, "ada b");
    assert_string_equal(keys.external_id, "5C1F0A3E-7a55-4f0c-8a07-20f1c5f9a9d1");
    assert_string_equal(keys.oid, "5c1f0a3e-7a55-4f0c-8a07-20f1c5f9a9d1");
    assert_string_equal(keys.work_email, "w@x");
    assert_string_equal(keys.manager, "M1");
    assert_true(keys.active);
    sso_resource_keys(unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a','externalId':'ada','active':false}"), &keys);
    assert_string_equal(keys.external_id, "ada");
    assert_null(keys.oid);
    assert_null(keys.display_name);
    assert_null(keys.work_email);
    assert_null(keys.manager);
    assert_false(keys.active);
    sso_resource_keys(unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a'}"), &keys);
    assert_false(keys.active);
    sso_resource_keys(unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a','active':'true'}"), &keys);
    assert_false(keys.active);
    sso_resource_keys(unit_pool, SSO_SCIM_GROUP, scim_json("{'displayName':'Payroll','userName':'x'}"), &keys);
    assert_string_equal(keys.display_name, "payroll");
    assert_null(keys.user_name);
    assert_true(keys.active);
}

static sso_resource_frame_t frame_of(const apr_array_header_t *links)
{
    sso_resource_frame_t frame = {.id = "7d 01",
                                  .created = SSO_TEST_NOW,
                                  .modified = SSO_TEST_NOW + apr_time_from_sec(60),
                                  .version = "W/\"3\"",
                                  .base = "https://app.example.com/.entra/scim/v2",
                                  .links = links};
    return frame;
}

static void test_resource_is_printed_with_what_the_server_knows(void **state)
{
    sso_resource_frame_t frame = frame_of(NULL);
    (void)state;
    const sso_json_node_t *user = sso_resource_print(
        unit_pool, SSO_SCIM_USER,
        scim_json("{'userName':'a','active':true,'" CUSTOM "':{'tag':'x'},'" ENTERPRISE "':{'department':'d'}}"),
        &frame, NULL);
    assert_string_equal(
        scim_print(sso_json_node_view(user)),
        "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\",\"" CUSTOM "\",\"" ENTERPRISE
        "\"],\"id\":\"7d 01\","
        "\"userName\":\"a\",\"active\":true,\"" CUSTOM "\":{\"tag\":\"x\"},\"" ENTERPRISE "\":{\"department\":\"d\"},"
        "\"meta\":{\"resourceType\":\"User\",\"created\":\"2026-11-23T15:00:00Z\",\"lastModified\":\"2026-11-23T15:01:"
        "00Z\","
        "\"location\":\"https://app.example.com/.entra/scim/v2/Users/7d%2001\",\"version\":\"W/\\\"3\\\"\"}}");
}

static void test_resource_links_are_printed(void **state)
{
    apr_array_header_t *links = apr_array_make(unit_pool, 2, sizeof(sso_resource_link_t));
    (void)state;
    APR_ARRAY_PUSH(links, sso_resource_link_t) = (sso_resource_link_t){"U1", "Ada", false};
    APR_ARRAY_PUSH(links, sso_resource_link_t) = (sso_resource_link_t){"G2", NULL, true};
    sso_resource_frame_t frame = frame_of(links);
    const sso_json_node_t *group =
        sso_resource_print(unit_pool, SSO_SCIM_GROUP, scim_json("{'displayName':'G'}"), &frame, NULL);
    assert_json(
        "[{'value':'U1','$ref':'https://app.example.com/.entra/scim/v2/Users/U1','type':'User','display':'Ada'},"
        "{'value':'G2','$ref':'https://app.example.com/.entra/scim/v2/Groups/G2','type':'Group'}]",
        sso_json_get(sso_json_node_view(group), "members"));
    const sso_json_node_t *user =
        sso_resource_print(unit_pool, SSO_SCIM_USER, scim_json("{'userName':'a'}"), &frame, NULL);
    assert_string_equal(sso_json_get_text(sso_json_at(sso_json_get(sso_json_node_view(user), "groups"), 0), "type"),
                        "direct");
    apr_array_clear(links);
    group = sso_resource_print(unit_pool, SSO_SCIM_GROUP, scim_json("{'displayName':'G'}"), &frame, NULL);
    assert_json("[]", sso_json_get(sso_json_node_view(group), "members"));
    const sso_projection_t *projection = NULL;
    assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_GROUP, NULL, "members", &projection));
    group = sso_resource_print(unit_pool, SSO_SCIM_GROUP, scim_json("{'displayName':'G'}"), &frame, projection);
    assert_null(sso_json_get(sso_json_node_view(group), "members"));
}

/* Every bit of a user flipped: refused, or made into a document that may be stored. */
static void test_resource_mutated_never_crashes(void **state)
{
    static const char seed[] = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"ada\","
                               "\"active\":\"True\",\"emails\":"
                               "[{\"primary\":true,\"type\":\"work\",\"value\":\"a\xc3\xa9\"}],\"name\":{\"givenName\":"
                               "\"A\"},\"manager\":\"9f\",\"" CUSTOM "\":{\"tag\":[1,null,{\"a\":2.5}]}}";
    const size_t len = sizeof(seed) - 1;
    (void)state;
    for (size_t bit = 0; bit < len * 8; bit++) {
        apr_pool_t *pool;
        const sso_json_t *body = NULL;
        sso_resource_t resource;
        sso_resource_keys_t keys;
        assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, seed, len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        sso_rc rc = sso_resource_parse(&unit_ctx, pool, copy, len, &body);
        free(copy);
        if (rc == SSO_OK && sso_resource_make(&unit_ctx, pool, SSO_SCIM_USER, body, NULL, &resource) == SSO_OK) {
            assert_rc(SSO_OK, sso_resource_check(&unit_ctx, SSO_SCIM_USER, resource.document));
            sso_resource_keys(pool, SSO_SCIM_USER, resource.document, &keys);
            assert_non_null(keys.user_name);
        }
        sso_fault_clear(&unit_ctx);
        apr_pool_destroy(pool);
    }
}

static void test_resource_role_of_nothing_is_none(void **state)
{
    (void)state;
    assert_int_equal(
        sso_resource_roles(unit_pool, scim_json("{'roles':[{'value':''},{'value':'a'},{'value':'{}'}]}"))->nelts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_resource_vectors_fit),
        unit_test(test_resource_body_is_strict_and_bounded),
        unit_test(test_resource_bounds_are_kept),
        unit_test(test_resource_keys_are_folded_where_case_does_not_count),
        unit_test(test_resource_is_printed_with_what_the_server_knows),
        unit_test(test_resource_links_are_printed),
        unit_test(test_resource_role_of_nothing_is_none),
        unit_test(test_resource_mutated_never_crashes),
    };
    return unit_run(tests);
}
