/* SPDX-License-Identifier: Apache-2.0 */
/* A look at one application through Entra's eyes: what the parts of `check --online` share. */
#pragma once

#include "command/checking.h"
#include "base/json.h"
#include "entra/authority.h"
#include "entra/credential.h"

typedef struct {
    sso_command_t *command;
    sso_report_t *report;
    const sso_description_t *description;
    sso_credential_t *credential; /* NULL: none can be shown */
    sso_http_t *http;
    sso_http_policy_t policy;
    const sso_metadata_t *metadata;  /* NULL: Entra did not answer, or not as Entra */
    const char *access_token;        /* of the application itself, for Graph; NULL: there is none */
    const apr_array_header_t *roles; /* const char *: what it may do there, as the token says */
    const char *principal;           /* object id of the service principal, NULL when the token does not say */
} sso_look_t;

/* True when Graph would answer an application with one of these permissions (NULL behind the last). */
bool sso_look_may(const sso_look_t *look, const char *const *permissions);

/* All that Graph tells: permissions, the registration, the enterprise application, groups. */
void sso_check_graph(sso_look_t *look);

/* What a registration (Graph's application object) lacks for this description. secret_hint: the first three characters
 * of the secret, by which Graph tells its secrets apart, or NULL. Text in, findings out: it asks nobody. */
void sso_check_registration(sso_report_t *report, const sso_description_t *description, const sso_json_t *registration,
                            const char *secret_hint, apr_time_t now);
