/* SPDX-License-Identifier: Apache-2.0 */
/* Forms that wait for a sign-in: which are kept, what comes back, to whom, and how often. */
#include "flow/form.h"

#include <string.h>

#include <apr_lib.h>

#include "unit.h"

#include "base/limits.h"
#include "site.h"

#define ENCODED "application/x-www-form-urlencoded"
#define OTHER_OID "11111111-2222-4333-8444-555555555555"

static const char *const SENT[] = {"Sec-Fetch-Mode", "navigate",     "Sec-Fetch-Site", "same-origin", "Origin",
                                   SITE_ORIGIN,      "Content-Type", ENCODED,          NULL};
static const char *const OPENED[] = {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site", NULL};

/* A browser of a signed-in user, about to send a form. */
static site_browser_t *signed_in(sso_record_t *record)
{
    site_browser_t *browser = site_browser();
    site_world->site.preserve_post = 64 * 1024;
    assert_page("/first", site_sign_in(browser, "/first"));
    assert_rc(SSO_OK, site_session(browser, record));
    browser->headers = SENT;
    return browser;
}

static sso_request_t form_request(const site_browser_t *browser)
{
    sso_request_t request = site_request(browser, "POST", NULL);
    request.path = "/orders?x=1";
    return request;
}

static sso_rc keep(const site_browser_t *browser, const sso_record_t *owner, const char *body, const char **ret_id)
{
    sso_request_t request = form_request(browser);
    sso_fault_clear(&unit_ctx);
    return sso_form_keep(&unit_ctx, &site_world->site, &request, owner, "/form", body, strlen(body), ret_id);
}

static const char *kept(const site_browser_t *browser, const sso_record_t *owner, const char *body)
{
    const char *id = NULL;
    assert_rc(SSO_OK, keep(browser, owner, body, &id));
    return id;
}

static sso_answer_t resend_query(site_browser_t *browser, const char *query, const sso_record_t *user)
{
    sso_answer_t answer;
    const char *const *before = browser->headers;
    if (before == SENT) {
        browser->headers = OPENED;
    }
    sso_request_t request = site_request(browser, "GET", query);
    sso_fault_clear(&unit_ctx);
    sso_form_resend(&unit_ctx, &site_world->site, &request, user, &answer);
    browser->headers = before;
    return answer;
}

static sso_answer_t resend(site_browser_t *browser, const char *id, const sso_record_t *user)
{
    return resend_query(browser, apr_pstrcat(unit_pool, "id=", id, "&rd=%2Fform", NULL), user);
}

/* What a browser sends of these fields. */
static const char *encode(const sso_form_t *form)
{
    static const char digits[] = "0123456789ABCDEF";
    const sso_field_t *field = (const void *)form->fields->elts;
    char *out = apr_pcalloc(unit_pool, 4 * 1024 * 1024);
    char *p = out;
    for (int i = 0; i < form->fields->nelts; i++, field++) {
        const char *parts[] = {field->name, field->value};
        if (i > 0) {
            *p++ = '&';
        }
        for (int part = 0; part < 2; part++) {
            if (part == 1) {
                *p++ = '=';
            }
            for (const unsigned char *c = (const void *)parts[part]; *c != '\0'; c++) {
                if (apr_isalnum(*c) || strchr("*-._", *c) != NULL) {
                    *p++ = (char)*c;
                } else if (*c == ' ') {
                    *p++ = '+';
                } else {
                    *p++ = '%';
                    *p++ = digits[*c >> 4];
                    *p++ = digits[*c & 15];
                }
            }
        }
    }
    return out;
}

/* ---- what comes back ---- */

static void test_form_comes_back_byte_by_byte(void **state)
{
    (void)state;
    static const char *const BODIES[] = {
        "a=1",
        "a=1&b=2&a=3&a=1",
        "a=&b=",
        "",
        "text=one%0D%0Atwo%0D%0A&tab=%09",
        "%22%3E%3Cscript%3E=%27%22%3E%3C%2Ftextarea%3E%26amp%3B%26%2313%3B",
        "name=%C3%84da+L%C3%B6v%E2%82%AC%F0%9F%98%80&plus=1%2B1+2*-._%7E",
        "_charset_=UTF-8&x=1",
        "control=%01%1B%7F%C2%85",
        "action=x&method=GET&submit=1&id=2&rd=%2F%2Fevil.example",
    };
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        unit_ctx.now += i == 5 ? SSO_FORM_LIFE : 0; /* for the user's bound */
        sso_answer_t answer = resend(browser, kept(browser, &ada, BODIES[i]), &ada);
        assert_int_equal(answer.kind, SSO_ANSWER_FORM);
        assert_string_equal(answer.form->target, "/orders?x=1");
        assert_string_equal(answer.form->back, "/form");
        assert_string_equal(encode(answer.form), BODIES[i]);
    }
}

