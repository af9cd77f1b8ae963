/* SPDX-License-Identifier: Apache-2.0 */
/* What a check has found: a line for each thing that was looked at, and a mend for each that is wrong. For people, or
 * as JSON, an object a line. */
#pragma once

#include <apr_file_io.h>

#include "base/result.h"

typedef enum {
    SSO_FOUND_OK,
    SSO_FOUND_WARN,    /* it works, and will not for ever or not for everybody */
    SSO_FOUND_FAULT,   /* somebody cannot sign in, or could who should not */
    SSO_FOUND_UNKNOWN, /* it cannot be known from here, and why */
    SSO_FOUND_KINDS
} sso_found_t;

typedef struct {
    sso_found_t found;
    const char *application; /* its origin; NULL: of all of them */
    const char *subject;
    const char *sentence;
    const char *mend; /* what to do, NULL for SSO_FOUND_OK */
} sso_finding_t;

/* The finding as text in pool, with its end of line; a second line for the mend. Control characters become spaces. */
const char *sso_finding_print(apr_pool_t *pool, const sso_finding_t *finding, bool json);

typedef struct {
    apr_pool_t *pool;
    apr_file_t *out;
    bool json;
    const char *application; /* whose findings come now */
    int counts[SSO_FOUND_KINDS];
} sso_report_t;

/* Begins with the findings of another application; NULL: of all. */
void sso_report_turn(sso_report_t *report, const char *application);
void sso_report_good(sso_report_t *report, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* mend must not be NULL. */
void sso_report_say(sso_report_t *report, sso_found_t found, const char *subject, const char *mend, const char *fmt,
                    ...) __attribute__((format(printf, 5, 6)));
/* The context's fault as a finding, with the mend that fits: Entra's number when it named one, else ours. Clears it. */
void sso_report_fault(sso_report_t *report, sso_found_t found, const char *subject, sso_ctx_t *ctx);
/* How many there were, as the last line (not in JSON). True when there was no fault. */
bool sso_report_end(sso_report_t *report);

/* "2026-12-24T00:00:00Z, in 28 days" for a moment that is to come. */
const char *sso_report_until(apr_pool_t *pool, apr_time_t now, apr_time_t when);
