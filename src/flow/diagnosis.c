/* SPDX-License-Identifier: Apache-2.0 */
/* One small check for each thing that administrators get wrong. Most of them are set in the app registration, so its
 * pages are named as the Entra admin center names them. */
#include "flow/diagnosis.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/aadsts.h"
#include "flow/groups.h"

#define REGISTRATION "Entra admin center > App registrations > (this application) > "
#define ENTERPRISE "Entra admin center > Enterprise applications > (this application) > "
/* A difference that NTP does not leave. */
#define CLOCK_NOTICED apr_time_from_sec(60)
/* Of the size that a session may have at most. */
#define COOKIE_NOTICED(max) ((max) / 4 * 3)

typedef struct {
    sso_ctx_t *ctx;
    const sso_site_t *site;
    const sso_trial_t *trial;
    apr_array_header_t *findings;
} diagnosis_t;

static void add(diagnosis_t *d, sso_finding_level_t level, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void add(diagnosis_t *d, sso_finding_level_t level, const char *where, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    sso_finding_t *finding = &APR_ARRAY_PUSH(d->findings, sso_finding_t);
    finding->what = apr_pvsprintf(d->ctx->pool, fmt, args);
    finding->level = level;
    finding->where = where;
    va_end(args);
}

static const sso_json_t *claim(const diagnosis_t *d, const char *name)
{
    return sso_json_get(d->trial->claims, name);
}

/* ---- the sign-in itself ---- */

static void check_fault(diagnosis_t *d)
{
    const sso_fault_t *fault = &d->ctx->fault;
    const sso_reason_t *reason = sso_reason(fault->rc);
    const sso_aadsts_t *row = fault->aadsts == 0 ? NULL : sso_aadsts_find(fault->aadsts);
    if (fault->rc == SSO_OK) {
        add(d, SSO_FINDING_GOOD, NULL,
            "Entra came back to %s, took this application's credential and gave an ID token of an allowed tenant, for "
            "this application, with a signature that holds.",
            d->site->redirect_uri);
        return;
    }
    const char *where =
        row != NULL ? row->mend
                    : apr_psprintf(d->ctx->pool, "ENTRA%04d in the page \"Messages\" of the manual", reason->number);
    add(d, SSO_FINDING_WRONG, where, "The sign-in failed. ENTRA%04d: %s%s%s", reason->number, reason->sentence,
        fault->detail == NULL ? "" : ": ", fault->detail == NULL ? "" : fault->detail);
    if (fault->aadsts != 0) {
        add(d, SSO_FINDING_WRONG, NULL, "Entra named AADSTS%u%s%s", fault->aadsts, row == NULL ? "." : ": ",
            row == NULL ? "" : row->sentence);
    }
}

static void check_clock(diagnosis_t *d)
{
    apr_time_t ahead = d->ctx->now - d->trial->issued;
    apr_time_t away = ahead < 0 ? -ahead : ahead;
    if (d->trial->issued == 0) {
        return;
    }
    if (away > CLOCK_NOTICED) {
        add(d, SSO_FINDING_WRONG, "This server: let its clock be set by NTP (chrony, systemd-timesyncd)",
            "The clock of this server is %" APR_TIME_T_FMT " seconds %s Entra's. Past EntraClockSkew sign-ins fail.",
            apr_time_sec(away), ahead < 0 ? "behind" : "ahead of");
    } else {
        add(d, SSO_FINDING_GOOD, NULL, "The clocks of this server and of Entra agree.");
    }
}

static void check_refresh(diagnosis_t *d)
{
    if (d->trial->record.renewable) {
        add(d, SSO_FINDING_GOOD, NULL, "Entra gave a refresh token, so revalidation works in the background.");
        return;
    }
    add(d, SSO_FINDING_NOTE,
        "EntraScopes: offline_access belongs in it; " REGISTRATION "API permissions: offline_access, with consent",
        "Entra gave no refresh token: revalidation goes by way of the browser, and programs are cut off between "
        "pages.");
}

static void check_cookie(diagnosis_t *d)
{
    const sso_trial_t *trial = d->trial;
    const char *where = REGISTRATION "Token configuration: fewer groups (\"Groups assigned to the application\"), "
                                     "fewer claims; EntraGroups referenced";
    apr_size_t max = d->site->session.max_cookie;
    if (trial->cookie_bytes == 0) {
        add(d, SSO_FINDING_WRONG, where,
            "The session does not fit into its cookies (%d bytes at most): this user cannot "
            "sign in.",
            (int)max);
    } else if (trial->cookie_bytes > COOKIE_NOTICED(max)) {
        add(d, SSO_FINDING_NOTE, where, "The session takes %d bytes of cookies; %d are the most.",
            (int)trial->cookie_bytes, (int)max);
    } else {
        add(d, SSO_FINDING_GOOD, NULL, "The session takes %d bytes in %d cookie%s.", (int)trial->cookie_bytes,
            trial->cookie_parts, trial->cookie_parts == 1 ? "" : "s");
    }
}

/* ---- claims ---- */

/* As flow/groups.c sees it. */
static bool is_overage(const diagnosis_t *d)
{
    return sso_json_get(claim(d, "_claim_names"), "groups") != NULL || sso_json_is_true(claim(d, "hasgroups"));
}

static void check_groups(diagnosis_t *d)
{
    const sso_group_policy_t *policy = d->site->groups;
    bool asked = policy != NULL && !policy->elsewhere && (policy->all || policy->referenced->nelts > 0);
    if (!asked) {
        return;
    }
    if (is_overage(d)) {
        add(d, SSO_FINDING_NOTE,
            REGISTRATION "Token configuration > groups: \"Groups assigned to the application\" keeps the list short",
            "This user is in more groups than a token holds, so the token leads to Microsoft Graph: EntraGroupOverage "
            "decides (graph asks there, deny refuses, ignore takes none).");
    } else if (claim(d, "groups") == NULL) {
        add(d, SSO_FINDING_WRONG, REGISTRATION "Token configuration > Add groups claim > ID",
            "The configuration asks for groups (Require entra-group, EntraRole or EntraGroups all), and the token has "
            "no "
            "groups claim. Either it is not configured, or this user is in none of the groups that it tells.");
    } else if (d->trial->complete && d->trial->record.groups.count == 0) {
        add(d, SSO_FINDING_NOTE, ENTERPRISE "Users and groups",
            "The token has groups, but none of those that the configuration names; this user passes no Require "
            "entra-group.");
    } else {
        add(d, SSO_FINDING_GOOD, NULL, "The token tells the groups of this user.");
    }
}

static void check_roles(diagnosis_t *d)
{
    if (d->trial->record.roles.count == 0) {
        add(d, SSO_FINDING_NOTE,
            REGISTRATION "App roles (to make them), then " ENTERPRISE "Users and groups (to give them)",
            "The token has no app roles. Require entra-role holds for this user only by EntraRole.");
    }
}

static void check_contexts(diagnosis_t *d)
{
    if (d->site->acrs != NULL && d->site->acrs->nelts > 0 && claim(d, "acrs") == NULL) {
        add(d, SSO_FINDING_NOTE,
            "Entra admin center > Protection > Conditional Access > Authentication contexts, and a policy for "
            "each; " REGISTRATION "Token configuration > Add optional claim > ID > acrs",
            "Pages ask for an authentication context (Require entra-acr), and this plain sign-in brought none. That is "
            "as it should be when the context takes a step-up; when step-ups fail with ENTRA%04d, it is not set up.",
            sso_reason(SSO_R_STEPUP_MISSING)->number);
    }
}

static void check_display(diagnosis_t *d, const char *name, const char *value, const char *header)
{
    if (*value == '\0') {
        add(d, SSO_FINDING_NOTE,
            REGISTRATION "API permissions: openid, profile, email; Token configuration > Add optional claim > ID",
            "The token has no %s, so %s is not sent for this user.", name, header);
    }
}

/* Claims that a template or a rule names, and that the session of this user does not have. */
static void check_named(diagnosis_t *d)
{
    const apr_array_header_t *names = d->site->claims;
    for (int i = 0; names != NULL && i < names->nelts; i++) {
        const char *name = sso_text_at(names, i);
        sso_list_t values;
        bool ours = strcmp(name, "idp") == 0 || strcmp(name, "acct") == 0;
        if (ours || sso_record_claim(&d->trial->record, name, &values)) {
            continue;
        }
        add(d, SSO_FINDING_WRONG,
            REGISTRATION "Token configuration > Add optional claim > ID; or " ENTERPRISE
                         "Single sign-on > Attributes & Claims",
            "The configuration names the claim %s (a template or Require entra-claim), and the token does not have "
            "it.",
            name);
    }
}

apr_array_header_t *sso_diagnosis_make(sso_ctx_t *ctx, const sso_site_t *site, const sso_trial_t *trial)
{
    diagnosis_t d = {ctx, site, trial, apr_array_make(ctx->pool, 8, sizeof(sso_finding_t))};
    check_fault(&d);
    if (trial->claims != NULL) {
        check_groups(&d);
    }
    check_clock(&d);
    if (trial->complete) {
        check_roles(&d);
        check_contexts(&d);
        check_display(&d, "name", trial->record.name, "X-Entra-Name");
        check_display(&d, "email", trial->record.email, "X-Entra-Email");
        check_named(&d);
        check_refresh(&d);
        check_cookie(&d);
    }
    return d.findings;
}
