/* SPDX-License-Identifier: Apache-2.0 */
/* Projection of a finished resource: names are compared with what is there, nothing is looked up. */
#include "directory/projection.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "base/bytes.h"
#include "base/limits.h"

struct sso_projection_t {
    apr_array_header_t *shown;  /* sso_attribute_name_t; NULL: all */
    apr_array_header_t *hidden; /* sso_attribute_name_t; NULL: none */
};

static const sso_attribute_name_t *name_at(const apr_array_header_t *names, int i)
{
    return &((const sso_attribute_name_t *)(const void *)names->elts)[i];
}

/* The end of a name: the next comma outside of brackets. */
static const char *end_of(const char *p)
{
    int depth = 0;
    for (; *p != '\0' && (*p != ',' || depth > 0); p++) {
        depth += *p == '[' ? 1 : *p == ']' && depth > 0 ? -1 : 0;
    }
    return p;
}

/* `a[…].b` becomes `a.b`, blanks go. */
static const char *plain_name(apr_pool_t *pool, const char *from, const char *end)
{
    char *name = apr_palloc(pool, (apr_size_t)(end - from) + 1);
    char *out = name;
    bool inside = false;
    for (const char *p = from; p < end; p++) {
        inside = inside || *p == '[';
        if (!inside && *p != ' ') {
            *out++ = *p;
        }
        inside = inside && *p != ']';
    }
    *out = '\0';
    return name;
}

static sso_rc read_names(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *text,
                         apr_array_header_t **ret_names)
{
    if (text == NULL || *text == '\0') {
        *ret_names = NULL;
        return SSO_OK;
    }
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(sso_attribute_name_t));
    int count = 0;
    bool bounded = strlen(text) <= SSO_MAX_FILTER;
    for (const char *p = text; bounded && *p != '\0';) {
        const char *end = end_of(p);
        const char *name = plain_name(pool, p, end);
        sso_attribute_name_t found;
        /* A URN that is an extension is shown whole; else its last part is an attribute. */
        if (sso_attribute_parse(pool, kind, name, strlen(name), &found)) {
            APR_ARRAY_PUSH(names, sso_attribute_name_t) = found;
        }
        if (sso_attribute_is_extension(name)) {
            APR_ARRAY_PUSH(names, sso_attribute_name_t) = (sso_attribute_name_t){.urn = name};
        }
        bounded = ++count <= SSO_MAX_PROJECTION_NAMES;
        p = *end == ',' ? end + 1 : end;
    }
    if (!bounded) {
        return sso_fail(ctx, SSO_R_SCIM_PROJECTION, "more than %d bytes or %d names", SSO_MAX_FILTER,
                        SSO_MAX_PROJECTION_NAMES);
    }
    *ret_names = names;
    return SSO_OK;
}

sso_rc sso_projection_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *attributes,
                            const char *excluded, const sso_projection_t **ret_projection)
{
    sso_projection_t *projection = apr_pcalloc(pool, sizeof(*projection));
    sso_rc rc = read_names(ctx, pool, kind, attributes, &projection->shown);
    rc = rc != SSO_OK ? rc : read_names(ctx, pool, kind, excluded, &projection->hidden);
    if (rc == SSO_OK) {
        *ret_projection = projection->shown != NULL || projection->hidden != NULL ? projection : NULL;
    }
    return rc;
}

/* How much of a member the names mean. */
typedef enum { MEANS_NOTHING, MEANS_PARTS, MEANS_ALL } meaning_t;

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && apr_cstr_casecmp(a, b) == 0;
}

/* key is a member of the resource (urn NULL), or of the extension urn. */
static meaning_t meaning_of(const apr_array_header_t *names, const char *urn, const char *key)
{
    meaning_t meaning = MEANS_NOTHING;
    for (int i = 0; i < names->nelts && meaning != MEANS_ALL; i++) {
        const sso_attribute_name_t *name = name_at(names, i);
        bool extension = urn == NULL && is_same(name->urn, key);
        bool attribute = (urn == NULL ? name->urn == NULL : is_same(name->urn, urn)) && is_same(name->name, key);
        if (extension || attribute) {
            bool whole = extension ? name->name == NULL : name->sub == NULL;
            meaning = whole ? MEANS_ALL : MEANS_PARTS;
        }
    }
    return meaning;
}

