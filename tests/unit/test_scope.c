/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of entra/scope.c: which scopes go together in one request. */
#include "entra/scope.h"

#include "unit.h"

#include "lists.h"

static const apr_array_header_t *scopes_of(const char *text)
{
    char *last = NULL;
    apr_array_header_t *scopes = apr_array_make(unit_pool, 8, sizeof(const char *));
    for (char *word = apr_strtok(apr_pstrdup(unit_pool, text), " ", &last); word != NULL;
         word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(scopes, const char *) = word;
    }
    return scopes;
}

static void test_scope_belongs_to_what_stands_before_its_last_slash(void **state)
{
    static const struct {
        const char *scope, *resource;
    } rows[] = {
        {"User.Read", ""},
        {"https://graph.microsoft.com/User.Read", ""},
        {"https://graph.microsoft.us/User.Read", ""},
        {"https://microsoftgraph.chinacloudapi.cn/User.Read", ""},
        {"https://graph.microsoft.com.evil.example/User.Read", "https://graph.microsoft.com.evil.example"},
        {"api://a/x", "api://a"},
        {"api://a/b/x", "api://a/b"},
        {"https://management.core.windows.net//.default", "https://management.core.windows.net/"},
        {"api://a/", "api://a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_scope_resource(unit_pool, rows[i].scope), rows[i].resource);
    }
}

static void test_scope_of_openid_is_of_no_resource(void **state)
{
    (void)state;
    assert_true(sso_scope_is_openid("openid"));
    assert_true(sso_scope_is_openid("offline_access"));
    assert_false(sso_scope_is_openid("OpenID"));
    assert_false(sso_scope_is_openid("User.Read"));
    assert_false(sso_scope_is_openid("api://a/openid"));
    assert_true(sso_scope_is_default("api://a/.default"));
    assert_true(sso_scope_is_default(".default"));
    assert_false(sso_scope_is_default("api://.default/x"));
}

/* Two resources in one token request are AADSTS700022. */
static void test_scope_of_a_request_is_of_one_resource(void **state)
{
    static const struct {
        const char *all, *request;
    } rows[] = {
        {"openid profile", "openid profile"},
        {"", ""},
        {"openid User.Read Mail.Read", "openid User.Read Mail.Read"},
        {"openid api://a/x api://a/y offline_access", "openid api://a/x api://a/y offline_access"},
        {"openid api://a/x api://b/y", "openid api://a/x"},
        {"openid api://a/x User.Read api://b/y", "openid User.Read"},
        {"api://a/x https://graph.microsoft.com/User.Read openid Mail.Read",
         "https://graph.microsoft.com/User.Read openid Mail.Read"},
        {"openid openid User.Read User.Read", "openid User.Read"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_scope_of_request(unit_pool, scopes_of(rows[i].all)), rows[i].request);
    }
}

static void test_scope_of_all_has_each_once(void **state)
{
    (void)state;
    assert_string_equal(sso_scope_of_all(unit_pool, scopes_of("openid api://a/x User.Read openid api://a/x api://b/y")),
                        "openid api://a/x User.Read api://b/y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_scope_belongs_to_what_stands_before_its_last_slash),
        unit_test(test_scope_of_openid_is_of_no_resource),
        unit_test(test_scope_of_a_request_is_of_one_resource),
        unit_test(test_scope_of_all_has_each_once),
    };
    return unit_run(tests);
}
