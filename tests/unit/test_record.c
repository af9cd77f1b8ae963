/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/record.c: the binary form against every mutation, and the time rules at every boundary. */
#include "session/record.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "lists.h"

#define HOUR apr_time_from_sec(3600)
#define MINUTE apr_time_from_sec(60)
#define NOW SSO_TEST_NOW

/* ---- records and their bytes ---- */

typedef struct {
    const unsigned char *data;
    apr_size_t len;
} bytes_t;

static sso_record_t full_record(void)
{
    sso_record_t record = {
        .id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255},
        .created = NOW,
        .ends = NOW + 8 * HOUR,
        .seen = NOW + MINUTE,
        .revalidated = NOW + 2 * MINUTE,
        .auth_time = NOW - HOUR,
        .renewable = true,
        .sid = "00000000-aaaa-4000-8000-000000000001",
        .tid = "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11",
        .oid = "11111111-2222-4000-8000-333333333333",
        .username = "alice@example.com",
        .name = "Alice Ämter",
        .email = "alice@mail.example.com",
        .login_hint = "O.CiQ",
        .roles = list_of(TEXTS("reader", "writer", "admin")),
        .groups = list_of(TEXTS("6f0cabb1-0000-4000-8000-000000000001", "6f0cabb1-0000-4000-8000-000000000002")),
        .acrs = list_of(TEXTS("c1", "c25")),
        .claims = list_of(TEXTS("department", "1", "Sales", "skills", "2", "c", "department", "empty", "0")),
    };
    return record;
}

/* A record with the least that unpack takes. */
static sso_record_t bare_record(void)
{
    sso_record_t record = {.created = 1, .ends = 2, .seen = 1, .revalidated = 1, .tid = "t", .oid = "o"};
    return record;
}

static bytes_t pack(const sso_record_t *record)
{
    bytes_t packed;
    assert_rc(SSO_OK, sso_record_pack(&unit_ctx, record, SSO_MAX_SEALED, &packed.data, &packed.len));
    return packed;
}

