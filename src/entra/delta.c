/* SPDX-License-Identifier: Apache-2.0 */
/* Graph's delta query of users: one page, judged item by item. */
#include "entra/delta.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "entra/graphcall.h"

#define DELTA "users/delta"
#define SELECTED DELTA "?$select=id,accountEnabled,signInSessionsValidFromDateTime"

const char *sso_delta_start(sso_ctx_t *ctx, const sso_graph_t *graph)
{
    return sso_graph_url(ctx, graph, SELECTED);
}

/* SECURITY: the link was kept in a database, and goes out with a token for the whole directory. */
bool sso_delta_is_link(apr_pool_t *pool, const sso_graph_t *graph, const char *link)
{
    const char *path = strstr(link, "://");
    if (strlen(link) > SSO_MAX_WATCH_LINK || path == NULL || !sso_graph_is_link(pool, graph, link)) {
        return false;
    }
    const char *end = path + strcspn(path, "?");
    return end - path > (int)sizeof(DELTA) &&
           strncmp(end - (sizeof("/" DELTA) - 1), "/" DELTA, sizeof("/" DELTA) - 1) == 0;
}

/* Absent, null and a value of the right type are all that Graph writes. */
static bool is_type(const sso_json_t *value, sso_json_type_t type)
{
    return value == NULL || sso_json_type(value) == SSO_JSON_NULL || sso_json_type(value) == type;
}

/* With or without a fraction of a second, which is cut off. Some of Graph's empty dates are of the year 1. */
static bool moment_parse(apr_pool_t *pool, const char *text, apr_time_t *ret_when)
{
    apr_size_t whole = strcspn(text, ".");
    if (text[whole] == '.') {
        apr_size_t digits = strspn(text + whole + 1, "0123456789");
        if (digits == 0) {
            return false;
        }
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text, whole), text + whole + 1 + digits, NULL);
    }
    if (strcmp(text, "0001-01-01T00:00:00Z") == 0) {
        *ret_when = 0;
        return true;
    }
    return sso_time_parse(text, ret_when);
}

static sso_rc user_read(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *item, sso_delta_user_t *ret_user)
{
    const char *id = sso_json_get_text(item, "id");
    const sso_json_t *enabled = sso_json_get(item, "accountEnabled");
    const sso_json_t *valid_from = sso_json_get(item, "signInSessionsValidFromDateTime");
    const char *moment = sso_json_text(valid_from);
    sso_delta_user_t user = {.removed = sso_json_get(item, "@removed") != NULL};
    if (id == NULL || !sso_is_guid(id)) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "%s is no id of a user", sso_graph_quote(ctx, graph, id));
    }
    if (!is_type(enabled, SSO_JSON_BOOL) || !is_type(valid_from, SSO_JSON_STRING) ||
        (moment != NULL && !moment_parse(ctx->pool, moment, &user.valid_from))) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "user %s: accountEnabled or signInSessionsValidFromDateTime", id);
    }
    user.disabled = enabled != NULL && sso_json_type(enabled) == SSO_JSON_BOOL && !sso_json_is_true(enabled);
    char *lower = apr_pstrdup(ctx->pool, id);
    for (char *at = lower; *at != '\0'; at++) {
        *at = (char)apr_tolower(*at);
    }
    user.id = lower;
    *ret_user = user;
    return SSO_OK;
}

static sso_rc users_read(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *answer, sso_delta_page_t *page)
{
    const sso_json_t *values = sso_json_get(answer, "value");
    if (sso_json_type(values) != SSO_JSON_ARRAY || sso_json_size(values) > SSO_MAX_DELTA_USERS) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "no array of users, or one of %lu",
                        (unsigned long)sso_json_size(values));
    }
    page->users = apr_array_make(ctx->pool, (int)sso_json_size(values) + 1, sizeof(sso_delta_user_t));
    for (apr_size_t i = 0; i < sso_json_size(values); i++) {
        sso_rc rc = user_read(ctx, graph, sso_json_at(values, i), apr_array_push(page->users));
        if (rc != SSO_OK) {
            return rc;
        }
    }
    return SSO_OK;
}

static sso_rc links_read(sso_ctx_t *ctx, const sso_graph_t *graph, const sso_json_t *answer, sso_delta_page_t *page)
{
    const char *next = NULL;
    const char *delta = NULL;
    sso_rc rc = sso_graph_link(ctx, graph, answer, "@odata.nextLink", &next);
    if (rc == SSO_OK) {
        rc = sso_graph_link(ctx, graph, answer, "@odata.deltaLink", &delta);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    page->last = next == NULL;
    page->link = next == NULL ? delta : next;
    if (page->link == NULL || (next != NULL && delta != NULL) || !sso_delta_is_link(ctx->pool, graph, page->link)) {
        return sso_fail(ctx, SSO_R_GRAPH_FORMAT, "a page of users has no link to the next, or two, or one elsewhere");
    }
    return SSO_OK;
}

/* The reasons of this question in the place of those about a user's token. Of a link that Graph gave and does not take
 * any more it also says so with 400 or 404. */
static sso_rc refusal_translate(sso_ctx_t *ctx, int status, bool is_start)
{
    static const struct {
        int status;
        sso_rc rc;
    } rows[] = {{401, SSO_R_WATCH_TOKEN}, {403, SSO_R_WATCH_CONSENT}, {410, SSO_R_WATCH_EXPIRED}};
    status = !is_start && (status == 400 || status == 404) ? 410 : status;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            const sso_fault_t cause = ctx->fault;
            sso_fault_clear(ctx);
            (void)sso_fail(ctx, rows[i].rc, "%s", cause.detail);
            ctx->fault.correlation_id = cause.correlation_id;
        }
    }
    return ctx->fault.rc;
}

sso_rc sso_delta_page(sso_ctx_t *ctx, const sso_graph_t *graph, const char *url, sso_delta_page_t *ret_page)
{
    sso_http_response_t response = {.status = 0};
    const sso_json_t *answer = NULL;
    sso_delta_page_t page = {.users = NULL};
    apr_table_t *headers;
    apr_pool_t *scratch;
    sso_rc rc = sso_graph_headers(ctx, graph, &headers);
    if (rc != SSO_OK) {
        return rc;
    }
    const sso_graph_call_t call = {url, headers, NULL, SSO_MAX_DELTA_RESPONSE};
    apr_pool_create(&scratch, ctx->pool);
    rc = sso_graph_ask(ctx, scratch, graph, &call, &response, &answer);
    if (rc != SSO_OK) {
        rc = refusal_translate(ctx, response.status, strcmp(url, sso_delta_start(ctx, graph)) == 0);
    }
    if (rc == SSO_OK) {
        rc = users_read(ctx, graph, answer, &page);
    }
    if (rc == SSO_OK) {
        rc = links_read(ctx, graph, answer, &page);
    }
    apr_pool_destroy(scratch);
    if (rc == SSO_OK) {
        *ret_page = page;
    }
    return rc;
}
