/* SPDX-License-Identifier: Apache-2.0 */
/* Reading is here, changing is in provision.c. */
#include "directory/operation.h"

#include <string.h>

#include "directory/provision.h"

bool sso_operation_kind_of(const char *word, apr_size_t len, sso_scim_kind_t *ret_kind)
{
    bool users = len == 5 && strncmp(word, "Users", len) == 0;
    bool groups = len == 6 && strncmp(word, "Groups", len) == 0;
    *ret_kind = groups ? SSO_SCIM_GROUP : SSO_SCIM_USER;
    return users || groups;
}

/* ---- reading ---- */

typedef struct {
    const sso_scim_t *scim;
    const sso_operation_t *operation;
    bool with_links;
    sso_scim_row_t row;
    apr_array_header_t *links;
} reading_t;

static sso_rc read_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    reading_t *reading = baton;
    const sso_operation_t *operation = reading->operation;
    const char *app = reading->scim->app;
    reading->links = NULL;
    sso_rc rc = sso_scim_row_get(ctx, connection, operation->kind, app, operation->id, false, &reading->row);
    if (rc == SSO_OK && reading->with_links) {
        reading->links = apr_array_make(ctx->pool, 8, sizeof(sso_resource_link_t));
        rc = sso_members_links(ctx, connection, operation->kind, app, operation->id, reading->links);
    }
    return rc;
}

static void result_fill(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_operation_t *operation,
                        const sso_scim_row_t *row, const apr_array_header_t *links, sso_operation_result_t *result)
{
    result->id = row->id;
    result->tag = sso_scim_row_tag(ctx->pool, row);
    result->location = sso_resource_location(ctx->pool, operation->kind, scim->base, row->id);
    const sso_resource_frame_t frame = {row->id, row->created, row->modified, result->tag, scim->base, links};
    result->resource = sso_resource_print(ctx->pool, operation->kind, row->document, &frame, operation->projection);
}

static sso_rc read_resource(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_operation_t *operation,
                            sso_operation_result_t *result)
{
    reading_t reading = {.scim = scim, .operation = operation};
    reading.with_links =
        sso_projection_shows(operation->projection, operation->kind == SSO_SCIM_GROUP ? "members" : "groups");
    sso_rc rc = sso_database_read(ctx, sso_store_database(scim->ending.store), read_work, &reading);
    if (rc != SSO_OK) {
        return rc;
    }
    result_fill(ctx, scim, operation, &reading.row, reading.links, result);
    result->status = 200;
    if (operation->if_none_match != NULL && sso_version_is_named(operation->if_none_match, result->tag)) {
        result->status = 304;
        result->resource = NULL;
    }
    return SSO_OK;
}

/* ---- changing ---- */

static sso_rc change_resource(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_operation_t *operation,
                              sso_provision_op_t op, apr_array_header_t *events, sso_operation_result_t *result)
{
    const sso_provision_t asked = {
        op, operation->kind, operation->id, operation->body, operation->if_match, operation->actor};
    sso_provisioned_t done;
    sso_rc rc = sso_provision(ctx, scim, &asked, &done);
    if (rc != SSO_OK) {
        return rc;
    }
    if (done.changed) {
        APR_ARRAY_PUSH(events, sso_scim_event_t) = done.event;
    }
    result_fill(ctx, scim, operation, &done.row, done.links, result);
    result->status = op == SSO_PROVISION_CREATE ? 201 : 200;
    /* A group has many members, and each change of one would send all of them: Entra wants no answer to a PATCH. */
    if (op == SSO_PROVISION_DELETE || (op == SSO_PROVISION_PATCH && operation->kind == SSO_SCIM_GROUP)) {
        result->status = 204;
        result->resource = NULL;
    }
    if (op == SSO_PROVISION_DELETE) {
        result->tag = NULL;
        result->location = NULL;
    }
    return SSO_OK;
}

sso_rc sso_operation_run(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_operation_t *operation,
                         apr_array_header_t *events, sso_operation_result_t *ret_result)
{
    memset(ret_result, 0, sizeof(*ret_result));
    switch (operation->op) {
    case SSO_OPERATION_READ:
        return read_resource(ctx, scim, operation, ret_result);
    case SSO_OPERATION_CREATE:
        return change_resource(ctx, scim, operation, SSO_PROVISION_CREATE, events, ret_result);
    case SSO_OPERATION_REPLACE:
        return change_resource(ctx, scim, operation, SSO_PROVISION_REPLACE, events, ret_result);
    case SSO_OPERATION_PATCH:
        return change_resource(ctx, scim, operation, SSO_PROVISION_PATCH, events, ret_result);
    case SSO_OPERATION_DELETE:
        break;
    }
    return change_resource(ctx, scim, operation, SSO_PROVISION_DELETE, events, ret_result);
}
