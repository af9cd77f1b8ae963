/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size between requests and the threads that renew. A slot is of one session:
 *
 *     free -> queued -> result (taken by the requests of that session until it is itself due)
 *                   \-> wait   (nothing came of it: not again for a while) -> queued ...
 *
 * Slots that are not queued are given to other sessions when room is needed; a session whose slot is gone asks again.
 */
#include "flow/renewals.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <apr_allocator.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_thread_pool.h>

#include "base/clock.h"
#include "base/limits.h"

#define WAYS 8
#define SETS (SSO_MAX_RENEWALS / WAYS)
/* After "come later" from Entra or the database nobody of this process asks for so long, or longer if it said so. */
#define PAUSE apr_time_from_sec(5)
/* Another worker of the cluster has the claim: its answer is worth another look soon. */
#define LOOK_AGAIN apr_time_from_sec(2)

typedef enum { SLOT_FREE, SLOT_QUEUED, SLOT_RESULT, SLOT_WAIT } slot_state_t;

typedef struct {
    slot_state_t state;
    unsigned char id[SSO_SESSION_ID_BYTES];
    apr_time_t changed;
    apr_time_t until; /* of SLOT_WAIT */
    const sso_site_t *site;
    apr_pool_t *pool;          /* of data; made with the slot's first use */
    const unsigned char *data; /* packed record: the session's while queued, the renewed one as a result */
    apr_size_t len;
    sso_renewals_t *renewals;
} slot_t;

struct sso_renewals_t {
    apr_pool_t *pool;
    apr_thread_mutex_t *lock; /* over slots, pause, stopped and the pools in them */
    apr_thread_pool_t *threads;
    sso_renewals_observer_t observer;
    apr_time_t pause_since;
    apr_time_t pause_until;
    apr_time_t behind_said;
    unsigned turned_away;
    bool stopped;
    slot_t slots[SETS * WAYS];
};

/* The ids are random and ours, so their first bytes are as good as any hash. */
static slot_t *set_of(sso_renewals_t *renewals, const unsigned char *id)
{
    apr_size_t hash = ((apr_size_t)id[0] << 16) | ((apr_size_t)id[1] << 8) | id[2];
    return &renewals->slots[(hash % SETS) * WAYS];
}

/* The session's own slot, or the best to give to it; NULL when all are queued. */
static slot_t *slot_for(sso_renewals_t *renewals, const unsigned char *id)
{
    slot_t *set = set_of(renewals, id);
    slot_t *best = NULL;
    for (int i = 0; i < WAYS; i++) {
        slot_t *slot = &set[i];
        if (slot->state != SLOT_FREE && memcmp(slot->id, id, sizeof(slot->id)) == 0) {
            return slot;
        }
        bool older =
            best == NULL || slot->state == SLOT_FREE || (best->state != SLOT_FREE && slot->changed < best->changed);
        if (slot->state != SLOT_QUEUED && older) {
            best = slot;
        }
    }
    return best;
}

static bool is_of(const slot_t *slot, const unsigned char *id)
{
    return slot->state != SLOT_FREE && memcmp(slot->id, id, sizeof(slot->id)) == 0;
}

/* Puts a packed record into the slot. The lock is held. */
static bool fill(sso_renewals_t *renewals, slot_t *slot, const unsigned char *data, apr_size_t len)
{
    if (slot->pool == NULL && apr_pool_create(&slot->pool, renewals->pool) != APR_SUCCESS) {
        return false;
    }
    apr_pool_clear(slot->pool);
    slot->data = apr_pmemdup(slot->pool, data, len);
    slot->len = len;
    return true;
}

/* ---- in a thread of the renewals ---- */

/* SECURITY: one fault of Entra or of the database is not asked about again by each of many sessions. */
static apr_interval_time_t pause_after(const sso_ctx_t *ctx)
{
    sso_rc rc = ctx->fault.rc;
    if (sso_reason(rc)->class != SSO_CLASS_LATER || rc == SSO_R_RENEW_BUSY || rc == SSO_R_RENEW_MISSING) {
        return 0;
    }
    apr_interval_time_t asked = apr_time_from_sec(ctx->fault.retry_after_s);
    return asked > PAUSE ? asked : PAUSE;
}

