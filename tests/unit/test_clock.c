/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/clock.c: durations, sizes and moments as text. */
#include "base/clock.h"

#include <string.h>

#include "unit.h"

#define SECONDS(n) ((apr_interval_time_t)(n)*APR_USEC_PER_SEC)

static void test_clock_now_is_of_this_age(void **state)
{
    (void)state;
    apr_time_t first = sso_clock_now();
    /* 2024-01-01: a build machine may live at any later moment. */
    assert_true(first > (apr_time_t)1704067200 * APR_USEC_PER_SEC);
}

static void test_duration_parse_reads_every_unit(void **state)
{
    (void)state;
    const struct {
        const char *text;
        apr_interval_time_t expected;
    } cases[] = {
        {"0", 0},
        {"90", SECONDS(90)},
        {"90s", SECONDS(90)},
        {"5m", SECONDS(300)},
        {"5min", SECONDS(300)},
        {"8h", SECONDS(28800)},
        {"2d", SECONDS(172800)},
        {"250ms", 250000},
        {"0ms", 0},
        {"007s", SECONDS(7)},
        {"36500d", SECONDS(36500LL * 86400)},
        {"3153600000", SECONDS(36500LL * 86400)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_interval_time_t span = -1;
        const char *why = sso_duration_parse(cases[i].text, &span);
        if (why != NULL || span != cases[i].expected) {
            unit_fail("%s: %s, %lld", cases[i].text, why ? why : "good", (long long)span);
        }
    }
}

static void test_duration_parse_refuses_what_is_none(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        NULL, "", " ", " 5m", "5m ", "5 m", "-5m", "+5m", "m", "5M", "5H", "5mi", "5x", "1.5h", "1,5h", "1e3", "0x5",
        "5m30s", "5minutes", "5mss", "5\n", "off", "36501d", "3153600001", "3153600000001ms",
        "99999999999999999999999999", "9223372036854775807d", "18446744073709551616s", "\xd9\xa1s",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_interval_time_t span = -1;
        const char *why = sso_duration_parse(cases[i], &span);
        if (why == NULL || span != -1) {
            unit_fail("%s was taken as %lld", cases[i], (long long)span);
        }
    }
}

static void test_duration_print_uses_the_largest_exact_unit(void **state)
{
    (void)state;
    const struct {
        apr_interval_time_t span;
        const char *expected;
    } cases[] = {
        {0, "0s"},
        {250000, "250ms"},
        {1500000, "1500ms"},
        {SECONDS(1), "1s"},
        {SECONDS(90), "90s"},
        {SECONDS(300), "5m"},
        {SECONDS(5400), "90m"},
        {SECONDS(28800), "8h"},
        {SECONDS(86400), "1d"},
        {SECONDS(90000), "25h"},
        {SECONDS(-300), "-5m"},
        {1, "1us"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(sso_duration_print(unit_pool, cases[i].span), cases[i].expected);
    }
}

static void test_duration_printed_parses_back(void **state)
{
    (void)state;
    for (apr_interval_time_t span = 0; span < SECONDS(400000); span = span * 3 + 7000) {
        apr_interval_time_t again = -1;
        assert_null(sso_duration_parse(sso_duration_print(unit_pool, span), &again));
        assert_true(again == span);
    }
}

static void test_size_parse_reads_every_unit(void **state)
{
    (void)state;
    const struct {
        const char *text;
        apr_off_t expected;
    } cases[] = {
        {"0", 0},
        {"1024", 1024},
        {"10k", 10240},
        {"10K", 10240},
        {"4m", 4194304},
        {"4M", 4194304},
        {"1048576m", (apr_off_t)1 << 40},
        {"1099511627776", (apr_off_t)1 << 40},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_off_t size = -1;
        const char *why = sso_size_parse(cases[i].text, &size);
        if (why != NULL || size != cases[i].expected) {
            unit_fail("%s: %s, %lld", cases[i].text, why ? why : "good", (long long)size);
        }
    }
}

static void test_size_parse_refuses_what_is_none(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        NULL, "", "k", " 1", "1 ", "-1", "+1", "1.5m", "1kb", "1g", "off", "0x10", "1e6", "1048577m", "1099511627777",
        "99999999999999999999999", "9223372036854775808k",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_off_t size = -1;
        const char *why = sso_size_parse(cases[i], &size);
        if (why == NULL || size != -1) {
            unit_fail("%s was taken as %lld", cases[i], (long long)size);
        }
    }
}

