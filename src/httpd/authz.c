/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of Require: parsed once, when the configuration is read; asked without parsing. */
#include "build_config.h"

#include "httpd/authz.h"

#include <string.h>

#include <http_config.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>

#include <ap_provider.h>
#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "httpd/config.h"
#include "httpd/export.h"
#include "httpd/visit.h"

static bool regex_fits(const void *expression, const char *text)
{
    return ap_regexec((const ap_regex_t *)expression, text, 0, NULL, 0) == 0;
}

static apr_array_header_t *split(apr_pool_t *pool, const char *line)
{
    apr_array_header_t *words = apr_array_make(pool, 4, sizeof(const char *));
    while (*line != '\0') {
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(pool, &line);
    }
    return words;
}

static const char *parse_line(cmd_parms *cmd, const char *line, const void **parsed, sso_rule_kind_t kind)
{
    apr_array_header_t *words = split(cmd->pool, line);
    const sso_rule_t *rule = NULL;
    sso_matcher_t matcher = {regex_fits, NULL};
    bool expression = kind == SSO_RULE_CLAIM && words->nelts == 3 && strcmp(sso_text_at(words, 1), "~") == 0;
    if (expression) {
        matcher.expression = ap_pregcomp(cmd->pool, sso_text_at(words, 2), AP_REG_EXTENDED | AP_REG_NOSUB);
        if (matcher.expression == NULL) {
            return apr_psprintf(cmd->pool, "Require: '%s' is no regular expression", sso_text_at(words, 2));
        }
    }
    const char *wrong = sso_rule_make(cmd->pool, kind, words, expression ? &matcher : NULL, &rule);
    if (wrong != NULL) {
        return apr_psprintf(cmd->pool, "Require %s: %s", line, wrong);
    }
    sso_config_note_rule(cmd->server, rule);
    *parsed = rule;
    return NULL;
}

/* What the log says when all is over and the request was refused. */
static void note_refusal(request_rec *r, sso_visit_t *visit, const char *name, const char *line)
{
    const char *rule = apr_pstrcat(r->pool, name, " ", line, NULL);
    visit->grounds = visit->grounds == NULL ? rule : apr_pstrcat(r->pool, visit->grounds, "; ", rule, NULL);
}

static authz_status check_rule(request_rec *r, const char *name, const char *line, const void *parsed)
{
    sso_visit_t *visit = sso_visit_get(r);
    /* SECURITY: a user whom another module signed in (Basic, say) has none of our session's rights, even when the
     * browser sends our cookie too. */
    if (r->user == NULL || visit == NULL || visit->session != SSO_VISIT_SESSION || r->ap_auth_type == NULL ||
        apr_cstr_casecmp(r->ap_auth_type, "Entra") != 0) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (sso_rule_holds(parsed, &visit->record, sso_export_roles(r, visit))) {
        return AUTHZ_GRANTED;
    }
    note_refusal(r, visit, name, line);
    return AUTHZ_DENIED;
}

/* httpd hands neither the provider's name nor a baton to these, so each kind has its two entries. */
#define PROVIDER(name, text, kind)                                                                                     \
    static const char *parse_##name(cmd_parms *cmd, const char *line, const void **parsed)                             \
    {                                                                                                                  \
        return parse_line(cmd, line, parsed, kind);                                                                    \
    }                                                                                                                  \
    static authz_status check_##name(request_rec *r, const char *line, const void *parsed)                             \
    {                                                                                                                  \
        return check_rule(r, text, line, parsed);                                                                      \
    }                                                                                                                  \
    static const authz_provider provider_##name = {check_##name, parse_##name};

PROVIDER(role, "entra-role", SSO_RULE_ROLE)
PROVIDER(group, "entra-group", SSO_RULE_GROUP)
PROVIDER(claim, "entra-claim", SSO_RULE_CLAIM)
PROVIDER(tenant, "entra-tenant", SSO_RULE_TENANT)
PROVIDER(domain, "entra-domain", SSO_RULE_DOMAIN)

void sso_authz_register(apr_pool_t *pool)
{
    const struct {
        const char *name;
        const authz_provider *provider;
    } providers[] = {
        {"entra-role", &provider_role},     {"entra-group", &provider_group},   {"entra-claim", &provider_claim},
        {"entra-tenant", &provider_tenant}, {"entra-domain", &provider_domain},
    };
    for (apr_size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, providers[i].name, AUTHZ_PROVIDER_VERSION,
                                  providers[i].provider, AP_AUTH_INTERNAL_PER_CONF);
    }
}
