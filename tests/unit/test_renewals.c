/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/renewals.c: requests ask and go on, threads renew, results come with a later request. */
#include "flow/renewals.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <apr_allocator.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "unit.h"

#include "site.h"

#define REVALIDATE (5 * SITE_MINUTE)

typedef struct {
    atomic_uint done[SSO_RENEW_ENDED + 1]; /* what a thread did before is seen by who sees its count */
    apr_time_t now;
    _Atomic(apr_allocator_t *) allocator;    /* of the pool that the last thread had */
    atomic_uint told, waited_s, turned_away; /* of a line that moves too slowly */
} seen_t;

static seen_t seen;

static void begin(void *baton, const sso_site_t *site, apr_pool_t *pool, sso_ctx_t *ret_ctx)
{
    (void)site;
    ((seen_t *)baton)->allocator = apr_pool_allocator_get(pool);
    sso_ctx_init(ret_ctx, pool, ((seen_t *)baton)->now);
}

static void done(void *baton, const sso_site_t *site, sso_ctx_t *ctx, const sso_record_t *record, sso_renewal_t outcome)
{
    (void)site, (void)ctx, (void)record;
    atomic_fetch_add(&((seen_t *)baton)->done[outcome], 1);
}

static void behind(void *baton, const sso_site_t *site, apr_interval_time_t waited, unsigned turned_away)
{
    (void)site;
    ((seen_t *)baton)->waited_s = (unsigned)apr_time_sec(waited);
    ((seen_t *)baton)->turned_away = turned_away;
    atomic_fetch_add(&((seen_t *)baton)->told, 1);
}

static apr_status_t destroy(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

/* The invented Entra is called by another thread, so it has memory of its own. */
static void separate_fake(void)
{
    apr_pool_t *pool = NULL;
    assert_int_equal(apr_pool_create_unmanaged_ex(&pool, NULL, NULL), APR_SUCCESS);
    apr_pool_cleanup_register(unit_pool, pool, destroy, apr_pool_cleanup_null);
    site_world->fake->pool = pool;
}

static sso_renewals_t *renewals_make_in(apr_pool_t *pool)
{
    separate_fake();
    static const sso_renewals_observer_t observer = {&seen, begin, done, behind};
    sso_renewals_t *renewals = NULL;
    memset(&seen, 0, sizeof(seen));
    assert_rc(SSO_OK, sso_renewals_make(&unit_ctx, pool, 2, &observer, &renewals));
    return renewals;
}

static sso_renewals_t *renewals_make(void)
{
    return renewals_make_in(unit_pool);
}

static void entra_says(int status, const char *roles)
{
    fixture_claim_t *changes = apr_pcalloc(unit_pool, 2 * sizeof(*changes));
    changes[0] = (fixture_claim_t){"roles", roles};
    site_world->changes = changes;
    site_world->scripted = true;
    site_world->token->status = status;
    site_world->token->body = status != 200 ? "{\"error\":\"invalid_grant\"}"
                                            : apr_pstrcat(unit_pool, "{\"refresh_token\":\"next\",\"id_token\":\"",
                                                          site_id_token("unused"), "\"}", NULL);
}

static sso_record_t due_session(void)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    unit_ctx.now = SSO_TEST_NOW;
    site_world->site.session.freshness = (sso_freshness_t){REVALIDATE, SITE_HOUR};
    assert_page("/", site_sign_in(browser, "/"));
    assert_rc(SSO_OK, site_session(browser, &record));
    unit_ctx.now += REVALIDATE + 1;
    seen.now = unit_ctx.now;
    return record;
}

static void wait_for(sso_renewal_t outcome, unsigned count)
{
    for (int i = 0; i < 1000 && atomic_load(&seen.done[outcome]) < count; i++) {
        apr_sleep(apr_time_from_msec(5));
    }
    assert_int_equal(atomic_load(&seen.done[outcome]), count);
}

/* Asks until the thread has put its result down. */
static bool ask_until(sso_renewals_t *renewals, sso_record_t *record)
{
    for (int i = 0; i < 1000; i++) {
        if (sso_renewals_ask(renewals, &unit_ctx, &site_world->site, record)) {
            return true;
        }
        apr_sleep(apr_time_from_msec(5));
    }
    return false;
}

