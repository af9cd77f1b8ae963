/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions on a request: each connection keeps its last one, so that a user who stays on it is signed for once in a
 * while and not with every request. */
#include "build_config.h"

#include "httpd/attest.h"

#include <apr_strings.h>

#include "flow/principal.h"
#include "httpd/keepalive.h"

sso_rc sso_attest_assertion(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit, const sso_subject_t *subject)
{
    const char *token;
    if (sso_config_dir(r)->option[SSO_DIR_SIGNED_IDENTITY].choice == 0) {
        return SSO_OK;
    }
    sso_rc rc =
        sso_assertion_get(ctx, &visit->site->site, subject, &sso_keepalive_get(r->connection)->assertion, &token);
    if (rc == SSO_OK) {
        /* A copy: a subrequest may put another in its place while this request still needs it. */
        apr_table_set(r->headers_in, "X-Entra-Assertion", token);
    }
    return rc;
}

void sso_attest_principal(request_rec *r, sso_ctx_t *ctx, const sso_subject_t *subject)
{
    const char *principal = sso_principal_get(ctx, subject, &sso_keepalive_get(r->connection)->principal);
    apr_table_set(r->headers_in, "X-MS-CLIENT-PRINCIPAL", principal);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-ID", subject->record->oid);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-NAME", subject->user);
    apr_table_setn(r->headers_in, "X-MS-CLIENT-PRINCIPAL-IDP", "aad");
}
