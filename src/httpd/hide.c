/* SPDX-License-Identifier: Apache-2.0 */
/* Works on the text of the request line, since a request that was refused early may have nothing else. */
#include "build_config.h"

#include "httpd/hide.h"

#include <stdbool.h>
#include <string.h>

#include <http_main.h>

#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/site.h"

static const char *before_query(apr_pool_t *pool, const char *text)
{
    return text == NULL ? NULL : apr_pstrmemdup(pool, text, strcspn(text, "?"));
}

/* "GET /path?query HTTP/1.1" without the query; the protocol stays where there is one. */
static const char *line_without_query(apr_pool_t *pool, const char *line)
{
    const char *query = strchr(line, '?');
    const char *protocol = query == NULL ? NULL : strrchr(query, ' ');
    return apr_pstrcat(pool, before_query(pool, line), protocol == NULL ? "" : protocol, NULL);
}

/* SECURITY: whatever a log format, a status page or another module could print of a request. */
const char *sso_hide_query(request_rec *r)
{
    const char *query = r->args;
    r->args = NULL;
    r->parsed_uri.query = NULL;
    r->unparsed_uri = (char *)(apr_uintptr_t)before_query(r->pool, r->unparsed_uri);
    if (r->the_request != NULL) {
        r->the_request = (char *)(apr_uintptr_t)line_without_query(r->pool, r->the_request);
    }
    return query;
}

/* True when the text has the EntraPath of a virtual host in it, with something below. */
static bool names_endpoint(const char *text)
{
    for (const server_rec *s = ap_server_conf; s != NULL; s = s->next) {
        const sso_server_config_t *config = sso_config_server(s);
        const char *path = config == NULL || config->site == NULL ? NULL : config->site->site.path;
        const char *found = path == NULL ? NULL : strstr(text, path);
        if (found != NULL && found[strlen(path)] == '/') {
            return true;
        }
    }
    return false;
}

void sso_hide_refused(request_rec *r)
{
    if (r->the_request != NULL && strchr(r->the_request, '?') != NULL &&
        names_endpoint(before_query(r->pool, r->the_request))) {
        (void)sso_hide_query(r);
    }
}
