/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the rules of aadsts.def row by row, the look-ups, and the number reader on hostile text. */
#include "entra/aadsts.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS_MIN 90
#define TEXT_MAX 140
#define MEND_MAX 240

/* The table once more, because the look-up does not show its order. */
static const sso_aadsts_t rows[] = {
#define AADSTS(code, actor, sentence, advice, mend) {code, SSO_ACTOR_##actor, sentence, advice, mend},
#include "entra/aadsts.def"
#undef AADSTS
};

#define ROWS (sizeof rows / sizeof rows[0])

_Static_assert(ROWS >= ROWS_MIN, "aadsts.def has lost rows");

/* A column of the wrong length stops the build and names the row. */
#define AADSTS(code, actor, sentence, advice, mend)                                                                    \
    _Static_assert(sizeof(sentence) > 1 && sizeof(sentence) <= TEXT_MAX, "sentence of AADSTS" #code);                  \
    _Static_assert(sizeof(advice) > 1 && sizeof(advice) <= TEXT_MAX, "advice of AADSTS" #code);                        \
    _Static_assert(sizeof(mend) > 1 && sizeof(mend) <= MEND_MAX, "mend of AADSTS" #code);
#include "entra/aadsts.def"
#undef AADSTS

static const char *const known_errors[] = {
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_resource",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "user_password_expired",
};

#define KNOWN_ERRORS (sizeof known_errors / sizeof known_errors[0])

/* Words that people who only want to work should not have to know. */
static const char *const jargon[] = {
    "aadsts",  "claim",    "conditional access",
    "consent", "endpoint", "entra",
    "federat", "grant ",   "http",
    "mfa",     "oauth",    "openid",
    "param",   "redirect", "saml",
    "scope",   "tenant",   "token",
    " uri",    " url",
};

static int holds(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (; *text != '\0'; text++) {
        size_t i = 0;

        while (i < len && tolower((unsigned char)text[i]) == word[i]) {
            i++;
        }
        if (i == len) {
            return 1;
        }
    }
    return 0;
}

/* Any column: printable ASCII on one line, no blank at either end, no two blanks in a row. */
static void check_line(unsigned code, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            fail_msg("%u: byte %zu is not printable ASCII: %s", code, i, text);
        }
    }
    if (len == 0 || text[0] == ' ' || text[len - 1] == ' ' || holds(text, "  ")) {
        fail_msg("%u: empty, or blanks too many: %s", code, text);
    }
}

/* A column for the page. */
static void check_page_text(unsigned code, const char *text)
{
    check_line(code, text);
    if (strlen(text) >= TEXT_MAX) {
        fail_msg("%u: too long: %s", code, text);
    }
    if (text[strlen(text) - 1] != '.') {
        fail_msg("%u: no full stop: %s", code, text);
    }
    if (strpbrk(text, "<>&\"") != NULL) {
        fail_msg("%u: holds a character of HTML: %s", code, text);
    }
    if (strpbrk(text, "0123456789") != NULL) {
        fail_msg("%u: holds a number: %s", code, text);
    }
    if (!isupper((unsigned char)text[0])) {
        fail_msg("%u: begins without a capital: %s", code, text);
    }
}

static void check_row(const sso_aadsts_t *row)
{
    assert_non_null(row);
    assert_in_range(row->actor, SSO_ACTOR_USER, SSO_ACTOR_RETRY);
    check_page_text(row->code, row->sentence);
    check_page_text(row->code, row->advice);
    check_line(row->code, row->mend);
    for (size_t i = 0; i < sizeof jargon / sizeof jargon[0]; i++) {
        if (holds(row->sentence, jargon[i])) {
            fail_msg("%u: jargon '%s': %s", row->code, jargon[i], row->sentence);
        }
    }
}

static unsigned code_of(const char *text)
{
    return sso_aadsts_code_from(text, strlen(text));
}

static void test_aadsts_table_is_ascending_and_unique(void **state)
{
    (void)state;
    assert_true(rows[0].code > 0);
    for (size_t i = 1; i < ROWS; i++) {
        if (rows[i - 1].code >= rows[i].code) {
            fail_msg("AADSTS%u must stand before AADSTS%u, once", rows[i].code, rows[i - 1].code);
        }
    }
}

static void test_aadsts_table_fits_number_reader(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char text[64];

        snprintf(text, sizeof text, "AADSTS%u: something went wrong.", rows[i].code);
        assert_int_equal(code_of(text), rows[i].code);
    }
}

