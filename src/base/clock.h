/* SPDX-License-Identifier: Apache-2.0 */
/* The only caller of the system clock, and the text forms of spans and moments. */
#pragma once

#include "base/result.h"

/* The present moment. Use cases call it once and keep it in their context. */
apr_time_t sso_clock_now(void);

/* True when moment is `span` or longer before now, is 0 (never), or lies ahead: then the clock was set back since. */
bool sso_clock_is_past(apr_time_t moment, apr_interval_time_t span, apr_time_t now);

/* "90", "90s", "5m", "5min", "8h", "2d", "250ms": a span of at least 0. A bare number is seconds. Returns NULL when
 * good and writes *ret_span, else what is wrong (static text). */
const char *sso_duration_parse(const char *text, apr_interval_time_t *ret_span);
/* The way back, in the largest unit that is exact. */
const char *sso_duration_print(apr_pool_t *pool, apr_interval_time_t span);

/* "10k", "4m", "1024" bytes. NULL when good, else what is wrong. */
const char *sso_size_parse(const char *text, apr_off_t *ret_size);

/* RFC 3339 in UTC, whole seconds: 2026-11-23T15:00:00Z. */
const char *sso_time_print(apr_pool_t *pool, apr_time_t when);
/* The way back, of this one form. False for all else. */
bool sso_time_parse(const char *text, apr_time_t *ret_when);
/* What others write: a date, or date and time (RFC 3339; seconds, their fraction and the zone may be left out, no
 * zone is UTC). False, with nothing written, when text is none. */
bool sso_datetime_parse(const char *text, apr_time_t *ret_when);
