/* SPDX-License-Identifier: Apache-2.0 */
/* The bulkhead: how many workers of this node may wait for the outside at once. Shared memory, no lock. */
#pragma once

#include <apr_pools.h>
#include <stdbool.h>
#include <stdint.h>

/* One counter per process, so that the count of a killed process can be taken back. Zeroed shared memory is a valid
 * empty gate. */
typedef struct sso_gate_shared_t sso_gate_shared_t;
typedef struct sso_gate_t sso_gate_t;

/* Bytes of shared memory for a gate of at most processes. */
apr_size_t sso_gate_shared_size(int processes);
/* Once in the parent: sets up zeroed memory. limit: workers of the whole node that may wait, at least 1. */
void sso_gate_shared_init(void *memory, int processes, int limit);
/* In each process: takes a slot (of a dead process first) and gives it back when pool is cleaned. NULL when no slot is
 * free: the caller must not call out then. Once a process for one memory. */
sso_gate_t *sso_gate_join(apr_pool_t *pool, void *memory);
/* False when the node's limit is reached. */
bool sso_gate_enter(sso_gate_t *gate);
void sso_gate_leave(sso_gate_t *gate);
/* Workers waiting now, over all processes. */
int sso_gate_count(const sso_gate_t *gate);
