/* SPDX-License-Identifier: Apache-2.0 */
/* The renewals of a process: their threads, and what the log tells of them. */
#pragma once

#include <httpd.h>

#include "base/http.h"

/* In each process, once its sites have store and authority: gives them their renewals. http is what their calls go
 * through; it is stopped before the process waits for the renewals that run. */
void sso_revalidation_begin(apr_pool_t *pchild, server_rec *main_server, sso_http_t *http);
