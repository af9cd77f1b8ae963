/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing without case: the one rule for key columns and filters. It never asks the locale or the database, so that
 * SQLite, PostgreSQL and every node agree.
 *
 * The fold gives the small letter for each capital of Latin (ASCII, Latin-1, Extended-A, Extended Additional), Greek,
 * Cyrillic and Armenian, by the simple case folding of Unicode 15 (CaseFolding.txt, status C), and the final sigma as
 * the other one. All else stays as it is; bytes that are no UTF-8 too. Nothing is composed, decomposed or trimmed.
 *
 * SECURITY: letters that only look like another one (Kelvin sign, long s, full width, dotless and dotted i) are not
 * folded onto ASCII, so that nobody's userName becomes equal to another's by them. A change of this rule is a migration
 * of every key column. */
#pragma once

#include <apr_pools.h>

#include "base/result.h"

/* The folded text, in pool; text itself when nothing changes. NULL for NULL. As long as text at most, in bytes. */
const char *sso_fold(apr_pool_t *pool, const char *text);
/* True when both fold to the same; allocates nothing. */
bool sso_fold_equal(const char *a, const char *b);