/* The pool of a child of prefork takes no lock: a thread that shared its memory would write into a request's. */
static void test_renewals_share_no_memory_with_the_request(void **state)
{
    (void)state;
    apr_allocator_t *unlocked = NULL;
    apr_pool_t *child = NULL;
    assert_int_equal(apr_allocator_create(&unlocked), APR_SUCCESS);
    assert_int_equal(apr_pool_create_ex(&child, unit_pool, NULL, unlocked), APR_SUCCESS);
    apr_allocator_owner_set(unlocked, child);
    sso_renewals_t *renewals = renewals_make_in(child);
    sso_record_t record = due_session();
    entra_says(200, "[\"Reader\"]");
    assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record));
    wait_for(SSO_RENEWED, 1);
    assert_non_null(seen.allocator);
    assert_ptr_not_equal(seen.allocator, unlocked);
    assert_non_null(apr_allocator_mutex_get(seen.allocator));
    apr_pool_destroy(child);
}

static void test_renewals_give_the_result_to_a_later_request(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    sso_record_t before = record;
    entra_says(200, "[\"admin\"]");
    assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record));
    assert_int_equal(record.revalidated, before.revalidated);
    wait_for(SSO_RENEWED, 1);
    assert_true(ask_until(renewals, &record));
    assert_string_equal(sso_list_join(unit_pool, &record.roles, ","), "admin");
    assert_int_equal(record.revalidated, unit_ctx.now);
    assert_int_equal(record.ends, before.ends);
    /* A parallel request with the old cookie gets the same, and nobody asks Entra again. */
    int calls = site_token_calls();
    assert_true(ask_until(renewals, &before));
    assert_int_equal(site_token_calls(), calls);
}

static void test_renewals_ask_once_for_many_requests(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    entra_says(200, "[\"admin\"]");
    int calls = site_token_calls();
    for (int i = 0; i < 200; i++) {
        sso_record_t copy = record;
        (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &copy);
    }
    wait_for(SSO_RENEWED, 1);
    assert_int_equal(site_token_calls(), calls + 1);
}

static void test_renewals_do_not_repeat_what_failed_a_moment_ago(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    entra_says(503, "[]");
    int calls = site_token_calls();
    (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record);
    wait_for(SSO_RENEW_LATER, 1);
    for (int i = 0; i < 50; i++) {
        assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record));
    }
    assert_int_equal(site_token_calls(), calls + 1);
}

/* The pause is noted after the outcome is counted, and nothing can be seen of it but that nobody asks. */
static void let_pause_begin(void)
{
    apr_sleep(apr_time_from_msec(20));
}

/* A request that meets the thread at the lock goes on without asking, so one is not enough. */
static void ask_until_done(sso_renewals_t *renewals, sso_record_t *record, unsigned count)
{
    for (int i = 0; i < 1000 && atomic_load(&seen.done[SSO_RENEW_LATER]) < count; i++) {
        (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, record);
        apr_sleep(apr_time_from_msec(5));
    }
    assert_int_equal(atomic_load(&seen.done[SSO_RENEW_LATER]), count);
}

/* "Come later" from Entra holds for the whole process: other sessions do not ask either, until the time is over. */
static void test_renewals_pause_when_entra_asks_for_it(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t first = due_session();
    site_world->scripted = false;
    sso_record_t second = due_session();
    entra_says(429, "[]");
    site_world->token->retry_after_s = 60;
    int calls = site_token_calls();
    (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &first);
    wait_for(SSO_RENEW_LATER, 1);
    let_pause_begin();
    for (int i = 0; i < 50; i++) {
        assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &second));
    }
    assert_int_equal(site_token_calls(), calls + 1);
    unit_ctx.now += apr_time_from_sec(61);
    seen.now = unit_ctx.now;
    for (int i = 0; i < 200 && atomic_load(&seen.done[SSO_RENEW_LATER]) < 2; i++) {
        (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &second);
        apr_sleep(apr_time_from_msec(5));
    }
    wait_for(SSO_RENEW_LATER, 2);
    assert_int_equal(site_token_calls(), calls + 2);
}

/* A pause, and the wait of a session, are over when they began ahead of now. */
static void test_renewals_do_not_wait_for_a_clock_that_was_set_back(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t first = due_session();
    site_world->scripted = false;
    sso_record_t second = due_session();
    entra_says(503, "[]");
    int calls = site_token_calls();
    (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &first);
    wait_for(SSO_RENEW_LATER, 1);
    let_pause_begin();
    unit_ctx.now -= SITE_HOUR;
    seen.now = unit_ctx.now;
    ask_until_done(renewals, &second, 2);
    let_pause_begin();
    assert_int_equal(site_token_calls(), calls + 2);
    /* And the new pause holds. */
    for (int i = 0; i < 50; i++) {
        assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &first));
    }
    assert_int_equal(site_token_calls(), calls + 2);
}

static void test_renewals_refused_end_the_session(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    entra_says(400, "[]");
    (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record);
    wait_for(SSO_RENEW_REFUSED, 1);
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site_world->site.ended, record.id));
}

