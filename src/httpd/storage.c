/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of the embedded database, and the store of each process. Never opens a database before the fork. */
#include "build_config.h"

#include "httpd/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <http_config.h>
#include <http_log.h>
#include <unixd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "directory/token.h"
#include "httpd/log.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

#define PURGE_EVERY apr_time_from_sec(60 * 60)
/* The first soon after the start, so that a server that is often restarted purges too; but not while it is busy. */
#define PURGE_FIRST apr_time_from_sec(5 * 60)

const char *sso_storage_user(void)
{
    return ap_unixd_config.user_name == NULL ? "httpd's user" : ap_unixd_config.user_name;
}

/* Becomes the children's user for good. False when this process may not. */
static bool become_child_user(void)
{
    const char *name = ap_unixd_config.user_name;
    int groups = name != NULL && *name != '#' ? initgroups(name, ap_unixd_config.group_id) : setgroups(0, NULL);
    return groups == 0 && setgid(ap_unixd_config.group_id) == 0 && setuid(ap_unixd_config.user_id) == 0;
}

bool sso_storage_can_use(const char *path, int mode)
{
    if (geteuid() != 0) {
        return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        /* Where no other user can be become (some containers), httpd will say so itself. */
        _exit(!become_child_user() || faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : 1);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return true;
        }
    }
    return pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

/* Gives 0, or errno. SECURITY: what is given away is what was opened, and nothing that stands in its place by then. */
static int make_folder(const char *path)
{
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
        return errno;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int err = 0;
    if (fchmod(fd, S_IRWXU) != 0 ||
        (geteuid() == 0 && fchown(fd, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0)) {
        err = errno;
    }
    close(fd);
    return err;
}

void sso_storage_make_folders(apr_pool_t *ptemp, server_rec *main_server)
{
    apr_hash_t *done = apr_hash_make(ptemp);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->database.folder == NULL ||
            apr_hash_get(done, site->database.folder, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        apr_hash_set(done, site->database.folder, APR_HASH_KEY_STRING, site);
        int err = make_folder(site->database.folder);
        if (err != 0) {
            ap_log_error(APLOG_MARK, APLOG_ERR, err, s,
                         "ENTRA2060: the folder %s of the database cannot be made or given to %s; sign-ins will fail, "
                         "sessions go on",
                         site->database.folder, sso_storage_user());
        }
    }
}

void sso_storage_child_init(apr_pool_t *pchild, server_rec *main_server)
{
    apr_hash_t *made = apr_hash_make(pchild);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL) {
            continue;
        }
        sso_store_t *store = apr_hash_get(made, site->database.source, APR_HASH_KEY_STRING);
        sso_ctx_t ctx;
        sso_log_server_ctx_init(&ctx, pchild, s);
        if (store == NULL &&
            sso_store_make(&ctx, pchild, site->database.driver, site->database.params, &store) != SSO_OK) {
            sso_log_server_fault(s, &ctx);
            continue;
        }
        apr_hash_set(made, site->database.source, APR_HASH_KEY_STRING, store);
        site->site.store = store;
    }
}

void sso_storage_tick(apr_pool_t *pool, server_rec *main_server, apr_time_t *purge_due)
{
    const apr_time_t now = sso_clock_now();
    if (*purge_due == 0 || *purge_due > now + PURGE_EVERY) {
        *purge_due = now + PURGE_FIRST; /* just started, or the clock was set back */
    }
    if (now < *purge_due) {
        return;
    }
    *purge_due = now + PURGE_EVERY;
    apr_hash_t *done = apr_hash_make(pool);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || site->site.store == NULL ||
            apr_hash_get(done, site->database.source, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        sso_ctx_t ctx;
        apr_hash_set(done, site->database.source, APR_HASH_KEY_STRING, site);
        sso_log_server_ctx_init(&ctx, pool, s);
        if (sso_store_purge(&ctx, site->site.store) != SSO_OK || sso_scim_purge(&ctx, site->site.store) != SSO_OK) {
            sso_log_server_fault(s, &ctx);
        } else {
            ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s,
                         "ENTRA2061: rows of the database whose time is over are deleted");
        }
    }
}
