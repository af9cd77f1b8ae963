/* SPDX-License-Identifier: Apache-2.0 */
/* An application with fixed keys, for the targets of sealed things. Nothing here is anybody's secret. */
#pragma once

#include "base/seal.h"
#include "flow/flow.h"
#include "fuzz.h"

#define FUZZ_KEYFILE                                                                                                   \
    "key 00000001 digdCaEBHTq3pJ2yPyYJ4IpDw-lzJIrQJQin9y6PYfc 2026-11-01T00:00:00Z\n"                                  \
    "key 00000002 89ZT1oJtr9jxPquLHafzJG44odf1QIDevbgRhEi-x-w 2026-10-01T00:00:00Z\n"

static inline const sso_keyring_t *fuzz_ring(void)
{
    static sso_keyring_t *ring;
    if (ring == NULL) {
        sso_ctx_t ctx;
        sso_ctx_init(&ctx, fuzz_process_pool(), FUZZ_NOW);
        fuzz_check(sso_keyring_parse(&ctx, fuzz_process_pool(), FUZZ_KEYFILE, "the keys", &ring) == SSO_OK);
    }
    return ring;
}

static inline const sso_site_t *fuzz_site(void)
{
    static sso_site_t site;
    if (site.origin == NULL) {
        const char *why = NULL;
        site.origin = sso_origin_parse(fuzz_process_pool(), FUZZ_ORIGIN, &why);
        site.client_id = FUZZ_CLIENT;
        site.path = "/.entra";
        site.app = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
        site.preserve_post = SSO_MAX_FORM;
        site.skew = apr_time_from_sec(60);
        site.session.keyring = fuzz_ring();
        site.session.max_age = SSO_SESSION_CAP;
        site.session.max_cookie = 7000;
        sso_cookie_policy_init(fuzz_process_pool(), true, NULL, &site.session.cookies);
    }
    return &site;
}
