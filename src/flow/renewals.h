/* SPDX-License-Identifier: Apache-2.0 */
/* The renewals of one process: sessions that wait for one, a few threads that do it, and the results that later
 * requests take. Bounded in memory and threads; a request never waits here. */
#pragma once

#include "flow/renew.h"

typedef struct sso_renewals_t sso_renewals_t;

/* What the process adds to a renewal. Called in the renewal's own thread; pool and ctx live as long as it. */
typedef struct {
    void *baton;
    /* Makes the context of a renewal: its moment and its log. */
    void (*begin)(void *baton, const sso_site_t *site, apr_pool_t *pool, sso_ctx_t *ret_ctx);
    /* Tells how it ended: for SSO_RENEW_LATER and _REFUSED with the context's fault. */
    void (*done)(void *baton, const sso_site_t *site, sso_ctx_t *ctx, const sso_record_t *record,
                 sso_renewal_t outcome);
    /* Tells, once in SSO_BEHIND_SAID, that the line moves too slowly for the interval to be kept: a session stood in it
     * for so long, and so many requests of others found no place since it was told last. */
    void (*behind)(void *baton, const sso_site_t *site, apr_interval_time_t waited, unsigned turned_away);
} sso_renewals_observer_t;

/* This part of the interval, and never less than so long, may pass in the line. */
#define SSO_BEHIND_PART 4
#define SSO_BEHIND_LEAST apr_time_from_sec(30)
#define SSO_BEHIND_SAID apr_time_from_sec(10 * 60)

/* Makes the renewals of this process in pool, with at most `threads` threads, none before there is something to do.
 * When pool is destroyed no new renewal begins, and those that run are waited for. Error: SSO_R_RENEW_THREADS. */
sso_rc sso_renewals_make(sso_ctx_t *ctx, apr_pool_t *pool, int threads, const sso_renewals_observer_t *observer,
                         sso_renewals_t **ret_renewals) SSO_MUST_USE;

/* The question of a request whose record is due (sso_record_renew_due). True: Entra's new word is there and was taken
 * into record. False: go on with what there is; a renewal has been put in line unless one is on its way, was tried a
 * moment ago, or the line is full. Never waits: who meets another thread here goes on. */
bool sso_renewals_ask(sso_renewals_t *renewals, sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record);
