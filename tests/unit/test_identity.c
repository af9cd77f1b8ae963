/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/identity.c: what people and other tenants' administrators can write into claims, and what a session
 * keeps of it. */
#include "session/identity.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "lists.h"

#define TID "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613"
#define OID "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f"

/* A checked token of these claims. */
static sso_idtoken_t token_of(const char *claims)
{
    sso_idtoken_t token = {.iss = "iss", .sub = "sub", .oid = OID, .tid = TID};
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, claims, strlen(claims), SSO_MAX_JWT, &token.claims));
    return token;
}

/* The record of a token with these claims, of which names (up to NULL) are kept beside the usual ones. */
static sso_rc fill(const char *claims, const char *const *names, sso_record_t *record)
{
    sso_idtoken_t token = token_of(claims);
    apr_array_header_t *kept = apr_array_make(unit_pool, 4, sizeof(const char *));
    for (; names != NULL && *names != NULL; names++) {
        APR_ARRAY_PUSH(kept, const char *) = *names;
    }
    memset(record, 0, sizeof(*record));
    sso_rc rc = sso_identity_fill(&unit_ctx, &token, kept, record);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static char *text_of(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* {"name":"text"} */
static const char *one_text(const char *name, const char *text)
{
    return apr_pstrcat(unit_pool, "{\"", name, "\":\"", text, "\"}", NULL);
}

/* ---- the usual fields ---- */

static void test_identity_of_a_usual_token_is_kept(void **state)
{
    (void)state;
    sso_record_t record;
    assert_rc(SSO_OK,
              fill("{\"name\":\"Ada L\",\"email\":\"ada@mail.example\",\"preferred_username\":\"ada@contoso.example\","
                   "\"roles\":[\"Reader\",\"Writer\"],\"groups\":[\"g\"],\"upn\":\"not kept\"}",
                   NULL, &record));
    assert_string_equal(record.oid, OID);
    assert_string_equal(record.tid, TID);
    assert_string_equal(record.name, "Ada L");
    assert_string_equal(record.email, "ada@mail.example");
    assert_string_equal(record.username, "ada@contoso.example");
    assert_string_equal(sso_list_join(unit_pool, &record.roles, ","), "Reader,Writer");
    assert_int_equal(record.groups.count, 0);
    assert_int_equal(record.claims.count, 0);
    assert_string_equal(record.sid, "");
    assert_string_equal(record.login_hint, "");
    assert_int_equal(record.auth_time, 0);
}

static void test_identity_of_the_least_token_has_empty_texts(void **state)
{
    (void)state;
    sso_record_t record;
    assert_rc(SSO_OK, fill("{}", TEXTS("department"), &record));
    assert_string_equal(record.name, "");
    assert_string_equal(record.email, "");
    assert_string_equal(record.username, "");
    assert_int_equal(record.roles.count, 0);
    assert_int_equal(record.claims.count, 0);
}

static void test_identity_takes_what_the_token_check_gave(void **state)
{
    (void)state;
    sso_record_t record;
    sso_idtoken_t token = token_of("{\"oid\":\"another\",\"tid\":\"another\",\"sid\":\"another\"}");
    token.sid = "sid\r\n1";
    token.login_hint = "hint\t1";
    token.auth_time = SSO_TEST_NOW;
    assert_rc(SSO_OK, sso_identity_fill(&unit_ctx, &token, NULL, &record));
    assert_string_equal(record.oid, OID);
    assert_string_equal(record.tid, TID);
    assert_string_equal(record.sid, "sid  1");
    assert_string_equal(record.login_hint, "hint 1");
    assert_int_equal(record.auth_time, SSO_TEST_NOW);
}

/* ---- authentication contexts ---- */

static sso_rc fill_acrs(const char *claims, const char *const *contexts, sso_record_t *record)
{
    sso_idtoken_t token = token_of(claims);
    apr_array_header_t *kept = apr_array_make(unit_pool, 4, sizeof(const char *));
    for (; *contexts != NULL; contexts++) {
        APR_ARRAY_PUSH(kept, const char *) = *contexts;
    }
    memset(record, 0, sizeof(*record));
    record->acrs = list_of(TEXTS("planted"));
    sso_rc rc = sso_identity_fill_acrs(&unit_ctx, &token, kept, record);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static void test_identity_keeps_the_contexts_that_the_configuration_names(void **state)
{
    static const struct {
        const char *claims;
        const char *expected; /* NULL: none */
    } rows[] = {
        {"{}", NULL},
        {"{\"acrs\":[]}", NULL},
        {"{\"acrs\":[\"c1\"]}", "c1"},
        {"{\"acrs\":[\"c7\",\"c2\",\"c1\",\"c2\"]}", "c1,c2"},
        {"{\"acrs\":[\"C1\",\"c11\",\"c\"]}", NULL},
        {"{\"acr\":\"c1\"}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record;
        assert_rc(SSO_OK, fill_acrs(rows[i].claims, TEXTS("c1", "c2"), &record));
        const char *got = sso_list_join(unit_pool, &record.acrs, ",");
        if (rows[i].expected == NULL ? got != NULL : got == NULL || strcmp(got, rows[i].expected) != 0) {
            unit_fail("%s gave %s", rows[i].claims, got == NULL ? "none" : got);
        }
    }
}

static void test_identity_of_contexts_that_are_no_texts_is_refused(void **state)
{
    static const char *const rows[] = {"\"c1\"",     "7",         "{\"c1\":true}", "null",        "[\"c1\",null]",
                                       "[[\"c1\"]]", "[\"c1 \"]", "[\"\"]",        "[\"c1\\n\"]", "[true]"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record;
        const char *claims = apr_pstrcat(unit_pool, "{\"acrs\":", rows[i], "}", NULL);
        if (fill_acrs(claims, TEXTS("c1"), &record) != SSO_R_IDENTITY_CLAIM) {
            unit_fail("%s was not refused", claims);
        }
        /* Where no rule asks for a context, the claim is no business of ours. */
        assert_rc(SSO_OK, fill_acrs(claims, TEXTS(NULL), &record));
        assert_int_equal(record.acrs.count, 0);
    }
}

/* ---- control characters ---- */

/* JSON text of a value, and what is displayed of it. */
static const struct {
    const char *json, *shown;
} CONTROLS[] = {
    {"a\\r\\nX-Entra-Roles: admin", "a  X-Entra-Roles: admin"},
    {"a\\nb", "a b"},
    {"a\\tb", "a b"},
    {"a\\u0001b", "a b"},
    {"a\\u001fb", "a b"},
    {"a\\u007fb", "a b"},
    {"a\\u0080b", "a  b"},
    {"a\\u0085b", "a  b"},
    {"a\\u009fb", "a  b"},
    {"\\u001b[31mred", " [31mred"},
    {"end\\n", "end "},
    {"end\\u0080", "end  "},
};

static void test_identity_display_claims_lose_their_control_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CONTROLS) / sizeof(CONTROLS[0]); i++) {
        sso_record_t record;
        assert_rc(SSO_OK, fill(one_text("name", CONTROLS[i].json), NULL, &record));
        assert_string_equal(record.name, CONTROLS[i].shown);
        assert_rc(SSO_OK, fill(one_text("email", CONTROLS[i].json), NULL, &record));
        assert_string_equal(record.email, CONTROLS[i].shown);
    }
}

static void test_identity_further_claim_with_a_control_character_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CONTROLS) / sizeof(CONTROLS[0]); i++) {
        sso_record_t record;
        assert_rc(SSO_R_IDENTITY_CLAIM, fill(one_text("city", CONTROLS[i].json), TEXTS("city"), &record));
    }
}

