/* SPDX-License-Identifier: Apache-2.0 */
/* The sign-in. Every path ends in an answer; a code is redeemed at one place, after every check that needs no code. */
#include "flow/signin.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/idtoken.h"
#include "entra/oauth.h"
#include "flow/groups.h"
#include "flow/probe.h"
#include "flow/state.h"
#include "session/identity.h"

/* The GUID that Entra's log and ours both show for one sign-in. */
static const char *make_correlation_id(sso_ctx_t *ctx)
{
    const char *guid = NULL;
    if (sso_random_guid(ctx, &guid) != SSO_OK) {
        /* Only a label: the sign-in itself fails for the same want when it makes its state. */
        sso_fault_clear(ctx);
    }
    return guid;
}

/* Our own endpoints are no page to come back to; `login` as a target would go round for ever. */
static const char *page_of(const sso_site_t *site, const char *return_path)
{
    apr_size_t len = strlen(site->path);
    if (strncmp(return_path, site->path, len) == 0 && strchr("/?", return_path[len]) != NULL) {
        return "/";
    }
    return return_path;
}

static sso_rc make_state(sso_ctx_t *ctx, const sso_login_t *login, const char *return_path, unsigned attempts,
                         sso_state_t *state)
{
    state->kind = SSO_STATE_SIGN_IN;
    state->attempts = attempts;
    state->issued = ctx->now;
    state->return_path = return_path;
    memcpy(state->browser, login->browser, sizeof(state->browser));
    sso_rc rc = sso_random(ctx, state->nonce, sizeof(state->nonce));
    return rc != SSO_OK ? rc : sso_random(ctx, state->verifier, sizeof(state->verifier));
}

static sso_rc authorize_location(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, sso_answer_t *answer)
{
    const sso_authority_view_t *view;
    const char *sealed;
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc == SSO_OK) {
        rc = sso_state_seal(ctx, site, state, &sealed);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    answer->correlation_id = make_correlation_id(ctx);
    sso_authorize_t authorize = {
        .client_id = site->client_id,
        .redirect_uri = site->redirect_uri,
        .scope = site->scope,
        .state = sealed,
        .nonce = sso_state_nonce(ctx->pool, state),
        .code_verifier = sso_state_verifier(ctx->pool, state),
        .correlation_id = answer->correlation_id,
    };
    rc = sso_probe_claims(ctx, site, NULL, NULL, &authorize.claims);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_answer_redirect(answer, sso_authorize_url(ctx->pool, view->metadata, &authorize));
    return SSO_OK;
}

/* The explanation in the place of one more round. The cookie goes, so that "try again" starts from nothing. cause is
 * what ended the last round, for the administrator; NULL when every round was finished. */
static void stop_loop(sso_ctx_t *ctx, const sso_site_t *site, const char *return_path, const sso_fault_t *cause,
                      sso_answer_t *answer)
{
    sso_fault_clear(ctx);
    if (cause == NULL) {
        (void)sso_fail(ctx, SSO_R_SIGNIN_LOOP, "the browser does not keep the session cookie");
    } else {
        (void)sso_fail(ctx, SSO_R_SIGNIN_LOOP, "the last for %s: %s", sso_reason(cause->rc)->name,
                       cause->detail == NULL ? "-" : cause->detail);
        ctx->fault.aadsts = cause->aadsts;
        ctx->fault.oauth_error = cause->oauth_error;
        ctx->fault.correlation_id = cause->correlation_id;
    }
    sso_cookie_end_login(ctx->pool, &site->session.cookies, answer->cookies);
    sso_answer_fault(answer, return_path);
}

/* The browser's session, if it sent one; to have none is the usual case here. */
static bool read_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_record_t *record)
{
    bool has = sso_session_open(ctx, &site->session, request->cookies, record) == SSO_OK;
    sso_fault_clear(ctx);
    return has;
}

/* Who sends a session keeps it, however often they signed in. */
static bool is_looping(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_login_t *login)
{
    sso_record_t record;
    return sso_login_is_looping(ctx, login) && !read_session(ctx, site, request, &record);
}

