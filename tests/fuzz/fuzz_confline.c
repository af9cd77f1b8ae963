/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration of httpd, as entra-sso convert splits it. Invariants: the statements together are the file, byte by
 * byte; and words that are written again are read as the same words. */
#include "base/limits.h"
#include "command/convert.h"

#include "fuzz.h"

static void check_words(sso_ctx_t *ctx, const sso_line_t *line)
{
    apr_array_header_t *again;
    const char *text = "X";
    for (int i = 0; i < line->words->nelts; i++) {
        text = apr_pstrcat(ctx->pool, text, " ", sso_confline_quote(ctx->pool, sso_text_at(line->words, i)), NULL);
    }
    fuzz_check(sso_confline_split(ctx->pool, text, strlen(text), &again) == NULL && again->nelts == 1);
    const sso_line_t *copy = &APR_ARRAY_IDX(again, 0, sso_line_t);
    fuzz_check(copy->kind == SSO_LINE_DIRECTIVE && copy->words->nelts == line->words->nelts);
    for (int i = 0; i < line->words->nelts; i++) {
        fuzz_check(strcmp(sso_text_at(copy->words, i), sso_text_at(line->words, i)) == 0);
    }
}

FUZZ_TARGET(confline)
{
    apr_array_header_t *lines;
    const char *text = apr_pstrmemdup(ctx->pool, (const char *)data, len);
    if (sso_confline_split(ctx->pool, text, len, &lines) != NULL) {
        return;
    }
    size_t at = 0;
    int number = 1;
    for (int i = 0; i < lines->nelts; i++) {
        const sso_line_t *line = &APR_ARRAY_IDX(lines, i, sso_line_t);
        size_t raw_len = strlen(line->raw);
        fuzz_check(raw_len > 0 && at + raw_len <= len && memcmp(text + at, line->raw, raw_len) == 0);
        fuzz_check(line->number == number && line->words->nelts <= SSO_MAX_CONVERT_WORDS);
        for (size_t j = 0; j < raw_len; j++) {
            number += line->raw[j] == '\n' ? 1 : 0;
        }
        at += raw_len;
        if (line->kind == SSO_LINE_DIRECTIVE && line->words->nelts < 50) {
            check_words(ctx, line);
        }
    }
    fuzz_check(at == len);
}