static void test_identity_user_name_with_a_control_character_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CONTROLS) / sizeof(CONTROLS[0]); i++) {
        sso_record_t record;
        assert_rc(SSO_R_IDENTITY_CLAIM, fill(one_text("preferred_username", CONTROLS[i].json), NULL, &record));
    }
}

static void test_identity_role_with_a_control_character_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CONTROLS) / sizeof(CONTROLS[0]); i++) {
        sso_record_t record;
        const char *claims = apr_pstrcat(unit_pool, "{\"roles\":[\"Reader\",\"", CONTROLS[i].json, "\"]}", NULL);
        assert_rc(SSO_R_IDENTITY_CLAIM, fill(claims, NULL, &record));
    }
}

static void test_identity_letters_near_control_characters_are_kept(void **state)
{
    static const char *const texts[] = {
        "\302\240nbsp", "\303\200\303\237", "a b  c",           "~",
        "\342\202\254", "\360\237\230\200", "\302\241\302\277", "a\\\\b\\\"c",
    };
    static const char *const shown[] = {
        "\302\240nbsp", "\303\200\303\237", "a b  c",           "~",
        "\342\202\254", "\360\237\230\200", "\302\241\302\277", "a\\b\"c",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sso_record_t record;
        assert_rc(SSO_OK, fill(one_text("name", texts[i]), NULL, &record));
        assert_string_equal(record.name, shown[i]);
        assert_rc(SSO_OK, fill(one_text("preferred_username", texts[i]), NULL, &record));
        assert_string_equal(record.username, shown[i]);
    }
}

