/* SPDX-License-Identifier: Apache-2.0 */
/* The database as a node has it: its folder, which root makes and the children use; the store of each process; the
 * hourly purge. */
#pragma once

#include <httpd.h>

#include "base/result.h"
#include "httpd/site.h"

/* True when httpd's children may use path so: R_OK, W_OK, X_OK as of access(2). Asks as their user, by a process of its
 * own. */
bool sso_storage_can_use(const char *path, int mode);
/* The children's user, for messages. */
const char *sso_storage_user(void);

/* Makes the folders of embedded databases in state directories, and gives them to the children's user. What cannot be
 * made is logged: sessions go on without it. With the rights of the starting user. */
void sso_storage_make_folders(apr_pool_t *ptemp, server_rec *main_server);

/* Gives each site its store; sites of one database share one. Once in each process. */
void sso_storage_child_init(apr_pool_t *pchild, server_rec *main_server);

/* From the watchdog: once an hour each database loses the rows whose time is over. purge_due begins as 0 and is of the
 * watchdog's thread. */
void sso_storage_tick(apr_pool_t *pool, server_rec *main_server, apr_time_t *purge_due);
