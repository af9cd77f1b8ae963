/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk: each operation for itself, references backwards, bounds. */
#include "directory/operation.h"

#include "unit.h"

#include "service.h"

#define BULK "'schemas':['urn:ietf:params:scim:api:messages:2.0:BulkRequest']"

static const char *statuses(void)
{
    const sso_json_t *lines = sso_json_get(service_json(), "Operations");
    const char *text = "";
    for (apr_size_t i = 0; i < sso_json_size(lines); i++) {
        text =
            apr_pstrcat(unit_pool, text, i == 0 ? "" : " ", sso_json_get_text(sso_json_at(lines, i), "status"), NULL);
    }
    return text;
}

static void test_bulk_runs_in_order(void **state)
{
    (void)state;
    static const char body[] =
        "{" BULK ",'Operations':["
        "{'method':'POST','path':'/Users','bulkId':'a','data':{'userName':'ada'}},"
        "{'method':'POST','path':'/Groups','data':{'displayName':'G','members':[{'value':'bulkId:a'}]}},"
        "{'method':'PUT','path':'/Users/bulkId:a','data':{'userName':'ada2'}},"
        "{'method':'POST','path':'/Users','data':{'userName':'ADA2'}},"
        "{'method':'POST','path':'/Groups','data':{'displayName':'H','members':[{'value':'bulkId:z'}]}},"
        "{'method':'DELETE','path':'/Users/bulkId:z'},"
        "{'method':'GET','path':'/Users'},{'method':'PUT','path':'/Users'},'x',"
        "{'method':'DELETE','path':'/Users/bulkId:a','version':'1'},"
        "{'method':'DELETE','path':'/Users/bulkId:a'}]}";
    assert_int_equal(service_do("POST", "/Bulk", NULL, body), 200);
    assert_string_equal(statuses(), "201 201 200 409 400 400 400 400 400 412 204");
    assert_int_equal(service_answer.events->nelts, 4);
}

static void test_bulk_of_odd_lines_answers_each(void **state)
{
    (void)state;
    static const char body[] =
        "{'schemas':[5,'x','urn:ietf:params:scim:api:messages:2.0:BulkRequest'],'failOnErrors':0,'Operations':["
        "{'method':'POST','path':'/"
        "Users','bulkId':'a','data':{'userName':'ada','name':{'givenName':'A'},'active':true}},"
        "{'method':'POST','path':'/Groups','bulkId':'g','data':{'displayName':'G','members':['bulkId:a']}},"
        "{'method':'PUT','path':'/Groups/bulkId:g','bulkId':'b','data':{'displayName':'H','externalId':'bulkId:a'}},"
        "{'method':'POST','path':'/Groups','data':{'displayName':'I','members':['nobody']}},"
        "{'method':'POST'},{'method':'POST','path':'Users'},{'method':'POST','path':'/Things'},"
        "{'method':'POST','path':'/Users','data':'x'}]}";
    assert_int_equal(service_do("POST", "/Bulk", NULL, body), 200);
    assert_string_equal(statuses(), "201 201 200 201 400 400 400 400");
}

static void test_bulk_is_bounded(void **state)
{
    (void)state;
    const char *lines = "";
    for (int i = 0; i < SSO_MAX_SCIM_BULK; i++) {
        lines = apr_pstrcat(unit_pool, lines, "{'method':'DELETE','path':'/Users/x'},", NULL);
    }
    assert_int_equal(
        service_do("POST", "/Bulk", NULL, apr_pstrcat(unit_pool, "{" BULK ",'Operations':[", lines, "{}]}", NULL)),
        413);
    assert_rc(SSO_R_SCIM_BULK, unit_ctx.fault.rc);
    static const char two[] = "{" BULK ",'failOnErrors':2,'Operations':[{'method':'DELETE','path':'/Users/x'},{},{}]}";
    assert_int_equal(service_do("POST", "/Bulk", NULL, two), 200);
    assert_string_equal(statuses(), "404 400");
    assert_int_equal(service_do("POST", "/Bulk", NULL, "{'Operations':[]}"), 400);
    assert_int_equal(service_do("POST", "/Bulk", NULL, "{" BULK "}"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_bulk_runs_in_order),
        service_test(test_bulk_of_odd_lines_answers_each),
        service_test(test_bulk_is_bounded),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
