/* SPDX-License-Identifier: Apache-2.0 */
/* Where databases and key file are: as httpd itself says, or in a state directory. */
#include "build_config.h"

#include "command/command.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "base/bytes.h"
#include "base/limits.h"

/* What httpd prints of a configuration with thousands of applications. */
#define MAX_DUMP (4 * 1024 * 1024)

static void text_add(apr_array_header_t *texts, const char *text)
{
    for (int i = 0; i < texts->nelts; i++) {
        if (strcmp(sso_text_at(texts, i), text) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(texts, const char *) = text;
}

/* Lines "entra-database TAB source", "entra-keys TAB file", "entra-audit TAB file" where there is one,
 * "entra-application TAB app TAB origin", "entra-description TAB JSON"; others are httpd's. False when a description is
 * of another version of the module. */
static bool dump_parse(sso_ctx_t *ctx, char *text, sso_place_t *place)
{
    apr_pool_t *pool = ctx->pool;
    char *last = NULL;
    const char *database = ""; /* the lines before are of the same application */
    const char *audit = NULL;
    for (char *line = apr_strtok(text, "\n", &last); line != NULL; line = apr_strtok(NULL, "\n", &last)) {
        char *value = strchr(line, '\t');
        if (value == NULL) {
            continue;
        }
        *value++ = '\0';
        char *second = strchr(value, '\t');
        if (strcmp(line, "entra-database") == 0) {
            database = apr_pstrdup(pool, value);
            text_add(place->databases, database);
        } else if (strcmp(line, "entra-keys") == 0) {
            text_add(place->key_files, apr_pstrdup(pool, value));
        } else if (strcmp(line, "entra-audit") == 0) {
            audit = apr_pstrdup(pool, value);
        } else if (strcmp(line, "entra-application") == 0 && second != NULL) {
            *second++ = '\0';
            sso_application_t *application = &APR_ARRAY_PUSH(place->applications, sso_application_t);
            application->app = apr_pstrdup(pool, value);
            application->origin = apr_pstrdup(pool, second);
            application->database = database;
            application->audit = audit;
            application->audit_file = NULL;
            audit = NULL;
        } else if (strcmp(line, "entra-description") == 0) {
            sso_description_t *description = &APR_ARRAY_PUSH(place->descriptions, sso_description_t);
            if (!sso_description_read(ctx, pool, value, description)) {
                return false;
            }
            description->source = database;
        }
    }
    return true;
}

/* All that a program says on its standard output. */
static char *output_read(apr_pool_t *pool, apr_file_t *file)
{
    apr_size_t room = MAX_DUMP;
    char *text = apr_palloc(pool, room + 1);
    apr_size_t len = 0;
    while (len < room) {
        apr_size_t n = room - len;
        if (apr_file_read(file, text + len, &n) != APR_SUCCESS) {
            break;
        }
        len += n;
    }
    text[len] = '\0';
    return text;
}

static const char *httpd_program(const sso_command_t *command)
{
    if (command->options.httpd != NULL) {
        return command->options.httpd;
    }
    /* Debian's wrapper sets the variables that its configuration speaks of. */
    static const char wrapper[] = "/usr/sbin/apache2ctl";
    return access(wrapper, X_OK) == 0 ? wrapper : SSO_HTTPD;
}

/* Runs httpd, which alone knows how its configuration is put together. NULL when it cannot be run; *ret_code is how it
 * ended. */
static char *httpd_run(sso_command_t *command, const char *program, int *ret_code)
{
    apr_pool_t *pool = command->ctx.pool;
    const char *config = command->options.config;
    const char *args[] = {program, "-t", "-D", "DUMP_ENTRA_DATABASE", config == NULL ? NULL : "-f", config, NULL};
    apr_procattr_t *attributes;
    apr_proc_t process;
    apr_exit_why_e why = APR_PROC_EXIT;
    if ((strchr(program, '/') != NULL && access(program, X_OK) != 0) ||
        apr_procattr_create(&attributes, pool) != APR_SUCCESS ||
        apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV) != APR_SUCCESS ||
        apr_procattr_io_set(attributes, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE) != APR_SUCCESS ||
        apr_proc_create(&process, program, args, NULL, attributes, pool) != APR_SUCCESS) {
        return NULL;
    }
    char *text = output_read(pool, process.out);
    apr_file_close(process.out);
    *ret_code = -1;
    (void)apr_proc_wait(&process, ret_code, &why, APR_WAIT);
    *ret_code = APR_PROC_CHECK_EXIT(why) ? *ret_code : -1;
    return text;
}

static void place_init(apr_pool_t *pool, sso_place_t *place)
{
    place->databases = apr_array_make(pool, 1, sizeof(const char *));
    place->key_files = apr_array_make(pool, 1, sizeof(const char *));
    place->applications = apr_array_make(pool, 1, sizeof(sso_application_t));
    place->descriptions = apr_array_make(pool, 1, sizeof(sso_description_t));
    place->audited = false;
}

sso_asked_t sso_place_ask(sso_command_t *command, sso_place_t *ret_place)
{
    const char *program = httpd_program(command);
    int code = 0;
    place_init(command->ctx.pool, ret_place);
    char *text = httpd_run(command, program, &code);
    if (text == NULL) {
        sso_command_complain(command, "%s cannot be run; name httpd's program with --httpd", program);
        return SSO_ASKED_UNABLE;
    }
    if (code != 0) {
        return SSO_ASKED_REFUSED;
    }
    bool understood = dump_parse(&command->ctx, text, ret_place);
    sso_wipe(text, strlen(text));
    if (!understood) {
        sso_command_complain(command, "the module that %s loads is of another version than this command", program);
        return SSO_ASKED_UNABLE;
    }
    return SSO_ASKED_GOOD;
}

static bool place_ask_httpd(sso_command_t *command, sso_place_t *place)
{
    sso_asked_t asked = sso_place_ask(command, place);
    if (asked == SSO_ASKED_REFUSED) {
        sso_command_complain(command, "%s does not accept the configuration %s (see above)", httpd_program(command),
                             command->options.config);
    }
    if (asked == SSO_ASKED_GOOD && place->databases->nelts == 0) {
        sso_command_complain(command, "the configuration %s has no application of mod_entra_sso",
                             command->options.config);
    }
    return asked == SSO_ASKED_GOOD && place->databases->nelts > 0;
}

bool sso_place_find(sso_command_t *command, sso_place_t *ret_place)
{
    apr_pool_t *pool = command->ctx.pool;
    place_init(pool, ret_place);
    if (command->options.config != NULL) {
        return place_ask_httpd(command, ret_place);
    }
    const char *state = command->options.state != NULL ? command->options.state : SSO_STATE_DIRECTORY;
    text_add(ret_place->databases, apr_pstrcat(pool, "sqlite3:", state, "/database/entra.db", NULL));
    text_add(ret_place->key_files, apr_pstrcat(pool, state, "/cookie.keys", NULL));
    return true;
}

/* Becomes the owner of the database's folder. A second database of another owner is out of reach then. */
static bool become_owner(sso_command_t *command, const char *file)
{
    struct stat st;
    const char *slash = strrchr(file, '/');
    const char *folder = slash == NULL ? "." : apr_pstrmemdup(command->ctx.pool, file, (apr_size_t)(slash - file) + 1);
    if (stat(file, &st) != 0) {
        sso_command_complain(command,
                             "there is no database %s: nobody has signed in yet, or it is elsewhere "
                             "(--config, --state)",
                             file);
        return false;
    }
    if (geteuid() != 0) {
        return true;
    }
    if (stat(folder, &st) != 0 || st.st_uid == 0) {
        return true;
    }
    if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0) {
        sso_command_complain(command, "cannot become the owner of %s: %s", folder,
                             sso_errno_text(command->ctx.pool, errno));
        return false;
    }
    return true;
}

bool sso_place_reach(sso_command_t *command, const char *database, const char **ret_driver, const char **ret_params)
{
    const char *wrong = sso_store_source(command->ctx.pool, database, ret_driver, ret_params);
    if (wrong != NULL) {
        sso_command_complain(command, "EntraDatabase: %s", wrong);
        return false;
    }
    return strcmp(*ret_driver, "sqlite3") != 0 || become_owner(command, *ret_params);
}

bool sso_place_open(sso_command_t *command, const char *database, sso_store_t **ret_store)
{
    sso_ctx_t *ctx = &command->ctx;
    const char *driver;
    const char *params;
    if (!sso_place_reach(command, database, &driver, &params)) {
        return false;
    }
    if (sso_store_make(ctx, ctx->pool, driver, params, ret_store) != SSO_OK) {
        (void)sso_command_fault(command);
        return false;
    }
    return true;
}
