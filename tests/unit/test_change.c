/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/change.c: bounds. What changes do stands in tests/vectors/scim/patch.json, by test_patch.c. */
#include "directory/change.h"

#include "unit.h"

#include "scim.h"

static sso_change_t change;

static void begin(sso_scim_kind_t kind, const char *document)
{
    sso_change_begin(&change, &unit_ctx, unit_pool, kind, document != NULL ? scim_json(document) : NULL);
}

static sso_rc apply(sso_change_op_t op, const char *where, const sso_json_t *value)
{
    sso_scim_path_t path = {{0}, NULL};
    assert_rc(SSO_OK, sso_scim_path_parse(&unit_ctx, unit_pool, change.kind, where, value, &path));
    return sso_change_apply(&change, op, &path, value);
}

static const sso_json_t *long_text(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'a', len);
    text[len] = '\0';
    return sso_json_node_view(sso_json_node_text(unit_pool, text));
}

static void test_change_works_on_a_copy(void **state)
{
    const sso_json_t *before = scim_json("{'userName':'a','name':{'givenName':'A'}}");
    (void)state;
    sso_change_begin(&change, &unit_ctx, unit_pool, SSO_SCIM_USER, before);
    assert_rc(SSO_OK, apply(SSO_CHANGE_REPLACE, "name.givenName", scim_json("'B'")));
    assert_json("{'userName':'a','name':{'givenName':'A'}}", before);
    assert_json("{'userName':'a','name':{'givenName':'B'}}", sso_json_node_view(change.document));
    begin(SSO_SCIM_USER, NULL);
    assert_json("{}", sso_json_node_view(change.document));
}

/* One value into 500 entries may not become hundreds of megabytes. */
static void test_change_what_is_written_is_bounded(void **state)
{
    (void)state;
    begin(SSO_SCIM_USER, NULL);
    sso_rc rc = SSO_OK;
    int steps = 0;
    for (; rc == SSO_OK && steps < 1000; steps++) {
        rc = apply(SSO_CHANGE_REPLACE, "title", long_text(SSO_MAX_SCIM_VALUE));
    }
    assert_rc(SSO_R_SCIM_DOCUMENT, rc);
    assert_int_equal(steps, SSO_MAX_SCIM_BODY / SSO_MAX_SCIM_VALUE);
    sso_json_node_t *emails = sso_json_node_array(unit_pool);
    for (int i = 0; i < 100; i++) {
        sso_json_node_append_text(unit_pool, emails, apr_itoa(unit_pool, i));
    }
    begin(SSO_SCIM_USER, NULL);
    assert_rc(SSO_OK, apply(SSO_CHANGE_REPLACE, "emails", sso_json_node_view(emails)));
    assert_rc(SSO_R_SCIM_DOCUMENT, apply(SSO_CHANGE_REPLACE, "emails.display", long_text(SSO_MAX_SCIM_VALUE)));
}

/* Also what an addition copies of the list that is there. */
static void test_change_what_is_copied_is_bounded(void **state)
{
    (void)state;
    for (int count = 190; count <= 240; count += 10) {
        sso_json_node_t *emails = sso_json_node_array(unit_pool);
        for (int i = 0; i < count; i++) {
            sso_json_node_append_text(unit_pool, emails, apr_psprintf(unit_pool, "%0200d", i));
        }
        begin(SSO_SCIM_USER, NULL);
        sso_rc rc = apply(SSO_CHANGE_REPLACE, "emails", sso_json_node_view(emails));
        for (int steps = 0; rc == SSO_OK && steps < 100; steps++) {
            rc = apply(SSO_CHANGE_ADD, "emails", scim_json("'x'"));
        }
        assert_rc(SSO_R_SCIM_DOCUMENT, rc);
    }
}

static void test_change_document_is_bounded_at_each_step(void **state)
{
    (void)state;
    begin(SSO_SCIM_USER, NULL);
    const char *const names[] = {"title", "nickName", "locale"};
    for (int i = 0; i < 3; i++) {
        assert_rc(SSO_OK, apply(SSO_CHANGE_REPLACE, names[i], long_text(SSO_MAX_SCIM_VALUE)));
    }
    assert_rc(SSO_R_SCIM_DOCUMENT, apply(SSO_CHANGE_REPLACE, "timezone", long_text(SSO_MAX_SCIM_VALUE)));
}

static void test_change_entries_are_bounded(void **state)
{
    sso_json_node_t *emails = sso_json_node_array(unit_pool);
    (void)state;
    for (int i = 0; i < SSO_MAX_SCIM_ENTRIES; i++) {
        sso_json_node_append_text(unit_pool, emails, apr_itoa(unit_pool, i));
    }
    begin(SSO_SCIM_USER, NULL);
    assert_rc(SSO_OK, apply(SSO_CHANGE_ADD, "emails", sso_json_node_view(emails)));
    assert_rc(SSO_OK, apply(SSO_CHANGE_ADD, "emails", scim_json("'0'")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, "emails", scim_json("'one more'")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, "emails[type eq \"x\"].value", scim_json("'one more'")));
    sso_json_node_append_text(unit_pool, emails, "one more");
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_REMOVE, "emails", sso_json_node_view(emails)));
}

