/* SPDX-License-Identifier: Apache-2.0 */
/* A Graph that is asked and answers as a test says. Included by tests only, after unit.h. */
#pragma once

#include "base/limits.h"
#include "entra/graph.h"
#include "fake_http.h"

#define GRAPH "https://graph.example.com"
#define GRAPH_CHECK GRAPH "/v1.0/me/checkMemberGroups"
#define GRAPH_ALL_PATH "/v1.0/me/transitiveMemberOf/microsoft.graph.group"
#define GRAPH_ALL GRAPH GRAPH_ALL_PATH "?$select=id&$top=999&$count=true"
#define DIRECTORY_TOKEN "eyJ0eXAi.eyJhdWQi.c2ln-_~"
#define ID_A "0f1e2d3c-4b5a-4968-8776-655443322110"
#define ID_A_UPPER "0F1E2D3C-4B5A-4968-8776-655443322110"
#define ID_B "1a2b3c4d-5e6f-4a5b-8c7d-9e0f1a2b3c4d"
#define ID_C "22222222-3333-4444-8555-666666666666"

static fake_http_t *directory_fake;
static apr_array_header_t *directory_members UNIT_MAYBE_UNUSED;
static const sso_http_policy_t directory_policy = {.total_timeout = APR_USEC_PER_SEC};

/* A fresh outside, a list with one text in it for results, and Graph to ask. */
static UNIT_MAYBE_UNUSED sso_graph_t directory_graph(const char *token)
{
    directory_fake = fake_http_make(unit_pool);
    directory_members = apr_array_make(unit_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(directory_members, const char *) = "before";
    const sso_graph_t graph = {
        .http = &directory_fake->face, .policy = &directory_policy, .graph_url = GRAPH, .access_token = token};
    return graph;
}

/* The i-th of many ids. */
static UNIT_MAYBE_UNUSED const char *directory_id(int i)
{
    return apr_psprintf(unit_pool, "%08x-0000-4000-8000-00000000abcd", (unsigned)i);
}

static UNIT_MAYBE_UNUSED apr_array_header_t *directory_ids(int count)
{
    apr_array_header_t *ids = apr_array_make(unit_pool, count + 1, sizeof(const char *));
    for (int i = 0; i < count; i++) {
        APR_ARRAY_PUSH(ids, const char *) = directory_id(i);
    }
    return ids;
}

static UNIT_MAYBE_UNUSED sso_rc directory_check(const sso_graph_t *graph, const char *first, const char *second)
{
    apr_array_header_t *groups = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(groups, const char *) = first;
    if (second != NULL) {
        APR_ARRAY_PUSH(groups, const char *) = second;
    }
    return sso_graph_check_groups(&unit_ctx, graph, groups, directory_members);
}

/* So many were added, this one last. */
static void UNIT_MAYBE_UNUSED directory_assert_members(int count, const char *last)
{
    assert_int_equal(directory_members->nelts, count + 1);
    assert_string_equal(sso_text_at(directory_members, 0), "before");
    assert_string_equal(sso_text_at(directory_members, count), last);
}
#define directory_assert_untouched() directory_assert_members(0, "before")

/* No answer to any question. */
static const char *const UNIT_MAYBE_UNUSED directory_bad_answers[] = {
    "",
    "null",
    "[]",
    "7",
    "{}",
    "{\"value\":null}",
    "{\"value\":\"" ID_A "\"}",
    "{\"value\":{}}",
    "{\"value\":[null]}",
    "{\"value\":[7]}",
    "{\"value\":[[\"" ID_A "\"]]}",
    "{\"value\":[\"\"]}",
    "{\"value\":[\"" ID_A " \"]}",
    "{\"value\":[\"{" ID_A "}\"]}",
    "{\"value\":[\"Finance\"]}",
    "{\"value\":[\"" ID_A "\",\"x\"]}",
    "{\"value\":[\"x\",\"" ID_A "\"]}",
    "{\"value\":[\"" ID_A "\"],\"value\":[]}",
    "{\"value\":[\"" ID_A "\"]",
    "{\"value\":[\"" ID_A "\"]}x",
    "{\"error\":{\"code\":\"Authorization_RequestDenied\"}}",
    "<!doctype html><title>maintenance</title>",
};
