/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl reads the bundle with the first call; a mistake in it would show as a TLS error of Entra's. */
#include "base/bundle.h"

#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/crypto.h"
#include "base/limits.h"

#define MARK "-----BEGIN CERTIFICATE-----"

/* Its text, or as much of it as SSO_MAX_BUNDLE. NULL when it cannot be read. */
static const char *bundle_read(apr_pool_t *pool, const char *path)
{
    apr_file_t *file;
    char *text = apr_palloc(pool, SSO_MAX_BUNDLE + 1);
    apr_size_t len = 0;
    if (apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_status_t status = apr_file_read_full(file, text, SSO_MAX_BUNDLE, &len);
    apr_file_close(file);
    text[len] = '\0';
    return status == APR_SUCCESS || status == APR_EOF ? text : NULL;
}

const char *sso_bundle_check(apr_pool_t *pool, const char *path, int *ret_count)
{
    apr_finfo_t info;
    *ret_count = 0;
    if (apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_PROT, pool) != APR_SUCCESS || info.filetype != APR_REG ||
        (info.protection & APR_FPROT_WREAD) == 0) {
        return apr_psprintf(pool, "%s is no file that everyone can read", path);
    }
    const char *text = bundle_read(pool, path);
    for (const char *at = text; at != NULL && (at = strstr(at, MARK)) != NULL; at += strlen(MARK)) {
        (*ret_count)++;
    }
    if (text == NULL || *ret_count == 0 || !sso_is_certificate(text)) {
        return apr_psprintf(pool, "%s holds no PEM certificate", path);
    }
    return NULL;
}
