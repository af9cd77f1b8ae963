/* SPDX-License-Identifier: Apache-2.0 */
/* Carries over what a session is, what somebody without one gets, and what Entra is asked for. */
#include "command/convert.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

/* The first word as a number of seconds; -1, and said so, when it is none. */
static int64_t seconds(sso_convert_t *to)
{
    int64_t number;
    if (!sso_integer_parse(sso_convert_word(to, 0), &number) || number < 0) {
        sso_convert_left(to, "%s is no number of seconds, and was left out", to->line->name);
        return -1;
    }
    return number;
}

void sso_carry_max_duration(sso_convert_t *to)
{
    int64_t cap = apr_time_sec(SSO_SESSION_CAP);
    int64_t number = seconds(to);
    if (number < 0) {
        return;
    }
    if (number == 0) {
        sso_convert_note(to, "0 meant the life of the ID token, which is about an hour");
        number = 3600;
    } else if (number > cap) {
        sso_convert_left(to,
                         "a session of %" APR_INT64_T_FMT
                         " seconds is shortened to 8 hours, the most there is. Entra signs "
                         "in again without a question as long as it may",
                         number);
        number = cap;
    }
    sso_convert_write(to, "EntraSessionMaxAge %" APR_INT64_T_FMT "s", number);
}

void sso_carry_idle(sso_convert_t *to)
{
    int64_t number = seconds(to);
    if (number >= 0) {
        sso_convert_write(to, "EntraSessionIdleTimeout %" APR_INT64_T_FMT "s", number);
    }
}

void sso_carry_skew(sso_convert_t *to)
{
    int64_t number = seconds(to);
    if (number >= 0) {
        sso_convert_write(to, "EntraClockSkew %" APR_INT64_T_FMT "s", number > 600 ? 600 : number);
    }
}

void sso_carry_cookie_path(sso_convert_t *to)
{
    const char *path = sso_convert_word(to, 0);
    if (path != NULL && strcmp(path, "/") != 0) {
        sso_convert_left(to, "OIDCCookiePath %s has no counterpart: a session is one of the whole host",
                         sso_printable(to->pool, path));
        return;
    }
    sso_convert_note(to, "OIDCCookiePath is not needed: /");
}

void sso_carry_same_site(sso_convert_t *to)
{
    const char *word = sso_convert_word(to, 0);
    if (word != NULL &&
        (strcasecmp(word, "none") == 0 || strcasecmp(word, "off") == 0 || strcasecmp(word, "disabled") == 0)) {
        sso_convert_left(to,
                         "OIDCCookieSameSite %s has no counterpart: the session is Lax, so pages of other sites cannot "
                         "embed this one",
                         word);
        return;
    }
    sso_convert_note(to, "OIDCCookieSameSite is not needed: Lax always");
}

void sso_carry_post(sso_convert_t *to)
{
    const char *word = sso_convert_word(to, 0);
    if (word == NULL || strcasecmp(word, "on") != 0) {
        sso_convert_note(to, "OIDCPreservePost is not needed: off is the default");
    } else if (sso_convert_in_directory(to)) {
        sso_convert_left(
            to, "OIDCPreservePost of a section: write EntraPreservePost 64k into the virtual host, which is its place");
    } else {
        sso_convert_write(to, "EntraPreservePost 64k");
    }
}

void sso_carry_delimiter(sso_convert_t *to)
{
    const char *word = sso_convert_word(to, 0);
    sso_convert_write(to, "EntraListSeparator %s", sso_confline_quote(to->pool, word == NULL ? "," : word));
}

/* ---- without a session, without the right ---- */

/* Our words stand in sections alone. */
static void in_section(sso_convert_t *to, const char *text)
{
    if (sso_convert_in_directory(to)) {
        sso_convert_write(to, "%s", text);
        return;
    }
    sso_convert_write(to, "<Location \"/\">");
    sso_convert_write(to, "    %s", text);
    sso_convert_write(to, "</Location>");
}

