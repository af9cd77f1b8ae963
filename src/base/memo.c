/* SPDX-License-Identifier: Apache-2.0 */
/* A table of slots, each with a sequence lock: who reads tries to, and believes what did not change meanwhile; who
 * writes leaves it when another does. Every word is atomic, so that the two may meet. */
#include "base/memo.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "base/limits.h"

#define KEY_WORDS (SSO_SHA256_BYTES / sizeof(uint64_t))
#define UNTIL KEY_WORDS
#define STAMP_AND_LENGTH (KEY_WORDS + 1)
#define DATA (KEY_WORDS + 2)

/* Any other would be a lock in disguise. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "words without a lock");

/* The sequence is odd while somebody writes.
 *
 *   words: key 4 | until 1 | stamp and length 1 | data */
typedef struct {
    _Atomic uint32_t sequence;
    _Atomic uint64_t words[];
} slot_t;

struct sso_memo_t {
    uint64_t bytes;   /* of data that one slot holds: whole words */
    uint64_t slots[]; /* SSO_MEMO_SETS * SSO_MEMO_WAYS of them */
};

static apr_size_t whole_words(apr_size_t bytes)
{
    return (bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

/* Of one slot, in words: its sequence takes one. */
static apr_size_t slot_words(apr_size_t bytes)
{
    return offsetof(slot_t, words) / sizeof(uint64_t) + DATA + whole_words(bytes);
}

apr_size_t sso_memo_size(apr_size_t bytes)
{
    return sizeof(sso_memo_t) + SSO_MEMO_SETS * SSO_MEMO_WAYS * slot_words(bytes) * sizeof(uint64_t);
}

sso_memo_t *sso_memo_init(void *memory, apr_size_t bytes)
{
    sso_memo_t *memo = memory;
    memo->bytes = whole_words(bytes) * sizeof(uint64_t);
    return memo;
}

static slot_t *slot_at(const sso_memo_t *memo, apr_size_t set, int way)
{
    apr_size_t number = set * SSO_MEMO_WAYS + (apr_size_t)way;
    return (slot_t *)(apr_uintptr_t)(memo->slots + number * slot_words((apr_size_t)memo->bytes));
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

/* A slot's data, when it is what is meant; NULL when it is not, or changed meanwhile. */
static const unsigned char *read_slot(const slot_t *slot, const uint64_t *key, uint32_t stamp, apr_time_t now,
                                      apr_size_t most, apr_pool_t *pool, apr_size_t *ret_len)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    if ((before & 1U) != 0 || !has_key(slot, key) || (apr_time_t)word(slot, UNTIL) <= now) {
        return NULL;
    }
    uint64_t head = word(slot, STAMP_AND_LENGTH);
    apr_size_t len = (apr_size_t)(head & UINT32_MAX);
    if ((uint32_t)(head >> 32) != stamp || len > most) {
        return NULL;
    }
    uint64_t *data = apr_palloc(pool, whole_words(len) * sizeof(uint64_t) + 1);
    for (apr_size_t i = 0; i < whole_words(len); i++) {
        data[i] = word(slot, DATA + i);
    }
    atomic_thread_fence(memory_order_acquire);
    *ret_len = len;
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) == before ? (unsigned char *)data : NULL;
}

bool sso_memo_get(const sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp,
                  apr_time_t now, apr_pool_t *pool, const unsigned char **ret_data, apr_size_t *ret_len)
{
    uint64_t words[KEY_WORDS];
    memcpy(words, key, sizeof(words));
    for (int way = 0; way < SSO_MEMO_WAYS; way++) {
        apr_size_t len;
        const unsigned char *data =
            read_slot(slot_at(memo, set_of(key), way), words, stamp, now, (apr_size_t)memo->bytes, pool, &len);
        if (data != NULL) {
            *ret_data = data;
            *ret_len = len;
            return true;
        }
    }
    return false;
}

/* The slot of the same key, else one that is over, else the one that is over soonest. */
static slot_t *place_of(const sso_memo_t *memo, apr_size_t set, const uint64_t *key)
{
    slot_t *place = slot_at(memo, set, 0);
    for (int way = 0; way < SSO_MEMO_WAYS; way++) {
        slot_t *slot = slot_at(memo, set, way);
        if (has_key(slot, key)) {
            return slot;
        }
        if (word(slot, UNTIL) < word(place, UNTIL)) {
            place = slot;
        }
    }
    return place;
}

static void set_word(slot_t *slot, apr_size_t i, uint64_t value)
{
    atomic_store_explicit(&slot->words[i], value, memory_order_relaxed);
}

/* SECURITY: nothing of what stood there before stays behind the new end. */
static void write_data(slot_t *slot, const unsigned char *data, apr_size_t len)
{
    apr_size_t before = whole_words((apr_size_t)(word(slot, STAMP_AND_LENGTH) & UINT32_MAX));
    for (apr_size_t i = 0; i < whole_words(len) || i < before; i++) {
        uint64_t value = 0;
        apr_size_t at = i * sizeof(value);
        if (at < len) {
            memcpy(&value, data + at, len - at < sizeof(value) ? len - at : sizeof(value));
        }
        set_word(slot, DATA + i, value);
    }
}

void sso_memo_put(sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp, apr_time_t now,
                  apr_time_t until, const unsigned char *data, apr_size_t len)
{
    uint64_t words[KEY_WORDS];
    if (len > memo->bytes || until <= now) {
        return;
    }
    memcpy(words, key, sizeof(words));
    slot_t *slot = place_of(memo, set_of(key), words);
    uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    if ((sequence & 1U) != 0 || !atomic_compare_exchange_strong_explicit(&slot->sequence, &sequence, sequence + 1,
                                                                         memory_order_acquire, memory_order_relaxed)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    write_data(slot, data, len);
    for (apr_size_t i = 0; i < KEY_WORDS; i++) {
        set_word(slot, i, words[i]);
    }
    set_word(slot, UNTIL, (uint64_t)until);
    set_word(slot, STAMP_AND_LENGTH, ((uint64_t)stamp << 32) | len);
    atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}
