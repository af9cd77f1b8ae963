/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does not know yet outlives the node's memory, and nothing else comes out of the file. */
#include "session/unwritten.h"

#include "unit.h"

#include "files.h"

#include "base/limits.h"

#define HOUR apr_time_from_sec(3600)

static sso_ended_t *table;
static const char *path;

static sso_ended_t *table_make(void)
{
    sso_ended_t *made = calloc(1, sso_ended_size());
    assert_non_null(made);
    apr_pool_cleanup_register(unit_pool, made, unit_free, apr_pool_cleanup_null);
    return made;
}

static int setup(void **state)
{
    if (unit_setup(state) != 0) {
        return -1;
    }
    table = table_make();
    path = file_of("", 0, 0600);
    unlink(path);
    return 0;
}

#define unwritten_test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

static void end(unsigned char n, bool pending)
{
    unsigned char id[SSO_SESSION_ID_BYTES];
    memset(id, n, sizeof(id));
    assert_true(sso_ended_add(table, id, unit_ctx.now + n * HOUR, pending, unit_ctx.now));
}

static sso_rc check(const sso_ended_t *ended, unsigned char n)
{
    unsigned char id[SSO_SESSION_ID_BYTES];
    memset(id, n, sizeof(id));
    sso_rc rc = sso_ended_check(&unit_ctx, ended, id);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static int count_pending(sso_ended_t *ended)
{
    apr_array_header_t *pending = apr_array_make(unit_pool, 1, sizeof(sso_store_ended_t));
    sso_ended_pending(ended, unit_ctx.now, pending);
    return pending->nelts;
}

/* What a new start makes of the file. */
static sso_ended_t *read_back(sso_rc expected, int taken)
{
    sso_ended_t *fresh = table_make();
    int n;
    assert_rc(expected, sso_unwritten_read(&unit_ctx, fresh, path, &n));
    sso_fault_clear(&unit_ctx);
    assert_int_equal(n, taken);
    assert_int_equal(count_pending(fresh), taken);
    return fresh;
}

static void put(const char *text)
{
    path = file_of(text, strlen(text), 0600);
}

static void test_unwritten_endings_come_back_as_pending(void **state)
{
    (void)state;
    end(1, true);
    end(2, false);
    end(3, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    const sso_ended_t *fresh = read_back(SSO_OK, 2);
    assert_int_equal(check(fresh, 1), SSO_R_SESSION_ENDED);
    assert_int_equal(check(fresh, 3), SSO_R_SESSION_ENDED);
    assert_int_not_equal(check(fresh, 2), SSO_R_SESSION_ENDED);
}

static void test_unwritten_file_goes_when_there_is_nothing(void **state)
{
    (void)state;
    end(1, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    assert_int_equal(access(path, F_OK), 0);
    end(1, false);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    read_back(SSO_OK, 0);
}

static void test_unwritten_file_is_replaced_as_a_whole(void **state)
{
    (void)state;
    struct stat st;
    /* Left by a process that died while it wrote. */
    const char *aside = apr_pstrcat(unit_pool, path, ".new", NULL);
    int fd = open(aside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "rubbish", 7), 7);
    close(fd);
    end(1, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    end(2, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    assert_int_not_equal(access(aside, F_OK), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    read_back(SSO_OK, 2);
}

static void test_unwritten_what_is_over_is_not_taken(void **state)
{
    (void)state;
    end(1, true);
    end(4, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    unit_ctx.now += 2 * HOUR;
    read_back(SSO_OK, 1);
}

static void test_unwritten_what_the_store_knows_stays_known(void **state)
{
    (void)state;
    int taken;
    end(1, true);
    assert_rc(SSO_OK, sso_unwritten_save(&unit_ctx, table, path));
    end(1, false);
    assert_rc(SSO_OK, sso_unwritten_read(&unit_ctx, table, path, &taken));
    assert_int_equal(count_pending(table), 0);
}

static void test_unwritten_damaged_lines_do_not_take_the_others_with_them(void **state)
{
    (void)state;
    static const char good[] = "01010101010101010101010101010101 ";
    const char *until = apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, unit_ctx.now + HOUR);
    const char *const bad[] = {
        "\n",
        " \n",
        "01010101010101010101010101010101\n",
        "01010101010101010101010101010101 \n",
        "0101010101010101010101010101010g 1\n",
        apr_pstrcat(unit_pool, "0101010101010101010101010101010 ", until, "\n", NULL),
        apr_pstrcat(unit_pool, good, "0", until, "\n", NULL),
        apr_pstrcat(unit_pool, good, until, " \n", NULL),
        apr_pstrcat(unit_pool, good, "99999999999999999999\n", NULL),
        apr_pstrcat(unit_pool, good, "+", until, "\n", NULL),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(apr_pstrcat(unit_pool, "02020202020202020202020202020202 ", until, "\n", bad[i],
                        "03030303030303030303030303030303 ", until, "\n", NULL));
        const sso_ended_t *fresh = read_back(SSO_R_UNWRITTEN_FILE, 2);
        assert_int_equal(check(fresh, 2), SSO_R_SESSION_ENDED);
        assert_int_equal(check(fresh, 3), SSO_R_SESSION_ENDED);
        assert_int_not_equal(check(fresh, 1), SSO_R_SESSION_ENDED);
    }
    put(apr_pstrcat(unit_pool, "02020202020202020202020202020202 ", until, NULL));
    read_back(SSO_R_UNWRITTEN_FILE, 0); /* cut off */
}

static void test_unwritten_moment_beyond_every_session_is_bounded(void **state)
{
    (void)state;
    put("01010101010101010101010101010101 9223372036854775807\n");
    sso_ended_t *fresh = read_back(SSO_OK, 1);
    unit_ctx.now += 3 * SSO_SESSION_CAP;
    assert_int_equal(count_pending(fresh), 0);
}

static void test_unwritten_file_of_others_is_not_believed(void **state)
{
    (void)state;
    int taken;
    const char *until = apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, unit_ctx.now + HOUR);
    const char *text = apr_pstrcat(unit_pool, "01010101010101010101010101010101 ", until, "\n", NULL);
    path = file_of(text, strlen(text), 0666);
    read_back(SSO_R_UNWRITTEN_FILE, 0);
    put(text);
    const char *link = apr_pstrcat(unit_pool, path, ".link", NULL);
    assert_int_equal(symlink(path, link), 0);
    assert_rc(SSO_R_UNWRITTEN_FILE, sso_unwritten_read(&unit_ctx, table, link, &taken));
    unlink(link);
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_R_UNWRITTEN_FILE, sso_unwritten_read(&unit_ctx, table, "/tmp", &taken));
}

static void test_unwritten_file_that_cannot_be_made_is_told(void **state)
{
    (void)state;
    end(1, true);
    assert_rc(SSO_R_UNWRITTEN_FILE, sso_unwritten_save(&unit_ctx, table, "/nonexistent/ended"));
    assert_int_equal(count_pending(table), 1);
}

static void test_unwritten_file_that_cannot_be_removed_is_told(void **state)
{
    (void)state;
    /* Nothing is pending, and a folder is in its place. */
    assert_rc(SSO_R_UNWRITTEN_FILE, sso_unwritten_save(&unit_ctx, table, "/tmp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unwritten_test(test_unwritten_endings_come_back_as_pending),
        unwritten_test(test_unwritten_file_goes_when_there_is_nothing),
        unwritten_test(test_unwritten_file_is_replaced_as_a_whole),
        unwritten_test(test_unwritten_what_is_over_is_not_taken),
        unwritten_test(test_unwritten_what_the_store_knows_stays_known),
        unwritten_test(test_unwritten_damaged_lines_do_not_take_the_others_with_them),
        unwritten_test(test_unwritten_moment_beyond_every_session_is_bounded),
        unwritten_test(test_unwritten_file_of_others_is_not_believed),
        unwritten_test(test_unwritten_file_that_cannot_be_made_is_told),
        unwritten_test(test_unwritten_file_that_cannot_be_removed_is_told),
    };
    return unit_run(tests);
}