/* attempts is below SSO_MAX_ATTEMPTS. */
static void start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                  unsigned attempts, sso_answer_t *answer)
{
    sso_login_t login;
    sso_state_t state;
    sso_rc rc = SSO_OK;
    return_path = page_of(site, return_path);
    bool known = sso_login_read(ctx, site, request->cookies, &login);
    if (known && is_looping(ctx, site, request, &login)) {
        stop_loop(ctx, site, return_path, NULL, answer);
        return;
    }
    if (!known) {
        rc = sso_login_make(ctx, &login);
    }
    if (rc == SSO_OK && !known) {
        rc = sso_login_write(ctx, site, &login, answer->cookies);
    }
    if (rc == SSO_OK) {
        rc = make_state(ctx, &login, return_path, attempts, &state);
    }
    if (rc == SSO_OK) {
        rc = authorize_location(ctx, site, &state, answer);
    }
    if (rc != SSO_OK) {
        sso_answer_fault(answer, return_path);
    }
}

/* What became of a session before is no longer of interest: from here on a fault is the sign-in's. */
static void begin(sso_ctx_t *ctx, sso_answer_t *answer)
{
    sso_fault_clear(ctx);
    sso_answer_init(answer, ctx->pool);
}

/* True when the browser asked for another host than the public origin's, where the callback could not find the cookie.
 */
static bool is_elsewhere(const sso_site_t *site, const sso_request_t *request)
{
    return request->host != NULL && apr_cstr_casecmp(request->host, site->origin->host) != 0;
}

/* Once only: a balancer that hides the browser's host from us would make it go round. */
static void hop(sso_ctx_t *ctx, const sso_site_t *site, const char *return_path, sso_answer_t *answer)
{
    sso_answer_redirect(answer, apr_pstrcat(ctx->pool, sso_login_url(ctx->pool, site, return_path), "&hop=1", NULL));
}

void sso_signin_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                      sso_answer_t *ret_answer)
{
    begin(ctx, ret_answer);
    if (is_elsewhere(site, request)) {
        hop(ctx, site, return_path, ret_answer);
    } else {
        start(ctx, site, request, return_path, 0, ret_answer);
    }
}

static bool method_is(sso_ctx_t *ctx, const sso_request_t *request, const char *method, sso_answer_t *answer)
{
    if (strcmp(request->method, method) == 0) {
        return true;
    }
    answer->allow = method;
    (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(ctx->pool, request->method));
    sso_answer_fault(answer, "/");
    return false;
}

void sso_signin_login(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    apr_table_t *pairs;
    const char *target = NULL;
    const char *hopped = NULL;
    begin(ctx, ret_answer);
    if (!method_is(ctx, request, "GET", ret_answer)) {
        return;
    }
    sso_rc rc = sso_query_parse(ctx, request->query, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "rd", &target);
    }
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "hop", &hopped);
    }
    if (rc != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    const char *return_path = sso_return_path(ctx->pool, site->origin, target);
    if (hopped == NULL && is_elsewhere(site, request)) {
        hop(ctx, site, return_path, ret_answer);
    } else {
        start(ctx, site, request, return_path, 0, ret_answer);
    }
}

/* Begins again by itself, for a callback that failed for a stale reason; counted, so that it ends. */
static void start_again(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                        sso_answer_t *answer)
{
    const sso_fault_t cause = ctx->fault;
    if (state->attempts + 1 >= SSO_MAX_ATTEMPTS) {
        stop_loop(ctx, site, state->return_path, &cause, answer);
        return;
    }
    sso_debug(ctx, "sign-in begins again: ENTRA%04d: %s", sso_reason(cause.rc)->number, sso_reason(cause.rc)->sentence);
    sso_fault_clear(ctx);
    start(ctx, site, request, state->return_path, state->attempts + 1, answer);
}

static void go_to_page(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, sso_answer_t *answer)
{
    sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, state->return_path, NULL));
}

/* A session at least as young as the state: this callback was reloaded, or another tab finished first. Its code is not
 * needed. */
static bool has_younger_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                                const sso_state_t *state)
{
    sso_record_t record;
    return read_session(ctx, site, request, &record) && record.created >= state->issued;
}

/* Entra's name of the browser session, when the token has no sid (an optional claim): session_state is the same GUID.
 * It comes through the browser, which by a wrong one could only end its own session. */
static const char *sid_of(sso_ctx_t *ctx, const sso_callback_t *callback)
{
    bool good = callback->session_state != NULL && sso_is_guid(callback->session_state);
    return good ? apr_pstrdup(ctx->pool, callback->session_state) : "";
}

