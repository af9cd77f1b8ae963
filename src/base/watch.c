/* SPDX-License-Identifier: Apache-2.0 */
/* One stat(2) against the one before. */
#include "base/watch.h"

static bool same_moment(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool sso_watch_changed(sso_watch_t *watch)
{
    struct stat now;
    const sso_watch_t last = *watch;
    watch->looked = true;
    watch->missing = stat(watch->path, &now) != 0;
    if (watch->missing) {
        return !last.looked || !last.missing;
    }
    watch->device = now.st_dev;
    watch->inode = now.st_ino;
    watch->size = now.st_size;
    watch->modified = now.st_mtim;
    watch->altered = now.st_ctim;
    return !last.looked || last.missing || last.device != now.st_dev || last.inode != now.st_ino ||
           last.size != now.st_size || !same_moment(&last.modified, &now.st_mtim) ||
           !same_moment(&last.altered, &now.st_ctim);
}
