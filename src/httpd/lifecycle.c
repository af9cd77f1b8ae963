/* SPDX-License-Identifier: Apache-2.0 */
/* What exists once a node (shared memory), once a process (connections, parsed keys), and who refreshes them. */
#include "build_config.h"

#include "httpd/lifecycle.h"

#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/gate.h"
#include "base/http.h"
#include "base/limits.h"
#include "httpd/auditlog.h"
#include "httpd/carry.h"
#include "httpd/changes.h"
#include "httpd/counts.h"
#include "httpd/endings.h"
#include "httpd/forward.h"
#include "httpd/log.h"
#include "httpd/renewal.h"
#include "httpd/revalidation.h"
#include "httpd/site.h"
#include "httpd/provisioning.h"
#include "httpd/shared.h"
#include "httpd/storage.h"
#include "httpd/tasks.h"
#include "httpd/watching.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define TASK_NAME "_entra_sso_"
#define AUTHORITIES "entra_sso: authorities"

/* What post_config hands to the processes of one generation. Lives in pconf; the processes inherit it by fork. */
typedef struct {
    void *gate;
    apr_time_t purge_due; /* of the watchdog's thread alone */
} node_t;

/* The one pointer that must be found without a request: set before any process or thread starts. */
static node_t *node;

/* Keys fetched before a graceful restart are still good after it: their memory belongs to the whole run of httpd. */
static bool share_authorities(server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL) {
            continue;
        }
        site->authority_shared =
            sso_shared_entry(main_server->process->pool, AUTHORITIES, site->authority_key, sso_authority_shared_size());
        if (site->authority_shared == NULL) {
            return false;
        }
    }
    return true;
}

/* A quarter of the workers may wait for the outside. */
static bool make_gate(apr_pool_t *pconf)
{
    int most = 1;
    int threads = 1;
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &most);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    int workers = (most > 0 ? most : 1) * (threads > 0 ? threads : 1);
    node->gate = sso_shared_gate(pconf, workers / 4 > 0 ? workers / 4 : 1);
    return node->gate != NULL;
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
    if (!share_authorities(main_server) || !make_gate(pconf) || !sso_endings_share(pconf, main_server) ||
        !sso_provisioning_share(pconf, main_server) || !sso_changes_share(main_server) ||
        !sso_counts_share(main_server) || !sso_audit_share(pconf, main_server)) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main_server,
                     "ENTRA2012: shared memory cannot be made; check its limits");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    sso_carry_begin(pconf, main_server);
    if (!sso_audit_start(pconf, main_server) || !sso_renewal_begin(pconf, ptemp, main_server)) {
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
        authority = sso_authority_make(pchild, &site->authority, site->authority_shared, http);
        apr_hash_set(made, site->authority_key, APR_HASH_KEY_STRING, authority);
    }
    return authority;
}

/* Only where a site takes access tokens or has a directory; pages of it that are never used cost nothing. Without it
 * every token is checked every time. */
static sso_memo_t *make_memo(apr_pool_t *pchild, server_rec *main_server)
{
    bool wanted = false;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_server_config_t *config = sso_config_server(s);
        wanted = wanted || (config->site != NULL && (config->takes_tokens || config->site->site.directory != NULL));
    }
    if (!wanted) {
        return NULL;
    }
    void *memory = sso_shared_make(pchild, sso_memo_size(SSO_MAX_MEMO_BYTES));
    if (memory == NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "ENTRA2040: no memory to remember access tokens in; each is checked every time it comes");
        return NULL;
    }
    return sso_memo_init(memory, SSO_MAX_MEMO_BYTES);
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
            site->gate = gate;
            site->site.authority = site->site.group_names == NULL ? NULL : authority_of(made, pchild, site, http);
        }
    }
    sso_forward_begin(pchild, main_server);
    sso_revalidation_begin(pchild, main_server, http);
    sso_watching_begin(pchild, main_server);
}
