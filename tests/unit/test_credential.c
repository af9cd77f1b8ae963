/* SPDX-License-Identifier: Apache-2.0 */
/* Secret sources, and each kind of client credential in a token request's form. */
#include "entra/credential.h"

#include "unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "fake_http.h"
#include "files.h"
#include "fixture.h"

#define ENDPOINT FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/token"
#define AUDIENCE "api://AzureADTokenExchange"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define MI_TOKEN "eyJ0.eyJh.c2ln"

static const sso_http_policy_t policy = {.proxy = "http://proxy.test:3128", .total_timeout = 1000};

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
