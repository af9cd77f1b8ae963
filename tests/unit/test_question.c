/* SPDX-License-Identifier: Apache-2.0 */
/* What a list is asked by. */
#include "directory/question.h"

#include "unit.h"

#include "service.h"

static void test_question_of_a_query(void **state)
{
    (void)state;
    sso_question_t question;
    assert_rc(SSO_OK, sso_question_of_query(&unit_ctx, NULL, &question));
    assert_int_equal(question.start, 1);
    assert_int_equal(question.count, SSO_SCIM_PAGE);
    assert_null(question.filter);
    assert_null(question.cursor);
    assert_rc(SSO_OK, sso_question_of_query(
                          &unit_ctx,
                          "aadOptscim062020&filter=userName+eq+%22a%22&startIndex=-4&count=9999&cursor=", &question));
    assert_string_equal(question.filter, "userName eq \"a\"");
    assert_string_equal(question.cursor, "");
    assert_int_equal(question.start, 1);
    assert_int_equal(question.count, SSO_MAX_SCIM_PAGE);
    static const char *const bad[] = {"count=1.5", "startIndex=", "filter=a&filter=b", "filter=%", "cursor=%ff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SCIM_QUERY, sso_question_of_query(&unit_ctx, bad[i], &question));
    }
}

static void test_question_of_a_body(void **state)
{
    (void)state;
    sso_question_t question;
    const sso_json_t *body =
        scim_json("{'Filter':'id pr','attributes':['a','b'],'count':-3,'excludedAttributes':'c','cursor':null}");
    assert_rc(SSO_OK, sso_question_of_body(&unit_ctx, body, &question));
    assert_string_equal(question.filter, "id pr");
    assert_string_equal(question.attributes, "a,b");
    assert_string_equal(question.excluded, "c");
    assert_int_equal(question.count, 0);
    assert_null(question.cursor);
    static const char *const bad[] = {"{'filter':1}", "{'count':'3'}", "{'attributes':[1]}", "{'cursor':[]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_R_SCIM_QUERY, sso_question_of_body(&unit_ctx, scim_json(bad[i]), &question));
    }
}

static void test_question_never_turns_into_everybody(void **state)
{
    (void)state;
    sso_question_t question;
    sso_listing_t listing;
    static const char *const bad[] = {"filter=", "filter=nonsense+eq+1", "filter=+"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_rc(SSO_OK, sso_question_of_query(&unit_ctx, bad[i], &question));
        assert_rc(SSO_R_SCIM_FILTER, sso_question_listing(&unit_ctx, &question, SSO_SCIM_USER, &listing));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_question_of_a_query),
        service_test(test_question_of_a_body),
        service_test(test_question_never_turns_into_everybody),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
