/* SPDX-License-Identifier: Apache-2.0 */
/* Every way in which a file can be changed is seen once. */
#include "base/watch.h"

#include "unit.h"

#include <stdio.h>

#include "files.h"

static void write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void replace(const char *path, const char *text)
{
    const char *aside = apr_pstrcat(unit_pool, path, ".new", NULL);
    write_to(aside, text);
    assert_int_equal(rename(aside, path), 0);
}

static void overwrite(const char *path)
{
    write_to(path, "longer than before");
}

static void move_into_place(const char *path)
{
    replace(path, "secret");
}

static void open_to_all(const char *path)
{
    assert_int_equal(chmod(path, 0644), 0);
}

static void move_times(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void remove_it(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static void test_watch_every_change_is_seen_once(void **state)
{
    (void)state;
    void (*const changes[])(const char *path) = {overwrite, move_into_place, open_to_all, move_times, remove_it};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const char *path = file_of("secret", 6, 0600);
        sso_watch_t watch = {.path = path};
        assert_true(sso_watch_changed(&watch)); /* the first look */
        assert_false(sso_watch_changed(&watch));
        /* The clock of a file system moves in steps of some milliseconds. */
        usleep(20 * 1000);
        changes[i](path);
        assert_true(sso_watch_changed(&watch));
        assert_false(sso_watch_changed(&watch));
    }
}

static void test_watch_file_that_comes_back_is_seen(void **state)
{
    (void)state;
    const char *path = file_of("secret", 6, 0600);
    sso_watch_t watch = {.path = path};
    remove_it(path);
    assert_true(sso_watch_changed(&watch));
    assert_false(sso_watch_changed(&watch));
    write_to(path, "again");
    assert_true(sso_watch_changed(&watch));
    assert_false(sso_watch_changed(&watch));
}

/* Kubernetes swaps a link to a folder: the name stays, what stands behind it does not. */
static void test_watch_link_that_leads_elsewhere_is_seen(void **state)
{
    (void)state;
    const char *one = file_of("same", 4, 0600);
    const char *two = file_of("same", 4, 0600);
    const char *name = apr_pstrcat(unit_pool, one, ".link", NULL);
    assert_int_equal(symlink(one, name), 0);
    sso_watch_t watch = {.path = name};
    assert_true(sso_watch_changed(&watch));
    assert_int_equal(unlink(name), 0);
    assert_int_equal(symlink(two, name), 0);
    assert_true(sso_watch_changed(&watch));
    assert_false(sso_watch_changed(&watch));
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_watch_every_change_is_seen_once),
        unit_test(test_watch_file_that_comes_back_is_seen),
        unit_test(test_watch_link_that_leads_elsewhere_is_seen),
    };
    return unit_run(tests);
}
