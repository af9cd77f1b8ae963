/* SPDX-License-Identifier: Apache-2.0 */
/* A place for one value; whether it may be given again is decided by its bytes alone. */
#include "base/kept.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"

const char *sso_kept_get(const sso_kept_t *kept, const void *source, apr_size_t len, apr_time_t now,
                         apr_interval_time_t life)
{
    /* SECURITY: the bytes themselves are compared, not a digest or a name of them. */
    if (kept->value == NULL || kept->len != len || memcmp(kept->source, source, len) != 0) {
        return NULL;
    }
    /* A clock that was set back makes the value one of the future: nobody knows how old it is. */
    return now >= kept->made && now - kept->made <= life ? kept->value : NULL;
}

const char *sso_kept_set(sso_kept_t *kept, const void *source, apr_size_t len, const char *value, apr_time_t now)
{
    if (kept->pool == NULL) {
        apr_pool_create(&kept->pool, kept->parent);
    }
    apr_pool_clear(kept->pool);
    void *bytes = apr_pmemdup(kept->pool, source, len);
    char *text = apr_pstrdup(kept->pool, value);
    sso_wipe_later(kept->pool, bytes, len);
    sso_wipe_later(kept->pool, text, strlen(text));
    kept->source = bytes;
    kept->len = len;
    kept->value = text;
    kept->made = now;
    return text;
}
