/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as people and as programs read them. */
#include "command/report.h"

#include "unit.h"

#include "base/json.h"

static const sso_finding_t fault = {SSO_FOUND_FAULT, "https://app.example.com", "redirect URI", "it is not registered",
                                    "Register it"};

static void test_report_for_people(void **state)
{
    (void)state;
    assert_string_equal(sso_finding_print(unit_pool, &fault, false),
                        "FAIL     redirect URI: it is not registered\n         mend: Register it\n");
    const sso_finding_t good = {SSO_FOUND_OK, NULL, "clock", "2 s apart", NULL};
    assert_string_equal(sso_finding_print(unit_pool, &good, false), "ok       clock: 2 s apart\n");
    const sso_finding_t unknown = {SSO_FOUND_UNKNOWN, NULL, "groups claim", "-", "m"};
    assert_string_equal(sso_finding_print(unit_pool, &unknown, false), "unknown  groups claim: -\n         mend: m\n");
}

static void test_report_stays_in_its_line(void **state)
{
    (void)state;
    const sso_finding_t hostile = {SSO_FOUND_WARN, NULL, "groups", "a\nFAIL \x1b[31mb\r", "c\n\td\x7f"};
    assert_string_equal(sso_finding_print(unit_pool, &hostile, false),
                        "warn     groups: a FAIL  [31mb \n         mend: c  d \n");
}

static void test_report_for_programs(void **state)
{
    (void)state;
    const sso_json_t *object;
    const sso_finding_t quoted = {SSO_FOUND_WARN, NULL, "groups", "\"a\"\\ \n", NULL};
    const char *line = sso_finding_print(unit_pool, &fault, true);
    assert_int_equal(line[strlen(line) - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, line, strlen(line) - 1, 4096, &object));
    assert_string_equal(sso_json_get_text(object, "found"), "fail");
    assert_string_equal(sso_json_get_text(object, "application"), "https://app.example.com");
    assert_string_equal(sso_json_get_text(object, "subject"), "redirect URI");
    assert_string_equal(sso_json_get_text(object, "mend"), "Register it");
    line = sso_finding_print(unit_pool, &quoted, true);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, line, strlen(line) - 1, 4096, &object));
    assert_string_equal(sso_json_get_text(object, "sentence"), "\"a\"\\  ");
    assert_null(sso_json_get(object, "mend"));
    assert_null(sso_json_get(object, "application"));
}

static sso_report_t report_make(void)
{
    sso_report_t report = {.pool = unit_pool, .json = true};
    assert_int_equal(apr_file_open(&report.out, "/dev/null", APR_FOPEN_WRITE, APR_FPROT_OS_DEFAULT, unit_pool),
                     APR_SUCCESS);
    return report;
}

static void test_report_counts(void **state)
{
    (void)state;
    sso_report_t report = report_make();
    sso_report_turn(&report, "https://app.example.com");
    sso_report_good(&report, "a", "%d", 1);
    sso_report_say(&report, SSO_FOUND_WARN, "a", "m", "x");
    sso_report_say(&report, SSO_FOUND_UNKNOWN, "a", "m", "x");
    assert_true(sso_report_end(&report));
    (void)sso_fail(&unit_ctx, SSO_R_TOKEN_CLIENT, "detail");
    unit_ctx.fault.aadsts = 7000222;
    sso_report_fault(&report, SSO_FOUND_FAULT, "a", &unit_ctx);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_false(sso_report_end(&report));
    assert_int_equal(report.counts[SSO_FOUND_OK], 1);
    assert_int_equal(report.counts[SSO_FOUND_WARN], 1);
    assert_int_equal(report.counts[SSO_FOUND_FAULT], 1);
    assert_int_equal(report.counts[SSO_FOUND_UNKNOWN], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_report_for_people),
        unit_test(test_report_stays_in_its_line),
        unit_test(test_report_for_programs),
        unit_test(test_report_counts),
    };
    return unit_run(tests);
}
