/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/attribute.c: names as clients write them. */
#include "directory/attribute.h"

#include "unit.h"

#include "scim.h"

static void test_attribute_name_is_understood(void **state)
{
    static const struct {
        const char *text, *urn, *name, *sub;
        sso_scim_kind_t kind;
    } rows[] = {
        {"userName", NULL, "userName", NULL, SSO_SCIM_USER},
        {"USERNAME", NULL, "userName", NULL, SSO_SCIM_USER},
        {"name.GivenName", NULL, "name", "givenName", SSO_SCIM_USER},
        {"emails.$ref", NULL, NULL, "-", SSO_SCIM_USER},
        {"groups.$ref", NULL, "groups", "$ref", SSO_SCIM_USER},
        {"externalId", NULL, "externalId", NULL, SSO_SCIM_GROUP},
        {"meta.lastmodified", NULL, "meta", "lastModified", SSO_SCIM_GROUP},
        {"urn:ietf:params:scim:schemas:core:2.0:user:userName", NULL, "userName", NULL, SSO_SCIM_USER},
        {"urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", NULL, "name", "familyName", SSO_SCIM_USER},
        {"urn:ietf:params:scim:schemas:core:2.0:User:externalId", NULL, "externalId", NULL, SSO_SCIM_USER},
        {ENTERPRISE ":manager.value", ENTERPRISE, "manager", "value", SSO_SCIM_USER},
        {"URN:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user:Department", ENTERPRISE, "department", NULL,
         SSO_SCIM_USER},
        {ENTERPRISE, ENTERPRISE, NULL, NULL, SSO_SCIM_USER},
        {"manager", ENTERPRISE, "manager", NULL, SSO_SCIM_USER},
        {"department", ENTERPRISE, "department", NULL, SSO_SCIM_USER},
        {CUSTOM ":tag", CUSTOM, "tag", NULL, SSO_SCIM_USER},
        {CUSTOM ":tag.color", CUSTOM, "tag", "color", SSO_SCIM_GROUP},
        {CUSTOM, CUSTOM, NULL, NULL, SSO_SCIM_USER},
        {METADATA ":cost-center_2", METADATA, "cost-center_2", NULL, SSO_SCIM_USER},
        {"displayName", NULL, "displayName", NULL, SSO_SCIM_GROUP},
        {"members.value", NULL, "members", "value", SSO_SCIM_GROUP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_attribute_name_t name = {0};
        bool good = sso_attribute_parse(unit_pool, rows[i].kind, rows[i].text, strlen(rows[i].text), &name);
        if (rows[i].sub != NULL && strcmp(rows[i].sub, "-") == 0) {
            assert_false(good);
            continue;
        }
        const char *got = apr_psprintf(unit_pool, "%d %s %s %s", good, name.urn ? name.urn : "-",
                                       name.name ? name.name : "-", name.sub ? name.sub : "-");
        const char *expected = apr_psprintf(unit_pool, "1 %s %s %s", rows[i].urn ? rows[i].urn : "-",
                                            rows[i].name ? rows[i].name : "-", rows[i].sub ? rows[i].sub : "-");
        if (strcmp(got, expected) != 0) {
            unit_fail("%s: %s, expected %s", rows[i].text, got, expected);
        }
    }
}

static void test_attribute_that_is_none_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        ".",
        "..",
        ":",
        "::",
        "$",
        "shoeSize",
        "userName.",
        ".userName",
        "userName.x",
        "name.shoe",
        "user name",
        "userName ",
        "userNameé",
        "members",
        "emails.value.x",
        "urn:x:y",
        "urn:ietf:params:scim:schemas:core:2.0:User:",
        "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
        "urn:ietf:params:scim:schemas:core:1.0:User:userName",
        "urn:ietf:params:scim:schemas:extension:",
        "urn:ietf:params:scim:schemas:extension::x",
        ENTERPRISE ":shoe",
        ENTERPRISE ":",
        CUSTOM ":",
        CUSTOM ":a b",
        CUSTOM ":a:b",
        METADATA ":User.x",
        METADATA ":group.x",
        CUSTOM ":a.b.c",
        CUSTOM ":a.",
        "urn:ietf:params:scim:schemas:extension:a/b:c",
        "urn:ietf:params:scim:schemas:extension:\"x:c",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sso_attribute_name_t name = {.name = "untouched"};
        if (sso_attribute_parse(unit_pool, SSO_SCIM_USER, texts[i], strlen(texts[i]), &name)) {
            unit_fail("<%s> is taken", texts[i]);
        }
        assert_string_equal(name.name, "untouched");
    }
    sso_attribute_name_t name;
    assert_false(sso_attribute_parse(unit_pool, SSO_SCIM_GROUP, ENTERPRISE, strlen(ENTERPRISE), &name));
    assert_false(sso_attribute_parse(unit_pool, SSO_SCIM_GROUP, "manager", 7, &name));
}

