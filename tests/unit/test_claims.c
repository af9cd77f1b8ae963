/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of entra/claims.c by itself: that each kind of token gets its own reasons. The rules are tested with the tokens
 * (test_idtoken.c, test_accesstoken.c). */
#include "entra/claims.h"

#include "unit.h"

#include "base/limits.h"

/* Any reasons do, as long as they differ. */
static const sso_claims_reasons_t REASONS = {
    .type = SSO_R_JWT_SIZE,
    .tid_missing = SSO_R_JWT_SHAPE,
    .tid_format = SSO_R_JWT_HEADER,
    .aud = SSO_R_JWT_TYP,
};

static sso_claims_t claims_of(const char *text)
{
    sso_claims_t claims = {.ctx = &unit_ctx, .reasons = &REASONS};
    assert_int_equal(sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), SSO_MAX_JWT, &claims.claims), SSO_OK);
    return claims;
}

static void test_claims_refuse_with_the_reasons_that_were_given(void **state)
{
    (void)state;
    static const char *const texts[] = {"tid", NULL};
    const sso_claims_t number = claims_of("{\"tid\":7}");
    const sso_claims_t none = claims_of("{}");
    const sso_claims_t name = claims_of("{\"tid\":\"contoso.example\",\"aud\":\"x\"}");
    const char *tid = NULL;
    apr_array_header_t *ours = apr_array_make(unit_pool, 1, sizeof(const char *));
    assert_rc(SSO_R_JWT_SIZE, sso_claims_types(&number, texts));
    assert_rc(SSO_R_JWT_SHAPE, sso_claims_tenant(&none, &tid));
    assert_rc(SSO_R_JWT_HEADER, sso_claims_tenant(&name, &tid));
    assert_rc(SSO_R_JWT_TYP, sso_claims_audience(&name, ours));
    APR_ARRAY_PUSH(ours, const char *) = "y";
    APR_ARRAY_PUSH(ours, const char *) = "x";
    assert_rc(SSO_OK, sso_claims_audience(&name, ours));
    assert_null(tid);
}

static void test_claims_texts_are_never_empty(void **state)
{
    (void)state;
    const sso_claims_t claims = claims_of("{\"a\":\"\",\"b\":\"x\\ny\",\"c\":7}");
    assert_null(sso_claims_text(&claims, "a"));
    assert_null(sso_claims_text(&claims, "c"));
    assert_null(sso_claims_text(&claims, "d"));
    assert_string_equal(sso_claims_text(&claims, "b"), "x\ny");
    assert_string_equal(sso_claims_printable(&claims, "b"), "x\\x0ay");
    assert_string_equal(sso_claims_printable(&claims, "d"), "(none)");
    assert_string_equal(sso_claims_lower(unit_pool, "AbC-9"), "abc-9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_claims_refuse_with_the_reasons_that_were_given),
        unit_test(test_claims_texts_are_never_empty),
    };
    return unit_run(tests);
}
