/* SPDX-License-Identifier: Apache-2.0 */
/* What answers under EntraPath. */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* The part of path below EntraPath ("callback"), "" for the path itself, or NULL when path is elsewhere. */
const char *sso_endpoint_of(const sso_site_t *site, const char *path);

/* Serves visit->endpoint; gives what a handler returns. */
int sso_endpoint_serve(request_rec *r, sso_visit_t *visit);

/* True for an endpoint that the sections of the configuration guard as any page. */
bool sso_endpoint_is_guarded(const sso_visit_t *visit);
