/* SPDX-License-Identifier: Apache-2.0 */
/* What an app registration has to hold, so that a configuration works: said once, for every tool that makes one. */
#pragma once

#include "command/description.h"

/* Microsoft Graph, the same in every tenant and cloud. */
#define SSO_GRAPH_APP "00000003-0000-0000-c000-000000000000"
/* Entra's template of an enterprise application that is in no gallery: the one that can provision. */
#define SSO_TEMPLATE_APP "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"

/* Delegated permissions of one API. */
typedef struct {
    const char *resource;       /* as Entra knows the API: SSO_GRAPH_APP, a GUID, or api://... */
    apr_array_header_t *scopes; /* const char * */
} sso_wanted_api_t;

typedef struct {
    const sso_description_t *first; /* of the applications that share the registration */
    bool is_new;                    /* there is none yet: the client ID is all zeros */
    const char *name;
    const char *audience;              /* signInAudience */
    apr_array_header_t *redirect_uris; /* const char * */
    const char *logout_url;            /* of the first; NULL when Entra would not take it */
    apr_array_header_t *claims;        /* const char *: optional claims of the ID token */
    bool groups;                       /* rules name groups that come in the token */
    bool bearer;                       /* programs bring access tokens of this API */
    apr_array_header_t *apis;          /* sso_wanted_api_t */
    apr_array_header_t *roles;         /* const char *: application permissions of Graph */
} sso_wanted_t;

/* True for the GUID of zeros, which stands in a configuration before there is a registration. */
bool sso_wanted_is_zero(const char *client_id);

/* What these descriptions (const sso_description_t *, one or more, of one client) need together. */
void sso_wanted_make(apr_pool_t *pool, const apr_array_header_t *descriptions, sso_wanted_t *ret_wanted);

/* The registration as Graph takes it (PATCH /applications/{id}), compact JSON in pool. */
const char *sso_wanted_body(apr_pool_t *pool, const sso_wanted_t *wanted);
