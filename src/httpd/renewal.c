/* SPDX-License-Identifier: Apache-2.0 */
/* Looks after files in the parent, judges what changed as at the start, and hands it over. What is not good is told
 * once and changes nothing: never an outage. */
#include "build_config.h"

#include "httpd/renewal.h"

#include <string.h>

#include <http_config.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/handoff.h"
#include "base/limits.h"
#include "base/watch.h"
#include "entra/secret.h"
#include "httpd/log.h"
#include "httpd/shared.h"
#include "httpd/site.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* Memory of another layout, after an upgrade of the module and a reload, is not found under this name. */
#define KEPT "entra_sso: handed over, layout 1"
#define A_DAY apr_time_from_sec(24 * 3600)

/* One hand-over, of the whole run of httpd: a certificate's predecessor outlives a reload. No pointer into the module.
 */
typedef struct {
    sso_handoff_t *handoff;
    bool used; /* by this configuration */
    /* SECURITY: what was handed, in the parent's own memory. The shared memory can be written by every worker, so
     * nothing is read back from it. */
    apr_size_t len;
    unsigned char data[SSO_MAX_HANDED];
} kept_t;

typedef enum { ENTRY_KEYS, ENTRY_SECRET, ENTRY_CERTIFICATE } entry_kind_t;

/* What is looked after, once for all sites that have it in common. */
typedef struct {
    entry_kind_t kind;
    server_rec *server;
    sso_keyring_t *ring; /* of keys */
    kept_t *kept;
    sso_watch_t file;
    sso_watch_t key_file; /* of a certificate's key, path NULL when it stands in file */
    bool faulty;          /* the last look found no good file */
    apr_time_t expires;   /* of a certificate */
    apr_time_t warned;    /* when its end was told last */
    bool refused;         /* it was told that Entra does not know it */
} entry_t;

typedef struct {
    apr_hash_t *by_name; /* name -> entry_t * */
    apr_hash_t *kept;    /* name -> kept_t *, of the process */
} renewal_t;

/* Only the parent uses it. Set in post_config. */
static renewal_t *renewal;

void sso_renewal_end(void)
{
    renewal = NULL;
}

static kept_t *kept_make(apr_pool_t *process_pool)
{
    void *memory = sso_shared_make(process_pool, sso_handoff_size());
    if (memory == NULL) {
        return NULL;
    }
    kept_t *kept = apr_pcalloc(process_pool, sizeof(*kept));
    kept->handoff = memory;
    return kept;
}

static void kept_give(kept_t *kept, const void *data, apr_size_t len)
{
    if (sso_handoff_give(kept->handoff, data, len)) {
        sso_wipe(kept->data, kept->len);
        memcpy(kept->data, data, len);
        kept->len = len;
    }
}

static bool kept_is(const kept_t *kept, const char *text)
{
    apr_size_t len = strlen(text);
    return kept->len == len && sso_bytes_equal(kept->data, text, len);
}

/* True when the text is another than the one before. */
static bool give_text(entry_t *entry, const char *text)
{
    if (kept_is(entry->kept, text)) {
        return false;
    }
    kept_give(entry->kept, text, strlen(text));
    return true;
}

static bool give_pair(apr_pool_t *pool, entry_t *entry, const sso_pem_pair_t *pair, const sso_certificate_t *cert)
{
    apr_size_t len = 0;
    const unsigned char *data = sso_certificate_pack(pool, pair, entry->kept->data, entry->kept->len, &len);
    entry->expires = sso_certificate_expires(cert);
    if (data == NULL) {
        return false;
    }
    kept_give(entry->kept, data, len);
    return true;
}

/* ---- at the start ---- */

/* The entry of that name, made when it is the first. NULL: there is no shared memory. */
static entry_t *entry_of(apr_pool_t *pconf, entry_kind_t kind, server_rec *s, const char *path, const char *key_path)
{
    static const char *const kinds[] = {"keys", "secret", "certificate"};
    const char *name = apr_pstrcat(pconf, kinds[kind], " ", path, key_path == NULL ? NULL : "\n", key_path, NULL);
    entry_t *entry = apr_hash_get(renewal->by_name, name, APR_HASH_KEY_STRING);
    if (entry != NULL) {
        return entry;
    }
    kept_t *kept = apr_hash_get(renewal->kept, name, APR_HASH_KEY_STRING);
    if (kept == NULL) {
        apr_pool_t *process_pool = s->process->pool;
        kept = kept_make(process_pool);
        if (kept == NULL) {
            return NULL;
        }
        apr_hash_set(renewal->kept, apr_pstrdup(process_pool, name), APR_HASH_KEY_STRING, kept);
    }
    kept->used = true;
    entry = apr_pcalloc(pconf, sizeof(*entry));
    entry->kind = kind;
    entry->server = s;
    entry->kept = kept;
    /* Not looked at yet: the first look of the monitor reads the file once more, and so misses no change since. */
    entry->file.path = path;
    entry->key_file.path = key_path;
    apr_hash_set(renewal->by_name, name, APR_HASH_KEY_STRING, entry);
    return entry;
}

