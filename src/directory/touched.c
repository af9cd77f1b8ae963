/* SPDX-License-Identifier: Apache-2.0 */
/* The table of changed people. No lock anywhere: a killed process can hold nobody up. */
#include "directory/touched.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "directory/people.h"
#include "session/record.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics must work across processes");
_Static_assert((SSO_TOUCHED_SETS & (SSO_TOUCHED_SETS - 1)) == 0, "sets are found by a mask");

/* No session is older, whatever the clocks of nodes and database say. */
#define REMEMBER (SSO_SESSION_CAP + apr_time_from_sec(60 * 60))
/* A longer gap since the last good look makes the next one read everything. */
#define LONGEST_GAP apr_time_from_sec(10 * 60)
/* And all is read so often anyway: of a transaction that lasted long, or a database whose clock jumped, the changes are
 * older than a usual reading looks. */
#define ALL_EVERY apr_time_from_sec(10 * 60)

/* A slot has its key for good once it is taken, until its moment is too old to matter. The moment only grows. Between
 * key and moment of a new entry a reader may see the old moment, as if it had looked a little earlier. */
typedef struct {
    _Atomic uint64_t key;
    _Atomic int64_t moment;
} slot_t;

struct sso_touched_t {
    _Atomic int64_t filled; /* a complete look, 0 none since the start */
    _Atomic int64_t polled;
    _Atomic int64_t overflow; /* until when a miss proves nothing */
    _Atomic int64_t newest;   /* the youngest change: the database's clock, by which the others are old or not */
    slot_t slots[SSO_TOUCHED_SETS][SSO_TOUCHED_WAYS];
};

apr_size_t sso_touched_size(void)
{
    return sizeof(sso_touched_t);
}

uint64_t sso_touched_key(apr_pool_t *pool, sso_touched_kind_t kind, const char *app, const char *name)
{
    static const char *const kinds[] = {"id", "oid", "name", "assertion"};
    unsigned char digest[SSO_SHA256_BYTES];
    uint64_t key;
    /* A name holds no line break that could make two of these texts alike: app is of fixed form, and name comes last.
     */
    const char *text = apr_pstrcat(pool, kinds[kind], "\n", app, "\n", name, NULL);
    sso_sha256(text, strlen(text), digest);
    memcpy(&key, digest, sizeof(key));
    return key == 0 ? 1 : key;
}

static slot_t *set_of(sso_touched_t *touched, uint64_t key)
{
    return touched->slots[key & (SSO_TOUCHED_SETS - 1)];
}

static bool raise_moment(_Atomic int64_t *moment, int64_t value)
{
    int64_t seen = atomic_load(moment);
    while (seen < value) {
        if (atomic_compare_exchange_weak(moment, &seen, value)) {
            return true;
        }
    }
    return false;
}

static slot_t *find(slot_t *set, uint64_t key)
{
    for (int way = 0; way < SSO_TOUCHED_WAYS; way++) {
        if (atomic_load(&set[way].key) == key) {
            return &set[way];
        }
    }
    return NULL;
}

/* Takes a slot that was never used, or, when there is none, one whose moment is over. */
static slot_t *take(slot_t *set, uint64_t key, int64_t over)
{
    for (int way = 0; way < SSO_TOUCHED_WAYS; way++) {
        uint64_t seen = 0;
        if (atomic_compare_exchange_strong(&set[way].key, &seen, key) || seen == key) {
            return &set[way];
        }
    }
    for (int way = 0; way < SSO_TOUCHED_WAYS; way++) {
        uint64_t seen = atomic_load(&set[way].key);
        if (atomic_load(&set[way].moment) < over && atomic_compare_exchange_strong(&set[way].key, &seen, key)) {
            return &set[way];
        }
    }
    return NULL;
}

bool sso_touched_note(sso_touched_t *touched, uint64_t key, apr_time_t moment, apr_time_t now)
{
    slot_t *set = set_of(touched, key);
    slot_t *slot = find(set, key);
    if (slot == NULL) {
        slot = take(set, key, atomic_load(&touched->newest) - REMEMBER);
    }
    if (slot == NULL) {
        (void)raise_moment(&touched->overflow, now + REMEMBER);
        return true;
    }
    return raise_moment(&slot->moment, moment);
}

apr_time_t sso_touched_at(const sso_touched_t *touched, uint64_t key)
{
    const slot_t *set = touched->slots[key & (SSO_TOUCHED_SETS - 1)];
    for (int way = 0; way < SSO_TOUCHED_WAYS; way++) {
        if (atomic_load_explicit(&set[way].key, memory_order_acquire) == key) {
            return atomic_load_explicit(&set[way].moment, memory_order_acquire);
        }
    }
    return 0;
}

bool sso_touched_is_blind(const sso_touched_t *touched, apr_time_t now)
{
    return atomic_load_explicit(&touched->filled, memory_order_acquire) == 0 ||
           now < atomic_load_explicit(&touched->overflow, memory_order_relaxed);
}

static void note_change(sso_ctx_t *ctx, sso_touched_t *touched, const sso_person_change_t *change)
{
    const struct {
        sso_touched_kind_t kind;
        const char *name;
    } names[] = {{SSO_TOUCHED_ID, change->id}, {SSO_TOUCHED_OID, change->oid}, {SSO_TOUCHED_NAME, change->user_key}};
    (void)raise_moment(&touched->newest, change->touched);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (*names[i].name != '\0') {
            uint64_t key = sso_touched_key(ctx->pool, names[i].kind, change->app, names[i].name);
            /* As of then: what has no room is read again and again, and makes nobody blind for longer. */
            (void)sso_touched_note(touched, key, change->touched, ctx->now - change->age);
        }
    }
}

sso_rc sso_touched_poll(sso_ctx_t *ctx, sso_touched_t *touched, sso_store_t *store)
{
    apr_time_t polled = atomic_load(&touched->polled);
    bool all = sso_clock_is_past(atomic_load(&touched->filled), ALL_EVERY, ctx->now) ||
               sso_clock_is_past(polled, LONGEST_GAP, ctx->now);
    apr_interval_time_t span = all ? REMEMBER : ctx->now - polled;
    apr_array_header_t *changes = apr_array_make(ctx->pool, 16, sizeof(sso_person_change_t));
    /* A little more, for a clock that is not steady. */
    sso_rc rc = sso_people_changed(ctx, store, span + 2 * SSO_STORE_LATENESS, changes);
    if (rc != SSO_OK) {
        return rc;
    }
    for (int i = 0; i < changes->nelts; i++) {
        note_change(ctx, touched, &APR_ARRAY_IDX(changes, i, sso_person_change_t));
    }
    atomic_store(&touched->polled, ctx->now);
    if (all) {
        atomic_store(&touched->filled, ctx->now);
    }
    return SSO_OK;
}
