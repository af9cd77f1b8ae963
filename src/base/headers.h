/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of the header lines of an outbound answer, as bytes of somebody else: no libcurl here. */
#pragma once

#include <stdbool.h>

#include <apr_pools.h>
#include <apr_time.h>

/* Begins as zeros. Values of the last answer, or NULL; texts in the pool that the lines were read into. */
typedef struct {
    apr_size_t bytes;
    const char *date;
    const char *retry_after;
    const char *location;
    const char *challenge; /* every WWW-Authenticate, with ", " between them */
} sso_headers_t;

/* Takes the next line, with its end or without; a status line begins the next answer. False when all lines together are
 * more than SSO_MAX_RESPONSE_HEADERS. */
bool sso_headers_read(apr_pool_t *pool, sso_headers_t *headers, const char *line, apr_size_t len);

/* The other side's clock; 0 when it does not tell, or malformed. */
apr_time_t sso_headers_date(const sso_headers_t *headers);

/* Seconds of Retry-After, an hour at most; 0 when there is none, or it is malformed or over. now: our own clock, for
 * when the other side does not tell its. */
int sso_headers_retry_after(const sso_headers_t *headers, apr_time_t now);
