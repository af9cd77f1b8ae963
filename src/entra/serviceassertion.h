/* SPDX-License-Identifier: Apache-2.0 */
/* The assertion by which Entra's provisioning service says who it is (RFC 7523), where no secret was given to it. */
#pragma once

#include <apr_tables.h>

#include "entra/authority.h"

typedef struct {
    const char *subject;                 /* object id of the service principal that provisions, in small letters */
    const apr_array_header_t *audiences; /* const char *: any of them */
    apr_interval_time_t skew;
} sso_serviceassertion_rules_t;

/* The claims alone, of an assertion whose signature was checked. Errors: SSO_R_FEDERATED_ASSERTION, _SUBJECT. */
sso_rc sso_serviceassertion_check(sso_ctx_t *ctx, const char *issuer, const sso_serviceassertion_rules_t *rules,
                                  const sso_json_t *json, apr_time_t *ret_expires) SSO_MUST_USE;

/* Checks all of it: header, key of this authority, signature, claims. The authority is of one tenant. Errors:
 * SSO_R_FEDERATED_ASSERTION, _SUBJECT, and with 503 what keeps the keys from being known. */
sso_rc sso_serviceassertion_open(sso_ctx_t *ctx, sso_authority_t *authority, const sso_serviceassertion_rules_t *rules,
                                 const char *text, apr_time_t *ret_expires) SSO_MUST_USE;
