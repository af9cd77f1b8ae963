/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/tally.c: what is counted in the database, how seldom, and that its absence fails nothing. */
#include "directory/tally.h"

#include "unit.h"

#include "base/counters.h"
#include "service.h"

#define LIFE apr_time_from_sec(365 * 86400)

static sso_tally_t read_tally(const char *app)
{
    sso_tally_t tally;
    assert_rc(SSO_OK, sso_tally_count(&unit_ctx, service.ending.store, app, &tally));
    return tally;
}

static void add_session(unsigned char number)
{
    sso_stored_t session = service_session(number, SERVICE_OID, "ada@x");
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, service.ending.store, &session));
}

static int64_t noted(sso_note_t note)
{
    return sso_counters_note(unit_ctx.counters, note);
}

static void keep(void)
{
    sso_tally_keep(&unit_ctx, service.ending.store, service.ending.ended, SERVICE_APP);
}

static void test_tally_counts_what_is_of_the_application(void **state)
{
    (void)state;
    static const unsigned char second[SSO_SESSION_ID_BYTES] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    const sso_store_which_t which = {.id = second};
    apr_array_header_t *ended = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    for (unsigned char i = 1; i <= 3; i++) {
        add_session(i);
    }
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, service.ending.store, &which, "test", "tester", ended));
    service_make("/Users", "{'userName':'ada@x'}");
    service_make("/Users", "{'userName':'bob@x','active':false}");
    service_make("/Groups", "{'displayName':'Staff'}");
    sso_tally_t tally = read_tally(SERVICE_APP);
    assert_int_equal(tally.sessions, 2);
    assert_int_equal(tally.users, 2);
    assert_int_equal(tally.active, 1);
    assert_int_equal(tally.groups, 1);
    assert_int_equal(tally.tokens, 1);
    assert_int_equal(tally.token_soonest, SSO_TEST_NOW + LIFE);
    assert_int_equal(tally.token_latest, SSO_TEST_NOW + LIFE);
    tally = read_tally(SERVICE_OTHER_APP);
    assert_int_equal(tally.sessions + tally.users + tally.active + tally.groups + tally.tokens, 0);
    assert_int_equal(tally.token_latest, 0);
}

static void test_tally_of_what_is_over(void **state)
{
    (void)state;
    add_session(1);
    unit_ctx.now += LIFE;
    sso_tally_t tally = read_tally(SERVICE_APP);
    assert_int_equal(tally.sessions, 0);
    assert_int_equal(tally.tokens, 0);
    assert_int_equal(tally.token_soonest, 0);
    /* It tells when provisioning stopped. */
    assert_int_equal(tally.token_latest, SSO_TEST_NOW + LIFE);
}

static void test_tally_is_kept_for_ten_seconds(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    add_session(1);
    keep();
    assert_int_equal(noted(SSO_NOTE_TALLY_FAILED), 0);
    assert_int_equal(noted(SSO_NOTE_TALLY_SESSIONS), 1);
    assert_int_equal(noted(SSO_NOTE_TALLY_READ), SSO_TEST_NOW);
    add_session(2);
    unit_ctx.now += apr_time_from_sec(10) - 1;
    keep();
    assert_int_equal(noted(SSO_NOTE_TALLY_SESSIONS), 1);
    unit_ctx.now += 1;
    keep();
    assert_int_equal(noted(SSO_NOTE_TALLY_SESSIONS), 2);
    /* A clock that was set back. */
    add_session(3);
    unit_ctx.now -= apr_time_from_sec(60);
    keep();
    assert_int_equal(noted(SSO_NOTE_TALLY_SESSIONS), 3);
}

static void test_tally_tells_ended_sessions_of_the_node(void **state)
{
    (void)state;
    static const unsigned char id[SSO_SESSION_ID_BYTES] = {9};
    static const unsigned char over[SSO_SESSION_ID_BYTES] = {8};
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    assert_true(sso_ended_add(service.ending.ended, id, unit_ctx.now + 60, false, unit_ctx.now));
    assert_true(sso_ended_add(service.ending.ended, over, unit_ctx.now, false, unit_ctx.now - 1));
    keep();
    assert_int_equal(noted(SSO_NOTE_TALLY_ENDED), 1);
}

static void test_tally_without_a_database_fails_nothing(void **state)
{
    (void)state;
    sso_tally_t tally;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    add_session(1);
    keep();
    unit_ctx.now += apr_time_from_sec(60);
    sso_tally_keep(&unit_ctx, NULL, service.ending.ended, SERVICE_APP);
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_int_equal(noted(SSO_NOTE_TALLY_FAILED), 1);
    assert_int_equal(noted(SSO_NOTE_TALLY_SESSIONS), 1);
    assert_int_equal(noted(SSO_NOTE_TALLY_READ), SSO_TEST_NOW);
    assert_rc(SSO_R_STORE_AWAY, sso_tally_count(&unit_ctx, NULL, SERVICE_APP, &tally));
    /* Nobody counts here at all. */
    unit_ctx.counters = NULL;
    keep();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_tally_counts_what_is_of_the_application),
        service_test(test_tally_of_what_is_over),
        service_test(test_tally_is_kept_for_ten_seconds),
        service_test(test_tally_tells_ended_sessions_of_the_node),
        service_test(test_tally_without_a_database_fails_nothing),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
