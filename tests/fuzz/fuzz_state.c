/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed state of a sign-in, and the login cookie. The bytes are sealed here, so that the reader behind the seal is
 * what is met. Invariants: the bytes alone open nothing; a state that opens seals to one that opens to the same. */
#include "flow/state.h"

#include "site.h"

static void check_equal(const char *a, const char *b)
{
    fuzz_check((a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0));
}

static const char *seal(sso_ctx_t *ctx, sso_purpose_t purpose, const uint8_t *data, size_t len)
{
    const sso_site_t *site = fuzz_site();
    const char *text;
    fuzz_check(sso_seal(ctx, site->session.keyring, purpose, site->session.binding, data, len, &text) == SSO_OK);
    return text;
}

static void login(sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    sso_login_t login;
    sso_cookies_t cookies = {.login = seal(ctx, SSO_PURPOSE_LOGIN, data, len)};
    if (!sso_login_read(ctx, fuzz_site(), &cookies, &login)) {
        return;
    }
    apr_array_header_t *lines = apr_array_make(ctx->pool, 1, sizeof(const char *));
    (void)sso_login_is_looping(ctx, &login);
    sso_login_count(ctx, &login);
    fuzz_check(sso_login_write(ctx, fuzz_site(), &login, lines) == SSO_OK && lines->nelts == 1);
}

FUZZ_TARGET(state)
{
    sso_state_t state;
    sso_state_t again;
    const char *text;
    fuzz_check(sso_state_open(ctx, fuzz_site(), fuzz_text(ctx, data, len), &state) != SSO_OK);
    sso_fault_clear(ctx);
    login(ctx, data, len);
    if (sso_state_open(ctx, fuzz_site(), seal(ctx, SSO_PURPOSE_STATE, data, len), &state) != SSO_OK ||
        strlen(state.return_path) > SSO_MAX_RETURN_PATH) {
        return;
    }
    if (sso_state_seal(ctx, fuzz_site(), &state, &text) != SSO_OK || strlen(text) > SSO_MAX_STATE) {
        return; /* texts beyond the bounds, which we would not have sealed */
    }
    fuzz_check(sso_state_open(ctx, fuzz_site(), text, &again) == SSO_OK);
    fuzz_check(again.kind == state.kind && again.attempts == state.attempts && again.issued == state.issued);
    fuzz_check(memcmp(again.browser, state.browser, sizeof(state.browser)) == 0);
    fuzz_check(memcmp(again.verifier, state.verifier, sizeof(state.verifier)) == 0);
    check_equal(again.return_path, state.return_path);
    check_equal(again.wishes.acr, state.wishes.acr);
    check_equal(again.wishes.form, state.wishes.form);
    check_equal(again.wishes.domain_hint, state.wishes.domain_hint);
}
