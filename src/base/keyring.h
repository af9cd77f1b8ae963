/* SPDX-License-Identifier: Apache-2.0 */
/* The key file of cookies as it lies on disk. */
#pragma once

#include "base/result.h"

/* The file's text in pool, wiped with it. It must be a regular file of the effective user, with no bits for group and
 * others, no link, at most SSO_MAX_KEYFILE bytes without NUL. Errors: SSO_R_KEYFILE_MISSING, _ACCESS, _MODE, _FORMAT.
 */
sso_rc sso_keyring_read(sso_ctx_t *ctx, apr_pool_t *pool, const char *path, const char **ret_text) SSO_MUST_USE;

/* Makes the file with one new key if there is none: written aside with mode 0600 and linked into place, so that
 * of two makers one wins and both read the same. *ret_made tells whether this call made it. */
sso_rc sso_keyring_make(sso_ctx_t *ctx, const char *path, bool *ret_made) SSO_MUST_USE;
