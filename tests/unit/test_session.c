/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of session/session.c: only a whole cookie of this application, purpose and key opens, and only in its time. */
#include "session/session.h"

#include <string.h>

#include "unit.h"

#include "site.h"

/* Two different keys, "1" and "2". */
#define KEY_LINE(n) "key 0000000" n " " n "AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 2026-11-23T15:00:00Z\n"

/* ---- sessions in a browser ---- */

static sso_record_t user_record(void)
{
    sso_record_t record = {
        .auth_time = SSO_TEST_NOW - SITE_MINUTE,
        .sid = "00524ee6-0ce2-4a1e-9f2e-6d8a0c1b2e3f",
        .tid = FIXTURE_TENANT,
        .oid = FIXTURE_OID,
        .username = "ada.lovelace@contoso.example",
        .name = "Ada Lovelace",
        .email = "ada.lovelace@contoso.example",
        .roles = list_of(TEXTS("Orders.Read", "Orders.Write", "Orders.Admin")),
    };
    return record;
}

/* A session of this record that began now, with its Set-Cookie lines in a new browser. */
static site_browser_t *start_session(sso_record_t *record)
{
    site_browser_t *browser = site_browser();
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, record));
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, record, 0, lines));
    site_keep_cookies(browser, lines);
    return browser;
}

static sso_rc open_text(const char *sealed, sso_record_t *record)
{
    sso_cookies_t cookies = {.session = sealed, .session_len = strlen(sealed), .session_parts = 1};
    sso_rc rc = sso_session_open(&unit_ctx, &site_world->site.session, &cookies, record);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static const char *cookie_text(const site_browser_t *browser)
{
    return apr_table_get(browser->jar, "__Host-Entra-Session");
}

/* ---- opening ---- */

static void test_session_that_was_written_opens_with_all_it_holds(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    const site_browser_t *browser = start_session(&record);
    assert_rc(SSO_OK, site_session(browser, &got));
    assert_memory_equal(got.id, record.id, sizeof(got.id));
    assert_int_equal(got.created, SSO_TEST_NOW);
    assert_int_equal(got.seen, SSO_TEST_NOW);
    assert_int_equal(got.revalidated, SSO_TEST_NOW);
    assert_int_equal(got.ends, SSO_TEST_NOW + 8 * SITE_HOUR);
    assert_string_equal(got.username, record.username);
    assert_string_equal(sso_list_join(unit_pool, &got.roles, ","), "Orders.Read,Orders.Write,Orders.Admin");
    assert_string_equal(got.login_hint, "");
}

static void test_session_without_a_whole_cookie_is_refused(void **state)
{
    static const struct {
        const char *header;
        sso_rc rc;
    } rows[] = {
        {NULL, SSO_R_SESSION_NONE},
        {"a=1", SSO_R_SESSION_NONE},
        {"__Host-Entra-Session", SSO_R_SESSION_NONE},
        {"Entra-Session=AQ", SSO_R_SESSION_NONE},
        {"__Host-Entra-Session=", SSO_R_SEAL_FORMAT},
        {"__Host-Entra-Session=a", SSO_R_SEAL_FORMAT},
        {"__Host-Entra-Session=AQID", SSO_R_SEAL_FORMAT},
        {"__Host-Entra-Session=%s%s%s%n%n", SSO_R_SEAL_FORMAT},
        {"__Host-Entra-Session=99999999.x", SSO_R_SEAL_FORMAT},
        {"__Host-Entra-Session=2.AQID", SSO_R_SESSION_CHUNKS},
        {"__Host-Entra-Session-1=AQID", SSO_R_SESSION_CHUNKS},
        {"__Host-Entra-Session=9.AQID", SSO_R_SESSION_CHUNKS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_cookies_t cookies;
        sso_record_t got;
        sso_cookie_read(unit_pool, &site_world->site.session.cookies, rows[i].header, &cookies);
        sso_rc rc = sso_session_open(&unit_ctx, &site_world->site.session, &cookies, &got);
        sso_fault_clear(&unit_ctx);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].header, sso_reason(rc)->name);
        }
    }
}

