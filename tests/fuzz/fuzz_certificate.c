/* SPDX-License-Identifier: Apache-2.0 */
/* PEM of a certificate and its key, in one file. Invariant: what is taken signs, and has both thumbprints. */
#include "base/crypto.h"

#include "fuzz.h"

FUZZ_TARGET(certificate)
{
    const sso_certificate_t *cert;
    const unsigned char *sig;
    apr_size_t sig_len;
    const char *pem = fuzz_text(ctx, data, len);
    if (sso_certificate_parse(ctx, ctx->pool, pem, pem, &cert) != SSO_OK) {
        return;
    }
    fuzz_check(strlen(sso_certificate_thumbprint(cert, SSO_SIGN_PS256)) == 43);
    fuzz_check(sso_certificate_sign(ctx, cert, SSO_SIGN_PS256, "x", 1, &sig, &sig_len) == SSO_OK);
    fuzz_check(sig_len >= SSO_RSA_MIN_BITS / 8 && sig_len <= SSO_RSA_MAX_BITS / 8);
    (void)sso_certificate_expires(cert);
}
