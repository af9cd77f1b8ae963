/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/cookie.c: what a hostile Cookie header may hold, and each attribute of each Set-Cookie line. */
#include "session/cookie.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"

#define S "__Host-Entra-Session"
#define L "__Host-Entra-Login"

static sso_cookie_policy_t policy_of(bool https, const char *domain)
{
    sso_cookie_policy_t policy;
    sso_cookie_policy_init(unit_pool, https, domain, &policy);
    return policy;
}

/* Of a copy that ends where the header ends, for AddressSanitizer. */
static sso_cookies_t read_with(const sso_cookie_policy_t *policy, const char *header)
{
    sso_cookies_t cookies;
    const char *copy = header == NULL ? NULL : unit_exact_copy(header, strlen(header) + 1);
    sso_cookie_read(unit_pool, policy, copy, &cookies);
    if (cookies.rest == copy && header != NULL) {
        cookies.rest = header;
    }
    return cookies;
}

static sso_cookies_t read_host(const char *header)
{
    sso_cookie_policy_t policy = policy_of(true, NULL);
    return read_with(&policy, header);
}

static char *repeat(char c, apr_size_t count)
{
    char *text = apr_palloc(unit_pool, count + 1);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

/* ---- names ---- */

static void test_cookie_names_follow_scheme_and_domain(void **state)
{
    static const struct {
        bool https;
        const char *domain, *session, *login;
    } rows[] = {
        {true, NULL, "__Host-Entra-Session", "__Host-Entra-Login"},
        {true, "example.com", "__Secure-Entra-Session", "__Host-Entra-Login"},
        {false, NULL, "Entra-Session", "Entra-Login"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_cookie_policy_t policy = policy_of(rows[i].https, rows[i].domain);
        assert_string_equal(policy.session, rows[i].session);
        assert_string_equal(policy.login, rows[i].login);
        assert_int_equal(policy.secure, rows[i].https);
    }
}

/* ---- one cookie ---- */

typedef struct {
    const char *header;
    const char *session; /* NULL: none */
    const char *login;
    const char *rest; /* NULL: nothing left */
} row_t;

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void assert_reads(const sso_cookie_policy_t *policy, const row_t *row)
{
    sso_cookies_t got = read_with(policy, row->header);
    const char *session = got.session == NULL ? NULL : apr_pstrmemdup(unit_pool, got.session, got.session_len);
    if (!same(session, row->session) || !same(got.login, row->login) || !same(got.rest, row->rest)) {
        unit_fail("header <%s>\n  session <%s> login <%s> rest <%s>", row->header, session, got.login, got.rest);
    }
}

static void test_cookie_header_without_ours_is_given_on_byte_for_byte(void **state)
{
    static const char *const headers[] = {
        "",
        " ",
        ";",
        ";;",
        "; ;",
        "=",
        "a",
        "a=",
        "=a",
        "==",
        ";=;",
        "a=1",
        "a=1;b=2",
        " a=1 ;  b = 2 ; ",
        "a=1; a=2; A=3",
        "a=\"x; y\"; b=\\",
        "a=b=c==; d",
        "\xff\xfe=\x01\x7f",
        "$Version=1; a=1; $Path=/",
        "Entra=1; Session=2; Entra_Session=3; EntraSession=4; xEntra-Sessio=5",
        "%s%s%n=%s%n",
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        row_t row = {headers[i], NULL, NULL, headers[i]};
        assert_reads(&policy, &row);
        sso_cookies_t got = read_host(headers[i]);
        assert_ptr_equal(got.rest, headers[i]);
        assert_int_equal(got.session_parts, 0);
        assert_false(got.broken);
    }
}

static void test_cookie_header_absent_holds_nothing(void **state)
{
    (void)state;
    sso_cookies_t got = read_host(NULL);
    assert_null(got.session);
    assert_null(got.login);
    assert_null(got.rest);
    assert_int_equal(got.session_parts, 0);
    assert_false(got.broken);
}

static void test_cookie_ours_is_read_and_kept_from_the_backend(void **state)
{
    static const row_t rows[] = {
        {S "=abc", "abc", NULL, NULL},
        {L "=abc", NULL, "abc", NULL},
        {S "=abc; " L "=def", "abc", "def", NULL},
        {"a=1; " S "=abc; b=2; " L "=def; c=3", "abc", "def", "a=1; b=2; c=3"},
        {"a=1;" S "=abc;b=2", "abc", NULL, "a=1; b=2"},
        {S "=abc;;;", "abc", NULL, NULL},
        {"  " S "=abc  ;\tb=\t", "abc", NULL, "b="},
        {S "=a=b==; x=y=z", "a=b==", NULL, "x=y=z"},
        {S "=\"abc\"; q=\"1\"", "\"abc\"", NULL, "q=\"1\""},
        {S "= abc", " abc", NULL, NULL},
        {S "=%s%s%n%n", "%s%s%n%n", NULL, NULL},
        {S "=", "", NULL, NULL},
        {L "=", NULL, "", NULL},
        {"a=1; " S "; b=2", NULL, NULL, "a=1; b=2"},
        {L, NULL, NULL, NULL},
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_reads(&policy, &rows[i]);
    }
}

static void test_cookie_first_of_two_of_one_name_counts(void **state)
{
    static const row_t rows[] = {
        {S "=one; " S "=two", "one", NULL, NULL},
        {L "=one; x=1; " L "=two", NULL, "one", "x=1"},
        {S "=; " S "=two", "", NULL, NULL},
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_reads(&policy, &rows[i]);
    }
}

/* What another prefix, another case or a neighbour brings must neither sign anybody in nor reach the application. */
static void test_cookie_of_a_name_like_ours_is_dropped_and_not_used(void **state)
{
    static const char *const pairs[] = {
        "Entra-Session=x",
        "__Secure-Entra-Session=x",
        "__host-Entra-Session=x",
        "__HOST-ENTRA-SESSION=x",
        "__Host-entra-session=x",
        "__Host-Entra-Session =x",
        "__Host-Entra-SessionX=x",
        "x__Host-Entra-Session=x",
        "__Host-Entra-Session-=x",
        "__Host-Entra-Session-0=x",
        "__Host-Entra-Session-4=x",
        "__Host-Entra-Session-01=x",
        "__Host-Entra-Session-1x=x",
        "__Host-Entra-Session--1=x",
        "__Host-Entra-Session-99999999=x",
        "__Host-Entra-Session-2147483648=x",
        "__Host-Entra-Session-1e9=x",
        "Entra-Login=x",
        "__Secure-Entra-Login=x",
        "__Host-Entra-Login-1=x",
        "__Host-ENTRA-login=x",
        "=__Host-Entra-Session=x",
        "a=1, __Host-Entra-Session=x",
        "a=1,Entra-Login=x",
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        row_t row = {apr_pstrcat(unit_pool, "b=2; ", pairs[i], "; c=3", NULL), NULL, NULL, "b=2; c=3"};
        assert_reads(&policy, &row);
    }
}

static void test_cookie_policies_do_not_read_each_others_cookies(void **state)
{
    static const struct {
        bool https;
        const char *domain, *session, *login;
    } rows[] = {
        {true, NULL, "host", "login"},
        {true, "example.com", "secure", "login"},
        {false, NULL, "plain", "plain login"},
    };
    static const char header[] = "__Secure-Entra-Session=secure; Entra-Session=plain; __Host-Entra-Session=host; "
                                 "Entra-Login=plain login; __Host-Entra-Login=login";
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_cookie_policy_t policy = policy_of(rows[i].https, rows[i].domain);
        row_t row = {header, rows[i].session, rows[i].login, NULL};
        assert_reads(&policy, &row);
    }
}

/* ---- chunks ---- */

static void test_cookie_chunks_are_joined_in_their_order(void **state)
{
    static const row_t rows[] = {
        {S "=2.ab; " S "-1=cd", "abcd", NULL, NULL},
        {S "-1=cd; a=1; " S "=2.ab", "abcd", NULL, "a=1"},
        {S "-3=4; " S "-1=2; " S "=4.1; " S "-2=3", "1234", NULL, NULL},
        {S "=2.; " S "-1=cd", "cd", NULL, NULL},
        {S "=3.a; " S "-1=; " S "-2=c", "ac", NULL, NULL},
        /* Left over from a larger session: not part of this one. */
        {S "=ab; " S "-1=stale; " S "-2=stale", "ab", NULL, NULL},
        {S "=2.ab; " S "-1=cd; " S "-2=stale; " S "-3=stale", "abcd", NULL, NULL},
        {S "=2.ab; " S "-1=cd; " S "-1=ef", "abcd", NULL, NULL},
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_reads(&policy, &rows[i]);
    }
}

static void test_cookie_chunks_that_do_not_fit_are_broken(void **state)
{
    static const char *const headers[] = {
        S "=0.ab",
        S "=1.ab",
        S "=2.ab",
        S "=5.ab; " S "-1=c; " S "-2=d; " S "-3=e; " S "-4=f",
        S "=9.ab; " S "-1=c; " S "-2=d; " S "-3=e",
        S "=-.ab; " S "-1=c",
        S "=..ab; " S "-1=c",
        S "=/.ab; " S "-1=c",
        S "=\xb2.ab; " S "-1=c",
        S "=3.ab; " S "-1=cd",
        S "=3.ab; " S "-2=cd",
        S "=2.ab; " S "-2=cd",
        S "=2.ab; " S "-01=cd",
        S "=2.ab; " S "-1",
        S "-1=cd",
        S "-3=cd; " S "-2=ab",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        sso_cookies_t got = read_host(headers[i]);
        if (got.session != NULL || !got.broken) {
            unit_fail("%s", headers[i]);
        }
        assert_null(got.rest);
    }
}

static void test_cookie_chunk_counter_of_any_size_is_only_text(void **state)
{
    static const char *const counters[] = {"99999999.", "2147483648.", "-1.", "1e9.", "60.", "18446744073709551616."};
    (void)state;
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        /* No counter is longer than a digit: what is here is an ordinary value, which no seal ever opens. */
        sso_cookies_t got = read_host(apr_pstrcat(unit_pool, S "=", counters[i], "x; " S "-1=y", NULL));
        assert_int_equal(got.session_len, strlen(counters[i]) + 1);
        assert_int_equal(got.session_parts, 3);
    }
}

