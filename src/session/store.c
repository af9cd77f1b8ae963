/* SPDX-License-Identifier: Apache-2.0 */
/* Every SQL statement of sessions. What goes in is bounded, what comes out is judged like anything else from outside.
 */
#include "session/store.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "session/database.h"
#include "session/row.h"
#include "session/schema.h"

struct sso_store_t {
    sso_database_t *database;
};

sso_rc sso_store_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *driver, const char *params, sso_store_t **ret_store)
{
    sso_store_t *store = apr_pcalloc(pool, sizeof(*store));
    sso_rc rc = sso_database_make(ctx, pool, driver, params, sso_schema_ready, &store->database);
    if (rc == SSO_OK) {
        *ret_store = store;
    }
    return rc;
}

sso_database_t *sso_store_database(const sso_store_t *store)
{
    return store->database;
}

/* ---- one statement with its arguments ---- */

typedef struct {
    const sso_statement_t *statement;
    const char *const *args;
    int rows;                 /* changed */
    sso_row_fn *row;          /* of a select */
    void *into;               /* its baton */
    bool *found;              /* reset before a select */
    apr_array_header_t *list; /* emptied before a select */
} call_t;

static sso_rc change_one(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    call_t *call = baton;
    return sso_connection_change(ctx, connection, call->statement, call->args, &call->rows);
}

static sso_rc select_one(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    const call_t *call = baton;
    if (call->found != NULL) {
        *call->found = false;
    }
    if (call->list != NULL) {
        apr_array_clear(call->list);
    }
    return sso_connection_select(ctx, connection, call->statement, call->args, call->row, call->into);
}

static sso_rc change(sso_ctx_t *ctx, sso_store_t *store, const sso_statement_t *statement, const char *const *args,
                     int *ret_rows)
{
    call_t call = {.statement = statement, .args = args};
    sso_rc rc = sso_database_change(ctx, store->database, change_one, &call);
    if (rc == SSO_OK && ret_rows != NULL) {
        *ret_rows = call.rows;
    }
    return rc;
}

/* The rows join ret_items, all or none. */
static sso_rc select_list(sso_ctx_t *ctx, sso_store_t *store, const sso_statement_t *statement, const char *const *args,
                          sso_row_fn *row, apr_array_header_t *ret_items)
{
    apr_array_header_t *list = apr_array_make(ctx->pool, 16, ret_items->elt_size);
    call_t call = {.statement = statement, .args = args, .row = row, .into = list, .list = list};
    sso_rc rc = sso_database_read(ctx, store->database, select_one, &call);
    if (rc == SSO_OK) {
        apr_array_cat(ret_items, list);
    }
    return rc;
}

/* ---- adding and finding ---- */

static sso_rc stored_check(sso_ctx_t *ctx, const sso_stored_t *session)
{
    sso_rc rc = SSO_OK;
    const struct {
        const char *what;
        const char *text;
        apr_size_t max;
    } texts[] = {
        {"app", session->app, SSO_MAX_STORED_TEXT},
        {"sid", session->sid, SSO_MAX_STORED_TEXT},
        {"username", session->username, SSO_MAX_STORED_TEXT},
        {"refresh token", session->refresh, SSO_MAX_STORED_SEALED},
        {"identity", session->identity, SSO_MAX_STORED_SEALED},
        {"access token", session->access, SSO_MAX_STORED_SEALED},
    };
    for (size_t i = 0; rc == SSO_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        rc = sso_row_check_text(ctx, texts[i].what, texts[i].text, texts[i].max);
    }
    if (rc == SSO_OK && (!sso_is_guid(session->tid) || !sso_is_guid(session->oid) || !sso_row_is_app(session->app))) {
        rc = sso_fail(ctx, SSO_R_STORE_TEXT, "tenant or object is no GUID, or app no hexadecimal");
    }
    return rc;
}

typedef struct {
    const char *const *args;
    sso_guard_fn *guard;
    const void *guard_baton;
} adding_t;