static void test_aadsts_table_rows_are_fit_for_people(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        check_row(&rows[i]);
    }
}

static void test_aadsts_mends_end_without_full_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].mend[strlen(rows[i].mend) - 1] == '.') {
            fail_msg("%u: %s", rows[i].code, rows[i].mend);
        }
    }
}

static void test_aadsts_every_row_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const sso_aadsts_t *row = sso_aadsts_find(rows[i].code);

        assert_non_null(row);
        assert_int_equal(row->code, rows[i].code);
        assert_int_equal(row->actor, rows[i].actor);
        assert_string_equal(row->sentence, rows[i].sentence);
        assert_string_equal(row->advice, rows[i].advice);
        assert_string_equal(row->mend, rows[i].mend);
    }
}

static void test_aadsts_number_between_rows_is_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        if (i == 0 || rows[i - 1].code != rows[i].code - 1) {
            assert_null(sso_aadsts_find(rows[i].code - 1));
        }
        if (i == ROWS - 1 || rows[i + 1].code != rows[i].code + 1) {
            assert_null(sso_aadsts_find(rows[i].code + 1));
        }
    }
}

static void test_aadsts_extreme_number_is_not_found(void **state)
{
    (void)state;
    assert_null(sso_aadsts_find(0));
    assert_null(sso_aadsts_find(1));
    assert_null(sso_aadsts_find(999999999));
    assert_null(sso_aadsts_find(UINT32_MAX));
}

static void test_aadsts_common_numbers_name_who_must_act(void **state)
{
    static const struct {
        unsigned code;
        sso_actor_t actor;
    } cases[] = {
        {50011, SSO_ACTOR_ADMIN},   {50020, SSO_ACTOR_USER},    {50033, SSO_ACTOR_RETRY},   {50076, SSO_ACTOR_USER},
        {50105, SSO_ACTOR_ADMIN},   {50126, SSO_ACTOR_USER},    {53003, SSO_ACTOR_ADMIN},   {54005, SSO_ACTOR_RETRY},
        {65004, SSO_ACTOR_USER},    {700016, SSO_ACTOR_ADMIN},  {90094, SSO_ACTOR_ADMIN},   {7000215, SSO_ACTOR_ADMIN},
        {7000218, SSO_ACTOR_ADMIN}, {7000222, SSO_ACTOR_ADMIN}, {9002327, SSO_ACTOR_ADMIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const sso_aadsts_t *row = sso_aadsts_find(cases[i].code);

        if (row == NULL || row->actor != cases[i].actor) {
            fail_msg("AADSTS%u: missing, or another must act", cases[i].code);
        }
    }
}

/* Whom the page sends people to is who acts by the table: an administrator, or the one whom a guest knows there. */
static void check_names_administrator(const char *name, const sso_aadsts_t *row)
{
    if (row->actor == SSO_ACTOR_ADMIN && !holds(row->sentence, "administrator") &&
        !holds(row->advice, "administrator") && !holds(row->advice, "your contact at ")) {
        fail_msg("%s: an administrator must act, and the page names none: %s %s", name, row->sentence, row->advice);
    }
}

static void test_aadsts_page_names_administrator_who_must_act(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u", rows[i].code);
        check_names_administrator(name, &rows[i]);
    }
    for (size_t i = 0; i < KNOWN_ERRORS; i++) {
        check_names_administrator(known_errors[i], sso_aadsts_for_error(known_errors[i]));
    }
    check_names_administrator("the general row", sso_aadsts_for_error(NULL));
}

static void test_aadsts_number_in_text_is_read(void **state)
{
    static const struct {
        const char *text;
        unsigned code;
    } cases[] = {
        {"AADSTS50011: The redirect URI ...\r\nTrace ID: 6c1d\r\nCorrelation ID: 2f9c", 50011},
        {"AADSTS7000215", 7000215},
        {"AADSTS1", 1},
        {"AADSTS0", 0},
        {"AADSTS000050011:", 50011},
        {"AADSTS123456789", 123456789},
        {"AADSTS999999999:", 999999999},
        {"AADSTS50011x", 50011},
        {"AADSTS50011.5", 50011},
        {"AADSTS50011\r\n", 50011},
        {"Error: AADSTS50105 and then AADSTS50011", 50105},
        {"2026-09-21 10:15:30Z AADSTS90002: no such tenant", 90002},
        {"AADSTSAADSTS50011", 50011},
        {"AADAADSTS50011", 50011},
        {"AAADSTS50011", 50011},
        {"AADSTS: see AADSTS50011", 50011},
        {"AADSTS -1 AADSTS50011", 50011},
        {"xAADSTS50011", 50011},
        {"\xff\xfe\x80"
         "AADSTS50011\xff",
         50011},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (code_of(cases[i].text) != cases[i].code) {
            fail_msg("%s: read %u", cases[i].text, code_of(cases[i].text));
        }
    }
}