/* ---- user name and roles ---- */

static void test_identity_user_name_of_two_spellings_is_refused(void **state)
{
    static const struct {
        const char *json;
        sso_rc rc;
    } rows[] = {
        {"{\"preferred_username\":\" ada\"}", SSO_R_IDENTITY_CLAIM},
        {"{\"preferred_username\":\"ada \"}", SSO_R_IDENTITY_CLAIM},
        {"{\"preferred_username\":\" \"}", SSO_R_IDENTITY_CLAIM},
        {"{\"preferred_username\":\"ada lovelace\"}", SSO_OK},
        {"{\"preferred_username\":\"ada@evil.example@contoso.example\"}", SSO_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record;
        assert_rc(rows[i].rc, fill(rows[i].json, NULL, &record));
    }
}

/* An absent name is for EntraRemoteUser to judge: with %{oid}@%{tid} nobody needs it. */
static void test_identity_user_name_that_is_no_text_is_as_if_absent(void **state)
{
    static const char *const values[] = {"\"\"", "null", "1", "true", "[\"ada\"]", "{\"a\":\"ada\"}", "1.5"};
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        sso_record_t record;
        const char *claims = apr_psprintf(unit_pool, "{\"preferred_username\":%s,\"name\":%s,\"email\":%s}", values[i],
                                          values[i], values[i]);
        assert_rc(SSO_OK, fill(claims, NULL, &record));
        assert_string_equal(record.username, "");
        assert_string_equal(record.name, "");
        assert_string_equal(record.email, "");
    }
}

static void test_identity_roles_that_are_no_texts_are_refused(void **state)
{
    static const struct {
        const char *roles;
        sso_rc rc;
        unsigned count;
    } rows[] = {
        {"[]", SSO_OK, 0},
        {"[\"a\"]", SSO_OK, 1},
        {"[\"a b\",\"a,b\",\"a\"]", SSO_OK, 3},
        {"\"admin\"", SSO_R_IDENTITY_CLAIM, 0},
        {"{\"0\":\"admin\"}", SSO_R_IDENTITY_CLAIM, 0},
        {"null", SSO_R_IDENTITY_CLAIM, 0},
        {"1", SSO_R_IDENTITY_CLAIM, 0},
        {"[1]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\"a\",null]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\"a\",[\"b\"]]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\"a\",{}]", SSO_R_IDENTITY_CLAIM, 0},
        {"[true]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\"\"]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\" a\"]", SSO_R_IDENTITY_CLAIM, 0},
        {"[\"a \"]", SSO_R_IDENTITY_CLAIM, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record;
        sso_rc rc = fill(apr_pstrcat(unit_pool, "{\"roles\":", rows[i].roles, "}", NULL), NULL, &record);
        if (rc != rows[i].rc || (rc == SSO_OK && record.roles.count != rows[i].count)) {
            unit_fail("%s: %s", rows[i].roles, sso_reason(rc)->name);
        }
    }
}

/* ---- sizes ---- */

static void test_identity_value_over_its_bound_is_refused(void **state)
{
    static const char *const forms[] = {
        "{\"name\":\"%s\"}",          "{\"email\":\"%s\"}", "{\"preferred_username\":\"%s\"}",
        "{\"roles\":[\"a\",\"%s\"]}", "{\"city\":\"%s\"}",  "{\"city\":[\"a\",\"%s\"]}",
    };
    (void)state;
    const char *most = text_of(SSO_MAX_CLAIM_VALUE);
    const char *more = text_of(SSO_MAX_CLAIM_VALUE + 1);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        sso_record_t record;
        const char *place = strstr(forms[i], "%s");
        const char *head = apr_pstrmemdup(unit_pool, forms[i], (apr_size_t)(place - forms[i]));
        assert_rc(SSO_OK, fill(apr_pstrcat(unit_pool, head, most, place + 2, NULL), TEXTS("city"), &record));
        assert_rc(SSO_R_IDENTITY_CLAIM,
                  fill(apr_pstrcat(unit_pool, head, more, place + 2, NULL), TEXTS("city"), &record));
    }
}

