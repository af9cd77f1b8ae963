/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant watches of a node: a thread for each, and what the log tells of them. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* In post_config: a watchdog of its own for each tenant, client, Graph and database, so that Graph's slowness delays
 * neither Entra's keys nor the endings of sessions. False when mod_watchdog takes none. */
bool sso_watching_start(apr_pool_t *pconf, server_rec *main_server);

/* In each process, once its sites have store and authority. */
void sso_watching_begin(apr_pool_t *pchild, server_rec *main_server);
/* In each process, after everything else: at the process's end turns are told to stop before they are waited for. */
void sso_watching_ready(apr_pool_t *pchild, server_rec *main_server);
