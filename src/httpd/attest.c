/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions on a request: each connection keeps its last one, so that a user who stays on it is signed for once in a
 * while and not with every request. */
#include "build_config.h"

#include "httpd/attest.h"

#include <http_config.h>

#include <apr_strings.h>

#include "flow/principal.h"

extern module entra_sso_module;

/* What a connection keeps. Requests of one connection come one after the other; the streams of HTTP/2, which do not,
 * have a connection each (r->connection), and so a place of their own. */
typedef struct {
    sso_kept_t assertion;
    sso_kept_t principal;
} places_t;

static places_t *places_of(const conn_rec *c)
{
    places_t *places = ap_get_module_config(c->conn_config, &entra_sso_module);
    if (places == NULL) {
        places = apr_pcalloc(c->pool, sizeof(*places));
        places->assertion.parent = c->pool;
        places->principal.parent = c->pool;
        ap_set_module_config(c->conn_config, &entra_sso_module, places);
    }
    return places;
}

sso_rc sso_attest_assertion(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit, const sso_subject_t *subject)
{
    const char *token;
    if (sso_config_dir(r)->option[SSO_DIR_SIGNED_IDENTITY].choice == 0) {
        return SSO_OK;
    }
    sso_rc rc = sso_assertion_get(ctx, &visit->site->site, subject, &places_of(r->connection)->assertion, &token);
    if (rc == SSO_OK) {
        /* A copy: a subrequest may put another in its place while this request still needs it. */
        apr_table_set(r->headers_in, "X-Entra-Assertion", token);
    }
    return rc;
}

void sso_attest_principal(request_rec *r, sso_ctx_t *ctx, const sso_subject_t *subject)
{
    const char *principal = sso_principal_get(ctx, subject, &places_of(r->connection)->principal);
    apr_table_set(r->headers_in, "X-MS-CLIENT-PRINCIPAL", principal);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-ID", subject->record->oid);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-NAME", subject->user);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-IDP", "aad");
}
