/* SPDX-License-Identifier: Apache-2.0 */
/* A session as the browser carries it: record, seal and cookies together. */
#pragma once

#include "base/seal.h"
#include "session/cookie.h"
#include "session/ended.h"
#include "session/opened.h"
#include "session/record.h"

/* The session rules of one application. Immutable. */
typedef struct {
    const sso_keyring_t *keyring;
    unsigned char binding[SSO_BINDING_BYTES]; /* of tenant, client and public origin (or cookie domain) */
    sso_cookie_policy_t cookies;
    apr_interval_time_t max_age; /* at most SSO_SESSION_CAP */
    apr_interval_time_t idle;    /* 0: off */
    apr_interval_time_t skew;
    sso_freshness_t freshness;
    apr_size_t max_cookie;    /* bytes that all session cookies of a request may take together */
    const sso_ended_t *ended; /* of the node; NULL only in tests that need none */
    sso_store_t *store;       /* of the process, asked about a session only while the table above has no room */
} sso_session_policy_t;

/* Opens the session of a request at ctx->now. The record points into ctx->pool. This is the signed-in request's path:
 * no lock, no I/O. Errors: SSO_R_SESSION_*, SSO_R_SEAL_*: each means a fresh sign-in, never an error page; and
 * SSO_R_ENDED_UNKNOWN (class LATER): there is a session, but nobody can tell now whether it was ended. */
sso_rc sso_session_open(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                        sso_record_t *ret_record) SSO_MUST_USE;

/* The same for who asks often: what opened (NULL: nothing) remembers of this very cookie is not opened again. All else
 * is asked as above: its times, and whether it was ended. */
sso_rc sso_session_reopen(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                          sso_opened_t *opened, sso_record_t *ret_record) SSO_MUST_USE;

/* The same without asking whether it was ended or was idle: for who ends it, and for nobody else. A copy of the cookie
 * may have been in use meanwhile. */
sso_rc sso_session_read(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                        sso_record_t *ret_record) SSO_MUST_USE;

/* Whose session it was, of a cookie whose session may be over, at most `ago` past its absolute end. SECURITY: that lets
 * nobody in; it only tells for whom something is to be kept. Errors: as above. */
sso_rc sso_session_owner(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_cookies_t *cookies,
                         apr_interval_time_t ago, sso_record_t *ret_record) SSO_MUST_USE;

/* Gives record a new random id and its times: created now, ends at the max age. */
sso_rc sso_session_start(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_record_t *record) SSO_MUST_USE;

/* Makes record, fresh from a token, the stronger form of present, the session that is there: the same id, and the same
 * absolute end. The authentication contexts that present has stay beside the new ones. The caller has seen that both
 * are of one user. */
void sso_session_strengthen(sso_ctx_t *ctx, const sso_record_t *present, sso_record_t *record);

/* Seals what the store keeps of one session, such as its refresh token; text in ctx->pool. Errors: those of sealing. */
sso_rc sso_session_seal(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_purpose_t purpose,
                        const unsigned char id[static SSO_SESSION_ID_BYTES], const void *data, apr_size_t len,
                        const char **ret_text) SSO_MUST_USE;
/* Opens it again: only for the same application, session and purpose. Data in ctx->pool, NUL behind its end, wiped with
 * the pool. Errors: SSO_R_SEAL_*. */
sso_rc sso_session_unseal(sso_ctx_t *ctx, const sso_session_policy_t *policy, sso_purpose_t purpose,
                          const unsigned char id[static SSO_SESSION_ID_BYTES], const char *text,
                          unsigned char **ret_data, apr_size_t *ret_len) SSO_MUST_USE;

/* Seals record and adds its Set-Cookie values to lines. Errors: SSO_R_SESSION_SIZE, those of sealing. */
sso_rc sso_session_write(sso_ctx_t *ctx, const sso_session_policy_t *policy, const sso_record_t *record,
                         unsigned sent_parts, apr_array_header_t *lines) SSO_MUST_USE;
