/* SPDX-License-Identifier: Apache-2.0 */
/* The session record in its binary form; it knows nothing of cookies, keys or HTTP. */
#include "session/record.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_uuid.h>

#include "base/bytes.h"
#include "base/limits.h"

/* version 2 | flags 1 | id 16 | created, ends, seen, revalidated, auth_time 5 x 8 | sid, tid, oid | four texts | roles
 * | groups | acrs | claims. An id is: 1 | the 16 bytes of a GUID, or: 0 | a text. A list is: count 2 | bytes 4 | that
 * many bytes of texts; groups that are GUIDs all of them, which the flags tell, are: count 2 | 16 bytes of each. */
#define RECORD_VERSION 2
#define FLAG_RENEWABLE 0x01
#define FLAG_GROUP_IDS 0x02
#define FLAGS (FLAG_RENEWABLE | FLAG_GROUP_IDS)
#define TEXT_OVERHEAD 3
#define GUID_BYTES sizeof(apr_uuid_t)
#define ID_TEXT 0
#define ID_GUID 1

sso_list_t sso_list_make(apr_pool_t *pool, const apr_array_header_t *items)
{
    sso_list_t list = {NULL, 0, 0};
    apr_size_t size = 0;
    for (int i = 0; i < items->nelts; i++) {
        size += strlen(sso_text_at(items, i)) + TEXT_OVERHEAD;
    }
    sso_writer_t w;
    sso_writer_init(&w, pool, size);
    for (int i = 0; i < items->nelts; i++) {
        sso_write_text(&w, sso_text_at(items, i));
    }
    if (!w.failed) {
        list.data = w.data;
        list.len = w.len;
        list.count = (unsigned)items->nelts;
    }
    return list;
}

const char *sso_list_next(const sso_list_t *list, apr_size_t *at)
{
    if (*at >= list->len) {
        return NULL;
    }
    sso_reader_t r;
    sso_reader_init(&r, list->data + *at, list->len - *at);
    const char *text = sso_read_text(&r);
    *at += r.pos;
    return text;
}

const char *const *sso_list_items(apr_pool_t *pool, const sso_list_t *list, apr_size_t *ret_count)
{
    const char **items = apr_pcalloc(pool, ((apr_size_t)list->count + 1) * sizeof(*items));
    apr_size_t at = 0;
    apr_size_t count = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        items[count++] = item;
    }
    *ret_count = count;
    return items;
}

bool sso_list_has(const sso_list_t *list, const char *text)
{
    apr_size_t at = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        if (strcmp(item, text) == 0) {
            return true;
        }
    }
    return false;
}

const char *sso_list_join(apr_pool_t *pool, const sso_list_t *list, const char *separator)
{
    apr_size_t at = 0;
    const char *first = list->count == 0 ? NULL : sso_list_next(list, &at);
    if (list->count <= 1) {
        return first == NULL || strstr(first, separator) != NULL ? NULL : first;
    }
    apr_size_t gap = strlen(separator);
    /* Each item has three bytes of frame in the packed form, so this is room enough for any separator. */
    char *joined = apr_palloc(pool, list->len + list->count * gap + 1);
    char *end = joined;
    bool any = false;
    for (const char *item = first; item != NULL; item = sso_list_next(list, &at)) {
        /* SECURITY: a role "user,admin" must not reach the application as two. */
        if (strstr(item, separator) != NULL) {
            continue;
        }
        if (any) {
            memcpy(end, separator, gap);
            end += gap;
        }
        apr_size_t len = strlen(item);
        memcpy(end, item, len);
        end += len;
        any = true;
    }
    *end = '\0';
    return any ? joined : NULL;
}

static void write_list(sso_writer_t *w, const sso_list_t *list)
{
    sso_write_u16(w, (uint16_t)list->count);
    sso_write_u32(w, (uint32_t)list->len);
    sso_write_bytes(w, list->data, list->len);
}

