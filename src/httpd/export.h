/* SPDX-License-Identifier: Apache-2.0 */
/* What the application gets: REMOTE_USER, variables, request headers. */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* The user name for this section by EntraRemoteUser; NULL when the session cannot give one. */
const char *sso_export_user(request_rec *r, const sso_visit_t *visit);

/* The roles of the session in this section: the token's and those of EntraRole. Good until the next call. */
const sso_list_t *sso_export_roles(request_rec *r, sso_visit_t *visit);

/* Sets r->user and everything that this section's configuration names. SSO_R_IDENTITY_USER when there is no user name,
 * SSO_R_CRYPTO or SSO_R_RANDOM when its assertion cannot be signed: then nothing is set. */
sso_rc sso_export_identity(request_rec *r, sso_ctx_t *ctx, sso_visit_t *visit) SSO_MUST_USE;
