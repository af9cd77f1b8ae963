/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Microsoft Graph about groups. It never takes the token to another host, and never gives a part of an
 * answer for the whole. */
#include "entra/graph.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/url.h"

#define API_PATH "/v1.0/"
/* Graph refuses a question about more groups than these. */
#define BATCH_MAX 20
/* The largest page that Graph gives. The cast to groups works on an index only, for which $count and the header of
 * question_init are needed. */
#define ALL_GROUPS "me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999&$count=true"
/* Graph's error codes are single words. */
#define ERROR_CODE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."
#define ERROR_CODE_MAX 64

/* A question, one or more calls long, and what is known of its answer. */
typedef struct question_t {
    const sso_graph_t *graph;
    const apr_table_t *headers;
    const char *body; /* NULL: GET */
    /* Judges one item of an answer and adds to found. The item does not outlive the call. */
    sso_rc (*take)(sso_ctx_t *ctx, struct question_t *question, const sso_json_t *item);
    const char *const *asked; /* of member_take: the ids of this call */
    int asked_count;
    const char *name; /* of name_take */
    apr_pool_t *pool; /* of the ids */
    apr_array_header_t *found;
} question_t;

/* ---- what goes out ---- */

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

/* Fills graph, headers, pool and found. The ids will be in pool. Graph does not carry ConsistencyLevel from page to
 * page, so it goes out with each. */
static sso_rc question_init(sso_ctx_t *ctx, question_t *question, const sso_graph_t *graph, bool eventual,
                            apr_pool_t *pool)
{
    if (!is_bearer_token(graph->access_token)) {
        return sso_fail(ctx, SSO_R_GRAPH_TOKEN, "there is no access token that could be sent");
    }
    char *authorization = apr_pstrcat(ctx->pool, "Bearer ", graph->access_token, NULL);
    sso_wipe_later(ctx->pool, authorization, strlen(authorization));
    apr_table_t *headers = apr_table_make(ctx->pool, 3);
    apr_table_setn(headers, "Accept", "application/json");
    apr_table_setn(headers, "Authorization", authorization);
    if (eventual) {
        apr_table_setn(headers, "ConsistencyLevel", "eventual");
    }
    question->graph = graph;
    question->headers = headers;
    question->pool = pool;
    question->found = apr_array_make(ctx->pool, 32, sizeof(const char *));
    return SSO_OK;
}

static const char *url_make(sso_ctx_t *ctx, const sso_graph_t *graph, const char *rest)
{
    return apr_pstrcat(ctx->pool, graph->graph_url, API_PATH, rest, NULL);
}

/* Outside text for a detail, which is not to hold the token even where the other side sends it back. */
static const char *quote(sso_ctx_t *ctx, const sso_graph_t *graph, const char *text)
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
    (void)sso_fail(ctx, rc, "status %d, code %s", response->status, quote(ctx, graph, code));
    ctx->fault.retry_after_s = response->retry_after_s;
    if (request_id != NULL && sso_is_guid(request_id)) {
        ctx->fault.correlation_id = apr_pstrdup(ctx->pool, request_id);
    }
    return rc;
}

