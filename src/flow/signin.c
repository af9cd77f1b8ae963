/* SPDX-License-Identifier: Apache-2.0 */
/* The sign-in. Every path ends in an answer; a code is redeemed at one place, after every check that needs no code. */
#include "flow/signin.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "entra/oauth.h"
#include "flow/directory.h"
#include "flow/exchange.h"
#include "flow/form.h"
#include "flow/keep.h"
#include "flow/probe.h"
#include "flow/signout.h"
#include "flow/silent.h"
#include "flow/state.h"
#include "flow/stepup.h"
#include "flow/trial.h"

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

/* Our own endpoints are no page to come back to; `login` as a target would go round for ever. But for the one that is a
 * page. */
static const char *page_of(const sso_site_t *site, const char *return_path)
{
    apr_size_t len = strlen(site->path);
    if (site->trials && strncmp(return_path, site->path, len) == 0 &&
        strcmp(return_path + len, "/" SSO_TRIAL_PATH) == 0) {
        return return_path;
    }
    if (strncmp(return_path, site->path, len) == 0 && strchr("/?", return_path[len]) != NULL) {
        return "/";
    }
    return return_path;
}

/* A sign-in that is about to begin. */
typedef struct {
    const char *return_path;
    unsigned attempts; /* that began by themselves before it; below SSO_MAX_ATTEMPTS */
    sso_wishes_t wishes;
    bool trial; /* it ends in a report, not in a session */
} plan_t;

static sso_rc make_state(sso_ctx_t *ctx, const sso_login_t *login, const plan_t *plan, sso_state_t *state)
{
    state->kind = plan->trial ? SSO_STATE_TRIAL : SSO_STATE_SIGN_IN;
    state->attempts = plan->attempts;
    state->issued = ctx->now;
    state->return_path = plan->return_path;
    state->wishes = plan->wishes;
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
    const sso_wishes_t *wishes = &state->wishes;
    sso_authorize_t authorize = {
        .client_id = site->client_id,
        .redirect_uri = site->redirect_uri,
        .scope = site->authorize_scope,
        .state = sealed,
        .nonce = sso_state_nonce(ctx->pool, state),
        .code_verifier = sso_state_verifier(ctx->pool, state),
        .prompt = wishes->prompt,
        .login_hint = wishes->login_hint,
        .domain_hint = wishes->domain_hint,
        .max_age =
            wishes->max_age > 0 ? apr_psprintf(ctx->pool, "%" APR_TIME_T_FMT, apr_time_sec(wishes->max_age)) : NULL,
        .correlation_id = answer->correlation_id,
    };
    rc = sso_probe_claims(ctx, site, wishes->acr, NULL, &authorize.claims);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_answer_redirect(answer, sso_authorize_url(ctx->pool, view->metadata, &authorize));
    if (state->kind == SSO_STATE_SIGN_IN) {
        sso_count(ctx, sso_wishes_are_silent(wishes)   ? SSO_COUNT_STARTED_SILENT
                       : sso_wishes_strengthen(wishes) ? SSO_COUNT_STARTED_STEPUP
                                                       : SSO_COUNT_STARTED_PLAIN);
    }
    return SSO_OK;
}

