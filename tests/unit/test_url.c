/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/url.c: origins, outbound URLs, and the gate for return targets with its list of payloads. */
#include "base/url.h"

#include <string.h>

#include "unit.h"

#include <apr_file_io.h>

#include "base/limits.h"

#define SITE "https://app.example.com"
#define VECTORS TEST_VECTORS_DIR "/return-targets.txt"

static const sso_origin_t *site(void)
{
    const char *why = NULL;
    const sso_origin_t *origin = sso_origin_parse(unit_pool, SITE, &why);
    assert_non_null(origin);
    return origin;
}

static void test_origin_is_brought_into_one_form(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected, *scheme, *host;
        int port;
        bool loopback;
    } cases[] = {
        {SITE, SITE, "https", "app.example.com", 443, false},
        {SITE "/", SITE, "https", "app.example.com", 443, false},
        {SITE ":443", SITE, "https", "app.example.com", 443, false},
        {"HTTPS://App.Example.COM:443/", SITE, "https", "app.example.com", 443, false},
        {SITE ":8443", SITE ":8443", "https", "app.example.com", 8443, false},
        {SITE ":80", SITE ":80", "https", "app.example.com", 80, false},
        {"http://h:443", "http://h:443", "http", "h", 443, false},
        {"http://localhost:80", "http://localhost", "http", "localhost", 80, true},
        {"http://LOCALHOST:8080/", "http://localhost:8080", "http", "localhost", 8080, true},
        {"http://127.0.0.1:1", "http://127.0.0.1:1", "http", "127.0.0.1", 1, true},
        {"http://127.255.255.254", "http://127.255.255.254", "http", "127.255.255.254", 80, true},
        {"http://[::1]:65535/", "http://[::1]:65535", "http", "::1", 65535, true},
        {"http://[0:0:0:0:0:0:0:1]", "http://[::1]", "http", "::1", 80, true},
        {"https://[2001:DB8::A]", "https://[2001:db8::a]", "https", "2001:db8::a", 443, false},
        {"https://192.0.2.1", "https://192.0.2.1", "https", "192.0.2.1", 443, false},
        {"https://my_host-1.intra", "https://my_host-1.intra", "https", "my_host-1.intra", 443, false},
        {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "https", "xn--bcher-kva.example", 443,
         false},
        /* Names that only look like loopback. */
        {"http://127.0.0.1.evil.test", "http://127.0.0.1.evil.test", "http", "127.0.0.1.evil.test", 80, false},
        {"http://localhost.evil.test", "http://localhost.evil.test", "http", "localhost.evil.test", 80, false},
        {"http://127.evil.test", "http://127.evil.test", "http", "127.evil.test", 80, false},
        {"http://128.0.0.1", "http://128.0.0.1", "http", "128.0.0.1", 80, false},
        {"http://[::2]", "http://[::2]", "http", "::2", 80, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = NULL;
        const sso_origin_t *origin = sso_origin_parse(unit_pool, cases[i].text, &why);
        if (origin == NULL) {
            unit_fail("%s: %s", cases[i].text, why);
        }
        assert_string_equal(origin->text, cases[i].expected);
        assert_string_equal(origin->scheme, cases[i].scheme);
        assert_string_equal(origin->host, cases[i].host);
        assert_int_equal(origin->port, cases[i].port);
        if (origin->loopback != cases[i].loopback) {
            unit_fail("%s: loopback %d", cases[i].text, origin->loopback);
        }
    }
}

