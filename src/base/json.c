/* SPDX-License-Identifier: Apache-2.0 */
/* Strict, bounded JSON over jansson, whose types never leave this file. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include <apr_pools.h>
#include <apr_strings.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/limits.h"

struct sso_json_writer_t {
    apr_pool_t *pool; /* for texts on their way in */
    json_t *root;
};

/* sso_json_t is never defined: a value of ours is jansson's, under a name that headers can speak. */
static const json_t *inner(const sso_json_t *value)
{
    return (const json_t *)value;
}

static const sso_json_t *outer(const json_t *value)
{
    return (const sso_json_t *)value;
}

/* Out of memory ends the process, as it does in APR: half a token would be worse. */
static void check_memory(apr_pool_t *pool, bool good)
{
    if (!good) {
        apr_abortfunc_t on_abort = apr_pool_abort_get(pool);
        if (on_abort != NULL) {
            on_abort(APR_ENOMEM);
        }
        abort();
    }
}

static apr_status_t free_json(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

/* SECURITY: jansson descends by recursion, to 2,048 levels; this look beforehand keeps its stack and ours
 * small. Brackets within strings do not count. What this reads differently from jansson, jansson refuses. */
static bool is_shallow(const char *text, apr_size_t len, int max_depth)
{
    bool in_string = false;
    int depth = 0;
    for (apr_size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            /* The character behind a backslash, a quote among others, ends nothing. */
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth) {
                return false;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return true;
}

sso_rc sso_json_parse(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len, apr_size_t max_len,
                      const sso_json_t **ret_value)
{
    return sso_json_parse_deep(ctx, pool, text, len, max_len, SSO_MAX_JSON_DEPTH, ret_value);
}

sso_rc sso_json_parse_deep(sso_ctx_t *ctx, apr_pool_t *pool, const char *text, apr_size_t len, apr_size_t max_len,
                           int max_depth, const sso_json_t **ret_value)
{
    max_depth = max_depth < SSO_MAX_JSON_LEVELS ? max_depth : SSO_MAX_JSON_LEVELS;
    if (len > max_len) {
        return sso_fail(ctx, SSO_R_JSON_SIZE, "%zu bytes, at most %zu", (size_t)len, (size_t)max_len);
    }
    if (text == NULL) {
        return sso_fail(ctx, SSO_R_JSON_SYNTAX, "no text");
    }
    if (!is_shallow(text, len, max_depth)) {
        return sso_fail(ctx, SSO_R_JSON_DEPTH, "more than %d levels", max_depth);
    }
    /* Any value may stand alone (RFC 8259); callers ask for the type that they need. */
    json_error_t error;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        /* SECURITY: jansson's own message quotes the document, which may be a token: number and place only.
         */
        return sso_fail(ctx, SSO_R_JSON_SYNTAX, "jansson error %d at byte %d", (int)json_error_code(&error),
                        error.position);
    }
    apr_pool_cleanup_register(pool, json, free_json, apr_pool_cleanup_null);
    *ret_value = outer(json);
    return SSO_OK;
}

sso_json_type_t sso_json_type(const sso_json_t *value)
{
    if (value == NULL) {
        return SSO_JSON_NULL;
    }
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return SSO_JSON_OBJECT;
    case JSON_ARRAY:
        return SSO_JSON_ARRAY;
    case JSON_STRING:
        return SSO_JSON_STRING;
    case JSON_INTEGER:
        return SSO_JSON_INTEGER;
    case JSON_REAL:
        return SSO_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return SSO_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return SSO_JSON_NULL;
}

/* jansson's getters answer NULL and 0 for NULL and for a wrong type, which is our contract as well. */
const sso_json_t *sso_json_get(const sso_json_t *value, const char *name)
{
    return outer(json_object_get(inner(value), name));
}

const sso_json_t *sso_json_at(const sso_json_t *value, apr_size_t index)
{
    return outer(json_array_get(inner(value), index));
}

apr_size_t sso_json_size(const sso_json_t *value)
{
    return sso_json_type(value) == SSO_JSON_ARRAY ? json_array_size(inner(value)) : json_object_size(inner(value));
}

const char *sso_json_text(const sso_json_t *value)
{
    return json_string_value(inner(value));
}

const char *sso_json_get_text(const sso_json_t *object, const char *name)
{
    return sso_json_text(sso_json_get(object, name));
}

bool sso_json_integer(const sso_json_t *value, int64_t *ret_number)
{
    if (!json_is_integer(inner(value))) {
        return false;
    }
    *ret_number = json_integer_value(inner(value));
    return true;
}

bool sso_json_number(const sso_json_t *value, double *ret_number)
{
    if (!json_is_number(inner(value))) {
        return false;
    }
    *ret_number = json_number_value(inner(value));
    return true;
}

bool sso_json_is_true(const sso_json_t *value)
{
    return json_is_true(inner(value));
}

/* jansson compares, copies and prints by recursion; is_shallow has bounded how deep a value can be. It only reads here.
 */
bool sso_json_equal(const sso_json_t *a, const sso_json_t *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return json_equal(inner(a), inner(b)) != 0;
}

void sso_json_each(const sso_json_t *object, bool (*each)(void *baton, const char *name, const sso_json_t *member),
                   void *baton)
{
    /* jansson's iterators want a value that may be changed; nothing here changes it. */
    json_t *json = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        if (!each(baton, json_object_iter_key(at), outer(json_object_iter_value(at)))) {
            return;
        }
    }
}

