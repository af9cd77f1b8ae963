/* SPDX-License-Identifier: Apache-2.0 */
/* The user in the words of Azure App Service, for applications that were written for it. */
#pragma once

#include "flow/assertion.h"

/* The value of X-MS-CLIENT-PRINCIPAL: base64 of a JSON list of claims. Kept as assertions are, but for as long as
 * nothing changes. Good until the next call with kept. */
const char *sso_principal_get(sso_ctx_t *ctx, const sso_subject_t *subject, sso_kept_t *kept);
