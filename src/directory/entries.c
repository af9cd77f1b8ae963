/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of plural attributes. Entra expects an entry to be made where a filter fits none (RFC 7644 would have
 * noTarget). */
#include "directory/entries.h"

#include <string.h>

#include <apr_cstr.h>

#include "base/limits.h"
#include "directory/fold.h"
#include "directory/match.h"
#include "directory/value.h"

/* The entry at index has just got primary: true, or not. */
static void settle_primary(apr_pool_t *pool, sso_json_node_t *list, apr_size_t index)
{
    const sso_json_t *entry = sso_json_at(sso_json_node_view(list), index);
    if (sso_json_is_true(sso_json_get(entry, "primary"))) {
        sso_value_keep_primary(pool, list, index);
    }
}

void sso_entries_add(apr_pool_t *pool, sso_json_node_t *list, const sso_json_t *entries)
{
    const sso_json_t *view = sso_json_node_view(list);
    bool many = sso_json_type(entries) == SSO_JSON_ARRAY;
    apr_size_t count = many ? sso_json_size(entries) : entries != NULL ? 1 : 0;
    for (apr_size_t i = 0; i < count; i++) {
        const sso_json_t *entry = many ? sso_json_at(entries, i) : entries;
        if (!sso_value_is_in(view, entry)) {
            sso_json_node_append(pool, list, entry);
            settle_primary(pool, list, sso_json_size(view) - 1);
        }
    }
}

/* ---- naming an entry by its parts ---- */

typedef struct {
    const sso_attribute_t *attribute;
    const sso_json_t *entry;
    int compared;
    bool differs;
} likeness_t;

static bool same(const sso_attribute_t *part, const sso_json_t *a, const sso_json_t *b)
{
    bool texts = sso_json_text(a) != NULL && sso_json_text(b) != NULL;
    bool exact = part != NULL && part->case_exact;
    return texts && !exact ? sso_fold_equal(sso_json_text(a), sso_json_text(b)) : sso_json_equal(a, b);
}

static bool compare_part(void *baton, const char *name, const sso_json_t *member)
{
    static const char *const silent[] = {"$ref", "display", "displayName", "primary"};
    likeness_t *likeness = baton;
    for (apr_size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (apr_cstr_casecmp(name, silent[i]) == 0) {
            return true;
        }
    }
    const sso_json_t *other = sso_attribute_member(likeness->entry, name);
    likeness->compared++;
    likeness->differs = !same(sso_attribute_part(likeness->attribute, name), member, other);
    return !likeness->differs;
}

static bool is_named(const sso_attribute_t *attribute, const sso_json_t *entry, const sso_json_t *given)
{
    likeness_t likeness = {attribute, entry, 0, false};
    if (sso_json_type(given) != SSO_JSON_OBJECT || sso_json_type(entry) != SSO_JSON_OBJECT) {
        return same(NULL, entry, given);
    }
    sso_json_each(given, compare_part, &likeness);
    return likeness.compared > 0 && !likeness.differs;
}

void sso_entries_remove(sso_json_node_t *list, const sso_attribute_t *attribute, const sso_json_t *given)
{
    const sso_json_t *view = sso_json_node_view(list);
    for (apr_size_t i = given != NULL ? sso_json_size(view) : 0; i > 0; i--) {
        if (is_named(attribute, sso_json_at(view, i - 1), given)) {
            sso_json_node_remove_at(list, i - 1);
        }
    }
}

/* ---- an entry that fits a filter ---- */

static bool set_literal(apr_pool_t *pool, sso_json_node_t *entry, const sso_filter_t *term)
{
    const char *key = term->name.sub;
    bool truth = false;
    const char *text = term->literal.text;
    if (term->kind != SSO_FILTER_TERM || term->op != SSO_OP_EQ || text == NULL) {
        return false;
    }
    /* What no value may be: nothing at all, or more than a key column holds. */
    if (*text == '\0' || strlen(text) > SSO_MAX_SCIM_KEY) {
        return false;
    }
    if (sso_json_get(sso_json_node_view(entry), key) != NULL) {
        return true; /* the value itself says it */
    }
    if (term->leaf != NULL && term->leaf->type == SSO_TYPE_BOOLEAN && sso_value_boolean(text, &truth)) {
        sso_json_node_set_bool(pool, entry, key, truth);
    } else {
        sso_json_node_set_text(pool, entry, key, text);
    }
    return true;
}

/* Puts what the filter demands into entry, where entry does not say otherwise. False when it demands more than
 * equality. */