static void test_session_of_another_application_is_refused(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    const site_browser_t *browser = start_session(&record);
    for (size_t i = 0; i < SSO_BINDING_BYTES; i++) {
        site_world->site.session.binding[i] ^= 1;
        assert_rc(SSO_R_SEAL_TAG, site_session(browser, &got));
        site_world->site.session.binding[i] ^= 1;
    }
    assert_rc(SSO_OK, site_session(browser, &got));
}

static void test_session_of_another_key_file_is_refused(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    const site_browser_t *browser = start_session(&record);
    site_world->site.session.keyring = site_other_ring;
    assert_rc(SSO_R_SEAL_KEY, site_session(browser, &got));
}

static const char *seal_record(sso_purpose_t purpose, const sso_record_t *record)
{
    const unsigned char *data;
    apr_size_t len;
    const char *sealed;
    assert_rc(SSO_OK, sso_record_pack(&unit_ctx, record, SSO_MAX_SEALED, &data, &len));
    assert_rc(SSO_OK, sso_seal(&unit_ctx, site_ring, purpose, site_world->site.session.binding, data, len, &sealed));
    return sealed;
}

/* Even when a perfect session record is inside. */
static void test_session_of_another_purpose_is_refused(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &record));
    assert_rc(SSO_OK, open_text(seal_record(SSO_PURPOSE_SESSION, &record), &got));
    assert_rc(SSO_R_SEAL_TAG, open_text(seal_record(SSO_PURPOSE_STATE, &record), &got));
    assert_rc(SSO_R_SEAL_TAG, open_text(seal_record(SSO_PURPOSE_LOGIN, &record), &got));
}

static void test_session_cookie_of_a_login_or_a_state_is_refused(void **state)
{
    (void)state;
    sso_record_t got;
    site_browser_t *browser = site_browser();
    sso_answer_t answer = site_visit(browser, "/page");
    assert_rc(SSO_R_SEAL_TAG, open_text(apr_table_get(browser->jar, "__Host-Entra-Login"), &got));
    assert_rc(SSO_R_SEAL_TAG, open_text(site_param(answer.location, "state"), &got));
}

static void test_session_with_any_character_changed_is_refused(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    char *text = apr_pstrdup(unit_pool, cookie_text(start_session(&record)));
    for (char *p = text; *p != '\0'; p++) {
        static const char others[] = "AZaz09-_.=%; \t\x01\xff";
        char right = *p;
        for (size_t i = 0; i < sizeof(others) - 1; i++) {
            *p = others[i];
            if (*p != right && open_text(text, &got) == SSO_OK) {
                unit_fail("character %d as %d was let in", (int)(p - text), (int)*p);
            }
        }
        *p = right;
    }
    assert_rc(SSO_OK, open_text(text, &got));
}

static void test_session_cut_at_any_place_is_refused(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    char *text = apr_pstrdup(unit_pool, cookie_text(start_session(&record)));
    for (apr_size_t len = strlen(text); len > 0; len--) {
        text[len - 1] = '\0';
        assert_int_not_equal(open_text(text, &got), SSO_OK);
    }
}

/* What a faulty version of ours might have sealed: the seal is right, the record is not. */
static void test_session_whose_record_breaks_the_rules_is_refused(void **state)
{
    (void)state;
    sso_record_t got;
    sso_record_t record = user_record();
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &record));
    record.ends = record.created + 8 * SITE_HOUR + 1;
    assert_rc(SSO_R_SESSION_FORMAT, open_text(seal_record(SSO_PURPOSE_SESSION, &record), &got));
    record.ends = INT64_MAX;
    assert_rc(SSO_R_SESSION_FORMAT, open_text(seal_record(SSO_PURPOSE_SESSION, &record), &got));
    record.ends = record.created + SITE_HOUR;
    record.seen = record.ends + 1;
    assert_rc(SSO_R_SESSION_FORMAT, open_text(seal_record(SSO_PURPOSE_SESSION, &record), &got));
    const char *sealed;
    assert_rc(SSO_OK,
              sso_seal(&unit_ctx, site_ring, SSO_PURPOSE_SESSION, site_world->site.session.binding, "", 0, &sealed));
    assert_rc(SSO_R_SESSION_FORMAT, open_text(sealed, &got));
}

