/* SPDX-License-Identifier: Apache-2.0 */
/* The renewal of one session. Whatever happens between claim and result, the claim runs out by itself, and the session
 * is as it was: nothing is half renewed. */
#include "flow/renew.h"

#include <string.h>

#include "base/counters.h"
#include "base/limits.h"
#include "entra/idtoken.h"
#include "entra/oauth.h"
#include "flow/directory.h"
#include "flow/groups.h"
#include "flow/probe.h"
#include "session/identity.h"

/* Longer than all outbound calls of one renewal may take together, so that a claim is lost only with its worker. */
#define CLAIM_HOLD apr_time_from_sec(180)

/* SECURITY: who is away is not a no. Only what speaks of this user or this grant ends a session; a fault of ours, of
 * the registration or of the network leaves it alive until its grace ends. */
static bool is_refusal(sso_rc rc)
{
    sso_class_t class = sso_reason(rc)->class;
    return class == SSO_CLASS_CLIENT || class == SSO_CLASS_USER;
}

static sso_rc redeem(sso_ctx_t *ctx, const sso_site_t *site, const char *refresh_token, const char *challenge,
                     sso_tokens_t *ret_tokens)
{
    const sso_authority_view_t *view;
    sso_refresh_t request = {
        .client_id = site->client_id,
        .credential = site->credential,
        .scope = site->scope,
        .refresh_token = refresh_token,
    };
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc == SSO_OK) {
        rc = sso_probe_claims(ctx, site, NULL, challenge, &request.claims);
    }
    return rc != SSO_OK ? rc : sso_refresh_redeem(ctx, site->authority, view->metadata, &request, ret_tokens);
}

