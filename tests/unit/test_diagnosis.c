/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/diagnosis.c: each planted mistake is found, named, and sent to the place where it is mended; what is
 * right is not blamed. */
#include "flow/diagnosis.h"

#include <string.h>

#include "unit.h"

#include "flow/groups.h"
#include "site.h"

static sso_trial_t trial;
static apr_array_header_t *referenced;
static sso_group_policy_t groups;

static const sso_json_t *claims(const char *text)
{
    const sso_json_t *json = NULL;
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, strlen(text), 4096, &json));
    return json;
}

static sso_list_t only(const char *item)
{
    apr_array_header_t *items = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(items, const char *) = item;
    return sso_list_make(unit_pool, items);
}

static int setup(void **state)
{
    if (site_setup(state) != 0) {
        return -1;
    }
    referenced = apr_array_make(unit_pool, 1, sizeof(const char *));
    groups = (sso_group_policy_t){.referenced = referenced};
    site_world->site.groups = &groups;
    memset(&trial, 0, sizeof(trial));
    trial.claims = claims("{\"groups\":[\"g1\"],\"acrs\":[\"c1\"]}");
    trial.kid = "k";
    trial.complete = true;
    trial.issued = unit_ctx.now;
    trial.cookie_bytes = 700;
    trial.cookie_parts = 1;
    trial.record = (sso_record_t){.sid = "",
                                  .tid = FIXTURE_TENANT,
                                  .oid = FIXTURE_OID,
                                  .username = "ada@contoso.example",
                                  .name = "Ada",
                                  .email = "ada@contoso.example",
                                  .login_hint = "",
                                  .renewable = true,
                                  .roles = only("r"),
                                  .groups = only("g1")};
    return 0;
}

#define diagnosis_test(function) cmocka_unit_test_setup_teardown(function, setup, database_teardown)

/* The finding whose words have this in them; NULL: there is none. */
static const sso_finding_t *find(const char *what)
{
    apr_array_header_t *findings = sso_diagnosis_make(&unit_ctx, &site_world->site, &trial);
    for (int i = 0; i < findings->nelts; i++) {
        const sso_finding_t *finding = &APR_ARRAY_IDX(findings, i, sso_finding_t);
        assert_non_null(finding->what);
        /* What is to be mended has a place. */
        assert_true(finding->level == SSO_FINDING_GOOD || finding->where != NULL ||
                    strstr(finding->what, "Entra named") != NULL);
        if (strstr(finding->what, what) != NULL) {
            return finding;
        }
    }
    return NULL;
}

static void assert_found(sso_finding_level_t level, const char *what, const char *where)
{
    const sso_finding_t *finding = find(what);
    if (finding == NULL) {
        unit_fail("nothing says: %s", what);
        return;
    }
    assert_int_equal(finding->level, level);
    if (where != NULL) {
        assert_non_null(finding->where);
        assert_non_null(strstr(finding->where, where));
    }
}

static int blamed(void)
{
    int count = 0;
    apr_array_header_t *findings = sso_diagnosis_make(&unit_ctx, &site_world->site, &trial);
    for (int i = 0; i < findings->nelts; i++) {
        count += APR_ARRAY_IDX(findings, i, sso_finding_t).level != SSO_FINDING_GOOD;
    }
    return count;
}

static void test_diagnosis_of_what_is_right_blames_nothing(void **state)
{
    (void)state;
    APR_ARRAY_PUSH(referenced, const char *) = "g1";
    assert_int_equal(blamed(), 0);
    assert_found(SSO_FINDING_GOOD, SITE_ORIGIN "/.entra/callback", NULL);
    assert_found(SSO_FINDING_GOOD, "clocks", NULL);
    assert_found(SSO_FINDING_GOOD, "700 bytes in 1 cookie.", NULL);
}

static void test_diagnosis_of_a_fault_tells_reason_detail_and_entras_number(void **state)
{
    (void)state;
    memset(&trial, 0, sizeof(trial));
    (void)sso_fail(&unit_ctx, SSO_R_AUTHORIZE_CONFIG, "a detail");
    unit_ctx.fault.aadsts = 50011;
    assert_found(SSO_FINDING_WRONG, "ENTRA1311: ", "");
    assert_found(SSO_FINDING_WRONG, ": a detail", NULL);
    assert_found(SSO_FINDING_WRONG, "Entra named AADSTS50011: ", NULL);
    assert_int_equal(blamed(), 2);
    unit_ctx.fault.aadsts = 999999;
    assert_found(SSO_FINDING_WRONG, "AADSTS999999.", NULL);
    assert_found(SSO_FINDING_WRONG, "ENTRA1311", "Messages");
    sso_fault_clear(&unit_ctx);
}

static void test_diagnosis_of_missing_groups(void **state)
{
    (void)state;
    trial.claims = claims("{\"acrs\":[]}");
    assert_null(find("groups claim"));
    APR_ARRAY_PUSH(referenced, const char *) = "g1";
    assert_found(SSO_FINDING_WRONG, "no groups claim", "Token configuration > Add groups claim");
    /* Of the directory, nothing is asked of the token. */
    groups.elsewhere = true;
    assert_null(find("groups claim"));
}

