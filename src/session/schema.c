/* SPDX-License-Identifier: Apache-2.0 */
/* Steps from an empty database to today's, in one transaction under a lock. A step that was released is never changed:
 * a new one is added behind it. */
#include "session/schema.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Numbers are BIGINT: moments in microseconds since 1970, UTC. Ids are lower-case hexadecimal. */
static const char *const step_1[] = {
    /* version: what was made. least: the oldest program that can work with it, by the version that it makes itself. */
    "CREATE TABLE entra_schema (version BIGINT NOT NULL, least BIGINT NOT NULL)",
    "INSERT INTO entra_schema (version, least) VALUES (0, 0)",
    /* claim: who renews it now, until claimed_until by the database's clock. ended: 1 when it is over before its time.
     */
    "CREATE TABLE entra_session (id VARCHAR(32) NOT NULL PRIMARY KEY, app VARCHAR(32) NOT NULL, "
    "tenant VARCHAR(36) NOT NULL, object VARCHAR(36) NOT NULL, sid TEXT NOT NULL, username TEXT NOT NULL, "
    "created BIGINT NOT NULL, ends BIGINT NOT NULL, revalidated BIGINT NOT NULL, ended BIGINT NOT NULL, "
    "claim VARCHAR(32) NOT NULL, claimed_until BIGINT NOT NULL, refresh TEXT NOT NULL, renewed TEXT NOT NULL)",
    "CREATE INDEX entra_session_sid ON entra_session (sid)",
    "CREATE INDEX entra_session_object ON entra_session (object)",
    "CREATE INDEX entra_session_username ON entra_session (LOWER(username))",
    "CREATE INDEX entra_session_ends ON entra_session (ends)",
    "CREATE INDEX entra_session_created ON entra_session (created)",
    "CREATE INDEX entra_session_claim ON entra_session (claim)",
    /* listed: when, by the database's clock, which every node polls by. */
    "CREATE TABLE entra_ended (id VARCHAR(32) NOT NULL PRIMARY KEY, keep_until BIGINT NOT NULL, "
    "listed BIGINT NOT NULL, cause TEXT NOT NULL)",
    "CREATE INDEX entra_ended_listed ON entra_ended (listed)",
    "CREATE INDEX entra_ended_keep_until ON entra_ended (keep_until)",
    "CREATE TABLE entra_audit (at BIGINT NOT NULL, cause TEXT NOT NULL, actor TEXT NOT NULL, "
    "session VARCHAR(32) NOT NULL, app VARCHAR(32) NOT NULL, tenant VARCHAR(36) NOT NULL, "
    "object VARCHAR(36) NOT NULL, username TEXT NOT NULL)",
    "CREATE INDEX entra_audit_at ON entra_audit (at)",
    NULL,
};

/* What the word of Graph and of a whole tenant needs. access: the sealed token that Graph is asked with. signed_in: by
 * Entra's clock, 0 when it is not known. claimed_until: nobody's turn before, by the database's clock; began: the turn.
 */
static const char *const step_2[] = {
    "ALTER TABLE entra_session ADD COLUMN access TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE entra_session ADD COLUMN signed_in BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE entra_watch (id VARCHAR(32) NOT NULL PRIMARY KEY, link TEXT NOT NULL, claim VARCHAR(32) NOT NULL, "
    "claimed_until BIGINT NOT NULL, began BIGINT NOT NULL)",
    NULL,
};

/* Forms that wait for a sign-in. size: bytes of sealed. Both stay behind empty when a form has come back, so that it
 * still counts. */
static const char *const step_3[] = {
    "CREATE TABLE entra_post (id VARCHAR(32) NOT NULL PRIMARY KEY, app VARCHAR(32) NOT NULL, "
    "tenant VARCHAR(36) NOT NULL, object VARCHAR(36) NOT NULL, keep_until BIGINT NOT NULL, size BIGINT NOT NULL, "
    "sealed TEXT NOT NULL)",
    "CREATE INDEX entra_post_object ON entra_post (object)",
    "CREATE INDEX entra_post_keep_until ON entra_post (keep_until)",
    NULL,
};

/* The directory (SCIM). Everything is of one application (app). *_key, email and oid: folded texts, '' for none; ids:
 * of SCIM, random GUIDs, never used again. touched: the last change that sessions may have to hear of, by the
 * database's clock. */
