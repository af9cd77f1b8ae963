/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/fold.c. */
#include "directory/fold.h"

#include "unit.h"

static void test_fold_gives_small_letters(void **state)
{
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"", ""},
        {"Ada@Contoso.EXAMPLE", "ada@contoso.example"},
        {"[\\]^_`{|}~@0123", "[\\]^_`{|}~@0123"},
        {"ÀÖ×ØÞß÷ÿ", "àö×øþß÷ÿ"},
        {"ĀĮĲĶĹŇŊŶŸŹŽ", "āįĳķĺňŋŷÿźž"},
        {"āįĸŉž", "āįĸŉž"},
        {"ΆΈΊΌΎΏΑΡΣΫς", "άέίόύώαρσϋσ"},
        {"ЀЏАЯѠҀҊҾӀӁӍӐԮ", "ѐџаяѡҁҋҿӏӂӎӑԯ"},
        {"ԱՖ", "աֆ"},
        {"ḀẔẠỾ", "ḁẕạỿ"},
        {"日本𝐀😀", "日本𝐀😀"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_fold(unit_pool, rows[i].text), rows[i].folded);
        assert_true(sso_fold_equal(rows[i].text, rows[i].folded));
        /* Folding what is folded changes nothing. */
        assert_ptr_equal(sso_fold(unit_pool, rows[i].folded), rows[i].folded);
    }
    assert_null(sso_fold(unit_pool, NULL));
}

static void test_fold_makes_no_letter_of_a_look_alike(void **state)
{
    static const struct {
        const char *look, *letter;
    } rows[] = {
        {"\xe2\x84\xaa", "k"},        /* Kelvin sign */
        {"\xe2\x84\xab", "\xc3\xa5"}, /* Angstrom sign */
        {"\xc5\xbf", "s"},            /* long s */
        {"\xc4\xb0", "i"},            /* I with a dot */
        {"\xc4\xb1", "i"},            /* i without one */
        {"\xef\xbc\xa1", "a"},        /* full width A */
        {"\xe1\xba\x9e", "\xc3\x9f"}, /* capital sharp s */
        {"\xc2\xb5", "\xce\xbc"},     /* micro sign */
        {"\xd0\xb0", "a"},            /* Cyrillic a */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_fold(unit_pool, rows[i].look), rows[i].look);
        assert_false(sso_fold_equal(rows[i].look, rows[i].letter));
    }
}

static void test_fold_equal_compares_whole_texts(void **state)
{
    (void)state;
    assert_true(sso_fold_equal("", ""));
    assert_false(sso_fold_equal("", "a"));
    assert_false(sso_fold_equal("ab", "A"));
    assert_false(sso_fold_equal("a", "AB"));
    assert_false(sso_fold_equal(NULL, NULL));
    assert_false(sso_fold_equal("a", NULL));
}

static void test_fold_leaves_bytes_that_are_no_utf8(void **state)
{
    static const char *const texts[] = {"\xc3",     "\xff",         "\xe1\xba", "\xf0\x9f\x98",
                                        "\xc0\x81", "\xed\xa0\x80", "a\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *copy = unit_exact_copy(texts[i], strlen(texts[i]) + 1);
        assert_string_equal(sso_fold(unit_pool, copy), texts[i]);
        assert_true(sso_fold_equal(copy, texts[i]));
    }
}

/* Every pair of bytes and more: as long as before, at most, and the same when done twice. */
static void test_fold_of_any_bytes_is_stable(void **state)
{
    (void)state;
    for (unsigned i = 0x0101; i <= 0xffff; i++) {
        char text[4] = {(char)(i >> 8), (char)i, (char)0x80, '\0'};
        const char *once = sso_fold(unit_pool, text);
        assert_true(strlen(once) <= strlen(text));
        assert_string_equal(sso_fold(unit_pool, once), once);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_fold_gives_small_letters),        unit_test(test_fold_makes_no_letter_of_a_look_alike),
        unit_test(test_fold_equal_compares_whole_texts), unit_test(test_fold_leaves_bytes_that_are_no_utf8),
        unit_test(test_fold_of_any_bytes_is_stable),
    };
    return unit_run(tests);
}
