/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as a hostile database might give them. */
#include "session/row.h"

#include "unit.h"

#include "base/limits.h"

#define ID "0102030405060708090a0b0c0d0e0f10"
#define APP "00112233445566778899aabbccddeeff"
#define GUID "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11"

static const char *const good[] = {ID,
                                   APP,
                                   GUID,
                                   GUID,
                                   "",
                                   "ada@example.com",
                                   "1795446000000000",
                                   "1795474800000000",
                                   "1795446000000000",
                                   "0",
                                   "1795445000000000",
                                   "refresh",
                                   "",
                                   "access"};
enum { COLUMNS = sizeof(good) / sizeof(good[0]) };

static void test_row_good_one_is_read(void **state)
{
    (void)state;
    sso_stored_t session = {.app = NULL};
    assert_rc(SSO_OK, sso_row_parse(&unit_ctx, good, true, &session));
    assert_string_equal(sso_row_id(unit_pool, session.id), ID);
    assert_int_equal(session.created, 1795446000000000);
    assert_int_equal(session.ends - session.created, SSO_SESSION_CAP);
    assert_int_equal(session.signed_in, 1795445000000000);
    assert_string_equal(session.refresh, "refresh");
    assert_string_equal(session.access, "access");
    assert_false(session.ended);
    assert_rc(SSO_OK, sso_row_parse(&unit_ctx, good, false, &session));
    assert_string_equal(session.refresh, "");
    assert_string_equal(session.access, "");
}

static void test_row_with_one_wrong_column_is_refused(void **state)
{
    (void)state;
    char *text = apr_palloc(unit_pool, SSO_MAX_STORED_SEALED + 2);
    char *sealed = apr_palloc(unit_pool, SSO_MAX_STORED_SEALED + 2);
    memset(text, 'x', SSO_MAX_STORED_TEXT + 1);
    memset(sealed, 'x', SSO_MAX_STORED_SEALED + 1);
    text[SSO_MAX_STORED_TEXT + 1] = sealed[SSO_MAX_STORED_SEALED + 1] = '\0';
    const struct {
        int column;
        const char *value;
    } rows[] = {
        {0, ""},
        {0, "0102030405060708090a0b0c0d0e0f1"},
        {0, "0102030405060708090a0b0c0d0e0f1000"},
        {0, "0102030405060708090A0B0C0D0E0F10"},
        {0, "0102030405060708090a0b0c0d0e0f1x"},
        {1, ""},
        {1, "00112233445566778899aabbccddeef"},
        {1, "00112233445566778899aabbccddeefg"},
        {2, ""},
        {2, "no guid"},
        {3, "8d6f4f0e-0000-4000-8000-3a6c2f1b7c1"},
        {4, text},
        {4, "\xff"},
        {5, text},
        {5, "\xc0\x80"},
        {6, ""},
        {6, "0"},
        {6, "-1"},
        {6, "1e15"},
        {6, "99999999999999999999"},
        {7, "1795445999999999"},
        {7, "1795474800000001"},
        {7, "9223372036854775807"},
        {8, "0"},
        {8, " 1795446000000000"},
        {9, ""},
        {9, "2"},
        {9, "00"},
        {9, "true"},
        {10, ""},
        {10, "soon"},
        {11, sealed},
        {12, sealed},
        {13, sealed},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) + COLUMNS; i++) {
        const char *columns[COLUMNS];
        bool missing = i < COLUMNS; /* first, each is missing */
        int column = missing ? (int)i : rows[i - COLUMNS].column;
        sso_stored_t session;
        memcpy(columns, good, sizeof(good));
        columns[column] = missing ? NULL : rows[i - COLUMNS].value;
        sso_rc rc = sso_row_parse(&unit_ctx, columns, true, &session);
        if (rc != SSO_R_STORE_ROW) {
            unit_fail("column %d, case %d: %s", column, (int)i, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_row_of_ended_sessions_is_strict(void **state)
{
    (void)state;
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    static const char *const rows[][2] = {{NULL, "1"}, {"", "1"}, {ID, NULL}, {ID, ""}, {ID, "x"}, {"x", "1"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_rc(SSO_R_STORE_ROW, sso_row_add_ended(&unit_ctx, rows[i], ended));
    }
    assert_int_equal(ended->nelts, 0);
    const char *const row[] = {ID, "1795474800000000"};
    assert_rc(SSO_OK, sso_row_add_ended(&unit_ctx, row, ended));
    assert_int_equal(APR_ARRAY_IDX(ended, 0, sso_store_ended_t).until, 1795474800000000);
    apr_array_header_t *list = apr_array_make(unit_pool, 1, sizeof(sso_stored_t));
    assert_rc(SSO_OK, sso_row_add(&unit_ctx, good, list));
    assert_rc(SSO_R_STORE_ROW, sso_row_add(&unit_ctx, (const char *const[COLUMNS]){ID}, list));
    assert_int_equal(list->nelts, 1);
}

static void test_row_text_is_bounded(void **state)
{
    (void)state;
    assert_rc(SSO_OK, sso_row_check_text(&unit_ctx, "x", "", 0));
    assert_rc(SSO_OK, sso_row_check_text(&unit_ctx, "x", "ab", 2));
    assert_rc(SSO_R_STORE_TEXT, sso_row_check_text(&unit_ctx, "x", "abc", 2));
    assert_rc(SSO_R_STORE_TEXT, sso_row_check_text(&unit_ctx, "x", NULL, 2));
    assert_rc(SSO_R_STORE_TEXT, sso_row_check_text(&unit_ctx, "x", "\x80", 2));
    assert_true(sso_row_is_app(APP));
    assert_false(sso_row_is_app("0011"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_row_good_one_is_read),
        unit_test(test_row_with_one_wrong_column_is_refused),
        unit_test(test_row_of_ended_sessions_is_strict),
        unit_test(test_row_text_is_bounded),
    };
    return unit_run(tests);
}
