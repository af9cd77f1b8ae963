/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/json.c: strictness, bounds, reading and writing. */
#include "base/json.h"

#include <string.h>

#include "unit.h"

#include "base/limits.h"

#define MAX_LEN 65536

static sso_rc parse(const char *text, const sso_json_t **ret_value)
{
    return sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), MAX_LEN, ret_value);
}

static const sso_json_t *parsed(const char *text)
{
    const sso_json_t *value = NULL;
    assert_rc(SSO_OK, parse(text, &value));
    return value;
}

static void test_json_object_is_read(void **state)
{
    (void)state;
    const sso_json_t *json = parsed(" {\"t\":\"text\",\"i\":-42,\"r\":1.0,\"y\":true,\"n\":false,\"z\":null,"
                                    "\"a\":[1,\"two\",{}],\"o\":{\"in\":\"side\"}} \r\n\t");
    assert_int_equal(sso_json_type(json), SSO_JSON_OBJECT);
    assert_int_equal(sso_json_size(json), 8);
    assert_string_equal(sso_json_get_text(json, "t"), "text");
    assert_int_equal(sso_json_type(sso_json_get(json, "t")), SSO_JSON_STRING);
    assert_int_equal(sso_json_type(sso_json_get(json, "i")), SSO_JSON_INTEGER);
    assert_int_equal(sso_json_type(sso_json_get(json, "r")), SSO_JSON_REAL);
    assert_int_equal(sso_json_type(sso_json_get(json, "y")), SSO_JSON_BOOL);
    assert_int_equal(sso_json_type(sso_json_get(json, "n")), SSO_JSON_BOOL);
    assert_int_equal(sso_json_type(sso_json_get(json, "z")), SSO_JSON_NULL);
    assert_true(sso_json_is_true(sso_json_get(json, "y")));
    assert_false(sso_json_is_true(sso_json_get(json, "n")));
    assert_string_equal(sso_json_get_text(sso_json_get(json, "o"), "in"), "side");

    const sso_json_t *list = sso_json_get(json, "a");
    assert_int_equal(sso_json_type(list), SSO_JSON_ARRAY);
    assert_int_equal(sso_json_size(list), 3);
    assert_string_equal(sso_json_text(sso_json_at(list, 1)), "two");
    assert_null(sso_json_at(list, 3));
    assert_null(sso_json_at(list, (apr_size_t)-1));
}

static void test_json_wrong_type_or_absent_gives_none(void **state)
{
    (void)state;
    const sso_json_t *json = parsed("{\"n\":1,\"s\":\"x\",\"true\":\"true\"}");
    int64_t number = 7;
    assert_null(sso_json_get(json, "none"));
    assert_null(sso_json_get(json, "N"));
    assert_null(sso_json_get(NULL, "n"));
    assert_null(sso_json_get(sso_json_get(json, "n"), "n"));
    assert_null(sso_json_get_text(json, "n"));
    assert_null(sso_json_get_text(NULL, "n"));
    assert_null(sso_json_text(NULL));
    assert_null(sso_json_at(json, 0));
    assert_null(sso_json_at(NULL, 0));
    assert_int_equal(sso_json_size(NULL), 0);
    assert_int_equal(sso_json_size(sso_json_get(json, "s")), 0);
    assert_int_equal(sso_json_type(NULL), SSO_JSON_NULL);
    assert_false(sso_json_integer(sso_json_get(json, "s"), &number));
    assert_false(sso_json_integer(NULL, &number));
    assert_int_equal(number, 7);
    assert_false(sso_json_is_true(sso_json_get(json, "n")));
    assert_false(sso_json_is_true(sso_json_get(json, "true")));
    assert_false(sso_json_is_true(NULL));
}

