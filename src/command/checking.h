/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of entra-sso check. Each looks at one thing and says what it found; none gives up because another did. */
#pragma once

#include "command/command.h"
#include "entra/credential.h"

/* How long before its end a credential is warned of: time for a change that waits for somebody's approval. */
#define SSO_CHECK_BEFORE_END apr_time_from_sec(30 * 24 * 60 * 60)

/* The credential and its files, the bundle of CAs. *ret_credential: what can be shown to Entra, NULL for none. */
void sso_check_files(sso_command_t *command, sso_report_t *report, const sso_description_t *description,
                     sso_credential_t **ret_credential);
/* What the configuration says that httpd accepts and that is hardly meant. */
void sso_check_meaning(sso_report_t *report, const sso_description_t *description);
/* What Entra says of the application, as whoever holds the credential (NULL: none can be shown). */
void sso_check_online(sso_command_t *command, sso_report_t *report, const sso_description_t *description,
                      sso_credential_t *credential, sso_http_t *http);
/* State directories and key files, each once. */
void sso_check_state(sso_command_t *command, sso_report_t *report, const sso_place_t *place);
/* Databases, each once, and what they hold of the directories. The last of all: for an embedded one this process
 * becomes another user. */
void sso_check_databases(sso_command_t *command, sso_report_t *report, const sso_place_t *place);
