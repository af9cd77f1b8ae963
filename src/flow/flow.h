/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between the use cases and whoever serves them: a plain request in, a plain answer out. No request_rec. */
#pragma once

#include <apr_tables.h>

#include "base/gate.h"
#include "base/memo.h"
#include "base/url.h"
#include "directory/scim.h"
#include "directory/touched.h"
#include "entra/authority.h"
#include "entra/credential.h"
#include "session/ending.h"
#include "session/session.h"
#include "session/store.h"

/* Of flow/groups.h. */
typedef struct sso_group_policy_t sso_group_policy_t;
typedef struct sso_group_names_t sso_group_names_t;
/* Of flow/apitoken.h. */
typedef struct sso_apitokens_t sso_apitokens_t;
/* Of flow/renewals.h. */
typedef struct sso_renewals_t sso_renewals_t;
/* Of flow/directory.h and flow/refresh.h. */
typedef struct sso_directory_policy_t sso_directory_policy_t;
typedef struct sso_refreshes_t sso_refreshes_t;
/* Of flow/form.h. */
typedef struct sso_form_t sso_form_t;
/* Of flow/trial.h. */
typedef struct sso_trial_t sso_trial_t;

/* One protected application: the effective configuration of a virtual host. Immutable while requests run; the authority
 * and the store are of the process. */
typedef struct {
    sso_authority_t *authority;
    sso_credential_t *credential;
    const sso_http_policy_t *http_policy;
    const char *client_id;
    const char *scope;                         /* of token requests: of one resource, "openid profile email" included */
    const char *authorize_scope;               /* of the authorize request, where a user consents: of all resources */
    const apr_array_header_t *allowed_tenants; /* const char * GUIDs, or NULL */
    bool any_tenant;
    apr_interval_time_t skew;
    const char *graph_url;
    bool continuous;           /* Graph is asked about each session too (EntraContinuousAccess) */
    apr_interval_time_t watch; /* how often Graph is asked about all users (EntraTenantWatch); 0: never */
    const sso_origin_t *origin;
    const char *path;                 /* EntraPath, "/.entra" */
    const char *redirect_uri;         /* origin + path + "/callback" */
    const apr_array_header_t *claims; /* further claims that a session keeps, const char * */
    const apr_array_header_t *acrs;   /* authentication contexts that a session keeps, const char *; NULL for none */
    const sso_group_policy_t *groups; /* NULL: no groups are kept */
    sso_group_names_t *group_names;   /* of the process */
    sso_session_policy_t session;
    bool trials;                /* EntraTestPage is on */
    apr_size_t preserve_post;   /* bytes of a form that waits for a sign-in; 0: none does */
    const char *v1_issuer;      /* of access tokens of version 1.0, with {tenantid} */
    sso_memo_t *bearers;        /* access tokens that the process has checked; NULL: none is remembered */
    sso_apitokens_t *apitokens; /* for backends, of the process; NULL: none can be had */
    const char *app;            /* this application in the store: hexadecimal, of the session's binding */
    sso_store_t *store;         /* of the process; NULL when it could not be made */
    sso_ended_t *ended;         /* of the node: its table of ended sessions */
    sso_gate_t *frontchannel;   /* of the process: how many such calls the node works on; NULL: none can be taken */
    sso_renewals_t *renewals;   /* of the process; NULL: none can be made here */
    const sso_scim_t *scim;     /* the directory of this application; NULL: it has none */
    const sso_directory_policy_t *directory; /* what the SCIM directory decides; NULL: EntraSCIM is off */
    sso_touched_t *touched;                  /* of the node: who was changed there */
    sso_refreshes_t *refreshes;              /* of the process; NULL: nothing can be read for an open session */
} sso_site_t;

/* What a sign-in asks for beyond who it is. All zero asks for nothing. */
typedef struct {
    const char *acr;             /* the authentication context to step up to, one of the site's acrs; NULL none */
    apr_interval_time_t max_age; /* the person signed in at Entra at most so long ago; 0: whenever */
    const char *prompt;          /* as in the authorize request, NULL none; so the next two */
    const char *login_hint;
    const char *domain_hint;
    const char *form; /* a form that waits for it (flow/form.h): its id; NULL none */
} sso_wishes_t;

typedef struct {
    const char *method;
    const char *host;  /* as the browser asked for, without port; NULL when unknown */
    const char *path;  /* path and query as they came, for the return target */
    const char *query; /* raw, NULL for none */
    const sso_cookies_t *cookies;
    const char *(*header)(const void *baton, const char *name); /* request header or NULL */
    const void *baton;
} sso_request_t;

typedef enum {
    SSO_ANSWER_REDIRECT, /* 302 to location */
    SSO_ANSWER_FAULT,    /* the fault in the context, as page or JSON */
    SSO_ANSWER_CONFIRM,  /* page that asks for a click to sign out */
    SSO_ANSWER_GOODBYE,  /* page that says: you are signed out */
    SSO_ANSWER_HEARD,    /* empty 200 that the login host may show in a frame */
    SSO_ANSWER_FORM,     /* page that asks for a click to send a form once more */
    SSO_ANSWER_TRIAL     /* report of a test sign-in; with a fault in the context, of one that failed */
} sso_answer_kind_t;

typedef struct {
    sso_answer_kind_t kind;
    const char *location;        /* absolute URL of a redirect */
    apr_array_header_t *cookies; /* Set-Cookie values, const char * */
    const char *retry_path;      /* where "try again" leads, a path of this site */
    const sso_wishes_t *wishes;  /* what "try again" asks for; NULL nothing */
    const char *correlation_id;  /* of a sign-in, NULL else */
    const char *allow;           /* for 405 */
    bool signed_in;              /* a session was made or strengthened; record tells whose */
    bool strengthened;
    const sso_form_t *form;   /* with SSO_ANSWER_FORM */
    const sso_trial_t *trial; /* with SSO_ANSWER_TRIAL */
    bool form_dropped;        /* a form waited, but of another user than the one who signed in */
    sso_record_t record;
    bool asks_everywhere;    /* of a page that asks: about all sessions of the user */
    bool offers_everywhere;  /* there is a user, who may choose that */
    const char *ended_cause; /* sessions were ended, for the log; NULL: none */
    const char *ended_oid;   /* of whom */
    const char *ended_tid;
    const apr_array_header_t *ended; /* which, sso_store_ended_t */
    bool ended_waits;                /* the other nodes do not know yet */
} sso_answer_t;

/* An empty answer in pool. */
void sso_answer_init(sso_answer_t *answer, apr_pool_t *pool);
/* Shorthands that fill kind and location. */
void sso_answer_redirect(sso_answer_t *answer, const char *location);
/* rc must be the context's fault. */
void sso_answer_fault(sso_answer_t *answer, const char *retry_path);

/* Header look-up that never gives NULL. */
const char *sso_request_header(const sso_request_t *request, const char *name);
/* True when the header is this word, in any case. */
bool sso_request_header_is(const sso_request_t *request, const char *name, const char *word);

/* URL of the `login` endpoint: origin, EntraPath, "/login?rd=" and the encoded target; then those of the wishes (may be
 * NULL) that a session can be measured by. */
const char *sso_login_url(apr_pool_t *pool, const sso_site_t *site, const char *return_path,
                          const sso_wishes_t *wishes);