static void note_later(sso_renewals_t *renewals, slot_t *slot, const sso_ctx_t *ctx)
{
    apr_interval_time_t pause = pause_after(ctx);
    slot->state = SLOT_WAIT;
    slot->until = ctx->now + (ctx->fault.rc == SSO_R_RENEW_BUSY ? LOOK_AGAIN : SSO_RENEW_WAIT);
    if (pause > 0 && (ctx->now + pause > renewals->pause_until || ctx->now < renewals->pause_since)) {
        renewals->pause_since = ctx->now;
        renewals->pause_until = ctx->now + pause;
    }
}

static void keep(sso_renewals_t *renewals, slot_t *slot, sso_ctx_t *ctx, sso_renewal_t outcome,
                 const sso_record_t *renewed)
{
    const unsigned char *data = NULL;
    apr_size_t len = 0;
    bool packed = outcome == SSO_RENEWED && sso_record_pack(ctx, renewed, SSO_MAX_SEALED, &data, &len) == SSO_OK;
    apr_thread_mutex_lock(renewals->lock);
    slot->changed = ctx->now;
    if (packed && fill(renewals, slot, data, len)) {
        slot->state = SLOT_RESULT;
    } else if (outcome == SSO_RENEW_LATER) {
        note_later(renewals, slot, ctx);
    } else {
        slot->state = SLOT_FREE;
    }
    apr_thread_mutex_unlock(renewals->lock);
}

static void tell_if_behind(sso_renewals_t *renewals, const sso_site_t *site, apr_time_t queued, apr_time_t now)
{
    apr_interval_time_t waited = now - queued;
    if (waited < SSO_BEHIND_LEAST || waited < site->session.freshness.revalidate / SSO_BEHIND_PART) {
        return;
    }
    apr_thread_mutex_lock(renewals->lock);
    unsigned turned_away = renewals->turned_away;
    bool says = sso_clock_is_past(renewals->behind_said, SSO_BEHIND_SAID, now);
    if (says) {
        renewals->behind_said = now;
        renewals->turned_away = 0;
    }
    apr_thread_mutex_unlock(renewals->lock);
    if (says) {
        renewals->observer.behind(renewals->observer.baton, site, waited, turned_away);
    }
}

static void renew_slot(sso_renewals_t *renewals, slot_t *slot, apr_pool_t *pool)
{
    sso_ctx_t ctx;
    sso_record_t record;
    sso_record_t renewed;
    sso_renewal_t outcome = SSO_RENEW_LATER;
    /* While it is queued a slot is changed by its own thread alone. */
    const sso_site_t *site = slot->site;
    renewals->observer.begin(renewals->observer.baton, site, pool, &ctx);
    ctx.background = true;
    tell_if_behind(renewals, site, slot->changed, ctx.now);
    if (sso_record_unpack(&ctx, slot->data, slot->len, &record) == SSO_OK) {
        outcome = sso_renew(&ctx, site, &record, &renewed);
        renewals->observer.done(renewals->observer.baton, site, &ctx, &record, outcome);
    }
    keep(renewals, slot, &ctx, outcome, &renewed);
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    (void)thread;
    slot_t *slot = data;
    sso_renewals_t *renewals = slot->renewals;
    apr_pool_t *pool;
    apr_thread_mutex_lock(renewals->lock);
    bool stopped = renewals->stopped || apr_pool_create(&pool, renewals->pool) != APR_SUCCESS;
    apr_thread_mutex_unlock(renewals->lock);
    if (!stopped) {
        renew_slot(renewals, slot, pool);
        apr_thread_mutex_lock(renewals->lock);
        apr_pool_destroy(pool);
        apr_thread_mutex_unlock(renewals->lock);
    }
    return NULL;
}

/* ---- in a request ---- */

/* Signals are for the server's own threads: a new thread takes the mask of the one that makes it. */
static bool push(sso_renewals_t *renewals, slot_t *slot)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    apr_status_t status = apr_thread_pool_push(renewals->threads, run, slot, APR_THREAD_TASK_PRIORITY_NORMAL, renewals);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == APR_SUCCESS;
}

static void put_in_line(sso_renewals_t *renewals, slot_t *slot, sso_ctx_t *ctx, const sso_site_t *site,
                        const sso_record_t *record)
{
    const unsigned char *data;
    apr_size_t len;
    if (sso_record_pack(ctx, record, SSO_MAX_SEALED, &data, &len) != SSO_OK || !fill(renewals, slot, data, len)) {
        /* It was sealed in a cookie of that bound, so this is the want of memory; the session goes on. */
        sso_fault_clear(ctx);
        return;
    }
    memcpy(slot->id, record->id, sizeof(slot->id));
    slot->site = site;
    slot->changed = ctx->now;
    slot->state = SLOT_QUEUED;
    if (!push(renewals, slot)) {
        slot->state = SLOT_FREE;
    }
}

