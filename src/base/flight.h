/* SPDX-License-Identifier: Apache-2.0 */
/* Of the threads of one process that want the same thing from outside at once, one goes for it and the others wait for
 * what it brings. What was sought in vain is not sought again for a while. */
#pragma once

#include "base/crypto.h"
#include "base/result.h"

typedef struct sso_flights_t sso_flights_t;

/* Makes the table of a process in pool. waiters: how many of its threads may wait longer than half a second after a
 * flight began. NULL when there is no mutex for it. */
sso_flights_t *sso_flights_make(apr_pool_t *pool, int waiters);

typedef enum {
    SSO_FLIGHT_OURS,   /* the caller fetches, and must land */
    SSO_FLIGHT_LANDED, /* another thread has fetched it: look again */
    SSO_FLIGHT_FAILED, /* another thread did, in vain: its fault is the context's now */
    SSO_FLIGHT_BUSY    /* enough threads wait, it takes too long, or too many things are fetched: come later */
} sso_flight_t;

/* Begins the flight for key, or waits for the one that is under way: five seconds at most. */
sso_flight_t sso_flights_begin(sso_flights_t *flights, sso_ctx_t *ctx,
                               const unsigned char key[static SSO_SHA256_BYTES]);
/* Ends the flight that is the caller's. fault NULL: it was good, and what it brought can be found by now. Else the
 * waiting threads get that fault, and all who come within hold. */
void sso_flights_land(sso_flights_t *flights, const unsigned char key[static SSO_SHA256_BYTES],
                      const sso_fault_t *fault, apr_interval_time_t hold);
