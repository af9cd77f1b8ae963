/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/result.c: the table of reasons, the first fault, debug lines, outside text made printable. */
#include "base/result.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

#include "base/limits.h"

static void test_reason_ok_has_number_zero(void **state)
{
    (void)state;
    assert_int_equal(sso_reason(SSO_OK)->number, 0);
    assert_string_equal(sso_reason(SSO_OK)->name, "OK");
}

static void test_reason_every_row_is_complete_and_unique(void **state)
{
    (void)state;
    for (int rc = SSO_OK + 1; rc < SSO_RC_COUNT; rc++) {
        const sso_reason_t *reason = sso_reason((sso_rc)rc);
        /* A hole in the table would be all zeros. */
        assert_non_null(reason->name);
        assert_non_null(reason->sentence);
        assert_in_range(reason->number, 1001, 9999);
        assert_in_range(reason->status, 302, 599);
        assert_in_range(reason->class, SSO_CLASS_CLIENT, SSO_CLASS_INTERNAL);
        assert_in_range(reason->level, SSO_LEVEL_ERROR, SSO_LEVEL_DEBUG);
        for (int other = SSO_OK + 1; other < rc; other++) {
            if (sso_reason((sso_rc)other)->number == reason->number) {
                unit_fail("%s and %s share number %d", sso_reason((sso_rc)other)->name, reason->name, reason->number);
            }
        }
    }
}

static void test_reason_row_matches_its_name(void **state)
{
    (void)state;
    const sso_reason_t *reason = sso_reason(SSO_R_QUERY_FORMAT);
    assert_string_equal(reason->name, "QUERY_FORMAT");
    assert_int_equal(reason->number, 1010);
    assert_int_equal(reason->class, SSO_CLASS_CLIENT);
    assert_int_equal(reason->status, 400);
    assert_int_equal(reason->level, SSO_LEVEL_INFO);
    assert_int_equal(reason->page, SSO_PAGE_REQUEST);
}

static void test_fail_is_never_good(void **state)
{
    (void)state;
    assert_int_equal(sso_fail(&unit_ctx, SSO_OK, "a reason that was worked out wrongly"), SSO_RC_COUNT);
    assert_int_equal(unit_ctx.fault.rc, SSO_RC_COUNT);
    assert_string_equal(sso_reason(unit_ctx.fault.rc)->name, "UNKNOWN");
    sso_fault_clear(&unit_ctx);
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_RANDOM, NULL), SSO_R_RANDOM);
}

static void test_errno_is_told_by_the_systems_words(void **state)
{
    (void)state;
    assert_string_equal(sso_errno_text(unit_pool, ENOENT), "No such file or directory");
    assert_string_equal(sso_errno_text(unit_pool, EACCES), "Permission denied");
    assert_non_null(sso_errno_text(unit_pool, 99999));
}

static void test_reason_of_no_reason_is_our_own_fault(void **state)
{
    (void)state;
    const int wrong[] = {SSO_RC_COUNT, SSO_RC_COUNT + 1, 1 << 20, -1};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sso_rc rc;
        /* By way of memory: a compiler may assume that a cast value is one of the enum. */
        memcpy(&rc, &wrong[i], sizeof(rc));
        assert_string_equal(sso_reason(rc)->name, "UNKNOWN");
        assert_int_equal(sso_reason(rc)->class, SSO_CLASS_INTERNAL);
        assert_int_equal(sso_reason(rc)->status, 500);
        assert_int_not_equal(sso_reason(rc)->number, 0);
    }
}

static void test_ctx_init_is_clean(void **state)
{
    (void)state;
    sso_ctx_t ctx;
    memset(&ctx, 0xff, sizeof(ctx));
    sso_ctx_init(&ctx, unit_pool, SSO_TEST_NOW);
    assert_ptr_equal(ctx.pool, unit_pool);
    assert_true(ctx.now == SSO_TEST_NOW);
    assert_int_equal(ctx.fault.rc, SSO_OK);
    assert_null(ctx.fault.detail);
    assert_null(ctx.fault.oauth_error);
    assert_int_equal(ctx.fault.aadsts, 0);
    assert_null(ctx.log);
}

static void test_fail_records_place_and_detail(void **state)
{
    (void)state;
    int line = __LINE__ + 1;
    sso_rc rc = sso_fail(&unit_ctx, SSO_R_RANDOM, "file %s, %zu bytes, %lld", "a", (size_t)7, 1LL << 40);
    assert_int_equal(rc, SSO_R_RANDOM);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_RANDOM);
    assert_string_equal(unit_ctx.fault.file, __FILE__);
    assert_int_equal(unit_ctx.fault.line, line);
    assert_string_equal(unit_ctx.fault.detail, "file a, 7 bytes, 1099511627776");
}

