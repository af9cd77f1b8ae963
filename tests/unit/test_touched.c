/* SPDX-License-Identifier: Apache-2.0 */
/* The table of changed people: what it says, with many processes, without room, and how it keeps up. */
#include "directory/touched.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "site.h"

#include "people.h"

#define NOW SSO_TEST_NOW

static sso_touched_t *table;

static int setup(void **state)
{
    table = mmap(NULL, sso_touched_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return table == MAP_FAILED ? -1 : unit_setup(state);
}

static int teardown(void **state)
{
    munmap(table, sso_touched_size());
    return unit_teardown(state);
}

#define table_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void test_touched_keys_are_of_kind_application_and_name(void **state)
{
    (void)state;
    uint64_t key = sso_touched_key(unit_pool, SSO_TOUCHED_ID, "app", "name");
    assert_true(key == sso_touched_key(unit_pool, SSO_TOUCHED_ID, "app", "name"));
    assert_true(key != sso_touched_key(unit_pool, SSO_TOUCHED_OID, "app", "name"));
    assert_true(key != sso_touched_key(unit_pool, SSO_TOUCHED_ID, "other", "name"));
    assert_true(key != sso_touched_key(unit_pool, SSO_TOUCHED_ID, "app", "other"));
}

static void test_touched_moments_only_grow_and_are_told_once(void **state)
{
    (void)state;
    assert_int_equal(sso_touched_at(table, 5), 0);
    assert_true(sso_touched_note(table, 5, NOW, NOW));
    assert_false(sso_touched_note(table, 5, NOW, NOW));
    assert_false(sso_touched_note(table, 5, NOW - 1, NOW));
    assert_int_equal(sso_touched_at(table, 5), NOW);
    assert_true(sso_touched_note(table, 5, NOW + 1, NOW));
    assert_int_equal(sso_touched_at(table, 5), NOW + 1);
    assert_int_equal(sso_touched_at(table, 6), 0);
}

/* Keys of one set. */
static uint64_t crowded(unsigned n)
{
    return 9 + (uint64_t)n * SSO_TOUCHED_SETS;
}

static void test_touched_without_room_is_blind(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SSO_TOUCHED_WAYS; i++) {
        assert_true(sso_touched_note(table, crowded(i), NOW, NOW));
        assert_int_equal(sso_touched_at(table, crowded(i)), NOW);
    }
    assert_true(sso_touched_note(table, crowded(SSO_TOUCHED_WAYS), NOW, NOW));
    assert_int_equal(sso_touched_at(table, crowded(SSO_TOUCHED_WAYS)), 0);
    assert_true(sso_touched_is_blind(table, NOW));
    assert_true(sso_touched_is_blind(table, NOW + 8 * SITE_HOUR));
}

static void test_touched_of_two_processes_one_is_first(void **state)
{
    (void)state;
    enum { PROCESSES = 4, KEYS = 500 };
    pid_t pids[PROCESSES];
    int firsts = 0;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            int mine = 0;
            for (uint64_t key = 1; key <= KEYS; key++) {
                mine += sso_touched_note(table, key * 7919, NOW, NOW) ? 1 : 0;
            }
            _exit(write(ends[1], &mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = 1;
        int mine = 0;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &mine, sizeof(mine)), sizeof(mine));
        firsts += mine;
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(firsts, KEYS);
}

static apr_time_t moment_of(sso_touched_kind_t kind, const char *name)
{
    return sso_touched_at(site_world->site.touched, sso_touched_key(unit_pool, kind, SITE_APP, name));
}

static void test_touched_poll_learns_of_people_by_all_names(void **state)
{
    (void)state;
    sso_touched_t *touched = site_world->site.touched = people_table();
    assert_true(sso_touched_is_blind(touched, unit_ctx.now));
    const char *id = people_add("{\"userName\":\"Ada@Example.com\",\"externalId\":\"" PEOPLE_OID "\"}");
    assert_int_equal(moment_of(SSO_TOUCHED_ID, id), 0);
    people_poll();
    assert_false(sso_touched_is_blind(touched, unit_ctx.now));
    apr_time_t made = moment_of(SSO_TOUCHED_ID, id);
    assert_true(made > 0);
    assert_int_equal(moment_of(SSO_TOUCHED_OID, PEOPLE_OID), made);
    assert_int_equal(moment_of(SSO_TOUCHED_NAME, "ada@example.com"), made);
    people_poll();
    assert_int_equal(moment_of(SSO_TOUCHED_ID, id), made);
    people_patch(SSO_SCIM_USER, id, PEOPLE_PATCH("{\"op\":\"add\",\"path\":\"title\",\"value\":\"Lead\"}"));
    people_poll();
    assert_true(moment_of(SSO_TOUCHED_ID, id) > made);
}

