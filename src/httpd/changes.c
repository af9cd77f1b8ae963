/* SPDX-License-Identifier: Apache-2.0 */
/* The rules are in directory/touched.c and flow/refresh.c; here are memory and processes. */
#include "build_config.h"

#include "httpd/changes.h"

#include <string.h>

#include <http_config.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include "flow/refresh.h"
#include "httpd/log.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define TABLES_KEY "entra_sso: " SSO_TOUCHED_FORM

/* SECURITY: as with ended sessions, what is known stays known over a reload, also when the database is away then: the
 * memory belongs to the whole run of httpd. */
static apr_hash_t *kept_tables(apr_pool_t *process_pool)
{
    void *kept = NULL;
    apr_pool_userdata_get(&kept, TABLES_KEY, process_pool);
    if (kept == NULL) {
        kept = apr_hash_make(process_pool);
        /* Not setn: httpd unloads the module between two configurations, and the key's text with it. */
        apr_pool_userdata_set(kept, TABLES_KEY, apr_pool_cleanup_null, process_pool);
    }
    return kept;
}

static sso_touched_t *table_of(const char *database, apr_pool_t *process_pool)
{
    apr_hash_t *kept = kept_tables(process_pool);
    sso_touched_t *table = apr_hash_get(kept, database, APR_HASH_KEY_STRING);
    apr_shm_t *shm;
    /* Anonymous memory is zeroed, and takes no room until it is used. */
    if (table == NULL && apr_shm_create(&shm, sso_touched_size(), NULL, process_pool) == APR_SUCCESS) {
        table = apr_shm_baseaddr_get(shm);
        apr_hash_set(kept, apr_pstrdup(process_pool, database), APR_HASH_KEY_STRING, table);
    }
    return table;
}

bool sso_changes_share(server_rec *main_server)
{
    apr_hash_t *wanted = apr_hash_make(main_server->process->pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->site.directory != NULL) {
            sso_touched_t *table = table_of(site->database.source, main_server->process->pool);
            if (table == NULL) {
                return false;
            }
            apr_hash_set(wanted, site->database.source, APR_HASH_KEY_STRING, table);
        }
    }
    /* Whichever site of the database polls for all. */
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL) {
            site->site.touched = apr_hash_get(wanted, site->database.source, APR_HASH_KEY_STRING);
        }
    }
    return true;
}

void sso_changes_poll(server_rec *s, const sso_site_t *site, apr_pool_t *pool)
{
    sso_ctx_t ctx;
    if (site->touched == NULL || site->store == NULL) {
        return;
    }
    sso_log_server_ctx_init(&ctx, pool, s);
    if (sso_touched_poll(&ctx, site->touched, site->store) != SSO_OK) {
        sso_log_server_fault(s, &ctx);
    }
}

void sso_changes_begin(apr_pool_t *pchild, server_rec *main_server, sso_memo_t *memo)
{
    sso_refreshes_t *refreshes = sso_refreshes_make(pchild, memo);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->site.directory != NULL && site->site.store != NULL) {
            site->site.refreshes = refreshes;
        }
    }
}
