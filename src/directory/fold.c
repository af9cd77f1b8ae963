/* SPDX-License-Identifier: Apache-2.0 */
/* The fold, by ranges of code points; no table of the C library, whose answer would follow the locale. */
#include "directory/fold.h"

#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"

/* Capitals beyond ASCII, from first to last, and how far their small letters are. step 2: capital and small letter in
 * turn. */
static const struct {
    uint16_t first, last;
    uint8_t step;
    int16_t distance;
} RANGES[] = {
    {0x00c0, 0x00d6, 1, 32}, /* Latin-1, without the multiplication sign */
    {0x00d8, 0x00de, 1, 32}, /* */
    {0x0100, 0x012e, 2, 1},  /* Extended-A, without dotted and dotless i */
    {0x0132, 0x0136, 2, 1},  /* */
    {0x0139, 0x0147, 2, 1},  /* */
    {0x014a, 0x0176, 2, 1},  /* */
    {0x0178, 0x0178, 1, -121}, {0x0179, 0x017d, 2, 1}, {0x0386, 0x0386, 1, 38}, /* Greek */
    {0x0388, 0x038a, 1, 37},                                                    /* */
    {0x038c, 0x038c, 1, 64},                                                    /* */
    {0x038e, 0x038f, 1, 63},                                                    /* */
    {0x0391, 0x03a1, 1, 32},                                                    /* */
    {0x03a3, 0x03ab, 1, 32},                                                    /* */
    {0x03c2, 0x03c2, 1, 1},                                                     /* final sigma */
    {0x0400, 0x040f, 1, 80},                                                    /* Cyrillic */
    {0x0410, 0x042f, 1, 32},                                                    /* */
    {0x0460, 0x0480, 2, 1},                                                     /* */
    {0x048a, 0x04be, 2, 1},                                                     /* */
    {0x04c0, 0x04c0, 1, 15},                                                    /* */
    {0x04c1, 0x04cd, 2, 1},                                                     /* */
    {0x04d0, 0x052e, 2, 1},                                                     /* */
    {0x0531, 0x0556, 1, 48},                                                    /* Armenian */
    {0x1e00, 0x1e94, 2, 1},                                                     /* Latin Extended Additional */
    {0x1ea0, 0x1efe, 2, 1},
};

static unsigned fold_point(unsigned point)
{
    for (apr_size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]) && point >= RANGES[i].first; i++) {
        if (point <= RANGES[i].last && (point - RANGES[i].first) % RANGES[i].step == 0) {
            return (unsigned)((int)point + RANGES[i].distance);
        }
    }
    return point;
}

/* The folded character at p, its bytes in out; how many bytes of p it was. Only what has two or three bytes is looked
 * up, and each fold keeps their number or makes it smaller, so out never holds more than was read. */
static apr_size_t fold_one(const char *p, char out[4], apr_size_t *ret_len)
{
    unsigned char lead = (unsigned char)*p;
    if (lead < 0x80) {
        out[0] = (char)(lead >= 'A' && lead <= 'Z' ? lead + ('a' - 'A') : lead);
        *ret_len = 1;
        return 1;
    }
    apr_size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (strnlen(p, len) < len || !sso_is_utf8(p, len)) {
        len = 1; /* a stray byte stands for itself */
    }
    memcpy(out, p, len);
    *ret_len = len;
    if (len == 2) {
        unsigned point = fold_point((unsigned)(lead & 0x1f) << 6 | ((unsigned char)p[1] & 0x3fu));
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
    } else if (len == 3) {
        unsigned point = fold_point((unsigned)(lead & 0x0f) << 12 | ((unsigned char)p[1] & 0x3fu) << 6 |
                                    ((unsigned char)p[2] & 0x3fu));
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
    }
    return len;
}

const char *sso_fold(apr_pool_t *pool, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    apr_size_t len = strlen(text);
    char *out = apr_palloc(pool, len + 4);
    char *end = out;
    for (const char *p = text; *p != '\0';) {
        apr_size_t bytes = 0;
        p += fold_one(p, end, &bytes);
        end += bytes;
    }
    *end = '\0';
    return strcmp(out, text) == 0 ? text : out;
}

bool sso_fold_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return false;
    }
    while (*a != '\0' && *b != '\0') {
        char left[4];
        char right[4];
        apr_size_t left_len = 0;
        apr_size_t right_len = 0;
        a += fold_one(a, left, &left_len);
        b += fold_one(b, right, &right_len);
        if (left_len != right_len || memcmp(left, right, left_len) != 0) {
            return false;
        }
    }
    return *a == *b;
}
