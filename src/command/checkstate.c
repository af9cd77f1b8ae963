/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso check: the folder of the state, the keys in it, and the databases with the directories in them. */
#include "command/checking.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/seal.h"
#include "directory/survey.h"
#include "directory/token.h"
#include "session/schema.h"

static const sso_description_t *description_at(const sso_place_t *place, int i)
{
    return &APR_ARRAY_IDX(place->descriptions, i, sso_description_t);
}

/* ---- the folder and its keys ---- */

/* SECURITY: who can write to the folder can put a key file of his own there, and sign in as anybody. */
static void folder_check(sso_report_t *report, const char *folder)
{
    struct stat st;
    const char *mend = apr_psprintf(report->pool, "chown root:root %s; chmod 0711 %s", folder, folder);
    if (stat(folder, &st) != 0) {
        sso_report_say(report, SSO_FOUND_FAULT, "state directory",
                       apr_psprintf(report->pool, "install -d -m 0711 %s", folder), "%s: %s", folder,
                       sso_errno_text(report->pool, errno));
    } else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        sso_report_say(report, SSO_FOUND_FAULT, "state directory", mend,
                       "others than root may write to %s (user %lu, mode %04o), and so put keys of their own there",
                       folder, (unsigned long)st.st_uid, (unsigned)(st.st_mode & 07777));
    } else {
        sso_report_good(report, "state directory", "%s has mode %04o", folder, (unsigned)(st.st_mode & 07777));
    }
}

static void keys_check(sso_command_t *command, sso_report_t *report, const char *file)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_keyring_t *ring;
    sso_rc rc = sso_keyring_load(ctx, ctx->pool, file, &ring);
    if (rc == SSO_R_KEYFILE_MISSING) {
        sso_fault_clear(ctx); /* before the first start it is not there yet */
        sso_report_say(report, SSO_FOUND_WARN, "key file",
                       "Start httpd, which makes it; on a further node of a cluster copy it from the first one "
                       "(entra-sso key export)",
                       "%s is not there yet", file);
    } else if (rc != SSO_OK && geteuid() != 0) {
        sso_fault_clear(ctx); /* it is root's */
        sso_report_say(report, SSO_FOUND_UNKNOWN, "key file", "Run this command as root", "%s is root's", file);
    } else if (rc != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, "key file", ctx);
    } else {
        int count = sso_keyring_size(ring);
        sso_report_good(report, "key file", "%s has %d key%s", file, count, count == 1 ? "" : "s");
    }
}

/* True when the same text stands at an earlier place. */
static bool is_known(const sso_place_t *place, int i, const char *(*text)(const sso_description_t *))
{
    for (int j = 0; j < i; j++) {
        if (strcmp(text(description_at(place, j)), text(description_at(place, i))) == 0) {
            return true;
        }
    }
    return false;
}

static const char *folder_of(const sso_description_t *description)
{
    return description->state_directory;
}

static const char *source_of(const sso_description_t *description)
{
    return description->source;
}

static const char *app_of(const sso_description_t *description)
{
    return description->app;
}

void sso_check_state(sso_command_t *command, sso_report_t *report, const sso_place_t *place)
{
    for (int i = 0; i < place->descriptions->nelts; i++) {
        if (!is_known(place, i, folder_of)) {
            folder_check(report, description_at(place, i)->state_directory);
            keys_check(command, report, description_at(place, i)->key_file);
        }
    }
}

/* ---- the databases ---- */

/* An embedded one is made with the first use, by httpd's children. */
static bool is_made(sso_report_t *report, const sso_description_t *description)
{
    const char *driver;
    const char *params;
    if (sso_store_source(report->pool, description->source, &driver, &params) != NULL ||
        strcmp(driver, "sqlite3") != 0 || access(params, F_OK) == 0) {
        return true;
    }
    sso_report_say(report, SSO_FOUND_WARN, "database",
                   "Start httpd, which makes it; if it runs already, its error log says what keeps it from that",
                   "%s is not there yet", params);
    return false;
}

