/* SPDX-License-Identifier: Apache-2.0 */
/* Front-channel logout. It is open to everyone, so it believes nothing but a sid that the store knows, and is bounded.
 */
#include "flow/frontchannel.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/keys.h"

#define TENANT_PLACE "{tenantid}"
#define GUID_LENGTH 36
#define SID_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."
/* Sessions of one browser session at Entra in the applications of one database: more is no browser. */
#define SESSIONS_AT_MOST 1000

/* What Entra says. */
typedef struct {
    const char *sid;
    const char *iss; /* NULL: not said, which is Entra's habit */
} call_t;

static sso_rc read_call(sso_ctx_t *ctx, const char *query, call_t *ret_call)
{
    apr_table_t *pairs;
    const char *sid = NULL;
    const char *iss = NULL;
    sso_rc rc = sso_query_parse(ctx, query, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "sid", &sid);
    }
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "iss", &iss);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    apr_size_t len = sid == NULL ? 0 : strlen(sid);
    if (len == 0 || len > SSO_MAX_SID || strspn(sid, SID_CHARACTERS) != len) {
        return sso_fail(ctx, SSO_R_FRONTCHANNEL_SID, "sid %s", sso_printable(ctx->pool, sid));
    }
    ret_call->sid = sid;
    ret_call->iss = iss;
    return SSO_OK;
}

/* The issuer must be this authority's, which with several tenants has a tenant's GUID in the place of {tenantid}: then
 * only that tenant's sessions are meant. *ret_tid NULL: whosoever. */
static sso_rc check_issuer(sso_ctx_t *ctx, const sso_site_t *site, const char *iss, const char **ret_tid)
{
    const sso_authority_view_t *view;
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc != SSO_OK) {
        return rc;
    }
    const char *issuer = view->metadata->issuer;
    const char *place = strstr(issuer, TENANT_PLACE);
    const char *tid = NULL;
    bool fits = place == NULL && strcmp(iss, issuer) == 0;
    if (place != NULL && strlen(iss) > (apr_size_t)(place - issuer)) {
        tid = apr_pstrndup(ctx->pool, iss + (place - issuer), GUID_LENGTH);
        fits = sso_is_guid(tid) && strcmp(iss, sso_issuer_expand(ctx->pool, issuer, tid)) == 0;
    }
    if (!fits) {
        return sso_fail(ctx, SSO_R_FRONTCHANNEL_ISS, "iss %s, expected %s", sso_printable(ctx->pool, iss), issuer);
    }
    *ret_tid = tid;
    return SSO_OK;
}

/* SECURITY: looked for first, by one indexed read, so that a stranger's guess neither writes nor locks anything. */
static sso_rc end_sessions(sso_ctx_t *ctx, const sso_site_t *site, const sso_store_which_t *which, sso_answer_t *answer)
{
    apr_array_header_t *found = apr_array_make(ctx->pool, 1, sizeof(sso_stored_t));
    apr_array_header_t *ended = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    const sso_ending_t ending = {site->store, site->ended};
    if (site->store == NULL) {
        return sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    }
    sso_rc rc = sso_store_list(ctx, site->store, which, SESSIONS_AT_MOST, found);
    if (rc != SSO_OK || found->nelts == 0) {
        return rc;
    }
    const sso_stored_t *first = &APR_ARRAY_IDX(found, 0, sso_stored_t);
    rc = sso_ending_end(ctx, &ending, which, "front-channel logout", first->oid, ended);
    if (rc == SSO_OK) {
        answer->ended_cause = "front-channel logout";
        answer->ended_oid = first->oid;
        answer->ended_tid = first->tid;
        answer->ended = ended;
    }
    return rc;
}

static sso_rc hear(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *answer)
{
    call_t call = {NULL, NULL};
    sso_store_which_t which = {.sid = NULL};
    sso_rc rc = read_call(ctx, request->query, &call);
    if (rc == SSO_OK && call.iss != NULL) {
        rc = check_issuer(ctx, site, call.iss, &which.tid);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    /* SECURITY: a flood of strangers takes a few workers of the node and no more. */
    if (site->frontchannel == NULL || !sso_gate_enter(site->frontchannel)) {
        return sso_fail(ctx, SSO_R_FRONTCHANNEL_BUSY, "the node works on %d already", SSO_MAX_FRONTCHANNEL);
    }
    /* Of every application in the database: a registration has one front-channel address, and may have several origins.
     */
    which.sid = call.sid;
    rc = end_sessions(ctx, site, &which, answer);
    sso_gate_leave(site->frontchannel, rc == SSO_OK);
    return rc;
}

void sso_frontchannel(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_answer_t *ret_answer)
{
    sso_fault_clear(ctx);
    sso_answer_init(ret_answer, ctx->pool);
    if (strcmp(request->method, "GET") != 0) {
        ret_answer->allow = "GET";
        (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(ctx->pool, request->method));
        sso_answer_fault(ret_answer, "/");
        return;
    }
    if (hear(ctx, site, request, ret_answer) != SSO_OK) {
        sso_answer_fault(ret_answer, "/");
        return;
    }
    ret_answer->kind = SSO_ANSWER_HEARD;
}
