/* SPDX-License-Identifier: Apache-2.0 */
/* A small sealed record. */
#include "directory/cursor.h"

#include <string.h>

#include "base/bytes.h"

#define CURSOR_BYTES 512

sso_rc sso_cursor_seal(sso_ctx_t *ctx, const sso_scim_t *scim, const char *digest, const sso_cursor_t *cursor,
                       const char **ret_text)
{
    sso_writer_t writer;
    sso_writer_init(&writer, ctx->pool, CURSOR_BYTES);
    sso_write_i64(&writer, ctx->now);
    sso_write_i64(&writer, cursor->created);
    sso_write_text(&writer, cursor->id);
    sso_write_text(&writer, digest);
    if (writer.failed) {
        return sso_fail(ctx, SSO_R_SCIM_CURSOR, "it does not fit");
    }
    return sso_seal(ctx, scim->keyring, SSO_PURPOSE_CURSOR, scim->binding, writer.data, writer.len, ret_text);
}

sso_rc sso_cursor_open(sso_ctx_t *ctx, const sso_scim_t *scim, const char *digest, const char *text,
                       sso_cursor_t *ret_cursor)
{
    sso_ctx_t look;
    sso_reader_t reader;
    unsigned char *data;
    apr_size_t len;
    /* In a context of its own: the reasons of sealed records are about cookies. */
    sso_ctx_init(&look, ctx->pool, ctx->now);
    if (sso_open(&look, scim->keyring, SSO_PURPOSE_CURSOR, scim->binding, text, strlen(text), &data, &len) != SSO_OK) {
        return sso_fail(ctx, SSO_R_SCIM_CURSOR, NULL);
    }
    sso_reader_init(&reader, data, len);
    ret_cursor->issued = sso_read_i64(&reader);
    ret_cursor->created = sso_read_i64(&reader);
    ret_cursor->id = sso_read_text(&reader);
    const char *of = sso_read_text(&reader);
    if (!sso_reader_done(&reader) || ret_cursor->issued < 0 || strcmp(of, digest) != 0) {
        return sso_fail(ctx, SSO_R_SCIM_CURSOR, "it is of another question");
    }
    if (ctx->now - ret_cursor->issued > SSO_SCIM_CURSOR_LIFE) {
        return sso_fail(ctx, SSO_R_SCIM_CURSOR_OVER, NULL);
    }
    return SSO_OK;
}
