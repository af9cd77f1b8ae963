/* SPDX-License-Identifier: Apache-2.0 */
/* The ended sessions of this node: their table in shared memory, the watchdog that keeps it up with the database, and
 * the log lines of endings. */
#pragma once

#include <httpd.h>

#include "flow/flow.h"

/* In post_config: a table for each database, kept over reloads. False when there is no shared memory. */
bool sso_endings_share(apr_pool_t *pconf, server_rec *main_server);
/* In post_config: a watchdog of its own for each database, so that neither slow keys of Entra nor another database
 * delay it. False when mod_watchdog takes none. */
bool sso_endings_watch(apr_pool_t *pconf, server_rec *main_server);

/* In each process, after its stores were made: fills the tables that nobody has filled yet, before a request is served.
 */
void sso_endings_begin(apr_pool_t *pchild, server_rec *main_server);

/* One line for each session that answer ended beside the request's own, and one when the other nodes do not know yet.
 */
void sso_endings_log(request_rec *r, const sso_answer_t *answer);
