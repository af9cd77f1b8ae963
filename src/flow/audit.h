/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit log says: a decision in, one line of JSON out, in the field names of the Elastic Common Schema. Knows
 * no file and no server. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/record.h"

typedef enum {
    SSO_AUDIT_SIGN_IN,
    SSO_AUDIT_SIGN_IN_REFUSED,
    SSO_AUDIT_STEP_UP,          /* a session was made stronger */
    SSO_AUDIT_STEP_UP_REQUIRED, /* a rule sends the user to a step-up */
    SSO_AUDIT_ACCESS_REFUSED,
    SSO_AUDIT_BEARER_REFUSED,
    SSO_AUDIT_SESSION_ENDED,
    SSO_AUDIT_SCIM_CHANGE,
    SSO_AUDIT_SCIM_REFUSED,      /* a token of a provisioning service */
    SSO_AUDIT_SCIM_TOKEN_ISSUED, /* by scim/token */
    SSO_AUDIT_SCIM_TOKEN_MADE,   /* by the command; so the next two */
    SSO_AUDIT_SCIM_TOKEN_REVOKED,
    SSO_AUDIT_KEY_ROTATED
} sso_audit_action_t;

/* A change in the directory. Texts may be NULL. */
typedef struct {
    const char *what; /* "user created", "group changed", ... */
    const char *id;   /* of the resource */
    const char *user_name;
    const char *external_id;
    bool tells_active;
    bool active;
    const apr_array_header_t *changed; /* const char *, names of attributes; NULL for none */
} sso_audit_change_t;

/* A decision. Every text may be NULL, and may be as long and as hostile as it likes. SECURITY: nothing in here is a
 * token, code, cookie or secret, nor the query of a request. */
typedef struct {
    sso_audit_action_t action;
    int code;           /* number of the log line that tells the same, or of the reason; 0: none */
    const char *reason; /* why, in words */
    unsigned aadsts;    /* what Entra named; 0: nothing */
    const char *oid;    /* whom it is about */
    const char *tid;
    const char *user_name;
    const unsigned char *session; /* its id, of SSO_SESSION_ID_BYTES; NULL: no session */
    const char *rule;             /* the Require lines that refused */
    const char *contexts;         /* authentication contexts that were asked for or came */
    const char *client;           /* id of the application that brought an access token */
    const char *actor;            /* who did it, when it is not the user */
    const char *ip;
    const char *method;
    const char *path;
    const char *agent;
    const char *service; /* the public origin */
    const char *trace;   /* correlation id */
    const sso_audit_change_t *change;
} sso_audit_event_t;

/* The event at the moment now as one line, with its line feed: ASCII, at most SSO_MAX_AUDIT_LINE bytes whatever is in
 * it. In pool. */
const char *sso_audit_line(apr_pool_t *pool, const sso_audit_event_t *event, apr_time_t now);
