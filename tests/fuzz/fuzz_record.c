/* SPDX-License-Identifier: Apache-2.0 */
/* A session record as it stands in an opened cookie. Invariant: what unpacks packs to no more bytes (ids
 * that stand as texts become bytes), and from there on to the same. */
#include "session/record.h"

#include "fuzz.h"
#include "session/template.h"

static void walk(const sso_list_t *list)
{
    apr_size_t at = 0;
    unsigned count = 0;
    for (const char *item; (item = sso_list_next(list, &at)) != NULL; count++) {
        fuzz_check(sso_list_has(list, item));
    }
    fuzz_check(count == list->count);
}

FUZZ_TARGET(record)
{
    sso_record_t record, again;
    const unsigned char *packed, *second;
    apr_size_t packed_len, second_len;
    if (sso_record_unpack(ctx, data, len, &record) != SSO_OK) {
        return;
    }
    fuzz_check(sso_record_pack(ctx, &record, len, &packed, &packed_len) == SSO_OK);
    fuzz_check(sso_record_unpack(ctx, packed, packed_len, &again) == SSO_OK);
    fuzz_check(sso_record_pack(ctx, &again, packed_len, &second, &second_len) == SSO_OK);
    fuzz_check(second_len == packed_len && memcmp(second, packed, packed_len) == 0);
    fuzz_check(record.created <= record.ends && record.ends - record.created <= SSO_SESSION_CAP);
    walk(&record.roles);
    walk(&record.groups);
    walk(&record.acrs);
    walk(&record.claims);
    sso_list_t values;
    if (sso_record_claim(&record, "department", &values)) {
        walk(&values);
        (void)sso_list_join(ctx->pool, &values, ",");
    }
    (void)sso_record_touch_due(&record, ctx->now, apr_time_from_sec(600));
    if (sso_record_check(ctx, &record, SSO_SESSION_CAP, apr_time_from_sec(600), apr_time_from_sec(60)) == SSO_OK) {
        fuzz_check(record.ends > ctx->now);
    }
}
