/* SPDX-License-Identifier: Apache-2.0 */
/* The rules are in directory/touched.c and flow/refresh.c; here are memory and processes. */
#include "build_config.h"

#include "httpd/changes.h"

#include <http_config.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "flow/refresh.h"
#include "httpd/log.h"
#include "httpd/shared.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* SECURITY: as with ended sessions, what is known stays known over a reload, also when the database is away then: the
 * memory belongs to the whole run of httpd. */
#define TABLES "entra_sso: " SSO_TOUCHED_FORM

bool sso_changes_share(server_rec *main_server)
{
    apr_hash_t *wanted = apr_hash_make(main_server->process->pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->site.directory != NULL) {
            sso_touched_t *table =
                sso_shared_entry(main_server->process->pool, TABLES, site->database.source, sso_touched_size());
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
