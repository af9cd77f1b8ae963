/* SPDX-License-Identifier: Apache-2.0 */
/* Header lines of an outbound answer, a line at a time. Invariants: no value goes beyond its line, all together are
 * within the bound, and nobody is told to wait for more than an hour. */
#include "base/headers.h"

#include "fuzz.h"

FUZZ_TARGET(headers)
{
    sso_headers_t headers = {0};
    apr_size_t sum = 0;
    while (len > 0) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t used = end != NULL ? (size_t)(end - data) + 1 : len;
        bool taken = sso_headers_read(ctx->pool, &headers, (const char *)data, used);
        fuzz_check(taken == (sum + used <= SSO_MAX_RESPONSE_HEADERS));
        sum += taken ? used : 0;
        data += used;
        len -= used;
    }
    fuzz_check(headers.bytes == sum);
    const char *const values[] = {headers.date, headers.retry_after, headers.location};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        fuzz_check(values[i] == NULL || strpbrk(values[i], "\r\n") == NULL);
    }
    fuzz_check(headers.challenge == NULL || strlen(headers.challenge) <= 2 * SSO_MAX_RESPONSE_HEADERS);
    int wait = sso_headers_retry_after(&headers, ctx->now);
    fuzz_check(wait >= 0 && wait <= 3600);
    fuzz_check(headers.retry_after != NULL || wait == 0);
    (void)sso_headers_date(&headers);
}
