/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/access.c: which refusal a request gets, and that no header in any combination opens anything. */
#include "flow/access.h"

#include <string.h>

#include "unit.h"

/* ---- requests ---- */

/* baton: names and values in turn, up to NULL. */
static const char *header_of(const void *baton, const char *name)
{
    const char *const *header = baton;
    for (; header != NULL && *header != NULL; header += 2) {
        if (strcasecmp(header[0], name) == 0) {
            return header[1];
        }
    }
    return NULL;
}

static sso_request_t request_of(const char *method, const char *path, const char *const *headers)
{
    sso_request_t request = {.method = method, .path = path, .header = header_of, .baton = headers};
    return request;
}

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define HTML "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

static const sso_unauthenticated_t MODES[] = {SSO_UNAUTH_AUTO, SSO_UNAUTH_LOGIN, SSO_UNAUTH_401, SSO_UNAUTH_403,
                                              SSO_UNAUTH_PASS};

/* ---- navigation or program ---- */

static void test_access_auto_sends_pages_to_sign_in_and_programs_a_challenge(void **state)
{
    static const struct {
        const char *name;
        const char *method;
        const char *headers[9];
        sso_access_t expected;
    } rows[] = {
        {"a browser's page",
         "GET",
         {HTML, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
         SSO_ACCESS_SIGN_IN},
        {"a page in a frame",
         "GET",
         {HTML, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
         SSO_ACCESS_SIGN_IN},
        {"a page from another site",
         "GET",
         {HTML, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"},
         SSO_ACCESS_SIGN_IN},
        {"a form that is sent", "POST", {HTML, "Sec-Fetch-Mode", "navigate"}, SSO_ACCESS_SIGN_IN},
        {"a page asked for by HEAD", "HEAD", {HTML}, SSO_ACCESS_SIGN_IN},
        {"an old browser's page", "GET", {HTML}, SSO_ACCESS_SIGN_IN},
        {"an XHTML reader", "GET", {"Accept", "application/xhtml+xml"}, SSO_ACCESS_SIGN_IN},
        {"a page of a browser that tells its destination alone",
         "GET",
         {"Accept", "*/*", "Sec-Fetch-Dest", "document"},
         SSO_ACCESS_SIGN_IN},
        {"an image whose mode was lost", "GET", {HTML, "Sec-Fetch-Dest", "image"}, SSO_ACCESS_CHALLENGE},
        {"fetch() whose mode was lost", "GET", {HTML, "Sec-Fetch-Dest", "empty"}, SSO_ACCESS_CHALLENGE},
        {"mode in capitals", "GET", {"Sec-Fetch-Mode", "NAVIGATE"}, SSO_ACCESS_SIGN_IN},
        {"fetch()", "GET", {"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, SSO_ACCESS_CHALLENGE},
        {"fetch() that wants HTML", "GET", {HTML, "Sec-Fetch-Mode", "cors"}, SSO_ACCESS_CHALLENGE},
        {"an image", "GET", {"Accept", "image/*", "Sec-Fetch-Mode", "no-cors"}, SSO_ACCESS_CHALLENGE},
        {"a same-origin script", "GET", {HTML, "Sec-Fetch-Mode", "same-origin"}, SSO_ACCESS_CHALLENGE},
        {"a web socket", "GET", {"Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"}, SSO_ACCESS_CHALLENGE},
        {"a web socket said to be a page",
         "GET",
         {HTML, "Sec-Fetch-Mode", "navigate", "Upgrade", "websocket"},
         SSO_ACCESS_CHALLENGE},
        {"an invented mode", "GET", {HTML, "Sec-Fetch-Mode", "navigate-x"}, SSO_ACCESS_CHALLENGE},
        {"two modes in one", "GET", {HTML, "Sec-Fetch-Mode", "navigate, cors"}, SSO_ACCESS_CHALLENGE},
        {"jQuery", "GET", {HTML, "X-Requested-With", "XMLHttpRequest"}, SSO_ACCESS_CHALLENGE},
        {"jQuery in a page's clothes",
         "GET",
         {HTML, "X-Requested-With", "x", "Sec-Fetch-Mode", "navigate"},
         SSO_ACCESS_CHALLENGE},
        {"a service worker's script", "GET", {HTML, "Service-Worker", "script"}, SSO_ACCESS_CHALLENGE},
        {"a stream of events", "GET", {"Accept", "text/event-stream"}, SSO_ACCESS_CHALLENGE},
        {"curl", "GET", {"Accept", "*/*"}, SSO_ACCESS_CHALLENGE},
        {"nothing said at all", "GET", {NULL}, SSO_ACCESS_CHALLENGE},
        {"an API client", "GET", {"Accept", "application/json"}, SSO_ACCESS_CHALLENGE},
        {"a preflight", "OPTIONS", {HTML, "Origin", "https://a.example"}, SSO_ACCESS_CHALLENGE},
        {"a preflight said to be a page", "OPTIONS", {HTML, "Sec-Fetch-Mode", "navigate"}, SSO_ACCESS_CHALLENGE},
        {"SAML's ECP profile",
         "GET",
         {"Accept", "application/vnd.paos+xml", "PAOS", "ver=\"urn:liberty:paos:2003-08\""},
         SSO_ACCESS_CHALLENGE},
        {"WebDAV", "PROPFIND", {"Depth", "1"}, SSO_ACCESS_CHALLENGE},
        {"WebDAV that accepts HTML", "PROPFIND", {HTML, "Depth", "1"}, SSO_ACCESS_CHALLENGE},
        {"a PUT said to be a page", "PUT", {HTML, "Sec-Fetch-Mode", "navigate"}, SSO_ACCESS_CHALLENGE},
        {"an invented method that accepts HTML", "gEt", {HTML}, SSO_ACCESS_CHALLENGE},
        {"an invented method", "gEt", {"Accept", "*/*"}, SSO_ACCESS_CHALLENGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_request_t request = request_of(rows[i].method, "/", rows[i].headers);
        sso_access_t got = sso_access_decide(&request, SSO_UNAUTH_AUTO, false);
        if (got != rows[i].expected) {
            unit_fail("%s: %d", rows[i].name, (int)got);
        }
        assert_int_equal(sso_request_is_navigation(&request), got == SSO_ACCESS_SIGN_IN);
    }
}

static void test_access_modes_give_one_refusal_whatever_the_request_is(void **state)
{
    static const struct {
        sso_unauthenticated_t mode;
        sso_access_t page, program;
    } rows[] = {
        {SSO_UNAUTH_AUTO, SSO_ACCESS_SIGN_IN, SSO_ACCESS_CHALLENGE},
        {SSO_UNAUTH_LOGIN, SSO_ACCESS_SIGN_IN, SSO_ACCESS_SIGN_IN},
        {SSO_UNAUTH_401, SSO_ACCESS_CHALLENGE, SSO_ACCESS_CHALLENGE},
        {SSO_UNAUTH_403, SSO_ACCESS_FORBID, SSO_ACCESS_FORBID},
        {SSO_UNAUTH_PASS, SSO_ACCESS_CHALLENGE, SSO_ACCESS_CHALLENGE},
    };
    (void)state;
    sso_request_t page = request_of("GET", "/", HEADERS(HTML, "Sec-Fetch-Mode", "navigate"));
    sso_request_t program = request_of("GET", "/", HEADERS("Accept", "application/json"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(sso_access_decide(&page, rows[i].mode, false), rows[i].page);
        assert_int_equal(sso_access_decide(&program, rows[i].mode, false), rows[i].program);
        assert_int_equal(sso_access_decide(&page, rows[i].mode, true), SSO_ACCESS_GO_ON);
        assert_int_equal(sso_access_decide(&program, rows[i].mode, true), SSO_ACCESS_GO_ON);
    }
}

/* ---- no header opens anything ---- */

/* What peers were opened by (attacks.md F, G), and what the decision reads. Each is off or one of its values. */
static const struct {
    const char *name;
    const char *values[4];
} DIALS[] = {
    {"Accept", {"text/html", "*/*", "application/vnd.paos+xml"}},
    {"Sec-Fetch-Mode", {"navigate", "cors", ""}},
    {"Sec-Fetch-Dest", {"document", "empty"}},
    {"Sec-Fetch-Site", {"same-origin", "none"}},
    {"X-Requested-With", {"XMLHttpRequest"}},
    {"Upgrade", {"websocket", "h2c"}},
    {"Service-Worker", {"script"}},
    {"Authorization", {"Bearer x", "Basic eDp4"}},
    {"X-Forwarded-Uri", {"/.entra/login"}},
    {"X-HTTP-Method-Override", {"OPTIONS"}},
    {"User-Agent", {"kube-probe/1.29"}},
};
#define DIAL_COUNT (sizeof(DIALS) / sizeof(DIALS[0]))

/* The next setting of the dials, as of an odometer; false after the last. */
static bool turn(unsigned setting[DIAL_COUNT])
{
    for (size_t i = 0; i < DIAL_COUNT; i++) {
        setting[i]++;
        if (setting[i] <= 4 && DIALS[i].values[setting[i] - 1] != NULL) {
            return true;
        }
        setting[i] = 0;
    }
    return false;
}

static void test_access_no_combination_of_headers_goes_on_without_a_session(void **state)
{
    static const char *const methods[] = {"GET",   "HEAD",    "POST", "OPTIONS", "PROPFIND",
                                          "TRACE", "CONNECT", "gEt",  "FOO",     ""};
    (void)state;
    unsigned setting[DIAL_COUNT] = {0};
    unsigned long tried = 0;
    do {
        const char *headers[2 * DIAL_COUNT + 1];
        size_t count = 0;
        for (size_t i = 0; i < DIAL_COUNT; i++) {
            if (setting[i] > 0) {
                headers[count++] = DIALS[i].name;
                headers[count++] = DIALS[i].values[setting[i] - 1];
            }
        }
        headers[count] = NULL;
        for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
            sso_request_t request = request_of(methods[m], "/", headers);
            for (size_t k = 0; k < sizeof(MODES) / sizeof(MODES[0]); k++) {
                if (sso_access_decide(&request, MODES[k], false) == SSO_ACCESS_GO_ON) {
                    unit_fail("%s in mode %d goes on", methods[m], (int)MODES[k]);
                }
                tried++;
            }
        }
    } while (turn(setting));
    assert_in_range(tried, 500000, 5000000);
}

static void test_access_mode_that_does_not_exist_lets_nobody_in(void **state)
{
    (void)state;
    sso_request_t request = request_of("GET", "/", HEADERS("Accept", "*/*"));
    for (int mode = 5; mode < 300; mode++) {
        assert_int_equal(sso_access_decide(&request, (sso_unauthenticated_t)mode, false), SSO_ACCESS_CHALLENGE);
    }
}

/* ---- where a sign-in comes back to ---- */

static const sso_origin_t ORIGIN = {"https://app.example.com", "https", "app.example.com", 443, false};
static const sso_site_t SITE = {.origin = &ORIGIN, .path = "/.entra"};

static void test_access_return_path_is_the_page_that_can_be_shown_again(void **state)
{
    static const struct {
        const char *method, *path, *referer, *expected, *page;
    } rows[] = {
        {"GET", "/a?b=c", NULL, "/a?b=c", "/"},
        {"HEAD", "/a", NULL, "/a", "/"},
        {"GET", "/a", "https://app.example.com/form", "/a", "/form"},
        {"POST", "/save", "https://app.example.com/form?id=1", "/form?id=1", "/form?id=1"},
        {"POST", "/save", "https://app.example.com", "/", "/"},
        {"POST", "/save", "https://app.example.com/", "/", "/"},
        {"POST", "/save", NULL, "/", "/"},
        {"POST", "/save", "", "/", "/"},
        {"POST", "/save", "/form", "/", "/"},
        {"POST", "/save", "https://evil.test/form", "/", "/"},
        {"POST", "/save", "http://app.example.com/form", "/", "/"},
        {"POST", "/save", "https://app.example.com:444/form", "/", "/"},
        {"POST", "/save", "https://app.example.com.evil.test/form", "/", "/"},
        {"POST", "/save", "https://app.example.com@evil.test/form", "/", "/"},
        {"POST", "/save", "https://APP.example.com/form", "/", "/"},
        {"POST", "/save", "https://app.example.com//evil.test", "/", "/"},
        {"POST", "/save", "https://app.example.com/\\evil.test", "/", "/"},
        {"POST", "/save", "https://app.example.com/a#b", "/", "/"},
        {"POST", "/save", "about:blank", "/", "/"},
        {"PUT", "/save", "https://app.example.com/form", "/form", "/form"},
        {"get", "/a", NULL, "/", "/"},
        {"GET", "//evil.test/", NULL, "/", "/"},
        {"GET", "/\\evil.test/", NULL, "/", "/"},
        {"GET", "https://evil.test/", NULL, "/", "/"},
        {"GET", "*", NULL, "/", "/"},
        {"GET", "", NULL, "/", "/"},
        {"GET", NULL, NULL, "/", "/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const headers[] = {rows[i].referer != NULL ? "Referer" : NULL, rows[i].referer, NULL};
        sso_request_t request = request_of(rows[i].method, rows[i].path, headers);
        const char *got = sso_access_return_path(unit_pool, &SITE, &request);
        const char *page = sso_access_page_path(unit_pool, &SITE, &request);
        if (strcmp(got, rows[i].expected) != 0 || strcmp(page, rows[i].page) != 0) {
            unit_fail("%s %s from %s: %s, page %s", rows[i].method, rows[i].path, rows[i].referer, got, page);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_access_auto_sends_pages_to_sign_in_and_programs_a_challenge),
        unit_test(test_access_modes_give_one_refusal_whatever_the_request_is),
        unit_test(test_access_no_combination_of_headers_goes_on_without_a_session),
        unit_test(test_access_mode_that_does_not_exist_lets_nobody_in),
        unit_test(test_access_return_path_is_the_page_that_can_be_shown_again),
    };
    return unit_run(tests);
}