static void test_attribute_names_are_bounded(void **state)
{
    char text[SSO_MAX_SCIM_URN + SSO_MAX_SCIM_NAME * 3];
    sso_attribute_name_t name;
    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, CUSTOM ":", sizeof(CUSTOM));
    assert_true(sso_attribute_parse(unit_pool, SSO_SCIM_USER, text, sizeof(CUSTOM) + SSO_MAX_SCIM_NAME, &name));
    assert_false(sso_attribute_parse(unit_pool, SSO_SCIM_USER, text, sizeof(CUSTOM) + SSO_MAX_SCIM_NAME + 1, &name));
    assert_false(sso_attribute_parse(unit_pool, SSO_SCIM_USER, text, sizeof(text), &name));
    memset(text, 'a', sizeof(text));
    memcpy(text, SSO_SCIM_EXTENSION, sizeof(SSO_SCIM_EXTENSION) - 1);
    text[SSO_MAX_SCIM_URN] = '\0';
    assert_true(sso_attribute_is_extension(text));
    text[SSO_MAX_SCIM_URN] = 'a';
    text[SSO_MAX_SCIM_URN + 1] = '\0';
    assert_false(sso_attribute_is_extension(text));
}

/* An object is an extension, a value is an attribute of one. */
static void test_attribute_member_is_told_by_its_value(void **state)
{
    static const struct {
        const char *text, *value, *urn, *name;
    } rows[] = {
        {CUSTOM, "{'tag':'x'}", CUSTOM, NULL},       {CUSTOM ":tag", "'x'", CUSTOM, "tag"},
        {CUSTOM ":tag", "{'a':1}", CUSTOM, "tag"},   {METADATA, "{'a':'b'}", METADATA, NULL},
        {METADATA ":key", "'x'", METADATA, "key"},   {METADATA ":key", "['x']", METADATA, "key"},
        {METADATA ":key", "null", METADATA, "key"},  {ENTERPRISE, "{'department':'x'}", ENTERPRISE, NULL},
        {ENTERPRISE, "null", ENTERPRISE, NULL},      {ENTERPRISE ":manager", "{'value':'x'}", ENTERPRISE, "manager"},
        {"name", "{'givenName':'x'}", NULL, "name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_attribute_name_t name = {0};
        assert_true(
            sso_attribute_parse_member(unit_pool, SSO_SCIM_USER, rows[i].text, scim_json(rows[i].value), &name));
        if (rows[i].urn == NULL ? name.urn != NULL : strcmp(name.urn, rows[i].urn) != 0) {
            unit_fail("%s %s: in %s", rows[i].text, rows[i].value, name.urn);
        }
        if (rows[i].name == NULL ? name.name != NULL : strcmp(name.name, rows[i].name) != 0) {
            unit_fail("%s %s: %s", rows[i].text, rows[i].value, name.name);
        }
    }
    sso_attribute_name_t name;
    assert_false(sso_attribute_parse_member(unit_pool, SSO_SCIM_GROUP, ENTERPRISE, scim_json("{'a':1}"), &name));
}

static void test_attribute_value_is_found_without_case(void **state)
{
    const sso_json_t *document =
        scim_json("{'userName':'a','" ENTERPRISE "':{'department':'Ops'},'" CUSTOM "':{'Tag':'x'}}");
    sso_attribute_name_t name;
    (void)state;
    assert_true(sso_attribute_parse(unit_pool, SSO_SCIM_USER, "username", 8, &name));
    assert_json("'a'", sso_attribute_value(document, &name));
    assert_true(sso_attribute_parse(unit_pool, SSO_SCIM_USER, "department", 10, &name));
    assert_json("'Ops'", sso_attribute_value(document, &name));
    assert_true(sso_attribute_parse(unit_pool, SSO_SCIM_USER, CUSTOM ":tag", strlen(CUSTOM) + 4, &name));
    assert_json("'x'", sso_attribute_value(document, &name));
    assert_string_equal(sso_attribute_spelling(document, "USERNAME"), "userName");
    assert_string_equal(sso_attribute_spelling(document, "other"), "other");
    assert_null(sso_attribute_member(NULL, "a"));
    assert_null(sso_attribute_member(scim_json("[1]"), "a"));
    /* The exact spelling comes first. */
    assert_json("2", sso_attribute_member(scim_json("{'A':1,'a':2}"), "a"));
}

/* The table: no attribute twice, every part has its whole, and only complex attributes have parts. */
static void test_attribute_table_is_consistent(void **state)
{
    const sso_attribute_t *row;
    (void)state;
    for (apr_size_t i = 0; (row = sso_attribute_at(i)) != NULL; i++) {
        assert_ptr_equal(sso_attribute_find(row->schema, row->parent, row->name), row);
        if (row->parent != NULL) {
            const sso_attribute_t *whole = sso_attribute_find(row->schema, NULL, row->parent);
            assert_non_null(whole);
            assert_int_equal(whole->type, SSO_TYPE_COMPLEX);
            assert_int_not_equal(row->type, SSO_TYPE_COMPLEX);
            assert_ptr_equal(sso_attribute_part(whole, row->name), row);
        }
        assert_true(sso_attribute_is_name(row->name));
    }
    assert_null(sso_attribute_at((apr_size_t)-1));
    assert_null(sso_attribute_part(NULL, "value"));
    assert_false(sso_attribute_find(SSO_SCHEMA_USER, NULL, "userName")->case_exact);
    assert_true(sso_attribute_find(SSO_SCHEMA_COMMON, NULL, "externalId")->case_exact);
    assert_true(sso_attribute_find(SSO_SCHEMA_COMMON, NULL, "id")->case_exact);
}

static void test_attribute_name_of_any_bytes_never_crashes(void **state)
{
    static const char seed[] = "urn:ietf:params:scim:schemas:extension:ContosoBadge:2.0:User:tag.sub";
    sso_attribute_name_t name;
    (void)state;
    for (size_t bit = 0; bit < (sizeof(seed) - 1) * 8; bit++) {
        char *copy = unit_exact_copy(seed, sizeof(seed) - 1);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        if (sso_attribute_parse(unit_pool, SSO_SCIM_USER, copy, sizeof(seed) - 1, &name)) {
            assert_true(sso_attribute_is_extension(name.urn));
            assert_true(name.name == NULL || sso_attribute_is_name(name.name));
        }
    }
    for (size_t cut = 0; cut < sizeof(seed); cut++) {
        (void)sso_attribute_parse(unit_pool, SSO_SCIM_USER, unit_exact_copy(seed, cut), cut, &name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_attribute_name_is_understood),
        unit_test(test_attribute_that_is_none_is_refused),
        unit_test(test_attribute_names_are_bounded),
        unit_test(test_attribute_member_is_told_by_its_value),
        unit_test(test_attribute_value_is_found_without_case),
        unit_test(test_attribute_table_is_consistent),
        unit_test(test_attribute_name_of_any_bytes_never_crashes),
    };
    return unit_run(tests);
}