/* Of a copy with nothing behind it, so that AddressSanitizer sees a read past the end. */
static sso_rc unpack(const void *data, apr_size_t len, sso_record_t *record)
{
    sso_rc rc = sso_record_unpack(&unit_ctx, unit_exact_copy(data, len), len, record);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static void assert_list_equal(const sso_list_t *expected, const sso_list_t *got)
{
    assert_int_equal(expected->count, got->count);
    assert_int_equal(expected->len, got->len);
    if (expected->len > 0) {
        assert_memory_equal(expected->data, got->data, expected->len);
    }
}

static void assert_text_equal(const char *expected, const char *got)
{
    assert_string_equal(expected != NULL ? expected : "", got);
}

static void assert_record_equal(const sso_record_t *expected, const sso_record_t *got)
{
    assert_memory_equal(expected->id, got->id, sizeof(expected->id));
    assert_int_equal(expected->created, got->created);
    assert_int_equal(expected->ends, got->ends);
    assert_int_equal(expected->seen, got->seen);
    assert_int_equal(expected->revalidated, got->revalidated);
    assert_int_equal(expected->auth_time, got->auth_time);
    assert_int_equal(expected->renewable, got->renewable);
    assert_text_equal(expected->sid, got->sid);
    assert_text_equal(expected->tid, got->tid);
    assert_text_equal(expected->oid, got->oid);
    assert_text_equal(expected->username, got->username);
    assert_text_equal(expected->name, got->name);
    assert_text_equal(expected->email, got->email);
    assert_text_equal(expected->login_hint, got->login_hint);
    assert_list_equal(&expected->roles, &got->roles);
    assert_list_equal(&expected->groups, &got->groups);
    assert_list_equal(&expected->acrs, &got->acrs);
    assert_list_equal(&expected->claims, &got->claims);
}

static void assert_round_trip(const sso_record_t *record)
{
    sso_record_t got;
    bytes_t packed = pack(record);
    assert_rc(SSO_OK, unpack(packed.data, packed.len, &got));
    assert_record_equal(record, &got);
}

/* ---- round trips ---- */

static void test_record_with_every_field_comes_back_equal(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    assert_round_trip(&record);
}

static void test_record_copy_outlives_what_it_was_copied_from(void **state)
{
    (void)state;
    sso_record_t record = full_record(), unpacked, copy;
    bytes_t packed = pack(&record);
    unsigned char *source = apr_pmemdup(unit_pool, packed.data, packed.len);
    assert_rc(SSO_OK, sso_record_unpack(&unit_ctx, source, packed.len, &unpacked));
    apr_size_t room = sso_record_room(&unpacked);
    unsigned char *bytes = apr_palloc(unit_pool, room + 1);
    bytes[room] = 0x5a;
    sso_record_copy(&unpacked, bytes, &copy);
    /* The room is what it takes, and all of it lies there. */
    assert_int_equal(bytes[room], 0x5a);
    assert_ptr_equal(copy.claims.data + copy.claims.len, bytes + room);
    memset(source, 'x', packed.len);
    memset((char *)(uintptr_t)unpacked.oid, 'x', strlen(unpacked.oid));
    bytes_t again = pack(&copy);
    assert_int_equal(again.len, packed.len);
    assert_memory_equal(again.data, packed.data, packed.len);
}

static void test_record_with_nothing_optional_comes_back_equal(void **state)
{
    (void)state;
    sso_record_t record = bare_record();
    assert_round_trip(&record);
}

static char *text_of(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void test_record_of_the_largest_size_comes_back_equal(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    record.name = text_of(SSO_MAX_CLAIM_VALUE);
    record.username = text_of(SSO_MAX_CLAIM_VALUE);
    apr_array_header_t *roles = apr_array_make(unit_pool, SSO_MAX_LIST_ITEMS, sizeof(const char *));
    for (int i = 0; i < SSO_MAX_LIST_ITEMS; i++) {
        APR_ARRAY_PUSH(roles, const char *) = "r";
    }
    record.roles = sso_list_make(unit_pool, roles);
    bytes_t packed = pack(&record);
    record.email = text_of(SSO_MAX_SEALED - packed.len + strlen(record.email));
    assert_int_equal(pack(&record).len, SSO_MAX_SEALED);
    assert_round_trip(&record);
}

static void test_record_one_byte_over_the_bound_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    bytes_t packed = pack(&record);
    bytes_t again = {NULL, 0};
    for (apr_size_t max = 0; max < packed.len; max++) {
        assert_rc(SSO_R_SESSION_SIZE, sso_record_pack(&unit_ctx, &record, max, &again.data, &again.len));
    }
    assert_null(again.data);
    assert_rc(SSO_OK, sso_record_pack(&unit_ctx, &record, packed.len, &again.data, &again.len));
}

static void test_record_unpacked_points_into_its_bytes(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t got;
    bytes_t packed = pack(&record);
    assert_rc(SSO_OK, sso_record_unpack(&unit_ctx, packed.data, packed.len, &got));
    const unsigned char *name = (const unsigned char *)got.name;
    assert_true(name > packed.data && name < packed.data + packed.len);
    assert_true(got.roles.data > packed.data && got.roles.data + got.roles.len < packed.data + packed.len);
}

static void test_record_ids_come_back_in_their_own_spelling(void **state)
{
    static const struct {
        const char *id;
        apr_size_t bytes; /* in the record */
    } rows[] = {
        {"8d6f4f0e-0000-4000-8000-3a6c2f1b7c11", 17},
        {"00000000-0000-0000-0000-000000000000", 17},
        {"ffffffff-ffff-ffff-ffff-ffffffffffff", 17},
        {"8D6F4F0E-0000-4000-8000-3A6C2F1B7C11", 40},
        {"8d6f4f0e-0000-4000-8000-3a6c2f1b7c1", 39},
        {"8d6f4f0e-0000-4000-8000-3a6c2f1b7c111", 41},
        {"8d6f4f0e000040008000-3a6c2f1b7c11----", 41},
        {"8d6f4f0e-0000-4000-8000-3a6c2f1b7c1g", 40},
        {"{8d6f4f0e-0000-4000-8000-3a6c2f1b7c1", 40},
        {"x", 5},
        {"", 4},
        {NULL, 4},
    };
    (void)state;
    sso_record_t record = bare_record();
    apr_size_t len_without = pack(&record).len - 4;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record.sid = rows[i].id;
        assert_round_trip(&record);
        assert_int_equal(pack(&record).len, len_without + rows[i].bytes);
    }
}

#define GROUP "6f0cabb1-0000-4000-8000-000000000001"

static void test_record_groups_that_are_ids_are_bytes(void **state)
{
    static const struct {
        const char *items[4];
        apr_size_t bytes; /* in the record */
    } rows[] = {
        {{NULL}, 2 + 4},
        {{GROUP}, 2 + 16},
        {{GROUP, GROUP, "ffffffff-ffff-ffff-ffff-ffffffffffff"}, 2 + 3 * 16},
        {{GROUP, "Finance"}, 2 + 4 + 39 + 10},
        {{"Finance", GROUP}, 2 + 4 + 39 + 10},
        /* In the spelling of the configuration. */
        {{GROUP, "6F0CABB1-0000-4000-8000-000000000001"}, 2 + 4 + 2 * 39},
        {{"6f0cabb1-0000-4000-8000-00000000000"}, 2 + 4 + 38},
    };
    (void)state;
    sso_record_t record = bare_record();
    apr_size_t len_without = pack(&record).len - rows[0].bytes;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record.groups = list_of(rows[i].items);
        assert_round_trip(&record);
        assert_int_equal(pack(&record).len, len_without + rows[i].bytes);
    }
}

static void test_record_has_room_for_hundreds_of_group_ids(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    apr_array_header_t *groups = apr_array_make(unit_pool, 500, sizeof(const char *));
    for (int i = 0; i < 500; i++) {
        APR_ARRAY_PUSH(groups, const char *) = apr_psprintf(unit_pool, "6f0cabb1-0000-4000-8000-%012x", i);
    }
    record.groups = sso_list_make(unit_pool, groups);
    assert_round_trip(&record);
    assert_in_range(pack(&record).len, 500 * 16, 500 * 16 + 600);
}

/* ---- mutations ---- */