/* A change of before the last good poll is seen when a gap makes the next one read everything. */
static void test_touched_poll_reads_everything_after_a_gap(void **state)
{
    (void)state;
    const char *id = people_add("{\"userName\":\"ada@example.com\"}");
    database_sql("UPDATE entra_scim_user SET touched = touched - 3600000000 RETURNING id");
    people_poll();
    assert_int_equal(moment_of(SSO_TOUCHED_ID, id), 0);
    unit_ctx.now += 11 * SITE_MINUTE;
    people_poll();
    assert_true(moment_of(SSO_TOUCHED_ID, id) > 0);
}

/* The same without a gap, in a while: a transaction may last, and the database's clock jump. */
static void test_touched_poll_reads_everything_now_and_then(void **state)
{
    (void)state;
    const char *id = people_add("{\"userName\":\"ada@example.com\"}");
    database_sql("UPDATE entra_scim_user SET touched = touched - 3600000000 RETURNING id");
    for (int minute = 0; minute < 10; minute++) {
        people_poll();
        assert_int_equal(moment_of(SSO_TOUCHED_ID, id), 0);
        unit_ctx.now += SITE_MINUTE;
    }
    people_poll();
    assert_true(moment_of(SSO_TOUCHED_ID, id) > 0);
}

/* What has no room is read again and again: it is forgotten when it is too old to matter, and not later. */
static void test_touched_of_what_has_no_room_is_blind_for_its_time_alone(void **state)
{
    (void)state;
    sso_touched_t *touched = site_world->site.touched;
    const char *id = people_add("{\"userName\":\"ada@example.com\"}");
    uint64_t key = sso_touched_key(unit_pool, SSO_TOUCHED_ID, SITE_APP, id);
    for (unsigned i = 1; i <= SSO_TOUCHED_WAYS; i++) {
        (void)sso_touched_note(touched, key + (uint64_t)i * SSO_TOUCHED_SETS, apr_time_now(), unit_ctx.now);
    }
    people_poll();
    assert_int_equal(moment_of(SSO_TOUCHED_ID, id), 0);
    assert_true(sso_touched_is_blind(touched, unit_ctx.now + 8 * SITE_HOUR));
    /* An hour later by all clocks. */
    database_sql("UPDATE entra_scim_user SET touched = touched - 3600000000 RETURNING id");
    const apr_time_t over = unit_ctx.now + 9 * SITE_HOUR + SITE_MINUTE;
    unit_ctx.now += SITE_HOUR;
    people_poll();
    assert_true(sso_touched_is_blind(touched, over - 2 * SITE_MINUTE));
    assert_false(sso_touched_is_blind(touched, over));
}

static void test_touched_poll_without_the_database_says_so(void **state)
{
    (void)state;
    database_sql("DROP TABLE entra_scim_user");
    sso_touched_t *touched = people_table();
    assert_rc(SSO_R_STORE_FAILED, sso_touched_poll(&unit_ctx, touched, site_world->site.store));
    assert_true(sso_touched_is_blind(touched, unit_ctx.now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(test_touched_keys_are_of_kind_application_and_name),
        table_test(test_touched_moments_only_grow_and_are_told_once),
        table_test(test_touched_without_room_is_blind),
        table_test(test_touched_of_two_processes_one_is_first),
        people_test(test_touched_poll_learns_of_people_by_all_names),
        people_test(test_touched_poll_reads_everything_after_a_gap),
        people_test(test_touched_poll_reads_everything_now_and_then),
        people_test(test_touched_of_what_has_no_room_is_blind_for_its_time_alone),
        people_test(test_touched_poll_without_the_database_says_so),
    };
    return site_run(tests);
}
