/* SPDX-License-Identifier: Apache-2.0 */
/* What a number of Entra's or of ours means, who must act, and what to do. */
#include "command/meaning.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/result.h"
#include "command/notes.h"
#include "entra/aadsts.h"

#define PAGE_OF_ENTRA "https://login.microsoftonline.com/error?code="
/* Entra's numbers have five digits and more, ours four. */
#define OURS_MAX 9999

static const char *actor_print(sso_actor_t actor)
{
    switch (actor) {
    case SSO_ACTOR_USER:
        return "the person who signs in";
    case SSO_ACTOR_ADMIN:
        return "an administrator";
    case SSO_ACTOR_RETRY:
        break;
    }
    return "nobody: it passes";
}

static const char *entra_print(apr_pool_t *pool, const char *name, const sso_aadsts_t *row)
{
    const char *page = row->code == 0 ? "" : apr_psprintf(pool, "  at Entra:    " PAGE_OF_ENTRA "%u\n", row->code);
    return apr_psprintf(pool,
                        "%s\n"
                        "  meaning:     %s\n"
                        "  who acts:    %s\n"
                        "  the person:  %s\n"
                        "  what to do:  %s\n"
                        "%s",
                        name, row->sentence, actor_print(row->actor), row->advice, row->mend, page);
}

static const char *ours_print(apr_pool_t *pool, const sso_note_t *note)
{
    return apr_psprintf(pool,
                        "ENTRA%04d\n"
                        "  log line:    %s (level %s)\n"
                        "  meaning:     %s\n"
                        "  what to do:  %s\n",
                        note->number, note->text, note->level, note->meaning, sso_note_mend(pool, note->number));
}

static const char *number_explain(apr_pool_t *pool, const char *prefix, int64_t number, const char **ret_missing)
{
    bool ours = apr_cstr_casecmp(prefix, "ENTRA") == 0 || (*prefix == '\0' && number <= OURS_MAX);
    const sso_note_t *note = ours ? sso_note_find((int)number) : NULL;
    const sso_aadsts_t *row = ours ? NULL : sso_aadsts_find((unsigned)number);
    if (note != NULL) {
        return ours_print(pool, note);
    }
    if (row != NULL) {
        return entra_print(pool, apr_psprintf(pool, "AADSTS%u", row->code), row);
    }
    *ret_missing =
        ours ? apr_psprintf(pool, "ENTRA%04d is no number of this version; see docs/messages.md", (int)number)
             : apr_psprintf(pool,
                            "AADSTS%d is not in the table of this version; Entra explains it at " PAGE_OF_ENTRA "%d",
                            (int)number, (int)number);
    return NULL;
}

const char *sso_meaning(apr_pool_t *pool, const char *word, const char **ret_missing)
{
    apr_size_t letters = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");
    const char *prefix = apr_pstrmemdup(pool, word, letters);
    const char *digits = word + letters;
    bool known = letters == 0 || apr_cstr_casecmp(prefix, "AADSTS") == 0 || apr_cstr_casecmp(prefix, "ENTRA") == 0;
    /* Nine digits at most, so that it fits everywhere. */
    if (known && *digits != '\0' && strlen(digits) <= 9 && digits[strspn(digits, "0123456789")] == '\0') {
        return number_explain(pool, prefix, apr_atoi64(digits), ret_missing);
    }
    const sso_aadsts_t *row = *digits == '\0' ? sso_aadsts_for_error(word) : NULL;
    if (row != NULL && row != sso_aadsts_for_error(NULL)) {
        return entra_print(pool, word, row);
    }
    *ret_missing =
        apr_psprintf(pool,
                     "'%s' is no number; write one like AADSTS50011, a number of the error log, or an error like "
                     "invalid_client",
                     sso_printable(pool, word));
    return NULL;
}