static void test_record_every_truncation_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    bytes_t packed = pack(&record);
    sso_record_t got = bare_record();
    sso_record_t untouched = got;
    for (apr_size_t len = 0; len < packed.len; len++) {
        assert_rc(SSO_R_SESSION_FORMAT, unpack(packed.data, len, &got));
        assert_rc(SSO_R_SESSION_FORMAT, unpack(packed.data + packed.len - len, len, &got));
    }
    assert_memory_equal(&got, &untouched, sizeof(got));
}

static void test_record_with_bytes_behind_it_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t got;
    bytes_t packed = pack(&record);
    unsigned char *longer = apr_pcalloc(unit_pool, packed.len + 1);
    memcpy(longer, packed.data, packed.len);
    assert_rc(SSO_R_SESSION_FORMAT, unpack(longer, packed.len + 1, &got));
}

static void walk(const sso_list_t *list)
{
    apr_size_t at = 0;
    unsigned count = 0;
    while (sso_list_next(list, &at) != NULL) {
        count++;
    }
    assert_int_equal(count, list->count);
    assert_int_equal(at, list->len);
    (void)sso_list_join(unit_pool, list, ", ");
}

/* What must hold of every record that was let in, wherever its bytes came from. */
static void assert_rules_hold(const sso_record_t *record)
{
    sso_list_t values;
    assert_true(record->created > 0 && record->ends > record->created);
    assert_true(record->ends - record->created <= 8 * HOUR);
    assert_true(record->seen >= record->created && record->seen <= record->ends);
    assert_true(record->revalidated >= record->created && record->revalidated <= record->ends);
    assert_true(*record->tid != '\0' && *record->oid != '\0');
    walk(&record->roles);
    walk(&record->groups);
    walk(&record->claims);
    if (sso_record_claim(record, "department", &values)) {
        walk(&values);
    }
    assert_false(sso_record_claim(record, "no such claim", &values));
}

static void test_record_every_flipped_bit_is_refused_or_within_the_rules(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    bytes_t packed = pack(&record);
    unsigned char *changed = unit_exact_copy(packed.data, packed.len);
    unsigned refused = 0;
    for (apr_size_t bit = 0; bit < 8 * packed.len; bit++) {
        sso_record_t got;
        unsigned char mask = (unsigned char)(1U << (bit % 8));
        changed[bit / 8] ^= mask;
        sso_rc rc = sso_record_unpack(&unit_ctx, changed, packed.len, &got);
        sso_fault_clear(&unit_ctx);
        if (rc == SSO_OK) {
            assert_rules_hold(&got);
        } else {
            assert_rc(SSO_R_SESSION_FORMAT, rc);
            refused++;
        }
        changed[bit / 8] ^= mask;
    }
    /* The frame is some 15 % of the bytes: the test would prove nothing if all were let in. */
    assert_in_range(refused, packed.len, 8 * packed.len);
}

static void test_record_every_byte_value_at_every_place_is_refused_or_within_the_rules(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    bytes_t packed = pack(&record);
    unsigned char *changed = unit_exact_copy(packed.data, packed.len);
    for (apr_size_t place = 0; place < packed.len; place++) {
        static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        for (size_t i = 0; i < sizeof(values); i++) {
            sso_record_t got;
            changed[place] = values[i];
            if (sso_record_unpack(&unit_ctx, changed, packed.len, &got) == SSO_OK) {
                assert_rules_hold(&got);
            }
            sso_fault_clear(&unit_ctx);
        }
        changed[place] = packed.data[place];
    }
}

static void test_record_with_an_unknown_flag_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t got;
    bytes_t packed = pack(&record);
    unsigned char *changed = apr_pmemdup(unit_pool, packed.data, packed.len);
    for (unsigned flags = 4; flags <= 255; flags++) {
        changed[1] = (unsigned char)flags;
        assert_rc(SSO_R_SESSION_FORMAT, unpack(changed, packed.len, &got));
    }
}

static void test_record_with_the_flag_of_other_groups_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t got;
    bytes_t packed = pack(&record);
    unsigned char *changed = apr_pmemdup(unit_pool, packed.data, packed.len);
    changed[1] &= 1; /* texts, but there are bytes */
    assert_rc(SSO_R_SESSION_FORMAT, unpack(changed, packed.len, &got));
    record = bare_record();
    packed = pack(&record);
    changed = apr_pmemdup(unit_pool, packed.data, packed.len);
    changed[1] |= 2; /* ids, but there is none */
    assert_rc(SSO_R_SESSION_FORMAT, unpack(changed, packed.len, &got));
}

static void test_record_of_another_version_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    bytes_t packed = pack(&record);
    unsigned char *changed = unit_exact_copy(packed.data, packed.len);
    for (unsigned version = 0; version <= 255; version++) {
        sso_record_t got;
        changed[0] = (unsigned char)version;
        assert_rc(version == packed.data[0] ? SSO_OK : SSO_R_SESSION_FORMAT, unpack(changed, packed.len, &got));
    }
}

/* ---- crafted records ---- */

static void test_record_id_of_an_unknown_form_is_refused(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t got;
    bytes_t packed = pack(&record);
    unsigned char *changed = unit_exact_copy(packed.data, packed.len);
    const apr_size_t form = 2 + SSO_SESSION_ID_BYTES + 5 * 8; /* of the first id */
    for (unsigned value = 2; value <= 255; value++) {
        changed[form] = (unsigned char)value;
        assert_rc(SSO_R_SESSION_FORMAT, unpack(changed, packed.len, &got));
    }
}

