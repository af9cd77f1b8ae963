/* SPDX-License-Identifier: Apache-2.0 */
/* A PEM bundle of CAs for outbound TLS, looked at before it is needed. */
#pragma once

#include <apr_pools.h>

/* NULL when path is a file that everyone may read (httpd's children are not root) and that begins with a certificate;
 * else what is wrong, in pool. *ret_count: how many certificates it has. */
const char *sso_bundle_check(apr_pool_t *pool, const char *path, int *ret_count);
