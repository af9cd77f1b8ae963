/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes, and which resource they belong to: a token request names the scopes of one, an authorize request of any. */
#pragma once

#include <stdbool.h>

#include <apr_tables.h>

/* True for openid, profile, email and offline_access, which belong to no resource. */
bool sso_scope_is_openid(const char *scope);
/* The resource of a scope: what stands before its last slash, "" for Microsoft Graph, also where its scope stands
 * without a prefix. */
const char *sso_scope_resource(apr_pool_t *pool, const char *scope);
/* True for the scope that stands for all that was consented to; Entra takes no other of the same resource beside it. */
bool sso_scope_is_default(const char *scope);

/* The scopes (const char *) that one token request of a sign-in may name: those of OpenID Connect, and of one resource
 * that of Graph if it is there, which is asked about groups, else the first. Joined by blanks. */
const char *sso_scope_of_request(apr_pool_t *pool, const apr_array_header_t *scopes);
/* All of them, each once. */
const char *sso_scope_of_all(apr_pool_t *pool, const apr_array_header_t *scopes);
