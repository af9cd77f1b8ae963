/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor of a list (RFC 9865): sealed, so that nobody makes one up, and of unreserved characters. */
#pragma once

#include "directory/scim.h"

/* Behind which resource the next page begins. */
typedef struct {
    apr_time_t created;
    const char *id;
    apr_time_t issued; /* set by sealing */
} sso_cursor_t;

/* digest: of the question; a cursor is good for this one alone. Errors: those of sealing. */
sso_rc sso_cursor_seal(sso_ctx_t *ctx, const sso_scim_t *scim, const char *digest, const sso_cursor_t *cursor,
                       const char **ret_text) SSO_MUST_USE;
/* SSO_R_SCIM_CURSOR, SSO_R_SCIM_CURSOR_OVER. */
sso_rc sso_cursor_open(sso_ctx_t *ctx, const sso_scim_t *scim, const char *digest, const char *text,
                       sso_cursor_t *ret_cursor) SSO_MUST_USE;
