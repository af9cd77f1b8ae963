/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections and what is said over one. The only file that knows apr_dbd. A connection over which anything
 * failed is closed and never lent again. */
#include "session/database.h"

#include <string.h>
#include <sys/stat.h>

#include <apr_dbd.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/limits.h"
#include "session/source.h"

/* How long a connect that failed speaks for those that come after it. */
#define AWAY_FOR apr_time_from_sec(1)
/* How long a caller waits for a connection to come back from another. */
#define WAIT_FOR apr_time_from_sec(2)
/* How long a caller waits until the others of this process have written. */
#define WRITE_WITHIN apr_time_from_sec(5)
/* Work that failed after this long is not tried a second time. */
#define RETRY_WITHIN apr_time_from_sec(1)

struct sso_connection_t {
    sso_database_t *database;
    apr_pool_t *pool; /* of its own, without parent: no allocator is shared between threads */
    apr_pool_t *work; /* emptied after each piece of work */
    apr_dbd_t *handle;
    apr_hash_t *prepared; /* name -> apr_dbd_prepared_t */
    dev_t device;         /* of SQLite's file when it was opened */
    ino_t inode;
    bool failed;
    bool ending; /* COMMIT was sent and not answered yet: the one moment at which the outcome is not known */
};

struct sso_database_t {
    const apr_dbd_driver_t *driver;
    const char *params;
    bool pgsql;
    sso_work_fn *ready;
    apr_thread_mutex_t *mutex; /* guards all below */
    apr_thread_cond_t *returned;
    sso_connection_t *idle[SSO_MAX_STORE_CONNECTIONS];
    int idle_count;
    int open_count; /* idle, lent, and being opened */
    sso_rc away;    /* why the last connect failed; SSO_OK when it did not */
    char away_why[SSO_MAX_LOGGED + 1];
    apr_time_t away_until;
    bool probing; /* one caller is finding out whether it is back */
    bool writing; /* SQLite: a thread of this process is in a transaction */
    apr_thread_cond_t *written;
};

/* ---- one connection ---- */

static void connection_close(sso_connection_t *connection)
{
    if (connection->handle != NULL) {
        /* Also rolls back what was begun and not ended. */
        (void)apr_dbd_close(connection->database->driver, connection->handle);
    }
    apr_pool_destroy(connection->pool);
}

/* A statement failed. The first line of the database's own words: what follows it may quote a row. */
static sso_rc connection_fail(sso_ctx_t *ctx, sso_connection_t *connection, const char *what, int code)
{
    connection->failed = true;
    const char *text = apr_dbd_error(connection->database->driver, connection->handle, code);
    char *line = apr_pstrdup(ctx->pool, text == NULL || *text == '\0' ? "no word from the driver" : text);
    line[strcspn(line, "\r\n")] = '\0';
    return sso_fail(ctx, SSO_R_STORE_FAILED, "%s: %s", what, sso_printable(ctx->pool, line));
}

bool sso_connection_is_pgsql(const sso_connection_t *connection)
{
    return connection->database->pgsql;
}

sso_rc sso_connection_execute(sso_ctx_t *ctx, sso_connection_t *connection, const char *sql)
{
    int rows = 0;
    int code = apr_dbd_query(connection->database->driver, connection->handle, &rows, sql);
    return code == 0 ? SSO_OK : connection_fail(ctx, connection, sql, code);
}

/* The statement in the words of the dialect. */
static const char *statement_text(const sso_connection_t *connection, const char *sql)
{
    /* SQLite's finest clock, whole milliseconds gone by. A day number has more digits than a double can hold, so the
     * product is one of them only after rounding. */
    static const char sqlite_now[] = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS BIGINT) * 1000";
    static const char pgsql_now[] = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    const char *now = connection->database->pgsql ? pgsql_now : sqlite_now;
    const char *text = "";
    for (const char *at = strstr(sql, "{now}"); at != NULL; at = strstr(sql, "{now}")) {
        text = apr_pstrcat(connection->work, text, apr_pstrmemdup(connection->work, sql, (apr_size_t)(at - sql)), "(",
                           now, ")", NULL);
        sql = at + strlen("{now}");
    }
    return apr_pstrcat(connection->work, text, sql, NULL);
}