static sso_rc add_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t add = {
        "session_add", "INSERT INTO entra_session (" SSO_ROW_COLUMNS ", " SSO_ROW_SEALED ", claim, claimed_until) "
                       "VALUES (%s, %s, %s, %s, %s, %s, CAST(%s AS BIGINT), CAST(%s AS BIGINT), CAST(%s AS BIGINT), "
                       "0, CAST(%s AS BIGINT), %s, %s, %s, '', 0)"};
    const adding_t *adding = baton;
    sso_rc rc = adding->guard == NULL ? SSO_OK : adding->guard(ctx, connection, adding->guard_baton);
    return rc == SSO_OK ? sso_connection_change(ctx, connection, &add, adding->args, NULL) : rc;
}

sso_rc sso_store_add_if(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session, sso_guard_fn *guard,
                        const void *baton)
{
    sso_rc rc = stored_check(ctx, session);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {sso_row_id(ctx->pool, session->id),
                          session->app,
                          session->tid,
                          session->oid,
                          session->sid,
                          session->username,
                          sso_row_time(ctx->pool, session->created),
                          sso_row_time(ctx->pool, session->ends),
                          sso_row_time(ctx->pool, session->revalidated),
                          sso_row_time(ctx->pool, session->signed_in),
                          session->refresh,
                          session->identity,
                          session->access};
    adding_t adding = {args, guard, baton};
    return sso_database_change(ctx, store->database, add_work, &adding);
}

sso_rc sso_store_add(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session)
{
    return sso_store_add_if(ctx, store, session, NULL, NULL);
}

sso_rc sso_store_strengthen(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session, bool *ret_kept)
{
    static const sso_statement_t strengthen = {
        "session_strengthen",
        "UPDATE entra_session SET sid = %s, username = %s, revalidated = CAST(%s AS BIGINT), "
        "refresh = CASE WHEN %s = '1' THEN %s ELSE refresh END, access = CASE WHEN %s = '1' THEN %s ELSE access END, "
        "renewed = '', claim = '', claimed_until = 0 WHERE id = %s AND app = %s AND tenant = %s AND object = %s AND "
        "ended = 0"};
    sso_rc rc = stored_check(ctx, session);
    if (rc != SSO_OK) {
        return rc;
    }
    int rows;
    const char *args[] = {session->sid,
                          session->username,
                          sso_row_time(ctx->pool, session->revalidated),
                          *session->refresh == '\0' ? "0" : "1",
                          session->refresh,
                          *session->access == '\0' ? "0" : "1",
                          session->access,
                          sso_row_id(ctx->pool, session->id),
                          session->app,
                          session->tid,
                          session->oid};
    rc = change(ctx, store, &strengthen, args, &rows);
    if (rc == SSO_OK) {
        *ret_kept = rows == 1;
    }
    return rc;
}

typedef struct {
    sso_stored_t session;
    bool found;
} found_t;

static sso_rc row_find(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    found_t *found = baton;
    found->found = true;
    return sso_row_parse(ctx, columns, true, &found->session);
}

sso_rc sso_store_find(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                      sso_stored_t *ret_session, bool *ret_found)
{
    static const sso_statement_t find = {"session_find", "SELECT " SSO_ROW_COLUMNS ", " SSO_ROW_SEALED
                                                         " FROM entra_session WHERE id = %s"};
    found_t found;
    const char *args[] = {sso_row_id(ctx->pool, id)};
    call_t call = {.statement = &find, .args = args, .row = row_find, .into = &found, .found = &found.found};
    sso_rc rc = sso_database_read(ctx, store->database, select_one, &call);
    if (rc == SSO_OK) {
        *ret_found = found.found;
        if (found.found) {
            *ret_session = found.session;
        }
    }
    return rc;
}

/* ---- the claim on a renewal ---- */

