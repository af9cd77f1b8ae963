/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a directive to its value. Checks that need more than one value are in site.c. */
#include "build_config.h"

#include "httpd/directives.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/url.h"
#include "entra/authority.h"
#include "flow/access.h"
#include "flow/apitoken.h"
#include "httpd/kinds.h"
#include "httpd/scrub.h"
#include "httpd/words.h"
#include "session/record.h"

/* No sign-in at Entra lasts longer, and the sum of it and any moment is still a moment. */
#define MAX_AUTH_AGE apr_time_from_sec(365 * 24 * 60 * 60)

#define parse_TENANTS sso_words_tenants
#define parse_SCOPES sso_words_scopes
#define parse_AUDIENCES sso_words_audiences
#define parse_FEDERATED sso_words_federated
#define parse_GROUP_SOURCE sso_words_group_source
#define parse_MATCH sso_words_match
#define parse_API sso_words_api

/* A parser reads the arguments into value and gives NULL, or says what is wrong (after "EntraX: "). */
typedef const char *parser_t(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);

/* Of httpd/kinds.c, under the names that the table makes. */
#define parse_SECRET sso_parse_secret
#define parse_FILES sso_parse_files
#define parse_CERTIFICATE sso_parse_certificate
#define parse_ASSERTION sso_parse_assertion
#define parse_DATABASE sso_parse_database
#define parse_SIZE sso_parse_size
#define parse_AUDIT sso_parse_audit

static const char *parse_TEXT(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)pool, (void)argc, (void)value;
    return *argv[0] == '\0' || sso_has_control(argv[0]) ? "the text is empty or holds a control character" : NULL;
}

static const char *parse_TENANT(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    char *lower = apr_pstrdup(pool, argv[0]);
    ap_str_tolower(lower);
    value->first = lower;
    return sso_tenant_check(lower);
}

static const char *parse_CLOUD(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    value->object = sso_cloud_find(argv[0]);
    return value->object != NULL ? NULL : apr_psprintf(pool, "'%s' is no cloud; write global, usgov or china", argv[0]);
}

static const char *parse_URL(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    char *url = apr_pstrdup(pool, argv[0]);
    apr_size_t len = strlen(url);
    if (len > 0 && url[len - 1] == '/') {
        url[len - 1] = '\0';
    }
    value->first = url;
    return sso_url_check_outbound(pool, url, false);
}

static const char *parse_GUID(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    char *lower = apr_pstrdup(pool, argv[0]);
    ap_str_tolower(lower);
    value->first = lower;
    return sso_is_guid(lower) ? NULL
                              : apr_psprintf(pool,
                                             "'%s' is no GUID; copy \"Application (client) ID\" from the "
                                             "app registration's overview",
                                             argv[0]);
}

static const char *parse_ORIGIN(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    const char *why = NULL;
    value->object = sso_origin_parse(pool, argv[0], &why);
    return value->object != NULL ? NULL : apr_psprintf(pool, "'%s': %s", argv[0], why);
}

static const char *parse_PATH(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    const char *path = argv[0];
    apr_size_t len = strlen(path);
    bool good = len >= 2 && len <= 100 && path[0] == '/' && path[len - 1] != '/' && strstr(path, "//") == NULL &&
                strstr(path, "/..") == NULL && strstr(path, "/./") == NULL;
    for (const char *p = path; good && *p != '\0'; p++) {
        good = apr_isalnum(*p) || strchr("/._-", *p) != NULL;
    }
    value->first = path;
    return good ? NULL
                : apr_psprintf(pool,
                               "'%s' is no usable path; write one like /.entra: a leading slash, no trailing "
                               "one, letters, digits, '.', '_' and '-'",
                               path);
}

static const char *parse_PROXY(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    const char *why = NULL;
    if (apr_cstr_casecmp(argv[0], "none") == 0) {
        value->first = NULL;
        return NULL;
    }
    const sso_origin_t *origin = sso_origin_parse(pool, argv[0], &why);
    if (origin == NULL || strcmp(origin->scheme, "http") != 0) {
        return apr_psprintf(pool, "'%s' is no proxy; write http://host:port, or none", argv[0]);
    }
    value->first = apr_psprintf(pool, "http://%s%s%s:%d", strchr(origin->host, ':') ? "[" : "", origin->host,
                                strchr(origin->host, ':') ? "]" : "", origin->port);
    return NULL;
}

