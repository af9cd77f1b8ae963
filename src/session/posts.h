/* SPDX-License-Identifier: Apache-2.0 */
/* Forms that wait in the store for a sign-in: sealed, a few of each user, given out once. Every SQL statement of them
 * is in posts.c. Knows nothing of what is sealed. */
#pragma once

#include "session/store.h"

/* Texts are never NULL. */
typedef struct {
    unsigned char id[SSO_SESSION_ID_BYTES]; /* random */
    const char *app;                        /* as of sso_stored_t */
    const char *tid;
    const char *oid;
} sso_post_key_t;

/* All errors as those of session/store.h, SSO_R_STORE_TEXT and SSO_R_STORE_ROW among them. */

/* Keeps a sealed text until then. *ret_kept is false, and nothing is kept, when this user has sent as many as one may
 * (those that came back count until their time is over), or when there is no room for more. Two nodes that ask at one
 * moment may both get the last place. */
sso_rc sso_posts_add(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char *sealed,
                     apr_time_t until, bool *ret_kept) SSO_MUST_USE;
/* Gives it out, and deletes it in the same transaction: of all who ask, on all nodes, one gets it. *ret_sealed is NULL
 * when there is none for this application and user. In ctx->pool. */
sso_rc sso_posts_take(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key,
                      const char **ret_sealed) SSO_MUST_USE;
/* Deletes it when it is of another user of the application than the key's: then *ret_dropped. */
sso_rc sso_posts_drop_foreign(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key,
                              bool *ret_dropped) SSO_MUST_USE;
/* Deletes those whose time is over. */
sso_rc sso_posts_purge(sso_ctx_t *ctx, sso_store_t *store) SSO_MUST_USE;