/* A word that nobody else has: who holds a claim, or which rows one call has ended. */
static sso_rc mark_make(sso_ctx_t *ctx, const char **ret_mark)
{
    unsigned char bytes[SSO_SESSION_ID_BYTES];
    sso_rc rc = sso_random(ctx, bytes, sizeof(bytes));
    if (rc == SSO_OK) {
        *ret_mark = sso_hex(ctx->pool, bytes, sizeof(bytes));
    }
    return rc;
}

sso_rc sso_store_claim(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                       apr_time_t due_before, apr_interval_time_t hold, const char **ret_claim)
{
    /* By the database's clock, so that nodes whose clocks differ still wait for each other. */
    static const sso_statement_t claim = {
        "session_claim", "UPDATE entra_session SET claim = %s, claimed_until = {now} + CAST(%s AS BIGINT) "
                         "WHERE id = %s AND ended = 0 AND ends > CAST(%s AS BIGINT) "
                         "AND ((claimed_until <= {now} "
                         "AND (revalidated <= CAST(%s AS BIGINT) OR revalidated > CAST(%s AS BIGINT))) "
                         "OR (claimed_until > {now} + CAST(%s AS BIGINT) AND revalidated > CAST(%s AS BIGINT)))"};
    const char *mark;
    int rows;
    sso_rc rc = mark_make(ctx, &mark);
    if (rc != SSO_OK) {
        return rc;
    }
    /* As in sso_record_renew_due: a word from ahead is due, and a wait of the same time is over. */
    const char *ahead = sso_row_time(ctx->pool, ctx->now + SSO_MAX_CLOCK_SKEW);
    const char *args[] = {mark,
                          sso_row_time(ctx->pool, hold),
                          sso_row_id(ctx->pool, id),
                          sso_row_time(ctx->pool, ctx->now),
                          sso_row_time(ctx->pool, due_before),
                          ahead,
                          sso_row_time(ctx->pool, hold),
                          ahead};
    rc = change(ctx, store, &claim, args, &rows);
    if (rc == SSO_OK) {
        *ret_claim = rows == 1 ? mark : NULL;
    }
    return rc;
}

