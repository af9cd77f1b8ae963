/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/schemas.c. */
#include "directory/schemas.h"

#include "unit.h"

#include "scim.h"

static const char *custom_names[] = {"tag", "folders"};
static apr_array_header_t custom_list = {NULL, sizeof(const char *), 2, 2, (char *)custom_names};
static sso_scim_extension_t extension = {CUSTOM, &custom_list};
static apr_array_header_t extensions = {NULL, sizeof(extension), 1, 1, (char *)&extension};
static const sso_scim_service_t SERVICE = {"https://app.example.com/scim", &extensions, 200, 100, 3600};

static void check_no_null(const char *text)
{
    assert_null(strstr(text, "null"));
}

/* The attribute of a name in a schema's list. */
static const sso_json_t *find(const sso_json_t *list, const char *name)
{
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        if (strcmp(sso_json_get_text(sso_json_at(list, i), "name"), name) == 0) {
            return sso_json_at(list, i);
        }
    }
    return NULL;
}

static const sso_json_t *attributes_of(const char *urn)
{
    return sso_json_get(sso_json_node_view(sso_schemas_get(unit_pool, &SERVICE, urn)), "attributes");
}

static void test_schemas_list_holds_all(void **state)
{
    static const char *const urns[] = {SSO_SCIM_URN_USER, SSO_SCIM_URN_GROUP, SSO_SCIM_URN_ENTERPRISE, CUSTOM};
    const sso_json_t *list = sso_json_node_view(sso_schemas_list(unit_pool, &SERVICE));
    const sso_json_t *schemas = sso_json_get(list, "Resources");
    (void)state;
    assert_json("['urn:ietf:params:scim:api:messages:2.0:ListResponse']", sso_json_get(list, "schemas"));
    assert_json("4", sso_json_get(list, "totalResults"));
    assert_json("4", sso_json_get(list, "itemsPerPage"));
    check_no_null(scim_print(list));
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(sso_json_get_text(sso_json_at(schemas, i), "id"), urns[i]);
        scim_check(urns[i], sso_json_at(schemas, i), sso_json_node_view(sso_schemas_get(unit_pool, &SERVICE, urns[i])));
    }
    assert_string_equal(sso_json_get_text(sso_json_at(schemas, 0), "description"), "User Account");
    assert_json("{'resourceType':'Schema','location':'https://app.example.com/scim/Schemas/" CUSTOM "'}",
                sso_json_get(sso_json_at(schemas, 3), "meta"));
    assert_null(sso_schemas_get(unit_pool, &SERVICE, "urn:x"));
    assert_non_null(sso_schemas_get(unit_pool, &SERVICE, "URN:ietf:params:scim:schemas:core:2.0:user"));
}

/* Every attribute that a client may write is told, with its parts. */
static void test_schemas_tell_the_whole_table(void **state)
{
    const sso_attribute_t *row;
    (void)state;
    for (apr_size_t i = 0; (row = sso_attribute_at(i)) != NULL; i++) {
        const char *urn = row->schema == SSO_SCHEMA_GROUP        ? SSO_SCIM_URN_GROUP
                          : row->schema == SSO_SCHEMA_ENTERPRISE ? SSO_SCIM_URN_ENTERPRISE
                                                                 : SSO_SCIM_URN_USER;
        const sso_json_t *whole = find(attributes_of(urn), row->parent != NULL ? row->parent : row->name);
        if (whole == NULL) {
            /* meta and schemas belong to no schema. */
            assert_int_equal(row->schema, SSO_SCHEMA_COMMON);
            continue;
        }
        if (row->parent != NULL) {
            assert_non_null(find(sso_json_get(whole, "subAttributes"), row->name));
        }
    }
    assert_non_null(find(attributes_of(SSO_SCIM_URN_USER), "externalId"));
    assert_non_null(find(attributes_of(SSO_SCIM_URN_GROUP), "externalId"));
    assert_null(find(attributes_of(SSO_SCIM_URN_ENTERPRISE), "externalId"));
}

static void test_schemas_attribute_has_all_characteristics(void **state)
{
    (void)state;
    assert_json(
        "{'name':'userName','type':'string','multiValued':false,'description':'Name that the user signs in with',"
        "'required':true,'caseExact':false,'mutability':'readWrite','returned':'default','uniqueness':'server'}",
        find(attributes_of(SSO_SCIM_URN_USER), "userName"));
    const sso_json_t *password = find(attributes_of(SSO_SCIM_URN_USER), "password");
    assert_string_equal(sso_json_get_text(password, "mutability"), "writeOnly");
    assert_string_equal(sso_json_get_text(password, "returned"), "never");
    const sso_json_t *members = find(attributes_of(SSO_SCIM_URN_GROUP), "members");
    assert_json("['User','Group']",
                sso_json_get(find(sso_json_get(members, "subAttributes"), "$ref"), "referenceTypes"));
    const sso_json_t *manager = find(attributes_of(SSO_SCIM_URN_ENTERPRISE), "manager");
    assert_json("['User']", sso_json_get(find(sso_json_get(manager, "subAttributes"), "$ref"), "referenceTypes"));
    const sso_json_t *groups = find(attributes_of(SSO_SCIM_URN_USER), "groups");
    assert_json("['Group']", sso_json_get(find(sso_json_get(groups, "subAttributes"), "$ref"), "referenceTypes"));
    assert_json("['external']", sso_json_get(find(attributes_of(SSO_SCIM_URN_USER), "profileUrl"), "referenceTypes"));
    assert_int_equal(sso_json_size(attributes_of(CUSTOM)), 2);
    assert_string_equal(sso_json_get_text(find(attributes_of(CUSTOM), "folders"), "type"), "string");
    assert_non_null(find(attributes_of(CUSTOM), "tag"));
}

