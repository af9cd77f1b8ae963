/* SPDX-License-Identifier: Apache-2.0 */
/* The module's cookies as text: names, chunks, Set-Cookie lines, and the one scan of a Cookie header. Strings in,
 * strings out. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"

/* Names and attributes for one application. Immutable. */
typedef struct {
    const char *session; /* __Host-Entra-Session; __Secure- with a domain; no prefix on plain loopback */
    const char *login;   /* __Host-Entra-Login; no prefix on plain loopback. Never has a domain */
    const char *domain;  /* EntraCookieDomain, or NULL for host-only */
    bool secure;
} sso_cookie_policy_t;

/* The policy for a public origin of that scheme and an optional parent domain. */
void sso_cookie_policy_init(apr_pool_t *pool, bool https, const char *domain, sso_cookie_policy_t *ret_policy);

/* What one scan of the Cookie header found. */
typedef struct {
    const char *session; /* sealed text, chunks joined; NULL when there is none or the chunks do not fit */
    apr_size_t session_len;
    const char *login;      /* NULL when there is none */
    unsigned session_parts; /* bit i set: chunk i was sent; bit 0 is the unnumbered cookie */
    bool broken;            /* session parts were there but did not fit together */
    const char *rest;       /* the header without the module's cookies, of whatever prefix; NULL when nothing is left.
                               The header itself when none of them was in it */
} sso_cookies_t;

/* Scans header (NULL is an empty one). Never fails: what is malformed is no cookie of ours. */
void sso_cookie_read(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *header,
                     sso_cookies_t *ret_cookies);

/* Adds the Set-Cookie values for a sealed session to lines (const char *), and expiries for chunks of an older, larger
 * one (sent_parts as of sso_cookies_t). False when the text needs more than SSO_MAX_COOKIE_CHUNKS. */
bool sso_cookie_set_session(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *sealed,
                            unsigned sent_parts, apr_array_header_t *lines);
/* Adds the Set-Cookie values that end the session's cookies that were sent. */
void sso_cookie_end_session(apr_pool_t *pool, const sso_cookie_policy_t *policy, unsigned sent_parts,
                            apr_array_header_t *lines);
void sso_cookie_set_login(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *sealed,
                          apr_array_header_t *lines);
void sso_cookie_end_login(apr_pool_t *pool, const sso_cookie_policy_t *policy, apr_array_header_t *lines);