static void test_json_integer_spans_64_bits_and_no_real(void **state)
{
    (void)state;
    int64_t number = 0;
    assert_true(sso_json_integer(parsed("9223372036854775807"), &number));
    assert_true(number == INT64_MAX);
    assert_true(sso_json_integer(parsed("-9223372036854775808"), &number));
    assert_true(number == INT64_MIN);
    assert_true(sso_json_integer(parsed("-0"), &number));
    assert_true(number == 0);
    const char *const reals[] = {"1.0", "1e3", "1E0", "0.5", "9223372036854775807.0", "1e300"};
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        assert_false(sso_json_integer(parsed(reals[i]), &number));
    }
}

static void test_json_valid_texts_pass(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        "{}", "[]", "null", "true", "false", "0", "-1", "1.5e-3", "\"\"", "\"\\u00e9\\ud83d\\ude00\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\xc3\xa9\"", "\"[[[[[[[[[[[[[[[[[[[[{{{{{{\"", "\"\x7f\"",
        "{\"a\":1,\"A\":2,\"\":3}", "[\"\\\\\", \"\\\"[[[[[[[[[[[[[[[[[[[[\"]", "{\"a\":{\"b\":1},\"b\":{\"a\":1}}",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const sso_json_t *value = NULL;
        sso_rc rc = parse(cases[i], &value);
        if (rc != SSO_OK || value == NULL) {
            unit_fail("%s: %s", cases[i], sso_reason(rc)->name);
        }
    }
}

static void test_json_syntax_is_strict(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        /* no value, cut values, more than one value */
        "", " ", "{", "}", "[", "]", "\"", "{\"a\"", "{\"a\":", "{\"a\":1", "[1", "[1,", "tru", "nul", "{}{}", "{} x",
        "1 2", "[]]", "{}}", "[1]]", "{\"a\":1}]", "[}", "{]", "[{]}", "{\"a\":1},",
        /* spellings of other languages */
        "{'a':1}", "{a:1}", "'a'", "[1,]", "{\"a\":1,}", "[,1]", "[1,,2]", "{,}", "// c\n{}", "/* c */{}", "{} # c",
        "NaN", "Infinity", "-Infinity", "undefined", "True", "NULL", "0x10", "01", "-01", "+1", ".5", "1.", "1e",
        "1e+", "--1", "1_000", "-", "\xef\xbb\xbf{}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}", "{null:1}", "\f{}",
        "\xc2\xa0{}",
        /* numbers past their type */
        "9223372036854775808", "-9223372036854775809", "99999999999999999999999999", "{\"exp\":18446744073709551616}",
        "1e400", "-1e400",
        /* strings */
        "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\'\"", "\"\\u0000\"",
        "\"a\\u0000b\"", "{\"a\\u0000b\":1}", "{\"\\u0000\":1}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"",
        "\"\\ud800x\"",
        /* UTF-8: a stray byte, cut, overlong, surrogate, past the end */
        "\"\xff\"", "\"\x80\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xe0\x80\xaf\"", "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "{\"\xc3\":1}",
        /* the same name twice, also when spelled differently */
        "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}", "{\"x\":{\"a\":1,\"b\":2,\"a\":3}}", "[{\"\":1,\"\":2}]",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const sso_json_t *value = NULL;
        sso_rc rc = parse(cases[i], &value);
        if (rc != SSO_R_JSON_SYNTAX || value != NULL || unit_ctx.fault.rc != SSO_R_JSON_SYNTAX) {
            unit_fail("case %zu, %s: %s", i, cases[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_json_nul_byte_is_refused(void **state)
{
    (void)state;
    const sso_json_t *value = NULL;
    const char *const texts[] = {"{}\0", "{}\0x", "\"a\0b\"", "\0{}", "{\"a\0b\":1}"};
    const size_t lens[] = {3, 4, 5, 3, 9};
    for (size_t i = 0; i < 5; i++) {
        assert_rc(SSO_R_JSON_SYNTAX, sso_json_parse(&unit_ctx, unit_pool, texts[i], lens[i], MAX_LEN, &value));
    }
    assert_rc(SSO_R_JSON_SYNTAX, sso_json_parse(&unit_ctx, unit_pool, NULL, 0, MAX_LEN, &value));
    assert_null(value);
}

static void test_json_length_is_obeyed(void **state)
{
    (void)state;
    const sso_json_t *value = NULL;
    /* What stands behind len is not read. */
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, "[1]garbage", 3, 3, &value));
    assert_int_equal(sso_json_size(value), 1);
}

static void test_json_size_past_its_bound_is_refused(void **state)
{
    (void)state;
    const sso_json_t *value = NULL;
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, "[1,2]", 5, 5, &value));
    value = NULL;
    assert_rc(SSO_R_JSON_SIZE, sso_json_parse(&unit_ctx, unit_pool, "[1,2]", 5, 4, &value));
    /* The size is told before a byte is read. */
    assert_rc(SSO_R_JSON_SIZE, sso_json_parse(&unit_ctx, unit_pool, NULL, 5, 4, &value));
    assert_null(value);
}

/* open * depth, then close * depth. */
static const char *nested(int depth, const char *open, const char *close)
{
    char *text = apr_palloc(unit_pool, (size_t)depth * (strlen(open) + strlen(close)) + 1);
    char *end = text;
    for (int i = 0; i < depth * 2; i++) {
        const char *part = i < depth ? open : close;
        memcpy(end, part, strlen(part));
        end += strlen(part);
    }
    *end = '\0';
    return text;
}

static void test_json_depth_past_its_bound_is_refused(void **state)
{
    (void)state;
    const sso_json_t *value = NULL;
    assert_rc(SSO_OK, parse(nested(SSO_MAX_JSON_DEPTH, "[", "]"), &value));
    value = NULL;
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(SSO_MAX_JSON_DEPTH + 1, "[", "]"), &value));
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(SSO_MAX_JSON_DEPTH + 1, "{\"a\":", "}"), &value));
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(10000, "[", "]"), &value));
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(10000, "[", ""), &value));
    /* Strings do not deepen, and a quote within a string does not end it. */
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(SSO_MAX_JSON_DEPTH + 1, "[\"\\\"\",", "]"), &value));
    /* Closing brackets before the first opening one give no credit. */
    assert_rc(SSO_R_JSON_DEPTH, parse(nested(SSO_MAX_JSON_DEPTH + 1, "]", "["), &value));
    assert_null(value);
    /* Siblings do not deepen either. */
    assert_rc(SSO_OK, parse("[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]", &value));
    assert_rc(SSO_OK, parse("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]", &value));
}

