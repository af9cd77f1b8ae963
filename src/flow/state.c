/* SPDX-License-Identifier: Apache-2.0 */
/* State and login cookie in their binary forms. */
#include "flow/state.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Of the binary forms. */
#define STATE_VERSION 3
#define LOGIN_VERSION 2
/* Three finished sign-ins within this span and still no session: the browser does not keep it. */
#define LOOP_SPAN apr_time_from_sec(120)
/* A step-up that is asked for again so soon after it was finished has not reached the session. */
#define STEP_SPAN apr_time_from_sec(60)

const char *sso_state_nonce(apr_pool_t *pool, const sso_state_t *state)
{
    return sso_base64url(pool, state->nonce, sizeof(state->nonce));
}

const char *sso_state_verifier(apr_pool_t *pool, const sso_state_t *state)
{
    return sso_base64url(pool, state->verifier, sizeof(state->verifier));
}

sso_rc sso_state_seal(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, const char **ret_text)
{
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, SSO_MAX_RETURN_PATH + SSO_MAX_ACR + 2 * SSO_MAX_HINT + 192);
    sso_write_u8(&w, STATE_VERSION);
    sso_write_u8(&w, (uint8_t)state->kind);
    sso_write_u8(&w, (uint8_t)state->attempts);
    sso_write_i64(&w, state->issued);
    sso_write_bytes(&w, state->browser, sizeof(state->browser));
    sso_write_bytes(&w, state->nonce, sizeof(state->nonce));
    sso_write_bytes(&w, state->verifier, sizeof(state->verifier));
    sso_write_text(&w, state->return_path);
    sso_write_i64(&w, state->wishes.max_age);
    sso_write_text(&w, state->wishes.acr);
    sso_write_text(&w, state->wishes.prompt);
    sso_write_text(&w, state->wishes.login_hint);
    sso_write_text(&w, state->wishes.domain_hint);
    sso_write_text(&w, state->wishes.form);
    if (w.failed || strlen(state->return_path) > SSO_MAX_RETURN_PATH) {
        return sso_fail(ctx, SSO_R_CRYPTO, "the return path or a hint is longer than its bound");
    }
    return sso_seal(ctx, site->session.keyring, SSO_PURPOSE_STATE, site->session.binding, w.data, w.len, ret_text);
}

static void copy_or_fail(sso_reader_t *r, unsigned char *to, apr_size_t len)
{
    const unsigned char *from = sso_read_bytes(r, len);
    if (from != NULL) {
        memcpy(to, from, len);
    }
}

/* An absent text was written as an empty one. */
static const char *read_wish(sso_reader_t *r)
{
    const char *text = sso_read_text(r);
    return text == NULL || *text == '\0' ? NULL : text;
}

static void read_wishes(sso_reader_t *r, sso_wishes_t *wishes)
{
    wishes->max_age = sso_read_i64(r);
    wishes->acr = read_wish(r);
    wishes->prompt = read_wish(r);
    wishes->login_hint = read_wish(r);
    wishes->domain_hint = read_wish(r);
    wishes->form = read_wish(r);
}

static bool is_kind(unsigned kind)
{
    return kind == SSO_STATE_SIGN_IN || kind == SSO_STATE_SIGN_OUT || kind == SSO_STATE_TRIAL ||
           kind == SSO_STATE_WISHES;
}

sso_rc sso_state_open(sso_ctx_t *ctx, const sso_site_t *site, const char *text, sso_state_t *ret_state)
{
    unsigned char *data;
    apr_size_t len;
    apr_size_t text_len = strlen(text);
    if (text_len > SSO_MAX_STATE || sso_open(ctx, site->session.keyring, SSO_PURPOSE_STATE, site->session.binding, text,
                                             text_len, &data, &len) != SSO_OK) {
        /* One reason for all that does not open: whoever sends it learns nothing, and the page is the same. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_STATE_INVALID, "%" APR_SIZE_T_FMT " characters", text_len);
    }
    sso_state_t state;
    sso_reader_t r;
    sso_reader_init(&r, data, len);
    unsigned version = sso_read_u8(&r);
    unsigned kind = sso_read_u8(&r);
    state.kind = (sso_state_kind_t)kind;
    state.attempts = sso_read_u8(&r);
    state.issued = sso_read_i64(&r);
    copy_or_fail(&r, state.browser, sizeof(state.browser));
    copy_or_fail(&r, state.nonce, sizeof(state.nonce));
    copy_or_fail(&r, state.verifier, sizeof(state.verifier));
    state.return_path = sso_read_text(&r);
    read_wishes(&r, &state.wishes);
    if (!sso_reader_done(&r) || version != STATE_VERSION || !is_kind(kind) || state.issued < 0) {
        return sso_fail(ctx, SSO_R_STATE_INVALID, "of another version");
    }
    sso_wipe_later(ctx->pool, data, len);
    *ret_state = state;
    return SSO_OK;
}

sso_rc sso_wishes_seal(sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes, const char **ret_text)
{
    sso_state_t state = {.kind = SSO_STATE_WISHES, .issued = ctx->now, .return_path = "", .wishes = *wishes};
    return sso_state_seal(ctx, site, &state, ret_text);
}

sso_rc sso_wishes_open(sso_ctx_t *ctx, const sso_site_t *site, const char *text, sso_wishes_t *ret_wishes)
{
    sso_state_t state;
    sso_rc rc = sso_state_open(ctx, site, text, &state);
    if (rc == SSO_OK && state.kind != SSO_STATE_WISHES) {
        rc = sso_fail(ctx, SSO_R_STATE_INVALID, "of kind %d, not of wishes", (int)state.kind);
    }
    if (rc == SSO_OK) {
        *ret_wishes = state.wishes;
    }
    return rc;
}

bool sso_login_read(sso_ctx_t *ctx, const sso_site_t *site, const sso_cookies_t *cookies, sso_login_t *ret_login)
{
    unsigned char *data;
    apr_size_t len;
    if (cookies->login == NULL || sso_open(ctx, site->session.keyring, SSO_PURPOSE_LOGIN, site->session.binding,
                                           cookies->login, strlen(cookies->login), &data, &len) != SSO_OK) {
        /* A stale login cookie is replaced, not complained of. */
        sso_fault_clear(ctx);
        return false;
    }
    sso_login_t login;
    sso_reader_t r;
    sso_reader_init(&r, data, len);
    unsigned version = sso_read_u8(&r);
    copy_or_fail(&r, login.browser, sizeof(login.browser));
    login.completed = sso_read_u8(&r);
    login.since = sso_read_i64(&r);
    login.steps = sso_read_u8(&r);
    login.stepped = sso_read_i64(&r);
    copy_or_fail(&r, login.step, sizeof(login.step));
    /* A moment before all is none of ours, and differences of moments have to fit. */
    if (!sso_reader_done(&r) || version != LOGIN_VERSION || login.since < 0 || login.stepped < 0) {
        return false;
    }
    *ret_login = login;
    return true;
}

