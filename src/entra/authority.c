/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata and keys of one authority: fetched by one worker of the node, kept in shared memory, parsed once per process
 * and generation. No request waits here while a good copy is at hand. */
#include "entra/authority.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "entra/aadsts.h"

/* Keys: hourly, and kept a day (Microsoft's rule for own implementations, signing-key-rollover). */
#define REFRESH_AFTER apr_time_from_sec(3600)
#define STALE_AFTER apr_time_from_sec(24 * 3600)
/* Between two tries: when there is a copy, when there is none (background, request), and for unknown keys. */
#define REST_WITH_COPY apr_time_from_sec(60)
#define REST_WITHOUT_COPY apr_time_from_sec(2)
#define REST_OF_REQUESTS apr_time_from_sec(1)
#define REST_OF_UNKNOWN_KEYS apr_time_from_sec(60)
/* A moment further ahead than this was written before the clock was set back, and counts as long ago. */
#define CLOCK_SLACK apr_time_from_sec(60)
/* A fetch is two calls; whoever has not finished by then was killed. */
#define CLAIM_SPAN(policy) (2 * (policy)->total_timeout + apr_time_from_sec(10))
/* How often, and by how many workers of a process, another's fetch is waited for: the rest are told to come later. */
#define WAIT_STEP (20 * 1000)
#define WAITERS_MAX 4

/* Fetched moment, length of the metadata, both documents. */
#define COPY_MAX (8 + 4 + SSO_MAX_METADATA + SSO_MAX_JWKS)

/* One good copy of both documents, as text. */
typedef struct {
    _Atomic uint32_t generation; /* 0 while it is written, or was never */
    _Atomic uint32_t len;
    /* Read while they may be written: each byte is whole, and the digest tells whether all are of one writing. */
    atomic_uchar digest[SSO_SHA256_BYTES];
    atomic_uchar body[COPY_MAX];
} copy_t;

/* The node's memory. Generation g is in copies[g & 1], so that a writer never touches what readers are told to read:
 *
 *   generation 6 -> | copies[0]: 6 | copies[1]: 5, or torn by a writer of 7 |
 *   generation 7 -> | copies[0]: 6, or torn by a writer of 8 | copies[1]: 7 |
 *
 * A writer that dies leaves a torn copy nobody reads and a claim that expires. */
typedef struct {
    _Atomic uint32_t generation; /* of the last good copy; 0: none yet */
    _Atomic int64_t fetched;     /* its moment */
    _Atomic int64_t claim;       /* until when one worker of the node is fetching; 0: nobody */
    _Atomic int64_t tried;       /* when the last fetch began */
    _Atomic int64_t forced;      /* when an unknown key last caused one */
    copy_t copies[2];
} shared_t;

/* Processes share these words, so they must not hide a lock of one process. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics must be lock-free");

/* One parsed generation. The authority holds it once, each context once more; the last one destroys the pool, which has
 * no parent, so that neither the authority's pool nor a context's must outlive the other. */
typedef struct {
    sso_authority_view_t view;
    const char *tenant; /* the issuer's GUID; NULL for several tenants */
    apr_pool_t *pool;
    atomic_int holders;
} holder_t;

struct sso_authority_t {
    const sso_authority_config_t *config;
    sso_http_t *http;
    shared_t *shared;
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; /* guards the next two */
    holder_t *current;
    uint32_t refused; /* a generation that could not be parsed here, not to be tried again */
    atomic_int waiting;
};

apr_size_t sso_authority_shared_size(void)
{
    return sizeof(shared_t);
}

static void holder_release(holder_t *holder)
{
    if (atomic_fetch_sub(&holder->holders, 1) == 1) {
        apr_pool_destroy(holder->pool);
    }
}

static apr_status_t holder_cleanup(void *data)
{
    holder_release(data);
    return APR_SUCCESS;
}

static apr_status_t authority_cleanup(void *data)
{
    sso_authority_t *authority = data;
    if (authority->current != NULL) {
        holder_release(authority->current);
        authority->current = NULL;
    }
    return APR_SUCCESS;
}

