/* SPDX-License-Identifier: Apache-2.0 */
/* What exists once a node (shared memory), once a process (connections, parsed keys), and who refreshes them. */
#include "build_config.h"

#include "httpd/lifecycle.h"

#include <string.h>

#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include "base/gate.h"
#include "base/http.h"
#include "base/limits.h"
#include "httpd/changes.h"
#include "httpd/endings.h"
#include "httpd/forward.h"
#include "httpd/log.h"
#include "httpd/renewal.h"
#include "httpd/revalidation.h"
#include "httpd/site.h"
#include "httpd/provisioning.h"
#include "httpd/storage.h"
#include "httpd/tasks.h"
#include "httpd/watching.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define TASK_NAME "_entra_sso_"
#define AUTHORITIES_KEY "entra_sso: authorities"

/* What post_config hands to the processes of one generation. Lives in pconf; the processes inherit it by fork. */
typedef struct {
    void *gate;
    apr_hash_t *shared;   /* authority_key -> shared memory of that authority */
    apr_time_t purge_due; /* of the watchdog's thread alone */
} node_t;

/* The one pointer that must be found without a request: set before any process or thread starts. */
static node_t *node;

static void *make_shared(apr_pool_t *pool, apr_size_t size)
{
    apr_shm_t *shm;
    if (apr_shm_create(&shm, size, NULL, pool) != APR_SUCCESS) {
        return NULL;
    }
    void *memory = apr_shm_baseaddr_get(shm);
    memset(memory, 0, size);
    return memory;
}

/* Keys fetched before a graceful restart are still good after it: their memory belongs to the whole run of httpd. */
static apr_hash_t *kept_authorities(apr_pool_t *process_pool)
{
    void *kept = NULL;
    apr_pool_userdata_get(&kept, AUTHORITIES_KEY, process_pool);
    if (kept == NULL) {
        kept = apr_hash_make(process_pool);
        /* Not setn: httpd unloads the module between two configurations, and the key's text with it. */
        apr_pool_userdata_set(kept, AUTHORITIES_KEY, apr_pool_cleanup_null, process_pool);
    }
    return kept;
}

static bool share_authorities(server_rec *main_server, apr_pool_t *process_pool)
{
    node->shared = kept_authorities(process_pool);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || apr_hash_get(node->shared, site->authority_key, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        void *memory = make_shared(process_pool, sso_authority_shared_size());
        if (memory == NULL) {
            return false;
        }
        apr_hash_set(node->shared, apr_pstrdup(process_pool, site->authority_key), APR_HASH_KEY_STRING, memory);
    }
    return true;
}

/* A quarter of the workers may wait for the outside. */
static bool make_gate(apr_pool_t *pconf)
{
    int processes = 1;
    int most = 1;
    int threads = 1;
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &processes);
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &most);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    int workers = (most > 0 ? most : 1) * (threads > 0 ? threads : 1);
    /* Twice, since the processes of two generations live side by side during a graceful restart. */
    int slots = 2 * (processes > 0 ? processes : 1);
    node->gate = make_shared(pconf, sso_gate_shared_size(slots));
    if (node->gate == NULL) {
        return false;
    }
    sso_gate_shared_init(node->gate, slots, workers / 4 > 0 ? workers / 4 : 1);
    return true;
}

/* The watchdog's singleton: one process of the node does this, and another takes over when it goes. */
static void refresh(void *data, apr_pool_t *pool)
{
    apr_hash_t *done = apr_hash_make(pool);
    for (server_rec *s = data; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->site.authority == NULL ||
            apr_hash_get(done, site->authority_key, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        sso_ctx_t ctx;
        apr_hash_set(done, site->authority_key, APR_HASH_KEY_STRING, site);
        sso_log_server_ctx_init(&ctx, pool, s);
        if (sso_authority_tick(&ctx, site->site.authority) != SSO_OK) {
            sso_log_server_fault(s, &ctx);
        }
    }
    sso_storage_tick(pool, data, &node->purge_due);
}

static bool has_sites(server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        if (sso_config_server(s)->site != NULL) {
            return true;
        }
    }
    return false;
}