static void test_form_that_no_browser_would_send_so_is_not_kept(void **state)
{
    (void)state;
    static const char *const BODIES[] = {
        "a",      "a=1&b",       "&",     "a=1&",        "a=1&&b=2",     "=1",         "a=1=2",   "a=%41",
        "a=%20b", "a=%e2%82%ac", "a=%E9", "a=%C3",       "a=%ED%A0%80",  "a=%00",      "a=%0",    "a=%",
        "a=%zz",  "a=%0A",       "a=%0D", "a=%0A%0D",    "a=x%0D%0D%0A", "a=\xc3\xa4", "a=b c",   "a=~",
        "a=\"",   "a=b\r\n",     "%00=1", "_charset_=x", "_CHARSET_=",   "a=;b",       "a=1;b=2", "a=<b>",
    };
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        const char *id = NULL;
        if (keep(browser, &ada, BODIES[i], &id) != SSO_R_FORM_TEXT || id != NULL) {
            print_error("kept: %s\n", BODIES[i]);
            fail();
        }
    }
    sso_request_t request = form_request(browser);
    const char *id = NULL;
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_R_FORM_TEXT, sso_form_keep(&unit_ctx, &site_world->site, &request, &ada, "/", "a=b\0c=d", 7, &id));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post"), "0");
}

static void test_form_of_another_address_is_never_kept(void **state)
{
    (void)state;
    const char *id = NULL;
    sso_record_t ada;
    sso_request_t request = form_request(signed_in(&ada));
    request.host = "other.example.com";
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_R_FORM_ADDRESS, sso_form_keep(&unit_ctx, &site_world->site, &request, &ada, "/", "a=b", 3, &id));
    assert_null(id);
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post"), "0");
}

static char *fields_of(int count)
{
    char *body = apr_pcalloc(unit_pool, (apr_size_t)count * 4 + 1);
    for (int i = 0; i < count; i++) {
        memcpy(body + i * 4, i + 1 < count ? "a=1&" : "a=1", i + 1 < count ? 4 : 3);
    }
    return body;
}

static void test_form_of_many_fields_comes_back_and_of_too_many_is_not_kept(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *most = fields_of(SSO_MAX_FORM_FIELDS);
    sso_answer_t answer = resend(browser, kept(browser, &ada, most), &ada);
    assert_int_equal(answer.kind, SSO_ANSWER_FORM);
    assert_string_equal(encode(answer.form), most);
    const char *id;
    assert_rc(SSO_R_FORM_TEXT, keep(browser, &ada, fields_of(SSO_MAX_FORM_FIELDS + 1), &id));
}

static void test_form_of_the_largest_size_comes_back_and_a_larger_one_is_not_kept(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    site_world->site.preserve_post = SSO_MAX_FORM;
    char *body = apr_pcalloc(unit_pool, SSO_MAX_FORM + 2);
    memset(body, 'a', SSO_MAX_FORM);
    body[1] = '=';
    sso_answer_t answer = resend(browser, kept(browser, &ada, body), &ada);
    assert_int_equal(answer.kind, SSO_ANSWER_FORM);
    assert_string_equal(encode(answer.form), body);
    body[SSO_MAX_FORM] = 'a';
    const char *id;
    assert_rc(SSO_R_FORM_SIZE, keep(browser, &ada, body, &id));
}

