/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of an application: what the SCIM service of its virtual host is. */
#include "build_config.h"

#include <apr_strings.h>

#include "httpd/draft.h"

void sso_draft_directory(sso_draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    sso_scim_t *scim = &draft->site->scim;
    if (get(draft, SSO_SERVER_SCIM)->choice == 0) {
        return;
    }
    scim->app = site->app;
    /* SECURITY: of the configuration, and not of the Host that a client sends. */
    scim->base = apr_pstrcat(draft->pool, site->origin->text, site->path, "/" SSO_SCIM_PATH, NULL);
    scim->match = draft->site->directory.match;
    scim->federated = draft->site->directory.federated;
    scim->binding = site->session.binding;
    site->scim = scim;
}
