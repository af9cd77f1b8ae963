/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks of the watchdog and the end of a child. mod_watchdog ends its threads with the process, after the child's pool
 * and all that was made in it are gone. */
#ifndef SSO_HTTPD_TASKS_H
#define SSO_HTTPD_TASKS_H

#include <stdbool.h>

#include <httpd.h>

/* In a new child, before anything that tasks use is made in pchild; what runs then is waited for before pchild ends. */
void sso_tasks_begin(apr_pool_t *pchild, server_rec *main_server);

/* Whether a task may run. If so, sso_tasks_leave() follows. */
bool sso_tasks_enter(void);
void sso_tasks_leave(void);

#endif
