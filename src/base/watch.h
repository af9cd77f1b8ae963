/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a file was changed since one looked last. Never opens it. */
#pragma once

#include <sys/stat.h>

#include <stdbool.h>

/* One file. Zero all but the path: then the first look says changed. */
typedef struct {
    const char *path;
    bool looked;
    bool missing;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, altered; /* altered: also by chmod and chown */
} sso_watch_t;

/* True when size, times, place or presence differ from the last look, which this look replaces. Look first and read
 * then: what is written in between is seen by the next look. Links are followed. */
bool sso_watch_changed(sso_watch_t *watch);
