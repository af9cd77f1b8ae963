/* SPDX-License-Identifier: Apache-2.0 */
/* What Microsoft Graph answers: groups, a group's id, a page of changed users, the probe of a session. Invariants: what
 * is taken has the form of an object id; a failure adds no group; the next link is Graph's own. */
#include "entra/delta.h"
#include "entra/graph.h"

#include "fuzz.h"

#define ID "0f1e2d3c-4b5a-4968-8776-655443322110"

static void groups(sso_ctx_t *ctx, const sso_graph_t *graph, bool all)
{
    apr_array_header_t *members = apr_array_make(ctx->pool, 4, sizeof(const char *));
    apr_array_header_t *asked = apr_array_make(ctx->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(asked, const char *) = ID;
    sso_rc rc = all ? sso_graph_all_groups(ctx, graph, members) : sso_graph_check_groups(ctx, graph, asked, members);
    fuzz_check(rc == SSO_OK || members->nelts == 0);
    fuzz_check(all || members->nelts <= 1);
    for (int i = 0; i < members->nelts; i++) {
        fuzz_check(sso_is_guid(sso_text_at(members, i)));
    }
}

static void changes(sso_ctx_t *ctx, const sso_graph_t *graph, bool start)
{
    sso_delta_page_t page;
    const char *first = sso_delta_start(ctx, graph);
    const char *url = start ? first : apr_pstrcat(ctx->pool, first, "&$skiptoken=x", NULL);
    if (sso_delta_page(ctx, graph, url, &page) != SSO_OK) {
        return;
    }
    fuzz_check(sso_delta_is_link(ctx->pool, graph, page.link) && page.users->nelts <= SSO_MAX_DELTA_USERS);
    const sso_delta_user_t *user = (const void *)page.users->elts;
    for (int i = 0; i < page.users->nelts; i++) {
        fuzz_check(sso_is_guid(user[i].id));
    }
}

FUZZ_TARGET(graph)
{
    static const sso_http_policy_t policy = {.total_timeout = APR_USEC_PER_SEC};
    fuzz_http_t http;
    unsigned call = fuzz_choice(&data, &len, 6);
    fuzz_http_init(&http, ctx, data, len);
    const sso_graph_t graph = {
        .http = &http.face, .policy = &policy, .graph_url = "https://graph.example.com", .access_token = "a.b.c"};
    const char *id = NULL;
    sso_probe_t probe;
    switch (call) {
    case 0:
    case 1:
        groups(ctx, &graph, call == 0);
        break;
    case 2:
        if (sso_graph_group_id(ctx, &graph, "Finance", &id) == SSO_OK) {
            fuzz_check(id == NULL || sso_is_guid(id));
        }
        break;
    case 3:
        if (sso_graph_probe(ctx, &graph, &probe) == SSO_OK) {
            fuzz_check(probe.state != SSO_PROBE_CHALLENGED || probe.claims != NULL);
            fuzz_check(probe.state != SSO_PROBE_GOOD || http.status == 200);
        }
        break;
    default:
        changes(ctx, &graph, call == 4);
    }
    fuzz_check(http.calls <= SSO_MAX_GRAPH_PAGES + 1);
}
