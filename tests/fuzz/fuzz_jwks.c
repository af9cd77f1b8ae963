/* SPDX-License-Identifier: Apache-2.0 */
/* A key set. Invariants: each key is found under its own name and no name stands twice. */
#include "entra/keys.h"

#include "fuzz.h"

FUZZ_TARGET(jwks)
{
    const sso_keyset_t *keys;
    if (sso_keys_parse(ctx, ctx->pool, (const char *)data, len, &keys) != SSO_OK) {
        return;
    }
    fuzz_check(keys->count >= 1 && keys->count <= SSO_MAX_KEYS);
    for (int i = 0; i < keys->count; i++) {
        const sso_key_t *key = &keys->keys[i];
        fuzz_check(key->jwk != NULL && sso_keys_find(keys, key->kid) == key);
        sso_rc rc = sso_key_issuer_check(ctx, key, FUZZ_ISSUER, FUZZ_TENANT, true);
        fuzz_check(rc != SSO_OK || strcmp(sso_issuer_expand(ctx->pool, key->issuer, FUZZ_TENANT), FUZZ_ISSUER) == 0);
        sso_fault_clear(ctx);
    }
}
