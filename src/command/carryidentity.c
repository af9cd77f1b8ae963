/* SPDX-License-Identifier: Apache-2.0 */
/* Carries over what the application gets: REMOTE_USER, and the claims under the names that it has read so far. */
#include "command/convert.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"

/* In our replacement a backslash takes the meaning from what follows; in theirs it is itself. */
static const char *double_backslashes(apr_pool_t *pool, const char *text)
{
    char *doubled = apr_palloc(pool, 2 * strlen(text) + 1);
    char *to = doubled;
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to = '\0';
    return doubled;
}

void sso_carry_remote_user(sso_convert_t *to)
{
    const char *claim = sso_convert_word(to, 0);
    if (claim == NULL || *claim == '\0') {
        sso_convert_left(to, "OIDCRemoteUserClaim names no claim, and was left out");
        return;
    }
    apr_size_t len = strlen(claim);
    bool with_issuer = claim[len - 1] == '@';
    const char *text =
        apr_pstrcat(to->pool, "%{", apr_pstrmemdup(to->pool, claim, with_issuer ? len - 1 : len), "}", NULL);
    if (with_issuer) {
        text = apr_pstrcat(to->pool, text, "@", to->known.host == NULL ? "login.microsoftonline.com" : to->known.host,
                           "/%{tid}/v2.0", NULL);
    }
    const char *rest = "";
    for (int i = 1; i < to->line->words->nelts && i < 3; i++) {
        const char *word = sso_text_at(to->line->words, i);
        word = i == 2 ? double_backslashes(to->pool, word) : word;
        rest = apr_pstrcat(to->pool, rest, " ", sso_confline_quote(to->pool, word), NULL);
    }
    if (strcmp(claim, "upn") == 0 || strcmp(claim, "unique_name") == 0) {
        sso_convert_note(
            to, "%s is an optional claim of the ID token (Token configuration); preferred_username is there always",
            claim);
    }
    if (strncmp(claim, "email", 5) == 0) {
        sso_convert_left(
            to,
            "the user is told by email, which an administrator of any tenant can write: use preferred_username or oid");
    }
    sso_convert_write(to, "EntraRemoteUser %s%s", sso_confline_quote(to->pool, text), rest);
}

/* The header has the same value as REMOTE_USER, whatever made that. */
void sso_carry_user_header(sso_convert_t *to)
{
    const char *name = sso_convert_word(to, 0);
    if (name == NULL) {
        return;
    }
    sso_convert_note(
        to, "X-Entra-User has the same value; the first line takes away what a client sends under the other name");
    const char *quoted = sso_confline_quote(to->pool, name);
    sso_convert_write(to, "RequestHeader unset %s early", quoted);
    sso_convert_write(to, "RequestHeader set %s \"expr=%%{REMOTE_USER}\" \"expr=-n %%{REMOTE_USER}\"", quoted);
}

/* ---- claims ---- */

