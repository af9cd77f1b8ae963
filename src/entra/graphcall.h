/* SPDX-License-Identifier: Apache-2.0 */
/* One call of Microsoft Graph: the header with the token, the answer or its refusal, and links to further pages. For
 * the files that ask Graph something. */
#pragma once

#include "base/json.h"
#include "entra/graph.h"

/* The address of what stands behind the API's version, in ctx->pool. */
const char *sso_graph_url(sso_ctx_t *ctx, const sso_graph_t *graph, const char *rest);
/* Outside text for a detail, which is not to hold the token even where the other side sends it back. */
const char *sso_graph_quote(sso_ctx_t *ctx, const sso_graph_t *graph, const char *text);

/* The request's headers, which may be added to; wiped with ctx->pool. SSO_R_GRAPH_TOKEN when the token cannot be sent.
 */
sso_rc sso_graph_headers(sso_ctx_t *ctx, const sso_graph_t *graph, apr_table_t **ret_headers) SSO_MUST_USE;

typedef struct {
    const char *url;
    const apr_table_t *headers; /* of sso_graph_headers */
    const char *body;           /* JSON; NULL: GET */
    apr_size_t max_response;
} sso_graph_call_t;

/* The answer's JSON, in pool. For any other status than 200 the fault that it stands for, with Graph's code in its
 * detail. *ret_response is filled as soon as there is an answer; may be NULL. */
sso_rc sso_graph_ask(sso_ctx_t *ctx, apr_pool_t *pool, const sso_graph_t *graph, const sso_graph_call_t *call,
                     sso_http_response_t *ret_response, const sso_json_t **ret_answer) SSO_MUST_USE;

/* True when url is of the API of that Graph: it may be asked for with the token. */
bool sso_graph_is_link(apr_pool_t *pool, const sso_graph_t *graph, const char *url);
/* The link of that name in an answer, in ctx->pool, NULL when there is none. SSO_R_GRAPH_FORMAT when it leads
 * elsewhere.
 */
sso_rc sso_graph_link(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *answer, const char *name,
                      const char **ret_url) SSO_MUST_USE;
