/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of Microsoft Graph. The token never goes to another host, and no line of the log holds it. */
#include "entra/graphcall.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/url.h"

#define API_PATH "/v1.0/"
/* Graph's error codes are single words. */
#define ERROR_CODE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."
#define ERROR_CODE_MAX 64

/* ---- what goes out ---- */

const char *sso_graph_url(sso_ctx_t *ctx, const sso_graph_t *graph, const char *rest)
{
    return apr_pstrcat(ctx->pool, graph->graph_url, API_PATH, rest, NULL);
}

/* SECURITY: a bearer token is visible ASCII (RFC 6750 2.1); anything else could end the header line. */
static bool is_bearer_token(const char *token)
{
    if (token == NULL || token[0] == '\0') {
        return false;
    }
    for (const char *at = token; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return true;
}

sso_rc sso_graph_headers(sso_ctx_t *ctx, const sso_graph_t *graph, apr_table_t **ret_headers)
{
    if (!is_bearer_token(graph->access_token)) {
        return sso_fail(ctx, SSO_R_GRAPH_TOKEN, "there is no access token that could be sent");
    }
    char *authorization = apr_pstrcat(ctx->pool, "Bearer ", graph->access_token, NULL);
    sso_wipe_later(ctx->pool, authorization, strlen(authorization));
    apr_table_t *headers = apr_table_make(ctx->pool, 3);
    apr_table_setn(headers, "Accept", "application/json");
    apr_table_setn(headers, "Authorization", authorization);
    *ret_headers = headers;
    return SSO_OK;
}

const char *sso_graph_quote(sso_ctx_t *ctx, const sso_graph_t *graph, const char *text)
{
    return text != NULL && strstr(text, graph->access_token) != NULL ? "(the token)" : sso_printable(ctx->pool, text);
}

/* ---- one call ---- */

static sso_rc refusal_class(int status)
{
    switch (status) {
    case 401:
        return SSO_R_GRAPH_TOKEN;
    case 403:
        return SSO_R_GRAPH_CONSENT;
    case 429:
        return SSO_R_GRAPH_BUSY;
    case 408:
        return SSO_R_GRAPH_LATER;
    default:
        return status >= 500 && status <= 599 ? SSO_R_GRAPH_LATER : SSO_R_GRAPH_FORMAT;
    }
}

/* SECURITY: of Graph's explanation only the code is told: its message may quote the token, or a part of it. */
static sso_rc refusal_read(sso_ctx_t *ctx, apr_pool_t *pool, const sso_graph_t *graph,
                           const sso_http_response_t *response)
{
    const sso_json_t *answer = NULL;
    if (sso_json_parse(ctx, pool, response->body, response->len, SSO_MAX_GRAPH_RESPONSE, &answer) != SSO_OK) {
        /* A gateway's page in place of JSON: the status alone must do. */
        sso_fault_clear(ctx);
        answer = NULL;
    }
    const sso_json_t *error = sso_json_get(answer, "error");
    const char *code = sso_json_get_text(error, "code");
    const char *request_id = sso_json_get_text(sso_json_get(error, "innerError"), "request-id");
    if (code != NULL && (strlen(code) > ERROR_CODE_MAX || code[strspn(code, ERROR_CODE_CHARACTERS)] != '\0')) {
        code = NULL;
    }
    sso_rc rc = refusal_class(response->status);
    (void)sso_fail(ctx, rc, "status %d, code %s", response->status, sso_graph_quote(ctx, graph, code));
    ctx->fault.retry_after_s = response->retry_after_s;
    if (request_id != NULL && sso_is_guid(request_id)) {
        ctx->fault.correlation_id = apr_pstrdup(ctx->pool, request_id);
    }
    return rc;
}

sso_rc sso_graph_ask(sso_ctx_t *ctx, apr_pool_t *pool, const sso_graph_t *graph, const sso_graph_call_t *call,
                     sso_http_response_t *ret_response, const sso_json_t **ret_answer)
{
    const sso_http_request_t request = {
        .kind = SSO_OUTBOUND_GRAPH,
        .url = call->url,
        .policy = graph->policy,
        .body = call->body,
        .content_type = call->body == NULL ? NULL : "application/json",
        .headers = call->headers,
        .max_response = call->max_response,
    };
    sso_http_response_t response;
    sso_rc rc = sso_http_perform(graph->http, ctx, &request, &response);
    if (rc != SSO_OK) {
        return rc;
    }
    if (ret_response != NULL) {
        *ret_response = response;
    }
    if (response.status != 200) {
        return refusal_read(ctx, pool, graph, &response);
    }
    rc = sso_json_parse(ctx, pool, response.body, response.len, call->max_response, ret_answer);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the answer, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "no strict JSON (%s)", sso_reason(rc)->name);
    }
    return SSO_OK;
}

/* ---- links ---- */

/* What stands behind the origin of an absolute URL begins with API_PATH, and nothing in it leads out of that again. */
static bool is_api_url(const char *url)
{
    const char *authority = strstr(url, "://");
    if (authority == NULL || strchr(url, '#') != NULL) {
        return false;
    }
    const char *path = authority + 3 + strcspn(authority + 3, "/?");
    const char *end = path + strcspn(path, "?");
    for (const char *at = path; at < end; at++) {
        if (at[0] == '/' && (at[1] == '.' || strncasecmp(at + 1, "%2e", 3) == 0)) {
            return false;
        }
    }
    return strncmp(path, API_PATH, sizeof(API_PATH) - 1) == 0;
}

bool sso_graph_is_link(apr_pool_t *pool, const sso_graph_t *graph, const char *url)
{
    return sso_url_same_origin(pool, url, graph->graph_url) && is_api_url(url);
}

/* SECURITY: what the link leads to is asked for with the token, so an answer must not choose the host. */
sso_rc sso_graph_link(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *answer, const char *name,
                      const char **ret_url)
{
    const sso_json_t *link = sso_json_get(answer, name);
    const char *url = sso_json_text(link);
    if (link == NULL) {
        *ret_url = NULL;
        return SSO_OK;
    }
    if (url == NULL || !sso_graph_is_link(ctx->pool, graph, url)) {
        const char *bare = url == NULL ? NULL : apr_pstrmemdup(ctx->pool, url, strcspn(url, "?#"));
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "the next page is at %s", sso_graph_quote(ctx, graph, bare));
    }
    *ret_url = apr_pstrdup(ctx->pool, url);
    return SSO_OK;
}
