/* SPDX-License-Identifier: Apache-2.0 */
/* Writes text that a scraper parses strictly. Whatever stands in a label is escaped here and nowhere else. */
#include "base/exposition.h"

#include <string.h>

#include <apr_strings.h>

/* Backslash, quote and line feed are all that the format knows to escape; other control characters of a label would be
 * legal, and are made visible. */
const char *sso_label(apr_pool_t *pool, const char *name, const char *value)
{
    char *text = apr_palloc(pool, strlen(name) + 2 * strlen(value) + 4);
    char *to = text + strlen(name);
    memcpy(text, name, strlen(name));
    *to++ = '=';
    *to++ = '"';
    for (const char *from = value; *from != '\0'; from++) {
        if (*from == '\\' || *from == '"' || *from == '\n') {
            *to++ = '\\';
        }
        *to++ = (char)(*from == '\n' ? 'n' : *from != 0x7f && (unsigned char)*from >= 0x20 ? *from : '?');
    }
    *to++ = '"';
    *to = '\0';
    return text;
}

void sso_exposition_family(const sso_exposition_t *page, const char *name, const char *type, const char *help)
{
    page->put(page->baton,
              apr_pstrcat(page->pool, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", NULL));
}

static void sample(const sso_exposition_t *page, const char *name, const char *labels, const char *value)
{
    bool any = *labels != '\0';
    page->put(page->baton,
              apr_pstrcat(page->pool, name, any ? "{" : "", labels, any ? "}" : "", " ", value, "\n", NULL));
}

void sso_exposition_number(const sso_exposition_t *page, const char *name, const char *labels, int64_t value)
{
    sample(page, name, labels, apr_psprintf(page->pool, "%" APR_INT64_T_FMT, value));
}

/* "1.5", "0.000001", "3": never more digits than there are. */
static const char *seconds_print(apr_pool_t *pool, apr_time_t value)
{
    bool negative = value < 0;
    apr_time_t size = negative ? -value : value;
    char *text = apr_psprintf(pool, "%s%" APR_TIME_T_FMT ".%06" APR_TIME_T_FMT, negative ? "-" : "", apr_time_sec(size),
                              apr_time_usec(size));
    char *end = text + strlen(text) - 1;
    while (*end == '0') {
        *end-- = '\0';
    }
    if (*end == '.') {
        *end = '\0';
    }
    return text;
}

void sso_exposition_seconds(const sso_exposition_t *page, const char *name, const char *labels, apr_time_t value)
{
    sample(page, name, labels, seconds_print(page->pool, value));
}

static const char *join(apr_pool_t *pool, const char *one, const char *other)
{
    return *one == '\0' || *other == '\0' ? apr_pstrcat(pool, one, other, NULL)
                                          : apr_pstrcat(pool, one, ",", other, NULL);
}

/* The buckets of the format hold all that is shorter, hence each holds those before it too. */
static void latency(const sso_exposition_t *page, const char *name, const char *labels, const sso_counters_t *counters,
                    sso_latency_t what)
{
    sso_latencies_t latencies;
    uint64_t below = 0;
    const char *bucket = apr_pstrcat(page->pool, name, "_bucket", NULL);
    sso_counters_latencies(counters, what, &latencies);
    for (int i = 0; i <= SSO_LATENCY_BUCKETS; i++) {
        const char *le = i == SSO_LATENCY_BUCKETS ? "+Inf" : seconds_print(page->pool, sso_latency_bound(i));
        below += latencies.buckets[i];
        sso_exposition_number(page, bucket, join(page->pool, labels, sso_label(page->pool, "le", le)), (int64_t)below);
    }
    sso_exposition_seconds(page, apr_pstrcat(page->pool, name, "_sum", NULL), labels, latencies.sum);
    sso_exposition_number(page, apr_pstrcat(page->pool, name, "_count", NULL), labels, (int64_t)latencies.count);
}

/* rows[0] is the family; gives how many rows it has, itself included. */
static int family(const sso_exposition_t *page, const sso_counter_row_t *rows, int most, const sso_counted_t *counted,
                  int count)
{
    int size = 1;
    while (size < most && rows[size].kind != SSO_ROW_FAMILY) {
        size++;
    }
    bool histogram = size > 1 && rows[1].kind == SSO_ROW_LATENCY;
    sso_exposition_family(page, rows[0].text, histogram ? "histogram" : "counter", rows[0].help);
    for (int who = 0; who < count; who++) {
        for (int i = 1; i < size; i++) {
            const char *labels = join(page->pool, counted[who].labels, rows[i].text);
            if (histogram) {
                latency(page, rows[0].text, labels, counted[who].counters, (sso_latency_t)rows[i].index);
            } else {
                sso_exposition_number(page, rows[0].text, labels,
                                      (int64_t)sso_counters_get(counted[who].counters, (sso_count_t)rows[i].index));
            }
        }
    }
    return size;
}

static void faults(const sso_exposition_t *page, const sso_counted_t *counted, int count)
{
    static const char *const classes[] = {"client", "user", "config", "provider", "later", "internal"};
    sso_exposition_family(page, "entra_faults_total", "counter", "Faults that were logged, by their ENTRA number.");
    for (int who = 0; who < count; who++) {
        for (int rc = 1; rc < SSO_RC_COUNT; rc++) {
            apr_time_t last;
            const sso_reason_t *reason = sso_reason((sso_rc)rc);
            uint64_t many = sso_counters_faults(counted[who].counters, (sso_rc)rc, &last);
            if (many > 0) {
                const char *number = apr_psprintf(page->pool, "number=\"ENTRA%04d\",class=\"%s\"", reason->number,
                                                  classes[reason->class]);
                sso_exposition_number(page, "entra_faults_total", join(page->pool, counted[who].labels, number),
                                      (int64_t)many);
            }
        }
    }
}

void sso_exposition_counters(const sso_exposition_t *page, const sso_counted_t *counted, int count)
{
    int most;
    const sso_counter_row_t *rows = sso_counter_rows(&most);
    for (int i = 0; i < most;) {
        i += family(page, rows + i, most - i, counted, count);
    }
    faults(page, counted, count);
}
