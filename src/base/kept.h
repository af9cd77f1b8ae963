/* SPDX-License-Identifier: Apache-2.0 */
/* One costly value that is kept for a while, together with the bytes that it was made of: it is given again for exactly
 * those bytes and no others. */
#pragma once

#include <stdbool.h>

#include <apr_pools.h>
#include <apr_time.h>

/* One place. Begins as {.parent = pool}. For one thread at a time; takes no lock. */
typedef struct {
    apr_pool_t *parent; /* lives as long as the place */
    apr_pool_t *pool;   /* of what is kept; cleared when that is replaced, so that nothing piles up */
    const void *source;
    apr_size_t len;
    const char *value;
    apr_time_t made;
} sso_kept_t;

/* The value made of these bytes, if it was made at most `life` before now (and not after it); else NULL. Good until the
 * next sso_kept_set. */
const char *sso_kept_get(const sso_kept_t *kept, const void *source, apr_size_t len, apr_time_t now,
                         apr_interval_time_t life);
/* Keeps copies in the place of what was there, and gives that of value. The old ones, and these with the place, are
 * wiped. */
const char *sso_kept_set(sso_kept_t *kept, const void *source, apr_size_t len, const char *value, apr_time_t now);
