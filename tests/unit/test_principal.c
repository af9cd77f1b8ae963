/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/principal.c: the principal of App Service, as an application written for it reads it. */
#include "flow/principal.h"

#include "unit.h"

#include <apr_base64.h>

#include "base/json.h"
#include "base/limits.h"
#include "lists.h"

#define SOAP "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

static sso_record_t record_make(void)
{
    sso_record_t record = {.sid = "", .login_hint = ""};
    record.oid = "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f";
    record.tid = "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613";
    record.username = "ada@contoso.example";
    record.name = "Ada";
    record.email = "";
    record.groups = list_of(TEXTS("g1"));
    return record;
}

static const sso_json_t *decode(const char *value)
{
    char *text = apr_palloc(unit_pool, strlen(value) + 1);
    int len = apr_base64_decode(text, value);
    const sso_json_t *json = NULL;
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, (apr_size_t)len, SSO_MAX_JWT, &json));
    return json;
}

/* The values of a type, with blanks between them. */
static const char *values_of(const sso_json_t *principal, const char *type)
{
    const char *all = "";
    const sso_json_t *claims = sso_json_get(principal, "claims");
    for (apr_size_t i = 0; i < sso_json_size(claims); i++) {
        const sso_json_t *claim = sso_json_at(claims, i);
        assert_int_equal(sso_json_size(claim), 2);
        if (strcmp(sso_json_get_text(claim, "typ"), type) == 0) {
            all = apr_pstrcat(unit_pool, all, *all == '\0' ? "" : " ", sso_json_get_text(claim, "val"), NULL);
        }
    }
    return all;
}

static void test_principal_has_the_claims_under_app_services_names(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_make();
    sso_list_t roles = list_of(TEXTS("reader", "editor"));
    const sso_subject_t subject = {&record, &roles, "ada"};
    const sso_json_t *principal = decode(sso_principal_get(&unit_ctx, &subject, &kept));
    assert_string_equal(sso_json_get_text(principal, "auth_typ"), "aad");
    assert_string_equal(sso_json_get_text(principal, "name_typ"), SOAP "name");
    assert_string_equal(values_of(principal, sso_json_get_text(principal, "name_typ")), "ada");
    assert_string_equal(values_of(principal, sso_json_get_text(principal, "role_typ")), "reader editor");
    assert_string_equal(values_of(principal, "roles"), "reader editor");
    assert_string_equal(values_of(principal, "groups"), "g1");
    assert_string_equal(values_of(principal, "http://schemas.microsoft.com/identity/claims/objectidentifier"),
                        record.oid);
    assert_string_equal(values_of(principal, "http://schemas.microsoft.com/identity/claims/tenantid"), record.tid);
    assert_string_equal(values_of(principal, SOAP "nameidentifier"), record.oid);
    assert_string_equal(values_of(principal, "preferred_username"), "ada@contoso.example");
    assert_string_equal(values_of(principal, "name"), "Ada");
    assert_string_equal(values_of(principal, SOAP "emailaddress"), ""); /* what the user has not is not there */
}

static void test_principal_is_kept_until_something_changes(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_make();
    sso_list_t roles = list_of(TEXTS("reader"));
    sso_subject_t subject = {&record, &roles, "ada"};
    const char *first = sso_principal_get(&unit_ctx, &subject, &kept);
    unit_ctx.now += apr_time_from_sec(3600);
    assert_ptr_equal(sso_principal_get(&unit_ctx, &subject, &kept), first);
    first = apr_pstrdup(unit_pool, first);
    subject.user = "eve";
    const char *second = sso_principal_get(&unit_ctx, &subject, &kept);
    assert_string_not_equal(first, second);
    assert_string_equal(values_of(decode(second), SOAP "name"), "eve");
    sso_list_t others = list_of(TEXTS("admin"));
    subject.roles = &others;
    assert_string_equal(values_of(decode(sso_principal_get(&unit_ctx, &subject, &kept)), "roles"), "admin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_principal_has_the_claims_under_app_services_names),
        unit_test(test_principal_is_kept_until_something_changes),
    };
    return unit_run(tests);
}
