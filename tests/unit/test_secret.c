/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of entra/secret.c: every source, every refusal, and that no secret is ever told. */
#include "entra/secret.h"

#include "unit.h"

#include "base/limits.h"
#include "files.h"
#include "fixture.h"

static sso_rc secret_of(const char *scheme, const char *rest, const char **ret_secret)
{
    bool literal = true;
    sso_rc rc = sso_secret_read(&unit_ctx, unit_pool, apr_pstrcat(unit_pool, scheme, rest, NULL), ret_secret, &literal);
    if (rc == SSO_OK) {
        assert_int_equal(literal, scheme[0] == '\0');
    }
    return rc;
}

static void test_secret_of_a_file_is_cut_and_kept(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_OK, secret_of("file:", file_of("S3cret~value\n", 13, 0600), &secret));
    assert_string_equal(secret, "S3cret~value");
    assert_rc(SSO_OK, secret_of("file:", file_of(" \t a b \r\n\n", 10, 0440), &secret));
    assert_string_equal(secret, "a b");
}

static void test_secret_file_open_to_the_world_is_refused(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_R_SECRET_MODE, secret_of("file:", file_of("secret", 6, 0644), &secret));
    assert_rc(SSO_R_SECRET_MODE, secret_of("file:", file_of("secret", 6, 0602), &secret));
}

static void test_secret_file_that_is_none_is_refused(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", "/nonexistent/secret", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", "", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", "/tmp", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", "/dev/zero", &secret));
    /* A pipe without a writer must not hold the start. */
    const char *path = file_of("", 0, 0600);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", path, &secret));
}

static void test_secret_file_of_bad_content_is_refused(void **state)
{
    (void)state;
    const char *secret;
    char *large = apr_palloc(unit_pool, SSO_MAX_SECRET + 1);
    memset(large, 'x', SSO_MAX_SECRET + 1);
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("file:", file_of("", 0, 0600), &secret));
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("file:", file_of("\n \n", 3, 0600), &secret));
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("file:", file_of("a\0b", 3, 0600), &secret));
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("file:", file_of("\0", 1, 0600), &secret));
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("file:", file_of("a\nb", 3, 0600), &secret));
    assert_rc(SSO_OK, secret_of("file:", file_of(large, SSO_MAX_SECRET, 0600), &secret));
    assert_int_equal(strlen(secret), SSO_MAX_SECRET);
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("file:", file_of(large, SSO_MAX_SECRET + 1, 0600), &secret));
}

static void test_secret_of_a_command_is_its_output(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_OK, secret_of("exec:", "/bin/echo the secret", &secret));
    assert_string_equal(secret, "the secret");
    assert_rc(SSO_OK, secret_of("exec:", "/bin/sh -c 'printf %s-%s a b'", &secret));
    assert_string_equal(secret, "a-b");
    /* No shell reads the command. */
    assert_rc(SSO_OK, secret_of("exec:", "/bin/echo $HOME;id", &secret));
    assert_string_equal(secret, "$HOME;id");
}

static void test_secret_command_that_fails_is_refused(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("exec:", "/bin/sh -c 'echo secret; exit 3'", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("exec:", "/bin/sh -c 'echo secret; kill -9 $$'", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("exec:", "/nonexistent/program", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("exec:", "", &secret));
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("exec:", "/usr/bin/head -c 20000 /dev/zero", &secret));
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("exec:", "/bin/true", &secret));
}

static void test_secret_of_the_environment_is_read(void **state)
{
    (void)state;
    const char *secret;
    setenv("SSO_UNIT_SECRET", "from the environment\n", 1);
    assert_rc(SSO_OK, secret_of("env:", "SSO_UNIT_SECRET", &secret));
    assert_string_equal(secret, "from the environment");
    char *large = apr_pcalloc(unit_pool, SSO_MAX_SECRET + 2);
    memset(large, 'x', SSO_MAX_SECRET + 1);
    setenv("SSO_UNIT_SECRET", large, 1);
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("env:", "SSO_UNIT_SECRET", &secret));
    setenv("SSO_UNIT_SECRET", "", 1);
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("env:", "SSO_UNIT_SECRET", &secret));
    unsetenv("SSO_UNIT_SECRET");
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("env:", "SSO_UNIT_SECRET", &secret));
}

