/* SPDX-License-Identifier: Apache-2.0 */
/* Entitlement: comparisons of a record with what the configuration names. What is absent is a no, never a yes. */
#include "session/entitle.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/authority.h"

/* `user=` of EntraRole is no `Require entra-…` of its own, but a rule like the others. */
#define RULE_USER ((sso_rule_kind_t)100)
/* `role=` asks for a role of the token; it must not ask for what the maps themselves give. */
#define RULE_TOKEN_ROLE ((sso_rule_kind_t)101)

struct sso_rule_t {
    int kind;
    const char *claim;             /* of SSO_RULE_CLAIM */
    const apr_array_header_t *any; /* const char *: one of these is enough */
    sso_matcher_t matcher;         /* fits NULL: compare with any */
};

/* GUIDs and names of groups have no case. */
static bool list_has_any_case(const sso_list_t *list, const char *text)
{
    apr_size_t at = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        if (apr_cstr_casecmp(item, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Whole, without a wildcard or a leading dot: a subdomain is another domain. */
static bool is_domain(const char *text)
{
    apr_size_t len = strlen(text);
    return strchr(text, '.') != NULL && strstr(text, "..") == NULL && apr_isalnum(text[0]) &&
           apr_isalnum(text[len - 1]) &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static const char *check_claim(const char *claim)
{
    if (*claim == '\0' || strlen(claim) > SSO_MAX_CLAIM_NAME || sso_has_control(claim)) {
        return "the claim's name is empty, too long, or holds a control character";
    }
    /* SECURITY: nOAuth. Any administrator of any tenant can write any address there. */
    if (strcmp(claim, "email") == 0) {
        return "email is for display and decides nothing; use preferred_username with one tenant, or oid";
    }
    return NULL;
}

/* What goes into the claims parameter as it stands: nothing that JSON would have to escape. */
static bool is_context(const char *text)
{
    apr_size_t len = strlen(text);
    return len <= SSO_MAX_ACR &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static const char *check_words(apr_pool_t *pool, sso_rule_kind_t kind, const apr_array_header_t *words)
{
    for (int i = 0; i < words->nelts; i++) {
        const char *word = sso_text_at(words, i);
        if (*word == '\0' || strlen(word) > SSO_MAX_CLAIM_VALUE || sso_has_control(word)) {
            return "a value is empty, too long, or holds a control character";
        }
        if (kind == SSO_RULE_TENANT && !sso_is_guid(word)) {
            return apr_psprintf(pool, "'%s' is no tenant GUID", word);
        }
        if (kind == SSO_RULE_APP && !sso_is_guid(word)) {
            return apr_psprintf(pool, "'%s' is no client ID, a GUID", word);
        }
        if (kind == SSO_RULE_DOMAIN && !is_domain(word)) {
            return apr_psprintf(pool, "'%s' is no domain; write one like example.com", word);
        }
        if (kind == SSO_RULE_ACR && !is_context(word)) {
            return apr_psprintf(pool, "'%s' is no id of an authentication context; write one like c1", word);
        }
    }
    return words->nelts == 0 ? "at least one value is needed" : NULL;
}

static sso_rule_t *make_rule(apr_pool_t *pool, int kind, const apr_array_header_t *words)
{
    sso_rule_t *rule = apr_pcalloc(pool, sizeof(*rule));
    rule->kind = kind;
    rule->any = apr_array_copy(pool, words);
    return rule;
}

const char *sso_rule_make(apr_pool_t *pool, sso_rule_kind_t kind, const apr_array_header_t *words,
                          const sso_matcher_t *matcher, const sso_rule_t **ret_rule)
{
    apr_array_header_t *values = apr_array_copy(pool, words);
    const char *claim = NULL;
    if (kind == SSO_RULE_CLAIM) {
        if (words->nelts == 0) {
            return "the name of a claim is needed, then its values";
        }
        claim = sso_text_at(words, 0);
        const char *bad_name = check_claim(claim);
        if (bad_name != NULL) {
            return bad_name;
        }
        values = apr_array_make(pool, words->nelts, sizeof(const char *));
        for (int i = 1; i < words->nelts; i++) {
            APR_ARRAY_PUSH(values, const char *) = sso_text_at(words, i);
        }
    }
    const char *wrong = matcher != NULL ? NULL : check_words(pool, kind, values);
    if (wrong != NULL) {
        return wrong;
    }
    sso_rule_t *rule = make_rule(pool, (int)kind, values);
    rule->claim = claim;
    if (matcher != NULL) {
        rule->matcher = *matcher;
    }
    *ret_rule = rule;
    return NULL;
}

/* "user=ada@example.com": a rule with one value. NULL when good. */
static const char *make_condition(apr_pool_t *pool, const char *text, const sso_rule_t **ret_rule)
{
    static const struct {
        const char *prefix;
        int kind;
    } KINDS[] = {{"group=", SSO_RULE_GROUP}, {"role=", RULE_TOKEN_ROLE}, {"user=", RULE_USER}};
    apr_array_header_t *words = apr_array_make(pool, 2, sizeof(const char *));
    for (apr_size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        apr_size_t len = strlen(KINDS[i].prefix);
        if (strncmp(text, KINDS[i].prefix, len) == 0) {
            APR_ARRAY_PUSH(words, const char *) = apr_pstrdup(pool, text + len);
            *ret_rule = make_rule(pool, KINDS[i].kind, words);
            return check_words(pool, SSO_RULE_ROLE, words);
        }
    }
    const char *equals = strchr(text, '=');
    if (strncmp(text, "claim:", 6) != 0 || equals == NULL || equals == text + 6) {
        return apr_psprintf(pool, "'%s' is no condition; write group=, role=, user= or claim:NAME=", text);
    }
    APR_ARRAY_PUSH(words, const char *) = apr_pstrmemdup(pool, text + 6, (apr_size_t)(equals - text - 6));
    APR_ARRAY_PUSH(words, const char *) = apr_pstrdup(pool, equals + 1);
    return sso_rule_make(pool, SSO_RULE_CLAIM, words, NULL, ret_rule);
}

const char *sso_role_map_make(apr_pool_t *pool, const char *role, const apr_array_header_t *conditions,
                              const sso_role_map_t **ret_map)
{
    apr_array_header_t *rules = apr_array_make(pool, conditions->nelts, sizeof(const sso_rule_t *));
    if (*role == '\0' || strchr(role, '=') != NULL || sso_has_control(role) || strlen(role) > SSO_MAX_CLAIM_VALUE) {
        return "the role comes first, and its name has no '=' and no control character";
    }
    for (int i = 0; i < conditions->nelts; i++) {
        const sso_rule_t *rule = NULL;
        const char *wrong = make_condition(pool, sso_text_at(conditions, i), &rule);
        if (wrong != NULL) {
            return wrong;
        }
        APR_ARRAY_PUSH(rules, const sso_rule_t *) = rule;
    }
    sso_role_map_t *map = apr_palloc(pool, sizeof(*map));
    map->role = apr_pstrdup(pool, role);
    map->rules = rules;
    *ret_map = map;
    return NULL;
}

/* The claims that every record has a field for need no keeping. */
static bool is_field(const char *claim)
{
    static const char *const FIELDS[] = {"oid", "tid", "sid", "name", "preferred_username", "roles", "groups"};
    for (apr_size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        if (strcmp(FIELDS[i], claim) == 0) {
            return true;
        }
    }
    return false;
}

static void add_once(apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (strcmp(sso_text_at(texts, i), text) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(texts, const char *) = text;
}

void sso_rule_claims(const sso_rule_t *rule, apr_array_header_t *names)
{
    if (rule->claim != NULL && !is_field(rule->claim)) {
        add_once(names, rule->claim);
    }
    if (rule->kind == (int)SSO_RULE_DOMAIN || rule->kind == (int)RULE_USER) {
        add_once(names, "idp");
        add_once(names, "acct");
    }
}

void sso_rule_groups(const sso_rule_t *rule, apr_array_header_t *groups)
{
    bool claim = rule->claim != NULL && strcmp(rule->claim, "groups") == 0 && rule->matcher.fits == NULL;
    for (int i = 0; (rule->kind == (int)SSO_RULE_GROUP || claim) && i < rule->any->nelts; i++) {
        add_once(groups, sso_text_at(rule->any, i));
    }
}

void sso_rule_acrs(const sso_rule_t *rule, apr_array_header_t *acrs)
{
    for (int i = 0; rule->kind == (int)SSO_RULE_ACR && i < rule->any->nelts; i++) {
        add_once(acrs, sso_text_at(rule->any, i));
    }
}

static bool text_fits(const sso_rule_t *rule, const char *text)
{
    if (*text == '\0') {
        return false;
    }
    if (rule->matcher.fits != NULL) {
        return rule->matcher.fits(rule->matcher.expression, text);
    }
    for (int i = 0; i < rule->any->nelts; i++) {
        if (strcmp(sso_text_at(rule->any, i), text) == 0) {
            return true;
        }
    }
    return false;
}

static bool list_fits(const sso_rule_t *rule, const sso_list_t *list)
{
    apr_size_t at = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        if (text_fits(rule, item)) {
            return true;
        }
    }
    return false;
}

static bool claim_holds(const sso_rule_t *rule, const sso_record_t *record)
{
    const struct {
        const char *name;
        const char *value;
    } fields[] = {{"oid", record->oid},
                  {"tid", record->tid},
                  {"sid", record->sid},
                  {"name", record->name},
                  {"preferred_username", record->username}};
    sso_list_t values;
    for (apr_size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, rule->claim) == 0) {
            return text_fits(rule, fields[i].value);
        }
    }
    if (strcmp(rule->claim, "roles") == 0) {
        return list_fits(rule, &record->roles);
    }
    if (strcmp(rule->claim, "groups") == 0) {
        return list_fits(rule, &record->groups);
    }
    return sso_record_claim(record, rule->claim, &values) && list_fits(rule, &values);
}

/* A tenant verifies the domains of its own members. A guest's name is an address somewhere else, and a personal
 * account's is whatever its owner wrote. */
static bool is_member(const sso_record_t *record)
{
    sso_list_t values;
    apr_size_t at = 0;
    /* '#' stands in the names that Entra makes for guests: ada_other.example#EXT#@contoso.onmicrosoft.com. */
    if (sso_record_claim(record, "idp", &values) || apr_cstr_casecmp(record->tid, SSO_CONSUMERS_TENANT) == 0 ||
        strchr(record->username, '#') != NULL) {
        return false;
    }
    if (!sso_record_claim(record, "acct", &values)) {
        return true;
    }
    const char *acct = values.count == 1 ? sso_list_next(&values, &at) : NULL;
    return acct != NULL && strcmp(acct, "0") == 0;
}

/* SECURITY: exactly one '@' (a@evil.com@corp.com is nobody's), and a whole label: badcorp.com is not corp.com. */
static bool domain_holds(const sso_rule_t *rule, const sso_record_t *record)
{
    const char *at = strchr(record->username, '@');
    if (!is_member(record) || at == NULL || at == record->username || strchr(at + 1, '@') != NULL) {
        return false;
    }
    for (int i = 0; i < rule->any->nelts; i++) {
        if (apr_cstr_casecmp(sso_text_at(rule->any, i), at + 1) == 0) {
            return true;
        }
    }
    return false;
}

/* An object id, an object id with its tenant, or the user name of a member: a guest's or a personal account's may be
 * the same text as a member's, and stand for somebody else. */
static bool user_holds(const sso_rule_t *rule, const sso_record_t *record)
{
    const char *user = sso_text_at(rule->any, 0);
    apr_size_t oid = strlen(record->oid);
    if (apr_cstr_casecmpn(user, record->oid, oid) == 0) {
        return user[oid] == '\0' || (user[oid] == '@' && apr_cstr_casecmp(user + oid + 1, record->tid) == 0);
    }
    return *record->username != '\0' && is_member(record) && apr_cstr_casecmp(user, record->username) == 0;
}

static bool any_in_list(const sso_rule_t *rule, const sso_list_t *list, bool any_case)
{
    for (int i = 0; i < rule->any->nelts; i++) {
        const char *text = sso_text_at(rule->any, i);
        if (any_case ? list_has_any_case(list, text) : sso_list_has(list, text)) {
            return true;
        }
    }
    return false;
}

bool sso_rule_holds(const sso_rule_t *rule, const sso_record_t *record, const sso_list_t *roles)
{
    switch (rule->kind) {
    case SSO_RULE_ROLE:
        return any_in_list(rule, roles, false);
    case RULE_TOKEN_ROLE:
        return any_in_list(rule, &record->roles, false);
    case SSO_RULE_GROUP:
        return any_in_list(rule, &record->groups, true);
    case SSO_RULE_CLAIM:
        return claim_holds(rule, record);
    case SSO_RULE_TENANT: {
        for (int i = 0; i < rule->any->nelts; i++) {
            if (apr_cstr_casecmp(sso_text_at(rule->any, i), record->tid) == 0) {
                return true;
            }
        }
        return false;
    }
    case SSO_RULE_DOMAIN:
        return domain_holds(rule, record);
    case SSO_RULE_ACR:
        return any_in_list(rule, &record->acrs, false);
    case RULE_USER:
        return user_holds(rule, record);
    default:
        return false;
    }
}

static bool map_gives(const sso_role_map_t *map, const sso_record_t *record)
{
    const sso_rule_t *const *rules = (const void *)map->rules->elts;
    for (int i = 0; i < map->rules->nelts; i++) {
        if (sso_rule_holds(rules[i], record, &record->roles)) {
            return true;
        }
    }
    return false;
}

sso_list_t sso_roles_of(apr_pool_t *pool, const sso_record_t *record, const apr_array_header_t *maps)
{
    apr_array_header_t *roles = NULL;
    const sso_role_map_t *const *map = maps == NULL ? NULL : (const void *)maps->elts;
    for (int i = 0; map != NULL && i < maps->nelts; i++) {
        if (sso_list_has(&record->roles, map[i]->role) || !map_gives(map[i], record)) {
            continue;
        }
        if (roles == NULL) {
            roles = apr_array_make(pool, (int)record->roles.count + maps->nelts, sizeof(const char *));
            apr_size_t at = 0;
            for (const char *role = sso_list_next(&record->roles, &at); role != NULL;
                 role = sso_list_next(&record->roles, &at)) {
                APR_ARRAY_PUSH(roles, const char *) = role;
            }
        }
        add_once(roles, map[i]->role);
    }
    return roles == NULL ? record->roles : sso_list_make(pool, roles);
}

bool sso_rule_names(const sso_rule_t *rule, const char *client)
{
    for (int i = 0; rule->kind == (int)SSO_RULE_APP && i < rule->any->nelts; i++) {
        if (apr_cstr_casecmp(sso_text_at(rule->any, i), client) == 0) {
            return true;
        }
    }
    return false;
}

static bool asks_for_groups(const sso_rule_t *rule)
{
    return rule->kind == (int)SSO_RULE_GROUP || (rule->claim != NULL && strcmp(rule->claim, "groups") == 0);
}

static bool map_asks_for_groups(const sso_role_map_t *map)
{
    const sso_rule_t *const *rules = (const void *)map->rules->elts;
    bool asks = false;
    for (int i = 0; i < map->rules->nelts; i++) {
        asks = asks || asks_for_groups(rules[i]);
    }
    return asks;
}

bool sso_rule_needs_groups(const sso_rule_t *rule, const apr_array_header_t *maps)
{
    const sso_role_map_t *const *map = maps == NULL ? NULL : (const void *)maps->elts;
    bool needs = asks_for_groups(rule);
    for (int i = 0; rule->kind == (int)SSO_RULE_ROLE && map != NULL && i < maps->nelts; i++) {
        needs = needs || map_asks_for_groups(map[i]);
    }
    return needs;
}
