/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange: the form, the assertion, the token. */
#include "flow/federation.h"

#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "directory/federated.h"
#include "entra/serviceassertion.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static sso_rc read_form(sso_ctx_t *ctx, const char *form, const char **ret_assertion)
{
    apr_table_t *pairs;
    const char *grant = NULL;
    const char *type = NULL;
    sso_rc rc = sso_query_parse(ctx, form, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "grant_type", &grant);
    }
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "client_assertion_type", &type);
    }
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "client_assertion", ret_assertion);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (grant == NULL) {
        return sso_fail(ctx, SSO_R_FEDERATED_FORM, "no grant_type");
    }
    if (strcmp(grant, "client_credentials") != 0) {
        return sso_fail(ctx, SSO_R_FEDERATED_GRANT, "grant_type %s", sso_printable(ctx->pool, grant));
    }
    if (type == NULL || strcmp(type, ASSERTION_TYPE) != 0 || *ret_assertion == NULL || **ret_assertion == '\0') {
        return sso_fail(ctx, SSO_R_FEDERATED_FORM, "no client_assertion of type " ASSERTION_TYPE);
    }
    return SSO_OK;
}

/* SECURITY: an assertion is good once on a node. Its hash is noted before a token is given, and of two at the same
 * moment one is told that it was first. It is forgotten long after it has expired. */
static sso_rc check_replay(sso_ctx_t *ctx, const sso_site_t *site, const char *assertion, apr_time_t expires)
{
    uint64_t key = sso_touched_key(ctx->pool, SSO_TOUCHED_ASSERTION, site->app, assertion);
    return sso_touched_note(site->touched, key, expires, ctx->now) ? SSO_OK
                                                                   : sso_fail(ctx, SSO_R_FEDERATED_REPLAY, NULL);
}

static sso_rc exchange(sso_ctx_t *ctx, const sso_site_t *site, const char *form, const char **ret_token)
{
    const sso_directory_policy_t *policy = site->directory;
    const sso_serviceassertion_rules_t rules = {policy->federated, policy->audiences, site->skew};
    const sso_federated_t federated = {site->session.keyring, site->session.binding, policy->federated};
    const char *assertion = NULL;
    apr_time_t expires = 0;
    sso_rc rc = site->authority == NULL ? sso_fail(ctx, SSO_R_HTTP_BUSY, "this process has no way out") : SSO_OK;
    if (rc == SSO_OK) {
        rc = read_form(ctx, form, &assertion);
    }
    if (rc == SSO_OK) {
        rc = sso_serviceassertion_open(ctx, site->authority, &rules, assertion, &expires);
    }
    if (rc == SSO_OK) {
        rc = check_replay(ctx, site, assertion, expires);
    }
    return rc == SSO_OK ? sso_federated_make(ctx, &federated, ret_token) : rc;
}

/* RFC 6749 5.2. What exactly is wrong is for the log. */
static const char *oauth_error(const sso_reason_t *reason)
{
    if (reason->status == 400 && strcmp(reason->name, "FEDERATED_GRANT") == 0) {
        return "unsupported_grant_type";
    }
    if (reason->status == 401) {
        return "invalid_client";
    }
    return reason->class == SSO_CLASS_CLIENT ? "invalid_request" : "temporarily_unavailable";
}

const char *sso_federation_error(const sso_ctx_t *ctx)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    sso_json_writer_t *json = sso_json_object_make(ctx->pool);
    sso_json_set_text(json, "error", oauth_error(reason));
    sso_json_set_text(json, "error_description", reason->sentence);
    return sso_json_print(ctx->pool, json);
}

sso_rc sso_federation_exchange(sso_ctx_t *ctx, const sso_site_t *site, const char *form, const char **ret_body)
{
    const char *token = NULL;
    sso_rc rc = exchange(ctx, site, form, &token);
    if (rc != SSO_OK) {
        *ret_body = sso_federation_error(ctx);
        return rc;
    }
    sso_json_writer_t *json = sso_json_object_make(ctx->pool);
    sso_json_set_text(json, "access_token", token);
    sso_json_set_text(json, "token_type", "Bearer");
    sso_json_set_integer(json, "expires_in", apr_time_sec(SSO_FEDERATED_LIFE));
    *ret_body = sso_json_print(ctx->pool, json);
    return SSO_OK;
}
