/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up Entra's errors in the table of aadsts.def and in a small one for OAuth error values.
 * Plain C on constant data: it must never allocate, log or decide.
 */
#include "entra/aadsts.h"

#include <string.h>

/* Limit of sso_aadsts_code_from(); known numbers have 5 to 7 digits, and 9 fit into 32 bits. */
#define CODE_DIGITS_MAX 9

static const sso_aadsts_t code_rows[] = {
#define AADSTS(code, actor, sentence, advice, mend) {code, SSO_ACTOR_##actor, sentence, advice, mend},
#include "entra/aadsts.def"
#undef AADSTS
};

/* RFC 6749 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6, and what Entra adds. */
static const struct {
    const char *error;
    sso_aadsts_t row;
} error_rows[] = {
    {"access_denied",
     {0, SSO_ACTOR_USER, "The sign-in was cancelled, or access was not allowed.",
      "Try again, and ask your administrator for access if it fails once more.",
      "Read error_description in the log; else the sign-in log of the tenant, by correlation ID"}},
    {"account_selection_required",
     {0, SSO_ACTOR_USER, "Several accounts are signed in at Microsoft, and one has to be chosen.",
      "Sign in again and choose your account.", "Expected for a silent sign-in; nothing to change"}},
    {"consent_required",
     {0, SSO_ACTOR_ADMIN, "This application has not been approved for your account yet.",
      "Sign in again and accept if you are asked; otherwise ask your administrator to approve it.",
      "App registration > API permissions > Grant admin consent, for all scopes of EntraScopes"}},
    {"interaction_required",
     {0, SSO_ACTOR_USER, "Microsoft needs you to take part in the sign-in.",
      "Sign in again and finish every step that is shown.",
      "Expected for a silent sign-in or after a policy change; see the sign-in log of the user"}},
    {"invalid_client",
     {0, SSO_ACTOR_ADMIN, "Microsoft does not accept the proof by which this application identifies itself.",
      "Tell your administrator, and pass on the details shown on this page.",
      "Check EntraClientID and its EntraClientSecret, EntraClientCertificate or EntraClientAssertion"}},
    {"invalid_grant",
     {0, SSO_ACTOR_USER, "Your earlier sign-in is no longer valid.", "Sign in again.",
      "Expected when sessions are revoked or expire; if all sign-ins fail, check the clock of this server"}},
    {"invalid_request",
     {0, SSO_ACTOR_ADMIN, "Microsoft did not accept the sign-in request of this application.",
      "Try again, and tell your administrator if it fails once more.",
      "Read error_description in the log: it names the bad parameter, often the redirect URI or "
      "EntraTenant"}},
    {"invalid_resource",
     {0, SSO_ACTOR_ADMIN, "A service that this application needs is not available in your organization.",
      "Tell your administrator, and pass on the details shown on this page.",
      "EntraScopes: correct the URI of the API, or consent to the API in the tenant"}},
    {"invalid_scope",
     {0, SSO_ACTOR_ADMIN, "This application asked Microsoft for a permission that does not exist.",
      "Tell your administrator, and pass on the details shown on this page.",
      "EntraScopes: correct the spelling of each scope and the URI before it"}},
    {"login_required",
     {0, SSO_ACTOR_USER, "You are not signed in at Microsoft at the moment.", "Sign in.",
      "The module never asks for a silent sign-in: look for a proxy or rewrite rule that adds prompt=none"}},
    {"server_error",
     {0, SSO_ACTOR_RETRY, "Microsoft had a problem.", "Wait a minute, then try again.",
      "Fault at Entra; look at the Azure service health if it lasts"}},
    {"temporarily_unavailable",
     {0, SSO_ACTOR_RETRY, "Microsoft is not available at the moment.", "Wait a minute, then try again.",
      "Entra is busy or throttles this application; look at the Azure service health if it lasts"}},
    {"unauthorized_client",
     {0, SSO_ACTOR_ADMIN, "Microsoft does not know this application in your organization, or does not allow it.",
      "Tell your administrator, and pass on the details shown on this page.",
      "EntraClientID and EntraTenant must belong together; the enterprise application must be enabled"}},
    {"unsupported_grant_type",
     {0, SSO_ACTOR_ADMIN, "Microsoft does not allow this application to sign people in this way.",
      "Tell your administrator, and pass on the details shown on this page.",
      "App registration > Authentication: the redirect URI must be of platform Web"}},
    {"unsupported_response_type",
     {0, SSO_ACTOR_ADMIN, "Microsoft does not allow this application to sign people in this way.",
      "Tell your administrator, and pass on the details shown on this page.",
      "The module asks for response_type=code only: check what alters the redirect to Microsoft"}},
    {"user_password_expired",
     {0, SSO_ACTOR_USER, "Your password has expired.", "Set a new password at Microsoft, then sign in again.",
      "Nothing to change here; a user who cannot change the password needs a reset"}},
};

static const sso_aadsts_t general_row = {
    0, SSO_ACTOR_ADMIN, "Microsoft did not complete the sign-in.",
    "Try again, and tell your administrator if it fails once more.",
    "Unknown error: read error and error_description in the log, and the sign-in log by correlation ID"};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number that text begins with; 0 when it has too many digits. */
static unsigned number_at(const char *text, size_t len)
{
    unsigned number = 0;

    for (size_t i = 0; i < len && is_digit(text[i]); i++) {
        if (i == CODE_DIGITS_MAX) {
            return 0;
        }
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return number;
}

const sso_aadsts_t *sso_aadsts_find(unsigned code)
{
    size_t low = 0;
    size_t high = sizeof code_rows / sizeof code_rows[0];

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (code_rows[middle].code == code) {
            return &code_rows[middle];
        }
        if (code_rows[middle].code < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

unsigned sso_aadsts_code_from(const char *text, size_t len)
{
    static const char mark[] = "AADSTS";
    const size_t mark_len = sizeof mark - 1;

    if (text == NULL || len <= mark_len) {
        return 0;
    }
    for (size_t i = 0; i < len - mark_len; i++) {
        const char *rest = text + i + mark_len;

        if (is_digit(*rest) && memcmp(text + i, mark, mark_len) == 0) {
            return number_at(rest, len - mark_len - i);
        }
    }
    return 0;
}

const sso_aadsts_t *sso_aadsts_for_error(const char *error)
{
    if (error == NULL) {
        return &general_row;
    }
    for (size_t i = 0; i < sizeof error_rows / sizeof error_rows[0]; i++) {
        if (strcmp(error_rows[i].error, error) == 0) {
            return &error_rows[i].row;
        }
    }
    return &general_row;
}