static sso_rc statement_prepare(sso_ctx_t *ctx, sso_connection_t *connection, const sso_statement_t *statement,
                                apr_dbd_prepared_t **ret_prepared)
{
    apr_dbd_prepared_t *prepared = apr_hash_get(connection->prepared, statement->name, APR_HASH_KEY_STRING);
    if (prepared == NULL) {
        int code = apr_dbd_prepare(connection->database->driver, connection->pool, connection->handle,
                                   statement_text(connection, statement->sql), statement->name, &prepared);
        if (code != 0) {
            return connection_fail(ctx, connection, statement->name, code);
        }
        apr_hash_set(connection->prepared, apr_pstrdup(connection->pool, statement->name), APR_HASH_KEY_STRING,
                     prepared);
    }
    *ret_prepared = prepared;
    return SSO_OK;
}

static int args_count(const sso_statement_t *statement)
{
    int count = 0;
    for (const char *at = strstr(statement->sql, "%s"); at != NULL; at = strstr(at + 2, "%s")) {
        count++;
    }
    return count;
}

/* The driver wants an array that it may write to, and never does. */
static const char **args_copy(sso_connection_t *connection, const char *const *args, int count)
{
    return count == 0 ? NULL : apr_pmemdup(connection->work, args, (apr_size_t)count * sizeof(*args));
}

sso_rc sso_connection_change(sso_ctx_t *ctx, sso_connection_t *connection, const sso_statement_t *statement,
                             const char *const *args, int *ret_rows)
{
    apr_dbd_prepared_t *prepared;
    sso_rc rc = statement_prepare(ctx, connection, statement, &prepared);
    if (rc != SSO_OK) {
        return rc;
    }
    int rows = 0;
    int count = args_count(statement);
    int code = apr_dbd_pquery(connection->database->driver, connection->work, connection->handle, &rows, prepared,
                              count, args_copy(connection, args, count));
    if (code != 0) {
        return connection_fail(ctx, connection, statement->name, code);
    }
    if (ret_rows != NULL) {
        *ret_rows = rows;
    }
    return SSO_OK;
}

/* All rows are read even when one is refused: an unread rest would stay with the connection. */
static sso_rc rows_read(sso_ctx_t *ctx, sso_connection_t *connection, apr_dbd_results_t *results, sso_row_fn *row_fn,
                        void *baton)
{
    const apr_dbd_driver_t *driver = connection->database->driver;
    const char *columns[SSO_MAX_STORE_COLUMNS] = {NULL};
    apr_dbd_row_t *row = NULL;
    sso_rc rc = SSO_OK;
    while (results != NULL && apr_dbd_get_row(driver, connection->work, results, &row, -1) == 0) {
        int count = apr_dbd_num_cols(driver, results);
        for (int i = 0; i < count && i < SSO_MAX_STORE_COLUMNS; i++) {
            columns[i] = apr_dbd_get_entry(driver, row, i);
        }
        if (rc == SSO_OK) {
            rc = row_fn(ctx, columns, baton);
        }
    }
    return rc;
}

sso_rc sso_connection_select(sso_ctx_t *ctx, sso_connection_t *connection, const sso_statement_t *statement,
                             const char *const *args, sso_row_fn *row, void *baton)
{
    apr_dbd_prepared_t *prepared;
    sso_rc rc = statement_prepare(ctx, connection, statement, &prepared);
    if (rc != SSO_OK) {
        return rc;
    }
    apr_dbd_results_t *results = NULL;
    int count = args_count(statement);
    /* "Random" access is what makes PostgreSQL's driver answer at once, with the statement's success or failure. */
    int code = apr_dbd_pselect(connection->database->driver, connection->work, connection->handle, &results, prepared,
                               1, count, args_copy(connection, args, count));
    return code == 0 ? rows_read(ctx, connection, results, row, baton)
                     : connection_fail(ctx, connection, statement->name, code);
}

