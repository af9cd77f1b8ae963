/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a node count together: words in shared memory, added to without a lock. The table of what is
 * counted is base/counters.def. SECURITY: a request that only has a valid session counts nothing, so nobody can make
 * this a bottleneck; and no label comes from a client, so nobody can make it grow. */
#pragma once

#include <stdint.h>

#include "base/result.h"

typedef enum {
#define FAMILY(id, name, help)
#define COUNT(id, labels) SSO_COUNT_##id,
#define LATENCY(id, labels)
#define NOTE(id)
#include "base/counters.def"
#undef FAMILY
#undef COUNT
#undef LATENCY
#undef NOTE
    SSO_COUNTS
} sso_count_t;

typedef enum {
#define FAMILY(id, name, help)
#define COUNT(id, labels)
#define LATENCY(id, labels) SSO_LATENCY_##id,
#define NOTE(id)
#include "base/counters.def"
#undef FAMILY
#undef COUNT
#undef LATENCY
#undef NOTE
    SSO_LATENCIES
} sso_latency_t;

typedef enum {
#define FAMILY(id, name, help)
#define COUNT(id, labels)
#define LATENCY(id, labels)
#define NOTE(id) SSO_NOTE_##id,
#include "base/counters.def"
#undef FAMILY
#undef COUNT
#undef LATENCY
#undef NOTE
    SSO_NOTES
} sso_note_t;

/* The counters of one application, or of the node where no application is known. Zeroed memory is one that has counted
 * nothing. Safe for all threads and processes. */
typedef struct sso_counters_t sso_counters_t;

apr_size_t sso_counters_size(void);
/* Names the form of this memory, by all that is in the table: memory of another version of the module, kept over a
 * reload, has another name. In pool. */
const char *sso_counters_form(apr_pool_t *pool);

/* Adds to what the context's application counts; nothing where the context has no counters. */
void sso_count(const sso_ctx_t *ctx, sso_count_t what);
void sso_count_many(const sso_ctx_t *ctx, sso_count_t what, unsigned many);
/* Adds to the counter of rc's class: first is that of SSO_CLASS_CLIENT, and the others follow. */
void sso_count_class(const sso_ctx_t *ctx, sso_count_t first, sso_rc rc);
/* One more that took so long. */
void sso_count_latency(const sso_ctx_t *ctx, sso_latency_t what, apr_interval_time_t took);
/* One more fault of this reason, at ctx->now; reasons of level debug are not counted. */
void sso_count_fault(const sso_ctx_t *ctx, sso_rc rc);
/* Sets a number. */
void sso_count_note(const sso_ctx_t *ctx, sso_note_t what, int64_t value);

/* ---- reading ---- */

uint64_t sso_counters_get(const sso_counters_t *counters, sso_count_t what);
/* Of neighbours in the table, first and last included. */
uint64_t sso_counters_sum(const sso_counters_t *counters, sso_count_t first, sso_count_t last);
int64_t sso_counters_note(const sso_counters_t *counters, sso_note_t what);
/* True for one of all that ask: the note was `seen`, and is `next` now. */
bool sso_counters_take(sso_counters_t *counters, sso_note_t what, int64_t seen, int64_t next);

/* How many faults of this reason there were, and when the last was (0: none). */
uint64_t sso_counters_faults(const sso_counters_t *counters, sso_rc rc, apr_time_t *ret_last);

/* Upper bounds of the buckets, ascending; one more takes what is longer than the last. */
#define SSO_LATENCY_BUCKETS 10
apr_interval_time_t sso_latency_bound(int bucket);
typedef struct {
    uint64_t buckets[SSO_LATENCY_BUCKETS + 1]; /* each for itself, not added up */
    uint64_t count;
    apr_interval_time_t sum;
} sso_latencies_t;
void sso_counters_latencies(const sso_counters_t *counters, sso_latency_t what, sso_latencies_t *ret_latencies);

/* ---- the table ---- */

typedef enum { SSO_ROW_FAMILY, SSO_ROW_COUNT, SSO_ROW_LATENCY } sso_row_kind_t;
/* A row of the table that is shown: a family's name and help, or a sample's labels. Static storage. */
typedef struct {
    sso_row_kind_t kind;
    int index; /* sso_count_t or sso_latency_t */
    const char *text;
    const char *help;
} sso_counter_row_t;
const sso_counter_row_t *sso_counter_rows(int *ret_count);