/* ---- which are looked at ---- */

static sso_rc check(const char *const *headers, const char *path, const char *host)
{
    site_browser_t *browser = site_browser();
    browser->headers = headers;
    browser->host = host;
    site_world->site.preserve_post = 1000;
    sso_request_t request = site_request(browser, "POST", NULL);
    request.path = path;
    sso_fault_clear(&unit_ctx);
    return sso_form_check(&unit_ctx, &site_world->site, &request);
}

#define HOST "app.example.com"

static void test_form_needs_proof_of_this_site(void **state)
{
    (void)state;
    static const struct {
        const char *site, *origin;
        sso_rc rc;
    } CASES[] = {
        {"same-origin", SITE_ORIGIN, SSO_OK},
        {"same-origin", "null", SSO_OK},
        {"same-origin", "", SSO_OK},
        {"", SITE_ORIGIN, SSO_OK},
        {"", "", SSO_R_FORM_ORIGIN},
        {"", "null", SSO_R_FORM_ORIGIN},
        {"", "https://evil.example", SSO_R_FORM_ORIGIN},
        {"", SITE_ORIGIN ".evil.example", SSO_R_FORM_ORIGIN},
        {"same-site", SITE_ORIGIN, SSO_R_FORM_ORIGIN},
        {"cross-site", SITE_ORIGIN, SSO_R_FORM_ORIGIN},
        {"none", SITE_ORIGIN, SSO_R_FORM_ORIGIN},
        {"cross-site", "https://evil.example", SSO_R_FORM_ORIGIN},
        {"same-origin", "https://app.example.com:8443", SSO_R_FORM_ORIGIN},
        {"same-origin", "http://app.example.com", SSO_R_FORM_ORIGIN},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *headers[] = {"Content-Type",  ENCODED, "Sec-Fetch-Site", CASES[i].site, "Origin",
                                 CASES[i].origin, NULL};
        if (check(headers, "/x", HOST) != CASES[i].rc) {
            print_error("%s, %s\n", CASES[i].site, CASES[i].origin);
            fail();
        }
    }
}

static void test_form_of_another_encoding_is_not_kept(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"multipart/form-data; boundary=x", "text/plain", "application/json", "",
                                        ENCODED "; charset=windows-1252",  ENCODED "2"};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        const char *headers[] = {"Sec-Fetch-Site", "same-origin", "Content-Type", TYPES[i], NULL};
        assert_rc(SSO_R_FORM_KIND, check(headers, "/x", HOST));
    }
    const char *packed[] = {"Sec-Fetch-Site", "same-origin", "Content-Type", ENCODED, "Content-Encoding", "gzip", NULL};
    assert_rc(SSO_R_FORM_KIND, check(packed, "/x", HOST));
}

static void test_form_goes_to_an_address_of_the_public_origin_alone(void **state)
{
    (void)state;
    char *path = apr_pcalloc(unit_pool, SSO_MAX_RETURN_PATH + 2);
    memset(path, 'x', SSO_MAX_RETURN_PATH + 1);
    memcpy(path, "/?", 2);
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, path, HOST));
    path[SSO_MAX_RETURN_PATH] = '\0';
    assert_rc(SSO_OK, check(SENT, path, HOST));
    assert_rc(SSO_OK, check(SENT, SITE_ORIGIN "/x?y", HOST));
    assert_rc(SSO_OK, check(SENT, "/", HOST));
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, "//evil.example/", HOST));
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, "https://evil.example/", HOST));
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, "*", HOST));
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, "/x", "other.example.com"));
    assert_rc(SSO_R_FORM_ADDRESS, check(SENT, "/x", NULL));
}

static void test_form_whose_length_is_above_the_bound_is_not_read(void **state)
{
    (void)state;
    const char *headers[] = {"Sec-Fetch-Site", "same-origin", "Content-Type", ENCODED, "Content-Length", "1000", NULL};
    assert_rc(SSO_OK, check(headers, "/x", HOST));
    headers[5] = "1001";
    assert_rc(SSO_R_FORM_SIZE, check(headers, "/x", HOST));
}

