/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/entitle.c: each kind of rule grants, refuses, and says no to what a session does not hold; the maps
 * of EntraRole; and what no configuration may say. */
#include "session/entitle.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/authority.h"
#include "lists.h"

#define OID "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f"
#define OID_UPPER "5B9E7D10-3C44-4A1F-9F2E-6D8A0C1B2E3F"
#define TENANT "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613"
#define TENANT_UPPER "7F3A1C52-9D0E-4B6A-8C41-2E5D90B7A613"
#define OTHER_TENANT "2b8e4d10-6f5a-4c3b-9d7e-1a0f9e8d7c6b"
#define GROUP "0f1e2d3c-4b5a-4968-8776-655443322110"
#define GROUP_UPPER "0F1E2D3C-4B5A-4968-8776-655443322110"

/* Ada, a member of TENANT. claims as sso_claims_add packs them. */
static sso_record_t ada(const char *const *claims)
{
    sso_record_t record;
    memset(&record, 0, sizeof(record));
    record.tid = TENANT;
    record.oid = OID;
    record.sid = "sid-1";
    record.username = "ada@contoso.example";
    record.name = "Ada Example";
    record.email = "ada@corp.example";
    record.login_hint = "";
    record.roles = list_of(TEXTS("app.reader", "app.writer"));
    record.groups = list_of(TEXTS("Finance", GROUP));
    record.claims = list_of(claims);
    return record;
}

static const apr_array_header_t *words_of(const char *const *words)
{
    apr_array_header_t *array = apr_array_make(unit_pool, 4, sizeof(const char *));
    for (; *words != NULL; words++) {
        APR_ARRAY_PUSH(array, const char *) = *words;
    }
    return array;
}

static const sso_rule_t *rule_of(sso_rule_kind_t kind, const char *const *words)
{
    const sso_rule_t *rule = NULL;
    const char *wrong = sso_rule_make(unit_pool, kind, words_of(words), NULL, &rule);
    if (wrong != NULL) {
        unit_fail("the rule with %s was refused: %s", words[0], wrong);
    }
    return rule;
}

static bool holds_for(const sso_record_t *record, sso_rule_kind_t kind, const char *const *words)
{
    return sso_rule_holds(rule_of(kind, words), record, &record->roles);
}

/* The rule with one word, asked of Ada. */
static bool ada_holds(sso_rule_kind_t kind, const char *word)
{
    sso_record_t record = ada(TEXTS(NULL));
    return holds_for(&record, kind, TEXTS(word));
}

/* Fails unless the words are refused with a text that has part in it. */
static void assert_refused(sso_rule_kind_t kind, const char *const *words, const char *part)
{
    const sso_rule_t *rule = NULL;
    const char *wrong = sso_rule_make(unit_pool, kind, words_of(words), NULL, &rule);
    if (wrong == NULL || strstr(wrong, part) == NULL || rule != NULL) {
        unit_fail("%s: \"%s\" has no \"%s\"", words[0] == NULL ? "-" : words[0], wrong == NULL ? "-" : wrong, part);
    }
}

/* ---- roles, groups, tenants ---- */

static void test_role_of_the_token_in_its_own_case_grants(void **state)
{
    (void)state;
    assert_true(ada_holds(SSO_RULE_ROLE, "app.writer"));
    assert_false(ada_holds(SSO_RULE_ROLE, "App.Writer"));
    assert_false(ada_holds(SSO_RULE_ROLE, "app.admin"));
    assert_false(ada_holds(SSO_RULE_ROLE, "app"));
    assert_false(ada_holds(SSO_RULE_ROLE, "app.writers"));
}

static void test_role_is_asked_of_the_given_roles_not_of_the_record(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    sso_list_t roles = list_of(TEXTS("mapped"));
    assert_true(sso_rule_holds(rule_of(SSO_RULE_ROLE, TEXTS("mapped")), &record, &roles));
    assert_false(sso_rule_holds(rule_of(SSO_RULE_ROLE, TEXTS("app.reader")), &record, &roles));
}