static const char *parse_span(apr_pool_t *pool, const char *text, apr_interval_time_t *ret_span)
{
    const char *wrong = sso_duration_parse(text, ret_span);
    return wrong == NULL ? NULL
                         : apr_psprintf(pool, "'%s' is no duration (%s); write one like 30s, 5m or 8h", text, wrong);
}

static const char *parse_DURATION(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    if (apr_cstr_casecmp(argv[0], "off") == 0) {
        value->choice = 1;
        value->span = 0;
        return NULL;
    }
    return parse_span(pool, argv[0], &value->span);
}

static const char *parse_TIMEOUTS(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    const char *wrong = parse_span(pool, argv[0], &value->span);
    if (wrong == NULL) {
        wrong = parse_span(pool, argv[1], &value->span2);
    }
    if (wrong == NULL &&
        (value->span < apr_time_from_msec(100) || value->span2 < value->span || value->span2 > apr_time_from_sec(60))) {
        wrong = "the time to connect is at least 100ms, the total at least that and at most 60s";
    }
    return wrong;
}

static const char *parse_DOMAIN(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    char *domain = apr_pstrdup(pool, argv[0][0] == '.' ? argv[0] + 1 : argv[0]);
    ap_str_tolower(domain);
    bool good = strchr(domain, '.') != NULL && strstr(domain, "..") == NULL && apr_isalnum(domain[0]) &&
                apr_isalpha(domain[strlen(domain) - 1]);
    for (const char *p = domain; good && *p != '\0'; p++) {
        good = apr_isalnum(*p) || *p == '-' || *p == '.';
    }
    value->first = domain;
    return good ? NULL : apr_psprintf(pool, "'%s' is no parent domain; write one like example.com", argv[0]);
}

static const char *parse_TEMPLATE(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    sso_remote_user_t *user = apr_pcalloc(pool, sizeof(*user));
    const char *wrong = sso_template_parse(pool, argv[0], &user->template);
    if (wrong != NULL) {
        return wrong;
    }
    if (argc > 1) {
        user->regex = ap_pregcomp(pool, argv[1], AP_REG_EXTENDED);
        if (user->regex == NULL) {
            return apr_psprintf(pool, "'%s' is no regular expression", argv[1]);
        }
    }
    user->replacement = argc > 2 ? argv[2] : NULL;
    value->object = user;
    return NULL;
}

static const char *parse_choice(apr_pool_t *pool, const char *text, const char *const words[], int *ret_choice)
{
    const char *all = "";
    for (int i = 0; words[i] != NULL; i++) {
        if (apr_cstr_casecmp(words[i], text) == 0) {
            *ret_choice = i;
            return NULL;
        }
        all = apr_pstrcat(pool, all, i == 0 ? "" : ", ", words[i], NULL);
    }
    return apr_psprintf(pool, "'%s' is unknown; write one of %s", text, all);
}

static const char *parse_FLAG(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"off", "on", NULL};
    (void)argc;
    return parse_choice(pool, argv[0], WORDS, &value->choice);
}

/* In the order of sso_header_set_t. */
static const char *parse_HEADER_SET(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"default", "easyauth", "none", NULL};
    (void)argc;
    return parse_choice(pool, argv[0], WORDS, &value->choice);
}

static const char *parse_UNAUTHENTICATED(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"auto", "login", "401", "403", "pass", NULL};
    (void)argc;
    return parse_choice(pool, argv[0], WORDS, &value->choice);
}

static const char *add_item(apr_pool_t *pool, sso_value_t *value, const char *name, const char *template,
                            sso_encoding_t encoding)
{
    apr_array_header_t *items =
        value->items != NULL ? apr_array_copy(pool, value->items) : apr_array_make(pool, 2, sizeof(sso_export_item_t));
    sso_export_item_t *item = &APR_ARRAY_PUSH(items, sso_export_item_t);
    item->name = name;
    item->encoding = encoding;
    value->items = items;
    return sso_template_parse(pool, template, &item->template);
}

/* Names that frame the message or carry other powers: a claim must never set them. */
static bool is_reserved_header(const char *name)
{
    static const char *const RESERVED[] = {
        "Host",   "Connection", "Content-Length", "Transfer-Encoding", "TE",    "Trailer", "Upgrade",
        "Cookie", "Expect",     "Keep-Alive",     "Content-Type",      "Range", NULL};
    for (int i = 0; RESERVED[i] != NULL; i++) {
        if (apr_cstr_casecmp(RESERVED[i], name) == 0) {
            return true;
        }
    }
    return apr_cstr_casecmpn(name, "Proxy-", 6) == 0;
}

