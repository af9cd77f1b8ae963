/* SPDX-License-Identifier: Apache-2.0 */
/* The bulkhead in shared memory: one atomic word for each process, no lock, so a killed process can never hold it shut.
 */
#include "base/gate.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must work across processes");
_Static_assert(sizeof(pid_t) <= sizeof(uint32_t), "a pid must fit the upper half of a slot");

/*  slot:  63 ........ 32 | 31 ........ 0
 *          pid, 0 = free |   count
 * Owner and count are one word, so that a slot changes hands and loses its count in one step: a count can never be
 * taken from, or given to, the wrong process. */
struct sso_gate_shared_t {
    int32_t processes;
    int32_t limit;
    _Atomic uint64_t slots[];
};

struct sso_gate_t {
    sso_gate_shared_t *shared;
    _Atomic uint64_t *own;
    pid_t pid;
};

static uint64_t slot_pack(pid_t pid)
{
    return (uint64_t)(uint32_t)pid << 32;
}

static pid_t slot_pid(uint64_t slot)
{
    return (pid_t)(slot >> 32);
}

static uint32_t slot_count(uint64_t slot)
{
    return (uint32_t)slot;
}

static bool process_is_dead(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

apr_size_t sso_gate_shared_size(int processes)
{
    apr_size_t n = processes > 0 ? (apr_size_t)processes : 0;
    return sizeof(sso_gate_shared_t) + n * sizeof(_Atomic uint64_t);
}

void sso_gate_shared_init(void *memory, int processes, int limit)
{
    sso_gate_shared_t *shared = memory;
    shared->processes = processes > 0 ? processes : 0;
    shared->limit = limit > 0 ? limit : 1;
}

static apr_status_t gate_leave_slot(void *data)
{
    sso_gate_t *gate = data;
    /* A forked child runs its copy of this cleanup too; the slot is not its own. */
    if (gate->pid != getpid()) {
        return APR_SUCCESS;
    }
    uint64_t seen = atomic_load(gate->own);
    while (slot_pid(seen) == gate->pid && !atomic_compare_exchange_weak(gate->own, &seen, 0)) {
    }
    return APR_SUCCESS;
}

typedef enum { SLOT_DEAD, SLOT_FREE } slot_kind_t;

static _Atomic uint64_t *slot_take(sso_gate_shared_t *shared, slot_kind_t kind, pid_t pid)
{
    for (int32_t i = 0; i < shared->processes; i++) {
        uint64_t seen = atomic_load(&shared->slots[i]);
        pid_t owner = slot_pid(seen);
        /* A slot with our own pid is left from a dead process whose pid we were given. */
        bool wanted = kind == SLOT_FREE ? owner == 0 : owner != 0 && (owner == pid || process_is_dead(owner));
        if (wanted && atomic_compare_exchange_strong(&shared->slots[i], &seen, slot_pack(pid))) {
            return &shared->slots[i];
        }
    }
    return NULL;
}

sso_gate_t *sso_gate_join(apr_pool_t *pool, void *memory)
{
    sso_gate_shared_t *shared = memory;
    pid_t pid = getpid();
    _Atomic uint64_t *own = slot_take(shared, SLOT_DEAD, pid);
    if (!own) {
        own = slot_take(shared, SLOT_FREE, pid);
    }
    if (!own) {
        return NULL;
    }
    sso_gate_t *gate = apr_palloc(pool, sizeof(*gate));
    gate->shared = shared;
    gate->own = own;
    gate->pid = pid;
    apr_pool_cleanup_register(pool, gate, gate_leave_slot, apr_pool_cleanup_null);
    return gate;
}

static int64_t waiting_sum(sso_gate_shared_t *shared)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < shared->processes; i++) {
        sum += slot_count(atomic_load(&shared->slots[i]));
    }
    return sum;
}

/* Only when the gate looks full: httpd may not replace a killed child soon, or at all. */
static void dead_slots_free(sso_gate_t *gate)
{
    for (int32_t i = 0; i < gate->shared->processes; i++) {
        _Atomic uint64_t *slot = &gate->shared->slots[i];
        uint64_t seen = atomic_load(slot);
        if (slot_count(seen) > 0 && slot != gate->own && process_is_dead(slot_pid(seen))) {
            /* Lost to a process that joins: then the count is gone as well. */
            atomic_compare_exchange_strong(slot, &seen, 0);
        }
    }
}

bool sso_gate_enter(sso_gate_t *gate)
{
    atomic_fetch_add(gate->own, 1);
    /* Added first, counted then: of all that come together, the last to add sees all the others, so the limit is never
     * passed. At worst two at the edge refuse each other. */
    if (waiting_sum(gate->shared) <= gate->shared->limit) {
        return true;
    }
    dead_slots_free(gate);
    if (waiting_sum(gate->shared) <= gate->shared->limit) {
        return true;
    }
    sso_gate_leave(gate);
    return false;
}

void sso_gate_leave(sso_gate_t *gate)
{
    uint64_t seen = atomic_load(gate->own);
    do {
        /* Never below zero: it would borrow from the pid. */
        if (slot_count(seen) == 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak(gate->own, &seen, seen - 1));
}

int sso_gate_count(const sso_gate_t *gate)
{
    return (int)waiting_sum(gate->shared);
}
