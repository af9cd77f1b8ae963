/* SPDX-License-Identifier: Apache-2.0 */
/* Secret sources, and each kind of client credential in a token request's form. */
#include "entra/credential.h"

#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "entra/secret.h"
#include "fake_http.h"
#include "fixture.h"

#define ENDPOINT FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/token"
#define AUDIENCE "api://AzureADTokenExchange"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define MI_TOKEN "eyJ0.eyJh.c2ln"

static const sso_http_policy_t policy = {.proxy = "http://proxy.test:3128", .total_timeout = 1000};

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

static sso_rc secret_of(const char *scheme, const char *rest, const char **ret_secret)
{
    bool literal = true;
    sso_rc rc = sso_secret_read(&unit_ctx, unit_pool, apr_pstrcat(unit_pool, scheme, rest, NULL), ret_secret, &literal);
    if (rc == SSO_OK) {
        assert_int_equal(literal, scheme[0] == '\0');
    }
    return rc;
}

static void test_credential_secret_of_a_file_is_cut_and_kept(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_OK, secret_of("file:", file_of("S3cret~value\n", 13, 0600), &secret));
    assert_string_equal(secret, "S3cret~value");
    assert_rc(SSO_OK, secret_of("file:", file_of(" \t a b \r\n\n", 10, 0440), &secret));
    assert_string_equal(secret, "a b");
}

static void test_credential_file_open_to_the_world_is_refused(void **state)
{
    (void)state;
    const char *secret;
    assert_rc(SSO_R_SECRET_MODE, secret_of("file:", file_of("secret", 6, 0644), &secret));
    assert_rc(SSO_R_SECRET_MODE, secret_of("file:", file_of("secret", 6, 0602), &secret));
}

static void test_credential_file_that_is_none_is_refused(void **state)
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

static void test_credential_file_of_bad_content_is_refused(void **state)
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

static void test_credential_secret_of_a_command_is_its_output(void **state)
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

static void test_credential_command_that_fails_is_refused(void **state)
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

static void test_credential_secret_of_the_environment_is_read(void **state)
{
    (void)state;
    const char *secret;
    setenv("SSO_UNIT_SECRET", "from the environment\n", 1);
    assert_rc(SSO_OK, secret_of("env:", "SSO_UNIT_SECRET", &secret));
    assert_string_equal(secret, "from the environment");
    setenv("SSO_UNIT_SECRET", "", 1);
    assert_rc(SSO_R_SECRET_EMPTY, secret_of("env:", "SSO_UNIT_SECRET", &secret));
    unsetenv("SSO_UNIT_SECRET");
    assert_rc(SSO_R_SECRET_SOURCE, secret_of("env:", "SSO_UNIT_SECRET", &secret));
}

static void test_credential_secret_of_systemd_is_read(void **state)
{
    (void)state;
    const char *secret;
    char *directory = apr_pstrdup(unit_pool, file_of("from systemd", 12, 0400));
    *strrchr(directory, '/') = '\0';
    unsetenv("CREDENTIALS_DIRECTORY");
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

static void test_credential_literal_secret_is_told_as_such(void **state)
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

static void test_credential_pem_file_keeps_its_lines(void **state)
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
static void test_credential_secret_never_enters_a_fault(void **state)
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

static sso_rc apply(sso_credential_t *credential, fake_http_t *fake, apr_table_t **ret_form)
{
    *ret_form = apr_table_make(unit_pool, 4);
    return sso_credential_apply(&unit_ctx, credential, FIXTURE_CLIENT, ENDPOINT, fake == NULL ? NULL : &fake->face,
                                &policy, *ret_form);
}

static void test_credential_secret_goes_into_the_form(void **state)
{
    (void)state;
    apr_table_t *form;
    sso_credential_t *credential = sso_credential_secret(unit_pool, "s3cret");
    assert_int_equal(sso_credential_kind(credential), SSO_CREDENTIAL_SECRET);
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(apr_table_get(form, "client_secret"), "s3cret");
    assert_null(apr_table_get(form, "client_assertion"));
}

/* The claims of an assertion in the form. */
static const sso_json_t *assertion_claims(const apr_table_t *form)
{
    const char *token = apr_table_get(form, "client_assertion");
    assert_non_null(token);
    assert_string_equal(apr_table_get(form, "client_assertion_type"), ASSERTION_TYPE);
    assert_null(apr_table_get(form, "client_secret"));
    const char *from = strchr(token, '.') + 1;
    apr_size_t len;
    const unsigned char *text = sso_base64url_decode(unit_pool, from, strcspn(from, "."), &len);
    const sso_json_t *claims = NULL;
    assert_non_null(text);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, (const char *)text, len, SSO_MAX_JWT, &claims));
    return claims;
}

