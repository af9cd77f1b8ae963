/* SPDX-License-Identifier: Apache-2.0 */
/* Test aid: preloaded into httpd, it tells ThreadSanitizer that who has the memory of a pool comes after who had it.
 * httpd's event MPM hands the pools of connections from thread to thread by a list without a lock, and is not built to
 * be watched: its atomics go unseen, and each connection would seem to write what another thread still reads. The order
 * is told for one allocator at a time, which is that of one connection, so that it hides nothing between two of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include <apr_allocator.h>
#include <apr_pools.h>

/* Of ThreadSanitizer's runtime. */
void __tsan_acquire(void *place);
void __tsan_release(void *place);

static void (*next_clear)(apr_pool_t *);
static void (*next_destroy)(apr_pool_t *);
static apr_status_t (*next_create)(apr_pool_t **, apr_pool_t *, apr_abortfunc_t, apr_allocator_t *);

static void find(const char *name, void *ret_function, size_t size)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(ret_function, &found, size);
}

__attribute__((constructor)) static void find_all(void)
{
    find("apr_pool_clear", &next_clear, sizeof(next_clear));
    find("apr_pool_destroy", &next_destroy, sizeof(next_destroy));
    find("apr_pool_create_ex", &next_create, sizeof(next_create));
}

void apr_pool_clear(apr_pool_t *pool)
{
    next_clear(pool);
    __tsan_release(apr_pool_allocator_get(pool));
}

void apr_pool_destroy(apr_pool_t *pool)
{
    apr_allocator_t *allocator = apr_pool_allocator_get(pool);
    /* With its owner it goes back to malloc(), which is watched. */
    bool is_owner = apr_allocator_owner_get(allocator) == pool;
    next_destroy(pool);
    if (!is_owner) {
        __tsan_release(allocator);
    }
}

/* A request has a pool below that of its connection. */
apr_status_t apr_pool_create_ex(apr_pool_t **ret_pool, apr_pool_t *parent, apr_abortfunc_t abort,
                                apr_allocator_t *allocator)
{
    apr_status_t status = next_create(ret_pool, parent, abort, allocator);
    if (status == APR_SUCCESS) {
        __tsan_acquire(apr_pool_allocator_get(*ret_pool));
    }
    return status;
}
