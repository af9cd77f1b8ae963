/* SPDX-License-Identifier: Apache-2.0 */
/* A template of the configuration, and rendering it. Line 1: the template; line 2: a value that the session has.
 * Invariants: a claim that a template names is told; text without '%' renders as itself. */
#include "session/template.h"

#include "fuzz.h"

FUZZ_TARGET(template)
{
    const sso_template_t *template;
    const char *text = fuzz_line(ctx, &data, &len);
    const char *value = fuzz_line(ctx, &data, &len);
    apr_array_header_t *names = apr_array_make(ctx->pool, 4, sizeof(const char *));
    apr_array_header_t *values = apr_array_make(ctx->pool, 2, sizeof(const char *));
    apr_array_header_t *packed = apr_array_make(ctx->pool, 4, sizeof(const char *));
    const char *why = sso_template_parse(ctx->pool, text, &template);
    if (why != NULL) {
        fuzz_check(why[0] != '\0');
        return;
    }
    sso_template_claims(template, names);
    APR_ARRAY_PUSH(values, const char *) = value;
    APR_ARRAY_PUSH(values, const char *) = "second";
    for (int i = 0; i < names->nelts; i++) {
        fuzz_check(strlen(sso_text_at(names, i)) <= SSO_MAX_CLAIM_NAME);
        sso_claims_add(ctx->pool, packed, sso_text_at(names, i), values);
    }
    const sso_record_t record = {.sid = value,
                                 .tid = FUZZ_TENANT,
                                 .oid = FUZZ_OID,
                                 .username = value,
                                 .name = value,
                                 .email = "ada@contoso.example",
                                 .login_hint = "",
                                 .roles = sso_list_make(ctx->pool, values),
                                 .groups = sso_list_make(ctx->pool, values),
                                 .claims = sso_list_make(ctx->pool, packed)};
    const char *rendered = sso_template_render(ctx->pool, template, &record, ",");
    if (strchr(text, '%') == NULL) {
        fuzz_check(rendered != NULL && strcmp(rendered, text) == 0);
    }
}
