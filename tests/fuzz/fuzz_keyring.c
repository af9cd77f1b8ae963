/* SPDX-License-Identifier: Apache-2.0 */
/* The text of the key file of cookies. Invariant: what is taken has at least one key and no more than the bound, and
 * seals. */
#include "base/seal.h"

#include "fuzz.h"

FUZZ_TARGET(keyring)
{
    static const unsigned char binding[SSO_BINDING_BYTES] = {1};
    sso_keyring_t *ring = NULL;
    const char *sealed;
    unsigned char *opened;
    apr_size_t opened_len;
    if (sso_keyring_parse(ctx, ctx->pool, fuzz_text(ctx, data, len), "cookie.keys", &ring) != SSO_OK) {
        return;
    }
    fuzz_check(sso_keyring_size(ring) >= 1 && sso_keyring_size(ring) <= SSO_MAX_RING_KEYS);
    fuzz_check(sso_seal(ctx, ring, SSO_PURPOSE_SESSION, binding, "x", 1, &sealed) == SSO_OK);
    fuzz_check(sso_open(ctx, ring, SSO_PURPOSE_SESSION, binding, sealed, strlen(sealed), &opened, &opened_len) ==
               SSO_OK);
    fuzz_check(opened_len == 1 && opened[0] == 'x');
}