static void test_any_of_several_words_grants(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    assert_true(holds_for(&record, SSO_RULE_ROLE, TEXTS("no", "nor this", "app.reader")));
    assert_true(holds_for(&record, SSO_RULE_GROUP, TEXTS("no", "Finance")));
    assert_true(holds_for(&record, SSO_RULE_TENANT, TEXTS(OTHER_TENANT, TENANT)));
    assert_true(holds_for(&record, SSO_RULE_DOMAIN, TEXTS("other.example", "contoso.example")));
    assert_false(holds_for(&record, SSO_RULE_ROLE, TEXTS("no", "nor this")));
}

static void test_group_by_name_or_id_in_any_case_grants(void **state)
{
    (void)state;
    assert_true(ada_holds(SSO_RULE_GROUP, "Finance"));
    assert_true(ada_holds(SSO_RULE_GROUP, "fINANCE"));
    assert_true(ada_holds(SSO_RULE_GROUP, GROUP_UPPER));
    assert_false(ada_holds(SSO_RULE_GROUP, "Financ"));
    assert_false(ada_holds(SSO_RULE_GROUP, "Finance "));
    assert_false(ada_holds(SSO_RULE_GROUP, OTHER_TENANT));
}

static void test_empty_lists_of_a_session_grant_nothing(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    record.roles = record.groups = (sso_list_t){NULL, 0, 0};
    assert_false(holds_for(&record, SSO_RULE_ROLE, TEXTS("app.reader")));
    assert_false(holds_for(&record, SSO_RULE_GROUP, TEXTS("Finance")));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("roles", "app.reader")));
}

static void test_acr_of_the_session_in_its_own_case_grants(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    assert_false(holds_for(&record, SSO_RULE_ACR, TEXTS("c1")));
    record.acrs = list_of(TEXTS("c1", "c12"));
    assert_true(holds_for(&record, SSO_RULE_ACR, TEXTS("c1")));
    assert_true(holds_for(&record, SSO_RULE_ACR, TEXTS("c9", "c12")));
    assert_false(holds_for(&record, SSO_RULE_ACR, TEXTS("C1")));
    assert_false(holds_for(&record, SSO_RULE_ACR, TEXTS("c")));
    assert_false(holds_for(&record, SSO_RULE_ACR, TEXTS("c123")));
    /* Neither a role nor a group of that name is a context, nor the other way round. */
    record.roles = list_of(TEXTS("c5"));
    record.groups = list_of(TEXTS("c6"));
    assert_false(holds_for(&record, SSO_RULE_ACR, TEXTS("c5", "c6")));
    assert_false(holds_for(&record, SSO_RULE_ROLE, TEXTS("c1")));
}

/* What goes into JSON and a URL as it stands. */
static void test_acr_of_other_letters_is_refused(void **state)
{
    static const char *const bad[] = {"", "c 1", "c1\"", "c1}", "c1,c2", "\xc3\xa4", "c1\n", "c1\\", "c1&", "c1%22"};
    static const char *const good[] = {"c1", "c99", "urn-x_y.z", "C1"};
    (void)state;
    const sso_rule_t *rule = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(sso_rule_make(unit_pool, SSO_RULE_ACR, words_of(TEXTS("c1", bad[i])), NULL, &rule));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(sso_rule_make(unit_pool, SSO_RULE_ACR, words_of(TEXTS(good[i])), NULL, &rule));
    }
    char *longest = apr_pstrcat(unit_pool, "c1234567890123456789012345678901", "2", NULL);
    assert_int_equal(strlen(longest), SSO_MAX_ACR + 1);
    assert_non_null(sso_rule_make(unit_pool, SSO_RULE_ACR, words_of(TEXTS(longest)), NULL, &rule));
    longest[SSO_MAX_ACR] = '\0';
    assert_null(sso_rule_make(unit_pool, SSO_RULE_ACR, words_of(TEXTS(longest)), NULL, &rule));
    assert_non_null(sso_rule_make(unit_pool, SSO_RULE_ACR, words_of(TEXTS(NULL)), NULL, &rule));
}

