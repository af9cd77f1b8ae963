/* SPDX-License-Identifier: Apache-2.0 */
/* The key file on disk: who may read it, and how it comes into being. What stands in it is judged in base/seal.c. */
#include "base/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/limits.h"

#define KEY_ID_BYTES 4

/* Checks what is behind the descriptor, so that nothing can be put in its place between check and use. */
static sso_rc keyfile_check(sso_ctx_t *ctx, int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int err = errno;
        return sso_fail(ctx, SSO_R_KEYFILE_ACCESS, "%s: %s", sso_printable(ctx->pool, path),
                        sso_errno_text(ctx->pool, err));
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
        return sso_fail(ctx, rc, "%s: %s", sso_printable(ctx->pool, path), sso_errno_text(ctx->pool, err));
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
static ssize_t descriptor_read(int fd, char *text, size_t max)
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

sso_rc sso_keyring_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, const char **ret_text)
{
    int fd = -1;
    sso_rc rc = keyfile_open(ctx, path, &fd);
    if (rc != SSO_OK) {
        return rc;
    }
    char *text = apr_pcalloc(pool, SSO_MAX_KEYFILE + 2);
    sso_wipe_later(pool, text, SSO_MAX_KEYFILE + 2);
    ssize_t len = descriptor_read(fd, text, SSO_MAX_KEYFILE + 1);
    int err = errno;
    close(fd);
    if (len < 0) {
        return sso_fail(ctx, SSO_R_KEYFILE_ACCESS, "%s: %s", sso_printable(ctx->pool, path),
                        sso_errno_text(ctx->pool, err));
    }
    if (len > SSO_MAX_KEYFILE || memchr(text, '\0', (size_t)len)) {
        return sso_fail(ctx, SSO_R_KEYFILE_FORMAT, "%s is larger than %d bytes, or no text",
                        sso_printable(ctx->pool, path), SSO_MAX_KEYFILE);
    }
    *ret_text = text;
    return SSO_OK;
}

/* Writes text to a new file aside and links it to path, which fails when path is there: unlike rename, and unlike
 * making path itself, of which another maker could read a half. Gives 0, or errno. */
static int file_link_new(const char *aside, const char *path, const char *text)
{
    int err = sso_file_make(aside, text);
    if (err != 0) {
        return err;
    }
    if (link(aside, path) != 0) {
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
        return sso_fail(ctx, SSO_R_KEYFILE_WRITE, "%s: %s", sso_printable(ctx->pool, path),
                        sso_errno_text(ctx->pool, err));
    }
    /* What cannot be synced stays as it is. */
    (void)sso_file_sync_folder(ctx->pool, path);
    *ret_made = err == 0;
    return SSO_OK;
}
