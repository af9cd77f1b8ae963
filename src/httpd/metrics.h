/* SPDX-License-Identifier: Apache-2.0 */
/* `SetHandler entra-metrics`: everything that is counted, for Prometheus. */
#pragma once

#include <httpd.h>

/* Handler hook. Who may see it is what the administrator's Require says. */
int sso_metrics_handler(request_rec *r);

/* What both handlers of this kind begin with: DECLINED when the request is for another handler than name, an HTTP
 * status when it may not be asked so, OK when the page can be written; then the headers that all have are set. */
int sso_metrics_begin(request_rec *r, const char *name);
