/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may not say: request headers under any name that the module could set are removed before anybody looks.
 */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* A longer name cannot be configured: it would not be found again in a request. */
#define SSO_MAX_OWNED_NAME 128

/* The names of one server, folded and sorted. Immutable. */
typedef struct sso_scrub_t sso_scrub_t;

/* names: request headers and variables (const char *) that EntraHeader, EntraEnv and EntraHeaders set, those that begin
 * so for "name*"; all X-Entra-* are owned anyway. */
const sso_scrub_t *sso_scrub_make(apr_pool_t *pool, const apr_array_header_t *names);

/* Removes owned names, in whatever case and punctuation, from r->headers_in, and tokens that name them from Connection,
 * with which a proxy would take our headers off again. */
void sso_scrub_request(request_rec *r, const sso_scrub_t *scrub);
/* The same for a subrequest, which has copies of its main request's headers and of the variables made of them. */
void sso_scrub_subrequest(request_rec *r, const sso_scrub_t *scrub);

/* True when the header name folds to an owned one. */
bool sso_scrub_owns(const sso_scrub_t *scrub, const char *name, apr_size_t len);
