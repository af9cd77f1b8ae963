/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/entries.c. Most cases stand in tests/vectors/scim/patch.json, by test_patch.c. */
#include "directory/entries.h"

#include "unit.h"

#include "scim.h"

static sso_json_node_t *list_of(const char *text)
{
    return sso_json_node_copy(unit_pool, scim_json(text));
}

static sso_scim_path_t path_of(const char *text)
{
    sso_scim_path_t path = {{0}, NULL};
    assert_rc(SSO_OK, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, NULL, &path));
    return path;
}

static void test_entries_are_added_once(void **state)
{
    sso_json_node_t *list = list_of("[{'value':'a','primary':true}]");
    (void)state;
    sso_entries_add(unit_pool, list, scim_json("[{'primary':true,'value':'a'},{'value':'b','primary':true}]"));
    sso_entries_add(unit_pool, list, scim_json("{'value':'c'}"));
    sso_entries_add(unit_pool, list, NULL);
    assert_json("[{'value':'a','primary':false},{'value':'b','primary':true},{'value':'c'}]", sso_json_node_view(list));
}

static void test_entries_are_removed_by_what_they_say(void **state)
{
    static const struct {
        const char *given, *left;
    } rows[] = {
        {"{'value':'A'}", "[{'type':'home','value':'b'},{'type':'work','value':'c'}]"},
        {"{'type':'WORK'}", "[{'type':'home','value':'b'}]"},
        {"{'type':'work','value':'c'}", "[{'type':'work','value':'a'},{'type':'home','value':'b'}]"},
        {"{'type':'work','value':'x'}", NULL},
        {"{'display':'x','$ref':'y','primary':true}", NULL},
        {"{}", NULL},
        {"'a'", NULL},
        {"{'other':'x'}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *before = "[{'type':'work','value':'a'},{'type':'home','value':'b'},{'type':'work','value':'c'}]";
        sso_json_node_t *list = list_of(before);
        sso_entries_remove(list, sso_attribute_find(SSO_SCHEMA_USER, NULL, "emails"), scim_json(rows[i].given));
        scim_check(rows[i].given, scim_json(rows[i].left != NULL ? rows[i].left : before), sso_json_node_view(list));
    }
    sso_json_node_t *photos = list_of("[{'value':'https://x.example/A'},{'value':'https://x.example/a'}]");
    sso_entries_remove(photos, sso_attribute_find(SSO_SCHEMA_USER, NULL, "photos"),
                       scim_json("{'value':'https://x.example/a'}"));
    assert_json("[{'value':'https://x.example/A'}]", sso_json_node_view(photos));
    sso_json_node_t *mixed = list_of("['a',{'value':'b'}]");
    sso_entries_remove(mixed, sso_attribute_find(SSO_SCHEMA_USER, NULL, "emails"), scim_json("{'value':'B'}"));
    assert_json("['a']", sso_json_node_view(mixed));
    sso_json_node_t *list = list_of("['a','b']");
    sso_entries_remove(list, NULL, NULL);
    sso_entries_remove(list, NULL, scim_json("'A'"));
    assert_json("['b']", sso_json_node_view(list));
}

static void test_entries_that_fit_are_changed_and_counted(void **state)
{
    (void)state;
    sso_scim_path_t path = path_of("emails[type eq \"work\"].value");
    sso_json_node_t *list = list_of("[{'type':'work','value':'a'},'odd',{'type':'home'},{'type':'work','value':'c'}]");
    assert_int_equal(sso_entries_change(unit_pool, list, &path, false, scim_json("'z'")), 2);
    assert_json("[{'type':'work','value':'z'},'odd',{'type':'home'},{'type':'work','value':'z'}]",
                sso_json_node_view(list));
    assert_int_equal(sso_entries_change(unit_pool, list, &path, false, NULL), 2);
    assert_json("['odd',{'type':'home'}]", sso_json_node_view(list));
    assert_int_equal(sso_entries_change(unit_pool, list, &path, false, NULL), 0);
}

static void test_entries_are_made_when_the_filter_says_how(void **state)
{
    static const struct {
        const char *path, *value, *made;
    } rows[] = {
        {"emails[type eq \"work\"].value", "'a'", "[{'type':'work','value':'a'}]"},
        {"emails.value", "'a'", "[{'value':'a'}]"},
        {CUSTOM ":list[a eq \"b\"]", "{'c':'d'}", "[{'a':'b','c':'d'}]"},
        {"emails[type eq \"work\" and primary eq \"True\"]", "{'value':'a'}",
         "[{'type':'work','primary':true,'value':'a'}]"},
        {"emails[type eq \"work\"]", "{'type':'home','value':'a'}", "[{'type':'home','value':'a'}]"},
        {"emails[type ne \"work\"].value", "'a'", NULL},
        {"emails[type pr].value", "'a'", NULL},
        {"emails[type eq null].value", "'a'", NULL},
        {"emails[type eq \"a\" or type eq \"b\"].value", "'a'", NULL},
        {"emails[type eq \"a\" and (display eq \"b\" or display eq \"c\")].value", "'a'", NULL},
        {"emails[type eq \"work\"]", "'a'", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_json_node_t *list = list_of("[]");
        sso_scim_path_t path = path_of(rows[i].path);
        assert_int_equal(sso_entries_make(unit_pool, list, &path, scim_json(rows[i].value)), rows[i].made != NULL);
        scim_check(rows[i].path, scim_json(rows[i].made != NULL ? rows[i].made : "[]"), sso_json_node_view(list));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_entries_are_added_once),
        unit_test(test_entries_are_removed_by_what_they_say),
        unit_test(test_entries_that_fit_are_changed_and_counted),
        unit_test(test_entries_are_made_when_the_filter_says_how),
    };
    return unit_run(tests);
}
