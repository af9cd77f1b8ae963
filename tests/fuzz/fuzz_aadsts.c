/* SPDX-License-Identifier: Apache-2.0 */
/* An error_description of anybody. Invariant: the number is the one that a slow reader finds. */
#include "entra/aadsts.h"

#include "fuzz.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The first "AADSTS" with a digit behind it decides. */
static unsigned slow_code(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i + 6 < len; i++) {
        if (memcmp(data + i, "AADSTS", 6) == 0 && is_digit(data[i + 6])) {
            unsigned long code = 0;
            size_t digits = 0;
            for (size_t at = i + 6; at < len && is_digit(data[at]); at++, digits++) {
                code = digits < 9 ? code * 10 + (unsigned long)(data[at] - '0') : code;
            }
            return digits <= 9 ? (unsigned)code : 0;
        }
    }
    return 0;
}

FUZZ_TARGET(aadsts)
{
    unsigned code = sso_aadsts_code_from((const char *)data, len);
    fuzz_check(code == slow_code(data, len));
    const sso_aadsts_t *row = sso_aadsts_find(code);
    fuzz_check(row == NULL || row->code == code);
    row = sso_aadsts_for_error(fuzz_text(ctx, data, len));
    fuzz_check(row != NULL && row->code == 0 && row->sentence[0] != '\0' && row->advice[0] != '\0');
}
