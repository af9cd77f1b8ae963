/* SPDX-License-Identifier: Apache-2.0 */
/* One value at a time; what a resource as a whole must have stands in resource.c. */
#include "directory/value.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/limits.h"

bool sso_value_is_empty(const sso_json_t *value)
{
    switch (sso_json_type(value)) {
    case SSO_JSON_NULL:
        return true;
    case SSO_JSON_STRING:
        return *sso_json_text(value) == '\0';
    case SSO_JSON_ARRAY:
    case SSO_JSON_OBJECT:
        return sso_json_size(value) == 0;
    case SSO_JSON_BOOL:
    case SSO_JSON_INTEGER:
    case SSO_JSON_REAL:
        break;
    }
    return false;
}

bool sso_value_boolean(const char *text, bool *ret_value)
{
    bool truth = text != NULL && apr_cstr_casecmp(text, "true") == 0;
    if (!truth && (text == NULL || apr_cstr_casecmp(text, "false") != 0)) {
        return false;
    }
    *ret_value = truth;
    return true;
}

static const char *name_of(const sso_attribute_t *attribute)
{
    return attribute != NULL ? attribute->name : "an attribute of an extension";
}

static sso_rc refuse(sso_ctx_t *ctx, const sso_attribute_t *attribute, const char *what)
{
    return sso_fail(ctx, SSO_R_SCIM_VALUE, "%s: %s", name_of(attribute), what);
}

/* [x] and {"value": x} for x; another object stays what it is, which is no single value. */
static const sso_json_t *unwrap(const sso_json_t *value)
{
    if (sso_json_type(value) == SSO_JSON_ARRAY && sso_json_size(value) == 1) {
        value = sso_json_at(value, 0);
    }
    const sso_json_t *inner = sso_attribute_member(value, "value");
    return inner != NULL ? inner : value;
}

static sso_rc normalize_boolean(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute,
                                const sso_json_t *value, const sso_json_t **ret_value)
{
    bool truth = sso_json_is_true(value);
    if (sso_json_type(value) != SSO_JSON_BOOL && !sso_value_boolean(sso_json_text(value), &truth)) {
        return refuse(ctx, attribute, "neither true nor false");
    }
    *ret_value = sso_json_node_view(sso_json_node_bool(pool, truth));
    return SSO_OK;
}

/* Texts that stand in key columns as well, whose index bounds them on every database. */
static bool is_key(const sso_attribute_t *attribute)
{
    static const struct {
        const char *parent, *name;
    } KEYS[] = {{"", "userName"}, {"", "displayName"}, {"", "externalId"}, {"emails", "value"}, {"manager", "value"}};
    const char *parent = attribute->parent != NULL ? attribute->parent : "";
    for (apr_size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (strcmp(parent, KEYS[i].parent) == 0 && strcmp(attribute->name, KEYS[i].name) == 0) {
            return true;
        }
    }
    return false;
}

static sso_rc check_text(sso_ctx_t *ctx, const sso_attribute_t *attribute, const char *text)
{
    apr_size_t most = attribute != NULL && is_key(attribute) ? SSO_MAX_SCIM_KEY : SSO_MAX_SCIM_VALUE;
    if (strlen(text) > most) {
        return sso_fail(ctx, SSO_R_SCIM_VALUE, "%s: more than %zu bytes", name_of(attribute), (size_t)most);
    }
    return SSO_OK;
}

static sso_rc normalize_text(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute,
                             const sso_json_t *value, const sso_json_t **ret_value)
{
    int64_t number = 0;
    const char *text = sso_json_text(value);
    if (text == NULL && sso_json_integer(value, &number)) {
        text = apr_psprintf(pool, "%" APR_INT64_T_FMT, (apr_int64_t)number);
    }
    if (text == NULL) {
        return refuse(ctx, attribute, "no string");
    }
    sso_rc rc = check_text(ctx, attribute, text);
    if (rc == SSO_OK) {
        *ret_value = sso_json_node_view(sso_json_node_text(pool, text));
    }
    return rc;
}

static sso_rc normalize_single(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute,
                               const sso_json_t *value, const sso_json_t **ret_value)
{
    value = unwrap(value);
    if (sso_value_is_empty(value)) {
        return SSO_OK;
    }
    return attribute->type == SSO_TYPE_BOOLEAN ? normalize_boolean(ctx, pool, attribute, value, ret_value)
                                               : normalize_text(ctx, pool, attribute, value, ret_value);
}

/* ---- what no schema describes ---- */

typedef struct {
    sso_ctx_t *ctx;
    apr_pool_t *pool;
    const sso_attribute_t *attribute;
    sso_json_node_t *object;
    int depth;
    sso_rc rc;
} filling_t;

