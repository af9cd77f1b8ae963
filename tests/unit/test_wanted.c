/* SPDX-License-Identifier: Apache-2.0 */
/* The registration that configurations need, and nothing more. */
#include "command/wanted.h"

#include "unit.h"

#include "base/bytes.h"
#include "base/json.h"

static apr_array_header_t *descriptions;

static apr_array_header_t *texts(const char *first)
{
    apr_array_header_t *list = apr_array_make(unit_pool, 2, sizeof(const char *));
    if (first != NULL) {
        APR_ARRAY_PUSH(list, const char *) = first;
    }
    return list;
}

static sso_description_t *description_add(const char *origin)
{
    sso_description_t *d = apr_pcalloc(unit_pool, sizeof(*d));
    d->origin = origin;
    d->path = "/.entra";
    d->redirect_uri = apr_pstrcat(unit_pool, origin, "/.entra/callback", NULL);
    d->client_id = "4b1d8c3a-0000-4000-8000-9d2e5f7a6b10";
    d->tenant = "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11";
    d->graph_url = "https://graph.microsoft.com";
    d->scopes = "openid profile email offline_access";
    d->claims = texts("acct");
    d->groups = texts(NULL);
    APR_ARRAY_PUSH(descriptions, const sso_description_t *) = d;
    return d;
}

static int setup(void **state)
{
    int code = unit_setup(state);
    if (code == 0) {
        descriptions = apr_array_make(unit_pool, 2, sizeof(const sso_description_t *));
    }
    return code;
}

static const sso_json_t *body_of(const sso_wanted_t *wanted)
{
    const sso_json_t *body;
    const char *text = sso_wanted_body(unit_pool, wanted);
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), 65536, &body));
    return body;
}

static bool has_claim(const sso_json_t *body, const char *name)
{
    const sso_json_t *list = sso_json_get(sso_json_get(body, "optionalClaims"), "idToken");
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        if (strcmp(sso_json_get_text(sso_json_at(list, i), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void test_wanted_of_the_smallest_configuration(void **state)
{
    (void)state;
    sso_wanted_t wanted;
    description_add("https://app.example.com");
    sso_wanted_make(unit_pool, descriptions, &wanted);
    assert_false(wanted.is_new);
    assert_string_equal(wanted.name, "app.example.com");
    assert_int_equal(wanted.apis->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(wanted.apis, 0, sso_wanted_api_t).resource, SSO_GRAPH_APP);
    assert_int_equal(APR_ARRAY_IDX(wanted.apis, 0, sso_wanted_api_t).scopes->nelts, 4);
    assert_int_equal(wanted.roles->nelts, 0);
    const sso_json_t *body = body_of(&wanted);
    assert_string_equal(sso_json_get_text(body, "signInAudience"), "AzureADMyOrg");
    assert_string_equal(sso_json_get_text(body, "groupMembershipClaims"), "None");
    const sso_json_t *web = sso_json_get(body, "web");
    assert_string_equal(sso_json_text(sso_json_at(sso_json_get(web, "redirectUris"), 0)),
                        "https://app.example.com/.entra/callback");
    assert_string_equal(sso_json_get_text(web, "logoutUrl"), "https://app.example.com/.entra/frontchannel-logout");
    assert_true(has_claim(body, "acct") && has_claim(body, "email") && has_claim(body, "login_hint"));
    assert_false(has_claim(body, "groups"));
    assert_null(sso_json_get(body, "api"));
}

static void test_wanted_of_several_together(void **state)
{
    (void)state;
    sso_wanted_t wanted;
    description_add("https://a.example.com");
    sso_description_t *second = description_add("https://b.example.com");
    second->scopes = "openid profile email offline_access User.Read https://graph.microsoft.com/Mail.Read api://x/read "
                     "api://x/write api://y/.default";
    apr_array_header_t *claims = texts("upn");
    APR_ARRAY_PUSH(claims, const char *) = "extn.dept";
    second->claims = claims;
    second->groups = texts("Finance");
    second->watch_s = 60;
    second->bearer = true;
    sso_wanted_make(unit_pool, descriptions, &wanted);
    assert_int_equal(wanted.redirect_uris->nelts, 2);
    assert_int_equal(wanted.apis->nelts, 3);
    assert_int_equal(APR_ARRAY_IDX(wanted.apis, 0, sso_wanted_api_t).scopes->nelts, 6);
    assert_string_equal(APR_ARRAY_IDX(wanted.apis, 1, sso_wanted_api_t).resource, "api://x");
    assert_int_equal(APR_ARRAY_IDX(wanted.apis, 1, sso_wanted_api_t).scopes->nelts, 2);
    assert_int_equal(APR_ARRAY_IDX(wanted.apis, 2, sso_wanted_api_t).scopes->nelts, 0);
    assert_string_equal(sso_text_at(wanted.roles, 0), "User.Read.All");
    const sso_json_t *body = body_of(&wanted);
    assert_string_equal(sso_json_get_text(body, "groupMembershipClaims"), "SecurityGroup");
    assert_true(has_claim(body, "upn") && has_claim(body, "groups"));
    assert_false(has_claim(body, "extn.dept"));
    assert_non_null(sso_json_get(body, "api"));
}

static void test_wanted_groups_of_scim_need_no_claim(void **state)
{
    (void)state;
    sso_wanted_t wanted;
    sso_description_t *d = description_add("http://localhost");
    d->groups = texts("Finance");
    d->groups_of_scim = true;
    d->client_id = "00000000-0000-0000-0000-000000000000";
    sso_wanted_make(unit_pool, descriptions, &wanted);
    assert_false(wanted.groups);
    assert_true(wanted.is_new);
    assert_null(wanted.logout_url);
}

static void test_wanted_accounts(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"organizations", "AzureADMultipleOrgs"},
                                          {"common", "AzureADandPersonalMicrosoftAccount"},
                                          {"consumers", "PersonalMicrosoftAccount"},
                                          {"contoso.example", "AzureADMyOrg"}};
    sso_description_t *d = description_add("https://app.example.com");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_wanted_t wanted;
        d->tenant = rows[i][0];
        sso_wanted_make(unit_pool, descriptions, &wanted);
        assert_string_equal(wanted.audience, rows[i][1]);
    }
}

#define wanted_test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        wanted_test(test_wanted_of_the_smallest_configuration),
        wanted_test(test_wanted_of_several_together),
        wanted_test(test_wanted_groups_of_scim_need_no_claim),
        wanted_test(test_wanted_accounts),
    };
    return unit_run(tests);
}