static void test_record_times_out_of_order_are_refused(void **state)
{
    static const struct {
        const char *name;
        apr_time_t created, ends, seen, revalidated, auth_time;
        sso_rc rc;
    } rows[] = {
        {"exactly the cap", NOW, NOW + 8 * HOUR, NOW, NOW, 0, SSO_OK},
        {"one microsecond over the cap", NOW, NOW + 8 * HOUR + 1, NOW, NOW, 0, SSO_R_SESSION_FORMAT},
        {"a year", NOW, NOW + 8760 * HOUR, NOW, NOW, 0, SSO_R_SESSION_FORMAT},
        {"the shortest", NOW, NOW + 1, NOW + 1, NOW + 1, NOW + 8760 * HOUR, SSO_OK},
        {"ends as it begins", NOW, NOW, NOW, NOW, 0, SSO_R_SESSION_FORMAT},
        {"ends before it begins", NOW, NOW - 1, NOW, NOW, 0, SSO_R_SESSION_FORMAT},
        {"seen at the end", NOW, NOW + HOUR, NOW + HOUR, NOW, 0, SSO_OK},
        {"seen after the end", NOW, NOW + HOUR, NOW + HOUR + 1, NOW, 0, SSO_R_SESSION_FORMAT},
        {"seen before it was made", NOW, NOW + HOUR, NOW - 1, NOW, 0, SSO_R_SESSION_FORMAT},
        {"revalidated after the end", NOW, NOW + HOUR, NOW, NOW + HOUR + 1, 0, SSO_R_SESSION_FORMAT},
        {"revalidated before it was made", NOW, NOW + HOUR, NOW, NOW - 1, 0, SSO_R_SESSION_FORMAT},
        {"made at zero", 0, HOUR, 0, 0, 0, SSO_R_SESSION_FORMAT},
        {"made before 1970", -HOUR, HOUR, 0, 0, 0, SSO_R_SESSION_FORMAT},
        {"negative auth_time", NOW, NOW + HOUR, NOW, NOW, -1, SSO_R_SESSION_FORMAT},
        {"the least time there is", INT64_MIN, INT64_MIN + 1, INT64_MIN, INT64_MIN, 0, SSO_R_SESSION_FORMAT},
        {"from the least to the greatest", INT64_MIN, INT64_MAX, 0, 0, 0, SSO_R_SESSION_FORMAT},
        {"from 1 to the greatest", 1, INT64_MAX, 1, 1, 0, SSO_R_SESSION_FORMAT},
        {"ends before all time", 1, INT64_MIN, 1, 1, 0, SSO_R_SESSION_FORMAT},
        {"at the greatest", INT64_MAX - 1, INT64_MAX, INT64_MAX, INT64_MAX, 0, SSO_R_SESSION_FORMAT},
        {"where sums would overflow", INT64_MAX / 2, INT64_MAX / 2 + 1, INT64_MAX / 2, INT64_MAX / 2, 0,
         SSO_R_SESSION_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t got;
        sso_record_t record = bare_record();
        record.created = rows[i].created;
        record.ends = rows[i].ends;
        record.seen = rows[i].seen;
        record.revalidated = rows[i].revalidated;
        record.auth_time = rows[i].auth_time;
        bytes_t packed = pack(&record);
        if (unpack(packed.data, packed.len, &got) != rows[i].rc) {
            unit_fail("%s", rows[i].name);
        }
    }
}

static void test_record_without_a_key_of_the_user_is_refused(void **state)
{
    (void)state;
    sso_record_t got;
    sso_record_t record = bare_record();
    record.tid = NULL;
    bytes_t packed = pack(&record);
    assert_rc(SSO_R_SESSION_FORMAT, unpack(packed.data, packed.len, &got));
    record = bare_record();
    record.oid = "";
    packed = pack(&record);
    assert_rc(SSO_R_SESSION_FORMAT, unpack(packed.data, packed.len, &got));
}

/* One list in its raw form, whose three parts may contradict one another. */
typedef struct {
    const char *name;
    unsigned count;
    uint32_t len;
    apr_size_t data_len;
    const char *data;
} raw_list_t;

static void write_raw(sso_writer_t *w, const raw_list_t *list)
{
    sso_write_u16(w, (uint16_t)list->count);
    sso_write_u32(w, list->len);
    sso_write_bytes(w, list->data, list->data_len);
}

/* A record in which one of the three lists (0 to 2) is raw; the other two are empty. */
static bytes_t pack_raw(const raw_list_t *list, int place)
{
    static const raw_list_t empty = {"", 0, 0, 0, ""};
    sso_record_t record = bare_record();
    bytes_t head = pack(&record);
    sso_writer_t w;
    sso_writer_init(&w, unit_pool, 4096);
    sso_write_bytes(&w, head.data, head.len - 3 * (2 + 4));
    for (int i = 0; i < 3; i++) {
        write_raw(&w, i == place ? list : &empty);
    }
    assert_false(w.failed);
    return (bytes_t){w.data, w.len};
}

#define RAW(name, count, data)                                                                                         \
    {                                                                                                                  \
        name, count, sizeof(data) - 1, sizeof(data) - 1, data                                                          \
    }
#define A "\0\1a\0"
#define B "\0\1b\0"
#define N(digit) "\0\1" digit "\0"

static void test_record_lists_that_lie_are_refused(void **state)
{
    static const raw_list_t rows[] = {
        RAW("count without items", 1, ""),
        RAW("count below the items", 1, A B),
        RAW("count above the items", 3, A B),
        RAW("no count", 0, A B),
        RAW("the greatest count", 65535, A B),
        {"length past the end", 1, 5, 4, A},
        {"the greatest length", 1, UINT32_MAX, 4, A},
        {"a length that wraps an int", 1, 0x80000000U, 4, A},
        {"length short of an item", 1, 3, 4, A},
        {"length of half an item's length", 1, 1, 1, "\0"},
        RAW("a text longer than its list", 1, "\0\2a\0"),
        RAW("the longest text", 1, "\377\377a\0"),
        RAW("a text without NUL", 1, "\0\1ab"),
        RAW("a NUL inside a text", 1, "\0\3a\0b\0"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int place = 0; place < 3; place++) {
            sso_record_t got;
            bytes_t packed = pack_raw(&rows[i], place);
            if (unpack(packed.data, packed.len, &got) != SSO_R_SESSION_FORMAT) {
                unit_fail("%s, list %d", rows[i].name, place);
            }
        }
    }
}

static void test_record_claims_in_a_wrong_frame_are_refused(void **state)
{
    static const raw_list_t rows[] = {
        RAW("a name alone", 1, A),
        RAW("no name", 3, "\0\0\0" N("1") B),
        RAW("fewer values than counted", 3, A N("2") B),
        RAW("no value", 2, A N("1")),
        RAW("more values than counted", 4, A N("1") B B),
        RAW("a count that is no number", 3, A N("x") B),
        RAW("an empty count", 2, A "\0\0\0"),
        RAW("a negative count", 3, A "\0\2-1\0" B),
        RAW("a signed count", 3, A "\0\2+1\0" B),
        RAW("a count behind a blank", 3, A "\0\2 1\0" B),
        RAW("a count with more behind it", 3, A "\0\0021x\0" B),
        RAW("a count with a leading zero", 3, A "\0\00201\0" B),
        RAW("a count over the bound", 3, A "\0\0041501\0" B),
        RAW("a count that overflows", 3, A "\0\02418446744073709551617\0" B),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t got;
        bytes_t packed = pack_raw(&rows[i], 2);
        if (unpack(packed.data, packed.len, &got) != SSO_R_SESSION_FORMAT) {
            unit_fail("%s", rows[i].name);
        }
    }
    sso_record_t got;
    static const raw_list_t good = RAW("two claims", 5, A N("1") B B N("0"));
    bytes_t packed = pack_raw(&good, 2);
    assert_rc(SSO_OK, unpack(packed.data, packed.len, &got));
}

static void test_record_claim_of_more_values_than_the_bound_is_refused(void **state)
{
    (void)state;
    for (int count = SSO_MAX_LIST_ITEMS; count <= SSO_MAX_LIST_ITEMS + 1; count++) {
        sso_record_t got;
        sso_record_t record = bare_record();
        apr_array_header_t *items = apr_array_make(unit_pool, count + 2, sizeof(const char *));
        APR_ARRAY_PUSH(items, const char *) = "name";
        APR_ARRAY_PUSH(items, const char *) = apr_itoa(unit_pool, count);
        for (int i = 0; i < count; i++) {
            APR_ARRAY_PUSH(items, const char *) = "v";
        }
        record.claims = sso_list_make(unit_pool, items);
        bytes_t packed = pack(&record);
        assert_rc(count <= SSO_MAX_LIST_ITEMS ? SSO_OK : SSO_R_SESSION_FORMAT, unpack(packed.data, packed.len, &got));
    }
}

/* ---- time rules ---- */

static void test_record_time_rules_hold_at_their_boundaries(void **state)
{
    static const struct {
        const char *name;
        apr_interval_time_t age, seen; /* ago */
        apr_interval_time_t life, max_age, idle, skew;
        sso_rc rc;
    } rows[] = {
        {"just made", 0, 0, 8 * HOUR, 8 * HOUR, HOUR, 5 * MINUTE, SSO_OK},
        {"a microsecond before its end", 8 * HOUR - 1, 0, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_OK},
        {"at its end", 8 * HOUR, 0, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_R_SESSION_OVER},
        {"at its end, with skew", 8 * HOUR, 0, 8 * HOUR, 8 * HOUR, HOUR, 10 * MINUTE, SSO_R_SESSION_OVER},
        {"at its end, idle off", 8 * HOUR, 0, 8 * HOUR, 8 * HOUR, 0, 0, SSO_R_SESSION_OVER},
        {"a short life, a longer max age", HOUR, 0, HOUR, 8 * HOUR, 0, 0, SSO_R_SESSION_OVER},
        {"max age lowered, just before it", HOUR - 1, 0, 8 * HOUR, HOUR, 0, 0, SSO_OK},
        {"max age lowered, at it", HOUR, 0, 8 * HOUR, HOUR, 0, 0, SSO_R_SESSION_OVER},
        {"idle just short", 2 * HOUR, HOUR - 1, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_OK},
        {"idle exactly", 2 * HOUR, HOUR, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_OK},
        {"idle a microsecond over", 2 * HOUR, HOUR + 1, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_R_SESSION_IDLE},
        {"skew lengthens no idle time", 2 * HOUR, HOUR + 1, 8 * HOUR, 8 * HOUR, HOUR, 10 * MINUTE, SSO_R_SESSION_IDLE},
        {"idle off", 7 * HOUR, 7 * HOUR, 8 * HOUR, 8 * HOUR, 0, 0, SSO_OK},
        {"over and idle", 9 * HOUR, 9 * HOUR, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_R_SESSION_OVER},
        {"made in the future, within the skew", -5 * MINUTE, -5 * MINUTE, HOUR, HOUR, HOUR, 5 * MINUTE, SSO_OK},
        {"made a microsecond past the skew", -5 * MINUTE - 1, -5 * MINUTE - 1, HOUR, HOUR, HOUR, 5 * MINUTE,
         SSO_R_SESSION_FUTURE},
        {"made in the future without skew", -1, -1, HOUR, HOUR, HOUR, 0, SSO_R_SESSION_FUTURE},
        {"seen in the future", HOUR, -HOUR, 8 * HOUR, 8 * HOUR, HOUR, 0, SSO_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record = bare_record();
        record.created = NOW - rows[i].age;
        record.ends = record.created + rows[i].life;
        record.seen = NOW - rows[i].seen;
        sso_rc rc = sso_record_check(&unit_ctx, &record, rows[i].max_age, rows[i].idle, rows[i].skew);
        sso_fault_clear(&unit_ctx);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].name, sso_reason(rc)->name);
        }
    }
}