static void test_cookie_sixty_parts_are_four_at_most(void **state)
{
    (void)state;
    const char *header = S "=4.0";
    for (int i = 1; i <= 60; i++) {
        header = apr_psprintf(unit_pool, "%s; " S "-%d=%d", header, i, i % 10);
    }
    sso_cookies_t got = read_host(header);
    assert_int_equal(got.session_len, 4);
    assert_memory_equal(got.session, "0123", 4);
    assert_int_equal(got.session_parts, 0xf);
    assert_null(got.rest);
}

static void test_cookie_part_over_the_chunk_size_is_broken(void **state)
{
    (void)state;
    const char *most = repeat('A', SSO_COOKIE_CHUNK + 2);
    sso_cookies_t got = read_host(apr_pstrcat(unit_pool, S "=", most, NULL));
    assert_int_equal(got.session_len, SSO_COOKIE_CHUNK + 2);
    got = read_host(apr_pstrcat(unit_pool, S "=", most, "A", NULL));
    assert_null(got.session);
    assert_true(got.broken);
    got = read_host(apr_pstrcat(unit_pool, S "=2.a; ", S "-1=", most, "A", NULL));
    assert_null(got.session);
    assert_true(got.broken);
}

static void test_cookie_header_of_eight_kilobytes_is_read(void **state)
{
    static const char fill[] = "; =aEe,\t\"\\";
    (void)state;
    for (size_t i = 0; i < sizeof(fill) - 1; i++) {
        const char *header = repeat(fill[i], 8192);
        sso_cookies_t got = read_host(header);
        assert_ptr_equal(got.rest, header);
        assert_null(got.session);
        got = read_host(apr_pstrcat(unit_pool, header, ";" S "=x", NULL));
        assert_memory_equal(got.session, "x", 2);
    }
}

