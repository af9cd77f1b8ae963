/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Microsoft Graph about one user and its groups. Never gives a part of an answer for the whole. */
#include "entra/graph.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "entra/challenge.h"
#include "entra/graphcall.h"

/* Graph refuses a question about more groups than these. */
#define BATCH_MAX 20
/* The largest page that Graph gives. The cast to groups works on an index only, for which $count and the header of
 * question_init are needed. */
#define ALL_GROUPS "me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999&$count=true"

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

/* Fills graph, headers, pool and found. The ids will be in pool. Graph does not carry ConsistencyLevel from page to
 * page, so it goes out with each. */
static sso_rc question_init(sso_ctx_t *ctx, question_t *question, const sso_graph_t *graph, bool eventual,
                            apr_pool_t *pool)
{
    apr_table_t *headers;
    sso_rc rc = sso_graph_headers(ctx, graph, &headers);
    if (rc != SSO_OK) {
        return rc;
    }
    if (eventual) {
        apr_table_setn(headers, "ConsistencyLevel", "eventual");
    }
    question->graph = graph;
    question->headers = headers;
    question->pool = pool;
    question->found = apr_array_make(ctx->pool, 32, sizeof(const char *));
    return SSO_OK;
}

/* ---- one call ---- */

/* The answer, in pool, has an array named value. */
static sso_rc answer_fetch(sso_ctx_t *ctx, apr_pool_t *pool, const question_t *question, const char *url,
                           const sso_json_t **ret_answer)
{
    const sso_graph_call_t call = {url, question->headers, question->body, SSO_MAX_GRAPH_RESPONSE};
    sso_rc rc = sso_graph_ask(ctx, pool, question->graph, &call, NULL, ret_answer);
    if (rc == SSO_OK && sso_json_type(sso_json_get(*ret_answer, "value")) != SSO_JSON_ARRAY) {
        rc = sso_fail(ctx, SSO_R_GRAPH_FORMAT, "no array of values");
    }
    return rc;
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
        rc = sso_graph_link(ctx, question->graph, answer, "@odata.nextLink", ret_next);
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
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "%s is no id of a group", sso_graph_quote(ctx, question->graph, text));
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
        rc = pages_read(ctx, &question, sso_graph_url(ctx, graph, ALL_GROUPS));
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
    sso_rc rc = page_read(ctx, question, sso_graph_url(ctx, question->graph, "me/checkMemberGroups"), &next);
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
    const char *id = NULL;
    if (name == NULL || apr_cstr_casecmp(name, question->name) != 0) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "asked for the group %s, the answer is %s",
                        sso_graph_quote(ctx, question->graph, question->name),
                        sso_graph_quote(ctx, question->graph, name));
    }
    sso_rc rc = id_read(ctx, question, sso_json_get_text(item, "id"), &id);
    if (rc != SSO_OK || is_among(ids_of(question->found), question->found->nelts, id)) {
        return rc;
    }
    if (question->found->nelts > 0) {
        return sso_fail(ctx, SSO_R_GRAPH_AMBIGUOUS, "%s is %s as well as %s",
                        sso_graph_quote(ctx, question->graph, question->name), sso_text_at(question->found, 0), id);
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
        rc = pages_read(ctx, &question, sso_graph_url(ctx, graph, query));
    }
    if (rc == SSO_OK) {
        *ret_id = question.found->nelts > 0 ? sso_text_at(question.found, 0) : NULL;
    }
    return rc;
}

/* ---- whether a token is still good ---- */

static sso_rc refused_read(sso_ctx_t *ctx, const sso_http_response_t *response, sso_probe_t *ret_probe)
{
    sso_probe_t probe = {.state = SSO_PROBE_STALE};
    switch (response->status) {
    case 401: {
        sso_fault_clear(ctx);
        sso_rc rc = sso_challenge_read(ctx, response->challenge, &probe.claims);
        if (rc != SSO_OK) {
            return rc;
        }
        probe.state = probe.claims == NULL ? SSO_PROBE_STALE : SSO_PROBE_CHALLENGED;
        break;
    }
    case 404: /* no such user any more: for Entra to say, which is asked next */
        sso_fault_clear(ctx);
        break;
    case 403:
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_PROBE_CONSENT, "status 403");
    default:
        return ctx->fault.rc;
    }
    *ret_probe = probe;
    return SSO_OK;
}

sso_rc sso_graph_probe(sso_ctx_t *ctx, const sso_graph_t *graph, sso_probe_t *ret_probe)
{
    sso_http_response_t response = {.status = 0};
    const sso_json_t *answer;
    apr_table_t *headers;
    sso_rc rc = sso_graph_headers(ctx, graph, &headers);
    if (rc != SSO_OK) {
        return rc;
    }
    const sso_graph_call_t call = {sso_graph_url(ctx, graph, "me?$select=id"), headers, NULL, SSO_MAX_GRAPH_RESPONSE};
    rc = sso_graph_ask(ctx, ctx->pool, graph, &call, &response, &answer);
    if (rc != SSO_OK) {
        return response.status == 0 || response.status == 200 ? rc : refused_read(ctx, &response, ret_probe);
    }
    *ret_probe = (sso_probe_t){.state = SSO_PROBE_GOOD};
    return SSO_OK;
}
