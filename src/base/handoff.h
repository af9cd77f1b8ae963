/* SPDX-License-Identifier: Apache-2.0 */
/* A few bytes that one process hands to many through shared memory, again and again: what only root may read reaches
 * workers that are not root. One writer, any number of readers, no lock. */
#pragma once

#include <stdint.h>

#include <apr_pools.h>
#include <stdbool.h>

/* Zeroed shared memory is valid: nothing was handed yet. */
typedef struct sso_handoff_t sso_handoff_t;

/* Bytes of shared memory for one. */
apr_size_t sso_handoff_size(void);
/* The writer, always the same one: replaces what was handed, wipes it, and takes the readers' note back. False when len
 * is nothing or more than SSO_MAX_HANDED. */
bool sso_handoff_give(sso_handoff_t *handoff, const void *data, apr_size_t len);
/* The writer: nothing is handed any more, and what was is wiped. */
void sso_handoff_clear(sso_handoff_t *handoff);

/* A number that changes with each giving; 0: nothing was ever handed. One relaxed load, for those who look often. */
uint32_t sso_handoff_generation(const sso_handoff_t *handoff);
/* A whole copy in pool, a NUL behind its end, wiped with it. False when nothing is handed. */
bool sso_handoff_take(const sso_handoff_t *handoff, apr_pool_t *pool, const unsigned char **ret_data,
                      apr_size_t *ret_len, uint32_t *ret_generation);

/* One number that readers may leave for the writer and for each other: a hint, nothing to be trusted. 0 at first and
 * after each giving. */
void sso_handoff_note(sso_handoff_t *handoff, int64_t note);
int64_t sso_handoff_noted(const sso_handoff_t *handoff);