sso_json_writer_t *sso_json_object_make(apr_pool_t *pool)
{
    sso_json_writer_t *object = apr_palloc(pool, sizeof(*object));
    object->pool = pool;
    object->root = json_object();
    check_memory(pool, object->root != NULL);
    apr_pool_cleanup_register(pool, object->root, free_json, apr_pool_cleanup_null);
    return object;
}

/* Bytes of the character that begins at p, 0 when there is none within len. */
static apr_size_t character_at(const char *p, apr_size_t len)
{
    for (apr_size_t n = 1; n <= 4 && n <= len; n++) {
        if (sso_is_utf8(p, n)) {
            return n;
        }
    }
    return 0;
}

/* text itself when it is UTF-8; else a copy with U+FFFD for every byte that is in no character. */
static const char *to_utf8(apr_pool_t *pool, const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    apr_size_t len = strlen(text);
    if (sso_is_utf8(text, len)) {
        return text;
    }
    char *out = apr_palloc(pool, 3 * len + 1);
    char *end = out;
    for (apr_size_t pos = 0; pos < len;) {
        apr_size_t n = character_at(text + pos, len - pos);
        const char *from = n > 0 ? text + pos : replacement;
        apr_size_t bytes = n > 0 ? n : sizeof(replacement) - 1;
        memcpy(end, from, bytes);
        end += bytes;
        pos += n > 0 ? n : 1;
    }
    *end = '\0';
    return out;
}

/* Takes value over. A name that stands already gets the new value. */
static void set_member(sso_json_writer_t *object, const char *name, json_t *value)
{
    check_memory(object->pool, value != NULL);
    int rv = json_object_set_new(object->root, to_utf8(object->pool, name), value);
    check_memory(object->pool, rv == 0);
}

void sso_json_set_text(sso_json_writer_t *object, const char *name, const char *value)
{
    if (value != NULL) {
        set_member(object, name, json_string(to_utf8(object->pool, value)));
    }
}

void sso_json_set_integer(sso_json_writer_t *object, const char *name, int64_t value)
{
    set_member(object, name, json_integer(value));
}

void sso_json_set_bool(sso_json_writer_t *object, const char *name, bool value)
{
    set_member(object, name, json_boolean(value));
}

void sso_json_set_list(sso_json_writer_t *object, const char *name, const char *const *items, apr_size_t count)
{
    json_t *list = json_array();
    check_memory(object->pool, list != NULL);
    for (apr_size_t i = 0; i < count; i++) {
        int rv = json_array_append_new(list, json_string(to_utf8(object->pool, items[i])));
        check_memory(object->pool, rv == 0);
    }
    set_member(object, name, list);
}

sso_json_writer_t *sso_json_add_object(sso_json_writer_t *object, const char *name)
{
    if (!json_is_array(json_object_get(object->root, name))) {
        set_member(object, name, json_array());
    }
    sso_json_writer_t *added = apr_palloc(object->pool, sizeof(*added));
    added->pool = object->pool;
    added->root = json_object(); /* the list owns it */
    check_memory(object->pool, added->root != NULL);
    int rv = json_array_append_new(json_object_get(object->root, name), added->root);
    check_memory(object->pool, rv == 0);
    return added;
}

sso_json_writer_t *sso_json_set_object(sso_json_writer_t *object, const char *name)
{
    sso_json_writer_t *member = apr_palloc(object->pool, sizeof(*member));
    member->pool = object->pool;
    member->root = json_object(); /* the outer object owns it */
    set_member(object, name, member->root);
    return member;
}

void sso_json_set_value(sso_json_writer_t *object, const char *name, const sso_json_t *value)
{
    set_member(object, name, json_deep_copy(inner(value)));
}

const char *sso_json_print(apr_pool_t *pool, const sso_json_writer_t *object)
{
    /* Measured, then written straight into the pool: no buffer of jansson's is left to free or to wipe. */
    const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER;
    size_t len = json_dumpb(object->root, NULL, 0, flags);
    check_memory(pool, len > 0);
    char *text = apr_palloc(pool, len + 1);
    check_memory(pool, json_dumpb(object->root, text, len, flags) == len);
    text[len] = '\0';
    return text;
}

/* A node is jansson's value as well, under the name of what may be written to. */
static json_t *writable(sso_json_node_t *node)
{
    return (json_t *)node;
}

/* Takes json over: it is freed with pool. */
static sso_json_node_t *own(apr_pool_t *pool, json_t *json)
{
    check_memory(pool, json != NULL);
    apr_pool_cleanup_register(pool, json, free_json, apr_pool_cleanup_null);
    return (sso_json_node_t *)json;
}

sso_json_node_t *sso_json_node_object(apr_pool_t *pool)
{
    return own(pool, json_object());
}

