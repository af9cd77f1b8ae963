/* SPDX-License-Identifier: Apache-2.0 */
/* One place for one record; whether it may be given again is decided by the cookie's own bytes. */
#include "session/opened.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"

bool sso_opened_get(const sso_opened_t *opened, sso_ctx_t *ctx, const void *whose, const void *keys, const char *text,
                    apr_size_t len, sso_record_t *ret_record)
{
    /* SECURITY: all bytes, and in constant time. A proxy sends requests of many people over one connection, and one of
     * them must not find out another's cookie, whose tag was checked once, byte by byte. */
    if (len == 0 || opened->text_len != len || opened->whose != whose || opened->keys != keys ||
        !sso_bytes_equal(opened->bytes, text, len)) {
        return false;
    }
    /* A copy: the next request of the connection may put another record here while this one is still being logged. */
    sso_record_copy(&opened->record, apr_palloc(ctx->pool, opened->room), ret_record);
    return true;
}

/* Doubles at least, so that a connection that brings ever larger cookies has few of these in its pool. */
static void make_room(sso_opened_t *opened, apr_size_t size)
{
    if (size > opened->size) {
        opened->size = size > 2 * opened->size ? size : 2 * opened->size;
        opened->bytes = apr_palloc(opened->pool, opened->size);
        sso_wipe_later(opened->pool, opened->bytes, opened->size);
    }
}

void sso_opened_set(sso_opened_t *opened, const void *whose, const void *keys, const char *text, apr_size_t len,
                    const sso_record_t *record)
{
    apr_size_t room = sso_record_room(record);
    opened->text_len = 0;
    sso_wipe(opened->bytes, opened->size);
    if (len + room > SSO_MAX_OPENED) {
        return;
    }
    make_room(opened, len + room);
    memcpy(opened->bytes, text, len);
    sso_record_copy(record, opened->bytes + len, &opened->record);
    opened->room = room;
    opened->text_len = len;
    opened->whose = whose;
    opened->keys = keys;
}