static void test_fail_twice_keeps_the_first_and_returns_the_second(void **state)
{
    (void)state;
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_JSON_SYNTAX, "cause"), SSO_R_JSON_SYNTAX);
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_TOKEN_FORMAT, "consequence"), SSO_R_TOKEN_FORMAT);
    assert_int_equal(unit_ctx.fault.rc, SSO_R_JSON_SYNTAX);
    assert_string_equal(unit_ctx.fault.detail, "cause");
}

static void test_fault_clear_makes_room_for_the_next(void **state)
{
    (void)state;
    unit_ctx.fault.aadsts = 50011;
    unit_ctx.fault.retry_after_s = 5;
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_RANDOM, "one"), SSO_R_RANDOM);
    sso_fault_clear(&unit_ctx);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_null(unit_ctx.fault.detail);
    assert_int_equal(unit_ctx.fault.aadsts, 0);
    assert_int_equal(unit_ctx.fault.retry_after_s, 0);
    /* The rest of the context stays. */
    assert_ptr_equal(unit_ctx.pool, unit_pool);
    assert_true(unit_ctx.now == SSO_TEST_NOW);
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_CRYPTO, "two"), SSO_R_CRYPTO);
    assert_string_equal(unit_ctx.fault.detail, "two");
}

static void test_fail_long_detail_is_cut(void **state)
{
    (void)state;
    char *text = apr_palloc(unit_pool, 100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    assert_int_equal(sso_fail(&unit_ctx, SSO_R_RANDOM, "%s", text), SSO_R_RANDOM);
    assert_in_range(strlen(unit_ctx.fault.detail), SSO_MAX_LOGGED, 4096);
}

/* What the sink got last. */
static struct {
    int count;
    sso_level_t level;
    int line;
    char text[64];
} logged;

static void log_line(void *baton, sso_level_t level, const char *file, int line, const char *text)
{
    assert_ptr_equal(baton, &logged);
    assert_string_equal(file, __FILE__);
    logged.count++;
    logged.level = level;
    logged.line = line;
    apr_cpystrn(logged.text, text, sizeof(logged.text));
}

static void test_debug_goes_to_the_sink(void **state)
{
    (void)state;
    memset(&logged, 0, sizeof(logged));
    sso_debug(&unit_ctx, "nobody hears %d", 1);
    assert_int_equal(logged.count, 0);
    unit_ctx.log = log_line;
    unit_ctx.log_baton = &logged;
    int line = __LINE__ + 1;
    sso_debug(&unit_ctx, "keys: %zu of %d", (size_t)2, 3);
    assert_int_equal(logged.count, 1);
    assert_int_equal(logged.level, SSO_LEVEL_DEBUG);
    assert_int_equal(logged.line, line);
    assert_string_equal(logged.text, "keys: 2 of 3");
}

static void test_printable_escapes_all_but_printable_ascii(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected;
    } cases[] = {
        {NULL, "(none)"},
        {"", ""},
        {"plain text ~!", "plain text ~!"},
        {"a\r\nb", "a\\x0d\\x0ab"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\x7f\x80\xff", "\\x7f\\x80\\xff"},
        {"\xc3\xa9", "\\xc3\\xa9"},
        {"%s%n", "%s%n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(sso_printable(unit_pool, cases[i].text), cases[i].expected);
    }
}

static void test_printable_is_cut_at_its_limit(void **state)
{
    (void)state;
    char text[SSO_MAX_LOGGED + 2];
    memset(text, 'x', sizeof(text));
    text[SSO_MAX_LOGGED + 1] = '\0';
    assert_int_equal(strlen(sso_printable(unit_pool, text)), SSO_MAX_LOGGED);
    text[SSO_MAX_LOGGED] = '\0';
    assert_string_equal(sso_printable(unit_pool, text), text);
    /* An escape that does not fit is left out whole. */
    text[SSO_MAX_LOGGED - 3] = '\n';
    assert_int_equal(strlen(sso_printable(unit_pool, text)), SSO_MAX_LOGGED - 3);
    text[SSO_MAX_LOGGED - 3] = 'x';
    text[SSO_MAX_LOGGED - 4] = '\n';
    assert_int_equal(strlen(sso_printable(unit_pool, text)), SSO_MAX_LOGGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_reason_ok_has_number_zero),
        unit_test(test_reason_every_row_is_complete_and_unique),
        unit_test(test_reason_row_matches_its_name),
        unit_test(test_reason_of_no_reason_is_our_own_fault),
        unit_test(test_fail_is_never_good),
        unit_test(test_errno_is_told_by_the_systems_words),
        unit_test(test_ctx_init_is_clean),
        unit_test(test_fail_records_place_and_detail),
        unit_test(test_fail_twice_keeps_the_first_and_returns_the_second),
        unit_test(test_fault_clear_makes_room_for_the_next),
        unit_test(test_fail_long_detail_is_cut),
        unit_test(test_debug_goes_to_the_sink),
        unit_test(test_printable_escapes_all_but_printable_ascii),
        unit_test(test_printable_is_cut_at_its_limit),
    };
    return unit_run(tests);
}