static const char *parse_HEADER(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const ENCODINGS[] = {"utf-8", "latin1", "percent", "base64", NULL};
    int encoding = SSO_ENCODING_UTF8;
    const char *wrong = argc > 2 ? parse_choice(pool, argv[2], ENCODINGS, &encoding) : NULL;
    if (wrong != NULL) {
        return wrong;
    }
    for (const char *p = argv[0]; *p != '\0'; p++) {
        if (!apr_isalnum(*p) && *p != '-') {
            return apr_psprintf(pool, "'%s' is no header name of letters, digits and '-'", argv[0]);
        }
    }
    if (strlen(argv[0]) > SSO_MAX_OWNED_NAME) {
        return apr_psprintf(pool, "the header's name is longer than %d characters", SSO_MAX_OWNED_NAME);
    }
    if (*argv[0] == '\0' || is_reserved_header(argv[0])) {
        return apr_psprintf(pool, "the header '%s' frames the request and cannot carry a claim", argv[0]);
    }
    if (apr_cstr_casecmp(argv[0], "X-Entra-Assertion") == 0) {
        return "X-Entra-Assertion is what EntraSignedIdentity on signs, and nothing else; write another name";
    }
    if (apr_cstr_casecmp(argv[0], "X-Entra-Access-Token") == 0) {
        return "X-Entra-Access-Token is what EntraAccessToken sends, and nothing else; write another name";
    }
    return add_item(pool, value, argv[0], argv[1], (sso_encoding_t)encoding);
}

static const char *parse_VARIABLE(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    for (const char *p = argv[0]; *p != '\0' || p == argv[0]; p++) {
        if (!apr_isalnum(*p) && *p != '_') {
            return apr_psprintf(pool, "'%s' is no variable name of letters, digits and '_'", argv[0]);
        }
    }
    if (strlen(argv[0]) > SSO_MAX_OWNED_NAME) {
        return apr_psprintf(pool, "the variable's name is longer than %d characters", SSO_MAX_OWNED_NAME);
    }
    return add_item(pool, value, argv[0], argv[1], SSO_ENCODING_UTF8);
}

static const char *parse_GROUPS(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"referenced", "all", NULL};
    (void)argc;
    return parse_choice(pool, argv[0], WORDS, &value->choice);
}

/* In the order of sso_overage_t. */
static const char *parse_OVERAGE(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"graph", "deny", "ignore", NULL};
    (void)argc;
    return parse_choice(pool, argv[0], WORDS, &value->choice);
}

static const char *parse_ROLE_MAP(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    apr_array_header_t *maps = value->items != NULL ? apr_array_copy(pool, value->items)
                                                    : apr_array_make(pool, 2, sizeof(const sso_role_map_t *));
    apr_array_header_t *conditions = apr_array_make(pool, argc, sizeof(const char *));
    for (int i = 1; i < argc; i++) {
        APR_ARRAY_PUSH(conditions, const char *) = argv[i];
    }
    const sso_role_map_t *map = NULL;
    const char *wrong = sso_role_map_make(pool, argv[0], conditions, &map);
    APR_ARRAY_PUSH(maps, const sso_role_map_t *) = map;
    value->items = maps;
    return wrong;
}

static const char *parse_AUTH_AGE(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    const char *wrong = parse_DURATION(pool, argc, argv, value);
    if (wrong == NULL && value->choice == 0 && (value->span < apr_time_from_sec(60) || value->span > MAX_AUTH_AGE)) {
        return "must be at least 1m, so that people get anything done between two sign-ins, and at most 365d; or off";
    }
    return wrong;
}

/* "off" takes away what an outer section sets. */
static bool is_off(const char *text, sso_value_t *value)
{
    bool off = apr_cstr_casecmp(text, "off") == 0;
    if (off) {
        value->first = NULL;
    }
    return off;
}

static const char *parse_PROMPT(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    static const char *const WORDS[] = {"login", "select_account", "consent", "off", NULL};
    (void)argc;
    if (apr_cstr_casecmp(argv[0], "none") == 0) {
        return "none would forbid Entra to show its sign-in page, so that nobody could sign in here; write off to have "
               "no "
               "prompt, or login, select_account or consent";
    }
    const char *wrong = parse_choice(pool, argv[0], WORDS, &value->choice);
    if (wrong == NULL && !is_off(argv[0], value)) {
        value->first = WORDS[value->choice];
    }
    return wrong;
}