static void test_aadsts_text_without_number_gives_zero(void **state)
{
    static const char *const cases[] = {
        "",
        "A",
        "AADSTS",
        "AADSTS:",
        "AADSTS 50011",
        "AADSTS-50011",
        "AADSTS+50011",
        "AADSTSx50011",
        "AADST50011",
        "ADSTS50011",
        "A ADSTS50011",
        "50011",
        "access_denied: the user said no",
        "AADSTS\xd9\xa1\xd9\xa2",
        "%41ADSTS50011",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (code_of(cases[i]) != 0) {
            fail_msg("%s: read %u", cases[i], code_of(cases[i]));
        }
    }
}

static void test_aadsts_lower_case_gives_zero(void **state)
{
    (void)state;
    assert_int_equal(code_of("aadsts50011: lower case"), 0);
    assert_int_equal(code_of("AAdSTS50011: mixed case"), 0);
    assert_int_equal(code_of("aadsts50011, but then AADSTS50105"), 50105);
}

static void test_aadsts_number_over_nine_digits_gives_zero(void **state)
{
    char text[4096];

    (void)state;
    assert_int_equal(code_of("AADSTS1234567890"), 0);
    assert_int_equal(code_of("AADSTS0000050011"), 0);
    assert_int_equal(code_of("AADSTS4294967296"), 0);
    assert_int_equal(code_of("AADSTS4295017307: 2^32 + 50011"), 0);
    assert_int_equal(code_of("AADSTS18446744073709601627: 2^64 + 50011"), 0);
    assert_int_equal(code_of("AADSTS1234567890 hides AADSTS50011"), 0);
    memset(text, '9', sizeof text);
    memcpy(text, "AADSTS", 6);
    assert_int_equal(sso_aadsts_code_from(text, sizeof text), 0);
}

static void test_aadsts_no_text_gives_zero(void **state)
{
    (void)state;
    assert_int_equal(sso_aadsts_code_from(NULL, 0), 0);
    assert_int_equal(sso_aadsts_code_from(NULL, 100), 0);
    assert_int_equal(sso_aadsts_code_from("AADSTS50011", 0), 0);
}

static void test_aadsts_embedded_nul_is_an_ordinary_byte(void **state)
{
    static const char before[] = "\0\0x\0AADSTS50011";
    static const char inside_number[] = "AADSTS500\00011";
    static const char inside_mark[] = "AAD\0STS50011";
    static const char after_mark[] = "AADSTS\00050011";

    (void)state;
    assert_int_equal(sso_aadsts_code_from(before, sizeof before - 1), 50011);
    assert_int_equal(sso_aadsts_code_from(inside_number, sizeof inside_number - 1), 500);
    assert_int_equal(sso_aadsts_code_from(inside_mark, sizeof inside_mark - 1), 0);
    assert_int_equal(sso_aadsts_code_from(after_mark, sizeof after_mark - 1), 0);
}

/* The text ends at a page that cannot be read: one byte too far kills the test. */
static void test_aadsts_text_cut_anywhere_is_not_read_beyond(void **state)
{
    static const char text[] = "xAADSTS7000215: Invalid client secret provided. AADSTS50011";
    static const unsigned value[] = {7, 70, 700, 7000, 70002, 700021, 7000215};
    const size_t first = 7; /* bytes before the first digit */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t len = 0; len < sizeof text; len++) {
        char *start = pages + page - len;
        size_t digits = len <= first ? 0 : len - first;
        unsigned expected = 0;

        if (digits > 0) {
            expected = value[digits > 7 ? 6 : digits - 1];
        }
        memcpy(start, text, len);
        assert_int_equal(sso_aadsts_code_from(start, len), expected);
    }
    munmap(pages, 2 * page);
}

