/* SPDX-License-Identifier: Apache-2.0 */
/* The code is redeemed and its tokens are dropped: no row, no cookie, no session. */
#include "flow/trial.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "entra/jwt.h"
#include "flow/signin.h"

static const char *page_of(apr_pool_t *pool, const sso_site_t *site)
{
    return apr_pstrcat(pool, site->path, "/" SSO_TRIAL_PATH, NULL);
}

static bool is_signed_in(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_record_t *ret_record)
{
    bool is = sso_session_open(ctx, &site->session, request->cookies, ret_record) == SSO_OK;
    sso_fault_clear(ctx);
    return is;
}

void sso_trial_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, bool other,
                     sso_answer_t *ret_answer)
{
    sso_record_t record;
    sso_wishes_t wishes = {.prompt = other ? "select_account" : NULL};
    if (!other && is_signed_in(ctx, site, request, &record) && *record.login_hint != '\0') {
        wishes.login_hint = record.login_hint;
    }
    sso_signin_try(ctx, site, request, page_of(ctx->pool, site), &wishes, ret_answer);
}

/* What its session's cookies would be. */
static void measure(sso_ctx_t *ctx, const sso_site_t *site, sso_trial_t *trial)
{
    sso_ctx_t scratch = *ctx;
    sso_record_t record = trial->record;
    apr_array_header_t *lines = apr_array_make(ctx->pool, 2, sizeof(const char *));
    if (sso_session_start(&scratch, &site->session, &record) == SSO_OK &&
        sso_session_write(&scratch, &site->session, &record, 0, lines) == SSO_OK) {
        for (int i = 0; i < lines->nelts; i++) {
            trial->cookie_bytes += strcspn(sso_text_at(lines, i), ";");
        }
        trial->cookie_parts = lines->nelts;
    }
    trial->record = record;
}

static void note_header(sso_ctx_t *ctx, const char *id_token, sso_trial_t *trial)
{
    sso_ctx_t scratch = *ctx;
    sso_jwt_t header;
    /* A header that is not allowed is the fault that is told; the key's name is for those that are. */
    sso_fault_clear(&scratch);
    if (id_token != NULL && sso_jwt_parse(&scratch, id_token, &header) == SSO_OK) {
        trial->kid = header.kid;
    }
}

static void exchange_code(sso_ctx_t *ctx, const sso_site_t *site, const sso_state_t *state,
                          const sso_callback_t *callback, sso_answer_t *answer, sso_trial_t *trial)
{
    sso_exchange_t exchange = {.correlation_id = answer->correlation_id};
    trial->complete = sso_exchange(ctx, site, state, callback, &exchange, &trial->record) == SSO_OK;
    trial->claims = exchange.token.claims;
    trial->issued = exchange.tokens.issued;
    note_header(ctx, exchange.tokens.id_token, trial);
    if (trial->complete) {
        measure(ctx, site, trial);
        trial->record.renewable = exchange.tokens.refresh_token != NULL;
    }
}

void sso_trial_finish(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                      const sso_callback_t *callback, sso_answer_t *answer)
{
    sso_record_t session;
    sso_trial_t *trial = apr_pcalloc(ctx->pool, sizeof(*trial));
    if (!site->trials) {
        (void)sso_fail(ctx, SSO_R_TRIAL_OFF, "EntraTestPage is off");
        sso_answer_fault(answer, "/");
        return;
    }
    if (!is_signed_in(ctx, site, request, &session)) {
        sso_answer_redirect(answer, apr_pstrcat(ctx->pool, site->origin->text, state->return_path, NULL));
        return;
    }
    const char *guid = NULL;
    if (sso_random_guid(ctx, &guid) == SSO_OK) {
        answer->correlation_id = guid;
    }
    sso_fault_clear(ctx);
    if (callback->error != NULL) {
        (void)sso_callback_error(ctx, callback);
    } else {
        exchange_code(ctx, site, state, callback, answer, trial);
    }
    answer->kind = SSO_ANSWER_TRIAL;
    answer->trial = trial;
}