sso_rc sso_connection_ask(sso_ctx_t *ctx, sso_connection_t *connection, const char *sql, sso_row_fn *row, void *baton)
{
    const sso_database_t *database = connection->database;
    apr_dbd_results_t *results = NULL;
    int code = apr_dbd_select(database->driver, connection->work, connection->handle, &results, sql, 1);
    if (code != 0 && !database->pgsql) {
        /* After another process changed the tables, SQLite's driver fails once and knows better the second time. */
        results = NULL;
        code = apr_dbd_select(database->driver, connection->work, connection->handle, &results, sql, 1);
    }
    return code == 0 ? rows_read(ctx, connection, results, row, baton) : connection_fail(ctx, connection, sql, code);
}

/* Not by apr_dbd's own transactions: with a server that has gone, those of PostgreSQL's driver end in a crash. */
sso_rc sso_connection_transaction(sso_ctx_t *ctx, sso_connection_t *connection, sso_work_fn *work, void *baton)
{
    sso_rc rc = sso_connection_execute(ctx, connection, connection->database->pgsql ? "BEGIN" : "BEGIN IMMEDIATE");
    if (rc == SSO_OK) {
        rc = work(ctx, connection, baton);
    }
    if (rc == SSO_OK) {
        connection->ending = true;
        rc = sso_connection_execute(ctx, connection, "COMMIT");
        connection->ending = rc != SSO_OK;
    }
    if (rc != SSO_OK && !connection->failed) {
        /* The work itself said no, and every statement was good: there is no need for a new connection. What this may
         * add to the fault of the work is not told. */
        (void)!sso_connection_execute(ctx, connection, "ROLLBACK");
    }
    /* After a statement that failed, closing is what rolls back. */
    return rc;
}

/* SECURITY: nobody but the owner reads the file, wherever it lies; SQLite gives its companions the same mode. The file
 * is made without being opened: closing any descriptor of it would drop the locks of all connections of this process,
 * and another process, when it closes its own, would then take itself for the last one and remove the log in use. */
static void sqlite_make_file(const char *path)
{
    /* What stands in the way, the driver's own attempt tells. */
    (void)mknod(path, S_IFREG | S_IRUSR | S_IWUSR, 0);
}

static sso_rc ignore_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    (void)ctx, (void)columns, (void)baton;
    return SSO_OK;
}

static sso_rc sqlite_setup(sso_ctx_t *ctx, sso_connection_t *connection)
{
    static const char *const settings[] = {
        /* Short, since all threads of a process wait behind the one that waits here; the driver itself tries for some
         * seconds. */
        "PRAGMA busy_timeout = 200",
        "PRAGMA journal_mode = WAL",
        /* A session that was ended stays ended when the power goes. */
        "PRAGMA synchronous = FULL",
        "PRAGMA journal_size_limit = 16777216",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = FAST",
        /* SECURITY: what somebody wrote into the file's schema may call nothing. */
        "PRAGMA trusted_schema = OFF",
        NULL,
    };
    sso_rc rc = SSO_OK;
    for (int i = 0; rc == SSO_OK && settings[i] != NULL; i++) {
        /* SQLite answers most of these with a row. */
        rc = sso_connection_ask(ctx, connection, settings[i], ignore_row, NULL);
    }
    struct stat st;
    if (rc == SSO_OK && stat(connection->database->params, &st) == 0) {
        connection->device = st.st_dev;
        connection->inode = st.st_ino;
    }
    return rc;
}

/* A statement may wait five seconds, and one for another's lock a little less, so that it is the one to say so. */
static sso_rc pgsql_setup(sso_ctx_t *ctx, sso_connection_t *connection)
{
    return sso_connection_execute(ctx, connection,
                                  "SET statement_timeout = 5000; SET lock_timeout = 4000; "
                                  "SET idle_in_transaction_session_timeout = 10000; SET client_min_messages = warning");
}