static bool is_listed(const apr_array_header_t *names, const char *name)
{
    for (int i = 0; names != NULL && i < names->nelts; i++) {
        if (strcmp(sso_text_at(names, i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the name of a variable cannot have becomes '_'. */
static const char *variable_of(const sso_convert_t *to, const char *claim)
{
    const char *prefix = to->known.prefix == NULL ? "OIDC_CLAIM_" : to->known.prefix;
    char *name = apr_pstrcat(to->pool, prefix, claim, NULL);
    for (char *at = name; *at != '\0'; at++) {
        *at = apr_isalnum(*at) ? *at : '_';
    }
    return name;
}

static void claim(sso_convert_t *to, const char *name, bool as_header)
{
    const char *variable = variable_of(to, name);
    if (apr_isdigit(*variable) || strpbrk(name, "%{}\"\\ ") != NULL) {
        sso_convert_left(to, "the claim %s cannot be passed on under the name %s", sso_printable(to->pool, name),
                         sso_printable(to->pool, variable));
        return;
    }
    sso_convert_write(to, "EntraEnv %s %%{%s}", variable, name);
    if (as_header) {
        sso_convert_write(to, "RequestHeader set %s \"expr=%%{reqenv:%s}\" \"expr=-n reqenv('%s')\"", variable,
                          variable, variable);
    }
}

static const char *const usual[] = {
    "sub", "oid", "tid", "preferred_username", "name", "email", "given_name", "family_name", "roles", "groups"};

/* The claims that are passed on. */
static const apr_array_header_t *claims_passed(const sso_convert_t *to)
{
    const sso_known_t *known = &to->known;
    apr_array_header_t *names = apr_array_make(to->pool, 10, sizeof(const char *));
    int count = known->only == NULL ? (int)(sizeof(usual) / sizeof(usual[0])) : known->only->nelts;
    for (int i = 0; i < count; i++) {
        const char *name = known->only == NULL ? usual[i] : sso_text_at(known->only, i);
        if (!is_listed(known->never, name)) {
            APR_ARRAY_PUSH(names, const char *) = name;
        }
    }
    return names;
}

bool sso_carry_is_passed(const sso_convert_t *to, const char *variable)
{
    const apr_array_header_t *names = claims_passed(to);
    bool none = to->known.pass != NULL && strcasecmp(to->known.pass, "none") == 0;
    for (int i = 0; i < names->nelts; i++) {
        if (strcasecmp(variable_of(to, sso_text_at(names, i)), variable) == 0) {
            return !none;
        }
    }
    return false;
}

void sso_carry_claims(sso_convert_t *to)
{
    const char *pass = to->known.pass == NULL ? "both" : to->known.pass;
    bool as_header = strcasecmp(pass, "both") == 0 || strcasecmp(pass, "headers") == 0;
    if (strcasecmp(pass, "none") == 0) {
        return;
    }
    sso_convert_note(
        to, "the names that the application has read so far; keep those that it uses. given_name and family_name are "
            "optional claims of the ID token; groups are those that the rules name (EntraGroups all for all)");
    if (as_header) {
        sso_convert_note(to,
                         "RequestHeader needs mod_headers; what a client sends under these names is removed before");
    }
    const apr_array_header_t *names = claims_passed(to);
    for (int i = 0; i < names->nelts; i++) {
        claim(to, sso_text_at(names, i), as_header);
    }
}

void sso_carry_pass(sso_convert_t *to)
{
    const char *how = sso_convert_word(to, 0);
    const char *coding = sso_convert_word(to, 1);
    if (coding != NULL && strcasecmp(coding, "base64url") == 0) {
        sso_convert_left(
            to,
            "base64url has no counterpart for the old names: EntraHeader has the encodings latin1, percent and base64");
    }
    if (sso_convert_in_directory(to) && how != NULL && to->known.pass != NULL && strcasecmp(how, to->known.pass) != 0) {
        sso_convert_left(
            to, "OIDCPassClaimsAs %s differs from another one in this file: the EntraEnv lines are the same everywhere",
            how);
        return;
    }
    if (how != NULL && (strcasecmp(how, "none") == 0 || strcasecmp(how, "environment") == 0)) {
        sso_convert_write(to, "EntraHeaders none");
        return;
    }
    sso_convert_note(to, "OIDCPassClaimsAs: see the EntraEnv and RequestHeader lines; X-Entra-... is sent as well");
}

void sso_carry_id_token(sso_convert_t *to)
{
    for (int i = 0; i < to->line->words->nelts; i++) {
        const char *how = sso_text_at(to->line->words, i);
        if (strcasecmp(how, "serialized") == 0 || strcasecmp(how, "payload") == 0) {
            sso_convert_left(
                to,
                "OIDCPassIDTokenAs %s has no counterpart: the ID token is not kept. EntraSignedIdentity on gives the "
                "backend a signed statement of its own",
                how);
            return;
        }
    }
    sso_convert_note(to, "OIDCPassIDTokenAs: see the EntraEnv lines");
}

void sso_carry_userinfo(sso_convert_t *to)
{
    for (int i = 0; i < to->line->words->nelts; i++) {
        const char *how = sso_text_at(to->line->words, i);
        if (strncasecmp(how, "signed_jwt", 10) == 0) {
            sso_convert_left(to, "OIDCPassUserInfoAs signed_jwt is X-Entra-Assertion here, with other claims and keys: "
                                 "change the backend");
            sso_convert_write(to, "EntraSignedIdentity on");
            return;
        }
        if (strncasecmp(how, "json", 4) == 0 || strncasecmp(how, "jwt", 3) == 0) {
            sso_convert_left(to, "OIDCPassUserInfoAs %s has no counterpart: UserInfo is not asked",
                             sso_printable(to->pool, how));
            return;
        }
    }
    sso_convert_note(to, "OIDCPassUserInfoAs: see the EntraEnv lines");
}

void sso_carry_access_token(sso_convert_t *to)
{
    const char *word = sso_convert_word(to, 0);
    if (word == NULL || strcasecmp(word, "off") == 0) {
        sso_convert_note(to, "OIDCPassAccessToken off: no token is passed on, unless EntraAccessToken says so");
        return;
    }
    sso_convert_left(
        to,
        "an access token is passed on for the scopes of EntraAccessToken, as X-Entra-Access-Token: write that line, if "
        "the application uses the token");
}
