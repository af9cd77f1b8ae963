/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the command entra-sso share. A caller of the core, as httpd is; it says everything on standard
 * output and standard error. */
#pragma once

#include <apr_file_io.h>
#include <apr_tables.h>

#include "base/result.h"
#include "command/description.h"
#include "command/report.h"
#include "flow/audit.h"
#include "session/store.h"

/* Exit statuses. The last is of check alone: it could not look. */
enum { SSO_EXIT_DONE = 0, SSO_EXIT_FAILED = 1, SSO_EXIT_USAGE = 2, SSO_EXIT_UNABLE = 3 };

/* The command line. */
typedef struct {
    const char *config; /* httpd's configuration, NULL: not given */
    const char *state;
    const char *httpd; /* program */
    const char *user;
    const char *sid;
    const char *id;
    bool all;
    bool yes;
    bool json;
    bool prepare;
    const char *overlap;
    const char *app;
    bool online;
    bool az;
    bool powershell;
    const char *operand;      /* the last word, where a command takes one */
    const char *const *words; /* all behind the command's own, where it takes any number */
    int count;
} sso_options_t;

/* An application that the configuration names. */
typedef struct {
    const char *app; /* as in the store */
    const char *origin;
    const char *database;   /* where its rows are, as in EntraDatabase */
    const char *audit;      /* file of EntraAuditLog; NULL: none, or a pipe */
    apr_file_t *audit_file; /* it, once sso_auditing_begin has opened it */
} sso_application_t;

/* Where the state is. */
typedef struct {
    apr_array_header_t *databases;    /* const char *, as in EntraDatabase, each once */
    apr_array_header_t *key_files;    /* const char *, each once */
    apr_array_header_t *applications; /* sso_application_t; empty without a configuration */
    apr_array_header_t *descriptions; /* sso_description_t of each virtual host; empty without a configuration */
    bool audited;                     /* one of them has an audit log that is open */
} sso_place_t;

typedef struct {
    sso_ctx_t ctx;
    sso_options_t options;
    apr_file_t *out;
    apr_file_t *err;
    const char *actor; /* who does this, for the audit; NULL before sso_auditing_begin */
} sso_command_t;

/* One line on standard error. */
void sso_command_complain(sso_command_t *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The context's fault as such a line; gives SSO_EXIT_FAILED. */
int sso_command_fault(sso_command_t *command);
/* True when a person at the terminal says yes to the question. False without a terminal. */
bool sso_command_ask(sso_command_t *command, const char *question);

typedef enum {
    SSO_ASKED_GOOD,
    SSO_ASKED_REFUSED, /* httpd does not accept the configuration, and has said why */
    SSO_ASKED_UNABLE   /* it cannot be asked, which was said */
} sso_asked_t;
/* What httpd itself says of --config, or of its own configuration without it. A configuration without any application
 * is good. */
sso_asked_t sso_place_ask(sso_command_t *command, sso_place_t *ret_place);

/* Finds it by --config, --state or the default. False, and said why, when it cannot be told. */
bool sso_place_find(sso_command_t *command, sso_place_t *ret_place);
/* Makes ready to open a database. An embedded one is opened as the user whom its folder belongs to, so that no file of
 * root's comes to lie in it: this process is that user from then on. */
bool sso_place_reach(sso_command_t *command, const char *database, const char **ret_driver, const char **ret_params);
/* The same, and opens it for the rest of the process. */
bool sso_place_open(sso_command_t *command, const char *database, sso_store_t **ret_store);

/* Opens the audit logs of the place, while this process is still who started it; before sso_place_open. One that cannot
 * be opened is told, and hinders nothing. */
void sso_auditing_begin(sso_command_t *command, sso_place_t *place);
/* Writes the event into the audit log of an application (as in the store), or with NULL into each one. */
void sso_auditing_write(sso_command_t *command, const sso_place_t *place, const char *app, sso_audit_event_t *event);
/* One event for each ended session (sso_store_ended_t), told by what is known of it (sso_stored_t). */
void sso_auditing_ended(sso_command_t *command, const sso_place_t *place, const apr_array_header_t *sessions,
                        const apr_array_header_t *ended);

/* The subcommands: an exit status. */
int sso_command_check(sso_command_t *command);
int sso_command_explain(sso_command_t *command);
int sso_command_register(sso_command_t *command);
int sso_command_list(sso_command_t *command);
int sso_command_revoke(sso_command_t *command);
int sso_command_rotate(sso_command_t *command);
int sso_command_export(sso_command_t *command);
int sso_command_token_new(sso_command_t *command);
int sso_command_token_list(sso_command_t *command);
int sso_command_token_revoke(sso_command_t *command);
int sso_command_convert(sso_command_t *command);
