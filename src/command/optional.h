/* SPDX-License-Identifier: Apache-2.0 */
/* Which claims an ID token has only where the registration says so. */
#pragma once

#include <stdbool.h>

/* True for a claim of "Token configuration > Add optional claim". */
bool sso_claim_is_optional(const char *claim);
