/* SPDX-License-Identifier: Apache-2.0 */
/* The access decision. It reads headers only to choose between a redirect and a 401; both are refusals. */
#include "flow/access.h"

#include <string.h>

static bool accepts_html(const char *accept)
{
    return strstr(accept, "text/html") != NULL || strstr(accept, "application/xhtml+xml") != NULL;
}

/* What a browser opens as a page or shows in a frame of one. */
static bool is_document(const sso_request_t *request)
{
    static const char *const DOCUMENTS[] = {"document", "iframe", "frame", "embed", "object"};
    for (size_t i = 0; i < sizeof(DOCUMENTS) / sizeof(DOCUMENTS[0]); i++) {
        if (sso_request_header_is(request, "Sec-Fetch-Dest", DOCUMENTS[i])) {
            return true;
        }
    }
    return false;
}

/* What a link or a form sends. A WebDAV client may accept HTML as well, and a redirect would be no answer to it. */
static bool has_page_method(const sso_request_t *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0 ||
           strcmp(request->method, "POST") == 0;
}

bool sso_request_is_navigation(const sso_request_t *request)
{
    if (*sso_request_header(request, "X-Requested-With") != '\0' || *sso_request_header(request, "Upgrade") != '\0' ||
        *sso_request_header(request, "Service-Worker") != '\0' || !has_page_method(request)) {
        return false;
    }
    if (*sso_request_header(request, "Sec-Fetch-Mode") != '\0') {
        return sso_request_header_is(request, "Sec-Fetch-Mode", "navigate");
    }
    if (*sso_request_header(request, "Sec-Fetch-Dest") != '\0') {
        return is_document(request);
    }
    return accepts_html(sso_request_header(request, "Accept"));
}

sso_access_t sso_access_decide(const sso_request_t *request, sso_unauthenticated_t mode, bool has_session)
{
    if (has_session) {
        return SSO_ACCESS_GO_ON;
    }
    switch (mode) {
    case SSO_UNAUTH_LOGIN:
        return SSO_ACCESS_SIGN_IN;
    case SSO_UNAUTH_401:
    case SSO_UNAUTH_PASS:
        return SSO_ACCESS_CHALLENGE;
    case SSO_UNAUTH_403:
        return SSO_ACCESS_FORBID;
    case SSO_UNAUTH_AUTO:
        break;
    }
    return sso_request_is_navigation(request) ? SSO_ACCESS_SIGN_IN : SSO_ACCESS_CHALLENGE;
}

const char *sso_access_page_path(apr_pool_t *pool, const sso_site_t *site, const sso_request_t *request)
{
    const char *referer = sso_request_header(request, "Referer");
    /* A Referer is an absolute URL; a bare path would be somebody's invention. */
    return *referer == '/' ? "/" : sso_return_path(pool, site->origin, referer);
}

const char *sso_access_return_path(apr_pool_t *pool, const sso_site_t *site, const sso_request_t *request)
{
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) {
        return sso_return_path(pool, site->origin, request->path);
    }
    return sso_access_page_path(pool, site, request);
}