static void test_schemas_resource_types(void **state)
{
    const sso_json_t *list = sso_json_node_view(sso_resource_types_list(unit_pool, &SERVICE));
    const sso_json_t *user = sso_json_at(sso_json_get(list, "Resources"), 0);
    (void)state;
    check_no_null(scim_print(list));
    assert_json("2", sso_json_get(list, "totalResults"));
    assert_json(
        "{'schemas':['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],'id':'User','name':'User','endpoint':'/"
        "Users',"
        "'description':'User Account','schema':'urn:ietf:params:scim:schemas:core:2.0:User','schemaExtensions':["
        "{'schema':'" ENTERPRISE "','required':false},{'schema':'" CUSTOM "','required':false}],"
        "'meta':{'resourceType':'ResourceType','location':'https://app.example.com/scim/ResourceTypes/User'}}",
        user);
    scim_check("User", user, sso_json_node_view(sso_resource_types_get(unit_pool, &SERVICE, "user")));
    assert_string_equal(
        sso_json_get_text(sso_json_node_view(sso_resource_types_get(unit_pool, &SERVICE, "Group")), "endpoint"),
        "/Groups");
    assert_null(sso_resource_types_get(unit_pool, &SERVICE, "Device"));
}

static void test_schemas_service_config(void **state)
{
    const sso_json_t *config = sso_json_node_view(sso_service_config(unit_pool, &SERVICE));
    (void)state;
    check_no_null(scim_print(config));
    assert_json("{'supported':true}", sso_json_get(config, "patch"));
    assert_json("{'supported':true,'maxOperations':100,'maxPayloadSize':1048576}", sso_json_get(config, "bulk"));
    assert_json("{'supported':true,'maxResults':200}", sso_json_get(config, "filter"));
    assert_json("{'supported':false}", sso_json_get(config, "changePassword"));
    assert_json("{'supported':false}", sso_json_get(config, "sort"));
    assert_json("{'supported':true}", sso_json_get(config, "etag"));
    assert_json("{'cursor':true,'index':true,'defaultPaginationMethod':'index','defaultPageSize':100,'maxPageSize':200,"
                "'cursorTimeout':3600}",
                sso_json_get(config, "pagination"));
    const sso_json_t *scheme = sso_json_at(sso_json_get(config, "authenticationSchemes"), 0);
    assert_string_equal(sso_json_get_text(scheme, "type"), "oauthbearertoken");
}

static void test_schemas_list_response(void **state)
{
    sso_list_frame_t frame = {0, 1, NULL, NULL};
    (void)state;
    assert_string_equal(scim_print(sso_json_node_view(sso_list_begin(unit_pool, &frame))),
                        "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:ListResponse\"],\"totalResults\":0,"
                        "\"startIndex\":1,\"itemsPerPage\":0,\"Resources\":[]}");
    frame = (sso_list_frame_t){-1, 0, "next", "previous"};
    sso_json_node_t *list = sso_list_begin(unit_pool, &frame);
    sso_list_add(unit_pool, list, sso_json_node_object(unit_pool));
    sso_list_end(unit_pool, list);
    assert_json(
        "{'schemas':['urn:ietf:params:scim:api:messages:2.0:ListResponse'],'itemsPerPage':1,'nextCursor':'next',"
        "'previousCursor':'previous','Resources':[{}]}",
        sso_json_node_view(list));
}

static void test_schemas_error_has_its_type(void **state)
{
    static const struct {
        sso_rc rc;
        const char *status, *type;
    } rows[] = {
        {SSO_R_SCIM_BODY, "413", NULL},
        {SSO_R_SCIM_SYNTAX, "400", "invalidSyntax"},
        {SSO_R_SCIM_FILTER, "400", "invalidFilter"},
        {SSO_R_SCIM_PATH, "400", "invalidPath"},
        {SSO_R_SCIM_TARGET, "400", "noTarget"},
        {SSO_R_SCIM_VALUE, "400", "invalidValue"},
        {SSO_R_SCIM_MUTABILITY, "400", "mutability"},
        {SSO_R_SCIM_REQUIRED, "400", "invalidValue"},
        {SSO_R_SCIM_DOCUMENT, "413", NULL},
        {SSO_R_SCIM_PROJECTION, "400", "invalidValue"},
        {SSO_R_CRYPTO, "500", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_json_t *error = sso_json_node_view(sso_scim_error(unit_pool, rows[i].rc, "the detail"));
        assert_json("['urn:ietf:params:scim:api:messages:2.0:Error']", sso_json_get(error, "schemas"));
        assert_string_equal(sso_json_get_text(error, "status"), rows[i].status);
        if (rows[i].type == NULL) {
            assert_null(sso_json_get(error, "scimType"));
        } else {
            assert_string_equal(sso_json_get_text(error, "scimType"), rows[i].type);
        }
        /* What other layers say of a fault stays here. */
        bool told = strstr(sso_json_get_text(error, "detail"), "the detail") != NULL;
        assert_int_equal(told, rows[i].rc != SSO_R_CRYPTO);
    }
    assert_non_null(sso_json_get_text(sso_json_node_view(sso_scim_error(unit_pool, SSO_R_SCIM_PATH, NULL)), "detail"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_schemas_list_holds_all),
        unit_test(test_schemas_tell_the_whole_table),
        unit_test(test_schemas_attribute_has_all_characteristics),
        unit_test(test_schemas_resource_types),
        unit_test(test_schemas_service_config),
        unit_test(test_schemas_list_response),
        unit_test(test_schemas_error_has_its_type),
    };
    return unit_run(tests);
}