static void test_time_print_is_rfc3339_in_utc(void **state)
{
    (void)state;
    const struct {
        apr_time_t when;
        const char *expected;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {SSO_TEST_NOW, "2026-11-23T15:00:00Z"},
        {SSO_TEST_NOW + 999999, "2026-11-23T15:00:00Z"},
        /* Past the end of 32 bits, and a leap day. */
        {SECONDS(2147483648LL), "2038-01-19T03:14:08Z"},
        {SECONDS(951782400), "2000-02-29T00:00:00Z"},
        {SECONDS(253402300799LL), "9999-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(sso_time_print(unit_pool, cases[i].when), cases[i].expected);
    }
}

/* Every truncation and bit flip of good texts: never a crash, and what is taken is within the bounds. */
static void test_duration_and_size_mutated_stay_within_bounds(void **state)
{
    (void)state;
    const char *const seeds[] = {"36500d", "250ms", "5min", "1048576m", "8h"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        size_t len = strlen(seeds[i]);
        for (size_t bit = 0; bit < len * 9; bit++) {
            char *text = apr_pstrdup(unit_pool, seeds[i]);
            /* The last len rounds cut instead of flipping. */
            if (bit < len * 8) {
                text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
            } else {
                text[bit - len * 8] = '\0';
            }
            apr_interval_time_t span = 0;
            apr_off_t size = 0;
            bool good = sso_duration_parse(text, &span) == NULL;
            assert_true(!good || (span >= 0 && span <= SECONDS(36500LL * 86400)));
            good = sso_size_parse(text, &size) == NULL;
            assert_true(!good || (size >= 0 && size <= (apr_off_t)1 << 40));
        }
    }
}

static void test_time_printed_parses_back_and_nothing_else_does(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-23T15:00:00",
        "2026-11-23T15:00:00+00:00",
        "2026-11-23 15:00:00Z",
        "2026-11-23T15:00:00.0Z",
        "2026-13-23T15:00:00Z",
        "2026-00-23T15:00:00Z",
        "2026-11-32T15:00:00Z",
        "2026-11-31T15:00:00Z",
        "2026-02-29T15:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T15:60:00Z",
        "1969-11-23T15:00:00Z",
        " 026-11-23T15:00:00Z",
    };
    apr_time_t when = 0;
    assert_true(sso_time_parse("2026-11-23T15:00:00Z", &when));
    assert_true(when == SSO_TEST_NOW);
    for (apr_time_t at = 0; at < SECONDS(4000000000LL); at += SECONDS(98765432LL)) {
        assert_true(sso_time_parse(sso_time_print(unit_pool, at), &when));
        assert_true(when == at);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_time_parse(bad[i], &when)) {
            unit_fail("taken: %s", bad[i]);
        }
    }
}

static void test_clock_moments_are_read(void **state)
{
    static const struct {
        const char *text, *utc;
        int usec;
    } rows[] = {
        {"2026-11-23T15:00:00Z", "2026-11-23T15:00:00Z", 0},
        {"2026-11-23t15:00:00z", NULL, 0},
        {"2026-11-23T15:00:00z", "2026-11-23T15:00:00Z", 0},
        {"2026-11-23", "2026-11-23T00:00:00Z", 0},
        {"2026-11-23T15:00", "2026-11-23T15:00:00Z", 0},
        {"2026-11-23T15:00:00", "2026-11-23T15:00:00Z", 0},
        {"2026-11-23T15:00+01:30", "2026-11-23T13:30:00Z", 0},
        {"2026-11-23T15:00:00.25-00:30", "2026-11-23T15:30:00Z", 250000},
        {"2026-11-23T15:00:00.1234567Z", "2026-11-23T15:00:00Z", 123456},
        {"2024-02-29", "2024-02-29T00:00:00Z", 0},
        {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", 0},
        {"1970-01-01", "1970-01-01T00:00:00Z", 0},
        {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", 0},
        {NULL, NULL, 0},
        {"", NULL, 0},
        {"yesterday", NULL, 0},
        {"2026", NULL, 0},
        {"2026-11", NULL, 0},
        {"2026-11-", NULL, 0},
        {"2026-1-1", NULL, 0},
        {"2026-13-01", NULL, 0},
        {"2026-00-01", NULL, 0},
        {"2026-11-31", NULL, 0},
        {"2026-02-29", NULL, 0},
        {"2100-02-29", NULL, 0},
        {"2026-11-00", NULL, 0},
        {"1969-12-31", NULL, 0},
        {"2026-11-23 15:00:00Z", NULL, 0},
        {"2026-11-23T", NULL, 0},
        {"2026-11-23T24:00:00Z", NULL, 0},
        {"2026-11-23T15:60:00Z", NULL, 0},
        {"2026-11-23T15:00:61Z", NULL, 0},
        {"2026-11-23T15:00:00.Z", NULL, 0},
        {"2026-11-23T15:00:00ZZ", NULL, 0},
        {"2026-11-23T15:00:00Z ", NULL, 0},
        {"2026-11-23T15:00:00+1", NULL, 0},
        {"2026-11-23T15:00:00+0100", NULL, 0},
        {"2026-11-23T15:00:00+24:00", NULL, 0},
        {"-026-11-23", NULL, 0},
        {"02026-11-23", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_time_t when = 7;
        bool good = sso_datetime_parse(rows[i].text, &when);
        if (good != (rows[i].utc != NULL) || (!good && when != 7)) {
            unit_fail("%s: %d", rows[i].text, good);
        }
        if (good) {
            assert_string_equal(sso_time_print(unit_pool, when), rows[i].utc);
            assert_int_equal(apr_time_usec(when), rows[i].usec);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_clock_now_is_of_this_age),
        unit_test(test_duration_parse_reads_every_unit),
        unit_test(test_duration_parse_refuses_what_is_none),
        unit_test(test_duration_print_uses_the_largest_exact_unit),
        unit_test(test_duration_printed_parses_back),
        unit_test(test_size_parse_reads_every_unit),
        unit_test(test_size_parse_refuses_what_is_none),
        unit_test(test_time_print_is_rfc3339_in_utc),
        unit_test(test_time_printed_parses_back_and_nothing_else_does),
        unit_test(test_duration_and_size_mutated_stay_within_bounds),
        unit_test(test_clock_moments_are_read),
    };
    return unit_run(tests);
}
