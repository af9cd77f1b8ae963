/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in a real database: SQLite, or PostgreSQL with ENTRA_TEST_PGSQL. */
#include "session/store.h"

#include "unit.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "database.h"

#define APP "00112233445566778899aabbccddeeff"
#define OTHER_APP "ffeeddccbbaa99887766554433221100"
#define TENANT "8d6f4f0e-0000-4000-8000-3a6c2f1b7c11"
#define ADA "11111111-0000-4000-8000-000000000001"
#define BOB "22222222-0000-4000-8000-000000000002"
#define HOUR apr_time_from_sec(3600)
#define MINUTE apr_time_from_sec(60)

static sso_stored_t session_of(unsigned char number)
{
    sso_stored_t session = {.app = APP,
                            .tid = TENANT,
                            .oid = ADA,
                            .sid = "sid-of-ada",
                            .username = "Ada@example.com",
                            .created = unit_ctx.now,
                            .ends = unit_ctx.now + 8 * HOUR,
                            .revalidated = unit_ctx.now,
                            .refresh = "sealed-refresh-token",
                            .identity = "",
                            .access = ""};
    memset(session.id, number, sizeof(session.id));
    return session;
}

static sso_stored_t add(sso_store_t *store, unsigned char number)
{
    sso_stored_t session = session_of(number);
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &session));
    return session;
}

static sso_stored_t find(sso_store_t *store, unsigned char number)
{
    sso_stored_t key = session_of(number);
    sso_stored_t session = {.app = NULL};
    bool found = false;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, store, key.id, &session, &found));
    assert_true(found);
    return session;
}

static const char *claim(sso_store_t *store, unsigned char number, apr_time_t due_before, apr_interval_time_t hold)
{
    sso_stored_t key = session_of(number);
    const char *mark = "";
    assert_rc(SSO_OK, sso_store_claim(&unit_ctx, store, key.id, due_before, hold, &mark));
    return mark;
}

static apr_array_header_t *ended_array(void)
{
    return apr_array_make(unit_pool, 4, sizeof(sso_store_ended_t));
}

static int end_which(sso_store_t *store, sso_store_which_t which)
{
    apr_array_header_t *ended = ended_array();
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, store, &which, "test", "tester", ended));
    return ended->nelts;
}

static void test_store_added_session_is_found_whole(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t in = session_of(7);
    in.username = "ad\xc3\xa4'; DROP TABLE entra_session; --%s %d @example.com";
    in.identity = "sealed-identity";
    in.revalidated = in.created + 12345678;
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &in));
    sso_stored_t out = find(store, 7);
    assert_memory_equal(out.id, in.id, sizeof(in.id));
    assert_string_equal(out.app, in.app);
    assert_string_equal(out.tid, in.tid);
    assert_string_equal(out.oid, in.oid);
    assert_string_equal(out.sid, in.sid);
    assert_string_equal(out.username, in.username);
    assert_string_equal(out.refresh, in.refresh);
    assert_string_equal(out.identity, in.identity);
    assert_int_equal(out.created, in.created);
    assert_int_equal(out.ends, in.ends);
    assert_int_equal(out.revalidated, in.revalidated);
    assert_false(out.ended);
}

static void test_store_unknown_session_is_not_found(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = session_of(1);
    sso_stored_t out;
    bool found = true;
    assert_rc(SSO_OK, sso_store_find(&unit_ctx, store, key.id, &out, &found));
    assert_false(found);
}

static void test_store_id_that_is_not_new_is_refused(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t session = add(store, 1);
    session.refresh = "of somebody else";
    assert_rc(SSO_R_STORE_FAILED, sso_store_add(&unit_ctx, store, &session));
    assert_string_equal(find(store, 1).refresh, "sealed-refresh-token");
}

