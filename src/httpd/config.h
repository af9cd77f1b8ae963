/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as httpd keeps it: what was written, where, and how sections inherit. All from options.def. */
#pragma once

#include <httpd.h>
#include <http_config.h>

#include "base/result.h"
#include "session/entitle.h"
#include "session/template.h"

typedef enum {
#define SERVER_OPTION(id, directive, kind, least, most, value, help) SSO_SERVER_##id,
#define DIR_OPTION(id, directive, kind, least, most, value, help, override)
#include "httpd/options.def"
#undef SERVER_OPTION
#undef DIR_OPTION
    SSO_SERVER_OPTIONS
} sso_server_option_t;

typedef enum {
#define SERVER_OPTION(id, directive, kind, least, most, value, help)
#define DIR_OPTION(id, directive, kind, least, most, value, help, override) SSO_DIR_##id,
#include "httpd/options.def"
#undef SERVER_OPTION
#undef DIR_OPTION
    SSO_DIR_OPTIONS
} sso_dir_option_t;

/* The value of one option. Which of the last fields counts depends on the option's kind. */
typedef struct {
    bool set;         /* written somewhere; else the default */
    const char *file; /* where */
    int line;
    const server_rec *owner; /* the server in whose section it stands: not this one when inherited */
    const char *text;  /* as written, arguments joined by blanks; "(secret)" for secrets. NULL: not set, no default */
    const char *first; /* first and second argument */
    const char *second;
    apr_interval_time_t span;
    apr_interval_time_t span2;
    apr_off_t size;
    int choice;
    const void *object; /* sso_origin_t, sso_cloud_t, sso_remote_user_t, sso_audiences_t, sso_api_t */
    /* const char *; sso_export_item_t for EntraHeader and EntraEnv; const sso_role_map_t * for EntraRole */
    const apr_array_header_t *items;
} sso_value_t;

typedef struct sso_site_config_t sso_site_config_t;

typedef struct {
    sso_value_t option[SSO_SERVER_OPTIONS];
    apr_array_header_t *claims; /* const char *: named by any template of this server */
    apr_array_header_t *groups; /* const char *: named by any Require entra-group or EntraRole of this server */
    apr_array_header_t *acrs;   /* const char *: named by any Require entra-acr of this server */
    /* const char *: request headers and variables that any EntraHeader, EntraEnv or EntraHeaders sets; '*' at the end
     * stands for any rest */
    apr_array_header_t *names;
    apr_array_header_t *scopes; /* const char *: named by any EntraAccessToken of this server */
    apr_array_header_t *emails; /* const char *: FILE:LINE of the EntraRemoteUser in its sections that hold %{email} */
    sso_site_config_t *site;    /* made after the configuration is read; NULL when this server has no Entra */
    bool used;                  /* AuthType Entra stands somewhere in it */
    bool signs;                 /* EntraSignedIdentity on stands somewhere in it */
    bool takes_tokens;          /* EntraBearer stands somewhere in it */
} sso_server_config_t;

typedef struct {
    sso_value_t option[SSO_DIR_OPTIONS];
} sso_dir_config_t;

/* EntraRemoteUser: template, then an expression that the name must fit, then what it becomes. */
typedef struct {
    const sso_template_t *template;
    const ap_regex_t *regex; /* NULL for none */
    const char *replacement; /* NULL: the first group, or the whole match */
} sso_remote_user_t;

typedef enum { SSO_ENCODING_UTF8, SSO_ENCODING_LATIN1, SSO_ENCODING_PERCENT, SSO_ENCODING_BASE64 } sso_encoding_t;
typedef enum { SSO_HEADERS_DEFAULT, SSO_HEADERS_EASYAUTH, SSO_HEADERS_NONE } sso_header_set_t;

/* One EntraHeader or EntraEnv line. */
typedef struct {
    const char *name;
    const sso_template_t *template;
    sso_encoding_t encoding;
} sso_export_item_t;

void *sso_config_make_server(apr_pool_t *pool, server_rec *server);
void *sso_config_merge_server(apr_pool_t *pool, void *base, void *add);
void *sso_config_make_dir(apr_pool_t *pool, char *dir);
void *sso_config_merge_dir(apr_pool_t *pool, void *base, void *add);

sso_server_config_t *sso_config_server(const server_rec *server);
const sso_dir_config_t *sso_config_dir(const request_rec *r);

/* Notes what a session of server must keep so that rule can be asked. While the configuration is read. */
void sso_config_note_rule(apr_pool_t *pool, server_rec *server, const sso_rule_t *rule);
/* The first claim, group or context that the rule asks for and that no session of server keeps; NULL when all are kept.
 * For a .htaccess, which is read while requests run and can note nothing. */
const char *sso_config_lacks(apr_pool_t *pool, const server_rec *server, const sso_rule_t *rule);

/* True when both are in force, and Entra does not take them together. */
bool sso_hint_clashes(const sso_value_t *prompt, const sso_value_t *login_hint);

/* The one value of a server option, default included. */
const sso_value_t *sso_config_get(const sso_server_config_t *config, sso_server_option_t option);