static void test_tenant_by_guid_in_any_case_grants(void **state)
{
    (void)state;
    assert_true(ada_holds(SSO_RULE_TENANT, TENANT));
    assert_true(ada_holds(SSO_RULE_TENANT, TENANT_UPPER));
    assert_false(ada_holds(SSO_RULE_TENANT, OTHER_TENANT));
}

/* ---- claims ---- */

static void test_claim_with_a_value_of_its_own_case_grants(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS("dept", "2", "Sales", "Support", "ctry", "1", "DE"));
    assert_true(holds_for(&record, SSO_RULE_CLAIM, TEXTS("dept", "Support")));
    assert_true(holds_for(&record, SSO_RULE_CLAIM, TEXTS("ctry", "FR", "DE")));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("dept", "support")));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("ctry", "Sales")));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("Dept", "Sales")));
}

static void test_claim_that_the_session_does_not_hold_is_refused(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS("dept", "1", "ctry"));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("ctry", "DE")));
    assert_false(holds_for(&record, SSO_RULE_CLAIM, TEXTS("1", "ctry")));
}

static void test_claims_with_a_field_of_their_own_are_read_from_it(void **state)
{
    static const char *const cases[][2] = {
        {"oid", OID},
        {"tid", TENANT},
        {"sid", "sid-1"},
        {"name", "Ada Example"},
        {"preferred_username", "ada@contoso.example"},
        {"groups", GROUP},
        {"roles", "app.writer"},
    };
    (void)state;
    /* Claims of the same names beside them, as no sign-in makes them, must not count. */
    sso_record_t record = ada(TEXTS("oid", "1", "planted", "roles", "1", "planted", "groups", "1", "planted"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!holds_for(&record, SSO_RULE_CLAIM, TEXTS(cases[i][0], cases[i][1])) ||
            holds_for(&record, SSO_RULE_CLAIM, TEXTS(cases[i][0], "planted"))) {
            unit_fail("claim %s", cases[i][0]);
        }
    }
}

static bool fits_prefix(const void *expression, const char *text)
{
    return strncmp(text, expression, strlen(expression)) == 0;
}

static void test_claim_with_an_expression_is_asked_of_every_value(void **state)
{
    (void)state;
    const sso_matcher_t matcher = {fits_prefix, "Sup"};
    const sso_matcher_t anything = {fits_prefix, ""};
    const sso_rule_t *rule;
    sso_record_t record = ada(TEXTS("dept", "2", "Sales", "Support"));
    assert_null(sso_rule_make(unit_pool, SSO_RULE_CLAIM, words_of(TEXTS("dept", "~", "Sup")), &matcher, &rule));
    assert_true(sso_rule_holds(rule, &record, &record.roles));
    record.claims = list_of(TEXTS("dept", "1", "Sales"));
    assert_false(sso_rule_holds(rule, &record, &record.roles));
    /* Nothing is no text: an expression that takes all does not take the absent. */
    assert_null(sso_rule_make(unit_pool, SSO_RULE_CLAIM, words_of(TEXTS("name", "~", "")), &anything, &rule));
    assert_true(sso_rule_holds(rule, &record, &record.roles));
    record.name = "";
    assert_false(sso_rule_holds(rule, &record, &record.roles));
}

static void test_claim_email_is_refused_in_every_form(void **state)
{
    (void)state;
    const sso_matcher_t matcher = {fits_prefix, "a"};
    const sso_rule_t *rule = NULL;
    const sso_role_map_t *map = NULL;
    assert_refused(SSO_RULE_CLAIM, TEXTS("email", "ada@contoso.example"), "decides nothing");
    assert_non_null(sso_rule_make(unit_pool, SSO_RULE_CLAIM, words_of(TEXTS("email", "~", "a")), &matcher, &rule));
    assert_non_null(sso_role_map_make(unit_pool, "r", words_of(TEXTS("claim:email=ada@contoso.example")), &map));
    assert_true(rule == NULL && map == NULL);
}

/* ---- domains ---- */

typedef struct {
    const char *username, *tid;
    const char *claims[7];
    bool holds;
} domain_case_t;

