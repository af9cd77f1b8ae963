/* SPDX-License-Identifier: Apache-2.0 */
/* What the SCIM directory says about who signs in, and about who is signed in: whether they may, their groups, their
 * attributes. */
#pragma once

#include "directory/people.h"
#include "flow/flow.h"

/* Attributes of the directory stand among a session's further claims, under their SCIM name behind this. */
#define SSO_DIRECTORY_PREFIX "scim:"

/* The rules of one application. Immutable. */
struct sso_directory_policy_t {
    sso_people_match_t match;
    bool required;   /* who is not provisioned may not sign in */
    bool introduces; /* who signs in unknown gets a row for Entra to find */
    bool groups;     /* the directory is where groups are read, and nothing else is */
    const apr_array_header_t
        *attributes;       /* const char *: what a session keeps, as claims are named: "scim:department" */
    const char *federated; /* object id of the service that may fetch tokens; NULL: nobody */
    const apr_array_header_t *audiences; /* const char *: of its assertions */
};

/* Reads the user of record in the directory and fills groups (if it is their source) and attributes, over what the
 * record had of them. With a site that has no directory nothing happens. Errors: SSO_R_PERSON_DISABLED,
 * SSO_R_DIRECTORY_UNKNOWN, _VALUE, those of the store; then record is as it was. */
sso_rc sso_directory_fill(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record) SSO_MUST_USE;

/* True when the directory may say something else by now than record has. The question of every request with a session:
 * no lock, no I/O. */
bool sso_directory_is_stale(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record);

/* Somebody has signed in. Whom the directory does not know yet gets a row of object id, user name and name in it, which
 * Entra finds when it looks for a match, and then keeps; until then it opens nothing (SSO_JIT_URN). What goes wrong is
 * nobody's loss. */
void sso_directory_introduce(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record);

/* Takes out of record all that the directory said. */
void sso_directory_strip(sso_ctx_t *ctx, const sso_site_t *site, sso_record_t *record);
