/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out which virtual hosts use Entra, and has each judged. httpd itself says "Syntax OK" to an AuthType that
 * nobody serves; here that is a mistake with a name. */
#include "build_config.h"

#include "httpd/check.h"

#include <string.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "flow/trial.h"
#include "httpd/site.h"
#include "httpd/tree.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* httpd lets a virtual host without any directive of ours share the main server's configuration. Here each gets its
 * own, since what is made of it depends on the ServerName. */
static void unshare_configs(apr_pool_t *pconf, server_rec *main_server)
{
    const sso_server_config_t *shared = sso_config_server(main_server);
    for (server_rec *s = main_server->next; s != NULL; s = s->next) {
        if (sso_config_server(s) == shared) {
            ap_set_module_config(s->module_config, &entra_sso_module, apr_pmemdup(pconf, shared, sizeof(*shared)));
        }
    }
}

/* The directive stands with this first word (NULL: any that asks for something, as "Require all granted" does not)
 * where it can meet what stands in host: in it, or outside of all virtual hosts. */
static bool meets(apr_pool_t *pool, const server_rec *host, const server_rec *main_server, const char *name,
                  const char *word)
{
    for (const ap_directive_t *at = ap_conftree; at != NULL; at = sso_tree_next(at)) {
        const char *args = at->args;
        if (apr_cstr_casecmp(at->directive, name) != 0) {
            continue;
        }
        const char *first = ap_getword_conf(pool, &args);
        if (word == NULL ? apr_cstr_casecmp(first, "all") == 0 : apr_cstr_casecmp(first, word) != 0) {
            continue;
        }
        const server_rec *other = sso_tree_server(at, main_server);
        if (host == NULL || other == NULL || other == host) {
            return true;
        }
    }
    return false;
}

/* Lines that do nothing, because another is missing. It may stand in another section of the same host. */
static void warn_alone(apr_pool_t *pool, const ap_directive_t *at, const server_rec *main_server)
{
    const server_rec *host = sso_tree_server(at, main_server);
    const char *args = at->args;
    /* AuthType alone protects nothing in httpd; only Require does. */
    if (sso_tree_is_entra(pool, at) && !meets(pool, host, main_server, "Require", NULL)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA4032: AuthType Entra without a Require protects nothing (%s:%d); "
                     "write \"Require valid-user\" beside it",
                     at->filename, at->line_num);
    }
    if (apr_cstr_casecmp(at->directive, "EntraBearer") == 0 && !meets(pool, host, main_server, "AuthType", "Entra")) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA4050: EntraBearer without AuthType Entra is not looked at (%s:%d); write \"AuthType Entra\" "
                     "and a Require beside it",
                     at->filename, at->line_num);
    }
    if (apr_cstr_casecmp(at->directive, "EntraAccessToken") == 0 &&
        !meets(pool, host, main_server, "AuthType", "Entra")) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA4068: EntraAccessToken without AuthType Entra is not looked at (%s:%d); write \"AuthType "
                     "Entra\" and a Require beside it",
                     at->filename, at->line_num);
    }
    if (apr_cstr_casecmp(at->directive, "Require") == 0 &&
        apr_cstr_casecmp(ap_getword_conf(pool, &args), "entra-app") == 0 &&
        !meets(pool, host, main_server, "EntraBearer", NULL)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA4051: Require entra-app lets nobody in without EntraBearer (%s:%d); write "
                     "\"EntraBearer <audience of the API>\" beside it",
                     at->filename, at->line_num);
    }
}

static void find_uses(apr_pool_t *pool, server_rec *main_server)
{
    for (const ap_directive_t *at = ap_conftree; at != NULL; at = sso_tree_next(at)) {
        warn_alone(pool, at, main_server);
        if (!sso_tree_is_entra(pool, at)) {
            continue;
        }
        const server_rec *only = sso_tree_server(at, main_server);
        for (server_rec *s = main_server; s != NULL; s = s->next) {
            if (only == NULL || only == s) {
                sso_config_server(s)->used = true;
            }
        }
    }
}

