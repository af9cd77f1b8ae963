/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in, documents stored, resources out; the server's own attributes are added here and nowhere else. */
#include "directory/resource.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "directory/change.h"
#include "directory/fold.h"
#include "directory/value.h"

sso_rc sso_resource_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len,
                          const sso_json_t **ret_body)
{
    sso_ctx_t look;
    const sso_json_t *body = NULL;
    /* In a context of its own: the reasons of base/json are for documents that Entra serves, not for what clients send.
     */
    sso_ctx_init(&look, pool, ctx->now);
    sso_rc rc = sso_json_parse_deep(&look, pool, text, len, SSO_MAX_SCIM_BODY, SSO_MAX_SCIM_DEPTH, &body);
    if (rc == SSO_R_JSON_SIZE) {
        return sso_fail(ctx, SSO_R_SCIM_BODY, "%s", look.fault.detail);
    }
    if (rc != SSO_OK) {
        return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "%s", look.fault.detail);
    }
    if (sso_json_type(body) != SSO_JSON_OBJECT) {
        return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "the body is no object");
    }
    *ret_body = body;
    return SSO_OK;
}

/* ---- what is stored ---- */

typedef struct {
    apr_size_t attributes;
} count_t;

static bool count_member(void *baton, const char *name, const sso_json_t *member)
{
    count_t *count = baton;
    bool extension = strchr(name, ':') != NULL;
    count->attributes += extension ? sso_json_size(member) : 1;
    return true;
}

sso_rc sso_resource_check(sso_ctx_t *ctx, sso_scim_kind_t kind, const sso_json_t *document)
{
    count_t count = {0};
    const char *required = kind == SSO_SCIM_GROUP ? "displayName" : "userName";
    if (sso_value_is_empty(sso_json_get(document, required))) {
        return sso_fail(ctx, SSO_R_SCIM_REQUIRED, "%s is required", required);
    }
    sso_json_each(document, count_member, &count);
    if (count.attributes > SSO_MAX_SCIM_ATTRIBUTES) {
        return sso_fail(ctx, SSO_R_SCIM_VALUE, "more than %d attributes", SSO_MAX_SCIM_ATTRIBUTES);
    }
    apr_size_t len = sso_json_length(document);
    if (len > SSO_MAX_SCIM_DOCUMENT) {
        return sso_fail(ctx, SSO_R_SCIM_DOCUMENT, "%zu bytes, at most %d", (size_t)len, SSO_MAX_SCIM_DOCUMENT);
    }
    return SSO_OK;
}

/* Which schemas a client names decides nothing, mistyped ones are common; but they are a list of texts. */
static sso_rc check_schemas(sso_ctx_t *ctx, const sso_json_t *body)
{
    const sso_json_t *schemas = sso_attribute_member(body, "schemas");
    bool good = sso_json_type(schemas) == SSO_JSON_NULL || sso_json_type(schemas) == SSO_JSON_ARRAY;
    for (apr_size_t i = 0; good && i < sso_json_size(schemas); i++) {
        good = sso_json_text(sso_json_at(schemas, i)) != NULL;
    }
    return good ? SSO_OK : sso_fail(ctx, SSO_R_SCIM_SYNTAX, "schemas is no list of URNs");
}

/* The ids of all steps: a body has one way to say `members`, and one more through a URN. */
static const apr_array_header_t *all_ids(apr_pool_t *pool, const apr_array_header_t *steps)
{
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(const char *));
    for (int i = 0; i < steps->nelts; i++) {
        apr_array_cat(ids, ((const sso_members_step_t *)(const void *)steps->elts)[i].ids);
    }
    return ids;
}

sso_rc sso_resource_make(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *body,
                         const sso_json_t *old, sso_resource_t *ret_resource)
{
    sso_change_t change;
    sso_change_begin(&change, ctx, pool, kind, NULL);
    sso_rc rc = check_schemas(ctx, body);
    if (rc == SSO_OK && kind == SSO_SCIM_USER) {
        const sso_json_t *before = sso_json_get(old, "active");
        bool active = before == NULL || sso_json_is_true(before);
        sso_json_node_set_bool(pool, change.document, "active", active);
    }
    rc = rc != SSO_OK ? rc : sso_change_merge(&change, SSO_CHANGE_ADD, body);
    const sso_json_t *document = sso_json_node_view(change.document);
    rc = rc != SSO_OK ? rc : sso_resource_check(ctx, kind, document);
    if (rc == SSO_OK) {
        ret_resource->document = document;
        ret_resource->members = all_ids(pool, change.members);
    }
    return rc;
}

/* ---- what it is found by ---- */

static const char *work_email(const sso_json_t *document)
{
    const sso_json_t *emails = sso_json_get(document, "emails");
    for (apr_size_t i = 0; i < sso_json_size(emails); i++) {
        const sso_json_t *entry = sso_json_at(emails, i);
        const char *type = sso_json_get_text(entry, "type");
        const char *value = sso_json_get_text(entry, "value");
        if (type != NULL && value != NULL && sso_fold_equal(type, "work")) {
            return value;
        }
    }
    return NULL;
}

