/* SPDX-License-Identifier: Apache-2.0 */
/* What the module knows of one request, from its arrival on: one typed record that its subrequests and internal
 * redirects share. */
#pragma once

#include <httpd.h>

#include "flow/flow.h"
#include "httpd/site.h"

typedef enum { SSO_VISIT_UNKNOWN, SSO_VISIT_NO_SESSION, SSO_VISIT_SESSION } sso_visit_session_t;

typedef struct {
    sso_site_config_t *site;
    sso_cookies_t cookies;       /* taken out of the request when it arrived */
    const char *endpoint;        /* path below EntraPath when the request is for one of ours, else NULL */
    const char *query;           /* raw query of an endpoint, taken out of what the access log sees */
    sso_visit_session_t session; /* the session cookie is opened once, when first asked for */
    sso_record_t record;         /* valid with SSO_VISIT_SESSION */
    sso_fault_t fault;           /* why there is no session */
    bool renewed;                /* the record is younger than its cookie: Entra was asked in the meantime */
    bool touched;                /* a fresh session cookie goes out with this response */
    sso_list_t roles;            /* those of the token and of EntraRole, as of roles_for */
    const sso_dir_config_t *roles_for;
    const char *grounds; /* which rules said no, for the log; NULL for none */
    bool asking_others;  /* inside our own call of the other authorization modules */
} sso_visit_t;

/* The visit of this request or of the one it stems from; NULL where the server has no Entra. */
sso_visit_t *sso_visit_get(const request_rec *r);
/* Begins the visit when a request arrives: at most once for a request and all that stem from it. */
sso_visit_t *sso_visit_begin(request_rec *r, sso_site_config_t *site);
/* Opens the session at the first call. True when there is one. */
bool sso_visit_has_session(request_rec *r, sso_visit_t *visit);
/* The request as the flow layer takes it; lives as long as r. */
void sso_visit_request(request_rec *r, const sso_visit_t *visit, sso_request_t *ret_request);
