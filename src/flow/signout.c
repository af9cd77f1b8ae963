/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-out. Entra being away never keeps anybody signed in here. */
#include "flow/signout.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "entra/oauth.h"
#include "flow/state.h"

/* True when a page is really being opened, and not fetched ahead or as a part of another. */
static bool is_visit(const sso_request_t *request)
{
    const char *mode = sso_request_header(request, "Sec-Fetch-Mode");
    return (*mode == '\0' || sso_request_header_is(request, "Sec-Fetch-Mode", "navigate")) &&
           strstr(sso_request_header(request, "Sec-Purpose"), "prefetch") == NULL &&
           strstr(sso_request_header(request, "Purpose"), "prefetch") == NULL;
}

/* SECURITY: logout CSRF. Fetch Metadata where the browser sends it; else Origin for POST, Referer for GET. A missing
 * proof is no proof. */
static bool is_from_this_site(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    bool post = strcmp(request->method, "POST") == 0;
    if (*sso_request_header(request, "Sec-Fetch-Site") != '\0') {
        bool same_origin = sso_request_header_is(request, "Sec-Fetch-Site", "same-origin");
        /* "none": typed or bookmarked by the person. An image or a prefetch is neither a click. */
        return post ? same_origin
                    : (same_origin || sso_request_header_is(request, "Sec-Fetch-Site", "none")) && is_visit(request);
    }
    const char *proof = sso_request_header(request, post ? "Origin" : "Referer");
    return sso_url_same_origin(ctx->pool, proof, site->origin->text);
}

/* hint: the name to pass Entra, so that it does not ask which account; "" without a session. */
static const char *entra_logout_url(sso_ctx_t *ctx, const sso_site_t *site, const char *hint, const char *return_path)
{
    const sso_authority_view_t *view;
    const char *sealed;
    sso_state_t state = {.kind = SSO_STATE_SIGN_OUT, .issued = ctx->now, .return_path = return_path};
    if (sso_authority_view(ctx, site->authority, &view) != SSO_OK ||
        sso_state_seal(ctx, site, &state, &sealed) != SSO_OK) {
        /* The session here has ended all the same; the goodbye page says so. */
        sso_fault_clear(ctx);
        return NULL;
    }
    const char *url = sso_logout_url(ctx->pool, view->metadata, site->redirect_uri, *hint == '\0' ? NULL : hint);
    /* Without an id_token_hint, which would put a token into a URL, client_id says who asks (RP-Initiated Logout 1.0,
     * 2). */
    return url == NULL ? NULL : apr_pstrcat(ctx->pool, url, "&client_id=", site->client_id, "&state=", sealed, NULL);
}

/* What the query asks for. */
typedef struct {
    const char *return_path; /* checked; "" when there is none, which ends at our goodbye page */
    bool everywhere;
} wish_t;

static sso_rc read_wish(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, wish_t *ret_wish)
{
    apr_table_t *pairs;
    const char *target = NULL;
    const char *everywhere = NULL;
    sso_rc rc = sso_query_parse(ctx, request->query, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "rd", &target);
    }
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "everywhere", &everywhere);
    }
    if (rc == SSO_OK) {
        ret_wish->return_path = target == NULL ? "" : sso_return_path(ctx->pool, site->origin, target);
        ret_wish->everywhere = everywhere != NULL && strcmp(everywhere, "1") == 0;
    }
    return rc;
}

/* Nothing is ended when this fails: who is signed out here alone could not try again. */
static sso_rc end_everywhere(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record,
                             apr_array_header_t *ended)
{
    const sso_store_which_t which = {
        .app = site->app,
        .tid = record->tid,
        .oid = record->oid,
    };
    const sso_ending_t ending = {site->store, site->ended};
    if (sso_ending_end(ctx, &ending, &which, "sign-out everywhere", record->oid, ended) == SSO_OK) {
        return SSO_OK;
    }
    const char *why = apr_psprintf(ctx->pool, "%s: %s", sso_reason(ctx->fault.rc)->sentence,
                                   ctx->fault.detail == NULL ? "-" : ctx->fault.detail);
    sso_fault_clear(ctx);
    return sso_fail(ctx, SSO_R_SIGNOUT_EVERYWHERE, "oid %s: %s", record->oid, why);
}

/* The session of the request, for its end. One that was idle too long is ended as well, since a copy of its cookie may
 * have been in use; and one of which nobody knows whether it has ended. SECURITY: neither has a say over others. */
static sso_rc find_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, bool everywhere,
                           sso_record_t *ret_record, bool *ret_found)
{
    sso_rc rc = sso_session_open(ctx, &site->session, request->cookies, ret_record);
    if (rc == SSO_R_ENDED_UNKNOWN && everywhere) {
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_SIGNOUT_EVERYWHERE, "it is not known yet which sessions have ended");
    }
    if (rc != SSO_OK && rc != SSO_R_SESSION_ENDED && !everywhere) {
        sso_fault_clear(ctx);
        rc = sso_session_read(ctx, &site->session, request->cookies, ret_record);
    }
    /* Why there is none is of no interest. */
    sso_fault_clear(ctx);
    *ret_found = rc == SSO_OK;
    return SSO_OK;
}