/* More sessions than there is room for: none is lost, since each asks again with its next request. */
static void test_renewals_are_bounded(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    entra_says(503, "[]");
    for (unsigned i = 0; i < 3 * SSO_MAX_RENEWALS; i++) {
        record.id[0] = (unsigned char)(i >> 8);
        record.id[1] = (unsigned char)i;
        assert_false(sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record));
    }
    assert_true(atomic_load(&seen.done[SSO_RENEW_LATER]) <= SSO_MAX_RENEWALS);
}

/* One more session that Entra is asked about, so long after it was put in line. */
static void wait_in_line(sso_renewals_t *renewals, sso_record_t *record, int seconds)
{
    unsigned before = atomic_load(&seen.done[SSO_RENEW_LATER]);
    record->id[0]++;
    seen.now = unit_ctx.now + apr_time_from_sec(seconds);
    ask_until_done(renewals, record, before + 1);
    /* Entra's "later" is a pause for the next. */
    unit_ctx.now = seen.now + apr_time_from_sec(60);
}

static void test_renewals_tell_of_a_line_that_is_too_slow(void **state)
{
    (void)state;
    sso_renewals_t *renewals = renewals_make();
    sso_record_t record = due_session();
    entra_says(503, "[]");
    wait_in_line(renewals, &record, 0);
    wait_in_line(renewals, &record, 74);
    assert_int_equal(atomic_load(&seen.told), 0);
    wait_in_line(renewals, &record, 75);
    assert_int_equal(atomic_load(&seen.told), 1);
    assert_int_equal(atomic_load(&seen.waited_s), 75);
    assert_int_equal(atomic_load(&seen.turned_away), 0);
    wait_in_line(renewals, &record, 90);
    assert_int_equal(atomic_load(&seen.told), 1);
    unit_ctx.now += SSO_BEHIND_SAID;
    wait_in_line(renewals, &record, 100);
    assert_int_equal(atomic_load(&seen.told), 2);
    /* What was said ahead of now was said before the clock was set back. */
    unit_ctx.now -= SITE_HOUR;
    wait_in_line(renewals, &record, 100);
    assert_int_equal(atomic_load(&seen.told), 3);
    /* A quarter of a short interval is no time at all. */
    unit_ctx.now += SSO_BEHIND_SAID;
    site_world->site.session.freshness.revalidate = apr_time_from_sec(10);
    wait_in_line(renewals, &record, 29);
    assert_int_equal(atomic_load(&seen.told), 3);
    wait_in_line(renewals, &record, 30);
    assert_int_equal(atomic_load(&seen.told), 4);
}

/* ---- a crowd that is due at once ---- */

#define CROWD 20000u
#define CROWD_ROWS 1000u /* in one statement */
#define CROWD_THREADS 2u /* of renewals_make */
#define CROWD_LATER 200u /* so many of those without a place ask again */

/* An Entra that answers when its gate is open. Its threads share nothing but this. */
typedef struct {
    apr_thread_mutex_t *gate;
    const char *body;
    atomic_uint inside, most; /* threads that ask at this moment; as many as there ever were */
    atomic_uint asked[CROWD]; /* about each session */
} crowd_t;

static crowd_t crowd;

/* Thousands of transactions, each of which would wait for the disk: in memory, where the system has such a folder. */
static int crowd_setup(void **state)
{
    static const char memory[] = "/dev/shm/entra_store.XXXXXX";
    if (site_setup(state) != 0) {
        return -1;
    }
    if (database_is_pgsql() || access("/dev/shm", W_OK) != 0) {
        return 0;
    }
    rmdir(database_folder);
    memcpy(database_folder, memory, sizeof(memory));
    if (mkdtemp(database_folder) == NULL) {
        return -1;
    }
    database_params = apr_pstrcat(unit_pool, database_folder, "/entra.db", NULL);
    site_world->site.store = database_store();
    return 0;
}

/* Whose refresh token came. CROWD: of nobody. */
static unsigned crowd_who(const char *form)
{
    static const char name[] = "&refresh_token=crowd-";
    const char *digit = form == NULL ? NULL : strstr(form, name);
    unsigned who = 0;
    if (digit == NULL) {
        return CROWD;
    }
    for (digit += sizeof(name) - 1; *digit >= '0' && *digit <= '9' && who < CROWD; digit++) {
        who = 10 * who + (unsigned)(*digit - '0');
    }
    return who;
}

