/* SPDX-License-Identifier: Apache-2.0 */
/* A table of slots, each with a sequence lock: who reads tries to, and believes what did not change meanwhile; who
 * writes leaves it when another does. Every word is atomic, so that the two may meet. */
#include "base/memo.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>

#include "base/limits.h"

#define KEY_WORDS (SSO_SHA256_BYTES / sizeof(uint64_t))
#define UNTIL KEY_WORDS
#define STAMP_AND_LENGTH (KEY_WORDS + 1)
#define DATA (KEY_WORDS + 2)
#define WORDS (DATA + SSO_MAX_MEMO_BYTES / sizeof(uint64_t))

_Static_assert(SSO_MAX_MEMO_BYTES % sizeof(uint64_t) == 0, "whole words");
/* Any other would be a lock in disguise. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "words without a lock");

/* The sequence is odd while somebody writes.
 *
 *   words: key 4 | until 1 | stamp and length 1 | data */
typedef struct {
    _Atomic uint32_t sequence;
    _Atomic uint64_t words[WORDS];
} slot_t;

struct sso_memo_t {
    slot_t slots[SSO_MEMO_SETS][SSO_MEMO_WAYS];
};

apr_size_t sso_memo_size(void)
{
    return sizeof(sso_memo_t);
}

/* The key is a SHA-256: its first bytes are as good as any. */
static apr_size_t set_of(const unsigned char *key)
{
    return (((apr_size_t)key[0] << 8) | key[1]) % SSO_MEMO_SETS;
}

static uint64_t word(const slot_t *slot, apr_size_t i)
{
    return atomic_load_explicit(&slot->words[i], memory_order_relaxed);
}

static bool has_key(const slot_t *slot, const uint64_t *key)
{
    bool same = true;
    for (apr_size_t i = 0; i < KEY_WORDS; i++) {
        same = same && word(slot, i) == key[i];
    }
    return same;
}

/* The head of a slot as it stands, and its data if they are meant. False when they are not, or changed meanwhile. */
static bool read_slot(const slot_t *slot, const uint64_t *key, uint32_t stamp, apr_time_t now, uint64_t *data,
                      apr_size_t *ret_len)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    if ((before & 1U) != 0 || !has_key(slot, key) || (apr_time_t)word(slot, UNTIL) <= now) {
        return false;
    }
    uint64_t head = word(slot, STAMP_AND_LENGTH);
    apr_size_t len = (apr_size_t)(head & UINT32_MAX);
    if ((uint32_t)(head >> 32) != stamp || len > SSO_MAX_MEMO_BYTES) {
        return false;
    }
    for (apr_size_t i = 0; i * sizeof(uint64_t) < len; i++) {
        data[i] = word(slot, DATA + i);
    }
    atomic_thread_fence(memory_order_acquire);
    *ret_len = len;
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) == before;
}

bool sso_memo_get(const sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp,
                  apr_time_t now, apr_pool_t *pool, const unsigned char **ret_data, apr_size_t *ret_len)
{
    uint64_t words[KEY_WORDS];
    uint64_t data[SSO_MAX_MEMO_BYTES / sizeof(uint64_t)];
    memcpy(words, key, sizeof(words));
    const slot_t *slots = memo->slots[set_of(key)];
    for (int way = 0; way < SSO_MEMO_WAYS; way++) {
        apr_size_t len;
        if (read_slot(&slots[way], words, stamp, now, data, &len)) {
            *ret_data = apr_pmemdup(pool, data, len);
            *ret_len = len;
            return true;
        }
    }
    return false;
}

/* The slot of the same key, else one that is over, else the one that is over soonest. */
static slot_t *place_of(slot_t *slots, const uint64_t *key)
{
    slot_t *place = &slots[0];
    for (int way = 0; way < SSO_MEMO_WAYS; way++) {
        if (has_key(&slots[way], key)) {
            return &slots[way];
        }
        if (word(&slots[way], UNTIL) < word(place, UNTIL)) {
            place = &slots[way];
        }
    }
    return place;
}

void sso_memo_put(sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp, apr_time_t now,
                  apr_time_t until, const unsigned char *data, apr_size_t len)
{
    uint64_t words[WORDS] = {0};
    if (len > SSO_MAX_MEMO_BYTES || until <= now) {
        return;
    }
    memcpy(words, key, SSO_SHA256_BYTES);
    words[UNTIL] = (uint64_t)until;
    words[STAMP_AND_LENGTH] = ((uint64_t)stamp << 32) | len;
    memcpy(&words[DATA], data, len);
    slot_t *slot = place_of(memo->slots[set_of(key)], words);
    uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    if ((sequence & 1U) != 0 || !atomic_compare_exchange_strong_explicit(&slot->sequence, &sequence, sequence + 1,
                                                                         memory_order_acquire, memory_order_relaxed)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    apr_size_t used = DATA + (len + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    for (apr_size_t i = 0; i < used; i++) {
        atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}