/* A browser that never rests: each new cookie is made of the one before. */
static void test_record_touched_for_ever_still_ends_after_eight_hours(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    record.seen = record.revalidated = record.created;
    unsigned touches = 0;
    for (apr_time_t now = NOW; now < NOW + 8 * HOUR; now += MINUTE) {
        unit_ctx.now = now;
        assert_rc(SSO_OK, sso_record_check(&unit_ctx, &record, 8 * HOUR, HOUR, 0));
        if (sso_record_touch_due(&record, now, HOUR)) {
            sso_record_touch(&record, now);
            bytes_t packed = pack(&record);
            assert_rc(SSO_OK, unpack(packed.data, packed.len, &record));
            touches++;
        }
        assert_int_equal(record.created, NOW);
        assert_int_equal(record.ends, NOW + 8 * HOUR);
    }
    assert_int_equal(touches, 8 * 60 / 5 - 1);
    unit_ctx.now = NOW + 8 * HOUR;
    assert_rc(SSO_R_SESSION_OVER, sso_record_check(&unit_ctx, &record, 8 * HOUR, HOUR, 5 * MINUTE));
}

/* Made on a node whose clock is ahead, and used on another: it would not open again. */
static void test_record_touched_before_its_beginning_opens(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    record.revalidated = record.created;
    sso_record_touch(&record, record.created - 3 * apr_time_from_sec(1));
    assert_int_equal(record.seen, record.created);
    bytes_t packed = pack(&record);
    assert_rc(SSO_OK, unpack(packed.data, packed.len, &record));
}

