/* SPDX-License-Identifier: Apache-2.0 */
/* APR's pools give out pieces of big blocks, where no sanitizer sees the end of a piece. Here each piece is a malloc of
 * its own, freed when its pool is cleared: by a cleanup that was registered first and so runs last, as long as a pool's
 * memory lives. The linker takes these for APR's own, inside APR as well. For programs of one thread. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

#include <apr_pools.h>
#include <apr_strings.h>

#include "fuzz.h"

#define SHIM __attribute__((visibility("default")))
#define BUCKETS 1024

typedef struct block_t {
    struct block_t *next;
    /* Behind it what was asked for, aligned as malloc aligns. */
    max_align_t start[];
} block_t;

typedef struct owner_t {
    struct owner_t *next;
    apr_pool_t *pool;
    block_t *blocks;
} owner_t;

static owner_t *owners[BUCKETS];
static bool inside; /* the pool's own record of our cleanup is asked for */

static owner_t **bucket_of(const apr_pool_t *pool)
{
    return &owners[((uintptr_t)pool >> 6) % BUCKETS];
}

static apr_status_t owner_free(void *data)
{
    owner_t *owner = data;
    owner_t **at = bucket_of(owner->pool);
    while (*at != owner) {
        at = &(*at)->next;
    }
    *at = owner->next;
    while (owner->blocks != NULL) {
        block_t *block = owner->blocks;
        owner->blocks = block->next;
        free(block);
    }
    free(owner);
    return APR_SUCCESS;
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static owner_t *owner_of(apr_pool_t *pool)
{
    owner_t **bucket = bucket_of(pool);
    for (owner_t *owner = *bucket; owner != NULL; owner = owner->next) {
        if (owner->pool == pool) {
            return owner;
        }
    }
    owner_t *owner = allocate(sizeof(*owner));
    owner->pool = pool;
    owner->blocks = NULL;
    owner->next = *bucket;
    *bucket = owner;
    inside = true;
    apr_pool_cleanup_register(pool, owner, owner_free, apr_pool_cleanup_null);
    inside = false;
    return owner;
}

SHIM void *apr_palloc(apr_pool_t *pool, apr_size_t size)
{
    if (inside) {
        static void *(*real)(apr_pool_t *, apr_size_t);
        if (real == NULL) {
            /* ISO C knows no cast from data to function. */
            *(void **)(void *)&real = dlsym(RTLD_NEXT, "apr_palloc");
        }
        return real(pool, size);
    }
    owner_t *owner = owner_of(pool);
    block_t *block = allocate(sizeof(*block) + size);
    block->next = owner->blocks;
    owner->blocks = block;
    return block->start;
}

/* A macro in its header, and a function for those who were compiled before. */
#undef apr_pcalloc
void *apr_pcalloc(apr_pool_t *pool, apr_size_t size);
SHIM void *apr_pcalloc(apr_pool_t *pool, apr_size_t size)
{
    return memset(apr_palloc(pool, size), 0, size);
}

/* APR prints straight into the pool's block. */
SHIM char *apr_pvsprintf(apr_pool_t *pool, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = apr_vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0) {
        abort();
    }
    char *text = apr_palloc(pool, (apr_size_t)len + 1);
    apr_vsnprintf(text, (apr_size_t)len + 1, fmt, args);
    return text;
}
