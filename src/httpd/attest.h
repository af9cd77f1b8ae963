/* SPDX-License-Identifier: Apache-2.0 */
/* Identity in the forms that take work: the signed assertion, and the principal of App Service. */
#pragma once

#include <httpd.h>

#include "flow/assertion.h"
#include "httpd/visit.h"

/* Puts the assertion into the request's headers where this section's EntraSignedIdentity is on, else does nothing. What
 * is made is kept with the connection. Errors: SSO_R_CRYPTO, SSO_R_RANDOM; then nothing is set. */
sso_rc sso_attest_assertion(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit,
                            const sso_subject_t *subject) SSO_MUST_USE;
/* Puts the X-MS-CLIENT-PRINCIPAL headers into the request. */
void sso_attest_principal(request_rec *r, sso_ctx_t *ctx, const sso_subject_t *subject);