sso_rc sso_login_make(sso_ctx_t *ctx, sso_login_t *ret_login)
{
    memset(ret_login, 0, sizeof(*ret_login));
    ret_login->since = ctx->now;
    return sso_random(ctx, ret_login->browser, sizeof(ret_login->browser));
}

sso_rc sso_login_write(sso_ctx_t *ctx, const sso_site_t *site, const sso_login_t *login, apr_array_header_t *lines)
{
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, 64);
    sso_write_u8(&w, LOGIN_VERSION);
    sso_write_bytes(&w, login->browser, sizeof(login->browser));
    sso_write_u8(&w, (uint8_t)login->completed);
    sso_write_i64(&w, login->since);
    sso_write_u8(&w, (uint8_t)login->steps);
    sso_write_i64(&w, login->stepped);
    sso_write_bytes(&w, login->step, sizeof(login->step));
    const char *sealed;
    sso_rc rc = sso_seal(ctx, site->session.keyring, SSO_PURPOSE_LOGIN, site->session.binding, w.data, w.len, &sealed);
    if (rc == SSO_OK) {
        sso_cookie_set_login(ctx->pool, &site->session.cookies, sealed, lines);
    }
    return rc;
}

void sso_login_count(sso_ctx_t *ctx, sso_login_t *login)
{
    if (ctx->now - login->since > LOOP_SPAN || ctx->now < login->since) {
        login->completed = 0;
        login->since = ctx->now;
    }
    if (login->completed < SSO_MAX_ATTEMPTS) {
        login->completed++;
    }
}

bool sso_login_is_looping(const sso_ctx_t *ctx, const sso_login_t *login)
{
    return login->completed >= SSO_MAX_ATTEMPTS && ctx->now >= login->since && ctx->now - login->since <= LOOP_SPAN;
}

static void digest_step(sso_ctx_t *ctx, const sso_wishes_t *wishes, unsigned char *step)
{
    unsigned char digest[SSO_SHA256_BYTES];
    const char *text =
        apr_psprintf(ctx->pool, "%s %" APR_TIME_T_FMT, wishes->acr == NULL ? "" : wishes->acr, wishes->max_age);
    sso_sha256(text, strlen(text), digest);
    memcpy(step, digest, SSO_STEP_BYTES);
}

static bool is_soon(const sso_ctx_t *ctx, const sso_login_t *login)
{
    return ctx->now >= login->stepped && ctx->now - login->stepped <= STEP_SPAN;
}

void sso_login_count_step(sso_ctx_t *ctx, sso_login_t *login, const sso_wishes_t *wishes)
{
    unsigned char step[SSO_STEP_BYTES];
    digest_step(ctx, wishes, step);
    bool again = is_soon(ctx, login) && memcmp(step, login->step, sizeof(step)) == 0;
    login->steps = again && login->steps < SSO_MAX_STEPUPS ? login->steps + 1 : (again ? login->steps : 1);
    login->stepped = ctx->now;
    memcpy(login->step, step, sizeof(step));
}

bool sso_login_is_stepping_again(sso_ctx_t *ctx, const sso_login_t *login, const sso_wishes_t *wishes)
{
    unsigned char step[SSO_STEP_BYTES];
    digest_step(ctx, wishes, step);
    return login->steps >= SSO_MAX_STEPUPS && is_soon(ctx, login) && memcmp(step, login->step, sizeof(step)) == 0;
}