static void test_origin_of_a_wrong_form_is_refused(void **state)
{
    (void)state;
    /* clang-format off */
    const char *const cases[] = {
        NULL, "", " ", "app.example.com", "//app.example.com", "https:", "https:/", "https://", "https:///",
        "https:///x", "https:app.example.com", "https:/app.example.com", "ftp://h", "ws://h", "javascript://h",
        "file:///x", "://h", "httpss://h", "h:443",
        /* more than an origin */
        SITE "/path", SITE "//", SITE "/.", SITE "/?", SITE "?", SITE "?x", SITE "/#", SITE "#", SITE "/?x#y",
        /* user part, escapes, bytes that parsers read differently */
        "https://u@h", "https://u:p@h", "https://@h", "https://h@", "https://h\\", "https:\\\\h", "https://h\\@e/",
        "https://h%2f", "https://%68", "https://h%00", " https://h", "https://h ", "https://h\n", "https://h\t",
        "https://a b", "https://h\x7f", "https://h\xc3\xa9", "https://\xe2\x93\x94", "https://h\xe3\x80\x82test",
        "ht\ntps://h",
        /* hosts */
        "https://.", "https://.h", "https://h.", "https://a..b", "https://a,b", "https://a;b", "https://a'b",
        "https://a*b", "https://*.example.com", "https://<h>", "https://h^", "https://${h}",
        /* numbers that are an address in a browser and a name elsewhere */
        "http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://0x7F.0.0.1", "http://127.1",
        "http://0177.0.0.1", "http://127.0.0.01", "http://127.0.0.256", "http://1.2.3.4.5", "http://127.0.0.0x1",
        "http://a.1", "http://0",
        /* IPv6 */
        "http://[", "http://]", "http://[]", "http://[::1", "http://::1", "http://::1]", "http://[::1]x",
        "http://[::1]x:80", "http://[::g]", "http://[::1%25lo]", "http://[fe80::1%lo]", "http://[::ffff:127.0.0.1]",
        "http://[::ffff:7f00:1]", "http://[127.0.0.1]", "http://[app.example.com]", "http://[1::2::3]",
        "http://[v1.x]", "http://x[::1]",
        /* ports */
        "https://h:", "https://h:/", "https://h:0", "https://h:00443", "https://h:0443", "https://h:65536",
        "https://h:65979", "https://h:99999", "https://h:443x", "https://h:+443", "https://h:-1", "https://h:4 43",
        "https://h:80:443", "https://h:443443", "https://h:4294967739", "https://h:99999999999999999999",
        "http://[::1]:", "http://[::1]80",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = NULL;
        const sso_origin_t *origin = sso_origin_parse(unit_pool, cases[i], &why);
        if (origin != NULL || why == NULL) {
            unit_fail("%s was taken as %s", cases[i], origin ? origin->text : "nothing, without a reason");
        }
    }
}

static void test_origin_host_past_its_length_is_refused(void **state)
{
    (void)state;
    const char *why = NULL;
    char label[65];
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    assert_non_null(sso_origin_parse(unit_pool, apr_pstrcat(unit_pool, "https://", label, NULL), &why));
    /* Three labels of 63 and one of 61 are 253 characters with their dots. */
    const char *most = apr_psprintf(unit_pool, "https://%s.%s.%s.%.61s", label, label, label, label);
    assert_non_null(sso_origin_parse(unit_pool, most, &why));
    assert_null(sso_origin_parse(unit_pool, apr_pstrcat(unit_pool, most, "a", NULL), &why));
    label[63] = 'a';
    label[64] = '\0';
    assert_null(sso_origin_parse(unit_pool, apr_pstrcat(unit_pool, "https://", label, NULL), &why));
}

