/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of a node in its shared memory: one block for each application, one for what is of none. */
#pragma once

#include <httpd.h>

#include "base/counters.h"
#include "httpd/site.h"

/* In post_config: finds the blocks of the run of httpd, or makes them, and gives them to the sites. False: there is no
 * shared memory. */
bool sso_counts_share(server_rec *main_server);

/* Counts an answered SCIM request, and notes the last one and the last error. */
void sso_counts_scim(sso_ctx_t *ctx, const char *method, int status);
