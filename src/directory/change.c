/* SPDX-License-Identifier: Apache-2.0 */
/* Changes at a path. Values are normalized before they are placed; what becomes empty is taken out. */
#include "directory/change.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/entries.h"
#include "directory/value.h"

void sso_change_begin(sso_change_t *change, sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind,
                      const sso_json_t *document)
{
    memset(change, 0, sizeof(*change));
    change->ctx = ctx;
    change->pool = pool;
    change->kind = kind;
    change->document = document != NULL ? sso_json_node_copy(pool, document) : sso_json_node_object(pool);
    change->members = apr_array_make(pool, 2, sizeof(sso_members_step_t));
}

/* SECURITY: one value may be placed into every entry that a filter fits: what a request may write in all is bounded. */
static sso_rc spend(sso_change_t *change, const sso_json_t *value, apr_size_t times)
{
    change->written += sso_json_length(value) * times;
    if (change->written > SSO_MAX_SCIM_BODY) {
        return sso_fail(change->ctx, SSO_R_SCIM_DOCUMENT, "the operations write more than %d bytes", SSO_MAX_SCIM_BODY);
    }
    return SSO_OK;
}

/* ---- where an attribute stands ---- */

/* The document, or an extension in it; NULL when it is not there and shall not be made. */
static sso_json_node_t *holder_of(sso_change_t *change, const sso_attribute_name_t *name, bool make)
{
    if (name->urn == NULL) {
        return change->document;
    }
    const char *key = sso_attribute_spelling(sso_json_node_view(change->document), name->urn);
    sso_json_node_t *holder = sso_json_node_get(change->document, key);
    return holder != NULL || !make ? holder : sso_json_node_set_object(change->pool, change->document, key);
}

/* Takes out an extension that holds nothing any more. */
static void prune(sso_change_t *change, const sso_attribute_name_t *name)
{
    sso_json_node_t *holder = holder_of(change, name, false);
    if (name->urn != NULL && holder != NULL && sso_json_size(sso_json_node_view(holder)) == 0) {
        sso_json_node_remove(change->document, sso_attribute_spelling(sso_json_node_view(change->document), name->urn));
    }
}

static const sso_json_t *stored(sso_change_t *change, const sso_attribute_name_t *name)
{
    return sso_attribute_value(sso_json_node_view(change->document), name);
}

/* value NULL takes the attribute out. */
static sso_rc store(sso_change_t *change, const sso_attribute_name_t *name, const sso_json_t *value)
{
    sso_rc rc = spend(change, value, 1);
    sso_json_node_t *holder = rc == SSO_OK ? holder_of(change, name, value != NULL) : NULL;
    if (holder != NULL) {
        const char *key = sso_attribute_spelling(sso_json_node_view(holder), name->name);
        sso_json_node_set(change->pool, holder, key, value);
        prune(change, name);
    }
    /* Not only at the end: the next operation's filter looks at all of it. */
    apr_size_t len = sso_json_length(sso_json_node_view(change->document));
    if (rc == SSO_OK && len > SSO_MAX_SCIM_DOCUMENT) {
        rc = sso_fail(change->ctx, SSO_R_SCIM_DOCUMENT, "%zu bytes, at most %d", (size_t)len, SSO_MAX_SCIM_DOCUMENT);
    }
    return rc;
}

/* ---- single values ---- */

typedef struct {
    sso_change_t *change;
    sso_json_node_t *into;
    const sso_attribute_t *attribute;
    sso_rc rc;
} merging_t;

static bool merge_part(void *baton, const char *name, const sso_json_t *member)
{
    merging_t *merging = baton;
    sso_change_t *change = merging->change;
    const sso_attribute_t *part = sso_attribute_part(merging->attribute, name);
    const sso_json_t *value = NULL;
    if (part == NULL) {
        return true;
    }
    merging->rc = sso_value_normalize(change->ctx, change->pool, part, member, &value);
    if (merging->rc == SSO_OK && part->mutability == SSO_MUTABILITY_READWRITE) {
        sso_json_node_set(change->pool, merging->into, part->name, value);
    }
    return merging->rc == SSO_OK;
}

