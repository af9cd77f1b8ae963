/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed records and the ring of keys behind them; no key ever leaves this file, and nothing about a record is
 * negotiable. */
#include "base/seal.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

#define RECORD_VERSION 1
#define KEY_ID_BYTES 4
#define KEY_TEXT_LEN 43 /* base64url of SSO_KEY_BYTES */
/* version 1 | key id 4 | purpose 1 | binding: of fixed size, so no two different inputs look alike */
#define AAD_BYTES (1 + KEY_ID_BYTES + 1 + SSO_BINDING_BYTES)
#define HEAD_BYTES (1 + KEY_ID_BYTES + SSO_NONCE_BYTES)

_Static_assert(HEAD_BYTES + SSO_TAG_BYTES == SSO_SEAL_OVERHEAD, "the record's picture in seal.h");

/* What the derived keys stand for. The number is for a later layout: raised, it makes all old records unreadable. */
static const char *const purpose_info[SSO_PURPOSE_COUNT] = {
    [SSO_PURPOSE_SESSION] = "entra-sso session 1",   [SSO_PURPOSE_STATE] = "entra-sso state 1",
    [SSO_PURPOSE_LOGIN] = "entra-sso login 1",       [SSO_PURPOSE_REFRESH] = "entra-sso refresh 1",
    [SSO_PURPOSE_IDENTITY] = "entra-sso identity 1", [SSO_PURPOSE_ACCESS] = "entra-sso access 1",
    [SSO_PURPOSE_POST] = "entra-sso post 1",         [SSO_PURPOSE_CURSOR] = "entra-sso cursor 1",
    [SSO_PURPOSE_SCIM] = "entra-sso scim 1",
};

/* No purpose of sealing: what is derived by it seals nothing, it becomes a key pair. */
static const char signing_info[] = "entra-sso assertion 1";

typedef struct {
    unsigned char id[KEY_ID_BYTES];
    unsigned char derived[SSO_PURPOSE_COUNT][SSO_KEY_BYTES];
    const sso_signing_key_t *signing;
} ring_key_t;

/* The keys of one reading of the file; never changed. */
typedef struct {
    int count;
    ring_key_t keys[SSO_MAX_RING_KEYS];
} ring_t;

/* What changes when the file does. */
typedef struct {
    _Atomic(const ring_t *) now;
    const sso_handoff_t *handoff; /* NULL: nobody hands over */
    _Atomic uint32_t seen;        /* the generation of `now`, or one that could not be used */
    atomic_flag busy;             /* guards the pool */
    apr_pool_t *pool;             /* of all keys but the first; a process keeps them, some kilobytes for each change */
} live_t;

struct sso_keyring_t {
    live_t *live;
};

/* The file's keys, while it is read; wiped as soon as the derived keys are there. */
typedef struct {
    int count;
    unsigned char ids[SSO_MAX_RING_KEYS][KEY_ID_BYTES];
    unsigned char keys[SSO_MAX_RING_KEYS][SSO_KEY_BYTES];
} masters_t;

