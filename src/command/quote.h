/* SPDX-License-Identifier: Apache-2.0 */
/* Text as one word of a command line that somebody copies. */
#pragma once

#include <apr_pools.h>

/* One word for a POSIX shell, whatever the text holds (no NUL). */
const char *sso_quote_shell(apr_pool_t *pool, const char *text);
/* One literal string for PowerShell. */
const char *sso_quote_powershell(apr_pool_t *pool, const char *text);
/* For a comment of either, in printable ASCII: no end of line in it. */
const char *sso_quote_comment(apr_pool_t *pool, const char *text);
