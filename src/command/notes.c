/* SPDX-License-Identifier: Apache-2.0 */
/* The table is made from docs/messages.notes when the program is built, so the manual and the command say the same. */
#include "command/notes.h"

#include <string.h>

#include <apr_strings.h>

static const sso_note_t rows[] = {
#define NOTE(number, level, text, meaning, mend) {number, level, text, meaning, mend},
#include "command/notes.def"
#undef NOTE
};

#define REFERENCE "As ENTRA"
/* Notes refer to notes that stand for themselves; the bound is for a mistake in them. */
#define LONGEST_CHAIN 4

const sso_note_t *sso_note_find(int number)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].number == number) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *sso_note_mend(apr_pool_t *pool, int number)
{
    const char *rest = "";
    const sso_note_t *note = sso_note_find(number);
    for (int i = 0; i < LONGEST_CHAIN && note != NULL && strncmp(note->mend, REFERENCE, strlen(REFERENCE)) == 0; i++) {
        const char *digits = note->mend + strlen(REFERENCE);
        const sso_note_t *other = sso_note_find((int)apr_atoi64(digits));
        if (other == NULL) {
            break;
        }
        const char *end = digits + strspn(digits, "0123456789");
        end += strspn(end, ".");
        rest = apr_pstrcat(pool, end, rest, NULL);
        note = other;
    }
    return note == NULL ? "Read the detail of this line." : apr_pstrcat(pool, note->mend, rest, NULL);
}
