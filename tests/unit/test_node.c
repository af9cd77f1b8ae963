/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the documents of base/json.c that change. */
#include "base/json.h"

#include "unit.h"

#include "scim.h"

static const sso_json_t *view(const sso_json_node_t *node)
{
    return sso_json_node_view(node);
}

static void test_node_documents_are_built(void **state)
{
    sso_json_node_t *document = sso_json_node_object(unit_pool);
    (void)state;
    sso_json_node_set_text(unit_pool, document, "t", "x\"\xc3\xa9");
    sso_json_node_set_integer(unit_pool, document, "i", INT64_MIN);
    sso_json_node_set_bool(unit_pool, document, "b", true);
    sso_json_node_t *list = sso_json_node_set_array(unit_pool, document, "l");
    sso_json_node_append_text(unit_pool, list, "a");
    sso_json_node_append(unit_pool, list, scim_json("{'n':null}"));
    sso_json_node_set_text(unit_pool, sso_json_node_append_object(unit_pool, list), "k", "v");
    sso_json_node_set_bool(unit_pool, sso_json_node_set_object(unit_pool, document, "o"), "in", false);
    assert_string_equal(sso_json_print_value(unit_pool, view(document), 1000),
                        "{\"t\":\"x\\\"\xc3\xa9\",\"i\":-9223372036854775808,\"b\":true,"
                        "\"l\":[\"a\",{\"n\":null},{\"k\":\"v\"}],\"o\":{\"in\":false}}");
}

static void test_node_members_keep_their_place_and_go(void **state)
{
    sso_json_node_t *document = sso_json_node_copy(unit_pool, scim_json("{'a':1,'b':[1,2,3],'c':{'d':4}}"));
    (void)state;
    sso_json_node_set(unit_pool, document, "a", scim_json("[9]"));
    assert_string_equal(scim_print(view(document)), "{\"a\":[9],\"b\":[1,2,3],\"c\":{\"d\":4}}");
    sso_json_node_remove_at(sso_json_node_get(document, "b"), 1);
    sso_json_node_set_at(unit_pool, sso_json_node_get(document, "b"), 0, scim_json("7"));
    sso_json_node_set_at(unit_pool, sso_json_node_get(document, "b"), 2, scim_json("8"));
    assert_string_equal(scim_print(view(document)), "{\"a\":[9],\"b\":[7,3],\"c\":{\"d\":4}}");
    sso_json_node_remove(document, "a");
    sso_json_node_remove(document, "none");
    sso_json_node_set(unit_pool, document, "b", NULL);
    sso_json_node_set_text(unit_pool, sso_json_node_get(document, "c"), "d", NULL);
    assert_string_equal(scim_print(view(document)), "{\"c\":{}}");
}

/* What is put in is a copy: neither side sees the other's changes, and a part may be put into its own whole. */
static void test_node_values_are_copied(void **state)
{
    sso_json_node_t *part = sso_json_node_copy(unit_pool, scim_json("{'x':1}"));
    sso_json_node_t *document = sso_json_node_object(unit_pool);
    (void)state;
    sso_json_node_set(unit_pool, document, "a", view(part));
    sso_json_node_set_integer(unit_pool, part, "x", 2);
    assert_string_equal(scim_print(view(document)), "{\"a\":{\"x\":1}}");
    sso_json_node_set(unit_pool, document, "a", sso_json_get(sso_json_get(view(document), "a"), "x"));
    assert_string_equal(scim_print(view(document)), "{\"a\":1}");
    sso_json_node_set(unit_pool, document, "b", view(document));
    assert_string_equal(scim_print(view(document)), "{\"a\":1,\"b\":{\"a\":1}}");
    sso_json_node_t *copy = sso_json_node_copy(unit_pool, view(document));
    sso_json_node_remove(sso_json_node_get(copy, "b"), "a");
    assert_string_equal(scim_print(view(document)), "{\"a\":1,\"b\":{\"a\":1}}");
}

