/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ended sessions in shared memory. No lock anywhere: a killed process can hold nobody up. */
#include "session/ended.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics must work across processes");
_Static_assert((SSO_ENDED_SLOTS & (SSO_ENDED_SLOTS - 1)) == 0, "places are found by a mask");
_Static_assert(sizeof(pid_t) <= sizeof(int32_t), "a pid is a mark");
_Static_assert(SSO_SESSION_ID_BYTES == 2 * sizeof(uint64_t), "an id is two words");

/* The life of a slot. `until` is its state and is written last, so that who sees a moment sees the id of it.
 *
 *            CAS                     store, release
 *   0 empty ------> -pid reserved ------------------> moment, lowest bit: pending
 *                    ^         |                         |
 *                    +- CAS ---+ that process died       | the moment is over
 *                    ^                                   |
 *                    +------------------ CAS ------------+
 *
 * A slot never becomes empty again. So the first empty place ends a search: whatever stands behind it was put there
 * while this place was taken, which it would be still. */
typedef struct {
    _Atomic uint64_t id[2];
    _Atomic int64_t until;
} slot_t;

_Static_assert(sizeof(slot_t) == 24, "the manual promises what the table takes");

struct sso_ended_t {
    _Atomic int64_t filled;
    _Atomic int64_t polled;
    _Atomic int64_t turn;     /* when a process took it last, which tells that process too: nobody else wrote this */
    _Atomic int64_t overflow; /* until when a miss proves nothing */
    _Atomic uint32_t reach;   /* no entry stands behind this many places */
    _Atomic uint32_t pending; /* entries with the bit; too high after a death in the middle, never too low */
    _Atomic uint32_t away;
    _Atomic int32_t filler; /* its pid, 0 for none */
    slot_t slots[SSO_ENDED_SLOTS];
};

#define PENDING INT64_C(1)
/* No session lives longer than the cap, so nothing is remembered longer than this: a row that says so is damaged. */
#define REMEMBER_AT_MOST (2 * SSO_SESSION_CAP)

/* An id as the table compares it. */
typedef struct {
    uint64_t word[2];
} words_t;

apr_size_t sso_ended_size(void)
{
    return sizeof(sso_ended_t);
}

static words_t key_of(const unsigned char *id)
{
    words_t key;
    memcpy(key.word, id, sizeof(key.word));
    return key;
}

/* The place of that number. SECURITY: the id is its own hash. It is 16 random bytes of ours, and only ids out of sealed
 * cookies and of our store come here, so nobody can choose ids that crowd at one place. The odd step, from the other
 * half, visits every slot before it comes round, and two ids that begin at one place part at once. */
static uint64_t place_of(words_t key, unsigned number)
{
    return (key.word[0] + number * (key.word[1] | 1)) & (SSO_ENDED_SLOTS - 1);
}

static bool slot_has(const slot_t *slot, words_t key)
{
    return atomic_load_explicit(&slot->id[0], memory_order_relaxed) == key.word[0] &&
           atomic_load_explicit(&slot->id[1], memory_order_relaxed) == key.word[1];
}

static int64_t moment_of(int64_t until)
{
    return until & ~PENDING;
}

