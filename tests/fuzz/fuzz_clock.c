/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, sizes and moments as people and other programs write them. Invariants: what parses prints to what parses to
 * the same; a moment of our own form is a moment of anybody's. */
#include "base/clock.h"

#include "fuzz.h"

FUZZ_TARGET(clock)
{
    apr_interval_time_t span;
    apr_interval_time_t span_again;
    apr_off_t size;
    apr_time_t when;
    apr_time_t when_again;
    const char *text = fuzz_text(ctx, data, len);
    if (sso_duration_parse(text, &span) == NULL) {
        fuzz_check(span >= 0);
        fuzz_check(sso_duration_parse(sso_duration_print(ctx->pool, span), &span_again) == NULL && span_again == span);
    }
    if (sso_size_parse(text, &size) == NULL) {
        fuzz_check(size >= 0);
    }
    if (sso_time_parse(text, &when)) {
        fuzz_check(strcmp(sso_time_print(ctx->pool, when), text) == 0);
        fuzz_check(sso_datetime_parse(text, &when_again) && when_again == when);
    }
    if (sso_datetime_parse(text, &when)) {
        apr_time_t whole = when - (when % APR_USEC_PER_SEC + APR_USEC_PER_SEC) % APR_USEC_PER_SEC;
        const char *printed = sso_time_print(ctx->pool, whole);
        fuzz_check(!sso_time_parse(printed, &when_again) || when_again == whole);
    }
}