/* Walks the list once, so that later reads in place cannot meet a surprise. */
static sso_list_t read_list(sso_reader_t *r)
{
    sso_list_t list = {NULL, 0, 0};
    list.count = sso_read_u16(r);
    list.len = sso_read_u32(r);
    list.data = sso_read_bytes(r, list.len);
    apr_size_t at = 0;
    unsigned seen = 0;
    while (!r->failed && at < list.len) {
        if (sso_list_next(&list, &at) == NULL) {
            r->failed = true;
        }
        seen++;
    }
    if (seen != list.count) {
        r->failed = true;
    }
    return list;
}

/* True for a GUID in small letters, the one spelling that comes back from its bytes. */
static bool read_guid(const char *text, apr_uuid_t *ret_guid)
{
    char again[APR_UUID_FORMATTED_LENGTH + 1];
    if (text == NULL || apr_uuid_parse(ret_guid, text) != APR_SUCCESS) {
        return false;
    }
    apr_uuid_format(again, ret_guid);
    return strcmp(again, text) == 0;
}

/* As bytes the three ids make the cookie of a usual user 88 characters smaller. */
static void write_id(sso_writer_t *w, const char *text)
{
    apr_uuid_t guid;
    if (read_guid(text, &guid)) {
        sso_write_u8(w, ID_GUID);
        sso_write_bytes(w, guid.data, sizeof(guid.data));
    } else {
        sso_write_u8(w, ID_TEXT);
        sso_write_text(w, text);
    }
}

/* apr_uuid_format goes through sprintf, which is too slow here. */
static void print_guid(const unsigned char *bytes, char ret_text[static APR_UUID_FORMATTED_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *end = ret_text;
    for (size_t i = 0; i < GUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *end++ = '-';
        }
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 0x0f];
    }
    *end = '\0';
}

static const char *read_id(sso_ctx_t *ctx, sso_reader_t *r)
{
    uint8_t form = sso_read_u8(r);
    if (form == ID_TEXT) {
        return sso_read_text(r);
    }
    const unsigned char *bytes = sso_read_bytes(r, GUID_BYTES);
    if (form != ID_GUID || bytes == NULL) {
        r->failed = true;
        return NULL;
    }
    char *text = apr_palloc(ctx->pool, APR_UUID_FORMATTED_LENGTH + 1);
    print_guid(bytes, text);
    return text;
}

static bool is_all_guids(const sso_list_t *list)
{
    apr_uuid_t guid;
    apr_size_t at = 0;
    for (const char *item = sso_list_next(list, &at); item != NULL; item = sso_list_next(list, &at)) {
        if (!read_guid(item, &guid)) {
            return false;
        }
    }
    return list->count > 0;
}

/* A user may be in hundreds of groups, and a cookie has room for so many only as bytes. */
static void write_guids(sso_writer_t *w, const sso_list_t *list)
{
    apr_uuid_t guid;
    apr_size_t at = 0;
    sso_write_u16(w, (uint16_t)list->count);
    for (const char *item = sso_list_next(list, &at); read_guid(item, &guid); item = sso_list_next(list, &at)) {
        sso_write_bytes(w, guid.data, GUID_BYTES);
    }
}

static sso_list_t read_guids(sso_ctx_t *ctx, sso_reader_t *r)
{
    sso_list_t list = {NULL, 0, 0};
    unsigned count = sso_read_u16(r);
    const unsigned char *bytes = sso_read_bytes(r, count * GUID_BYTES);
    if (bytes == NULL || count == 0) {
        r->failed = true;
        return list;
    }
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, count * (APR_UUID_FORMATTED_LENGTH + TEXT_OVERHEAD));
    for (unsigned i = 0; i < count; i++) {
        char text[APR_UUID_FORMATTED_LENGTH + 1];
        print_guid(bytes + i * GUID_BYTES, text);
        sso_write_text(&w, text);
    }
    return (sso_list_t){w.data, w.len, count};
}

