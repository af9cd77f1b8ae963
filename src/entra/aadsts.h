/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explains Entra's errors to people: a plain sentence, what to do, who must act, and the administrator's
 * mend. It must never decide anything: AADSTS numbers change without notice, and programs branch on error and
 * suberror.
 */
#pragma once

#include <stddef.h>

/* Who must act, so that the trouble goes away. */
typedef enum {
    SSO_ACTOR_USER,  /* the person at the screen */
    SSO_ACTOR_ADMIN, /* an administrator, of the module, the registration or the tenant */
    SSO_ACTOR_RETRY  /* nobody: it passes; try again */
} sso_actor_t;

/* Plain ASCII, never NULL or empty. The sentence and the advice are for the page, the mend is for the log
 * only. */
typedef struct {
    unsigned code; /* AADSTS number; 0 in the rows of sso_aadsts_for_error() */
    sso_actor_t actor;
    const char *sentence;
    const char *advice;
    const char *mend;
} sso_aadsts_t;

/* All functions are pure and safe in any thread; all rows are constant and live as long as the program. */

/* Row for an AADSTS number, or NULL when the table has none. */
const sso_aadsts_t *sso_aadsts_find(unsigned code);

/*
 * The first AADSTS number in an error_description of Entra ("AADSTS50011: ..."), upper case as Entra writes
 * it; 0 when there is none, or when it has more than 9 digits. Reads at most len bytes; the text may come
 * from an attacker, may hold any bytes, NUL included, and need not be terminated. NULL is taken for no text.
 */
unsigned sso_aadsts_code_from(const char *text, size_t len);

/*
 * Row for the OAuth error value (access_denied, server_error ...), for where no number is known. Never NULL:
 * a general row for an unknown value, an empty one and NULL. The value is compared as it stands.
 */
const sso_aadsts_t *sso_aadsts_for_error(const char *error);
