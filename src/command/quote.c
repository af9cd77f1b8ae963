/* SPDX-License-Identifier: Apache-2.0 */
/* SECURITY: paths and scopes of a configuration become words of commands that an administrator runs as root. */
#include "command/quote.h"

#include <string.h>

#include <apr_strings.h>

#include "base/result.h"

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,-"

/* text between marks, with `instead` in the place of each of the marks that it holds itself. */
static const char *enclose(apr_pool_t *pool, const char *text, const char *const *marks, const char *const *instead)
{
    const char *out = "'";
    while (*text != '\0') {
        apr_size_t len = 1;
        int found = -1;
        for (int i = 0; marks[i] != NULL && found < 0; i++) {
            if (strncmp(text, marks[i], strlen(marks[i])) == 0) {
                found = i;
                len = strlen(marks[i]);
            }
        }
        out = apr_pstrcat(pool, out, found < 0 ? apr_pstrmemdup(pool, text, len) : instead[found], NULL);
        text += len;
    }
    return apr_pstrcat(pool, out, "'", NULL);
}

const char *sso_quote_shell(apr_pool_t *pool, const char *text)
{
    static const char *const marks[] = {"'", NULL};
    static const char *const instead[] = {"'\\''"};
    return *text != '\0' && text[strspn(text, PLAIN)] == '\0' ? text : enclose(pool, text, marks, instead);
}

/* PowerShell takes the typographic quotes for the straight one, and a doubled one of any kind for itself. */
const char *sso_quote_powershell(apr_pool_t *pool, const char *text)
{
    static const char *const marks[] = {"'", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9a", "\xe2\x80\x9b", NULL};
    static const char *const instead[] = {"''", "\xe2\x80\x98\xe2\x80\x98", "\xe2\x80\x99\xe2\x80\x99",
                                          "\xe2\x80\x9a\xe2\x80\x9a", "\xe2\x80\x9b\xe2\x80\x9b"};
    return enclose(pool, text, marks, instead);
}

const char *sso_quote_comment(apr_pool_t *pool, const char *text)
{
    /* Also the ends of line that only some take for one. */
    return sso_printable(pool, text);
}