sso_authority_t *sso_authority_make(apr_pool_t *pool, const sso_authority_config_t *config, void *shared,
                                    sso_http_t *http)
{
    sso_authority_t *authority = apr_pcalloc(pool, sizeof(*authority));
    authority->config = config;
    authority->http = http;
    authority->shared = shared;
    authority->pool = pool;
    /* Without a mutex there is no memory left at all: APR's pools abort in that case. */
    if (apr_thread_mutex_create(&authority->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, authority, authority_cleanup, apr_pool_cleanup_null);
    return authority;
}

uint32_t sso_authority_generation(const sso_authority_t *authority)
{
    return authority == NULL ? 0 : atomic_load_explicit(&authority->shared->generation, memory_order_acquire);
}

const sso_authority_config_t *sso_authority_config(const sso_authority_t *authority)
{
    return authority->config;
}

sso_http_t *sso_authority_http(const sso_authority_t *authority)
{
    return authority->http;
}

const char *sso_authority_tenant_guid(const sso_authority_t *authority, const sso_authority_view_t *view)
{
    const char *tenant = authority->config->tenant;
    if (sso_tenant_is_several(tenant)) {
        return NULL;
    }
    if (view != NULL) {
        return ((const holder_t *)view)->tenant; /* the view is the holder's first member */
    }
    if (strcmp(tenant, "consumers") == 0) {
        return SSO_CONSUMERS_TENANT;
    }
    return sso_is_guid(tenant) ? tenant : NULL;
}

/* True when span has passed since a moment in shared memory. */
static bool has_passed(apr_time_t since, apr_interval_time_t span, apr_time_t now)
{
    return since == 0 || since > now + CLOCK_SLACK || now - since >= span;
}

/* ---- the copies in shared memory ---- */

static void bytes_put(atomic_uchar *to, const unsigned char *from, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        atomic_store_explicit(&to[i], from[i], memory_order_relaxed);
    }
}

static void bytes_get(unsigned char *to, const atomic_uchar *from, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
    }
}

/* Writes a good copy beside the present one, then makes it the present one. Only for the holder of the claim. */
static void copy_write(shared_t *shared, const unsigned char *body, apr_size_t len, apr_time_t fetched)
{
    uint32_t generation = atomic_load(&shared->generation) + 1;
    copy_t *copy = &shared->copies[generation & 1U];
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(body, len, digest);
    atomic_store(&copy->generation, 0);
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(&copy->len, (uint32_t)len);
    bytes_put(copy->digest, digest, sizeof(digest));
    bytes_put(copy->body, body, len);
    atomic_store_explicit(&copy->generation, generation, memory_order_release);
    atomic_store(&shared->fetched, fetched);
    atomic_store_explicit(&shared->generation, generation, memory_order_release);
}

/* The present copy in pool, NULL when there is none. The digest is the last word: even two writers at once, after a
 * worker was stopped for longer than its claim, cannot make a mixture that is believed. */
static unsigned char *copy_read(const shared_t *shared, apr_pool_t *pool, apr_size_t *ret_len, uint32_t *ret_generation)
{
    unsigned char *body = apr_palloc(pool, COPY_MAX);
    for (int try = 0; try < 5; try++) {
        uint32_t generation = atomic_load_explicit(&shared->generation, memory_order_acquire);
        const copy_t *copy = &shared->copies[generation & 1U];
        if (generation == 0) {
            return NULL;
        }
        apr_size_t len = atomic_load(&copy->len);
        if (atomic_load_explicit(&copy->generation, memory_order_acquire) != generation || len > COPY_MAX) {
            continue;
        }
        unsigned char digest[SSO_SHA256_BYTES], found[SSO_SHA256_BYTES];
        bytes_get(body, copy->body, len);
        bytes_get(digest, copy->digest, sizeof(digest));
        atomic_thread_fence(memory_order_acquire);
        sso_sha256(body, len, found);
        if (atomic_load(&copy->generation) == generation && memcmp(found, digest, sizeof(digest)) == 0) {
            *ret_len = len;
            *ret_generation = generation;
            return body;
        }
    }
    return NULL;
}

/* ---- one generation in this process ---- */