static const char *const step_4[] = {
    "CREATE TABLE entra_scim_user (id VARCHAR(36) NOT NULL PRIMARY KEY, app VARCHAR(32) NOT NULL, "
    "user_key TEXT NOT NULL, external_id TEXT NOT NULL, oid VARCHAR(36) NOT NULL, display_key TEXT NOT NULL, "
    "email TEXT NOT NULL, manager TEXT NOT NULL, active BIGINT NOT NULL, created BIGINT NOT NULL, "
    "modified BIGINT NOT NULL, version BIGINT NOT NULL, touched BIGINT NOT NULL, disabled_at BIGINT NOT NULL, "
    "document TEXT NOT NULL)",
    "CREATE INDEX entra_scim_user_order ON entra_scim_user (app, created, id)",
    "CREATE INDEX entra_scim_user_key ON entra_scim_user (app, user_key)",
    "CREATE INDEX entra_scim_user_external_id ON entra_scim_user (app, external_id)",
    "CREATE INDEX entra_scim_user_oid ON entra_scim_user (app, oid)",
    "CREATE INDEX entra_scim_user_display_key ON entra_scim_user (app, display_key)",
    "CREATE INDEX entra_scim_user_email ON entra_scim_user (app, email)",
    "CREATE INDEX entra_scim_user_manager ON entra_scim_user (app, manager)",
    "CREATE INDEX entra_scim_user_touched ON entra_scim_user (touched)",
    "CREATE TABLE entra_scim_group (id VARCHAR(36) NOT NULL PRIMARY KEY, app VARCHAR(32) NOT NULL, "
    "external_id TEXT NOT NULL, display_key TEXT NOT NULL, display TEXT NOT NULL, created BIGINT NOT NULL, "
    "modified BIGINT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL)",
    "CREATE INDEX entra_scim_group_order ON entra_scim_group (app, created, id)",
    "CREATE INDEX entra_scim_group_external_id ON entra_scim_group (app, external_id)",
    "CREATE INDEX entra_scim_group_display_key ON entra_scim_group (app, display_key)",
    /* A member is a user or a group. */
    "CREATE TABLE entra_scim_member (group_id VARCHAR(36) NOT NULL, member_id VARCHAR(36) NOT NULL, "
    "PRIMARY KEY (group_id, member_id))",
    "CREATE INDEX entra_scim_member_of ON entra_scim_member (member_id)",
    /* What one user alone may have: its userName and its object id. A row for each, so that two transactions that want
     * one wait for each other, and the second sees that it came too late without a failed statement. */
    "CREATE TABLE entra_scim_unique (app VARCHAR(32) NOT NULL, kind VARCHAR(8) NOT NULL, value TEXT NOT NULL, "
    "id VARCHAR(36) NOT NULL, PRIMARY KEY (app, kind, value))",
    /* Who was disabled or deleted, and when: a sign-in that began before is refused, also when the user is back or
     * gone. who: an object id, or "name:" and the folded user name. */
    "CREATE TABLE entra_scim_barred (app VARCHAR(32) NOT NULL, who TEXT NOT NULL, id VARCHAR(36) NOT NULL, "
    "at BIGINT NOT NULL, PRIMARY KEY (app, who))",
    "CREATE INDEX entra_scim_barred_at ON entra_scim_barred (at)",
    /* id: the public part of the token; hash: SHA-256 of the whole, hexadecimal. used 0: never. */
    "CREATE TABLE entra_scim_token (id VARCHAR(16) NOT NULL PRIMARY KEY, app VARCHAR(32) NOT NULL, "
    "hash VARCHAR(64) NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL, used BIGINT NOT NULL)",
    "CREATE INDEX entra_scim_token_app ON entra_scim_token (app)",
    "CREATE TABLE entra_scim_audit (at BIGINT NOT NULL, app VARCHAR(32) NOT NULL, actor TEXT NOT NULL, "
    "what TEXT NOT NULL, resource VARCHAR(36) NOT NULL)",
    "CREATE INDEX entra_scim_audit_at ON entra_scim_audit (at)",
    NULL,
};

typedef struct {
    int least; /* a step that only adds leaves this as it was */
    const char *const *statements;
} step_t;