/* What apr_dbd says of a connect that failed, or why there is no connection otherwise. */
static sso_rc connection_start(sso_ctx_t *ctx, sso_connection_t *connection)
{
    sso_database_t *database = connection->database;
    const char *error = NULL;
    if (!database->pgsql) {
        sqlite_make_file(database->params);
    }
    apr_status_t status =
        apr_dbd_open_ex(database->driver, connection->pool, database->params, &connection->handle, &error);
    if (status != APR_SUCCESS) {
        connection->handle = NULL;
        char *line = apr_pstrdup(ctx->pool, error == NULL || *error == '\0' ? "no word from the driver" : error);
        line[strcspn(line, "\r\n")] = '\0';
        return sso_fail(ctx, SSO_R_STORE_AWAY, "%s", sso_printable(ctx->pool, line));
    }
    sso_rc rc = database->pgsql ? pgsql_setup(ctx, connection) : sqlite_setup(ctx, connection);
    if (rc == SSO_OK) {
        rc = database->ready(ctx, connection, NULL);
    }
    apr_pool_clear(connection->work);
    return rc;
}

static sso_rc connection_open(sso_ctx_t *ctx, sso_database_t *database, sso_connection_t **ret_connection)
{
    apr_pool_t *pool = NULL;
    if (apr_pool_create_unmanaged_ex(&pool, apr_pool_abort_get(ctx->pool), NULL) != APR_SUCCESS) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "no memory for a pool");
    }
    sso_connection_t *connection = apr_pcalloc(pool, sizeof(*connection));
    connection->database = database;
    connection->pool = pool;
    connection->prepared = apr_hash_make(pool);
    apr_pool_create(&connection->work, pool);
    sso_rc rc = connection_start(ctx, connection);
    if (rc != SSO_OK) {
        connection_close(connection);
        return rc;
    }
    *ret_connection = connection;
    return SSO_OK;
}

/* ---- the pool ---- */

/* A file that was replaced under us (a backup put back) is another database: what we wrote into the old one would be
 * lost. */
static bool connection_is_stale(const sso_connection_t *connection)
{
    struct stat st;
    return !connection->database->pgsql && (stat(connection->database->params, &st) != 0 ||
                                            st.st_dev != connection->device || st.st_ino != connection->inode);
}

/* Closes every idle connection; with the mutex held, since closing one is short. */
static void pool_drop_idle(sso_database_t *database)
{
    while (database->idle_count > 0) {
        connection_close(database->idle[--database->idle_count]);
        database->open_count--;
    }
}

/* Shortly after the database did not answer. A wait that is longer than any began before the clock was set back. */
static bool is_away(const sso_database_t *database)
{
    const apr_interval_time_t rest = database->away_until - sso_clock_now();
    return database->away != SSO_OK && (database->probing || (rest > 0 && rest <= AWAY_FOR));
}

/* Waits until a connection is idle or may be opened. With the mutex held. */
static sso_rc pool_wait(sso_ctx_t *ctx, sso_database_t *database, bool fresh)
{
    const apr_time_t began = sso_clock_now();
    for (;;) {
        if (fresh) {
            pool_drop_idle(database);
        }
        if (is_away(database)) {
            /* Fails at once, so that not every thread of the process waits for a database that does not answer. */
            return sso_fail(ctx, database->away, "a moment ago: %s", database->away_why);
        }
        if (database->idle_count > 0 || database->open_count < SSO_MAX_STORE_CONNECTIONS) {
            return SSO_OK;
        }
        apr_interval_time_t left = began + WAIT_FOR - sso_clock_now();
        if (left <= 0 || left > WAIT_FOR) {
            return sso_fail(ctx, SSO_R_STORE_BUSY, "%d connections are in use", SSO_MAX_STORE_CONNECTIONS);
        }
        (void)apr_thread_cond_timedwait(database->returned, database->mutex, left);
    }
}

/* An idle connection, or NULL when the caller is to open one, for which a place is taken. With the mutex held. */
static sso_connection_t *pool_pop(sso_database_t *database)
{
    if (database->idle_count > 0) {
        sso_connection_t *connection = database->idle[--database->idle_count];
        if (!connection_is_stale(connection)) {
            return connection;
        }
        /* Its place goes to the new one. */
        connection_close(connection);
        pool_drop_idle(database);
        return NULL;
    }
    database->open_count++;
    return NULL;
}