static void test_form_of_a_script_or_with_the_option_off_is_none(void **state)
{
    (void)state;
    static const char *const FETCHED[] = {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", NULL};
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    sso_request_t request = form_request(browser);
    assert_true(sso_form_is_one(&site_world->site, &request));
    request.method = "GET";
    assert_false(sso_form_is_one(&site_world->site, &request));
    request.method = "PUT";
    assert_false(sso_form_is_one(&site_world->site, &request));
    request.method = "POST";
    browser->headers = FETCHED;
    assert_false(sso_form_is_one(&site_world->site, &request));
    browser->headers = SENT;
    site_world->site.preserve_post = 0;
    assert_false(sso_form_is_one(&site_world->site, &request));
}

/* ---- whose they are ---- */

static void test_form_owner_is_known_by_a_session_that_is_over(void **state)
{
    (void)state;
    sso_record_t ada, owner;
    site_browser_t *browser = signed_in(&ada);
    sso_request_t request = form_request(browser);
    const apr_time_t signed_in_at = unit_ctx.now;
    unit_ctx.now = signed_in_at + 2 * SITE_HOUR; /* idle */
    assert_rc(SSO_R_SESSION_IDLE, site_session(browser, &owner));
    assert_true(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
    assert_string_equal(owner.oid, ada.oid);
    unit_ctx.now = signed_in_at + 7 * 24 * SITE_HOUR; /* at its absolute end for long */
    assert_true(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
    unit_ctx.now += 8 * SITE_HOUR + 1;
    assert_false(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
    unit_ctx.now = signed_in_at - SITE_HOUR; /* made ahead of now */
    assert_false(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
}

static void test_form_of_an_unknown_visitor_has_no_owner(void **state)
{
    (void)state;
    sso_record_t owner;
    site_browser_t *browser = site_browser();
    sso_request_t request = form_request(browser);
    assert_false(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
    apr_table_set(browser->jar, "__Host-Entra-Session", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    request = form_request(browser);
    assert_false(sso_form_owner(&unit_ctx, &site_world->site, &request, &owner));
}

/* The form is sent, its user is asked to sign in, and Entra knows the person with this oid. */
static sso_answer_t sign_in_for(site_browser_t *browser, const char *id, const char *oid)
{
    const fixture_claim_t claims[] = {{"oid", oid == NULL ? NULL : apr_pstrcat(unit_pool, "\"", oid, "\"", NULL)},
                                      {NULL, NULL}};
    const sso_wishes_t wishes = {.form = id};
    browser->wishes = &wishes;
    browser->headers = OPENED;
    site_world->changes = oid == NULL ? NULL : claims;
    sso_answer_t answer = site_sign_in(browser, "/form");
    browser->wishes = NULL;
    site_world->changes = NULL;
    return answer;
}

static void test_form_comes_back_to_its_user_after_the_sign_in(void **state)
{
    (void)state;
    sso_record_t ada, now;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    unit_ctx.now += 2 * SITE_MINUTE;
    sso_answer_t answer = sign_in_for(browser, id, NULL);
    assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
    assert_false(answer.form_dropped);
    assert_string_equal(answer.location,
                        apr_pstrcat(unit_pool, SITE_ORIGIN "/.entra/resend?id=", id, "&rd=%2Fform", NULL));
    assert_rc(SSO_OK, site_session(browser, &now));
    answer = resend_query(browser, strchr(answer.location, '?') + 1, &now);
    assert_int_equal(answer.kind, SSO_ANSWER_FORM);
    assert_string_equal(encode(answer.form), "a=1");
    /* Once. */
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &now));
}

static void test_form_of_a_callback_that_is_not_needed_any_more_comes_back(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    const sso_wishes_t wishes = {.form = id};
    apr_table_clear(browser->jar);
    browser->wishes = &wishes;
    browser->headers = OPENED;
    unit_ctx.now += SITE_MINUTE;
    sso_answer_t held = site_visit(browser, "/form");
    browser->wishes = NULL;
    assert_page("/other", site_sign_in(browser, "/other")); /* another tab */
    sso_answer_t answer = site_call_back(browser, site_entra_signs_in(held.location));
    assert_true(site_begins(answer.location, SITE_ORIGIN "/.entra/resend?id="));
    assert_int_equal(site_token_calls(), 2);
}

static void test_form_is_dropped_when_another_user_signs_in(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    unit_ctx.now += SITE_MINUTE;
    sso_answer_t answer = sign_in_for(browser, id, OTHER_OID);
    assert_page("/form", answer);
    assert_true(answer.form_dropped);
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
}

static void test_form_is_for_no_other_session(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    sso_record_t bob = ada;
    bob.oid = OTHER_OID;
    const char *id = kept(browser, &ada, "a=1");
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &bob));
    assert_fault(SSO_R_SIGNIN_REQUIRED, resend(browser, id, NULL));
    assert_string_equal(resend(browser, "x", &ada).retry_path, "/form");
    assert_fault(SSO_R_FORM_GONE, resend(browser, "", &ada));
    assert_fault(SSO_R_QUERY_DUPLICATE, resend(browser, apr_pstrcat(unit_pool, id, "&id=", id, NULL), &ada));
    /* All that took nothing away. */
    assert_int_equal(resend(browser, id, &ada).kind, SSO_ANSWER_FORM);
}

static void test_form_is_used_up_by_an_opened_page_alone(void **state)
{
    (void)state;
    static const char *const AHEAD[] = {"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch", NULL};
    static const char *const OLD_AHEAD[] = {"Accept", "text/html", "Purpose", "prefetch", NULL};
    static const char *const FETCHED[] = {"Sec-Fetch-Mode", "cors", NULL};
    static const char *const *const CASES[] = {AHEAD, OLD_AHEAD, FETCHED};
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        browser->headers = CASES[i];
        assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
    }
    browser->headers = OPENED;
    sso_answer_t answer;
    sso_request_t request = site_request(browser, "POST", apr_pstrcat(unit_pool, "id=", id, NULL));
    sso_fault_clear(&unit_ctx);
    sso_form_resend(&unit_ctx, &site_world->site, &request, &ada, &answer);
    assert_fault(SSO_R_CALLBACK_METHOD, answer);
    assert_int_equal(resend(browser, id, &ada).kind, SSO_ANSWER_FORM);
}

static void test_form_does_not_outlive_its_time_whatever_the_database_says(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    const char *other = kept(browser, &ada, "a=2");
    unit_ctx.now += SSO_FORM_LIFE + 1;
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
    database_sql("UPDATE entra_post SET keep_until = 9000000000000000");
    assert_fault(SSO_R_FORM_GONE, resend(browser, other, &ada));
}

static void test_form_cannot_be_moved_within_the_database(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    sso_record_t bob = ada;
    bob.oid = OTHER_OID;
    const char *id = kept(browser, &ada, "secret=1");
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_post WHERE sealed LIKE '%secret%'"), "0");
    /* To another user, */
    database_sql("UPDATE entra_post SET object = '" OTHER_OID "'");
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &bob));
    /* to another id. */
    id = kept(browser, &ada, "secret=1");
    database_sql(
        apr_psprintf(unit_pool, "UPDATE entra_post SET id = '00112233445566778899aabbccddeeff' WHERE id = '%s'", id));
    assert_fault(SSO_R_FORM_GONE, resend(browser, "00112233445566778899aabbccddeeff", &ada));
    /* Another host of the same EntraCookieDomain is the same application. */
    id = kept(browser, &ada, "secret=1");
    const char *why;
    site_world->site.origin = sso_origin_parse(unit_pool, "https://other.example.com", &why);
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
    site_world->site.origin = sso_origin_parse(unit_pool, SITE_ORIGIN, &why);
    /* Another application has another binding. */
    id = kept(browser, &ada, "secret=1");
    site_world->site.session.binding[0] ^= 1;
    assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
}

