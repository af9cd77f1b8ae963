/* SPDX-License-Identifier: Apache-2.0 */
/* Endings that the store does not know yet, in a file: so that an ended session stays ended when httpd is stopped while
 * the store is away. For the parent process alone. */
#pragma once

#include "session/ended.h"

/* The file holds the pending entries of the table, or is gone when there are none. Replaced as a whole, of mode 0600,
 * on the disk when this is good. SSO_R_UNWRITTEN_FILE. */
sso_rc sso_unwritten_save(sso_ctx_t *ctx, sso_ended_t *ended, const char *path) SSO_MUST_USE;

/* Takes what the file holds into the table, as pending; a missing file holds nothing. ret_taken: how many.
 * SSO_R_UNWRITTEN_FILE for a file that is not the effective user's own, or has a line that is none of ours; the lines
 * before and after it are taken all the same. */
sso_rc sso_unwritten_read(sso_ctx_t *ctx, sso_ended_t *ended, const char *path, int *ret_taken) SSO_MUST_USE;
