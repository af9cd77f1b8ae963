/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/bearer.c: the header, the record that a token becomes, and what is remembered of it for how long. */
#include "flow/bearer.h"

#include "unit.h"

#include "base/counters.h"
#include "flow/groups.h"
#include "site.h"

#define Q(text) FIXTURE_QUOTED(text)
#define API "4f5a6b7c-1d2e-4f3a-8b9c-0d1e2f3a4b5c"
#define CALLER "0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a"
#define GROUP_A "0f1e2d3c-4b5a-4968-8776-655443322110"
#define GROUP_B "1a2b3c4d-5e6f-4a5b-8c7d-9e0f1a2b3c4d"
#define OVERAGE                                                                                                        \
    {                                                                                                                  \
        "hasgroups", "true"                                                                                            \
    }

/* ---- audiences ---- */

static const char *audiences_make(const char *first, const char *second, const sso_audiences_t **ret_audiences)
{
    apr_array_header_t *words = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(words, const char *) = first;
    if (second != NULL) {
        APR_ARRAY_PUSH(words, const char *) = second;
    }
    return sso_audiences_make(unit_pool, words, ret_audiences);
}

static const sso_audiences_t *audiences_of(const char *first)
{
    const sso_audiences_t *made = NULL;
    assert_null(audiences_make(first, NULL, &made));
    return made;
}

static void test_bearer_audiences_are_guids_and_api_uris(void **state)
{
    (void)state;
    const sso_audiences_t *made = NULL;
    assert_null(audiences_make("4F5A6B7C-1D2E-4F3A-8B9C-0D1E2F3A4B5C", "api://Orders", &made));
    assert_string_equal(sso_text_at(made->items, 0), API);
    assert_string_equal(sso_text_at(made->items, 1), "api://Orders");
    assert_memory_not_equal(made->digest, audiences_of(API)->digest, SSO_SHA256_BYTES);
    const char *const wrong[] = {
        "",
        "orders",
        "api://",
        "API://orders",
        "https://graph.microsoft.com",
        "https://orders.example.com",
        "api://a b",
        "api://a\"b",
        "api://\xc3\xa4",
        "00000003-0000-0000-c000-000000000000",
        "00000002-0000-0000-C000-000000000000",
        "4f5a6b7c-1d2e-4f3a-8b9c",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (audiences_make(wrong[i], NULL, &made) == NULL) {
            unit_fail("'%s' passes for an audience", wrong[i]);
        }
    }
}

/* ---- the header ---- */

