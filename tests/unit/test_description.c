/* SPDX-License-Identifier: Apache-2.0 */
/* What httpd writes of an application is read whole or not at all. */
#include "command/description.h"

#include "unit.h"

#include "base/bytes.h"

#define TEXTS                                                                                                          \
    "\"app\":\"a\",\"place\":\"p\",\"origin\":\"https://o\",\"path\":\"/.entra\",\"redirect_uri\":\"https://o/c\","    \
    "\"state_directory\":\"/s\",\"key_file\":\"/s/k\",\"database\":\"d\",\"user\":\"u\",\"login_url\":\"https://l\","  \
    "\"tenant\":\"t\",\"graph_url\":\"https://g\",\"client_id\":\"c\",\"scopes\":\"openid api://x/Mail.Read "          \
    "User.Read\",\"overage\":\"graph\""
#define NUMBERS ",\"connect_ms\":3000,\"total_ms\":10000,\"skew_s\":300,\"watch_s\":60"
#define REST                                                                                                           \
    ",\"credential\":{\"kind\":\"certificate\",\"path\":\"/c\",\"key\":\"/k\",\"rs256\":true},\"groups\":[\"A\","      \
    "\"B\"],\"scim\":true,\"any_tenant\":false"

static bool description_of(const char *json, sso_description_t *ret_description)
{
    return sso_description_read(&unit_ctx, unit_pool, json, ret_description);
}

static void test_description_is_read(void **state)
{
    (void)state;
    sso_description_t d;
    assert_true(description_of("{" TEXTS NUMBERS REST ",\"later\":1}", &d));
    assert_string_equal(d.redirect_uri, "https://o/c");
    assert_null(d.trusted_ca);
    assert_int_equal(d.watch_s, 60);
    assert_int_equal(d.groups->nelts, 2);
    assert_string_equal(sso_text_at(d.groups, 1), "B");
    assert_int_equal(d.allowed_tenants->nelts, 0);
    assert_string_equal(d.credential.key_path, "/k");
    assert_true(d.credential.rs256);
    assert_true(d.scim);
    assert_false(d.any_tenant);
}

static void test_description_of_another_version_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[]", "{", "{" TEXTS NUMBERS "}", "{" TEXTS REST "}", "{" NUMBERS REST "}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sso_description_t d;
        if (description_of(bad[i], &d)) {
            unit_fail("%s", bad[i]);
        }
        assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    }
}

static void test_description_knows_whole_scopes(void **state)
{
    (void)state;
    sso_description_t d;
    assert_true(description_of("{" TEXTS NUMBERS REST "}", &d));
    assert_true(sso_description_has_scope(&d, "openid"));
    assert_true(sso_description_has_scope(&d, "User.Read"));
    assert_true(sso_description_has_scope(&d, "Mail.Read"));
    assert_false(sso_description_has_scope(&d, "Read"));
    assert_false(sso_description_has_scope(&d, "User"));
    assert_false(sso_description_has_scope(&d, "User.ReadWrite"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_description_is_read),
        unit_test(test_description_of_another_version_is_refused),
        unit_test(test_description_knows_whole_scopes),
    };
    return unit_run(tests);
}
