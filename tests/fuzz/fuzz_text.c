/* SPDX-License-Identifier: Apache-2.0 */
/* Text codings and small judgements that all parsers lean on. Invariants: what decodes encodes to the same; what is fit
 * for a log line is plain. */
#include <stdlib.h>

#include "fuzz.h"

static void codings(sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    apr_size_t got_len;
    unsigned char *got = sso_base64url_decode(ctx->pool, (const char *)data, len, &got_len);
    if (got != NULL) {
        const char *back = sso_base64url(ctx->pool, got, got_len);
        fuzz_check(strlen(back) == len && memcmp(back, data, len) == 0);
    }
    got = sso_base64_decode(ctx->pool, (const char *)data, len, &got_len);
    if (got != NULL) {
        const char *back = sso_base64(ctx->pool, got, got_len);
        fuzz_check(strlen(back) == len && memcmp(back, data, len) == 0);
    }
    const char *text = sso_base64url(ctx->pool, data, len);
    got = sso_base64url_decode(ctx->pool, text, strlen(text), &got_len);
    fuzz_check(got != NULL && got_len == len && memcmp(got, data, len) == 0);
    unsigned char *bytes = apr_palloc(ctx->pool, len);
    fuzz_check(sso_hex_decode(sso_hex(ctx->pool, data, len), bytes, len) && memcmp(bytes, data, len) == 0);
}

FUZZ_TARGET(text)
{
    int64_t number;
    const char *text = fuzz_text(ctx, data, len);
    codings(ctx, data, len);
    (void)sso_is_utf8((const char *)data, len);
    (void)sso_is_guid(text);
    if (sso_integer_parse(text, &number)) {
        fuzz_check(strcmp(apr_psprintf(ctx->pool, "%" APR_INT64_T_FMT, (apr_int64_t)number), text) == 0);
    }
    const char *printable = sso_printable(ctx->pool, text);
    fuzz_check(!sso_has_control(printable) && strlen(printable) <= 4 * SSO_MAX_LOGGED + 8);
    for (const char *c = printable; *c != '\0'; c++) {
        fuzz_check(*c >= 0x20 && *c < 0x7f);
    }
}