/* The answer, in pool, has an array named value. */
static sso_rc answer_fetch(sso_ctx_t *ctx, apr_pool_t *pool, const question_t *question, const char *url,
                           const sso_json_t **ret_answer)
{
    const sso_http_request_t request = {
        .url = url,
        .policy = question->graph->policy,
        .body = question->body,
        .content_type = question->body == NULL ? NULL : "application/json",
        .headers = question->headers,
        .max_response = SSO_MAX_GRAPH_RESPONSE,
    };
    sso_http_response_t response;
    sso_rc rc = sso_http_perform(question->graph->http, ctx, &request, &response);
    if (rc != SSO_OK) {
        return rc;
    }
    if (response.status != 200) {
        return refusal_read(ctx, pool, question->graph, &response);
    }
    rc = sso_json_parse(ctx, pool, response.body, response.len, SSO_MAX_GRAPH_RESPONSE, ret_answer);
    if (rc != SSO_OK) {
        /* The reason for the log is that of the answer, not of JSON in general. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "no strict JSON (%s)", sso_reason(rc)->name);
    }
    if (sso_json_type(sso_json_get(*ret_answer, "value")) != SSO_JSON_ARRAY) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "no array of values");
    }
    return SSO_OK;
}

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

/* SECURITY: the next page is asked for with the user's token, so an answer must not choose the host. *ret_url NULL
 * when there is none. */
static sso_rc next_read(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *answer, const char **ret_url)
{
    const sso_json_t *link = sso_json_get(answer, "@odata.nextLink");
    const char *url = sso_json_text(link);
    if (link == NULL) {
        *ret_url = NULL;
        return SSO_OK;
    }
    if (url == NULL || !sso_url_same_origin(ctx->pool, url, graph->graph_url) || !is_api_url(url)) {
        const char *bare = url == NULL ? NULL : apr_pstrmemdup(ctx->pool, url, strcspn(url, "?#"));
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "the next page is at %s", quote(ctx, graph, bare));
    }
    *ret_url = apr_pstrdup(ctx->pool, url);
    return SSO_OK;
}

/* Takes the items of one page. */
static sso_rc page_read(sso_ctx_t *ctx, question_t *question, const char *url, const char **ret_next)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, ctx->pool);
    const sso_json_t *answer = NULL;
    sso_rc rc = answer_fetch(ctx, scratch, question, url, &answer);
    const sso_json_t *values = sso_json_get(answer, "value");
    for (apr_size_t i = 0; rc == SSO_OK && i < sso_json_size(values); i++) {
        rc = question->take(ctx, question, sso_json_at(values, i));
    }
    if (rc == SSO_OK) {
        rc = next_read(ctx, question->graph, answer, ret_next);
    }
    apr_pool_destroy(scratch);
    return rc;
}

static sso_rc pages_read(sso_ctx_t *ctx, question_t *question, const char *url)
{
    for (int page = 0; page < SSO_MAX_GRAPH_PAGES; page++) {
        const char *next = NULL;
        sso_rc rc = page_read(ctx, question, url, &next);
        if (rc != SSO_OK || next == NULL) {
            return rc;
        }
        url = next;
    }
    return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "more than %d pages", SSO_MAX_GRAPH_PAGES);
}

/* The id of a group in lower case, in the question's pool. */
static sso_rc id_read(sso_ctx_t *ctx, const question_t *question, const char *text, const char **ret_id)
{
    if (text == NULL || !sso_is_guid(text)) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "%s is no id of a group", quote(ctx, question->graph, text));
    }
    char *id = apr_pstrdup(question->pool, text);
    for (char *at = id; *at != '\0'; at++) {
        *at = (char)apr_tolower(*at);
    }
    *ret_id = id;
    return SSO_OK;
}

static bool is_among(const char *const *ids, int count, const char *id)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const *ids_of(const apr_array_header_t *ids)
{
    return (const char *const *)(const void *)ids->elts;
}

/* ---- all groups of the user ---- */

static sso_rc any_take(sso_ctx_t *ctx, question_t *question, const sso_json_t *item)
{
    const char *id;
    sso_rc rc = id_read(ctx, question, sso_json_get_text(item, "id"), &id);
    if (rc != SSO_OK) {
        return rc;
    }
    if (question->found->nelts >= SSO_MAX_GRAPH_GROUPS) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "more than %d groups", SSO_MAX_GRAPH_GROUPS);
    }
    APR_ARRAY_PUSH(question->found, const char *) = id;
    return SSO_OK;
}

sso_rc sso_graph_all_groups(sso_ctx_t *ctx, const sso_graph_t *graph, apr_array_header_t *ret_members)
{
    question_t question = {.take = any_take};
    sso_rc rc = question_init(ctx, &question, graph, true, ret_members->pool);
    if (rc == SSO_OK) {
        rc = pages_read(ctx, &question, url_make(ctx, graph, ALL_GROUPS));
    }
    if (rc == SSO_OK) {
        apr_array_cat(ret_members, question.found);
    }
    return rc;
}

/* ---- which of these groups ---- */

static sso_rc member_take(sso_ctx_t *ctx, question_t *question, const sso_json_t *item)
{
    const char *id;
    sso_rc rc = id_read(ctx, question, sso_json_text(item), &id);
    if (rc != SSO_OK) {
        return rc;
    }
    if (!is_among(question->asked, question->asked_count, id)) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "the answer names %s, which was not asked for", id);
    }
    if (!is_among(ids_of(question->found), question->found->nelts, id)) {
        APR_ARRAY_PUSH(question->found, const char *) = id;
    }
    return SSO_OK;
}