static sso_rc pool_open(sso_ctx_t *ctx, sso_database_t *database, sso_connection_t **ret_connection)
{
    sso_rc rc = connection_open(ctx, database, ret_connection);
    if (rc == SSO_R_STORE_FAILED || rc == SSO_R_STORE_SCHEMA) {
        /* Another process was making the tables at this moment, and SQLite's driver fails once where they changed. */
        sso_fault_clear(ctx);
        rc = connection_open(ctx, database, ret_connection);
    }
    apr_thread_mutex_lock(database->mutex);
    database->probing = false;
    database->away = rc;
    if (rc != SSO_OK) {
        database->away_until = sso_clock_now() + AWAY_FOR;
        apr_cpystrn(database->away_why, ctx->fault.detail == NULL ? "-" : ctx->fault.detail,
                    sizeof(database->away_why));
        database->open_count--;
        pool_drop_idle(database);
        apr_thread_cond_broadcast(database->returned);
    }
    apr_thread_mutex_unlock(database->mutex);
    return rc;
}

/* fresh: not one of the idle. *ret_fresh tells whether it was opened just now. */
static sso_rc pool_take(sso_ctx_t *ctx, sso_database_t *database, bool fresh, sso_connection_t **ret_connection,
                        bool *ret_fresh)
{
    sso_connection_t *connection = NULL;
    apr_thread_mutex_lock(database->mutex);
    sso_rc rc = pool_wait(ctx, database, fresh);
    if (rc == SSO_OK) {
        connection = pool_pop(database);
        database->probing = connection == NULL && database->away != SSO_OK;
    }
    apr_thread_mutex_unlock(database->mutex);
    if (rc == SSO_OK && connection == NULL) {
        *ret_fresh = true;
        return pool_open(ctx, database, ret_connection);
    }
    *ret_fresh = false;
    *ret_connection = connection;
    return rc;
}

static void pool_give(sso_database_t *database, sso_connection_t *connection)
{
    bool keep = !connection->failed;
    if (keep) {
        apr_pool_clear(connection->work);
    } else {
        connection_close(connection);
    }
    apr_thread_mutex_lock(database->mutex);
    if (keep) {
        database->idle[database->idle_count++] = connection;
    } else {
        database->open_count--;
    }
    apr_thread_cond_signal(database->returned);
    apr_thread_mutex_unlock(database->mutex);
}

/* SQLite has one writer, and its driver one mutex for all connections of a process: a thread that waits in it for the
 * writer keeps that very thread from its COMMIT. So the threads of a process wait here, in front of the driver, and
 * hold no connection meanwhile. */
static sso_rc writer_enter(sso_ctx_t *ctx, sso_database_t *database)
{
    const apr_time_t began = sso_clock_now();
    sso_rc rc = SSO_OK;
    apr_thread_mutex_lock(database->mutex);
    while (rc == SSO_OK && database->writing) {
        apr_interval_time_t left = began + WRITE_WITHIN - sso_clock_now();
        if (left <= 0 || left > WRITE_WITHIN) {
            rc = sso_fail(ctx, SSO_R_STORE_BUSY, "others of this process have been writing for too long");
        } else {
            (void)apr_thread_cond_timedwait(database->written, database->mutex, left);
        }
    }
    database->writing = database->writing || rc == SSO_OK;
    apr_thread_mutex_unlock(database->mutex);
    return rc;
}

static void writer_leave(sso_database_t *database)
{
    apr_thread_mutex_lock(database->mutex);
    database->writing = false;
    apr_thread_cond_signal(database->written);
    apr_thread_mutex_unlock(database->mutex);
}

static sso_rc run_once(sso_ctx_t *ctx, sso_connection_t *connection, bool change, sso_work_fn *work, void *baton)
{
    return change ? sso_connection_transaction(ctx, connection, work, baton) : work(ctx, connection, baton);
}

