/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites the key file. What is there is judged by sso_keyring_load before, and what was written before it takes its
 * place. */
#include "base/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/keyring.h"
#include "base/limits.h"
#include "base/seal.h"

#define ID_BYTES 4

/* One line of the file. */
typedef struct {
    const char *id;
    const char *key;
    apr_time_t created; /* since when it seals; of a prepared one, when it was made */
} entry_t;

typedef struct {
    int count;
    entry_t entries[SSO_MAX_RING_KEYS + 1];
} entries_t;

sso_rc sso_keyfile_text(sso_ctx_t *ctx, const char *path, const char **ret_text)
{
    sso_keyring_t *ring;
    const char *text;
    sso_rc rc = sso_keyring_read(ctx, ctx->pool, path, &text);
    if (rc == SSO_OK) {
        rc = sso_keyring_parse(ctx, ctx->pool, text, path, &ring);
    }
    if (rc == SSO_OK) {
        *ret_text = text;
    }
    return rc;
}

/* The next word of a line, cut out in place; "" at its end. */
static const char *word_next(char **line)
{
    char *word = *line + strspn(*line, " \t\r");
    char *end = word + strcspn(word, " \t\r");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

/* A text that sso_keyring_load has taken; comments are left out. Views into text, which is cut up. For a moment that is
 * none (a 31st of February) stands that of the key before it, or now: so no key goes early. */
static void entries_parse(char *text, apr_time_t now, entries_t *entries)
{
    for (char *line = text; line != NULL && entries->count < SSO_MAX_RING_KEYS;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line[strcspn(line, "#")] = '\0';
        if (*word_next(&line) != '\0') {
            entry_t *entry = &entries->entries[entries->count++];
            apr_time_t before = entries->count > 1 ? entry[-1].created : now;
            entry->id = word_next(&line);
            entry->key = word_next(&line);
            if (!sso_time_parse(word_next(&line), &entry->created)) {
                entry->created = before;
            }
        }
        line = next;
    }
}

static sso_rc entry_make(sso_ctx_t *ctx, apr_time_t created, entry_t *ret_entry)
{
    unsigned char id[ID_BYTES];
    unsigned char key[SSO_KEY_BYTES];
    sso_rc rc = sso_random(ctx, id, sizeof(id));
    if (rc == SSO_OK) {
        rc = sso_random(ctx, key, sizeof(key));
    }
    if (rc != SSO_OK) {
        return rc;
    }
    const char *key_text = sso_base64url(ctx->pool, key, sizeof(key));
    sso_wipe(key, sizeof(key));
    sso_wipe_later(ctx->pool, (void *)(uintptr_t)key_text, strlen(key_text));
    *ret_entry = (entry_t){sso_hex(ctx->pool, id, sizeof(id)), key_text, created};
    return SSO_OK;
}

/* ---- the file ---- */

/* One rotation at a time; the lock goes with the descriptor. */
static sso_rc keyfile_lock(sso_ctx_t *ctx, const char *path, int *ret_fd)
{
    const char *lock = apr_pstrcat(ctx->pool, path, ".lock", NULL);
    int fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        int err = errno;
        return sso_fail(ctx, SSO_R_KEYFILE_WRITE, "%s: %s", sso_printable(ctx->pool, lock),
                        sso_errno_text(ctx->pool, err));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return sso_fail(ctx, SSO_R_KEYFILE_BUSY, "%s is locked", sso_printable(ctx->pool, lock));
    }
    *ret_fd = fd;
    return SSO_OK;
}

static sso_rc entries_write(sso_ctx_t *ctx, const char *path, const entries_t *entries)
{
    unsigned char suffix[8];
    sso_keyring_t *ring;
    char *text = apr_pcalloc(ctx->pool, SSO_MAX_KEYFILE);
    sso_wipe_later(ctx->pool, text, SSO_MAX_KEYFILE);
    apr_size_t len =
        (apr_size_t)apr_snprintf(text, SSO_MAX_KEYFILE,
                                 "# Keys of mod_entra_sso's cookies: whoever can read them can sign in as anyone.\n"
                                 "# The first key seals, all open. Nodes behind one balancer share this file.\n");
    for (int i = 0; i < entries->count; i++) {
        const entry_t *entry = &entries->entries[i];
        len += (apr_size_t)apr_snprintf(text + len, SSO_MAX_KEYFILE - len, "key %s %s %s\n", entry->id, entry->key,
                                        sso_time_print(ctx->pool, entry->created));
    }
    sso_rc rc = sso_random(ctx, suffix, sizeof(suffix));
    if (rc != SSO_OK) {
        return rc;
    }
    const char *aside = apr_pstrcat(ctx->pool, path, ".", sso_hex(ctx->pool, suffix, sizeof(suffix)), NULL);
    int err = sso_file_make(aside, text);
    /* What httpd would not start with never takes the place of what it runs with. */
    rc = err == 0 ? sso_keyring_load(ctx, ctx->pool, aside, &ring) : SSO_OK;
    if (err == 0 && rc == SSO_OK && rename(aside, path) != 0) {
        err = errno;
    }
    if (err != 0 || rc != SSO_OK) {
        unlink(aside);
    } else {
        err = sso_file_sync_folder(ctx->pool, path);
    }
    return err == 0 ? rc
                    : sso_fail(ctx, SSO_R_KEYFILE_WRITE, "%s: %s", sso_printable(ctx->pool, path),
                               sso_errno_text(ctx->pool, err));
}

