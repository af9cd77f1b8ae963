/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are made as a whole or not at all. */
#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "unit.h"

#include "files.h"

static void test_file_is_made_with_its_text_and_mode(void **state)
{
    (void)state;
    const char *path = apr_pstrcat(unit_pool, file_of("", 0, 0600), ".new", NULL);
    struct stat st;
    char text[16] = "";
    assert_int_equal(sso_file_make(path, "some text"), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text) - 1), strlen("some text"));
    close(fd);
    assert_string_equal(text, "some text");
    assert_int_equal(sso_file_sync_folder(unit_pool, path), 0);
    unlink(path);
}

static void test_file_never_takes_what_stands_there(void **state)
{
    (void)state;
    const char *there = file_of("old", 3, 0600);
    const char *link = apr_pstrcat(unit_pool, there, ".link", NULL);
    assert_int_equal(symlink("nowhere", link), 0);
    assert_int_equal(sso_file_make(there, "new"), EEXIST);
    assert_int_equal(sso_file_make(link, "new"), EEXIST);
    unlink(link);
    assert_int_equal(sso_file_make(apr_pstrcat(unit_pool, there, "/below", NULL), "new"), ENOTDIR);
}

static void test_file_says_that_the_folder_is_missing(void **state)
{
    (void)state;
    assert_int_equal(sso_file_sync_folder(unit_pool, "/nonexistent/name"), ENOENT);
    assert_int_equal(sso_file_sync_folder(unit_pool, "/name"), 0);
    assert_int_equal(sso_file_sync_folder(unit_pool, "name"), 0);
}

static void test_file_without_room_is_an_error(void **state)
{
    (void)state;
    const char *path = apr_pstrcat(unit_pool, file_of("", 0, 0600), ".new", NULL);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {4, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int err = sso_file_make(path, "some text");
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err, ENOSPC);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_file_is_made_with_its_text_and_mode),
        unit_test(test_file_never_takes_what_stands_there),
        unit_test(test_file_says_that_the_folder_is_missing),
        unit_test(test_file_without_room_is_an_error),
    };
    return unit_run(tests);
}
