/* SPDX-License-Identifier: Apache-2.0 */
/* The SCIM service as httpd serves it. The rules are in directory/scim.c; here are bodies, headers and log lines. */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* In post_config: the gate's shared memory, where any site has EntraSCIM on. False when there is none. */
bool sso_provisioning_share(apr_pool_t *pconf, server_rec *main_server);
/* In each process, after sso_endings_begin. */
void sso_provisioning_begin(apr_pool_t *pchild, server_rec *main_server);

/* True when this endpoint is below scim/v2 of a site that has the service. */
bool sso_provisioning_serves(const sso_visit_t *visit);
/* Serves it; gives what a handler returns. */
int sso_provisioning_serve(request_rec *r, const sso_visit_t *visit);
