/* SPDX-License-Identifier: Apache-2.0 */
/* From a session to the request's X-Entra-Access-Token. It is asked for after the rules have let the user in, so that
 * nobody costs a token request who may not enter. */
#include "build_config.h"

#include "httpd/forward.h"

#include <string.h>

#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>

#include "base/bytes.h"
#include "flow/apitoken.h"
#include "httpd/config.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

/* As many of a process as may wait for the outside: a quarter. */
static int waiters(void)
{
    int threads = 1;
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return threads / 4 > 0 ? threads / 4 : 1;
}

void sso_forward_begin(apr_pool_t *pchild, server_rec *main_server)
{
    sso_apitokens_t *tokens = NULL;
    bool made = false;
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL || !site->forwards) {
            continue;
        }
        if (!made) {
            made = true;
            tokens = sso_apitokens_make(pchild, waiters());
        }
        site->site.apitokens = tokens;
    }
    if (made && tokens == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "ENTRA2056: no memory for access tokens of backends; requests that need one are refused");
    }
}

sso_rc sso_forward_token(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit)
{
    const sso_api_t *api = sso_config_dir(r)->option[SSO_DIR_ACCESS_TOKEN].object;
    const char *token;
    bool fetched;
    /* Who brings an access token has one, and the application gets what it was judged by. SECURITY: mod_proxy and
     * backends answer TRACE with the headers that they got, and the client must not have the token. */
    if (api == NULL || visit->session != SSO_VISIT_SESSION || r->method_number == M_TRACE) {
        return SSO_OK;
    }
    sso_rc rc = sso_apitoken_get(ctx, &visit->site->site, &visit->record, api, &token, &fetched);
    if (rc != SSO_OK) {
        return rc;
    }
    if (fetched) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "ENTRA2055: access token of %s fetched for session %.8s",
                      api->name, sso_hex(r->pool, visit->record.id, sizeof(visit->record.id)));
    }
    /* It lives as long as the request, and is wiped with it. */
    apr_table_setn(r->headers_in, "X-Entra-Access-Token", token);
    return SSO_OK;
}
