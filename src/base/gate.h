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
/* Goes in, or waits to: as long as the outside answers, as many workers as may be inside may queue before the door, so
 * that a burst of sign-ins passes. Half a second without any answer, or five in all, ends the waiting. False: come
 * later. Of a node's workers at most twice the limit are ever held. */
bool sso_gate_enter(sso_gate_t *gate);
/* answered: the call got an answer, so the outside is alive. */
void sso_gate_leave(sso_gate_t *gate, bool answered);
/* How many may be. */
int sso_gate_limit(const sso_gate_t *gate);
/* Workers inside now, over all processes. */
int sso_gate_count(const sso_gate_t *gate);