sso_rc sso_record_pack(sso_ctx_t *ctx, const sso_record_t *record, apr_size_t max, const unsigned char **ret_data,
                       apr_size_t *ret_len)
{
    sso_writer_t w;
    bool group_ids = is_all_guids(&record->groups);
    sso_writer_init(&w, ctx->pool, max);
    sso_write_u8(&w, RECORD_VERSION);
    sso_write_u8(&w, (uint8_t)((record->renewable ? FLAG_RENEWABLE : 0) | (group_ids ? FLAG_GROUP_IDS : 0)));
    sso_write_bytes(&w, record->id, sizeof(record->id));
    sso_write_i64(&w, record->created);
    sso_write_i64(&w, record->ends);
    sso_write_i64(&w, record->seen);
    sso_write_i64(&w, record->revalidated);
    sso_write_i64(&w, record->auth_time);
    write_id(&w, record->sid);
    write_id(&w, record->tid);
    write_id(&w, record->oid);
    sso_write_text(&w, record->username);
    sso_write_text(&w, record->name);
    sso_write_text(&w, record->email);
    sso_write_text(&w, record->login_hint);
    write_list(&w, &record->roles);
    if (group_ids) {
        write_guids(&w, &record->groups);
    } else {
        write_list(&w, &record->groups);
    }
    write_list(&w, &record->acrs);
    write_list(&w, &record->claims);
    if (w.failed) {
        return sso_fail(ctx, SSO_R_SESSION_SIZE, "more than %" APR_SIZE_T_FMT " bytes of claims", max);
    }
    *ret_data = w.data;
    *ret_len = w.len;
    return SSO_OK;
}

/* The number of a claim's values: plain decimals in their one spelling, else -1. apr_atoi64 alone would take blanks,
 * signs and whatever stands behind the digits. */
static apr_int64_t values_of(const char *text)
{
    apr_size_t len = text == NULL ? 0 : strlen(text);
    if (len == 0 || len > 4 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1)) {
        return -1;
    }
    return apr_atoi64(text);
}

/* The frame of the claims list: name, count, that many values. */
static bool claims_well_formed(const sso_list_t *claims)
{
    apr_size_t at = 0;
    const char *name;
    while ((name = sso_list_next(claims, &at)) != NULL) {
        apr_int64_t values = values_of(sso_list_next(claims, &at));
        if (*name == '\0' || values < 0 || values > SSO_MAX_LIST_ITEMS) {
            return false;
        }
        for (; values > 0; values--) {
            if (sso_list_next(claims, &at) == NULL) {
                return false;
            }
        }
    }
    return at == claims->len;
}

static bool times_in_order(const sso_record_t *record)
{
    /* SECURITY: the cap is checked where the record is read, so not even a record sealed by a faulty version can live
     * longer. The order also keeps the sums below from overflowing. */
    return record->created > 0 && record->created < APR_INT64_MAX / 2 && record->ends > record->created &&
           record->ends - record->created <= SSO_SESSION_CAP && record->seen >= record->created &&
           record->seen <= record->ends && record->revalidated >= record->created &&
           record->revalidated <= record->ends && record->auth_time >= 0;
}

