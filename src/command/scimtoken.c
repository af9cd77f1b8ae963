/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso scim-token: the tokens of provisioning services. */
#include "command/command.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "directory/token.h"

/* A day more than the longest sensible hand-over between two administrators. */
#define LONGEST_OVERLAP apr_time_from_sec(90 * 24 * 60 * 60)

/* ---- which application ---- */

/* By origin or by number; NULL when it is none of the configuration's. */
static const sso_application_t *application_named(const sso_place_t *place, const char *name)
{
    for (int i = 0; i < place->applications->nelts; i++) {
        const sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        if (strcmp(application->app, name) == 0 || strcmp(application->origin, name) == 0) {
            return application;
        }
    }
    return NULL;
}

/* The only one; several virtual hosts may be one application. NULL when there are several or none. */
static const sso_application_t *application_alone(const sso_place_t *place)
{
    const sso_application_t *found = NULL;
    for (int i = 0; i < place->applications->nelts; i++) {
        const sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        if (found != NULL && strcmp(found->app, application->app) != 0) {
            return NULL;
        }
        found = application;
    }
    return found;
}

static void complain_of_choice(sso_command_t *command, const sso_place_t *place)
{
    const char *all = "";
    for (int i = 0; i < place->applications->nelts; i++) {
        const sso_application_t *application = &APR_ARRAY_IDX(place->applications, i, sso_application_t);
        all = apr_pstrcat(command->ctx.pool, all, i == 0 ? "" : ", ", application->origin, NULL);
    }
    if (*all == '\0') {
        sso_command_complain(command, "which application the token is for is told by httpd's configuration: name it "
                                      "with --config (and, where it has several, the one with --app)");
    } else {
        sso_command_complain(command, "name the application that the token is for with --app: %s", all);
    }
}

/* Without a configuration, the tokens that are there tell it, when they are all of one application. */
static bool application_of_tokens(sso_command_t *command, const char *database, sso_application_t *ret_application)
{
    sso_store_t *store;
    apr_array_header_t *tokens = apr_array_make(command->ctx.pool, 4, sizeof(sso_scim_token_t));
    if (!sso_place_open(command, database, &store)) {
        return false;
    }
    if (sso_scim_token_list(&command->ctx, store, tokens) != SSO_OK) {
        (void)sso_command_fault(command);
        return false;
    }
    const char *app = NULL;
    for (int i = 0; i < tokens->nelts; i++) {
        const char *other = APR_ARRAY_IDX(tokens, i, sso_scim_token_t).app;
        if (app != NULL && strcmp(app, other) != 0) {
            app = NULL;
            break;
        }
        app = other;
    }
    if (app == NULL) {
        sso_place_t none = {.applications = apr_array_make(command->ctx.pool, 1, sizeof(sso_application_t))};
        complain_of_choice(command, &none);
        return false;
    }
    *ret_application = (sso_application_t){.app = app, .origin = app, .database = database};
    return true;
}

static bool application_find(sso_command_t *command, const sso_place_t *place, sso_application_t *ret_application)
{
    const char *name = command->options.app;
    if (place->applications->nelts == 0 && name == NULL) {
        return application_of_tokens(command, sso_text_at(place->databases, 0), ret_application);
    }
    if (place->applications->nelts == 0) {
        sso_command_complain(command, "--app needs --config, which says what applications there are");
        return false;
    }
    const sso_application_t *found = name == NULL ? application_alone(place) : application_named(place, name);
    if (found == NULL) {
        complain_of_choice(command, place);
        return false;
    }
    *ret_application = *found;
    return true;
}

static const char *origin_of(const sso_place_t *place, const char *app)
{
    const sso_application_t *application = application_named(place, app);
    return application == NULL ? app : application->origin;
}

/* ---- new ---- */

/* SECURITY: its id, never the token. */
static void tell_made(sso_command_t *command, const sso_place_t *place, const sso_scim_token_t *token, int ended,
                      apr_interval_time_t overlap)
{
    sso_audit_event_t event = {.action = SSO_AUDIT_SCIM_TOKEN_MADE};
    event.reason =
        apr_psprintf(command->ctx.pool, "SCIM token %s, until %s; %d older tokens %s", token->id,
                     sso_time_print(command->ctx.pool, token->expires), ended, overlap == 0 ? "ended" : "will end");
    sso_auditing_write(command, place, token->app, &event);
}

