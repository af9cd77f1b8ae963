/* SPDX-License-Identifier: Apache-2.0 */
/* Where the sessions' rows are, and whether httpd's children can get at them. */
#include "build_config.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <http_core.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "httpd/draft.h"
#include "httpd/storage.h"
#include "session/database.h"

/* Of path and the folders above it the uppermost one that the children cannot pass; NULL: they can pass all. */
static const char *closed_folder(apr_pool_t *pool, const char *path)
{
    for (const char *end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
        const char *above = apr_pstrmemdup(pool, path, (apr_size_t)(end - path));
        if (!sso_storage_can_use(above, X_OK)) {
            return above;
        }
    }
    return sso_storage_can_use(path, X_OK) ? NULL : path;
}

/* What no owner and no mode helps against is said too. */
static const char *read_only_note(const char *folder)
{
    struct statvfs st;
    bool read_only = statvfs(folder, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
    return read_only ? " (its file system is read-only: mount it to be written first)" : "";
}

/* The children open the file, not root: whether they can is a matter of its folder, and of a file that is there. */
static void check_database_file(draft_t *draft)
{
    const sso_site_database_t *database = &draft->site->database;
    const char *state = get(draft, SSO_SERVER_STATE_DIRECTORY)->first;
    const char *user = sso_storage_user();
    const char *closed = database->folder != NULL ? closed_folder(draft->pool, state) : NULL;
    apr_finfo_t info;
    if (closed != NULL) {
        complain(draft, "ENTRA4071", SSO_SERVER_STATE_DIRECTORY,
                 "%s is closed to httpd's children (user %s), whose database is in %s; \"chmod %s %s\"", closed, user,
                 database->folder, strcmp(closed, state) == 0 ? "0711" : "o+x", closed);
        return;
    }
    const char *folder = ap_make_dirstr_parent(draft->pool, database->params);
    bool made = database->folder == NULL || access(folder, F_OK) == 0;
    if (made && !sso_storage_can_use(folder, W_OK | X_OK)) {
        complain(draft, "ENTRA4072", SSO_SERVER_DATABASE,
                 "%s is no folder that httpd's children can write to%s; \"install -d -o %s -m 0700 %s\"", folder,
                 read_only_note(folder), user, folder);
    } else if (apr_stat(&info, database->params, APR_FINFO_TYPE, draft->pool) == APR_SUCCESS &&
               (info.filetype != APR_REG || !sso_storage_can_use(database->params, R_OK | W_OK))) {
        complain(draft, "ENTRA4073", SSO_SERVER_DATABASE,
                 "%s is no file that httpd's children can write; \"chown %s %s*\"", database->params, user,
                 database->params);
    }
}

void sso_draft_database(sso_draft_t *draft)
{
    sso_site_database_t *database = &draft->site->database;
    const sso_value_t *value = get(draft, SSO_SERVER_DATABASE);
    if (value->set) {
        /* The directive's parser has accepted it. */
        ap_assert(sso_store_source(draft->pool, value->first, &database->driver, &database->params) == NULL);
    } else {
        database->driver = "sqlite3";
        database->folder = apr_pstrcat(draft->pool, get(draft, SSO_SERVER_STATE_DIRECTORY)->first, "/database", NULL);
        database->params = apr_pstrcat(draft->pool, database->folder, "/entra.db", NULL);
    }
    bool file = strcmp(database->driver, "sqlite3") == 0;
    if (file) {
        database->params = ap_server_root_relative(draft->pool, database->params);
    }
    database->source = apr_pstrcat(draft->pool, database->driver, ":", database->params, NULL);
    if (!sso_database_has_driver(draft->pool, database->driver)) {
        complain(
            draft, "ENTRA4070", SSO_SERVER_DATABASE,
            "apr-util's driver for %s is not installed; install the package libaprutil1-dbd-%s (Debian, Ubuntu) or "
            "apr-util-%s (Fedora, RHEL)",
            database->driver, database->driver, file ? "sqlite" : "pgsql");
    }
    if (file) {
        check_database_file(draft);
    } else if (strcmp(value->first, value->text) != 0 && strstr(value->text, "***") != NULL) {
        warn(draft, "ENTRA4074", SSO_SERVER_DATABASE,
             "the password itself stands in the configuration; better write passfile=PATH, a file of mode 0600 that "
             "belongs to httpd's user");
    }
}
