/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the audit log can be one: what would fail at the start is said at configtest. */
#include "build_config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <http_core.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "httpd/draft.h"

/* True when this process may write there, or cannot judge: an ordinary user may test the configuration of root. */
static bool may_write(const char *path, int mode)
{
    return access(path, mode) == 0 || (errno == EACCES && geteuid() != 0);
}

static void check_file(sso_draft_t *draft, const char *path)
{
    const char *folder = ap_make_dirstr_parent(draft->pool, path);
    apr_finfo_t info;
    apr_finfo_t file;
    if (apr_stat(&info, folder, APR_FINFO_TYPE | APR_FINFO_PROT, draft->pool) != APR_SUCCESS ||
        info.filetype != APR_DIR || !may_write(folder, W_OK | X_OK)) {
        complain(draft, "ENTRA2146", SSO_SERVER_AUDIT_LOG,
                 "%s is no folder that can be written to; \"install -d -m 0750 %s\", or name a file in another folder",
                 folder, folder);
        return;
    }
    /* SECURITY: the parent opens it as root, and would follow a link that anybody put there. */
    if ((info.protection & APR_FPROT_WWRITE) != 0) {
        complain(
            draft, "ENTRA2147", SSO_SERVER_AUDIT_LOG,
            "everyone may write to %s, so that anybody could put a link in the place of the log; \"chmod o-w %s\", "
            "or name a file in another folder",
            folder, folder);
        return;
    }
    if (apr_stat(&file, path, APR_FINFO_TYPE, draft->pool) == APR_SUCCESS &&
        (file.filetype == APR_DIR || !may_write(path, W_OK))) {
        complain(draft, "ENTRA2148", SSO_SERVER_AUDIT_LOG, "%s is a folder, or cannot be written to; name a file",
                 path);
    }
}

/* The program of "|/path", "||/path"; a shell's line ("|$") is the shell's to judge, and so is a name without path. */
static void check_program(sso_draft_t *draft, const char *text)
{
    const char *at = text + strspn(text, "|");
    const char *program = ap_getword_conf(draft->pool, &at);
    if (*program == '/' && access(program, X_OK) != 0) {
        complain(draft, "ENTRA2149", SSO_SERVER_AUDIT_LOG,
                 "%s cannot be run; write the path of a program, with its arguments, in quotes: \"|/usr/bin/logger -t "
                 "entra\"",
                 program);
    }
}

void sso_draft_audit(sso_draft_t *draft)
{
    const sso_value_t *value = get(draft, SSO_SERVER_AUDIT_LOG);
    if (!value->set || value->choice == 1) {
        return;
    }
    draft->site->audit_name = value->first;
    if (*value->first == '|') {
        check_program(draft, value->first);
    } else {
        check_file(draft, value->first);
    }
}
