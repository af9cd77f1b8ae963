/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that ID tokens and access tokens have in common (RFC 7519 section 4.1, and Entra's tid and oid): one small
 * function for each, and each kind of token brings its own reasons. */
#pragma once

#include <apr_tables.h>

#include "base/json.h"
#include "base/result.h"
#include "entra/authority.h"

/* What a refusal is called for one kind of token. */
typedef struct {
    sso_rc type, iss_missing, tid_missing, tid_format, iss, tenant, aud_missing, aud, sub_missing, oid_missing,
        oid_format, exp_missing, expired, nbf, iat_missing, iat_future;
} sso_claims_reasons_t;

/* The claims of one token whose signature holds, and what they are judged by. */
typedef struct {
    sso_ctx_t *ctx;
    const sso_json_t *claims;
    const sso_claims_reasons_t *reasons;
    apr_interval_time_t skew;
} sso_claims_t;

/* The claims of a compact JWS that one of the authority's keys signed; whose tokens that key may sign, and what the
 * claims say, is for the caller to judge. Errors: those of sso_jwt_parse, sso_authority_key, sso_jwt_verify. */
sso_rc sso_claims_open(sso_ctx_t *ctx, sso_authority_t *authority, const char *text,
                       const sso_authority_view_t **ret_view, const sso_key_t **ret_key,
                       const sso_json_t **ret_claims) SSO_MUST_USE;

/* A text claim; NULL when absent, empty or of another type. */
const char *sso_claims_text(const sso_claims_t *claims, const char *name);
/* The same for a log line. Never NULL. */
const char *sso_claims_printable(const sso_claims_t *claims, const char *name);
/* A moment that sso_claims_types has judged. False when absent. */
bool sso_claims_time(const sso_claims_t *claims, const char *name, apr_time_t *ret_time);

/* The texts (up to a NULL) are texts, and exp, nbf, iat and auth_time whole seconds, where they are there at all. */
sso_rc sso_claims_types(const sso_claims_t *claims, const char *const *texts) SSO_MUST_USE;
/* A GUID. As the token spells it, since iss is compared byte for byte; sso_claims_lower has the one spelling. */
sso_rc sso_claims_tenant(const sso_claims_t *claims, const char **ret_tid) SSO_MUST_USE;
/* iss is issuer with tid in the place of {tenantid}. */
sso_rc sso_claims_issuer(const sso_claims_t *claims, const char *issuer, const char *tid,
                         const char **ret_iss) SSO_MUST_USE;
/* tid is one of allowed (const char * GUIDs). NULL admits the tenant of a single-tenant issuer, and of several none. */
sso_rc sso_claims_allowed_tenant(const sso_claims_t *claims, const char *tid, const apr_array_header_t *allowed,
                                 bool any, bool several) SSO_MUST_USE;
/* One audience, and it is one of ours (const char *). */
sso_rc sso_claims_audience(const sso_claims_t *claims, const apr_array_header_t *ours) SSO_MUST_USE;
sso_rc sso_claims_subject(const sso_claims_t *claims, const char **ret_sub) SSO_MUST_USE;
/* In small letters. */
sso_rc sso_claims_object(const sso_claims_t *claims, const char **ret_oid) SSO_MUST_USE;
/* exp and nbf within the skew. */
sso_rc sso_claims_validity(const sso_claims_t *claims, apr_time_t *ret_expires) SSO_MUST_USE;
/* iat is there and not in the future. */
sso_rc sso_claims_issued(const sso_claims_t *claims, apr_time_t *ret_issued) SSO_MUST_USE;

/* GUIDs are keys of users and tenants, so there must be one spelling of each. */
const char *sso_claims_lower(apr_pool_t *pool, const char *guid);