static void test_outbound_needs_https_or_loopback(void **state)
{
    (void)state;
    const struct {
        const char *url;
        bool allow_path, good;
    } cases[] = {
        {"https://login.microsoftonline.com", false, true},
        {"https://login.microsoftonline.com/", false, true},
        {"https://login.microsoftonline.com/common/v2.0", true, true},
        {"https://login.microsoftonline.com/common", false, false},
        {"http://login.microsoftonline.com", false, false},
        {"http://login.microsoftonline.com/x", true, false},
        {"http://127.0.0.1:8081", false, true},
        {"http://127.0.0.1:8081/tenant", true, true},
        {"http://127.9.9.9", false, true},
        {"http://localhost:1/x", true, true},
        {"http://[::1]:2", false, true},
        {"http://localhost.evil.test", false, false},
        {"http://127.0.0.1.evil.test", false, false},
        {"http://127.0.0.1@evil.test", false, false},
        {"http://evil.test#127.0.0.1", false, false},
        {"http://0x7f000001", false, false},
        {"http://169.254.169.254/metadata", true, false},
        {"https://h/path?x", true, false},
        {"https://h/path#x", true, false},
        {"https://h?", true, false},
        {"https://u@h/", true, false},
        {"https://h\\.evil.test/", true, false},
        {"https://h/a b", true, false},
        {"https://h/a\r\nX: y", true, false},
        {"file:///etc/passwd", true, false},
        {"gopher://127.0.0.1/", true, false},
        {"/path", true, false},
        {"", true, false},
        {NULL, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = sso_url_check_outbound(unit_pool, cases[i].url, cases[i].allow_path);
        if ((why == NULL) != cases[i].good) {
            unit_fail("%s: %s", cases[i].url, why ? why : "taken");
        }
    }
}

static void test_url_local_endpoints_are_on_this_machine(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool allow_path;
        bool good;
    } cases[] = {
        {"http://169.254.169.254", false, true},
        {"http://169.254.169.254/", false, true},
        {"http://169.254.129.2:8081/msi/token", true, true},
        {"http://169.254.129.2:8081/msi/token", false, false},
        {"http://127.0.0.1:41741/msi/token", true, true},
        {"http://localhost:42356/msi/token", true, true},
        {"https://[::1]:2377", false, true},
        {"http://169.254.169.254.evil.test", false, false},
        {"http://169.254.evil.test", false, false},
        {"http://169.254", false, false},
        {"http://169.255.1.1", false, false},
        {"http://10.0.0.1", false, false},
        {"https://login.microsoftonline.com", false, false},
        {"http://169.254.169.254@evil.test", false, false},
        {"http://169.254.169.254?x", false, false},
        {"http://127.0.0.1/x#y", true, false},
        {"file:///etc/passwd", true, false},
        {"", true, false},
        {NULL, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = sso_url_check_local(unit_pool, cases[i].url, cases[i].allow_path);
        if ((why == NULL) != cases[i].good) {
            unit_fail("%s: %s", cases[i].url, why ? why : "taken");
        }
    }
}

static void test_same_origin_compares_scheme_host_and_port(void **state)
{
    (void)state;
    const struct {
        const char *url, *origin;
        bool same;
    } cases[] = {
        {SITE, SITE, true},
        {SITE "/path?x#y", SITE, true},
        {SITE "/path", SITE "/other/path", true},
        {"HTTPS://APP.example.com:443/x", SITE, true},
        {"http://[0::1]:80/x", "http://[::1]", true},
        {"http://app.example.com", SITE, false},
        {"http://app.example.com:443", SITE, false},
        {SITE ":8443", SITE, false},
        {SITE ".evil.test", SITE, false},
        {SITE "@evil.test", SITE, false},
        {SITE "\\@evil.test", SITE, false},
        {"https://evil.test/" SITE, SITE, false},
        {"https://user@app.example.com/", SITE, false},
        {"//app.example.com", SITE, false},
        {"/path", SITE, false},
        {"", "", false},
        {NULL, SITE, false},
        {SITE, NULL, false},
        {NULL, NULL, false},
        {"null", "null", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (sso_url_same_origin(unit_pool, cases[i].url, cases[i].origin) != cases[i].same) {
            unit_fail("%s and %s", cases[i].url, cases[i].origin);
        }
    }
}

/* A row of the file: its target is decoded. */
typedef struct {
    int line;
    const char *outcome;
    char *target;
} vector_t;

/* The escapes of the file, in place. Any other is a mistake in the file. */
static void unescape(char *text, int line)
{
    char *end = text;
    for (const char *p = text; *p != '\0'; p++) {
        static const char digits[] = "0123456789abcdef";
        if (*p != '\\') {
            *end++ = *p;
            continue;
        }
        p++;
        const char *high = *p == 'x' && p[1] != '\0' ? strchr(digits, p[1]) : NULL;
        const char *low = high != NULL && p[2] != '\0' ? strchr(digits, p[2]) : NULL;
        const char *known = *p != '\0' ? strchr("\\\\t\tn\nr\r", *p) : NULL;
        if (low != NULL) {
            *end++ = (char)((high - digits) * 16 + (low - digits));
            p += 2;
        } else if (known != NULL && *p != '\t') {
            *end++ = known[1];
        } else {
            unit_fail("line %d: unknown escape", line);
        }
    }
    *end = '\0';
}

/* All rows of the file; the last has no outcome. */
static const vector_t *load_vectors(int *ret_count)
{
    static vector_t vectors[1024];
    apr_file_t *file;
    char line[4096];
    int number = 0;
    *ret_count = 0;
    if (apr_file_open(&file, VECTORS, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0, unit_pool) != APR_SUCCESS) {
        unit_fail("cannot read %s", VECTORS);
    }
    while (apr_file_gets(line, sizeof(line), file) == APR_SUCCESS) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        char *tab = strchr(line, '\t');
        if (tab == NULL || *ret_count == 1024) {
            unit_fail("line %d: no tab, or too many rows", number);
        }
        vector_t *vector = &vectors[(*ret_count)++];
        vector->line = number;
        vector->outcome = apr_pstrmemdup(unit_pool, line, (apr_size_t)(tab - line));
        vector->target = apr_pstrdup(unit_pool, tab + 1);
        unescape(vector->target, number);
    }
    apr_file_close(file);
    return vectors;
}

static void test_return_path_every_vector_has_its_outcome(void **state)
{
    (void)state;
    const sso_origin_t *origin = site();
    int count, refused = 0, kept = 0;
    const vector_t *vectors = load_vectors(&count);
    for (int i = 0; i < count; i++) {
        const vector_t *v = &vectors[i];
        const char *expected = v->target;
        if (strcmp(v->outcome, "refuse") == 0) {
            expected = "/";
            refused++;
        } else if (strncmp(v->outcome, "become=", 7) == 0) {
            expected = v->outcome + 7;
        } else if (strcmp(v->outcome, "keep") == 0) {
            kept++;
        } else {
            unit_fail("line %d: unknown outcome", v->line);
        }
        const char *path = sso_return_path(unit_pool, origin, v->target);
        if (strcmp(path, expected) != 0) {
            unit_fail("line %d: %s gave %s, not %s", v->line, sso_printable(unit_pool, v->target),
                      sso_printable(unit_pool, path), sso_printable(unit_pool, expected));
        }
    }
    /* The file must not shrink unseen. */
    assert_true(refused >= 120);
    assert_true(kept >= 40);
}

static void test_return_path_kept_is_the_target_itself(void **state)
{
    (void)state;
    const char *target = "/path?x=1";
    assert_ptr_equal(sso_return_path(unit_pool, site(), target), target);
}

static void test_return_path_of_nothing_is_home(void **state)
{
    (void)state;
    assert_string_equal(sso_return_path(unit_pool, site(), NULL), "/");
    assert_string_equal(sso_return_path(unit_pool, site(), ""), "/");
    /* Without an origin nothing absolute is ours. */
    assert_string_equal(sso_return_path(unit_pool, NULL, SITE "/x"), "/");
    assert_string_equal(sso_return_path(unit_pool, NULL, "/x"), "/x");
}

static void test_return_path_of_an_origin_with_port_or_ipv6(void **state)
{
    (void)state;
    const char *why = NULL;
    const sso_origin_t *port = sso_origin_parse(unit_pool, "http://localhost:8080", &why);
    assert_string_equal(sso_return_path(unit_pool, port, "http://localhost:8080/x?y"), "/x?y");
    assert_string_equal(sso_return_path(unit_pool, port, "http://localhost:8080"), "/");
    assert_string_equal(sso_return_path(unit_pool, port, "http://localhost/x"), "/");
    assert_string_equal(sso_return_path(unit_pool, port, "http://localhost:80800/x"), "/");
    assert_string_equal(sso_return_path(unit_pool, port, "http://localhost:8080@evil.test/x"), "/");
    const sso_origin_t *ipv6 = sso_origin_parse(unit_pool, "http://[::1]:81", &why);
    assert_string_equal(sso_return_path(unit_pool, ipv6, "http://[::1]:81/x"), "/x");
    assert_string_equal(sso_return_path(unit_pool, ipv6, "http://[::1]/x"), "/");
}

/* head, then enough of fill to make len bytes. */
static char *long_target(const char *head, char fill, size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, fill, len);
    memcpy(text, head, strlen(head));
    text[len] = '\0';
    return text;
}