/* At the end of each use case. */
static void count_fault(const sso_ctx_t *ctx, const sso_answer_t *answer)
{
    if (answer->kind == SSO_ANSWER_FAULT) {
        sso_count_class(ctx, SSO_COUNT_SIGNIN_CLIENT, ctx->fault.rc);
    }
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

/* The same for a step-up that is finished again and again: the session that it made stronger never comes back. */
static void stop_steps(sso_ctx_t *ctx, const sso_site_t *site, const plan_t *plan, sso_answer_t *answer)
{
    (void)sso_fail(ctx, SSO_R_STEPUP_LOOP, "the browser does not keep the stronger session cookie (%s)",
                   plan->wishes.acr == NULL ? "a fresh sign-in" : plan->wishes.acr);
    sso_cookie_end_login(ctx->pool, &site->session.cookies, answer->cookies);
    answer->wishes = apr_pmemdup(ctx->pool, &plan->wishes, sizeof(plan->wishes));
    sso_answer_fault(answer, plan->return_path);
}

static void start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, plan_t *plan,
                  sso_answer_t *answer)
{
    sso_login_t login;
    sso_state_t state;
    sso_rc rc = SSO_OK;
    plan->return_path = page_of(site, plan->return_path);
    bool known = sso_login_read(ctx, site, request->cookies, &login);
    if (known && is_looping(ctx, site, request, &login)) {
        stop_loop(ctx, site, plan->return_path, NULL, answer);
        return;
    }
    if (known && sso_wishes_strengthen(&plan->wishes) && sso_login_is_stepping_again(ctx, &login, &plan->wishes)) {
        stop_steps(ctx, site, plan, answer);
        return;
    }
    if (!known) {
        rc = sso_login_make(ctx, &login);
    }
    if (rc == SSO_OK && !known) {
        rc = sso_login_write(ctx, site, &login, answer->cookies);
    }
    if (rc == SSO_OK) {
        rc = make_state(ctx, &login, plan, &state);
    }
    if (rc == SSO_OK) {
        rc = authorize_location(ctx, site, &state, answer);
    }
    if (rc != SSO_OK) {
        sso_answer_fault(answer, plan->return_path);
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

/* Once only: a balancer that hides the browser's host from us would make it go round. SECURITY: the wishes travel
 * sealed, so that nobody else's words come into an authorize request. */
static void hop(sso_ctx_t *ctx, const sso_site_t *site, const plan_t *plan, sso_answer_t *answer)
{
    static const sso_wishes_t none = {NULL};
    const sso_wishes_t *w = &plan->wishes;
    const char *sealed = NULL;
    bool any = w->acr != none.acr || w->max_age != none.max_age || w->prompt != none.prompt ||
               w->login_hint != none.login_hint || w->domain_hint != none.domain_hint;
    if (any && sso_wishes_seal(ctx, site, w, &sealed) != SSO_OK) {
        sso_answer_fault(answer, plan->return_path);
        return;
    }
    sso_answer_redirect(answer, apr_pstrcat(ctx->pool, sso_login_url(ctx->pool, site, plan->return_path, NULL),
                                            "&hop=1", any ? "&wishes=" : NULL, sealed, NULL));
}

void sso_signin_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                      const sso_wishes_t *wishes, sso_answer_t *ret_answer)
{
    plan_t plan = {.return_path = return_path};
    if (wishes != NULL) {
        plan.wishes = *wishes;
    }
    begin(ctx, ret_answer);
    if (is_elsewhere(site, request)) {
        hop(ctx, site, &plan, ret_answer);
    } else {
        start(ctx, site, request, &plan, ret_answer);
    }
    count_fault(ctx, ret_answer);
}

void sso_signin_try(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *return_path,
                    const sso_wishes_t *wishes, sso_answer_t *ret_answer)
{
    plan_t plan = {.return_path = return_path, .wishes = *wishes, .trial = true};
    begin(ctx, ret_answer);
    if (is_elsewhere(site, request)) {
        hop(ctx, site, &plan, ret_answer);
    } else {
        start(ctx, site, request, &plan, ret_answer);
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

/* What a link to `login` says. */
typedef struct {
    const char *rd, *hop, *acr, *max_age, *wishes;
} link_t;

static sso_rc read_link(sso_ctx_t *ctx, const char *query, link_t *ret_link)
{
    link_t link = {NULL};
    const struct {
        const char *name;
        const char **place;
    } known[] = {
        {"rd", &link.rd}, {"hop", &link.hop}, {"acr", &link.acr}, {"max_age", &link.max_age}, {"wishes", &link.wishes}};
    apr_table_t *pairs;
    sso_rc rc = sso_query_parse(ctx, query, &pairs);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && rc == SSO_OK; i++) {
        rc = sso_query_one(ctx, pairs, known[i].name, known[i].place);
    }
    *ret_link = link;
    return rc;
}

static void log_in(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    link_t link;
    plan_t plan = {NULL};
    begin(ctx, ret_answer);
    if (!method_is(ctx, request, "GET", ret_answer)) {
        return;
    }
    sso_rc rc = read_link(ctx, request->query, &link);
    if (rc == SSO_OK) {
        rc = link.wishes != NULL ? sso_wishes_open(ctx, site, link.wishes, &plan.wishes)
                                 : sso_wishes_parse(ctx, site, link.acr, link.max_age, &plan.wishes);
    }
    if (rc != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    plan.return_path = sso_return_path(ctx->pool, site->origin, link.rd);
    if (link.hop == NULL && is_elsewhere(site, request)) {
        hop(ctx, site, &plan, ret_answer);
    } else {
        start(ctx, site, request, &plan, ret_answer);
    }
}

void sso_signin_login(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    log_in(ctx, site, request, ret_answer);
    count_fault(ctx, ret_answer);
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
    sso_count(ctx, SSO_COUNT_SIGNIN_AGAIN);
    sso_debug(ctx, "sign-in begins again: ENTRA%04d: %s", sso_reason(cause.rc)->number, sso_reason(cause.rc)->sentence);
    sso_fault_clear(ctx);
    plan_t plan = {.return_path = state->return_path, .attempts = state->attempts + 1, .wishes = state->wishes};
    start(ctx, site, request, &plan, answer);
}

static void go_to_page(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, sso_answer_t *answer)
{
    sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, state->return_path, NULL));
}

/* Where the sign-in of user was to end: at the form that waits for it, or at the page. */
static void go_home(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state, const sso_record_t *user,
                    sso_answer_t *answer)
{
    const char *form = state->wishes.form;
    const char *location = form == NULL ? NULL : sso_form_location(ctx, site, form, user, state->return_path);
    if (location != NULL) {
        sso_answer_redirect(answer, location);
        return;
    }
    answer->form_dropped = form != NULL;
    go_to_page(ctx, site, state, answer);
}

/* A session that already is what this callback would bring: it was reloaded, or another tab finished first. Its code is
 * not needed. A step-up has come home when the session has what was asked for, however young it is. */
static bool is_done(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                    sso_record_t *record)
{
    if (!read_session(ctx, site, request, record)) {
        return false;
    }
    if (sso_wishes_are_silent(&state->wishes)) {
        return !sso_record_is_younger(state->issued, record->revalidated, ctx->now);
    }
    return sso_wishes_strengthen(&state->wishes) ? sso_wishes_are_met(ctx, site, &state->wishes, record)
                                                 : record->created >= state->issued;
}

/* The session and its place in time: a new one, or the present one made stronger. */
static sso_rc make_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state,
                           const sso_exchange_t *exchange, sso_login_t *login, sso_answer_t *answer)
{
    if (sso_wishes_strengthen(&state->wishes)) {
        sso_login_count_step(ctx, login, &state->wishes);
    }
    if (exchange->present != NULL) {
        sso_session_strengthen(ctx, exchange->present, &answer->record);
        sso_rc rc = sso_keep_stronger(ctx, site, &answer->record, &exchange->tokens, &answer->strengthened);
        if (rc != SSO_OK || answer->strengthened) {
            return rc;
        }
        /* SECURITY: it was ended while the browser was away, and does not come back to life; this is a sign-in like any
         * other. */
    }
    sso_login_count(ctx, login);
    sso_rc rc = sso_session_start(ctx, &site->session, &answer->record);
    answer->record.renewable = exchange->tokens.refresh_token != NULL;
    return rc;
}