static void test_domain_is_for_members_with_one_name_only(void **state)
{
    static const domain_case_t cases[] = {
        {"ada@corp.example", TENANT, {NULL}, true},
        {"Ada@CORP.example", TENANT, {NULL}, true},
        {"ada@corp.example", TENANT, {"acct", "1", "0"}, true},
        {"ada@badcorp.example", TENANT, {NULL}, false},
        {"ada@sub.corp.example", TENANT, {NULL}, false},
        {"ada@corp.example.evil.test", TENANT, {NULL}, false},
        {"ada@corp.example.", TENANT, {NULL}, false},
        {"a@evil.test@corp.example", TENANT, {NULL}, false},
        {"a@corp.example@evil.test", TENANT, {NULL}, false},
        {"a@@corp.example", TENANT, {NULL}, false},
        {"@corp.example", TENANT, {NULL}, false},
        {"corp.example", TENANT, {NULL}, false},
        {"", TENANT, {NULL}, false},
        /* Guests: one says so by idp, one by acct, one by the name that Entra made. */
        {"ada@corp.example", TENANT, {"idp", "1", "https://sts.windows.net/x/"}, false},
        {"ada@corp.example", TENANT, {"idp", "1", "live.com", "acct", "1", "0"}, false},
        {"ada@corp.example", TENANT, {"acct", "1", "1"}, false},
        {"ada@corp.example", TENANT, {"acct", "1", "00"}, false},
        {"ada@corp.example", TENANT, {"acct", "2", "0", "1"}, false},
        {"ada@corp.example", TENANT, {"acct", "0"}, false},
        {"ada_evil.test#EXT#@corp.example", TENANT, {NULL}, false},
        /* A personal account may have any address. */
        {"ada@corp.example", SSO_CONSUMERS_TENANT, {NULL}, false},
        {"ada@corp.example", "9188040D-6C67-4C5B-B112-36A304B66DAD", {NULL}, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sso_record_t record = ada(cases[i].claims);
        record.username = cases[i].username;
        record.tid = cases[i].tid;
        if (holds_for(&record, SSO_RULE_DOMAIN, TEXTS("corp.example")) != cases[i].holds) {
            unit_fail("row %d: %s", (int)i, cases[i].username);
        }
    }
}

static void test_domain_of_the_email_does_not_count(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS("email", "1", "ada@corp.example"));
    assert_string_equal(record.email, "ada@corp.example");
    assert_false(holds_for(&record, SSO_RULE_DOMAIN, TEXTS("corp.example")));
}

/* ---- what no rule may say ---- */

static void test_words_that_cannot_be_meant_are_refused(void **state)
{
    (void)state;
    const char *huge = apr_pstrcat(unit_pool, "a", apr_psprintf(unit_pool, "%0*d", SSO_MAX_CLAIM_VALUE, 1), NULL);
    const char *long_name = apr_psprintf(unit_pool, "%0*d", SSO_MAX_CLAIM_NAME + 1, 1);
    assert_refused(SSO_RULE_ROLE, TEXTS(NULL), "at least one");
    assert_refused(SSO_RULE_ROLE, TEXTS("a", ""), "empty");
    assert_refused(SSO_RULE_ROLE, TEXTS("a\nb"), "control");
    assert_refused(SSO_RULE_GROUP, TEXTS("a\x7f"), "control");
    assert_refused(SSO_RULE_GROUP, TEXTS(huge), "too long");
    assert_refused(SSO_RULE_CLAIM, TEXTS(NULL), "name of a claim");
    assert_refused(SSO_RULE_CLAIM, TEXTS("dept"), "at least one");
    assert_refused(SSO_RULE_CLAIM, TEXTS("", "x"), "name is empty");
    assert_refused(SSO_RULE_CLAIM, TEXTS("a\tb", "x"), "control");
    assert_refused(SSO_RULE_CLAIM, TEXTS(long_name, "x"), "too long");
    assert_refused(SSO_RULE_TENANT, TEXTS("contoso.example"), "no tenant GUID");
    assert_refused(SSO_RULE_TENANT, TEXTS(TENANT, "any"), "'any' is no tenant GUID");
}

