/* SPDX-License-Identifier: Apache-2.0 */
/* The record of the cookie that a connection brought last: for the same cookie it is given again instead of being
 * opened once more. It says what is in the cookie and nothing else; whether that still counts is asked of every
 * request.
 */
#pragma once

#include <stdbool.h>

#include "session/record.h"

/* One place. Begins as {.pool = pool}. For one thread at a time; takes no lock. */
typedef struct {
    apr_pool_t *pool;     /* lives as long as the place */
    const void *whose;    /* for which application it was opened, by an address */
    const void *keys;     /* with which keys, of sso_keyring_moment */
    unsigned char *bytes; /* the cookie's text, then what the record points to; wiped with the pool */
    apr_size_t size;      /* of bytes */
    apr_size_t text_len;  /* 0: nothing is remembered */
    apr_size_t room;      /* of what the record points to */
    sso_record_t record;
} sso_opened_t;

/* The record that the cookie of this text was opened to, for the same application and with these keys; in ctx->pool.
 * False: it is to be opened. */
bool sso_opened_get(const sso_opened_t *opened, sso_ctx_t *ctx, const void *whose, const void *keys, const char *text,
                    apr_size_t len, sso_record_t *ret_record);
/* Remembers copies in the place of what was there, which is wiped. What is larger than SSO_MAX_OPENED is not. */
void sso_opened_set(sso_opened_t *opened, const void *whose, const void *keys, const char *text, apr_size_t len,
                    const sso_record_t *record);