/* A server must be right when it protects something, or when its own section says something of Entra. */
static bool must_be_right(const server_rec *s)
{
    const sso_server_config_t *config = sso_config_server(s);
    bool own = false;
    for (int i = 0; i < SSO_SERVER_OPTIONS; i++) {
        own = own || (config->option[i].set && config->option[i].owner == s && s->is_virtual);
    }
    return config->used || own;
}

/* SECURITY: header fields behind a request's body join the headers after ours were cleaned. */
static bool merges_trailers(const server_rec *s, apr_pool_t *pool)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);
    if (core->merge_trailers != AP_MERGE_TRAILERS_ENABLE) {
        return false;
    }
    ap_log_error(
        APLOG_MARK, APLOG_EMERG, 0, s,
        "ENTRA4017: MergeTrailers is on, so that header fields behind a request's body could name a user; write "
        "\"MergeTrailers off\" [in %s]",
        sso_site_where(pool, s));
    return true;
}

/* The section around a directive is <Location "path">. */
static bool is_in_location(apr_pool_t *pool, const ap_directive_t *directive, const char *path)
{
    for (const ap_directive_t *at = directive->parent; at != NULL; at = at->parent) {
        const char *args = at->args;
        if (apr_cstr_casecmp(at->directive, "<Location") != 0) {
            continue;
        }
        char *word = apr_pstrdup(pool, ap_getword_conf(pool, &args));
        apr_size_t len = strlen(word);
        if (len > 0 && word[len - 1] == '>') {
            word[len - 1] = '\0';
        }
        if (strcmp(word, path) == 0) {
            return true;
        }
    }
    return false;
}

/* SECURITY: the page shows how the application is set up. A Require that covers it by chance, since it covers
 * everything, is of all users. */
static bool opens_test_page(const server_rec *s, const server_rec *main_server, apr_pool_t *pool)
{
    const sso_site_t *site = &sso_config_server(s)->site->site;
    const char *path = apr_pstrcat(pool, site->path, "/" SSO_TRIAL_PATH, NULL);
    bool found = !site->trials;
    for (const ap_directive_t *at = ap_conftree; !found && at != NULL; at = sso_tree_next(at)) {
        const server_rec *other = sso_tree_server(at, main_server);
        const char *args = at->args;
        found = apr_cstr_casecmp(at->directive, "Require") == 0 && (other == NULL || other == s) &&
                apr_cstr_casecmp(ap_getword_conf(pool, &args), "all") != 0 && is_in_location(pool, at, path);
    }
    if (!found) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                     "ENTRA2144: EntraTestPage on needs a Require of its own, since the page is for administrators "
                     "alone; write <Location \"%s\"> with \"AuthType Entra\" and \"Require user ...\" or \"Require "
                     "entra-role ...\" [in %s]",
                     path, sso_site_where(pool, s));
    }
    return !found;
}

static bool says_anything(const server_rec *s)
{
    const sso_server_config_t *config = sso_config_server(s);
    return config->option[SSO_SERVER_TENANT].set || config->option[SSO_SERVER_CLIENT_ID].set;
}

int sso_config_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    int faults = 0;
    bool any = false;
    sso_ctx_t ctx;
    (void)plog;
    sso_ctx_init(&ctx, ptemp, sso_clock_now());
    if (sso_crypto_init(&ctx, pconf) != SSO_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main_server,
                     "ENTRA4030: OpenSSL has no AES-256-GCM or SHA-256; check its "
                     "installation");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    unshare_configs(pconf, main_server);
    find_uses(ptemp, main_server);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        bool must = must_be_right(s);
        if (must || says_anything(s)) {
            int found = sso_site_prepare(pconf, s, !must);
            faults += must ? found : 0;
            /* A .htaccess may make use of what is right by chance, so it is judged as well. */
            bool usable = sso_config_server(s)->site != NULL;
            faults += (must || usable) && merges_trailers(s, ptemp) ? 1 : 0;
            faults += usable && opens_test_page(s, main_server, ptemp) ? 1 : 0;
            any = any || usable;
        }
    }
    if (any && ap_find_linked_module("mod_watchdog.c") == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main_server,
                     "ENTRA4031: mod_watchdog is not loaded, which refreshes Entra's keys; "
                     "write \"LoadModule watchdog_module modules/mod_watchdog.so\"");
        faults++;
    }
    return faults == 0 ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
