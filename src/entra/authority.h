/* SPDX-License-Identifier: Apache-2.0 */
/* The authority: clouds, tenants, discovery metadata and keys, shared by all processes of a node and refreshed in the
 * background. */
#pragma once

#include "base/http.h"
#include "base/result.h"
#include "entra/keys.h"

typedef struct {
    const char *name;      /* as in EntraCloud */
    const char *login_url; /* https://login.microsoftonline.com */
    const char *graph_url;
    const char *exchange_audience; /* of a federated assertion */
    const char *v1_issuer;         /* of access tokens of version 1.0, with {tenantid} */
} sso_cloud_t;
/* The cloud of that name, NULL when there is none. Static storage. */
const sso_cloud_t *sso_cloud_find(const char *name);

/* The personal-accounts tenant that "consumers" stands for. */
#define SSO_CONSUMERS_TENANT "9188040d-6c67-4c5b-b112-36a304b66dad"

/* What the configuration says of one authority. Immutable; in the configuration's pool. */
typedef struct {
    const char *login_url; /* no trailing slash */
    const char *tenant;    /* as configured: GUID, domain, organizations, common, consumers */
    const sso_http_policy_t *policy;
} sso_authority_config_t;

/* True for organizations and common. */
bool sso_tenant_is_several(const char *tenant);
/* True for the tenant of personal accounts, by word or GUID (any case). */
bool sso_tenant_is_consumers(const char *tenant);
/* NULL when tenant is a GUID, a domain, or one of the three words; else what is wrong (static text). */
const char *sso_tenant_check(const char *tenant);

/* From the discovery document (OpenID Connect Discovery 1.0, section 3). */
typedef struct {
    const char *issuer; /* with "{tenantid}" for several tenants */
    const char *authorization_endpoint;
    const char *token_endpoint;
    const char *end_session_endpoint; /* NULL when not named */
    const char *jwks_uri;
    const char *graph_host; /* msgraph_host, NULL when not named */
} sso_metadata_t;

/* Judges a discovery document: required fields, the issuer is of this authority and tenant (a GUID stands in it as
 * configured; a domain: some GUID; several tenants: the literal {tenantid}), endpoints on the login host, https (or
 * http on loopback). Errors: SSO_R_METADATA_FIELD, _ISSUER, _ENDPOINT, SSO_R_JSON_*. Result in pool. */
sso_rc sso_metadata_parse(sso_ctx_t *ctx, apr_pool_t *pool, const sso_authority_config_t *config, const char *text,
                          apr_size_t len, const sso_metadata_t **ret_metadata) SSO_MUST_USE;

/* Metadata and keys as they were at one fetch: immutable, counted, good for the length of one use case. */
typedef struct {
    const sso_metadata_t *metadata;
    const sso_keyset_t *keys;
    apr_time_t fetched;
    uint32_t generation;
} sso_authority_view_t;

/* One authority in one process. */
typedef struct sso_authority_t sso_authority_t;

/* Shared memory for one authority; zeroed memory is valid and empty. */
apr_size_t sso_authority_shared_size(void);
/* In each process: config and shared memory (kept over graceful restarts) give an authority in pool. */
sso_authority_t *sso_authority_make(apr_pool_t *pool, const sso_authority_config_t *config, void *shared,
                                    sso_http_t *http);

/* The present view, held until ctx->pool is cleaned. Parses a newly fetched generation once per process. Only when the
 * node has none yet does the call fetch, or wait for another's fetch, within the outbound timeout. Errors: those of the
 * fetch; SSO_R_METADATA_NONE, SSO_R_METADATA_STALE (last good copy older than a day). */
sso_rc sso_authority_view(sso_ctx_t *ctx, sso_authority_t *authority,
                          const sso_authority_view_t **ret_view) SSO_MUST_USE;

/* The present view however old it is, or NULL: no network, no waiting, no fault. For those who only show it. */
const sso_authority_view_t *sso_authority_at_hand(sso_ctx_t *ctx, sso_authority_t *authority);
/* When the node last began a fetch, whatever came of it; 0: never. */
apr_time_t sso_authority_tried(const sso_authority_t *authority);

/* The key of that kid: from the view, else after one fetch, of which the node makes at most one a minute for unknown
 * keys. Errors: SSO_R_JWT_KEY_UNKNOWN; SSO_R_KEYS_BUSY while somebody else fetches and too many wait already. The view
 * may be renewed. */
sso_rc sso_authority_key(sso_ctx_t *ctx, sso_authority_t *authority, const char *kid,
                         const sso_authority_view_t **ret_view, const sso_key_t **ret_key) SSO_MUST_USE;

/* Background tick, every second or so, on any process: fetches when there is nothing, when the copy is an hour old, or
 * a minute after a failed try. SSO_OK also when there was nothing to do. */
sso_rc sso_authority_tick(sso_ctx_t *ctx, sso_authority_t *authority) SSO_MUST_USE;

/* Which of its documents the node has now: another number after each fetch, 0 for none yet. No lock. */
uint32_t sso_authority_generation(const sso_authority_t *authority);

/* The tenant GUID fixed by configuration or metadata; NULL for several tenants. */
const char *sso_authority_tenant_guid(const sso_authority_t *authority, const sso_authority_view_t *view);
const sso_authority_config_t *sso_authority_config(const sso_authority_t *authority);
sso_http_t *sso_authority_http(const sso_authority_t *authority);
