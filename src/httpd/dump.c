/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what counts in each virtual host, with the place where it was written. SECURITY: no secret passes here; of a
 * secret only its source is told. */
#include "build_config.h"

#include "httpd/dump.h"

#include <string.h>

#include <http_config.h>
#include <http_core.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "entra/authority.h"
#include "flow/directory.h"
#include "flow/groups.h"
#include "httpd/directives.h"
#include "httpd/site.h"
#include "httpd/storage.h"
#include "httpd/tree.h"

extern module entra_sso_module;

static const sso_value_t *option_of(const server_rec *server, sso_server_option_t option)
{
    return &sso_config_server(server)->option[option];
}

static const char *place_of(apr_pool_t *pool, const server_rec *server)
{
    return apr_psprintf(pool, "%s:%u", server->defn_name == NULL ? "main server" : server->defn_name,
                        server->defn_line_number);
}

/* ---- the credential: where it is, never what it is ---- */

typedef struct {
    const char *kind;   /* "secret", "certificate", "file" (an assertion's), "managed-identity" */
    const char *source; /* of a secret: as in EntraClientSecret, or "literal" */
    const char *path;   /* of a file */
    const char *key_path;
    const char *identity; /* client id of a managed identity */
} credential_t;

static const char *const SOURCES[] = {"file:", "exec:", "env:", "credential:"};

static const char *secret_source(apr_pool_t *pool, const char *text)
{
    if (strncmp(text, "file:", 5) == 0) {
        return apr_pstrcat(pool, "file:", ap_server_root_relative(pool, text + 5), NULL);
    }
    for (size_t i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++) {
        if (strncmp(text, SOURCES[i], strlen(SOURCES[i])) == 0) {
            return text;
        }
    }
    return "literal";
}

static credential_t credential_of(apr_pool_t *pool, const server_rec *server)
{
    const sso_value_t *secret = option_of(server, SSO_SERVER_CLIENT_SECRET);
    const sso_value_t *certificate = option_of(server, SSO_SERVER_CLIENT_CERTIFICATE);
    const sso_value_t *assertion = option_of(server, SSO_SERVER_CLIENT_ASSERTION);
    if (secret->set) {
        return (credential_t){.kind = "secret",
                              .source = secret_source(pool, secret->first),
                              .path = sso_config_server(server)->site->source.path};
    }
    if (certificate->set) {
        return (credential_t){.kind = "certificate", .path = certificate->first, .key_path = certificate->second};
    }
    if (strcmp(assertion->first, "managed-identity") == 0) {
        return (credential_t){.kind = "managed-identity", .identity = assertion->second};
    }
    return (credential_t){
        .kind = "file", .source = assertion->first, .path = sso_config_server(server)->site->source.assertion};
}

/* SECURITY: a command may have a password among its arguments; people are shown the program alone. */
static const char *source_shown(apr_pool_t *pool, const char *source)
{
    const char *blank = strncmp(source, "exec:", 5) == 0 ? strchr(source + 5, ' ') : NULL;
    return blank == NULL ? source
                         : apr_pstrcat(pool, apr_pstrmemdup(pool, source, (apr_size_t)(blank - source)), " ...", NULL);
}

static const char *credential_shown(apr_pool_t *pool, const credential_t *credential)
{
    if (strcmp(credential->kind, "secret") == 0) {
        return strcmp(credential->source, "literal") == 0
                   ? "secret, written into the configuration itself"
                   : apr_pstrcat(pool, "secret from ", source_shown(pool, credential->source), NULL);
    }
    if (strcmp(credential->kind, "certificate") == 0) {
        return apr_pstrcat(pool, "certificate ", credential->path, credential->key_path == NULL ? "" : ", key ",
                           credential->key_path == NULL ? "" : credential->key_path, NULL);
    }
    if (strcmp(credential->kind, "managed-identity") == 0) {
        return apr_pstrcat(pool, "managed identity ",
                           credential->identity == NULL ? "(the machine's choice)" : credential->identity, NULL);
    }
    return apr_pstrcat(pool, "assertion from ", credential->path, NULL);
}

/* ---- for people ---- */

static void row_print(apr_file_t *out, const char *name, const char *text)
{
    apr_file_printf(out, "  %-24s %s\n", name, text);
}

static void list_print(apr_file_t *out, apr_pool_t *pool, const char *name, const apr_array_header_t *texts)
{
    const char *all = "";
    for (int i = 0; texts != NULL && i < texts->nelts; i++) {
        all = apr_pstrcat(pool, all, i == 0 ? "" : ", ", sso_text_at(texts, i), NULL);
    }
    row_print(out, name, *all == '\0' ? "none" : all);
}

static void option_print(apr_file_t *out, const char *directive, const sso_value_t *value)
{
    apr_file_printf(out, "  %-24s %-40s ", directive, value->text == NULL ? "(not set)" : value->text);
    if (value->set) {
        apr_file_printf(out, "%s:%d\n", value->file, value->line);
    } else {
        apr_file_printf(out, "default\n");
    }
}