/* A connection that lay idle may have died meanwhile (the server was restarted, a firewall forgot it): what it did not
 * do is tried once more over a new one, unless it may have been done after all. */
static sso_rc run(sso_ctx_t *ctx, sso_database_t *database, bool change, sso_work_fn *work, void *baton)
{
    const apr_time_t began = sso_clock_now();
    sso_connection_t *connection = NULL;
    bool fresh;
    sso_rc rc = pool_take(ctx, database, false, &connection, &fresh);
    if (rc != SSO_OK) {
        return rc;
    }
    rc = run_once(ctx, connection, change, work, baton);
    bool again = rc == SSO_R_STORE_FAILED && !fresh && !connection->ending && sso_clock_now() - began < RETRY_WITHIN;
    pool_give(database, connection);
    if (!again) {
        return rc;
    }
    sso_fault_clear(ctx);
    rc = pool_take(ctx, database, true, &connection, &fresh);
    if (rc == SSO_OK) {
        rc = run_once(ctx, connection, change, work, baton);
        pool_give(database, connection);
    }
    return rc;
}

/* Counts a failure of the database; what the work itself gave is no business of this file. */
static sso_rc counted(const sso_ctx_t *ctx, sso_rc rc)
{
    static const struct {
        sso_rc rc;
        sso_count_t count;
    } kinds[] = {{SSO_R_STORE_AWAY, SSO_COUNT_DATABASE_AWAY},
                 {SSO_R_STORE_BUSY, SSO_COUNT_DATABASE_BUSY},
                 {SSO_R_STORE_FAILED, SSO_COUNT_DATABASE_FAILED},
                 {SSO_R_STORE_SCHEMA, SSO_COUNT_DATABASE_SCHEMA},
                 {SSO_R_STORE_NEWER, SSO_COUNT_DATABASE_SCHEMA}};
    for (size_t i = 0; rc != SSO_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].rc == rc) {
            sso_count(ctx, kinds[i].count);
        }
    }
    return rc;
}

sso_rc sso_database_read(sso_ctx_t *ctx, sso_database_t *database, sso_work_fn *work, void *baton)
{
    return counted(ctx, run(ctx, database, false, work, baton));
}

sso_rc sso_database_change(sso_ctx_t *ctx, sso_database_t *database, sso_work_fn *work, void *baton)
{
    if (database->pgsql) {
        return counted(ctx, run(ctx, database, true, work, baton));
    }
    sso_rc rc = writer_enter(ctx, database);
    if (rc == SSO_OK) {
        rc = run(ctx, database, true, work, baton);
        writer_leave(database);
    }
    return counted(ctx, rc);
}

static apr_status_t database_cleanup(void *data)
{
    pool_drop_idle(data);
    return APR_SUCCESS;
}

bool sso_database_has_driver(apr_pool_t *pool, const char *driver)
{
    const apr_dbd_driver_t *found = NULL;
    return apr_dbd_init(pool) == APR_SUCCESS && apr_dbd_get_driver(pool, driver, &found) == APR_SUCCESS;
}

sso_rc sso_database_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *driver, const char *params, sso_work_fn *ready,
                         sso_database_t **ret_database)
{
    sso_database_t *database = apr_pcalloc(pool, sizeof(*database));
    if (apr_dbd_init(pool) != APR_SUCCESS || apr_dbd_get_driver(pool, driver, &database->driver) != APR_SUCCESS) {
        return sso_fail(ctx, SSO_R_STORE_DRIVER, "apr_dbd_%s", sso_printable(ctx->pool, driver));
    }
    database->pgsql = strcmp(driver, "pgsql") == 0;
    database->params = database->pgsql ? sso_source_bounded(pool, params) : apr_pstrdup(pool, params);
    database->ready = ready;
    if (apr_thread_mutex_create(&database->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&database->returned, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&database->written, pool) != APR_SUCCESS) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "no mutex can be made");
    }
    apr_pool_cleanup_register(pool, database, database_cleanup, apr_pool_cleanup_null);
    *ret_database = database;
    return SSO_OK;
}