sso_rc sso_store_renewed(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                         const char *claim, const sso_store_result_t *result, bool *ret_kept)
{
    static const sso_statement_t renewed = {
        "session_renewed",
        "UPDATE entra_session SET refresh = CASE WHEN %s = '1' THEN %s ELSE refresh END, renewed = %s, "
        "access = CASE WHEN %s = '1' THEN %s ELSE access END, revalidated = CAST(%s AS BIGINT), claim = '', "
        "claimed_until = 0 WHERE id = %s AND claim = %s AND ended = 0"};
    const char *refresh = result->refresh == NULL ? "" : result->refresh;
    const char *access = result->access == NULL ? "" : result->access;
    int rows;
    sso_rc rc = sso_row_check_text(ctx, "refresh token", refresh, SSO_MAX_STORED_SEALED);
    if (rc == SSO_OK) {
        rc = sso_row_check_text(ctx, "identity", result->identity, SSO_MAX_STORED_SEALED);
    }
    if (rc == SSO_OK) {
        rc = sso_row_check_text(ctx, "access token", access, SSO_MAX_STORED_SEALED);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {result->refresh == NULL ? "0" : "1", refresh, result->identity,
                          result->access == NULL ? "0" : "1",  access,  sso_row_time(ctx->pool, ctx->now),
                          sso_row_id(ctx->pool, id),           claim};
    rc = change(ctx, store, &renewed, args, &rows);
    if (rc == SSO_OK) {
        *ret_kept = rows == 1;
    }
    return rc;
}

sso_rc sso_store_release(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                         const char *claim, const char *refresh, apr_interval_time_t wait)
{
    static const sso_statement_t release = {
        "session_release", "UPDATE entra_session SET refresh = CASE WHEN %s = '1' THEN %s ELSE refresh END, "
                           "claim = '', claimed_until = {now} + CAST(%s AS BIGINT) "
                           "WHERE id = %s AND claim = %s AND ended = 0"};
    sso_rc rc = sso_row_check_text(ctx, "refresh token", refresh == NULL ? "" : refresh, SSO_MAX_STORED_SEALED);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {refresh == NULL ? "0" : "1", refresh == NULL ? "" : refresh, sso_row_time(ctx->pool, wait),
                          sso_row_id(ctx->pool, id), claim};
    return change(ctx, store, &release, args, NULL);
}

sso_rc sso_store_rotate(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                        const char *before, const char *refresh)
{
    static const sso_statement_t rotate = {
        "session_rotate", "UPDATE entra_session SET refresh = %s WHERE id = %s AND refresh = %s AND ended = 0"};
    sso_rc rc = sso_row_check_text(ctx, "refresh token", refresh, SSO_MAX_STORED_SEALED);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {refresh, sso_row_id(ctx->pool, id), before};
    return change(ctx, store, &rotate, args, NULL);
}

/* ---- which sessions ---- */

/* A condition with its arguments; only what is asked becomes part of the statement, so that an index can serve it. All
 * text of the statement is ours. */
typedef struct {
    const char *where;
    const char *name; /* of the set of conditions */
    const char *args[16];
    int count;
} condition_t;

static void condition_add(sso_ctx_t *ctx, condition_t *condition, char letter, const char *sql, const char *arg)
{
    if (arg != NULL) {
        condition->where = apr_pstrcat(ctx->pool, condition->where, " AND ", sql, NULL);
        condition->name = apr_psprintf(ctx->pool, "%s%c", condition->name, letter);
        condition->args[condition->count++] = arg;
    }
}

static void condition_fill(sso_ctx_t *ctx, const sso_store_which_t *which, condition_t *condition)
{
    condition->where = "ended = 0";
    condition->name = "";
    condition_add(ctx, condition, 'n', "ends > CAST(%s AS BIGINT)", sso_row_time(ctx->pool, ctx->now));
    condition_add(ctx, condition, 'a', "app = %s", which->app);
    condition_add(ctx, condition, 'i', "id = %s", which->id == NULL ? NULL : sso_row_id(ctx->pool, which->id));
    condition_add(ctx, condition, 's', "sid = %s", which->sid);
    condition_add(ctx, condition, 't', "tenant = %s", which->tid);
    condition_add(ctx, condition, 'o', "object = %s", which->oid);
    condition_add(ctx, condition, 'u', "LOWER(username) = LOWER(%s)", which->username);
    condition_add(ctx, condition, 'c', "created < CAST(%s AS BIGINT)",
                  which->created_before == 0 ? NULL : sso_row_time(ctx->pool, which->created_before));
    /* A second condition on rows that the others found: no index is needed. */
    condition_add(ctx, condition, 'g', "CASE WHEN signed_in = 0 THEN created ELSE signed_in END < CAST(%s AS BIGINT)",
                  which->signed_in_before == 0 ? NULL : sso_row_time(ctx->pool, which->signed_in_before));
    condition_add(ctx, condition, 'e', "id <> %s", which->except == NULL ? NULL : sso_row_id(ctx->pool, which->except));
}

static sso_rc which_check(sso_ctx_t *ctx, const sso_store_which_t *which)
{
    const char *texts[] = {which->app, which->sid, which->tid, which->oid, which->username};
    sso_rc rc = SSO_OK;
    for (size_t i = 0; rc == SSO_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        rc = sso_row_check_text(ctx, "what to look for", texts[i] == NULL ? "" : texts[i], SSO_MAX_STORED_TEXT);
    }
    /* SECURITY: Entra names no session of its own in some tokens; "none" must not fit all of these. */
    if (rc == SSO_OK && which->sid != NULL && *which->sid == '\0') {
        rc = sso_fail(ctx, SSO_R_STORE_TEXT, "an empty sid names no session");
    }
    return rc;
}

/* ---- ending ---- */

typedef struct {
    sso_statement_t mark;
    condition_t condition; /* its first argument is the mark */
    const char *batch;
    const char *cause;
    const char *actor;
    apr_array_header_t *ended;
} ending_t;

static sso_rc end_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    /* The rows that the first statement marked, and no others, whatever other transactions do meanwhile. */
    static const sso_statement_t list = {
        "session_end_list",
        "INSERT INTO entra_ended (id, keep_until, listed, cause) "
        "SELECT id, ends, {now}, CAST(%s AS TEXT) FROM entra_session WHERE claim = %s AND ended = 1 "
        "ON CONFLICT (id) DO NOTHING"};
    static const sso_statement_t audit = {
        "session_end_audit", "INSERT INTO entra_audit (at, cause, actor, session, app, tenant, object, username) "
                             "SELECT {now}, CAST(%s AS TEXT), CAST(%s AS TEXT), id, app, tenant, object, username "
                             "FROM entra_session WHERE claim = %s AND ended = 1"};
    static const sso_statement_t get = {"session_end_get",
                                        "SELECT id, ends FROM entra_session WHERE claim = %s AND ended = 1"};
    ending_t *ending = baton;
    int rows = 0;
    apr_array_clear(ending->ended);
    sso_rc rc = sso_connection_change(ctx, connection, &ending->mark, ending->condition.args, &rows);
    if (rc != SSO_OK || rows == 0) {
        return rc;
    }
    const char *list_args[] = {ending->cause, ending->batch};
    rc = sso_connection_change(ctx, connection, &list, list_args, NULL);
    if (rc == SSO_OK) {
        const char *audit_args[] = {ending->cause, ending->actor, ending->batch};
        rc = sso_connection_change(ctx, connection, &audit, audit_args, NULL);
    }
    if (rc == SSO_OK) {
        rc = sso_connection_select(ctx, connection, &get, &ending->batch, sso_row_add_ended, ending->ended);
    }
    return rc;
}

