/* SPDX-License-Identifier: Apache-2.0 */
/* Two certificates of one application, and whose turn it is; which one Entra refuses is known to the whole node. */
#include "entra/certificates.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/secret.h"

/* So long the previous certificate comes first, before the current one is tried again. */
#define PREVIOUS_FIRST apr_time_from_sec(60)
/* Four texts, each with its length, a NUL behind. */
#define TEXTS 4

struct sso_certificates_t {
    const sso_certificate_t *current;
    const sso_certificate_t *previous; /* NULL: none */
    sso_handoff_t *handoff;            /* NULL: nobody hands over */
    apr_thread_mutex_t *mutex;         /* guards all but handoff */
    apr_pool_t *pool;                  /* of all that were handed; kept, since a thread may be signing with one */
    uint32_t seen;
};

sso_rc sso_certificate_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *cert_path, const char *key_path,
                            sso_pem_pair_t *ret_pair, const sso_certificate_t **ret_cert)
{
    sso_pem_pair_t pair = {NULL, NULL};
    sso_rc rc = sso_pem_file(ctx, pool, cert_path, key_path != NULL, &pair.cert_pem);
    pair.key_pem = pair.cert_pem;
    if (rc == SSO_OK && key_path != NULL) {
        rc = sso_pem_file(ctx, pool, key_path, false, &pair.key_pem);
    }
    if (rc == SSO_OK) {
        rc = sso_certificate_parse(ctx, pool, pair.cert_pem, pair.key_pem, ret_cert);
    }
    if (rc == SSO_OK) {
        *ret_pair = pair;
    }
    return rc;
}

const unsigned char *sso_certificate_pack(apr_pool_t *pool, const sso_pem_pair_t *pair, const unsigned char *handed,
                                          apr_size_t handed_len, apr_size_t *ret_len)
{
    sso_reader_t r;
    sso_writer_t w;
    sso_reader_init(&r, handed, handed_len);
    const char *cert_pem = sso_read_text(&r);
    const char *key_pem = sso_read_text(&r);
    bool had = cert_pem != NULL && key_pem != NULL;
    if (had && sso_secret_equal(cert_pem, pair->cert_pem) && sso_secret_equal(key_pem, pair->key_pem)) {
        return NULL;
    }
    sso_writer_init(&w, pool, SSO_MAX_HANDED);
    sso_wipe_later(pool, w.data, SSO_MAX_HANDED);
    sso_write_text(&w, pair->cert_pem);
    sso_write_text(&w, pair->key_pem);
    sso_write_text(&w, had ? cert_pem : NULL);
    sso_write_text(&w, had ? key_pem : NULL);
    *ret_len = w.len;
    return w.failed ? NULL : w.data;
}

sso_certificates_t *sso_certificates_make(apr_pool_t *pool, const sso_certificate_t *cert)
{
    sso_certificates_t *certs = apr_pcalloc(pool, sizeof(*certs));
    certs->current = cert;
    return certs;
}

static apr_status_t pool_destroy(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

bool sso_certificates_follow(sso_certificates_t *certs, apr_pool_t *pool, sso_handoff_t *handoff)
{
    /* Without a parent: it is filled by request threads, while the configuration's pool belongs to none. */
    if (apr_thread_mutex_create(&certs->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_pool_create_unmanaged_ex(&certs->pool, apr_pool_abort_get(pool), NULL) != APR_SUCCESS) {
        return false;
    }
    apr_pool_cleanup_register(pool, certs->pool, pool_destroy, apr_pool_cleanup_null);
    certs->handoff = handoff;
    return true;
}

/* Takes what was handed since the last look. The mutex is held. */
static void renew(sso_ctx_t *ctx, sso_certificates_t *certs)
{
    const unsigned char *data;
    apr_size_t len;
    uint32_t generation = sso_handoff_generation(certs->handoff);
    if (generation == certs->seen || !sso_handoff_take(certs->handoff, ctx->pool, &data, &len, &generation)) {
        return;
    }
    sso_reader_t r;
    sso_ctx_t own;
    const char *texts[TEXTS];
    sso_reader_init(&r, data, len);
    sso_ctx_init(&own, ctx->pool, ctx->now); /* the writer has judged them: a fault here is none of the request's */
    for (int i = 0; i < TEXTS; i++) {
        texts[i] = sso_read_text(&r);
    }
    const sso_certificate_t *current = NULL;
    certs->seen = generation;
    if (!sso_reader_done(&r) || sso_certificate_parse(&own, certs->pool, texts[0], texts[1], &current) != SSO_OK) {
        return;
    }
    certs->current = current;
    certs->previous = NULL;
    if (texts[2][0] != '\0' &&
        sso_certificate_parse(&own, certs->pool, texts[2], texts[3], &certs->previous) != SSO_OK) {
        certs->previous = NULL;
    }
}

apr_time_t sso_certificates_refused(const sso_handoff_t *handoff)
{
    return sso_handoff_noted(handoff);
}

/* True while the current one was refused a moment ago. */
static bool previous_first(const sso_ctx_t *ctx, const sso_certificates_t *certs)
{
    apr_time_t refused = sso_certificates_refused(certs->handoff);
    return refused != 0 && ctx->now - refused < PREVIOUS_FIRST && refused - ctx->now < PREVIOUS_FIRST;
}

sso_turn_t sso_certificates_turn(sso_ctx_t *ctx, sso_certificates_t *certs, sso_turn_t refused)
{
    if (certs->handoff == NULL) {
        return refused == SSO_TURN_NONE ? SSO_TURN_CURRENT : SSO_TURN_NONE;
    }
    apr_thread_mutex_lock(certs->mutex);
    renew(ctx, certs);
    bool two = certs->previous != NULL && sso_certificate_expires(certs->previous) > ctx->now;
    apr_thread_mutex_unlock(certs->mutex);
    if (refused == SSO_TURN_NONE) {
        return two && previous_first(ctx, certs) ? SSO_TURN_PREVIOUS : SSO_TURN_CURRENT;
    }
    if (!two) {
        return SSO_TURN_NONE;
    }
    return refused == SSO_TURN_CURRENT ? SSO_TURN_PREVIOUS : SSO_TURN_CURRENT;
}

const sso_certificate_t *sso_certificates_get(sso_certificates_t *certs, sso_turn_t turn)
{
    if (certs->handoff == NULL) {
        return certs->current;
    }
    apr_thread_mutex_lock(certs->mutex);
    /* Between two looks a rotation may have taken the previous one away. */
    const sso_certificate_t *cert =
        turn == SSO_TURN_PREVIOUS && certs->previous != NULL ? certs->previous : certs->current;
    apr_thread_mutex_unlock(certs->mutex);
    return cert;
}

void sso_certificates_taken(sso_ctx_t *ctx, sso_certificates_t *certs, sso_turn_t turn, sso_turn_t refused)
{
    if (certs->handoff == NULL) {
        return;
    }
    if (turn == SSO_TURN_PREVIOUS && refused == SSO_TURN_CURRENT) {
        sso_handoff_note(certs->handoff, ctx->now);
    } else if (turn == SSO_TURN_CURRENT && sso_handoff_noted(certs->handoff) != 0) {
        sso_handoff_note(certs->handoff, 0);
    }
}
