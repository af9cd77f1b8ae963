/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's test sign-in: a sign-in like any other, with the same state, nonce and checks, that ends in a
 * report in the place of a session. Nothing of it is kept. */
#pragma once

#include "flow/exchange.h"

/* The endpoint below EntraPath. */
#define SSO_TRIAL_PATH "test"

/* What came of one. With a fault in the context it is as much as was known before. */
struct sso_trial_t {
    const sso_json_t *claims; /* of the ID token; NULL: none that is believed */
    const char *kid;          /* of its header; NULL: there was no token */
    bool complete;            /* record is what a session would be made of */
    sso_record_t record;
    apr_time_t issued;       /* by Entra's clock, 0: it did not tell */
    apr_size_t cookie_bytes; /* of the session's cookies, 0: they are too large */
    int cookie_parts;
};

/* Begins one for whoever has the session of the request; other: Entra asks which account. */
void sso_trial_start(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, bool other,
                     sso_answer_t *ret_answer);

/* Ends it, for a callback whose state was judged. SECURITY: only beside a live session; the page that began it let that
 * one in. */
void sso_trial_finish(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_state_t *state,
                      const sso_callback_t *callback, sso_answer_t *answer);