/* An object's parts go into the complex value that is there; a part of null goes out. */
static sso_rc merge_complex(sso_change_t *change, const sso_attribute_name_t *name, const sso_json_t *value)
{
    const sso_json_t *old = stored(change, name);
    merging_t merging = {change, NULL, name->attribute, SSO_OK};
    merging.into = old != NULL ? sso_json_node_copy(change->pool, old) : sso_json_node_object(change->pool);
    sso_json_each(value, merge_part, &merging);
    const sso_json_t *merged = sso_json_node_view(merging.into);
    return merging.rc != SSO_OK ? merging.rc : store(change, name, sso_json_size(merged) > 0 ? merged : NULL);
}

/* attribute.sub of a complex attribute that is no list; value NULL takes the part out. */
static sso_rc change_part(sso_change_t *change, const sso_attribute_name_t *name, const sso_json_t *value)
{
    const sso_json_t *old = stored(change, name);
    sso_json_node_t *whole = sso_json_type(old) == SSO_JSON_OBJECT ? sso_json_node_copy(change->pool, old)
                                                                   : sso_json_node_object(change->pool);
    const char *key = sso_attribute_spelling(sso_json_node_view(whole), name->sub);
    sso_json_node_set(change->pool, whole, key, value);
    if (name->part != NULL && strcmp(name->part->name, "value") == 0) {
        /* The address of the former manager. */
        sso_json_node_remove(whole, "$ref");
    }
    const sso_json_t *view = sso_json_node_view(whole);
    return store(change, name, sso_json_size(view) > 0 ? view : NULL);
}

static bool is_cleared_active(const sso_attribute_name_t *name, const sso_json_t *value)
{
    return value == NULL && name->attribute != NULL && name->attribute->schema == SSO_SCHEMA_USER &&
           strcmp(name->attribute->name, "active") == 0;
}

static sso_rc change_single(sso_change_t *change, sso_change_op_t op, const sso_attribute_name_t *name,
                            const sso_json_t *value)
{
    const sso_json_t *normal = NULL;
    const sso_attribute_t *attribute = name->sub != NULL ? name->part : name->attribute;
    bool complex = attribute != NULL && attribute->type == SSO_TYPE_COMPLEX;
    bool lone = complex && sso_attribute_part(attribute, "value") != NULL;
    if (complex && !lone && op != SSO_CHANGE_REMOVE && sso_json_type(value) == SSO_JSON_OBJECT &&
        sso_json_size(value) > 0) {
        return merge_complex(change, name, value);
    }
    sso_rc rc = SSO_OK;
    if (op != SSO_CHANGE_REMOVE) {
        rc = sso_value_normalize(change->ctx, change->pool, attribute, value, &normal);
    }
    if (rc != SSO_OK || is_cleared_active(name, normal)) {
        return rc;
    }
    return name->sub != NULL ? change_part(change, name, normal) : store(change, name, normal);
}

/* ---- plural values ---- */

/* The list at name as a copy to work on; an empty one when there is none, or what is there is no list. */
static sso_json_node_t *list_of(sso_change_t *change, const sso_attribute_name_t *name)
{
    const sso_json_t *old = stored(change, name);
    return sso_json_type(old) == SSO_JSON_ARRAY ? sso_json_node_copy(change->pool, old)
                                                : sso_json_node_array(change->pool);
}

static sso_rc store_list(sso_change_t *change, const sso_attribute_name_t *name, sso_json_node_t *list)
{
    const sso_json_t *view = sso_json_node_view(list);
    if (sso_json_size(view) > SSO_MAX_SCIM_ENTRIES) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "%s: too many entries", name->name);
    }
    return store(change, name, sso_json_size(view) > 0 ? view : NULL);
}

