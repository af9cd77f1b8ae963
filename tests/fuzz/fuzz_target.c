/* SPDX-License-Identifier: Apache-2.0 */
/* A return target. SECURITY: the invariant is that no browser reads what comes out as anything but a path of this site,
 * whichever way it resolves dots, escapes and odd bytes. */
#include "base/url.h"

#include "fuzz.h"

/* The path as a lenient reader has it: escapes decoded so many times, '\' for '/', dot segments taken away. True when
 * "//" is at its front. */
static bool leads_away(sso_ctx_t *ctx, const char *path, int decodings)
{
    char *text = apr_pstrndup(ctx->pool, path, strcspn(path, "?#"));
    for (; decodings > 0; decodings--) {
        char *to = text;
        for (const char *from = text; *from != '\0'; from++) {
            unsigned char byte;
            char digits[3] = {from[0] == '%' ? from[1] : '\0', '\0', '\0'};
            digits[1] = digits[0] != '\0' ? from[2] : '\0';
            digits[0] = (char)(digits[0] >= 'A' && digits[0] <= 'F' ? digits[0] + 32 : digits[0]);
            digits[1] = (char)(digits[1] >= 'A' && digits[1] <= 'F' ? digits[1] + 32 : digits[1]);
            if (digits[1] != '\0' && sso_hex_decode(digits, &byte, 1) && byte != 0) {
                *to++ = (char)byte;
                from += 2;
            } else {
                *to++ = *from;
            }
        }
        *to = '\0';
    }
    apr_array_header_t *segments = apr_array_make(ctx->pool, 8, sizeof(const char *));
    char *rest = text + 1;
    for (bool more = true; more;) {
        size_t len = strcspn(rest, "/\\");
        more = rest[len] != '\0';
        rest[len] = '\0';
        if (strcmp(rest, "..") == 0) {
            (void)apr_array_pop(segments);
        } else if (strcmp(rest, ".") != 0) {
            APR_ARRAY_PUSH(segments, const char *) = rest;
        }
        rest += more ? len + 1 : len;
    }
    return segments->nelts > 1 && *sso_text_at(segments, 0) == '\0';
}

FUZZ_TARGET(target)
{
    const char *why = NULL;
    const sso_origin_t *origin = sso_origin_parse(ctx->pool, FUZZ_ORIGIN, &why);
    const char *path = sso_return_path(ctx->pool, origin, fuzz_text(ctx, data, len));
    fuzz_check(path != NULL && path[0] == '/' && path[1] != '/' && path[1] != '\\');
    fuzz_check(strlen(path) <= SSO_MAX_RETURN_PATH);
    for (const char *c = path; *c != '\0'; c++) {
        fuzz_check(*c > 0x20 && *c < 0x7f && *c != '\\' && *c != '#');
    }
    for (int decodings = 0; decodings <= 2; decodings++) {
        fuzz_check(!leads_away(ctx, path, decodings));
    }
    fuzz_check(strcmp(sso_return_path(ctx->pool, origin, path), path) == 0);
    fuzz_check(strcmp(sso_return_path(ctx->pool, origin, apr_pstrcat(ctx->pool, FUZZ_ORIGIN, path, NULL)), path) == 0);
}