void sso_carry_unauthenticated(sso_convert_t *to)
{
    const char *action = sso_convert_word(to, 0);
    const char *condition = sso_convert_word(to, 1);
    if (action == NULL) {
        sso_convert_left(to, "OIDCUnAuthAction says nothing, and was left out");
        return;
    }
    bool always = condition != NULL && strcasecmp(condition, "true") == 0;
    if (condition != NULL && !always) {
        sso_convert_left(
            to, "the expression of OIDCUnAuthAction has no counterpart: EntraUnauthenticated auto tells pages from "
                "programs by itself, which is the default");
        return;
    }
    if (strcasecmp(action, "auth") == 0) {
        in_section(to, always ? "EntraUnauthenticated login" : "EntraUnauthenticated auto");
    } else if (strcasecmp(action, "pass") == 0) {
        sso_convert_left(
            to,
            "pass lets nobody in where Require asks for a user: write Require all granted in this section, if it is "
            "open to all");
        in_section(to, "EntraUnauthenticated pass");
    } else {
        if (strcmp(action, "401") != 0) {
            sso_convert_note(to, "%s becomes 401", sso_printable(to->pool, action));
        }
        in_section(to, "EntraUnauthenticated 401");
    }
}

void sso_carry_unauthorized(sso_convert_t *to)
{
    const char *action = sso_convert_word(to, 0);
    const char *argument = sso_convert_word(to, 1);
    if (action != NULL && strcmp(action, "302") == 0 && argument != NULL) {
        sso_convert_note(to, "OIDCUnAutzAction 302");
        sso_convert_write(to, "ErrorDocument 403 %s", sso_confline_quote(to->pool, argument));
    } else if (action != NULL && strcasecmp(action, "auth") == 0) {
        sso_convert_left(to, "OIDCUnAutzAction auth has no counterpart: another sign-in does not change who somebody "
                             "is. Pages that need "
                             "a stronger one say Require entra-acr, a fresh one EntraMaxAuthAge");
    } else {
        sso_convert_note(to, "OIDCUnAutzAction is not needed: 403 with a page, and no new sign-in");
    }
}

/* ---- what Entra is asked for ---- */

static void parameter(sso_convert_t *to, const char *name, const char *value)
{
    apr_pool_t *pool = to->pool;
    int64_t age;
    if (strcmp(value, "#") == 0 || strstr(value, "%{") != NULL) {
        sso_convert_left(to, "%s of %s came from the request, which has no counterpart", sso_printable(pool, name),
                         to->line->name);
    } else if (strcmp(name, "prompt") == 0 && strcmp(value, "none") == 0) {
        sso_convert_left(to, "prompt=none has no counterpart: it would forbid Entra to show any page");
    } else if (strcmp(name, "prompt") == 0) {
        in_section(to, apr_pstrcat(pool, "EntraPrompt ", sso_confline_quote(pool, value), NULL));
    } else if (strcmp(name, "login_hint") == 0) {
        in_section(to, apr_pstrcat(pool, "EntraLoginHint ", sso_confline_quote(pool, value), NULL));
    } else if (strcmp(name, "domain_hint") == 0) {
        in_section(to, apr_pstrcat(pool, "EntraDomainHint ", sso_confline_quote(pool, value), NULL));
    } else if (strcmp(name, "max_age") == 0 && sso_integer_parse(value, &age)) {
        in_section(to, apr_psprintf(pool, "EntraMaxAuthAge %" APR_INT64_T_FMT "s", age < 60 ? 60 : age));
    } else if (strcmp(name, "acr_values") == 0 || strcmp(name, "claims") == 0) {
        sso_convert_left(
            to, "%s has no counterpart as a parameter: Require entra-acr asks for an authentication context", name);
    } else if (strcmp(name, "response_mode") == 0 || strcmp(name, "display") == 0 || strcmp(name, "nonce") == 0) {
        sso_convert_note(to, "%s is not needed", name);
    } else {
        sso_convert_left(to, "the parameter %s has no counterpart", sso_printable(pool, name));
    }
}

void sso_carry_parameters(sso_convert_t *to)
{
    apr_table_t *pairs;
    const char *query = sso_convert_word(to, 0);
    if (sso_query_parse(&to->command->ctx, query, &pairs) != SSO_OK) {
        sso_fault_clear(&to->command->ctx);
        sso_convert_left(to, "%s is no query, and was left out", to->line->name);
        return;
    }
    const apr_array_header_t *elements = apr_table_elts(pairs);
    for (int i = 0; i < elements->nelts; i++) {
        const apr_table_entry_t *pair = &APR_ARRAY_IDX(elements, i, apr_table_entry_t);
        parameter(to, pair->key, pair->val);
    }
}