/* REMOVE with a value: the entries that it names. */
static sso_rc remove_named(sso_change_t *change, const sso_attribute_name_t *name, const sso_json_t *value)
{
    sso_json_node_t *list = list_of(change, name);
    bool many = sso_json_type(value) == SSO_JSON_ARRAY;
    apr_size_t count = many ? sso_json_size(value) : 1;
    if (count > SSO_MAX_SCIM_ENTRIES) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "%s: too many entries", name->name);
    }
    for (apr_size_t i = 0; i < count; i++) {
        const sso_json_t *given = NULL;
        const sso_json_t *item = many ? sso_json_at(value, i) : value;
        sso_rc rc = sso_value_entry(change->ctx, change->pool, name->attribute, item, &given);
        if (rc != SSO_OK) {
            return rc;
        }
        sso_entries_remove(list, name->attribute, given);
    }
    return store_list(change, name, list);
}

static sso_rc change_list(sso_change_t *change, sso_change_op_t op, const sso_attribute_name_t *name,
                          const sso_json_t *value)
{
    const sso_json_t *entries = NULL;
    if (op == SSO_CHANGE_REMOVE) {
        return sso_json_type(value) == SSO_JSON_NULL ? store(change, name, NULL) : remove_named(change, name, value);
    }
    sso_rc rc = sso_value_normalize(change->ctx, change->pool, name->attribute, value, &entries);
    if (rc != SSO_OK || op == SSO_CHANGE_REPLACE) {
        return rc != SSO_OK ? rc : store(change, name, entries);
    }
    sso_json_node_t *list = list_of(change, name);
    rc = spend(change, sso_json_node_view(list), 1);
    if (rc == SSO_OK) {
        sso_entries_add(change->pool, list, entries);
        rc = store_list(change, name, list);
    }
    return rc;
}

/* attribute[filter], attribute[filter].sub, and attribute.sub of a list, which are all of its entries. */
static sso_rc change_entries(sso_change_t *change, sso_change_op_t op, const sso_scim_path_t *path,
                             const sso_json_t *value)
{
    const sso_attribute_name_t *name = &path->name;
    const sso_json_t *normal = NULL;
    sso_rc rc = SSO_OK;
    if (op != SSO_CHANGE_REMOVE) {
        rc = name->sub != NULL ? sso_value_normalize(change->ctx, change->pool, name->part, value, &normal)
                               : sso_value_entry(change->ctx, change->pool, name->attribute, value, &normal);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (name->sub == NULL && normal != NULL && sso_json_type(normal) != SSO_JSON_OBJECT) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "%s: an entry is no object", name->name);
    }
    sso_json_node_t *list = list_of(change, name);
    rc = spend(change, normal, sso_json_size(sso_json_node_view(list)) + 1);
    if (rc != SSO_OK) {
        return rc;
    }
    bool merge = op == SSO_CHANGE_ADD;
    if (sso_entries_change(change->pool, list, path, merge, normal) == 0 && normal != NULL &&
        !sso_entries_make(change->pool, list, path, normal)) {
        return sso_fail(change->ctx, SSO_R_SCIM_TARGET,
                        "no entry of %s fits the filter, and it does not say how to make one", name->name);
    }
    return store_list(change, name, list);
}

/* ---- attributes that only the client knows ---- */

static sso_rc change_foreign(sso_change_t *change, sso_change_op_t op, const sso_scim_path_t *path,
                             const sso_json_t *value)
{
    const sso_json_t *old = stored(change, &path->name);
    bool list = sso_json_type(old) == SSO_JSON_ARRAY;
    if (path->filter != NULL || (path->name.sub != NULL && list)) {
        return change_entries(change, op, path, value);
    }
    if (path->name.sub == NULL && list && op != SSO_CHANGE_REPLACE) {
        return change_list(change, op, &path->name, value);
    }
    return change_single(change, op, &path->name, value);
}

/* ---- members of a group ---- */

static sso_rc add_id(sso_change_t *change, apr_array_header_t *ids, const char *id)
{
    if (id == NULL || *id == '\0' || strlen(id) > SSO_MAX_SCIM_ID) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "a member's value is missing or too long");
    }
    if (++change->ids > SSO_MAX_SCIM_MEMBERS) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "more than %d members", SSO_MAX_SCIM_MEMBERS);
    }
    APR_ARRAY_PUSH(ids, const char *) = apr_pstrdup(change->pool, id);
    return SSO_OK;
}

