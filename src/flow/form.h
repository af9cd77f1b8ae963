/* SPDX-License-Identifier: Apache-2.0 */
/* A form that was sent with a session that had ended, or was not enough: kept while its user signs in, and given back
 * once, to the same user, for the same address. */
#pragma once

#include "flow/flow.h"

/* So long it waits: no longer than the state of the sign-in that knows of it. */
#define SSO_FORM_LIFE apr_time_from_sec(15 * 60)

/* A field in clear: UTF-8, no NUL. */
typedef struct {
    const char *name;
    const char *value;
} sso_field_t;

struct sso_form_t {
    const char *target;               /* path and query that it was sent to */
    const char *back;                 /* the page that it came from */
    const apr_array_header_t *fields; /* sso_field_t, in their order, equal names among them */
};

/* True for what EntraPreservePost is about: a page's form, and not a script's request. */
bool sso_form_is_one(const sso_site_t *site, const sso_request_t *request);

/* Whose it is: of a session that is over for a while at most, whatever ended it. False when nobody can tell. */
bool sso_form_owner(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_record_t *ret_owner);

/* What can be said before its body is read. Errors: SSO_R_FORM_KIND, _ORIGIN, _ADDRESS, _SIZE. */
sso_rc sso_form_check(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request) SSO_MUST_USE;

/* Keeps it for its owner, and gives the id that the sign-in's state takes along. body has len bytes and a NUL behind
 * them. Errors: SSO_R_FORM_SIZE, _TEXT, _FULL, those of the store and of sealing: the sign-in then goes on without the
 * form. */
sso_rc sso_form_keep(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *owner,
                     const char *back, const char *body, apr_size_t len, const char **ret_id) SSO_MUST_USE;

/* The sign-in of user is done, and its state named a form: where the browser goes for it, in the end to return_path.
 * NULL when it is another user's; it is then deleted. */
const char *sso_form_location(sso_ctx_t *ctx, const sso_site_t *site, const char *id, const sso_record_t *user,
                              const char *return_path);

/* The `resend` endpoint: GET resend?id=...&rd=/path. user: whose session it is, NULL for none. */
void sso_form_resend(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *user,
                     sso_answer_t *ret_answer);