static sso_rc redeem(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, const sso_callback_t *callback,
                     sso_answer_t *answer, sso_tokens_t *ret_tokens)
{
    const sso_authority_view_t *view;
    sso_tokens_t tokens;
    sso_idtoken_t token;
    sso_redeem_t request = {
        .client_id = site->client_id,
        .credential = site->credential,
        .redirect_uri = site->redirect_uri,
        .scope = site->scope,
        .code = callback->code,
        .code_verifier = sso_state_verifier(ctx->pool, state),
        .correlation_id = answer->correlation_id,
    };
    sso_idtoken_rules_t rules = {
        .client_id = site->client_id,
        .allowed_tenants = site->allowed_tenants,
        .any_tenant = site->any_tenant,
        .skew = site->skew,
        .nonce = sso_state_nonce(ctx->pool, state),
    };
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc == SSO_OK) {
        rc = sso_probe_claims(ctx, site, NULL, NULL, &request.claims);
    }
    if (rc == SSO_OK) {
        rc = sso_code_redeem(ctx, site->authority, view->metadata, &request, &tokens);
    }
    if (rc == SSO_OK) {
        rc = sso_idtoken_open(ctx, site->authority, &rules, tokens.id_token, &token);
    }
    if (rc == SSO_OK) {
        rc = sso_identity_fill(ctx, &token, site->claims, &answer->record);
    }
    if (rc == SSO_OK && *answer->record.sid == '\0') {
        answer->record.sid = sid_of(ctx, callback);
    }
    if (rc == SSO_OK) {
        *ret_tokens = tokens;
        rc = sso_groups_fill(ctx, site, &token, tokens.access_token, &answer->record);
    }
    return rc;
}

/* When Entra signed this user in, by Entra's clock: a revocation is dated by the same clock, and ours may differ. */
static apr_time_t signed_in(const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens)
{
    apr_time_t away =
        tokens->issued > record->created ? tokens->issued - record->created : record->created - tokens->issued;
    if (record->auth_time != 0) {
        return record->auth_time;
    }
    return tokens->issued != 0 && away <= site->skew ? tokens->issued : record->created;
}

/* The session's row, without which it could neither be renewed nor ended from elsewhere. */
static sso_rc store_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record,
                            const sso_tokens_t *tokens)
{
    sso_stored_t stored = {
        .app = site->app,
        .tid = record->tid,
        .oid = record->oid,
        .sid = record->sid,
        .username = record->username,
        .created = record->created,
        .signed_in = signed_in(site, record, tokens),
        .ends = record->ends,
        .revalidated = record->revalidated,
        .refresh = "",
        .identity = "",
        .access = "",
    };
    memcpy(stored.id, record->id, sizeof(stored.id));
    sso_rc rc = SSO_OK;
    if (site->store == NULL) {
        rc = sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    if (rc == SSO_OK && record->renewable) {
        rc = sso_session_seal(ctx, &site->session, SSO_PURPOSE_REFRESH, record->id, tokens->refresh_token,
                              strlen(tokens->refresh_token), &stored.refresh);
    }
    if (rc == SSO_OK && record->renewable) {
        rc = sso_probe_seal(ctx, site, record->id, tokens->access_token, &stored.access);
    }
    return rc == SSO_OK ? sso_store_add(ctx, site->store, &stored) : rc;
}

/* The row is written last: a session that does not fit into its cookies leaves none behind. */
static sso_rc make_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_login_t *login,
                           const sso_tokens_t *tokens, sso_answer_t *answer)
{
    sso_rc rc = sso_session_start(ctx, &site->session, &answer->record);
    if (rc == SSO_OK) {
        answer->record.renewable = tokens->refresh_token != NULL;
        rc = sso_session_write(ctx, &site->session, &answer->record, request->cookies->session_parts, answer->cookies);
    }
    if (rc == SSO_OK) {
        sso_login_count(ctx, login);
        rc = sso_login_write(ctx, site, login, answer->cookies);
    }
    return rc == SSO_OK ? store_session(ctx, site, &answer->record, tokens) : rc;
}