static sso_rc crowd_perform(sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                            sso_http_response_t *ret_response)
{
    (void)http;
    unsigned who = crowd_who(request->body);
    if (who >= CROWD) {
        return sso_fail(ctx, SSO_R_HTTP_FAILED, "no refresh token of the crowd");
    }
    unsigned inside = atomic_fetch_add(&crowd.inside, 1) + 1;
    unsigned most = atomic_load(&crowd.most);
    while (inside > most && !atomic_compare_exchange_weak(&crowd.most, &most, inside)) {
        continue;
    }
    atomic_fetch_add(&crowd.asked[who], 1);
    apr_thread_mutex_lock(crowd.gate);
    apr_thread_mutex_unlock(crowd.gate);
    atomic_fetch_sub(&crowd.inside, 1);
    *ret_response = (sso_http_response_t){.status = 200, .body = crowd.body, .len = strlen(crowd.body)};
    return SSO_OK;
}

/* Spread evenly over the table, as random ids are on the whole. */
static sso_record_t crowd_member(const sso_record_t *due, unsigned who)
{
    sso_record_t record = *due;
    record.id[0] = 0;
    record.id[1] = (unsigned char)(who >> 8);
    record.id[2] = (unsigned char)who;
    return record;
}

/* The rows of all, copied from that of `due`, each with a refresh token of its own. */
static void crowd_add_rows(const sso_record_t *due)
{
    apr_array_header_t *rows = apr_array_make(unit_pool, (int)CROWD_ROWS, sizeof(const char *));
    for (unsigned who = 0; who < CROWD; who++) {
        sso_record_t record = crowd_member(due, who);
        const char *token = apr_psprintf(unit_pool, "crowd-%u", who);
        const char *sealed;
        assert_rc(SSO_OK, sso_session_seal(&unit_ctx, &site_world->site.session, SSO_PURPOSE_REFRESH, record.id, token,
                                           strlen(token), &sealed));
        const char *id = sso_hex(unit_pool, record.id, sizeof(record.id));
        APR_ARRAY_PUSH(rows, const char *) = apr_pstrcat(unit_pool, "('", id, "', '", sealed, "')", NULL);
        if (rows->nelts < (int)CROWD_ROWS && who + 1 < CROWD) {
            continue;
        }
        database_sql(apr_pstrcat(
            unit_pool,
            "INSERT INTO entra_session (id, app, tenant, object, sid, username, created, ends, revalidated, ended, "
            "claim, claimed_until, refresh, renewed) SELECT v.column1, app, tenant, object, sid, username, created, "
            "ends, revalidated, ended, claim, claimed_until, v.column2, renewed FROM entra_session, (VALUES ",
            apr_array_pstrcat(unit_pool, rows, ','), ") AS v WHERE id = '",
            sso_hex(unit_pool, due->id, sizeof(due->id)), "'", NULL));
        apr_array_clear(rows);
    }
}

/* The crowd's Entra, with its gate open. */
static void crowd_make(const sso_record_t *due)
{
    memset(&crowd, 0, sizeof(crowd));
    entra_says(200, "[\"admin\"]");
    crowd.body = site_world->token->body;
    assert_int_equal(apr_thread_mutex_create(&crowd.gate, APR_THREAD_MUTEX_DEFAULT, unit_pool), APR_SUCCESS);
    crowd_add_rows(due);
    site_world->fake->face.perform = crowd_perform;
}

/* A request of each. How many took a result. */
static unsigned crowd_asks(sso_renewals_t *renewals, const sso_record_t *due)
{
    unsigned taken = 0;
    for (unsigned who = 0; who < CROWD; who++) {
        sso_record_t record = crowd_member(due, who);
        taken += sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record) ? 1 : 0;
    }
    return taken;
}

/* The first `count` about whom Entra was asked so often ask until each has its result. */
static void crowd_takes(sso_renewals_t *renewals, const sso_record_t *due, unsigned asked, unsigned count)
{
    unsigned *members = apr_pcalloc(unit_pool, count * sizeof(*members));
    unsigned left = 0;
    for (unsigned who = 0; who < CROWD && left < count; who++) {
        if (atomic_load(&crowd.asked[who]) == asked) {
            members[left++] = who;
        }
    }
    assert_int_equal(left, count);
    for (int i = 0; i < 20000 && left > 0; i++) {
        unsigned still = 0;
        for (unsigned m = 0; m < left; m++) {
            sso_record_t record = crowd_member(due, members[m]);
            if (!sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record)) {
                members[still++] = members[m];
            }
        }
        left = still;
        apr_sleep(left > 0 ? apr_time_from_msec(1) : 0);
    }
    assert_int_equal(left, 0);
}

