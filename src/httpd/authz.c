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
#include "httpd/section.h"
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

/* "NAME ~ EXPRESSION". *ret_matcher stays without an expression for other lines. */
static const char *read_expression(cmd_parms *cmd, const apr_array_header_t *words, sso_matcher_t *ret_matcher)
{
    if (words->nelts < 2 || strcmp(sso_text_at(words, 1), "~") != 0) {
        return NULL;
    }
    if (words->nelts != 3 || *sso_text_at(words, 2) == '\0') {
        return "behind ~ stands one expression; write it in quotes when it has a space";
    }
    ret_matcher->expression = ap_pregcomp(cmd->pool, sso_text_at(words, 2), AP_REG_EXTENDED | AP_REG_NOSUB);
    return ret_matcher->expression != NULL
               ? NULL
               : apr_psprintf(cmd->pool, "'%s' is no regular expression", sso_text_at(words, 2));
}

/* SECURITY: a .htaccess is read by many threads while requests run, long after sessions were made: it can ask only for
 * what the server's configuration has made them keep. */
static const char *keep_for_rule(cmd_parms *cmd, const sso_rule_t *rule)
{
    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS) == NULL) {
        sso_config_note_rule(cmd->pool, cmd->server, rule);
        return NULL;
    }
    const char *lacking = sso_config_lacks(cmd->pool, cmd->server, rule);
    return lacking == NULL ? NULL
                           : apr_psprintf(cmd->pool,
                                          "no session keeps '%s', since only this .htaccess asks for it; write the "
                                          "same line in the server's configuration",
                                          lacking);
}

static const char *parse_line(cmd_parms *cmd, const char *name, const char *line, const void **parsed,
                              sso_rule_kind_t kind)
{
    apr_array_header_t *words = split(cmd->pool, line);
    const sso_rule_t *rule = NULL;
    sso_matcher_t matcher = {regex_fits, NULL};
    const char *wrong = kind == SSO_RULE_CLAIM ? read_expression(cmd, words, &matcher) : NULL;
    if (wrong == NULL) {
        wrong = sso_rule_make(cmd->pool, kind, words, matcher.expression != NULL ? &matcher : NULL, &rule);
    }
    if (wrong == NULL) {
        wrong = keep_for_rule(cmd, rule);
    }
    if (wrong != NULL) {
        return apr_psprintf(cmd->pool, "Require %s %s: %s", name, line, wrong);
    }
    *parsed = rule;
    return NULL;
}

/* What the log says when all is over and the request was refused. */
static void note_rule(request_rec *r, const char **rules, const char *name, const char *line)
{
    const char *rule = apr_pstrcat(r->pool, name, " ", line, NULL);
    *rules = *rules == NULL ? rule : apr_pstrcat(r->pool, *rules, "; ", rule, NULL);
}

/* SECURITY: a user whom another module signed in (Basic, say) has none of our session's rights, even when the browser
 * sends our cookie too. An application has no user's name while it is asked about (httpd/tokens.c). */
static bool is_ours(const request_rec *r, const sso_visit_t *visit)
{
    return visit != NULL && sso_visit_is_known(visit) && r->ap_auth_type != NULL &&
           apr_cstr_casecmp(r->ap_auth_type, "Entra") == 0 &&
           (r->user != NULL || (visit->asking_others && visit->session == SSO_VISIT_BEARER && visit->bearer.app_only));
}

/* The answer hangs on what the directory says of the user. */
static bool hangs_on_directory(request_rec *r, const sso_rule_t *rule)
{
    const apr_array_header_t *maps = sso_config_dir(r)->option[SSO_DIR_ROLE].items;
    apr_array_header_t *claims = apr_array_make(r->pool, 2, sizeof(const char *));
    bool hangs = sso_rule_needs_groups(rule, maps);
    sso_rule_claims(rule, claims);
    /* Of a role, so does what gives it. */
    for (int m = 0; maps != NULL && m < maps->nelts; m++) {
        const apr_array_header_t *rules = APR_ARRAY_IDX(maps, m, const sso_role_map_t *)->rules;
        for (int i = 0; i < rules->nelts; i++) {
            sso_rule_claims(APR_ARRAY_IDX(rules, i, const sso_rule_t *), claims);
        }
    }
    for (int i = 0; !hangs && i < claims->nelts; i++) {
        hangs = strncmp(sso_text_at(claims, i), SSO_DIRECTORY_PREFIX, strlen(SSO_DIRECTORY_PREFIX)) == 0;
    }
    return hangs;
}

static authz_status check_rule(request_rec *r, const char *name, const char *line, const void *parsed)
{
    sso_visit_t *visit = sso_visit_get(r);
    if (!is_ours(r, visit)) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (visit->session == SSO_VISIT_BEARER && visit->bearer.groups_unknown &&
        sso_rule_needs_groups(parsed, sso_config_dir(r)->option[SSO_DIR_ROLE].items)) {
        visit->groups_asked = true;
    }
    if (visit->late && hangs_on_directory(r, parsed)) {
        visit->groups_asked = true;
    }
    const sso_record_t *record = visit->supposed != NULL ? visit->supposed : &visit->record;
    if (sso_rule_holds(parsed, record, sso_export_roles(r, visit))) {
        if (visit->asking_held) {
            note_rule(r, &visit->held, name, line);
        }
        return visit->asking == SSO_ASK_TRUTH ? AUTHZ_GRANTED : AUTHZ_NEUTRAL;
    }
    sso_section_note(r, visit, parsed);
    note_rule(r, &visit->grounds, name, line);
    return AUTHZ_DENIED;
}

static authz_status check_app(request_rec *r, const char *line, const void *parsed)
{
    sso_visit_t *visit = sso_visit_get(r);
    if (!is_ours(r, visit)) {
        return AUTHZ_DENIED_NO_USER;
    }
    /* SECURITY: the application itself, not a user who works with it: his rights are for the other rules. */
    if (visit->session == SSO_VISIT_BEARER && visit->bearer.app_only && visit->asking != SSO_ASK_NOT_APP &&
        sso_rule_names(parsed, visit->bearer.client)) {
        return AUTHZ_GRANTED;
    }
    note_rule(r, &visit->grounds, "entra-app", line);
    return AUTHZ_DENIED;
}

/* httpd hands neither the provider's name nor a baton to these, so each kind has its two entries. */
#define PROVIDER(name, text, kind)                                                                                     \
    static const char *parse_##name(cmd_parms *cmd, const char *line, const void **parsed)                             \
    {                                                                                                                  \
        return parse_line(cmd, text, line, parsed, kind);                                                              \
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
PROVIDER(acr, "entra-acr", SSO_RULE_ACR)

static const char *parse_app(cmd_parms *cmd, const char *line, const void **parsed)
{
    return parse_line(cmd, "entra-app", line, parsed, SSO_RULE_APP);
}
static const authz_provider provider_app = {check_app, parse_app};

void sso_authz_register(apr_pool_t *pool)
{
    const struct {
        const char *name;
        const authz_provider *provider;
    } providers[] = {
        {"entra-role", &provider_role},     {"entra-group", &provider_group},   {"entra-claim", &provider_claim},
        {"entra-tenant", &provider_tenant}, {"entra-domain", &provider_domain}, {"entra-acr", &provider_acr},
        {"entra-app", &provider_app},
    };
    for (apr_size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, providers[i].name, AUTHZ_PROVIDER_VERSION,
                                  providers[i].provider, AP_AUTH_INTERNAL_PER_CONF);
    }
}
