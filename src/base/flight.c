/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size under one mutex, which nobody holds while anything is fetched. A slot is of one key:
 *
 *     free -> flying -> free      (landed well: the result is elsewhere)
 *                   \-> failed    (its fault is kept for a while) -> flying ...
 */
#include "base/flight.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "base/clock.h"
#include "base/limits.h"

#define WAYS 8
#define SETS (SSO_MAX_FLIGHTS / WAYS)
/* SECURITY: what the outside answers in this time anybody may wait for. Later it may be hanging, and then it must not
 * hold every worker, however many requests one client sends. */
#define WAIT_FREELY apr_time_from_msec(500)
#define WAIT_AT_MOST apr_time_from_sec(5)

typedef enum { SLOT_FREE, SLOT_FLYING, SLOT_FAILED } slot_state_t;

typedef struct {
    slot_state_t state;
    unsigned char key[SSO_SHA256_BYTES];
    uint64_t serial; /* of the flight: who waited and finds another one looks again */
    apr_time_t changed;
    apr_time_t until; /* of SLOT_FAILED */
    sso_fault_t fault;
    char error[64];       /* of the fault: its own texts live with the request that failed */
    char correlation[48]; /* the same */
} slot_t;

struct sso_flights_t {
    apr_thread_mutex_t *lock; /* over all below */
    apr_thread_cond_t *landed;
    int most_waiting;
    int waiting;
    uint64_t serial;
    slot_t slots[SETS * WAYS];
};

sso_flights_t *sso_flights_make(apr_pool_t *pool, int waiters)
{
    sso_flights_t *flights = apr_pcalloc(pool, sizeof(*flights));
    flights->most_waiting = waiters;
    bool good = apr_thread_mutex_create(&flights->lock, APR_THREAD_MUTEX_DEFAULT, pool) == APR_SUCCESS &&
                apr_thread_cond_create(&flights->landed, pool) == APR_SUCCESS;
    return good ? flights : NULL;
}

/* The key's own slot, or the best to give to it; NULL when all of its set are flying. */
static slot_t *slot_for(sso_flights_t *flights, const unsigned char *key)
{
    slot_t *set = &flights->slots[(((apr_size_t)key[0] << 8) | key[1]) % SETS * WAYS];
    slot_t *best = NULL;
    for (int i = 0; i < WAYS; i++) {
        slot_t *slot = &set[i];
        if (slot->state != SLOT_FREE && memcmp(slot->key, key, sizeof(slot->key)) == 0) {
            return slot;
        }
        bool better =
            best == NULL || slot->state == SLOT_FREE || (best->state != SLOT_FREE && slot->changed < best->changed);
        best = slot->state != SLOT_FLYING && better ? slot : best;
    }
    return best;
}

static void recall(const slot_t *slot, sso_ctx_t *ctx)
{
    ctx->fault = slot->fault;
    ctx->fault.detail = "as of another request a moment ago";
    ctx->fault.oauth_error = *slot->error == '\0' ? NULL : apr_pstrdup(ctx->pool, slot->error);
    ctx->fault.correlation_id = *slot->correlation == '\0' ? NULL : apr_pstrdup(ctx->pool, slot->correlation);
}

/* How long this thread may wait now; 0: no longer. */
static apr_interval_time_t patience(sso_flights_t *flights, const slot_t *slot, bool *counted)
{
    const apr_interval_time_t gone = sso_clock_now() - slot->changed;
    if (gone >= 0 && gone < WAIT_FREELY) {
        return WAIT_FREELY - gone;
    }
    if (!*counted && flights->waiting < flights->most_waiting) {
        flights->waiting++;
        *counted = true;
    }
    return *counted && gone >= 0 && gone < WAIT_AT_MOST ? WAIT_AT_MOST - gone : 0;
}

static sso_flight_t wait_for(sso_flights_t *flights, sso_ctx_t *ctx, const slot_t *slot)
{
    const uint64_t serial = slot->serial;
    bool counted = false;
    apr_interval_time_t wait = 1;
    while (slot->serial == serial && slot->state == SLOT_FLYING && wait > 0) {
        wait = patience(flights, slot, &counted);
        if (wait > 0) {
            apr_thread_cond_timedwait(flights->landed, flights->lock, wait);
        }
    }
    flights->waiting -= counted ? 1 : 0;
    if (slot->serial != serial || slot->state == SLOT_FREE) {
        return SSO_FLIGHT_LANDED;
    }
    if (slot->state == SLOT_FLYING) {
        return SSO_FLIGHT_BUSY;
    }
    recall(slot, ctx);
    return SSO_FLIGHT_FAILED;
}

static sso_flight_t begin(sso_flights_t *flights, sso_ctx_t *ctx, slot_t *slot, const unsigned char *key)
{
    const apr_time_t now = sso_clock_now();
    bool own = slot->state != SLOT_FREE && memcmp(slot->key, key, sizeof(slot->key)) == 0;
    if (own && slot->state == SLOT_FLYING) {
        return wait_for(flights, ctx, slot);
    }
    if (own && slot->changed <= now && now < slot->until) {
        recall(slot, ctx);
        return SSO_FLIGHT_FAILED;
    }
    memset(slot, 0, sizeof(*slot));
    memcpy(slot->key, key, sizeof(slot->key));
    slot->state = SLOT_FLYING;
    slot->serial = ++flights->serial;
    slot->changed = now;
    return SSO_FLIGHT_OURS;
}

sso_flight_t sso_flights_begin(sso_flights_t *flights, sso_ctx_t *ctx, const unsigned char key[static SSO_SHA256_BYTES])
{
    apr_thread_mutex_lock(flights->lock);
    slot_t *slot = slot_for(flights, key);
    sso_flight_t flight = slot == NULL ? SSO_FLIGHT_BUSY : begin(flights, ctx, slot, key);
    apr_thread_mutex_unlock(flights->lock);
    return flight;
}

static void note(slot_t *slot, const sso_fault_t *fault, apr_interval_time_t hold)
{
    slot->state = SLOT_FAILED;
    slot->changed = sso_clock_now();
    slot->until = slot->changed + hold;
    slot->fault = *fault;
    apr_cpystrn(slot->error, fault->oauth_error == NULL ? "" : fault->oauth_error, sizeof(slot->error));
    apr_cpystrn(slot->correlation, fault->correlation_id == NULL ? "" : fault->correlation_id,
                sizeof(slot->correlation));
}

void sso_flights_land(sso_flights_t *flights, const unsigned char key[static SSO_SHA256_BYTES],
                      const sso_fault_t *fault, apr_interval_time_t hold)
{
    apr_thread_mutex_lock(flights->lock);
    /* A slot that flies is given to nobody else. */
    slot_t *slot = slot_for(flights, key);
    if (fault == NULL) {
        slot->state = SLOT_FREE;
    } else {
        note(slot, fault, hold);
    }
    apr_thread_cond_broadcast(flights->landed);
    apr_thread_mutex_unlock(flights->lock);
}
