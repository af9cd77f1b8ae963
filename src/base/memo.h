/* SPDX-License-Identifier: Apache-2.0 */
/* What one process remembers for a while, by the hash of what it cost to find out. Of fixed size: what is new takes the
 * place of what would end soonest. Neither looking nor remembering ever waits. */
#pragma once

#include <stdint.h>

#include "base/crypto.h"
#include "base/result.h"

typedef struct sso_memo_t sso_memo_t;

/* Bytes of memory for one whose entries hold up to so many bytes each. */
apr_size_t sso_memo_size(apr_size_t bytes);
/* An empty one in that much zeroed memory, aligned for any type. */
sso_memo_t *sso_memo_init(void *memory, apr_size_t bytes);

/* A copy in pool of what is remembered under key with this stamp, and does not end at now or before. False: nothing, or
 * somebody is writing there at this moment. */
bool sso_memo_get(const sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp,
                  apr_time_t now, apr_pool_t *pool, const unsigned char **ret_data, apr_size_t *ret_len);

/* Remembers data until then. More than an entry holds, or a place where another thread is writing, is left. What stood
 * there before is overwritten to its end. */
void sso_memo_put(sso_memo_t *memo, const unsigned char key[static SSO_SHA256_BYTES], uint32_t stamp, apr_time_t now,
                  apr_time_t until, const unsigned char *data, apr_size_t len);
