/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are stored nowhere: good for an hour, for one application, for one service. */
#include "directory/federated.h"

#include "unit.h"

#include "site.h"

#define SUBJECT "9d2e5f7a-0000-4000-8000-000000000001"

static sso_federated_t federated_of(const char *subject)
{
    return (sso_federated_t){site_ring, site_world->site.session.binding, subject};
}

static void test_federated_token_is_good_for_an_hour(void **state)
{
    (void)state;
    const sso_federated_t federated = federated_of(SUBJECT);
    const char *token = "";
    assert_rc(SSO_OK, sso_federated_make(&unit_ctx, &federated, &token));
    const char *header = apr_pstrcat(unit_pool, "bearer  ", token, NULL);
    assert_string_equal(sso_federated_read(header), token);
    assert_rc(SSO_OK, sso_federated_check(&unit_ctx, &federated, token));
    unit_ctx.now += SSO_FEDERATED_LIFE - 1;
    assert_rc(SSO_OK, sso_federated_check(&unit_ctx, &federated, token));
    unit_ctx.now += 1;
    assert_rc(SSO_R_FEDERATED_EXPIRED, sso_federated_check(&unit_ctx, &federated, token));
}

static void test_federated_token_of_others_is_none(void **state)
{
    (void)state;
    const sso_federated_t federated = federated_of(SUBJECT);
    sso_federated_t other = federated;
    unsigned char binding[SSO_BINDING_BYTES] = {1};
    const char *token = "";
    const char *session;
    assert_rc(SSO_OK, sso_federated_make(&unit_ctx, &federated, &token));
    other.binding = binding;
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, sso_federated_check(&unit_ctx, &other, token));
    other = federated_of("9d2e5f7a-0000-4000-8000-000000000002");
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, sso_federated_check(&unit_ctx, &other, token));
    other = federated_of(NULL);
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, sso_federated_check(&unit_ctx, &other, token));
    other = federated;
    other.keyring = site_other_ring;
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, sso_federated_check(&unit_ctx, &other, token));
    /* What is sealed for something else. */
    assert_rc(SSO_OK, sso_seal(&unit_ctx, site_ring, SSO_PURPOSE_SESSION, federated.binding, "x", 1, &session));
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN,
              sso_federated_check(&unit_ctx, &federated, apr_pstrcat(unit_pool, SSO_FEDERATED_MARK, session, NULL)));
    assert_rc(SSO_OK, sso_seal(&unit_ctx, site_ring, SSO_PURPOSE_SCIM, federated.binding, "x", 1, &session));
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN,
              sso_federated_check(&unit_ctx, &federated, apr_pstrcat(unit_pool, SSO_FEDERATED_MARK, session, NULL)));
    assert_rc(SSO_R_SCIM_TOKEN_UNKNOWN, sso_federated_check(&unit_ctx, &federated, SSO_FEDERATED_MARK));
}

static void test_federated_reads_nothing_else(void **state)
{
    (void)state;
    static const char *const headers[] = {"", "Basic entra-fed.x", "Bearer entra_scim_00", "Bearer", "entra-fed.x"};
    assert_null(sso_federated_read(NULL));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_null(sso_federated_read(headers[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_federated_token_is_good_for_an_hour),
        site_test(test_federated_token_of_others_is_none),
        site_test(test_federated_reads_nothing_else),
    };
    return site_run(tests);
}
