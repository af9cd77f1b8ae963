/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed records and the key file behind them; no key ever leaves this file, and nothing about a record is negotiable.
 */
#include "base/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
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
    [SSO_PURPOSE_POST] = "entra-sso post 1",
};

/* No purpose of sealing: what is derived by it seals nothing, it becomes a key pair. */
static const char signing_info[] = "entra-sso assertion 1";

typedef struct {
    unsigned char id[KEY_ID_BYTES];
    unsigned char derived[SSO_PURPOSE_COUNT][SSO_KEY_BYTES];
    const sso_signing_key_t *signing;
} ring_key_t;

struct sso_keyring_t {
    int count;
    ring_key_t keys[SSO_MAX_RING_KEYS];
};

/* The file's keys, while it is read; wiped as soon as the derived keys are there. */
typedef struct {
    int count;
    unsigned char ids[SSO_MAX_RING_KEYS][KEY_ID_BYTES];
    unsigned char keys[SSO_MAX_RING_KEYS][SSO_KEY_BYTES];
} masters_t;

/* Checks what is behind the descriptor, so that nothing can be put in its place between check and use. */
static sso_rc keyfile_check(sso_ctx_t *ctx, int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int err = errno;
        return sso_fail(ctx, SSO_R_KEYFILE_ACCESS, "%s: %s", sso_printable(ctx->pool, path), strerror(err));
    }
    if (!S_ISREG(st.st_mode)) {
        return sso_fail(ctx, SSO_R_KEYFILE_MODE, "%s is no regular file", sso_printable(ctx->pool, path));
    }
    if (st.st_uid != geteuid()) {
        return sso_fail(ctx, SSO_R_KEYFILE_MODE, "%s belongs to user %lu, we are %lu", sso_printable(ctx->pool, path),
                        (unsigned long)st.st_uid, (unsigned long)geteuid());
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return sso_fail(ctx, SSO_R_KEYFILE_MODE, "%s has mode %04o, wanted 0600", sso_printable(ctx->pool, path),
                        (unsigned)(st.st_mode & 07777));
    }
    if (st.st_size > SSO_MAX_KEYFILE) {
        return sso_fail(ctx, SSO_R_KEYFILE_FORMAT, "%s is larger than %d bytes", sso_printable(ctx->pool, path),
                        SSO_MAX_KEYFILE);
    }
    return SSO_OK;
}

static sso_rc keyfile_open(sso_ctx_t *ctx, const char *path, int *ret_fd)
{
    /* O_NONBLOCK: a FIFO in its place must not hold up the start. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        int err = errno;
        sso_rc rc = SSO_R_KEYFILE_ACCESS;
        if (err == ENOENT) {
            rc = SSO_R_KEYFILE_MISSING;
        } else if (err == ELOOP) {
            rc = SSO_R_KEYFILE_MODE; /* a symbolic link */
        }
        return sso_fail(ctx, rc, "%s: %s", sso_printable(ctx->pool, path), strerror(err));
    }
    sso_rc rc = keyfile_check(ctx, fd, path);
    if (rc != SSO_OK) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return SSO_OK;
}

/* Reads at most max bytes and puts a NUL behind them; text has room for max + 1. The result is max when there may be
 * more, -1 on failure. */
