/* SPDX-License-Identifier: Apache-2.0 */
/* Parsers of directives that take a list of words: as all parsers of httpd/directives.c. */
#pragma once

#include "httpd/config.h"

/* Tenant GUIDs, or any. */
const char *sso_words_tenants(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* Scopes, or none. */
const char *sso_words_scopes(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* Audiences of access tokens, or off. */
const char *sso_words_audiences(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* An object id, then audiences. */
const char *sso_words_federated(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* One of two words: choice 0 or 1. */
const char *sso_words_group_source(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
const char *sso_words_match(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
/* Scopes of one resource, or off. */
const char *sso_words_api(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value);
