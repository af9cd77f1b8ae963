/* SPDX-License-Identifier: Apache-2.0 */
/* What a sign-in can be asked to bring beside the user: an authentication context, a fresh sign-in. When that helps,
 * how it is asked for, and whether it came. Pure questions, no I/O. */
#pragma once

#include <stdint.h>

#include "flow/flow.h"

/* True when a sign-in with these wishes makes the session that is there stronger; false when it makes a new one. */
bool sso_wishes_strengthen(const sso_wishes_t *wishes);

/* True when record has all that these wishes can be measured by. */
bool sso_wishes_are_met(const sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes,
                        const sso_record_t *record);

/* The judgement at the callback, for a record fresh from its token; present is the session that is to become stronger,
 * NULL for none. Errors: SSO_R_STEPUP_ACCOUNT, SSO_R_STEPUP_MISSING, SSO_R_AUTH_TIME_*. */
sso_rc sso_wishes_check(sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes, const sso_record_t *present,
                        const sso_record_t *record) SSO_MUST_USE;

/* True when the person signed in at Entra at most max_age ago; what Entra does not tell is not fresh. */
bool sso_auth_is_fresh(const sso_record_t *record, apr_time_t now, apr_interval_time_t max_age,
                       apr_interval_time_t skew);

/* The login_hint that leads back to the account of record; NULL for none. */
const char *sso_hint_of(const sso_record_t *record);

/* Wishes of a `login` address: SSO_R_STEPUP_UNKNOWN for a context that the site does not name, or an age that is no
 * number of seconds. Either text may be NULL. The texts of the result are the site's own. */
sso_rc sso_wishes_parse(sso_ctx_t *ctx, const sso_site_t *site, const char *acr, const char *max_age,
                        sso_wishes_t *ret_wishes) SSO_MUST_USE;

/* The claims parameter that asks for a context (OpenID Connect Core 5.5). */
const char *sso_stepup_claims(apr_pool_t *pool, const char *acr);

/* Asks the rules of a refused request once more, as if the contexts of `supposed` (bit i: the i-th of site->acrs) were
 * there: true when they let it in. Else *ret_missing has the contexts that a rule then missed. */
typedef bool sso_stepup_try_fn(void *baton, uint64_t supposed, uint64_t *ret_missing);
/* The context to step up to: one of a smallest set that lets the request in; -1 when no step-up does. missing is what
 * the rules missed when they refused. */
int sso_stepup_search(sso_stepup_try_fn *attempt, void *baton, uint64_t missing);