/* The GUID in an issuer that was judged before; NULL for {tenantid}. */
static const char *issuer_tenant(apr_pool_t *pool, const sso_authority_config_t *config, const char *issuer)
{
    const char *from = issuer + strlen(config->login_url) + 1;
    const char *tenant = apr_pstrmemdup(pool, from, strcspn(from, "/"));
    return sso_is_guid(tenant) ? tenant : NULL;
}

static sso_rc body_parse(sso_ctx_t *ctx, const sso_authority_config_t *config, const unsigned char *body,
                         apr_size_t body_len, holder_t *holder)
{
    sso_reader_t reader;
    sso_reader_init(&reader, body, body_len);
    holder->view.fetched = sso_read_i64(&reader);
    uint32_t metadata_len = sso_read_u32(&reader);
    const unsigned char *metadata = sso_read_bytes(&reader, metadata_len);
    if (reader.failed || metadata == NULL) {
        return sso_fail(ctx, SSO_R_METADATA_NONE, "the copy in shared memory is cut short");
    }
    sso_rc rc =
        sso_metadata_parse(ctx, holder->pool, config, (const char *)metadata, metadata_len, &holder->view.metadata);
    if (rc == SSO_OK) {
        rc = sso_keys_parse(ctx, holder->pool, (const char *)(metadata + metadata_len), body_len - reader.pos,
                            &holder->view.keys);
    }
    if (rc == SSO_OK) {
        holder->tenant = issuer_tenant(holder->pool, config, holder->view.metadata->issuer);
    }
    return rc;
}

/* Makes the node's present generation this process's. The mutex is held: it is parsed once, without I/O. */
static sso_rc current_renew(sso_ctx_t *ctx, sso_authority_t *authority)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, ctx->pool);
    apr_size_t len;
    uint32_t generation;
    unsigned char *body = copy_read(authority->shared, scratch, &len, &generation);
    sso_rc rc = SSO_OK;
    apr_pool_t *pool = NULL;
    if (body == NULL) {
        rc = sso_fail(ctx, SSO_R_METADATA_NONE, "nothing was fetched yet from %s", authority->config->login_url);
    } else if (apr_pool_create_unmanaged_ex(&pool, apr_pool_abort_get(authority->pool), NULL) != APR_SUCCESS) {
        rc = sso_fail(ctx, SSO_R_METADATA_NONE, "no memory for a pool");
    } else {
        holder_t *holder = apr_pcalloc(pool, sizeof(*holder));
        holder->pool = pool;
        holder->view.generation = generation;
        atomic_init(&holder->holders, 1);
        rc = body_parse(ctx, authority->config, body, len, holder);
        if (rc != SSO_OK) {
            apr_pool_destroy(pool);
        } else {
            authority_cleanup(authority);
            authority->current = holder;
        }
    }
    apr_pool_destroy(scratch);
    return rc;
}

/* The newest generation at hand, held by ctx->pool; no network. */
static sso_rc view_hold(sso_ctx_t *ctx, sso_authority_t *authority, const sso_authority_view_t **ret_view)
{
    sso_rc rc = SSO_OK;
    apr_thread_mutex_lock(authority->mutex);
    holder_t *holder = authority->current;
    uint32_t newest = atomic_load(&authority->shared->generation);
    if (holder == NULL || (holder->view.generation != newest && authority->refused != newest)) {
        rc = current_renew(ctx, authority);
        if (rc != SSO_OK && holder != NULL) {
            /* What this process has parsed is still good; the next fetch mends the shared copy. */
            sso_fault_clear(ctx);
            authority->refused = newest;
            rc = SSO_OK;
        }
        holder = authority->current;
    }
    if (holder != NULL && rc == SSO_OK) {
        atomic_fetch_add(&holder->holders, 1);
        apr_pool_cleanup_register(ctx->pool, holder, holder_cleanup, apr_pool_cleanup_null);
        *ret_view = &holder->view;
    }
    apr_thread_mutex_unlock(authority->mutex);
    return rc;
}

/* ---- fetching ---- */

static bool claim_is_live(const sso_authority_t *authority, int64_t claim, apr_time_t now)
{
    return claim > now && claim <= now + CLAIM_SPAN(authority->config->policy) + CLOCK_SLACK;
}