static void test_cookie_every_flipped_bit_of_a_header_is_read(void **state)
{
    static const char header[] = "a=1; " S "=2.abcdef; " S "-1=ghi; " L "=xyz; b=2";
    (void)state;
    char *changed = unit_exact_copy(header, sizeof(header));
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t bit = 0; bit < 8 * (sizeof(header) - 1); bit++) {
        sso_cookies_t got;
        changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << (bit % 8)));
        sso_cookie_read(unit_pool, &policy, changed, &got);
        assert_true(got.session == NULL || got.session_len <= sizeof(header));
        if (got.rest != NULL) {
            assert_null(strstr(got.rest, "Entra-Session"));
            assert_null(strstr(got.rest, "Entra-Login"));
        }
        changed[bit / 8] = header[bit / 8];
    }
}

static void test_cookie_every_truncated_header_is_read(void **state)
{
    static const char header[] = "a=1; " S "=2.abcdef; " S "-1=ghi; " L "=xyz; b=2";
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t len = 0; len < sizeof(header); len++) {
        sso_cookies_t got;
        char *copy = unit_exact_copy(header, len + 1);
        copy[len] = '\0';
        sso_cookie_read(unit_pool, &policy, copy, &got);
        assert_true(got.rest == NULL || strlen(got.rest) <= len);
    }
}

