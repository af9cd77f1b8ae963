/* SPDX-License-Identifier: Apache-2.0 */
/* What others ask: who is it, active or not, in which groups, changed when; and who may begin a session. */
#include "directory/people.h"

#include "unit.h"

#include "base/clock.h"
#include "service.h"

/* Our clock, of the database's. */
static apr_interval_time_t ahead;

apr_time_t __wrap_sso_clock_now(void);
apr_time_t __wrap_sso_clock_now(void)
{
    return apr_time_now() + ahead;
}

static int teardown(void **state)
{
    ahead = 0;
    return database_teardown(state);
}

static sso_person_t find(sso_people_match_t match, const char *oid, const char *username)
{
    sso_person_t person;
    const sso_person_key_t key = {SERVICE_APP, match, oid, username};
    assert_rc(SSO_OK, sso_people_find(&unit_ctx, service.ending.store, &key, &person));
    return person;
}

static sso_rc begin(unsigned char number, const char *oid, const char *username, apr_time_t began)
{
    sso_stored_t session = service_session(number, oid, username);
    const sso_people_guard_t guard = {{SERVICE_APP, service.match, oid, username}, began};
    return sso_store_add_if(&unit_ctx, service.ending.store, &session, sso_people_guard, &guard);
}

static void test_people_are_found(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'Ada@X','externalId':'" SERVICE_OID "','active':false}");
    service_make("/Users", "{'userName':'nick@x','externalId':'nick'}");
    sso_person_t person = find(SSO_MATCH_OID, SERVICE_OID, "other@x");
    assert_int_equal(person.state, SSO_PERSON_DISABLED);
    assert_string_equal(person.id, id);
    assert_false(person.by_name);
    assert_true(person.disabled_at > 0);
    assert_int_equal(find(SSO_MATCH_OID, SERVICE_TENANT, "ada@x").state, SSO_PERSON_UNKNOWN);
    person = find(SSO_MATCH_OID, SERVICE_TENANT, "NICK@x");
    assert_int_equal(person.state, SSO_PERSON_ACTIVE);
    assert_true(person.by_name);
    assert_int_equal(find(SSO_MATCH_UPN, SERVICE_TENANT, "ADA@x").state, SSO_PERSON_DISABLED);
    assert_int_equal(find(SSO_MATCH_UPN, SERVICE_OID, "").state, SSO_PERSON_UNKNOWN);
    assert_rc(SSO_OK, sso_people_get(&unit_ctx, service.ending.store, SERVICE_APP, id, &person));
    assert_int_equal(person.state, SSO_PERSON_DISABLED);
    assert_rc(SSO_OK, sso_people_get(&unit_ctx, service.ending.store, SERVICE_OTHER_APP, id, &person));
    assert_int_equal(person.state, SSO_PERSON_UNKNOWN);
}

static void test_people_groups_and_values(void **state)
{
    (void)state;
    const char *id =
        service_make("/Users", "{'userName':'ada@x','name':{'givenName':'Ada'},'emails':[{'type':'home','value':'h'},"
                               "{'type':'work','value':'w','primary':true}],'roles':[{'value':'Admin'}],"
                               "'" ENTERPRISE "':{'department':'Ops'},'" CUSTOM "':{'folders':['a','b']}}");
    service_make("/Groups",
                 apr_psprintf(unit_pool, "{'displayName':'One','externalId':'e','members':[{'value':'%s'}]}", id));
    sso_person_t person;
    apr_array_header_t *groups = apr_array_make(unit_pool, 1, sizeof(sso_person_group_t));
    assert_rc(SSO_OK, sso_people_get(&unit_ctx, service.ending.store, SERVICE_APP, id, &person));
    assert_rc(SSO_OK, sso_people_groups(&unit_ctx, service.ending.store, SERVICE_APP, id, groups));
    assert_int_equal(groups->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(groups, 0, sso_person_group_t).display, "One");
    assert_string_equal(APR_ARRAY_IDX(groups, 0, sso_person_group_t).external_id, "e");
    static const struct {
        const char *name, *values;
    } cases[] = {{"userName", "ada@x"},
                 {"name.givenName", "Ada"},
                 {"emails", "w,h"},
                 {"department", "Ops"},
                 {ENTERPRISE ":department", "Ops"},
                 {"roles", "Admin"},
                 {CUSTOM ":folders", "a,b"},
                 {"active", "true"},
                 {"title", ""},
                 {"nonsense", ""},
                 {"name", ""},
                 {ENTERPRISE, ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *joined = apr_array_pstrcat(unit_pool, sso_person_values(unit_pool, &person, cases[i].name), ',');
        assert_string_equal(joined, cases[i].values);
    }
}

static void test_people_guard(void **state)
{
    (void)state;
    const apr_time_t long_ago = apr_time_now() - apr_time_from_sec(60);
    const apr_time_t later = apr_time_now() + apr_time_from_sec(60);
    assert_rc(SSO_OK, begin(1, SERVICE_OID, "ada@x", long_ago));
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "','active':false}");
    assert_rc(SSO_R_PERSON_DISABLED, begin(2, SERVICE_OID, "ada@x", later));
    assert_int_equal(service_do("DELETE", service_path("Users", id), NULL, NULL), 204);
    assert_rc(SSO_R_PERSON_STALE, begin(3, SERVICE_OID, "ada@x", long_ago));
    assert_rc(SSO_OK, begin(4, SERVICE_OID, "ada@x", later));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_session"), "2");
    /* Unknown is not refused here, nor somebody else of the same name. */
    assert_rc(SSO_OK, begin(5, SERVICE_TENANT, "ada@x", long_ago));
}

