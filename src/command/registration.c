/* SPDX-License-Identifier: Apache-2.0 */
/* The app registration as Graph has it, held against the configuration. */
#include "command/look.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "command/optional.h"

static bool list_has(const sso_json_t *list, const char *text)
{
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        const char *item = sso_json_text(sso_json_at(list, i));
        if (item != NULL && strcmp(item, text) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- where people are sent back to ---- */

static void platform_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration)
{
    static const char subject[] = "platform";
    const char *mend = apr_psprintf(report->pool,
                                    "App registration > Authentication: remove %s from the other platform and add it "
                                    "under Web",
                                    d->redirect_uri);
    const struct {
        const char *member, *name;
    } others[] = {{"spa", "Single-page application"}, {"publicClient", "Mobile and desktop applications"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (list_has(sso_json_get(sso_json_get(registration, others[i].member), "redirectUris"), d->redirect_uri)) {
            sso_report_say(report, SSO_FOUND_FAULT, subject, mend,
                           "%s is registered under %s, so that Entra refuses the code with this credential",
                           d->redirect_uri, others[i].name);
            return;
        }
    }
    sso_report_good(report, subject, "the redirect URI is under no other platform than Web");
}

static void logout_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration)
{
    static const char subject[] = "front-channel logout";
    const char *wanted = apr_pstrcat(report->pool, d->origin, d->path, "/frontchannel-logout", NULL);
    const char *url = sso_json_get_text(sso_json_get(registration, "web"), "logoutUrl");
    if (strncmp(d->origin, "https:", 6) != 0) {
        return; /* Entra takes no other address */
    }
    if (url == NULL || strcmp(url, wanted) != 0) {
        sso_report_say(
            report, SSO_FOUND_WARN, subject,
            apr_psprintf(report->pool, "App registration > Authentication > Front-channel logout URL: %s", wanted),
            url == NULL ? "a sign-out in another application does not reach this one"
                        : "a sign-out in another application is sent to another address");
        return;
    }
    sso_report_good(report, subject, "%s is registered", wanted);
}

/* ---- who may sign in ---- */

static void audience_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration)
{
    static const char subject[] = "supported accounts";
    const char *audience = sso_json_get_text(registration, "signInAudience");
    bool alone = audience != NULL && strcmp(audience, "AzureADMyOrg") == 0;
    bool personal = audience != NULL && strncmp(audience, "AzureADMultipleOrgs", 19) != 0 && !alone;
    bool several = strcmp(d->tenant, "common") == 0 || strcmp(d->tenant, "organizations") == 0;
    if (audience == NULL) {
        return;
    }
    if (alone && (several || strcmp(d->tenant, "consumers") == 0)) {
        sso_report_say(report, SSO_FOUND_FAULT, subject,
                       "Write the tenant's GUID as EntraTenant; or App registration > Authentication > Supported "
                       "account types: any organizational directory",
                       "the registration is for one tenant, and \"EntraTenant %s\" is not (AADSTS50194)", d->tenant);
    } else if (!personal && strcmp(d->tenant, "consumers") == 0) {
        sso_report_say(report, SSO_FOUND_FAULT, subject,
                       "App registration > Authentication > Supported account types: with personal accounts",
                       "the registration takes no personal accounts, and EntraTenant consumers means these");
    } else {
        sso_report_good(report, subject, "%s fits EntraTenant %s", sso_printable(report->pool, audience), d->tenant);
    }
}

/* ---- claims ---- */

static const sso_json_t *claim_find(const sso_json_t *registration, const char *name)
{
    const sso_json_t *list = sso_json_get(sso_json_get(registration, "optionalClaims"), "idToken");
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        const char *text = sso_json_get_text(sso_json_at(list, i), "name");
        if (text != NULL && strcmp(text, name) == 0) {
            return sso_json_at(list, i);
        }
    }
    return NULL;
}

