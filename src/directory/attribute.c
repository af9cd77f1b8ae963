/* SPDX-License-Identifier: Apache-2.0 */
/* Names of attributes: found in the table, or taken as they are within extensions that only the client knows. */
#include "directory/attribute.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/limits.h"

static const sso_attribute_t ATTRIBUTES[] = {
#define ATTRIBUTE(schema, parent, name, type, plural, case_exact, required, mutability, returned, uniqueness, text)    \
    {SSO_SCHEMA_##schema,                                                                                              \
     parent,                                                                                                           \
     name,                                                                                                             \
     SSO_TYPE_##type,                                                                                                  \
     plural,                                                                                                           \
     case_exact,                                                                                                       \
     required,                                                                                                         \
     SSO_MUTABILITY_##mutability,                                                                                      \
     SSO_RETURNED_##returned,                                                                                          \
     SSO_UNIQUENESS_##uniqueness,                                                                                      \
     text},
#include "directory/attributes.def"
#undef ATTRIBUTE
};

const sso_attribute_t *sso_attribute_at(apr_size_t index)
{
    return index < sizeof(ATTRIBUTES) / sizeof(ATTRIBUTES[0]) ? &ATTRIBUTES[index] : NULL;
}

const sso_attribute_t *sso_attribute_find(sso_schema_t schema, const char *parent, const char *name)
{
    for (apr_size_t i = 0; i < sizeof(ATTRIBUTES) / sizeof(ATTRIBUTES[0]); i++) {
        const sso_attribute_t *row = &ATTRIBUTES[i];
        bool same_parent =
            parent == NULL ? row->parent == NULL : row->parent != NULL && apr_cstr_casecmp(row->parent, parent) == 0;
        if (row->schema == schema && same_parent && apr_cstr_casecmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

const sso_attribute_t *sso_attribute_part(const sso_attribute_t *attribute, const char *name)
{
    return attribute == NULL ? NULL : sso_attribute_find(attribute->schema, attribute->name, name);
}

sso_schema_t sso_attribute_core(sso_scim_kind_t kind)
{
    return kind == SSO_SCIM_GROUP ? SSO_SCHEMA_GROUP : SSO_SCHEMA_USER;
}

const char *sso_attribute_core_urn(sso_scim_kind_t kind)
{
    return kind == SSO_SCIM_GROUP ? SSO_SCIM_URN_GROUP : SSO_SCIM_URN_USER;
}

bool sso_attribute_is_name(const char *text)
{
    const char *p = *text == '$' ? text + 1 : text;
    apr_size_t len = strlen(p);
    return len > 0 && len <= SSO_MAX_SCIM_NAME &&
           strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* "User" or "Group" between two colons, or behind the last one: there the URN of an extension ends, by Entra's
 * convention. What stands behind it, NULL when it is nowhere. */
static const char *end_of_extension(const char *urn)
{
    static const char *const words[] = {":User", ":Group"};
    for (const char *colon = strchr(urn, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        for (int i = 0; i < 2; i++) {
            apr_size_t len = strlen(words[i]);
            if (apr_cstr_casecmpn(colon, words[i], len) == 0 && (colon[len] == '\0' || colon[len] == ':')) {
                return colon + len;
            }
        }
    }
    return NULL;
}

bool sso_attribute_is_extension(const char *urn)
{
    apr_size_t prefix = sizeof(SSO_SCIM_EXTENSION) - 1;
    apr_size_t len = strlen(urn);
    const char *end = end_of_extension(urn);
    return len > prefix && len <= SSO_MAX_SCIM_URN && apr_cstr_casecmpn(urn, SSO_SCIM_EXTENSION, prefix) == 0 &&
           strspn(urn, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:") == len &&
           urn[len - 1] != ':' && (end == NULL || *end == '\0');
}

/* The enterprise extension has one spelling; it is a user's. */
static bool set_urn(sso_scim_kind_t kind, const char *urn, sso_attribute_name_t *name)
{
    bool enterprise = apr_cstr_casecmp(urn, SSO_SCIM_URN_ENTERPRISE) == 0;
    name->urn = enterprise ? SSO_SCIM_URN_ENTERPRISE : urn;
    return sso_attribute_is_extension(urn) && (!enterprise || kind == SSO_SCIM_USER);
}

static bool set_attribute(const sso_attribute_t *attribute, sso_attribute_name_t *name)
{
    name->attribute = attribute;
    name->name = attribute != NULL ? attribute->name : NULL;
    name->urn = attribute != NULL && attribute->schema == SSO_SCHEMA_ENTERPRISE ? SSO_SCIM_URN_ENTERPRISE : NULL;
    return attribute != NULL;
}

/* A name behind a URN; urn NULL: none was written. */
static bool resolve(sso_scim_kind_t kind, const char *urn, const char *text, sso_attribute_name_t *name)
{
    if (urn != NULL && apr_cstr_casecmp(urn, SSO_SCIM_URN_ENTERPRISE) == 0) {
        return kind == SSO_SCIM_USER && set_attribute(sso_attribute_find(SSO_SCHEMA_ENTERPRISE, NULL, text), name);
    }
    if (urn != NULL && apr_cstr_casecmp(urn, sso_attribute_core_urn(kind)) != 0) {
        name->name = text;
        /* "…:User.x" is half an extension. */
        return apr_cstr_casecmp(text, "User") != 0 && apr_cstr_casecmp(text, "Group") != 0 && set_urn(kind, urn, name);
    }
    const sso_attribute_t *row = sso_attribute_find(sso_attribute_core(kind), NULL, text);
    row = row != NULL ? row : sso_attribute_find(SSO_SCHEMA_COMMON, NULL, text);
    if (row == NULL && urn == NULL && kind == SSO_SCIM_USER) {
        row = sso_attribute_find(SSO_SCHEMA_ENTERPRISE, NULL, text);
    }
    return set_attribute(row, name);
}

static bool set_part(const char *sub, sso_attribute_name_t *name)
{
    name->sub = sub;
    if (name->attribute == NULL) {
        return sso_attribute_is_name(sub);
    }
    name->part = sso_attribute_part(name->attribute, sub);
    name->sub = name->part != NULL ? name->part->name : NULL;
    return name->part != NULL;
}

bool sso_attribute_parse(apr_pool_t *pool, sso_scim_kind_t kind, const char *text, apr_size_t len,
                         sso_attribute_name_t *ret_name)
{
    sso_attribute_name_t name = {0};
    if (len == 0 || len > SSO_MAX_SCIM_URN + SSO_MAX_SCIM_NAME * 2) {
        return false;
    }
    char *urn = apr_pstrmemdup(pool, text, len);
    char *colon = strrchr(urn, ':');
    const char *end = end_of_extension(urn);
    if (end != NULL && *end == '\0' && sso_attribute_is_extension(urn)) {
        bool good = set_urn(kind, urn, &name);
        *ret_name = good ? name : *ret_name;
        return good;
    }
    char *rest = colon != NULL ? colon + 1 : urn;
    char *dot = strchr(rest, '.');
    if (colon != NULL) {
        *colon = '\0';
    }
    if (dot != NULL) {
        *dot = '\0';
    }
    if (!sso_attribute_is_name(rest) || !resolve(kind, colon != NULL ? urn : NULL, rest, &name) ||
        (dot != NULL && !set_part(dot + 1, &name))) {
        return false;
    }
    *ret_name = name;
    return true;
}

bool sso_attribute_parse_member(apr_pool_t *pool, sso_scim_kind_t kind, const char *text, const sso_json_t *value,
                                sso_attribute_name_t *ret_name)
{
    sso_attribute_name_t name = {0};
    if (sso_json_type(value) != SSO_JSON_OBJECT || !sso_attribute_is_extension(text)) {
        return sso_attribute_parse(pool, kind, text, strlen(text), ret_name);
    }
    if (!set_urn(kind, apr_pstrdup(pool, text), &name)) {
        return false;
    }
    *ret_name = name;
    return true;
}

bool sso_attribute_parse_part(apr_pool_t *pool, const sso_attribute_name_t *whole, const char *text, apr_size_t len,
                              sso_attribute_name_t *ret_name)
{
    sso_attribute_name_t name = *whole;
    const char *sub = apr_pstrmemdup(pool, text, len);
    name.part = NULL;
    if (!sso_attribute_is_name(sub) || !set_part(sub, &name)) {
        return false;
    }
    *ret_name = name;
    return true;
}

typedef struct {
    const char *name;
    const char *found;
    const sso_json_t *value;
} search_t;

static bool look(void *baton, const char *name, const sso_json_t *member)
{
    search_t *search = baton;
    if (apr_cstr_casecmp(name, search->name) != 0) {
        return true;
    }
    search->found = name;
    search->value = member;
    return false;
}

static search_t search_member(const sso_json_t *object, const char *name)
{
    search_t search = {name, name, sso_json_get(object, name)};
    if (search.value == NULL && sso_json_type(object) == SSO_JSON_OBJECT) {
        sso_json_each(object, look, &search);
    }
    return search;
}

const sso_json_t *sso_attribute_member(const sso_json_t *object, const char *name)
{
    return search_member(object, name).value;
}

const char *sso_attribute_spelling(const sso_json_t *object, const char *name)
{
    return search_member(object, name).found;
}

const sso_json_t *sso_attribute_value(const sso_json_t *document, const sso_attribute_name_t *name)
{
    const sso_json_t *holder = name->urn != NULL ? sso_attribute_member(document, name->urn) : document;
    return name->name != NULL ? sso_attribute_member(holder, name->name) : holder;
}
