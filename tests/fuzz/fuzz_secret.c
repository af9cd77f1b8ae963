/* SPDX-License-Identifier: Apache-2.0 */
/* A file with a secret or with PEM. Invariants: what is given has no control character but a PEM's lines, no white
 * space around it, and is no longer than the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entra/secret.h"

#include "fuzz.h"

/* A file of its owner alone, in memory. */
static const char *write_file(const uint8_t *data, size_t len)
{
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("secret", MFD_CLOEXEC);
        fuzz_check(file >= 0 && fchmod(file, 0600) == 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    fuzz_check(ftruncate(file, 0) == 0 && pwrite(file, data, len, 0) == (ssize_t)len);
    return path;
}

FUZZ_TARGET(secret)
{
    const char *text;
    const char *path = write_file(data, len);
    if (sso_secret_file(ctx, ctx->pool, path, false, &text) == SSO_OK) {
        size_t text_len = strlen(text);
        fuzz_check(text_len > 0 && text_len <= len && len <= SSO_MAX_SECRET);
        fuzz_check(!sso_has_control(text) && text[0] != ' ' && text[text_len - 1] != ' ');
    }
    sso_fault_clear(ctx);
    if (sso_pem_file(ctx, ctx->pool, path, false, &text) == SSO_OK) {
        fuzz_check(strlen(text) > 0 && strlen(text) <= len);
    }
}