/* A section in which AuthType Entra stands, with what decides there. */
static void section_print(apr_file_t *out, const ap_directive_t *use)
{
    const ap_directive_t *section = use->parent;
    if (section == NULL) {
        apr_file_printf(out, "  %-24s everything (%s:%d)\n", "protected", use->filename, use->line_num);
        return;
    }
    apr_file_printf(out, "  %-24s %s %s (%s:%d)\n", "protected", section->directive, section->args, section->filename,
                    section->line_num);
    for (const ap_directive_t *at = section->first_child; at != NULL; at = at->next) {
        if (apr_cstr_casecmpn(at->directive, "Entra", 5) == 0 || apr_cstr_casecmp(at->directive, "Require") == 0 ||
            apr_cstr_casecmpn(at->directive, "<Require", 8) == 0) {
            apr_file_printf(out, "  %-24s   %s %s\n", "", at->directive, at->args);
        }
    }
}

static void sections_print(apr_file_t *out, apr_pool_t *pool, const server_rec *server, const server_rec *main_server)
{
    bool any = false;
    for (const ap_directive_t *at = ap_conftree; at != NULL; at = sso_tree_next(at)) {
        const server_rec *host = sso_tree_is_entra(pool, at) ? sso_tree_server(at, main_server) : NULL;
        if (sso_tree_is_entra(pool, at) && (host == NULL || host == server)) {
            section_print(out, at);
            any = true;
        }
    }
    if (!any) {
        row_print(out, "protected", "nothing here; a .htaccess may say AuthType Entra");
    }
}

static void derived_print(apr_file_t *out, apr_pool_t *pool, const server_rec *server)
{
    const sso_site_config_t *config = sso_config_server(server)->site;
    const sso_site_t *site = &config->site;
    const char *base = apr_pstrcat(pool, site->origin->text, site->path, NULL);
    credential_t credential = credential_of(pool, server);
    row_print(out, "redirect URI", site->redirect_uri);
    row_print(out, "front-channel logout", apr_pstrcat(pool, base, "/frontchannel-logout", NULL));
    row_print(out, "authority",
              apr_pstrcat(pool, config->authority.login_url, "/", config->authority.tenant, "/v2.0", NULL));
    row_print(out, "Graph", site->graph_url);
    row_print(out, "credential", credential_shown(pool, &credential));
    row_print(out, "scopes", site->authorize_scope);
    list_print(out, pool, "groups named", config->groups.referenced);
    list_print(out, pool, "contexts named", site->acrs);
    list_print(out, pool, "claims kept", site->claims);
    row_print(out, "SCIM", site->scim == NULL ? "off" : site->scim->base);
    row_print(out, "key file", config->key_file);
    row_print(out, "database", sso_source_masked(pool, config->database.source));
}

static void dump_server(apr_file_t *out, apr_pool_t *pool, const server_rec *server, const server_rec *main_server)
{
    const sso_server_config_t *config = sso_config_server(server);
    if (config->site == NULL) {
        return;
    }
    apr_file_printf(out, "VirtualHost %s (%s)\n", config->site->site.origin->text, place_of(pool, server));
    derived_print(out, pool, server);
    for (int i = 0; i < SSO_SERVER_OPTIONS; i++) {
        option_print(out, sso_server_directive((sso_server_option_t)i), &config->option[i]);
    }
    /* What holds where no section says otherwise. */
    const sso_dir_config_t *dir = ap_get_module_config(server->lookup_defaults, &entra_sso_module);
    for (int i = 0; dir != NULL && i < SSO_DIR_OPTIONS; i++) {
        option_print(out, sso_dir_directive((sso_dir_option_t)i), &dir->option[i]);
    }
    sections_print(out, pool, server, main_server);
}

/* ---- for the command entra-sso ---- */

static void list_write(sso_json_writer_t *object, const char *name, const apr_array_header_t *texts)
{
    sso_json_set_list(object, name, texts == NULL ? NULL : (const char *const *)(const void *)texts->elts,
                      texts == NULL ? 0 : (apr_size_t)texts->nelts);
}

static void credential_write(sso_json_writer_t *object, apr_pool_t *pool, const server_rec *server)
{
    const sso_cloud_t *cloud = option_of(server, SSO_SERVER_CLOUD)->object;
    credential_t credential = credential_of(pool, server);
    sso_json_writer_t *member = sso_json_set_object(object, "credential");
    sso_json_set_text(member, "kind", credential.kind);
    sso_json_set_text(member, "source", credential.source);
    sso_json_set_text(member, "path", credential.path);
    sso_json_set_text(member, "key", credential.key_path);
    sso_json_set_text(member, "identity", credential.identity);
    sso_json_set_text(member, "audience", cloud->exchange_audience);
    sso_json_set_bool(member, "rs256", option_of(server, SSO_SERVER_CLIENT_CERTIFICATE)->choice == SSO_SIGN_RS256);
}

