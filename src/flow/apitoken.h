/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens for backends (design 2.3): of one api, for the user of a session, by its refresh token. Kept in
 * the memory of the process and nowhere else. */
#pragma once

#include "flow/flow.h"

#define SSO_API_BYTES 16

/* The scopes of one EntraAccessToken line. Immutable. */
typedef struct {
    const apr_array_header_t *scopes;    /* const char *, all of one resource */
    const char *name;                    /* of the api, for people */
    const char *request;                 /* the scope of a token request */
    unsigned char digest[SSO_API_BYTES]; /* of request */
} sso_api_t;

/* NULL when the words (const char *) are scopes of one api, else what is wrong, for the administrator. */
const char *sso_api_make(apr_pool_t *pool, const apr_array_header_t *words, const sso_api_t **ret_api);

/* Makes the access tokens of a process in pool. waiters as in sso_flights_make. NULL when there is no memory. */
sso_apitokens_t *sso_apitokens_make(apr_pool_t *pool, int waiters);

/* The access token of api for the session of record, in ctx->pool and wiped with it. It is good for another minute
 * at least. One that is kept costs no lock and no I/O. Else Entra is asked, by one thread of the process for each
 * session and resource: *ret_fetched. The caller has checked the session. Errors: SSO_R_API_*,
 * SSO_R_SESSION_ENDED, those of store, sealing and token request. No error ends the session. */
sso_rc sso_apitoken_get(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_api_t *api,
                        const char **ret_token, bool *ret_fetched) SSO_MUST_USE;