/* {"name":["r","r", ...]} */
static const char *array_of(const char *name, int count)
{
    apr_array_header_t *pieces = apr_array_make(unit_pool, count, sizeof(const char *));
    for (int i = 0; i < count; i++) {
        APR_ARRAY_PUSH(pieces, const char *) = "\"r\"";
    }
    return apr_pstrcat(unit_pool, "{\"", name, "\":[", apr_array_pstrcat(unit_pool, pieces, ','), "]}", NULL);
}

static void test_identity_list_over_its_bound_is_refused(void **state)
{
    (void)state;
    sso_record_t record;
    assert_rc(SSO_OK, fill(array_of("roles", SSO_MAX_LIST_ITEMS), NULL, &record));
    assert_int_equal(record.roles.count, SSO_MAX_LIST_ITEMS);
    assert_rc(SSO_R_IDENTITY_CLAIM, fill(array_of("roles", SSO_MAX_LIST_ITEMS + 1), NULL, &record));
    assert_rc(SSO_OK, fill(array_of("wids", SSO_MAX_LIST_ITEMS), TEXTS("wids"), &record));
    assert_rc(SSO_R_IDENTITY_CLAIM, fill(array_of("wids", SSO_MAX_LIST_ITEMS + 1), TEXTS("wids"), &record));
    assert_rc(SSO_OK, fill(array_of("wids", SSO_MAX_LIST_ITEMS + 1), TEXTS("city"), &record));
}

/* ---- further claims ---- */

#define CLAIMS                                                                                                         \
    "{\"text\":\"one\",\"integer\":42,\"negative\":-7,\"big\":9223372036854775807,\"yes\":true,\"no\":false,"          \
    "\"real\":1.5,\"null\":null,\"object\":{\"member\":\"two\",\"deep\":{\"er\":\"three\"},\"list\":[\"x\",\"y\"]},"   \
    "\"list\":[\"a\",\"b\"],\"mixed\":[\"a\",1,true,null,1.5,[\"n\"],{\"o\":\"p\"},\"b\"],\"empty\":[],\"blank\":"     \
    "\"\","                                                                                                            \
    "\"extn.foo\":\"dotted\",\"extn\":{\"foo\":\"member\",\"bar\":\"other\"},\"a.b\":\"first\",\"a.b.c\":\"second\","  \
    "\"urn:x/y-z_1\":\"odd name\"}"

static void test_identity_further_claims_are_kept_by_their_type(void **state)
{
    static const struct {
        const char *name;
        const char *joined; /* NULL: not kept */
    } rows[] = {
        {"text", "one"},
        {"integer", "42"},
        {"negative", "-7"},
        {"big", "9223372036854775807"},
        {"yes", "true"},
        {"no", "false"},
        {"real", NULL},
        {"null", NULL},
        {"object", NULL},
        {"absent", NULL},
        {"Text", NULL},
        {"list", "a|b"},
        {"mixed", "a|1|true|b"},
        {"empty", NULL},
        {"blank", ""},
        {"object.member", "two"},
        {"object.list", "x|y"},
        {"object.deep", NULL},
        {"object.deep.er", NULL},
        {"object.", NULL},
        {"object.absent", NULL},
        {"text.member", NULL},
        {"list.0", NULL},
        {".text", NULL},
        {".", NULL},
        {"extn.foo", "dotted"},
        {"extn.bar", "other"},
        {"a.b", "first"},
        {"a.b.c", "second"},
        {"urn:x/y-z_1", "odd name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record;
        sso_list_t values;
        assert_rc(SSO_OK, fill(CLAIMS, TEXTS(rows[i].name), &record));
        bool kept = sso_record_claim(&record, rows[i].name, &values);
        const char *joined = kept ? sso_list_join(unit_pool, &values, "|") : NULL;
        if (kept != (rows[i].joined != NULL) || (kept && strcmp(joined, rows[i].joined) != 0)) {
            unit_fail("%s: %s", rows[i].name, joined);
        }
    }
}

static void test_identity_keeps_the_named_claims_and_no_others(void **state)
{
    (void)state;
    sso_record_t record;
    apr_size_t at = 0;
    static const char *const expected[] = {"integer", "1", "42", "list", "2", "a", "b"};
    assert_rc(SSO_OK, fill(CLAIMS, TEXTS("absent", "integer", "real", "list"), &record));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_string_equal(sso_list_next(&record.claims, &at), expected[i]);
    }
    assert_null(sso_list_next(&record.claims, &at));
}

