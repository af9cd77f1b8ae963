/* SPDX-License-Identifier: Apache-2.0 */
/* What a list is asked by: parameters of a query, or members of a SearchRequest. */
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "directory/attribute.h"
#include "directory/listing.h"

/* Texts are NULL when absent. */
typedef struct {
    const char *filter;
    const char *attributes; /* separated by commas */
    const char *excluded;
    const char *cursor;
    apr_int64_t start; /* at least 1 */
    apr_int64_t count; /* from 0 to SSO_MAX_SCIM_PAGE; SSO_SCIM_PAGE when absent */
} sso_question_t;

/* Reads a raw query (NULL for none). Parameters that nobody knows are left out: Entra may send flags of its own.
 * SSO_R_SCIM_QUERY. */
sso_rc sso_question_of_query(sso_ctx_t *ctx, const char *query, sso_question_t *ret_question) SSO_MUST_USE;
/* Reads the body of POST .search. SSO_R_SCIM_QUERY, SSO_R_SCIM_SYNTAX. */
sso_rc sso_question_of_body(sso_ctx_t *ctx, const sso_json_t *body, sso_question_t *ret_question) SSO_MUST_USE;

/* The question put to one kind of resource. Errors: of filter and projection. */
sso_rc sso_question_listing(sso_ctx_t *ctx, const sso_question_t *question, sso_scim_kind_t kind,
                            sso_listing_t *ret_listing) SSO_MUST_USE;