/* ---- time ---- */

static void test_session_opens_in_its_time_only(void **state)
{
    static const struct {
        apr_interval_time_t later;
        sso_rc rc;
    } rows[] = {
        {0, SSO_OK},
        {SITE_HOUR, SSO_OK},
        {SITE_HOUR + 1, SSO_R_SESSION_IDLE},
        {8 * SITE_HOUR - 1, SSO_R_SESSION_IDLE},
        {8 * SITE_HOUR, SSO_R_SESSION_OVER},
        {-5 * SITE_MINUTE, SSO_OK},
        {-5 * SITE_MINUTE - 1, SSO_R_SESSION_FUTURE},
    };
    (void)state;
    sso_record_t record = user_record();
    const site_browser_t *browser = start_session(&record);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_record_t got;
        unit_ctx.now = SSO_TEST_NOW + rows[i].later;
        assert_rc(rows[i].rc, site_session(browser, &got));
    }
}

static void test_session_max_age_lowered_by_a_reload_counts_at_once(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    const site_browser_t *browser = start_session(&record);
    unit_ctx.now = SSO_TEST_NOW + 30 * SITE_MINUTE;
    site_world->site.session.max_age = 30 * SITE_MINUTE + 1;
    assert_rc(SSO_OK, site_session(browser, &got));
    site_world->site.session.max_age = 30 * SITE_MINUTE;
    assert_rc(SSO_R_SESSION_OVER, site_session(browser, &got));
}

static void test_session_max_age_raised_lengthens_no_session(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    site_world->site.session.max_age = 30 * SITE_MINUTE;
    const site_browser_t *browser = start_session(&record);
    site_world->site.session.max_age = 8 * SITE_HOUR;
    unit_ctx.now = SSO_TEST_NOW + 30 * SITE_MINUTE;
    assert_rc(SSO_R_SESSION_OVER, site_session(browser, &got));
}

static void test_session_of_a_max_age_over_the_cap_ends_at_the_cap(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    site_world->site.session.max_age = 24 * SITE_HOUR;
    site_world->site.session.idle = 0;
    const site_browser_t *browser = start_session(&record);
    assert_int_equal(record.ends, SSO_TEST_NOW + 8 * SITE_HOUR);
    unit_ctx.now = SSO_TEST_NOW + 8 * SITE_HOUR - 1;
    assert_rc(SSO_OK, site_session(browser, &got));
    unit_ctx.now++;
    assert_rc(SSO_R_SESSION_OVER, site_session(browser, &got));
}

/* ---- writing ---- */

static void test_session_started_twice_has_two_ids(void **state)
{
    (void)state;
    sso_record_t one = user_record();
    memset(one.id, 0x11, sizeof(one.id));
    sso_record_t two = one;
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &one));
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &two));
    assert_memory_not_equal(one.id, two.id, sizeof(one.id));
    assert_int_not_equal(one.id[0] == 0x11 && one.id[1] == 0x11 && one.id[2] == 0x11, true);
}

static void test_session_written_twice_shows_no_common_bytes(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    const char *one = cookie_text(start_session(&record));
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, &record, 0, lines));
    const char *two = sso_text_at(lines, 0) + strlen("__Host-Entra-Session=");
    unsigned equal = 0;
    /* Version and key id are 5 bytes, 6 characters; behind them all must differ but for chance. */
    for (apr_size_t i = 7; one[i] != '\0'; i++) {
        equal += one[i] == two[i] ? 1 : 0;
    }
    assert_in_range(equal, 0, strlen(one) / 8);
}

