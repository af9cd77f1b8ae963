/* SPDX-License-Identifier: Apache-2.0 */
/* Signed identity: what a backend is told of the user in a form that it can check, and the keys to check it with. */
#pragma once

#include "base/kept.h"
#include "flow/flow.h"

/* An assertion is good for a minute, and a little before its moment for a backend whose clock is behind. It is given
 * again while a quarter of that is left, so that it never reaches a backend on the brink of its end. */
#define SSO_ASSERTION_LIFE apr_time_from_sec(60)
#define SSO_ASSERTION_REUSE apr_time_from_sec(45)
#define SSO_ASSERTION_BACKDATE apr_time_from_sec(5)

/* Whom a backend is told of: the session, and its roles and user name in the section that was asked for. */
typedef struct {
    const sso_record_t *record;
    const sso_list_t *roles;
    const char *user;
} sso_subject_t;

/* All that is told of subject, in one piece of bytes in pool; different whenever anything of it is, the session
 * included. place: of whom and by whom it is told. */
const void *sso_subject_bytes(apr_pool_t *pool, const char *place, const sso_subject_t *subject, apr_size_t *ret_len);

/* The assertion of subject at ctx->now: the one that is kept, or a new one that is kept from now on. Good until the
 * next call with kept. Errors: SSO_R_CRYPTO, SSO_R_RANDOM. */
sso_rc sso_assertion_get(sso_ctx_t *ctx, const sso_site_t *site, const sso_subject_t *subject, sso_kept_t *kept,
                         const char **ret_token) SSO_MUST_USE;

/* The public keys (RFC 7517) of all keys of the ring, as text in ctx->pool. */
const char *sso_assertion_keys(sso_ctx_t *ctx, const sso_keyring_t *ring);
