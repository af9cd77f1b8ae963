/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/filter.c: bounds, the tree, the indexed terms. What filters mean is tested in test_match.c. */
#include "directory/filter.h"

#include "unit.h"

#include "scim.h"

static const sso_filter_t *parse_for(sso_scim_kind_t kind, const char *text)
{
    const sso_filter_t *filter = NULL;
    assert_rc(SSO_OK, sso_filter_parse(&unit_ctx, unit_pool, kind, text, &filter));
    assert_non_null(filter);
    return filter;
}

static sso_rc parse(const char *text)
{
    const sso_filter_t *filter = NULL;
    sso_rc rc = sso_filter_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, &filter);
    assert_int_equal(rc == SSO_OK, filter != NULL);
    return rc;
}

/* count times text, then last. */
static const char *repeat(const char *text, int count, const char *last)
{
    char *all = apr_palloc(unit_pool, strlen(text) * (size_t)count + strlen(last) + 1);
    char *end = all;
    for (int i = 0; i < count; i++) {
        memcpy(end, text, strlen(text));
        end += strlen(text);
    }
    memcpy(end, last, strlen(last) + 1);
    return all;
}

static void test_filter_bounds_are_kept(void **state)
{
    (void)state;
    assert_rc(SSO_R_SCIM_FILTER, parse(""));
    assert_rc(SSO_R_SCIM_FILTER, parse(NULL));
    assert_rc(SSO_R_SCIM_FILTER, parse("userName\teq \"x\""));
    assert_rc(SSO_R_SCIM_FILTER, parse("userName eq \"\xff\""));
    assert_rc(SSO_R_SCIM_FILTER, parse("userName eq a\x01z"));
    const char *close = repeat(")", SSO_MAX_FILTER_DEPTH, "");
    assert_rc(SSO_OK, parse(apr_pstrcat(unit_pool, repeat("(", SSO_MAX_FILTER_DEPTH, "title pr"), close, NULL)));
    assert_rc(SSO_R_SCIM_FILTER,
              parse(apr_pstrcat(unit_pool, repeat("(", SSO_MAX_FILTER_DEPTH + 1, "title pr"), close, ")", NULL)));
    assert_rc(SSO_R_SCIM_FILTER,
              parse(apr_pstrcat(unit_pool, repeat("(", SSO_MAX_FILTER_DEPTH, "emails[type pr]"), close, NULL)));
    assert_rc(SSO_R_SCIM_FILTER, parse(repeat("(", SSO_MAX_FILTER - 1, "x")));
    assert_rc(SSO_R_SCIM_FILTER, parse(repeat("not (", 300, "x")));
    assert_rc(SSO_OK, parse(repeat("title pr or ", SSO_MAX_FILTER_TERMS - 1, "title pr")));
    assert_rc(SSO_R_SCIM_FILTER, parse(repeat("title pr or ", SSO_MAX_FILTER_TERMS, "title pr")));
    assert_rc(SSO_OK, parse(apr_pstrcat(unit_pool, "title eq ", repeat("a", SSO_MAX_FILTER - 9, ""), NULL)));
    assert_rc(SSO_R_SCIM_FILTER, parse(apr_pstrcat(unit_pool, "title eq ", repeat("a", SSO_MAX_FILTER - 8, ""), NULL)));
}

static void test_filter_fault_names_the_place(void **state)
{
    (void)state;
    assert_int_equal(parse("userName pr and shoeSize pr"), SSO_R_SCIM_FILTER);
    assert_non_null(strstr(unit_ctx.fault.detail, "no such attribute, at character 17"));
}

/* What a filter compares with may be somebody's address. */
static void test_filter_fault_tells_no_value(void **state)
{
    sso_scim_path_t path;
    (void)state;
    assert_int_equal(parse("emails.value eq \"ada@x.example\" and shoeSize pr"), SSO_R_SCIM_FILTER);
    assert_null(strstr(unit_ctx.fault.detail, "ada"));
    sso_fault_clear(&unit_ctx);
    assert_int_equal(sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "shoes[value eq \"ada\"]", NULL, &path),
                     SSO_R_SCIM_PATH);
    assert_null(strstr(unit_ctx.fault.detail, "ada"));
}

