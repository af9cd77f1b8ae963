/* SPDX-License-Identifier: Apache-2.0 */
/* What mod_watchdog's threads do for this module. These threads outlive the pool of their child, so a task is let in
 * only while that pool lives. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* One turn; pool lasts as long as it. */
typedef void sso_task_t(void *data, apr_pool_t *pool);

/* In post_config: calls task each `every` microseconds from a thread of its own, in each process or, as a singleton, in
 * one of the node. name is mod_watchdog's, unique, and lives in pconf, as data does. False when mod_watchdog does not
 * take it. */
bool sso_tasks_add(apr_pool_t *pconf, const char *name, bool singleton, apr_interval_time_t every, sso_task_t *task,
                   void *data);

/* In a new child, before anything that tasks use is made in pchild: turns under way are waited for before pchild ends.
 */
void sso_tasks_begin(apr_pool_t *pchild, server_rec *main_server);