static const char *text_of(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void test_session_over_the_room_for_cookies_is_refused_and_not_written(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &record));
    site_world->site.session.max_cookie = strlen(seal_record(SSO_PURPOSE_SESSION, &record));
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, &record, 0, lines));
    apr_array_clear(lines);
    site_world->site.session.max_cookie--;
    assert_int_equal(sso_session_write(&unit_ctx, &site_world->site.session, &record, 0xf, lines), SSO_R_SESSION_SIZE);
    assert_non_null(strstr(unit_ctx.fault.detail, "LimitRequestFieldSize"));
    assert_int_equal(lines->nelts, 0);
}

static void test_session_over_four_chunks_is_refused_and_not_written(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    site_world->site.session.max_cookie = 1000000;
    assert_rc(SSO_OK, sso_session_start(&unit_ctx, &site_world->site.session, &record));
    for (apr_size_t len = 11500; len < 16000; len += 500) {
        record.name = text_of(len);
        assert_rc(SSO_R_SESSION_SIZE, sso_session_write(&unit_ctx, &site_world->site.session, &record, 0, lines));
        assert_int_equal(lines->nelts, 0);
    }
}

static void test_session_of_several_chunks_opens_and_shrinks(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    sso_record_t got;
    site_world->site.session.max_cookie = SSO_MAX_SEALED;
    record.name = text_of(10000);
    site_browser_t *browser = start_session(&record);
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 4);
    assert_rc(SSO_OK, site_session(browser, &got));
    assert_int_equal(strlen(got.name), 10000);
    got.name = "short";
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, &got,
                                        site_cookies(browser)->session_parts, lines));
    site_keep_cookies(browser, lines);
    assert_int_equal(apr_table_elts(browser->jar)->nelts, 1);
    assert_rc(SSO_OK, site_session(browser, &got));
    assert_string_equal(got.name, "short");
}

/* Design 11: a user with 3 roles and 20 kept groups. */
static void test_session_of_a_usual_user_is_under_1500_bytes(void **state)
{
    (void)state;
    sso_record_t record = user_record();
    apr_array_header_t *groups = apr_array_make(unit_pool, 20, sizeof(const char *));
    for (int i = 0; i < 20; i++) {
        APR_ARRAY_PUSH(groups, const char *) = apr_psprintf(unit_pool, "6f0cabb1-52d4-4e8b-9a3c-0000000000%02d", i);
    }
    record.groups = sso_list_make(unit_pool, groups);
    const char *header = site_cookie_header(start_session(&record));
    if (strlen(header) >= 1500) {
        unit_fail("%d bytes", (int)strlen(header));
    }
}

/* ---- a stronger session ---- */

static void test_session_made_stronger_keeps_its_id_its_beginning_and_its_end(void **state)
{
    (void)state;
    sso_record_t present = user_record();
    present.acrs = list_of(TEXTS("c1", "c2"));
    present.renewable = true;
    (void)start_session(&present);
    unit_ctx.now += SITE_HOUR;
    sso_record_t record = user_record();
    record.auth_time = unit_ctx.now;
    record.roles = list_of(TEXTS("Orders.Read"));
    record.acrs = list_of(TEXTS("c2", "c3"));
    sso_session_strengthen(&unit_ctx, &present, &record);
    assert_memory_equal(record.id, present.id, sizeof(record.id));
    assert_int_equal(record.created, SSO_TEST_NOW);
    assert_int_equal(record.ends, SSO_TEST_NOW + 8 * SITE_HOUR);
    assert_int_equal(record.seen, unit_ctx.now);
    assert_int_equal(record.revalidated, unit_ctx.now);
    assert_int_equal(record.auth_time, unit_ctx.now);
    assert_true(record.renewable);
    assert_string_equal(sso_list_join(unit_pool, &record.roles, ","), "Orders.Read");
    assert_string_equal(sso_list_join(unit_pool, &record.acrs, ","), "c1,c2,c3");
    /* Again and again, and the end stays where it is. */
    for (int i = 0; i < 6; i++) {
        sso_record_t next = record;
        unit_ctx.now += SITE_HOUR;
        sso_session_strengthen(&unit_ctx, &record, &next);
        assert_int_equal(next.ends, SSO_TEST_NOW + 8 * SITE_HOUR);
        assert_int_equal(next.acrs.count, 3);
        record = next;
    }
}

