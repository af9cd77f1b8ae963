/* SPDX-License-Identifier: Apache-2.0 */
/* A site in the making, for the files that judge its options. */
#pragma once

#include "base/result.h"
#include "httpd/config.h"
#include "httpd/site.h"

typedef struct {
    apr_pool_t *pool;
    sso_ctx_t ctx;
    const server_rec *server;
    sso_server_config_t *config;
    sso_site_config_t *site;
    bool quiet;
    int faults;
} sso_draft_t;

/* One mistake: its number, the option, and what is wrong with the mend. The place is added. */
void sso_draft_complain(sso_draft_t *draft, const char *number, sso_server_option_t option, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what works, but not well. */
void sso_draft_warn(sso_draft_t *draft, const char *number, sso_server_option_t option, const char *text);
const sso_value_t *sso_draft_get(const sso_draft_t *draft, sso_server_option_t option);
/* The fault of a core call as the text of a complaint; clears it. */
const char *sso_draft_fault(sso_draft_t *draft);

/* Said so often that they have short names in these files. */
typedef sso_draft_t draft_t;
#define complain sso_draft_complain
#define warn sso_draft_warn
#define get sso_draft_get
#define fault_text sso_draft_fault

/* Fills the scopes of both kinds of requests. */
void sso_draft_scopes(sso_draft_t *draft);
/* Fills where the database is. */
void sso_draft_database(sso_draft_t *draft);
/* Fills the directory; after the binding. */
void sso_draft_directory(sso_draft_t *draft);
/* Fills what the directory decides, and parts its attributes from the claims of tokens. */
void sso_draft_people(sso_draft_t *draft);
/* Fills the audit log's name, and says whether it can be one. */
void sso_draft_audit(sso_draft_t *draft);
/* Fills the credential, and what the parent must look after. */
void sso_draft_credential(sso_draft_t *draft);
/* Fills how Entra is asked about sessions: revalidation, continuous access, the tenant watch. After tenant, client and
 * groups. */
void sso_draft_freshness(sso_draft_t *draft);
