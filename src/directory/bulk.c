/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk: the operations one after the other, each answered for itself. */
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/operation.h"
#include "directory/schemas.h"

#define URN_REQUEST "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
#define URN_RESPONSE "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
#define REFERENCE "bulkId:"

typedef struct {
    sso_ctx_t *ctx;
    const sso_scim_t *scim;
    const char *actor;
    apr_array_header_t *events;
    apr_table_t *ids;       /* bulkId -> SCIM id, of what was created */
    sso_json_node_t *lines; /* of the answer */
    int64_t errors;
} bulk_t;

/* ---- references ---- */

/* text with the id in the place of a reference at its beginning; NULL when it refers to nothing. */
static const char *resolve_text(const bulk_t *bulk, const char *text)
{
    if (strncmp(text, REFERENCE, strlen(REFERENCE)) != 0) {
        return text;
    }
    return apr_table_get(bulk->ids, text + strlen(REFERENCE));
}

typedef struct {
    const bulk_t *bulk;
    apr_array_header_t *names; /* of members that are texts with a reference, or containers */
} resolving_t;

static bool note_member(void *baton, const char *name, const sso_json_t *member)
{
    const char *text = sso_json_text(member);
    sso_json_type_t type = sso_json_type(member);
    if (type == SSO_JSON_OBJECT || type == SSO_JSON_ARRAY ||
        (text != NULL && strncmp(text, REFERENCE, strlen(REFERENCE)) == 0)) {
        APR_ARRAY_PUSH((apr_array_header_t *)baton, const char *) = name;
    }
    return true;
}

static sso_rc resolve(const bulk_t *bulk, sso_json_node_t *node);

/* What stands in a container: a text is replaced, a container is gone through. *ret_text: the new text, NULL for none.
 */
static sso_rc resolve_inner(const bulk_t *bulk, sso_json_node_t *inner, const char **ret_text)
{
    const char *text = sso_json_text(sso_json_node_view(inner));
    *ret_text = NULL;
    if (text == NULL) {
        return resolve(bulk, inner);
    }
    if (strncmp(text, REFERENCE, strlen(REFERENCE)) == 0) {
        *ret_text = resolve_text(bulk, text);
        if (*ret_text == NULL) {
            return sso_fail(bulk->ctx, SSO_R_SCIM_VALUE, "%s is of no operation before this one",
                            sso_printable(bulk->ctx->pool, text));
        }
    }
    return SSO_OK;
}

/* The levels are bounded by those of the body. */
static sso_rc resolve(const bulk_t *bulk, sso_json_node_t *node)
{
    apr_pool_t *pool = bulk->ctx->pool;
    const sso_json_t *view = sso_json_node_view(node);
    sso_rc rc = SSO_OK;
    const char *text;
    if (sso_json_type(view) == SSO_JSON_ARRAY) {
        for (apr_size_t i = 0; rc == SSO_OK && i < sso_json_size(view); i++) {
            rc = resolve_inner(bulk, sso_json_node_at(node, i), &text);
            if (rc == SSO_OK && text != NULL) {
                sso_json_node_set_at(pool, node, i, sso_json_node_view(sso_json_node_text(pool, text)));
            }
        }
        return rc;
    }
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    sso_json_each(view, note_member, names);
    for (int i = 0; rc == SSO_OK && i < names->nelts; i++) {
        rc = resolve_inner(bulk, sso_json_node_get(node, sso_text_at(names, i)), &text);
        if (rc == SSO_OK && text != NULL) {
            sso_json_node_set_text(pool, node, sso_text_at(names, i), text);
        }
    }
    return rc;
}

/* ---- one operation ---- */

static sso_rc read_method(const bulk_t *bulk, const sso_json_t *line, sso_operation_t *operation)
{
    static const struct {
        const char *method;
        sso_operation_kind_t op;
    } methods[] = {{"POST", SSO_OPERATION_CREATE},
                   {"PUT", SSO_OPERATION_REPLACE},
                   {"PATCH", SSO_OPERATION_PATCH},
                   {"DELETE", SSO_OPERATION_DELETE}};
    const char *method = sso_json_text(sso_attribute_member(line, "method"));
    for (apr_size_t i = 0; method != NULL && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].method, method) == 0) {
            operation->op = methods[i].op;
            return SSO_OK;
        }
    }
    return sso_fail(bulk->ctx, SSO_R_SCIM_SYNTAX, "method is none of POST, PUT, PATCH and DELETE");
}

/* "/Users", "/Users/ID", "/Users/bulkId:x". */
static sso_rc read_path(const bulk_t *bulk, const sso_json_t *line, sso_operation_t *operation)
{
    const char *path = sso_json_text(sso_attribute_member(line, "path"));
    const char *word = path != NULL && *path == '/' ? path + 1 : "";
    apr_size_t len = strcspn(word, "/");
    bool creates = operation->op == SSO_OPERATION_CREATE;
    if (!sso_operation_kind_of(word, len, &operation->kind) || (word[len] == '\0') != creates) {
        return sso_fail(bulk->ctx, SSO_R_SCIM_SYNTAX, "path is no path of this method");
    }
    if (creates) {
        return SSO_OK;
    }
    operation->id = resolve_text(bulk, word + len + 1);
    return operation->id != NULL ? SSO_OK
                                 : sso_fail(bulk->ctx, SSO_R_SCIM_VALUE, "path is of no operation before this one");
}

