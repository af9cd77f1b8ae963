/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/template.c: every mistake an administrator can type, and that half a name is never rendered. */
#include "session/template.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "lists.h"

static sso_record_t record_make(void)
{
    sso_record_t record = {
        .sid = "session-1",
        .tid = "tenant-1",
        .oid = "object-1",
        .username = "alice@example.com",
        .name = "Alice",
        .email = "",
        .login_hint = "hint-1",
        .roles = list_of(TEXTS("reader", "writer")),
        .claims = list_of(TEXTS("department", "1", "Sales", "address.city", "1", "Graz", "extn.costcentre", "1", "4711",
                                "skills", "3", "c", "", "sql", "blank", "1", "", "none", "0")),
    };
    return record;
}

static const sso_template_t *parse(const char *text)
{
    const sso_template_t *template = NULL;
    const char *wrong = sso_template_parse(unit_pool, text, &template);
    if (wrong != NULL) {
        unit_fail("%s: %s", text, wrong);
    }
    return template;
}

static const char *render(const char *text, const char *separator)
{
    sso_record_t record = record_make();
    return sso_template_render(unit_pool, parse(text), &record, separator);
}

static void test_template_with_a_mistake_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *text;
        const char *sentence; /* a part of it */
    } rows[] = {
        {"", "empty"},
        {"%", "%{claim}"},
        {"100%", "%{claim}"},
        {"%oid", "%{claim}"},
        {"% {oid}", "%{claim}"},
        {"%{", "%{claim}"},
        {"%{oid", "%{claim}"},
        {"a%{oid}b%", "%{claim}"},
        {"%%%", "%{claim}"},
        {"%%%{", "%{claim}"},
        {"%{}", "empty or too long"},
        {"%{oid}%{}", "empty or too long"},
        {"%{%{oid}}", "no name of a claim"},
        {"%{a b}", "no name of a claim"},
        {"%{ oid}", "no name of a claim"},
        {"%{oid }", "no name of a claim"},
        {"%{a%b}", "no name of a claim"},
        {"%{a\"b}", "no name of a claim"},
        {"%{a\\b}", "no name of a claim"},
        {"%{n\303\244me}", "no name of a claim"},
        {"%{scim:}", "no attribute"},
        {"a\nb", "control"},
        {"a\rb", "control"},
        {"\t%{oid}", "control"},
        {"%{oid}\177", "control"},
        {"%{o\1d}", "control"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_template_t *template = NULL;
        const char *text = unit_exact_copy(rows[i].text, strlen(rows[i].text) + 1);
        const char *wrong = sso_template_parse(unit_pool, text, &template);
        if (wrong == NULL || strstr(wrong, rows[i].sentence) == NULL || template != NULL) {
            unit_fail("<%s>: %s", rows[i].text, wrong);
        }
    }
}

static void test_template_claim_name_is_bounded(void **state)
{
    (void)state;
    char name[SSO_MAX_CLAIM_NAME + 2];
    const sso_template_t *template;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_non_null(sso_template_parse(unit_pool, apr_pstrcat(unit_pool, "%{", name, "}", NULL), &template));
    name[sizeof(name) - 2] = '\0';
    assert_null(sso_template_parse(unit_pool, apr_pstrcat(unit_pool, "%{", name, "}", NULL), &template));
}