bool sso_projection_shows(const sso_projection_t *projection, const char *name)
{
    if (projection == NULL) {
        return true;
    }
    return (projection->shown == NULL || meaning_of(projection->shown, NULL, name) != MEANS_NOTHING) &&
           (projection->hidden == NULL || meaning_of(projection->hidden, NULL, name) != MEANS_ALL);
}

static bool collect_key(void *baton, const char *name, const sso_json_t *member)
{
    apr_array_header_t *keys = baton;
    (void)member;
    APR_ARRAY_PUSH(keys, const char *) = apr_pstrdup(keys->pool, name);
    return true;
}

static apr_array_header_t *keys_of(apr_pool_t *pool, sso_json_node_t *object)
{
    apr_array_header_t *keys = apr_array_make(pool, 16, sizeof(const char *));
    sso_json_each(sso_json_node_view(object), collect_key, keys);
    return keys;
}

static bool names_sub(const apr_array_header_t *names, const char *urn, const char *key, const char *sub)
{
    for (int i = 0; i < names->nelts; i++) {
        const sso_attribute_name_t *name = name_at(names, i);
        bool holder = urn == NULL ? name->urn == NULL : is_same(name->urn, urn);
        if (holder && is_same(name->name, key) && is_same(name->sub, sub)) {
            return true;
        }
    }
    return false;
}

typedef struct {
    apr_pool_t *pool;
    const apr_array_header_t *names;
    bool keep; /* what is named stays; else what is named goes */
} pruning_t;

/* The parts of one complex value. */
static void prune_parts(const pruning_t *pruning, const char *urn, const char *key, sso_json_node_t *value)
{
    apr_array_header_t *subs = keys_of(pruning->pool, value);
    for (int i = 0; i < subs->nelts; i++) {
        if (names_sub(pruning->names, urn, key, sso_text_at(subs, i)) != pruning->keep) {
            sso_json_node_remove(value, sso_text_at(subs, i));
        }
    }
}

static void prune_value(const pruning_t *pruning, const char *urn, const char *key, sso_json_node_t *value)
{
    const sso_json_t *view = sso_json_node_view(value);
    if (sso_json_type(view) != SSO_JSON_ARRAY) {
        prune_parts(pruning, urn, key, value);
        return;
    }
    for (apr_size_t i = 0; i < sso_json_size(view); i++) {
        prune_parts(pruning, urn, key, sso_json_node_at(value, i));
    }
}

static bool is_always(const char *urn, const char *key)
{
    return urn == NULL && (strcmp(key, "schemas") == 0 || strcmp(key, "id") == 0);
}

/* The members of the resource (urn NULL) or of an extension. */
static void prune(const pruning_t *pruning, const char *urn, sso_json_node_t *object)
{
    apr_array_header_t *keys = keys_of(pruning->pool, object);
    for (int i = 0; i < keys->nelts; i++) {
        const char *key = sso_text_at(keys, i);
        meaning_t meaning =
            is_always(urn, key) ? (pruning->keep ? MEANS_ALL : MEANS_NOTHING) : meaning_of(pruning->names, urn, key);
        sso_json_node_t *value = sso_json_node_get(object, key);
        if (meaning == (pruning->keep ? MEANS_NOTHING : MEANS_ALL)) {
            sso_json_node_remove(object, key);
        } else if (meaning == MEANS_PARTS) {
            if (urn == NULL && sso_attribute_is_extension(key)) {
                prune(pruning, key, value);
            } else {
                prune_value(pruning, urn, key, value);
            }
            const sso_json_t *view = sso_json_node_view(value);
            bool holds = sso_json_type(view) == SSO_JSON_OBJECT || sso_json_type(view) == SSO_JSON_ARRAY;
            if (sso_json_size(view) == 0 && (holds || pruning->keep)) {
                sso_json_node_remove(object, key);
            }
        }
    }
}

void sso_projection_apply(apr_pool_t *pool, const sso_projection_t *projection, sso_json_node_t *resource)
{
    if (projection != NULL && projection->shown != NULL) {
        pruning_t pruning = {pool, projection->shown, true};
        prune(&pruning, NULL, resource);
    }
    if (projection != NULL && projection->hidden != NULL) {
        pruning_t pruning = {pool, projection->hidden, false};
        prune(&pruning, NULL, resource);
    }
}
