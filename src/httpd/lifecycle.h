/* SPDX-License-Identifier: Apache-2.0 */
/* Start, processes and background work. */
#pragma once

#include <httpd.h>

/* post_config: keys, shared memory, the watchdog. Runs with the rights of the starting user. */
int sso_lifecycle_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server);
/* child_init: outbound HTTP and authorities of this process. */
void sso_lifecycle_child_init(apr_pool_t *pchild, server_rec *main_server);
