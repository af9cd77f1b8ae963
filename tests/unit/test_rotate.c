/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of the key file: nobody is signed out, nothing half is ever there, and two at once do not meet. */
#include "base/rotate.h"

#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/keyring.h"
#include "base/limits.h"
#include "base/seal.h"

#define HOUR apr_time_from_sec(3600)
#define KEEP (9 * HOUR)

static char folder[64];
static const char *path;

static int setup(void **state)
{
    bool made;
    if (unit_setup(state) != 0) {
        return -1;
    }
    snprintf(folder, sizeof(folder), "/tmp/entra_rotate.XXXXXX");
    if (mkdtemp(folder) == NULL || sso_crypto_init(&unit_ctx, unit_process_pool) != SSO_OK) {
        return -1;
    }
    path = apr_pstrcat(unit_pool, folder, "/cookie.keys", NULL);
    return sso_keyring_make(&unit_ctx, path, &made) == SSO_OK ? 0 : -1;
}

/* How many files are in the folder; with remove they go. */
static int files(bool and_remove)
{
    DIR *dir = opendir(folder);
    int count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            char name[400];
            snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
            count++;
            if (and_remove) {
                unlink(name);
            }
        }
    }
    closedir(dir);
    return count;
}

static int teardown(void **state)
{
    files(true);
    rmdir(folder);
    return unit_teardown(state);
}

static sso_keyring_t *ring(void)
{
    sso_keyring_t *keys = NULL;
    assert_rc(SSO_OK, sso_keyring_load(&unit_ctx, unit_pool, path, &keys));
    return keys;
}

static const char *seal(const sso_keyring_t *keys)
{
    static const unsigned char binding[SSO_BINDING_BYTES];
    const char *text = NULL;
    assert_rc(SSO_OK, sso_seal(&unit_ctx, keys, SSO_PURPOSE_SESSION, binding, "x", 1, &text));
    return text;
}

static bool opens(const sso_keyring_t *keys, const char *text)
{
    static const unsigned char binding[SSO_BINDING_BYTES];
    unsigned char *data;
    apr_size_t len;
    sso_rc rc = sso_open(&unit_ctx, keys, SSO_PURPOSE_SESSION, binding, text, strlen(text), &data, &len);
    assert_true(rc == SSO_OK || rc == SSO_R_SEAL_KEY);
    sso_fault_clear(&unit_ctx);
    return rc == SSO_OK;
}