/* ---- Set-Cookie ---- */

static apr_array_header_t *lines_make(void)
{
    return apr_array_make(unit_pool, 4, sizeof(const char *));
}

static const char *line(const apr_array_header_t *lines, int i)
{
    assert_true(i < lines->nelts);
    return sso_text_at(lines, i);
}

#define EXPIRED "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

static void test_cookie_lines_have_the_attributes_of_their_policy(void **state)
{
    static const struct {
        bool https;
        const char *domain, *session, *login, *session_end, *login_end;
    } rows[] = {
        {true, NULL, S "=v; Path=/; Secure; HttpOnly; SameSite=Lax", L "=v; Path=/; Secure; HttpOnly; SameSite=Lax",
         S "=; Path=/; Secure; HttpOnly; SameSite=Lax" EXPIRED, L "=; Path=/; Secure; HttpOnly; SameSite=Lax" EXPIRED},
        /* The login cookie binds a browser to this very host, whatever the session's domain is. */
        {true, "example.com", "__Secure-Entra-Session=v; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
         L "=v; Path=/; Secure; HttpOnly; SameSite=Lax",
         "__Secure-Entra-Session=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax" EXPIRED,
         L "=; Path=/; Secure; HttpOnly; SameSite=Lax" EXPIRED},
        {false, NULL, "Entra-Session=v; Path=/; HttpOnly; SameSite=Lax",
         "Entra-Login=v; Path=/; HttpOnly; SameSite=Lax", "Entra-Session=; Path=/; HttpOnly; SameSite=Lax" EXPIRED,
         "Entra-Login=; Path=/; HttpOnly; SameSite=Lax" EXPIRED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_cookie_policy_t policy = policy_of(rows[i].https, rows[i].domain);
        apr_array_header_t *lines = lines_make();
        assert_true(sso_cookie_set_session(unit_pool, &policy, "v", 0, lines));
        sso_cookie_set_login(unit_pool, &policy, "v", lines);
        sso_cookie_end_session(unit_pool, &policy, 1, lines);
        sso_cookie_end_login(unit_pool, &policy, lines);
        assert_int_equal(lines->nelts, 4);
        assert_string_equal(line(lines, 0), rows[i].session);
        assert_string_equal(line(lines, 1), rows[i].login);
        assert_string_equal(line(lines, 2), rows[i].session_end);
        assert_string_equal(line(lines, 3), rows[i].login_end);
    }
}

/* The Cookie header that a browser makes of Set-Cookie lines. */
static const char *as_header(const apr_array_header_t *lines)
{
    const char *header = "";
    for (int i = 0; i < lines->nelts; i++) {
        const char *text = line(lines, i);
        if (strstr(text, "Max-Age=0") == NULL) {
            header = apr_pstrcat(unit_pool, header, *header == '\0' ? "" : "; ",
                                 apr_pstrmemdup(unit_pool, text, strcspn(text, ";")), NULL);
        }
    }
    return header;
}

static void test_cookie_session_of_any_size_comes_back_from_its_chunks(void **state)
{
    static const struct {
        apr_size_t len;
        int chunks;
    } rows[] = {
        {1, 1},
        {SSO_COOKIE_CHUNK, 1},
        {SSO_COOKIE_CHUNK + 1, 2},
        {2 * SSO_COOKIE_CHUNK, 2},
        {2 * SSO_COOKIE_CHUNK + 1, 3},
        {SSO_MAX_SEALED, 4},
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *sealed = repeat('A', rows[i].len);
        sealed[rows[i].len - 1] = 'Z';
        apr_array_header_t *lines = lines_make();
        assert_true(sso_cookie_set_session(unit_pool, &policy, sealed, 0, lines));
        assert_int_equal(lines->nelts, rows[i].chunks);
        sso_cookies_t got = read_host(as_header(lines));
        assert_int_equal(got.session_len, rows[i].len);
        assert_memory_equal(got.session, sealed, rows[i].len);
        assert_int_equal(got.session_parts, (1 << rows[i].chunks) - 1);
        for (int k = 0; k < lines->nelts; k++) {
            /* What every browser stores for one cookie, name and attributes included. */
            assert_in_range(strlen(line(lines, k)), 1, 4096);
        }
    }
}

static void test_cookie_session_over_four_chunks_is_not_written(void **state)
{
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    apr_array_header_t *lines = lines_make();
    assert_false(sso_cookie_set_session(unit_pool, &policy, repeat('A', SSO_MAX_SEALED + 1), 0xf, lines));
    assert_int_equal(lines->nelts, 0);
}

static void test_cookie_stale_chunks_end_with_a_smaller_session(void **state)
{
    static const struct {
        apr_size_t len;
        unsigned sent;
        const char *ended; /* the names' last characters */
    } rows[] = {
        {10, 0x0, ""},
        {10, 0x1, ""},
        {10, 0xf, "123"},
        {10, 0xa, "13"},
        {SSO_COOKIE_CHUNK + 1, 0xf, "23"},
        {SSO_COOKIE_CHUNK + 1, 0x2, ""},
        {SSO_MAX_SEALED, 0xf, ""},
        {10, 0xfff0, ""},
    };
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_array_header_t *lines = lines_make();
        const char *ended = "";
        assert_true(sso_cookie_set_session(unit_pool, &policy, repeat('A', rows[i].len), rows[i].sent, lines));
        for (int k = 0; k < lines->nelts; k++) {
            const char *text = line(lines, k);
            if (strstr(text, "Max-Age=0") != NULL) {
                assert_memory_equal(text, S "-", sizeof(S));
                assert_memory_equal(text + sizeof(S) + 1, "=; Path=/; Secure", 17);
                ended = apr_pstrcat(unit_pool, ended, apr_pstrmemdup(unit_pool, text + sizeof(S), 1), NULL);
            }
        }
        assert_string_equal(ended, rows[i].ended);
    }
}

