/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/exchange.c: what a code brings, and how far an exchange tells that it came. What a sign-in makes of it
 * is in test_signin.c. */
#include "flow/exchange.h"

#include <string.h>

#include "unit.h"

#include "flow/groups.h"
#include "site.h"

/* A state and a callback whose code is Entra's for it. */
static sso_callback_t given(sso_state_t *state)
{
    memset(state, 0, sizeof(*state));
    state->kind = SSO_STATE_SIGN_IN;
    state->issued = unit_ctx.now;
    state->return_path = "/";
    memset(state->nonce, 1, sizeof(state->nonce));
    memset(state->verifier, 2, sizeof(state->verifier));
    const char *verifier = sso_state_verifier(unit_pool, state);
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(verifier, strlen(verifier), digest);
    site_code_t *code = &site_world->codes[site_world->code_count++];
    *code = (site_code_t){"a-code", sso_state_nonce(unit_pool, state), sso_base64url(unit_pool, digest, sizeof(digest)),
                          false};
    return (sso_callback_t){.code = "a-code", .session_state = FIXTURE_OTHER_TENANT};
}

static sso_rc exchange(const sso_state_t *state, const sso_callback_t *callback, sso_exchange_t *ret_exchange,
                       sso_record_t *ret_record)
{
    *ret_exchange = (sso_exchange_t){.correlation_id = "an-id"};
    memset(ret_record, 0, sizeof(*ret_record));
    return sso_exchange(&unit_ctx, &site_world->site, state, callback, ret_exchange, ret_record);
}

static void test_exchange_brings_user_token_and_tokens(void **state)
{
    (void)state;
    sso_state_t sent;
    sso_exchange_t done;
    sso_record_t record;
    const sso_callback_t callback = given(&sent);
    assert_rc(SSO_OK, exchange(&sent, &callback, &done, &record));
    assert_string_equal(record.oid, FIXTURE_OID);
    assert_string_equal(record.tid, FIXTURE_TENANT);
    assert_string_equal(done.tokens.refresh_token, SITE_REFRESH_TOKEN);
    assert_string_equal(sso_json_get_text(done.token.claims, "oid"), FIXTURE_OID);
    assert_int_equal(site_token_calls(), 1);
}

static void test_exchange_without_sid_takes_the_one_of_the_browser_if_it_is_a_guid(void **state)
{
    (void)state;
    sso_state_t sent;
    sso_exchange_t done;
    sso_record_t record;
    const fixture_claim_t no_sid[] = {{"sid", NULL}, {NULL, NULL}};
    site_world->changes = no_sid;
    sso_callback_t callback = given(&sent);
    assert_rc(SSO_OK, exchange(&sent, &callback, &done, &record));
    assert_string_equal(record.sid, FIXTURE_OTHER_TENANT);
    callback = given(&sent);
    callback.session_state = "no guid";
    assert_rc(SSO_OK, exchange(&sent, &callback, &done, &record));
    assert_string_equal(record.sid, "");
}

static void test_exchange_of_a_refused_code_has_no_claims(void **state)
{
    (void)state;
    sso_state_t sent;
    sso_exchange_t done;
    sso_record_t record;
    sso_callback_t callback = given(&sent);
    callback.code = "another";
    assert_rc(SSO_R_TOKEN_GRANT, exchange(&sent, &callback, &done, &record));
    assert_null(done.token.claims);
    assert_null(done.tokens.id_token);
}

static void test_exchange_of_a_token_for_another_has_no_claims(void **state)
{
    (void)state;
    sso_state_t sent;
    sso_exchange_t done;
    sso_record_t record;
    const fixture_claim_t other[] = {{"aud", FIXTURE_QUOTED(FIXTURE_OTHER_TENANT)}, {NULL, NULL}};
    site_world->changes = other;
    const sso_callback_t callback = given(&sent);
    assert_rc(SSO_R_ID_AUD, exchange(&sent, &callback, &done, &record));
    assert_null(done.token.claims);
    assert_non_null(done.tokens.id_token);
    assert_null(record.oid);
}

static void test_exchange_of_a_user_who_may_not_enter_has_the_claims(void **state)
{
    (void)state;
    sso_state_t sent;
    sso_exchange_t done;
    sso_record_t record;
    const fixture_claim_t groups[] = {{"groups", "{}"}, {NULL, NULL}};
    apr_array_header_t *referenced = apr_array_make(unit_pool, 1, sizeof(const char *));
    const sso_group_policy_t policy = {.referenced = referenced, .all = true};
    site_world->site.groups = &policy;
    site_world->changes = groups;
    const sso_callback_t callback = given(&sent);
    assert_rc(SSO_R_GROUPS_TYPE, exchange(&sent, &callback, &done, &record));
    assert_non_null(done.token.claims);
    assert_string_equal(record.oid, FIXTURE_OID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_exchange_brings_user_token_and_tokens),
        site_test(test_exchange_without_sid_takes_the_one_of_the_browser_if_it_is_a_guid),
        site_test(test_exchange_of_a_refused_code_has_no_claims),
        site_test(test_exchange_of_a_token_for_another_has_no_claims),
        site_test(test_exchange_of_a_user_who_may_not_enter_has_the_claims),
    };
    return site_run(tests);
}