/* and binds tighter than or, and chains are flat. */
static void test_filter_tree_follows_precedence(void **state)
{
    (void)state;
    const sso_filter_t *filter =
        parse_for(SSO_SCIM_USER, "title pr or id pr and not (name pr) and active eq true or nickName pr");
    assert_int_equal(filter->kind, SSO_FILTER_OR);
    const sso_filter_t *both = filter->first->next;
    assert_int_equal(both->kind, SSO_FILTER_AND);
    assert_int_equal(both->first->next->kind, SSO_FILTER_NOT);
    assert_int_equal(both->first->next->next->kind, SSO_FILTER_TERM);
    assert_null(both->first->next->next->next);
    assert_string_equal(both->next->name.name, "nickName");
    assert_null(both->next->next);
    /* One term is itself, in any number of parentheses. */
    assert_int_equal(parse_for(SSO_SCIM_USER, "((title pr))")->kind, SSO_FILTER_TERM);
}

static void test_filter_index_holds_what_must_be_equal(void **state)
{
    static const struct {
        const char *text, *index;
        sso_scim_kind_t kind;
    } rows[] = {
        {"userName eq \"Ada@Contoso.example\"", "2:ada@contoso.example", SSO_SCIM_USER},
        {"userName eq \"ÄDA\"", "2:äda", SSO_SCIM_USER},
        {"userName eq 5", "2:5", SSO_SCIM_USER},
        {"externalId eq \"Ext\"", "1:Ext", SSO_SCIM_USER},
        {"id eq \"X\"", "0:X", SSO_SCIM_USER},
        {"displayName eq \"Payroll\"", "3:payroll", SSO_SCIM_GROUP},
        {"emails[type eq \"work\"].value eq \"A@x\"", "4:a@x", SSO_SCIM_USER},
        {"emails[TYPE eq \"Work\" and value eq \"A@x\"]", "4:a@x", SSO_SCIM_USER},
        {"emails[type eq \"home\"].value eq \"A@x\"", "", SSO_SCIM_USER},
        {"emails[type eq \"work\"].display eq \"A@x\"", "", SSO_SCIM_USER},
        {"emails[type eq \"work\"].value sw \"A@x\"", "", SSO_SCIM_USER},
        {"emails[type eq \"work\" or value eq \"a@x\"]", "", SSO_SCIM_USER},
        {"emails[not (type eq \"work\")].value eq \"a@x\"", "", SSO_SCIM_USER},
        {"emails.value eq \"a@x\"", "", SSO_SCIM_USER},
        {"id eq \"U\" and manager eq \"M\"", "0:U 5:M", SSO_SCIM_USER},
        {ENTERPRISE ":manager.value eq M", "5:M", SSO_SCIM_USER},
        {"id eq \"G\" and members eq \"U\"", "0:G 6:U", SSO_SCIM_GROUP},
        {"members.value eq \"U\"", "6:U", SSO_SCIM_GROUP},
        {"members.display eq \"U\"", "", SSO_SCIM_GROUP},
        {"groups eq \"G\"", "7:G", SSO_SCIM_USER},
        {"userName eq \"a\" and title pr", "2:a", SSO_SCIM_USER},
        {"userName eq \"a\" or userName eq \"b\"", "", SSO_SCIM_USER},
        {"userName eq \"a\" and (id eq \"b\" or id eq \"c\")", "2:a", SSO_SCIM_USER},
        {"not (userName eq \"a\")", "", SSO_SCIM_USER},
        {"not (userName eq \"a\") and id eq \"b\"", "0:b", SSO_SCIM_USER},
        {"userName ne \"a\"", "", SSO_SCIM_USER},
        {"userName eq null", "", SSO_SCIM_USER},
        {"userName pr", "", SSO_SCIM_USER},
        {CUSTOM ":userName eq \"a\"", "", SSO_SCIM_USER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const apr_array_header_t *terms = sso_filter_index(unit_pool, parse_for(rows[i].kind, rows[i].text));
        const char *got = "";
        for (int k = 0; k < terms->nelts; k++) {
            const sso_index_term_t *term = &((const sso_index_term_t *)(const void *)terms->elts)[k];
            got = apr_psprintf(unit_pool, "%s%s%d:%s", got, k > 0 ? " " : "", (int)term->index, term->key);
        }
        if (strcmp(got, rows[i].index) != 0) {
            unit_fail("%s: <%s>, expected <%s>", rows[i].text, got, rows[i].index);
        }
    }
}

static void test_filter_uses_tells_what_it_asks_for(void **state)
{
    (void)state;
    const sso_filter_t *filter = parse_for(SSO_SCIM_GROUP, "id pr and (displayName pr or not (members[value eq x]))");
    assert_true(sso_filter_uses(filter, "members"));
    assert_true(sso_filter_uses(filter, "id"));
    assert_false(sso_filter_uses(filter, "externalId"));
    assert_false(sso_filter_uses(NULL, "id"));
}

static void test_filter_path_is_split(void **state)
{
    sso_scim_path_t path = {{0}, NULL};
    (void)state;
    assert_rc(SSO_OK,
              sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "emails[type eq \"work\"].VALUE", NULL, &path));
    assert_string_equal(path.name.name, "emails");
    assert_string_equal(path.name.sub, "value");
    assert_string_equal(path.filter->name.sub, "type");
    assert_rc(SSO_OK,
              sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, ENTERPRISE ":manager.value", NULL, &path));
    assert_string_equal(path.name.urn, ENTERPRISE);
    assert_string_equal(path.name.sub, "value");
    assert_null(path.filter);
    assert_rc(SSO_OK, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, CUSTOM, scim_json("{'a':1}"), &path));
    assert_string_equal(path.name.urn, CUSTOM);
    assert_null(path.name.name);
    assert_rc(SSO_R_SCIM_PATH, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "shoe", NULL, &path));
    assert_rc(SSO_R_SCIM_PATH, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "", NULL, &path));
    assert_rc(SSO_R_SCIM_PATH,
              sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "emails[type pr] x", NULL, &path));
    assert_rc(SSO_R_SCIM_FILTER, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "emails[]", NULL, &path));
    assert_rc(SSO_R_SCIM_FILTER,
              sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, "emails[type eq", NULL, &path));
    assert_rc(SSO_R_SCIM_PATH, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER,
                                                   repeat("a", SSO_MAX_FILTER + 1, ""), NULL, &path));
}

