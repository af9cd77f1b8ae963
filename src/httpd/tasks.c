/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks read, the end of the child writes: so no task waits for another. */
#include "build_config.h"

#include "httpd/tasks.h"

#include <apr_thread_rwlock.h>

/* Of the process. The lock's memory is the process', since a task may look at it after pchild is gone. */
static apr_thread_rwlock_t *lock;
static bool ended;

static apr_status_t end(void *data)
{
    (void)data;
    apr_thread_rwlock_wrlock(lock);
    ended = true;
    apr_thread_rwlock_unlock(lock);
    return APR_SUCCESS;
}

void sso_tasks_begin(apr_pool_t *pchild, server_rec *main_server)
{
    ended = false;
    if (apr_thread_rwlock_create(&lock, main_server->process->pool) != APR_SUCCESS) {
        lock = NULL;
        return;
    }
    /* The first to be registered is the last to be called: calls to Entra are broken off before. */
    apr_pool_pre_cleanup_register(pchild, lock, end);
}

bool sso_tasks_enter(void)
{
    if (lock == NULL || apr_thread_rwlock_tryrdlock(lock) != APR_SUCCESS) {
        return false;
    }
    if (ended) {
        apr_thread_rwlock_unlock(lock);
        return false;
    }
    return true;
}

void sso_tasks_leave(void)
{
    apr_thread_rwlock_unlock(lock);
}
