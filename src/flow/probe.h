/* SPDX-License-Identifier: Apache-2.0 */
/* Continuous access: what a refresh token does not notice (a changed password, above all) Graph does, when it is asked
 * with an access token from before. So one is kept with the session, sealed, and Graph is asked before each refresh. */
#pragma once

#include "flow/flow.h"

/* The scope that Graph answers for, added when EntraContinuousAccess is on. */
#define SSO_PROBE_SCOPE "User.Read"

typedef struct {
    bool keep_next;        /* the kept token is of no more use: the next one takes its place */
    bool challenged;       /* Graph wants another token */
    const char *challenge; /* with these claims */
} sso_probed_t;

/* Asks Graph with the kept token of the session. A failure is no answer: SSO_R_PROBE_*, SSO_R_GRAPH_*,
 * SSO_R_RENEW_RECORD (it does not open), those of HTTP. Without a kept token, or with continuous access off, nobody is
 * asked. */
sso_rc sso_probe(sso_ctx_t *ctx, const sso_site_t *site, const sso_stored_t *stored,
                 sso_probed_t *ret_probed) SSO_MUST_USE;

/* The parameter claims of this site's requests: an authentication context to step up to, and a challenge of Graph, each
 * or NULL. *ret_claims NULL when there is nothing to ask for. */
sso_rc sso_probe_claims(sso_ctx_t *ctx, const sso_site_t *site, const char *acr, const char *challenge,
                        const char **ret_claims) SSO_MUST_USE;

/* An access token sealed for the session's row; *ret_sealed is "" when the site keeps none. */
sso_rc sso_probe_seal(sso_ctx_t *ctx, const sso_site_t *site, const unsigned char id[static SSO_SESSION_ID_BYTES],
                      const char *access_token, const char **ret_sealed) SSO_MUST_USE;
