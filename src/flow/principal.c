/* SPDX-License-Identifier: Apache-2.0 */
/* The client principal of App Service: the names of claims are its own, what they say is ours. */
#include "flow/principal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

#define SOAP "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
#define TYPE_NAME SOAP "name"
#define TYPE_NAME_IDENTIFIER SOAP "nameidentifier"
#define TYPE_EMAIL SOAP "emailaddress"
#define TYPE_OBJECT_ID "http://schemas.microsoft.com/identity/claims/objectidentifier"
#define TYPE_TENANT_ID "http://schemas.microsoft.com/identity/claims/tenantid"
#define TYPE_ROLE "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

static void add(sso_json_writer_t *principal, const char *type, const char *value)
{
    if (*value == '\0') {
        return;
    }
    sso_json_writer_t *claim = sso_json_add_object(principal, "claims");
    sso_json_set_text(claim, "typ", type);
    sso_json_set_text(claim, "val", value);
}

static void add_list(sso_json_writer_t *principal, const char *type, const sso_list_t *list)
{
    apr_size_t at = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        add(principal, type, item);
    }
}

static const char *make(apr_pool_t *pool, const sso_subject_t *subject)
{
    const sso_record_t *record = subject->record;
    sso_json_writer_t *principal = sso_json_object_make(pool);
    sso_json_set_text(principal, "auth_typ", "aad");
    add(principal, TYPE_OBJECT_ID, record->oid);
    add(principal, TYPE_NAME_IDENTIFIER, record->oid);
    add(principal, TYPE_TENANT_ID, record->tid);
    add(principal, TYPE_NAME, subject->user);
    add(principal, "preferred_username", record->username);
    add(principal, "name", record->name);
    add(principal, TYPE_EMAIL, record->email);
    /* Under the name of the token, as App Service has them, and under the one that role_typ promises: what was written
     * for either finds them. */
    add_list(principal, "roles", subject->roles);
    add_list(principal, TYPE_ROLE, subject->roles);
    add_list(principal, "groups", &record->groups);
    /* SECURITY: App Service calls the e-mail address the name. Anybody's tenant can write any address there, so here
     * the name is the user name. */
    sso_json_set_text(principal, "name_typ", TYPE_NAME);
    sso_json_set_text(principal, "role_typ", TYPE_ROLE);
    const char *json = sso_json_print(pool, principal);
    return sso_base64(pool, json, strlen(json));
}

const char *sso_principal_get(sso_ctx_t *ctx, const sso_subject_t *subject, sso_kept_t *kept)
{
    apr_size_t len;
    const void *bytes = sso_subject_bytes(ctx->pool, "", subject, &len);
    const char *value = sso_kept_get(kept, bytes, len, ctx->now, SSO_SESSION_CAP);
    return value != NULL ? value : sso_kept_set(kept, bytes, len, make(ctx->pool, subject), ctx->now);
}
