/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a process and is shared by the nodes of a cluster: sessions with their refresh tokens, and which of
 * them have ended. Every SQL statement of sessions is in store.c. A request that only has a valid session never comes
 * here. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/database.h"
#include "session/record.h"
#include "session/source.h"

/* The store of one process: a few connections, opened when first needed. Safe for all threads. */
typedef struct sso_store_t sso_store_t;

/* Makes the store in pool, once a process (never before a fork). Connects and makes or migrates the schema with the
 * first use, not here, so that a database that is away now is found when it is back. Errors: SSO_R_STORE_DRIVER. */
sso_rc sso_store_make(sso_ctx_t *ctx, apr_pool_t *pool, const char *driver, const char *params,
                      sso_store_t **ret_store) SSO_MUST_USE;

/* The connections of a store, for other tables of the same database, and for changes that have to be one transaction
 * with an ending of sessions. */
sso_database_t *sso_store_database(const sso_store_t *store);

/* A session as the store has it. Texts are never NULL. */
typedef struct {
    unsigned char id[SSO_SESSION_ID_BYTES];
    const char *app; /* of which application: hexadecimal, from the session's binding */
    const char *tid;
    const char *oid;
    const char *sid; /* Entra's, "" for none */
    const char *username;
    apr_time_t created;
    apr_time_t signed_in; /* by Entra's clock, as far as it is known; 0 is as good as created */
    apr_time_t ends;
    apr_time_t revalidated;
    const char *refresh;  /* sealed refresh token, "" for none */
    const char *identity; /* sealed record of the last renewal, "" before the first */
    const char *access;   /* sealed access token that Graph is asked with (EntraContinuousAccess), "" for none */
    bool ended;
} sso_stored_t;

/* All calls below, all of class LATER: SSO_R_STORE_AWAY (no connection), SSO_R_STORE_BUSY (none is free within two
 * seconds), SSO_R_STORE_FAILED (a statement failed), SSO_R_STORE_SCHEMA and SSO_R_STORE_NEWER (no tables that we can
 * work with); beside them SSO_R_STORE_TEXT (what goes in is beyond its bound) and SSO_R_STORE_ROW (what came out is not
 * what we put in). Nothing is half done: what takes several statements is one transaction. While the database is away,
 * calls fail at once. */

/* A new session. Its id must be new. */
sso_rc sso_store_add(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session) SSO_MUST_USE;
/* The same, when guard says SSO_OK in the transaction that adds the row; else its error. NULL: no guard. */
typedef sso_rc sso_guard_fn(sso_ctx_t *ctx, sso_connection_t *connection, const void *baton);
sso_rc sso_store_add_if(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session, sso_guard_fn *guard,
                        const void *baton) SSO_MUST_USE;
/* *ret_found false: no such row. Texts in ctx->pool. */
sso_rc sso_store_find(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                      sso_stored_t *ret_session, bool *ret_found) SSO_MUST_USE;

/* A fresh sign-in made a session stronger: its row takes sid, user name, revalidated and, unless it is "", the refresh
 * token; the identity of earlier renewals and a claim go. *ret_kept is false when there is no such live session of that
 * application and user. */
sso_rc sso_store_strengthen(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session,
                            bool *ret_kept) SSO_MUST_USE;

/* The claim on a renewal: of all workers of all nodes one gets it, until it is given back or `hold` has passed.
 * *ret_claim is NULL when another has it, when the session was revalidated after due_before (and not ahead of now by
 * more than any clock may be), or when it has ended. */
sso_rc sso_store_claim(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                       apr_time_t due_before, apr_interval_time_t hold, const char **ret_claim) SSO_MUST_USE;
/* What a renewal brought, sealed. */
typedef struct {
    const char *refresh; /* NULL: the stored one stays */
    const char *identity;
    const char *access; /* NULL: the stored one stays */
} sso_store_result_t;
/* Gives the claim back with the result, and revalidated = ctx->now. Does nothing when the claim was lost or the session
 * has ended meanwhile: *ret_kept false. */
sso_rc sso_store_renewed(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                         const char *claim, const sso_store_result_t *result, bool *ret_kept) SSO_MUST_USE;
/* Gives the claim back without a result: nobody tries again before ctx->now + wait. refresh NULL: the stored one stays.
 */
sso_rc sso_store_release(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                         const char *claim, const char *refresh, apr_interval_time_t wait) SSO_MUST_USE;

/* A newer refresh token of a live session takes the place of `before`, and of nothing else: who renewed meanwhile has
 * put a better one there. A claim stays as it is. */
sso_rc sso_store_rotate(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                        const char *before, const char *refresh) SSO_MUST_USE;

/* Which sessions: all fields that are set must fit. None set: every session. */
typedef struct {
    const char *app;
    const unsigned char *id;
    const char *sid;
    const char *tid;
    const char *oid;
    const char *username;
    apr_time_t created_before;   /* 0: whenever */
    apr_time_t signed_in_before; /* by Entra's clock; 0: whenever */
    const unsigned char *except; /* this one stays */
} sso_store_which_t;

/* An ended session: until when the node has to remember it. */
typedef struct {
    unsigned char id[SSO_SESSION_ID_BYTES];
    apr_time_t until;
} sso_store_ended_t;

/* Ends the live sessions that fit: their refresh tokens go, the list of ended sessions and the audit of revocations get
 * a row each, in one transaction. Adds them to ret_ended (sso_store_ended_t). cause and actor are words for the audit.
 */
sso_rc sso_store_end(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, const char *cause,
                     const char *actor, apr_array_header_t *ret_ended) SSO_MUST_USE;
/* The same as a part of the caller's transaction. ret_ended gets only what this call ended; the work may be called a
 * second time, so the caller empties it at its beginning. */
sso_rc sso_store_end_within(sso_ctx_t *ctx, sso_connection_t *connection, const sso_store_which_t *which,
                            const char *cause, const char *actor, apr_array_header_t *ret_ended) SSO_MUST_USE;
/* Lists an ended session whose row is not at hand (it was ended while the database was away). */
sso_rc sso_store_add_ended(sso_ctx_t *ctx, sso_store_t *store, const sso_store_ended_t *ended,
                           const char *cause) SSO_MUST_USE;
/* Adds to ret_ended those that were listed in the last `span` by the database's own clock (0: all) and whose time is
 * not over. A row can become visible up to SSO_STORE_LATENESS after the moment it is listed with: ask for that much
 * more than has passed since the last call. */
#define SSO_STORE_LATENESS apr_time_from_sec(15)
sso_rc sso_store_ended_since(sso_ctx_t *ctx, sso_store_t *store, apr_interval_time_t span,
                             apr_array_header_t *ret_ended) SSO_MUST_USE;
/* True in *ret_ended when that session is listed as ended. For a node whose table is full. */
sso_rc sso_store_is_ended(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                          bool *ret_ended) SSO_MUST_USE;

/* Live sessions that fit, newest first, at most limit, into ret_sessions (sso_stored_t, without the sealed texts). */
sso_rc sso_store_list(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, int limit,
                      apr_array_header_t *ret_sessions) SSO_MUST_USE;
/* Deletes rows whose time is over: sessions and ended sessions past their end, audit older than a year. */
sso_rc sso_store_purge(sso_ctx_t *ctx, sso_store_t *store) SSO_MUST_USE;

/* The database behind it, for the files that keep other tables there. */
struct sso_database_t;
struct sso_database_t *sso_store_database(const sso_store_t *store);
