/* SPDX-License-Identifier: Apache-2.0 */
/* The bulkhead in shared memory: one atomic word for each process, no lock, so a killed process can never hold it shut.
 */
#include "base/gate.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

#include <apr_time.h>

#include "base/clock.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must work across processes");
_Static_assert(sizeof(pid_t) <= sizeof(uint32_t), "a pid must fit the upper half of a slot");

/* Without an answer for this long the outside counts as hanging, and nobody queues; nobody queues longer than the
 * second. */
#define STALL_AFTER apr_time_from_msec(500)
#define QUEUE_AT_MOST apr_time_from_sec(5)
#define QUEUE_STEP apr_time_from_msec(5)

/*  slot:  63 ........ 32 | 31 .... 16 | 15 .... 0
 *          pid, 0 = free |   queuing  |   inside
 * Owner and counts are one word, so that a slot changes hands and loses its counts in one step: a count can never be
 * taken from, or given to, the wrong process. */
struct sso_gate_shared_t {
    int32_t processes;
    int32_t limit;
    _Atomic int64_t answered; /* moment of the last answer, or since when somebody waits for the first */
    _Atomic uint64_t slots[];
};

#define ONE_INSIDE UINT64_C(1)
#define ONE_QUEUING UINT64_C(0x10000)
#define MOST_WORKERS 0xffff

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

static int64_t slot_inside(uint64_t slot)
{
    return (int64_t)(slot & MOST_WORKERS);
}

static int64_t slot_queuing(uint64_t slot)
{
    return (int64_t)(slot >> 16 & MOST_WORKERS);
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
    /* Both counts of a slot have 16 bits, and a count goes past the limit for a moment. */
    if (shared->limit > MOST_WORKERS / 2) {
        shared->limit = MOST_WORKERS / 2;
    }
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

static int64_t sum(const sso_gate_shared_t *shared, int64_t (*part)(uint64_t slot))
{
    int64_t total = 0;
    for (int32_t i = 0; i < shared->processes; i++) {
        total += part(atomic_load(&shared->slots[i]));
    }
    return total;
}

/* Only when the gate looks full: httpd may not replace a killed child soon, or at all. */
static void dead_slots_free(sso_gate_t *gate)
{
    for (int32_t i = 0; i < gate->shared->processes; i++) {
        _Atomic uint64_t *slot = &gate->shared->slots[i];
        uint64_t seen = atomic_load(slot);
        if (slot_inside(seen) + slot_queuing(seen) > 0 && slot != gate->own && process_is_dead(slot_pid(seen))) {
            /* Lost to a process that joins: then the count is gone as well. */
            atomic_compare_exchange_strong(slot, &seen, 0);
        }
    }
}

static void count_down(sso_gate_t *gate, uint64_t one, int64_t (*part)(uint64_t slot))
{
    uint64_t seen = atomic_load(gate->own);
    do {
        /* Never below zero: it would borrow from the neighbour. */
        if (part(seen) == 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak(gate->own, &seen, seen - one));
}

static bool count_up(sso_gate_t *gate, uint64_t one, int64_t (*part)(uint64_t slot))
{
    atomic_fetch_add(gate->own, one);
    /* Added first, counted then: of all that come together, the last to add sees all the others, so the limit is never
     * passed. At worst two at the edge refuse each other. */
    if (sum(gate->shared, part) <= gate->shared->limit) {
        return true;
    }
    dead_slots_free(gate);
    if (sum(gate->shared, part) <= gate->shared->limit) {
        return true;
    }
    count_down(gate, one, part);
    return false;
}

static bool go_inside(sso_gate_t *gate)
{
    if (!count_up(gate, ONE_INSIDE, slot_inside)) {
        return false;
    }
    if (sum(gate->shared, slot_inside) == 1) {
        /* After a quiet time the outside is given its half second anew. */
        atomic_store(&gate->shared->answered, sso_clock_now());
    }
    return true;
}

static bool outside_is_alive(const sso_gate_t *gate, apr_time_t now)
{
    apr_interval_time_t quiet = now - atomic_load(&gate->shared->answered);
    /* Further ahead than that is from before the clock was set back. */
    return quiet < STALL_AFTER && quiet > -STALL_AFTER;
}

bool sso_gate_enter(sso_gate_t *gate)
{
    if (go_inside(gate)) {
        return true;
    }
    apr_time_t now = sso_clock_now();
    apr_time_t deadline = now + QUEUE_AT_MOST;
    if (!outside_is_alive(gate, now) || !count_up(gate, ONE_QUEUING, slot_queuing)) {
        return false;
    }
    bool inside = false;
    while (!inside && now < deadline && outside_is_alive(gate, now)) {
        apr_sleep(QUEUE_STEP);
        inside = go_inside(gate);
        now = sso_clock_now();
    }
    count_down(gate, ONE_QUEUING, slot_queuing);
    return inside;
}

void sso_gate_leave(sso_gate_t *gate, bool answered)
{
    if (answered) {
        atomic_store(&gate->shared->answered, sso_clock_now());
    }
    count_down(gate, ONE_INSIDE, slot_inside);
}

int sso_gate_count(const sso_gate_t *gate)
{
    return (int)sum(gate->shared, slot_inside);
}

int sso_gate_limit(const sso_gate_t *gate)
{
    return gate->shared->limit;
}