static sso_rc ending_make(sso_ctx_t *ctx, const sso_store_which_t *which, const char *cause, const char *actor,
                          ending_t *ret_ending)
{
    ending_t ending = {.cause = cause, .actor = actor};
    sso_rc rc = which_check(ctx, which);
    if (rc == SSO_OK) {
        rc = sso_row_check_text(ctx, "cause", cause, SSO_MAX_STORED_TEXT);
    }
    if (rc == SSO_OK) {
        rc = sso_row_check_text(ctx, "actor", actor, SSO_MAX_STORED_TEXT);
    }
    if (rc == SSO_OK) {
        rc = mark_make(ctx, &ending.batch);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    ending.ended = apr_array_make(ctx->pool, 16, sizeof(sso_store_ended_t));
    ending.condition.args[ending.condition.count++] = ending.batch;
    condition_fill(ctx, which, &ending.condition);
    ending.mark.name = apr_pstrcat(ctx->pool, "session_end_", ending.condition.name, NULL);
    ending.mark.sql =
        apr_pstrcat(ctx->pool,
                    "UPDATE entra_session SET ended = 1, refresh = '', renewed = '', access = '', claim = %s, "
                    "claimed_until = 0 WHERE ",
                    ending.condition.where, NULL);
    *ret_ending = ending;
    return SSO_OK;
}

sso_rc sso_store_end(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, const char *cause,
                     const char *actor, apr_array_header_t *ret_ended)
{
    ending_t ending;
    sso_rc rc = ending_make(ctx, which, cause, actor, &ending);
    rc = rc == SSO_OK ? sso_database_change(ctx, store->database, end_work, &ending) : rc;
    if (rc == SSO_OK) {
        apr_array_cat(ret_ended, ending.ended);
    }
    return rc;
}

sso_rc sso_store_end_within(sso_ctx_t *ctx, sso_connection_t *connection, const sso_store_which_t *which,
                            const char *cause, const char *actor, apr_array_header_t *ret_ended)
{
    ending_t ending;
    sso_rc rc = ending_make(ctx, which, cause, actor, &ending);
    rc = rc == SSO_OK ? end_work(ctx, connection, &ending) : rc;
    if (rc == SSO_OK) {
        apr_array_cat(ret_ended, ending.ended);
    }
    return rc;
}

static sso_rc add_ended_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    static const sso_statement_t add = {"ended_add",
                                        "INSERT INTO entra_ended (id, keep_until, listed, cause) "
                                        "VALUES (%s, CAST(%s AS BIGINT), {now}, %s) ON CONFLICT (id) DO UPDATE "
                                        "SET keep_until = excluded.keep_until, listed = excluded.listed "
                                        "WHERE entra_ended.keep_until < excluded.keep_until"};
    /* The refresh token of a session that is over helps nobody. */
    static const sso_statement_t end = {"ended_row", "UPDATE entra_session SET ended = 1, refresh = '', renewed = '', "
                                                     "access = '', claim = '', claimed_until = 0 WHERE id = %s"};
    const char *const *args = baton;
    sso_rc rc = sso_connection_change(ctx, connection, &add, args, NULL);
    return rc == SSO_OK ? sso_connection_change(ctx, connection, &end, args, NULL) : rc;
}