static void test_bearer_header_is_one_token_or_none(void **state)
{
    (void)state;
    const struct {
        const char *header, *token;
        sso_rc rc;
    } rows[] = {
        {NULL, NULL, SSO_OK},
        {"", NULL, SSO_OK},
        {"Basic dXNlcjpiZWFyZXI=", NULL, SSO_OK},
        {"Negotiate bearers", NULL, SSO_OK},
        {"Forbearer x", NULL, SSO_OK},
        {"Bearerx abc", NULL, SSO_OK},
        {"Bearer a.b-c_d~e+f/g", "a.b-c_d~e+f/g", SSO_OK},
        {"bearer abc", "abc", SSO_OK},
        {"BEARER   abc", "abc", SSO_OK},
        {"Bearer", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer ", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer\tabc", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer,abc", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer abc def", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer abc ", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer abc, Bearer def", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer abc,Basic def", NULL, SSO_R_BEARER_FORMAT},
        {"Basic abc, Bearer def", NULL, SSO_R_BEARER_FORMAT},
        {"Basic abc Bearer def", NULL, SSO_R_BEARER_FORMAT},
        {"Digest x=\"y\",bearer z", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer abc=", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer \"abc\"", NULL, SSO_R_BEARER_FORMAT},
        {"Bearer \xc3\xa4", NULL, SSO_R_BEARER_FORMAT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *token = "before";
        sso_rc rc = sso_bearer_token(&unit_ctx, rows[i].header, &token);
        bool same = rows[i].token == NULL ? token == NULL : token != NULL && strcmp(token, rows[i].token) == 0;
        if (rc != rows[i].rc || !same) {
            unit_fail("'%s': %s, token %s", rows[i].header, sso_reason(rc)->name, token == NULL ? "-" : token);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* ---- tokens ---- */

static const char *token_of(const fixture_claim_t *changes)
{
    fixture_claim_t all[24] = {
        {"aud", Q(API)}, {"azp", Q(CALLER)}, {"scp", Q("Orders.Read  Orders.Write")}, {"nonce", NULL}};
    size_t count = 4;
    for (; changes != NULL && changes->name != NULL; changes++) {
        assert_true(count < 23);
        all[count++] = *changes;
    }
    return fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, SITE_KID), fixture_claims(unit_pool, all));
}

static sso_rc open_for(const char *audience, const char *token, sso_bearer_t *ret_bearer)
{
    return sso_bearer_open(&unit_ctx, &site_world->site, audiences_of(audience), token, ret_bearer);
}

static sso_rc open_token(const char *token, sso_bearer_t *ret_bearer)
{
    return open_for(API, token, ret_bearer);
}

static void keep_claim(const char *name)
{
    apr_array_header_t *claims = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(claims, const char *) = name;
    site_world->site.claims = claims;
}

static void remember(void)
{
    site_world->site.bearers =
        sso_memo_init(apr_pcalloc(unit_pool, sso_memo_size(SSO_MAX_MEMO_BYTES)), SSO_MAX_MEMO_BYTES);
}

static void test_bearer_token_of_a_user_becomes_a_record(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"roles", "[\"orders.reader\"]"}, {"name", Q("Ada\\nExample")}, {NULL}};
    keep_claim("scp");
    remember();
    /* The second time it comes out of the memory, and is the same. */
    for (int round = 0; round < 2; round++) {
        sso_bearer_t bearer;
        sso_list_t scopes;
        assert_rc(SSO_OK, open_token(token_of(changes), &bearer));
        assert_string_equal(bearer.record.username, "ada@contoso.example");
        assert_string_equal(bearer.record.name, "Ada Example");
        assert_string_equal(bearer.record.oid, FIXTURE_OID);
        assert_string_equal(bearer.record.tid, FIXTURE_TENANT);
        assert_string_equal(sso_list_join(unit_pool, &bearer.record.roles, ","), "orders.reader");
        assert_true(sso_record_claim(&bearer.record, "scp", &scopes));
        assert_int_equal(scopes.count, 2);
        assert_string_equal(sso_list_join(unit_pool, &scopes, "|"), "Orders.Read|Orders.Write");
        assert_string_equal(bearer.client, CALLER);
        assert_false(bearer.app_only);
        assert_false(bearer.groups_unknown);
    }
}

static void test_bearer_token_of_an_application_names_nobody(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"scp", NULL},
                                       {"idtyp", Q("app")},
                                       {"roles", "[\"orders.reader\"]"},
                                       {"upn", Q("ada@contoso.example")},
                                       {NULL}};
    sso_bearer_t bearer;
    remember();
    for (int round = 0; round < 2; round++) {
        assert_rc(SSO_OK, open_token(token_of(changes), &bearer));
        assert_true(bearer.app_only);
        assert_string_equal(bearer.record.username, "");
        assert_string_equal(bearer.client, CALLER);
    }
}

static void test_bearer_token_of_version_1_is_named_by_its_upn(void **state)
{
    (void)state;
    fixture_claim_t changes[] = {{"ver", Q("1.0")},
                                 {"iss", Q("https://sts.windows.net/" FIXTURE_TENANT "/")},
                                 {"azp", NULL},
                                 {"appid", Q(CALLER)},
                                 {"preferred_username", NULL},
                                 {"upn", Q("grace@contoso.example")},
                                 {NULL}};
    sso_bearer_t bearer;
    site_world->site.v1_issuer = "https://sts.windows.net/{tenantid}/";
    assert_rc(SSO_OK, open_token(token_of(changes), &bearer));
    assert_string_equal(bearer.record.username, "grace@contoso.example");
    changes[5].value = Q("grace@contoso.example ");
    assert_rc(SSO_R_BEARER_TOKEN, open_token(token_of(changes), &bearer));
    changes[5].value = NULL;
    assert_rc(SSO_OK, open_token(token_of(changes), &bearer));
    assert_string_equal(bearer.record.username, "");
}

/* Garbage is the client's fault, with a detail that tells what it was. */
static void test_bearer_token_that_is_none_is_the_clients_fault(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    const fixture_claim_t roles[] = {{"roles", "[7]"}, {NULL}};
    const fixture_claim_t aud[] = {{"aud", Q(FIXTURE_CLIENT)}, {NULL}};
    const char *forged = fixture_token(unit_pool, FIXTURE_KEY_ATTACKER, fixture_header(unit_pool, SITE_KID), "{}");
    sso_bearer_t bearer;
    assert_int_equal(open_token(forged, &bearer), SSO_R_BEARER_TOKEN);
    assert_non_null(strstr(unit_ctx.fault.detail, "signature is wrong"));
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_R_BEARER_TOKEN, open_token("abc", &bearer));
    assert_rc(SSO_R_BEARER_TOKEN, open_token(token_of(roles), &bearer));
    assert_rc(SSO_R_ACCESS_AUD, open_token(token_of(aud), &bearer));
    assert_int_equal(sso_reason(SSO_R_BEARER_TOKEN)->status, 401);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_BEARER_REFUSED), 4);
}