static char *text_of(apr_size_t len)
{
    char *text = apr_palloc(unit_pool, len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void test_store_text_beyond_its_bound_is_refused(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t good = session_of(1);
    good.username = text_of(SSO_MAX_STORED_TEXT);
    good.refresh = text_of(SSO_MAX_STORED_SEALED);
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &good));
    assert_string_equal(find(store, 1).refresh, good.refresh);
    struct {
        const char *name;
        sso_stored_t session;
    } rows[] = {{"username", session_of(2)}, {"sid", session_of(2)}, {"refresh", session_of(2)},
                {"identity", session_of(2)}, {"app", session_of(2)}, {"app hex", session_of(2)},
                {"tid", session_of(2)},      {"oid", session_of(2)}, {"no text", session_of(2)},
                {"no UTF-8", session_of(2)}};
    rows[0].session.username = text_of(SSO_MAX_STORED_TEXT + 1);
    rows[1].session.sid = text_of(SSO_MAX_STORED_TEXT + 1);
    rows[2].session.refresh = text_of(SSO_MAX_STORED_SEALED + 1);
    rows[3].session.identity = text_of(SSO_MAX_STORED_SEALED + 1);
    rows[4].session.app = "0011";
    rows[5].session.app = "0011223344556677889 aabbccddeeff";
    rows[6].session.tid = "tenant";
    rows[7].session.oid = "";
    rows[8].session.username = NULL;
    rows[9].session.username = "\xff";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_rc rc = sso_store_add(&unit_ctx, store, &rows[i].session);
        if (rc != SSO_R_STORE_TEXT) {
            unit_fail("%s: %s", rows[i].name, sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
    }
}

/* ---- claims ---- */

static void test_store_claim_is_given_to_one(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1);
    const char *mine = claim(store, 1, unit_ctx.now, MINUTE);
    assert_non_null(mine);
    assert_null(claim(database_store(), 1, unit_ctx.now, MINUTE));
}

static void test_store_claim_of_what_is_not_due_is_none(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1);
    assert_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    assert_non_null(claim(store, 1, unit_ctx.now, MINUTE));
    assert_null(claim(store, 2, unit_ctx.now, MINUTE));
}

/* The clock was set back since: nobody knows how old Entra's word is. */
static void test_store_claim_of_a_word_from_ahead_is_given(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1);
    unit_ctx.now -= SSO_MAX_CLOCK_SKEW;
    assert_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    unit_ctx.now -= 1;
    assert_non_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
}

/* The same clock: a wait of that time is over, and one of this time is not. */
static void test_store_claim_of_a_word_from_ahead_waits_for_nobody_ahead(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1);
    unit_ctx.now -= SSO_MAX_CLOCK_SKEW + 1;
    assert_non_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    assert_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    database_sql("UPDATE entra_session SET claimed_until = claimed_until + 3600000000");
    assert_non_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    assert_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    /* "Come later" of Entra is of this time, as long as its word is. */
    database_sql("UPDATE entra_session SET claimed_until = claimed_until + 3600000000");
    unit_ctx.now += SSO_MAX_CLOCK_SKEW + 1;
    assert_null(claim(store, 1, unit_ctx.now, MINUTE));
}

static void test_store_claim_lapses_after_its_hold(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add(store, 1);
    const char *first = claim(store, 1, unit_ctx.now, 0);
    assert_non_null(first);
    const char *second = claim(store, 1, unit_ctx.now, MINUTE);
    assert_non_null(second);
    /* Who lost it writes nothing. */
    sso_stored_t key = session_of(1);
    bool kept = true;
    assert_rc(SSO_OK,
              sso_store_renewed(&unit_ctx, store, key.id, first, &(sso_store_result_t){"late", "late", NULL}, &kept));
    assert_false(kept);
    assert_rc(SSO_OK, sso_store_release(&unit_ctx, store, key.id, first, "late", 0));
    assert_string_equal(find(store, 1).refresh, "sealed-refresh-token");
    assert_null(claim(store, 1, unit_ctx.now, MINUTE));
}

static void test_store_renewed_session_has_the_new_words(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = add(store, 1);
    bool kept = false;
    const char *mine = claim(store, 1, unit_ctx.now, MINUTE);
    unit_ctx.now += MINUTE;
    assert_rc(SSO_OK, sso_store_renewed(&unit_ctx, store, key.id, mine,
                                        &(sso_store_result_t){"second token", "identity", NULL}, &kept));
    assert_true(kept);
    sso_stored_t out = find(store, 1);
    assert_string_equal(out.refresh, "second token");
    assert_string_equal(out.identity, "identity");
    assert_int_equal(out.revalidated, unit_ctx.now);
    /* The claim is back, and what was just revalidated is not due. */
    assert_null(claim(store, 1, unit_ctx.now - 1, MINUTE));
    mine = claim(store, 1, unit_ctx.now, MINUTE);
    assert_non_null(mine);
    assert_rc(SSO_OK,
              sso_store_renewed(&unit_ctx, store, key.id, mine, &(sso_store_result_t){NULL, "third", NULL}, &kept));
    assert_true(kept);
    assert_string_equal(find(store, 1).refresh, "second token");
}

