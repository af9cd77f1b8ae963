/* SPDX-License-Identifier: Apache-2.0 */
/* The command entra-sso: reads its arguments and hands over. Links the core alone, without httpd. */
#include "build_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "command/command.h"

static const char help_text[] =
    "usage: entra-sso [--config HTTPD-CONF | --state DIR] COMMAND\n"
    "\n"
    "  check [--online] [--json]                    looks for mistakes: in the configuration and its files, at Entra\n"
    "  register [--az] [--powershell]               prints the commands that make the app registration\n"
    "  explain NUMBER...                            what AADSTS50011 or a number of the log means\n"
    "  sessions list [--user NAME|OID] [--json]     who is signed in\n"
    "  sessions revoke --user NAME|OID [--yes]      ends the sessions of a user\n"
    "  sessions revoke --sid SID [--yes]            ends those of a session at Entra\n"
    "  sessions revoke --id PREFIX [--yes]          ends one, by the id that the list shows\n"
    "  sessions revoke --all [--yes]                ends all\n"
    "  key rotate [--prepare]                       puts a new key in front of the key file\n"
    "  key export [--yes]                           prints the key file, for another node\n"
    "  scim-token new [--overlap TIME] [--app ORIGIN]\n"
    "                                               makes a token for provisioning; the older ones end, or after TIME\n"
    "  scim-token list [--json]                     which there are, and when each was last used\n"
    "  scim-token revoke ID                         ends one\n"
    "  convert FILE                                 writes a configuration of mod_auth_openidc in our words\n"
    "\n"
    "  --config FILE   httpd's configuration, which names database and key file (PostgreSQL needs this)\n"
    "  --httpd PATH    the httpd that reads it\n"
    "  --state DIR     EntraStateDirectory, with the embedded database; default " SSO_STATE_DIRECTORY "\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done, 1 not done, 2 wrong usage, 3 check could not look. Manual: man 8 entra-sso\n";

enum {
    OPT_CONFIG = 256,
    OPT_HTTPD,
    OPT_STATE,
    OPT_USER,
    OPT_SID,
    OPT_ID,
    OPT_ALL,
    OPT_YES,
    OPT_JSON,
    OPT_PREPARE,
    OPT_OVERLAP,
    OPT_APP,
    OPT_ONLINE,
    OPT_AZ,
    OPT_POWERSHELL,
    OPT_HELP,
    OPT_VERSION
};

static const apr_getopt_option_t options[] = {
    {"config", OPT_CONFIG, 1, NULL},   {"httpd", OPT_HTTPD, 1, NULL},     {"state", OPT_STATE, 1, NULL},
    {"user", OPT_USER, 1, NULL},       {"sid", OPT_SID, 1, NULL},         {"id", OPT_ID, 1, NULL},
    {"all", OPT_ALL, 0, NULL},         {"yes", OPT_YES, 0, NULL},         {"json", OPT_JSON, 0, NULL},
    {"prepare", OPT_PREPARE, 0, NULL}, {"overlap", OPT_OVERLAP, 1, NULL}, {"app", OPT_APP, 1, NULL},
    {"online", OPT_ONLINE, 0, NULL},   {"az", OPT_AZ, 0, NULL},           {"powershell", OPT_POWERSHELL, 0, NULL},
    {"help", OPT_HELP, 0, NULL},       {"version", OPT_VERSION, 0, NULL}, {NULL, 0, 0, NULL},
};

#define BIT(option) (1U << ((option)-OPT_CONFIG))
#define CONFIGURATION (BIT(OPT_CONFIG) | BIT(OPT_HTTPD))
#define PLACE (BIT(OPT_CONFIG) | BIT(OPT_HTTPD) | BIT(OPT_STATE))

/* Every command, with the options that it takes. */
typedef struct {
    const char *noun;
    const char *verb; /* NULL: the noun says it all */
    int (*run)(sso_command_t *command);
    unsigned takes;
    int words; /* noun and verb, and the operand of a command that has one */
    int most;
    const char *operand; /* what it is; NULL: there is none */
} row_t;

#define MANY 64

static const row_t commands[] = {
    {"check", NULL, sso_command_check, CONFIGURATION | BIT(OPT_ONLINE) | BIT(OPT_JSON), 1, 1, NULL},
    {"register", NULL, sso_command_register, CONFIGURATION | BIT(OPT_AZ) | BIT(OPT_POWERSHELL), 1, 1, NULL},
    {"explain", NULL, sso_command_explain, 0, 2, MANY, "number"},
    {"sessions", "list", sso_command_list, PLACE | BIT(OPT_USER) | BIT(OPT_JSON), 2, 2, NULL},
    {"sessions", "revoke", sso_command_revoke,
     PLACE | BIT(OPT_USER) | BIT(OPT_SID) | BIT(OPT_ID) | BIT(OPT_ALL) | BIT(OPT_YES), 2, 2, NULL},
    {"key", "rotate", sso_command_rotate, PLACE | BIT(OPT_PREPARE), 2, 2, NULL},
    {"key", "export", sso_command_export, PLACE | BIT(OPT_YES), 2, 2, NULL},
    {"scim-token", "new", sso_command_token_new, PLACE | BIT(OPT_OVERLAP) | BIT(OPT_APP), 2, 2, NULL},
    {"scim-token", "list", sso_command_token_list, PLACE | BIT(OPT_JSON), 2, 2, NULL},
    {"scim-token", "revoke", sso_command_token_revoke, PLACE, 3, 3, "id"},
    {"convert", NULL, sso_command_convert, 0, 2, 2, "file"},
};

