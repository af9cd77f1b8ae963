/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files for tests: made with a content and a mode, removed with the test's pool. */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of that content and mode in a fresh directory, which goes with the test's pool. */
static apr_status_t file_remove(void *path)
{
    unlink(path);
    char *directory = apr_pstrdup(unit_process_pool, path);
    *strrchr(directory, '/') = '\0';
    rmdir(directory);
    return APR_SUCCESS;
}

static const char *file_of(const char *content, apr_size_t len, mode_t mode)
{
    char *directory = apr_pstrdup(unit_pool, "/tmp/sso-unit-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char *path = apr_pstrcat(unit_pool, directory, "/secret", NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    apr_pool_cleanup_register(unit_pool, path, file_remove, apr_pool_cleanup_null);
    return path;
}
