/* SPDX-License-Identifier: Apache-2.0 */
/* What the directory says of who signs in: who it is, whether they may, groups, attributes; and when that is old. */
#include "flow/directory.h"

#include "unit.h"

#include "site.h"

#include "people.h"

#define TAGS "scim:urn:ietf:params:scim:schemas:extension:Corp:2.0:User:tags"
#define ADA                                                                                                            \
    "{\"userName\":\"Ada@example.com\",\"externalId\":\"" PEOPLE_OID "\","                                             \
    "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"department\":\"Press\"},"                       \
    "\"urn:ietf:params:scim:schemas:extension:Corp:2.0:User\":{\"tags\":[\"a\",\"b\"]}}"
#define NAMESAKE "{\"userName\":\"ada@example.com\",\"externalId\":\"ada\"}"

static sso_site_t *site(void)
{
    return &site_world->site;
}

static void test_directory_without_one_nothing_happens(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    site()->directory = NULL;
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.claims.count, 0);
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
}

static void test_directory_fills_groups_and_attributes(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *id = people_add(ADA);
    people_add_group(PEOPLE_GROUP, "Finance", id);
    people_add_group("22222222-2222-4222-8222-222222222222", "payroll READERS", id);
    people_add_group("33333333-3333-4333-8333-333333333333", "Nobody's", NULL);
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    /* As the configuration writes them. */
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"), "Payroll Readers|" PEOPLE_GROUP);
    assert_string_equal(people_claim(&record, "scim:department"), "Press");
    assert_string_equal(people_claim(&record, TAGS), "a|b");
    /* Once more: nothing stands twice. */
    unsigned count = record.claims.count;
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.claims.count, count);
}

static void test_directory_all_groups_are_object_ids(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    sso_group_policy_t all = *site()->groups;
    const char *id = people_add(ADA);
    people_add_group(PEOPLE_GROUP, "Finance", id);
    people_add_group("22222222-2222-4222-8222-222222222222", "Staff", id);
    people_add_group("none", "Payroll Readers", id);
    all.all = true;
    site()->groups = &all;
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"),
                        "Payroll Readers|" PEOPLE_GROUP "|22222222-2222-4222-8222-222222222222");
}

static void test_directory_leaves_a_tokens_groups_where_it_is_not_their_source(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *of_token[] = {"of-token"};
    apr_array_header_t *groups = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(groups, const char *) = of_token[0];
    record.groups = sso_list_make(unit_pool, groups);
    people_policy.groups = false;
    people_add_group(PEOPLE_GROUP, "Finance", people_add(ADA));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"), "of-token");
    sso_directory_strip(&unit_ctx, site(), &record);
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"), "of-token");
    assert_null(people_claim(&record, "scim:department"));
}

static void test_directory_who_is_disabled_is_refused(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *id = people_add(ADA);
    people_patch(SSO_SCIM_USER, id, PEOPLE_PATCH("{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"}"));
    assert_rc(SSO_R_PERSON_DISABLED, sso_directory_fill(&unit_ctx, site(), &record));
    people_patch(SSO_SCIM_USER, id, PEOPLE_PATCH("{\"op\":\"replace\",\"path\":\"active\",\"value\":true}"));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
}

static void test_directory_who_is_unknown_may_enter_unless_required(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.groups.count, 0);
    people_policy.required = true;
    assert_rc(SSO_R_DIRECTORY_UNKNOWN, sso_directory_fill(&unit_ctx, site(), &record));
    people_add(ADA);
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
}

static void test_directory_a_name_alone_brings_nothing_by_oid_and_all_by_upn(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *id = people_add(NAMESAKE);
    people_add_group(PEOPLE_GROUP, "Finance", id);
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.groups.count, 0);
    people_policy.required = true;
    assert_rc(SSO_R_DIRECTORY_UNKNOWN, sso_directory_fill(&unit_ctx, site(), &record));
    people_policy.match = SSO_MATCH_UPN;
    record.username = "ADA@Example.com";
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"), PEOPLE_GROUP);
    /* Whoever is disabled stays out, however they are found. */
    people_policy.match = SSO_MATCH_OID;
    people_patch(SSO_SCIM_USER, id, PEOPLE_PATCH("{\"op\":\"replace\",\"path\":\"active\",\"value\":false}"));
    assert_rc(SSO_R_PERSON_DISABLED, sso_directory_fill(&unit_ctx, site(), &record));
}

