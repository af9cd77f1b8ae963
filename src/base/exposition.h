/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format, version 0.0.4: families, samples, and all that base/counters.def has. */
#pragma once

#include "base/counters.h"

#define SSO_EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Takes the page in pieces. */
typedef void sso_put_fn(void *baton, const char *text);
typedef struct {
    apr_pool_t *pool;
    sso_put_fn *put;
    void *baton;
} sso_exposition_t;

/* One label, its value escaped: NAME="value". Joined by commas they are what the calls below take as labels. */
const char *sso_label(apr_pool_t *pool, const char *name, const char *value);

/* Begins a family: all its samples come before the next one's. type: counter, gauge or histogram. */
void sso_exposition_family(const sso_exposition_t *page, const char *name, const char *type, const char *help);
/* A sample; labels "" for none. */
void sso_exposition_number(const sso_exposition_t *page, const char *name, const char *labels, int64_t value);
/* A moment or a span, in seconds with their fraction. */
void sso_exposition_seconds(const sso_exposition_t *page, const char *name, const char *labels, apr_time_t value);

/* Whose counters: the labels that each of their samples begins with. */
typedef struct {
    const char *labels;
    const sso_counters_t *counters;
} sso_counted_t;
/* All families of the table, and how many faults of each ENTRA number there were: only of those that happened. */
void sso_exposition_counters(const sso_exposition_t *page, const sso_counted_t *counted, int count);