static void test_return_path_too_long_loses_its_query_first(void **state)
{
    (void)state;
    const sso_origin_t *origin = site();
    char *target = long_target("/path?", 'x', SSO_MAX_RETURN_PATH);
    assert_ptr_equal(sso_return_path(unit_pool, origin, target), target);
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("/path?", 'x', SSO_MAX_RETURN_PATH + 1)),
                        "/path");
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("/path?", 'x', 8192)), "/path");
    target = long_target("/", 'x', SSO_MAX_RETURN_PATH);
    assert_ptr_equal(sso_return_path(unit_pool, origin, target), target);
    /* A path that fits, with a query that does not. */
    assert_string_equal(sso_return_path(unit_pool, origin, apr_pstrcat(unit_pool, target, "?", NULL)), target);
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("/", 'x', SSO_MAX_RETURN_PATH + 1)), "/");
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("//", 'x', 8192)), "/");
    /* Without its query a target is judged as before. */
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("/x/..//evil?", 'x', 8192)), "/");
    assert_string_equal(sso_return_path(unit_pool, origin, long_target("/path?\\", 'x', 8192)), "/");
    assert_string_equal(sso_return_path(unit_pool, origin, long_target(SITE "/path?", 'x', 8192)), "/path");
    /* The limit is on the path, not on the origin before it. */
    target = long_target(SITE "/", 'x', strlen(SITE) + SSO_MAX_RETURN_PATH);
    assert_string_equal(sso_return_path(unit_pool, origin, target), target + strlen(SITE));
}

