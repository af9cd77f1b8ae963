/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/match.c: the filters of tests/vectors/scim/filters.txt over the user of filters.json. */
#include "directory/match.h"

#include "unit.h"

#include "scim.h"

static void check_line(const sso_json_t *document, char *line)
{
    const sso_filter_t *filter = NULL;
    size_t len = strlen(line);
    char *text = line[1] == ' ' ? line + 2 : line + 1;
    if (len > 2 && strcmp(line + len - 2, "\\s") == 0) {
        line[len - 2] = ' ';
        line[len - 1] = '\0';
    }
    sso_rc rc = sso_filter_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, &filter);
    sso_fault_clear(&unit_ctx);
    if (rc != (line[0] == '!' ? SSO_R_SCIM_FILTER : SSO_OK)) {
        unit_fail("<%s>: %s", text, sso_reason(rc)->name);
    }
    if (rc == SSO_OK && sso_filter_matches(unit_pool, filter, document, 0) != (line[0] == '+')) {
        unit_fail("<%s> %s", text, line[0] == '+' ? "does not fit" : "fits");
    }
}

static void test_match_vectors_fit(void **state)
{
    const sso_json_t *document = sso_json_at(scim_vectors("filters.json"), 0);
    FILE *file = fopen(TEST_VECTORS_DIR "/scim/filters.txt", "r");
    char line[SSO_MAX_FILTER];
    int count = 0;
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && line[0] != '\0') {
            assert_non_null(strchr("+-!", line[0]));
            check_line(document, line);
            count++;
        }
    }
    fclose(file);
    assert_true(count > 180);
}

static bool matches(sso_scim_kind_t kind, const char *text, const char *document, unsigned decided)
{
    const sso_filter_t *filter = NULL;
    assert_rc(SSO_OK, sso_filter_parse(&unit_ctx, unit_pool, kind, text, &filter));
    return sso_filter_matches(unit_pool, filter, scim_json(document), decided);
}

/* What the statement has decided is not asked again; what it cannot decide is. */
static void test_match_decided_terms_are_taken_as_true(void **state)
{
    const char *group = "{'id':'G','displayName':'Payroll'}";
    const char *both = "id eq \"G\" and members eq \"U\"";
    (void)state;
    assert_false(matches(SSO_SCIM_GROUP, both, group, 0));
    assert_false(matches(SSO_SCIM_GROUP, both, group, SSO_INDEX_BIT(SSO_INDEX_ID)));
    assert_true(matches(SSO_SCIM_GROUP, both, group, SSO_INDEX_BIT(SSO_INDEX_MEMBER)));
    assert_true(matches(SSO_SCIM_GROUP, "members eq \"U\"", group, SSO_INDEX_BIT(SSO_INDEX_MEMBER)));
    assert_false(matches(SSO_SCIM_GROUP, "id eq \"X\" and members eq \"U\"", group, SSO_INDEX_BIT(SSO_INDEX_MEMBER)));
    /* Within or and not nothing was decided. */
    assert_false(matches(SSO_SCIM_GROUP, "members eq \"U\" or id eq \"X\"", group, ~0u));
    assert_true(matches(SSO_SCIM_GROUP, "not (members eq \"U\")", group, ~0u));
    assert_true(matches(SSO_SCIM_GROUP, both, "{'id':'G','members':[{'value':'T'},{'value':'U'}]}", 0));
    assert_false(matches(SSO_SCIM_GROUP, both, "{'id':'G','members':[{'value':'u'}]}", 0));
}

/* What no column answers is asked of the document, whatever was decided. */
static void test_match_brackets_that_no_column_answers(void **state)
{
    static const char *const filters[] = {
        "emails[type eq \"work\"]",
        "emails[type pr and value eq \"a\"]",
        "emails[type eq \"work\" and value pr]",
        "emails[type eq \"work\" and (value eq \"a\" or value eq \"b\")]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        assert_true(matches(SSO_SCIM_USER, filters[i], "{'emails':[{'type':'work','value':'a'}]}", ~0u));
        assert_false(matches(SSO_SCIM_USER, filters[i], "{'emails':[{'type':'home','value':'c'}]}", ~0u));
    }
}

static void test_match_entry_of_a_path(void **state)
{
    sso_scim_path_t path = {{0}, NULL};
    (void)state;
    assert_rc(SSO_OK, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER,
                                          "roles[primary eq \"True\" and value sw a]", NULL, &path));
    assert_true(sso_filter_fits(unit_pool, path.filter, scim_json("{'primary':true,'value':'Admin'}")));
    assert_false(sso_filter_fits(unit_pool, path.filter, scim_json("{'primary':false,'value':'Admin'}")));
    assert_false(sso_filter_fits(unit_pool, path.filter, scim_json("{'value':'Admin'}")));
    assert_false(sso_filter_fits(unit_pool, path.filter, scim_json("{'primary':true,'value':'User'}")));
}

/* Documents of odd shapes, as no writer of ours makes them, answer and do not crash. */
static void test_match_odd_documents_answer(void **state)
{
    static const char *const documents[] = {
        "{}",
        "[]",
        "null",
        "'x'",
        "{'userName':5}",
        "{'userName':null}",
        "{'userName':{'a':1}}",
        "{'emails':5}",
        "{'emails':['a',null,[1]]}",
        "{'emails':[{'type':5,'value':[]}]}",
        "{'meta':'x'}",
        "{'active':'x'}",
        "{'meta':{'created':'x'}}",
        "{'emails':[]}",
        "{'emails':[{'type':'work','value':{'a':1}}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        assert_false(matches(SSO_SCIM_USER, "userName eq \"x\"", documents[i], 0));
        assert_false(matches(SSO_SCIM_USER, "emails[type eq \"work\"].value eq \"x\"", documents[i], 0));
        assert_false(matches(SSO_SCIM_USER, "meta.created gt \"2026-01-01\"", documents[i], 0));
        assert_false(matches(SSO_SCIM_USER, "active eq true", documents[i], 0));
        assert_false(matches(SSO_SCIM_USER, "emails eq \"x\"", documents[i], 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_match_vectors_fit),
        unit_test(test_match_decided_terms_are_taken_as_true),
        unit_test(test_match_brackets_that_no_column_answers),
        unit_test(test_match_entry_of_a_path),
        unit_test(test_match_odd_documents_answer),
    };
    return unit_run(tests);
}
