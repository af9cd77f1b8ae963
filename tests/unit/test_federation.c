/* SPDX-License-Identifier: Apache-2.0 */
/* scim/token: an assertion of Entra's for a token, and everything that is none. */
#include "flow/federation.h"

#include "unit.h"

#include "site.h"

#include "people.h"

#include "base/json.h"
#include "directory/federated.h"

#define SUBJECT "9d2e5f7a-0000-4000-8000-00000000000A"
#define SUBJECT_LOWER "9d2e5f7a-0000-4000-8000-00000000000a"
#define TYPE "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

static int setup(void **state)
{
    static apr_array_header_t *audiences;
    if (people_setup(state) != 0) {
        return -1;
    }
    audiences = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(audiences, const char *) = "api://" FIXTURE_CLIENT;
    APR_ARRAY_PUSH(audiences, const char *) = FIXTURE_CLIENT;
    people_policy.federated = SUBJECT_LOWER;
    people_policy.audiences = audiences;
    /* The first documents. */
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, site_world->site.authority));
    return 0;
}

#define federation_test(function) cmocka_unit_test_setup_teardown(function, setup, database_teardown)

/* An assertion of now; changes to a NULL name. */
static const char *assertion(int key, const fixture_claim_t *more)
{
    apr_time_t seconds = apr_time_sec(unit_ctx.now);
    fixture_claim_t changes[16] = {
        {"iat", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"nbf", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"exp", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds + 3600)},
        {"sub", "\"" SUBJECT "\""},
        {"oid", "\"" SUBJECT "\""},
        {"aud", "\"" FIXTURE_CLIENT "\""},
        {"nonce", NULL},
    };
    for (size_t count = 7; more != NULL && more->name != NULL; more++, count++) {
        changes[count] = *more;
    }
    return fixture_token(unit_pool, key, fixture_header(unit_pool, SITE_KID), fixture_claims(unit_pool, changes));
}

static const char *form_of(const char *token)
{
    return apr_pstrcat(
        unit_pool,
        "grant_type=client_credentials&client_id=x&scope=y&client_assertion_type=" TYPE "&client_assertion=", token,
        NULL);
}

static const char *member(const char *body, const char *name)
{
    const sso_json_t *json = NULL;
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, body, strlen(body), 4096, &json));
    return sso_json_get_text(json, name);
}

static void test_federation_gives_a_token(void **state)
{
    (void)state;
    const char *body = NULL;
    const sso_federated_t federated = {site_ring, site_world->site.session.binding, SUBJECT_LOWER};
    assert_rc(SSO_OK,
              sso_federation_exchange(&unit_ctx, &site_world->site, form_of(assertion(FIXTURE_KEY_A, NULL)), &body));
    assert_string_equal(member(body, "token_type"), "Bearer");
    assert_non_null(strstr(body, "\"expires_in\":3600"));
    assert_rc(SSO_OK, sso_federated_check(&unit_ctx, &federated, member(body, "access_token")));
}

static void refused(const char *form, sso_rc reason, const char *error)
{
    const char *body = NULL;
    assert_rc(reason, sso_federation_exchange(&unit_ctx, &site_world->site, form, &body));
    assert_string_equal(member(body, "error"), error);
    assert_null(strstr(body, "access_token"));
}

static void test_federation_refuses_what_is_no_assertion_of_the_service(void **state)
{
    (void)state;
    const char *past = apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, apr_time_sec(unit_ctx.now) - 301);
    const char *future = apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, apr_time_sec(unit_ctx.now) + 400);
    const fixture_claim_t wrong[] = {
        {"aud", "\"api://other\""},
        {"aud", "[\"" FIXTURE_CLIENT "\",\"x\"]"},
        {"aud", NULL},
        {"iss", "\"" FIXTURE_LOGIN "/" FIXTURE_OTHER_TENANT "/v2.0\""},
        {"iss", NULL},
        {"tid", "\"" FIXTURE_OTHER_TENANT "\""},
        {"tid", NULL},
        {"exp", past},
        {"exp", NULL},
        {"nbf", future},
        {"iat", future},
        {"iat", NULL},
        {"sub", NULL},
        {"sub", "7"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const fixture_claim_t more[] = {wrong[i], {NULL, NULL}};
        refused(form_of(assertion(FIXTURE_KEY_A, more)), SSO_R_FEDERATED_ASSERTION, "invalid_client");
    }
    const fixture_claim_t other[] = {{"sub", "\"" FIXTURE_OID "\""}, {NULL, NULL}};
    refused(form_of(assertion(FIXTURE_KEY_A, other)), SSO_R_FEDERATED_SUBJECT, "invalid_client");
    refused(form_of(assertion(FIXTURE_KEY_ATTACKER, NULL)), SSO_R_FEDERATED_ASSERTION, "invalid_client");
    refused(form_of("a.b.c"), SSO_R_FEDERATED_ASSERTION, "invalid_client");
}

static void test_federation_takes_an_assertion_once(void **state)
{
    (void)state;
    const char *body = NULL;
    const char *form = form_of(assertion(FIXTURE_KEY_A, NULL));
    assert_rc(SSO_OK, sso_federation_exchange(&unit_ctx, &site_world->site, form, &body));
    refused(form, SSO_R_FEDERATED_REPLAY, "invalid_client");
}

static void test_federation_refuses_other_forms(void **state)
{
    (void)state;
    const char *token = assertion(FIXTURE_KEY_A, NULL);
    refused("", SSO_R_FEDERATED_FORM, "invalid_request");
    refused("grant_type=client_credentials", SSO_R_FEDERATED_FORM, "invalid_request");
    refused("grant_type=client_credentials&client_assertion_type=" TYPE "&client_assertion=", SSO_R_FEDERATED_FORM,
            "invalid_request");
    refused(
        apr_pstrcat(unit_pool, "grant_type=client_credentials&client_assertion_type=x&client_assertion=", token, NULL),
        SSO_R_FEDERATED_FORM, "invalid_request");
    refused("grant_type=password&username=a&password=b", SSO_R_FEDERATED_GRANT, "unsupported_grant_type");
    refused(apr_pstrcat(unit_pool, form_of(token), "&client_assertion=x", NULL), SSO_R_QUERY_DUPLICATE,
            "invalid_request");
}

static void test_federation_without_keys_comes_later(void **state)
{
    (void)state;
    const char *body = NULL;
    const char *form = form_of(assertion(FIXTURE_KEY_A, NULL));
    site_world->site.authority = NULL;
    assert_rc(SSO_R_HTTP_BUSY, sso_federation_exchange(&unit_ctx, &site_world->site, form, &body));
    assert_string_equal(member(body, "error"), "temporarily_unavailable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        federation_test(test_federation_gives_a_token),
        federation_test(test_federation_refuses_what_is_no_assertion_of_the_service),
        federation_test(test_federation_takes_an_assertion_once),
        federation_test(test_federation_refuses_other_forms),
        federation_test(test_federation_without_keys_comes_later),
    };
    return site_run(tests);
}
