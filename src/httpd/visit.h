/* SPDX-License-Identifier: Apache-2.0 */
/* What the module knows of one request, from its arrival on: one typed record that its subrequests and internal
 * redirects share. */
#pragma once

#include <httpd.h>

#include "flow/bearer.h"
#include "flow/flow.h"
#include "httpd/site.h"

/* With SSO_VISIT_BEARER the request says who it is by an access token, and its cookies count for nothing. */
typedef enum { SSO_VISIT_UNKNOWN, SSO_VISIT_NO_SESSION, SSO_VISIT_SESSION, SSO_VISIT_BEARER } sso_visit_session_t;

/* How rules answer while httpd/tokens.c finds out whether an application may enter without a user. */
typedef enum { SSO_ASK_TRUTH, SSO_ASK_APP_ALONE, SSO_ASK_NOT_APP } sso_asking_t;

typedef struct {
    sso_site_config_t *site;
    sso_cookies_t cookies;       /* taken out of the request when it arrived */
    const char *endpoint;        /* path below EntraPath when the request is for one of ours, else NULL */
    const char *query;           /* raw query of an endpoint, taken out of what the access log sees */
    sso_visit_session_t session; /* the session cookie is opened once, when first asked for */
    sso_record_t record;         /* valid with SSO_VISIT_SESSION and SSO_VISIT_BEARER */
    sso_fault_t fault;           /* why there is no session */
    bool renewed;                /* the record is younger than its cookie: Entra was asked in the meantime */
    bool late;                   /* the directory said something new that could not be read: never kept in a cookie */
    bool touched;                /* a fresh session cookie goes out with this response */
    sso_list_t roles;            /* those of the token and of EntraRole, as of roles_for */
    const sso_dir_config_t *roles_for;
    const char *grounds; /* which rules said no, for the log; NULL for none */
    const char *held;    /* which rules said yes, while it is asked for; else NULL */
    bool asking_held;
    bool asking_others;                /* inside our own call of the other authorization modules */
    const sso_record_t *supposed;      /* whom the rules are asked about instead, to find out whether a step-up helps */
    uint64_t missing;                  /* contexts that a rule missed, as bits of the site's acrs */
    const sso_audiences_t *bearer_for; /* what the token was checked for; NULL: none was, or it is not good */
    const char *authorization;         /* the header with that token */
    sso_bearer_t bearer;               /* whose it is */
    const char *challenge;             /* a further WWW-Authenticate of a 401; NULL: none */
    sso_asking_t asking;
    bool groups_asked; /* a rule hung on groups that the token does not tell */
} sso_visit_t;

/* The visit of this request or of the one it stems from; NULL where the server has no Entra. */
sso_visit_t *sso_visit_get(const request_rec *r);
/* Begins the visit when a request arrives: at most once for a request and all that stem from it. */
sso_visit_t *sso_visit_begin(request_rec *r, sso_site_config_t *site);
/* What is found out for the visit lives here: a subrequest's own pool ends with it. */
apr_pool_t *sso_visit_pool(const request_rec *r);
/* Opens the session at the first call. True when there is one. */
bool sso_visit_has_session(request_rec *r, sso_visit_t *visit);
/* True when the request's identity is known, by a session or by an access token. */
static inline bool sso_visit_is_known(const sso_visit_t *visit)
{
    return visit->session == SSO_VISIT_SESSION || visit->session == SSO_VISIT_BEARER;
}
/* The request as the flow layer takes it; lives as long as r. */
void sso_visit_request(request_rec *r, const sso_visit_t *visit, sso_request_t *ret_request);
