/* SPDX-License-Identifier: Apache-2.0 */
/* One operation on one resource, from its method to the parts of an answer: of a request, or of a line of a bulk
 * request. */
#pragma once

#include "directory/projection.h"
#include "directory/scim.h"

typedef enum {
    SSO_OPERATION_READ,
    SSO_OPERATION_CREATE,
    SSO_OPERATION_REPLACE,
    SSO_OPERATION_PATCH,
    SSO_OPERATION_DELETE
} sso_operation_kind_t;

typedef struct {
    sso_operation_kind_t op;
    sso_scim_kind_t kind;
    const char *id;            /* NULL to create */
    const sso_json_t *body;    /* parsed; NULL for none */
    const char *if_match;      /* NULL for none; so the next */
    const char *if_none_match; /* of a read */
    const sso_projection_t *projection;
    const char *actor; /* id of the token */
} sso_operation_t;

/* What it gives. */
typedef struct {
    int status;
    const char *id;
    const char *tag; /* NULL: none; so the next two */
    const char *location;
    sso_json_node_t *resource;
} sso_operation_result_t;

/* Does it; what was done is added to events. */
sso_rc sso_operation_run(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_operation_t *operation,
                         apr_array_header_t *events, sso_operation_result_t *ret_result) SSO_MUST_USE;

/* From the word after the slash to the kind: "Users", "Groups", in this spelling. */
bool sso_operation_kind_of(const char *word, apr_size_t len, sso_scim_kind_t *ret_kind);

/* A bulk request (RFC 7644 section 3.7), from its parsed body to the body of its answer. Each operation is a
 * transaction of its own; a reference (bulkId:…) is to an operation before it. SSO_R_SCIM_SYNTAX, SSO_R_SCIM_BULK. */
sso_rc sso_bulk_run(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_json_t *body, const char *actor,
                    apr_array_header_t *events, sso_json_node_t **ret_answer) SSO_MUST_USE;