void sso_resource_keys(apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                       sso_resource_keys_t *ret_keys)
{
    bool user = kind == SSO_SCIM_USER;
    const sso_json_t *enterprise = sso_json_get(document, SSO_SCIM_URN_ENTERPRISE);
    memset(ret_keys, 0, sizeof(*ret_keys));
    ret_keys->user_name = user ? sso_fold(pool, sso_json_get_text(document, "userName")) : NULL;
    ret_keys->display_name = sso_fold(pool, sso_json_get_text(document, "displayName"));
    ret_keys->external_id = sso_json_get_text(document, "externalId");
    ret_keys->work_email = user ? sso_fold(pool, work_email(document)) : NULL;
    ret_keys->manager = user ? sso_json_get_text(sso_json_get(enterprise, "manager"), "value") : NULL;
    if (ret_keys->external_id != NULL && sso_is_guid(ret_keys->external_id)) {
        ret_keys->oid = sso_fold(pool, ret_keys->external_id);
    }
    /* SECURITY: a document without the word is none that we stored: not active. */
    ret_keys->active = !user || sso_json_is_true(sso_json_get(document, "active"));
}

/* The role in a JSON text; text itself when it is none. */
static const char *role_of(apr_pool_t *pool, const char *text)
{
    sso_ctx_t look;
    const sso_json_t *json = NULL;
    if (*text != '{') {
        return text;
    }
    sso_ctx_init(&look, pool, 0);
    if (sso_json_parse(&look, pool, text, strlen(text), SSO_MAX_SCIM_VALUE, &json) != SSO_OK) {
        return text;
    }
    return sso_json_get_text(json, "value");
}

const apr_array_header_t *sso_resource_roles(apr_pool_t *pool, const sso_json_t *document)
{
    apr_array_header_t *roles = apr_array_make(pool, 4, sizeof(const char *));
    const sso_json_t *entries = sso_json_get(document, "roles");
    for (apr_size_t i = 0; i < sso_json_size(entries); i++) {
        const char *value = sso_json_get_text(sso_json_at(entries, i), "value");
        const char *role = value != NULL ? role_of(pool, value) : NULL;
        if (role != NULL && *role != '\0' && !sso_has_control(role)) {
            APR_ARRAY_PUSH(roles, const char *) = role;
        }
    }
    return roles;
}

/* ---- what clients read ---- */

const char *sso_resource_location(apr_pool_t *pool, sso_scim_kind_t kind, const char *base, const char *id)
{
    return apr_pstrcat(pool, base, kind == SSO_SCIM_GROUP ? "/Groups/" : "/Users/", sso_percent_encode(pool, id), NULL);
}

typedef struct {
    apr_pool_t *pool;
    sso_json_node_t *resource;
    sso_json_node_t *schemas;
} printing_t;

static bool print_member(void *baton, const char *name, const sso_json_t *member)
{
    printing_t *printing = baton;
    if (strchr(name, ':') != NULL) {
        sso_json_node_append_text(printing->pool, printing->schemas, name);
    }
    sso_json_node_set(printing->pool, printing->resource, name, member);
    return true;
}

static void print_links(apr_pool_t *pool, sso_scim_kind_t kind, const sso_resource_frame_t *frame,
                        sso_json_node_t *resource)
{
    bool members = kind == SSO_SCIM_GROUP;
    sso_json_node_t *list = sso_json_node_set_array(pool, resource, members ? "members" : "groups");
    for (int i = 0; i < frame->links->nelts; i++) {
        const sso_resource_link_t *link = &((const sso_resource_link_t *)(const void *)frame->links->elts)[i];
        bool group = !members || link->is_group;
        sso_json_node_t *entry = sso_json_node_append_object(pool, list);
        sso_json_node_set_text(pool, entry, "value", link->id);
        sso_json_node_set_text(
            pool, entry, "$ref",
            sso_resource_location(pool, group ? SSO_SCIM_GROUP : SSO_SCIM_USER, frame->base, link->id));
        sso_json_node_set_text(pool, entry, "type", members ? (group ? "Group" : "User") : "direct");
        sso_json_node_set_text(pool, entry, "display", link->display);
    }
}

static void print_meta(apr_pool_t *pool, sso_scim_kind_t kind, const sso_resource_frame_t *frame,
                       sso_json_node_t *resource)
{
    sso_json_node_t *meta = sso_json_node_set_object(pool, resource, "meta");
    sso_json_node_set_text(pool, meta, "resourceType", kind == SSO_SCIM_GROUP ? "Group" : "User");
    sso_json_node_set_text(pool, meta, "created", sso_time_print(pool, frame->created));
    sso_json_node_set_text(pool, meta, "lastModified", sso_time_print(pool, frame->modified));
    sso_json_node_set_text(pool, meta, "location", sso_resource_location(pool, kind, frame->base, frame->id));
    sso_json_node_set_text(pool, meta, "version", frame->version);
}

sso_json_node_t *sso_resource_print(apr_pool_t *pool, sso_scim_kind_t kind, const sso_json_t *document,
                                    const sso_resource_frame_t *frame, const sso_projection_t *projection)
{
    sso_json_node_t *resource = sso_json_node_object(pool);
    printing_t printing = {pool, resource, sso_json_node_set_array(pool, resource, "schemas")};
    sso_json_node_append_text(pool, printing.schemas, sso_attribute_core_urn(kind));
    sso_json_node_set_text(pool, resource, "id", frame->id);
    sso_json_each(document, print_member, &printing);
    if (frame->links != NULL && sso_projection_shows(projection, kind == SSO_SCIM_GROUP ? "members" : "groups")) {
        print_links(pool, kind, frame, resource);
    }
    print_meta(pool, kind, frame, resource);
    sso_projection_apply(pool, projection, resource);
    return resource;
}