static void test_store_rotate_replaces_what_was_read_and_nothing_else(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = add(store, 1);
    add(store, 2);
    const char *mine = claim(store, 1, unit_ctx.now, MINUTE);
    assert_rc(SSO_OK, sso_store_rotate(&unit_ctx, store, key.id, key.refresh, "second"));
    assert_string_equal(find(store, 1).refresh, "second");
    assert_string_equal(find(store, 2).refresh, "sealed-refresh-token");
    /* Too late: another was faster. */
    assert_rc(SSO_OK, sso_store_rotate(&unit_ctx, store, key.id, key.refresh, "third"));
    assert_string_equal(find(store, 1).refresh, "second");
    /* The claim is still its owner's. */
    bool kept = false;
    assert_rc(SSO_OK,
              sso_store_renewed(&unit_ctx, store, key.id, mine, &(sso_store_result_t){NULL, "identity", NULL}, &kept));
    assert_true(kept);
    assert_string_equal(find(store, 1).refresh, "second");
    char *huge = apr_palloc(unit_pool, SSO_MAX_STORED_SEALED + 2);
    memset(huge, 'x', SSO_MAX_STORED_SEALED + 1);
    huge[SSO_MAX_STORED_SEALED + 1] = '\0';
    assert_rc(SSO_R_STORE_TEXT, sso_store_rotate(&unit_ctx, store, key.id, "second", huge));
}

static void test_store_released_claim_waits(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = add(store, 1);
    const char *mine = claim(store, 1, unit_ctx.now, MINUTE);
    assert_rc(SSO_OK, sso_store_release(&unit_ctx, store, key.id, mine, NULL, MINUTE));
    assert_null(claim(store, 1, unit_ctx.now, MINUTE));
    assert_string_equal(find(store, 1).refresh, "sealed-refresh-token");
    add(store, 2);
    key = session_of(2);
    mine = claim(store, 2, unit_ctx.now, MINUTE);
    assert_rc(SSO_OK, sso_store_release(&unit_ctx, store, key.id, mine, "", 0));
    assert_string_equal(find(store, 2).refresh, "");
    assert_non_null(claim(store, 2, unit_ctx.now, MINUTE));
}

static void test_store_ended_session_is_neither_claimed_nor_renewed(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = add(store, 1);
    const char *mine = claim(store, 1, unit_ctx.now, MINUTE);
    assert_int_equal(end_which(store, (sso_store_which_t){.id = key.id}), 1);
    bool kept = true;
    assert_rc(SSO_OK, sso_store_renewed(&unit_ctx, store, key.id, mine,
                                        &(sso_store_result_t){"token", "identity", NULL}, &kept));
    assert_false(kept);
    sso_stored_t out = find(store, 1);
    assert_true(out.ended);
    assert_string_equal(out.refresh, "");
    assert_string_equal(out.identity, "");
    assert_null(claim(store, 1, unit_ctx.now, MINUTE));
}

static void test_store_session_past_its_end_is_not_claimed(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t session = add(store, 1);
    unit_ctx.now = session.ends;
    assert_null(claim(store, 1, unit_ctx.now, MINUTE));
    unit_ctx.now = session.ends - 1;
    assert_non_null(claim(store, 1, unit_ctx.now, MINUTE));
}

/* ---- ending ---- */

static void add_three(sso_store_t *store)
{
    sso_stored_t session = session_of(1);
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &session));
    session = session_of(2);
    session.oid = BOB;
    session.sid = "sid-of-bob";
    session.username = "bob@example.com";
    session.created -= HOUR;
    session.ends -= HOUR;
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &session));
    session = session_of(3);
    session.app = OTHER_APP;
    session.sid = "";
    assert_rc(SSO_OK, sso_store_add(&unit_ctx, store, &session));
}

static void test_store_end_takes_only_what_fits(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add_three(store);
    sso_stored_t first = session_of(1);
    assert_int_equal(end_which(store, (sso_store_which_t){.sid = "sid-of-nobody"}), 0);
    assert_int_equal(end_which(store, (sso_store_which_t){.sid = "sid-of-ada", .app = OTHER_APP}), 0);
    assert_int_equal(
        end_which(store, (sso_store_which_t){.tid = TENANT, .oid = BOB, .created_before = first.created - HOUR}), 0);
    assert_int_equal(end_which(store, (sso_store_which_t){.tid = TENANT, .oid = BOB, .created_before = first.created}),
                     1);
    assert_int_equal(end_which(store, (sso_store_which_t){.username = "ADA@example.com", .except = first.id}), 1);
    assert_true(find(store, 3).ended);
    assert_false(find(store, 1).ended);
    assert_int_equal(end_which(store, (sso_store_which_t){.sid = NULL}), 1);
    assert_true(find(store, 1).ended);
    /* What has ended does not end again. */
    assert_int_equal(end_which(store, (sso_store_which_t){.sid = NULL}), 0);
}

