/* SPDX-License-Identifier: Apache-2.0 */
/* Relaxed atomic words and nothing else: each number is exact for itself, and no two belong to one moment. */
#include "base/counters.h"

#include <stdatomic.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must work across processes");

typedef struct {
    _Atomic uint64_t buckets[SSO_LATENCY_BUCKETS + 1];
    _Atomic uint64_t sum; /* microseconds */
} latency_t;

typedef struct {
    _Atomic uint64_t count;
    _Atomic int64_t last;
} fault_t;

struct sso_counters_t {
    _Atomic uint64_t counts[SSO_COUNTS];
    latency_t latencies[SSO_LATENCIES];
    _Atomic int64_t notes[SSO_NOTES];
    fault_t faults[SSO_RC_COUNT];
};

static const sso_counter_row_t rows[] = {
#define FAMILY(id, name, help) {SSO_ROW_FAMILY, 0, name, help},
#define COUNT(id, labels) {SSO_ROW_COUNT, SSO_COUNT_##id, labels, NULL},
#define LATENCY(id, labels) {SSO_ROW_LATENCY, SSO_LATENCY_##id, labels, NULL},
#define NOTE(id)
#include "base/counters.def"
#undef FAMILY
#undef COUNT
#undef LATENCY
#undef NOTE
};

static const char note_names[] =
#define FAMILY(id, name, help)
#define COUNT(id, labels)
#define LATENCY(id, labels)
#define NOTE(id) #id " "
#include "base/counters.def"
#undef FAMILY
#undef COUNT
#undef LATENCY
#undef NOTE
    ;

/* From a call within a data centre to one that ends by its timeout. */
static const apr_interval_time_t bounds[SSO_LATENCY_BUCKETS] = {10000,  25000,   50000,   100000,  250000,
                                                                500000, 1000000, 2500000, 5000000, 10000000};

apr_size_t sso_counters_size(void)
{
    return sizeof(sso_counters_t);
}

const char *sso_counters_form(apr_pool_t *pool)
{
    unsigned char digest[SSO_SHA256_BYTES];
    apr_array_header_t *names = apr_array_make(pool, SSO_RC_COUNT, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) =
        apr_psprintf(pool, "%s%lu", note_names, (unsigned long)sizeof(sso_counters_t));
    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        APR_ARRAY_PUSH(names, const char *) = rows[i].text;
    }
    for (int i = 0; i < SSO_RC_COUNT; i++) {
        APR_ARRAY_PUSH(names, const char *) = sso_reason((sso_rc)i)->name;
    }
    const char *text = apr_array_pstrcat(pool, names, ' ');
    sso_sha256(text, strlen(text), digest);
    return apr_pstrcat(pool, "counters ", sso_hex(pool, digest, 8), NULL);
}

/* ---- counting ---- */

static void add(_Atomic uint64_t *word, uint64_t many)
{
    atomic_fetch_add_explicit(word, many, memory_order_relaxed);
}

void sso_count_many(const sso_ctx_t *ctx, sso_count_t what, unsigned many)
{
    if (ctx->counters != NULL && what < SSO_COUNTS) {
        add(&ctx->counters->counts[what], many);
    }
}

void sso_count(const sso_ctx_t *ctx, sso_count_t what)
{
    sso_count_many(ctx, what, 1);
}

void sso_count_class(const sso_ctx_t *ctx, sso_count_t first, sso_rc rc)
{
    sso_count(ctx, (sso_count_t)((unsigned)first + (unsigned)sso_reason(rc)->class));
}

void sso_count_latency(const sso_ctx_t *ctx, sso_latency_t what, apr_interval_time_t took)
{
    int bucket = 0;
    if (ctx->counters == NULL || what >= SSO_LATENCIES) {
        return;
    }
    /* A clock that was set back makes no negative time. */
    took = took > 0 ? took : 0;
    while (bucket < SSO_LATENCY_BUCKETS && took > bounds[bucket]) {
        bucket++;
    }
    add(&ctx->counters->latencies[what].buckets[bucket], 1);
    add(&ctx->counters->latencies[what].sum, (uint64_t)took);
}

void sso_count_fault(const sso_ctx_t *ctx, sso_rc rc)
{
    /* What is for debugging alone, as that a browser has no session yet, is no news. */
    if (ctx->counters == NULL || (unsigned)rc >= (unsigned)SSO_RC_COUNT || sso_reason(rc)->level == SSO_LEVEL_DEBUG) {
        return;
    }
    add(&ctx->counters->faults[rc].count, 1);
    atomic_store_explicit(&ctx->counters->faults[rc].last, ctx->now, memory_order_relaxed);
}

void sso_count_note(const sso_ctx_t *ctx, sso_note_t what, int64_t value)
{
    if (ctx->counters != NULL && what < SSO_NOTES) {
        atomic_store_explicit(&ctx->counters->notes[what], value, memory_order_relaxed);
    }
}

/* ---- reading ---- */

uint64_t sso_counters_get(const sso_counters_t *counters, sso_count_t what)
{
    return atomic_load_explicit(&counters->counts[what], memory_order_relaxed);
}

uint64_t sso_counters_sum(const sso_counters_t *counters, sso_count_t first, sso_count_t last)
{
    uint64_t sum = 0;
    for (int i = (int)first; i <= (int)last; i++) {
        sum += sso_counters_get(counters, (sso_count_t)i);
    }
    return sum;
}

int64_t sso_counters_note(const sso_counters_t *counters, sso_note_t what)
{
    return atomic_load_explicit(&counters->notes[what], memory_order_relaxed);
}

bool sso_counters_take(sso_counters_t *counters, sso_note_t what, int64_t seen, int64_t next)
{
    return atomic_compare_exchange_strong(&counters->notes[what], &seen, next);
}

uint64_t sso_counters_faults(const sso_counters_t *counters, sso_rc rc, apr_time_t *ret_last)
{
    *ret_last = atomic_load_explicit(&counters->faults[rc].last, memory_order_relaxed);
    return atomic_load_explicit(&counters->faults[rc].count, memory_order_relaxed);
}

apr_interval_time_t sso_latency_bound(int bucket)
{
    return bounds[bucket];
}

void sso_counters_latencies(const sso_counters_t *counters, sso_latency_t what, sso_latencies_t *ret_latencies)
{
    const latency_t *latency = &counters->latencies[what];
    ret_latencies->count = 0;
    for (int i = 0; i <= SSO_LATENCY_BUCKETS; i++) {
        ret_latencies->buckets[i] = atomic_load_explicit(&latency->buckets[i], memory_order_relaxed);
        /* Their sum, so that the page's +Inf and _count are one number. */
        ret_latencies->count += ret_latencies->buckets[i];
    }
    ret_latencies->sum = (apr_interval_time_t)atomic_load_explicit(&latency->sum, memory_order_relaxed);
}

const sso_counter_row_t *sso_counter_rows(int *ret_count)
{
    *ret_count = (int)(sizeof(rows) / sizeof(rows[0]));
    return rows;
}