static sso_rotation_t rotated(void)
{
    sso_rotation_t rotation = {.id = NULL};
    assert_rc(SSO_OK, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    return rotation;
}

static sso_rotation_t prepared(void)
{
    sso_rotation_t rotation = {.id = NULL};
    assert_rc(SSO_OK, sso_keyfile_prepare(&unit_ctx, path, &rotation));
    return rotation;
}

/* The id of the key that seals. */
static const char *sealing_id(const sso_keyring_t *keys)
{
    apr_size_t len;
    const char *text = seal(keys);
    unsigned char *raw = sso_base64url_decode(unit_pool, text, strlen(text), &len);
    return sso_hex(unit_pool, raw + 1, 4);
}

static void test_rotate_new_key_seals_and_old_one_opens(void **state)
{
    (void)state;
    const char *before = seal(ring());
    unit_ctx.now += HOUR;
    sso_rotation_t rotation = rotated();
    assert_int_equal(rotation.kept, 1);
    assert_int_equal(rotation.dropped, 0);
    assert_false(rotation.was_prepared);
    assert_true(opens(ring(), before));
    assert_string_equal(sealing_id(ring()), rotation.id);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(files(false), 2); /* and the lock */
}

static void test_rotate_drops_what_no_session_can_need(void **state)
{
    (void)state;
    const char *first = seal(ring());
    unit_ctx.now += 100 * HOUR;
    /* The first sealed until now, however old it is. */
    assert_int_equal(rotated().dropped, 0);
    const char *second = seal(ring());
    unit_ctx.now += KEEP;
    assert_int_equal(rotated().dropped, 0);
    assert_true(opens(ring(), first));
    unit_ctx.now += apr_time_from_sec(1);
    sso_rotation_t rotation = rotated();
    assert_int_equal(rotation.dropped, 1);
    assert_int_equal(rotation.kept, 2);
    assert_false(opens(ring(), first));
    assert_true(opens(ring(), second));
}

static void test_rotate_prepared_key_waits_and_is_then_taken(void **state)
{
    (void)state;
    const char *old = sealing_id(ring());
    sso_rotation_t first = prepared(); /* in the second in which the file was made */
    assert_false(first.was_prepared);
    assert_string_equal(sealing_id(ring()), old);
    assert_int_equal(sso_keyring_size(ring()), 2);
    sso_rotation_t again = prepared();
    assert_true(again.was_prepared);
    assert_string_equal(again.id, first.id);
    assert_int_equal(sso_keyring_size(ring()), 2);
    const char *sealed = seal(ring());
    unit_ctx.now += 30 * HOUR;
    sso_rotation_t rotation = rotated();
    assert_true(rotation.was_prepared);
    assert_string_equal(rotation.id, first.id);
    assert_string_equal(sealing_id(ring()), first.id);
    assert_int_equal(sso_keyring_size(ring()), 2);
    /* It seals since now and not since it was prepared, so the old one is kept for as long as it is needed. */
    unit_ctx.now += HOUR;
    rotation = rotated();
    assert_false(rotation.was_prepared);
    assert_int_equal(rotation.dropped, 0);
    assert_true(opens(ring(), sealed));
}

static void test_rotate_with_a_clock_set_back_keeps_the_order(void **state)
{
    (void)state;
    unit_ctx.now += 10 * HOUR;
    sso_rotation_t ahead = rotated();
    unit_ctx.now -= 5 * HOUR;
    sso_rotation_t back = rotated();
    assert_false(back.was_prepared);
    assert_string_not_equal(back.id, ahead.id);
    assert_string_equal(sealing_id(ring()), back.id);
    back = rotated();
    assert_false(back.was_prepared);
    assert_int_equal(back.dropped, 0);
    assert_int_equal(sso_keyring_size(ring()), 4);
}

static void test_rotate_of_a_full_file_is_refused(void **state)
{
    (void)state;
    sso_rotation_t rotation;
    for (int i = 1; i < SSO_MAX_RING_KEYS; i++) {
        unit_ctx.now += apr_time_from_sec(1);
        rotated();
    }
    const char *id = sealing_id(ring());
    assert_rc(SSO_R_KEYFILE_FULL, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    assert_rc(SSO_R_KEYFILE_FULL, sso_keyfile_prepare(&unit_ctx, path, &rotation));
    assert_string_equal(sealing_id(ring()), id);
    unit_ctx.now += 10 * HOUR;
    assert_int_equal(rotated().dropped, SSO_MAX_RING_KEYS - 1);
}

static void test_rotate_while_another_does_is_refused(void **state)
{
    (void)state;
    sso_rotation_t rotation;
    int fd = open(apr_pstrcat(unit_pool, path, ".lock", NULL), O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_rc(SSO_R_KEYFILE_BUSY, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    close(fd);
    rotated();
}

/* Of a file that httpd would not start with, no other is made. */
static void test_rotate_of_a_bad_file_leaves_it(void **state)
{
    (void)state;
    sso_rotation_t rotation;
    const char *text;
    chmod(path, 0644);
    assert_rc(SSO_R_KEYFILE_MODE, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    assert_rc(SSO_R_KEYFILE_MODE, sso_keyfile_text(&unit_ctx, path, &text));
    chmod(path, 0600);
    FILE *file = fopen(path, "a");
    fputs("key and rubbish\n", file);
    fclose(file);
    assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    assert_int_equal(unlink(path), 0);
    assert_rc(SSO_R_KEYFILE_MISSING, sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation));
    assert_int_equal(files(false), 1);
}

static void test_rotate_that_cannot_be_written_changes_nothing(void **state)
{
    (void)state;
    sso_rotation_t rotation;
    struct rlimit before;
    const char *id = sealing_id(ring());
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = {100, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    sso_rc rc = sso_keyfile_rotate(&unit_ctx, path, KEEP, &rotation);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rc, SSO_R_KEYFILE_WRITE);
    sso_fault_clear(&unit_ctx);
    assert_string_equal(sealing_id(ring()), id);
    assert_int_equal(files(false), 2);
}

static void test_rotate_reads_what_people_write(void **state)
{
    (void)state;
    const char *text;
    assert_rc(SSO_OK, sso_keyfile_text(&unit_ctx, path, &text));
    const char *line = strstr(text, "\nkey ") + 1;
    char *copy = apr_pstrdup(unit_pool, line);
    copy[strcspn(copy, "\n")] = '\0';
    const char *before = seal(ring());
    FILE *file = fopen(path, "w");
    fprintf(file,
            "\n  # mine\n\t%s  # made on a 31st\r\n\n"
            "key 00000001 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA 2026-02-31T00:00:00Z",
            copy);
    fclose(file);
    assert_int_equal(rotated().kept, 2);
    assert_true(opens(ring(), before));
    assert_int_equal(sso_keyring_size(ring()), 3);
    assert_rc(SSO_OK, sso_keyfile_text(&unit_ctx, path, &text));
    assert_non_null(strstr(text, "key 00000001 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA "));
}

#define test_of(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_rotate_new_key_seals_and_old_one_opens),
        test_of(test_rotate_drops_what_no_session_can_need),
        test_of(test_rotate_prepared_key_waits_and_is_then_taken),
        test_of(test_rotate_with_a_clock_set_back_keeps_the_order),
        test_of(test_rotate_of_a_full_file_is_refused),
        test_of(test_rotate_while_another_does_is_refused),
        test_of(test_rotate_of_a_bad_file_leaves_it),
        test_of(test_rotate_that_cannot_be_written_changes_nothing),
        test_of(test_rotate_reads_what_people_write),
    };
    return unit_run(tests);
}
