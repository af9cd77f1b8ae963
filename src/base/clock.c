/* SPDX-License-Identifier: Apache-2.0 */
/* The only caller of the system clock, and the text forms of spans, sizes and moments; it never waits. */
#include "base/clock.h"

#include <string.h>

#include <apr_lib.h>
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

bool sso_clock_is_past(apr_time_t moment, apr_interval_time_t span, apr_time_t now)
{
    return moment == 0 || moment > now || now - moment >= span;
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

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool sso_time_parse(const char *text, apr_time_t *ret_when)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    static const struct {
        int at, len, least, most;
    } parts[] = {{0, 4, 1970, 9999}, {5, 2, 1, 12}, {8, 2, 1, 31}, {11, 2, 0, 23}, {14, 2, 0, 59}, {17, 2, 0, 59}};
    int numbers[6];
    if (strlen(text) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd' ? !apr_isdigit(text[i]) : text[i] != shape[i]) {
            return false;
        }
    }
    for (int i = 0; i < 6; i++) {
        numbers[i] = 0;
        for (int j = 0; j < parts[i].len; j++) {
            numbers[i] = numbers[i] * 10 + (text[parts[i].at + j] - '0');
        }
        if (numbers[i] < parts[i].least || numbers[i] > parts[i].most) {
            return false;
        }
    }
    if (numbers[2] > days_of(numbers[0], numbers[1])) {
        return false;
    }
    apr_time_exp_t exploded = {.tm_year = numbers[0] - 1900,
                               .tm_mon = numbers[1] - 1,
                               .tm_mday = numbers[2],
                               .tm_hour = numbers[3],
                               .tm_min = numbers[4],
                               .tm_sec = numbers[5]};
    return apr_time_exp_gmt_get(ret_when, &exploded) == APR_SUCCESS;
}

/* Exactly count digits from *p on, which moves; -1 when there are not as many. */
static int take_digits(const char **p, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9') {
            return -1;
        }
        number = number * 10 + (**p - '0');
    }
    return number;
}

/* One separator, then two digits from 0 to most. */
static bool take_part(const char **p, char separator, int most, int *ret_number)
{
    if (**p != separator) {
        return false;
    }
    (*p)++;
    *ret_number = take_digits(p, 2);
    return *ret_number >= 0 && *ret_number <= most;
}

static bool take_fraction(const char **p, int *ret_usec)
{
    int unit = 100000;
    if (**p != '.') {
        return true;
    }
    (*p)++;
    if (**p < '0' || **p > '9') {
        return false;
    }
    /* What is finer than a microsecond is cut. */
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10) {
        *ret_usec += (**p - '0') * unit;
    }
    return true;
}

/* Z, +hh:mm, -hh:mm, or the end. */
static bool take_zone(const char **p, int *ret_seconds)
{
    int hours = 0;
    int minutes = 0;
    char sign = **p;
    if (sign == 'Z' || sign == 'z') {
        (*p)++;
    } else if (sign == '+' || sign == '-') {
        if (!take_part(p, sign, 23, &hours) || !take_part(p, ':', 59, &minutes)) {
            return false;
        }
    }
    *ret_seconds = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return **p == '\0';
}

/* The time of day behind a date; nothing is midnight. A leap second is the second before it. */
static bool take_clock(const char **p, apr_time_exp_t *when, int *ret_offset)
{
    if (**p == '\0') {
        return true;
    }
    if (!take_part(p, 'T', 23, &when->tm_hour) || !take_part(p, ':', 59, &when->tm_min)) {
        return false;
    }
    if (**p == ':' && (!take_part(p, ':', 60, &when->tm_sec) || !take_fraction(p, &when->tm_usec))) {
        return false;
    }
    when->tm_sec = when->tm_sec == 60 ? 59 : when->tm_sec;
    return take_zone(p, ret_offset);
}

bool sso_datetime_parse(const char *text, apr_time_t *ret_when)
{
    const char *p = text;
    apr_time_exp_t when = {0};
    apr_time_t moment = 0;
    int month = 0;
    int offset = 0;
    int year = text == NULL ? -1 : take_digits(&p, 4);
    /* Before 1970 there is nothing to compare with; past 9999 RFC 3339 ends. */
    if (year < 1970 || !take_part(&p, '-', 12, &month) || month < 1 || !take_part(&p, '-', 31, &when.tm_mday) ||
        when.tm_mday < 1 || when.tm_mday > days_of(year, month)) {
        return false;
    }
    when.tm_year = year - 1900;
    when.tm_mon = month - 1;
    if (!take_clock(&p, &when, &offset) || apr_time_exp_get(&moment, &when) != APR_SUCCESS) {
        return false;
    }
    *ret_when = moment - (apr_time_t)offset * APR_USEC_PER_SEC;
    return true;
}
