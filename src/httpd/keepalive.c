/* SPDX-License-Identifier: Apache-2.0 */
/* One place for each connection, made when it is first wanted. */
#include "build_config.h"

#include "httpd/keepalive.h"

#include <http_config.h>

extern module entra_sso_module;

sso_keepalive_t *sso_keepalive_get(const conn_rec *c)
{
    sso_keepalive_t *kept = ap_get_module_config(c->conn_config, &entra_sso_module);
    if (kept == NULL) {
        kept = apr_pcalloc(c->pool, sizeof(*kept));
        kept->assertion.parent = c->pool;
        kept->principal.parent = c->pool;
        kept->opened.pool = c->pool;
        ap_set_module_config(c->conn_config, &entra_sso_module, kept);
    }
    return kept;
}