static void tokens_check(sso_command_t *command, sso_report_t *report, sso_store_t *store,
                         const sso_description_t *description)
{
    sso_ctx_t *ctx = &command->ctx;
    apr_time_t ends = 0;
    apr_time_t used = 0;
    apr_array_header_t *tokens = apr_array_make(ctx->pool, 4, sizeof(sso_scim_token_t));
    const char *mend = "entra-sso scim-token new, then enterprise application > Provisioning > Admin Credentials > "
                       "Secret Token";
    if (sso_scim_token_list(ctx, store, tokens) != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, "SCIM token", ctx);
        return;
    }
    for (int i = 0; i < tokens->nelts; i++) {
        const sso_scim_token_t *token = &APR_ARRAY_IDX(tokens, i, sso_scim_token_t);
        if (strcmp(token->app, description->app) == 0) {
            ends = token->expires > ends ? token->expires : ends;
            used = token->used > used ? token->used : used;
        }
    }
    if (ends == 0 && description->scim_federated != NULL) {
        sso_report_good(report, "SCIM token", "none is needed: %s brings assertions of its own",
                        description->scim_federated);
    } else if (ends == 0) {
        sso_report_say(report, SSO_FOUND_FAULT, "SCIM token", mend, "there is none, so that nobody can be provisioned");
    } else if (ends < ctx->now) {
        sso_report_say(report, SSO_FOUND_FAULT, "SCIM token", mend, "the token has expired: provisioning has stopped");
    } else if (ends - ctx->now < SSO_CHECK_BEFORE_END) {
        sso_report_say(report, SSO_FOUND_WARN, "SCIM token", mend, "the token expires on %s",
                       sso_report_until(ctx->pool, ctx->now, ends));
    } else if (used == 0) {
        sso_report_say(report, SSO_FOUND_WARN, "SCIM token",
                       "Enterprise application > Provisioning: Tenant URL and Secret Token, Test Connection, Start "
                       "provisioning",
                       "the token was never used: nobody is provisioned yet");
    } else {
        sso_report_good(report, "SCIM token", "good until %s", sso_report_until(ctx->pool, ctx->now, ends));
    }
}

/* Entra's default mapping fills externalId with mailNickname; without the object id nobody is known at a sign-in. */
static void mapping_check(sso_command_t *command, sso_report_t *report, sso_store_t *store,
                          const sso_description_t *description)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_survey_t survey;
    if (sso_survey(ctx, store, description->app, &survey) != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, "SCIM mapping", ctx);
    } else if (survey.users == 0) {
        sso_report_say(report, SSO_FOUND_WARN, "SCIM mapping",
                       "Enterprise application > Provisioning: assign users and groups, and start provisioning",
                       "nobody is provisioned yet");
    } else if (!description->scim_by_name && survey.without_oid > 0) {
        sso_report_say(
            report, SSO_FOUND_FAULT, "SCIM mapping",
            "Provisioning > Mappings > Users: map objectId to externalId (the default is mailNickname), then "
            "Restart provisioning",
            "%d of %d users have an externalId that is no object id", survey.without_oid, survey.users);
    } else {
        sso_report_good(report, "SCIM mapping", "%d users and %d groups, %s", survey.users, survey.groups,
                        description->scim_by_name ? "known by user name" : "each user with an object id");
    }
}

static void directories_check(sso_command_t *command, sso_report_t *report, const sso_place_t *place, int database,
                              sso_store_t *store)
{
    for (int i = 0; i < place->descriptions->nelts; i++) {
        const sso_description_t *description = description_at(place, i);
        if (description->scim && strcmp(description->source, source_of(description_at(place, database))) == 0 &&
            !is_known(place, i, app_of)) {
            sso_report_turn(report, description->origin);
            tokens_check(command, report, store, description);
            mapping_check(command, report, store, description);
        }
    }
}

/* For a look at the tables as they are: httpd brings them up to date, and not a check. */
static sso_rc leave_tables(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    (void)ctx, (void)connection, (void)baton;
    return SSO_OK;
}

static sso_rc version_find(sso_ctx_t *ctx, const char *driver, const char *params, int *ret_version)
{
    sso_database_t *database;
    sso_rc rc = sso_database_make(ctx, ctx->pool, driver, params, leave_tables, &database);
    return rc != SSO_OK ? rc : sso_database_read(ctx, database, sso_schema_find, ret_version);
}

static void database_check(sso_command_t *command, sso_report_t *report, const sso_place_t *place, int i)
{
    sso_ctx_t *ctx = &command->ctx;
    const sso_description_t *description = description_at(place, i);
    const char *driver;
    const char *params;
    sso_store_t *store;
    int version = 0;
    if (!is_made(report, description)) {
        return;
    }
    if (!sso_place_reach(command, description->source, &driver, &params)) {
        sso_report_say(report, SSO_FOUND_FAULT, "database", "See the line on standard error", "%s is out of reach",
                       description->database);
    } else if (version_find(ctx, driver, params, &version) != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, "database", ctx);
    } else if (version < sso_schema_version()) {
        sso_report_good(report, "database",
                        "%s answers; httpd brings its tables from version %d to %d with its next use",
                        description->database, version, sso_schema_version());
    } else {
        sso_report_good(report, "database", "%s answers, tables of version %d", description->database, version);
        if (sso_store_make(ctx, ctx->pool, driver, params, &store) == SSO_OK) {
            directories_check(command, report, place, i, store);
        } else {
            sso_report_fault(report, SSO_FOUND_FAULT, "database", ctx);
        }
    }
}

void sso_check_databases(sso_command_t *command, sso_report_t *report, const sso_place_t *place)
{
    for (int i = 0; i < place->descriptions->nelts; i++) {
        if (!is_known(place, i, source_of)) {
            database_check(command, report, place, i);
        }
    }
}
