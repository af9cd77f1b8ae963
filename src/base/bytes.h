/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded reading and writing of bytes, text codings (through apr-util), constant-time compare, wiping. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/result.h"

/* A read-only view with a sticky failure: after the first read past the end all reads give 0 or NULL. */
typedef struct {
    const unsigned char *data;
    apr_size_t len;
    apr_size_t pos;
    bool failed;
} sso_reader_t;

void sso_reader_init(sso_reader_t *r, const void *data, apr_size_t len);
uint8_t sso_read_u8(sso_reader_t *r);
uint16_t sso_read_u16(sso_reader_t *r); /* big-endian, as all numbers here */
uint32_t sso_read_u32(sso_reader_t *r);
int64_t sso_read_i64(sso_reader_t *r);
/* A view of len bytes inside the data, NULL on failure. */
const unsigned char *sso_read_bytes(sso_reader_t *r, apr_size_t len);
/* Text written by sso_write_text, in place: NUL-terminated, no NUL inside (else failure). NULL on failure. */
const char *sso_read_text(sso_reader_t *r);
/* True when nothing failed and all was read. */
bool sso_reader_done(const sso_reader_t *r);

/* A writer into a buffer of fixed size, with a sticky failure. */
typedef struct {
    unsigned char *data;
    apr_size_t len;
    apr_size_t max;
    bool failed;
} sso_writer_t;

/* Allocates max bytes from pool. */
void sso_writer_init(sso_writer_t *w, apr_pool_t *pool, apr_size_t max);
void sso_write_u8(sso_writer_t *w, uint8_t v);
void sso_write_u16(sso_writer_t *w, uint16_t v);
void sso_write_u32(sso_writer_t *w, uint32_t v);
void sso_write_i64(sso_writer_t *w, int64_t v);
void sso_write_bytes(sso_writer_t *w, const void *data, apr_size_t len);
/* 16-bit length, bytes, NUL. NULL writes an empty text. Over 65,534 bytes is a failure. */
void sso_write_text(sso_writer_t *w, const char *text);

/* base64url without padding (RFC 4648 section 5). */
const char *sso_base64url(apr_pool_t *pool, const void *data, apr_size_t len);
/* Strict: no padding, no other alphabet, no length of 4n+1, no stray bits. NULL when text is none. The buffer
 * is the caller's to change. */
unsigned char *sso_base64url_decode(apr_pool_t *pool, const char *text, apr_size_t text_len, apr_size_t *ret_len);
/* Standard base64 with padding (RFC 4648 section 4), for headers. */
const char *sso_base64(apr_pool_t *pool, const void *data, apr_size_t len);
/* Strict: exactly what sso_base64 would have written. NULL when text is none. Data in pool, NUL behind its end. */
unsigned char *sso_base64_decode(apr_pool_t *pool, const char *text, apr_size_t text_len, apr_size_t *ret_len);
/* Lower-case hexadecimal. */
const char *sso_hex(apr_pool_t *pool, const void *data, apr_size_t len);

/* The way back, into len bytes. False unless text is exactly 2 * len of lower-case hexadecimal digits; then ret_data is
 * as it was. */
bool sso_hex_decode(const char *text, unsigned char *ret_data, apr_size_t len);
/* A number in decimal digits as they are printed: no sign but '-', no blank, no zero in front, -INT64_MAX to INT64_MAX.
 * False for all else, and for NULL. */
bool sso_integer_parse(const char *text, int64_t *ret_number);

/* A value for a query or form body: all but unreserved characters (RFC 3986 section 2.3) as %XX. */
const char *sso_percent_encode(apr_pool_t *pool, const char *text);

/* The i-th item of an array of const char *. */
static inline const char *sso_text_at(const apr_array_header_t *texts, int i)
{
    return ((const char *const *)(const void *)texts->elts)[i];
}

/* Splits a query or form body into decoded names and values. Fails (SSO_R_QUERY_FORMAT) on bad %XX, an encoded NUL,
 * more than SSO_MAX_QUERY_PAIRS pairs. Keeps duplicates: apr_table_get of such a name must not be trusted, see
 * sso_query_one. Empty pairs ("&&") are skipped. query may be NULL. */
sso_rc sso_query_parse(sso_ctx_t *ctx, const char *query, apr_table_t **ret_pairs) SSO_MUST_USE;
/* The value of a name that stands at most once. SSO_R_QUERY_DUPLICATE when it stands twice; *ret_value NULL when
 * absent. */
sso_rc sso_query_one(sso_ctx_t *ctx, const apr_table_t *pairs, const char *name, const char **ret_value) SSO_MUST_USE;

/* Constant-time equality of len bytes. */
bool sso_bytes_equal(const void *a, const void *b, apr_size_t len);
/* Constant-time in the content; lengths may show. False when either is NULL. */
bool sso_secret_equal(const char *a, const char *b);
/* Overwrites; the compiler cannot drop it. */
void sso_wipe(void *data, apr_size_t len);
/* Wipes data when pool is cleaned. */
void sso_wipe_later(apr_pool_t *pool, void *data, apr_size_t len);

/* True for 8-4-4-4-12 hexadecimal digits. */
bool sso_is_guid(const char *text);
/* True when text is well-formed UTF-8 (RFC 3629). */
bool sso_is_utf8(const char *text, apr_size_t len);
/* True when a byte below 0x20, or 0x7f, is in text. */
bool sso_has_control(const char *text);
