/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor of a list in SCIM. The bytes are sealed here, so that the reader behind the seal is what is met.
 * Invariants: the bytes alone open nothing; a cursor that opens is of its question and not over, and seals to one that
 * opens to the same. */
#include "directory/cursor.h"

#include "site.h"

#define DIGEST "0123456789abcdef"

FUZZ_TARGET(cursor)
{
    const sso_scim_t scim = {.keyring = fuzz_ring(), .binding = fuzz_site()->session.binding};
    sso_cursor_t cursor;
    sso_cursor_t again;
    const char *text;
    fuzz_check(sso_cursor_open(ctx, &scim, DIGEST, fuzz_text(ctx, data, len), &cursor) != SSO_OK);
    sso_fault_clear(ctx);
    fuzz_check(sso_seal(ctx, scim.keyring, SSO_PURPOSE_CURSOR, scim.binding, data, len, &text) == SSO_OK);
    if (sso_cursor_open(ctx, &scim, DIGEST, text, &cursor) != SSO_OK) {
        return;
    }
    fuzz_check(cursor.issued >= ctx->now - SSO_SCIM_CURSOR_LIFE);
    fuzz_check(sso_cursor_open(ctx, &scim, "another", text, &again) == SSO_R_SCIM_CURSOR);
    sso_fault_clear(ctx);
    if (sso_cursor_seal(ctx, &scim, DIGEST, &cursor, &text) != SSO_OK) {
        return; /* an id that is longer than any of ours */
    }
    fuzz_check(sso_cursor_open(ctx, &scim, DIGEST, text, &again) == SSO_OK);
    fuzz_check(again.created == cursor.created && strcmp(again.id, cursor.id) == 0 && again.issued == ctx->now);
}
