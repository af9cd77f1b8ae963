/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of values of the option table (httpd/directives.c) that name files and credentials, and sizes. */
#pragma once

#include "httpd/config.h"

/* Each reads argc words into value. NULL when they are good, else what is wrong with them. */
const char *sso_parse_secret(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
const char *sso_parse_files(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
const char *sso_parse_certificate(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
const char *sso_parse_assertion(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* EntraDatabase; its words may stand without quotes around all of them. The password is left out of what is shown. */
const char *sso_parse_database(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* Bytes in size; choice is 1 for "off". */
const char *sso_parse_size(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* EntraAuditLog: a file, made absolute, or "|" and a program; choice is 1 for "none". */
const char *sso_parse_audit(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