static void crowd_wait(const atomic_uint *counter, unsigned count)
{
    for (int i = 0; i < 20000 && atomic_load(counter) < count; i++) {
        apr_sleep(apr_time_from_msec(1));
    }
}

/* Of 20,000 that are due at once as many wait as there are places, and two are asked about; the others go on as they
 * are, and have their turn with a later request. */
static void test_renewals_of_20000_sessions_at_once(void **state)
{
    apr_pool_t *child = NULL;
    (void)state;
    apr_pool_create(&child, unit_pool);
    sso_renewals_t *renewals = renewals_make_in(child);
    sso_record_t due = due_session();
    crowd_make(&due);
    /* Nothing is asserted while the gate is closed: a failure would leave the threads before it. */
    apr_thread_mutex_lock(crowd.gate);
    unsigned taken = crowd_asks(renewals, &due);
    crowd_wait(&crowd.inside, CROWD_THREADS);
    taken += crowd_asks(renewals, &due);
    unit_ctx.now += apr_time_from_sec(80);
    seen.now = unit_ctx.now;
    unsigned inside = atomic_load(&crowd.inside);
    apr_thread_mutex_unlock(crowd.gate);
    assert_int_equal(taken, 0);
    assert_int_equal(inside, CROWD_THREADS);
    crowd_wait(&seen.done[SSO_RENEWED], SSO_MAX_RENEWALS);
    crowd_takes(renewals, &due, 1, SSO_MAX_RENEWALS);
    crowd_takes(renewals, &due, 0, CROWD_LATER);
    /* The line is served in its order, so whoever waited beyond the places would have been asked about by now. */
    apr_pool_destroy(child);
    assert_int_equal(atomic_load(&seen.done[SSO_RENEWED]), SSO_MAX_RENEWALS + CROWD_LATER);
    assert_int_equal(atomic_load(&seen.done[SSO_RENEW_LATER]), 0);
    assert_int_equal(atomic_load(&crowd.most), CROWD_THREADS);
    assert_int_equal(atomic_load(&seen.told), 1);
    assert_int_equal(atomic_load(&seen.waited_s), 80);
    assert_true(atomic_load(&seen.turned_away) > CROWD / 2);
    unsigned asked = 0;
    for (unsigned who = 0; who < CROWD; who++) {
        unsigned times = atomic_load(&crowd.asked[who]);
        assert_true(times <= 1);
        asked += times;
    }
    assert_int_equal(asked, SSO_MAX_RENEWALS + CROWD_LATER);
}

static void test_renewals_without_threads_are_none(void **state)
{
    (void)state;
    static const sso_renewals_observer_t observer = {&seen, begin, done, behind};
    sso_renewals_t *renewals = NULL;
    assert_rc(SSO_R_RENEW_THREADS, sso_renewals_make(&unit_ctx, unit_pool, 0, &observer, &renewals));
    assert_null(renewals);
}

static void test_renewals_of_a_pool_that_ends_wait_for_what_runs(void **state)
{
    (void)state;
    static const sso_renewals_observer_t observer = {&seen, begin, done, behind};
    sso_renewals_t *renewals = NULL;
    apr_pool_t *pool;
    memset(&seen, 0, sizeof(seen));
    separate_fake();
    apr_pool_create(&pool, unit_pool);
    assert_rc(SSO_OK, sso_renewals_make(&unit_ctx, pool, 2, &observer, &renewals));
    sso_record_t record = due_session();
    entra_says(200, "[\"admin\"]");
    (void)sso_renewals_ask(renewals, &unit_ctx, &site_world->site, &record);
    apr_pool_destroy(pool);
    unsigned after = atomic_load(&seen.done[SSO_RENEWED]);
    apr_sleep(apr_time_from_msec(50));
    assert_int_equal(atomic_load(&seen.done[SSO_RENEWED]), after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_renewals_share_no_memory_with_the_request),
        site_test(test_renewals_give_the_result_to_a_later_request),
        site_test(test_renewals_ask_once_for_many_requests),
        site_test(test_renewals_do_not_repeat_what_failed_a_moment_ago),
        site_test(test_renewals_pause_when_entra_asks_for_it),
        site_test(test_renewals_do_not_wait_for_a_clock_that_was_set_back),
        site_test(test_renewals_refused_end_the_session),
        site_test(test_renewals_are_bounded),
        site_test(test_renewals_tell_of_a_line_that_is_too_slow),
        cmocka_unit_test_setup_teardown(test_renewals_of_20000_sessions_at_once, crowd_setup, database_teardown),
        site_test(test_renewals_without_threads_are_none),
        site_test(test_renewals_of_a_pool_that_ends_wait_for_what_runs),
    };
    return site_run(tests);
}