/* Takes a result that is younger than what the request came with. */
static bool take(const slot_t *slot, sso_ctx_t *ctx, sso_record_t *record)
{
    sso_record_t renewed;
    const unsigned char *data = apr_pmemdup(ctx->pool, slot->data, slot->len);
    if (sso_record_unpack(ctx, data, slot->len, &renewed) != SSO_OK) {
        sso_fault_clear(ctx);
        return false;
    }
    return sso_record_is_younger(renewed.revalidated, record->revalidated, ctx->now) &&
           sso_record_renew(record, &renewed);
}

static bool ask(sso_renewals_t *renewals, sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    slot_t *slot = slot_for(renewals, record->id);
    if (slot == NULL) {
        renewals->turned_away++;
        return false;
    }
    bool own = is_of(slot, record->id) && slot->site == site;
    if (own && slot->state == SLOT_QUEUED) {
        return false;
    }
    bool taken = own && slot->state == SLOT_RESULT && take(slot, ctx, record);
    /* What began ahead of now was before the clock was set back. */
    bool waits = own && slot->state == SLOT_WAIT && slot->changed <= ctx->now && ctx->now < slot->until;
    bool pauses = renewals->pause_since <= ctx->now && ctx->now < renewals->pause_until;
    bool due = sso_record_renew_due(record, ctx->now, &site->session.freshness);
    if (due && !waits && !pauses && !renewals->stopped && slot->state != SLOT_QUEUED) {
        put_in_line(renewals, slot, ctx, site, record);
    }
    return taken;
}

bool sso_renewals_ask(sso_renewals_t *renewals, sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record)
{
    if (apr_thread_mutex_trylock(renewals->lock) != APR_SUCCESS) {
        return false;
    }
    bool taken = ask(renewals, ctx, site, record);
    apr_thread_mutex_unlock(renewals->lock);
    return taken;
}

/* ---- making ---- */

static apr_status_t stop(void *data)
{
    sso_renewals_t *renewals = data;
    apr_thread_mutex_lock(renewals->lock);
    renewals->stopped = true;
    apr_thread_mutex_unlock(renewals->lock);
    apr_thread_pool_destroy(renewals->threads);
    return APR_SUCCESS;
}

/* SECURITY: memory for several threads. A child of prefork takes no lock over its memory, since it has one thread; ours
 * would share it with the request, and each could be handed what is the other's. */
static apr_pool_t *make_pool(apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, parent, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    if (apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_allocator_mutex_set(allocator, mutex);
    return pool;
}

sso_rc sso_renewals_make(sso_ctx_t *ctx, apr_pool_t *pool, int threads, const sso_renewals_observer_t *observer,
                         sso_renewals_t **ret_renewals)
{
    apr_pool_t *of_threads;
    if (threads < 1) {
        return sso_fail(ctx, SSO_R_RENEW_THREADS, "%d threads", threads);
    }
    apr_pool_t *own = make_pool(pool);
    if (own == NULL || apr_pool_create(&of_threads, own) != APR_SUCCESS) {
        return sso_fail(ctx, SSO_R_RENEW_THREADS, "no memory");
    }
    sso_renewals_t *renewals = apr_pcalloc(own, sizeof(*renewals));
    renewals->pool = own;
    renewals->observer = *observer;
    for (int i = 0; i < SETS * WAYS; i++) {
        renewals->slots[i].renewals = renewals;
    }
    if (apr_thread_mutex_create(&renewals->lock, APR_THREAD_MUTEX_DEFAULT, own) != APR_SUCCESS ||
        apr_thread_pool_create(&renewals->threads, 0, (apr_size_t)threads, of_threads) != APR_SUCCESS) {
        return sso_fail(ctx, SSO_R_RENEW_THREADS, "no mutex or thread pool");
    }
    /* One stays for the next: sessions come due one after the other. */
    apr_thread_pool_idle_max_set(renewals->threads, 1);
    /* Before the pools of running renewals are destroyed with their parent. */
    apr_pool_pre_cleanup_register(pool, renewals, stop);
    *ret_renewals = renewals;
    return SSO_OK;
}
