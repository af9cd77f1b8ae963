/* SPDX-License-Identifier: Apache-2.0 */
/* The key file on disk: its text, and who may read it. Its making and its lines are in test_seal.c. */
#include "base/keyring.h"

#include "unit.h"

#include "base/limits.h"
#include "files.h"

static void test_keyring_read_gives_the_text(void **state)
{
    (void)state;
    const char *text = NULL;
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, file_of("# a note\n", 9, 0600), &text));
    assert_string_equal(text, "# a note\n");
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, file_of("", 0, 0400), &text));
    assert_string_equal(text, "");
}

static void test_keyring_read_largest_file_is_whole(void **state)
{
    (void)state;
    const char *text = NULL;
    char *large = apr_palloc(unit_pool, SSO_MAX_KEYFILE + 1);
    memset(large, '#', SSO_MAX_KEYFILE + 1);
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, file_of(large, SSO_MAX_KEYFILE, 0600), &text));
    assert_int_equal(strlen(text), SSO_MAX_KEYFILE);
    assert_rc(SSO_R_KEYFILE_FORMAT,
              sso_keyring_read(&unit_ctx, unit_pool, file_of(large, SSO_MAX_KEYFILE + 1, 0600), &text));
}

static void test_keyring_read_unfit_file_is_refused(void **state)
{
    (void)state;
    const char *text = NULL;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0644};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_rc(SSO_R_KEYFILE_MODE, sso_keyring_read(&unit_ctx, unit_pool, file_of("x", 1, modes[i]), &text));
    }
    assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyring_read(&unit_ctx, unit_pool, file_of("a\0b", 3, 0600), &text));
    assert_rc(SSO_R_KEYFILE_MISSING, sso_keyring_read(&unit_ctx, unit_pool, "/nonexistent/keys", &text));
    assert_rc(SSO_R_KEYFILE_MODE, sso_keyring_read(&unit_ctx, unit_pool, "/tmp", &text));
    const char *path = file_of("x", 1, 0600);
    const char *name = apr_pstrcat(unit_pool, path, ".link", NULL);
    assert_int_equal(symlink(path, name), 0);
    assert_rc(SSO_R_KEYFILE_MODE, sso_keyring_read(&unit_ctx, unit_pool, name, &text));
    unlink(name);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_keyring_read_gives_the_text),
        unit_test(test_keyring_read_largest_file_is_whole),
        unit_test(test_keyring_read_unfit_file_is_refused),
    };
    return unit_run(tests);
}