void sso_command_complain(sso_command_t *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = apr_pvsprintf(command->ctx.pool, fmt, args);
    va_end(args);
    apr_file_printf(command->err, "entra-sso: %s\n", text);
}

int sso_command_fault(sso_command_t *command)
{
    const sso_fault_t *fault = &command->ctx.fault;
    const sso_reason_t *reason = sso_reason(fault->rc);
    sso_command_complain(command, "ENTRA%04d: %s%s%s", reason->number, reason->sentence,
                         fault->detail == NULL ? "" : ": ", fault->detail == NULL ? "" : fault->detail);
    return SSO_EXIT_FAILED;
}

bool sso_command_ask(sso_command_t *command, const char *question)
{
    char answer[16] = "";
    if (isatty(STDIN_FILENO) != 1) {
        return false;
    }
    apr_file_printf(command->err, "%s [y/N] ", question);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static void take(sso_options_t *to, int option, const char *value)
{
    switch (option) {
    case OPT_CONFIG:
        to->config = value;
        break;
    case OPT_HTTPD:
        to->httpd = value;
        break;
    case OPT_STATE:
        to->state = value;
        break;
    case OPT_USER:
        to->user = value;
        break;
    case OPT_SID:
        to->sid = value;
        break;
    case OPT_ID:
        to->id = value;
        break;
    case OPT_ALL:
        to->all = true;
        break;
    case OPT_YES:
        to->yes = true;
        break;
    case OPT_JSON:
        to->json = true;
        break;
    case OPT_PREPARE:
        to->prepare = true;
        break;
    case OPT_OVERLAP:
        to->overlap = value;
        break;
    case OPT_APP:
        to->app = value;
        break;
    case OPT_ONLINE:
        to->online = true;
        break;
    case OPT_AZ:
        to->az = true;
        break;
    case OPT_POWERSHELL:
        to->powershell = true;
        break;
    default:
        break;
    }
}

static int usage(sso_command_t *command, const char *wrong)
{
    sso_command_complain(command, "%s; see entra-sso --help", wrong);
    return SSO_EXIT_USAGE;
}

static bool is_called(const row_t *row, const char *const *words, int count)
{
    return strcmp(row->noun, words[0]) == 0 && (row->verb == NULL || (count > 1 && strcmp(row->verb, words[1]) == 0));
}

static int call(sso_command_t *command, const row_t *row, const char *const *words, int count, unsigned given)
{
    if (count < row->words || count > row->most) {
        return usage(command, count > row->most
                                  ? "there are too many words"
                                  : apr_pstrcat(command->ctx.pool, "the ", row->operand, " is missing", NULL));
    }
    if ((given & ~row->takes) != 0) {
        return usage(command, apr_psprintf(command->ctx.pool, "%s%s%s does not take one of these options", row->noun,
                                           row->verb == NULL ? "" : " ", row->verb == NULL ? "" : row->verb));
    }
    command->options.operand = row->operand == NULL ? NULL : words[count - 1];
    command->options.words = words + 1;
    command->options.count = count - 1;
    return row->run(command);
}

/* The command itself, once words and options are read. */
static int dispatch(sso_command_t *command, const char *const *words, int count, unsigned given)
{
    if (count < 1) {
        return usage(command, "a command is missing");
    }
    if (command->options.config != NULL && command->options.state != NULL) {
        return usage(command, "--config and --state exclude each other");
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (is_called(&commands[i], words, count)) {
            return call(command, &commands[i], words, count, given);
        }
    }
    return usage(command, apr_psprintf(command->ctx.pool, "there is no command '%s%s%s'",
                                       sso_printable(command->ctx.pool, words[0]), count < 2 ? "" : " ",
                                       count < 2 ? "" : sso_printable(command->ctx.pool, words[1])));
}

static int run(sso_command_t *command, int argc, const char *const *argv)
{
    apr_getopt_t *getopt;
    int option;
    const char *value;
    unsigned given = 0;
    apr_status_t status;
    apr_getopt_init(&getopt, command->ctx.pool, argc, argv);
    getopt->interleave = 1; /* options may stand anywhere */
    while ((status = apr_getopt_long(getopt, options, &option, &value)) == APR_SUCCESS) {
        if (option == OPT_HELP || option == OPT_VERSION) {
            apr_file_printf(command->out, "%s", option == OPT_HELP ? help_text : "entra-sso " VERSION "\n");
            return SSO_EXIT_DONE;
        }
        given |= BIT(option);
        take(&command->options, option, value);
    }
    if (status != APR_EOF) {
        return usage(command, "that was not understood");
    }
    if (sso_crypto_init(&command->ctx, command->ctx.pool) != SSO_OK) {
        return sso_command_fault(command);
    }
    return dispatch(command, getopt->argv + getopt->ind, getopt->argc - getopt->ind, given);
}

int main(int argc, const char *const *argv)
{
    sso_command_t command = {.out = NULL};
    apr_pool_t *pool;
    const char *const *args = argv;
    if (apr_app_initialize(&argc, &args, NULL) != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return SSO_EXIT_FAILED;
    }
    sso_ctx_init(&command.ctx, pool, sso_clock_now());
    if (apr_file_open_stdout(&command.out, pool) != APR_SUCCESS ||
        apr_file_open_stderr(&command.err, pool) != APR_SUCCESS) {
        return SSO_EXIT_FAILED;
    }
    int code = run(&command, argc, args);
    apr_terminate();
    return code;
}