/* Made on a node whose clock is ahead, within the skew. */
static void test_session_made_stronger_before_its_beginning_still_opens(void **state)
{
    (void)state;
    sso_record_t present = user_record();
    (void)start_session(&present);
    unit_ctx.now -= SITE_MINUTE;
    sso_record_t record = user_record();
    sso_record_t got;
    apr_array_header_t *lines = apr_array_make(unit_pool, 4, sizeof(const char *));
    sso_session_strengthen(&unit_ctx, &present, &record);
    assert_rc(SSO_OK, sso_session_write(&unit_ctx, &site_world->site.session, &record, 1, lines));
    site_browser_t *browser = site_browser();
    site_keep_cookies(browser, lines);
    assert_rc(SSO_OK, site_session(browser, &got));
    assert_int_equal(got.seen, SSO_TEST_NOW);
}

/* ---- what the store keeps of a session ---- */

static void test_session_sealed_row_opens_for_its_session_alone(void **state)
{
    (void)state;
    const sso_session_policy_t *policy = &site_world->site.session;
    sso_session_policy_t other = *policy;
    static const unsigned char mine[SSO_SESSION_ID_BYTES] = {1};
    static const unsigned char yours[SSO_SESSION_ID_BYTES] = {2};
    const char *sealed;
    unsigned char *data;
    apr_size_t len;
    assert_rc(SSO_OK, sso_session_seal(&unit_ctx, policy, SSO_PURPOSE_REFRESH, mine, SITE_REFRESH_TOKEN,
                                       strlen(SITE_REFRESH_TOKEN), &sealed));
    assert_null(strstr(sealed, SITE_REFRESH_TOKEN));
    assert_rc(SSO_OK, sso_session_unseal(&unit_ctx, policy, SSO_PURPOSE_REFRESH, mine, sealed, &data, &len));
    assert_string_equal((const char *)data, SITE_REFRESH_TOKEN);
    assert_int_equal(len, strlen(SITE_REFRESH_TOKEN));
    /* A row swapped into another session's place, another purpose, another application. */
    assert_rc(SSO_R_SEAL_TAG, sso_session_unseal(&unit_ctx, policy, SSO_PURPOSE_REFRESH, yours, sealed, &data, &len));
    assert_rc(SSO_R_SEAL_TAG, sso_session_unseal(&unit_ctx, policy, SSO_PURPOSE_IDENTITY, mine, sealed, &data, &len));
    other.binding[0] ^= 1;
    assert_rc(SSO_R_SEAL_TAG, sso_session_unseal(&unit_ctx, &other, SSO_PURPOSE_REFRESH, mine, sealed, &data, &len));
    assert_rc(SSO_R_SEAL_FORMAT, sso_session_unseal(&unit_ctx, policy, SSO_PURPOSE_REFRESH, mine, "", &data, &len));
}

/* ---- ended ---- */

static void test_session_that_was_ended_is_refused_and_another_is_not(void **state)
{
    (void)state;
    sso_record_t first = user_record(), second = user_record(), got;
    const site_browser_t *one = start_session(&first), *two = start_session(&second);
    assert_true(sso_ended_add(site_world->site.ended, first.id, first.ends, false, unit_ctx.now));
    assert_int_equal(site_session(one, &got), SSO_R_SESSION_ENDED);
    assert_int_equal(site_session(two, &got), SSO_OK);
    /* Who ends it can still read it. */
    assert_rc(SSO_OK, sso_session_read(&unit_ctx, &site_world->site.session, site_cookies(one), &got));
    assert_memory_equal(got.id, first.id, sizeof(first.id));
    /* Only what would open is looked up: the fault of a session that is over is that. */
    unit_ctx.now += 9 * SITE_HOUR;
    assert_int_equal(site_session(one, &got), SSO_R_SESSION_OVER);
}

