/* SPDX-License-Identifier: Apache-2.0 */
/* What a number means, as text. */
#pragma once

#include <apr_pools.h>

/* Explains "AADSTS50011", "50011", "ENTRA1321", "1321" or "invalid_client", in any case of its letters: text of some
 * lines in pool. NULL when it is not known, with a sentence in *ret_missing. */
const char *sso_meaning(apr_pool_t *pool, const char *word, const char **ret_missing);
