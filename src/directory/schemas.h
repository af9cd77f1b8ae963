/* SPDX-License-Identifier: Apache-2.0 */
/* What the service says about itself (RFC 7643 sections 5 to 7, RFC 7644 section 4, RFC 9865), all from the table of
 * attributes; and the two envelopes of its answers: lists and errors. Print with sso_json_print_value. */
#pragma once

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"

/* An extension that the configuration names, so that Entra offers its attributes in the mapping. */
typedef struct {
    const char *urn;
    apr_array_header_t *names; /* const char *: of its attributes, all strings */
} sso_scim_extension_t;

/* The service. base: its public address without slash at the end. */
typedef struct {
    const char *base;
    const apr_array_header_t *extensions; /* sso_scim_extension_t, of users; NULL: none */
    int max_results;                      /* the largest page */
    int page;                             /* the page when no count is asked for */
    int cursor_s;                         /* how long a cursor is good, seconds */
} sso_scim_service_t;

/* The ListResponses of /Schemas and /ResourceTypes, and /ServiceProviderConfig. */
sso_json_node_t *sso_schemas_list(apr_pool_t *pool, const sso_scim_service_t *service);
sso_json_node_t *sso_resource_types_list(apr_pool_t *pool, const sso_scim_service_t *service);
sso_json_node_t *sso_service_config(apr_pool_t *pool, const sso_scim_service_t *service);
/* One schema by its URN, one resource type by its name (any case); NULL when there is none: 404. */
sso_json_node_t *sso_schemas_get(apr_pool_t *pool, const sso_scim_service_t *service, const char *urn);
sso_json_node_t *sso_resource_types_get(apr_pool_t *pool, const sso_scim_service_t *service, const char *name);

/* The frame of a list. */
typedef struct {
    apr_int64_t total;       /* of all matches; below 0: left out, as a cursor's page may */
    apr_int64_t start;       /* index of the first one shown, from 1; below 1: left out (cursors) */
    const char *next_cursor; /* NULL: none: the last page */
    const char *previous_cursor;
} sso_list_frame_t;

/* A ListResponse whose "Resources" is there even when empty: Entra takes anything else for a fault. Fill it with
 * sso_list_add, then sso_list_end tells itemsPerPage. */
sso_json_node_t *sso_list_begin(apr_pool_t *pool, const sso_list_frame_t *frame);
void sso_list_add(apr_pool_t *pool, sso_json_node_t *list, const sso_json_node_t *resource);
void sso_list_end(apr_pool_t *pool, sso_json_node_t *list);

/* The scimType of a reason (RFC 7644 section 3.12), NULL where there is none. */
const char *sso_scim_type(sso_rc rc);
/* The body of an error: the reason's status, scimType and sentence. detail (the fault's) is added only to reasons from
 * 1600 to 1609, whose details are written for the client; of others, none leaves the server. */
sso_json_node_t *sso_scim_error(apr_pool_t *pool, sso_rc rc, const char *detail);
