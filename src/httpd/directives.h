/* SPDX-License-Identifier: Apache-2.0 */
/* The command table and the parsers of the kinds of values. A setter only parses and stores. */
#pragma once

#include "httpd/config.h"

extern const command_rec sso_directives[];

/* Fills values with the options' defaults, read by the same parsers. */
void sso_defaults_server(apr_pool_t *pool, sso_value_t *values);
void sso_defaults_dir(apr_pool_t *pool, sso_value_t *values);

/* Names for messages and the dump. Static storage. */
const char *sso_server_directive(sso_server_option_t option);
const char *sso_dir_directive(sso_dir_option_t option);
