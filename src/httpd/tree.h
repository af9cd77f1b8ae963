/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as httpd read it: which directive stands where. While it is checked. */
#pragma once

#include <httpd.h>
#include <http_config.h>

#include "base/result.h"

/* The next directive in the order of reading; NULL at the end. */
const ap_directive_t *sso_tree_next(const ap_directive_t *at);
/* True for AuthType Entra. */
bool sso_tree_is_entra(apr_pool_t *pool, const ap_directive_t *directive);
/* The virtual host around a directive; NULL: the main server, from which all inherit. */
const server_rec *sso_tree_server(const ap_directive_t *directive, const server_rec *main_server);