/* No flip and no cut crashes; what is accepted still asks for attributes that there are. */
static void test_filter_mutated_never_crashes(void **state)
{
    static const char seed[] =
        "userName eq \"ada\\u00e9\" and (emails[type eq \"work\"].value co \"@x\" or not (active eq "
        "false)) and meta.created gt \"2026-11-23T15:00:00Z\" or " CUSTOM ":tag eq 1.5e3";
    const size_t len = sizeof(seed) - 1;
    int accepted = 0;
    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = unit_exact_copy(seed, cut + 1);
        copy[cut] = '\0';
        (void)parse(copy);
        sso_fault_clear(&unit_ctx);
        sso_scim_path_t path;
        (void)!sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, copy, NULL, &path);
        sso_fault_clear(&unit_ctx);
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        char *copy = unit_exact_copy(seed, len + 1);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        sso_rc rc = parse(copy);
        assert_true(rc == SSO_OK || rc == SSO_R_SCIM_FILTER);
        accepted += rc == SSO_OK;
        sso_fault_clear(&unit_ctx);
    }
    /* Letters of values and of case may change; most else may not. */
    assert_true(accepted > 0 && accepted < (int)len * 5);
}

static void test_filter_path_of_an_extension_has_no_brackets(void **state)
{
    (void)state;
    sso_scim_path_t path = {{0}, NULL};
    assert_rc(SSO_R_SCIM_FILTER, sso_scim_path_parse(&unit_ctx, unit_pool, SSO_SCIM_USER,
                                                     "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
                                                     "[department pr]",
                                                     NULL, &path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_filter_bounds_are_kept),
        unit_test(test_filter_path_of_an_extension_has_no_brackets),
        unit_test(test_filter_fault_names_the_place),
        unit_test(test_filter_fault_tells_no_value),
        unit_test(test_filter_tree_follows_precedence),
        unit_test(test_filter_index_holds_what_must_be_equal),
        unit_test(test_filter_uses_tells_what_it_asks_for),
        unit_test(test_filter_path_is_split),
        unit_test(test_filter_mutated_never_crashes),
    };
    return unit_run(tests);
}