static bool key_id_parse(const char *text, unsigned char ret_id[static KEY_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * KEY_ID_BYTES || strspn(text, digits) != 2 * KEY_ID_BYTES) {
        return false;
    }
    for (int i = 0; i < KEY_ID_BYTES; i++) {
        long high = strchr(digits, text[2 * i]) - digits;
        long low = strchr(digits, text[2 * i + 1]) - digits;
        ret_id[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/* The shape of RFC 3339 in UTC. The moment is for people and `entra-sso key`: here it shows that a line is whole. */
static bool created_is_whole(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    if (strlen(text) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        bool good = shape[i] == 'd' ? apr_isdigit(text[i]) != 0 : text[i] == shape[i];
        if (!good) {
            return false;
        }
    }
    return true;
}

/* The next word of a line, cut out in place; NULL at its end. */
static char *word_next(char **line)
{
    char *word = *line + strspn(*line, " \t\r");
    if (*word == '\0') {
        return NULL;
    }
    char *end = word + strcspn(word, " \t\r");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

/* NULL when the line was good, else what is wrong with it. An empty line is good. */
static const char *key_line_parse(apr_pool_t *pool, char *line, masters_t *masters)
{
    const char *kind = word_next(&line);
    if (!kind) {
        return NULL;
    }
    const char *id = word_next(&line);
    const char *key = id ? word_next(&line) : NULL;
    const char *created = key ? word_next(&line) : NULL;
    if (strcmp(kind, "key") != 0 || !created || word_next(&line)) {
        return "it is not \"key <id> <key> <created>\"";
    }
    if (masters->count == SSO_MAX_RING_KEYS) {
        return "there are too many keys";
    }
    if (!key_id_parse(id, masters->ids[masters->count])) {
        return "the id is not 8 lower-case hexadecimal digits";
    }
    if (!created_is_whole(created)) {
        return "the moment of creation is not like 2026-11-23T15:00:00Z";
    }
    apr_size_t len = 0;
    apr_size_t text_len = strlen(key);
    unsigned char *bytes = text_len == KEY_TEXT_LEN ? sso_base64url_decode(pool, key, text_len, &len) : NULL;
    if (!bytes || len != SSO_KEY_BYTES) {
        return "the key is not 43 characters of base64url";
    }
    memcpy(masters->keys[masters->count], bytes, SSO_KEY_BYTES);
    sso_wipe(bytes, len);
    masters->count++;
    return NULL;
}

static sso_rc keyfile_parse(sso_ctx_t *ctx, char *text, const char *path, masters_t *masters)
{
    int number = 0;
    for (char *line = text; line;) {
        char *next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        line[strcspn(line, "#")] = '\0';
        number++;
        const char *wrong = key_line_parse(ctx->pool, line, masters);
        if (wrong) {
            return sso_fail(ctx, SSO_R_KEYFILE_FORMAT, "%s line %d: %s", sso_printable(ctx->pool, path), number, wrong);
        }
        line = next;
    }
    if (masters->count == 0) {
        return sso_fail(ctx, SSO_R_KEYFILE_FORMAT, "%s holds no key", sso_printable(ctx->pool, path));
    }
    return SSO_OK;
}

static bool bytes_are_all_equal(const unsigned char *data, size_t len)
{
    unsigned char differs = 0;
    for (size_t i = 1; i < len; i++) {
        differs |= data[i] ^ data[0];
    }
    return differs == 0;
}

static sso_rc masters_check(sso_ctx_t *ctx, const masters_t *masters, const char *path)
{
    for (int i = 0; i < masters->count; i++) {
        if (bytes_are_all_equal(masters->keys[i], SSO_KEY_BYTES)) {
            return sso_fail(ctx, SSO_R_KEYFILE_WEAK, "%s: key %d of %d is one byte repeated",
                            sso_printable(ctx->pool, path), i + 1, masters->count);
        }
        for (int j = 0; j < i; j++) {
            if (sso_bytes_equal(masters->keys[i], masters->keys[j], SSO_KEY_BYTES) ||
                sso_bytes_equal(masters->ids[i], masters->ids[j], KEY_ID_BYTES)) {
                return sso_fail(ctx, SSO_R_KEYFILE_WEAK, "%s: keys %d and %d are the same, or have one id",
                                sso_printable(ctx->pool, path), j + 1, i + 1);
            }
        }
    }
    return SSO_OK;
}

static sso_rc signing_derive(sso_ctx_t *ctx, apr_pool_t *pool, const unsigned char master[static SSO_KEY_BYTES],
                             const sso_signing_key_t **ret_key)
{
    unsigned char secret[SSO_KEY_BYTES];
    sso_rc rc = sso_derive_key(ctx, master, signing_info, secret);
    if (rc == SSO_OK) {
        rc = sso_signing_key_derive(ctx, pool, secret, ret_key);
    }
    sso_wipe(secret, sizeof(secret));
    return rc;
}

static sso_rc ring_derive(sso_ctx_t *ctx, apr_pool_t *pool, const masters_t *masters, ring_t *ring)
{
    for (int i = 0; i < masters->count; i++) {
        memcpy(ring->keys[i].id, masters->ids[i], KEY_ID_BYTES);
        for (int p = 0; p < SSO_PURPOSE_COUNT; p++) {
            sso_rc rc = sso_derive_key(ctx, masters->keys[i], purpose_info[p], ring->keys[i].derived[p]);
            if (rc != SSO_OK) {
                return rc;
            }
        }
        sso_rc rc = signing_derive(ctx, pool, masters->keys[i], &ring->keys[i].signing);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    ring->count = masters->count;
    return SSO_OK;
}

static sso_rc ring_parse(sso_ctx_t *ctx, apr_pool_t *pool, char *text, const char *path, const ring_t **ret_ring)
{
    masters_t masters = {0};
    sso_rc rc = keyfile_parse(ctx, text, path, &masters);
    if (rc == SSO_OK) {
        rc = masters_check(ctx, &masters, path);
    }
    if (rc == SSO_OK) {
        ring_t *ring = apr_pcalloc(pool, sizeof(*ring));
        sso_wipe_later(pool, ring, sizeof(*ring));
        rc = ring_derive(ctx, pool, &masters, ring);
        if (rc == SSO_OK) {
            *ret_ring = ring;
        }
    }
    sso_wipe(&masters, sizeof(masters));
    return rc;
}

sso_rc sso_keyring_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, const char *path, sso_keyring_t **ret_ring)
{
    const ring_t *keys;
    char *copy = apr_pstrdup(ctx->pool, text);
    sso_rc rc = ring_parse(ctx, pool, copy, path, &keys);
    sso_wipe(copy, strlen(text));
    if (rc != SSO_OK) {
        return rc;
    }
    sso_keyring_t *ring = apr_pcalloc(pool, sizeof(*ring));
    ring->live = apr_pcalloc(pool, sizeof(*ring->live));
    atomic_init(&ring->live->now, keys);
    *ret_ring = ring;
    return SSO_OK;
}

sso_rc sso_keyring_load(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, sso_keyring_t **ret_ring)
{
    const char *text;
    sso_rc rc = sso_keyring_read(ctx, ctx->pool, path, &text);
    return rc != SSO_OK ? rc : sso_keyring_parse(ctx, pool, text, path, ret_ring);
}

static apr_status_t pool_destroy(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

bool sso_keyring_follow(sso_keyring_t *ring, apr_pool_t *pool, const sso_handoff_t *handoff)
{
    live_t *live = ring->live;
    /* Without a parent: it is filled by request threads, while the configuration's pool belongs to none. */
    if (apr_pool_create_unmanaged_ex(&live->pool, apr_pool_abort_get(pool), NULL) != APR_SUCCESS) {
        return false;
    }
    apr_pool_cleanup_register(pool, live->pool, pool_destroy, apr_pool_cleanup_null);
    atomic_flag_clear(&live->busy);
    atomic_store_explicit(&live->seen, sso_handoff_generation(handoff), memory_order_relaxed);
    live->handoff = handoff;
    return true;
}

/* Builds the keys that were handed, by one thread of the process; the others go on with those they have. */
static void ring_renew(sso_ctx_t *ctx, live_t *live)
{
    if (atomic_flag_test_and_set_explicit(&live->busy, memory_order_acquire)) {
        return;
    }
    const unsigned char *text;
    apr_size_t len;
    uint32_t generation = sso_handoff_generation(live->handoff);
    sso_ctx_t own;
    sso_ctx_init(&own, ctx->pool, ctx->now); /* a fault here is none of the request's */
    if (sso_handoff_take(live->handoff, ctx->pool, &text, &len, &generation)) {
        const ring_t *keys;
        /* The writer has judged them. What is refused here all the same is not tried again. */
        if (ring_parse(&own, live->pool, (char *)(uintptr_t)text, "the changed key file", &keys) == SSO_OK) {
            atomic_store_explicit(&live->now, keys, memory_order_release);
        }
    }
    atomic_store_explicit(&live->seen, generation, memory_order_relaxed);
    atomic_flag_clear_explicit(&live->busy, memory_order_release);
}

/* The keys of this moment. They stay where they are as long as the process, so a thread may finish with those that it
 * began with. */
static const ring_t *ring_now(sso_ctx_t *ctx, const sso_keyring_t *ring)
{
    live_t *live = ring->live;
    if (live->handoff &&
        sso_handoff_generation(live->handoff) != atomic_load_explicit(&live->seen, memory_order_relaxed)) {
        ring_renew(ctx, live);
    }
    return atomic_load_explicit(&live->now, memory_order_acquire);
}

int sso_keyring_size(const sso_keyring_t *ring)
{
    return atomic_load_explicit(&ring->live->now, memory_order_acquire)->count;
}

const void *sso_keyring_moment(sso_ctx_t *ctx, const sso_keyring_t *ring)
{
    return ring_now(ctx, ring);
}

int sso_keyring_signing_keys(sso_ctx_t *ctx, const sso_keyring_t *ring,
                             const sso_signing_key_t *ret_keys[static SSO_MAX_RING_KEYS])
{
    const ring_t *keys = ring_now(ctx, ring);
    for (int i = 0; i < keys->count; i++) {
        ret_keys[i] = keys->keys[i].signing;
    }
    return keys->count;
}

static void aad_fill(unsigned char aad[static AAD_BYTES], const ring_key_t *key, sso_purpose_t purpose,
                     const unsigned char binding[static SSO_BINDING_BYTES])
{
    aad[0] = RECORD_VERSION;
    memcpy(aad + 1, key->id, KEY_ID_BYTES);
    aad[1 + KEY_ID_BYTES] = (unsigned char)purpose;
    memcpy(aad + 1 + KEY_ID_BYTES + 1, binding, SSO_BINDING_BYTES);
}

sso_rc sso_seal(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const void *data, apr_size_t len,
                const char **ret_text)
{
    if ((unsigned)purpose >= SSO_PURPOSE_COUNT || len > APR_SIZE_MAX - SSO_SEAL_OVERHEAD) {
        return sso_fail(ctx, SSO_R_CRYPTO, "no such purpose, or too much data");
    }
    const ring_key_t *key = &ring_now(ctx, ring)->keys[0];
    unsigned char *raw = apr_palloc(ctx->pool, SSO_SEAL_OVERHEAD + len);
    raw[0] = RECORD_VERSION;
    memcpy(raw + 1, key->id, KEY_ID_BYTES);
    unsigned char *nonce = raw + 1 + KEY_ID_BYTES;
    sso_rc rc = sso_random(ctx, nonce, SSO_NONCE_BYTES);
    if (rc != SSO_OK) {
        return rc;
    }
    unsigned char aad[AAD_BYTES];
    aad_fill(aad, key, purpose, binding);
    unsigned char *body = raw + HEAD_BYTES;
    rc = sso_aead_encrypt(ctx, key->derived[purpose], nonce, aad, sizeof(aad), data, len, body, body + len);
    if (rc != SSO_OK) {
        return rc;
    }
    *ret_text = sso_base64url(ctx->pool, raw, SSO_SEAL_OVERHEAD + len);
    return SSO_OK;
}

static const ring_key_t *key_find(const ring_t *ring, const unsigned char id[static KEY_ID_BYTES])
{
    for (int i = 0; i < ring->count; i++) {
        if (memcmp(ring->keys[i].id, id, KEY_ID_BYTES) == 0) { /* an id is no secret */
            return &ring->keys[i];
        }
    }
    return NULL;
}

sso_rc sso_open(sso_ctx_t *ctx, const sso_keyring_t *ring, sso_purpose_t purpose,
                const unsigned char binding[static SSO_BINDING_BYTES], const char *text, apr_size_t text_len,
                unsigned char **ret_data, apr_size_t *ret_len)
{
    apr_size_t raw_len = 0;
    unsigned char *raw = sso_base64url_decode(ctx->pool, text, text_len, &raw_len);
    if (!raw || raw_len < SSO_SEAL_OVERHEAD || raw[0] != RECORD_VERSION || (unsigned)purpose >= SSO_PURPOSE_COUNT) {
        return sso_fail(ctx, SSO_R_SEAL_FORMAT, "%lu characters", (unsigned long)text_len);
    }
    const ring_key_t *key = key_find(ring_now(ctx, ring), raw + 1);
    if (!key) {
        return sso_fail(ctx, SSO_R_SEAL_KEY, "key %02x%02x%02x%02x", raw[1], raw[2], raw[3], raw[4]);
    }
    unsigned char aad[AAD_BYTES];
    aad_fill(aad, key, purpose, binding);
    apr_size_t len = raw_len - SSO_SEAL_OVERHEAD;
    unsigned char *body = raw + HEAD_BYTES;
    /* SECURITY: the tag is always the last 16 bytes; a record that was cut has another one there. */
    if (!sso_aead_decrypt(key->derived[purpose], raw + 1 + KEY_ID_BYTES, aad, sizeof(aad), body, len, body,
                          body + len)) {
        return sso_fail(ctx, SSO_R_SEAL_TAG, "key %02x%02x%02x%02x", raw[1], raw[2], raw[3], raw[4]);
    }
    body[len] = '\0'; /* over the tag, which is used up */
    *ret_data = body;
    *ret_len = len;
    return SSO_OK;
}
