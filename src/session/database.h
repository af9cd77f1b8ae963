/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of one process to one database, transactions and prepared statements. Knows two dialects, SQLite's and
 * PostgreSQL's, and no table of its own. */
#pragma once

#include "base/result.h"

/* The connections of a process. Safe for all threads. */
typedef struct sso_database_t sso_database_t;
/* One of them, lent to a piece of work. */
typedef struct sso_connection_t sso_connection_t;

/* A statement: %s stands for each argument (CAST(%s AS BIGINT) for a number) and {now} for the moment by the database's
 * own clock. Prepared once a connection under its name, which is that of no other statement. */
typedef struct {
    const char *name;
    const char *sql;
} sso_statement_t;

/* For rows of all nodes: a moment is over by this node's clock and by the database's too, since a node whose clock is
 * ahead would take what the others need. Its two arguments: ctx->now less what it is kept for, and this span. */
#define SSO_OVER(column) column " < CAST(%s AS BIGINT) AND " column " < (SELECT {now}) - CAST(%s AS BIGINT)"

/* A piece of work over one connection. It may be called a second time, when the first ended without a trace in the
 * database: it begins its results anew each time. */
typedef sso_rc sso_work_fn(sso_ctx_t *ctx, sso_connection_t *connection, void *baton);
/* A row: as many texts as the statement has columns, NULL for SQL's NULL; they live until the work is over. */
typedef sso_rc sso_row_fn(sso_ctx_t *ctx, const char *const *columns, void *baton);

/* Makes the pool of connections; nothing is opened yet. ready is called with each new connection, to see that its
 * tables are there. driver is "sqlite3" or "pgsql"; params as after sso_store_source. SSO_R_STORE_DRIVER. */
sso_rc sso_database_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *driver, const char *params, sso_work_fn *ready,
                         sso_database_t **ret_database) SSO_MUST_USE;
/* True when apr-util has this driver at hand. Loads it. */
bool sso_database_has_driver(apr_pool_t *pool, const char *driver);

/* Work that only reads. Errors: SSO_R_STORE_AWAY, SSO_R_STORE_BUSY, SSO_R_STORE_FAILED and the work's own. */
sso_rc sso_database_read(sso_ctx_t *ctx, sso_database_t *database, sso_work_fn *work, void *baton) SSO_MUST_USE;
/* Work that changes, as one transaction: it is done wholly, or with an error not at all. Only when the connection is
 * lost at the very end is it not known which, and then the error is given. */
sso_rc sso_database_change(sso_ctx_t *ctx, sso_database_t *database, sso_work_fn *work, void *baton) SSO_MUST_USE;

/* For work. args: as many texts as the statement has %s, none of them NULL. ret_rows may be NULL. */
sso_rc sso_connection_change(sso_ctx_t *ctx, sso_connection_t *connection, const sso_statement_t *statement,
                             const char *const *args, int *ret_rows) SSO_MUST_USE;
sso_rc sso_connection_select(sso_ctx_t *ctx, sso_connection_t *connection, const sso_statement_t *statement,
                             const char *const *args, sso_row_fn *row, void *baton) SSO_MUST_USE;

/* For `ready` alone: SQL without arguments that is not prepared (SQLite's driver keeps no prepared statement over a
 * change of the tables), and a transaction of its own. */
sso_rc sso_connection_ask(sso_ctx_t *ctx, sso_connection_t *connection, const char *sql, sso_row_fn *row,
                          void *baton) SSO_MUST_USE;
sso_rc sso_connection_execute(sso_ctx_t *ctx, sso_connection_t *connection, const char *sql) SSO_MUST_USE;
sso_rc sso_connection_transaction(sso_ctx_t *ctx, sso_connection_t *connection, sso_work_fn *work,
                                  void *baton) SSO_MUST_USE;
bool sso_connection_is_pgsql(const sso_connection_t *connection);
