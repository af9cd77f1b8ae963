/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the tables of users and groups, as whoever writes to the database might leave it: a column a line.
 * Invariants: what is taken has an id, nobody is active whose column does not say 1, and what is shown of it is fit for
 * an answer's header. */
#include "directory/rows.h"

#include "fuzz.h"

#define COLUMNS 10

FUZZ_TARGET(scimrow)
{
    const char *columns[COLUMNS];
    sso_scim_row_t row;
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = len > 0 ? fuzz_line(ctx, &data, &len) : NULL;
    }
    if (sso_scim_row_parse(ctx, ctx->pool, columns, &row) != SSO_OK) {
        return;
    }
    fuzz_check(sso_is_guid(row.id) && strcmp(row.id, columns[0]) == 0);
    int64_t active = 0;
    fuzz_check(row.active == (sso_integer_parse(columns[5], &active) && active == 1));
    fuzz_check(strlen(columns[4]) <= SSO_MAX_SCIM_DOCUMENT);
    fuzz_check(strcmp(row.user_key, columns[8]) == 0 && strcmp(row.oid, columns[9]) == 0);
    const char *tag = sso_scim_row_tag(ctx->pool, &row);
    fuzz_check(!sso_has_control(tag) && strncmp(tag, "W/\"", 3) == 0);
    fuzz_check(!sso_scim_row_is_jit(&row) || row.version == 1);
}