static sso_rc add_item(sso_change_t *change, apr_array_header_t *ids, const sso_json_t *item)
{
    const sso_json_t *id = sso_json_type(item) == SSO_JSON_OBJECT ? sso_attribute_member(item, "value") : item;
    return add_id(change, ids, sso_json_text(id));
}

static sso_rc add_ids(sso_change_t *change, apr_array_header_t *ids, const sso_json_t *value)
{
    if (sso_json_type(value) != SSO_JSON_ARRAY) {
        return sso_value_is_empty(value) ? SSO_OK : add_item(change, ids, value);
    }
    for (apr_size_t i = 0; i < sso_json_size(value); i++) {
        sso_rc rc = add_item(change, ids, sso_json_at(value, i));
        if (rc != SSO_OK) {
            return rc;
        }
    }
    return SSO_OK;
}

/* members[value eq "A"], members[value eq "A" or value eq "B"]: the ids; no other filter. */
static sso_rc add_filter(sso_change_t *change, apr_array_header_t *ids, const sso_filter_t *filter)
{
    const sso_filter_t *term = filter->kind == SSO_FILTER_OR ? filter->first : filter;
    for (; term != NULL; term = filter->kind == SSO_FILTER_OR ? term->next : NULL) {
        if (term->kind != SSO_FILTER_TERM || term->op != SSO_OP_EQ || term->literal.text == NULL ||
            strcmp(term->name.sub, "value") != 0) {
            return sso_fail(change->ctx, SSO_R_SCIM_FILTER, "members are chosen by value eq alone");
        }
        sso_rc rc = add_id(change, ids, term->literal.text);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    return SSO_OK;
}

static sso_rc change_members(sso_change_t *change, sso_change_op_t op, const sso_scim_path_t *path,
                             const sso_json_t *value)
{
    apr_array_header_t *ids = apr_array_make(change->pool, 4, sizeof(const char *));
    sso_members_step_t step = {SSO_MEMBERS_ADD, ids};
    if (path->name.sub != NULL || (path->filter != NULL && op != SSO_CHANGE_REMOVE)) {
        return sso_fail(change->ctx, SSO_R_SCIM_PATH, "members are added and removed as a whole");
    }
    sso_rc rc = path->filter == NULL ? add_ids(change, ids, value) : add_filter(change, ids, path->filter);
    bool all = op == SSO_CHANGE_REMOVE && path->filter == NULL && sso_json_type(value) == SSO_JSON_NULL;
    if (op == SSO_CHANGE_REPLACE || all) {
        step.op = SSO_MEMBERS_REPLACE;
    } else if (op == SSO_CHANGE_REMOVE) {
        /* With a value, were it an empty list, only whom it names: read by the letter, RFC 7644 would empty the group.
         */
        step.op = SSO_MEMBERS_REMOVE;
    }
    if (rc == SSO_OK && (ids->nelts > 0 || step.op == SSO_MEMBERS_REPLACE)) {
        APR_ARRAY_PUSH(change->members, sso_members_step_t) = step;
    }
    return rc;
}

/* ---- all of it ---- */

typedef struct {
    sso_change_t *change;
    sso_change_op_t op;
    const sso_json_t *object;
    const char *urn; /* of the extension whose members these are, else NULL */
    sso_rc rc;
} members_t;

static bool is_read_only(const sso_attribute_name_t *name)
{
    return (name->attribute != NULL && name->attribute->mutability == SSO_MUTABILITY_READONLY) ||
           (name->part != NULL && name->part->mutability == SSO_MUTABILITY_READONLY);
}

static bool merge_member(void *baton, const char *key, const sso_json_t *value)
{
    members_t *members = baton;
    sso_change_t *change = members->change;
    sso_scim_path_t path = {{0}, NULL};
    sso_ctx_t look;
    const char *text = members->urn != NULL ? apr_pstrcat(change->pool, members->urn, ":", key, NULL) : key;
    if (members->urn != NULL && strchr(key, ':') != NULL) {
        return true; /* it would name another extension */
    }
    /* In a context of its own: a name that is no attribute is no fault here. */
    sso_ctx_init(&look, change->pool, change->ctx->now);
    sso_rc rc =
        sso_scim_path_parse(&look, change->pool, change->kind, text, members->urn == NULL ? value : NULL, &path);
    if (rc == SSO_R_SCIM_PATH || (rc == SSO_OK && is_read_only(&path.name))) {
        return true;
    }
    if (rc != SSO_OK) {
        members->rc = sso_fail(change->ctx, rc, "%s", look.fault.detail);
        return false;
    }
    members->rc = sso_change_apply(change, members->op, &path, value);
    return members->rc == SSO_OK;
}

typedef struct {
    const char *name;
    int seen;
} twin_t;

static bool count_twin(void *baton, const char *name, const sso_json_t *member)
{
    twin_t *twin = baton;
    (void)member;
    twin->seen += apr_cstr_casecmp(name, twin->name) == 0;
    return twin->seen < 2;
}

static bool check_twins(void *baton, const char *name, const sso_json_t *member)
{
    members_t *members = baton;
    twin_t twin = {name, 0};
    (void)member;
    sso_json_each(members->object, count_twin, &twin);
    if (twin.seen > 1) {
        members->rc = sso_fail(members->change->ctx, SSO_R_SCIM_SYNTAX, "%s stands twice",
                               sso_printable(members->change->pool, name));
    }
    return members->rc == SSO_OK;
}

static sso_rc merge_members(sso_change_t *change, sso_change_op_t op, const char *urn, const sso_json_t *object)
{
    members_t members = {change, op, object, urn, SSO_OK};
    if (sso_json_type(object) != SSO_JSON_OBJECT) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "%s", urn != NULL ? "an extension is no object" : "no object");
    }
    if (sso_json_size(object) > SSO_MAX_SCIM_ATTRIBUTES) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "more than %d attributes", SSO_MAX_SCIM_ATTRIBUTES);
    }
    sso_json_each(object, check_twins, &members);
    if (members.rc == SSO_OK) {
        sso_json_each(object, merge_member, &members);
    }
    return members.rc;
}

