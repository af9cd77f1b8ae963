/* SPDX-License-Identifier: Apache-2.0 */
/* Turns hold the lock as readers, the end of the child as the writer: so no task waits for another. */
#include "build_config.h"

#include "httpd/tasks.h"

#include <mod_watchdog.h>

#include <apr_optional.h>
#include <apr_thread_rwlock.h>

typedef struct {
    sso_task_t *task;
    void *data;
} entry_t;

/* Of the process; its memory, too, since a thread may look at it when pchild is gone. NULL: no turns. */
static apr_thread_rwlock_t *lock;
static bool ended;

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    const entry_t *entry = data;
    if (state != AP_WATCHDOG_STATE_RUNNING || lock == NULL || apr_thread_rwlock_tryrdlock(lock) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    if (!ended) {
        entry->task(entry->data, pool);
    }
    apr_thread_rwlock_unlock(lock);
    return APR_SUCCESS;
}

bool sso_tasks_add(apr_pool_t *pconf, const char *name, bool singleton, apr_interval_time_t every, sso_task_t *task,
                   void *data)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *register_callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog = NULL;
    entry_t *entry = apr_palloc(pconf, sizeof(*entry));
    *entry = (entry_t){task, data};
    return get_instance != NULL && register_callback != NULL &&
           get_instance(&watchdog, name, 0, singleton ? 1 : 0, pconf) == APR_SUCCESS &&
           register_callback(watchdog, every, entry, tick) == APR_SUCCESS;
}

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
    if (apr_thread_rwlock_create(&lock, main_server->process->pool) != APR_SUCCESS) {
        lock = NULL;
        return;
    }
    /* The first to be registered is the last to be called: turns have been told to stop, and calls to Entra broken off.
     */
    apr_pool_pre_cleanup_register(pchild, lock, end);
}
