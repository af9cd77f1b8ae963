/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection keeps of its last request, so that a user who stays on it costs less. */
#pragma once

#include <httpd.h>

#include "base/kept.h"
#include "session/opened.h"

/* Requests of one connection come one after the other; the streams of HTTP/2, which do not, have a connection each
 * (r->connection), and so a place of their own. */
typedef struct {
    sso_kept_t assertion;
    sso_kept_t principal;
    sso_opened_t opened;
} sso_keepalive_t;

sso_keepalive_t *sso_keepalive_get(const conn_rec *c);