static int64_t claim_number(const sso_json_t *claims, const char *name)
{
    int64_t number = 0;
    assert_true(sso_json_integer(sso_json_get(claims, name), &number));
    return number;
}

static void test_credential_certificate_signs_a_fresh_assertion(void **state)
{
    (void)state;
    const char *cert_pem, *key_pem;
    const sso_certificate_t *cert;
    apr_table_t *form;
    fixture_certificate(unit_pool, &cert_pem, &key_pem);
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_process_pool));
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, cert_pem, key_pem, &cert));
    sso_credential_t *credential = sso_credential_certificate(unit_pool, cert);
    assert_int_equal(sso_credential_kind(credential), SSO_CREDENTIAL_CERTIFICATE);
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    const sso_json_t *claims = assertion_claims(form);
    assert_string_equal(sso_json_get_text(claims, "aud"), ENDPOINT);
    assert_string_equal(sso_json_get_text(claims, "iss"), FIXTURE_CLIENT);
    assert_string_equal(sso_json_get_text(claims, "sub"), FIXTURE_CLIENT);
    assert_int_equal(claim_number(claims, "iat"), SSO_TEST_NOW_S);
    assert_int_equal(claim_number(claims, "nbf"), SSO_TEST_NOW_S - 60);
    assert_int_equal(claim_number(claims, "exp"), SSO_TEST_NOW_S + 300);
    const char *jti = sso_json_get_text(claims, "jti");
    assert_true(sso_is_guid(jti));
    assert_int_equal(jti[14], '4');
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_not_equal(sso_json_get_text(assertion_claims(form), "jti"), jti);
}

static void test_credential_file_is_read_at_each_use(void **state)
{
    (void)state;
    apr_table_t *form;
    const char *path = file_of("eyJh.eyJi.c2ln\n", 15, 0644);
    sso_credential_t *credential = sso_credential_file(unit_pool, path);
    assert_int_equal(sso_credential_kind(credential), SSO_CREDENTIAL_FILE);
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(apr_table_get(form, "client_assertion"), "eyJh.eyJi.c2ln");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("eyJh.eyJi.bmV3", file);
    fclose(file);
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(apr_table_get(form, "client_assertion"), "eyJh.eyJi.bmV3");
}

static void test_credential_file_without_assertion_is_refused(void **state)
{
    (void)state;
    apr_table_t *form;
    static const char *const contents[] = {"", "secret", "a.b", "a.b.c.d", "a..c", "a.b.c d", "a.b.c=", "a.b.c\nx"};
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        const char *path = file_of(contents[i], strlen(contents[i]), 0600);
        assert_rc(SSO_R_ASSERTION, apply(sso_credential_file(unit_pool, path), NULL, &form));
        assert_true(apr_is_empty_table(form));
    }
    assert_rc(SSO_R_ASSERTION, apply(sso_credential_file(unit_pool, "/nonexistent"), NULL, &form));
}

static const char *identity_answer(apr_time_t expires)
{
    return apr_psprintf(unit_pool,
                        "{\"access_token\":\"" MI_TOKEN "\",\"refresh_token\":\"\",\"expires_in\":\"3599\","
                        "\"expires_on\":\"%" APR_TIME_T_FMT "\",\"token_type\":\"Bearer\"}",
                        apr_time_sec(expires));
}

static void test_credential_identity_of_a_machine_is_asked_directly(void **state)
{
    (void)state;
    apr_table_t *form;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "169.254.169.254", 200, identity_answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    sso_credential_t *credential = sso_credential_managed_identity(unit_pool, "id-1", NULL, NULL, AUDIENCE);
    assert_int_equal(sso_credential_kind(credential), SSO_CREDENTIAL_MANAGED_IDENTITY);
    assert_rc(SSO_OK, apply(credential, fake, &form));
    assert_string_equal(apr_table_get(form, "client_assertion"), MI_TOKEN);
    const fake_request_t *request = fake_http_last(fake);
    assert_string_equal(request->url, "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
                                      "&resource=api%3A%2F%2FAzureADTokenExchange&client_id=id-1");
    assert_string_equal(apr_table_get(request->headers, "Metadata"), "true");
    assert_null(request->body);
    assert_true(request->direct && request->ungated);
}