static sso_rc batch_check(sso_ctx_t *ctx, question_t *question)
{
    sso_json_writer_t *body = sso_json_object_make(ctx->pool);
    sso_json_set_list(body, "groupIds", question->asked, (apr_size_t)question->asked_count);
    question->body = sso_json_print(ctx->pool, body);
    const char *next = NULL;
    sso_rc rc = page_read(ctx, question, url_make(ctx, question->graph, "me/checkMemberGroups"), &next);
    if (rc == SSO_OK && next != NULL) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "an answer about %d groups has a second page", question->asked_count);
    }
    return rc;
}

sso_rc sso_graph_check_groups(sso_ctx_t *ctx, const sso_graph_t *graph, const apr_array_header_t *groups,
                              apr_array_header_t *ret_members)
{
    question_t question = {.take = member_take};
    sso_rc rc = question_init(ctx, &question, graph, false, ret_members->pool);
    apr_array_header_t *asked = apr_array_make(ctx->pool, groups->nelts + 1, sizeof(const char *));
    for (int i = 0; i < groups->nelts && rc == SSO_OK; i++) {
        const char *id = NULL;
        rc = id_read(ctx, &question, sso_text_at(groups, i), &id);
        APR_ARRAY_PUSH(asked, const char *) = id;
    }
    for (int first = 0; first < groups->nelts && rc == SSO_OK; first += BATCH_MAX) {
        int rest = groups->nelts - first;
        question.asked = ids_of(asked) + first;
        question.asked_count = rest < BATCH_MAX ? rest : BATCH_MAX;
        rc = batch_check(ctx, &question);
    }
    if (rc == SSO_OK) {
        apr_array_cat(ret_members, question.found);
    }
    return rc;
}

/* ---- a group by its name ---- */

/* SECURITY: Graph compares names in its own way and this in ours: an answer that is not to the question is not guessed
 * at. Letters beyond ASCII have to stand as in Graph. */
static sso_rc name_take(sso_ctx_t *ctx, question_t *question, const sso_json_t *item)
{
    const char *name = sso_json_get_text(item, "displayName");
    const char *id;
    if (name == NULL || apr_cstr_casecmp(name, question->name) != 0) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "asked for the group %s, the answer is %s",
                        quote(ctx, question->graph, question->name), quote(ctx, question->graph, name));
    }
    sso_rc rc = id_read(ctx, question, sso_json_get_text(item, "id"), &id);
    if (rc != SSO_OK || is_among(ids_of(question->found), question->found->nelts, id)) {
        return rc;
    }
    if (question->found->nelts > 0) {
        return sso_fail(ctx, SSO_R_GRAPH_AMBIGUOUS, "%s is %s as well as %s",
                        quote(ctx, question->graph, question->name), sso_text_at(question->found, 0), id);
    }
    APR_ARRAY_PUSH(question->found, const char *) = id;
    return SSO_OK;
}

/* The filter for a query. A quote within a literal of OData stands twice. */
static const char *filter_print(apr_pool_t *pool, const char *name)
{
    apr_array_header_t *pieces = apr_array_make(pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(pieces, const char *) = "displayName eq '";
    for (const char *quote_at; (quote_at = strchr(name, '\'')) != NULL; name = quote_at + 1) {
        APR_ARRAY_PUSH(pieces, const char *) = apr_pstrmemdup(pool, name, (apr_size_t)(quote_at - name));
        APR_ARRAY_PUSH(pieces, const char *) = "''";
    }
    APR_ARRAY_PUSH(pieces, const char *) = name;
    APR_ARRAY_PUSH(pieces, const char *) = "'";
    return sso_percent_encode(pool, apr_array_pstrcat(pool, pieces, '\0'));
}

/* No ConsistencyLevel: without it Graph looks into the directory itself, where a new group is seen at once. */
sso_rc sso_graph_group_id(sso_ctx_t *ctx, const sso_graph_t *graph, const char *name, const char **ret_id)
{
    question_t question = {.take = name_take, .name = name};
    sso_rc rc = question_init(ctx, &question, graph, false, ctx->pool);
    if (rc == SSO_OK) {
        const char *query =
            apr_pstrcat(ctx->pool, "groups?$filter=", filter_print(ctx->pool, name), "&$select=id,displayName", NULL);
        rc = pages_read(ctx, &question, url_make(ctx, graph, query));
    }
    if (rc == SSO_OK) {
        *ret_id = question.found->nelts > 0 ? sso_text_at(question.found, 0) : NULL;
    }
    return rc;
}