int sso_lifecycle_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    (void)plog;
    node = NULL;
    sso_renewal_end();
    /* httpd reads its configuration twice at start; only the second reading stays. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !has_sites(main_server)) {
        return OK;
    }
    sso_storage_make_folders(ptemp, main_server);
    node = apr_pcalloc(pconf, sizeof(*node));
    if (!share_authorities(main_server, main_server->process->pool) || !make_gate(pconf) ||
        !sso_endings_share(pconf, main_server) || !sso_provisioning_share(pconf, main_server) ||
        !sso_changes_share(main_server)) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main_server,
                     "ENTRA2012: shared memory cannot be made; check its limits");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!sso_renewal_begin(pconf, ptemp, main_server)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!sso_tasks_add(pconf, TASK_NAME, true, apr_time_from_sec(1), refresh, main_server) ||
        !sso_endings_watch(pconf, main_server) || !sso_watching_start(pconf, main_server)) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main_server, "ENTRA2013: mod_watchdog does not take our task");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static sso_authority_t *authority_of(apr_hash_t *made, apr_pool_t *pchild, const sso_site_config_t *site,
                                     sso_http_t *http)
{
    sso_authority_t *authority = apr_hash_get(made, site->authority_key, APR_HASH_KEY_STRING);
    if (authority == NULL) {
        void *shared = apr_hash_get(node->shared, site->authority_key, APR_HASH_KEY_STRING);
        authority = sso_authority_make(pchild, &site->authority, shared, http);
        apr_hash_set(made, site->authority_key, APR_HASH_KEY_STRING, authority);
    }
    return authority;
}

/* Only where a site takes access tokens or has a directory; pages of it that are never used cost nothing. Without it
 * every token is checked every time. */
static sso_memo_t *make_memo(apr_pool_t *pchild, server_rec *main_server)
{
    apr_shm_t *shm;
    bool wanted = false;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_server_config_t *config = sso_config_server(s);
        wanted = wanted || (config->site != NULL && (config->takes_tokens || config->site->site.directory != NULL));
    }
    if (!wanted) {
        return NULL;
    }
    if (apr_shm_create(&shm, sso_memo_size(SSO_MAX_MEMO_BYTES), NULL, pchild) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA2040: no memory to remember access tokens in; each is checked every time it comes");
        return NULL;
    }
    return sso_memo_init(apr_shm_baseaddr_get(shm), SSO_MAX_MEMO_BYTES);
}

void sso_lifecycle_child_init(apr_pool_t *pchild, server_rec *main_server)
{
    sso_ctx_t ctx;
    sso_http_t *http;
    if (node == NULL) {
        return;
    }
    sso_tasks_begin(pchild, main_server);
    sso_storage_child_init(pchild, main_server);
    sso_memo_t *memo = make_memo(pchild, main_server);
    sso_changes_begin(pchild, main_server, memo);
    sso_endings_begin(pchild, main_server);
    sso_provisioning_begin(pchild, main_server);
    sso_log_server_ctx_init(&ctx, pchild, main_server);
    sso_gate_t *gate = sso_gate_join(pchild, node->gate);
    if (gate == NULL) {
        (void)sso_fail(&ctx, SSO_R_HTTP_BUSY, "no place at the gate for this process");
    }
    if (gate == NULL || sso_http_make(&ctx, pchild, gate, &http) != SSO_OK) {
        /* The sites stay without an authority: this process serves sessions, and refuses every sign-in with 503. */
        sso_log_server_fault(main_server, &ctx);
        return;
    }
    apr_hash_t *made = apr_hash_make(pchild);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL) {
            site->site.group_names = sso_group_names_make(pchild);
            site->site.bearers = memo;
            site->site.authority = site->site.group_names == NULL ? NULL : authority_of(made, pchild, site, http);
        }
    }
    sso_forward_begin(pchild, main_server);
    sso_revalidation_begin(pchild, main_server, http);
    sso_watching_begin(pchild, main_server);
}