sso_rc sso_record_unpack(sso_ctx_t *ctx, const unsigned char *data, apr_size_t len, sso_record_t *ret_record)
{
    sso_record_t record;
    sso_reader_t r;
    sso_reader_init(&r, data, len);
    uint8_t version = sso_read_u8(&r);
    if (version != RECORD_VERSION) {
        return sso_fail(ctx, SSO_R_SESSION_FORMAT, "version %u", (unsigned)version);
    }
    uint8_t flags = sso_read_u8(&r);
    const unsigned char *id = sso_read_bytes(&r, sizeof(record.id));
    record.created = sso_read_i64(&r);
    record.ends = sso_read_i64(&r);
    record.seen = sso_read_i64(&r);
    record.revalidated = sso_read_i64(&r);
    record.auth_time = sso_read_i64(&r);
    record.sid = read_id(ctx, &r);
    record.tid = read_id(ctx, &r);
    record.oid = read_id(ctx, &r);
    record.username = sso_read_text(&r);
    record.name = sso_read_text(&r);
    record.email = sso_read_text(&r);
    record.login_hint = sso_read_text(&r);
    record.roles = read_list(&r);
    record.groups = (flags & FLAG_GROUP_IDS) != 0 ? read_guids(ctx, &r) : read_list(&r);
    record.acrs = read_list(&r);
    record.claims = read_list(&r);
    if (id == NULL || (flags & ~FLAGS) != 0 || !sso_reader_done(&r) || !claims_well_formed(&record.claims)) {
        return sso_fail(ctx, SSO_R_SESSION_FORMAT, "the fields do not add up");
    }
    memcpy(record.id, id, sizeof(record.id));
    record.renewable = (flags & FLAG_RENEWABLE) != 0;
    if (!times_in_order(&record) || *record.tid == '\0' || *record.oid == '\0') {
        return sso_fail(ctx, SSO_R_SESSION_FORMAT, "the times are out of order, or the user has no key");
    }
    *ret_record = record;
    return SSO_OK;
}

apr_size_t sso_record_room(const sso_record_t *record)
{
    const char *const texts[] = {record->sid,  record->tid,   record->oid,       record->username,
                                 record->name, record->email, record->login_hint};
    apr_size_t room = record->roles.len + record->groups.len + record->acrs.len + record->claims.len;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        room += strlen(texts[i]) + 1;
    }
    return room;
}

static const char *copy_text(unsigned char **end, const char *text)
{
    apr_size_t size = strlen(text) + 1;
    char *copy = memcpy(*end, text, size);
    *end += size;
    return copy;
}

static sso_list_t copy_list(unsigned char **end, const sso_list_t *list)
{
    sso_list_t copy = *list;
    copy.data = *end;
    /* memcpy must not see NULL, even for 0 bytes. */
    if (list->len > 0) {
        memcpy(*end, list->data, list->len);
        *end += list->len;
    }
    return copy;
}

void sso_record_copy(const sso_record_t *record, void *room, sso_record_t *ret_copy)
{
    unsigned char *end = room;
    *ret_copy = *record;
    ret_copy->sid = copy_text(&end, record->sid);
    ret_copy->tid = copy_text(&end, record->tid);
    ret_copy->oid = copy_text(&end, record->oid);
    ret_copy->username = copy_text(&end, record->username);
    ret_copy->name = copy_text(&end, record->name);
    ret_copy->email = copy_text(&end, record->email);
    ret_copy->login_hint = copy_text(&end, record->login_hint);
    ret_copy->roles = copy_list(&end, &record->roles);
    ret_copy->groups = copy_list(&end, &record->groups);
    ret_copy->acrs = copy_list(&end, &record->acrs);
    ret_copy->claims = copy_list(&end, &record->claims);
}

void sso_record_touch(sso_record_t *record, apr_time_t now)
{
    record->seen = now > record->created ? now : record->created;
}

sso_rc sso_record_check(sso_ctx_t *ctx, const sso_record_t *record, apr_interval_time_t max_age,
                        apr_interval_time_t idle, apr_interval_time_t skew)
{
    if (record->created > ctx->now + skew) {
        return sso_fail(ctx, SSO_R_SESSION_FUTURE, "made %" APR_TIME_T_FMT " s from now",
                        apr_time_sec(record->created - ctx->now));
    }
    if (ctx->now >= record->ends || ctx->now >= record->created + max_age) {
        return sso_fail(ctx, SSO_R_SESSION_OVER, "made %" APR_TIME_T_FMT " s ago",
                        apr_time_sec(ctx->now - record->created));
    }
    if (idle > 0 && ctx->now - record->seen > idle) {
        return sso_fail(ctx, SSO_R_SESSION_IDLE, "last seen %" APR_TIME_T_FMT " s ago",
                        apr_time_sec(ctx->now - record->seen));
    }
    return SSO_OK;
}