static const char *parse_HINT(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    if (is_off(argv[0], value)) {
        return NULL;
    }
    return *argv[0] == '\0' || sso_has_control(argv[0]) || strlen(argv[0]) > SSO_MAX_HINT
               ? apr_psprintf(pool, "the hint is empty, longer than %d characters, or holds a control character",
                              SSO_MAX_HINT)
               : NULL;
}

static const char *parse_DOMAIN_HINT(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    const char *wrong = parse_HINT(pool, argc, argv, value);
    const char *text = value->first;
    if (wrong != NULL || text == NULL || strcmp(text, "organizations") == 0 || strcmp(text, "consumers") == 0) {
        return wrong;
    }
    return parse_DOMAIN(pool, argc, argv, value) == NULL
               ? NULL
               : apr_psprintf(pool, "'%s' is no domain; write one like example.com, or organizations or consumers",
                              text);
}

/* ---- the table ---- */

typedef struct {
    const char *directive;
    parser_t *parse;
    int least;
    int most;
    const char *value; /* default */
    bool server;       /* a SERVER_OPTION */
    int index;         /* in its set of options */
} option_t;

static const option_t SERVER_ROWS[] = {
#define SERVER_OPTION(id, directive, kind, least, most, value, help)                                                   \
    {directive, parse_##kind, least, most, value, true, SSO_SERVER_##id},
#define DIR_OPTION(id, directive, kind, least, most, value, help, override)
#include "httpd/options.def"
#undef SERVER_OPTION
#undef DIR_OPTION
};

static const option_t DIR_ROWS[] = {
#define SERVER_OPTION(id, directive, kind, least, most, value, help)
#define DIR_OPTION(id, directive, kind, least, most, value, help, override)                                            \
    {directive, parse_##kind, least, most, value, false, SSO_DIR_##id},
#include "httpd/options.def"
#undef SERVER_OPTION
#undef DIR_OPTION
};

static const char *join(apr_pool_t *pool, int argc, const char *const argv[])
{
    const char *text = argv[0];
    for (int i = 1; i < argc; i++) {
        text = apr_pstrcat(pool, text, " ", argv[i], NULL);
    }
    return text;
}

static const char *read_value(apr_pool_t *pool, const option_t *row, int argc, const char *const argv[],
                              sso_value_t *value)
{
    /* Only EntraHeader, EntraEnv and EntraRole build upon earlier lines of the same section. */
    const apr_array_header_t *items =
        value->set && row->parse != parse_TENANTS && row->parse != parse_SCOPES ? value->items : NULL;
    memset(value, 0, sizeof(*value));
    value->items = items;
    value->first = argv[0];
    value->second = argc > 1 ? argv[1] : NULL;
    value->text = join(pool, argc, argv);
    return row->parse(pool, argc, argv, value);
}

/* What a session must keep, and what a client must not be able to say, is known once a template is read. */
static void note_template(cmd_parms *cmd, const option_t *row, const sso_value_t *value)
{
    sso_server_config_t *server = sso_config_server(cmd->server);
    if (row->parse == parse_TEMPLATE) {
        const sso_template_t *template = ((const sso_remote_user_t *)value->object)->template;
        sso_template_claims(template, server->claims);
        /* Outside of all sections the line may be replaced by a virtual host's own: site.c looks at what is left. */
        if (cmd->path != NULL && sso_template_has_email(template)) {
            APR_ARRAY_PUSH(server->emails, const char *) = apr_psprintf(cmd->pool, "%s:%d", value->file, value->line);
        }
    } else if (row->parse == parse_HEADER || row->parse == parse_VARIABLE) {
        const sso_export_item_t *items = (const void *)value->items->elts;
        const sso_export_item_t *item = &items[value->items->nelts - 1];
        sso_template_claims(item->template, server->claims);
        APR_ARRAY_PUSH(server->names, const char *) = item->name;
    } else if (row->parse == parse_HEADER_SET && value->choice == SSO_HEADERS_EASYAUTH) {
        /* SECURITY: more than we set, since applications of App Service believe all of these. */
        APR_ARRAY_PUSH(server->names, const char *) = "X-MS-CLIENT-PRINCIPAL*";
        APR_ARRAY_PUSH(server->names, const char *) = "X-MS-TOKEN-AAD-*";
    } else if (!row->server && row->index == SSO_DIR_SIGNED_IDENTITY) {
        server->signs = server->signs || value->choice == 1;
    } else if (row->parse == parse_AUDIENCES) {
        server->takes_tokens = server->takes_tokens || value->object != NULL;
    } else if (row->parse == parse_API && value->object != NULL) {
        /* A user consents to all of them with the sign-in, whichever section comes first. */
        apr_array_cat(server->scopes, ((const sso_api_t *)value->object)->scopes);
    } else if (row->parse == parse_ROLE_MAP) {
        const sso_role_map_t *const *maps = (const void *)value->items->elts;
        const apr_array_header_t *rules = maps[value->items->nelts - 1]->rules;
        for (int i = 0; i < rules->nelts; i++) {
            sso_config_note_rule(cmd->pool, cmd->server, ((const sso_rule_t *const *)(const void *)rules->elts)[i]);
        }
    }
}

/* httpd passes on so many words of a line and silently drops the rest. */
static int count_words(const cmd_parms *cmd)
{
    const char *args = cmd->directive->args;
    int count = 0;
    while (*ap_getword_conf(cmd->temp_pool, &args) != '\0') {
        count++;
    }
    return count;
}

/* What one section may not say together. Of two sections that say it the inner one counts (sso_config_merge_dir). */
static const char *clash_of(const sso_value_t *dir)
{
    return sso_hint_clashes(&dir[SSO_DIR_PROMPT], &dir[SSO_DIR_LOGIN_HINT])
               ? "EntraPrompt select_account shows every account and EntraLoginHint chooses one, which Entra does not "
                 "take together; remove one of the two"
               : NULL;
}

static const char *set_option(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    const option_t *row = cmd->info;
    const char *const *args = (const char *const *)argv;
    if (argc < row->least || argc > row->most) {
        const char *bound = row->least == row->most ? "" : (argc < row->least ? "at least " : "at most ");
        int count = argc < row->least ? row->least : row->most;
        return apr_psprintf(cmd->pool, "%s takes %s%d argument%s: %s", row->directive, bound, count,
                            count == 1 ? "" : "s", cmd->cmd->errmsg);
    }
    if (count_words(cmd) > argc) {
        return apr_psprintf(cmd->pool, "%s: httpd takes at most %d arguments for one directive", row->directive, argc);
    }
    sso_value_t *values = row->server ? sso_config_server(cmd->server)->option : ((sso_dir_config_t *)dir)->option;
    sso_value_t *value = &values[row->index];
    const char *wrong = read_value(cmd->pool, row, argc, args, value);
    if (wrong != NULL) {
        return apr_psprintf(cmd->pool, "%s: %s", row->directive, wrong);
    }
    value->set = true;
    const char *clash = row->server ? NULL : clash_of(values);
    if (clash != NULL) {
        return apr_psprintf(cmd->pool, "%s: %s", row->directive, clash);
    }
    value->file = cmd->directive->filename;
    value->line = cmd->directive->line_num;
    value->owner = cmd->server;
    note_template(cmd, row, value);
    return NULL;
}

static void read_defaults(apr_pool_t *pool, const option_t *rows, int count, sso_value_t *values)
{
    for (int i = 0; i < count; i++) {
        if (rows[i].value != NULL) {
            char **argv;
            int argc = 0;
            apr_tokenize_to_argv(rows[i].value, &argv, pool);
            while (argv[argc] != NULL) {
                argc++;
            }
            const char *wrong = read_value(pool, &rows[i], argc, (const char *const *)argv, &values[i]);
            ap_assert(wrong == NULL);
        }
    }
}

void sso_defaults_server(apr_pool_t *pool, sso_value_t *values)
{
    read_defaults(pool, SERVER_ROWS, SSO_SERVER_OPTIONS, values);
}

void sso_defaults_dir(apr_pool_t *pool, sso_value_t *values)
{
    read_defaults(pool, DIR_ROWS, SSO_DIR_OPTIONS, values);
}

const char *sso_server_directive(sso_server_option_t option)
{
    return SERVER_ROWS[option].directive;
}

const char *sso_dir_directive(sso_dir_option_t option)
{
    return DIR_ROWS[option].directive;
}

const command_rec sso_directives[] = {
#define SERVER_OPTION(id, directive, kind, least, most, value, help)                                                   \
    AP_INIT_TAKE_ARGV(directive, set_option, (void *)(apr_uintptr_t)&SERVER_ROWS[SSO_SERVER_##id], RSRC_CONF, help),
#define DIR_OPTION(id, directive, kind, least, most, value, help, override)                                            \
    AP_INIT_TAKE_ARGV(directive, set_option, (void *)(apr_uintptr_t)&DIR_ROWS[SSO_DIR_##id], override, help),
#include "httpd/options.def"
#undef SERVER_OPTION
#undef DIR_OPTION
    {NULL}};
