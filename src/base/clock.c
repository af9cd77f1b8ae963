/* SPDX-License-Identifier: Apache-2.0 */
/* The only caller of the system clock, and the text forms of spans, sizes and moments; it never waits. */
#include "base/clock.h"

#include <string.h>

#include <apr_strings.h>

/* No span of ours needs more than a century; below it, "now + span" cannot overflow. */
#define MAX_SPAN_DAYS 36500
#define USEC_PER_DAY (APR_USEC_PER_SEC * 86400)
#define MAX_SPAN (USEC_PER_DAY * MAX_SPAN_DAYS)
/* A size is held in memory or on disk: a terabyte is a mistake. */
#define MAX_SIZE ((apr_int64_t)1 << 40)

typedef struct {
    const char *name;
    apr_int64_t value;
} unit_t;

/* Largest first. "min" is httpd's own spelling: read, not printed. A bare number is seconds. */
static const unit_t span_units[] = {
    {"d", USEC_PER_DAY},
    {"h", APR_USEC_PER_SEC * 3600},
    {"m", APR_USEC_PER_SEC * 60},
    {"s", APR_USEC_PER_SEC},
    {"ms", APR_USEC_PER_SEC / 1000},
    {"min", APR_USEC_PER_SEC * 60},
    {"", APR_USEC_PER_SEC},
    {NULL, 0},
};
#define PRINTED_UNITS 5

static const unit_t size_units[] = {
    {"", 1}, {"k", 1024}, {"K", 1024}, {"m", 1048576}, {"M", 1048576}, {NULL, 0},
};

apr_time_t sso_clock_now(void)
{
    return apr_time_now();
}

/* Digits, then the name of a unit and nothing else. What is wrong by kind, so that each caller has its words.
 */
typedef enum { QUANTITY_GOOD, QUANTITY_NO_NUMBER, QUANTITY_UNIT, QUANTITY_LARGE } quantity_t;

static quantity_t parse_quantity(const char *text, const unit_t *units, apr_int64_t max, apr_int64_t *ret_value)
{
    const char *p = text;
    apr_int64_t number = 0;
    bool large = false;
    if (text == NULL || *p < '0' || *p > '9') {
        return QUANTITY_NO_NUMBER;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        /* max is far from the end of 64 bits, so one more digit cannot overflow before this tells. */
        number = large ? number : number * 10 + (*p - '0');
        large = large || number > max;
    }
    const unit_t *unit = units;
    while (unit->name != NULL && strcmp(unit->name, p) != 0) {
        unit++;
    }
    if (unit->name == NULL) {
        return QUANTITY_UNIT;
    }
    if (large || number > max / unit->value) {
        return QUANTITY_LARGE;
    }
    *ret_value = number * unit->value;
    return QUANTITY_GOOD;
}

const char *sso_duration_parse(const char *text, apr_interval_time_t *ret_span)
{
    apr_int64_t span = 0;
    switch (parse_quantity(text, span_units, MAX_SPAN, &span)) {
    case QUANTITY_NO_NUMBER:
        return "a duration begins with a number, as in 90s, 5m or 8h";
    case QUANTITY_UNIT:
        return "the unit of a duration is one of ms, s, m, min, h, d";
    case QUANTITY_LARGE:
        return "a duration is at most 36500d";
    case QUANTITY_GOOD:
        break;
    }
    *ret_span = span;
    return NULL;
}

const char *sso_duration_print(apr_pool_t *pool, apr_interval_time_t span)
{
    if (span == 0) {
        return "0s";
    }
    for (int i = 0; i < PRINTED_UNITS; i++) {
        if (span % span_units[i].value == 0) {
            return apr_psprintf(pool, "%" APR_INT64_T_FMT "%s", span / span_units[i].value, span_units[i].name);
        }
    }
    /* Nothing that was parsed comes here; a measured span may. */
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "us", span);
}

const char *sso_size_parse(const char *text, apr_off_t *ret_size)
{
    apr_int64_t size = 0;
    switch (parse_quantity(text, size_units, MAX_SIZE, &size)) {
    case QUANTITY_NO_NUMBER:
        return "a size begins with a number, as in 1024, 10k or 4m";
    case QUANTITY_UNIT:
        return "the unit of a size is k or m";
    case QUANTITY_LARGE:
        return "the size is too large";
    case QUANTITY_GOOD:
        break;
    }
    *ret_size = size;
    return NULL;
}

const char *sso_time_print(apr_pool_t *pool, apr_time_t when)
{
    apr_time_exp_t t;
    if (apr_time_exp_gmt(&t, when) != APR_SUCCESS) {
        return "(no time)";
    }
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                        t.tm_min, t.tm_sec);
}

/* The number of so many digits at text; -1 when it is none. */
static int digits_read(const char *text, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool sso_time_parse(const char *text, apr_time_t *ret_when)
{
    static const char form[] = "0000-00-00T00:00:00";
    static const int places[] = {0, 5, 8, 11, 14, 17};
    int numbers[6];
    for (int i = 0; i < (int)sizeof(form) - 1; i++) {
        if (text[i] == '\0' || (form[i] != '0' && text[i] != form[i])) {
            return false;
        }
    }
    for (int i = 0; i < 6; i++) {
        numbers[i] = digits_read(text + places[i], i == 0 ? 4 : 2);
        if (numbers[i] < 0) {
            return false;
        }
    }
    const char *rest = text + sizeof(form) - 1;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        rest += digits == 0 || digits > 9 ? 0 : digits + 1;
    }
    apr_time_exp_t t = {.tm_year = numbers[0] - 1900,
                        .tm_mon = numbers[1] - 1,
                        .tm_mday = numbers[2],
                        .tm_hour = numbers[3],
                        .tm_min = numbers[4],
                        .tm_sec = numbers[5]};
    apr_time_exp_t again;
    apr_time_t when;
    /* What no calendar has (the 31st of June) comes back as another day. */
    if (strcmp(rest, "Z") != 0 || numbers[0] < 1970 || t.tm_mon < 0 || t.tm_mon > 11 ||
        apr_time_exp_gmt_get(&when, &t) != APR_SUCCESS || apr_time_exp_gmt(&again, when) != APR_SUCCESS ||
        again.tm_mon != t.tm_mon || again.tm_mday != t.tm_mday || again.tm_hour != t.tm_hour ||
        again.tm_min != t.tm_min || again.tm_sec != t.tm_sec) {
        return false;
    }
    *ret_when = when;
    return true;
}