sso_rc sso_change_merge(sso_change_t *change, sso_change_op_t op, const sso_json_t *object)
{
    return merge_members(change, op, NULL, object);
}

static sso_rc change_extension(sso_change_t *change, sso_change_op_t op, const char *urn, const sso_json_t *value)
{
    if (op != SSO_CHANGE_REMOVE && !sso_value_is_empty(value)) {
        return merge_members(change, op, urn, value);
    }
    sso_json_node_remove(change->document, sso_attribute_spelling(sso_json_node_view(change->document), urn));
    return SSO_OK;
}

sso_rc sso_change_apply(sso_change_t *change, sso_change_op_t op, const sso_scim_path_t *path, const sso_json_t *value)
{
    const sso_attribute_name_t *name = &path->name;
    const sso_attribute_t *attribute = name->attribute;
    if (op != SSO_CHANGE_REMOVE && value == NULL) {
        return sso_fail(change->ctx, SSO_R_SCIM_VALUE, "the value is missing");
    }
    if (name->name == NULL) {
        return change_extension(change, op, name->urn, value);
    }
    if (is_read_only(name)) {
        return sso_fail(change->ctx, SSO_R_SCIM_MUTABILITY, "%s is read-only", name->name);
    }
    if (attribute == NULL) {
        return change_foreign(change, op, path, value);
    }
    if (attribute->schema == SSO_SCHEMA_GROUP && strcmp(attribute->name, "members") == 0) {
        return change_members(change, op, path, value);
    }
    if (attribute->mutability == SSO_MUTABILITY_WRITEONLY) {
        return SSO_OK;
    }
    if (!attribute->plural) {
        return path->filter != NULL
                   ? sso_fail(change->ctx, SSO_R_SCIM_PATH, "%s has one value, so brackets choose nothing", name->name)
                   : change_single(change, op, name, value);
    }
    return path->filter != NULL || name->sub != NULL ? change_entries(change, op, path, value)
                                                     : change_list(change, op, name, value);
}
