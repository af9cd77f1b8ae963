/* SPDX-License-Identifier: Apache-2.0 */
/* The Cookie header. Invariants: what a backend gets has none of our cookies, and reads as it is; a session that was
 * written in chunks is read back whole. */
#include "session/cookie.h"

#include "fuzz.h"

static void written_is_read(sso_ctx_t *ctx, const sso_cookie_policy_t *policy, const uint8_t *data, size_t len)
{
    apr_array_header_t *lines = apr_array_make(ctx->pool, 4, sizeof(const char *));
    const char *sealed = sso_base64url(ctx->pool, data, len);
    sso_cookies_t cookies;
    if (len == 0 || !sso_cookie_set_session(ctx->pool, policy, sealed, 0, lines)) {
        return;
    }
    const char *header = "";
    for (int i = 0; i < lines->nelts; i++) {
        const char *line = sso_text_at(lines, i);
        fuzz_check(!sso_has_control(line));
        header =
            apr_pstrcat(ctx->pool, header, i == 0 ? "" : "; ", apr_pstrndup(ctx->pool, line, strcspn(line, ";")), NULL);
    }
    sso_cookie_read(ctx->pool, policy, header, &cookies);
    fuzz_check(!cookies.broken && cookies.session_len == strlen(sealed));
    fuzz_check(memcmp(cookies.session, sealed, cookies.session_len) == 0 && cookies.rest == NULL);
}

FUZZ_TARGET(cookie)
{
    sso_cookie_policy_t policy;
    sso_cookies_t cookies;
    sso_cookies_t again;
    unsigned shape = fuzz_choice(&data, &len, 4);
    sso_cookie_policy_init(ctx->pool, shape < 3, shape == 1 ? "example.com" : NULL, &policy);
    const char *header = fuzz_text(ctx, data, len);
    sso_cookie_read(ctx->pool, &policy, header, &cookies);
    fuzz_check(cookies.session == NULL || (!cookies.broken && (cookies.session_parts & 1u) != 0));
    fuzz_check(cookies.session == NULL || cookies.session_len <= SSO_MAX_SEALED + 2);
    if (cookies.rest != NULL) {
        sso_cookie_read(ctx->pool, &policy, cookies.rest, &again);
        fuzz_check(again.session == NULL && again.login == NULL && again.session_parts == 0 && !again.broken);
        fuzz_check(again.rest == cookies.rest);
    }
    written_is_read(ctx, &policy, data, len);
}
