/* SPDX-License-Identifier: Apache-2.0 */
/* The check of the whole configuration, at start and at configtest. */
#pragma once

#include <httpd.h>

/* check_config hook: judges every virtual host with the values that count there; says every mistake with directive,
 * file and line and the mend; fails when there was one. */
int sso_config_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server);