static void test_json_fault_does_not_quote_the_document(void **state)
{
    (void)state;
    const sso_json_t *value = NULL;
    assert_int_equal(parse("{\"refresh_token\":\"SECRETSECRET\",hunter2}", &value), SSO_R_JSON_SYNTAX);
    assert_null(strstr(unit_ctx.fault.detail, "SECRET"));
    assert_null(strstr(unit_ctx.fault.detail, "hunter2"));
}

/* Names in the order of their coming, until the limit. */
typedef struct {
    char names[64];
    int left;
} seen_t;

static bool see(void *baton, const char *name, const sso_json_t *member)
{
    seen_t *seen = baton;
    assert_non_null(member);
    strncat(seen->names, name, sizeof(seen->names) - strlen(seen->names) - 1);
    return --seen->left > 0;
}

static void test_json_each_calls_until_told_to_stop(void **state)
{
    (void)state;
    const sso_json_t *json = parsed("{\"c\":1,\"a\":null,\"b\":[]}");
    seen_t seen = {"", 10};
    sso_json_each(json, see, &seen);
    assert_string_equal(seen.names, "cab");
    seen = (seen_t){"", 2};
    sso_json_each(json, see, &seen);
    assert_string_equal(seen.names, "ca");
    /* No object, no calls. */
    seen = (seen_t){"", 10};
    sso_json_each(NULL, see, &seen);
    sso_json_each(parsed("[1]"), see, &seen);
    sso_json_each(parsed("{}"), see, &seen);
    assert_string_equal(seen.names, "");
}