static void test_record_touch_is_due_after_a_tenth_of_the_idle_time(void **state)
{
    static const struct {
        const char *name;
        apr_interval_time_t ago, idle;
        bool due;
    } rows[] = {
        {"idle off", 7 * HOUR, 0, false},
        {"idle off by a negative", 7 * HOUR, -1, false},
        {"just seen", 0, HOUR, false},
        {"seen in the future", -HOUR, HOUR, false},
        {"ten minutes of idle, 59 s", apr_time_from_sec(59), 10 * MINUTE, false},
        {"ten minutes of idle, just short", MINUTE - 1, 10 * MINUTE, false},
        {"ten minutes of idle, a minute", MINUTE, 10 * MINUTE, true},
        {"an hour of idle, just short of five minutes", 5 * MINUTE - 1, HOUR, false},
        {"an hour of idle, five minutes", 5 * MINUTE, HOUR, true},
        {"eight hours of idle, five minutes", 5 * MINUTE, 8 * HOUR, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t record = bare_record();
        record.seen = NOW - rows[i].ago;
        if (sso_record_touch_due(&record, NOW, rows[i].idle) != rows[i].due) {
            unit_fail("%s", rows[i].name);
        }
    }
}

/* ---- how old Entra's word may be ---- */

static void test_record_freshness_has_its_bounds(void **state)
{
    static const struct {
        const char *name;
        apr_interval_time_t age, revalidate, grace;
        bool due;
        sso_rc rc;
    } rows[] = {
        {"just asked", 0, 5 * MINUTE, HOUR, false, SSO_OK},
        {"exactly as old as allowed", 5 * MINUTE, 5 * MINUTE, HOUR, false, SSO_OK},
        {"a microsecond older", 5 * MINUTE + 1, 5 * MINUTE, HOUR, true, SSO_OK},
        {"at the end of the grace", 65 * MINUTE, 5 * MINUTE, HOUR, true, SSO_OK},
        {"past the grace", 65 * MINUTE + 1, 5 * MINUTE, HOUR, true, SSO_R_SESSION_STALE},
        {"revalidation off", 8 * HOUR, 0, HOUR, false, SSO_OK},
        {"from another node's clock", -MINUTE, 5 * MINUTE, HOUR, false, SSO_OK},
        {"as far ahead as a clock may be", -10 * MINUTE, 5 * MINUTE, HOUR, false, SSO_OK},
        {"further ahead: the clock was set back", -10 * MINUTE - 1, 5 * MINUTE, HOUR, true, SSO_OK},
        {"further ahead, revalidation off", -HOUR, 0, HOUR, false, SSO_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_freshness_t freshness = {rows[i].revalidate, rows[i].grace};
        sso_record_t record = bare_record();
        record.revalidated = NOW - rows[i].age;
        sso_rc rc = sso_record_check_fresh(&unit_ctx, &record, &freshness);
        sso_fault_clear(&unit_ctx);
        if (rc != rows[i].rc || sso_record_renew_due(&record, NOW, &freshness) != rows[i].due) {
            unit_fail("%s: %s", rows[i].name, sso_reason(rc)->name);
        }
    }
}

static void test_record_of_two_words_one_from_ahead_is_the_older(void **state)
{
    (void)state;
    const apr_time_t ahead = NOW + 10 * MINUTE + 1;
    assert_true(sso_record_is_younger(NOW, NOW - 1, NOW));
    assert_false(sso_record_is_younger(NOW, NOW, NOW));
    assert_false(sso_record_is_younger(NOW - 1, NOW, NOW));
    assert_true(sso_record_is_younger(ahead - 1, NOW, NOW));
    assert_false(sso_record_is_younger(ahead, NOW - HOUR, NOW));
    assert_true(sso_record_is_younger(NOW - HOUR, ahead, NOW));
    assert_true(sso_record_is_younger(ahead + 1, ahead, NOW));
    assert_false(sso_record_is_younger(ahead, ahead + 1, NOW));
}

static void test_record_renewed_keeps_its_id_and_its_end(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_record_t renewed = full_record();
    renewed.created = NOW + HOUR;
    renewed.ends = NOW + 9 * HOUR;
    renewed.seen = NOW + 3 * HOUR;
    renewed.revalidated = NOW + 3 * HOUR;
    renewed.name = "Alice Newname";
    renewed.roles = list_of(TEXTS("reader"));
    sso_record_t expected = full_record();
    expected.revalidated = renewed.revalidated;
    expected.name = renewed.name;
    expected.roles = renewed.roles;
    assert_true(sso_record_renew(&record, &renewed));
    assert_record_equal(&expected, &record);
}

static void test_record_is_not_renewed_by_another_session_or_user(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        sso_record_t record = full_record();
        sso_record_t other = full_record();
        sso_record_t before = record;
        other.name = "Mallory";
        other.id[0] ^= (unsigned char)(i == 0);
        other.oid = i == 1 ? "22222222-2222-4000-8000-333333333333" : other.oid;
        other.tid = i == 2 ? "22222222-2222-4000-8000-333333333333" : other.tid;
        assert_false(sso_record_renew(&record, &other));
        assert_record_equal(&before, &record);
    }
}

/* ---- lists and claims ---- */

static void test_list_items_come_back_in_order(void **state)
{
    (void)state;
    sso_list_t list = list_of(TEXTS("one", "", "three"));
    apr_size_t at = 0;
    assert_int_equal(list.count, 3);
    assert_string_equal(sso_list_next(&list, &at), "one");
    assert_string_equal(sso_list_next(&list, &at), "");
    assert_string_equal(sso_list_next(&list, &at), "three");
    assert_null(sso_list_next(&list, &at));
    assert_null(sso_list_next(&list, &at));
}

static void test_list_items_are_those_that_were_packed(void **state)
{
    (void)state;
    apr_size_t count = 9;
    sso_list_t list = list_of(TEXTS("a", "", "c,d"));
    const char *const *items = sso_list_items(unit_pool, &list, &count);
    assert_int_equal(count, 3);
    assert_string_equal(items[0], "a");
    assert_string_equal(items[1], "");
    assert_string_equal(items[2], "c,d");
    const sso_list_t none = {NULL, 0, 0};
    (void)sso_list_items(unit_pool, &none, &count);
    assert_int_equal(count, 0);
}

static void test_list_joined_has_separators_between_items(void **state)
{
    static const struct {
        const char *const items[5];
        const char *separator;
        const char *expected;
    } rows[] = {
        {{NULL}, ",", NULL},
        {{"a", NULL}, ",", "a"},
        {{"a", "b", NULL}, ",", "a,b"},
        {{"a", "b", "c", NULL}, " || ", "a || b || c"},
        {{"a,b", NULL}, ",", NULL},
        {{"a", "b,c", "d", NULL}, ",", "a,d"},
        {{"a,b", ",", NULL}, ",", NULL},
        {{"a", "b;c", NULL}, ",", "a,b;c"},
        {{"a", "", "b", NULL}, ",", "a,,b"},
        {{"", "b", NULL}, ",", ",b"},
        {{"", "", NULL}, ",", ","},
        {{"a", "b", "c", NULL},
         "a separator that is much longer than any of the items",
         "aa separator that is much longer than any of the itemsb"
         "a separator that is much longer than any of the itemsc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_list_t list = list_of(rows[i].items);
        const char *joined = sso_list_join(unit_pool, &list, rows[i].separator);
        if (rows[i].expected == NULL) {
            assert_null(joined);
        } else {
            assert_string_equal(joined, rows[i].expected);
        }
    }
}

static void test_list_of_one_item_is_joined_without_a_copy(void **state)
{
    (void)state;
    sso_list_t list = list_of(TEXTS("alone"));
    const unsigned char *joined = (const unsigned char *)sso_list_join(unit_pool, &list, ",");
    assert_ptr_equal(joined, list.data + 2);
}

static void test_claim_is_found_by_its_name_alone(void **state)
{
    (void)state;
    sso_record_t record = full_record();
    sso_list_t values;
    assert_true(sso_record_claim(&record, "skills", &values));
    assert_string_equal(sso_list_join(unit_pool, &values, "+"), "c+department");
    /* The last value of skills is spelled like the name of another claim. */
    assert_true(sso_record_claim(&record, "department", &values));
    assert_string_equal(sso_list_join(unit_pool, &values, "+"), "Sales");
    assert_true(sso_record_claim(&record, "empty", &values));
    assert_null(sso_list_join(unit_pool, &values, "+"));
    assert_false(sso_record_claim(&record, "Skills", &values));
    assert_false(sso_record_claim(&record, "Sales", &values));
    assert_false(sso_record_claim(&record, "1", &values));
    assert_false(sso_record_claim(&record, "", &values));
}

static void test_claims_are_copied_but_for_those_of_a_prefix(void **state)
{
    (void)state;
    sso_record_t record = {.claims =
                               list_of(TEXTS("scim:title", "1", "Boss", "department", "2", "a", "b", "scim", "0"))};
    apr_array_header_t *packed = apr_array_make(unit_pool, 8, sizeof(const char *));
    sso_claims_copy(unit_pool, &record, "scim:", packed);
    record.claims = sso_list_make(unit_pool, packed);
    sso_list_t expected = list_of(TEXTS("department", "2", "a", "b", "scim", "0"));
    assert_list_equal(&expected, &record.claims);
    packed = apr_array_make(unit_pool, 8, sizeof(const char *));
    sso_claims_copy(unit_pool, &record, "", packed);
    assert_int_equal(packed->nelts, 0);
}

static void test_claim_of_a_record_without_claims_is_not_found(void **state)
{
    (void)state;
    sso_record_t record = bare_record();
    sso_list_t values;
    assert_false(sso_record_claim(&record, "department", &values));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_record_with_every_field_comes_back_equal),
        unit_test(test_record_copy_outlives_what_it_was_copied_from),
        unit_test(test_record_with_nothing_optional_comes_back_equal),
        unit_test(test_record_of_the_largest_size_comes_back_equal),
        unit_test(test_record_one_byte_over_the_bound_is_refused),
        unit_test(test_record_unpacked_points_into_its_bytes),
        unit_test(test_record_ids_come_back_in_their_own_spelling),
        unit_test(test_record_groups_that_are_ids_are_bytes),
        unit_test(test_record_has_room_for_hundreds_of_group_ids),
        unit_test(test_record_every_truncation_is_refused),
        unit_test(test_record_with_bytes_behind_it_is_refused),
        unit_test(test_record_every_flipped_bit_is_refused_or_within_the_rules),
        unit_test(test_record_every_byte_value_at_every_place_is_refused_or_within_the_rules),
        unit_test(test_record_with_an_unknown_flag_is_refused),
        unit_test(test_record_with_the_flag_of_other_groups_is_refused),
        unit_test(test_record_of_another_version_is_refused),
        unit_test(test_record_id_of_an_unknown_form_is_refused),
        unit_test(test_record_times_out_of_order_are_refused),
        unit_test(test_record_without_a_key_of_the_user_is_refused),
        unit_test(test_record_lists_that_lie_are_refused),
        unit_test(test_record_claims_in_a_wrong_frame_are_refused),
        unit_test(test_record_claim_of_more_values_than_the_bound_is_refused),
        unit_test(test_record_time_rules_hold_at_their_boundaries),
        unit_test(test_record_touched_for_ever_still_ends_after_eight_hours),
        unit_test(test_record_touched_before_its_beginning_opens),
        unit_test(test_record_touch_is_due_after_a_tenth_of_the_idle_time),
        unit_test(test_record_freshness_has_its_bounds),
        unit_test(test_record_of_two_words_one_from_ahead_is_the_older),
        unit_test(test_record_renewed_keeps_its_id_and_its_end),
        unit_test(test_record_is_not_renewed_by_another_session_or_user),
        unit_test(test_list_items_come_back_in_order),
        unit_test(test_list_items_are_those_that_were_packed),
        unit_test(test_list_joined_has_separators_between_items),
        unit_test(test_list_of_one_item_is_joined_without_a_copy),
        unit_test(test_claim_is_found_by_its_name_alone),
        unit_test(test_claims_are_copied_but_for_those_of_a_prefix),
        unit_test(test_claim_of_a_record_without_claims_is_not_found),
    };
    return unit_run(tests);
}