static void test_domains_that_never_hold_are_refused(void **state)
{
    static const char *const bad[] = {"corp",           "@corp.example", "ada@corp.example", "*.corp.example",
                                      ".corp.example",  "corp.example.", "corp..example",    "https://corp.example",
                                      "corp.example/x", "a b.c"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(SSO_RULE_DOMAIN, TEXTS(bad[i]), "is no domain");
    }
    assert_non_null(rule_of(SSO_RULE_DOMAIN, TEXTS("Corp-1.example")));
}

/* ---- what a session must keep ---- */

static const char *noted(void (*note)(const sso_rule_t *, apr_array_header_t *), const sso_rule_t *rule)
{
    apr_array_header_t *names = apr_array_make(unit_pool, 4, sizeof(const char *));
    note(rule, names);
    note(rule, names);
    return apr_array_pstrcat(unit_pool, names, ',');
}

static void test_rules_name_what_a_session_must_keep_once(void **state)
{
    (void)state;
    assert_string_equal(noted(sso_rule_claims, rule_of(SSO_RULE_CLAIM, TEXTS("dept", "x"))), "dept");
    assert_string_equal(noted(sso_rule_claims, rule_of(SSO_RULE_CLAIM, TEXTS("oid", OID))), "");
    assert_string_equal(noted(sso_rule_claims, rule_of(SSO_RULE_DOMAIN, TEXTS("corp.example"))), "idp,acct");
    assert_string_equal(noted(sso_rule_claims, rule_of(SSO_RULE_ROLE, TEXTS("x"))), "");
    assert_string_equal(noted(sso_rule_groups, rule_of(SSO_RULE_GROUP, TEXTS("Finance", GROUP, "Finance"))),
                        "Finance," GROUP);
    assert_string_equal(noted(sso_rule_groups, rule_of(SSO_RULE_CLAIM, TEXTS("groups", GROUP))), GROUP);
    assert_string_equal(noted(sso_rule_groups, rule_of(SSO_RULE_CLAIM, TEXTS("dept", GROUP))), "");
    assert_string_equal(noted(sso_rule_acrs, rule_of(SSO_RULE_ACR, TEXTS("c1", "c2", "c1"))), "c1,c2");
    assert_string_equal(noted(sso_rule_acrs, rule_of(SSO_RULE_ROLE, TEXTS("c1"))), "");
    assert_string_equal(noted(sso_rule_groups, rule_of(SSO_RULE_ACR, TEXTS("c1"))), "");
    assert_string_equal(noted(sso_rule_claims, rule_of(SSO_RULE_ACR, TEXTS("c1"))), "");
}

/* ---- EntraRole ---- */

static apr_array_header_t *maps_make(void)
{
    return apr_array_make(unit_pool, 4, sizeof(const sso_role_map_t *));
}

static void map_add(apr_array_header_t *maps, const char *role, const char *const *conditions)
{
    const sso_role_map_t *map = NULL;
    const char *wrong = sso_role_map_make(unit_pool, role, words_of(conditions), &map);
    if (wrong != NULL) {
        unit_fail("EntraRole %s %s: %s", role, conditions[0], wrong);
    }
    APR_ARRAY_PUSH(maps, const sso_role_map_t *) = map;
}

static const char *roles_of(const sso_record_t *record, const apr_array_header_t *maps)
{
    sso_list_t roles = sso_roles_of(unit_pool, record, maps);
    const char *text = sso_list_join(unit_pool, &roles, ",");
    return text == NULL ? "" : text;
}

/* Whether one condition gives Ada the role, or somebody else who is made of her. */
static bool gives(const sso_record_t *record, const char *condition)
{
    apr_array_header_t *maps = maps_make();
    map_add(maps, "mapped", TEXTS(condition));
    return strstr(roles_of(record, maps), "mapped") != NULL;
}