static sso_rc read_line(const bulk_t *bulk, const sso_json_t *line, sso_operation_t *operation)
{
    const sso_json_t *data = sso_attribute_member(line, "data");
    operation->actor = bulk->actor;
    operation->if_match = sso_json_text(sso_attribute_member(line, "version"));
    sso_rc rc = read_method(bulk, line, operation);
    rc = rc == SSO_OK ? read_path(bulk, line, operation) : rc;
    if (rc != SSO_OK || operation->op == SSO_OPERATION_DELETE) {
        return rc;
    }
    if (sso_json_type(data) != SSO_JSON_OBJECT) {
        return sso_fail(bulk->ctx, SSO_R_SCIM_SYNTAX, "data is no object");
    }
    sso_json_node_t *copy = sso_json_node_copy(bulk->ctx->pool, data);
    operation->body = sso_json_node_view(copy);
    return resolve(bulk, copy);
}

static void answer_line(const bulk_t *bulk, const sso_json_t *line, sso_rc rc, const sso_operation_result_t *result)
{
    apr_pool_t *pool = bulk->ctx->pool;
    sso_json_node_t *answer = sso_json_node_append_object(pool, bulk->lines);
    sso_json_node_set(pool, answer, "method", sso_attribute_member(line, "method"));
    sso_json_node_set(pool, answer, "bulkId", sso_attribute_member(line, "bulkId"));
    if (rc == SSO_OK) {
        if (result->tag != NULL) {
            sso_json_node_set_text(pool, answer, "version", result->tag);
        }
        if (result->location != NULL) {
            sso_json_node_set_text(pool, answer, "location", result->location);
        }
        sso_json_node_set_text(pool, answer, "status", apr_itoa(pool, result->status));
        return;
    }
    sso_json_node_set_text(pool, answer, "status", apr_itoa(pool, sso_reason(rc)->status));
    sso_json_node_set(pool, answer, "response", sso_json_node_view(sso_scim_error(pool, rc, bulk->ctx->fault.detail)));
}

static void run_line(bulk_t *bulk, const sso_json_t *line)
{
    sso_operation_t operation = {.id = NULL};
    sso_operation_result_t result = {.status = 0};
    const char *name = sso_json_text(sso_attribute_member(line, "bulkId"));
    sso_rc rc = read_line(bulk, line, &operation);
    rc = rc == SSO_OK ? sso_operation_run(bulk->ctx, bulk->scim, &operation, bulk->events, &result) : rc;
    answer_line(bulk, line, rc, &result);
    if (rc != SSO_OK) {
        bulk->errors++;
        /* It is told in its own line of the answer; the next operation begins anew. */
        sso_fault_clear(bulk->ctx);
    } else if (name != NULL && operation.op == SSO_OPERATION_CREATE) {
        apr_table_set(bulk->ids, name, result.id);
    }
}

/* ---- all of them ---- */

static bool has_schema(const sso_json_t *body)
{
    const sso_json_t *schemas = sso_attribute_member(body, "schemas");
    for (apr_size_t i = 0; i < sso_json_size(schemas); i++) {
        const char *urn = sso_json_text(sso_json_at(schemas, i));
        if (urn != NULL && strcmp(urn, URN_REQUEST) == 0) {
            return true;
        }
    }
    return false;
}

sso_rc sso_bulk_run(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_json_t *body, const char *actor,
                    apr_array_header_t *events, sso_json_node_t **ret_answer)
{
    const sso_json_t *lines = sso_attribute_member(body, "Operations");
    int64_t fail_on = 0;
    bool bounded = sso_json_integer(sso_attribute_member(body, "failOnErrors"), &fail_on) && fail_on > 0;
    if (!has_schema(body) || sso_json_type(lines) != SSO_JSON_ARRAY) {
        return sso_fail(ctx, SSO_R_SCIM_SYNTAX, "it is no BulkRequest with Operations");
    }
    if (sso_json_size(lines) > SSO_MAX_SCIM_BULK) {
        return sso_fail(ctx, SSO_R_SCIM_BULK, "at most %d", SSO_MAX_SCIM_BULK);
    }
    sso_json_node_t *answer = sso_json_node_object(ctx->pool);
    sso_json_node_append_text(ctx->pool, sso_json_node_set_array(ctx->pool, answer, "schemas"), URN_RESPONSE);
    bulk_t bulk = {.ctx = ctx, .scim = scim, .actor = actor, .events = events, .ids = apr_table_make(ctx->pool, 8)};
    bulk.lines = sso_json_node_set_array(ctx->pool, answer, "Operations");
    for (apr_size_t i = 0; i < sso_json_size(lines) && !(bounded && bulk.errors >= fail_on); i++) {
        run_line(&bulk, sso_json_at(lines, i));
    }
    *ret_answer = answer;
    return SSO_OK;
}
