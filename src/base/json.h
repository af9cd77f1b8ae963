/* SPDX-License-Identifier: Apache-2.0 */
/* Strict, bounded JSON (RFC 8259). The only file that knows jansson. */
#pragma once

#include <stdint.h>

#include <apr_tables.h>

#include "base/result.h"

/* A value. Owned by the pool given to sso_json_parse; freed with it. */
typedef struct sso_json_t sso_json_t;

/* Parses text: at most max_len bytes, SSO_MAX_JSON_DEPTH levels, no duplicate names, valid UTF-8, no NUL in
 * strings, nothing behind the value. Integers must fit 64 bits. Errors: SSO_R_JSON_SIZE, _DEPTH, _SYNTAX. */
sso_rc sso_json_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len, apr_size_t max_len,
                      const sso_json_t **ret_value) SSO_MUST_USE;

typedef enum {
    SSO_JSON_NULL,
    SSO_JSON_BOOL,
    SSO_JSON_INTEGER,
    SSO_JSON_REAL,
    SSO_JSON_STRING,
    SSO_JSON_ARRAY,
    SSO_JSON_OBJECT
} sso_json_type_t;

sso_json_type_t sso_json_type(const sso_json_t *value);
/* Member of an object; NULL when absent or when value is NULL or no object. */
const sso_json_t *sso_json_get(const sso_json_t *value, const char *name);
/* Element of an array; NULL past the end. */
const sso_json_t *sso_json_at(const sso_json_t *value, apr_size_t index);
/* Elements of an array, members of an object, else 0. */
apr_size_t sso_json_size(const sso_json_t *value);
/* String of a string value; NULL for every other type and for NULL. Lives as long as the value. */
const char *sso_json_text(const sso_json_t *value);
/* Shorthand: the string member, or NULL when absent or of another type. */
const char *sso_json_get_text(const sso_json_t *object, const char *name);
/* True and *ret_number for an integer value; reals are not integers, however round. */
bool sso_json_integer(const sso_json_t *value, int64_t *ret_number);
/* True for the value true. */
bool sso_json_is_true(const sso_json_t *value);
/* Calls each(baton, name, member) for the members of an object until it gives false. */
void sso_json_each(const sso_json_t *object, bool (*each)(void *baton, const char *name, const sso_json_t *member),
                   void *baton);

/* Building: an object of text members for assertions and answers. */
typedef struct sso_json_writer_t sso_json_writer_t;
sso_json_writer_t *sso_json_object_make(apr_pool_t *pool);
/* value NULL leaves the member out. Invalid UTF-8 is replaced by U+FFFD. */
void sso_json_set_text(sso_json_writer_t *object, const char *name, const char *value);
void sso_json_set_integer(sso_json_writer_t *object, const char *name, int64_t value);
void sso_json_set_bool(sso_json_writer_t *object, const char *name, bool value);
/* items: NUL-terminated strings. */
void sso_json_set_list(sso_json_writer_t *object, const char *name, const char *const *items, apr_size_t count);
/* Adds an object to the list of that name, which begins empty, and gives it to be filled. It lives with object. */
sso_json_writer_t *sso_json_add_object(sso_json_writer_t *object, const char *name);
/* An object as the member of that name, to be filled. Lives with the outer one. */
sso_json_writer_t *sso_json_set_object(sso_json_writer_t *object, const char *name);
/* A copy of a parsed value. */
void sso_json_set_value(sso_json_writer_t *object, const char *name, const sso_json_t *value);
/* Compact text in pool, keys in order of insertion. */
const char *sso_json_print(apr_pool_t *pool, const sso_json_writer_t *object);
