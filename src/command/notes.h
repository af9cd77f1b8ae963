/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of docs/messages.md, at hand: what a number of ours means, and what to do. */
#pragma once

#include <apr_pools.h>

typedef struct {
    int number;
    const char *level; /* of the log */
    const char *text;  /* as it is logged, without what changes */
    const char *meaning;
    const char *mend;
} sso_note_t;

/* NULL when there is no such number. Static storage. */
const sso_note_t *sso_note_find(int number);

/* What to do about it, in pool; where the note refers to another ("As ENTRA1020."), that one's words. Never NULL. */
const char *sso_note_mend(apr_pool_t *pool, int number);
