/* SPDX-License-Identifier: Apache-2.0 */
/* The silent way. It only ever asks for a redirect, or ends the browser's own session; it opens nothing. */
#include "flow/silent.h"

#include <string.h>

#include "base/counters.h"
#include "flow/access.h"
#include "flow/state.h"
#include "flow/stepup.h"
#include "session/ending.h"

bool sso_wishes_are_silent(const sso_wishes_t *wishes)
{
    return wishes->prompt != NULL && strcmp(wishes->prompt, "none") == 0;
}

static void fill_wishes(const sso_record_t *record, sso_wishes_t *wishes)
{
    memset(wishes, 0, sizeof(*wishes));
    wishes->prompt = "none";
    wishes->login_hint = sso_hint_of(record);
}

bool sso_silent_is_due(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *record,
                       sso_wishes_t *ret_wishes)
{
    sso_login_t login;
    if (record->renewable || !sso_record_renew_due(record, ctx->now, &site->session.freshness) ||
        strcmp(request->method, "GET") != 0 || !sso_request_is_navigation(request)) {
        return false;
    }
    fill_wishes(record, ret_wishes);
    return !sso_login_read(ctx, site, request->cookies, &login) ||
           !sso_login_is_stepping_again(ctx, &login, ret_wishes);
}

/* As if the way had been gone as often as is allowed, so that the next page does not begin it again at once. */
static void remember_try(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request,
                         apr_array_header_t *cookies)
{
    static const sso_wishes_t silent = {.prompt = "none"};
    sso_login_t login;
    if (!sso_login_read(ctx, site, request->cookies, &login)) {
        return;
    }
    for (int i = 0; i < SSO_MAX_STEPUPS; i++) {
        sso_login_count_step(ctx, &login, &silent);
    }
    if (sso_login_write(ctx, site, &login, cookies) != SSO_OK) {
        /* Then the next page tries again. */
        sso_fault_clear(ctx);
    }
}

/* SECURITY: Entra does not stand by this session without asking its user, so it is over for requests that show nothing,
 * too, and for every copy of its cookie. */
static void end_session(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    const sso_ending_t ending = {site->store, site->ended};
    sso_record_t record;
    bool waits = false;
    sso_fault_clear(ctx);
    if (sso_session_open(ctx, &site->session, request->cookies, &record) == SSO_OK &&
        sso_ending_end_one(ctx, &ending, &record, "revalidation", "entra", &waits) != SSO_OK) {
        sso_debug(ctx, "%s", sso_reason(ctx->fault.rc)->sentence);
    }
    sso_fault_clear(ctx);
}

bool sso_silent_goes_on(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_rc rc,
                        apr_array_header_t *cookies)
{
    if (sso_reason(rc)->class != SSO_CLASS_USER) {
        sso_count(ctx, SSO_COUNT_SILENT_LATER);
        remember_try(ctx, site, request, cookies);
        return true;
    }
    sso_count(ctx, SSO_COUNT_SILENT_REFUSED);
    end_session(ctx, site, request);
    return false;
}
