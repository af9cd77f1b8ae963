/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that all processes of a node share, and what outlives a reload. */
#pragma once

#include <apr_hash.h>
#include <apr_pools.h>

/* Zeroed anonymous memory that lives as long as pool; made before the processes are, it is the same in all of them. It
 * takes no room until it is used. NULL when the system has none. */
void *sso_shared_make(apr_pool_t *pool, apr_size_t size);

/* The table of this name that belongs to the whole run of httpd, made with its first use. What is put into it must be
 * of process_pool and must not point into the module, which httpd unloads between two configurations. */
apr_hash_t *sso_shared_table(apr_pool_t *process_pool, const char *name);

/* The memory under key in such a table, made with its first use. NULL when the system has none. The name tells the
 * layout: memory of another one, after an upgrade of the module and a reload, must not be found under it. */
void *sso_shared_entry(apr_pool_t *process_pool, const char *name, const char *key, apr_size_t size);

/* The shared part of a gate (base/gate.h) that lets limit calls of the node in, with room for each process that httpd
 * may have. NULL when the system has no memory. */
void *sso_shared_gate(apr_pool_t *pool, int limit);
