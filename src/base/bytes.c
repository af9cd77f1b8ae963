/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded reading and writing of bytes and the text codings; it never reads or writes past a stated length.
 */
#include "base/bytes.h"

#include <string.h>

#include <apr_encode.h>
#include <apr_escape.h>
#include <apr_strings.h>

#include "base/limits.h"

/* A 16-bit length counts the text and its NUL. */
#define MAX_TEXT 65534

void sso_reader_init(sso_reader_t *r, const void *data, apr_size_t len)
{
    static const unsigned char nothing[1] = {0};
    /* Never a NULL inside, so that a view of 0 bytes is not mistaken for a failure. */
    r->data = data != NULL ? data : nothing;
    r->len = data != NULL ? len : 0;
    r->pos = 0;
    r->failed = data == NULL && len > 0;
}

const unsigned char *sso_read_bytes(sso_reader_t *r, apr_size_t len)
{
    /* Subtraction on the side that cannot wrap: pos never passes len. */
    if (r->failed || len > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    const unsigned char *bytes = r->data + r->pos;
    r->pos += len;
    return bytes;
}

static uint64_t read_number(sso_reader_t *r, apr_size_t len)
{
    const unsigned char *bytes = sso_read_bytes(r, len);
    uint64_t v = 0;
    for (apr_size_t i = 0; bytes != NULL && i < len; i++) {
        v = v << 8 | bytes[i];
    }
    return v;
}

uint8_t sso_read_u8(sso_reader_t *r)
{
    return (uint8_t)read_number(r, 1);
}

uint16_t sso_read_u16(sso_reader_t *r)
{
    return (uint16_t)read_number(r, 2);
}

uint32_t sso_read_u32(sso_reader_t *r)
{
    return (uint32_t)read_number(r, 4);
}

int64_t sso_read_i64(sso_reader_t *r)
{
    return (int64_t)read_number(r, 8);
}

const char *sso_read_text(sso_reader_t *r)
{
    apr_size_t len = sso_read_u16(r);
    const unsigned char *text = sso_read_bytes(r, len + 1);
    /* SECURITY: exactly one NUL, at the end: else two readers of this text could see two different texts. */
    if (text != NULL && memchr(text, '\0', len + 1) != text + len) {
        r->failed = true;
        text = NULL;
    }
    return (const char *)text;
}

bool sso_reader_done(const sso_reader_t *r)
{
    return !r->failed && r->pos == r->len;
}

void sso_writer_init(sso_writer_t *w, apr_pool_t *pool, apr_size_t max)
{
    w->data = apr_palloc(pool, max);
    w->len = 0;
    w->max = max;
    w->failed = false;
}

void sso_write_bytes(sso_writer_t *w, const void *data, apr_size_t len)
{
    if (w->failed || len > w->max - w->len) {
        w->failed = true;
        return;
    }
    /* memcpy must not see NULL, even for 0 bytes. */
    if (len > 0) {
        memcpy(w->data + w->len, data, len);
        w->len += len;
    }
}

static void write_number(sso_writer_t *w, uint64_t v, apr_size_t len)
{
    unsigned char bytes[8];
    for (apr_size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)(v >> 8 * (len - 1 - i) & 0xff);
    }
    sso_write_bytes(w, bytes, len);
}

void sso_write_u8(sso_writer_t *w, uint8_t v)
{
    write_number(w, v, 1);
}

void sso_write_u16(sso_writer_t *w, uint16_t v)
{
    write_number(w, v, 2);
}

void sso_write_u32(sso_writer_t *w, uint32_t v)
{
    write_number(w, v, 4);
}

void sso_write_i64(sso_writer_t *w, int64_t v)
{
    write_number(w, (uint64_t)v, 8);
}

void sso_write_text(sso_writer_t *w, const char *text)
{
    const char *bytes = text != NULL ? text : "";
    apr_size_t len = strlen(bytes);
    if (len > MAX_TEXT) {
        w->failed = true;
        return;
    }
    sso_write_u16(w, (uint16_t)len);
    sso_write_bytes(w, bytes, len + 1);
}

const char *sso_base64url(apr_pool_t *pool, const void *data, apr_size_t len)
{
    /* APR gives NULL for NULL data: nothing encodes to nothing. */
    return len == 0 ? "" : apr_pencode_base64_binary(pool, data, (apr_ssize_t)len, APR_ENCODE_BASE64URL, NULL);
}

const char *sso_base64(apr_pool_t *pool, const void *data, apr_size_t len)
{
    return len == 0 ? "" : apr_pencode_base64_binary(pool, data, (apr_ssize_t)len, APR_ENCODE_NONE, NULL);
}

const char *sso_hex(apr_pool_t *pool, const void *data, apr_size_t len)
{
    return len == 0 ? "" : apr_pescape_hex(pool, data, len, 0);
}