static void test_json_value_is_freed_with_its_pool(void **state)
{
    (void)state;
    apr_pool_t *pool;
    const sso_json_t *value = NULL;
    assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, pool, "{\"a\":[1]}", 9, 9, &value));
    sso_json_set_text(sso_json_object_make(pool), "a", "b");
    /* The leak check of AddressSanitizer is the assertion. */
    apr_pool_destroy(pool);
}

static void test_json_writer_prints_compact_in_order(void **state)
{
    (void)state;
    sso_json_writer_t *json = sso_json_object_make(unit_pool);
    assert_string_equal(sso_json_print(unit_pool, json), "{}");
    const char *const list[] = {"b", "a", "\xc3\xa9"};
    sso_json_set_text(json, "z", "last letter first");
    sso_json_set_text(json, "none", NULL);
    sso_json_set_integer(json, "i", INT64_MIN);
    sso_json_set_bool(json, "t", true);
    sso_json_set_bool(json, "f", false);
    sso_json_set_list(json, "l", list, 3);
    sso_json_set_list(json, "e", NULL, 0);
    sso_json_set_text(json, "a", "");
    assert_string_equal(sso_json_print(unit_pool, json),
                        "{\"z\":\"last letter first\",\"i\":-9223372036854775808,\"t\":true,\"f\":false,"
                        "\"l\":[\"b\",\"a\",\"\\u00E9\"],\"e\":[],\"a\":\"\"}");
    /* A second value for a name takes the first one's place. */
    sso_json_set_text(json, "z", "again");
    assert_non_null(strstr(sso_json_print(unit_pool, json), "{\"z\":\"again\",\"i\""));
}

static void test_json_writer_escapes_and_mends_text(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected;
    } cases[] = {
        {"\"\\\n\x01\x7f", "{\"t\":\"\\\"\\\\\\n\\u0001\x7f\"}"},
        {"</script>", "{\"t\":\"</script>\"}"},
        {"\xe2\x82\xac", "{\"t\":\"\\u20AC\"}"},
        {"\xf0\x9f\x98\x80", "{\"t\":\"\\uD83D\\uDE00\"}"},
        {"a\xffz", "{\"t\":\"a\\uFFFDz\"}"},
        {"\xc3", "{\"t\":\"\\uFFFD\"}"},
        {"\xc3(", "{\"t\":\"\\uFFFD(\"}"},
        {"\xc0\xaf", "{\"t\":\"\\uFFFD\\uFFFD\"}"},
        {"\xed\xa0\x80", "{\"t\":\"\\uFFFD\\uFFFD\\uFFFD\"}"},
        {"ok\xe2\x82", "{\"t\":\"ok\\uFFFD\\uFFFD\"}"},
        {"\x80\xe2\x82\xac\x80", "{\"t\":\"\\uFFFD\\u20AC\\uFFFD\"}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sso_json_writer_t *json = sso_json_object_make(unit_pool);
        sso_json_set_text(json, "t", cases[i].text);
        assert_string_equal(sso_json_print(unit_pool, json), cases[i].expected);
    }
    const char *const list[] = {"\xff"};
    sso_json_writer_t *json = sso_json_object_make(unit_pool);
    sso_json_set_list(json, "n\xff", list, 1);
    assert_string_equal(sso_json_print(unit_pool, json), "{\"n\\uFFFD\":[\"\\uFFFD\"]}");
}

static void test_json_printed_is_read_back(void **state)
{
    (void)state;
    sso_json_writer_t *writer = sso_json_object_make(unit_pool);
    sso_json_set_text(writer, "t", "\"quoted\" \xf0\x9f\x98\x80\n");
    sso_json_set_integer(writer, "n", INT64_MAX);
    const sso_json_t *json = parsed(sso_json_print(unit_pool, writer));
    int64_t number = 0;
    assert_string_equal(sso_json_get_text(json, "t"), "\"quoted\" \xf0\x9f\x98\x80\n");
    assert_true(sso_json_integer(sso_json_get(json, "n"), &number));
    assert_true(number == INT64_MAX);
}

