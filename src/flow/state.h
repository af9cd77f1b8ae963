/* SPDX-License-Identifier: Apache-2.0 */
/* What a sign-in remembers while the browser is away at Entra: the sealed state, and the one cookie that binds it to a
 * browser. Nothing is stored here, so nothing can pile up. */
#pragma once

#include "entra/oauth.h"
#include "flow/flow.h"

#define SSO_BROWSER_BYTES 16
#define SSO_NONCE_SEED_BYTES 16
/* A state is good for this long. */
#define SSO_STATE_LIFE apr_time_from_sec(15 * 60)
/* Automatic sign-ins in a row before an explanation takes the place of the next. */
#define SSO_MAX_ATTEMPTS 3
/* Step-ups for the same thing in a row before an explanation. */
#define SSO_MAX_STEPUPS 2

/* The last is no sign-in yet: what one is to ask for, on its way to the public origin. */
typedef enum {
    SSO_STATE_SIGN_IN = 1,
    SSO_STATE_SIGN_OUT = 2,
    SSO_STATE_TRIAL = 3, /* of flow/trial.h */
    SSO_STATE_WISHES = 10
} sso_state_kind_t;

typedef struct {
    sso_state_kind_t kind;
    unsigned attempts; /* sign-ins that began by themselves before this one */
    apr_time_t issued;
    unsigned char browser[SSO_BROWSER_BYTES];
    unsigned char nonce[SSO_NONCE_SEED_BYTES];
    unsigned char verifier[SSO_PKCE_BYTES];
    const char *return_path;
    sso_wishes_t wishes;
} sso_state_t;

/* base64url of the nonce and of the PKCE code_verifier (RFC 7636 4.1). */
const char *sso_state_nonce(apr_pool_t *pool, const sso_state_t *state);
const char *sso_state_verifier(apr_pool_t *pool, const sso_state_t *state);

/* Sealed text of a state for the URL. */
sso_rc sso_state_seal(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state,
                      const char **ret_text) SSO_MUST_USE;
/* Opens one of ours; its age is for the caller to judge, since even an old one tells where its owner wanted to go.
 * Error: SSO_R_STATE_INVALID. */
sso_rc sso_state_open(sso_ctx_t *ctx, const sso_site_t *site, const char *text, sso_state_t *ret_state) SSO_MUST_USE;

/* Wishes as a parameter of our own, and back. Errors as those of states. */
sso_rc sso_wishes_seal(sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes,
                       const char **ret_text) SSO_MUST_USE;
sso_rc sso_wishes_open(sso_ctx_t *ctx, const sso_site_t *site, const char *text, sso_wishes_t *ret_wishes) SSO_MUST_USE;

#define SSO_STEP_BYTES 4

/* The content of the login cookie, always of the same size. */
typedef struct {
    unsigned char browser[SSO_BROWSER_BYTES];
    unsigned completed; /* sign-ins finished since `since`, to find a browser that drops the session cookie */
    apr_time_t since;
    unsigned steps; /* step-ups finished one soon after the other, all for the same `step` */
    apr_time_t stepped;
    unsigned char step[SSO_STEP_BYTES]; /* what the last step-up asked for, as a digest */
} sso_login_t;

/* The login of the request's cookie; false when there is none that opens. */
bool sso_login_read(sso_ctx_t *ctx, const sso_site_t *site, const sso_cookies_t *cookies, sso_login_t *ret_login);
/* A login for a new browser. */
sso_rc sso_login_make(sso_ctx_t *ctx, sso_login_t *ret_login) SSO_MUST_USE;
/* Adds the Set-Cookie line. */
sso_rc sso_login_write(sso_ctx_t *ctx, const sso_site_t *site, const sso_login_t *login,
                       apr_array_header_t *lines) SSO_MUST_USE;
/* Counts one finished sign-in at ctx->now. */
void sso_login_count(sso_ctx_t *ctx, sso_login_t *login);
/* True when this browser finished so many sign-ins just now that one more would only go round. */
bool sso_login_is_looping(const sso_ctx_t *ctx, const sso_login_t *login);
/* Counts one finished step-up at ctx->now. */
void sso_login_count_step(sso_ctx_t *ctx, sso_login_t *login, const sso_wishes_t *wishes);
/* True when this browser finished a step-up for just this twice, and asks again at once. */
bool sso_login_is_stepping_again(sso_ctx_t *ctx, const sso_login_t *login, const sso_wishes_t *wishes);