bool sso_hex_decode(const char *text, unsigned char *ret_data, apr_size_t len)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * len || strspn(text, digits) != 2 * len) {
        return false;
    }
    for (apr_size_t i = 0; i < len; i++) {
        long high = strchr(digits, text[2 * i]) - digits;
        long low = strchr(digits, text[2 * i + 1]) - digits;
        ret_data[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

bool sso_integer_parse(const char *text, int64_t *ret_number)
{
    if (text == NULL) {
        return false;
    }
    bool negative = *text == '-';
    const char *digits = text + (negative ? 1 : 0);
    apr_size_t len = strspn(digits, "0123456789");
    if (len == 0 || len > 19 || digits[len] != '\0' || (digits[0] == '0' && (len > 1 || negative))) {
        return false;
    }
    uint64_t value = 0; /* 19 digits fit */
    for (apr_size_t i = 0; i < len; i++) {
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX) {
        return false;
    }
    *ret_number = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* True when the last, short group of text is what its bytes encode to. tail is 2 or 3 characters for 1 or 2
 * bytes. */
static bool tail_is_exact(const unsigned char *bytes, const char *tail, apr_size_t tail_len)
{
    char again[8] = "";
    apr_status_t rv = apr_encode_base64_binary(again, bytes, (apr_ssize_t)(tail_len - 1), APR_ENCODE_BASE64URL, NULL);
    return rv == APR_SUCCESS && memcmp(again, tail, tail_len) == 0;
}

unsigned char *sso_base64url_decode(apr_pool_t *pool, const char *text, apr_size_t text_len, apr_size_t *ret_len)
{
    apr_size_t tail = text_len % 4;
    if (text == NULL || tail == 1) {
        return NULL;
    }
    /* SECURITY: APR reads both alphabets, padding, and stray bits. We take one spelling for one value: else a
     * token or cookie could be changed without changing what it says. White space and other bytes APR refuses
     * itself. */
    if (memchr(text, '+', text_len) != NULL || memchr(text, '/', text_len) != NULL ||
        memchr(text, '=', text_len) != NULL) {
        return NULL;
    }
    apr_size_t len = text_len / 4 * 3 + (tail > 0 ? tail - 1 : 0);
    /* One byte more: a NUL behind the end, for callers who know that they hold text. */
    unsigned char *data = apr_palloc(pool, len + 1);
    apr_size_t got = 0;
    if (text_len > 0 &&
        (apr_decode_base64_binary(data, text, (apr_ssize_t)text_len, APR_ENCODE_NONE, &got) != APR_SUCCESS ||
         got != len)) {
        return NULL;
    }
    if (tail > 0 && !tail_is_exact(data + len - (tail - 1), text + text_len - tail, tail)) {
        return NULL;
    }
    data[len] = '\0';
    *ret_len = len;
    return data;
}

unsigned char *sso_base64_decode(apr_pool_t *pool, const char *text, apr_size_t text_len, apr_size_t *ret_len)
{
    if (text == NULL || text_len % 4 != 0 || memchr(text, '-', text_len) != NULL ||
        memchr(text, '_', text_len) != NULL) {
        return NULL;
    }
    apr_size_t len = text_len;
    while (len > 0 && text_len - len < 2 && text[len - 1] == '=') {
        len--;
    }
    /* The other alphabet, without padding, has its own strict reader. */
    char *other = apr_pstrmemdup(pool, text, len);
    for (apr_size_t i = 0; i < len; i++) {
        other[i] = (char)(other[i] == '+' ? '-' : other[i] == '/' ? '_' : other[i]);
    }
    return sso_base64url_decode(pool, other, len, ret_len);
}

/* The ASCII classes by hand: those of <ctype.h> depend on the locale. */
static bool is_alnum(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986 2.3. apr_escape_urlencoded leaves '*' and writes a blank as '+': right for forms only. */
const char *sso_percent_encode(apr_pool_t *pool, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = apr_palloc(pool, 3 * strlen(text) + 1);
    char *end = out;
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            *end++ = *p;
        } else {
            *end++ = '%';
            *end++ = digits[c >> 4];
            *end++ = digits[c & 0x0f];
        }
    }
    *end = '\0';
    return out;
}

/* Adds one "name=value" to pairs; the text is changed. False on a bad escape or an encoded NUL. */
static bool add_pair(apr_pool_t *pool, char *pair, apr_table_t *pairs)
{
    char *raw_value = strchr(pair, '=');
    if (raw_value != NULL) {
        *raw_value++ = '\0';
    }
    /* APR gives NULL for %zz, a cut % and %00; the 1 reads '+' as a blank. */
    const char *name = apr_punescape_url(pool, pair, NULL, NULL, 1);
    const char *value = apr_punescape_url(pool, raw_value != NULL ? raw_value : "", NULL, NULL, 1);
    if (name == NULL || value == NULL) {
        return false;
    }
    apr_table_addn(pairs, name, value);
    return true;
}

sso_rc sso_query_parse(sso_ctx_t *ctx, const char *query, apr_table_t **ret_pairs)
{
    apr_table_t *pairs = apr_table_make(ctx->pool, 8);
    int count = 0;
    /* Only '&' separates: a ';' in a value is data to Entra and to browsers. */
    for (char *next = apr_pstrdup(ctx->pool, query); next != NULL;) {
        char *pair = next;
        next = strchr(pair, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (*pair == '\0') {
            continue;
        }
        if (++count > SSO_MAX_QUERY_PAIRS) {
            return sso_fail(ctx, SSO_R_QUERY_FORMAT, "more than %d parameters", SSO_MAX_QUERY_PAIRS);
        }
        /* The text of a pair stays out of the detail: it may be a code or a state. */
        if (!add_pair(ctx->pool, pair, pairs)) {
            return sso_fail(ctx, SSO_R_QUERY_FORMAT, "parameter %d has a bad escape", count);
        }
    }
    *ret_pairs = pairs;
    return SSO_OK;
}

sso_rc sso_query_one(sso_ctx_t *ctx, const apr_table_t *pairs, const char *name, const char **ret_value)
{
    const apr_array_header_t *rows = apr_table_elts(pairs);
    /* Through void: APR_ARRAY_IDX casts from char and so hides the alignment from the compiler. */
    const apr_table_entry_t *row = (const void *)rows->elts;
    const char *value = NULL;
    /* SECURITY: apr_table_get gives the first of several and ignores case; parameters are exact and stand
     * once. */
    for (int i = 0; i < rows->nelts; i++, row++) {
        if (strcmp(row->key, name) != 0) {
            continue;
        }
        if (value != NULL) {
            return sso_fail(ctx, SSO_R_QUERY_DUPLICATE, "%s", sso_printable(ctx->pool, name));
        }
        value = row->val;
    }
    *ret_value = value;
    return SSO_OK;
}

/* Looks at every byte, whatever the first difference is, by words where there are whole ones. */
bool sso_bytes_equal(const void *a, const void *b, apr_size_t len)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    uint64_t difference = 0;
    apr_size_t i = 0;
    for (; len - i >= sizeof(difference); i += sizeof(difference)) {
        uint64_t words[2];
        memcpy(&words[0], left + i, sizeof(words[0]));
        memcpy(&words[1], right + i, sizeof(words[1]));
        difference |= words[0] ^ words[1];
        /* SECURITY: the compiler cannot see what this leaves in it, so it cannot make the loop end early. */
        __asm__ volatile("" : "+r"(difference));
    }
    for (; i < len; i++) {
        difference |= (uint64_t)(left[i] ^ right[i]);
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}

bool sso_secret_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return false;
    }
    apr_size_t len = strlen(a);
    return len == strlen(b) && sso_bytes_equal(a, b, len);
}

void sso_wipe(void *data, apr_size_t len)
{
    if (data != NULL) {
        explicit_bzero(data, len);
    }
}

typedef struct {
    void *data;
    apr_size_t len;
} wipe_t;

static apr_status_t wipe_cleanup(void *baton)
{
    wipe_t *wipe = baton;
    sso_wipe(wipe->data, wipe->len);
    return APR_SUCCESS;
}

void sso_wipe_later(apr_pool_t *pool, void *data, apr_size_t len)
{
    wipe_t *wipe = apr_palloc(pool, sizeof(*wipe));
    wipe->data = data;
    wipe->len = len;
    /* Nothing for a child that goes on to exec another program: exec drops the memory. */
    apr_pool_cleanup_register(pool, wipe, wipe_cleanup, apr_pool_cleanup_null);
}

bool sso_is_guid(const char *text)
{
    if (text == NULL) {
        return false;
    }
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        /* A NUL is neither, so a short text ends here. */
        if (dash ? text[i] != '-' : !is_hex(text[i])) {
            return false;
        }
    }
    return text[36] == '\0';
}