/* Ends what is to end. *ret_hint is the user's name for Entra. */
static sso_rc end_sessions(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, bool everywhere,
                           sso_answer_t *answer, const char **ret_hint)
{
    const sso_ending_t ending = {site->store, site->ended};
    bool found = false;
    bool waits = false;
    sso_record_t record;
    apr_array_header_t *ended = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    *ret_hint = "";
    sso_rc rc = find_session(ctx, site, request, everywhere, &record, &found);
    if (rc != SSO_OK || !found) {
        return rc;
    }
    if (everywhere) {
        rc = end_everywhere(ctx, site, &record, ended);
    }
    if (rc == SSO_OK) {
        rc = sso_ending_end_one(ctx, &ending, &record, "sign-out", record.oid, &waits);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    answer->record = record;
    answer->ended_cause = everywhere ? "sign-out everywhere" : "sign-out";
    answer->ended_oid = record.oid;
    answer->ended_tid = record.tid;
    answer->ended = ended;
    answer->ended_waits = waits;
    *ret_hint = record.login_hint;
    return SSO_OK;
}

static void sign_out(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const wish_t *wish,
                     sso_answer_t *answer)
{
    const char *hint;
    if (end_sessions(ctx, site, request, wish->everywhere, answer, &hint) != SSO_OK) {
        sso_answer_fault(answer, apr_pstrcat(ctx->pool, site->path,
                                             "/logout?rd=", sso_percent_encode(ctx->pool, wish->return_path),
                                             wish->everywhere ? "&everywhere=1" : "", NULL));
        return;
    }
    sso_cookie_end_session(ctx->pool, &site->session.cookies, request->cookies->session_parts, answer->cookies);
    sso_cookie_end_login(ctx->pool, &site->session.cookies, answer->cookies);
    const char *location = entra_logout_url(ctx, site, hint, wish->return_path);
    if (location != NULL) {
        sso_answer_redirect(answer, location);
    } else if (*wish->return_path != '\0') {
        sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, wish->return_path, NULL));
    } else {
        answer->kind = SSO_ANSWER_GOODBYE;
    }
}

static bool is_somebody(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    sso_record_t record;
    bool is = sso_session_open(ctx, &site->session, request->cookies, &record) == SSO_OK;
    sso_fault_clear(ctx);
    return is;
}

void sso_signout(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    wish_t wish;
    /* What became of a session before is no longer of interest. */
    sso_fault_clear(ctx);
    sso_answer_init(ret_answer, ctx->pool);
    bool post = strcmp(request->method, "POST") == 0;
    if (!post && strcmp(request->method, "GET") != 0) {
        ret_answer->allow = "GET, POST";
        (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(ctx->pool, request->method));
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (read_wish(ctx, site, request, &wish) != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    /* What ends sessions in other browsers takes a button, whoever leads here. */
    if (!is_from_this_site(ctx, site, request) || (wish.everywhere && !post)) {
        ret_answer->kind = SSO_ANSWER_CONFIRM;
        ret_answer->retry_path = wish.return_path;
        ret_answer->asks_everywhere = wish.everywhere;
        ret_answer->offers_everywhere = is_somebody(ctx, site, request);
        return;
    }
    sign_out(ctx, site, request, &wish, ret_answer);
}

/* ---- the way back ---- */

static bool is_from_logout(sso_ctx_t *ctx, const char *query, const char **ret_state)
{
    apr_table_t *pairs;
    bool is = sso_query_parse(ctx, query, &pairs) == SSO_OK && apr_table_get(pairs, "code") == NULL &&
              apr_table_get(pairs, "error") == NULL && sso_query_one(ctx, pairs, "state", ret_state) == SSO_OK;
    /* What is malformed is reported by the sign-in's own parser. */
    sso_fault_clear(ctx);
    return is;
}

static void come_back(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char *text,
                      sso_answer_t *answer)
{
    sso_state_t state;
    sso_record_t record;
    if (text != NULL && sso_state_open(ctx, site, text, &state) == SSO_OK && state.kind == SSO_STATE_SIGN_OUT &&
        ctx->now - state.issued <= SSO_STATE_LIFE && *state.return_path != '\0') {
        sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, state.return_path, NULL));
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

bool sso_signout_comes_back(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                            sso_answer_t *ret_answer)
{
    const char *state = NULL;
    if (!is_from_logout(ctx, request->query, &state)) {
        return false;
    }
    come_back(ctx, site, request, state, ret_answer);
    return true;
}
