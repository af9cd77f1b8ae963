/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed text from a cookie or a URL. Invariants: what opens was sealed; another purpose, binding, or any changed
 * character opens nothing. */
#include "site.h"

FUZZ_TARGET(seal)
{
    static const unsigned char binding[SSO_BINDING_BYTES] = {1};
    static const unsigned char other[SSO_BINDING_BYTES] = {2};
    unsigned char *opened;
    apr_size_t opened_len;
    const char *text;
    const sso_purpose_t purpose = (sso_purpose_t)fuzz_choice(&data, &len, SSO_PURPOSE_COUNT);
    const sso_purpose_t wrong = (sso_purpose_t)((purpose + 1) % SSO_PURPOSE_COUNT);
    unsigned place = fuzz_choice(&data, &len, 256);
    /* Nobody who has not the key can make one, whatever the fuzzer thinks of. */
    fuzz_check(sso_open(ctx, fuzz_ring(), purpose, binding, (const char *)data, len, &opened, &opened_len) != SSO_OK);
    sso_fault_clear(ctx);
    fuzz_check(sso_seal(ctx, fuzz_ring(), purpose, binding, data, len, &text) == SSO_OK);
    apr_size_t text_len = strlen(text);
    fuzz_check(sso_open(ctx, fuzz_ring(), purpose, binding, text, text_len, &opened, &opened_len) == SSO_OK);
    fuzz_check(opened_len == len && memcmp(opened, data, len) == 0 && opened[len] == '\0');
    fuzz_check(sso_open(ctx, fuzz_ring(), wrong, binding, text, text_len, &opened, &opened_len) != SSO_OK);
    fuzz_check(sso_open(ctx, fuzz_ring(), purpose, other, text, text_len, &opened, &opened_len) != SSO_OK);
    char *changed = apr_pstrmemdup(ctx->pool, text, text_len);
    char *at = &changed[place * text_len / 256];
    *at = *at == 'A' ? 'B' : 'A';
    fuzz_check(sso_open(ctx, fuzz_ring(), purpose, binding, changed, text_len, &opened, &opened_len) != SSO_OK);
    fuzz_check(sso_open(ctx, fuzz_ring(), purpose, binding, text, text_len - 1, &opened, &opened_len) != SSO_OK);
    sso_fault_clear(ctx);
}