static bool no_memory(server_rec *s)
{
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                 "ENTRA2037: shared memory for keys and secrets cannot be made; check its limits");
    return false;
}

static bool begin_keys(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s, sso_site_config_t *site)
{
    entry_t *entry = entry_of(pconf, ENTRY_KEYS, s, site->key_file, NULL);
    if (entry == NULL) {
        return no_memory(s);
    }
    if (entry->ring == NULL) {
        sso_ctx_t ctx;
        const char *text;
        sso_log_server_ctx_init(&ctx, ptemp, s);
        if (sso_site_load_keys(&ctx, pconf, site, &text) != SSO_OK) {
            sso_log_server_fault(s, &ctx);
            ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                         "ENTRA2011: httpd does not start without a good key file: %s [%s]", site->key_file,
                         sso_site_where(ptemp, s));
            return false;
        }
        (void)give_text(entry, text);
        entry->ring = site->ring;
        if (!sso_keyring_follow(entry->ring, pconf, entry->kept->handoff)) {
            return no_memory(s);
        }
    }
    site->ring = entry->ring;
    site->site.session.keyring = entry->ring;
    return true;
}

static bool begin_credential(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s, sso_site_config_t *site)
{
    const sso_credential_source_t *source = &site->source;
    if (source->path == NULL) {
        return true;
    }
    entry_kind_t kind = source->cert == NULL ? ENTRY_SECRET : ENTRY_CERTIFICATE;
    entry_t *entry = entry_of(pconf, kind, s, source->path, source->key_path);
    if (entry == NULL) {
        return no_memory(s);
    }
    if (kind == ENTRY_SECRET) {
        (void)give_text(entry, source->secret);
    } else {
        (void)give_pair(ptemp, entry, &source->pair, source->cert);
        entry->warned = sso_clock_now(); /* by the check of the configuration */
    }
    return sso_credential_follow(site->site.credential, pconf, entry->kept->handoff) || no_memory(s);
}

/* SECURITY: what no site uses any more does not stay in memory. */
static void forget_unused(apr_pool_t *ptemp)
{
    for (apr_hash_index_t *i = apr_hash_first(ptemp, renewal->kept); i != NULL; i = apr_hash_next(i)) {
        void *value;
        apr_hash_this(i, NULL, NULL, &value);
        kept_t *kept = value;
        if (!kept->used) {
            sso_handoff_clear(kept->handoff);
            sso_wipe(kept->data, kept->len);
            kept->len = 0;
        }
    }
}

bool sso_renewal_begin(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *main_server)
{
    renewal = apr_pcalloc(pconf, sizeof(*renewal));
    renewal->by_name = apr_hash_make(pconf);
    renewal->kept = sso_shared_table(main_server->process->pool, KEPT);
    for (apr_hash_index_t *i = apr_hash_first(ptemp, renewal->kept); i != NULL; i = apr_hash_next(i)) {
        void *value;
        apr_hash_this(i, NULL, NULL, &value);
        ((kept_t *)value)->used = false;
    }
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site != NULL && (!begin_keys(pconf, ptemp, s, site) || !begin_credential(pconf, ptemp, s, site))) {
            return false;
        }
    }
    forget_unused(ptemp);
    return true;
}

/* ---- while httpd runs ---- */

/* Reads and judges as at the start. *ret_news: it is another one than before, and was handed over. */
static sso_rc reread_keys(sso_ctx_t *ctx, entry_t *entry, bool *ret_news)
{
    const char *text;
    sso_keyring_t *ring;
    sso_rc rc = sso_keyring_read(ctx, ctx->pool, entry->file.path, &text);
    if (rc == SSO_OK) {
        rc = sso_keyring_parse(ctx, ctx->pool, text, entry->file.path, &ring);
    }
    if (rc == SSO_OK) {
        *ret_news = give_text(entry, text);
    }
    return rc;
}