/* Becomes the node's one fetcher, if there is none. *ret_claim is the proof. */
static bool claim_take(sso_authority_t *authority, apr_time_t now, int64_t *ret_claim)
{
    int64_t seen = atomic_load(&authority->shared->claim);
    int64_t mine = now + CLAIM_SPAN(authority->config->policy);
    if (claim_is_live(authority, seen, now) ||
        !atomic_compare_exchange_strong(&authority->shared->claim, &seen, mine)) {
        return false;
    }
    *ret_claim = mine;
    return true;
}

/* Gives the claim back, unless it expired and is another's now. */
static void claim_give(sso_authority_t *authority, int64_t claim)
{
    atomic_compare_exchange_strong(&authority->shared->claim, &claim, 0);
}

static sso_rc document_fetch(sso_ctx_t *ctx, sso_authority_t *authority, const char *url, sso_outbound_t kind,
                             bool ungated, sso_http_response_t *ret_response)
{
    const sso_http_request_t request = {
        .kind = kind,
        .url = url,
        .policy = authority->config->policy,
        .max_response = kind == SSO_OUTBOUND_KEYS ? SSO_MAX_JWKS : SSO_MAX_METADATA,
        .ungated = ungated,
    };
    return sso_http_perform(authority->http, ctx, &request, ret_response);
}

/* Entra answers 400 with AADSTS90002 (or its kin for malformed names) when there is no such tenant. This is the one
 * place where a number decides anything, and only on which sentence the administrator reads. */
static sso_rc discovery_refused(sso_ctx_t *ctx, const sso_authority_t *authority, const sso_http_response_t *response)
{
    const sso_json_t *body = NULL;
    unsigned number = 0;
    if (sso_json_parse(ctx, ctx->pool, response->body, response->len, SSO_MAX_METADATA, &body) == SSO_OK) {
        const char *text = sso_json_get_text(body, "error_description");
        number = text == NULL ? 0 : sso_aadsts_code_from(text, strlen(text));
    }
    /* A body that is no JSON says no more than its status. */
    sso_fault_clear(ctx);
    bool unknown = response->status == 400 && (number == 90002 || number == 900021 || number == 900023);
    sso_rc rc = sso_fail(ctx, unknown ? SSO_R_METADATA_TENANT : SSO_R_METADATA_STATUS, "tenant %s: status %d",
                         authority->config->tenant, response->status);
    ctx->fault.aadsts = number;
    ctx->fault.retry_after_s = response->retry_after_s;
    return rc;
}

/* Both documents by network, judged, as a body for shared memory. The judgement's parse is thrown away: it is made
 * again by each process, this one included, from the copy that all see. */
static sso_rc documents_fetch(sso_ctx_t *ctx, sso_authority_t *authority, bool ungated, apr_pool_t *scratch,
                              sso_writer_t *ret_body)
{
    const char *url = apr_pstrcat(scratch, authority->config->login_url, "/", authority->config->tenant,
                                  "/v2.0/.well-known/openid-configuration", NULL);
    sso_http_response_t discovery, keys;
    sso_rc rc = document_fetch(ctx, authority, url, SSO_OUTBOUND_METADATA, ungated, &discovery);
    if (rc != SSO_OK) {
        return rc;
    }
    if (discovery.status != 200) {
        return discovery_refused(ctx, authority, &discovery);
    }
    const sso_metadata_t *metadata;
    rc = sso_metadata_parse(ctx, scratch, authority->config, discovery.body, discovery.len, &metadata);
    if (rc != SSO_OK) {
        return rc;
    }
    rc = document_fetch(ctx, authority, metadata->jwks_uri, SSO_OUTBOUND_KEYS, ungated, &keys);
    if (rc != SSO_OK) {
        return rc;
    }
    if (keys.status != 200) {
        rc = sso_fail(ctx, SSO_R_KEYS_STATUS, "status %d", keys.status);
        ctx->fault.retry_after_s = keys.retry_after_s;
        return rc;
    }
    const sso_keyset_t *keyset;
    rc = sso_keys_parse(ctx, scratch, keys.body, keys.len, &keyset);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_writer_init(ret_body, scratch, COPY_MAX);
    sso_write_i64(ret_body, ctx->now);
    sso_write_u32(ret_body, (uint32_t)discovery.len);
    sso_write_bytes(ret_body, discovery.body, discovery.len);
    sso_write_bytes(ret_body, keys.body, keys.len);
    return SSO_OK;
}

