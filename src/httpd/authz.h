/* SPDX-License-Identifier: Apache-2.0 */
/* httpd's authorization providers for `Require entra-…`. */
#pragma once

#include <httpd.h>

/* Registers entra-role, entra-group, entra-claim, entra-tenant and entra-domain. */
void sso_authz_register(apr_pool_t *pool);