static void test_directory_a_first_sign_in_makes_a_row_that_opens_nothing(void **state)
{
    (void)state;
    const sso_scim_t scim = {.app = SITE_APP, .match = SSO_MATCH_OID, .ending = {site()->store, site()->ended}};
    sso_record_t record = people_record();
    sso_person_t person;
    const sso_person_key_t key = {SITE_APP, SSO_MATCH_OID, PEOPLE_OID, "ada@example.com"};
    site()->scim = &scim;
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    /* Only where it is wanted. */
    sso_directory_introduce(&unit_ctx, site(), &record);
    assert_rc(SSO_OK, sso_people_find(&unit_ctx, site()->store, &key, &person));
    assert_int_equal(person.state, SSO_PERSON_UNKNOWN);
    people_policy.introduces = true;
    sso_directory_introduce(&unit_ctx, site(), &record);
    assert_rc(SSO_OK, sso_people_find(&unit_ctx, site()->store, &key, &person));
    assert_int_equal(person.state, SSO_PERSON_ACTIVE);
    assert_true(person.jit);
    const char *id = person.id;
    /* The second of two at once changes nothing, and is no fault. */
    sso_directory_introduce(&unit_ctx, site(), &record);
    assert_rc(SSO_OK, unit_ctx.fault.rc);
    people_policy.required = true;
    assert_rc(SSO_R_DIRECTORY_UNKNOWN, sso_directory_fill(&unit_ctx, site(), &record));
    /* Somebody else becomes this user: the row of the sign-in gives way. */
    const char *other = people_add("{\"userName\":\"b@example.com\"}");
    people_patch(SSO_SCIM_USER, other,
                 PEOPLE_PATCH("{\"op\":\"add\",\"path\":\"externalId\",\"value\":\"" PEOPLE_OID "\"}"));
    assert_rc(SSO_OK, sso_people_get(&unit_ctx, site()->store, SITE_APP, id, &person));
    assert_int_equal(person.state, SSO_PERSON_UNKNOWN);
    (void)people_change(SSO_PROVISION_DELETE, SSO_SCIM_USER, other, NULL);
    people_policy.required = false;
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    sso_directory_introduce(&unit_ctx, site(), &record);
    assert_rc(SSO_OK, sso_people_find(&unit_ctx, site()->store, &key, &person));
    assert_true(person.jit);
    id = person.id;
    people_policy.required = true;
    assert_string_equal(people_add(ADA), id);
    assert_rc(SSO_OK, sso_people_find(&unit_ctx, site()->store, &key, &person));
    assert_false(person.jit);
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_string_equal(people_claim(&record, "scim:department"), "Press");
}

static void test_directory_no_control_character_becomes_a_claim(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    people_add("{\"userName\":\"ada@example.com\",\"externalId\":\"" PEOPLE_OID "\","
               "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"department\":\"a\\r\\nX-Evil: 1\"}}");
    assert_rc(SSO_R_DIRECTORY_VALUE, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.claims.count, 0);
}

static void test_directory_failure_is_no_person_without_groups(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    site()->store = NULL;
    assert_rc(SSO_R_STORE_AWAY, sso_directory_fill(&unit_ctx, site(), &record));
}

static void test_directory_a_record_is_stale_after_a_change(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *id = people_add(ADA);
    /* Never read. */
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    people_poll();
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    const char *group = people_add_group(PEOPLE_GROUP, "Finance", id);
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_string_equal(sso_list_join(unit_pool, &record.groups, "|"), PEOPLE_GROUP);
    people_patch(SSO_SCIM_GROUP, group, PEOPLE_PATCH("{\"op\":\"remove\",\"path\":\"members\"}"));
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_int_equal(record.groups.count, 0);
    people_patch(SSO_SCIM_USER, id, PEOPLE_PATCH("{\"op\":\"add\",\"path\":\"title\",\"value\":\"Lead\"}"));
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
}

static void test_directory_who_was_unknown_becomes_known(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    const char *id = people_add(ADA);
    /* Not in the same millisecond as what follows. */
    database_sql("UPDATE entra_scim_user SET touched = touched - 5000 RETURNING id");
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_string_equal(people_claim(&record, "scim:department"), "Press");
    (void)people_change(SSO_PROVISION_DELETE, SSO_SCIM_USER, id, NULL);
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_null(people_claim(&record, "scim:department"));
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
}

static void test_directory_who_went_came_and_went_between_two_looks_is_gone(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    const char *id = people_add(ADA);
    database_sql("UPDATE entra_scim_user SET touched = touched - 5000 RETURNING id");
    people_poll();
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    (void)people_change(SSO_PROVISION_DELETE, SSO_SCIM_USER, id, NULL);
    (void)people_change(SSO_PROVISION_DELETE, SSO_SCIM_USER, people_add(ADA), NULL);
    people_poll();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
}

static void test_directory_is_stale_while_the_table_is_blind(void **state)
{
    (void)state;
    sso_record_t record = people_record();
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_false(sso_directory_is_stale(&unit_ctx, site(), &record));
    site()->touched = people_table();
    assert_true(sso_directory_is_stale(&unit_ctx, site(), &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        people_test(test_directory_without_one_nothing_happens),
        people_test(test_directory_fills_groups_and_attributes),
        people_test(test_directory_all_groups_are_object_ids),
        people_test(test_directory_leaves_a_tokens_groups_where_it_is_not_their_source),
        people_test(test_directory_who_is_disabled_is_refused),
        people_test(test_directory_who_is_unknown_may_enter_unless_required),
        people_test(test_directory_a_name_alone_brings_nothing_by_oid_and_all_by_upn),
        people_test(test_directory_a_first_sign_in_makes_a_row_that_opens_nothing),
        people_test(test_directory_no_control_character_becomes_a_claim),
        people_test(test_directory_failure_is_no_person_without_groups),
        people_test(test_directory_a_record_is_stale_after_a_change),
        people_test(test_directory_who_was_unknown_becomes_known),
        people_test(test_directory_who_went_came_and_went_between_two_looks_is_gone),
        people_test(test_directory_is_stale_while_the_table_is_blind),
    };
    return site_run(tests);
}
