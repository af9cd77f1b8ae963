/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a configuration of httpd into statements, as httpd's own reader does: lines that a backslash continues, words
 * in quotes. It knows no directive. The text is an administrator's file, and may still be any bytes. */
#include "command/convert.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

/* The text of one statement without continuations and line end, and where the next one begins. */
static const char *join(apr_pool_t *pool, const char *at, const char *end, const char **ret_next, int *ret_lines)
{
    char *joined = apr_palloc(pool, (apr_size_t)(end - at) + 1);
    apr_size_t len = 0;
    *ret_lines = 0;
    for (;;) {
        const char *newline = memchr(at, '\n', (apr_size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        const char *next = newline != NULL ? newline + 1 : end;
        if (stop > at && stop[-1] == '\r') {
            stop--;
        }
        (*ret_lines)++;
        bool goes_on = stop > at && stop[-1] == '\\' && next < end;
        apr_size_t n = (apr_size_t)(stop - at) - (goes_on ? 1 : 0);
        memcpy(joined + len, at, n);
        len += n;
        at = next;
        if (!goes_on) {
            break;
        }
    }
    joined[len] = '\0';
    *ret_next = at;
    return joined;
}

/* The next word of *at, without its quotes; NULL at the end. */
static const char *word_next(apr_pool_t *pool, const char **at)
{
    const char *from = *at;
    while (apr_isspace(*from)) {
        from++;
    }
    if (*from == '\0') {
        *at = from;
        return NULL;
    }
    char quote = (char)(*from == '"' || *from == '\'' ? *from++ : '\0');
    char *word = apr_palloc(pool, strlen(from) + 1);
    apr_size_t len = 0;
    while (*from != '\0' && (quote != '\0' ? *from != quote : !apr_isspace(*from))) {
        if (*from == '\\' && (from[1] == '\\' || (quote != '\0' && from[1] == quote))) {
            from++;
        }
        word[len++] = *from++;
    }
    word[len] = '\0';
    *at = quote != '\0' && *from == quote ? from + 1 : from;
    return word;
}

/* Cuts the '>' that ends a section's line off its last word. */
static void cut_bracket(apr_pool_t *pool, sso_line_t *line)
{
    const char *last = line->words->nelts > 0 ? sso_text_at(line->words, line->words->nelts - 1) : line->name;
    apr_size_t len = strlen(last);
    if (len == 0 || last[len - 1] != '>') {
        return;
    }
    const char *cut = apr_pstrmemdup(pool, last, len - 1);
    if (line->words->nelts == 0) {
        line->name = cut;
    } else if (len == 1) {
        line->words->nelts--;
    } else {
        APR_ARRAY_IDX(line->words, line->words->nelts - 1, const char *) = cut;
    }
}

/* Fills in kind, name and words. NULL when good. */
static const char *statement_parse(apr_pool_t *pool, const char *text, sso_line_t *line)
{
    const char *at = text;
    while (apr_isspace(*at)) {
        at++;
    }
    line->indent = apr_pstrmemdup(pool, text, (apr_size_t)(at - text));
    line->name = "";
    line->kind = SSO_LINE_OTHER;
    line->words = apr_array_make(pool, 4, sizeof(const char *));
    if (*at == '\0' || *at == '#') {
        return NULL;
    }
    line->kind = *at != '<' ? SSO_LINE_DIRECTIVE : at[1] == '/' ? SSO_LINE_CLOSE : SSO_LINE_OPEN;
    at += line->kind == SSO_LINE_CLOSE ? 2 : line->kind == SSO_LINE_OPEN ? 1 : 0;
    const char *word = word_next(pool, &at);
    line->name = word == NULL ? "" : word;
    while ((word = word_next(pool, &at)) != NULL) {
        if (line->words->nelts == SSO_MAX_CONVERT_WORDS) {
            return "has too many words";
        }
        APR_ARRAY_PUSH(line->words, const char *) = word;
    }
    if (line->kind != SSO_LINE_DIRECTIVE) {
        cut_bracket(pool, line);
    }
    return NULL;
}

const char *sso_confline_split(apr_pool_t *pool, const char *text, apr_size_t len, apr_array_header_t **ret_lines)
{
    apr_array_header_t *lines = apr_array_make(pool, 64, sizeof(sso_line_t));
    const char *at = text;
    const char *end = text + len;
    int number = 1;
    if (memchr(text, '\0', len) != NULL) {
        return "is no text: it has a zero byte";
    }
    while (at < end) {
        if (lines->nelts == SSO_MAX_CONVERT_LINES) {
            return "has too many lines";
        }
        const char *next;
        int count;
        const char *joined = join(pool, at, end, &next, &count);
        sso_line_t *line = &APR_ARRAY_PUSH(lines, sso_line_t);
        line->number = number;
        line->raw = apr_pstrmemdup(pool, at, (apr_size_t)(next - at));
        const char *wrong = statement_parse(pool, joined, line);
        if (wrong != NULL) {
            return apr_psprintf(pool, "line %d %s", number, wrong);
        }
        number += count;
        at = next;
    }
    *ret_lines = lines;
    return NULL;
}

const char *sso_confline_quote(apr_pool_t *pool, const char *word)
{
    bool plain = *word != '\0';
    for (const char *at = word; *at != '\0'; at++) {
        plain = plain && !apr_isspace(*at) && *at != '"' && *at != '\'' && *at != '<' && *at != '>' && *at != '\\' &&
                *at != '#';
    }
    if (plain) {
        return word;
    }
    char *quoted = apr_palloc(pool, 2 * strlen(word) + 3);
    apr_size_t len = 0;
    quoted[len++] = '"';
    for (const char *at = word; *at != '\0'; at++) {
        /* A backslash alone is one, as in a regular expression; before another, a quote or the end it would be read
         * away. */
        if (*at == '"' || (*at == '\\' && (at[1] == '\\' || at[1] == '"' || at[1] == '\0'))) {
            quoted[len++] = '\\';
        }
        quoted[len++] = *at;
    }
    quoted[len++] = '"';
    quoted[len] = '\0';
    return quoted;
}