static void test_store_empty_sid_ends_nothing(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add_three(store);
    sso_store_which_t which = {.sid = ""};
    apr_array_header_t *ended = ended_array();
    assert_rc(SSO_R_STORE_TEXT, sso_store_end(&unit_ctx, store, &which, "test", "tester", ended));
    assert_false(find(store, 3).ended);
}

static void test_store_ended_sessions_are_listed_and_audited(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add_three(store);
    apr_array_header_t *ended = ended_array();
    sso_store_which_t which = {.sid = "sid-of-ada"};
    assert_rc(SSO_OK, sso_store_end(&unit_ctx, store, &which, "logout", "browser", ended));
    assert_int_equal(ended->nelts, 1);
    sso_stored_t key = session_of(1);
    assert_memory_equal(APR_ARRAY_IDX(ended, 0, sso_store_ended_t).id, key.id, sizeof(key.id));
    assert_int_equal(APR_ARRAY_IDX(ended, 0, sso_store_ended_t).until, key.ends);
    for (int i = 0; i < 2; i++) {
        apr_array_header_t *since = ended_array();
        assert_rc(SSO_OK, sso_store_ended_since(&unit_ctx, store, i == 0 ? 0 : MINUTE, since));
        assert_int_equal(since->nelts, 1);
        assert_memory_equal(APR_ARRAY_IDX(since, 0, sso_store_ended_t).id, key.id, sizeof(key.id));
    }
    assert_string_equal(
        database_sql("SELECT cause || ' ' || actor || ' ' || session || ' ' || username FROM entra_audit"),
        "logout browser 01010101010101010101010101010101 Ada@example.com");
    bool is = false;
    assert_rc(SSO_OK, sso_store_is_ended(&unit_ctx, store, key.id, &is));
    assert_true(is);
    key = session_of(2);
    assert_rc(SSO_OK, sso_store_is_ended(&unit_ctx, store, key.id, &is));
    assert_false(is);
}

static void test_store_ended_since_leaves_out_the_old_and_the_over(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add_three(store);
    assert_int_equal(end_which(store, (sso_store_which_t){.sid = NULL}), 3);
    database_sql("UPDATE entra_ended SET listed = listed - 120000000 WHERE id = '01010101010101010101010101010101'");
    apr_array_header_t *since = ended_array();
    assert_rc(SSO_OK, sso_store_ended_since(&unit_ctx, store, MINUTE, since));
    assert_int_equal(since->nelts, 2);
    assert_rc(SSO_OK, sso_store_ended_since(&unit_ctx, store, 3 * MINUTE, since));
    assert_int_equal(since->nelts, 5); /* they join what is there */
    unit_ctx.now += 8 * HOUR;
    since = ended_array();
    assert_rc(SSO_OK, sso_store_ended_since(&unit_ctx, store, 0, since));
    assert_int_equal(since->nelts, 0);
}

static void test_store_session_ended_elsewhere_is_listed(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    sso_stored_t key = add(store, 1);
    sso_store_ended_t ended = {.until = key.ends};
    memcpy(ended.id, key.id, sizeof(ended.id));
    assert_rc(SSO_OK, sso_store_add_ended(&unit_ctx, store, &ended, "logout"));
    assert_true(find(store, 1).ended);
    assert_string_equal(find(store, 1).refresh, "");
    ended.until += MINUTE;
    assert_rc(SSO_OK, sso_store_add_ended(&unit_ctx, store, &ended, "logout"));
    ended.until -= HOUR;
    assert_rc(SSO_OK, sso_store_add_ended(&unit_ctx, store, &ended, "logout"));
    apr_array_header_t *since = ended_array();
    assert_rc(SSO_OK, sso_store_ended_since(&unit_ctx, store, 0, since));
    assert_int_equal(since->nelts, 1);
    assert_int_equal(APR_ARRAY_IDX(since, 0, sso_store_ended_t).until, key.ends + MINUTE);
    /* One whose row was never written, too. */
    memset(ended.id, 9, sizeof(ended.id));
    assert_rc(SSO_OK, sso_store_add_ended(&unit_ctx, store, &ended, "logout"));
    bool is = false;
    assert_rc(SSO_OK, sso_store_is_ended(&unit_ctx, store, ended.id, &is));
    assert_true(is);
}