static void test_session_before_the_first_filling_is_for_later(void **state)
{
    (void)state;
    sso_record_t record = user_record(), got;
    const site_browser_t *browser = start_session(&record);
    sso_ended_set_filled(site_world->site.ended, 0);
    /* The store is not asked for each request. */
    site_world->site.session.store = site_world->site.store;
    assert_int_equal(site_session(browser, &got), SSO_R_ENDED_UNKNOWN);
    sso_ended_set_filled(site_world->site.ended, unit_ctx.now);
    assert_int_equal(site_session(browser, &got), SSO_OK);
}

static void test_session_is_asked_of_the_store_while_the_table_has_no_room(void **state)
{
    (void)state;
    sso_record_t ended = user_record(), live = user_record(), got;
    const site_browser_t *one = start_session(&ended), *two = start_session(&live);
    sso_store_ended_t entry = {.until = ended.ends};
    memcpy(entry.id, ended.id, sizeof(entry.id));
    assert_rc(SSO_OK, sso_store_add_ended(&unit_ctx, site_world->site.store, &entry, "test"));
    unsigned char *table = (unsigned char *)(void *)site_world->site.ended;
    apr_size_t slots = SSO_ENDED_SLOTS * (apr_size_t)24;
    memset(table + sso_ended_size() - slots, 0x11, slots);
    assert_false(sso_ended_add(site_world->site.ended, ended.id, ended.ends, false, unit_ctx.now));
    site_world->site.session.store = NULL;
    assert_int_equal(site_session(one, &got), SSO_R_ENDED_UNKNOWN);
    assert_int_equal(site_session(two, &got), SSO_R_ENDED_UNKNOWN);
    site_world->site.session.store = site_world->site.store;
    assert_int_equal(site_session(one, &got), SSO_R_SESSION_ENDED);
    assert_int_equal(site_session(two, &got), SSO_OK);
    /* And when it is away as well, nobody can tell. */
    sso_store_t *away;
    assert_rc(SSO_OK, sso_store_make(&unit_ctx, unit_pool, "sqlite3", "/nowhere/at/all/entra.db", &away));
    site_world->site.session.store = away;
    assert_int_equal(site_session(two, &got), SSO_R_ENDED_UNKNOWN);
}

/* ---- remembered ---- */

