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

/* The name to pass Entra as logout_hint, so that it does not ask which account; NULL without a session. */
static const char *logout_hint(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    sso_record_t record;
    if (sso_session_open(ctx, &site->session, request->cookies, &record) != SSO_OK) {
        sso_fault_clear(ctx);
        return NULL;
    }
    return *record.login_hint == '\0' ? NULL : record.login_hint;
}

static const char *entra_logout_url(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                                    const char *return_path)
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
    const char *url = sso_logout_url(ctx->pool, view->metadata, site->redirect_uri, logout_hint(ctx, site, request));
    /* Without an id_token_hint, which would put a token into a URL, client_id says who asks (RP-Initiated Logout 1.0,
     * 2). */
    return url == NULL ? NULL : apr_pstrcat(ctx->pool, url, "&client_id=", site->client_id, "&state=", sealed, NULL);
}

/* rd from the query, checked; "" when there is none, which ends at our goodbye page. */
static sso_rc read_target(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const char **ret_path)
{
    apr_table_t *pairs;
    const char *target = NULL;
    sso_rc rc = sso_query_parse(ctx, request->query, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "rd", &target);
    }
    if (rc == SSO_OK) {
        *ret_path = target == NULL ? "" : sso_return_path(ctx->pool, site->origin, target);
    }
    return rc;
}

void sso_signout(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    const char *return_path;
    /* What became of a session before is no longer of interest. */
    sso_fault_clear(ctx);
    sso_answer_init(ret_answer, ctx->pool);
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0) {
        ret_answer->allow = "GET, POST";
        (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(ctx->pool, request->method));
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (read_target(ctx, site, request, &return_path) != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (!is_from_this_site(ctx, site, request)) {
        ret_answer->kind = SSO_ANSWER_CONFIRM;
        ret_answer->retry_path = return_path;
        return;
    }
    const char *location = entra_logout_url(ctx, site, request, return_path);
    sso_cookie_end_session(ctx->pool, &site->session.cookies, request->cookies->session_parts, ret_answer->cookies);
    sso_cookie_end_login(ctx->pool, &site->session.cookies, ret_answer->cookies);
    if (location != NULL) {
        sso_answer_redirect(ret_answer, location);
    } else if (*return_path != '\0') {
        sso_answer_redirect(ret_answer, apr_pstrcat(ctx->pool, site->origin->text, return_path, NULL));
    } else {
        ret_answer->kind = SSO_ANSWER_GOODBYE;
    }
}