int sso_command_token_new(sso_command_t *command)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_place_t place;
    sso_application_t application;
    sso_store_t *store;
    sso_scim_token_t row;
    const char *token;
    int ended;
    apr_interval_time_t overlap = 0;
    const char *wrong =
        command->options.overlap == NULL ? NULL : sso_duration_parse(command->options.overlap, &overlap);
    if (wrong != NULL || overlap > LONGEST_OVERLAP) {
        sso_command_complain(command, "--overlap: %s", wrong != NULL ? wrong : "at most 90d");
        return SSO_EXIT_USAGE;
    }
    if (!sso_place_find(command, &place) || !application_find(command, &place, &application)) {
        return SSO_EXIT_FAILED;
    }
    sso_auditing_begin(command, &place);
    if (!sso_place_open(command, application.database, &store)) {
        return SSO_EXIT_FAILED;
    }
    if (sso_scim_token_make(ctx, store, application.app, overlap, &token, &row, &ended) != SSO_OK) {
        return sso_command_fault(command);
    }
    tell_made(command, &place, &row, ended, overlap);
    /* The token alone on standard output, so that it can be sent on without passing a screen. */
    apr_file_printf(command->out, "%s\n", token);
    apr_file_printf(command->err,
                    "This is the Secret Token for %s, shown this once. It is valid until %s.\n"
                    "%d older token%s of this application %s.\n",
                    application.origin, sso_time_print(ctx->pool, row.expires), ended, ended == 1 ? "" : "s",
                    overlap == 0
                        ? "ended now"
                        : apr_pstrcat(ctx->pool, "will end at ", sso_time_print(ctx->pool, ctx->now + overlap), NULL));
    return SSO_EXIT_DONE;
}

/* ---- list and revoke ---- */

static void token_print(sso_command_t *command, const sso_place_t *place, const sso_scim_token_t *token)
{
    apr_pool_t *pool = command->ctx.pool;
    apr_file_printf(command->out, "%s  %-20s  %-20s  %-20s  %s\n", sso_printable(pool, token->id),
                    sso_time_print(pool, token->created),
                    token->expires <= command->ctx.now ? "expired" : sso_time_print(pool, token->expires),
                    token->used == 0 ? "never" : sso_time_print(pool, token->used),
                    origin_of(place, sso_printable(pool, token->app)));
}

static void token_print_json(sso_command_t *command, const sso_place_t *place, const sso_scim_token_t *token)
{
    apr_pool_t *pool = command->ctx.pool;
    sso_json_writer_t *object = sso_json_object_make(pool);
    sso_json_set_text(object, "id", token->id);
    sso_json_set_text(object, "application", origin_of(place, token->app));
    sso_json_set_text(object, "created", sso_time_print(pool, token->created));
    sso_json_set_text(object, "expires", sso_time_print(pool, token->expires));
    sso_json_set_text(object, "used", token->used == 0 ? NULL : sso_time_print(pool, token->used));
    sso_json_set_bool(object, "expired", token->expires <= command->ctx.now);
    apr_file_printf(command->out, "%s", sso_json_print(pool, object));
}

int sso_command_token_list(sso_command_t *command)
{
    sso_place_t place;
    sso_store_t *store;
    apr_array_header_t *tokens = apr_array_make(command->ctx.pool, 4, sizeof(sso_scim_token_t));
    if (!sso_place_find(command, &place)) {
        return SSO_EXIT_FAILED;
    }
    for (int i = 0; i < place.databases->nelts; i++) {
        if (!sso_place_open(command, sso_text_at(place.databases, i), &store)) {
            return SSO_EXIT_FAILED;
        }
        if (sso_scim_token_list(&command->ctx, store, tokens) != SSO_OK) {
            return sso_command_fault(command);
        }
    }
    bool json = command->options.json;
    if (json) {
        apr_file_printf(command->out, "[");
    } else {
        apr_file_printf(command->out, "%-16s  %-20s  %-20s  %-20s  %s\n", "ID", "CREATED", "EXPIRES", "LAST USED",
                        "APPLICATION");
    }
    for (int i = 0; i < tokens->nelts; i++) {
        const sso_scim_token_t *token = &APR_ARRAY_IDX(tokens, i, sso_scim_token_t);
        if (json) {
            apr_file_printf(command->out, i == 0 ? "\n" : ",\n");
            token_print_json(command, &place, token);
        } else {
            token_print(command, &place, token);
        }
    }
    if (json) {
        apr_file_printf(command->out, "\n]\n");
    }
    return SSO_EXIT_DONE;
}

int sso_command_token_revoke(sso_command_t *command)
{
    sso_place_t place;
    bool found = false;
    if (!sso_place_find(command, &place)) {
        return SSO_EXIT_FAILED;
    }
    sso_auditing_begin(command, &place);
    for (int i = 0; i < place.databases->nelts && !found; i++) {
        sso_store_t *store;
        if (!sso_place_open(command, sso_text_at(place.databases, i), &store)) {
            return SSO_EXIT_FAILED;
        }
        if (sso_scim_token_revoke(&command->ctx, store, command->options.operand, &found) != SSO_OK) {
            return sso_command_fault(command);
        }
    }
    if (!found) {
        sso_command_complain(command, "no token has the id '%s'; `scim-token list` shows them",
                             sso_printable(command->ctx.pool, command->options.operand));
        return SSO_EXIT_FAILED;
    }
    sso_audit_event_t event = {.action = SSO_AUDIT_SCIM_TOKEN_REVOKED};
    event.reason = apr_pstrcat(command->ctx.pool, "SCIM token ", command->options.operand, NULL);
    sso_auditing_write(command, &place, NULL, &event);
    apr_file_printf(command->out, "Revoked. Provisioning with it gets 401 from now on.\n");
    return SSO_EXIT_DONE;
}
