/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/bytes.c: readers and writers, text codings, queries, comparison, wiping. */
#include "base/bytes.h"

#include <string.h>

#include "unit.h"

#include "base/limits.h"

static void test_reader_gives_back_what_writer_took(void **state)
{
    (void)state;
    sso_writer_t w;
    sso_reader_t r;
    sso_writer_init(&w, unit_pool, 64);
    sso_write_u8(&w, 0xfe);
    sso_write_u16(&w, 0xfedc);
    sso_write_u32(&w, 0xfedcba98);
    sso_write_i64(&w, INT64_MIN + 1);
    sso_write_text(&w, "text");
    sso_write_text(&w, NULL);
    sso_write_bytes(&w, "\0\1", 2);
    sso_write_bytes(&w, NULL, 0);
    assert_false(w.failed);

    sso_reader_init(&r, w.data, w.len);
    assert_int_equal(sso_read_u8(&r), 0xfe);
    assert_int_equal(sso_read_u16(&r), 0xfedc);
    assert_int_equal(sso_read_u32(&r), 0xfedcba98);
    assert_true(sso_read_i64(&r) == INT64_MIN + 1);
    assert_string_equal(sso_read_text(&r), "text");
    assert_string_equal(sso_read_text(&r), "");
    assert_false(sso_reader_done(&r));
    assert_memory_equal(sso_read_bytes(&r, 2), "\0\1", 2);
    assert_true(sso_reader_done(&r));
}

static void test_writer_layout_is_big_endian(void **state)
{
    (void)state;
    static const unsigned char expected[] = {1,    2,    3,    4,    5,    6, 7, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xfe, 0, 1, 'a',  0};
    sso_writer_t w;
    sso_writer_init(&w, unit_pool, sizeof(expected));
    sso_write_u8(&w, 1);
    sso_write_u16(&w, 0x0203);
    sso_write_u32(&w, 0x04050607);
    sso_write_i64(&w, -2);
    sso_write_text(&w, "a");
    assert_false(w.failed);
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(w.data, expected, sizeof(expected));
}

static void test_reader_past_the_end_fails_and_stays_failed(void **state)
{
    (void)state;
    sso_reader_t r;
    sso_reader_init(&r, "\1\2\3", 3);
    assert_int_equal(sso_read_u32(&r), 0);
    assert_true(r.failed);
    /* Bytes are left, but after a failure there is nothing to trust. */
    assert_int_equal(sso_read_u8(&r), 0);
    assert_int_equal(sso_read_u16(&r), 0);
    assert_true(sso_read_i64(&r) == 0);
    assert_null(sso_read_bytes(&r, 0));
    assert_null(sso_read_text(&r));
    assert_false(sso_reader_done(&r));

    sso_reader_init(&r, "\1\2\3", 3);
    assert_null(sso_read_bytes(&r, (apr_size_t)-1));
    assert_true(r.failed);
}

static void test_reader_of_nothing_is_done(void **state)
{
    (void)state;
    sso_reader_t r;
    sso_reader_init(&r, NULL, 0);
    assert_non_null(sso_read_bytes(&r, 0));
    assert_true(sso_reader_done(&r));
    assert_int_equal(sso_read_u8(&r), 0);
    assert_false(sso_reader_done(&r));
    /* A length without data is nobody's record. */
    sso_reader_init(&r, NULL, 5);
    assert_int_equal(sso_read_u8(&r), 0);
    assert_false(sso_reader_done(&r));
}

