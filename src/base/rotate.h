/* SPDX-License-Identifier: Apache-2.0 */
/* A new key in the key file of cookies. For the command entra-sso: nothing that serves requests changes the file. */
#pragma once

#include "base/result.h"

/* What a rotation did. */
typedef struct {
    const char *id;    /* of the new key, 8 hexadecimal digits */
    bool was_prepared; /* it stood at the end of the file before */
    int kept;          /* keys that only open from now on */
    int dropped;
} sso_rotation_t;

/* Puts a new key in front, or the one that was prepared; those that have not sealed for longer than `keep` go. The file
 * is replaced as a whole, with mode 0600, and is on the disk when this is good. Two at once: one is refused. Errors:
 * SSO_R_KEYFILE_*, SSO_R_KEYFILE_BUSY, SSO_R_KEYFILE_FULL, SSO_R_RANDOM. */
sso_rc sso_keyfile_rotate(sso_ctx_t *ctx, const char *path, apr_interval_time_t keep,
                          sso_rotation_t *ret_rotation) SSO_MUST_USE;
/* Puts a new key at the end, where it opens and does not seal, until a rotation puts it in front: for several nodes, of
 * which none may seal with a key that another does not have. Does nothing but give its id when one is there. */
sso_rc sso_keyfile_prepare(sso_ctx_t *ctx, const char *path, sso_rotation_t *ret_rotation) SSO_MUST_USE;

/* The file's text, once it was found good; wiped with ctx->pool. */
sso_rc sso_keyfile_text(sso_ctx_t *ctx, const char *path, const char **ret_text) SSO_MUST_USE;
