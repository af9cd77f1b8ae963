/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso sessions: who is signed in, and the end of it. */
#include "command/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

/* A prefix shorter than this is a mistyped one. */
#define LEAST_PREFIX 4

static const char *origin_of(const sso_place_t *place, const char *app)
{
    for (int i = 0; i < place->applications->nelts; i++) {
        const sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        if (strcmp(application->app, app) == 0) {
            return application->origin;
        }
    }
    return app;
}

/* --user is an object id when it looks like one. */
static void which_fill(const sso_options_t *options, sso_store_which_t *which)
{
    memset(which, 0, sizeof(*which));
    which->sid = options->sid;
    if (options->user != NULL && sso_is_guid(options->user)) {
        which->oid = options->user;
    } else {
        which->username = options->user;
    }
}

/* The name comes from Entra: nothing in it may speak to the terminal. */
static void session_print(sso_command_t *command, const sso_place_t *place, const sso_stored_t *session)
{
    apr_pool_t *pool = command->ctx.pool;
    apr_file_printf(command->out, "%s  %-20s  %-20s  %s  %s  %s\n", sso_hex(pool, session->id, sizeof(session->id)),
                    sso_time_print(pool, session->created), sso_time_print(pool, session->ends), session->oid,
                    sso_printable(pool, session->username), origin_of(place, session->app));
}

static void session_print_json(sso_command_t *command, const sso_place_t *place, const sso_stored_t *session)
{
    apr_pool_t *pool = command->ctx.pool;
    sso_json_writer_t *object = sso_json_object_make(pool);
    sso_json_set_text(object, "id", sso_hex(pool, session->id, sizeof(session->id)));
    sso_json_set_text(object, "user", session->username);
    sso_json_set_text(object, "oid", session->oid);
    sso_json_set_text(object, "tid", session->tid);
    sso_json_set_text(object, "sid", *session->sid == '\0' ? NULL : session->sid);
    sso_json_set_text(object, "application", origin_of(place, session->app));
    sso_json_set_text(object, "created", sso_time_print(pool, session->created));
    sso_json_set_text(object, "ends", sso_time_print(pool, session->ends));
    sso_json_set_text(object, "revalidated", sso_time_print(pool, session->revalidated));
    apr_file_printf(command->out, "%s", sso_json_print(pool, object));
}

/* The live sessions of all databases, at most limit of each, or NULL when one of them did not answer. */
static apr_array_header_t *sessions_find(sso_command_t *command, const sso_place_t *place,
                                         const sso_store_which_t *which, int limit, apr_array_header_t *stores)
{
    apr_array_header_t *sessions = apr_array_make(command->ctx.pool, 64, sizeof(sso_stored_t));
    for (int i = 0; i < place->databases->nelts; i++) {
        sso_store_t *store;
        if (!sso_place_open(command, sso_text_at(place->databases, i), &store)) {
            return NULL;
        }
        if (sso_store_list(&command->ctx, store, which, limit, sessions) != SSO_OK) {
            (void)sso_command_fault(command);
            return NULL;
        }
        APR_ARRAY_PUSH(stores, sso_store_t *) = store;
    }
    return sessions;
}

int sso_command_list(sso_command_t *command)
{
    sso_place_t place;
    sso_store_which_t which;
    const sso_options_t *options = &command->options;
    if (!sso_place_find(command, &place)) {
        return SSO_EXIT_FAILED;
    }
    which_fill(options, &which);
    apr_array_header_t *stores = apr_array_make(command->ctx.pool, 1, sizeof(sso_store_t *));
    apr_array_header_t *sessions = sessions_find(command, &place, &which, SSO_MAX_LISTED_SESSIONS, stores);
    if (sessions == NULL) {
        return SSO_EXIT_FAILED;
    }
    if (options->json) {
        apr_file_printf(command->out, "[");
    } else {
        apr_file_printf(command->out, "%-32s  %-20s  %-20s  %-36s  %s\n", "ID", "SIGNED IN", "ENDS", "OBJECT ID",
                        "USER  APPLICATION");
    }
    for (int i = 0; i < sessions->nelts; i++) {
        const sso_stored_t *session = &APR_ARRAY_IDX(sessions, i, sso_stored_t);
        if (options->json) {
            apr_file_printf(command->out, i == 0 ? "\n" : ",\n");
            session_print_json(command, &place, session);
        } else {
            session_print(command, &place, session);
        }
    }
    if (options->json) {
        apr_file_printf(command->out, "\n]\n");
    }
    if (sessions->nelts >= SSO_MAX_LISTED_SESSIONS) {
        sso_command_complain(command, "only the newest %d are listed", SSO_MAX_LISTED_SESSIONS);
    }
    return SSO_EXIT_DONE;
}

