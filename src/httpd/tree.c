/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the tree of directives. It may be deep, so nothing here recurs. */
#include "build_config.h"

#include "httpd/tree.h"

#include <string.h>

#include <apr_cstr.h>

bool sso_tree_is_entra(apr_pool_t *pool, const ap_directive_t *directive)
{
    if (apr_cstr_casecmp(directive->directive, "AuthType") != 0) {
        return false;
    }
    const char *args = directive->args;
    return apr_cstr_casecmp(ap_getword_conf(pool, &args), "Entra") == 0;
}

const server_rec *sso_tree_server(const ap_directive_t *directive, const server_rec *main_server)
{
    const ap_directive_t *at = directive;
    while (at != NULL && apr_cstr_casecmp(at->directive, "<VirtualHost") != 0) {
        at = at->parent;
    }
    for (const server_rec *s = main_server->next; at != NULL && s != NULL; s = s->next) {
        if (s->defn_line_number == (unsigned)at->line_num && s->defn_name != NULL &&
            strcmp(s->defn_name, at->filename) == 0) {
            return s;
        }
    }
    return NULL;
}

const ap_directive_t *sso_tree_next(const ap_directive_t *at)
{
    if (at->first_child != NULL) {
        return at->first_child;
    }
    while (at != NULL && at->next == NULL) {
        at = at->parent;
    }
    return at == NULL ? NULL : at->next;
}