static sso_rc write_cookies(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                            const sso_login_t *login, sso_answer_t *answer)
{
    sso_rc rc =
        sso_session_write(ctx, &site->session, &answer->record, request->cookies->session_parts, answer->cookies);
    return rc != SSO_OK ? rc : sso_login_write(ctx, site, login, answer->cookies);
}

/* The part of the callback that needs its code: everything that could be refused without it has been. */
static void finish(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                   sso_login_t *login, const sso_callback_t *callback, sso_answer_t *answer)
{
    sso_record_t session;
    bool has = sso_wishes_strengthen(&state->wishes) && read_session(ctx, site, request, &session);
    /* Without it (signed out, or over, while the browser was away) this is a sign-in like any other. */
    answer->correlation_id = make_correlation_id(ctx);
    sso_exchange_t exchange = {.present = has ? &session : NULL, .correlation_id = answer->correlation_id};
    sso_rc rc = sso_exchange(ctx, site, state, callback, &exchange, &answer->record);
    /* A burst of sign-ins at the moment of a key rollover: one more round, and the keys are there. */
    if (rc == SSO_R_TOKEN_GRANT || rc == SSO_R_KEYS_BUSY) {
        start_again(ctx, site, request, state, answer);
        return;
    }
    if (rc == SSO_OK) {
        rc = make_session(ctx, site, state, &exchange, login, answer);
    }
    if (rc == SSO_OK) {
        rc = write_cookies(ctx, site, request, login, answer);
    }
    /* Last: a session that does not fit into its cookies leaves no row behind. */
    if (rc == SSO_OK && !answer->strengthened) {
        rc = sso_keep_new(ctx, site, &answer->record, &exchange.tokens, state->issued);
    }
    if (rc != SSO_OK) {
        /* No half of a session may go out with an error. */
        apr_array_clear(answer->cookies);
        answer->wishes = apr_pmemdup(ctx->pool, &state->wishes, sizeof(state->wishes));
        sso_answer_fault(answer, state->return_path);
        return;
    }
    answer->signed_in = true;
    sso_count(ctx, sso_wishes_are_silent(&state->wishes) ? SSO_COUNT_SILENT_OK
                   : answer->strengthened                ? SSO_COUNT_SIGNIN_STEPUP
                                                         : SSO_COUNT_SIGNIN_OK);
    sso_directory_introduce(ctx, site, &answer->record);
    go_home(ctx, site, state, &answer->record, answer);
}

