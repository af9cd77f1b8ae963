/* SPDX-License-Identifier: Apache-2.0 */
/* A raw query: of the callback, and of any endpoint. Invariants: the callback has exactly one of code and error, and a
 * state; an error is never taken for a sign-in; what is decoded encodes and decodes to the same. */
#include "entra/oauth.h"

#include "fuzz.h"

static void check_pairs(sso_ctx_t *ctx, const char *query)
{
    apr_table_t *pairs;
    if (sso_query_parse(ctx, query, &pairs) != SSO_OK) {
        sso_fault_clear(ctx);
        return;
    }
    const apr_array_header_t *rows = apr_table_elts(pairs);
    const apr_table_entry_t *row = (const void *)rows->elts;
    const char *text = "";
    fuzz_check(rows->nelts <= SSO_MAX_QUERY_PAIRS);
    for (int i = 0; i < rows->nelts; i++) {
        text = apr_pstrcat(ctx->pool, text, i == 0 ? "" : "&", sso_percent_encode(ctx->pool, row[i].key), "=",
                           sso_percent_encode(ctx->pool, row[i].val), NULL);
    }
    apr_table_t *again;
    fuzz_check(sso_query_parse(ctx, text, &again) == SSO_OK);
    const apr_array_header_t *others = apr_table_elts(again);
    const apr_table_entry_t *other = (const void *)others->elts;
    fuzz_check(others->nelts == rows->nelts);
    for (int i = 0; i < rows->nelts; i++) {
        fuzz_check(strcmp(row[i].key, other[i].key) == 0 && strcmp(row[i].val, other[i].val) == 0);
    }
    const char *value;
    if (sso_query_one(ctx, pairs, "rd", &value) != SSO_OK) {
        sso_fault_clear(ctx);
    }
}

FUZZ_TARGET(query)
{
    sso_callback_t callback;
    const char *query = fuzz_text(ctx, data, len);
    check_pairs(ctx, query);
    if (sso_callback_parse(ctx, query, &callback) != SSO_OK) {
        return;
    }
    fuzz_check(callback.state != NULL && (callback.code == NULL) != (callback.error == NULL));
    fuzz_check(callback.code == NULL || strlen(callback.code) <= SSO_MAX_CODE);
    fuzz_check(callback.error == NULL || sso_callback_error(ctx, &callback) != SSO_OK);
}
