/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the table of sessions, as whoever writes to the database might leave it: a column a line. Invariant: what is
 * taken has ids of the right form and times in order. */
#include "session/row.h"

#include "fuzz.h"

FUZZ_TARGET(row)
{
    const char *columns[SSO_MAX_STORE_COLUMNS];
    sso_stored_t session;
    unsigned shape = fuzz_choice(&data, &len, 2);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        columns[i] = len > 0 ? fuzz_line(ctx, &data, &len) : NULL;
    }
    if (sso_row_parse(ctx, columns, shape == 1, &session) == SSO_OK) {
        fuzz_check(sso_row_is_app(session.app) && sso_is_guid(session.tid) && sso_is_guid(session.oid));
        fuzz_check(session.created <= session.ends);
        fuzz_check(strcmp(sso_row_id(ctx->pool, session.id), columns[0]) == 0);
    }
}
