/* SPDX-License-Identifier: Apache-2.0 */
/* A line for each ending: the session's id, and until when it must be remembered, in microseconds. */
#include "session/unwritten.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/limits.h"

#define HEX (2 * SSO_SESSION_ID_BYTES)
#define DIGITS 19 /* of the largest moment */
#define LINE (HEX + 1 + DIGITS + 1)

static sso_rc fail(sso_ctx_t *ctx, const char *path, int err)
{
    return sso_fail(ctx, SSO_R_UNWRITTEN_FILE, "%s: %s", sso_printable(ctx->pool, path),
                    sso_errno_text(ctx->pool, err));
}

static const char *entries_print(apr_pool_t *pool, const apr_array_header_t *entries)
{
    char *text = apr_palloc(pool, (apr_size_t)entries->nelts * LINE + 1);
    char *end = text;
    for (int i = 0; i < entries->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(entries, i, sso_store_ended_t);
        end += apr_snprintf(end, LINE + 1, "%s %" APR_TIME_T_FMT "\n", sso_hex(pool, entry->id, sizeof(entry->id)),
                            entry->until);
    }
    *end = '\0';
    return text;
}

/* Gives 0, or errno. */
static int replace(apr_pool_t *pool, const char *path, const char *text)
{
    const char *aside = apr_pstrcat(pool, path, ".new", NULL);
    /* One of a process that died on the way. */
    (void)unlink(aside);
    int err = sso_file_make(aside, text);
    if (err == 0 && rename(aside, path) != 0) {
        err = errno;
        (void)unlink(aside);
    }
    return err == 0 ? sso_file_sync_folder(pool, path) : err;
}

/* Gives 0, or errno. A read-only file system refuses to remove even what is not there: so that is asked first. */
static int remove_any(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && unlink(path) == 0) {
        return 0;
    }
    return errno == ENOENT ? 0 : errno;
}

sso_rc sso_unwritten_save(sso_ctx_t *ctx, sso_ended_t *ended, const char *path)
{
    apr_array_header_t *pending = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    sso_ended_pending(ended, ctx->now, pending);
    int err = pending->nelts != 0 ? replace(ctx->pool, path, entries_print(ctx->pool, pending)) : remove_any(path);
    return err == 0 ? SSO_OK : fail(ctx, path, err);
}

static bool line_parse(char *line, sso_store_ended_t *entry)
{
    char *moment = line + HEX + 1;
    apr_size_t len = strlen(line);
    if (len < HEX + 3 || line[len - 1] != '\n' || line[HEX] != ' ') {
        return false;
    }
    line[len - 1] = line[HEX] = '\0';
    return sso_hex_decode(line, entry->id, sizeof(entry->id)) && sso_integer_parse(moment, &entry->until);
}

/* SECURITY: what is read is what was opened: a file of our own, no link. Gives NULL with errno. */
static FILE *file_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & S_IWOTH) != 0) {
        close(fd);
        errno = EACCES;
        return NULL;
    }
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        close(fd);
    }
    return file;
}

/* Gives the number of lines that are none of ours. */
static int lines_take(sso_ctx_t *ctx, sso_ended_t *ended, FILE *file, int *taken)
{
    char line[LINE + 1];
    int bad = 0;
    for (unsigned i = 0; i < SSO_ENDED_SLOTS && fgets(line, sizeof(line), file) != NULL; i++) {
        sso_store_ended_t entry;
        if (!line_parse(line, &entry)) {
            bad++;
        } else if (entry.until > ctx->now) {
            (void)sso_ended_add(ended, entry.id, entry.until, true, ctx->now);
            (*taken)++;
        }
    }
    return bad;
}

sso_rc sso_unwritten_read(sso_ctx_t *ctx, sso_ended_t *ended, const char *path, int *ret_taken)
{
    *ret_taken = 0;
    FILE *file = file_open(path);
    if (file == NULL) {
        return errno == ENOENT ? SSO_OK : fail(ctx, path, errno);
    }
    int bad = lines_take(ctx, ended, file, ret_taken);
    bool broken = ferror(file) != 0;
    (void)fclose(file);
    if (broken) {
        return fail(ctx, path, EIO);
    }
    return bad == 0
               ? SSO_OK
               : sso_fail(ctx, SSO_R_UNWRITTEN_FILE, "%s: %d lines are damaged", sso_printable(ctx->pool, path), bad);
}
