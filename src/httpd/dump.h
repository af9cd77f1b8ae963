/* SPDX-License-Identifier: Apache-2.0 */
/* The effective configuration, shown: to people, and to the command entra-sso. */
#pragma once

#include <httpd.h>

/* test_config hook: with -D DUMP_ENTRA prints the effective configuration of each virtual host, without secrets; with
 * -D DUMP_ENTRA_DATABASE lines for entra-sso (command/description.h), in which the password of a database is not
 * masked. */
void sso_config_dump(apr_pool_t *pconf, server_rec *main_server);
