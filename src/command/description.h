/* SPDX-License-Identifier: Apache-2.0 */
/* An application as httpd describes it to this command (httpd/dump.c): everything but its secrets. */
#pragma once

#include <stdint.h>

#include <apr_tables.h>

#include "base/result.h"

/* The credential's source; which fields are set depends on its kind. */
typedef struct {
    const char *kind;     /* "secret", "certificate", "file" (an assertion's), "managed-identity" */
    const char *source;   /* of a secret: file:PATH, exec:COMMAND, env:NAME, credential:NAME, or "literal" */
    const char *path;     /* file of a secret, a certificate or an assertion */
    const char *key_path; /* NULL when the key stands with the certificate */
    const char *identity; /* client id of a managed identity, NULL for none */
    const char *audience; /* of an assertion */
    bool rs256;
} sso_described_credential_t;

/* Texts that may be NULL are marked; lists never are. */
typedef struct {
    const char *app; /* as in the store */
    const char *place;
    const char *origin;
    const char *path;
    const char *redirect_uri;
    const char *cookie_domain; /* or NULL */
    const char *state_directory;
    const char *key_file;
    const char *database; /* masked */
    const char *source;   /* of the database, as in EntraDatabase; not shown to anybody */
    const char *user;     /* of httpd's children */
    const char *login_url;
    const char *tenant;
    const apr_array_header_t *allowed_tenants; /* const char * */
    bool any_tenant;
    const char *graph_url;
    const char *client_id;
    const char *scopes;
    const char *trusted_ca; /* or NULL, as the next */
    const char *proxy;
    int64_t connect_ms;
    int64_t total_ms;
    int64_t skew_s;
    bool continuous;
    int64_t watch_s;                  /* 0: off */
    const apr_array_header_t *groups; /* const char *: names and object ids */
    bool groups_all;
    bool groups_of_scim;
    const char *overage;
    const apr_array_header_t *claims;   /* const char * */
    const apr_array_header_t *contexts; /* const char * */
    bool bearer;
    bool protects; /* AuthType Entra stands somewhere outside of .htaccess files */
    bool scim;
    const char *scim_url; /* or NULL */
    bool scim_by_name;    /* EntraSCIMMatch upn */
    bool scim_required;
    const char *scim_federated; /* or NULL */
    sso_described_credential_t credential;
} sso_description_t;

/* Reads the JSON of a line "entra-description". False when it is none that this command understands. All but source,
 * in pool. */
bool sso_description_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *json, sso_description_t *ret_description);

/* True when its sign-ins or its own work ask Graph about this: a scope of the sign-in, whole. */
bool sso_description_has_scope(const sso_description_t *description, const char *scope);