static void test_bearer_keys_out_of_reach_are_no_fault_of_the_token(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    sso_bearer_t bearer;
    fake_http_always(site_world->fake, "/openid-configuration", 500, "");
    sso_rc rc = open_token(token_of(NULL), &bearer);
    assert_int_equal(sso_reason(rc)->status, 503);
    sso_fault_clear(&unit_ctx);
    site_world->site.authority = NULL;
    assert_rc(SSO_R_METADATA_NONE, open_token(token_of(NULL), &bearer));
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_BEARER_LATER), 2);
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_BEARER_REFUSED), 0);
}

/* ---- groups ---- */

static sso_group_policy_t groups;

static void refer_to(const char *group, sso_overage_t overage)
{
    apr_array_header_t *referenced = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(referenced, const char *) = group;
    groups = (sso_group_policy_t){.referenced = referenced, .overage = overage};
    site_world->site.groups = &groups;
    site_world->site.group_names = sso_group_names_make(unit_pool);
}

static void test_bearer_groups_are_those_of_the_token_that_are_referenced(void **state)
{
    (void)state;
    const fixture_claim_t both[] = {{"groups", "[\"" GROUP_A "\",\"" GROUP_B "\"]"}, {NULL}};
    const fixture_claim_t wrong[] = {{"groups", Q(GROUP_A)}, {NULL}};
    sso_bearer_t bearer;
    refer_to(GROUP_A, SSO_OVERAGE_GRAPH);
    assert_rc(SSO_OK, open_token(token_of(both), &bearer));
    assert_string_equal(sso_list_join(unit_pool, &bearer.record.groups, ","), GROUP_A);
    assert_false(bearer.groups_unknown);
    assert_rc(SSO_OK, open_token(token_of(NULL), &bearer));
    assert_false(bearer.groups_unknown);
    assert_rc(SSO_R_BEARER_TOKEN, open_token(token_of(wrong), &bearer));
}

static void test_bearer_groups_that_the_token_leaves_out_are_unknown(void **state)
{
    (void)state;
    const fixture_claim_t overage[] = {OVERAGE, {NULL}};
    const fixture_claim_t some[] = {{"groups", "[\"" GROUP_B "\"]"}, {NULL}};
    sso_bearer_t bearer;
    remember();
    refer_to(GROUP_A, SSO_OVERAGE_GRAPH);
    for (int round = 0; round < 2; round++) {
        assert_rc(SSO_OK, open_token(token_of(overage), &bearer));
        assert_true(bearer.groups_unknown);
    }
    site_world->site.bearers = NULL;
    refer_to(GROUP_A, SSO_OVERAGE_DENY);
    assert_rc(SSO_OK, open_token(token_of(overage), &bearer));
    assert_true(bearer.groups_unknown);
    refer_to(GROUP_A, SSO_OVERAGE_IGNORE);
    assert_rc(SSO_OK, open_token(token_of(overage), &bearer));
    assert_false(bearer.groups_unknown);
    /* A name is looked up in Graph, for which there is no token here. */
    refer_to("Finance", SSO_OVERAGE_GRAPH);
    assert_rc(SSO_OK, open_token(token_of(some), &bearer));
    assert_true(bearer.groups_unknown);
    assert_int_equal(fake_http_count(site_world->fake, "graph"), 0);
}

/* ---- memory ---- */

#define AT(seconds) (SSO_TEST_NOW + apr_time_from_sec(seconds))

/* Opens the token at that second of the test: true when it was not checked then, but remembered. */
static bool is_remembered(const char *token, int second)
{
    sso_bearer_t bearer;
    unit_ctx.now = AT(second);
    assert_rc(SSO_OK, open_token(token, &bearer));
    return bearer.record.created != AT(second);
}

static void test_bearer_is_checked_once_and_not_for_other_rules(void **state)
{
    (void)state;
    unit_ctx.counters = apr_pcalloc(unit_pool, sso_counters_size());
    const char *token = token_of(NULL);
    sso_bearer_t bearer;
    const sso_audiences_t *more = NULL;
    remember();
    assert_false(is_remembered(token, 0));
    assert_true(is_remembered(token, 1));
    assert_rc(SSO_R_ACCESS_AUD, open_for("api://other", token, &bearer));
    assert_null(audiences_make(API, "api://other", &more));
    assert_rc(SSO_OK, sso_bearer_open(&unit_ctx, &site_world->site, more, token, &bearer));
    assert_int_equal(bearer.record.created, AT(1));
    /* Another site of the process shares the memory, but not what is in it. */
    sso_site_t other = site_world->site;
    assert_rc(SSO_OK, sso_bearer_open(&unit_ctx, &other, audiences_of(API), token, &bearer));
    assert_int_equal(bearer.record.created, AT(1));
    site_world->site.bearers = NULL;
    assert_false(is_remembered(token, 2));
    /* Remembered ones are not judged. */
    assert_int_equal(sso_counters_get(unit_ctx.counters, SSO_COUNT_BEARER_OK), 3 + 1);
}

