/* SPDX-License-Identifier: Apache-2.0 */
/* The assertion of Entra's provisioning service: taken whole, or refused as the client's fault. */
#include "entra/serviceassertion.h"

#include "unit.h"

#include "site.h"

#define SUBJECT "9d2e5f7a-0000-4000-8000-00000000000a"

static const char *assertion_of(const char *sub)
{
    apr_time_t seconds = apr_time_sec(unit_ctx.now);
    const fixture_claim_t changes[] = {
        {"iat", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"nbf", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"exp", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds + 600)},
        {"sub", apr_pstrcat(unit_pool, "\"", sub, "\"", NULL)},
        {NULL, NULL},
    };
    return fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, SITE_KID),
                         fixture_claims(unit_pool, changes));
}

static sso_rc open_it(const char *text, apr_time_t *ret_expires)
{
    apr_array_header_t *audiences = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(audiences, const char *) = FIXTURE_CLIENT;
    const sso_serviceassertion_rules_t rules = {SUBJECT, audiences, site_world->site.skew};
    return sso_serviceassertion_open(&unit_ctx, site_world->site.authority, &rules, text, ret_expires);
}

static void test_serviceassertion_good_one(void **state)
{
    (void)state;
    apr_time_t expires = 0;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, site_world->site.authority));
    /* In any case of letters. */
    assert_rc(SSO_OK, open_it(assertion_of("9D2E5F7A-0000-4000-8000-00000000000A"), &expires));
    assert_int_equal(expires, unit_ctx.now + apr_time_from_sec(600));
}

static void test_serviceassertion_of_another_or_none(void **state)
{
    (void)state;
    apr_time_t expires = 0;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, site_world->site.authority));
    assert_rc(SSO_R_FEDERATED_SUBJECT, open_it(assertion_of(FIXTURE_OID), &expires));
    assert_rc(SSO_R_FEDERATED_ASSERTION, open_it("", &expires));
    assert_rc(SSO_R_FEDERATED_ASSERTION, open_it("a.b.c", &expires));
    unit_ctx.now += apr_time_from_sec(600) + site_world->site.skew;
    const char *late = assertion_of(SUBJECT);
    unit_ctx.now += apr_time_from_sec(600) + site_world->site.skew;
    assert_rc(SSO_R_FEDERATED_ASSERTION, open_it(late, &expires));
    assert_int_equal(expires, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_serviceassertion_good_one),
        site_test(test_serviceassertion_of_another_or_none),
    };
    return site_run(tests);
}
