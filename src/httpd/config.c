/* SPDX-License-Identifier: Apache-2.0 */
/* Creation and inheritance of the configuration: loops over the option table, no list of names of its own. */
#include "build_config.h"

#include "httpd/config.h"

#include <string.h>

#include <http_core.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "httpd/directives.h"

extern module entra_sso_module;

void *sso_config_make_server(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    sso_server_config_t *config = apr_pcalloc(pool, sizeof(*config));
    config->claims = apr_array_make(pool, 4, sizeof(const char *));
    /* SECURITY: who is a guest must be known of every session, also of one that is older than the first rule to ask. */
    APR_ARRAY_PUSH(config->claims, const char *) = "idp";
    APR_ARRAY_PUSH(config->claims, const char *) = "acct";
    config->groups = apr_array_make(pool, 4, sizeof(const char *));
    config->acrs = apr_array_make(pool, 4, sizeof(const char *));
    config->names = apr_array_make(pool, 4, sizeof(const char *));
    config->scopes = apr_array_make(pool, 4, sizeof(const char *));
    config->emails = apr_array_make(pool, 4, sizeof(const char *));
    sso_defaults_server(pool, config->option);
    return config;
}

static bool has_text(const apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (strcmp(sso_text_at(texts, i), text) == 0) {
            return true;
        }
    }
    return false;
}

/* What both name is named once: a session keeps it once, and Graph is asked about it once. */
static apr_array_header_t *join_texts(apr_pool_t *pool, const apr_array_header_t *outer,
                                      const apr_array_header_t *inner)
{
    apr_array_header_t *texts = apr_array_copy(pool, outer);
    for (int i = 0; i < inner->nelts; i++) {
        if (!has_text(texts, sso_text_at(inner, i))) {
            APR_ARRAY_PUSH(texts, const char *) = sso_text_at(inner, i);
        }
    }
    return texts;
}

static bool is_credential(int option)
{
    return option == SSO_SERVER_CLIENT_SECRET || option == SSO_SERVER_CLIENT_CERTIFICATE ||
           option == SSO_SERVER_CLIENT_ASSERTION;
}

void *sso_config_merge_server(apr_pool_t *pool, void *base, void *add)
{
    const sso_server_config_t *outer = base;
    const sso_server_config_t *inner = add;
    sso_server_config_t *config = apr_pcalloc(pool, sizeof(*config));
    /* A virtual host with a credential of its own means this one and no other kind beside it. */
    bool own_credential = inner->option[SSO_SERVER_CLIENT_SECRET].set ||
                          inner->option[SSO_SERVER_CLIENT_CERTIFICATE].set ||
                          inner->option[SSO_SERVER_CLIENT_ASSERTION].set;
    for (int i = 0; i < SSO_SERVER_OPTIONS; i++) {
        bool take_inner = inner->option[i].set || (own_credential && is_credential(i));
        config->option[i] = take_inner ? inner->option[i] : outer->option[i];
    }
    config->claims = join_texts(pool, outer->claims, inner->claims);
    config->groups = join_texts(pool, outer->groups, inner->groups);
    config->acrs = join_texts(pool, outer->acrs, inner->acrs);
    config->names = join_texts(pool, outer->names, inner->names);
    config->scopes = join_texts(pool, outer->scopes, inner->scopes);
    config->emails = join_texts(pool, outer->emails, inner->emails);
    config->signs = outer->signs || inner->signs;
    config->takes_tokens = outer->takes_tokens || inner->takes_tokens;
    return config;
}

void *sso_config_make_dir(apr_pool_t *pool, char *dir)
{
    (void)dir;
    sso_dir_config_t *config = apr_pcalloc(pool, sizeof(*config));
    sso_defaults_dir(pool, config->option);
    return config;
}

bool sso_hint_clashes(const sso_value_t *prompt, const sso_value_t *login_hint)
{
    return prompt->first != NULL && strcmp(prompt->first, "select_account") == 0 && login_hint->first != NULL;
}

/* An outer section's hint does not outlive an inner section's wish for a choice of accounts, nor the other way round.
 */
static void drop_clash(sso_dir_config_t *config, const sso_dir_config_t *inner)
{
    if (sso_hint_clashes(&config->option[SSO_DIR_PROMPT], &config->option[SSO_DIR_LOGIN_HINT])) {
        int outer = inner->option[SSO_DIR_PROMPT].set ? SSO_DIR_LOGIN_HINT : SSO_DIR_PROMPT;
        config->option[outer].first = NULL;
    }
}

void *sso_config_merge_dir(apr_pool_t *pool, void *base, void *add)
{
    const sso_dir_config_t *outer = base;
    const sso_dir_config_t *inner = add;
    sso_dir_config_t *config = apr_pmemdup(pool, inner, sizeof(*config));
    for (int i = 0; i < SSO_DIR_OPTIONS; i++) {
        if (!inner->option[i].set) {
            config->option[i] = outer->option[i];
        } else if (i == SSO_DIR_HEADER || i == SSO_DIR_ENV || i == SSO_DIR_ROLE) {
            /* These add to what the outer section sets; of one name the inner line comes later and counts. */
            if (outer->option[i].set) {
                config->option[i].items = apr_array_append(pool, outer->option[i].items, inner->option[i].items);
            }
        }
    }
    drop_clash(config, inner);
    return config;
}

sso_server_config_t *sso_config_server(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &entra_sso_module);
}

const sso_dir_config_t *sso_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &entra_sso_module);
}

const sso_value_t *sso_config_get(const sso_server_config_t *config, sso_server_option_t option)
{
    return &config->option[option];
}

void sso_config_note_rule(apr_pool_t *pool, server_rec *server, const sso_rule_t *rule)
{
    sso_server_config_t *config = sso_config_server(server);
    if (config == NULL) {
        /* A Require line is of another module, so httpd has made nothing of ours for a virtual host without directives
         * of ours. */
        config = sso_config_make_server(pool, server);
        ap_set_module_config(server->module_config, &entra_sso_module, config);
    }
    sso_rule_claims(rule, config->claims);
    sso_rule_groups(rule, config->groups);
    sso_rule_acrs(rule, config->acrs);
}

static const char *first_without(const apr_array_header_t *asked, const apr_array_header_t *kept)
{
    for (int i = 0; i < asked->nelts; i++) {
        if (!has_text(kept, sso_text_at(asked, i))) {
            return sso_text_at(asked, i);
        }
    }
    return NULL;
}

const char *sso_config_lacks(apr_pool_t *pool, const server_rec *server, const sso_rule_t *rule)
{
    const sso_server_config_t *config = sso_config_server(server);
    const struct {
        void (*of)(const sso_rule_t *rule, apr_array_header_t *names);
        const apr_array_header_t *kept;
    } kinds[] = {{sso_rule_claims, config->claims}, {sso_rule_groups, config->groups}, {sso_rule_acrs, config->acrs}};
    const char *lacking = NULL;
    for (apr_size_t i = 0; lacking == NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        apr_array_header_t *asked = apr_array_make(pool, 2, sizeof(const char *));
        kinds[i].of(rule, asked);
        lacking = first_without(asked, kinds[i].kept);
    }
    return lacking;
}