static void test_map_gives_its_role_for_each_kind_of_condition(void **state)
{
    static const char *const good[] = {"group=Finance",
                                       "group=finance",
                                       "group=" GROUP_UPPER,
                                       "role=app.writer",
                                       "user=ada@contoso.example",
                                       "user=ADA@Contoso.example",
                                       "user=" OID,
                                       "user=" OID_UPPER,
                                       "user=" OID "@" TENANT_UPPER,
                                       "claim:dept=Sales",
                                       "claim:q=a=b",
                                       "claim:roles=app.reader"};
    static const char *const bad[] = {"group=Other",
                                      "role=App.Writer",
                                      "user=ada",
                                      "user=bob@contoso.example",
                                      "user=" OID "@" OTHER_TENANT,
                                      "user=" OID "x",
                                      "user=" TENANT,
                                      "claim:dept=sales",
                                      "claim:none=x",
                                      "claim:dept=Sales2"};
    (void)state;
    sso_record_t record = ada(TEXTS("dept", "1", "Sales", "q", "1", "a=b"));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!gives(&record, good[i])) {
            unit_fail("%s gives nothing", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gives(&record, bad[i])) {
            unit_fail("%s gives the role", bad[i]);
        }
    }
}

static void test_map_by_user_name_is_not_for_guests_and_personal_accounts(void **state)
{
    (void)state;
    sso_record_t guest = ada(TEXTS("idp", "1", "live.com"));
    sso_record_t person = ada(TEXTS(NULL));
    sso_record_t nobody = ada(TEXTS(NULL));
    person.tid = SSO_CONSUMERS_TENANT;
    nobody.username = "";
    assert_false(gives(&guest, "user=ada@contoso.example"));
    assert_false(gives(&person, "user=ada@contoso.example"));
    assert_false(gives(&nobody, "user=ada@contoso.example"));
    assert_true(gives(&guest, "user=" OID));
    assert_true(gives(&person, "user=" OID "@" SSO_CONSUMERS_TENANT));
    assert_false(gives(&person, "user=" OID "@" TENANT));
}

static void test_maps_add_to_the_roles_of_the_token_each_once(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    apr_array_header_t *maps = maps_make();
    map_add(maps, "editor", TEXTS("group=Nobody", "group=Finance"));
    map_add(maps, "editor", TEXTS("role=app.reader"));
    map_add(maps, "app.reader", TEXTS("group=Finance"));
    map_add(maps, "auditor", TEXTS("group=Nobody"));
    assert_string_equal(roles_of(&record, maps), "app.reader,app.writer,editor");
    assert_string_equal(roles_of(&record, NULL), "app.reader,app.writer");
}

static void test_maps_without_a_role_for_the_user_make_no_copy(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    apr_array_header_t *maps = maps_make();
    map_add(maps, "auditor", TEXTS("group=Nobody"));
    assert_ptr_equal(sso_roles_of(unit_pool, &record, maps).data, record.roles.data);
    assert_ptr_equal(sso_roles_of(unit_pool, &record, NULL).data, record.roles.data);
}

static void test_map_never_feeds_another_map(void **state)
{
    (void)state;
    sso_record_t record = ada(TEXTS(NULL));
    apr_array_header_t *maps = maps_make();
    map_add(maps, "first", TEXTS("group=Finance"));
    map_add(maps, "second", TEXTS("role=first", "claim:roles=first", "group=first"));
    map_add(maps, "third", TEXTS("role=second"));
    assert_string_equal(roles_of(&record, maps), "app.reader,app.writer,first");
}

static void test_map_that_cannot_be_meant_is_refused(void **state)
{
    static const char *const conditions[] = {
        "Finance",    "groups=x",    "group=",  "role=",   "user=",      "claim:=x",
        "claim:dept", "claim:dept=", "email=x", "GROUP=x", "group=a\nb", "tenant=" TENANT};
    static const char *const roles[] = {"", "group=x", "a\nb"};
    (void)state;
    const sso_role_map_t *map = NULL;
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (sso_role_map_make(unit_pool, "role", words_of(TEXTS("group=good", conditions[i])), &map) == NULL) {
            unit_fail("%s was taken", conditions[i]);
        }
    }
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        assert_non_null(sso_role_map_make(unit_pool, roles[i], words_of(TEXTS("group=good")), &map));
    }
    assert_null(map);
}

