/* SPDX-License-Identifier: Apache-2.0 */
/* Revalidation: whether Entra still stands by a session, and with which roles and groups (design 6). */
#pragma once

#include "flow/flow.h"

/* Nobody asks again about a session for this long after a try without an answer. */
#define SSO_RENEW_WAIT apr_time_from_sec(30)

typedef enum {
    SSO_RENEWED,       /* *ret_renewed holds Entra's new word, from here or from another worker */
    SSO_RENEW_LATER,   /* no answer: the session lives on within its grace; the fault tells why */
    SSO_RENEW_REFUSED, /* Entra said no: the session has ended, in the store and on this node; the fault tells why */
    SSO_RENEW_ENDED    /* it had ended already */
} sso_renewal_t;

/* One try for the session of record (as in its cookie), by a background worker: claims it in the cluster, redeems its
 * refresh token, judges the new ID token, reads the groups, keeps the result in the store for the other nodes. Never
 * moves the end of the session. *ret_renewed and all of it live in ctx->pool. */
sso_renewal_t sso_renew(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, sso_record_t *ret_renewed);