static void test_node_of_a_wrong_kind_is_left_alone(void **state)
{
    sso_json_node_t *list = sso_json_node_array(unit_pool);
    sso_json_node_t *text = sso_json_node_text(unit_pool, "a\xff");
    (void)state;
    sso_json_node_set_text(unit_pool, list, "a", "b");
    sso_json_node_append_text(unit_pool, text, "b");
    sso_json_node_append_text(unit_pool, list, NULL);
    sso_json_node_append(unit_pool, list, NULL);
    assert_null(sso_json_node_set_object(unit_pool, text, "a"));
    assert_null(sso_json_node_append_object(unit_pool, text));
    assert_null(sso_json_node_get(list, "a"));
    assert_null(sso_json_node_at(list, 0));
    assert_null(sso_json_node_get(NULL, "a"));
    sso_json_node_remove(list, "a");
    sso_json_node_remove_at(list, 0);
    sso_json_node_remove_at(text, 0);
    assert_string_equal(scim_print(view(list)), "[]");
    assert_string_equal(scim_print(view(text)), "\"a\xef\xbf\xbd\"");
    assert_string_equal(scim_print(view(sso_json_node_bool(unit_pool, false))), "false");
}

static void test_node_print_is_bounded(void **state)
{
    const sso_json_t *value = scim_json("{'a':[1,2]}");
    (void)state;
    assert_int_equal(sso_json_length(value), 11);
    assert_string_equal(sso_json_print_value(unit_pool, value, 11), "{\"a\":[1,2]}");
    assert_null(sso_json_print_value(unit_pool, value, 10));
    assert_null(sso_json_print_value(unit_pool, NULL, 10));
    assert_string_equal(scim_print(scim_json("[0.1,1e300,-2.5]")), "[0.1,1e300,-2.5]");
    assert_int_equal(sso_json_length(NULL), 0);
}

static void test_node_values_are_compared(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"{'a':1,'b':2}", "{'b':2,'a':1}", true},
        {"[1,2]", "[2,1]", false},
        {"1", "1.0", false},
        {"null", "null", true},
        {"null", "false", false},
        {"'a'", "'A'", false},
        {"{}", "[]", false},
        {"'1'", "1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(sso_json_equal(scim_json(rows[i].a), scim_json(rows[i].b)), rows[i].equal);
    }
    assert_true(sso_json_equal(NULL, NULL));
    assert_false(sso_json_equal(NULL, scim_json("null")));
    double number = 0;
    assert_true(sso_json_number(scim_json("1.5"), &number) && number > 1.4 && number < 1.6);
    assert_false(sso_json_number(scim_json("'1.5'"), &number));
}

static void test_node_deeper_texts_have_their_own_bound(void **state)
{
    const sso_json_t *value = NULL;
    char text[2 * (SSO_MAX_JSON_LEVELS + 1) + 1];
    (void)state;
    for (int depth = SSO_MAX_JSON_LEVELS; depth <= SSO_MAX_JSON_LEVELS + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        sso_rc expected = depth > SSO_MAX_JSON_LEVELS ? SSO_R_JSON_DEPTH : SSO_OK;
        assert_rc(expected, sso_json_parse_deep(&unit_ctx, unit_pool, text, (size_t)depth * 2, 1000, 1000, &value));
    }
    assert_rc(SSO_R_JSON_DEPTH, sso_json_parse_deep(&unit_ctx, unit_pool, "[[]]", 4, 10, 1, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_node_documents_are_built),
        unit_test(test_node_members_keep_their_place_and_go),
        unit_test(test_node_values_are_copied),
        unit_test(test_node_of_a_wrong_kind_is_left_alone),
        unit_test(test_node_print_is_bounded),
        unit_test(test_node_values_are_compared),
        unit_test(test_node_deeper_texts_have_their_own_bound),
    };
    return unit_run(tests);
}
