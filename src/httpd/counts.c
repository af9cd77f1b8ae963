/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted is in base/counters.def; here are memory and the requests whose meaning only this layer knows. */
#include "build_config.h"

#include "httpd/counts.h"

#include <string.h>

#include <apr_strings.h>

#include "httpd/shared.h"

#define NODE "node"

/* ---- memory ---- */

bool sso_counts_share(server_rec *main_server)
{
    apr_pool_t *process_pool = main_server->process->pool;
    const char *table =
        apr_pstrcat(main_server->process->pconf, "entra_sso: ", sso_counters_form(main_server->process->pconf), NULL);
    apr_size_t size = sso_counters_size();
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        sso_site_config_t *site = sso_config_server(s)->site;
        if (site == NULL) {
            continue;
        }
        site->counters = sso_shared_entry(process_pool, table, site->site.app, size);
        site->node_counters = sso_shared_entry(process_pool, table, NODE, size);
        if (site->counters == NULL || site->node_counters == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- SCIM ---- */

static sso_count_t first_of(const char *method)
{
    static const struct {
        const char *method;
        sso_count_t first;
    } methods[] = {{"GET", SSO_COUNT_SCIM_READ_2XX},
                   {"HEAD", SSO_COUNT_SCIM_READ_2XX},
                   {"POST", SSO_COUNT_SCIM_POST_2XX},
                   {"DELETE", SSO_COUNT_SCIM_DELETE_2XX}};
    for (apr_size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].method, method) == 0) {
            return methods[i].first;
        }
    }
    /* PUT, PATCH, and what there is no such thing as. */
    return SSO_COUNT_SCIM_CHANGE_2XX;
}

void sso_counts_scim(sso_ctx_t *ctx, const char *method, int status)
{
    int step = status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3;
    sso_count(ctx, (sso_count_t)((int)first_of(method) + step));
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        /* SECURITY: anybody can knock. What Entra's own requests came to is not covered by it. */
        sso_count(ctx, SSO_COUNT_SCIM_UNAUTHORIZED);
        return;
    }
    sso_count_note(ctx, SSO_NOTE_SCIM_REQUEST, ctx->now);
    if (status >= 400) {
        sso_count_note(ctx, SSO_NOTE_SCIM_ERROR_NUMBER, sso_reason(ctx->fault.rc)->number);
        sso_count_note(ctx, SSO_NOTE_SCIM_ERROR, ctx->now);
    }
}
