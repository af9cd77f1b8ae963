/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso convert FILE: a configuration of mod_auth_openidc in, one of ours out. What stays is copied byte by byte;
 * what has no counterpart is named in a comment and on standard error. */
#include "command/convert.h"

#include <stdarg.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

#define CARRY(name, carry) {name, carry, NULL, NULL, NULL},
#define RENAME(name, renamed) {name, NULL, renamed, NULL, NULL},
#define DROP(name, dropped) {name, NULL, NULL, dropped, NULL},
#define LEFT(name, left) {name, NULL, NULL, NULL, left},
static const sso_convert_row_t rows[] = {
#include "command/convert.def"
};
#undef CARRY
#undef RENAME
#undef DROP
#undef LEFT

/* ---- writing ---- */

static void put_line(sso_convert_t *to, const char *mark, const char *text)
{
    apr_file_printf(to->command->out, "%s%s%s\n", to->line->indent, mark, text);
}

void sso_convert_write(sso_convert_t *to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put_line(to, "", apr_pvsprintf(to->pool, fmt, args));
    va_end(args);
}

void sso_convert_note(sso_convert_t *to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put_line(to, "# convert: ", apr_pvsprintf(to->pool, fmt, args));
    va_end(args);
}

void sso_convert_left(sso_convert_t *to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = apr_pvsprintf(to->pool, fmt, args);
    va_end(args);
    to->left++;
    put_line(to, "# convert, to decide: ", text);
    apr_file_printf(to->command->err, "%s:%d: %s\n", to->file, to->line->number, text);
}

const char *sso_convert_word(const sso_convert_t *to, int i)
{
    return i < to->line->words->nelts ? sso_text_at(to->line->words, i) : NULL;
}

/* ---- sections ---- */

