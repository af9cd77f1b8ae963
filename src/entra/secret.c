/* SPDX-License-Identifier: Apache-2.0 */
/* Reads secrets from files, commands, the environment and systemd credentials; no secret ever enters a detail text. */
#include "entra/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"

/* A command has this long to answer, so that a hanging one cannot hold up a start for ever. */
#define COMMAND_TIMEOUT apr_time_from_sec(30)

/* What a file may hold and who may read it. */
typedef enum { FILE_SECRET, FILE_PUBLIC_TOKEN, FILE_SECRET_PEM, FILE_PUBLIC_PEM } file_kind_t;

static bool is_public(file_kind_t kind)
{
    return kind == FILE_PUBLIC_TOKEN || kind == FILE_PUBLIC_PEM;
}

static bool has_lines(file_kind_t kind)
{
    return kind == FILE_SECRET_PEM || kind == FILE_PUBLIC_PEM;
}

/* Cuts white space around len bytes of buffer and judges the rest. The buffer has room for a NUL. */
static sso_rc secret_cut(sso_ctx_t *ctx, char *buffer, apr_size_t len, const char *source, bool lines,
                         const char **ret_secret)
{
    buffer[len] = '\0';
    while (len > 0 && apr_isspace(buffer[len - 1])) {
        buffer[--len] = '\0';
    }
    char *start = buffer;
    while (apr_isspace(*start)) {
        start++;
        len--;
    }
    if (len == 0) {
        return sso_fail(ctx, SSO_R_SECRET_EMPTY, "%s gives nothing", source);
    }
    if (strlen(start) != len || (!lines && sso_has_control(start))) {
        return sso_fail(ctx, SSO_R_SECRET_EMPTY, "%s holds control characters", source);
    }
    *ret_secret = start;
    return SSO_OK;
}

/* A buffer one byte larger than any secret, so that too much can be told from just enough; and room for a NUL. */
static char *secret_buffer(apr_pool_t *pool)
{
    char *buffer = apr_pcalloc(pool, SSO_MAX_SECRET + 2);
    sso_wipe_later(pool, buffer, SSO_MAX_SECRET + 2);
    return buffer;
}

/* Bytes read, at most SSO_MAX_SECRET + 1; -1 on trouble. */
static ssize_t descriptor_read(int fd, char *buffer)
{
    size_t len = 0;
    while (len < SSO_MAX_SECRET + 1) {
        ssize_t got = read(fd, buffer + len, SSO_MAX_SECRET + 1 - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static sso_rc open_file_read(sso_ctx_t *ctx, int fd, const char *path, file_kind_t kind, char *buffer,
                             const char **ret_secret)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "%s is no regular file", path);
    }
    /* SECURITY: who can read the secret is this application, for Entra. */
    if (!is_public(kind) && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return sso_fail(ctx, SSO_R_SECRET_MODE, "%s has mode %04o", path, (unsigned)(info.st_mode & 07777));
    }
    ssize_t len = descriptor_read(fd, buffer);
    if (len < 0) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "%s cannot be read: %s", path, sso_errno_text(ctx->pool, errno));
    }
    if (len > SSO_MAX_SECRET) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "%s is larger than %d bytes", path, SSO_MAX_SECRET);
    }
    return secret_cut(ctx, buffer, (apr_size_t)len, path, has_lines(kind), ret_secret);
}

