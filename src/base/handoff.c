/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-over in shared memory: two copies, written in turn, so that a reader always finds a whole one, even when the
 * writer died over the other. */
#include "base/handoff.h"

#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics must work across processes");
_Static_assert(SSO_MAX_HANDED % sizeof(uint64_t) == 0, "a copy is a row of words");

#define WORDS (SSO_MAX_HANDED / sizeof(uint64_t))
/* Only a writer that gives twice during one reading makes a reader begin again. */
#define TRIES 100

/* Words are atomic, so that reading beside a writer is defined; what was read then is thrown away. */
typedef struct {
    _Atomic uint32_t sequence; /* odd while the copy is written or wiped */
    _Atomic uint32_t len;
    _Atomic uint64_t words[WORDS];
} copy_t;

/*  generation 6 -> | copies[0]: whole | copies[1]: wiped, or half of 7 |
 *  generation 7 -> | copies[0]: wiped, or half of 8 | copies[1]: whole | */
struct sso_handoff_t {
    _Atomic uint32_t generation;
    _Atomic int64_t note;
    copy_t copies[2];
};

apr_size_t sso_handoff_size(void)
{
    return sizeof(sso_handoff_t);
}

static void copy_fill(copy_t *copy, const unsigned char *data, apr_size_t len)
{
    uint32_t sequence = atomic_load_explicit(&copy->sequence, memory_order_relaxed);
    /* Odd already when a writer before us died over it. */
    atomic_store_explicit(&copy->sequence, sequence | 1U, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&copy->len, (uint32_t)len, memory_order_relaxed);
    for (apr_size_t i = 0; i < WORDS; i++) {
        uint64_t word = 0;
        apr_size_t from = i * sizeof(word);
        if (from < len) {
            memcpy(&word, data + from, len - from < sizeof(word) ? len - from : sizeof(word));
        }
        atomic_store_explicit(&copy->words[i], word, memory_order_relaxed);
    }
    atomic_store_explicit(&copy->sequence, (sequence | 1U) + 1, memory_order_release);
}

static void give(sso_handoff_t *handoff, const unsigned char *data, apr_size_t len)
{
    uint32_t generation = atomic_load_explicit(&handoff->generation, memory_order_relaxed);
    uint32_t next = generation + 1 == 0 ? 2 : generation + 1; /* 0 is for "never", and the copies take turns */
    copy_fill(&handoff->copies[next & 1U], data, len);
    atomic_store_explicit(&handoff->note, 0, memory_order_relaxed);
    atomic_store_explicit(&handoff->generation, next, memory_order_release);
    /* SECURITY: a secret that was replaced does not stay in memory. Whoever reads it at this moment begins again. */
    copy_fill(&handoff->copies[generation & 1U], NULL, 0);
}

bool sso_handoff_give(sso_handoff_t *handoff, const void *data, apr_size_t len)
{
    if (len == 0 || len > SSO_MAX_HANDED) {
        return false;
    }
    give(handoff, data, len);
    return true;
}

void sso_handoff_clear(sso_handoff_t *handoff)
{
    if (sso_handoff_generation(handoff) != 0) {
        give(handoff, NULL, 0);
    }
}

uint32_t sso_handoff_generation(const sso_handoff_t *handoff)
{
    return atomic_load_explicit(&handoff->generation, memory_order_relaxed);
}

/* Bytes of a copy, rounded up to words; a reader's first look, not to be trusted yet. */
static apr_size_t copy_room(const copy_t *copy)
{
    apr_size_t len = atomic_load_explicit(&copy->len, memory_order_relaxed);
    return len > SSO_MAX_HANDED ? 0 : (len + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

/* False when the copy was touched meanwhile, or is larger than room. */
static bool copy_read(const copy_t *copy, unsigned char *buffer, apr_size_t room, apr_size_t *ret_len)
{
    uint32_t before = atomic_load_explicit(&copy->sequence, memory_order_acquire);
    apr_size_t len = atomic_load_explicit(&copy->len, memory_order_relaxed);
    if ((before & 1U) != 0 || len > room) {
        return false;
    }
    for (apr_size_t i = 0; i * sizeof(uint64_t) < len; i++) {
        uint64_t word = atomic_load_explicit(&copy->words[i], memory_order_relaxed);
        memcpy(buffer + i * sizeof(word), &word, sizeof(word));
    }
    atomic_thread_fence(memory_order_acquire);
    *ret_len = len;
    return atomic_load_explicit(&copy->sequence, memory_order_relaxed) == before;
}

bool sso_handoff_take(const sso_handoff_t *handoff, apr_pool_t *pool, const unsigned char **ret_data,
                      apr_size_t *ret_len, uint32_t *ret_generation)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t generation = atomic_load_explicit(&handoff->generation, memory_order_acquire);
        const copy_t *copy = &handoff->copies[generation & 1U];
        apr_size_t room = copy_room(copy);
        apr_size_t len = 0;
        if (generation == 0) {
            return false;
        }
        unsigned char *buffer = apr_palloc(pool, room + 1);
        sso_wipe_later(pool, buffer, room);
        /* The generation once more: a copy that was wiped between the two is whole as well, and empty. */
        if (copy_read(copy, buffer, room, &len) &&
            atomic_load_explicit(&handoff->generation, memory_order_relaxed) == generation) {
            buffer[len] = '\0';
            *ret_data = buffer;
            *ret_len = len;
            *ret_generation = generation;
            return len > 0;
        }
    }
    return false;
}

void sso_handoff_note(sso_handoff_t *handoff, int64_t note)
{
    atomic_store_explicit(&handoff->note, note, memory_order_relaxed);
}

int64_t sso_handoff_noted(const sso_handoff_t *handoff)
{
    return atomic_load_explicit(&handoff->note, memory_order_relaxed);
}
