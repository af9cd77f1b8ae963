/* SPDX-License-Identifier: Apache-2.0 */
/* A token as text: its header, its signature. The key was thrown away once it had signed one token, that of the corpus.
 * SECURITY: the invariant is that no other header and claims are ever accepted. */
#include "entra/jwt.h"

#include "fuzz.h"

static const char modulus[] =
    "t3pz1Q5NUfgfwtUfJcIyOQs9pRJplDrqz73N5pPrZrlWlWBzH3a9jXBLBCjKdcvAhMxyLhzVlqDcejht-vaycUJvtTczVGhJnFZ-"
    "Sra-STEzvT76_Vp2K5BniYYWexlfasrgRjAvSbrInel4UpJCZ7by5wyVERsQGJ5fkAIIdx8Z-I-VQ_C5iTJ8ywj_2kbmMxCkh8na"
    "gBjUmwZ45MuVxh1Q_nEBx1vzh4wukq9fm-s58aq35N__cSA6YPBaINctJJga6f1KSfhDt38oZ0C5L-QuPSFErIsb1kp9lpzqE7aq"
    "N4AzkpqwgCpCp91zO3-J7YlCrPfr0NVQ5y92um1IMQ";

static const char signed_input[] =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1hIn0.eyJhdWQiOiJjMWQyZTNmNC01YTZiLTRjN2QtOGU5Zi0w"
    "YTFiMmMzZDRlNWYiLCJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tLzdmM2ExYzUyLTlkMGUtNGI2YS04YzQxLTJlNWQ5"
    "MGI3YTYxMy92Mi4wIiwiaWF0IjoxNzk1NDQ1NzAwLCJuYmYiOjE3OTU0NDU3MDAsImV4cCI6MTc5NTQ0OTYwMCwibm9uY2UiOiJu"
    "LTBTNl9XekEyTWoiLCJvaWQiOiI1YjllN2QxMC0zYzQ0LTRhMWYtOWYyZS02ZDhhMGMxYjJlM2YiLCJzdWIiOiJrN1l3M25RMnBS"
    "OHNUMXVWNHhaNmFCOWNEMGVGNWdIN2pLMmxNOG5PMXBRIiwidGlkIjoiN2YzYTFjNTItOWQwZS00YjZhLThjNDEtMmU1ZDkwYjdh"
    "NjEzIiwidmVyIjoiMi4wIiwicHJlZmVycmVkX3VzZXJuYW1lIjoiYWRhQGNvbnRvc28uZXhhbXBsZSJ9";

FUZZ_TARGET(jwt)
{
    static const sso_jwk_t *jwk;
    sso_jwt_t jwt;
    const sso_json_t *claims;
    if (jwk == NULL) {
        sso_ctx_t once;
        sso_ctx_init(&once, fuzz_process_pool(), FUZZ_NOW);
        fuzz_check(sso_jwk_make(&once, fuzz_process_pool(), modulus, "AQAB", &jwk) == SSO_OK);
    }
    if (sso_jwt_parse(ctx, fuzz_text(ctx, data, len), &jwt) != SSO_OK) {
        return;
    }
    fuzz_check(jwt.kid != NULL && jwt.kid[0] != '\0' && strlen(jwt.kid) <= SSO_MAX_KID);
    if (sso_jwt_verify(ctx, &jwt, jwk, &claims) == SSO_OK) {
        fuzz_check(strncmp(jwt.text, signed_input, sizeof(signed_input) - 1) == 0);
        fuzz_check(jwt.text[sizeof(signed_input) - 1] == '.');
        fuzz_check(sso_json_type(claims) == SSO_JSON_OBJECT);
    }
}
