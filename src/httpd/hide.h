/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the query of an endpoint out of a request: it holds the authorization code. */
#pragma once

#include <httpd.h>

/* Gives the raw query, NULL for none, and leaves nothing of it in what a log format, a status page or another module
 * could print. */
const char *sso_hide_query(request_rec *r);

/* The same for a request that httpd refused while reading it, so that no hook of a request saw it: by the text of its
 * line, and for the EntraPath of any virtual host, since httpd had not chosen one yet. */
void sso_hide_refused(request_rec *r);
