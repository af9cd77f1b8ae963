/* SPDX-License-Identifier: Apache-2.0 */
/* The text of EntraDatabase: what it names, and how it is shown. Text in, text out; connects to nothing. */
#pragma once

#include <apr_pools.h>

/* Splits "sqlite3:FILE" or "pgsql:CONNINFO": NULL when good, else what is wrong and what to write. A file may be
 * relative. The driver is static, the parameters are in pool. */
const char *sso_store_source(apr_pool_t *pool, const char *text, const char **ret_driver, const char **ret_params);

/* The same text without its password, for people. */
const char *sso_source_masked(apr_pool_t *pool, const char *text);

/* A conninfo with bounds on how long a connect and a dead peer may hold a thread; what it says itself of these counts.
 */
const char *sso_source_bounded(apr_pool_t *pool, const char *conninfo);
