/* SPDX-License-Identifier: Apache-2.0 */
/* Carries rules over: AuthType, Require. SECURITY: a rule that cannot be carried over becomes one that lets nobody in,
 * whatever stands around it; leaving it out would open what it closed. */
#include "command/convert.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"

/* ---- AuthType ---- */

static void bearer(sso_convert_t *to)
{
    const apr_array_header_t *audiences = to->known.audiences;
    const char *text = "EntraBearer";
    if (audiences == NULL && to->known.client_id == NULL) {
        sso_convert_left(to, "write EntraBearer with the audiences of the tokens: this file names no client");
        return;
    }
    if (audiences == NULL) {
        text = apr_pstrcat(to->pool, text, " ", to->known.client_id, " api://", to->known.client_id, NULL);
        sso_convert_left(to, "the audience of tokens was not checked; it is the client itself now. Tokens for other "
                             "audiences are refused");
    }
    for (int i = 0; audiences != NULL && i < audiences->nelts; i++) {
        text = apr_pstrcat(to->pool, text, " ", sso_confline_quote(to->pool, sso_text_at(audiences, i)), NULL);
    }
    sso_convert_write(to, "%s", text);
}

void sso_carry_auth_type(sso_convert_t *to)
{
    const char *type = sso_convert_word(to, 0);
    if (type == NULL || (strcasecmp(type, "openid-connect") != 0 && strcasecmp(type, "oauth20") != 0 &&
                         strcasecmp(type, "auth-openidc") != 0)) {
        apr_file_puts(to->line->raw, to->command->out);
        return;
    }
    sso_convert_write(to, "AuthType Entra");
    if (strcasecmp(type, "openid-connect") != 0) {
        bearer(to);
    }
    if (strcasecmp(type, "oauth20") == 0) {
        sso_convert_note(to,
                         "oauth20 knew no sessions; here people with one get in as well, where the rules admit them");
        sso_convert_write(to, "EntraUnauthenticated 401");
    }
}

void sso_carry_load_module(sso_convert_t *to)
{
    const char *name = sso_convert_word(to, 0);
    const char *path = sso_convert_word(to, 1);
    if (name == NULL || path == NULL || strcasecmp(name, "auth_openidc_module") != 0) {
        apr_file_puts(to->line->raw, to->command->out);
        return;
    }
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL ? "" : apr_pstrmemdup(to->pool, path, (apr_size_t)(slash - path) + 1);
    sso_convert_write(to, "LoadModule entra_sso_module %s",
                      sso_confline_quote(to->pool, apr_pstrcat(to->pool, folder, "mod_entra_sso.so", NULL)));
}

/* ---- Require ---- */

/* The section that the rule stands in, of those that join rules. */
static const char *joint(const sso_convert_t *to)
{
    for (int i = to->sections->nelts - 1; i >= 0; i--) {
        const char *name = sso_text_at(to->sections, i);
        if (strncasecmp(name, "Require", 7) == 0) {
            return name;
        }
        if (strcasecmp(name, "IfModule") != 0 && strcasecmp(name, "IfDefine") != 0 &&
            strcasecmp(name, "IfVersion") != 0) {
            break;
        }
    }
    return "";
}

/* Our rule for one word of "Require claim"; NULL when there is none. */
static const char *rule_of(sso_convert_t *to, const char *word)
{
    apr_pool_t *pool = to->pool;
    apr_size_t len = strcspn(word, ":~");
    const char *name = apr_pstrmemdup(pool, word, len);
    const char *value = word[len] == '\0' ? "" : word + len + 1;
    bool matches = word[len] == '~';
    if (*name == '\0' || *value == '\0' || strcmp(name, "email") == 0) {
        return NULL;
    }
    if (strcmp(name, "groups") == 0 || strcmp(name, "roles") == 0 || strcmp(name, "tid") == 0) {
        const char *ours = *name == 'g' ? "entra-group" : *name == 'r' ? "entra-role" : "entra-tenant";
        if (matches) {
            return NULL;
        }
        if (*name == 'g' && !sso_is_guid(value)) {
            sso_convert_left(
                to,
                "the group \"%s\" is looked up by name, which needs the permission GroupMember.Read.All; its object id "
                "is better",
                sso_printable(pool, value));
        }
        return apr_pstrcat(pool, ours, " ", sso_confline_quote(pool, value), NULL);
    }
    if (strcmp(name, "scope") == 0) {
        name = "scp";
    }
    return apr_pstrcat(pool, "entra-claim ", sso_confline_quote(pool, name), matches ? " ~ " : " ",
                       sso_confline_quote(pool, value), NULL);
}

/* A rule that lets nobody in at this place. */
static void closed(sso_convert_t *to, bool negated)
{
    if (strcasecmp(joint(to), "RequireNone") == 0) {
        sso_convert_write(to, "Require all granted");
    } else {
        sso_convert_write(to, negated ? "Require not all granted" : "Require all denied");
    }
}

static void claims(sso_convert_t *to, int first, bool negated)
{
    const apr_array_header_t *words = to->line->words;
    /* Several claims of one line were alternatives. */
    bool wrap = words->nelts - first > 1 && !negated && strcasecmp(joint(to), "RequireAll") == 0;
    if (wrap) {
        sso_convert_write(to, "<RequireAny>");
    }
    for (int i = first; i < words->nelts; i++) {
        const char *word = sso_text_at(words, i);
        const char *rule = rule_of(to, word);
        if (rule != NULL) {
            sso_convert_write(to, "%sRequire %s%s", wrap ? "    " : "", negated ? "not " : "", rule);
        } else {
            sso_convert_left(
                to, "Require claim %s has no counterpart%s; the next line lets nobody in until you replace it",
                sso_printable(to->pool, word),
                strncmp(word, "email", 5) == 0 ? ", since anybody's administrator can write that claim" : "");
            closed(to, negated);
        }
    }
    if (wrap) {
        sso_convert_write(to, "</RequireAny>");
    }
}

void sso_carry_require(sso_convert_t *to)
{
    const char *first = sso_convert_word(to, 0);
    bool negated = first != NULL && strcasecmp(first, "not") == 0;
    int at = negated ? 1 : 0;
    const char *kind = sso_convert_word(to, at);
    if (kind != NULL && strcasecmp(kind, "claim") == 0) {
        claims(to, at + 1, negated);
    } else if (kind != NULL && (strcasecmp(kind, "claims_expr") == 0 || strcasecmp(kind, "oauth2_claim") == 0)) {
        sso_convert_left(to, "Require %s has no counterpart; the next line lets nobody in until you replace it", kind);
        closed(to, negated);
    } else {
        apr_file_puts(to->line->raw, to->command->out);
    }
}