static void groups_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration)
{
    static const char subject[] = "groups claim";
    const char *claims = sso_json_get_text(registration, "groupMembershipClaims");
    const sso_json_t *form = sso_json_get(claim_find(registration, "groups"), "additionalProperties");
    const char *mend = "App registration > Token configuration > Add groups claim > Groups assigned to the application "
                       "(or Security groups), under ID: Group ID";
    if (d->groups_of_scim || (d->groups->nelts == 0 && !d->groups_all)) {
        return;
    }
    if (claims == NULL || strcmp(claims, "None") == 0) {
        sso_report_say(report, SSO_FOUND_FAULT, subject, mend,
                       "rules name groups, but the registration puts none into tokens");
    } else if (sso_json_size(form) > 0 && !(sso_json_size(form) == 1 && list_has(form, "emit_as_roles"))) {
        sso_report_say(report, SSO_FOUND_FAULT, subject, mend,
                       "the registration puts names of groups into tokens where the module reads object ids");
    } else if (strcmp(claims, "DirectoryRole") == 0) {
        sso_report_say(report, SSO_FOUND_FAULT, subject, mend,
                       "the registration puts directory roles into tokens, and no groups");
    } else {
        sso_report_good(report, subject, "ID tokens have it (%s)", sso_printable(report->pool, claims));
    }
}

/* Of all sessions acct is kept, and e-mail comes by its scope; that they are missing is no mistake. */
static bool is_missing(const sso_json_t *registration, const char *claim)
{
    return sso_claim_is_optional(claim) && strcmp(claim, "acct") != 0 && strcmp(claim, "email") != 0 &&
           claim_find(registration, claim) == NULL;
}

static void claims_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration)
{
    const char *missing = "";
    for (int i = 0; i < d->claims->nelts; i++) {
        const char *claim = sso_text_at(d->claims, i);
        if (is_missing(registration, claim)) {
            missing = apr_pstrcat(report->pool, missing, *missing == '\0' ? "" : ", ", claim, NULL);
        }
    }
    if (*missing != '\0') {
        sso_report_say(report, SSO_FOUND_FAULT, "optional claims",
                       apr_psprintf(report->pool,
                                    "App registration > Token configuration > Add optional claim > ID > %s", missing),
                       "the configuration reads claims that ID tokens do not have: %s", missing);
    } else {
        sso_report_good(report, "optional claims", "none is missing of those that the configuration reads");
    }
}

/* ---- how long the secret lasts ---- */

static void secrets_check(sso_report_t *report, const sso_description_t *d, const sso_json_t *registration,
                          const char *hint, apr_time_t now)
{
    static const char subject[] = "end of the secret";
    const sso_json_t *list = sso_json_get(registration, "passwordCredentials");
    const char *mend = "App registration > Certificates & secrets > New client secret; put its Value into the place of "
                       "this one, which httpd takes up by itself; then delete the old one";
    apr_time_t latest = 0;
    if (strcmp(d->credential.kind, "secret") != 0) {
        return;
    }
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        const sso_json_t *credential = sso_json_at(list, i);
        const char *text = sso_json_get_text(credential, "hint");
        const char *end = sso_json_get_text(credential, "endDateTime");
        apr_time_t when;
        if ((hint == NULL || text == NULL || strcmp(text, hint) == 0) && end != NULL &&
            sso_datetime_parse(end, &when) && when > latest) {
            latest = when;
        }
    }
    if (latest == 0) {
        sso_report_say(report, SSO_FOUND_UNKNOWN, subject, mend, "the registration has no secret that begins like it");
    } else if (latest < now) {
        sso_report_say(report, SSO_FOUND_FAULT, subject, mend, "the secret ended on %s",
                       sso_time_print(report->pool, latest));
    } else if (latest - now < SSO_CHECK_BEFORE_END) {
        sso_report_say(report, SSO_FOUND_WARN, subject, mend, "the secret ends on %s",
                       sso_report_until(report->pool, now, latest));
    } else {
        sso_report_good(report, subject, "good until %s", sso_report_until(report->pool, now, latest));
    }
}

void sso_check_registration(sso_report_t *report, const sso_description_t *description, const sso_json_t *registration,
                            const char *hint, apr_time_t now)
{
    audience_check(report, description, registration);
    platform_check(report, description, registration);
    logout_check(report, description, registration);
    groups_check(report, description, registration);
    claims_check(report, description, registration);
    secrets_check(report, description, registration, hint, now);
}