sso_rc sso_store_add_ended(sso_ctx_t *ctx, sso_store_t *store, const sso_store_ended_t *ended, const char *cause)
{
    sso_rc rc = sso_row_check_text(ctx, "cause", cause, SSO_MAX_STORED_TEXT);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *args[] = {sso_row_id(ctx->pool, ended->id), sso_row_time(ctx->pool, ended->until), cause};
    return sso_database_change(ctx, store->database, add_ended_work, args);
}

sso_rc sso_store_ended_since(sso_ctx_t *ctx, sso_store_t *store, apr_interval_time_t span,
                             apr_array_header_t *ret_ended)
{
    static const sso_statement_t all = {"ended_all",
                                        "SELECT id, keep_until FROM entra_ended WHERE keep_until > CAST(%s AS BIGINT)"};
    static const sso_statement_t since = {
        "ended_since", "SELECT id, keep_until FROM entra_ended WHERE keep_until > CAST(%s AS BIGINT) "
                       "AND listed >= (SELECT {now}) - CAST(%s AS BIGINT)"};
    const char *args[] = {sso_row_time(ctx->pool, ctx->now), sso_row_time(ctx->pool, span)};
    return select_list(ctx, store, span == 0 ? &all : &since, args, sso_row_add_ended, ret_ended);
}

sso_rc sso_store_is_ended(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                          bool *ret_ended)
{
    static const sso_statement_t get = {"ended_get", "SELECT id, keep_until FROM entra_ended WHERE id = %s"};
    apr_array_header_t *found = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    const char *args[] = {sso_row_id(ctx->pool, id)};
    sso_rc rc = select_list(ctx, store, &get, args, sso_row_add_ended, found);
    if (rc == SSO_OK) {
        *ret_ended = found->nelts > 0;
    }
    return rc;
}

/* ---- listing ---- */

sso_rc sso_store_list(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, int limit,
                      apr_array_header_t *ret_sessions)
{
    condition_t condition = {.count = 0};
    sso_rc rc = which_check(ctx, which);
    if (rc != SSO_OK) {
        return rc;
    }
    condition_fill(ctx, which, &condition);
    condition.args[condition.count++] = sso_row_time(ctx->pool, limit);
    sso_statement_t list = {
        apr_pstrcat(ctx->pool, "session_list_", condition.name, NULL),
        apr_pstrcat(ctx->pool, "SELECT " SSO_ROW_COLUMNS " FROM entra_session WHERE ", condition.where,
                    " ORDER BY created DESC LIMIT CAST(%s AS BIGINT)", NULL),
    };
    return select_list(ctx, store, &list, condition.args, sso_row_add, ret_sessions);
}