static ssize_t keyfile_read(int fd, char *text, size_t max)
{
    size_t len = 0;
    while (len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    text[len] = '\0';
    return (ssize_t)len;
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
    if (!sso_hex_decode(id, masters->ids[masters->count], KEY_ID_BYTES)) {
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

static sso_rc ring_derive(sso_ctx_t *ctx, apr_pool_t *pool, const masters_t *masters, sso_keyring_t *ring)
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

static sso_rc ring_parse(sso_ctx_t *ctx, apr_pool_t *pool, char *text, const char *path, sso_keyring_t **ret_ring)
{
    masters_t masters = {0};
    sso_rc rc = keyfile_parse(ctx, text, path, &masters);
    if (rc == SSO_OK) {
        rc = masters_check(ctx, &masters, path);
    }
    if (rc == SSO_OK) {
        sso_keyring_t *ring = apr_pcalloc(pool, sizeof(*ring));
        sso_wipe_later(pool, ring, sizeof(*ring));
        rc = ring_derive(ctx, pool, &masters, ring);
        if (rc == SSO_OK) {
            *ret_ring = ring;
        }
    }
    sso_wipe(&masters, sizeof(masters));
    return rc;
}

sso_rc sso_keyring_load(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, sso_keyring_t **ret_ring)
{
    int fd = -1;
    sso_rc rc = keyfile_open(ctx, path, &fd);
    if (rc != SSO_OK) {
        return rc;
    }
    char text[SSO_MAX_KEYFILE + 2];
    ssize_t len = keyfile_read(fd, text, SSO_MAX_KEYFILE + 1);
    int err = errno;
    close(fd);
    if (len < 0) {
        rc = sso_fail(ctx, SSO_R_KEYFILE_ACCESS, "%s: %s", sso_printable(ctx->pool, path), strerror(err));
    } else if (len > SSO_MAX_KEYFILE || memchr(text, '\0', (size_t)len)) {
        rc = sso_fail(ctx, SSO_R_KEYFILE_FORMAT, "%s is larger than %d bytes, or no text",
                      sso_printable(ctx->pool, path), SSO_MAX_KEYFILE);
    } else {
        rc = ring_parse(ctx, pool, text, path, ret_ring);
    }
    sso_wipe(text, sizeof(text));
    return rc;
}

int sso_keyring_size(const sso_keyring_t *ring)
{
    return ring->count;
}

int sso_keyring_signing_keys(const sso_keyring_t *ring, const sso_signing_key_t *ret_keys[static SSO_MAX_RING_KEYS])
{
    for (int i = 0; i < ring->count; i++) {
        ret_keys[i] = ring->keys[i].signing;
    }
    return ring->count;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The name in path's folder must outlive a power cut as well as the bytes do. What cannot be synced stays as it is. */
static void folder_sync(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = ".";
    if (slash) {
        folder = slash == path ? "/" : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

/* Writes text to a new file aside and links it to path, which fails when path is there: unlike rename, and unlike
 * making path itself, of which another maker could read a half. Gives 0, or errno. */
static int file_link_new(const char *aside, const char *path, const char *text)
{
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return errno;
    }
    int err = 0;
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || !write_all(fd, text, strlen(text)) || fsync(fd) != 0) {
        err = errno;
    }
    if (close(fd) != 0 && err == 0) {
        err = errno;
    }
    if (err == 0 && link(aside, path) != 0) {
        err = errno;
    }
    unlink(aside);
    return err;
}

/* A key file with one new key; the caller wipes it. */
static sso_rc keyfile_print(sso_ctx_t *ctx, char *text, size_t max)
{
    unsigned char id[KEY_ID_BYTES];
    unsigned char key[SSO_KEY_BYTES];
    sso_rc rc = sso_random(ctx, id, sizeof(id));
    if (rc == SSO_OK) {
        rc = sso_random(ctx, key, sizeof(key));
    }
    if (rc != SSO_OK) {
        return rc;
    }
    const char *key_text = sso_base64url(ctx->pool, key, sizeof(key));
    apr_snprintf(text, max,
                 "# Keys of mod_entra_sso's cookies: whoever can read them can sign in as anyone.\n"
                 "# The first key seals, all open. Nodes behind one balancer share this file.\n"
                 "key %s %s %s\n",
                 sso_hex(ctx->pool, id, sizeof(id)), key_text, sso_time_print(ctx->pool, ctx->now));
    sso_wipe(key, sizeof(key));
    sso_wipe_later(ctx->pool, (void *)(uintptr_t)key_text, strlen(key_text));
    return SSO_OK;
}

sso_rc sso_keyring_make(sso_ctx_t *ctx, const char *path, bool *ret_made)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        *ret_made = false; /* whether it is a good one is for sso_keyring_load to say */
        return SSO_OK;
    }
    unsigned char suffix[8];
    sso_rc rc = sso_random(ctx, suffix, sizeof(suffix));
    if (rc != SSO_OK) {
        return rc;
    }
    char text[512];
    rc = keyfile_print(ctx, text, sizeof(text));
    if (rc != SSO_OK) {
        return rc;
    }
    const char *aside = apr_pstrcat(ctx->pool, path, ".", sso_hex(ctx->pool, suffix, sizeof(suffix)), NULL);
    int err = file_link_new(aside, path, text);
    sso_wipe(text, sizeof(text));
    if (err != 0 && err != EEXIST) {
        return sso_fail(ctx, SSO_R_KEYFILE_WRITE, "%s: %s", sso_printable(ctx->pool, path), strerror(err));
    }
    folder_sync(ctx->pool, path);
    *ret_made = err == 0;
    return SSO_OK;
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
    const ring_key_t *key = &ring->keys[0];
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

static const ring_key_t *key_find(const sso_keyring_t *ring, const unsigned char id[static KEY_ID_BYTES])
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
    const ring_key_t *key = key_find(ring, raw + 1);
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