/* Entra has no answer that could be had without a word. */
static void end_silence(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                        const sso_callback_t *callback, sso_answer_t *answer)
{
    bool had = read_session(ctx, site, request, &answer->record);
    sso_rc rc = sso_callback_error(ctx, callback);
    if (sso_silent_goes_on(ctx, site, request, rc, answer->cookies)) {
        go_to_page(ctx, site, state, answer);
        return;
    }
    if (had) {
        answer->ended_cause = "revalidation";
        answer->ended_oid = answer->record.oid;
        answer->ended_tid = answer->record.tid;
        answer->ended = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    }
    plan_t plan = {.return_path = state->return_path, .attempts = state->attempts + 1};
    if (plan.attempts < SSO_MAX_ATTEMPTS) {
        start(ctx, site, request, &plan, answer);
    } else {
        stop_loop(ctx, site, state->return_path, NULL, answer);
    }
}

static void call_back(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    sso_callback_t callback;
    sso_state_t state;
    sso_login_t login;
    sso_record_t present;
    begin(ctx, ret_answer);
    if (!method_is(ctx, request, "GET", ret_answer)) {
        return;
    }
    if (sso_signout_comes_back(ctx, site, request, ret_answer)) {
        return;
    }
    if (sso_callback_parse(ctx, request->query, &callback) != SSO_OK ||
        sso_state_open(ctx, site, callback.state, &state) != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    bool trial = state.kind == SSO_STATE_TRIAL;
    if (state.kind != SSO_STATE_SIGN_IN && !trial) {
        (void)sso_fail(ctx, SSO_R_STATE_INVALID, "of a sign-out");
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (!trial && is_done(ctx, site, request, &state, &present)) {
        go_home(ctx, site, &state, &present, ret_answer);
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
    if (trial) {
        sso_trial_finish(ctx, site, request, &state, &callback, ret_answer);
        return;
    }
    if (callback.error != NULL && sso_wishes_are_silent(&state.wishes)) {
        end_silence(ctx, site, request, &state, &callback, ret_answer);
        return;
    }
    if (callback.error != NULL) {
        (void)sso_callback_error(ctx, &callback);
        ret_answer->wishes = apr_pmemdup(ctx->pool, &state.wishes, sizeof(state.wishes));
        sso_answer_fault(ret_answer, state.return_path);
        return;
    }
    finish(ctx, site, request, &state, &login, &callback, ret_answer);
}

void sso_signin_callback(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    call_back(ctx, site, request, ret_answer);
    count_fault(ctx, ret_answer);
}
