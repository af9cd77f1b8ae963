/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/value.c. Most shapes stand in tests/vectors/scim, by test_patch.c and test_resource.c. */
#include "directory/value.h"

#include "unit.h"

#include "scim.h"

static sso_rc normalize(const char *name, const sso_json_t *value, const sso_json_t **ret_value)
{
    sso_attribute_name_t found = {0};
    assert_true(sso_attribute_parse(unit_pool, SSO_SCIM_USER, name, strlen(name), &found));
    return sso_value_normalize(&unit_ctx, unit_pool, found.part ? found.part : found.attribute, value, ret_value);
}

static void test_value_is_normalized(void **state)
{
    static const struct {
        const char *name, *value, *normal; /* NULL: unassigned */
    } rows[] = {
        {"title", "'Lead'", "'Lead'"},
        {"title", "' a  b '", "' a  b '"},
        {"title", "7", "'7'"},
        {"title", "['x']", "'x'"},
        {"title", "[{'value':'x'}]", "'x'"},
        {"title", "[['x']]", "'x'"},
        {"title", "{'VALUE':'x'}", "'x'"},
        {"title", "''", NULL},
        {"title", "null", NULL},
        {"title", "[]", NULL},
        {"title", "{}", NULL},
        {"title", "[null]", NULL},
        {"active", "'tRUE'", "true"},
        {"active", "false", "false"},
        {"active", "''", NULL},
        {"emails.primary", "'False'", "false"},
        {"profileUrl", "'https://x.example/'", "'https://x.example/'"},
        {"name", "{'GivenName':'A','shoe':1,'familyName':null}", "{'givenName':'A'}"},
        {"name", "{'shoe':1}", NULL},
        {"emails", "'a@x'", "[{'value':'a@x'}]"},
        {"emails", "{'value':'a@x'}", "[{'value':'a@x'}]"},
        {"emails", "[{'value':'a'},{'value':'a'},null,{},'b']", "[{'value':'a'},{'value':'b'}]"},
        {"emails", "[{'value':'a','Type':'work','x-y':7,'o':{},'l':[1],'n':null}]",
         "[{'value':'a','type':'work','x-y':7}]"},
        {"manager", "'M'", "{'value':'M'}"},
        {"manager", "[{'$ref':null,'value':'M','displayName':'B'}]", "{'value':'M'}"},
        {"manager", "{'value':''}", NULL},
        {"id", "'x'", NULL},
        {"groups", "[{'value':'g'}]", NULL},
        {"password", "'geheim'", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_json_t *value = NULL;
        assert_rc(SSO_OK, normalize(rows[i].name, scim_json(rows[i].value), &value));
        scim_check(rows[i].value, rows[i].normal != NULL ? scim_json(rows[i].normal) : NULL, value);
    }
}

static void test_value_of_a_wrong_type_is_refused(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"title", "true"},
        {"title", "1.5"},
        {"title", "['a','b']"},
        {"title", "[['a','b']]"},
        {"active", "1"},
        {"active", "'yes'"},
        {"active", "[true,true]"},
        {"name", "'Ada'"},
        {"name", "[1,2]"},
        {"name", "{'givenName':true}"},
        {"emails", "true"},
        {"emails", "[[['a']]]"},
        {"emails", "[{'primary':'maybe'}]"},
        {"manager", "[1,2]"},
        {"manager", "{'value':{'value':true}}"},
        {"emails", "[{'value':'a','Value':'b'}]"},
        {"name", "{'givenName':'a','GIVENNAME':'b'}"},
        {"emails", "[{'x':1,'X':2}]"},
        {"emails", "[{'value':'a','x':1.7976931348623157e308}]"},
        {"roles", "[{'value':'a','x':-1.7976931348623157e308}]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_json_t *value = NULL;
        sso_rc rc = normalize(rows[i].name, scim_json(rows[i].value), &value);
        if (rc != SSO_R_SCIM_VALUE || value != NULL) {
            unit_fail("%s %s: %s", rows[i].name, rows[i].value, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static const sso_json_t *long_text(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'a', len);
    text[len] = '\0';
    return sso_json_node_view(sso_json_node_text(unit_pool, text));
}

static const sso_json_t *long_list(int count)
{
    sso_json_node_t *list = sso_json_node_array(unit_pool);
    for (int i = 0; i < count; i++) {
        sso_json_node_append_text(unit_pool, list, apr_itoa(unit_pool, i));
    }
    return sso_json_node_view(list);
}

static void test_value_bounds_are_kept(void **state)
{
    const sso_json_t *value = NULL;
    (void)state;
    assert_rc(SSO_OK, normalize("title", long_text(SSO_MAX_SCIM_VALUE), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("title", long_text(SSO_MAX_SCIM_VALUE + 1), &value));
    assert_rc(SSO_OK, normalize("userName", long_text(SSO_MAX_SCIM_KEY), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("userName", long_text(SSO_MAX_SCIM_KEY + 1), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("externalId", long_text(SSO_MAX_SCIM_KEY + 1), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("emails", long_text(SSO_MAX_SCIM_KEY + 1), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("manager", long_text(SSO_MAX_SCIM_KEY + 1), &value));
    assert_rc(SSO_OK, normalize("emails", long_list(SSO_MAX_SCIM_ENTRIES), &value));
    assert_rc(SSO_R_SCIM_VALUE, normalize("emails", long_list(SSO_MAX_SCIM_ENTRIES + 1), &value));
    assert_rc(SSO_R_SCIM_VALUE,
              sso_value_normalize(&unit_ctx, unit_pool, NULL, long_list(SSO_MAX_SCIM_ENTRIES + 1), &value));
    assert_rc(SSO_R_SCIM_VALUE,
              sso_value_normalize(&unit_ctx, unit_pool, NULL, long_text(SSO_MAX_SCIM_VALUE + 1), &value));
    assert_rc(SSO_OK, sso_value_normalize(&unit_ctx, unit_pool, NULL, scim_json("[[[[1]]]]"), &value));
    assert_rc(SSO_R_SCIM_VALUE, sso_value_normalize(&unit_ctx, unit_pool, NULL, scim_json("[[[[[1]]]]]"), &value));
    assert_rc(SSO_R_SCIM_VALUE, sso_value_normalize(&unit_ctx, unit_pool, NULL, scim_json("{'a':1,'A':2}"), &value));
    assert_rc(SSO_R_SCIM_VALUE, sso_value_normalize(&unit_ctx, unit_pool, NULL, scim_json("{'a b':1}"), &value));
}

static void test_value_of_an_extension_is_kept_without_nulls(void **state)
{
    const sso_json_t *value = NULL;
    (void)state;
    assert_rc(SSO_OK, sso_value_normalize(&unit_ctx, unit_pool, NULL,
                                          scim_json("{'a':null,'b':[null,1,'x',2.5,true,{}],'c':{'d':''}}"), &value));
    assert_json("{'b':[1,'x',2.5,true]}", value);
    value = NULL;
    assert_rc(SSO_OK, sso_value_normalize(&unit_ctx, unit_pool, NULL, scim_json("[null,{'a':[]}]"), &value));
    assert_null(value);
}

static void test_value_boolean_words(void **state)
{
    bool truth = true;
    (void)state;
    assert_true(sso_value_boolean("FALSE", &truth));
    assert_false(truth);
    assert_true(sso_value_boolean("True", &truth));
    assert_true(truth);
    assert_false(sso_value_boolean("", &truth));
    assert_false(sso_value_boolean("truex", &truth));
    assert_false(sso_value_boolean(NULL, &truth));
    assert_true(truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_value_is_normalized),   unit_test(test_value_of_a_wrong_type_is_refused),
        unit_test(test_value_bounds_are_kept), unit_test(test_value_of_an_extension_is_kept_without_nulls),
        unit_test(test_value_boolean_words),
    };
    return unit_run(tests);
}
