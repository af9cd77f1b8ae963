/* SPDX-License-Identifier: Apache-2.0 */
/* Endings that the database does not know yet, carried over a stop of httpd; the rules are in session/unwritten.c. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* In post_config, once there are tables: takes in what the last stop left, and sees to it that this configuration's end
 * leaves the same. */
void sso_carry_begin(apr_pool_t *pconf, server_rec *main_server);

/* The hook monitor: keeps the files as the tables are, for the day on which nobody can do it at the end. */
int sso_carry_monitor(apr_pool_t *pconf, server_rec *main_server);
