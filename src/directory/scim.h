/* SPDX-License-Identifier: Apache-2.0 */
/* The SCIM service of one application (RFC 7643, 7644, 9865): a plain request in, a plain answer out. */
#pragma once

#include <apr_tables.h>

#include "base/gate.h"
#include "base/result.h"
#include "base/seal.h"
#include "directory/attribute.h"
#include "directory/people.h"
#include "session/ending.h"

/* The path of the service below EntraPath. */
#define SSO_SCIM_PATH "scim/v2"
/* How long a cursor is good. */
#define SSO_SCIM_CURSOR_LIFE apr_time_from_sec(60 * 60)

/* The service. Immutable while requests run. */
typedef struct {
    const char *app;
    const char *base;         /* its public address, without slash at the end */
    sso_people_match_t match; /* which sessions are a user's */
    sso_ending_t ending;      /* where they end; its store holds the directory, NULL when there is none */
    const sso_keyring_t *keyring;
    const unsigned char *binding;         /* SSO_BINDING_BYTES; of the application */
    const char *federated;                /* whose tokens of scim/token are good: an object id; NULL: nobody's */
    const apr_array_header_t *extensions; /* sso_scim_extension_t: what the configuration reads of a client's own */
    sso_gate_t *gate;                     /* how many requests the node works on; NULL: none can be taken */
} sso_scim_t;

typedef struct {
    const char *method;
    const char *path;          /* below the service, as sent: "/Users/ID", "" for the service itself */
    const char *query;         /* raw, NULL for none */
    const char *authorization; /* headers, NULL when absent; so the next three */
    const char *content_type;
    const char *if_match;
    const char *if_none_match;
    const char *body; /* NULL for none */
    apr_size_t len;
} sso_scim_request_t;

/* Something that was done, for the log. */
typedef struct {
    const char *what; /* "user created", … */
    const char *id;
    const char *oid;                 /* of a user; "" for none */
    const apr_array_header_t *ended; /* sso_store_ended_t; NULL: nothing that ends sessions was done */
    bool unmatched;                  /* its externalId is no object id, and EntraSCIMMatch is oid */
    const char *user_name;           /* of a user, as it is now; as it was, when deleted; NULL of a group */
    const char *external_id;         /* NULL for none */
    bool is_user;                    /* then active counts */
    bool active;
    const apr_array_header_t *changed; /* const char *: names of the attributes */
} sso_scim_event_t;

/* With a status of 400 and more, the fault of the context tells why; body is there anyway. */
typedef struct {
    int status;
    const char *body;     /* NULL: none */
    const char *tag;      /* ETag, NULL: none */
    const char *location; /* NULL: none */
    const char *allow;
    const char *challenge;      /* WWW-Authenticate of a 401 */
    int retry_after_s;          /* 0: none */
    const char *token;          /* id of the token, NULL: none that is good */
    apr_array_header_t *events; /* sso_scim_event_t, in order */
} sso_scim_answer_t;

/* May this request's body be read at all? Judges the token, the path and the method, and takes a place at the gate.
 * True: then sso_scim_serve must follow, or sso_scim_give_up. False: ret_answer is the answer. */
bool sso_scim_admit(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request,
                    sso_scim_answer_t *ret_answer);
void sso_scim_serve(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request,
                    sso_scim_answer_t *answer);
/* The body could not be read: rc is the context's fault. */
void sso_scim_give_up(sso_ctx_t *ctx, const sso_scim_t *scim, sso_scim_answer_t *answer);
