/* SPDX-License-Identifier: Apache-2.0 */
#include "build_config.h"

#include "httpd/carry.h"

#include <string.h>
#include <unistd.h>

#include <http_config.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "httpd/log.h"
#include "httpd/site.h"
#include "session/unwritten.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* Enough of a digest to tell the databases of one state directory apart. */
#define NAME_BYTES 8

/* Who made the configuration: a child that ends runs the cleanups of its parent too. */
typedef struct {
    pid_t pid;
    server_rec *main_server;
} owner_t;

/* "cookie.keys" lies in the state directory too. */
static const char *path_of(apr_pool_t *pool, const sso_site_config_t *site)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(site->database.source, strlen(site->database.source), digest);
    return apr_pstrcat(pool, ap_make_dirstr_parent(pool, site->key_file), "ended-", sso_hex(pool, digest, NAME_BYTES),
                       NULL);
}

static void save(apr_pool_t *pool, server_rec *s, sso_site_config_t *site)
{
    sso_ctx_t ctx;
    sso_log_server_ctx_init(&ctx, pool, s);
    bool failed = sso_unwritten_save(&ctx, site->site.ended, site->unwritten) != SSO_OK;
    if (failed && !site->unwritten_failed) {
        sso_log_server_fault(s, &ctx);
    }
    site->unwritten_failed = failed;
}

static void save_all(apr_pool_t *parent, server_rec *main_server)
{
    apr_pool_t *pool;
    apr_pool_create(&pool, parent);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && site->unwritten != NULL) {
            save(pool, s, site);
        }
    }
    apr_pool_destroy(pool);
}

static apr_status_t save_last(void *data)
{
    const owner_t *owner = data;
    if (owner->pid == getpid()) {
        save_all(owner->main_server->process->pool, owner->main_server);
    }
    return APR_SUCCESS;
}

static void take_in(apr_pool_t *pool, server_rec *s, const sso_site_config_t *site)
{
    sso_ctx_t ctx;
    int taken;
    sso_log_server_ctx_init(&ctx, pool, s);
    if (sso_unwritten_read(&ctx, site->site.ended, site->unwritten, &taken) != SSO_OK) {
        sso_log_server_fault(s, &ctx);
    }
    if (taken != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "ENTRA2075: %d sessions ended while the database was away; they are still to be written to it",
                     taken);
    }
}

void sso_carry_begin(apr_pool_t *pconf, server_rec *main_server)
{
    apr_hash_t *done = apr_hash_make(pconf);
    owner_t *owner = apr_palloc(pconf, sizeof(*owner));
    *owner = (owner_t){getpid(), main_server};
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || apr_hash_get(done, site->database.source, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        apr_hash_set(done, site->database.source, APR_HASH_KEY_STRING, site);
        site->unwritten = path_of(pconf, site);
        take_in(pconf, s, site);
    }
    apr_pool_cleanup_register(pconf, owner, save_last, apr_pool_cleanup_null);
}

int sso_carry_monitor(apr_pool_t *pconf, server_rec *main_server)
{
    save_all(pconf, main_server);
    return DECLINED;
}
