/* SPDX-License-Identifier: Apache-2.0 */
/* A SCIM filter: read, then asked of documents. Invariants: a filter that is taken can be asked; its terms keep within
 * the bounds; "not" of it says the opposite. */
#include "directory/filter.h"
#include "directory/fold.h"
#include "directory/match.h"

#include "fuzz.h"

static const char *const documents[] = {
    "{}",
    "{\"id\":\"7d01\",\"userName\":\"ada@contoso.example\",\"active\":true,\"emails\":[{\"type\":\"work\",\"value\":"
    "\"ada@contoso.example\",\"primary\":true},{\"type\":\"home\",\"value\":\"a@b\"}],\"name\":{\"givenName\":\"Ada\"},"
    "\"meta\":{\"lastModified\":\"2026-11-23T15:00:00Z\"},\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:"
    "User\":"
    "{\"manager\":{\"value\":\"7d02\"},\"department\":\"Ops\"}}",
    "{\"id\":7,\"userName\":null,\"active\":\"True\",\"emails\":{},\"name\":[[[]]],\"groups\":[{\"value\":1.5},null]}",
    "{\"id\":\"9\",\"displayName\":\"\xc3\x84rzte\",\"members\":[{\"value\":\"7d01\",\"type\":\"User\"}]}",
};

static int terms_of(const sso_filter_t *filter)
{
    int count = filter->kind == SSO_FILTER_TERM || filter->kind == SSO_FILTER_ENTRY ? 1 : 0;
    for (const sso_filter_t *child = filter->first; child != NULL; child = child->next) {
        count += terms_of(child);
    }
    return count;
}

FUZZ_TARGET(filter)
{
    const sso_filter_t *filter;
    const sso_filter_t *opposite;
    const sso_scim_kind_t kind = fuzz_choice(&data, &len, 2) == 0 ? SSO_SCIM_USER : SSO_SCIM_GROUP;
    const char *text = fuzz_text(ctx, data, len);
    const char *folded = sso_fold(ctx->pool, text);
    fuzz_check(strlen(folded) <= strlen(text) && sso_fold_equal(folded, text));
    fuzz_check(strcmp(sso_fold(ctx->pool, folded), folded) == 0);
    if (sso_filter_parse(ctx, ctx->pool, kind, text, &filter) != SSO_OK) {
        fuzz_check(ctx->fault.rc == SSO_R_SCIM_FILTER);
        return;
    }
    fuzz_check(terms_of(filter) >= 1 && terms_of(filter) <= 2 * SSO_MAX_FILTER_TERMS);
    const apr_array_header_t *terms = sso_filter_index(ctx->pool, filter);
    const sso_index_term_t *term = (const void *)terms->elts;
    for (int i = 0; i < terms->nelts; i++) {
        fuzz_check(term[i].key != NULL);
    }
    (void)sso_filter_uses(filter, "members");
    bool has_opposite =
        sso_filter_parse(ctx, ctx->pool, kind, apr_pstrcat(ctx->pool, "not (", text, ")", NULL), &opposite) == SSO_OK;
    sso_fault_clear(ctx);
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        const sso_json_t *document = fuzz_json(ctx, documents[i], strlen(documents[i]));
        bool fits = sso_filter_matches(ctx->pool, filter, document, 0);
        fuzz_check(!has_opposite || sso_filter_matches(ctx->pool, opposite, document, 0) != fits);
    }
}