/* One fetch by the holder of the claim. Only what was judged good replaces the last good copy. */
static sso_rc claimed_fetch(sso_ctx_t *ctx, sso_authority_t *authority, int64_t claim, bool ungated)
{
    apr_pool_t *scratch;
    sso_writer_t body = {0};
    atomic_store(&authority->shared->tried, ctx->now);
    apr_pool_create(&scratch, ctx->pool);
    sso_rc rc = documents_fetch(ctx, authority, ungated, scratch, &body);
    if (rc == SSO_OK && body.failed) {
        rc = sso_fail(ctx, SSO_R_METADATA_STATUS, "the documents are larger than their bound");
    }
    if (rc == SSO_OK) {
        int64_t seen = claim;
        /* A claim that expired meanwhile is another's, and so is the right to write. One that did not is drawn out, so
         * that it holds for as long as writing takes. */
        int64_t longer = claim + CLOCK_SLACK / 2;
        if (atomic_compare_exchange_strong(&authority->shared->claim, &seen, longer)) {
            claim = longer;
            copy_write(authority->shared, body.data, body.len, ctx->now);
        }
    }
    claim_give(authority, claim);
    apr_pool_destroy(scratch);
    sso_count(ctx, rc == SSO_OK ? SSO_COUNT_KEYS_OK : SSO_COUNT_KEYS_FAILED);
    return rc;
}

/* True when a fetch may begin: rest negative never, 0 always, else that long after the last try. */
static bool fetch_is_free(const sso_authority_t *authority, apr_interval_time_t rest, apr_time_t now)
{
    return rest == 0 || (rest > 0 && has_passed(atomic_load(&authority->shared->tried), rest, now));
}

/* For requests: fetches if nobody does and rest allows it, else waits for whoever does. SSO_OK when another generation
 * than seen is there, or when waiting is of no use; the caller looks again. */
static sso_rc fetch_or_wait(sso_ctx_t *ctx, sso_authority_t *authority, uint32_t seen, apr_interval_time_t rest)
{
    const apr_time_t deadline = sso_clock_now() + authority->config->policy->total_timeout;
    sso_rc rc = SSO_OK;
    bool may_wait = atomic_fetch_add(&authority->waiting, 1) < WAITERS_MAX;
    while (atomic_load(&authority->shared->generation) == seen) {
        int64_t claim;
        if (fetch_is_free(authority, rest, ctx->now) && claim_take(authority, ctx->now, &claim)) {
            rc = claimed_fetch(ctx, authority, claim, false);
            break;
        }
        if (!may_wait || !claim_is_live(authority, atomic_load(&authority->shared->claim), ctx->now) ||
            sso_clock_now() >= deadline) {
            break;
        }
        apr_sleep(WAIT_STEP);
    }
    atomic_fetch_sub(&authority->waiting, 1);
    return rc;
}

/* ---- what others call ---- */