static void test_form_sealed_text_that_was_changed_does_not_open(void **state)
{
    (void)state;
    sso_record_t ada;
    site_browser_t *browser = signed_in(&ada);
    const char *id = kept(browser, &ada, "a=1");
    const char *sealed = apr_pstrdup(unit_pool, database_sql("SELECT sealed FROM entra_post"));
    for (apr_size_t i = 0; i < strlen(sealed); i += 7) {
        char *changed = apr_pstrdup(unit_pool, sealed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        database_sql(apr_psprintf(unit_pool, "UPDATE entra_post SET sealed = '%s'", changed));
        assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
        database_sql(apr_psprintf(unit_pool, "UPDATE entra_post SET sealed = '%.*s'", (int)i, sealed));
        assert_fault(SSO_R_FORM_GONE, resend(browser, id, &ada));
    }
    database_sql(apr_psprintf(unit_pool, "UPDATE entra_post SET sealed = '%s'", sealed));
    assert_int_equal(resend(browser, id, &ada).kind, SSO_ANSWER_FORM);
}

/* ---- bounds and trouble ---- */

static void test_form_that_is_lost_again_and_again_ends(void **state)
{
    (void)state;
    sso_record_t ada;
    const char *id;
    site_browser_t *browser = signed_in(&ada);
    for (int i = 0; i < SSO_MAX_FORMS_OF_USER; i++) {
        assert_int_equal(resend(browser, kept(browser, &ada, "a=1"), &ada).kind, SSO_ANSWER_FORM);
    }
    assert_rc(SSO_R_FORM_FULL, keep(browser, &ada, "a=1", &id));
    unit_ctx.now += SSO_FORM_LIFE;
    assert_int_equal(resend(browser, kept(browser, &ada, "a=1"), &ada).kind, SSO_ANSWER_FORM);
}

static void test_form_without_a_database_is_not_kept_and_the_sign_in_goes_on(void **state)
{
    (void)state;
    sso_record_t ada;
    const char *id = NULL;
    site_browser_t *browser = signed_in(&ada);
    const char *before = kept(browser, &ada, "a=1");
    sso_store_t *store = site_world->site.store;
    site_world->site.store = NULL;
    assert_rc(SSO_R_STORE_AWAY, keep(browser, &ada, "a=1", &id));
    assert_null(id);
    assert_fault(SSO_R_FORM_GONE, resend(browser, before, &ada));
    bool dropped = sso_form_location(&unit_ctx, &site_world->site, before, &ada, "/form") == NULL;
    assert_false(dropped);
    site_world->site.store = store;
    assert_page("/next", site_sign_in(browser, "/next"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_form_comes_back_byte_by_byte),
        site_test(test_form_that_no_browser_would_send_so_is_not_kept),
        site_test(test_form_of_another_address_is_never_kept),
        site_test(test_form_of_many_fields_comes_back_and_of_too_many_is_not_kept),
        site_test(test_form_of_the_largest_size_comes_back_and_a_larger_one_is_not_kept),
        site_test(test_form_needs_proof_of_this_site),
        site_test(test_form_of_another_encoding_is_not_kept),
        site_test(test_form_goes_to_an_address_of_the_public_origin_alone),
        site_test(test_form_whose_length_is_above_the_bound_is_not_read),
        site_test(test_form_of_a_script_or_with_the_option_off_is_none),
        site_test(test_form_owner_is_known_by_a_session_that_is_over),
        site_test(test_form_of_an_unknown_visitor_has_no_owner),
        site_test(test_form_comes_back_to_its_user_after_the_sign_in),
        site_test(test_form_of_a_callback_that_is_not_needed_any_more_comes_back),
        site_test(test_form_is_dropped_when_another_user_signs_in),
        site_test(test_form_is_for_no_other_session),
        site_test(test_form_is_used_up_by_an_opened_page_alone),
        site_test(test_form_does_not_outlive_its_time_whatever_the_database_says),
        site_test(test_form_cannot_be_moved_within_the_database),
        site_test(test_form_sealed_text_that_was_changed_does_not_open),
        site_test(test_form_that_is_lost_again_and_again_ends),
        site_test(test_form_without_a_database_is_not_kept_and_the_sign_in_goes_on),
    };
    return site_run(tests);
}