static void test_reader_text_with_a_wrong_end_fails(void **state)
{
    (void)state;
    const struct {
        const char *data;
        apr_size_t len;
    } cases[] = {
        {"\0\2ab", 4},    /* no NUL */
        {"\0\2abc", 5},   /* another byte in its place */
        {"\0\2a\0\0", 5}, /* a NUL inside */
        {"\0\2\0a\0", 5}, /* a NUL at the begin */
        {"\0\3ab\0", 5},  /* longer than the data */
        {"\xff\xff"
         "a",
         3},         /* far longer */
        {"\0", 1},   /* half a length */
        {"\0\0", 2}, /* an empty text has its NUL as well */
        {"\0\0x", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sso_reader_t r;
        sso_reader_init(&r, unit_exact_copy(cases[i].data, cases[i].len), cases[i].len);
        if (sso_read_text(&r) != NULL || !r.failed) {
            unit_fail("case %zu was read", i);
        }
    }
}

static void test_writer_past_its_size_fails_and_stays_failed(void **state)
{
    (void)state;
    sso_writer_t w;
    sso_writer_init(&w, unit_pool, 3);
    sso_write_u16(&w, 1);
    sso_write_u16(&w, 2);
    assert_true(w.failed);
    assert_int_equal(w.len, 2);
    /* One byte would fit, but the record is broken. */
    sso_write_u8(&w, 3);
    assert_int_equal(w.len, 2);
    sso_writer_init(&w, unit_pool, 3);
    sso_write_bytes(&w, "x", (apr_size_t)-1);
    assert_true(w.failed);
    sso_writer_init(&w, unit_pool, 0);
    assert_false(w.failed);
    sso_write_u8(&w, 1);
    assert_true(w.failed);
}

static void test_writer_text_past_16_bits_fails(void **state)
{
    (void)state;
    sso_writer_t w;
    sso_reader_t r;
    char *text = apr_palloc(unit_pool, 65536);
    memset(text, 'x', 65535);
    text[65535] = '\0';
    sso_writer_init(&w, unit_pool, 70000);
    sso_write_text(&w, text);
    assert_true(w.failed);
    assert_int_equal(w.len, 0);
    text[65534] = '\0';
    sso_writer_init(&w, unit_pool, 70000);
    sso_write_text(&w, text);
    assert_false(w.failed);
    sso_reader_init(&r, w.data, w.len);
    assert_string_equal(sso_read_text(&r), text);
    assert_true(sso_reader_done(&r));
}

/* Reads a record as a caller would. True when all of it was good. */
static bool read_record(const unsigned char *data, apr_size_t len)
{
    sso_reader_t r;
    sso_reader_init(&r, data, len);
    (void)sso_read_u8(&r);
    const char *first = sso_read_text(&r);
    (void)sso_read_u32(&r);
    const char *second = sso_read_text(&r);
    (void)sso_read_i64(&r);
    assert_true(r.failed || (strlen(first) < len && strlen(second) < len));
    return sso_reader_done(&r);
}

static void test_reader_mutated_record_never_reads_outside(void **state)
{
    (void)state;
    sso_writer_t w;
    sso_writer_init(&w, unit_pool, 64);
    sso_write_u8(&w, 1);
    sso_write_text(&w, "first");
    sso_write_u32(&w, 7);
    sso_write_text(&w, "second");
    sso_write_i64(&w, -1);
    assert_true(read_record(w.data, w.len));
    for (apr_size_t cut = 0; cut < w.len; cut++) {
        /* Copies of their exact size, so that AddressSanitizer sees a byte too many. */
        assert_false(read_record(unit_exact_copy(w.data, cut), cut));
    }
    for (apr_size_t bit = 0; bit < w.len * 8; bit++) {
        unsigned char *copy = unit_exact_copy(w.data, w.len);
        copy[bit / 8] = (unsigned char)(copy[bit / 8] ^ (1 << bit % 8));
        (void)read_record(copy, w.len);
    }
}

/* RFC 4648 section 10, and the two characters in which the alphabets differ. */
static void test_base64_known_values_both_ways(void **state)
{
    (void)state;
    const struct {
        const char *plain, *url, *standard, *hex;
    } cases[] = {
        {"", "", "", ""},
        {"f", "Zg", "Zg==", "66"},
        {"fo", "Zm8", "Zm8=", "666f"},
        {"foo", "Zm9v", "Zm9v", "666f6f"},
        {"foob", "Zm9vYg", "Zm9vYg==", "666f6f62"},
        {"fooba", "Zm9vYmE", "Zm9vYmE=", "666f6f6261"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
        {"\xfb\xef\xff", "--__", "++//", "fbefff"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_size_t plain_len = strlen(cases[i].plain);
        apr_size_t len = 99;
        assert_string_equal(sso_base64url(unit_pool, cases[i].plain, plain_len), cases[i].url);
        assert_string_equal(sso_base64(unit_pool, cases[i].plain, plain_len), cases[i].standard);
        assert_string_equal(sso_hex(unit_pool, cases[i].plain, plain_len), cases[i].hex);
        unsigned char *data = sso_base64url_decode(unit_pool, cases[i].url, strlen(cases[i].url), &len);
        assert_non_null(data);
        assert_int_equal(len, plain_len);
        assert_memory_equal(data, cases[i].plain, plain_len + 1);
    }
    assert_string_equal(sso_base64url(unit_pool, NULL, 0), "");
    assert_string_equal(sso_base64(unit_pool, NULL, 0), "");
    assert_string_equal(sso_hex(unit_pool, NULL, 0), "");
}

static void test_base64url_every_byte_survives(void **state)
{
    (void)state;
    unsigned char all[256];
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char)i;
    }
    for (apr_size_t n = 0; n <= sizeof(all); n++) {
        apr_size_t len = 0;
        const char *text = sso_base64url(unit_pool, all + sizeof(all) - n, n);
        unsigned char *data = sso_base64url_decode(unit_pool, text, strlen(text), &len);
        assert_non_null(data);
        assert_int_equal(len, n);
        assert_memory_equal(data, all + sizeof(all) - n, n);
    }
}

static void test_base64_decode_takes_what_is_encoded_and_nothing_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg",       "Zg=",       "Zh==", "Zm9=", "Zm9v=", "====",  "=",
                                      "Zg==Zg==", "Zm9v Zm9v", "-_-_", "Zm=v", "Z===",  "Zm9v\n"};
    apr_size_t len = 0;
    for (int size = 0; size < 40; size++) {
        unsigned char bytes[40];
        for (int i = 0; i < size; i++) {
            bytes[i] = (unsigned char)(i * 37 + 0xf8);
        }
        const char *text = sso_base64(unit_pool, bytes, (apr_size_t)size);
        unsigned char *data = sso_base64_decode(unit_pool, text, strlen(text), &len);
        assert_non_null(data);
        assert_int_equal(len, size);
        assert_memory_equal(data, bytes, (size_t)size);
        assert_int_equal(data[size], 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_base64_decode(unit_pool, bad[i], strlen(bad[i]), &len) != NULL) {
            unit_fail("accepted: %s", bad[i]);
        }
    }
    assert_null(sso_base64_decode(unit_pool, NULL, 0, &len));
}