sso_json_node_t *sso_json_node_array(apr_pool_t *pool)
{
    return own(pool, json_array());
}

sso_json_node_t *sso_json_node_text(apr_pool_t *pool, const char *text)
{
    return own(pool, json_string(to_utf8(pool, text)));
}

sso_json_node_t *sso_json_node_bool(apr_pool_t *pool, bool value)
{
    return own(pool, json_boolean(value));
}

sso_json_node_t *sso_json_node_copy(apr_pool_t *pool, const sso_json_t *value)
{
    return own(pool, json_deep_copy(inner(value)));
}

const sso_json_t *sso_json_node_view(const sso_json_node_t *node)
{
    return (const sso_json_t *)node;
}

sso_json_node_t *sso_json_node_get(sso_json_node_t *object, const char *name)
{
    return (sso_json_node_t *)json_object_get(writable(object), name);
}

sso_json_node_t *sso_json_node_at(sso_json_node_t *array, apr_size_t index)
{
    return (sso_json_node_t *)json_array_get(writable(array), index);
}

/* Takes value over and gives it back as a node; NULL, and value is gone, when object is none. */
static sso_json_node_t *put(apr_pool_t *pool, sso_json_node_t *object, const char *name, json_t *value)
{
    check_memory(pool, value != NULL);
    if (!json_is_object(writable(object))) {
        json_decref(value);
        return NULL;
    }
    check_memory(pool, json_object_set_new(writable(object), to_utf8(pool, name), value) == 0);
    return (sso_json_node_t *)value;
}

void sso_json_node_set(apr_pool_t *pool, sso_json_node_t *object, const char *name, const sso_json_t *value)
{
    if (value == NULL) {
        sso_json_node_remove(object, name);
        return;
    }
    put(pool, object, name, json_deep_copy(inner(value)));
}

void sso_json_node_set_text(apr_pool_t *pool, sso_json_node_t *object, const char *name, const char *value)
{
    if (value == NULL) {
        sso_json_node_remove(object, name);
        return;
    }
    put(pool, object, name, json_string(to_utf8(pool, value)));
}

void sso_json_node_set_integer(apr_pool_t *pool, sso_json_node_t *object, const char *name, int64_t value)
{
    put(pool, object, name, json_integer(value));
}

void sso_json_node_set_bool(apr_pool_t *pool, sso_json_node_t *object, const char *name, bool value)
{
    put(pool, object, name, json_boolean(value));
}

sso_json_node_t *sso_json_node_set_object(apr_pool_t *pool, sso_json_node_t *object, const char *name)
{
    return put(pool, object, name, json_object());
}

sso_json_node_t *sso_json_node_set_array(apr_pool_t *pool, sso_json_node_t *object, const char *name)
{
    return put(pool, object, name, json_array());
}

void sso_json_node_remove(sso_json_node_t *object, const char *name)
{
    json_object_del(writable(object), name);
}

/* As put, for the end of an array. */
static sso_json_node_t *push(apr_pool_t *pool, sso_json_node_t *array, json_t *value)
{
    check_memory(pool, value != NULL);
    if (!json_is_array(writable(array))) {
        json_decref(value);
        return NULL;
    }
    check_memory(pool, json_array_append_new(writable(array), value) == 0);
    return (sso_json_node_t *)value;
}

void sso_json_node_append(apr_pool_t *pool, sso_json_node_t *array, const sso_json_t *value)
{
    if (value != NULL) {
        push(pool, array, json_deep_copy(inner(value)));
    }
}

void sso_json_node_append_text(apr_pool_t *pool, sso_json_node_t *array, const char *value)
{
    if (value != NULL) {
        push(pool, array, json_string(to_utf8(pool, value)));
    }
}

sso_json_node_t *sso_json_node_append_object(apr_pool_t *pool, sso_json_node_t *array)
{
    return push(pool, array, json_object());
}

void sso_json_node_set_at(apr_pool_t *pool, sso_json_node_t *array, apr_size_t index, const sso_json_t *value)
{
    json_t *copy = json_deep_copy(inner(value));
    check_memory(pool, copy != NULL);
    /* Takes copy over also when it fails, which is an index past the end. */
    (void)json_array_set_new(writable(array), index, copy);
}

void sso_json_node_remove_at(sso_json_node_t *array, apr_size_t index)
{
    json_array_remove(writable(array), index);
}

/* 15 digits give every number back as it was written, up to 15 digits: 0.1 stays 0.1. */
#define VALUE_FLAGS (JSON_REAL_PRECISION(15) | JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY)

apr_size_t sso_json_length(const sso_json_t *value)
{
    return value == NULL ? 0 : json_dumpb(inner(value), NULL, 0, VALUE_FLAGS);
}

const char *sso_json_print_value(apr_pool_t *pool, const sso_json_t *value, apr_size_t max_len)
{
    apr_size_t len = sso_json_length(value);
    if (len == 0 || len > max_len) {
        return NULL;
    }
    char *text = apr_palloc(pool, len + 1);
    check_memory(pool, json_dumpb(inner(value), text, len, VALUE_FLAGS) == len);
    text[len] = '\0';
    return text;
}
