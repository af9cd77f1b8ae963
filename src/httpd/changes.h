/* SPDX-License-Identifier: Apache-2.0 */
/* What a node does to know who was changed in the directory: memory, and the regular look. */
#pragma once

#include <httpd.h>

#include "httpd/site.h"

/* In post_config: a table for each database that has a directory. False: there is no shared memory. */
bool sso_changes_share(server_rec *main_server);
/* The regular look, beside that for ended sessions (httpd/endings.c): from one process of the node at a time. */
void sso_changes_poll(server_rec *s, const sso_site_t *site, apr_pool_t *pool);
/* In each process, once its stores are there. memo may be NULL. */
void sso_changes_begin(apr_pool_t *pchild, server_rec *main_server, sso_memo_t *memo);
