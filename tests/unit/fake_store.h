/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory, in the place of session/store.c, which a program that includes this does not link. Included by
 * tests only, after unit.h. */
#pragma once

#include "session/store.h"

#define FAKE_ROWS 64

struct sso_store_t {
    sso_stored_t rows[FAKE_ROWS];
    int row_count;
    sso_store_ended_t ended[FAKE_ROWS];
    const char *causes[FAKE_ROWS];
    const char *actor;
    int ended_count;
    bool away;
    int fail_at; /* the call of this number fails, counted from 1; 0 none */
    int calls, writes, reads;
    apr_interval_time_t span; /* of the last question for endings */
};

/* ret is made anew for each test. */
static UNIT_MAYBE_UNUSED sso_store_t *fake_store_make(void)
{
    return apr_pcalloc(unit_pool, sizeof(sso_store_t));
}

static sso_rc fake_call(sso_ctx_t *ctx, sso_store_t *store)
{
    store->calls++;
    if (store->away || store->calls == store->fail_at) {
        return sso_fail(ctx, store->away ? SSO_R_STORE_AWAY : SSO_R_STORE_FAILED, "the fake store");
    }
    return SSO_OK;
}

static bool fake_fits(const sso_stored_t *row, const sso_store_which_t *which)
{
    return !row->ended && (which->app == NULL || strcmp(which->app, row->app) == 0) &&
           (which->id == NULL || memcmp(which->id, row->id, sizeof(row->id)) == 0) &&
           (which->sid == NULL || strcmp(which->sid, row->sid) == 0) &&
           (which->tid == NULL || strcmp(which->tid, row->tid) == 0) &&
           (which->oid == NULL || strcmp(which->oid, row->oid) == 0) &&
           (which->except == NULL || memcmp(which->except, row->id, sizeof(row->id)) != 0);
}

static void fake_list(sso_store_t *store, const unsigned char *id, apr_time_t until, const char *cause)
{
    for (int i = 0; i < store->ended_count; i++) {
        if (memcmp(store->ended[i].id, id, SSO_SESSION_ID_BYTES) == 0) {
            return;
        }
    }
    assert_true(store->ended_count < FAKE_ROWS);
    memcpy(store->ended[store->ended_count].id, id, SSO_SESSION_ID_BYTES);
    store->ended[store->ended_count].until = until;
    store->causes[store->ended_count++] = cause;
}

sso_rc sso_store_add(sso_ctx_t *ctx, sso_store_t *store, const sso_stored_t *session)
{
    sso_rc rc = fake_call(ctx, store);
    if (rc == SSO_OK) {
        assert_true(store->row_count < FAKE_ROWS);
        store->rows[store->row_count++] = *session;
    }
    return rc;
}

sso_rc sso_store_end(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, const char *cause,
                     const char *actor, apr_array_header_t *ret_ended)
{
    sso_rc rc = fake_call(ctx, store);
    store->writes++;
    for (int i = 0; rc == SSO_OK && i < store->row_count; i++) {
        sso_stored_t *row = &store->rows[i];
        if (fake_fits(row, which)) {
            sso_store_ended_t *entry = apr_array_push(ret_ended);
            row->ended = true;
            row->refresh = "";
            memcpy(entry->id, row->id, sizeof(entry->id));
            entry->until = row->ends;
            store->actor = actor;
            fake_list(store, row->id, row->ends, cause);
        }
    }
    return rc;
}

sso_rc sso_store_add_ended(sso_ctx_t *ctx, sso_store_t *store, const sso_store_ended_t *ended, const char *cause)
{
    sso_rc rc = fake_call(ctx, store);
    store->writes++;
    if (rc == SSO_OK) {
        fake_list(store, ended->id, ended->until, cause);
    }
    return rc;
}

sso_rc sso_store_ended_since(sso_ctx_t *ctx, sso_store_t *store, apr_interval_time_t span,
                             apr_array_header_t *ret_ended)
{
    sso_rc rc = fake_call(ctx, store);
    store->span = span;
    for (int i = 0; rc == SSO_OK && i < store->ended_count; i++) {
        APR_ARRAY_PUSH(ret_ended, sso_store_ended_t) = store->ended[i];
    }
    return rc;
}

sso_rc sso_store_is_ended(sso_ctx_t *ctx, sso_store_t *store, const unsigned char id[static SSO_SESSION_ID_BYTES],
                          bool *ret_ended)
{
    sso_rc rc = fake_call(ctx, store);
    store->reads++;
    if (rc == SSO_OK) {
        *ret_ended = false;
        for (int i = 0; i < store->ended_count; i++) {
            *ret_ended = *ret_ended || memcmp(store->ended[i].id, id, SSO_SESSION_ID_BYTES) == 0;
        }
    }
    return rc;
}

sso_rc sso_store_list(sso_ctx_t *ctx, sso_store_t *store, const sso_store_which_t *which, int limit,
                      apr_array_header_t *ret_sessions)
{
    sso_rc rc = fake_call(ctx, store);
    store->reads++;
    for (int i = 0; rc == SSO_OK && i < store->row_count && ret_sessions->nelts < limit; i++) {
        if (fake_fits(&store->rows[i], which)) {
            APR_ARRAY_PUSH(ret_sessions, sso_stored_t) = store->rows[i];
        }
    }
    return rc;
}