static void test_aadsts_changed_bytes_never_give_a_wild_number(void **state)
{
    static const char text[] = "Oh: AADSTS50011: no. AADSTS50105.";

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char copy[sizeof text];
            unsigned code;

            memcpy(copy, text, sizeof text);
            copy[i] = (char)byte;
            code = sso_aadsts_code_from(copy, sizeof text - 1);
            assert_in_range(code, 0, 999999999);
            if (i < 4 || i > 15) {
                assert_int_equal(code, 50011);
            } else if (i < 10 && byte != text[i]) {
                assert_int_equal(code, 50105);
            }
        }
    }
}

static void test_aadsts_known_errors_have_own_rows(void **state)
{
    const sso_aadsts_t *general = sso_aadsts_for_error("no such error");

    (void)state;
    for (size_t i = 0; i < KNOWN_ERRORS; i++) {
        const sso_aadsts_t *row = sso_aadsts_for_error(known_errors[i]);

        check_row(row);
        assert_int_equal(row->code, 0);
        if (row == general) {
            fail_msg("%s has no row", known_errors[i]);
        }
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(row, sso_aadsts_for_error(known_errors[j]));
        }
    }
}

static void test_aadsts_transient_errors_ask_to_retry(void **state)
{
    (void)state;
    assert_int_equal(sso_aadsts_for_error("server_error")->actor, SSO_ACTOR_RETRY);
    assert_int_equal(sso_aadsts_for_error("temporarily_unavailable")->actor, SSO_ACTOR_RETRY);
    assert_int_equal(sso_aadsts_for_error("access_denied")->actor, SSO_ACTOR_USER);
    assert_int_equal(sso_aadsts_for_error("login_required")->actor, SSO_ACTOR_USER);
    assert_int_equal(sso_aadsts_for_error("invalid_client")->actor, SSO_ACTOR_ADMIN);
}

static void test_aadsts_unknown_error_gives_general_row(void **state)
{
    const sso_aadsts_t *general = sso_aadsts_for_error(NULL);

    (void)state;
    check_row(general);
    assert_int_equal(general->code, 0);
    assert_ptr_equal(sso_aadsts_for_error(""), general);
    assert_ptr_equal(sso_aadsts_for_error("access_denied "), general);
    assert_ptr_equal(sso_aadsts_for_error("access_denie"), general);
    assert_ptr_equal(sso_aadsts_for_error("Access_Denied"), general);
    assert_ptr_equal(sso_aadsts_for_error("<script>alert(1)</script>"), general);
    assert_ptr_equal(sso_aadsts_for_error("\xff\xfe%s%n"), general);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aadsts_table_is_ascending_and_unique),
        cmocka_unit_test(test_aadsts_table_fits_number_reader),
        cmocka_unit_test(test_aadsts_table_rows_are_fit_for_people),
        cmocka_unit_test(test_aadsts_mends_end_without_full_stop),
        cmocka_unit_test(test_aadsts_every_row_is_found),
        cmocka_unit_test(test_aadsts_number_between_rows_is_not_found),
        cmocka_unit_test(test_aadsts_extreme_number_is_not_found),
        cmocka_unit_test(test_aadsts_common_numbers_name_who_must_act),
        cmocka_unit_test(test_aadsts_page_names_administrator_who_must_act),
        cmocka_unit_test(test_aadsts_number_in_text_is_read),
        cmocka_unit_test(test_aadsts_text_without_number_gives_zero),
        cmocka_unit_test(test_aadsts_lower_case_gives_zero),
        cmocka_unit_test(test_aadsts_number_over_nine_digits_gives_zero),
        cmocka_unit_test(test_aadsts_no_text_gives_zero),
        cmocka_unit_test(test_aadsts_embedded_nul_is_an_ordinary_byte),
        cmocka_unit_test(test_aadsts_text_cut_anywhere_is_not_read_beyond),
        cmocka_unit_test(test_aadsts_changed_bytes_never_give_a_wild_number),
        cmocka_unit_test(test_aadsts_known_errors_have_own_rows),
        cmocka_unit_test(test_aadsts_transient_errors_ask_to_retry),
        cmocka_unit_test(test_aadsts_unknown_error_gives_general_row),
    };

    return cmocka_run_group_tests_name("aadsts", tests, NULL, NULL);
}
