/* SPDX-License-Identifier: Apache-2.0 */
/* Four headers, each bounded by the bound of all; never anything that a decision about a user hangs on. */
#include "base/headers.h"

#include <string.h>
#include <strings.h>

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/limits.h"

#define RETRY_AFTER_MAX_S 3600

/* The value of a header line when it is the named header's, else NULL. */
static const char *header_value(apr_pool_t *pool, const char *line, apr_size_t len, const char *name)
{
    apr_size_t name_len = strlen(name);
    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0) {
        return NULL;
    }
    char *value = apr_pstrmemdup(pool, line + name_len + 1, len - name_len - 1);
    value[strcspn(value, "\r\n")] = '\0';
    return value + strspn(value, " \t");
}

bool sso_headers_read(apr_pool_t *pool, sso_headers_t *headers, const char *line, apr_size_t len)
{
    if (len > SSO_MAX_RESPONSE_HEADERS - headers->bytes) {
        return false;
    }
    headers->bytes += len;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        headers->date = NULL; /* what came before was an interim answer */
        headers->retry_after = NULL;
        headers->location = NULL;
        headers->challenge = NULL;
    }
    const char *date = headers->date ? NULL : header_value(pool, line, len, "Date");
    const char *retry_after = headers->retry_after ? NULL : header_value(pool, line, len, "Retry-After");
    const char *location = headers->location ? NULL : header_value(pool, line, len, "Location");
    const char *challenge = header_value(pool, line, len, "WWW-Authenticate");
    headers->date = date ? date : headers->date;
    headers->retry_after = retry_after ? retry_after : headers->retry_after;
    headers->location = location ? location : headers->location;
    if (challenge) {
        headers->challenge =
            headers->challenge ? apr_pstrcat(pool, headers->challenge, ", ", challenge, NULL) : challenge;
    }
    return true;
}

apr_time_t sso_headers_date(const sso_headers_t *headers)
{
    return headers->date ? apr_date_parse_http(headers->date) : 0; /* 0 when malformed, too */
}

/* RFC 9110 section 10.2.3. What is neither a number nor a date counts as not there. */
int sso_headers_retry_after(const sso_headers_t *headers, apr_time_t now)
{
    const char *text = headers->retry_after;
    if (!text) {
        return 0;
    }
    if (apr_isdigit(text[0])) {
        int seconds = 0;
        for (; apr_isdigit(*text) && seconds < RETRY_AFTER_MAX_S; text++) {
            seconds = seconds * 10 + (*text - '0');
        }
        return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
    }
    /* The other side's own clock, when it tells: its dates are by that one. */
    apr_time_t date = sso_headers_date(headers);
    apr_time_t since = date ? date : now;
    apr_time_t until = apr_date_parse_http(text);
    if (until == APR_DATE_BAD || until <= since) {
        return 0;
    }
    apr_interval_time_t wait = until - since;
    if (wait > apr_time_from_sec(RETRY_AFTER_MAX_S)) {
        return RETRY_AFTER_MAX_S;
    }
    return (int)apr_time_sec(wait + APR_USEC_PER_SEC - 1); /* rather late than early */
}