static sso_rc reopen(const site_browser_t *browser, sso_opened_t *opened, sso_record_t *got)
{
    sso_rc rc = sso_session_reopen(&unit_ctx, &site_world->site.session, site_cookies(browser), opened, got);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static void test_session_that_is_remembered_is_the_same(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t record = user_record(), got;
    const site_browser_t *browser = start_session(&record);
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    /* It was not opened again: what is remembered is given, whatever it is. */
    opened.record.renewable = true;
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    assert_true(got.renewable);
    assert_memory_equal(got.id, record.id, sizeof(record.id));
    assert_string_equal(got.username, record.username);
    /* Nobody else's is. */
    sso_record_t other = user_record();
    const site_browser_t *another = start_session(&other);
    assert_int_equal(reopen(another, &opened, &got), SSO_OK);
    assert_memory_equal(got.id, other.id, sizeof(other.id));
    assert_int_equal(reopen(site_browser(), &opened, &got), SSO_R_SESSION_NONE);
    site_browser_t *forger = start_session(&other);
    char *text = apr_pstrdup(unit_pool, cookie_text(forger));
    text[strlen(text) / 2] = text[strlen(text) / 2] == 'A' ? 'B' : 'A';
    apr_table_setn(forger->jar, "__Host-Entra-Session", text);
    assert_int_equal(reopen(forger, &opened, &got), SSO_R_SEAL_TAG);
    assert_int_equal(reopen(forger, &opened, &got), SSO_R_SEAL_TAG);
}

static void test_session_that_is_remembered_still_ends(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t record = user_record(), got;
    const site_browser_t *browser = start_session(&record);
    sso_session_policy_t *policy = &site_world->site.session;
    policy->idle = SITE_HOUR;
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    unit_ctx.now += 2 * SITE_HOUR;
    assert_int_equal(reopen(browser, &opened, &got), SSO_R_SESSION_IDLE);
    policy->idle = 0;
    policy->freshness.revalidate = policy->freshness.grace = 30 * SITE_MINUTE;
    assert_int_equal(reopen(browser, &opened, &got), SSO_R_SESSION_STALE);
    policy->freshness.revalidate = 0;
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    assert_true(sso_ended_add(site_world->site.ended, record.id, record.ends, false, unit_ctx.now));
    assert_int_equal(reopen(browser, &opened, &got), SSO_R_SESSION_ENDED);
    unit_ctx.now += 7 * SITE_HOUR;
    assert_int_equal(reopen(browser, &opened, &got), SSO_R_SESSION_OVER);
}

static void test_session_that_is_remembered_goes_with_its_key_and_its_application(void **state)
{
    (void)state;
    sso_opened_t opened = {.pool = unit_pool};
    sso_record_t record = user_record(), got;
    sso_session_policy_t *policy = &site_world->site.session;
    sso_handoff_t *handoff = apr_pcalloc(unit_pool, sso_handoff_size());
    sso_keyring_t *ring;
    assert_rc(SSO_OK, sso_keyring_parse(&unit_ctx, unit_pool, KEY_LINE("1"), "test", &ring));
    assert_true(sso_keyring_follow(ring, unit_pool, handoff));
    policy->keyring = ring;
    const site_browser_t *browser = start_session(&record);
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    /* Another application of the same server, on the same connection. */
    sso_session_policy_t other = *policy;
    other.binding[0] ^= 1;
    assert_rc(SSO_R_SEAL_TAG, sso_session_reopen(&unit_ctx, &other, site_cookies(browser), &opened, &got));
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    /* A key is added in front, and the old one still opens. */
    static const char both[] = KEY_LINE("2") KEY_LINE("1"), second[] = KEY_LINE("2");
    assert_true(sso_handoff_give(handoff, both, strlen(both)));
    assert_int_equal(reopen(browser, &opened, &got), SSO_OK);
    /* SECURITY: retired, it opens nothing, though it did a moment ago. */
    assert_true(sso_handoff_give(handoff, second, strlen(second)));
    assert_int_equal(reopen(browser, &opened, &got), SSO_R_SEAL_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_session_that_was_written_opens_with_all_it_holds),
        site_test(test_session_without_a_whole_cookie_is_refused),
        site_test(test_session_of_another_application_is_refused),
        site_test(test_session_of_another_key_file_is_refused),
        site_test(test_session_of_another_purpose_is_refused),
        site_test(test_session_cookie_of_a_login_or_a_state_is_refused),
        site_test(test_session_with_any_character_changed_is_refused),
        site_test(test_session_cut_at_any_place_is_refused),
        site_test(test_session_whose_record_breaks_the_rules_is_refused),
        site_test(test_session_opens_in_its_time_only),
        site_test(test_session_max_age_lowered_by_a_reload_counts_at_once),
        site_test(test_session_max_age_raised_lengthens_no_session),
        site_test(test_session_of_a_max_age_over_the_cap_ends_at_the_cap),
        site_test(test_session_started_twice_has_two_ids),
        site_test(test_session_written_twice_shows_no_common_bytes),
        site_test(test_session_over_the_room_for_cookies_is_refused_and_not_written),
        site_test(test_session_over_four_chunks_is_refused_and_not_written),
        site_test(test_session_of_several_chunks_opens_and_shrinks),
        site_test(test_session_of_a_usual_user_is_under_1500_bytes),
        site_test(test_session_made_stronger_keeps_its_id_its_beginning_and_its_end),
        site_test(test_session_made_stronger_before_its_beginning_still_opens),
        site_test(test_session_sealed_row_opens_for_its_session_alone),
        site_test(test_session_that_was_ended_is_refused_and_another_is_not),
        site_test(test_session_before_the_first_filling_is_for_later),
        site_test(test_session_is_asked_of_the_store_while_the_table_has_no_room),
        site_test(test_session_that_is_remembered_is_the_same),
        site_test(test_session_that_is_remembered_still_ends),
        site_test(test_session_that_is_remembered_goes_with_its_key_and_its_application),
    };
    return site_run(tests);
}