static void test_bearer_is_remembered_until_it_expires(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"exp", FIXTURE_SECONDS(100)}, {NULL}};
    const char *token = token_of(changes);
    sso_bearer_t bearer;
    remember();
    assert_false(is_remembered(token, 0));
    assert_true(is_remembered(token, 399)); /* the skew is 300 s */
    unit_ctx.now = AT(400);
    assert_rc(SSO_R_ACCESS_EXPIRED, open_token(token, &bearer));
}

static void test_bearer_is_remembered_for_an_hour_at_most(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"exp", FIXTURE_SECONDS(30 * 3600)}, {NULL}};
    const char *token = token_of(changes);
    remember();
    assert_false(is_remembered(token, 0));
    assert_true(is_remembered(token, 3599));
    assert_false(is_remembered(token, 3600));
}

static void test_bearer_is_checked_again_when_keys_change(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"exp", FIXTURE_SECONDS(3600)}, {NULL}};
    const char *token = token_of(changes);
    const char *unknown = fixture_token(unit_pool, FIXTURE_KEY_B, fixture_header(unit_pool, "kid-b"), "{}");
    sso_bearer_t bearer;
    remember();
    assert_false(is_remembered(token, 0));
    /* A token of an unknown key has the keys fetched anew: ours is still among them. */
    assert_rc(SSO_R_BEARER_TOKEN, open_token(unknown, &bearer));
    assert_false(is_remembered(token, 1));
    assert_true(is_remembered(token, 2));
    /* And then it is gone. */
    fake_http_always(
        site_world->fake, "/keys", 200,
        fixture_jwks(unit_pool, fixture_entra_jwk(unit_pool, FIXTURE_KEY_B, "kid-c", FIXTURE_ISSUER), NULL));
    unit_ctx.now = AT(120);
    assert_rc(SSO_R_BEARER_TOKEN, open_token(unknown, &bearer));
    assert_rc(SSO_R_BEARER_TOKEN, open_token(token, &bearer));
}

static void test_bearer_refusal_is_not_remembered(void **state)
{
    (void)state;
    const fixture_claim_t changes[] = {{"nbf", FIXTURE_SECONDS(1000)}, {NULL}};
    const char *token = token_of(changes);
    sso_bearer_t bearer;
    remember();
    assert_rc(SSO_R_ACCESS_NBF, open_token(token, &bearer));
    assert_false(is_remembered(token, 700));
    /* The clock is set back: what was remembered is of the future. */
    unit_ctx.now = AT(0);
    assert_rc(SSO_R_ACCESS_NBF, open_token(token, &bearer));
}

static void test_bearer_with_more_than_fits_is_checked_each_time(void **state)
{
    (void)state;
    char text[SSO_MAX_MEMO_BYTES + 3];
    memset(text, 'x', sizeof(text));
    text[0] = '"';
    text[sizeof(text) - 2] = '"';
    text[sizeof(text) - 1] = '\0';
    const fixture_claim_t changes[] = {{"name", text}, {NULL}};
    const char *token = token_of(changes);
    remember();
    assert_false(is_remembered(token, 0));
    assert_false(is_remembered(token, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_bearer_audiences_are_guids_and_api_uris),
        site_test(test_bearer_header_is_one_token_or_none),
        site_test(test_bearer_token_of_a_user_becomes_a_record),
        site_test(test_bearer_token_of_an_application_names_nobody),
        site_test(test_bearer_token_of_version_1_is_named_by_its_upn),
        site_test(test_bearer_token_that_is_none_is_the_clients_fault),
        site_test(test_bearer_keys_out_of_reach_are_no_fault_of_the_token),
        site_test(test_bearer_groups_are_those_of_the_token_that_are_referenced),
        site_test(test_bearer_groups_that_the_token_leaves_out_are_unknown),
        site_test(test_bearer_is_checked_once_and_not_for_other_rules),
        site_test(test_bearer_is_remembered_until_it_expires),
        site_test(test_bearer_is_remembered_for_an_hour_at_most),
        site_test(test_bearer_is_checked_again_when_keys_change),
        site_test(test_bearer_refusal_is_not_remembered),
        site_test(test_bearer_with_more_than_fits_is_checked_each_time),
    };
    return site_run(tests);
}