sso_rc sso_authority_view(sso_ctx_t *ctx, sso_authority_t *authority, const sso_authority_view_t **ret_view)
{
    if (authority == NULL) {
        return sso_fail(ctx, SSO_R_METADATA_NONE, "this process could not set up its outbound calls");
    }
    const sso_authority_view_t *view;
    uint32_t seen = atomic_load(&authority->shared->generation);
    sso_rc rc = view_hold(ctx, authority, &view);
    if (rc != SSO_OK) {
        /* Nothing at hand is no fault yet: the node's first request may come before the first background fetch. */
        sso_fault_clear(ctx);
        rc = fetch_or_wait(ctx, authority, seen, REST_OF_REQUESTS);
        if (rc == SSO_OK) {
            rc = view_hold(ctx, authority, &view);
        }
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (ctx->now - view->fetched > STALE_AFTER) {
        return sso_fail(ctx, SSO_R_METADATA_STALE, "the last good copy is %" APR_TIME_T_FMT " hours old",
                        (ctx->now - view->fetched) / apr_time_from_sec(3600));
    }
    *ret_view = view;
    return SSO_OK;
}

const sso_authority_view_t *sso_authority_at_hand(sso_ctx_t *ctx, sso_authority_t *authority)
{
    const sso_authority_view_t *view = NULL;
    if (authority != NULL && view_hold(ctx, authority, &view) != SSO_OK) {
        sso_fault_clear(ctx);
        view = NULL;
    }
    return view;
}

apr_time_t sso_authority_tried(const sso_authority_t *authority)
{
    return authority == NULL ? 0 : atomic_load_explicit(&authority->shared->tried, memory_order_relaxed);
}

/* SECURITY: tokens with invented key names must not make us call Entra: one turn a minute for the whole node. */
static bool forced_turn_take(sso_authority_t *authority, apr_time_t now)
{
    int64_t seen = atomic_load(&authority->shared->forced);
    return has_passed(seen, REST_OF_UNKNOWN_KEYS, now) &&
           atomic_compare_exchange_strong(&authority->shared->forced, &seen, now);
}

sso_rc sso_authority_key(sso_ctx_t *ctx, sso_authority_t *authority, const char *kid,
                         const sso_authority_view_t **ret_view, const sso_key_t **ret_key)
{
    const sso_authority_view_t *view = NULL;
    const char *trouble = "no fetch was due";
    sso_rc rc = sso_authority_view(ctx, authority, &view);
    if (rc != SSO_OK) {
        return rc;
    }
    const sso_key_t *key = sso_keys_find(view->keys, kid);
    if (key == NULL) {
        bool turn = forced_turn_take(authority, ctx->now);
        rc = fetch_or_wait(ctx, authority, view->generation, turn ? 0 : -1);
        if (turn) {
            trouble = rc == SSO_OK ? "fresh keys were fetched" : sso_reason(rc)->name;
        }
        /* Without fresh keys the token is refused for its unknown key; the fetch's own trouble becomes the detail. */
        sso_fault_clear(ctx);
        /* Before the look: a fetch that ends in between must not be missed. */
        bool busy = claim_is_live(authority, atomic_load(&authority->shared->claim), ctx->now);
        rc = sso_authority_view(ctx, authority, &view);
        if (rc != SSO_OK) {
            return rc;
        }
        key = sso_keys_find(view->keys, kid);
        if (key == NULL && busy) {
            return sso_fail(ctx, SSO_R_KEYS_BUSY, "kid %s", sso_printable(ctx->pool, kid));
        }
    }
    if (key == NULL) {
        return sso_fail(ctx, SSO_R_JWT_KEY_UNKNOWN, "kid %s: %s", sso_printable(ctx->pool, kid), trouble);
    }
    *ret_view = view;
    *ret_key = key;
    return SSO_OK;
}

/* Nothing: every two seconds, so that start-up heals quickly. A copy: when it is an hour old or the last try failed,
 * but a minute after that try. */
static bool background_fetch_is_due(const sso_authority_t *authority, bool have, apr_time_t now)
{
    apr_time_t tried = atomic_load(&authority->shared->tried);
    apr_time_t fetched = atomic_load(&authority->shared->fetched);
    if (!have) {
        return has_passed(tried, REST_WITHOUT_COPY, now);
    }
    return has_passed(tried, REST_WITH_COPY, now) && (tried > fetched || has_passed(fetched, REFRESH_AFTER, now));
}

sso_rc sso_authority_tick(sso_ctx_t *ctx, sso_authority_t *authority)
{
    int64_t claim;
    /* Only what was judged good has a generation, so the look needs neither the copy nor a lock. */
    bool have = atomic_load(&authority->shared->generation) != 0;
    if (!background_fetch_is_due(authority, have, ctx->now) || !claim_take(authority, ctx->now, &claim)) {
        return SSO_OK;
    }
    /* Another process may have fetched between the look and the claim. */
    if (!background_fetch_is_due(authority, have, ctx->now)) {
        claim_give(authority, claim);
        return SSO_OK;
    }
    return claimed_fetch(ctx, authority, claim, true);
}