static void entra_write(sso_json_writer_t *object, const sso_site_config_t *config)
{
    const sso_site_t *site = &config->site;
    sso_json_set_text(object, "login_url", config->authority.login_url);
    sso_json_set_text(object, "tenant", config->authority.tenant);
    list_write(object, "allowed_tenants", site->allowed_tenants);
    sso_json_set_bool(object, "any_tenant", site->any_tenant);
    sso_json_set_text(object, "graph_url", site->graph_url);
    sso_json_set_text(object, "client_id", site->client_id);
    sso_json_set_text(object, "scopes", site->authorize_scope);
    sso_json_set_text(object, "trusted_ca", config->policy.ca_file);
    sso_json_set_text(object, "proxy", config->policy.proxy);
    sso_json_set_integer(object, "connect_ms", apr_time_as_msec(config->policy.connect_timeout));
    sso_json_set_integer(object, "total_ms", apr_time_as_msec(config->policy.total_timeout));
    sso_json_set_integer(object, "skew_s", apr_time_sec(site->skew));
    sso_json_set_bool(object, "continuous", site->continuous);
    sso_json_set_integer(object, "watch_s", apr_time_sec(site->watch));
}

static void people_write(sso_json_writer_t *object, const server_rec *server)
{
    const sso_server_config_t *config = sso_config_server(server);
    const sso_site_config_t *site = config->site;
    list_write(object, "groups", site->groups.referenced);
    sso_json_set_bool(object, "groups_all", site->groups.all);
    sso_json_set_bool(object, "groups_of_scim", site->groups.elsewhere);
    sso_json_set_text(object, "overage", option_of(server, SSO_SERVER_GROUP_OVERAGE)->text);
    list_write(object, "claims", site->site.claims);
    list_write(object, "contexts", site->site.acrs);
    sso_json_set_bool(object, "bearer", config->takes_tokens);
    sso_json_set_bool(object, "protects", config->used);
    sso_json_set_bool(object, "scim", site->site.scim != NULL);
    sso_json_set_text(object, "scim_url", site->site.scim == NULL ? NULL : site->site.scim->base);
    sso_json_set_bool(object, "scim_by_name", site->directory.match == SSO_MATCH_UPN);
    sso_json_set_bool(object, "scim_required", site->directory.required);
    sso_json_set_text(object, "scim_federated", site->directory.federated);
}

static void describe_server(apr_file_t *out, apr_pool_t *pool, const server_rec *server)
{
    const sso_site_config_t *config = sso_config_server(server)->site;
    const sso_site_t *site = &config->site;
    sso_json_writer_t *object = sso_json_object_make(pool);
    sso_json_set_text(object, "app", site->app);
    sso_json_set_text(object, "place", place_of(pool, server));
    sso_json_set_text(object, "origin", site->origin->text);
    sso_json_set_text(object, "path", site->path);
    sso_json_set_text(object, "redirect_uri", site->redirect_uri);
    sso_json_set_text(object, "cookie_domain", option_of(server, SSO_SERVER_COOKIE_DOMAIN)->first);
    sso_json_set_text(object, "state_directory", option_of(server, SSO_SERVER_STATE_DIRECTORY)->first);
    sso_json_set_text(object, "key_file", config->key_file);
    sso_json_set_text(object, "database", sso_source_masked(pool, config->database.source));
    sso_json_set_text(object, "user", sso_storage_user());
    entra_write(object, config);
    credential_write(object, pool, server);
    people_write(object, server);
    apr_file_printf(out, "entra-description\t%s\n", sso_json_print(pool, object));
}

/* The command does what the administrator says with the same database, so its password is not masked. Whoever can run
 * this can read the configuration. */
static void dump_for_command(apr_file_t *out, apr_pool_t *pool, const server_rec *server)
{
    const sso_site_config_t *site = sso_config_server(server)->site;
    if (site != NULL) {
        /* A pipe is nothing that the command could write to. */
        const char *audit = site->audit_name != NULL && *site->audit_name != '|' ? site->audit_name : NULL;
        apr_file_printf(out, "entra-database\t%s\nentra-keys\t%s\n%s%s%sentra-application\t%s\t%s\n",
                        site->database.source, site->key_file, audit == NULL ? "" : "entra-audit\t",
                        audit == NULL ? "" : audit, audit == NULL ? "" : "\n", site->site.app, site->site.origin->text);
        describe_server(out, pool, server);
    }
}

void sso_config_dump(apr_pool_t *pconf, server_rec *main_server)
{
    apr_file_t *out = NULL;
    bool command = ap_exists_config_define("DUMP_ENTRA_DATABASE");
    if ((!command && !ap_exists_config_define("DUMP_ENTRA")) || apr_file_open_stdout(&out, pconf) != APR_SUCCESS) {
        return;
    }
    for (const server_rec *server = main_server; server != NULL; server = server->next) {
        command ? dump_for_command(out, pconf, server) : dump_server(out, pconf, server, main_server);
    }
}