static bool is_directory(const char *section)
{
    static const char *const names[] = {"Location", "LocationMatch", "Directory", "DirectoryMatch",
                                        "Files",    "FilesMatch",    "If",        "ElseIf",
                                        "Else",     "Proxy",         "ProxyMatch"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(section, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool sso_convert_in_directory(const sso_convert_t *to)
{
    for (int i = 0; i < to->sections->nelts; i++) {
        if (is_directory(sso_text_at(to->sections, i))) {
            return true;
        }
    }
    return false;
}

/* <IfModule auth_openidc_module> asks for our module from now on. */
static bool is_condition(const sso_line_t *line)
{
    const char *word = line->words->nelts == 1 ? sso_text_at(line->words, 0) : "";
    return strcasecmp(line->name, "IfModule") == 0 &&
           (strcasecmp(word, "auth_openidc_module") == 0 || strcasecmp(word, "mod_auth_openidc.c") == 0);
}

static void put_raw(sso_convert_t *to)
{
    apr_file_puts(to->line->raw, to->command->out);
}

static void section(sso_convert_t *to)
{
    if (to->line->kind == SSO_LINE_OPEN && is_condition(to->line)) {
        put_line(to, "", "<IfModule entra_sso_module>");
    } else {
        put_raw(to);
    }
    if (to->line->kind == SSO_LINE_OPEN) {
        APR_ARRAY_PUSH(to->sections, const char *) = to->line->name;
    } else if (to->sections->nelts > 0) {
        to->sections->nelts--;
    }
}

/* ---- directives ---- */

static const sso_convert_row_t *row_find(const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcasecmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void rename_directive(sso_convert_t *to, const char *name)
{
    const char *text = name;
    for (int i = 0; i < to->line->words->nelts; i++) {
        text = apr_pstrcat(to->pool, text, " ", sso_confline_quote(to->pool, sso_text_at(to->line->words, i)), NULL);
    }
    sso_convert_write(to, "%s", text);
}

/* A line that stays, and reads a variable of the old module that is set no more. */
static void stay(sso_convert_t *to)
{
    for (const char *at = strstr(to->line->raw, "OIDC_"); at != NULL; at = strstr(at + 5, "OIDC_")) {
        apr_size_t len = 0;
        while (apr_isalnum(at[len]) || at[len] == '_') {
            len++;
        }
        const char *name = apr_pstrmemdup(to->pool, at, len);
        if (!sso_carry_is_passed(to, name)) {
            sso_convert_left(to, "the next line speaks of %s, which is not set any more", name);
            break;
        }
    }
    put_raw(to);
}

static void directive(sso_convert_t *to)
{
    const sso_line_t *line = to->line;
    const sso_convert_row_t *row = row_find(line->name);
    if (row == NULL && strncasecmp(line->name, "OIDC", 4) == 0) {
        sso_convert_left(to, "%s is unknown here, and was left out", sso_printable(to->pool, line->name));
    } else if (row == NULL) {
        stay(to);
    } else if (row->carry != NULL) {
        row->carry(to);
    } else if (row->renamed != NULL) {
        rename_directive(to, row->renamed);
    } else if (row->dropped != NULL) {
        sso_convert_note(to, "%s is not needed: %s", row->name, row->dropped);
    } else if (strncasecmp(row->name, "OIDC", 4) == 0) {
        sso_convert_left(to, "%s %s", row->name, row->left);
    } else {
        sso_convert_left(to, "%s %s", row->name, row->left);
        put_raw(to);
    }
}

/* ---- what the whole file says ---- */

/* Behind the marks that may stand before a file of a key: "sig:", "RS256@", "kid#". */
static const char *key_path(apr_pool_t *pool, const char *word)
{
    const char *path = word;
    if (strncmp(path, "sig:", 4) == 0 || strncmp(path, "enc:", 4) == 0) {
        path += 4;
    }
    const char *mark = strpbrk(path, "@#/");
    while (mark != NULL && *mark != '/') {
        path = mark + 1;
        mark = strpbrk(path, "@#/");
    }
    return apr_pstrdup(pool, path);
}

static void remember(sso_convert_t *to, const sso_line_t *line)
{
    sso_known_t *known = &to->known;
    const char *name = line->name;
    const char *word = line->words->nelts > 0 ? sso_text_at(line->words, 0) : "";
    if (strcasecmp(name, "OIDCClientID") == 0 && known->client_id == NULL) {
        known->client_id = word;
    } else if (strcasecmp(name, "OIDCPublicKeyFiles") == 0) {
        known->public_key = key_path(to->pool, word);
    } else if (strcasecmp(name, "OIDCPrivateKeyFiles") == 0) {
        known->private_key = key_path(to->pool, word);
    } else if (strcasecmp(name, "OIDCProviderTokenEndpointAuth") == 0) {
        known->key_signs = strncasecmp(word, "private_key_jwt", 15) == 0;
    } else if (strcasecmp(name, "OIDCValidateIssuer") == 0) {
        known->issuer_is_open = strcasecmp(word, "off") == 0;
    } else if (strcasecmp(name, "OIDCRemoteUserClaim") == 0) {
        known->has_user = true;
    } else if (strcasecmp(name, "OIDCSessionInactivityTimeout") == 0) {
        known->has_idle = true;
    } else if (strcasecmp(name, "OIDCPassClaimsAs") == 0 && known->pass == NULL) {
        known->pass = word;
    } else if (strcasecmp(name, "OIDCClaimPrefix") == 0) {
        known->prefix = word;
    } else if (strcasecmp(name, "OIDCWhiteListedClaims") == 0) {
        known->only = line->words;
    } else if (strcasecmp(name, "OIDCBlackListedClaims") == 0) {
        known->never = line->words;
    } else if (strcasecmp(name, "OIDCOAuthVerifyAudience") == 0) {
        known->audiences = line->words;
    }
}

/* ---- the command ---- */

/* The file's bytes; NULL, and said why, when it cannot be had. */
static const char *file_read(sso_command_t *command, const char *path, apr_size_t *ret_len)
{
    apr_pool_t *pool = command->ctx.pool;
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t status = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT, pool);
    char why[128];
    if (status != APR_SUCCESS) {
        sso_command_complain(command, "%s: %s", sso_printable(pool, path), apr_strerror(status, why, sizeof(why)));
        return NULL;
    }
    if (apr_file_info_get(&info, APR_FINFO_TYPE, file) != APR_SUCCESS || info.filetype != APR_REG) {
        sso_command_complain(command, "%s is no regular file", sso_printable(pool, path));
        return NULL;
    }
    char *text = apr_palloc(pool, SSO_MAX_CONVERT + 1);
    status = apr_file_read_full(file, text, SSO_MAX_CONVERT + 1, ret_len);
    if (*ret_len > SSO_MAX_CONVERT || (status != APR_SUCCESS && status != APR_EOF)) {
        sso_command_complain(command, "%s: is larger than %d bytes, or cannot be read", sso_printable(pool, path),
                             SSO_MAX_CONVERT);
        return NULL;
    }
    return text;
}

/* SECURITY: an old line that was put out of use may hold a secret that still counts. */
static bool tells_secret(const sso_convert_t *to, const char *comment)
{
    static const char *const names[] = {"clientsecret", "passphrase", "password",
                                        "bearertoken",  "sharedkeys", "outgoingproxy"};
    char *small = apr_pstrdup(to->pool, comment);
    for (char *at = small; *at != '\0'; at++) {
        *at = (char)apr_tolower(*at);
    }
    for (size_t i = 0; strstr(small, "oidc") != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(small, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void other(sso_convert_t *to)
{
    /* Its own, of another run, hold none. */
    bool own = strncmp(to->line->raw + strlen(to->line->indent), "# convert", 9) == 0;
    if (!own && tells_secret(to, to->line->raw)) {
        sso_convert_note(to, "a comment that may hold a secret was left out");
        return;
    }
    put_raw(to);
}

static void convert_all(sso_convert_t *to, const apr_array_header_t *lines)
{
    for (int i = 0; i < lines->nelts; i++) {
        remember(to, &APR_ARRAY_IDX(lines, i, sso_line_t));
    }
    for (int i = 0; i < lines->nelts; i++) {
        to->line = &APR_ARRAY_IDX(lines, i, sso_line_t);
        if (to->line->kind == SSO_LINE_OTHER) {
            other(to);
        } else if (to->line->kind == SSO_LINE_DIRECTIVE) {
            directive(to);
        } else {
            section(to);
        }
    }
}

int sso_command_convert(sso_command_t *command)
{
    apr_pool_t *pool = command->ctx.pool;
    apr_array_header_t *lines;
    apr_size_t len = 0;
    const char *path = command->options.operand;
    const char *text = file_read(command, path, &len);
    if (text == NULL) {
        return SSO_EXIT_FAILED;
    }
    const char *wrong = sso_confline_split(pool, text, len, &lines);
    if (wrong != NULL) {
        sso_command_complain(command, "%s: %s", sso_printable(pool, path), wrong);
        return SSO_EXIT_FAILED;
    }
    sso_convert_t to = {.command = command,
                        .pool = pool,
                        .file = sso_printable(pool, path),
                        .sections = apr_array_make(pool, 8, sizeof(const char *))};
    convert_all(&to, lines);
    if (to.left > 0) {
        apr_file_printf(command->err, "%d to decide; each is a comment in the new configuration\n", to.left);
    }
    return to.left == 0 ? SSO_EXIT_DONE : SSO_EXIT_FAILED;
}