/* The part of the callback that needs its code: everything that could be refused without it has been. */
static void finish(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                   sso_login_t *login, const sso_callback_t *callback, sso_answer_t *answer)
{
    answer->correlation_id = make_correlation_id(ctx);
    sso_tokens_t tokens = {NULL};
    sso_rc rc = redeem(ctx, site, state, callback, answer, &tokens);
    /* A burst of sign-ins at the moment of a key rollover: one more round, and the keys are there. */
    if (rc == SSO_R_TOKEN_GRANT || rc == SSO_R_KEYS_BUSY) {
        start_again(ctx, site, request, state, answer);
        return;
    }
    if (rc == SSO_OK) {
        rc = make_session(ctx, site, request, login, &tokens, answer);
    }
    if (rc != SSO_OK) {
        /* No half of a session may go out with an error. */
        apr_array_clear(answer->cookies);
        sso_answer_fault(answer, state->return_path);
        return;
    }
    answer->signed_in = true;
    go_to_page(ctx, site, state, answer);
}

/* Entra's logout brings the browser back here too, since only this URI is registered: without code or error, and with
 * the state where Entra echoes it. */
static void come_back_from_logout(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                                  const char *text, sso_answer_t *answer)
{
    sso_state_t state;
    sso_record_t record;
    if (text != NULL && sso_state_open(ctx, site, text, &state) == SSO_OK && state.kind == SSO_STATE_SIGN_OUT &&
        ctx->now - state.issued <= SSO_STATE_LIFE && *state.return_path != '\0') {
        go_to_page(ctx, site, &state, answer);
        return;
    }
    /* SECURITY: the page says "you are signed out", so it must be true: whoever has a session, and only followed a link
     * to here, goes to the site instead. */
    if (sso_session_open(ctx, &site->session, request->cookies, &record) == SSO_OK) {
        sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, "/", NULL));
    } else {
        answer->kind = SSO_ANSWER_GOODBYE;
    }
    /* Neither a foreign state nor the want of a session is a fault here. */
    sso_fault_clear(ctx);
}

static bool is_from_logout(sso_ctx_t *ctx, const char *query, const char **ret_state)
{
    apr_table_t *pairs;
    bool is = sso_query_parse(ctx, query, &pairs) == SSO_OK && apr_table_get(pairs, "code") == NULL &&
              apr_table_get(pairs, "error") == NULL && sso_query_one(ctx, pairs, "state", ret_state) == SSO_OK;
    /* What is malformed is reported by the callback's own parser. */
    sso_fault_clear(ctx);
    return is;
}

void sso_signin_callback(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    sso_callback_t callback;
    sso_state_t state;
    sso_login_t login;
    const char *echoed = NULL;
    begin(ctx, ret_answer);
    if (!method_is(ctx, request, "GET", ret_answer)) {
        return;
    }
    if (is_from_logout(ctx, request->query, &echoed)) {
        come_back_from_logout(ctx, site, request, echoed, ret_answer);
        return;
    }
    if (sso_callback_parse(ctx, request->query, &callback) != SSO_OK ||
        sso_state_open(ctx, site, callback.state, &state) != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (state.kind != SSO_STATE_SIGN_IN) {
        (void)sso_fail(ctx, SSO_R_STATE_INVALID, "of a sign-out");
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (has_younger_session(ctx, site, request, &state)) {
        go_to_page(ctx, site, &state, ret_answer);
        return;
    }
    if (ctx->now - state.issued > SSO_STATE_LIFE || state.issued > ctx->now + site->skew) {
        (void)sso_fail(ctx, SSO_R_STATE_EXPIRED, "made %" APR_TIME_T_FMT " s ago",
                       apr_time_sec(ctx->now - state.issued));
        start_again(ctx, site, request, &state, ret_answer);
        return;
    }
    /* SECURITY: login CSRF. A callback that another browser began is never redeemed here. */
    if (!sso_login_read(ctx, site, request->cookies, &login) ||
        !sso_bytes_equal(login.browser, state.browser, sizeof(login.browser))) {
        (void)sso_fail(ctx, SSO_R_STATE_BROWSER, "attempt %u", state.attempts + 1);
        start_again(ctx, site, request, &state, ret_answer);
        return;
    }
    if (callback.error != NULL) {
        (void)sso_callback_error(ctx, &callback);
        sso_answer_fault(ret_answer, state.return_path);
        return;
    }
    finish(ctx, site, request, &state, &login, &callback, ret_answer);
}