/* From a prefix to the one session that begins so. */
static bool id_find(sso_command_t *command, const apr_array_header_t *sessions, sso_store_which_t *which)
{
    const char *prefix = command->options.id;
    int found = 0;
    for (int i = 0; i < sessions->nelts; i++) {
        const sso_stored_t *session = &APR_ARRAY_IDX(sessions, i, sso_stored_t);
        if (strncmp(sso_hex(command->ctx.pool, session->id, sizeof(session->id)), prefix, strlen(prefix)) == 0) {
            which->id = session->id;
            found++;
        }
    }
    if (found != 1) {
        sso_command_complain(command, found == 0 ? "no live session has that id"
                                                 : "several sessions have an id that begins so; write more of it");
    }
    return found == 1;
}

static bool revoke_is_clear(sso_command_t *command)
{
    const sso_options_t *options = &command->options;
    int given = (options->user != NULL) + (options->sid != NULL) + (options->id != NULL) + (options->all ? 1 : 0);
    if (given != 1) {
        sso_command_complain(command, "sessions revoke wants one of --user, --sid, --id and --all");
        return false;
    }
    if (options->id != NULL &&
        (strlen(options->id) < LEAST_PREFIX || strspn(options->id, "0123456789abcdef") != strlen(options->id))) {
        sso_command_complain(command, "--id wants at least %d digits of an id that `sessions list` shows",
                             LEAST_PREFIX);
        return false;
    }
    return true;
}

int sso_command_revoke(sso_command_t *command)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_place_t place;
    sso_store_which_t which;
    if (!revoke_is_clear(command)) {
        return SSO_EXIT_USAGE;
    }
    if (!sso_place_find(command, &place)) {
        return SSO_EXIT_FAILED;
    }
    sso_auditing_begin(command, &place);
    which_fill(&command->options, &which);
    apr_array_header_t *stores = apr_array_make(ctx->pool, 1, sizeof(sso_store_t *));
    /* They are looked at only to find one by its id, to say how many there are, and for the audit. */
    bool all = command->options.id != NULL || command->options.all || place.audited;
    int limit = all ? SSO_MAX_LISTED_SESSIONS : 1;
    apr_array_header_t *sessions = sessions_find(command, &place, &which, limit, stores);
    if (sessions == NULL || (command->options.id != NULL && !id_find(command, sessions, &which))) {
        return SSO_EXIT_FAILED;
    }
    if (command->options.all && !command->options.yes &&
        !sso_command_ask(command, apr_psprintf(ctx->pool, "End all %d sessions?", sessions->nelts))) {
        sso_command_complain(command, "nothing was ended; --yes ends them without asking");
        return SSO_EXIT_FAILED;
    }
    apr_array_header_t *ended = apr_array_make(ctx->pool, 64, sizeof(sso_store_ended_t));
    sso_rc rc = SSO_OK;
    for (int i = 0; rc == SSO_OK && i < stores->nelts; i++) {
        rc = sso_store_end(ctx, APR_ARRAY_IDX(stores, i, sso_store_t *), &which, "revoked", command->actor, ended);
    }
    /* Also when the next database failed. */
    sso_auditing_ended(command, &place, sessions, ended);
    if (rc != SSO_OK) {
        return sso_command_fault(command);
    }
    apr_file_printf(command->out, "Ended %d session%s.%s\n", ended->nelts, ended->nelts == 1 ? "" : "s",
                    ended->nelts == 0 ? "" : " Every node refuses them within 2 seconds.");
    return ended->nelts == 0 ? SSO_EXIT_FAILED : SSO_EXIT_DONE;
}
