/* SPDX-License-Identifier: Apache-2.0 */
/* Texts into the database, and rows out of it. A database is an outsider: what it gives is judged like anything else.
 */
#include "session/row.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

#define APP_TEXT (2 * SSO_SESSION_ID_BYTES)

const char *sso_row_id(apr_pool_t *pool, const unsigned char id[static SSO_SESSION_ID_BYTES])
{
    return sso_hex(pool, id, SSO_SESSION_ID_BYTES);
}

const char *sso_row_time(apr_pool_t *pool, apr_time_t when)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, (apr_int64_t)when);
}

sso_rc sso_row_check_text(sso_ctx_t *ctx, const char *what, const char *text, apr_size_t max)
{
    apr_size_t len = text == NULL ? 0 : strlen(text);
    if (text == NULL || len > max || !sso_is_utf8(text, len)) {
        return sso_fail(ctx, SSO_R_STORE_TEXT, "%s: %lu bytes", what, (unsigned long)len);
    }
    return SSO_OK;
}

/* ---- a row ---- */

/* In the order of the columns below. */
enum {
    COL_ID,
    COL_APP,
    COL_TENANT,
    COL_OBJECT,
    COL_SID,
    COL_USERNAME,
    COL_CREATED,
    COL_ENDS,
    COL_REVALIDATED,
    COL_ENDED,
    COL_SIGNED_IN,
    COL_REFRESH, /* the list leaves these out */
    COL_RENEWED,
    COL_ACCESS
};

bool sso_row_is_app(const char *text)
{
    return strlen(text) == APP_TEXT && strspn(text, "0123456789abcdef") == APP_TEXT;
}

static bool times_parse(const char *const *columns, sso_stored_t *session)
{
    int64_t created;
    int64_t ends;
    int64_t revalidated;
    int64_t signed_in;
    if (!sso_integer_parse(columns[COL_CREATED], &created) || !sso_integer_parse(columns[COL_ENDS], &ends) ||
        !sso_integer_parse(columns[COL_REVALIDATED], &revalidated) ||
        !sso_integer_parse(columns[COL_SIGNED_IN], &signed_in)) {
        return false;
    }
    session->created = created;
    session->ends = ends;
    session->revalidated = revalidated;
    session->signed_in = signed_in;
    /* SECURITY: the database cannot give a session more than the cap. */
    return created > 0 && ends >= created && ends - created <= SSO_SESSION_CAP && revalidated > 0;
}

static bool texts_parse(apr_pool_t *pool, const char *const *columns, bool whole, sso_stored_t *session)
{
    for (int i = COL_ID; i <= (whole ? COL_ACCESS : COL_SIGNED_IN); i++) {
        apr_size_t max = i >= COL_REFRESH ? SSO_MAX_STORED_SEALED : SSO_MAX_STORED_TEXT;
        if (columns[i] == NULL || strlen(columns[i]) > max || !sso_is_utf8(columns[i], strlen(columns[i]))) {
            return false;
        }
    }
    if (!sso_hex_decode(columns[COL_ID], session->id, sizeof(session->id)) || !sso_row_is_app(columns[COL_APP]) ||
        !sso_is_guid(columns[COL_TENANT]) || !sso_is_guid(columns[COL_OBJECT]) || strlen(columns[COL_ENDED]) != 1 ||
        strspn(columns[COL_ENDED], "01") != 1) {
        return false;
    }
    session->app = apr_pstrdup(pool, columns[COL_APP]);
    session->tid = apr_pstrdup(pool, columns[COL_TENANT]);
    session->oid = apr_pstrdup(pool, columns[COL_OBJECT]);
    session->sid = apr_pstrdup(pool, columns[COL_SID]);
    session->username = apr_pstrdup(pool, columns[COL_USERNAME]);
    session->ended = columns[COL_ENDED][0] == '1';
    session->refresh = whole ? apr_pstrdup(pool, columns[COL_REFRESH]) : "";
    session->identity = whole ? apr_pstrdup(pool, columns[COL_RENEWED]) : "";
    session->access = whole ? apr_pstrdup(pool, columns[COL_ACCESS]) : "";
    return true;
}

sso_rc sso_row_parse(sso_ctx_t *ctx, const char *const *columns, bool whole, sso_stored_t *ret_session)
{
    sso_stored_t session = {.refresh = ""};
    if (!texts_parse(ctx->pool, columns, whole, &session) || !times_parse(columns, &session)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_session, id %s", sso_printable(ctx->pool, columns[COL_ID]));
    }
    *ret_session = session;
    return SSO_OK;
}

sso_rc sso_row_add(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    sso_stored_t session;
    sso_rc rc = sso_row_parse(ctx, columns, false, &session);
    if (rc == SSO_OK) {
        APR_ARRAY_PUSH((apr_array_header_t *)baton, sso_stored_t) = session;
    }
    return rc;
}

sso_rc sso_row_add_ended(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    sso_store_ended_t ended;
    int64_t until;
    if (columns[0] == NULL || !sso_hex_decode(columns[0], ended.id, sizeof(ended.id)) ||
        !sso_integer_parse(columns[1], &until)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "entra_ended, id %s", sso_printable(ctx->pool, columns[0]));
    }
    ended.until = until;
    APR_ARRAY_PUSH((apr_array_header_t *)baton, sso_store_ended_t) = ended;
    return SSO_OK;
}