static void test_credential_identity_of_an_app_service_is_asked_with_its_header(void **state)
{
    (void)state;
    apr_table_t *form;
    fake_http_t *fake = fake_http_make(unit_pool);
    fake_http_always(fake, "127.0.0.1", 200, identity_answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    sso_credential_t *credential =
        sso_credential_managed_identity(unit_pool, NULL, "http://127.0.0.1:41741/msi/token", "h34der", AUDIENCE);
    assert_rc(SSO_OK, apply(credential, fake, &form));
    const fake_request_t *request = fake_http_last(fake);
    assert_string_equal(request->url, "http://127.0.0.1:41741/msi/token?api-version=2019-08-01"
                                      "&resource=api%3A%2F%2FAzureADTokenExchange");
    assert_string_equal(apr_table_get(request->headers, "X-IDENTITY-HEADER"), "h34der");
    assert_null(apr_table_get(request->headers, "Metadata"));
}

/* Kept until five minutes before its end; then renewed; when that fails, used to its very end. */
static void test_credential_identity_token_is_cached_and_renewed(void **state)
{
    (void)state;
    apr_table_t *form;
    fake_http_t *fake = fake_http_make(unit_pool);
    sso_credential_t *credential = sso_credential_managed_identity(unit_pool, NULL, NULL, NULL, AUDIENCE);
    fake_http_always(fake, "169.254", 200, identity_answer(SSO_TEST_NOW + apr_time_from_sec(3600)));
    static const struct {
        int second, calls;
        sso_rc rc;
        bool broken;
    } rows[] = {
        {0, 1, SSO_OK, false},
        {3299, 1, SSO_OK, false},
        {3300, 2, SSO_OK, true},
        {3301, 2, SSO_OK, true},
        {3305, 3, SSO_OK, true},
        {3599, 4, SSO_OK, true},
        {3600, 4, SSO_R_ASSERTION, true},
        {3604, 5, SSO_R_HTTP_TIMEOUT, true},
        {3605, 5, SSO_R_ASSERTION, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].broken) {
            fake_http_broken(fake, "169.254", SSO_R_HTTP_TIMEOUT);
        }
        unit_ctx.now = SSO_TEST_NOW + apr_time_from_sec(rows[i].second);
        assert_rc(rows[i].rc, apply(credential, fake, &form));
        assert_int_equal(fake->request_count, rows[i].calls);
    }
    fake_http_always(fake, "169.254", 200, identity_answer(SSO_TEST_NOW + apr_time_from_sec(7200)));
    unit_ctx.now += apr_time_from_sec(5);
    assert_rc(SSO_OK, apply(credential, fake, &form));
}

static void test_credential_identity_answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":1795449600}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_in\":\"3600\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":\"01/01/2027 00:00:00 +00:00\"}", SSO_OK},
        {200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_on\":\"99999999999999999999\"}", SSO_OK},
        {200, "{\"access_token\":\"opaque\",\"expires_on\":\"1795449600\"}", SSO_R_ASSERTION},
        {200, "{\"access_token\":\"a.b.c&d=e\",\"expires_on\":\"1795449600\"}", SSO_R_ASSERTION},
        {200, "{\"access_token\":7}", SSO_R_ASSERTION},
        {200, "{}", SSO_R_ASSERTION},
        {200, "null", SSO_R_ASSERTION},
        {200, "<html>", SSO_R_ASSERTION},
        {400, "{\"error\":\"bad_request_102\"}", SSO_R_ASSERTION},
        {404, "", SSO_R_ASSERTION},
        {410, "", SSO_R_ASSERTION},
        {429, "", SSO_R_ASSERTION},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_table_t *form;
        fake_http_t *fake = fake_http_make(unit_pool);
        sso_credential_t *credential = sso_credential_managed_identity(unit_pool, NULL, NULL, NULL, AUDIENCE);
        fake_http_always(fake, "169.254", rows[i].status, rows[i].body);
        sso_rc rc = apply(credential, fake, &form);
        if (rc != rows[i].rc) {
            unit_fail("%d %s: %s", rows[i].status, rows[i].body, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_credential_secret_of_a_file_is_cut_and_kept),
        unit_test(test_credential_file_open_to_the_world_is_refused),
        unit_test(test_credential_file_that_is_none_is_refused),
        unit_test(test_credential_file_of_bad_content_is_refused),
        unit_test(test_credential_secret_of_a_command_is_its_output),
        unit_test(test_credential_command_that_fails_is_refused),
        unit_test(test_credential_secret_of_the_environment_is_read),
        unit_test(test_credential_secret_of_systemd_is_read),
        unit_test(test_credential_literal_secret_is_told_as_such),
        unit_test(test_credential_pem_file_keeps_its_lines),
        unit_test(test_credential_secret_never_enters_a_fault),
        unit_test(test_credential_secret_goes_into_the_form),
        unit_test(test_credential_certificate_signs_a_fresh_assertion),
        unit_test(test_credential_file_is_read_at_each_use),
        unit_test(test_credential_file_without_assertion_is_refused),
        unit_test(test_credential_identity_of_a_machine_is_asked_directly),
        unit_test(test_credential_identity_of_an_app_service_is_asked_with_its_header),
        unit_test(test_credential_identity_token_is_cached_and_renewed),
        unit_test(test_credential_identity_answers_are_judged),
    };
    return fixture_run(tests);
}