sso_rc sso_record_check_fresh(sso_ctx_t *ctx, const sso_record_t *record, const sso_freshness_t *freshness)
{
    if (freshness->revalidate > 0 && ctx->now - record->revalidated > freshness->revalidate + freshness->grace) {
        return sso_fail(ctx, SSO_R_SESSION_STALE, "Entra's last word is %" APR_TIME_T_FMT " s old",
                        apr_time_sec(ctx->now - record->revalidated));
    }
    return SSO_OK;
}

static bool is_ahead(apr_time_t revalidated, apr_time_t now)
{
    return revalidated - now > SSO_MAX_CLOCK_SKEW;
}

bool sso_record_renew_due(const sso_record_t *record, apr_time_t now, const sso_freshness_t *freshness)
{
    /* SECURITY: else a clock that was set back by an hour would give who was dismissed an hour. */
    return freshness->revalidate > 0 &&
           (now - record->revalidated > freshness->revalidate || is_ahead(record->revalidated, now));
}

bool sso_record_is_younger(apr_time_t theirs, apr_time_t ours, apr_time_t now)
{
    bool ahead = is_ahead(ours, now);
    return ahead == is_ahead(theirs, now) ? theirs > ours : ahead;
}

bool sso_record_renew(sso_record_t *record, const sso_record_t *renewed)
{
    if (memcmp(record->id, renewed->id, sizeof(record->id)) != 0 || strcmp(record->tid, renewed->tid) != 0 ||
        strcmp(record->oid, renewed->oid) != 0) {
        return false;
    }
    const sso_record_t old = *record;
    *record = *renewed;
    record->created = old.created;
    record->ends = old.ends;
    record->seen = old.seen;
    return true;
}

bool sso_record_touch_due(const sso_record_t *record, apr_time_t now, apr_interval_time_t idle)
{
    if (idle <= 0) {
        return false;
    }
    apr_interval_time_t step = idle / 10;
    if (step > apr_time_from_sec(300)) {
        step = apr_time_from_sec(300);
    }
    return now - record->seen >= step;
}

void sso_claims_add(apr_pool_t *pool, apr_array_header_t *packed, const char *name, const apr_array_header_t *values)
{
    APR_ARRAY_PUSH(packed, const char *) = name;
    APR_ARRAY_PUSH(packed, const char *) = apr_itoa(pool, values->nelts);
    apr_array_cat(packed, values);
}

void sso_claims_copy(apr_pool_t *pool, const sso_record_t *record, const char *prefix, apr_array_header_t *packed)
{
    const sso_list_t *claims = &record->claims;
    apr_size_t at = 0;
    const char *name;
    while ((name = sso_list_next(claims, &at)) != NULL) {
        apr_int64_t count = values_of(sso_list_next(claims, &at));
        apr_array_header_t *values = apr_array_make(pool, (int)count + 1, sizeof(const char *));
        for (apr_int64_t i = 0; i < count; i++) {
            APR_ARRAY_PUSH(values, const char *) = sso_list_next(claims, &at);
        }
        if (strncmp(name, prefix, strlen(prefix)) != 0) {
            sso_claims_add(pool, packed, name, values);
        }
    }
}

bool sso_record_claim(const sso_record_t *record, const char *name, sso_list_t *ret_values)
{
    const sso_list_t *claims = &record->claims;
    apr_size_t at = 0;
    const char *found;
    while ((found = sso_list_next(claims, &at)) != NULL) {
        apr_int64_t values = values_of(sso_list_next(claims, &at));
        apr_size_t begin = at;
        for (apr_int64_t i = 0; i < values; i++) {
            (void)sso_list_next(claims, &at);
        }
        if (strcmp(found, name) == 0) {
            ret_values->data = claims->data + begin;
            ret_values->len = at - begin;
            ret_values->count = (unsigned)values;
            return true;
        }
    }
    return false;
}
