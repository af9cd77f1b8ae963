/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a PATCH operation, and the lists of attributes that an answer shall show. Invariants: a path that is
 * taken names something; id and schemas are always shown. */
#include "directory/filter.h"
#include "directory/match.h"
#include "directory/projection.h"

#include "fuzz.h"

static const char document[] =
    "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"id\":\"7d01\",\"userName\":\"ada\",\"emails\":[{"
    "\"type\":"
    "\"work\",\"value\":\"a@b\"}],\"name\":{\"givenName\":\"Ada\"},\"meta\":{\"resourceType\":\"User\"},"
    "\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{\"department\":\"Ops\"}}";

static void project(sso_ctx_t *ctx, sso_scim_kind_t kind, const char *attributes, const char *excluded)
{
    const sso_projection_t *projection;
    sso_fault_clear(ctx);
    if (sso_projection_parse(ctx, ctx->pool, kind, attributes, excluded, &projection) != SSO_OK) {
        return;
    }
    (void)sso_projection_shows(projection, "members");
    sso_json_node_t *copy = sso_json_node_copy(ctx->pool, fuzz_json(ctx, document, sizeof(document) - 1));
    sso_projection_apply(ctx->pool, projection, copy);
    fuzz_check(sso_json_get_text(sso_json_node_view(copy), "id") != NULL);
    fuzz_check(sso_json_get(sso_json_node_view(copy), "schemas") != NULL);
}

FUZZ_TARGET(path)
{
    sso_scim_path_t path;
    const sso_scim_kind_t kind = fuzz_choice(&data, &len, 2) == 0 ? SSO_SCIM_USER : SSO_SCIM_GROUP;
    const char *text = fuzz_line(ctx, &data, &len);
    const char *other = fuzz_line(ctx, &data, &len);
    const sso_json_t *value = fuzz_json(ctx, other, strlen(other));
    if (sso_scim_path_parse(ctx, ctx->pool, kind, text, value, &path) == SSO_OK) {
        fuzz_check(path.name.name != NULL || path.name.urn != NULL);
        const sso_json_t *entry = fuzz_json(ctx, document, sizeof(document) - 1);
        (void)sso_attribute_value(entry, &path.name);
        (void)(path.filter != NULL && sso_filter_fits(ctx->pool, path.filter, entry));
    }
    project(ctx, kind, text, NULL);
    project(ctx, kind, NULL, text);
    project(ctx, kind, text, other);
}
