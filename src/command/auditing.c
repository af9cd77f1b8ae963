/* SPDX-License-Identifier: Apache-2.0 */
/* What the administrator does with this command, in the audit log of the applications that it concerns. Known by
 * --config alone; a pipe is httpd's own, and cannot be written to from here. */
#include "command/command.h"

#include <string.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_user.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"

/* As httpd makes it. */
#define MODE (APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD)

static void complain(sso_command_t *command, const char *path, apr_status_t status)
{
    char why[120];
    sso_command_complain(command, "the audit log %s cannot be written: %s; what is done here is not told there", path,
                         apr_strerror(status, why, sizeof(why)));
}

/* The person behind sudo is in the machine's own log. */
static const char *actor_of(apr_pool_t *pool)
{
    char *name;
    bool known = apr_uid_name_get(&name, getuid(), pool) == APR_SUCCESS;
    return apr_psprintf(pool, "entra-sso by %s", known ? name : "an unknown user");
}

void sso_auditing_begin(sso_command_t *command, sso_place_t *place)
{
    apr_pool_t *pool = command->ctx.pool;
    apr_hash_t *opened = apr_hash_make(pool);
    command->actor = actor_of(pool);
    for (int i = 0; i < place->applications->nelts; i++) {
        sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        if (application->audit == NULL) {
            continue;
        }
        application->audit_file = apr_hash_get(opened, application->audit, APR_HASH_KEY_STRING);
        if (application->audit_file == NULL) {
            apr_status_t status =
                apr_file_open(&application->audit_file, application->audit,
                              APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE | APR_FOPEN_LARGEFILE, MODE, pool);
            if (status != APR_SUCCESS) {
                complain(command, application->audit, status);
                application->audit_file = NULL;
                application->audit = NULL;
                continue;
            }
            apr_hash_set(opened, application->audit, APR_HASH_KEY_STRING, application->audit_file);
        }
        place->audited = true;
    }
}

/* One write, as the processes of httpd do. */
static void append(sso_command_t *command, const sso_application_t *application, sso_audit_event_t *event)
{
    event->service = application->origin;
    event->actor = command->actor;
    const char *line = sso_audit_line(command->ctx.pool, event, sso_clock_now());
    apr_size_t len = strlen(line);
    apr_size_t written = len;
    apr_status_t status = apr_file_write(application->audit_file, line, &written);
    if (status != APR_SUCCESS || written != len) {
        complain(command, application->audit, status != APR_SUCCESS ? status : APR_ENOSPC);
    }
}

void sso_auditing_write(sso_command_t *command, const sso_place_t *place, const char *app, sso_audit_event_t *event)
{
    apr_hash_t *told = apr_hash_make(command->ctx.pool);
    bool known = false;
    for (int i = 0; i < place->applications->nelts; i++) {
        const sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        bool concerns = app == NULL || strcmp(application->app, app) == 0;
        known = known || concerns;
        if (concerns && application->audit_file != NULL &&
            apr_hash_get(told, application->audit, APR_HASH_KEY_STRING) == NULL) {
            apr_hash_set(told, application->audit, APR_HASH_KEY_STRING, application);
            append(command, application, event);
        }
    }
    if (!known && app != NULL) {
        /* Of an application that the configuration does not have any more: every log hears of it. */
        sso_auditing_write(command, place, NULL, event);
    }
}

void sso_auditing_ended(sso_command_t *command, const sso_place_t *place, const apr_array_header_t *sessions,
                        const apr_array_header_t *ended)
{
    apr_hash_t *known = apr_hash_make(command->ctx.pool);
    if (!place->audited) {
        return;
    }
    for (int i = 0; i < sessions->nelts; i++) {
        const sso_stored_t *session = &APR_ARRAY_IDX(sessions, i, sso_stored_t);
        apr_hash_set(known, session->id, sizeof(session->id), session);
    }
    for (int i = 0; i < ended->nelts; i++) {
        const sso_store_ended_t *entry = &APR_ARRAY_IDX(ended, i, sso_store_ended_t);
        const sso_stored_t *session = apr_hash_get(known, entry->id, sizeof(entry->id));
        sso_audit_event_t event = {.action = SSO_AUDIT_SESSION_ENDED, .reason = "revoked", .session = entry->id};
        if (session != NULL) {
            event.oid = session->oid;
            event.tid = session->tid;
            event.user_name = session->username;
        }
        sso_auditing_write(command, place, session == NULL ? NULL : session->app, &event);
    }
}
