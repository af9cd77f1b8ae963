/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/changed.c: which names a change is told with, and that no value is among them. */
#include "directory/changed.h"

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"

static const sso_json_t *document(const char *text)
{
    const sso_json_t *json = NULL;
    if (text != NULL) {
        assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), SSO_MAX_SCIM_DOCUMENT, &json));
    }
    return json;
}

static void assert_names(const char *before, const char *after, const char *expected)
{
    const apr_array_header_t *names = sso_changed_names(unit_pool, document(before), document(after));
    assert_string_equal(apr_array_pstrcat(unit_pool, names, ','), expected);
}

static void test_names_of_equal_documents_are_none(void **state)
{
    (void)state;
    assert_names("{\"userName\":\"a\",\"emails\":[{\"value\":\"x\"}]}",
                 "{\"emails\":[{\"value\":\"x\"}],\"userName\":\"a\"}", "");
}

static void test_names_of_changed_added_and_removed(void **state)
{
    (void)state;
    assert_names("{\"userName\":\"a\",\"title\":\"x\",\"active\":true}",
                 "{\"userName\":\"b\",\"active\":true,\"name\":{\"givenName\":\"g\"}}", "userName,name,title");
}

static void test_names_of_a_new_and_of_a_deleted_resource_are_all(void **state)
{
    (void)state;
    assert_names(NULL, "{\"userName\":\"a\",\"active\":true}", "userName,active");
    assert_names("{\"userName\":\"a\",\"active\":true}", NULL, "userName,active");
    assert_names(NULL, NULL, "");
}

static void test_names_in_extensions_have_the_urn(void **state)
{
    (void)state;
    assert_names("{\"urn:x:User\":{\"a\":1,\"b\":2,\"gone\":3}}",
                 "{\"urn:x:User\":{\"a\":1,\"b\":4,\"new\":5},\"urn:y:User\":{\"z\":1}}",
                 "urn:x:User:b,urn:x:User:new,urn:y:User:z,urn:x:User:gone");
    assert_names("{\"urn:x:User\":{\"a\":1}}", "{}", "urn:x:User:a");
    assert_names("{\"urn:x:User\":\"text\"}", "{\"urn:x:User\":\"other\"}", "urn:x:User");
}

static void test_names_inside_complex_values_are_those_of_the_attribute(void **state)
{
    (void)state;
    assert_names("{\"name\":{\"urn:z\":{\"q\":1}}}", "{\"name\":{\"urn:z\":{\"q\":2}}}", "name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_names_of_equal_documents_are_none),
        unit_test(test_names_of_changed_added_and_removed),
        unit_test(test_names_of_a_new_and_of_a_deleted_resource_are_all),
        unit_test(test_names_in_extensions_have_the_urn),
        unit_test(test_names_inside_complex_values_are_those_of_the_attribute),
    };
    return unit_run(tests);
}
