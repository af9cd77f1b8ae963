/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers out of their range are drawn into it, as RFC 7644 section 3.4.2.4 wants; what is no number is refused. */
#include "directory/question.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"

static void clamp(sso_question_t *question, int64_t start, int64_t count)
{
    question->start = start < 1 ? 1 : start;
    question->count = count < 0 ? 0 : count > SSO_MAX_SCIM_PAGE ? SSO_MAX_SCIM_PAGE : count;
}

/* ---- a query ---- */

static sso_rc read_parameter(sso_ctx_t *ctx, const apr_table_t *pairs, const char *name, const char **ret_value)
{
    sso_ctx_t look;
    /* In a context of its own: the reasons of queries are about sign-ins. */
    sso_ctx_init(&look, ctx->pool, ctx->now);
    if (sso_query_one(&look, pairs, name, ret_value) != SSO_OK) {
        return sso_fail(ctx, SSO_R_SCIM_QUERY, "%s stands twice", name);
    }
    if (*ret_value != NULL && !sso_is_utf8(*ret_value, strlen(*ret_value))) {
        return sso_fail(ctx, SSO_R_SCIM_QUERY, "%s is no UTF-8", name);
    }
    return SSO_OK;
}

static sso_rc read_number(sso_ctx_t *ctx, const apr_table_t *pairs, const char *name, int64_t *number)
{
    const char *text = NULL;
    sso_rc rc = read_parameter(ctx, pairs, name, &text);
    if (rc == SSO_OK && text != NULL && !sso_integer_parse(text, number)) {
        rc = sso_fail(ctx, SSO_R_SCIM_QUERY, "%s is no number", name);
    }
    return rc;
}

sso_rc sso_question_of_query(sso_ctx_t *ctx, const char *query, sso_question_t *ret_question)
{
    sso_ctx_t look;
    apr_table_t *pairs = NULL;
    int64_t start = 1;
    int64_t count = SSO_SCIM_PAGE;
    memset(ret_question, 0, sizeof(*ret_question));
    sso_ctx_init(&look, ctx->pool, ctx->now);
    if (sso_query_parse(&look, query, &pairs) != SSO_OK) {
        return sso_fail(ctx, SSO_R_SCIM_QUERY, "%s", look.fault.detail);
    }
    sso_rc rc = read_parameter(ctx, pairs, "filter", &ret_question->filter);
    rc = rc == SSO_OK ? read_parameter(ctx, pairs, "attributes", &ret_question->attributes) : rc;
    rc = rc == SSO_OK ? read_parameter(ctx, pairs, "excludedAttributes", &ret_question->excluded) : rc;
    rc = rc == SSO_OK ? read_parameter(ctx, pairs, "cursor", &ret_question->cursor) : rc;
    rc = rc == SSO_OK ? read_number(ctx, pairs, "startIndex", &start) : rc;
    rc = rc == SSO_OK ? read_number(ctx, pairs, "count", &count) : rc;
    clamp(ret_question, start, count);
    return rc;
}

/* ---- a body ---- */

static sso_rc member_text(sso_ctx_t *ctx, const sso_json_t *body, const char *name, const char **ret_text)
{
    const sso_json_t *member = sso_attribute_member(body, name);
    *ret_text = sso_json_text(member);
    return *ret_text != NULL || sso_json_type(member) == SSO_JSON_NULL
               ? SSO_OK
               : sso_fail(ctx, SSO_R_SCIM_QUERY, "%s is no text", name);
}

static sso_rc member_number(sso_ctx_t *ctx, const sso_json_t *body, const char *name, int64_t *number)
{
    const sso_json_t *member = sso_attribute_member(body, name);
    return sso_json_type(member) == SSO_JSON_NULL || sso_json_integer(member, number)
               ? SSO_OK
               : sso_fail(ctx, SSO_R_SCIM_QUERY, "%s is no number", name);
}

/* A list of names as the query writes it. */
static sso_rc member_names(sso_ctx_t *ctx, const sso_json_t *body, const char *name, const char **ret_text)
{
    const sso_json_t *member = sso_attribute_member(body, name);
    apr_array_header_t *names = apr_array_make(ctx->pool, 4, sizeof(const char *));
    if (sso_json_type(member) != SSO_JSON_ARRAY) {
        return member_text(ctx, body, name, ret_text);
    }
    for (apr_size_t i = 0; i < sso_json_size(member); i++) {
        const char *text = sso_json_text(sso_json_at(member, i));
        if (text == NULL || i > SSO_MAX_PROJECTION_NAMES) {
            return sso_fail(ctx, SSO_R_SCIM_QUERY, "%s is no list of names, or too long", name);
        }
        APR_ARRAY_PUSH(names, const char *) = text;
    }
    *ret_text = apr_array_pstrcat(ctx->pool, names, ',');
    return SSO_OK;
}

sso_rc sso_question_of_body(sso_ctx_t *ctx, const sso_json_t *body, sso_question_t *ret_question)
{
    int64_t start = 1;
    int64_t count = SSO_SCIM_PAGE;
    memset(ret_question, 0, sizeof(*ret_question));
    sso_rc rc = member_text(ctx, body, "filter", &ret_question->filter);
    rc = rc == SSO_OK ? member_text(ctx, body, "cursor", &ret_question->cursor) : rc;
    rc = rc == SSO_OK ? member_names(ctx, body, "attributes", &ret_question->attributes) : rc;
    rc = rc == SSO_OK ? member_names(ctx, body, "excludedAttributes", &ret_question->excluded) : rc;
    rc = rc == SSO_OK ? member_number(ctx, body, "startIndex", &start) : rc;
    rc = rc == SSO_OK ? member_number(ctx, body, "count", &count) : rc;
    clamp(ret_question, start, count);
    return rc;
}

/* ---- one kind ---- */

sso_rc sso_question_listing(sso_ctx_t *ctx, const sso_question_t *question, sso_scim_kind_t kind,
                            sso_listing_t *ret_listing)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_rc rc = SSO_OK;
    memset(ret_listing, 0, sizeof(*ret_listing));
    ret_listing->kind = kind;
    ret_listing->start = question->start;
    ret_listing->count = question->count;
    ret_listing->by_cursor = question->cursor != NULL;
    ret_listing->cursor = question->cursor;
    const char *filter = question->filter == NULL ? "" : question->filter;
    const char *text = apr_pstrcat(ctx->pool, kind == SSO_SCIM_GROUP ? "Groups " : "Users ", filter, NULL);
    sso_sha256(text, strlen(text), digest);
    ret_listing->digest = sso_hex(ctx->pool, digest, sizeof(digest) / 2);
    /* SECURITY: an empty filter is a malformed one, and not everybody. */
    if (question->filter != NULL) {
        rc = sso_filter_parse(ctx, ctx->pool, kind, filter, &ret_listing->filter);
    }
    return rc == SSO_OK ? sso_projection_parse(ctx, ctx->pool, kind, question->attributes, question->excluded,
                                               &ret_listing->projection)
                        : rc;
}