/* ---- list ---- */

static void test_store_list_has_live_sessions_newest_first(void **state)
{
    (void)state;
    sso_store_t *store = database_store();
    add_three(store);
    apr_array_header_t *list = apr_array_make(unit_pool, 4, sizeof(sso_stored_t));
    sso_store_which_t all = {.sid = NULL};
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, store, &all, 10, list));
    assert_int_equal(list->nelts, 3);
    assert_string_equal(APR_ARRAY_IDX(list, 2, sso_stored_t).username, "bob@example.com");
    assert_string_equal(APR_ARRAY_IDX(list, 2, sso_stored_t).refresh, "");
    apr_array_clear(list);
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, store, &all, 2, list));
    assert_int_equal(list->nelts, 2);
    apr_array_clear(list);
    assert_int_equal(end_which(store, (sso_store_which_t){.oid = ADA}), 2);
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, store, &all, 10, list));
    assert_int_equal(list->nelts, 1);
    apr_array_clear(list);
    unit_ctx.now += 8 * HOUR;
    assert_rc(SSO_OK, sso_store_list(&unit_ctx, store, &all, 10, list));
    assert_int_equal(list->nelts, 0);
}

/* ---- hostile rows ---- */

static void test_store_malformed_row_is_refused(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "app = 'x'",          "app = '0011223344556677889+aabbccddeeff'",
        "tenant = 'no guid'", "object = ''",
        "created = 0",        "created = -1",
        "ends = created - 1", "ends = created + 28800000001",
        "revalidated = 0",    "ended = 2",
        "ended = 10",         "id = '0101010101010101010101010101010G'",
        "id = '01'",          NULL,
    };
    for (int i = 0; changes[i] != NULL; i++) {
        sso_store_t *store = database_store();
        sso_stored_t key = add(store, 1);
        apr_array_header_t *list = apr_array_make(unit_pool, 4, sizeof(sso_stored_t));
        sso_store_which_t all = {.sid = NULL};
        bool found;
        bool id = strncmp(changes[i], "id", 2) == 0;
        database_sql(apr_pstrcat(unit_pool, "UPDATE entra_session SET ", changes[i], NULL));
        sso_rc rc = id ? sso_store_list(&unit_ctx, store, &all, 10, list)
                       : sso_store_find(&unit_ctx, store, key.id, &key, &found);
        if (rc != SSO_R_STORE_ROW || list->nelts != 0) {
            unit_fail("%s: %s", changes[i], sso_reason(rc)->name);
        }
        sso_fault_clear(&unit_ctx);
        database_sql("DELETE FROM entra_session");
    }
    sso_store_t *store = database_store();
    database_sql("INSERT INTO entra_ended VALUES ('x', 9000000000000000, 0, '')");
    assert_rc(SSO_R_STORE_ROW, sso_store_ended_since(&unit_ctx, store, 0, ended_array()));
}

static void test_store_unknown_driver_is_refused(void **state)
{
    (void)state;
    sso_store_t *store = NULL;
    assert_rc(SSO_R_STORE_DRIVER, sso_store_make(&unit_ctx, unit_pool, "nosuch", "x", &store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        database_test(test_store_added_session_is_found_whole),
        database_test(test_store_unknown_session_is_not_found),
        database_test(test_store_id_that_is_not_new_is_refused),
        database_test(test_store_text_beyond_its_bound_is_refused),
        database_test(test_store_claim_is_given_to_one),
        database_test(test_store_claim_of_what_is_not_due_is_none),
        database_test(test_store_claim_of_a_word_from_ahead_is_given),
        database_test(test_store_claim_of_a_word_from_ahead_waits_for_nobody_ahead),
        database_test(test_store_claim_lapses_after_its_hold),
        database_test(test_store_renewed_session_has_the_new_words),
        database_test(test_store_rotate_replaces_what_was_read_and_nothing_else),
        database_test(test_store_released_claim_waits),
        database_test(test_store_ended_session_is_neither_claimed_nor_renewed),
        database_test(test_store_session_past_its_end_is_not_claimed),
        database_test(test_store_end_takes_only_what_fits),
        database_test(test_store_empty_sid_ends_nothing),
        database_test(test_store_ended_sessions_are_listed_and_audited),
        database_test(test_store_ended_since_leaves_out_the_old_and_the_over),
        database_test(test_store_session_ended_elsewhere_is_listed),
        database_test(test_store_list_has_live_sessions_newest_first),
        database_test(test_store_malformed_row_is_refused),
        database_test(test_store_unknown_driver_is_refused),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