static void test_template_renders_fields_claims_and_literals(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"plain", "plain"},
        {" ", " "},
        {"}", "}"},
        {"{oid}", "{oid}"},
        {"%%", "%"},
        {"100%%", "100%"},
        {"%%%%", "%%"},
        {"%%{oid}", "%{oid}"},
        {"%%%{oid}", "%object-1"},
        {"%{oid}%%", "object-1%"},
        {"%{oid}", "object-1"},
        {"%{tid}", "tenant-1"},
        {"%{sid}", "session-1"},
        {"%{preferred_username}", "alice@example.com"},
        {"%{name}", "Alice"},
        {"%{login_hint}", "hint-1"},
        {"%{roles}", "reader,writer"},
        {"%{oid}@%{tid}", "object-1@tenant-1"},
        {"<%{name}> %{oid}}", "<Alice> object-1}"},
        {"%{name}%{name}%{name}", "AliceAliceAlice"},
        {"%{department}", "Sales"},
        {"%{address.city}", "Graz"},
        {"%{extn.costcentre}/%{department}", "4711/Sales"},
        {"%{skills}", "c,,sql"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = render(rows[i].text, ",");
        if (got == NULL || strcmp(got, rows[i].expected) != 0) {
            unit_fail("<%s>: <%s>, expected <%s>", rows[i].text, got, rows[i].expected);
        }
    }
}

static void test_template_with_one_absent_claim_renders_nothing(void **state)
{
    static const char *const texts[] = {
        "%{email}",   "%{groups}",          "%{unknown}",         "%{none}",       "%{blank}",   "%{Name}", "%{OID}",
        "%{address}", "%{name}-%{unknown}", "%{unknown}-%{name}", "user-%{email}", "%{email}%%",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *got = render(texts[i], ",");
        if (got != NULL) {
            unit_fail("<%s>: <%s>", texts[i], got);
        }
    }
}

static void test_template_joins_lists_by_the_separator(void **state)
{
    (void)state;
    assert_string_equal(render("%{roles}", ", "), "reader, writer");
    assert_string_equal(render("[%{roles}|%{skills}]", ";"), "[reader;writer|c;;sql]");
}

static void test_template_of_one_claim_is_rendered_without_a_copy(void **state)
{
    (void)state;
    sso_record_t record = record_make();
    assert_ptr_equal(sso_template_render(unit_pool, parse("%{oid}"), &record, ","), record.oid);
    assert_ptr_equal(sso_template_render(unit_pool, parse("%{preferred_username}"), &record, ","), record.username);
}

static void test_template_names_the_claims_that_no_field_holds_once(void **state)
{
    (void)state;
    apr_array_header_t *names = apr_array_make(unit_pool, 4, sizeof(const char *));
    sso_template_claims(parse("%{oid}%{tid}%{sid}%{name}%{email}%{roles}%{groups}%{login_hint}%{preferred_username}x"),
                        names);
    assert_int_equal(names->nelts, 0);
    sso_template_claims(parse("%{department}-%{extn.costcentre}-%{department}-%{oid}"), names);
    sso_template_claims(parse("%{department}%{upn}"), names);
    assert_int_equal(names->nelts, 3);
    assert_string_equal(sso_text_at(names, 0), "department");
    assert_string_equal(sso_text_at(names, 1), "extn.costcentre");
    assert_string_equal(sso_text_at(names, 2), "upn");
}

static void test_template_with_email_in_it_is_told(void **state)
{
    (void)state;
    static const char *const with[] = {"%{email}", "user-%{email}", "%{email}@%{tid}", "%{oid}%{email}%{email}",
                                       "%%%{email}"};
    static const char *const without[] = {"email",    "%%{email}",  "%{preferred_username}",
                                          "%{Email}", "%{email.x}", "%{extn.email}"};
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        if (!sso_template_has_email(parse(with[i]))) {
            unit_fail("%s has none", with[i]);
        }
    }
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        if (sso_template_has_email(parse(without[i]))) {
            unit_fail("%s has it", without[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_template_with_a_mistake_is_refused_with_a_sentence),
        unit_test(test_template_claim_name_is_bounded),
        unit_test(test_template_renders_fields_claims_and_literals),
        unit_test(test_template_with_one_absent_claim_renders_nothing),
        unit_test(test_template_joins_lists_by_the_separator),
        unit_test(test_template_of_one_claim_is_rendered_without_a_copy),
        unit_test(test_template_names_the_claims_that_no_field_holds_once),
        unit_test(test_template_with_email_in_it_is_told),
    };
    return unit_run(tests);
}