static void test_return_path_long_and_hostile_is_quick(void **state)
{
    (void)state;
    const sso_origin_t *origin = site();
    const char *const fills[] = {"%25", "../", "./", "%2e%2e/", ";", "%", "a/", "%252e/"};
    for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
        char *target = long_target("/", ' ', SSO_MAX_RETURN_PATH);
        for (size_t at = 1; at < SSO_MAX_RETURN_PATH; at++) {
            target[at] = fills[i][(at - 1) % strlen(fills[i])];
        }
        assert_string_equal(sso_return_path(unit_pool, origin, target), target);
    }
}

/* What no result may ever be, told by other means than url.c uses. */
static void check_result(const char *target, const char *path)
{
    bool good = path[0] == '/' && path[1] != '/' && strlen(path) <= SSO_MAX_RETURN_PATH;
    good = good && strpbrk(path, "\\#") == NULL && strstr(path, "/..//") != path && strstr(path, "/.//") != path;
    for (const char *p = path; *p != '\0'; p++) {
        good = good && *p > ' ' && *p < 0x7f;
    }
    /* A browser's view: a relative target stays as it was, an absolute one lost exactly our origin. */
    size_t before = strlen(target) - strlen(path);
    bool relative = strcmp(path, target) == 0;
    bool absolute = strncmp(target, SITE, strlen(SITE)) == 0 && before <= strlen(SITE);
    good = good && (strcmp(path, "/") == 0 || relative || absolute);
    if (!good) {
        unit_fail("%s gave %s", sso_printable(unit_pool, target), sso_printable(unit_pool, path));
    }
}

/* Every truncation and every bit flip of every row: no crash, and no result that leads away. */
static void test_return_path_mutated_never_leads_away(void **state)
{
    (void)state;
    const sso_origin_t *origin = site();
    int count;
    const vector_t *vectors = load_vectors(&count);
    apr_pool_t *pool;
    assert_int_equal(apr_pool_create(&pool, unit_pool), APR_SUCCESS);
    for (int i = 0; i < count; i++) {
        char *target = vectors[i].target;
        for (size_t at = 0; target[at] != '\0'; at++) {
            char old = target[at];
            for (int bit = 0; bit < 9; bit++) {
                /* The ninth round cuts. */
                target[at] = (char)(bit == 8 ? 0 : old ^ (1 << bit));
                check_result(target, sso_return_path(pool, origin, target));
            }
            target[at] = old;
        }
        apr_pool_clear(pool);
    }
}

/* Each mutation of an origin that is taken must be read as itself again. */
static void test_origin_mutated_is_stable(void **state)
{
    (void)state;
    const char *const seeds[] = {SITE ":8443/", "http://[2001:db8::1]:80", "http://127.0.0.1:65535"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        size_t len = strlen(seeds[i]);
        for (size_t bit = 0; bit < len * 9; bit++) {
            char *text = unit_exact_copy(seeds[i], len + 1);
            size_t at = bit < len * 8 ? bit / 8 : bit - len * 8;
            text[at] = (char)(bit < len * 8 ? text[at] ^ (1 << bit % 8) : 0);
            const char *why = NULL;
            const sso_origin_t *origin = sso_origin_parse(unit_pool, text, &why);
            if (origin != NULL) {
                const sso_origin_t *again = sso_origin_parse(unit_pool, origin->text, &why);
                assert_non_null(again);
                assert_string_equal(again->text, origin->text);
                assert_true(origin->port >= 1 && origin->port <= 65535);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_origin_is_brought_into_one_form),
        unit_test(test_origin_of_a_wrong_form_is_refused),
        unit_test(test_origin_host_past_its_length_is_refused),
        unit_test(test_outbound_needs_https_or_loopback),
        unit_test(test_same_origin_compares_scheme_host_and_port),
        unit_test(test_return_path_every_vector_has_its_outcome),
        unit_test(test_return_path_kept_is_the_target_itself),
        unit_test(test_return_path_of_nothing_is_home),
        unit_test(test_return_path_of_an_origin_with_port_or_ipv6),
        unit_test(test_return_path_too_long_loses_its_query_first),
        unit_test(test_return_path_long_and_hostile_is_quick),
        unit_test(test_return_path_mutated_never_leads_away),
        unit_test(test_origin_mutated_is_stable),
        unit_test(test_url_local_endpoints_are_on_this_machine),
    };
    return unit_run(tests);
}