static void test_base64url_decode_is_strict(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        /* padding, a length of 4n+1, the other alphabet, white space, other bytes */
        "Zg==", "Zm8=", "Zg=", "=", "==", "====", "Zm9v=AAA", "Z", "Zm9vY", "++//", "Zm9+", "Zm9/", "Zm 9v", " Zm9v",
        "Zm9v\n", "Zm9\n", "Zm\r\n", "Zm9\t", "Zm9.", "Zm9,", "Zm9%", "Zm9*", "Zm9\xc3", "\xff\xff",
        /* stray bits: four of them, two of them */
        "Zh", "Zv", "Z_", "AB", "Zm9vYh", "Zm9", "Zm-", "AAB", "Zm9vYmF",
    };
    /* clang-format on */
    apr_size_t len = 99;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (sso_base64url_decode(unit_pool, cases[i], strlen(cases[i]), &len) != NULL) {
            unit_fail("case %zu, %s, was decoded", i, cases[i]);
        }
    }
    assert_null(sso_base64url_decode(unit_pool, "Zm9\0", 4, &len));
    assert_null(sso_base64url_decode(unit_pool, "\0\0\0\0", 4, &len));
    assert_null(sso_base64url_decode(unit_pool, NULL, 0, &len));
    assert_null(sso_base64url_decode(unit_pool, NULL, 4, &len));
    /* The result is written on success only. */
    assert_int_equal(len, 99);
}

/* Whatever is taken has exactly this one spelling. */
static void check_one_spelling(const char *text, apr_size_t text_len)
{
    apr_size_t len = 0;
    unsigned char *data = sso_base64url_decode(unit_pool, text, text_len, &len);
    if (data != NULL) {
        const char *again = sso_base64url(unit_pool, data, len);
        assert_int_equal(strlen(again), text_len);
        assert_memory_equal(again, text, text_len);
    }
}

static void test_base64url_mutated_has_one_spelling(void **state)
{
    (void)state;
    const char *const seeds[] = {"Zg", "Zm8", "Zm9vYmFy", "AAECAwQFBgcICQoLDA0ODw", "--__--__-_8"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        apr_size_t len = strlen(seeds[i]);
        for (apr_size_t cut = 0; cut <= len; cut++) {
            check_one_spelling(unit_exact_copy(seeds[i], cut), cut);
        }
        /* Every byte in every place, which holds every bit flip. */
        for (apr_size_t place = 0; place < len; place++) {
            for (int c = 0; c < 256; c++) {
                char *copy = apr_pstrdup(unit_pool, seeds[i]);
                copy[place] = (char)c;
                check_one_spelling(copy, len);
            }
        }
    }
}