/* The i-th makes version i + 1. */
static const step_t steps[] = {
    {1, step_1},
    {1, step_2},
    {1, step_3},
    {1, step_4},
};

int sso_schema_version(void)
{
    return (int)(sizeof(steps) / sizeof(steps[0]));
}

typedef struct {
    bool there;
    int64_t version;
    int64_t least;
} found_t;

static const char has_table_sqlite[] =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'entra_schema'";
/* A look at a table: to_regclass would answer from what this connection knew before it waited for the lock. */
static const char has_table_pgsql[] =
    "SELECT COUNT(*) FROM pg_class WHERE relname = 'entra_schema' AND pg_table_is_visible(oid)";
/* A number of our own; held until the transaction ends. */
static const char lock_pgsql[] = "SELECT pg_advisory_xact_lock(7233610)";

static sso_rc read_table(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    (void)ctx;
    ((found_t *)baton)->there = columns[0] != NULL && strcmp(columns[0], "1") == 0;
    return SSO_OK;
}

static sso_rc read_version(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    found_t *found = baton;
    if (!sso_integer_parse(columns[0], &found->version) || !sso_integer_parse(columns[1], &found->least) ||
        found->version < 0) {
        return sso_fail(ctx, SSO_R_STORE_SCHEMA, "the table entra_schema is malformed");
    }
    return SSO_OK;
}

static sso_rc ignore_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    (void)ctx, (void)columns, (void)baton;
    return SSO_OK;
}

static sso_rc find_version(sso_ctx_t *ctx, sso_connection_t *connection, found_t *found)
{
    bool pgsql = sso_connection_is_pgsql(connection);
    memset(found, 0, sizeof(*found));
    sso_rc rc = sso_connection_ask(ctx, connection, pgsql ? has_table_pgsql : has_table_sqlite, read_table, found);
    if (rc == SSO_OK && found->there) {
        rc = sso_connection_ask(ctx, connection, "SELECT version, least FROM entra_schema", read_version, found);
    }
    if (rc == SSO_OK && found->least > sso_schema_version()) {
        rc = sso_fail(ctx, SSO_R_STORE_NEWER, "version %lld; this program works with %d at most",
                      (long long)found->least, sso_schema_version());
    }
    return rc;
}

sso_rc sso_schema_find(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    found_t found;
    sso_rc rc = find_version(ctx, connection, &found);
    *(int *)baton = rc == SSO_OK ? (int)found.version : 0;
    return rc;
}

static sso_rc migrate(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    found_t found = {0};
    sso_rc rc = SSO_OK;
    (void)baton;
    /* SQLite's BEGIN IMMEDIATE is a lock already. */
    if (sso_connection_is_pgsql(connection)) {
        rc = sso_connection_ask(ctx, connection, lock_pgsql, ignore_row, NULL);
    }
    if (rc == SSO_OK) {
        rc = find_version(ctx, connection, &found);
    }
    if (rc != SSO_OK || found.version >= sso_schema_version()) {
        return rc; /* another process was faster */
    }
    for (int i = (int)found.version; rc == SSO_OK && i < sso_schema_version(); i++) {
        for (const char *const *sql = steps[i].statements; rc == SSO_OK && *sql != NULL; sql++) {
            rc = sso_connection_execute(ctx, connection, *sql);
        }
    }
    if (rc == SSO_OK) {
        int last = sso_schema_version();
        rc = sso_connection_execute(
            ctx, connection,
            apr_psprintf(ctx->pool, "UPDATE entra_schema SET version = %d, least = %d", last, steps[last - 1].least));
    }
    return rc;
}

sso_rc sso_schema_ready(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    found_t found;
    (void)baton;
    sso_rc rc = find_version(ctx, connection, &found);
    if (rc != SSO_OK || found.version >= sso_schema_version()) {
        return rc;
    }
    rc = sso_connection_transaction(ctx, connection, migrate, NULL);
    if (rc == SSO_R_STORE_FAILED) {
        /* What the database said stays the detail. */
        const char *detail = ctx->fault.detail;
        sso_fault_clear(ctx);
        rc = sso_fail(ctx, SSO_R_STORE_SCHEMA, "%s", detail == NULL ? "-" : detail);
    }
    return rc;
}
