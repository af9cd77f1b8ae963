/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound HTTP requests with kept connections, verified TLS and bounds. The only file that knows libcurl. */
#pragma once

#include <apr_tables.h>

#include "base/gate.h"
#include "base/result.h"

/* How to reach the outside. Immutable; lives with the configuration. */
typedef struct {
    const char *ca_file; /* PEM bundle; NULL for the system's */
    const char *proxy;   /* http://host:port; NULL for none. The environment's proxy variables are not read */
    apr_interval_time_t connect_timeout;
    apr_interval_time_t total_timeout;
} sso_http_policy_t;

/* What a call is for: the name under which it is counted. */
typedef enum {
    SSO_OUTBOUND_OTHER,
    SSO_OUTBOUND_METADATA,
    SSO_OUTBOUND_KEYS,
    SSO_OUTBOUND_TOKEN,
    SSO_OUTBOUND_GRAPH
} sso_outbound_t;

typedef struct {
    sso_outbound_t kind;
    const char *url;
    const sso_http_policy_t *policy;
    const char *body;           /* NULL: GET; else POST */
    const char *content_type;   /* of the body */
    const apr_table_t *headers; /* further request headers, or NULL */
    apr_size_t max_response;    /* larger: SSO_R_HTTP_SIZE */
    bool direct;                /* never through the proxy; then http to the instance metadata service is allowed */
    bool ungated;               /* does not count against the gate, as all calls of a background task do not */
} sso_http_request_t;

typedef struct {
    int status;
    const char *body; /* NUL behind the end; lives in ctx->pool */
    apr_size_t len;
    int retry_after_s;     /* from Retry-After: seconds, or a date less Date/now; 0 none; at most 3600 */
    apr_time_t date;       /* the Date header, 0 when absent: tells clock trouble */
    const char *location;  /* the Location header, NULL when there is none; it is not followed */
    const char *challenge; /* the WWW-Authenticate lines, joined by ", " (RFC 9110 11.6.1); NULL when there is none */
} sso_http_response_t;

/* A struct of functions, so that tests put their own in. perform: SSO_OK for any HTTP status; errors
 * SSO_R_HTTP_CONNECT, _TLS, _TIMEOUT, _SIZE, _BUSY (the gate is full), _ENDING (sso_http_stop), _FAILED. Redirects are
 * not followed, cookies not kept, no Origin sent. */
typedef struct sso_http_t {
    sso_rc (*perform)(struct sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                      sso_http_response_t *ret_response);
} sso_http_t;

static inline sso_rc SSO_MUST_USE sso_http_perform(sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                                                   sso_http_response_t *ret_response)
{
    return http->perform(http, ctx, request, ret_response);
}

/* The libcurl implementation for one process: handles (each with its connections) are kept last-in-first-out in pool,
 * so sequential calls reuse one connection; DNS and TLS sessions are shared. gate NULL: no bulkhead, for commands. Safe
 * for all threads. Once a process. */
sso_rc sso_http_make(sso_ctx_t *ctx, apr_pool_t *pool, sso_gate_t *gate, sso_http_t **ret_http) SSO_MUST_USE;

/* The process is about to end: calls in flight fail within a second or so, new ones at once, with SSO_R_HTTP_ENDING. Of
 * what sso_http_make gave. */
void sso_http_stop(sso_http_t *http);