/* Table 3-7 of the Unicode Standard, RFC 3629 section 4: the range of the first byte decides the length and
 * the range of the second, which is what refuses overlong forms, surrogates and all past U+10FFFF. */
static const struct {
    unsigned char first, last; /* first byte */
    unsigned char second_first, second_last;
    unsigned char len;
} utf8_forms[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Length of the character that begins at p, 0 when there is none within len. */
static apr_size_t utf8_character(const unsigned char *p, apr_size_t len)
{
    apr_size_t form = 0;
    while (form < sizeof(utf8_forms) / sizeof(utf8_forms[0]) && p[0] > utf8_forms[form].last) {
        form++;
    }
    if (form == sizeof(utf8_forms) / sizeof(utf8_forms[0]) || p[0] < utf8_forms[form].first) {
        return 0;
    }
    apr_size_t need = utf8_forms[form].len;
    if (need > len) {
        return 0;
    }
    if (need > 1 && (p[1] < utf8_forms[form].second_first || p[1] > utf8_forms[form].second_last)) {
        return 0;
    }
    for (apr_size_t i = 2; i < need; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }
    return need;
}

bool sso_is_utf8(const char *text, apr_size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (apr_size_t pos = 0; pos < len;) {
        apr_size_t step = utf8_character(p + pos, len - pos);
        if (step == 0) {
            return false;
        }
        pos += step;
    }
    return true;
}

bool sso_has_control(const char *text)
{
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}
