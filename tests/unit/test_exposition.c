/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/exposition.c: what a scraper reads, byte by byte. */
#include "base/exposition.h"

#include "unit.h"

static const char *text;

static void collect(void *baton, const char *piece)
{
    text = apr_pstrcat(baton, text, piece, NULL);
}

static sso_exposition_t page_make(void)
{
    text = "";
    return (sso_exposition_t){unit_pool, collect, unit_pool};
}

static unsigned times(const char *whole, const char *part)
{
    unsigned found = 0;
    for (const char *at = strstr(whole, part); at != NULL; at = strstr(at + 1, part)) {
        found++;
    }
    return found;
}

static void assert_has(const char *part)
{
    if (times(text, part) != 1) {
        unit_fail("%u times and not once: %s\n%s", times(text, part), part, text);
    }
}

static void test_exposition_label_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } rows[] = {{"https://a.example", "site=\"https://a.example\""},
                {"", "site=\"\""},
                {"a\"b", "site=\"a\\\"b\""},
                {"a\\", "site=\"a\\\\\""},
                {"a\nb", "site=\"a\\nb\""},
                {"a\rb\tc\x7f", "site=\"a?b?c?\""},
                {"\"} 1\nevil 2\n", "site=\"\\\"} 1\\nevil 2\\n\""},
                {"\xc3\xa4", "site=\"\xc3\xa4\""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_label(unit_pool, "site", rows[i].value), rows[i].text);
    }
}

static void test_exposition_samples_have_their_form(void **state)
{
    (void)state;
    sso_exposition_t page = page_make();
    sso_exposition_family(&page, "entra_x", "gauge", "What it is.");
    sso_exposition_number(&page, "entra_x", "", -3);
    sso_exposition_number(&page, "entra_x", "a=\"1\"", INT64_MAX);
    sso_exposition_seconds(&page, "entra_x", "a=\"2\"", 1500000);
    sso_exposition_seconds(&page, "entra_x", "a=\"3\"", 1);
    sso_exposition_seconds(&page, "entra_x", "a=\"4\"", SSO_TEST_NOW);
    sso_exposition_seconds(&page, "entra_x", "a=\"5\"", -250000);
    sso_exposition_seconds(&page, "entra_x", "a=\"6\"", 0);
    assert_string_equal(text, "# HELP entra_x What it is.\n# TYPE entra_x gauge\nentra_x -3\n"
                              "entra_x{a=\"1\"} 9223372036854775807\nentra_x{a=\"2\"} 1.5\nentra_x{a=\"3\"} 0.000001\n"
                              "entra_x{a=\"4\"} 1795446000\nentra_x{a=\"5\"} -0.25\nentra_x{a=\"6\"} 0\n");
}

static void test_exposition_has_what_was_counted(void **state)
{
    (void)state;
    sso_counted_t counted[2] = {{"site=\"one\"", NULL}, {"site=\"two\"", NULL}};
    sso_exposition_t page = page_make();
    for (int i = 0; i < 2; i++) {
        unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
        counted[i].counters = unit_ctx.counters;
    }
    sso_count_many(&unit_ctx, SSO_COUNT_SIGNIN_OK, 7);
    sso_count(&unit_ctx, SSO_COUNT_SCIM_UNAUTHORIZED);
    sso_count_fault(&unit_ctx, SSO_R_FORBIDDEN);
    sso_count_latency(&unit_ctx, SSO_LATENCY_TOKEN, 20000);
    sso_count_latency(&unit_ctx, SSO_LATENCY_TOKEN, 60000000);
    sso_exposition_counters(&page, counted, 2);
    assert_has("# TYPE entra_signins_total counter\n");
    assert_has("entra_signins_total{site=\"one\",result=\"ok\"} 0\n");
    assert_has("entra_signins_total{site=\"two\",result=\"ok\"} 7\n");
    /* A family without labels of its own. */
    assert_has("entra_scim_unauthorized_total{site=\"two\"} 1\n");
    assert_has("# TYPE entra_outbound_request_duration_seconds histogram\n");
    assert_has("entra_outbound_request_duration_seconds_bucket{site=\"two\",endpoint=\"token\",le=\"0.01\"} 0\n");
    assert_has("entra_outbound_request_duration_seconds_bucket{site=\"two\",endpoint=\"token\",le=\"0.025\"} 1\n");
    assert_has("entra_outbound_request_duration_seconds_bucket{site=\"two\",endpoint=\"token\",le=\"10\"} 1\n");
    assert_has("entra_outbound_request_duration_seconds_bucket{site=\"two\",endpoint=\"token\",le=\"+Inf\"} 2\n");
    assert_has("entra_outbound_request_duration_seconds_sum{site=\"two\",endpoint=\"token\"} 60.02\n");
    assert_has("entra_outbound_request_duration_seconds_count{site=\"two\",endpoint=\"token\"} 2\n");
    /* Of faults only those that happened. */
    assert_has("entra_faults_total{site=\"two\",number=\"ENTRA1502\",class=\"user\"} 1\n");
    assert_int_equal(times(text, "\nentra_faults_total{"), 1);
}

static void test_exposition_names_no_family_twice(void **state)
{
    (void)state;
    int count;
    const sso_counter_row_t *rows = sso_counter_rows(&count);
    assert_int_equal(rows[0].kind, SSO_ROW_FAMILY);
    for (int i = 0; i < count; i++) {
        for (int j = 0; rows[i].kind == SSO_ROW_FAMILY && j < i; j++) {
            assert_false(rows[j].kind == SSO_ROW_FAMILY && strcmp(rows[i].text, rows[j].text) == 0);
        }
        /* Help is written as it stands: it has nothing to escape. */
        assert_true(rows[i].help == NULL || strpbrk(rows[i].help, "\\\n") == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_exposition_label_is_escaped),
        unit_test(test_exposition_samples_have_their_form),
        unit_test(test_exposition_has_what_was_counted),
        unit_test(test_exposition_names_no_family_twice),
    };
    return unit_run(tests);
}
