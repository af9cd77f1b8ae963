/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate as a resource sends it, and Authorization as a program does. Invariants: claims of a challenge are
 * JSON that can be asked for; a bearer token is one word. */
#include "entra/challenge.h"
#include "flow/bearer.h"

#include "fuzz.h"

FUZZ_TARGET(challenge)
{
    const char *claims = NULL;
    const char *composed = NULL;
    const char *token = NULL;
    const char *text = fuzz_text(ctx, data, len);
    if (sso_challenge_read(ctx, text, &claims) == SSO_OK && claims != NULL) {
        const sso_claims_parts_t parts = {.acr = "c1", .continuous = true, .challenge = claims};
        fuzz_check(strlen(claims) <= SSO_MAX_CHALLENGE_CLAIMS);
        if (sso_claims_compose(ctx, &parts, &composed) == SSO_OK) {
            fuzz_check(sso_json_type(fuzz_json(ctx, composed, strlen(composed))) == SSO_JSON_OBJECT);
        }
    }
    sso_fault_clear(ctx);
    const sso_claims_parts_t foreign = {.challenge = text};
    if (sso_claims_compose(ctx, &foreign, &composed) == SSO_OK) {
        fuzz_check(fuzz_json(ctx, composed, strlen(composed)) != NULL);
    }
    sso_fault_clear(ctx);
    if (sso_bearer_token(ctx, text, &token) == SSO_OK && token != NULL) {
        fuzz_check(token[0] != '\0' && strcspn(token, " ,\t") == strlen(token) && strstr(text, token) != NULL);
    }
}
