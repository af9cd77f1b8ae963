/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/headers.c: one line after another, as libcurl gives them; test_http.c has them over a connection. */
#include "base/headers.h"

#include <string.h>

#include "unit.h"

#include "base/limits.h"

static bool read_line(sso_headers_t *headers, const char *line)
{
    return sso_headers_read(unit_pool, headers, unit_exact_copy(line, strlen(line)), strlen(line));
}

static void test_headers_values_are_those_of_the_last_answer(void **state)
{
    (void)state;
    sso_headers_t headers = {0};
    assert_true(read_line(&headers, "HTTP/1.1 103 Early\r\n"));
    assert_true(read_line(&headers, "Retry-After: 9\r\n"));
    assert_true(read_line(&headers, "WWW-Authenticate: Bearer\r\n"));
    assert_true(read_line(&headers, "HTTP/1.1 503 Later\r\n"));
    assert_null(headers.retry_after);
    assert_null(headers.challenge);
    assert_true(read_line(&headers, "retry-after:\t17\r\n"));
    assert_true(read_line(&headers, "Retry-After: 18\r\n"));
    assert_string_equal(headers.retry_after, "17");
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 17);
    assert_true(read_line(&headers, "WWW-Authenticate: Bearer a=\"b\"\r\n"));
    assert_true(read_line(&headers, "www-authenticate: Basic"));
    assert_string_equal(headers.challenge, "Bearer a=\"b\", Basic");
    assert_true(read_line(&headers, "Location: /a?b\r\n"));
    assert_true(read_line(&headers, "Location: /c\r\n"));
    assert_string_equal(headers.location, "/a?b");
    assert_true(read_line(&headers, "Retry-Afterwards: 1\r\n"));
    assert_true(read_line(&headers, "Date"));
    assert_null(headers.date);
    assert_int_equal(sso_headers_date(&headers), 0);
}

static void test_headers_dates_are_by_the_other_sides_clock(void **state)
{
    (void)state;
    sso_headers_t headers = {0};
    assert_true(read_line(&headers, "Retry-After: Mon, 23 Nov 2026 15:00:30 GMT\r\n"));
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 30);
    assert_true(read_line(&headers, "Date: Mon, 23 Nov 2026 15:00:10 GMT\r\n"));
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 20);
    headers.date = "yesterday";
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 30);
    headers.retry_after = "Mon, 23 Nov 2026 14:59:59 GMT";
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 0);
    headers.retry_after = "Tue, 24 Nov 2026 15:00:00 GMT";
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 3600);
    headers.retry_after = "99999999999999999999";
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 3600);
    headers.retry_after = "";
    assert_int_equal(sso_headers_retry_after(&headers, SSO_TEST_NOW), 0);
}

static void test_headers_are_bounded_all_together(void **state)
{
    (void)state;
    sso_headers_t headers = {0};
    char *line = apr_psprintf(unit_pool, "X: %01000d\r\n", 0);
    for (apr_size_t i = 0; i < SSO_MAX_RESPONSE_HEADERS / strlen(line); i++) {
        assert_true(read_line(&headers, line));
    }
    apr_size_t left = SSO_MAX_RESPONSE_HEADERS - headers.bytes;
    assert_true(sso_headers_read(unit_pool, &headers, line, left));
    assert_int_equal(headers.bytes, SSO_MAX_RESPONSE_HEADERS);
    assert_false(read_line(&headers, "a"));
    assert_true(read_line(&headers, ""));
    assert_false(sso_headers_read(unit_pool, &headers, line, APR_SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_headers_values_are_those_of_the_last_answer),
        unit_test(test_headers_dates_are_by_the_other_sides_clock),
        unit_test(test_headers_are_bounded_all_together),
    };
    return unit_run(tests);
}