static void enable(const char *path, const char *active)
{
    static const char form[] = SERVICE_PATCH("{'op':'replace','path':'active','value':%s}");
    assert_int_equal(service_do("PATCH", path, NULL, apr_psprintf(unit_pool, form, active)), 200);
}

/* SECURITY: a disabling may follow within a millisecond, which is the finest that SQLite has. And who begins after it
 * may enter. */
static void test_people_guard_to_the_microsecond(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "'}");
    const char *path = service_path("Users", id);
    for (unsigned char i = 1; i <= 100; i++) {
        const apr_time_t before = sso_clock_now();
        enable(path, "false");
        enable(path, "true");
        assert_rc(SSO_R_PERSON_STALE, begin(i, SERVICE_OID, "ada@x", before));
        if (!database_is_pgsql()) { /* whose clock is asked, which takes a while */
            assert_rc(SSO_OK, begin(i, SERVICE_OID, "ada@x", sso_clock_now()));
        }
    }
}

/* The database's clock is another's: here we are ahead of it, and behind. */
static void test_people_guard_of_a_clock_that_differs(void **state)
{
    (void)state;
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "'}");
    const char *path = service_path("Users", id);
    for (int minutes = -10; minutes <= 10; minutes += 20) {
        ahead = apr_time_from_sec(60 * minutes);
        const apr_time_t before = sso_clock_now();
        enable(path, "false");
        enable(path, "true");
        assert_rc(SSO_R_PERSON_STALE, begin(1, SERVICE_OID, "ada@x", before));
        /* A minute later. */
        database_sql("UPDATE entra_scim_barred SET at = at - 60000000");
        assert_rc(SSO_OK, begin((unsigned char)(20 + minutes), SERVICE_OID, "ada@x", sso_clock_now()));
    }
}

/* How many are told of; then nobody is, until something changes again. */
static int changes(sso_person_change_t *ret_first)
{
    apr_array_header_t *list = apr_array_make(unit_pool, 4, sizeof(sso_person_change_t));
    assert_rc(SSO_OK, sso_people_changed(&unit_ctx, service.ending.store, apr_time_from_sec(60), list));
    if (list->nelts > 0) {
        *ret_first = APR_ARRAY_IDX(list, 0, sso_person_change_t);
    }
    database_sql("UPDATE entra_scim_user SET touched = 1");
    return list->nelts;
}

static void test_people_changes_are_told(void **state)
{
    (void)state;
    sso_person_change_t change = {NULL, NULL, NULL, NULL, 0};
    const char *id = service_make("/Users", "{'userName':'ada@x','externalId':'" SERVICE_OID "'}");
    assert_int_equal(changes(&change), 1);
    assert_string_equal(change.id, id);
    assert_string_equal(change.oid, SERVICE_OID);
    assert_string_equal(change.user_key, "ada@x");
    assert_int_equal(changes(&change), 0);
    const char *with = apr_psprintf(unit_pool, "'members':[{'value':'%s'}]}", id);
    const char *group = service_make("/Groups", apr_pstrcat(unit_pool, "{'displayName':'One',", with, NULL));
    assert_int_equal(changes(&change), 1);
    const char *path = service_path("Groups", group);
    assert_int_equal(service_do("PUT", path, NULL, apr_pstrcat(unit_pool, "{'displayName':'Two',", with, NULL)), 200);
    assert_int_equal(changes(&change), 1);
    assert_int_equal(service_do("DELETE", path, NULL, NULL), 204);
    assert_int_equal(changes(&change), 1);
    assert_int_equal(service_do("DELETE", service_path("Users", id), NULL, NULL), 204);
    change.id = "";
    assert_int_equal(changes(&change), 1);
    assert_string_equal(change.id, id);
    assert_string_equal(change.oid, SERVICE_OID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_people_are_found),
        service_test(test_people_groups_and_values),
        service_test(test_people_guard),
        service_test(test_people_guard_to_the_microsecond),
        cmocka_unit_test_setup_teardown(test_people_guard_of_a_clock_that_differs, service_setup, teardown),
        service_test(test_people_changes_are_told),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