static void test_diagnosis_of_overage(void **state)
{
    (void)state;
    groups.all = true;
    trial.claims = claims("{\"_claim_names\":{\"groups\":\"src1\"}}");
    assert_found(SSO_FINDING_NOTE, "more groups than a token holds", "Groups assigned to the application");
    trial.claims = claims("{\"hasgroups\":true}");
    assert_found(SSO_FINDING_NOTE, "more groups than a token holds", NULL);
}

static void test_diagnosis_of_groups_of_which_none_is_named(void **state)
{
    (void)state;
    APR_ARRAY_PUSH(referenced, const char *) = "g2";
    trial.record.groups = (sso_list_t){NULL, 0, 0};
    assert_found(SSO_FINDING_NOTE, "none of those that the configuration names", "Users and groups");
}

static void test_diagnosis_of_missing_roles_and_display(void **state)
{
    (void)state;
    trial.record.roles = (sso_list_t){NULL, 0, 0};
    trial.record.email = "";
    trial.record.name = "";
    assert_found(SSO_FINDING_NOTE, "no app roles", "App roles");
    assert_found(SSO_FINDING_NOTE, "no email, so X-Entra-Email", "optional claim");
    assert_found(SSO_FINDING_NOTE, "no name, so X-Entra-Name", "API permissions");
}

static void test_diagnosis_of_claims_that_the_configuration_names(void **state)
{
    (void)state;
    apr_array_header_t *names = apr_array_make(unit_pool, 3, sizeof(const char *));
    apr_array_header_t *packed = apr_array_make(unit_pool, 3, sizeof(const char *));
    apr_array_header_t *values = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = "idp";
    APR_ARRAY_PUSH(names, const char *) = "acct";
    APR_ARRAY_PUSH(names, const char *) = "department";
    APR_ARRAY_PUSH(names, const char *) = "street";
    APR_ARRAY_PUSH(values, const char *) = "Press";
    sso_claims_add(unit_pool, packed, "department", values);
    trial.record.claims = sso_list_make(unit_pool, packed);
    site_world->site.claims = names;
    assert_found(SSO_FINDING_WRONG, "names the claim street ", "Add optional claim");
    assert_int_equal(blamed(), 1);
}

static void test_diagnosis_of_contexts(void **state)
{
    (void)state;
    apr_array_header_t *acrs = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(acrs, const char *) = "c1";
    trial.claims = claims("{}");
    assert_null(find("authentication context"));
    site_world->site.acrs = acrs;
    assert_found(SSO_FINDING_NOTE, "authentication context", "acrs");
    trial.claims = claims("{\"acrs\":[\"c1\"]}");
    assert_null(find("authentication context"));
}

static void test_diagnosis_of_clocks(void **state)
{
    (void)state;
    trial.issued = unit_ctx.now - apr_time_from_sec(60);
    assert_found(SSO_FINDING_GOOD, "clocks", NULL);
    trial.issued = unit_ctx.now - apr_time_from_sec(61);
    assert_found(SSO_FINDING_WRONG, "61 seconds ahead of Entra's", "NTP");
    trial.issued = unit_ctx.now + apr_time_from_sec(200);
    assert_found(SSO_FINDING_WRONG, "200 seconds behind Entra's", "NTP");
    trial.issued = 0;
    assert_null(find("clock"));
}

static void test_diagnosis_of_refresh_token_and_cookie(void **state)
{
    (void)state;
    trial.record.renewable = false;
    assert_found(SSO_FINDING_NOTE, "no refresh token", "offline_access");
    trial.cookie_bytes = SITE_MAX_COOKIE / 4 * 3 + 1;
    trial.cookie_parts = 2;
    assert_found(SSO_FINDING_NOTE, "bytes of cookies", "fewer groups");
    trial.cookie_bytes = 4000;
    assert_found(SSO_FINDING_GOOD, "4000 bytes in 2 cookies.", NULL);
    trial.cookie_bytes = 0;
    assert_found(SSO_FINDING_WRONG, "does not fit into its cookies", "fewer groups");
}

static void test_diagnosis_of_an_incomplete_trial_judges_what_is_there(void **state)
{
    (void)state;
    groups.all = true;
    trial.complete = false;
    trial.claims = claims("{\"hasgroups\":true}");
    (void)sso_fail(&unit_ctx, SSO_R_GROUPS_OVERAGE, "205 groups");
    assert_found(SSO_FINDING_WRONG, "ENTRA1420", NULL);
    assert_found(SSO_FINDING_NOTE, "leads to Microsoft Graph", NULL);
    assert_null(find("cookie"));
    assert_null(find("refresh token"));
    sso_fault_clear(&unit_ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        diagnosis_test(test_diagnosis_of_what_is_right_blames_nothing),
        diagnosis_test(test_diagnosis_of_a_fault_tells_reason_detail_and_entras_number),
        diagnosis_test(test_diagnosis_of_missing_groups),
        diagnosis_test(test_diagnosis_of_overage),
        diagnosis_test(test_diagnosis_of_groups_of_which_none_is_named),
        diagnosis_test(test_diagnosis_of_missing_roles_and_display),
        diagnosis_test(test_diagnosis_of_claims_that_the_configuration_names),
        diagnosis_test(test_diagnosis_of_contexts),
        diagnosis_test(test_diagnosis_of_clocks),
        diagnosis_test(test_diagnosis_of_refresh_token_and_cookie),
        diagnosis_test(test_diagnosis_of_an_incomplete_trial_judges_what_is_there),
    };
    return site_run(tests);
}
