/* SPDX-License-Identifier: Apache-2.0 */
/* Files that take the place of others and outlive a power cut. */
#pragma once

#include <apr_pools.h>

/* Makes the file path, of mode 0600, with this text: as a whole and on the disk when this is good, not at all else.
 * What stands there already, a link too, is an error and stays. Gives 0, or errno. */
int sso_file_make(const char *path, const char *text);

/* Puts the names of the folder of path on the disk. Gives 0, or errno. */
int sso_file_sync_folder(apr_pool_t *pool, const char *path);
