/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of an application: what the SCIM service of its virtual host is. */
#include "build_config.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "directory/attribute.h"
#include "directory/schemas.h"
#include "httpd/draft.h"

static sso_scim_extension_t *extension_of(apr_pool_t *pool, apr_array_header_t *extensions, const char *urn)
{
    for (int i = 0; i < extensions->nelts; i++) {
        sso_scim_extension_t *known = &APR_ARRAY_IDX(extensions, i, sso_scim_extension_t);
        if (apr_cstr_casecmp(known->urn, urn) == 0) {
            return known;
        }
    }
    sso_scim_extension_t *extension = &APR_ARRAY_PUSH(extensions, sso_scim_extension_t);
    *extension = (sso_scim_extension_t){urn, apr_array_make(pool, 2, sizeof(const char *))};
    return extension;
}

/* What the configuration reads of extensions that no schema describes. An attribute that is none was complained of
 * before. */
static apr_array_header_t *extensions_read(draft_t *draft)
{
    const apr_array_header_t *attributes = draft->site->directory.attributes;
    apr_array_header_t *extensions = apr_array_make(draft->pool, 2, sizeof(sso_scim_extension_t));
    for (int i = 0; i < attributes->nelts; i++) {
        const char *text = sso_text_at(attributes, i) + strlen(SSO_DIRECTORY_PREFIX);
        sso_attribute_name_t name;
        if (sso_attribute_parse(draft->pool, SSO_SCIM_USER, text, strlen(text), &name) && name.name != NULL &&
            name.urn != NULL && name.attribute == NULL) {
            APR_ARRAY_PUSH(extension_of(draft->pool, extensions, name.urn)->names, const char *) = name.name;
        }
    }
    return extensions;
}

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
    scim->extensions = extensions_read(draft);
    site->scim = scim;
}
