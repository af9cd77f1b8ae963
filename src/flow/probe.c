/* SPDX-License-Identifier: Apache-2.0 */
/* The question to Graph before a refresh. The kept token is the oldest that Graph still takes, and not the newest:
 * Graph hears of a changed password with a delay of minutes, and a token that a refresh gave meanwhile is of after it.
 */
#include "flow/probe.h"

#include <string.h>

#include "entra/challenge.h"
#include "entra/graph.h"
#include "flow/groups.h"

sso_rc sso_probe_claims(sso_ctx_t *ctx, const sso_site_t *site, const char *acr, const char *challenge,
                        const char **ret_claims)
{
    const sso_claims_parts_t parts = {.acr = acr, .continuous = site->continuous, .challenge = challenge};
    return sso_claims_compose(ctx, &parts, ret_claims);
}

sso_rc sso_probe_seal(sso_ctx_t *ctx, const sso_site_t *site, const unsigned char id[static SSO_SESSION_ID_BYTES],
                      const char *access_token, const char **ret_sealed)
{
    if (!site->continuous || access_token == NULL) {
        *ret_sealed = "";
        return SSO_OK;
    }
    return sso_session_seal(ctx, &site->session, SSO_PURPOSE_ACCESS, id, access_token, strlen(access_token),
                            ret_sealed);
}

static sso_rc token_open(sso_ctx_t *ctx, const sso_site_t *site, const sso_stored_t *stored, const char **ret_token)
{
    unsigned char *data;
    apr_size_t len;
    sso_rc rc = sso_session_unseal(ctx, &site->session, SSO_PURPOSE_ACCESS, stored->id, stored->access, &data, &len);
    if (rc != SSO_OK) {
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_RENEW_RECORD, "the access token does not open (%s)", sso_reason(rc)->name);
    }
    *ret_token = (const char *)data;
    return SSO_OK;
}

sso_rc sso_probe(sso_ctx_t *ctx, const sso_site_t *site, const sso_stored_t *stored, sso_probed_t *ret_probed)
{
    sso_graph_t graph = {
        .http = sso_authority_http(site->authority),
        .policy = site->http_policy,
        .graph_url = site->graph_url,
    };
    sso_probe_t probe;
    *ret_probed = (sso_probed_t){.keep_next = true};
    if (!site->continuous || *stored->access == '\0') {
        return SSO_OK;
    }
    sso_rc rc = token_open(ctx, site, stored, &graph.access_token);
    if (rc == SSO_OK) {
        rc = sso_graph_probe(ctx, &graph, &probe);
    }
    if (rc == SSO_OK) {
        ret_probed->keep_next = probe.state != SSO_PROBE_GOOD;
        ret_probed->challenged = probe.state == SSO_PROBE_CHALLENGED;
        ret_probed->challenge = probe.claims;
    }
    return rc;
}