/* Whatever came out of a token must come back out of its cookie. */
static void test_identity_survives_packing(void **state)
{
    (void)state;
    sso_record_t record;
    sso_record_t got;
    sso_list_t values;
    const unsigned char *data;
    apr_size_t len;
    assert_rc(SSO_OK, fill(CLAIMS, TEXTS("mixed", "blank", "extn.foo", "absent", "mixed"), &record));
    record.created = record.seen = record.revalidated = SSO_TEST_NOW;
    record.ends = SSO_TEST_NOW + 1;
    assert_rc(SSO_OK, sso_record_pack(&unit_ctx, &record, SSO_MAX_SEALED, &data, &len));
    assert_rc(SSO_OK, sso_record_unpack(&unit_ctx, data, len, &got));
    assert_true(sso_record_claim(&got, "mixed", &values));
    assert_string_equal(sso_list_join(unit_pool, &values, "|"), "a|1|true|b");
    assert_true(sso_record_claim(&got, "extn.foo", &values));
}

/* Of an access token: a rule asks for one of them. */
static void test_identity_scopes_are_a_list(void **state)
{
    (void)state;
    static const char *const names[] = {"scp", NULL};
    sso_record_t record;
    sso_list_t scopes;
    assert_rc(SSO_OK, fill("{\"scp\":\" Files.Read  Files.Write \"}", names, &record));
    assert_true(sso_record_claim(&record, "scp", &scopes));
    assert_string_equal(sso_list_join(unit_pool, &scopes, "|"), "Files.Read|Files.Write");
    assert_rc(SSO_OK, fill("{\"scp\":\"  \"}", names, &record));
    assert_false(sso_record_claim(&record, "scp", &scopes));
    assert_rc(SSO_R_IDENTITY_CLAIM, fill("{\"scp\":\"a\\tb\"}", names, &record));
    assert_rc(SSO_R_IDENTITY_CLAIM, fill(one_text("scp", text_of(SSO_MAX_CLAIM_VALUE + 1)), names, &record));
    char *many = text_of(SSO_MAX_LIST_ITEMS * 2 + 2);
    for (apr_size_t at = 1; many[at - 1] != '\0'; at += 2) {
        many[at] = ' ';
    }
    assert_rc(SSO_R_IDENTITY_CLAIM, fill(one_text("scp", many), names, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_identity_of_a_usual_token_is_kept),
        unit_test(test_identity_keeps_the_contexts_that_the_configuration_names),
        unit_test(test_identity_of_contexts_that_are_no_texts_is_refused),
        unit_test(test_identity_of_the_least_token_has_empty_texts),
        unit_test(test_identity_takes_what_the_token_check_gave),
        unit_test(test_identity_display_claims_lose_their_control_characters),
        unit_test(test_identity_further_claim_with_a_control_character_is_refused),
        unit_test(test_identity_user_name_with_a_control_character_is_refused),
        unit_test(test_identity_role_with_a_control_character_is_refused),
        unit_test(test_identity_letters_near_control_characters_are_kept),
        unit_test(test_identity_user_name_of_two_spellings_is_refused),
        unit_test(test_identity_user_name_that_is_no_text_is_as_if_absent),
        unit_test(test_identity_roles_that_are_no_texts_are_refused),
        unit_test(test_identity_value_over_its_bound_is_refused),
        unit_test(test_identity_list_over_its_bound_is_refused),
        unit_test(test_identity_further_claims_are_kept_by_their_type),
        unit_test(test_identity_keeps_the_named_claims_and_no_others),
        unit_test(test_identity_scopes_are_a_list),
        unit_test(test_identity_survives_packing),
    };
    return unit_run(tests);
}
