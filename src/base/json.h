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

/* The same with a bound of the caller's on the levels, at most SSO_MAX_JSON_LEVELS, for bodies that clients send. */
sso_rc sso_json_parse_deep(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len, apr_size_t max_len,
                           int max_depth, const sso_json_t **ret_value) SSO_MUST_USE;

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
/* True and *ret_number for an integer or a real, with what a double can hold of it. */
bool sso_json_number(const sso_json_t *value, double *ret_number);
/* True for the value true. */
bool sso_json_is_true(const sso_json_t *value);
/* True when both are of one type and hold the same; the order of members does not count. NULL equals NULL alone. */
bool sso_json_equal(const sso_json_t *a, const sso_json_t *b);
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

/* Nested documents that change. A node is a value that may be written to; sso_json_node_view reads it. Containers own
 * what is in them: what is put in is copied, so that no two documents share a part, and a node or view of a value that
 * is removed or replaced is gone with it. Lives as long as the pool of the outermost value. Names and texts have to be
 * UTF-8 (else U+FFFD). Writing to a node that is no object (no array) changes nothing. */
typedef struct sso_json_node_t sso_json_node_t;

/* Values that stand alone, owned by pool. */
sso_json_node_t *sso_json_node_object(apr_pool_t *pool);
sso_json_node_t *sso_json_node_array(apr_pool_t *pool);
sso_json_node_t *sso_json_node_text(apr_pool_t *pool, const char *text);
sso_json_node_t *sso_json_node_bool(apr_pool_t *pool, bool value);
sso_json_node_t *sso_json_node_copy(apr_pool_t *pool, const sso_json_t *value);

/* Reads a node; NULL for NULL. */
const sso_json_t *sso_json_node_view(const sso_json_node_t *node);
/* A member, an element: to be written to. NULL when there is none. */
sso_json_node_t *sso_json_node_get(sso_json_node_t *object, const char *name);
sso_json_node_t *sso_json_node_at(sso_json_node_t *array, apr_size_t index);

/* Members. A name that stands already keeps its place and gets the new value. pool is for texts on their way in. value
 * may be a part of object itself; NULL removes the member. */
void sso_json_node_set(apr_pool_t *pool, sso_json_node_t *object, const char *name, const sso_json_t *value);
void sso_json_node_set_text(apr_pool_t *pool, sso_json_node_t *object, const char *name, const char *value);
void sso_json_node_set_integer(apr_pool_t *pool, sso_json_node_t *object, const char *name, int64_t value);
void sso_json_node_set_bool(apr_pool_t *pool, sso_json_node_t *object, const char *name, bool value);
/* An empty object or array as member, to be filled. NULL when object is no object. */
sso_json_node_t *sso_json_node_set_object(apr_pool_t *pool, sso_json_node_t *object, const char *name);
sso_json_node_t *sso_json_node_set_array(apr_pool_t *pool, sso_json_node_t *object, const char *name);
void sso_json_node_remove(sso_json_node_t *object, const char *name);

/* Elements, at the end of an array. value NULL adds nothing. */
void sso_json_node_append(apr_pool_t *pool, sso_json_node_t *array, const sso_json_t *value);
void sso_json_node_append_text(apr_pool_t *pool, sso_json_node_t *array, const char *value);
sso_json_node_t *sso_json_node_append_object(apr_pool_t *pool, sso_json_node_t *array);
/* Puts a value in the place of an element; nothing past the end. */
void sso_json_node_set_at(apr_pool_t *pool, sso_json_node_t *array, apr_size_t index, const sso_json_t *value);
/* Removes the element; those behind it move up. */
void sso_json_node_remove_at(sso_json_node_t *array, apr_size_t index);

/* Bytes of the value as sso_json_print_value would write it. */
apr_size_t sso_json_length(const sso_json_t *value);
/* Compact UTF-8 text in pool, members in order of insertion. NULL when it would be longer than max_len bytes. */
const char *sso_json_print_value(apr_pool_t *pool, const sso_json_t *value, apr_size_t max_len);