static void test_change_members_are_bounded(void **state)
{
    sso_json_node_t *ids = sso_json_node_array(unit_pool);
    (void)state;
    for (int i = 0; i < SSO_MAX_SCIM_MEMBERS; i++) {
        sso_json_node_append_text(unit_pool, ids, "U");
    }
    begin(SSO_SCIM_GROUP, NULL);
    assert_rc(SSO_OK, apply(SSO_CHANGE_ADD, "members", sso_json_node_view(ids)));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, "members", scim_json("'U'")));
    begin(SSO_SCIM_GROUP, NULL);
    assert_rc(SSO_OK, apply(SSO_CHANGE_ADD, "members", long_text(SSO_MAX_SCIM_ID)));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, "members", long_text(SSO_MAX_SCIM_ID + 1)));
    for (int more = 0; more < 2; more++) {
        const char *id = sso_json_text(long_text(SSO_MAX_SCIM_ID + (apr_size_t)more));
        assert_rc(more == 0 ? SSO_OK : SSO_R_SCIM_VALUE,
                  apply(SSO_CHANGE_REMOVE, apr_psprintf(unit_pool, "members[value eq \"%s\"]", id), NULL));
    }
    assert_json("{}", sso_json_node_view(change.document));
}

static void test_change_merge_is_bounded_and_strict(void **state)
{
    sso_json_node_t *object = sso_json_node_object(unit_pool);
    (void)state;
    for (int i = 0; i < SSO_MAX_SCIM_ATTRIBUTES; i++) {
        sso_json_node_set_text(unit_pool, object, apr_psprintf(unit_pool, "a%d", i), "x");
    }
    begin(SSO_SCIM_USER, NULL);
    assert_rc(SSO_OK, sso_change_merge(&change, SSO_CHANGE_ADD, sso_json_node_view(object)));
    sso_json_node_set_text(unit_pool, object, "one-more", "x");
    assert_rc(SSO_R_SCIM_VALUE, sso_change_merge(&change, SSO_CHANGE_ADD, sso_json_node_view(object)));
    assert_rc(SSO_R_SCIM_SYNTAX, sso_change_merge(&change, SSO_CHANGE_ADD, scim_json("{'" CUSTOM "':{'a':1,'A':2}}")));
    assert_rc(SSO_R_SCIM_VALUE, sso_change_merge(&change, SSO_CHANGE_ADD, scim_json("[1]")));
    assert_rc(SSO_R_SCIM_VALUE, sso_change_merge(&change, SSO_CHANGE_ADD, NULL));
}

static void test_change_faults_have_their_reasons(void **state)
{
    (void)state;
    begin(SSO_SCIM_USER, "{'userName':'a'}");
    assert_rc(SSO_R_SCIM_MUTABILITY, apply(SSO_CHANGE_REPLACE, "id", scim_json("'x'")));
    assert_rc(SSO_R_SCIM_TARGET, apply(SSO_CHANGE_REPLACE, "emails[type ne \"x\"].value", scim_json("'x'")));
    assert_rc(SSO_R_SCIM_PATH, apply(SSO_CHANGE_REPLACE, "name[givenName pr]", scim_json("'x'")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, "title", NULL));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_ADD, CUSTOM ":list[a eq b]", scim_json("'x'")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_REPLACE, "name", scim_json("{'givenName':true}")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_REMOVE, "emails", scim_json("true")));
    assert_rc(SSO_R_SCIM_VALUE, apply(SSO_CHANGE_REPLACE, "emails[type eq \"work\"].primary", scim_json("'maybe'")));
    assert_json("{'userName':'a'}", sso_json_node_view(change.document));
}

static void test_change_part_of_a_foreign_list_is_of_all_its_entries(void **state)
{
    (void)state;
    begin(SSO_SCIM_USER, "{'" CUSTOM "':{'list':[{'a':'b'},{'c':'d'}]}}");
    assert_rc(SSO_OK, apply(SSO_CHANGE_REPLACE, CUSTOM ":list.a", scim_json("'x'")));
    assert_json("{'" CUSTOM "':{'list':[{'a':'x'},{'c':'d','a':'x'}]}}", sso_json_node_view(change.document));
    begin(SSO_SCIM_GROUP, NULL);
    assert_rc(SSO_R_SCIM_FILTER, apply(SSO_CHANGE_REMOVE, "members[value eq null]", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_change_works_on_a_copy),
        unit_test(test_change_what_is_written_is_bounded),
        unit_test(test_change_what_is_copied_is_bounded),
        unit_test(test_change_document_is_bounded_at_each_step),
        unit_test(test_change_entries_are_bounded),
        unit_test(test_change_members_are_bounded),
        unit_test(test_change_merge_is_bounded_and_strict),
        unit_test(test_change_faults_have_their_reasons),
        unit_test(test_change_part_of_a_foreign_list_is_of_all_its_entries),
    };
    return unit_run(tests);
}
