/* SPDX-License-Identifier: Apache-2.0 */
/* Origins, return targets and configured URLs. Parsing is apr_uri's; the rules are here. */
#pragma once

#include "base/result.h"

/* An origin as browsers write it: lower case, no default port, no trailing slash ("https://app.example.com"). */
typedef struct {
    const char *text;
    const char *scheme; /* "http" or "https" */
    const char *host;   /* lower case; an IPv6 address without brackets */
    int port;           /* always set */
    bool loopback;      /* localhost, 127.0.0.0/8 or ::1 */
} sso_origin_t;

/* Takes scheme://host[:port][/]; userinfo, path, query, fragment, control bytes are refused. Returns NULL and a reason
 * for the administrator in *ret_why, or the origin in pool. */
const sso_origin_t *sso_origin_parse(apr_pool_t *pool, const char *text, const char **ret_why);

/* The rule for hosts we call: https, or http on loopback alone. A path is allowed when allow_path. Returns NULL when
 * good, else what is wrong. */
const char *sso_url_check_outbound(apr_pool_t *pool, const char *url, bool allow_path);
/* The rule for endpoints of the machine itself, as the platform's identity service: http or https, on loopback or a
 * link-local IPv4 address (169.254.0.0/16). Returns NULL when good, else what is wrong (static text). */
const char *sso_url_check_local(apr_pool_t *pool, const char *url, bool allow_path);

/* True when url has the same scheme, host and port as origin_url (both absolute). */
bool sso_url_same_origin(apr_pool_t *pool, const char *url, const char *origin_url);

/* SECURITY: the one gate for return targets. Gives target itself when it is a path, with an optional query,
 * of this site: one leading '/', next character neither '/' nor '\', no '\', no byte outside 0x21..0x7e, no fragment,
 * no dot segment (plain or encoded) that would lead the path to begin with "//", at most SSO_MAX_RETURN_PATH bytes.
 * An absolute URL of exactly this origin (origin->text) gives its path and query. Everything else gives "/". Too long:
 * the path alone when that fits, else "/". Never NULL. */
const char *sso_return_path(apr_pool_t *pool, const sso_origin_t *origin, const char *target);