static sso_rc keep(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *value, int depth, const sso_json_t **ret_value);

static bool keep_member(void *baton, const char *name, const sso_json_t *member)
{
    filling_t *filling = baton;
    const sso_json_t *kept = NULL;
    if (!sso_attribute_is_name(name) || sso_attribute_member(sso_json_node_view(filling->object), name) != NULL) {
        filling->rc = refuse(filling->ctx, NULL, "a member's name is no name, or stands twice");
        return false;
    }
    filling->rc = keep(filling->ctx, filling->pool, member, filling->depth + 1, &kept);
    if (filling->rc == SSO_OK && kept != NULL) {
        sso_json_node_set(filling->pool, filling->object, name, kept);
    }
    return filling->rc == SSO_OK;
}

static sso_rc keep_items(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *value, int depth, sso_json_node_t *list)
{
    if (sso_json_size(value) > SSO_MAX_SCIM_ENTRIES) {
        return refuse(ctx, NULL, "too many entries");
    }
    for (apr_size_t i = 0; i < sso_json_size(value); i++) {
        const sso_json_t *kept = NULL;
        sso_rc rc = keep(ctx, pool, sso_json_at(value, i), depth + 1, &kept);
        if (rc != SSO_OK) {
            return rc;
        }
        sso_json_node_append(pool, list, kept);
    }
    return SSO_OK;
}

/* Printed with fewer digits than it has, a number at the edge of what a double can hold is rounded past it, and the
 * document that it stands in could never be read again. */
static bool is_at_the_edge(const sso_json_t *value)
{
    double number = 0;
    return sso_json_number(value, &number) && (number > 1.7e308 || number < -1.7e308);
}

/* As sent, without nulls. It descends, as deep as SSO_MAX_SCIM_VALUE_DEPTH. */
static sso_rc keep(sso_ctx_t *ctx, apr_pool_t *pool, const sso_json_t *value, int depth, const sso_json_t **ret_value)
{
    sso_json_type_t type = sso_json_type(value);
    if (depth > SSO_MAX_SCIM_VALUE_DEPTH) {
        return refuse(ctx, NULL, "nested too deeply");
    }
    if (sso_value_is_empty(value)) {
        return SSO_OK;
    }
    if (type == SSO_JSON_STRING) {
        sso_rc rc = check_text(ctx, NULL, sso_json_text(value));
        *ret_value = rc == SSO_OK ? value : *ret_value;
        return rc;
    }
    if (is_at_the_edge(value)) {
        return refuse(ctx, NULL, "a number that is too large");
    }
    if (type != SSO_JSON_ARRAY && type != SSO_JSON_OBJECT) {
        *ret_value = value;
        return SSO_OK;
    }
    filling_t filling = {ctx, pool, NULL, NULL, depth, SSO_OK};
    filling.object = type == SSO_JSON_ARRAY ? sso_json_node_array(pool) : sso_json_node_object(pool);
    if (type == SSO_JSON_ARRAY) {
        filling.rc = keep_items(ctx, pool, value, depth, filling.object);
    } else {
        sso_json_each(value, keep_member, &filling);
    }
    const sso_json_t *view = sso_json_node_view(filling.object);
    if (filling.rc == SSO_OK && sso_json_size(view) > 0) {
        *ret_value = view;
    }
    return filling.rc;
}

/* ---- complex values ---- */

/* A part that the table does not know: Entra sends displayName in roles. Only what is plural keeps it, and only
 * scalars. */
static bool fill_unknown_part(filling_t *filling, const char *name, const sso_json_t *member)
{
    sso_json_type_t type = sso_json_type(member);
    if (!filling->attribute->plural || type == SSO_JSON_ARRAY || type == SSO_JSON_OBJECT ||
        !sso_attribute_is_name(name) || sso_value_is_empty(member)) {
        return true;
    }
    return keep_member(filling, name, member);
}

static bool fill_part(void *baton, const char *name, const sso_json_t *member)
{
    filling_t *filling = baton;
    const sso_json_t *value = NULL;
    const sso_attribute_t *part = sso_attribute_part(filling->attribute, name);
    if (part == NULL) {
        return fill_unknown_part(filling, name, member);
    }
    if (sso_json_get(sso_json_node_view(filling->object), part->name) != NULL) {
        filling->rc = refuse(filling->ctx, part, "stands twice");
        return false;
    }
    filling->rc = sso_value_normalize(filling->ctx, filling->pool, part, member, &value);
    if (filling->rc == SSO_OK && value != NULL) {
        sso_json_node_set(filling->pool, filling->object, part->name, value);
    }
    return filling->rc == SSO_OK;
}

