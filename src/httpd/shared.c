/* SPDX-License-Identifier: Apache-2.0 */
#include "build_config.h"

#include "httpd/shared.h"

#include <ap_mpm.h>

#include <apr_shm.h>
#include <apr_strings.h>

#include "base/gate.h"

void *sso_shared_make(apr_pool_t *pool, apr_size_t size)
{
    apr_shm_t *shm;
    /* Anonymous memory comes zeroed from the system. */
    return apr_shm_create(&shm, size, NULL, pool) == APR_SUCCESS ? apr_shm_baseaddr_get(shm) : NULL;
}

apr_hash_t *sso_shared_table(apr_pool_t *process_pool, const char *name)
{
    void *table = NULL;
    apr_pool_userdata_get(&table, name, process_pool);
    if (table == NULL) {
        table = apr_hash_make(process_pool);
        /* Not setn: httpd unloads the module between two configurations, and the name's text with it. */
        apr_pool_userdata_set(table, name, apr_pool_cleanup_null, process_pool);
    }
    return table;
}

void *sso_shared_entry(apr_pool_t *process_pool, const char *name, const char *key, apr_size_t size)
{
    apr_hash_t *table = sso_shared_table(process_pool, name);
    void *memory = apr_hash_get(table, key, APR_HASH_KEY_STRING);
    if (memory == NULL) {
        memory = sso_shared_make(process_pool, size);
        if (memory != NULL) {
            apr_hash_set(table, apr_pstrdup(process_pool, key), APR_HASH_KEY_STRING, memory);
        }
    }
    return memory;
}

void *sso_shared_gate(apr_pool_t *pool, int limit)
{
    int processes = 1;
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &processes);
    /* Twice, since the processes of two generations live side by side during a graceful restart. */
    int slots = 2 * (processes > 0 ? processes : 1);
    void *memory = sso_shared_make(pool, sso_gate_shared_size(slots));
    if (memory != NULL) {
        sso_gate_shared_init(memory, slots, limit);
    }
    return memory;
}
