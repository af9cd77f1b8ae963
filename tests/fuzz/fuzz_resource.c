/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a POST (and of the PUT that follows it). Invariants: what is made is within the bounds, has what every
 * document must have, reads back to the same, keeps no password, and a PUT of the same body changes nothing. */
#include "directory/resource.h"

#include "fuzz.h"

static void check_stored(sso_ctx_t *ctx, sso_scim_kind_t kind, const sso_json_t *document)
{
    const sso_json_t *again;
    sso_resource_keys_t keys;
    const char *text = sso_json_print_value(ctx->pool, document, SSO_MAX_SCIM_DOCUMENT);
    fuzz_check(text != NULL && strlen(text) <= SSO_MAX_SCIM_DOCUMENT);
    fuzz_check(sso_resource_check(ctx, kind, document) == SSO_OK);
    fuzz_check(sso_json_parse_deep(ctx, ctx->pool, text, strlen(text), SSO_MAX_SCIM_DOCUMENT, SSO_MAX_SCIM_DEPTH,
                                   &again) == SSO_OK);
    /* Of a number with a point 15 digits are printed, so that the texts are compared. */
    fuzz_check(strcmp(sso_json_print_value(ctx->pool, again, SSO_MAX_SCIM_DOCUMENT), text) == 0);
    static const char *const never[] = {"password", "id", "meta", "schemas", "groups", "members"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        fuzz_check(sso_json_get(document, never[i]) == NULL);
    }
    sso_resource_keys(ctx->pool, kind, document, &keys);
    fuzz_check(kind == SSO_SCIM_USER ? keys.user_name != NULL : keys.display_name != NULL);
    const apr_array_header_t *roles = sso_resource_roles(ctx->pool, document);
    for (int i = 0; i < roles->nelts; i++) {
        fuzz_check(!sso_has_control(sso_text_at(roles, i)));
    }
    const sso_resource_frame_t frame = {.id = "7d01",
                                        .created = FUZZ_NOW,
                                        .modified = FUZZ_NOW,
                                        .version = "W/\"1\"",
                                        .base = "https://app.example.com/scim"};
    sso_json_node_t *shown = sso_resource_print(ctx->pool, kind, document, &frame, NULL);
    fuzz_check(strcmp(sso_json_get_text(sso_json_node_view(shown), "id"), "7d01") == 0);
    fuzz_check(sso_json_print_value(ctx->pool, sso_json_node_view(shown), SSO_MAX_SCIM_BODY) != NULL);
}

FUZZ_TARGET(resource)
{
    const sso_json_t *body;
    sso_resource_t made;
    sso_resource_t again;
    const sso_scim_kind_t kind = fuzz_choice(&data, &len, 2) == 0 ? SSO_SCIM_USER : SSO_SCIM_GROUP;
    if (sso_resource_parse(ctx, ctx->pool, (const char *)data, len, &body) != SSO_OK ||
        sso_resource_make(ctx, ctx->pool, kind, body, NULL, &made) != SSO_OK) {
        return;
    }
    check_stored(ctx, kind, made.document);
    fuzz_check(sso_resource_make(ctx, ctx->pool, kind, body, made.document, &again) == SSO_OK);
    fuzz_check(sso_json_equal(made.document, again.document) && made.members->nelts == again.members->nelts);
}
