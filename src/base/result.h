/* SPDX-License-Identifier: Apache-2.0 */
/* The closed list of reasons, the record of the first fault, and the context every core call takes first. */
#pragma once

#include <stdbool.h>

#include <apr_pools.h>
#include <apr_time.h>

/* What a reason means for behaviour: callers decide by class, never by single reasons. */
typedef enum {
    SSO_CLASS_CLIENT,   /* the browser sent something wrong or stale: a fresh sign-in mends it */
    SSO_CLASS_USER,     /* this person may not enter */
    SSO_CLASS_CONFIG,   /* the administrator must act, here or at Entra */
    SSO_CLASS_PROVIDER, /* Entra said no, or sent what must not be believed */
    SSO_CLASS_LATER,    /* out of reach or overloaded: try again later */
    SSO_CLASS_INTERNAL  /* our own or the machine's fault */
} sso_class_t;

/* Severity of the one log line that a fault becomes; the httpd layer maps it to APLOG levels. */
typedef enum { SSO_LEVEL_ERROR, SSO_LEVEL_WARNING, SSO_LEVEL_INFO, SSO_LEVEL_DEBUG } sso_level_t;

/* Which sentence a person is shown. The sentences stand in httpd/sentences.def. */
typedef enum {
    SSO_PAGE_RETRY,   /* sign in again */
    SSO_PAGE_ADMIN,   /* the administrator must mend something */
    SSO_PAGE_LATER,   /* Entra cannot be reached now */
    SSO_PAGE_CLOCK,   /* this server's clock and Entra's differ */
    SSO_PAGE_COOKIES, /* the browser does not keep our cookies */
    SSO_PAGE_DENIED,  /* signed in, but may not enter */
    SSO_PAGE_SIGNIN,  /* a program asked; a person must sign in first */
    SSO_PAGE_STEPUP,  /* signed in; a further check is needed */
    SSO_PAGE_ACCOUNT, /* another account came back than the one that went */
    SSO_PAGE_REQUEST, /* the request itself makes no sense */
    SSO_PAGE_FORM,    /* a form that was to be sent again is not there any more */
    SSO_PAGE_TOKEN,   /* a program's access token is not accepted */
    SSO_PAGE_SCOPE,   /* it is, but may not do this */
    SSO_PAGE_SIGNOUT  /* not everything that should end could be ended */
} sso_page_t;

typedef enum {
    SSO_OK = 0,
#define REASON(name, number, class, status, level, page, sentence) SSO_R_##name,
#include "base/reasons.def"
#undef REASON
    SSO_RC_COUNT
} sso_rc;

/* A row of reasons.def. Static storage. */
typedef struct {
    const char *name;
    int number; /* logged as ENTRAnnnn, never reused */
    sso_class_t class;
    int status; /* HTTP status where the fault reaches a client */
    sso_level_t level;
    sso_page_t page;
    const char *sentence; /* for the log: what happened, without detail */
} sso_reason_t;

/* The row of rc; the row of SSO_OK has number 0. Never NULL. */
const sso_reason_t *sso_reason(sso_rc rc);

/* The first fault since the context was made or cleared. detail never holds a secret, token, code or cookie. */
typedef struct {
    sso_rc rc;
    const char *file;
    int line;
    const char *detail;         /* lives in the context's pool; may be NULL */
    int retry_after_s;          /* seconds, 0 when the other side named none */
    unsigned aadsts;            /* AADSTS number that Entra named, 0 for none: for people, never to branch on */
    const char *oauth_error;    /* the `error` value of Entra, or NULL */
    const char *correlation_id; /* Entra's own, or NULL */
} sso_fault_t;

/* Debug lines of the core, only below the edge's own single line. Text is already free of secrets. */
typedef void sso_log_fn(void *baton, sso_level_t level, const char *file, int line, const char *text);

/* One use case: a request, a background task, a command. One `now`, so that all time rules agree. */
typedef struct {
    apr_pool_t *pool;
    apr_time_t now;
    bool background; /* no request waits for it: its outbound calls do not count against the gate */
    sso_fault_t fault;
    struct sso_counters_t *counters; /* of base/counters.h; NULL: nothing is counted */
    sso_log_fn *log;                 /* may be NULL */
    void *log_baton;
} sso_ctx_t;

/* A fresh context on pool at the moment now. */
void sso_ctx_init(sso_ctx_t *ctx, apr_pool_t *pool, apr_time_t now);

/* Records rc as the context's fault, unless there is one, and returns rc. Detail is printf text; what came from
 * outside must have gone through sso_printable() first. */
sso_rc sso_fail_at(sso_ctx_t *ctx, sso_rc rc, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
#define sso_fail(ctx, rc, ...) sso_rc_bad(sso_fail_at(ctx, rc, __FILE__, __LINE__, __VA_ARGS__))

/* SECURITY: a failure is never good, whatever its reason was worked out to. Here and not in sso_fail_at() alone, so
 * that whoever reads one file only (an analyser) knows it too. */
static inline sso_rc sso_rc_bad(sso_rc rc)
{
    return rc != SSO_OK ? rc : SSO_RC_COUNT;
}

/* Forgets the fault: for a caller that recovers, with a comment why. */
void sso_fault_clear(sso_ctx_t *ctx);

/* Hands a debug line to the sink. */
void sso_debug_at(sso_ctx_t *ctx, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define sso_debug(ctx, ...) sso_debug_at(ctx, __FILE__, __LINE__, __VA_ARGS__)

/* A copy of outside text fit for a log line: printable ASCII kept, all else as \xNN, cut at SSO_MAX_LOGGED.
 * NULL gives "(none)". */
const char *sso_printable(apr_pool_t *pool, const char *text);

/* What the system says about an errno, in pool. strerror() may use one buffer for all threads. */
const char *sso_errno_text(apr_pool_t *pool, int err);

#define SSO_MUST_USE __attribute__((warn_unused_result))
