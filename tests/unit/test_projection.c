/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of directory/projection.c. */
#include "directory/projection.h"

#include "unit.h"

#include "scim.h"

#define USER                                                                                                           \
    "{'schemas':['s'],'id':'1','userName':'a','name':{'givenName':'A','familyName':'B'},"                              \
    "'emails':[{'type':'work','value':'w'},{'type':'home','value':'h'}],'" ENTERPRISE                                  \
    "':{'department':'d','manager':{'value':'m','displayName':'M'}},'" CUSTOM "':{'tag':'x','n':{'a':1,'b':2}},"       \
    "'meta':{'created':'c','version':'v'}}"

static void test_projection_shows_and_hides(void **state)
{
    static const struct {
        const char *attributes, *excluded, *left;
    } rows[] = {
        {NULL, NULL, USER},
        {"", "", USER},
        {"userName", NULL, "{'schemas':['s'],'id':'1','userName':'a'}"},
        {"USERNAME", NULL, "{'schemas':['s'],'id':'1','userName':'a'}"},
        {"id", NULL, "{'schemas':['s'],'id':'1'}"},
        {"shoeSize", NULL, "{'schemas':['s'],'id':'1'}"},
        {",, ,", NULL, "{'schemas':['s'],'id':'1'}"},
        {"name.givenName", NULL, "{'schemas':['s'],'id':'1','name':{'givenName':'A'}}"},
        {"name.givenName,name", NULL, "{'schemas':['s'],'id':'1','name':{'givenName':'A','familyName':'B'}}"},
        {"name.middleName", NULL, "{'schemas':['s'],'id':'1'}"},
        {"emails.value", NULL, "{'schemas':['s'],'id':'1','emails':[{'value':'w'},{'value':'h'}]}"},
        {"emails[type eq \"work\"]", NULL,
         "{'schemas':['s'],'id':'1','emails':[{'type':'work','value':'w'},{'type':'home','value':'h'}]}"},
        {"emails[type eq \"a,b\"].value, userName", NULL,
         "{'schemas':['s'],'id':'1','userName':'a','emails':[{'value':'w'},{'value':'h'}]}"},
        {"urn:ietf:params:scim:schemas:core:2.0:User:userName", NULL, "{'schemas':['s'],'id':'1','userName':'a'}"},
        {ENTERPRISE, NULL,
         "{'schemas':['s'],'id':'1','" ENTERPRISE "':{'department':'d','manager':{'value':'m','displayName':'M'}}}"},
        {"department", NULL, "{'schemas':['s'],'id':'1','" ENTERPRISE "':{'department':'d'}}"},
        {ENTERPRISE ":manager.value", NULL, "{'schemas':['s'],'id':'1','" ENTERPRISE "':{'manager':{'value':'m'}}}"},
        {CUSTOM, NULL, "{'schemas':['s'],'id':'1','" CUSTOM "':{'tag':'x','n':{'a':1,'b':2}}}"},
        {CUSTOM ":tag", NULL, "{'schemas':['s'],'id':'1','" CUSTOM "':{'tag':'x'}}"},
        {CUSTOM ":tag.x", NULL, "{'schemas':['s'],'id':'1'}"},
        {CUSTOM ":N.a", NULL, "{'schemas':['s'],'id':'1','" CUSTOM "':{'n':{'a':1}}}"},
        {"meta.version", NULL, "{'schemas':['s'],'id':'1','meta':{'version':'v'}}"},
        {NULL, "schemas,id,shoeSize", USER},
        {NULL, "name,emails,meta," ENTERPRISE "," CUSTOM, "{'schemas':['s'],'id':'1','userName':'a'}"},
        {"name,userName", "name.familyName", "{'schemas':['s'],'id':'1','userName':'a','name':{'givenName':'A'}}"},
        {"emails,name", "emails.type,name.givenName,name.familyName",
         "{'schemas':['s'],'id':'1','emails':[{'value':'w'},{'value':'h'}]}"},
        {ENTERPRISE, "manager", "{'schemas':['s'],'id':'1','" ENTERPRISE "':{'department':'d'}}"},
        {CUSTOM, CUSTOM ":n," CUSTOM ":tag.x", "{'schemas':['s'],'id':'1','" CUSTOM "':{'tag':'x'}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_projection_t *projection = NULL;
        sso_json_node_t *user = sso_json_node_copy(unit_pool, scim_json(USER));
        assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, rows[i].attributes,
                                               rows[i].excluded, &projection));
        sso_projection_apply(unit_pool, projection, user);
        scim_check(apr_psprintf(unit_pool, "%s - %s", rows[i].attributes, rows[i].excluded), scim_json(rows[i].left),
                   sso_json_node_view(user));
    }
}

static void test_projection_tells_what_will_be_shown(void **state)
{
    static const struct {
        const char *attributes, *excluded;
        bool members;
    } rows[] = {
        {NULL, NULL, true},          {NULL, "members", false},
        {NULL, "Members", false},    {NULL, "members.display", true},
        {"id", NULL, false},         {"members.value", NULL, true},
        {"members", NULL, true},     {"members", "members", false},
        {NULL, "displayName", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_projection_t *projection = NULL;
        assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_GROUP, rows[i].attributes,
                                               rows[i].excluded, &projection));
        assert_int_equal(sso_projection_shows(projection, "members"), rows[i].members);
    }
}

static void test_projection_is_bounded(void **state)
{
    char text[SSO_MAX_FILTER + 2];
    const sso_projection_t *projection = NULL;
    (void)state;
    memset(text, 'a', sizeof(text));
    text[SSO_MAX_FILTER + 1] = '\0';
    assert_rc(SSO_R_SCIM_PROJECTION,
              sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, NULL, text, &projection));
    text[SSO_MAX_FILTER] = '\0';
    assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, NULL, &projection));
    for (int i = 0; i <= SSO_MAX_PROJECTION_NAMES; i++) {
        memcpy(text + 2 * i, "a,", 3);
    }
    assert_rc(SSO_R_SCIM_PROJECTION,
              sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, NULL, &projection));
    text[2 * SSO_MAX_PROJECTION_NAMES] = '\0';
    assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, text, NULL, &projection));
}

static void test_projection_mutated_never_crashes(void **state)
{
    static const char seed[] = "emails[type eq \"work\"].value,name.givenName," CUSTOM ":tag," ENTERPRISE;
    const size_t len = sizeof(seed) - 1;
    (void)state;
    for (size_t bit = 0; bit < len * 8; bit++) {
        const sso_projection_t *projection = NULL;
        char *copy = unit_exact_copy(seed, len + 1);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        sso_json_node_t *user = sso_json_node_copy(unit_pool, scim_json(USER));
        assert_rc(SSO_OK, sso_projection_parse(&unit_ctx, unit_pool, SSO_SCIM_USER, copy, NULL, &projection));
        sso_projection_apply(unit_pool, projection, user);
        assert_string_equal(sso_json_get_text(sso_json_node_view(user), "id"), "1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_projection_shows_and_hides),
        unit_test(test_projection_tells_what_will_be_shown),
        unit_test(test_projection_is_bounded),
        unit_test(test_projection_mutated_never_crashes),
    };
    return unit_run(tests);
}