static void test_percent_encode_keeps_only_unreserved(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"AZaz09-._~", "AZaz09-._~"},
        {"a b+c&d=e", "a%20b%2Bc%26d%3De"},
        {"https://h/?a#b", "https%3A%2F%2Fh%2F%3Fa%23b"},
        {"!*'()[]@:;,$%\"<>\\^`{|}", "%21%2A%27%28%29%5B%5D%40%3A%3B%2C%24%25%22%3C%3E%5C%5E%60%7B%7C%7D"},
        {"\r\n\x7f", "%0D%0A%7F"},
        {"\xc3\xa9\xff", "%C3%A9%FF"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(sso_percent_encode(unit_pool, cases[i].text), cases[i].expected);
    }
}

static const char *one(const char *query, const char *name)
{
    apr_table_t *pairs = NULL;
    const char *value = NULL;
    assert_rc(SSO_OK, sso_query_parse(&unit_ctx, query, &pairs));
    assert_rc(SSO_OK, sso_query_one(&unit_ctx, pairs, name, &value));
    return value;
}

static void test_query_values_are_decoded(void **state)
{
    (void)state;
    assert_string_equal(one("code=abc&state=x-y_z", "code"), "abc");
    assert_string_equal(one("code=abc&state=x-y_z", "state"), "x-y_z");
    assert_string_equal(one("a=b+c%20d%2B%26%3d", "a"), "b c d+&=");
    assert_string_equal(one("a%62c=1", "abc"), "1");
    assert_string_equal(one("a=b=c==", "a"), "b=c==");
    assert_string_equal(one("a=1;b=2", "a"), "1;b=2");
    assert_string_equal(one("a", "a"), "");
    assert_string_equal(one("a=", "a"), "");
    assert_string_equal(one("&&a=1&&", "a"), "1");
    assert_string_equal(one("a=%25%32%35", "a"), "%25");
    assert_string_equal(one("a=%0d%0a%c3%a9%ff", "a"), "\r\n\xc3\xa9\xff");
    assert_string_equal(one("=x", ""), "x");
}

static void test_query_absent_name_gives_none(void **state)
{
    (void)state;
    const char *const empty[] = {NULL, "", "&", "&&&", "=&=", "?=&=", "b=a", "A=1", "aa=1", "%41=1"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_null(one(empty[i], "a"));
    }
    /* An exact name: the table under it would find STATE as well. */
    assert_string_equal(one("STATE=evil&state=good", "state"), "good");
}