static bool fit(apr_pool_t *pool, sso_json_node_t *entry, const sso_filter_t *filter)
{
    if (filter == NULL) {
        return true;
    }
    bool chain = filter->kind == SSO_FILTER_AND;
    for (const sso_filter_t *term = chain ? filter->first : filter; term != NULL; term = chain ? term->next : NULL) {
        if (!set_literal(pool, entry, term)) {
            return false;
        }
    }
    return true;
}

bool sso_entries_make(apr_pool_t *pool, sso_json_node_t *list, const sso_scim_path_t *path, const sso_json_t *value)
{
    bool whole = path->name.sub == NULL;
    if (whole && sso_json_type(value) != SSO_JSON_OBJECT) {
        return false;
    }
    sso_json_node_t *entry = whole ? sso_json_node_copy(pool, value) : sso_json_node_object(pool);
    if (!whole) {
        sso_json_node_set(pool, entry, path->name.sub, value);
    }
    if (!fit(pool, entry, path->filter)) {
        return false;
    }
    sso_json_node_append(pool, list, sso_json_node_view(entry));
    settle_primary(pool, list, sso_json_size(sso_json_node_view(list)) - 1);
    return true;
}

/* ---- changing entries ---- */

typedef struct {
    apr_pool_t *pool;
    sso_json_node_t *into;
    bool substance;
} part_t;

static bool copy_part(void *baton, const char *name, const sso_json_t *member)
{
    part_t *part = baton;
    const char *key = sso_attribute_spelling(sso_json_node_view(part->into), name);
    sso_json_node_set(part->pool, part->into, key, member);
    return true;
}

static bool find_substance(void *baton, const char *name, const sso_json_t *member)
{
    part_t *part = baton;
    (void)member;
    part->substance = apr_cstr_casecmp(name, "type") != 0 && apr_cstr_casecmp(name, "primary") != 0;
    return !part->substance;
}

static bool is_hollow(const sso_json_t *entry)
{
    part_t part = {NULL, NULL, false};
    sso_json_each(entry, find_substance, &part);
    return !part.substance;
}

/* The entry at index gets a part; value NULL takes it out. */
static void change_part(apr_pool_t *pool, sso_json_node_t *list, apr_size_t index, const char *sub,
                        const sso_json_t *value)
{
    sso_json_node_t *entry = sso_json_node_at(list, index);
    const sso_json_t *view = sso_json_node_view(entry);
    sso_json_node_set(pool, entry, sso_attribute_spelling(view, sub), value);
    if (value == NULL && is_hollow(view)) {
        sso_json_node_remove_at(list, index);
        return;
    }
    settle_primary(pool, list, index);
}

static void change_whole(apr_pool_t *pool, sso_json_node_t *list, apr_size_t index, const sso_scim_path_t *path,
                         bool merge, const sso_json_t *value)
{
    if (value == NULL) {
        sso_json_node_remove_at(list, index);
        return;
    }
    sso_json_node_t *entry = sso_json_node_at(list, index);
    sso_json_node_t *next = merge ? sso_json_node_copy(pool, sso_json_node_view(entry)) : sso_json_node_object(pool);
    part_t part = {pool, next, false};
    sso_json_each(value, copy_part, &part);
    /* A filter that is no equality fits what is there; what it demands cannot be put into a new entry. */
    (void)fit(pool, next, path->filter);
    sso_json_node_set_at(pool, list, index, sso_json_node_view(next));
    settle_primary(pool, list, index);
}

apr_size_t sso_entries_change(apr_pool_t *pool, sso_json_node_t *list, const sso_scim_path_t *path, bool merge,
                              const sso_json_t *value)
{
    const sso_json_t *view = sso_json_node_view(list);
    apr_pool_t *scratch = NULL;
    apr_size_t found = 0;
    /* Folded texts of a thousand operations over hundreds of entries would fill the request's pool. */
    apr_pool_create(&scratch, pool);
    /* From the end, since an entry may go. */
    for (apr_size_t i = sso_json_size(view); i > 0; i--) {
        const sso_json_t *entry = sso_json_at(view, i - 1);
        bool object = sso_json_type(entry) == SSO_JSON_OBJECT;
        bool fits = object && (path->filter == NULL || sso_filter_fits(scratch, path->filter, entry));
        apr_pool_clear(scratch);
        if (!fits) {
            continue;
        }
        found++;
        if (path->name.sub != NULL) {
            change_part(pool, list, i - 1, path->name.sub, value);
        } else {
            change_whole(pool, list, i - 1, path, merge, value);
        }
    }
    apr_pool_destroy(scratch);
    return found;
}