static sso_rc bounded_file_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, file_kind_t kind,
                                const char **ret_secret)
{
    /* Links are followed: Kubernetes and systemd hand out secrets through them. O_NONBLOCK is for pipes. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "%s cannot be opened: %s", path, sso_errno_text(ctx->pool, errno));
    }
    sso_rc rc = open_file_read(ctx, fd, path, kind, secret_buffer(pool), ret_secret);
    close(fd);
    return rc;
}

sso_rc sso_secret_file(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, bool may_be_public, const char **ret_secret)
{
    return bounded_file_read(ctx, pool, path, may_be_public ? FILE_PUBLIC_TOKEN : FILE_SECRET, ret_secret);
}

sso_rc sso_pem_file(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, bool may_be_public, const char **ret_pem)
{
    return bounded_file_read(ctx, pool, path, may_be_public ? FILE_PUBLIC_PEM : FILE_SECRET_PEM, ret_pem);
}

/* Reads a command's output until it closes it. False when it is too long or too slow; then the command is killed. */
static bool output_read(apr_proc_t *proc, char *buffer, apr_size_t *ret_len)
{
    apr_time_t deadline = sso_clock_now() + COMMAND_TIMEOUT;
    apr_size_t len = 0;
    while (len <= SSO_MAX_SECRET) {
        apr_interval_time_t rest = deadline - sso_clock_now();
        apr_size_t got = SSO_MAX_SECRET + 1 - len;
        apr_file_pipe_timeout_set(proc->out, rest > 0 ? rest : 1);
        apr_status_t status = rest > 0 ? apr_file_read(proc->out, buffer + len, &got) : APR_TIMEUP;
        if (APR_STATUS_IS_EOF(status)) {
            *ret_len = len;
            return true;
        }
        if (status != APR_SUCCESS) {
            break;
        }
        len += got;
    }
    apr_proc_kill(proc, SIGKILL);
    return false;
}

/* No shell: the command's words are its program and arguments, as in httpd's own exec: settings. */
static sso_rc command_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *command, const char **ret_secret)
{
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    char **argv = NULL;
    apr_procattr_t *attr;
    apr_proc_t proc;
    char *buffer = secret_buffer(pool);
    apr_size_t len = 0;
    sso_rc rc;
    if (apr_tokenize_to_argv(command, &argv, scratch) != APR_SUCCESS || argv[0] == NULL ||
        apr_procattr_create(&attr, scratch) != APR_SUCCESS ||
        apr_procattr_io_set(attr, APR_NO_FILE, APR_FULL_BLOCK, APR_NO_PIPE) != APR_SUCCESS ||
        apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV) != APR_SUCCESS ||
        apr_procattr_error_check_set(attr, 1) != APR_SUCCESS ||
        apr_proc_create(&proc, argv[0], (const char *const *)argv, NULL, attr, scratch) != APR_SUCCESS) {
        rc = sso_fail(ctx, SSO_R_SECRET_SOURCE, "the command of exec: cannot be started; it needs a full path");
    } else {
        bool good = output_read(&proc, buffer, &len);
        int code = -1;
        apr_exit_why_e why = APR_PROC_SIGNAL;
        apr_file_close(proc.out);
        apr_proc_wait(&proc, &code, &why, APR_WAIT);
        if (!good) {
            rc = sso_fail(ctx, SSO_R_SECRET_SOURCE, "the command of exec: writes too much, or takes too long");
        } else if (why != APR_PROC_EXIT || code != 0) {
            rc = sso_fail(ctx, SSO_R_SECRET_SOURCE, "the command of exec: failed with %d", code);
        } else {
            rc = secret_cut(ctx, buffer, len, "the command of exec:", false, ret_secret);
        }
    }
    apr_pool_destroy(scratch);
    return rc;
}

/* A value that is text already. */
static sso_rc text_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, const char *source, const char **ret_secret)
{
    apr_size_t len = strlen(text);
    if (len > SSO_MAX_SECRET) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "%s is larger than %d bytes", source, SSO_MAX_SECRET);
    }
    char *buffer = apr_pstrmemdup(pool, text, len);
    sso_wipe_later(pool, buffer, len);
    return secret_cut(ctx, buffer, len, source, false, ret_secret);
}

static sso_rc environment_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *name, const char **ret_secret)
{
    const char *value = getenv(name);
    if (value == NULL) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "the environment has no %s", name);
    }
    return text_read(ctx, pool, value, apr_pstrcat(ctx->pool, "env:", name, NULL), ret_secret);
}

/* systemd's LoadCredential= (systemd.exec(5)). */
static sso_rc credential_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *name, const char **ret_secret)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (directory == NULL || directory[0] == '\0') {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "CREDENTIALS_DIRECTORY is not set, so systemd gave no credentials");
    }
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return sso_fail(ctx, SSO_R_SECRET_SOURCE, "credential:%s is no name of a credential", name);
    }
    return sso_secret_file(ctx, pool, apr_pstrcat(pool, directory, "/", name, NULL), false, ret_secret);
}

const char *sso_secret_path(apr_pool_t *pool, const char *source)
{
    if (strncmp(source, "file:", 5) == 0) {
        return apr_pstrdup(pool, source + 5);
    }
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (directory != NULL && strncmp(source, "credential:", 11) == 0) {
        return apr_pstrcat(pool, directory, "/", source + 11, NULL);
    }
    return NULL;
}

static sso_rc file_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, const char **ret_secret)
{
    return sso_secret_file(ctx, pool, path, false, ret_secret);
}

sso_rc sso_secret_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *source, const char **ret_secret, bool *ret_literal)
{
    static const struct {
        const char *prefix;
        sso_rc (*read)(sso_ctx_t *, apr_pool_t *, const char *, const char **);
    } sources[] = {
        {"file:", file_read},
        {"exec:", command_read},
        {"env:", environment_read},
        {"credential:", credential_read},
    };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        size_t len = strlen(sources[i].prefix);
        if (strncmp(source, sources[i].prefix, len) == 0) {
            sso_rc rc = sources[i].read(ctx, pool, source + len, ret_secret);
            if (rc == SSO_OK) {
                *ret_literal = false;
            }
            return rc;
        }
    }
    sso_rc rc = text_read(ctx, pool, source, "the value itself", ret_secret);
    if (rc == SSO_OK) {
        *ret_literal = true;
    }
    return rc;
}