static void test_app_rule_names_applications_and_asks_no_record(void **state)
{
    (void)state;
    const sso_record_t record = ada(TEXTS(NULL));
    const sso_rule_t *rule = rule_of(SSO_RULE_APP, TEXTS("0D9C8B7A-6F5E-4D3C-8B2A-1F0E9D8C7B6A", OID));
    assert_true(sso_rule_names(rule, "0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a"));
    assert_false(sso_rule_names(rule, "0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6b"));
    assert_false(sso_rule_names(rule, ""));
    assert_false(sso_rule_holds(rule, &record, &record.roles));
    assert_false(sso_rule_names(rule_of(SSO_RULE_ROLE, TEXTS(OID)), OID));
    const sso_rule_t *made = NULL;
    assert_non_null(sso_rule_make(unit_pool, SSO_RULE_APP, words_of(TEXTS("Orders")), NULL, &made));
    assert_non_null(sso_rule_make(unit_pool, SSO_RULE_APP, words_of(TEXTS(NULL)), NULL, &made));
}

static const sso_role_map_t *map_by(const char *condition)
{
    const sso_role_map_t *map = NULL;
    assert_null(sso_role_map_make(unit_pool, "editor", words_of(TEXTS(condition)), &map));
    return map;
}

static void test_rules_know_when_they_hang_on_groups(void **state)
{
    (void)state;
    const sso_rule_t *role = rule_of(SSO_RULE_ROLE, TEXTS("editor"));
    apr_array_header_t *maps = apr_array_make(unit_pool, 2, sizeof(const sso_role_map_t *));
    assert_true(sso_rule_needs_groups(rule_of(SSO_RULE_GROUP, TEXTS(GROUP)), NULL));
    assert_true(sso_rule_needs_groups(rule_of(SSO_RULE_CLAIM, TEXTS("groups", GROUP)), NULL));
    assert_false(sso_rule_needs_groups(rule_of(SSO_RULE_CLAIM, TEXTS("scp", "x")), NULL));
    assert_false(sso_rule_needs_groups(role, NULL));
    APR_ARRAY_PUSH(maps, const sso_role_map_t *) = map_by("role=app.writer");
    assert_false(sso_rule_needs_groups(role, maps));
    APR_ARRAY_PUSH(maps, const sso_role_map_t *) = map_by("group=" GROUP);
    assert_true(sso_rule_needs_groups(role, maps));
    assert_false(sso_rule_needs_groups(rule_of(SSO_RULE_TENANT, TEXTS(TENANT)), maps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_role_of_the_token_in_its_own_case_grants),
        unit_test(test_role_is_asked_of_the_given_roles_not_of_the_record),
        unit_test(test_any_of_several_words_grants),
        unit_test(test_group_by_name_or_id_in_any_case_grants),
        unit_test(test_empty_lists_of_a_session_grant_nothing),
        unit_test(test_acr_of_the_session_in_its_own_case_grants),
        unit_test(test_acr_of_other_letters_is_refused),
        unit_test(test_tenant_by_guid_in_any_case_grants),
        unit_test(test_claim_with_a_value_of_its_own_case_grants),
        unit_test(test_claim_that_the_session_does_not_hold_is_refused),
        unit_test(test_claims_with_a_field_of_their_own_are_read_from_it),
        unit_test(test_claim_with_an_expression_is_asked_of_every_value),
        unit_test(test_claim_email_is_refused_in_every_form),
        unit_test(test_domain_is_for_members_with_one_name_only),
        unit_test(test_domain_of_the_email_does_not_count),
        unit_test(test_words_that_cannot_be_meant_are_refused),
        unit_test(test_domains_that_never_hold_are_refused),
        unit_test(test_rules_name_what_a_session_must_keep_once),
        unit_test(test_map_gives_its_role_for_each_kind_of_condition),
        unit_test(test_map_by_user_name_is_not_for_guests_and_personal_accounts),
        unit_test(test_maps_add_to_the_roles_of_the_token_each_once),
        unit_test(test_maps_without_a_role_for_the_user_make_no_copy),
        unit_test(test_map_never_feeds_another_map),
        unit_test(test_map_that_cannot_be_meant_is_refused),
        unit_test(test_app_rule_names_applications_and_asks_no_record),
        unit_test(test_rules_know_when_they_hang_on_groups),
    };
    return unit_run(tests);
}