static bool is_dead(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Never used, over, or left behind by a process that died while it wrote. */
static bool is_free(int64_t until, apr_time_t now)
{
    if (until > 0) {
        return moment_of(until) <= now;
    }
    return until == 0 || is_dead((pid_t)-until);
}

/* Moves until forward where key stands already. A slot whose time is not over belongs to its id until then, so that
 * the id that was compared is still there when the exchange succeeds. */
static bool slot_renew(sso_ended_t *ended, slot_t *slot, words_t key, int64_t wanted, apr_time_t now)
{
    int64_t seen = atomic_load_explicit(&slot->until, memory_order_acquire);
    int64_t next;
    do {
        if (seen <= 0 || moment_of(seen) <= now || !slot_has(slot, key)) {
            return false;
        }
        next = moment_of(seen) > moment_of(wanted) ? moment_of(seen) : moment_of(wanted);
        /* What the store knows it does not forget. */
        next |= seen & wanted & PENDING;
    } while (next != seen && !atomic_compare_exchange_weak(&slot->until, &seen, next));
    if ((seen & PENDING) != 0 && (next & PENDING) == 0) {
        atomic_fetch_sub(&ended->pending, 1);
    }
    return true;
}

/* All places, since two processes that added one id at the same moment may have put it at two. */
static bool renew(sso_ended_t *ended, words_t key, int64_t wanted, apr_time_t now)
{
    bool found = false;
    unsigned reach = atomic_load(&ended->reach);
    for (unsigned i = 0; i < reach; i++) {
        found = slot_renew(ended, &ended->slots[place_of(key, i)], key, wanted, now) || found;
    }
    return found;
}

static void raise_reach(sso_ended_t *ended, unsigned places)
{
    uint32_t seen = atomic_load(&ended->reach);
    while (seen < places && !atomic_compare_exchange_weak(&ended->reach, &seen, places)) {
    }
}

static void raise_moment(_Atomic int64_t *moment, int64_t value)
{
    int64_t seen = atomic_load(moment);
    while (seen < value && !atomic_compare_exchange_weak(moment, &seen, value)) {
    }
}

/* Takes the slot if it is free, and writes. */
static bool slot_claim(sso_ended_t *ended, slot_t *slot, words_t key, int64_t wanted, apr_time_t now)
{
    int64_t seen = atomic_load(&slot->until);
    if (!is_free(seen, now) || !atomic_compare_exchange_strong(&slot->until, &seen, -(int64_t)getpid())) {
        return false;
    }
    if (seen > 0 && (seen & PENDING) != 0) {
        atomic_fetch_sub(&ended->pending, 1);
    }
    atomic_store_explicit(&slot->id[0], key.word[0], memory_order_relaxed);
    atomic_store_explicit(&slot->id[1], key.word[1], memory_order_relaxed);
    atomic_store_explicit(&slot->until, wanted, memory_order_release);
    return true;
}

bool sso_ended_add(sso_ended_t *ended, const unsigned char id[static SSO_SESSION_ID_BYTES], apr_time_t until,
                   bool pending, apr_time_t now)
{
    words_t key = key_of(id);
    if (until > now + REMEMBER_AT_MOST) {
        until = now + REMEMBER_AT_MOST;
    }
    if (until <= now) {
        /* No clock lets such a session in any more. */
        return true;
    }
    int64_t wanted = (until & ~PENDING) | (pending ? PENDING : 0);
    if (renew(ended, key, wanted, now)) {
        return true;
    }
    if (pending) {
        /* Counted first: the poller must not miss it. */
        atomic_fetch_add(&ended->pending, 1);
    }
    for (unsigned i = 0; i < SSO_ENDED_PLACES; i++) {
        /* Before the entry is there, so that nobody stops looking short of it. */
        raise_reach(ended, i + 1);
        if (slot_claim(ended, &ended->slots[place_of(key, i)], key, wanted, now)) {
            return true;
        }
    }
    if (pending) {
        atomic_fetch_sub(&ended->pending, 1);
    }
    raise_moment(&ended->overflow, until);
    return false;
}

void sso_ended_set_filled(sso_ended_t *ended, apr_time_t now)
{
    atomic_store(&ended->filled, now);
}

apr_time_t sso_ended_filled(const sso_ended_t *ended)
{
    return atomic_load(&ended->filled);
}

void sso_ended_set_polled(sso_ended_t *ended, apr_time_t now)
{
    atomic_store(&ended->polled, now);
}

apr_time_t sso_ended_polled(const sso_ended_t *ended)
{
    return atomic_load(&ended->polled);
}

bool sso_ended_take_turn(sso_ended_t *ended, apr_time_t now, apr_interval_time_t every, apr_interval_time_t lost,
                         apr_time_t *turn)
{
    int64_t last = atomic_load(&ended->turn);
    apr_interval_time_t wait = last == *turn ? every : lost;
    if (!sso_clock_is_past(last, wait, now) || !atomic_compare_exchange_strong(&ended->turn, &last, now)) {
        return false;
    }
    *turn = now;
    return true;
}

bool sso_ended_set_away(sso_ended_t *ended, bool away)
{
    return atomic_exchange(&ended->away, away ? 1 : 0) != 0;
}

bool sso_ended_is_away(const sso_ended_t *ended)
{
    return atomic_load(&ended->away) != 0;
}

bool sso_ended_claim(sso_ended_t *ended)
{
    int32_t seen = atomic_load(&ended->filler);
    return (seen == 0 || is_dead((pid_t)seen)) && atomic_compare_exchange_strong(&ended->filler, &seen, getpid());
}

void sso_ended_release(sso_ended_t *ended)
{
    atomic_store(&ended->filler, 0);
}

bool sso_ended_overflowed(const sso_ended_t *ended, apr_time_t now)
{
    return now < atomic_load(&ended->overflow);
}

static bool holds(const sso_ended_t *ended, words_t key)
{
    unsigned reach = atomic_load_explicit(&ended->reach, memory_order_acquire);
    for (unsigned i = 0; i < reach; i++) {
        const slot_t *slot = &ended->slots[place_of(key, i)];
        int64_t until = atomic_load_explicit(&slot->until, memory_order_acquire);
        if (until == 0) {
            return false;
        }
        /* A moment that is over counts too: the clock may have been wrong. While another id is being written over one
         * that is over, a mixture may be read: it is no id of anybody's. */
        if (until > 0 && slot_has(slot, key)) {
            return true;
        }
    }
    return false;
}

sso_rc sso_ended_check(sso_ctx_t *ctx, const sso_ended_t *ended, const unsigned char id[static SSO_SESSION_ID_BYTES])
{
    if (holds(ended, key_of(id))) {
        return sso_fail(ctx, SSO_R_SESSION_ENDED, NULL);
    }
    if (sso_ended_filled(ended) == 0) {
        return sso_fail(ctx, SSO_R_ENDED_UNKNOWN, "the database was not read since the start");
    }
    if (sso_ended_overflowed(ended, ctx->now)) {
        return sso_fail(ctx, SSO_R_ENDED_UNKNOWN, "the table of ended sessions has no room");
    }
    return SSO_OK;
}

static void collect(sso_ended_t *ended, slot_t *slot, apr_time_t now, apr_array_header_t *pending)
{
    int64_t until = atomic_load_explicit(&slot->until, memory_order_acquire);
    if (until <= 0 || (until & PENDING) == 0) {
        return;
    }
    if (moment_of(until) <= now) {
        if (atomic_compare_exchange_strong(&slot->until, &until, moment_of(until))) {
            atomic_fetch_sub(&ended->pending, 1);
        }
        return;
    }
    sso_store_ended_t *entry = apr_array_push(pending);
    words_t key = {{atomic_load(&slot->id[0]), atomic_load(&slot->id[1])}};
    memcpy(entry->id, key.word, sizeof(entry->id));
    entry->until = moment_of(until);
}

void sso_ended_pending(sso_ended_t *ended, apr_time_t now, apr_array_header_t *ret_pending)
{
    if (atomic_load(&ended->pending) == 0) {
        return;
    }
    for (apr_size_t i = 0; i < SSO_ENDED_SLOTS; i++) {
        collect(ended, &ended->slots[i], now, ret_pending);
    }
}

int sso_ended_used(const sso_ended_t *ended, apr_time_t now)
{
    int used = 0;
    for (apr_size_t i = 0; i < SSO_ENDED_SLOTS; i++) {
        int64_t until = atomic_load_explicit(&ended->slots[i].until, memory_order_relaxed);
        used += until > 0 && moment_of(until) > now;
    }
    return used;
}

unsigned sso_ended_reach(const sso_ended_t *ended)
{
    return atomic_load(&ended->reach);
}