static void test_query_malformed_is_refused(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        "a=%", "a=%4", "a=%zz", "a=%4g", "a=%g4", "a=%00", "a=b%00c", "%00=a", "%=1", "a%=1", "ok=1&a=%", "a=1&%zz",
        "a=%%", "a=%+1", "a=%-1", "a=% 1",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_table_t *pairs = NULL;
        sso_rc rc = sso_query_parse(&unit_ctx, cases[i], &pairs);
        if (rc != SSO_R_QUERY_FORMAT || pairs != NULL) {
            unit_fail("%s: %s", cases[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_query_fault_does_not_quote_the_value(void **state)
{
    (void)state;
    apr_table_t *pairs = NULL;
    assert_int_equal(sso_query_parse(&unit_ctx, "code=SECRET%", &pairs), SSO_R_QUERY_FORMAT);
    assert_null(strstr(unit_ctx.fault.detail, "SECRET"));
    sso_fault_clear(&unit_ctx);
    const char *value = NULL;
    assert_rc(SSO_OK, sso_query_parse(&unit_ctx, "code=SECRET&code=SECRET", &pairs));
    assert_int_equal(sso_query_one(&unit_ctx, pairs, "code", &value), SSO_R_QUERY_DUPLICATE);
    assert_null(strstr(unit_ctx.fault.detail, "SECRET"));
}

static void test_query_too_many_pairs_is_refused(void **state)
{
    (void)state;
    apr_table_t *pairs = NULL;
    char *query = apr_pstrdup(unit_pool, "");
    for (int i = 0; i < SSO_MAX_QUERY_PAIRS; i++) {
        query = apr_psprintf(unit_pool, "%s&n%d=%d&", query, i, i);
    }
    assert_rc(SSO_OK, sso_query_parse(&unit_ctx, query, &pairs));
    assert_int_equal(apr_table_elts(pairs)->nelts, SSO_MAX_QUERY_PAIRS);
    pairs = NULL;
    query = apr_pstrcat(unit_pool, query, "x", NULL);
    assert_rc(SSO_R_QUERY_FORMAT, sso_query_parse(&unit_ctx, query, &pairs));
    assert_null(pairs);
}

static void test_query_name_twice_is_refused(void **state)
{
    (void)state;
    const char *const cases[] = {"a=1&a=2", "a=1&a=1", "a&a", "a=1&b=2&a=", "a=1&%61=2", "a=&a=1"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_table_t *pairs = NULL;
        const char *value = NULL;
        assert_rc(SSO_OK, sso_query_parse(&unit_ctx, cases[i], &pairs));
        assert_rc(SSO_R_QUERY_DUPLICATE, sso_query_one(&unit_ctx, pairs, "a", &value));
        assert_null(value);
    }
    /* Other names may stand twice, as far as this name is concerned. */
    assert_string_equal(one("b=1&a=2&b=3", "a"), "2");
}

static void test_query_mutated_never_crashes(void **state)
{
    (void)state;
    static const char seed[] = "code=0.AX%2b&state=a%20b&session_state=%c3%a9&&x";
    for (size_t i = 0; i < sizeof(seed) - 1; i++) {
        for (int bit = 0; bit < 9; bit++) {
            char *copy = apr_pstrdup(unit_pool, seed);
            apr_table_t *pairs = NULL;
            /* The ninth round cuts. */
            copy[i] = (char)(bit == 8 ? 0 : copy[i] ^ (1 << bit));
            sso_rc rc = sso_query_parse(&unit_ctx, copy, &pairs);
            assert_true(rc == SSO_OK ? pairs != NULL : rc == SSO_R_QUERY_FORMAT);
            sso_fault_clear(&unit_ctx);
        }
    }
}

static void test_bytes_equal_sees_every_byte(void **state)
{
    (void)state;
    unsigned char a[77];
    unsigned char b[77];
    memset(a, 0x5a, sizeof(a));
    for (size_t i = 0; i < sizeof(a) * 8; i++) {
        memcpy(b, a, sizeof(b));
        assert_true(sso_bytes_equal(a, b, sizeof(a)));
        b[i / 8] = (unsigned char)(b[i / 8] ^ (1 << i % 8));
        assert_false(sso_bytes_equal(a, b, sizeof(a)));
        /* Only len bytes count. */
        assert_true(sso_bytes_equal(a, b, i / 8));
    }
    assert_true(sso_bytes_equal("", "x", 0));
}

static void test_secret_equal_needs_two_equal_texts(void **state)
{
    (void)state;
    assert_true(sso_secret_equal("", ""));
    assert_true(sso_secret_equal("secret", "secret"));
    assert_false(sso_secret_equal("secret", "secreT"));
    assert_false(sso_secret_equal("secret", "secret1"));
    assert_false(sso_secret_equal("secret", "secre"));
    assert_false(sso_secret_equal("secret", ""));
    assert_false(sso_secret_equal(NULL, "x"));
    assert_false(sso_secret_equal("x", NULL));
    assert_false(sso_secret_equal(NULL, NULL));
}

static void test_wipe_now_and_with_the_pool(void **state)
{
    (void)state;
    static const char zeros[8] = {0};
    char secret[] = "hunter2";
    sso_wipe(secret, 3);
    assert_memory_equal(secret, "\0\0\0ter2", 8);
    sso_wipe(NULL, 0);

    apr_pool_t *pool;
    assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
    sso_wipe_later(pool, secret, sizeof(secret));
    assert_string_equal(secret + 3, "ter2");
    apr_pool_clear(pool);
    assert_memory_equal(secret, zeros, sizeof(secret));
    /* Once only. */
    secret[0] = 'x';
    apr_pool_destroy(pool);
    assert_int_equal(secret[0], 'x');
}

static void test_guid_form_is_exact(void **state)
{
    (void)state;
    static const char guid[] = "8d6f4f0e-0000-4000-8000-3A6C2f1b7c1F";
    assert_true(sso_is_guid(guid));
    /* clang-format off */
    const char *const wrong[] = {
        NULL, "", "8d6f4f0e-0000-4000-8000-3a6c2f1b7c1", "8d6f4f0e-0000-4000-8000-3a6c2f1b7c111",
        "{8d6f4f0e-0000-4000-8000-3a6c2f1b7c11}", "8d6f4f0e000040008000-3a6c2f1b7c11",
        "8d6f4f0e00004000800003a6c2f1b7c11", "8d6f4f0e-0000-4000-8000-3a6c2f1b7c1g",
        " 8d6f4f0e-0000-4000-8000-3a6c2f1b7c1", "8d6f4f0-e0000-4000-8000-3a6c2f1b7c11",
        "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11\n", "contoso.onmicrosoft.com", "common",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(sso_is_guid(wrong[i]));
    }
    for (size_t i = 0; i < sizeof(guid) - 1; i++) {
        assert_false(sso_is_guid(apr_pstrmemdup(unit_pool, guid, i)));
    }
}

static void test_utf8_follows_rfc_3629(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const good[] = {
        "", "ascii\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z",
    };
    /* clang-format on */
    /* clang-format off */
    const char *const bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2 ", "\xc2\xc0", "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x82 ", "\xe2 \xac", "\xe2\x82\xc0", "\xf0\x9f\x98\xc0", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf0\x9f\x98 ", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "a\xc3\xa9\xa9",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sso_is_utf8(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        /* An exact copy: a cut character at the end must not be read past it. */
        apr_size_t len = strlen(bad[i]);
        if (sso_is_utf8(unit_exact_copy(bad[i], len), len)) {
            unit_fail("bad case %zu was taken", i);
        }
    }
    assert_true(sso_is_utf8("a\0b", 3));
    assert_true(sso_is_utf8(NULL, 0));
}

static void test_control_bytes_are_seen(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, 'b', '\0'};
        assert_int_equal(sso_has_control(text), c < 0x20 || c == 0x7f);
    }
    assert_false(sso_has_control(""));
    assert_false(sso_has_control(NULL));
}

static void test_hex_decode_is_strict(void **state)
{
    (void)state;
    unsigned char bytes[3] = {0};
    static const char *const bad[] = {"", "00ff1", "00ff1a0", "00FF1A", "00ff1g", " 0ff1a", "0x0f1a"};
    assert_true(sso_hex_decode("00ff1a", bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\x1a", 3);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_hex_decode(bad[i], bytes, 3)) {
            unit_fail("taken: %s", bad[i]);
        }
    }
    assert_memory_equal(bytes, "\x00\xff\x1a", 3);
}

static void test_integer_has_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {
        {"0", 0}, {"7", 7}, {"-7", -7}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775807", -INT64_MAX}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-0",
                                      "1 ",
                                      " 1",
                                      "1x",
                                      "0x1",
                                      "1.",
                                      "1e3",
                                      "--1",
                                      NULL,
                                      "9223372036854775808",
                                      "99999999999999999999"};
    int64_t number = 0;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sso_integer_parse(good[i].text, &number));
        assert_true(number == good[i].number);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sso_integer_parse(bad[i], &number)) {
            unit_fail("taken: %s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_reader_gives_back_what_writer_took),
        unit_test(test_writer_layout_is_big_endian),
        unit_test(test_reader_past_the_end_fails_and_stays_failed),
        unit_test(test_reader_of_nothing_is_done),
        unit_test(test_reader_text_with_a_wrong_end_fails),
        unit_test(test_writer_past_its_size_fails_and_stays_failed),
        unit_test(test_writer_text_past_16_bits_fails),
        unit_test(test_reader_mutated_record_never_reads_outside),
        unit_test(test_base64_known_values_both_ways),
        unit_test(test_base64url_every_byte_survives),
        unit_test(test_base64url_decode_is_strict),
        unit_test(test_base64_decode_takes_what_is_encoded_and_nothing_else),
        unit_test(test_base64url_mutated_has_one_spelling),
        unit_test(test_percent_encode_keeps_only_unreserved),
        unit_test(test_query_values_are_decoded),
        unit_test(test_query_absent_name_gives_none),
        unit_test(test_query_malformed_is_refused),
        unit_test(test_query_fault_does_not_quote_the_value),
        unit_test(test_query_too_many_pairs_is_refused),
        unit_test(test_query_name_twice_is_refused),
        unit_test(test_query_mutated_never_crashes),
        unit_test(test_bytes_equal_sees_every_byte),
        unit_test(test_secret_equal_needs_two_equal_texts),
        unit_test(test_wipe_now_and_with_the_pool),
        unit_test(test_guid_form_is_exact),
        unit_test(test_utf8_follows_rfc_3629),
        unit_test(test_control_bytes_are_seen),
        unit_test(test_hex_decode_is_strict),
        unit_test(test_integer_has_one_spelling),
    };
    return unit_run(tests);
}