/* ---- rotation ---- */

/* A key that was made after the first began to seal, and stands last, waits for its turn. */
static bool has_prepared(const entries_t *entries)
{
    return entries->count > 1 && entries->entries[entries->count - 1].created > entries->entries[0].created;
}

static sso_rc rotate(sso_ctx_t *ctx, const char *path, const entries_t *old, apr_interval_time_t keep,
                     sso_rotation_t *ret_rotation)
{
    entries_t entries = {.count = 1};
    sso_rotation_t rotation = {.was_prepared = has_prepared(old)};
    int rest = old->count - (rotation.was_prepared ? 1 : 0);
    /* Never before the one that it follows, whatever the clock says: the order of moments is the order of keys. */
    apr_time_t begins = ctx->now > old->entries[0].created ? ctx->now : old->entries[0].created;
    sso_rc rc = SSO_OK;
    if (rotation.was_prepared) {
        entries.entries[0] = old->entries[old->count - 1];
        entries.entries[0].created = begins;
    } else {
        rc = entry_make(ctx, begins, &entries.entries[0]);
    }
    for (int i = 0; rc == SSO_OK && i < rest; i++) {
        /* The first seals until now, another until the one before it began to. */
        if (i > 0 && old->entries[i - 1].created < ctx->now - keep) {
            rotation.dropped++;
        } else if (entries.count == SSO_MAX_RING_KEYS) {
            rc = sso_fail(ctx, SSO_R_KEYFILE_FULL, "%d keys within the life of a session", SSO_MAX_RING_KEYS);
        } else {
            entries.entries[entries.count++] = old->entries[i];
        }
    }
    if (rc == SSO_OK) {
        rc = entries_write(ctx, path, &entries);
    }
    rotation.id = entries.entries[0].id;
    rotation.kept = entries.count - 1;
    if (rc == SSO_OK) {
        *ret_rotation = rotation;
    }
    return rc;
}

static sso_rc prepare(sso_ctx_t *ctx, const char *path, entries_t *entries, sso_rotation_t *ret_rotation)
{
    entry_t *last = &entries->entries[entries->count - 1];
    sso_rotation_t rotation = {.id = last->id, .was_prepared = has_prepared(entries), .kept = entries->count - 1};
    if (!rotation.was_prepared) {
        const apr_time_t first = entries->entries[0].created + apr_time_from_sec(1);
        if (entries->count == SSO_MAX_RING_KEYS) {
            return sso_fail(ctx, SSO_R_KEYFILE_FULL, "%d keys", SSO_MAX_RING_KEYS);
        }
        sso_rc rc = entry_make(ctx, ctx->now > first ? ctx->now : first, last + 1);
        if (rc == SSO_OK) {
            entries->count++;
            rc = entries_write(ctx, path, entries);
        }
        if (rc != SSO_OK) {
            return rc;
        }
        rotation.id = last[1].id;
        rotation.kept = entries->count - 1;
    }
    *ret_rotation = rotation;
    return SSO_OK;
}

/* Under the lock: keep < 0 prepares. */
static sso_rc change(sso_ctx_t *ctx, const char *path, apr_interval_time_t keep, sso_rotation_t *ret_rotation)
{
    int lock = -1;
    const char *text;
    entries_t entries = {.count = 0};
    sso_rc rc = keyfile_lock(ctx, path, &lock);
    if (rc != SSO_OK) {
        return rc;
    }
    rc = sso_keyfile_text(ctx, path, &text);
    if (rc == SSO_OK) {
        char *copy = apr_pstrdup(ctx->pool, text);
        sso_wipe_later(ctx->pool, copy, strlen(text));
        entries_parse(copy, ctx->now, &entries);
        rc = keep < 0 ? prepare(ctx, path, &entries, ret_rotation) : rotate(ctx, path, &entries, keep, ret_rotation);
    }
    close(lock);
    return rc;
}

sso_rc sso_keyfile_rotate(sso_ctx_t *ctx, const char *path, apr_interval_time_t keep, sso_rotation_t *ret_rotation)
{
    return change(ctx, path, keep, ret_rotation);
}

sso_rc sso_keyfile_prepare(sso_ctx_t *ctx, const char *path, sso_rotation_t *ret_rotation)
{
    return change(ctx, path, -1, ret_rotation);
}