static sso_rc reread_secret(sso_ctx_t *ctx, entry_t *entry, bool *ret_news)
{
    const char *text;
    sso_rc rc = sso_secret_file(ctx, ctx->pool, entry->file.path, false, &text);
    if (rc == SSO_OK) {
        *ret_news = give_text(entry, text);
    }
    return rc;
}

static sso_rc reread_certificate(sso_ctx_t *ctx, entry_t *entry, bool *ret_news)
{
    sso_pem_pair_t pair;
    const sso_certificate_t *cert;
    sso_rc rc = sso_certificate_read(ctx, ctx->pool, entry->file.path, entry->key_file.path, &pair, &cert);
    if (rc != SSO_OK) {
        return rc;
    }
    if (sso_certificate_expires(cert) < ctx->now) {
        return sso_fail(ctx, SSO_R_CERTIFICATE, "the new certificate expired on %s",
                        sso_time_print(ctx->pool, sso_certificate_expires(cert)));
    }
    *ret_news = give_pair(ctx->pool, entry, &pair, cert);
    if (*ret_news) {
        entry->warned = 0;
        entry->refused = false;
    }
    return SSO_OK;
}

static void reread(apr_pool_t *pool, entry_t *entry)
{
    static sso_rc (*const readers[])(sso_ctx_t *, entry_t *, bool *) = {reread_keys, reread_secret, reread_certificate};
    bool news = false;
    sso_ctx_t ctx;
    sso_log_server_ctx_init(&ctx, pool, entry->server);
    sso_rc rc = readers[entry->kind](&ctx, entry, &news);
    if (rc != SSO_OK) {
        entry->faulty = true;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, entry->server,
                     "ENTRA2031: %s was changed, but cannot be used: %s (%s, %s); what was read before stays in use "
                     "until the file is put right",
                     entry->file.path, sso_reason(rc)->sentence, sso_log_number(pool, rc),
                     ctx.fault.detail == NULL ? "no detail" : ctx.fault.detail);
    } else if (news) {
        entry->faulty = false;
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, entry->server, "ENTRA2030: %s was changed, and is in use from now on",
                     entry->file.path);
    } else if (entry->faulty) {
        entry->faulty = false;
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, entry->server,
                     "ENTRA2036: %s is good again, and says what it said before", entry->file.path);
    }
}

static void tell_end(apr_pool_t *pool, entry_t *entry, apr_time_t now)
{
    bool told = entry->warned != 0 && now - entry->warned < A_DAY && entry->warned <= now;
    if (told || entry->expires - now > SSO_WARN_BEFORE_END) {
        return;
    }
    entry->warned = now;
    if (entry->expires <= now) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, entry->server,
            "ENTRA2033: the certificate in %s expired on %s, and Entra refuses it; make a new one, upload it to "
            "the app registration and put it into this file",
            entry->file.path, sso_time_print(pool, entry->expires));
    } else {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, entry->server,
            "ENTRA2032: the certificate in %s expires on %s; make a new one, upload it to the app registration "
            "and put it into this file",
            entry->file.path, sso_time_print(pool, entry->expires));
    }
}

static void tell_refusal(entry_t *entry)
{
    bool refused = sso_certificates_refused(entry->kept->handoff) != 0;
    if (refused && !entry->refused) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, entry->server,
            "ENTRA2034: Entra does not know the new certificate in %s, and takes the one before it; upload the "
            "new one to the app registration",
            entry->file.path);
    } else if (!refused && entry->refused) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, entry->server, "ENTRA2035: Entra takes the new certificate in %s",
                     entry->file.path);
    }
    entry->refused = refused;
}

static void look_after(apr_pool_t *pool, entry_t *entry)
{
    bool changed = sso_watch_changed(&entry->file);
    changed = (entry->key_file.path != NULL && sso_watch_changed(&entry->key_file)) || changed;
    if (changed) {
        reread(pool, entry);
    }
    if (entry->kind == ENTRY_CERTIFICATE) {
        tell_end(pool, entry, sso_clock_now());
        tell_refusal(entry);
    }
}

int sso_renewal_monitor(apr_pool_t *pool, server_rec *main_server)
{
    (void)main_server;
    if (renewal == NULL) {
        return DECLINED;
    }
    /* The pool given is that of the configuration, which is not cleaned before the next one. */
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    for (apr_hash_index_t *i = apr_hash_first(scratch, renewal->by_name); i != NULL; i = apr_hash_next(i)) {
        void *value;
        apr_hash_this(i, NULL, NULL, &value);
        look_after(scratch, value);
    }
    apr_pool_destroy(scratch);
    return DECLINED;
}