static sso_rc normalize_complex(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute,
                                const sso_json_t *value, const sso_json_t **ret_value)
{
    filling_t filling = {ctx, pool, attribute, sso_json_node_object(pool), 0, SSO_OK};
    const sso_attribute_t *lone = sso_attribute_part(attribute, "value");
    if (sso_value_is_empty(value)) {
        return SSO_OK;
    }
    if (sso_json_type(value) == SSO_JSON_OBJECT) {
        sso_json_each(value, fill_part, &filling);
    } else if (lone != NULL && sso_json_type(value) != SSO_JSON_ARRAY) {
        fill_part(&filling, lone->name, value);
    } else {
        return refuse(ctx, attribute, "no object");
    }
    const sso_json_t *view = sso_json_node_view(filling.object);
    if (filling.rc == SSO_OK && sso_json_size(view) > 0) {
        *ret_value = view;
    }
    return filling.rc;
}

sso_rc sso_value_entry(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute, const sso_json_t *value,
                       const sso_json_t **ret_value)
{
    const sso_json_t *entry = NULL;
    if (sso_json_type(value) == SSO_JSON_ARRAY && sso_json_size(value) == 1) {
        value = sso_json_at(value, 0);
    }
    sso_rc rc = SSO_OK;
    if (attribute == NULL) {
        rc = keep(ctx, pool, value, 1, &entry);
    } else if (attribute->type == SSO_TYPE_COMPLEX) {
        rc = normalize_complex(ctx, pool, attribute, value, &entry);
    } else {
        rc = normalize_single(ctx, pool, attribute, value, &entry);
    }
    if (rc == SSO_OK) {
        *ret_value = entry;
    }
    return rc;
}

void sso_value_keep_primary(apr_pool_t *pool, sso_json_node_t *entries, apr_size_t index)
{
    for (apr_size_t i = 0; i < sso_json_size(sso_json_node_view(entries)); i++) {
        sso_json_node_t *entry = sso_json_node_at(entries, i);
        if (i != index && sso_json_is_true(sso_json_get(sso_json_node_view(entry), "primary"))) {
            sso_json_node_set_bool(pool, entry, "primary", false);
        }
    }
}

bool sso_value_is_in(const sso_json_t *list, const sso_json_t *value)
{
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        if (sso_json_equal(sso_json_at(list, i), value)) {
            return true;
        }
    }
    return false;
}

static sso_rc normalize_plural(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute,
                               const sso_json_t *value, const sso_json_t **ret_value)
{
    sso_json_node_t *list = sso_json_node_array(pool);
    const sso_json_t *view = sso_json_node_view(list);
    bool many = sso_json_type(value) == SSO_JSON_ARRAY;
    apr_size_t count = many ? sso_json_size(value) : 1;
    bool primary = false;
    if (count > SSO_MAX_SCIM_ENTRIES) {
        return refuse(ctx, attribute, "too many entries");
    }
    for (apr_size_t i = 0; i < count; i++) {
        const sso_json_t *entry = NULL;
        sso_rc rc = sso_value_entry(ctx, pool, attribute, many ? sso_json_at(value, i) : value, &entry);
        if (rc != SSO_OK) {
            return rc;
        }
        if (entry == NULL || sso_value_is_in(view, entry)) {
            continue;
        }
        sso_json_node_append(pool, list, entry);
        if (sso_json_is_true(sso_json_get(entry, "primary"))) {
            apr_size_t last = sso_json_size(view) - 1;
            if (primary) {
                sso_json_node_set_bool(pool, sso_json_node_at(list, last), "primary", false);
            }
            primary = true;
        }
    }
    if (sso_json_size(view) > 0) {
        *ret_value = view;
    }
    return SSO_OK;
}

sso_rc sso_value_normalize(sso_ctx_t *ctx, apr_pool_t *pool, const sso_attribute_t *attribute, const sso_json_t *value,
                           const sso_json_t **ret_value)
{
    const sso_json_t *found = NULL;
    sso_rc rc = SSO_OK;
    if (attribute == NULL) {
        rc = keep(ctx, pool, value, 0, &found);
    } else if (attribute->mutability != SSO_MUTABILITY_READWRITE) {
        found = NULL; /* the server's own word, or a password, which is not kept */
    } else if (attribute->plural) {
        rc = normalize_plural(ctx, pool, attribute, value, &found);
    } else {
        rc = sso_value_entry(ctx, pool, attribute, value, &found);
    }
    if (rc == SSO_OK) {
        *ret_value = found;
    }
    return rc;
}
