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
    return sso_credential_apply(&unit_ctx, credential, sso_credential_turn(&unit_ctx, credential, SSO_TURN_NONE),
                                FIXTURE_CLIENT, ENDPOINT, fake == NULL ? NULL : &fake->face, &policy, *ret_form);
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
    sso_credential_t *credential = sso_credential_certificate(unit_pool, cert, SSO_SIGN_PS256);
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
        assert_rc(SSO_R_ASSERTION_FILE, apply(sso_credential_file(unit_pool, path), NULL, &form));
        assert_true(apr_is_empty_table(form));
    }
    assert_rc(SSO_R_ASSERTION_FILE, apply(sso_credential_file(unit_pool, "/nonexistent"), NULL, &form));
}

/* Zeroed memory, as shared memory is. */
static sso_handoff_t *handoff_make(void)
{
    return apr_pcalloc(unit_pool, sso_handoff_size());
}

static void test_credential_secret_that_was_handed_over_is_used(void **state)
{
    (void)state;
    apr_table_t *form;
    sso_handoff_t *handoff = handoff_make();
    sso_credential_t *credential = sso_credential_secret(unit_pool, "first");
    assert_true(sso_credential_follow(credential, unit_pool, handoff));
    static const char *const secrets[] = {"second", "a longer third one", "4"};
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(apr_table_get(form, "client_secret"), "first");
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_true(sso_handoff_give(handoff, secrets[i], strlen(secrets[i])));
        assert_rc(SSO_OK, apply(credential, NULL, &form));
        assert_string_equal(apr_table_get(form, "client_secret"), secrets[i]);
    }
    sso_handoff_clear(handoff); /* another configuration does without it */
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(apr_table_get(form, "client_secret"), "first");
}

/* The thumbprint in the header of the assertion in form. */
static const char *shown(const apr_table_t *form, const char *name)
{
    const char *token = apr_table_get(form, "client_assertion");
    const sso_json_t *header = NULL;
    apr_size_t len;
    const unsigned char *text = sso_base64url_decode(unit_pool, token, strcspn(token, "."), &len);
    assert_non_null(text);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, (const char *)text, len, SSO_MAX_JWT, &header));
    return sso_json_get_text(header, name);
}

static void test_credential_certificate_that_was_handed_over_is_used(void **state)
{
    (void)state;
    const sso_certificate_t *cert, *other;
    sso_pem_pair_t pair, next;
    apr_table_t *form;
    apr_size_t len;
    sso_handoff_t *handoff = handoff_make();
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_process_pool));
    fixture_certificate_of(unit_pool, FIXTURE_KEY_A, 3600, &pair.cert_pem, &pair.key_pem);
    fixture_certificate_of(unit_pool, FIXTURE_KEY_B, 3600, &next.cert_pem, &next.key_pem);
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, pair.cert_pem, pair.key_pem, &cert));
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, next.cert_pem, next.key_pem, &other));
    sso_credential_t *credential = sso_credential_certificate(unit_pool, cert, SSO_SIGN_RS256);
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(shown(form, "x5t"), sso_certificate_thumbprint(cert, SSO_SIGN_RS256));
    assert_null(shown(form, "x5t#S256"));
    assert_true(sso_credential_follow(credential, unit_pool, handoff));
    const unsigned char *blob = sso_certificate_pack(unit_pool, &next, NULL, 0, &len);
    assert_true(sso_handoff_give(handoff, blob, len));
    assert_rc(SSO_OK, apply(credential, NULL, &form));
    assert_string_equal(shown(form, "x5t"), sso_certificate_thumbprint(other, SSO_SIGN_RS256));
    assert_int_equal(sso_credential_turn(&unit_ctx, credential, SSO_TURN_CURRENT), SSO_TURN_NONE);
}

/* What the platform renews by itself has nothing to follow, and one turn. */
static void test_credential_file_has_one_turn(void **state)
{
    (void)state;
    sso_credential_t *credential = sso_credential_file(unit_pool, "/nonexistent");
    assert_false(sso_credential_follow(credential, unit_pool, handoff_make()));
    assert_int_equal(sso_credential_turn(&unit_ctx, credential, SSO_TURN_NONE), SSO_TURN_CURRENT);
    assert_int_equal(sso_credential_turn(&unit_ctx, credential, SSO_TURN_CURRENT), SSO_TURN_NONE);
    sso_credential_taken(&unit_ctx, credential, SSO_TURN_CURRENT, SSO_TURN_NONE);
}

static void test_credential_managed_identity_token_goes_into_the_form(void **state)
{
    (void)state;
    apr_table_t *form;
    fake_http_t *fake = fake_http_make(unit_pool);
    const sso_managed_config_t config = {.identity_id = "id-1", .audience = AUDIENCE};
    sso_credential_t *credential = sso_credential_managed_identity(unit_pool, &config);
    assert_int_equal(sso_credential_kind(credential), SSO_CREDENTIAL_MANAGED_IDENTITY);
    fake_http_always(fake, "169.254.169.254", 200, "{\"access_token\":\"" MI_TOKEN "\",\"expires_in\":\"3600\"}");
    assert_rc(SSO_OK, apply(credential, fake, &form));
    assert_string_equal(apr_table_get(form, "client_assertion"), MI_TOKEN);
    assert_string_equal(apr_table_get(form, "client_assertion_type"), ASSERTION_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_credential_secret_goes_into_the_form),
        unit_test(test_credential_certificate_signs_a_fresh_assertion),
        unit_test(test_credential_file_is_read_at_each_use),
        unit_test(test_credential_file_without_assertion_is_refused),
        unit_test(test_credential_secret_that_was_handed_over_is_used),
        unit_test(test_credential_certificate_that_was_handed_over_is_used),
        unit_test(test_credential_file_has_one_turn),
        unit_test(test_credential_managed_identity_token_goes_into_the_form),
    };
    return fixture_run(tests);
}
