/* SPDX-License-Identifier: Apache-2.0 */
/* How each application of this server stands at this moment, for all pages that show it. */
#pragma once

#include <httpd.h>

#include "base/counters.h"
#include "httpd/site.h"

typedef struct {
    sso_site_config_t *site;
    server_rec *server;
    const char *label;  /* the public origin; with the client id where two applications have one origin */
    int keys;           /* signing keys at hand */
    apr_time_t fetched; /* when; 0: none yet */
    apr_time_t tried;   /* when the last fetch began */
    apr_time_t expires; /* of the certificate; 0: the credential is none */
    bool database_up;   /* as of the last look */
    apr_time_t tallied; /* when the numbers below were read; 0: never */
    bool known;         /* they were, and the database answers: old ones would read as if all were well */
    int64_t sessions;
    int64_t ended;
    bool scim; /* the next ones say something */
    int64_t users;
    int64_t active;
    int64_t groups;
    int64_t tokens;
    apr_time_t token_soonest; /* 0: there is none */
    apr_time_t token_latest;
    apr_time_t scim_request; /* 0: none yet */
    apr_time_t scim_error;   /* 0: none yet */
    int scim_error_number;
} sso_facts_t;

/* One for each application, in the order of the configuration; sso_facts_t. Asks the database at most once in ten
 * seconds, and fails never. */
const apr_array_header_t *sso_facts_gather(request_rec *r);