static void test_json_writer_adds_objects_to_a_list(void **state)
{
    (void)state;
    sso_json_writer_t *root = sso_json_object_make(unit_pool);
    sso_json_set_text(sso_json_add_object(root, "keys"), "kid", "a");
    sso_json_writer_t *second = sso_json_add_object(root, "keys");
    sso_json_set_text(root, "behind", "b");
    sso_json_set_integer(second, "n", 2); /* filled later, it stays where it was added */
    sso_json_set_text(sso_json_add_object(second, "inner"), "x", "y");
    assert_string_equal(sso_json_print(unit_pool, root),
                        "{\"keys\":[{\"kid\":\"a\"},{\"n\":2,\"inner\":[{\"x\":\"y\"}]}],\"behind\":\"b\"}");
}

static void test_json_nested_objects_and_copies(void **state)
{
    (void)state;
    const sso_json_t *parsed;
    static const char text[] = "{\"a\":[1,{\"b\":null}]}";
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), 100, &parsed));
    sso_json_writer_t *root = sso_json_object_make(unit_pool);
    sso_json_writer_t *inner = sso_json_set_object(root, "inner");
    sso_json_set_text(root, "behind", "b");
    sso_json_set_value(inner, "copy", sso_json_get(parsed, "a"));
    sso_json_set_text(sso_json_set_object(inner, "deeper"), "x", "y");
    assert_string_equal(sso_json_print(unit_pool, root),
                        "{\"inner\":{\"copy\":[1,{\"b\":null}],\"deeper\":{\"x\":\"y\"}},\"behind\":\"b\"}");
    /* The second of one name takes the place of the first. */
    sso_json_set_object(root, "inner");
    assert_string_equal(sso_json_print(unit_pool, root), "{\"inner\":{},\"behind\":\"b\"}");
}

/* Every truncation is refused, no bit flip crashes, and what a flip leaves valid is within the bounds. */
static void test_json_mutated_never_crashes(void **state)
{
    (void)state;
    static const char seed[] = "{\"iss\":\"https://login.test/\\u00e9\",\"exp\":1795446000,\"a\":[true,null,-1.5e3,{}],"
                               "\"n\":{\"x\":\"\xf0\x9f\x98\x80\\\"\"}}";
    size_t len = sizeof(seed) - 1;
    const sso_json_t *value = NULL;
    for (size_t cut = 0; cut < len; cut++) {
        /* A copy of exactly this size, so that AddressSanitizer sees a read past it. */
        char *copy = unit_exact_copy(seed, cut);
        assert_rc(SSO_R_JSON_SYNTAX, sso_json_parse(&unit_ctx, unit_pool, copy, cut, MAX_LEN, &value));
        assert_null(value);
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        char *copy = unit_exact_copy(seed, len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        value = NULL;
        sso_rc rc = sso_json_parse(&unit_ctx, unit_pool, copy, len, MAX_LEN, &value);
        assert_true(rc == SSO_OK ? sso_json_type(value) == SSO_JSON_OBJECT : rc == SSO_R_JSON_SYNTAX);
        sso_fault_clear(&unit_ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_json_object_is_read),
        unit_test(test_json_wrong_type_or_absent_gives_none),
        unit_test(test_json_integer_spans_64_bits_and_no_real),
        unit_test(test_json_valid_texts_pass),
        unit_test(test_json_syntax_is_strict),
        unit_test(test_json_nul_byte_is_refused),
        unit_test(test_json_length_is_obeyed),
        unit_test(test_json_size_past_its_bound_is_refused),
        unit_test(test_json_depth_past_its_bound_is_refused),
        unit_test(test_json_fault_does_not_quote_the_document),
        unit_test(test_json_each_calls_until_told_to_stop),
        unit_test(test_json_value_is_freed_with_its_pool),
        unit_test(test_json_writer_prints_compact_in_order),
        unit_test(test_json_writer_escapes_and_mends_text),
        unit_test(test_json_writer_adds_objects_to_a_list),
        unit_test(test_json_printed_is_read_back),
        unit_test(test_json_nested_objects_and_copies),
        unit_test(test_json_mutated_never_crashes),
    };
    return unit_run(tests);
}
