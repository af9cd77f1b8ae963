/* SPDX-License-Identifier: Apache-2.0 */
/* Files that change while httpd runs: keys of cookies, secrets, certificates. The parent looks after them, as it alone
 * may read them, and hands what it read to the processes. */
#pragma once

#include <httpd.h>

#include <stdbool.h>

/* A certificate's end is told this long ahead, once a day. */
#define SSO_WARN_BEFORE_END apr_time_from_sec(30 * 24 * 3600)

/* In post_config: loads the keys of every site, hands over all that was read, and begins to look. False when httpd must
 * not start; then it has been said why. */
bool sso_renewal_begin(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *main_server);
/* Before the configuration is read anew. */
void sso_renewal_end(void);

/* The hook of the MPMs' maintenance in the parent, every ten seconds or so. */
int sso_renewal_monitor(apr_pool_t *pool, server_rec *main_server);