static void test_secret_of_systemd_is_read(void **state)
{
    (void)state;
    const char *secret;
    char *directory = apr_pstrdup(unit_pool, file_of("from systemd", 12, 0400));
    *strrchr(directory, '/') = '\0';
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("credential:", "secret", &secret));
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("credential:", "secret", &secret));
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    assert_rc(SSO_OK, secret_of("credential:", "secret", &secret));
    assert_string_equal(secret, "from systemd");
    static const char *const bad[] = {"", ".", "..", "../secret", "a/b", "/etc/passwd", "absent"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SECRET_SOURCE, secret_of("credential:", bad[i], &secret));
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_secret_literal_secret_is_told_as_such(void **state)
{
    (void)state;
    const char *secret;
    bool literal = false;
    assert_rc(SSO_OK, sso_secret_read(&unit_ctx, unit_pool, "v4l~ue:of.it ", &secret, &literal));
    assert_string_equal(secret, "v4l~ue:of.it");
    assert_true(literal);
    assert_rc(SSO_R_SECRET_EMPTY, sso_secret_read(&unit_ctx, unit_pool, " ", &secret, &literal));
    assert_rc(SSO_R_SECRET_EMPTY, sso_secret_read(&unit_ctx, unit_pool, "a\nb", &secret, &literal));
}

static void test_secret_pem_file_keeps_its_lines(void **state)
{
    (void)state;
    const char *cert_pem, *key_pem, *text;
    fixture_certificate(unit_pool, &cert_pem, &key_pem);
    assert_rc(SSO_OK, sso_pem_file(&unit_ctx, unit_pool, file_of(cert_pem, strlen(cert_pem), 0644), true, &text));
    assert_memory_equal(text, cert_pem, strlen(text));
    assert_rc(SSO_OK, sso_pem_file(&unit_ctx, unit_pool, file_of(key_pem, strlen(key_pem), 0600), false, &text));
    assert_memory_equal(text, key_pem, strlen(text));
    assert_rc(SSO_R_SECRET_MODE,
              sso_pem_file(&unit_ctx, unit_pool, file_of(key_pem, strlen(key_pem), 0644), false, &text));
    assert_rc(SSO_R_SECRET_EMPTY, sso_pem_file(&unit_ctx, unit_pool, file_of("a\0b", 3, 0600), false, &text));
}

/* No detail text may hold what a source gave. */
static void test_secret_never_enters_a_fault(void **state)
{
    (void)state;
    const char *secret;
    assert_int_equal(secret_of("file:", file_of("PLANTED\nPLANTED", 15, 0600), &secret), SSO_R_SECRET_EMPTY);
    assert_null(strstr(unit_ctx.fault.detail, "PLANTED"));
    sso_fault_clear(&unit_ctx);
    assert_int_equal(secret_of("exec:", "/bin/sh -c 'echo PLANTED; exit 1'", &secret), SSO_R_SECRET_SOURCE);
    assert_null(strstr(unit_ctx.fault.detail, "PLANTED"));
}

/* ---- credentials ---- */

static void test_secret_path_only_of_files(void **state)
{
    (void)state;
    assert_string_equal(sso_secret_path(unit_pool, "file:/etc/secret"), "/etc/secret");
    assert_null(sso_secret_path(unit_pool, "exec:/bin/true"));
    assert_null(sso_secret_path(unit_pool, "env:SECRET"));
    assert_null(sso_secret_path(unit_pool, "the secret itself"));
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_null(sso_secret_path(unit_pool, "credential:app"));
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
    assert_string_equal(sso_secret_path(unit_pool, "credential:app"), "/run/credentials/x/app");
    assert_null(sso_secret_path(unit_pool, "env:SECRET"));
    unsetenv("CREDENTIALS_DIRECTORY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_secret_of_a_file_is_cut_and_kept),      unit_test(test_secret_file_open_to_the_world_is_refused),
        unit_test(test_secret_file_that_is_none_is_refused),   unit_test(test_secret_file_of_bad_content_is_refused),
        unit_test(test_secret_of_a_command_is_its_output),     unit_test(test_secret_command_that_fails_is_refused),
        unit_test(test_secret_of_the_environment_is_read),     unit_test(test_secret_of_systemd_is_read),
        unit_test(test_secret_literal_secret_is_told_as_such), unit_test(test_secret_pem_file_keeps_its_lines),
        unit_test(test_secret_never_enters_a_fault),           unit_test(test_secret_path_only_of_files),
    };
    return fixture_run(tests);
}