static void test_cookie_end_names_what_was_sent_and_no_more(void **state)
{
    (void)state;
    sso_cookie_policy_t policy = policy_of(true, NULL);
    apr_array_header_t *lines = lines_make();
    sso_cookie_end_session(unit_pool, &policy, 0, lines);
    assert_int_equal(lines->nelts, 0);
    sso_cookie_end_session(unit_pool, &policy, 0x9, lines);
    assert_int_equal(lines->nelts, 2);
    assert_memory_equal(line(lines, 0), S "=;", sizeof(S) + 1);
    assert_memory_equal(line(lines, 1), S "-3=;", sizeof(S) + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_cookie_names_follow_scheme_and_domain),
        unit_test(test_cookie_header_without_ours_is_given_on_byte_for_byte),
        unit_test(test_cookie_header_absent_holds_nothing),
        unit_test(test_cookie_ours_is_read_and_kept_from_the_backend),
        unit_test(test_cookie_first_of_two_of_one_name_counts),
        unit_test(test_cookie_of_a_name_like_ours_is_dropped_and_not_used),
        unit_test(test_cookie_policies_do_not_read_each_others_cookies),
        unit_test(test_cookie_chunks_are_joined_in_their_order),
        unit_test(test_cookie_chunks_that_do_not_fit_are_broken),
        unit_test(test_cookie_chunk_counter_of_any_size_is_only_text),
        unit_test(test_cookie_sixty_parts_are_four_at_most),
        unit_test(test_cookie_part_over_the_chunk_size_is_broken),
        unit_test(test_cookie_header_of_eight_kilobytes_is_read),
        unit_test(test_cookie_every_flipped_bit_of_a_header_is_read),
        unit_test(test_cookie_every_truncated_header_is_read),
        unit_test(test_cookie_lines_have_the_attributes_of_their_policy),
        unit_test(test_cookie_session_of_any_size_comes_back_from_its_chunks),
        unit_test(test_cookie_session_over_four_chunks_is_not_written),
        unit_test(test_cookie_stale_chunks_end_with_a_smaller_session),
        unit_test(test_cookie_end_names_what_was_sent_and_no_more),
    };
    return unit_run(tests);
}
