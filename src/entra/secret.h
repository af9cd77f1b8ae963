/* SPDX-License-Identifier: Apache-2.0 */
/* Secret sources: where an administrator says that a secret stands. Never for data from outside. */
#pragma once

#include "base/result.h"

/* Reads a secret source: file:PATH, exec:COMMAND, env:NAME, credential:NAME, or the value itself. Surrounding white
 * space is cut. *ret_literal tells that the value itself stood there (worth a warning). Errors: SSO_R_SECRET_*. The
 * secret is in pool and wiped with it. Only while the configuration is read: it may start a program and wait for it. */
sso_rc sso_secret_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *source, const char **ret_secret,
                       bool *ret_literal) SSO_MUST_USE;

/* The file behind file:PATH or credential:NAME, which may be read again while httpd runs; NULL for every other source,
 * as an environment does not change and a command is run once. Only while the configuration is read. */
const char *sso_secret_path(apr_pool_t *pool, const char *source);

/* The content of a regular file of at most SSO_MAX_SECRET bytes, surrounding white space cut. may_be_public: the world
 * may read it (a platform's token file), else SSO_R_SECRET_MODE. Other errors: SSO_R_SECRET_SOURCE, SSO_R_SECRET_EMPTY
 * (also for control characters inside). In pool and wiped with it. Does not block on pipes and devices. */
sso_rc sso_secret_file(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, bool may_be_public,
                       const char **ret_secret) SSO_MUST_USE;

/* The same for a PEM file, which has lines. may_be_public for a certificate, not for its key. */
sso_rc sso_pem_file(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, bool may_be_public,
                    const char **ret_pem) SSO_MUST_USE;