/* What the new tokens say, as a record of the same session. */
static sso_rc judge(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_tokens_t *tokens,
                    sso_record_t *ret_renewed)
{
    sso_idtoken_t token;
    /* A refreshed token has no nonce; everything else is as at sign-in. */
    const sso_idtoken_rules_t rules = {
        .client_id = site->client_id,
        .allowed_tenants = site->allowed_tenants,
        .any_tenant = site->any_tenant,
        .skew = site->skew,
    };
    sso_record_t renewed = *record;
    sso_rc rc = sso_idtoken_open(ctx, site->authority, &rules, tokens->id_token, &token);
    if (rc == SSO_OK && (strcmp(token.oid, record->oid) != 0 || strcmp(token.tid, record->tid) != 0)) {
        rc = sso_fail(ctx, SSO_R_RENEW_USER, "oid %s, tid %s; the session is of oid %s", token.oid, token.tid,
                      record->oid);
    }
    if (rc == SSO_OK) {
        rc = sso_identity_fill(ctx, &token, site->claims, &renewed);
    }
    if (rc == SSO_OK) {
        rc = sso_groups_fill(ctx, site, &token, tokens->access_token, &renewed);
    }
    if (rc == SSO_OK) {
        rc = sso_directory_fill(ctx, site, &renewed);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    /* The sid names the sign-in in this browser: front-channel logout speaks of that one. */
    renewed.sid = record->sid;
    renewed.auth_time = renewed.auth_time == 0 ? record->auth_time : renewed.auth_time;
    /* Another node's clock may be ahead: no moment of a session comes before its beginning. */
    renewed.revalidated = ctx->now > record->created ? ctx->now : record->created;
    *ret_renewed = renewed;
    return SSO_OK;
}

/* Sealed for the store. access_token NULL: the kept one stays. */
static sso_rc seal_result(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *renewed,
                          const char *refresh_token, const char *access_token, sso_store_result_t *ret_result)
{
    const unsigned char *data;
    apr_size_t len;
    memset(ret_result, 0, sizeof(*ret_result));
    sso_rc rc = sso_record_pack(ctx, renewed, SSO_MAX_SEALED, &data, &len);
    if (rc == SSO_OK) {
        rc = sso_session_seal(ctx, &site->session, SSO_PURPOSE_IDENTITY, renewed->id, data, len, &ret_result->identity);
    }
    /* RFC 6749 6: no new token means that the old one goes on. */
    if (rc == SSO_OK && refresh_token != NULL) {
        rc = sso_session_seal(ctx, &site->session, SSO_PURPOSE_REFRESH, renewed->id, refresh_token,
                              strlen(refresh_token), &ret_result->refresh);
    }
    if (rc == SSO_OK && access_token != NULL) {
        rc = sso_probe_seal(ctx, site, renewed->id, access_token, &ret_result->access);
    }
    return rc;
}

static sso_rc open_token(sso_ctx_t *ctx, const sso_site_t *site, const sso_stored_t *stored, const char **ret_token)
{
    unsigned char *data;
    apr_size_t len;
    sso_rc rc = sso_session_unseal(ctx, &site->session, SSO_PURPOSE_REFRESH, stored->id, stored->refresh, &data, &len);
    if (rc != SSO_OK) {
        /* A key that was taken out of the key file, or a row that somebody changed: the cookie itself is another
         * matter. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_RENEW_RECORD, "the refresh token does not open (%s)", sso_reason(rc)->name);
    }
    *ret_token = (const char *)data;
    return SSO_OK;
}

/* The result of another worker's renewal. */
static sso_rc open_identity(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record,
                            const sso_stored_t *stored, sso_record_t *ret_renewed)
{
    unsigned char *data;
    apr_size_t len;
    sso_record_t renewed = *record;
    sso_record_t theirs;
    sso_rc rc =
        sso_session_unseal(ctx, &site->session, SSO_PURPOSE_IDENTITY, stored->id, stored->identity, &data, &len);
    if (rc == SSO_OK) {
        rc = sso_record_unpack(ctx, data, len, &theirs);
    }
    if (rc != SSO_OK || !sso_record_renew(&renewed, &theirs)) {
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_RENEW_RECORD, "%s", rc == SSO_OK ? "of another session" : sso_reason(rc)->name);
    }
    *ret_renewed = renewed;
    return SSO_OK;
}

/* Ends the session everywhere, since Entra does not stand by it any more. */
static sso_renewal_t refuse(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const char *why)
{
    const sso_fault_t cause = ctx->fault;
    sso_fault_clear(ctx);
    const sso_ending_t ending = {site->store, site->ended};
    bool waits = false;
    if (sso_ending_end_one(ctx, &ending, record, why, "entra", &waits) != SSO_OK || waits) {
        sso_debug(ctx, "the other nodes learn of it when the database is back");
    }
    ctx->fault = cause;
    return SSO_RENEW_REFUSED;
}

/* The claim is ours: Entra is asked, and the answer is kept before anybody acts on it. */
static sso_rc ask(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const sso_stored_t *stored,
                  const char *claim, bool *ret_challenged, sso_record_t *ret_renewed)
{
    const char *token = NULL;
    sso_probed_t probed = {false};
    sso_store_result_t result;
    sso_tokens_t tokens = {NULL};
    bool kept = false;
    sso_rc rc = open_token(ctx, site, stored, &token);
    if (rc == SSO_OK) {
        rc = sso_probe(ctx, site, stored, &probed);
        *ret_challenged = probed.challenged;
    }
    if (rc == SSO_OK) {
        rc = redeem(ctx, site, token, probed.challenge, &tokens);
    }
    if (rc == SSO_OK) {
        rc = judge(ctx, site, record, &tokens, ret_renewed);
    }
    if (rc == SSO_OK) {
        rc = seal_result(ctx, site, ret_renewed, tokens.refresh_token, probed.keep_next ? tokens.access_token : NULL,
                         &result);
    }
    if (rc == SSO_OK) {
        rc = sso_store_renewed(ctx, site->store, record->id, claim, &result, &kept);
    }
    if (rc == SSO_OK && !kept) {
        rc = sso_fail(ctx, SSO_R_RENEW_BUSY, "the claim was lost");
    }
    return rc;
}

/* Gives the claim back after a failure. */
static void give_back(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, const char *claim)
{
    const sso_fault_t cause = ctx->fault;
    apr_interval_time_t wait = apr_time_from_sec(cause.retry_after_s);
    sso_fault_clear(ctx);
    if (sso_store_release(ctx, site->store, record->id, claim, NULL, wait > SSO_RENEW_WAIT ? wait : SSO_RENEW_WAIT) !=
        SSO_OK) {
        /* Then it runs out by itself. */
        sso_debug(ctx, "the claim stays: %s", sso_reason(ctx->fault.rc)->sentence);
    }
    ctx->fault = cause;
}

/* What there is when the claim is not ours. */
static sso_renewal_t look(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record,
                          const sso_stored_t *stored, sso_record_t *ret_renewed)
{
    if (stored->ended) {
        (void)sso_ended_add(site->ended, record->id, record->ends, false, ctx->now);
        return SSO_RENEW_ENDED;
    }
    if (!sso_record_is_younger(stored->revalidated, record->revalidated, ctx->now) || *stored->identity == '\0') {
        (void)sso_fail(ctx, SSO_R_RENEW_BUSY, "session of oid %s", record->oid);
        return SSO_RENEW_LATER;
    }
    return open_identity(ctx, site, record, stored, ret_renewed) == SSO_OK ? SSO_RENEWED : SSO_RENEW_LATER;
}

sso_renewal_t sso_renew(sso_ctx_t *ctx, const sso_site_t *site, const sso_record_t *record, sso_record_t *ret_renewed)
{
    const char *claim = NULL;
    sso_stored_t stored;
    bool found = false;
    sso_rc rc = sso_store_claim(ctx, site->store, record->id, ctx->now - site->session.freshness.revalidate, CLAIM_HOLD,
                                &claim);
    if (rc == SSO_OK) {
        rc = sso_store_find(ctx, site->store, record->id, &stored, &found);
    }
    if (rc == SSO_OK && !found) {
        rc = sso_fail(ctx, SSO_R_RENEW_MISSING, "session of oid %s", record->oid);
    }
    if (rc != SSO_OK) {
        return SSO_RENEW_LATER;
    }
    if (claim == NULL) {
        return look(ctx, site, record, &stored, ret_renewed);
    }
    bool challenged = false;
    rc = ask(ctx, site, record, &stored, claim, &challenged, ret_renewed);
    if (rc == SSO_OK) {
        sso_count(ctx, SSO_COUNT_REVALIDATION_OK);
        return SSO_RENEWED;
    }
    if (is_refusal(rc)) {
        sso_count(ctx, SSO_COUNT_REVALIDATION_REFUSED);
        return refuse(ctx, site, record, challenged ? "continuous access" : "revalidation");
    }
    sso_count(ctx, SSO_COUNT_REVALIDATION_LATER);
    give_back(ctx, site, record, claim);
    return SSO_RENEW_LATER;
}
