/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of directives. The first byte says which, the lines are the words. Invariant: a word that is refused has a
 * sentence that says why, and an origin that is taken is written as it reads. */
#include "base/url.h"
#include "entra/authority.h"
#include "entra/scope.h"
#include "flow/bearer.h"
#include "httpd/kinds.h"
#include "session/entitle.h"
#include "session/source.h"

#include "fuzz.h"

#define MAX_WORDS 6

/* httpd's, which needs a server: the rest of what kinds.c asks of it is ours. */
AP_DECLARE(char *) ap_server_root_relative(apr_pool_t *pool, const char *file)
{
    return strlen(file) > 4000 ? NULL : apr_pstrcat(pool, "/etc/apache2/", file, NULL);
}

typedef const char *kind_fn(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);

static void check_origin(sso_ctx_t *ctx, const char *text)
{
    const char *why = NULL;
    const sso_origin_t *origin = sso_origin_parse(ctx->pool, text, &why);
    fuzz_check((origin == NULL) == (why != NULL));
    if (origin != NULL) {
        const sso_origin_t *again = sso_origin_parse(ctx->pool, origin->text, &why);
        fuzz_check(again != NULL && strcmp(again->text, origin->text) == 0 && again->port == origin->port);
        fuzz_check(sso_url_same_origin(ctx->pool, text, origin->text) && !sso_has_control(origin->text));
    }
    (void)sso_url_check_outbound(ctx->pool, text, true);
    (void)sso_url_check_local(ctx->pool, text, false);
    (void)sso_tenant_check(text);
}

static void check_source(sso_ctx_t *ctx, const char *text)
{
    const char *driver = NULL;
    const char *params = NULL;
    const char *why = sso_store_source(ctx->pool, text, &driver, &params);
    fuzz_check(why != NULL || (driver != NULL && params != NULL));
    fuzz_check(sso_source_masked(ctx->pool, text) != NULL && sso_source_bounded(ctx->pool, text) != NULL);
}

/* What rules are asked of. */
static void check_rules(sso_ctx_t *ctx, const apr_array_header_t *words)
{
    sso_list_t roles = sso_list_make(ctx->pool, words);
    const sso_record_t record = {.sid = "",
                                 .tid = FUZZ_TENANT,
                                 .oid = FUZZ_OID,
                                 .username = "ada@contoso.example",
                                 .name = "",
                                 .email = "",
                                 .login_hint = "",
                                 .roles = roles};
    for (int kind = SSO_RULE_ROLE; kind <= SSO_RULE_APP; kind++) {
        const sso_rule_t *rule = NULL;
        const char *why = sso_rule_make(ctx->pool, (sso_rule_kind_t)kind, words, NULL, &rule);
        fuzz_check((why == NULL) == (rule != NULL));
        if (rule != NULL && kind != SSO_RULE_APP) {
            (void)sso_rule_holds(rule, &record, &roles);
        }
    }
    const sso_role_map_t *map = NULL;
    const char *why = sso_role_map_make(ctx->pool, "editor", words, &map);
    fuzz_check((why == NULL) == (map != NULL));
    const sso_audiences_t *audiences = NULL;
    why = sso_audiences_make(ctx->pool, words, &audiences);
    fuzz_check((why == NULL) == (audiences != NULL));
}

/* One request names no more than all of them. */
static void check_scopes(sso_ctx_t *ctx, const apr_array_header_t *words)
{
    const char *all = sso_scope_of_all(ctx->pool, words);
    const char *some = sso_scope_of_request(ctx->pool, words);
    fuzz_check(all != NULL && some != NULL && strlen(some) <= strlen(all));
}

FUZZ_TARGET(arguments)
{
    static kind_fn *const kinds[] = {sso_parse_secret,    sso_parse_files,    sso_parse_certificate,
                                     sso_parse_assertion, sso_parse_database, sso_parse_size};
    unsigned which = fuzz_choice(&data, &len, 6);
    const char *argv[MAX_WORDS];
    int argc = 0;
    apr_array_header_t *words = apr_array_make(ctx->pool, MAX_WORDS, sizeof(const char *));
    do {
        argv[argc++] = fuzz_line(ctx, &data, &len);
        APR_ARRAY_PUSH(words, const char *) = argv[argc - 1];
    } while (len > 0 && argc < MAX_WORDS);
    sso_value_t value = {.text = apr_array_pstrcat(ctx->pool, words, ' ')};
    const char *why = kinds[which](ctx->pool, argc, argv, &value);
    fuzz_check(why == NULL || why[0] != '\0');
    check_origin(ctx, argv[0]);
    check_source(ctx, argv[0]);
    check_rules(ctx, words);
    check_scopes(ctx, words);
}
