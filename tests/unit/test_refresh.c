/* SPDX-License-Identifier: Apache-2.0 */
/* An open session after a change in the directory: read anew once, left without what cannot be read, ended when its
 * user may not be here. */
#include "flow/refresh.h"

#include "unit.h"

#include "site.h"

#include "people.h"

#include "flow/keep.h"

#define ADA "{\"userName\":\"ada@example.com\",\"externalId\":\"" PEOPLE_OID "\"}"

static sso_site_t *site(void)
{
    return &site_world->site;
}

static void begin(bool with_memo)
{
    sso_memo_t *memo = NULL;
    if (with_memo) {
        void *memory = calloc(1, sso_memo_size(SSO_MAX_MEMO_BYTES));
        assert_non_null(memory);
        apr_pool_cleanup_register(unit_pool, memory, unit_free, apr_pool_cleanup_null);
        memo = sso_memo_init(memory, SSO_MAX_MEMO_BYTES);
    }
    site()->refreshes = sso_refreshes_make(unit_pool, memo);
}

/* A session of ada, who is in the group. */
static sso_record_t session(const char **ret_group)
{
    sso_record_t record = people_record();
    *ret_group = people_add_group(PEOPLE_GROUP, "Finance", people_add(ADA));
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, site(), &record, &(sso_tokens_t){NULL}, apr_time_now()));
    people_poll();
    return record;
}

static void empty(const char *group)
{
    people_patch(SSO_SCIM_GROUP, group, PEOPLE_PATCH("{\"op\":\"remove\",\"path\":\"members\"}"));
    people_poll();
}

static void test_refresh_reads_after_a_change_and_once(void **state)
{
    (void)state;
    const char *group;
    begin(true);
    sso_record_t record = session(&group);
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_NONE);
    const sso_record_t cookie = record;
    empty(group);
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_DONE);
    assert_int_equal(record.groups.count, 0);
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_NONE);
    /* A client that keeps its old cookie: without the database. */
    sso_store_t *store = site()->store;
    site()->store = NULL;
    record = cookie;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_DONE);
    assert_int_equal(record.groups.count, 0);
    /* What Entra said later is not put back by what is remembered. */
    record = cookie;
    record.revalidated += SITE_MINUTE;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_LATER);
    sso_fault_clear(&unit_ctx);
    site()->store = store;
}

static void test_refresh_without_the_database_leaves_nothing_of_the_directory(void **state)
{
    (void)state;
    const char *group;
    begin(false);
    sso_record_t record = session(&group);
    const sso_record_t cookie = record;
    sso_store_t *store = site()->store;
    empty(group);
    site()->store = NULL;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_LATER);
    assert_rc(SSO_R_DIRECTORY_LATE, unit_ctx.fault.rc);
    assert_int_equal(record.groups.count, 0);
    assert_null(people_claim(&record, "scim:"));
    /* For a second nobody asks again; then somebody does. */
    site()->store = store;
    record = cookie;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_LATER);
    assert_int_equal(unit_ctx.fault.retry_after_s, 1);
    sso_fault_clear(&unit_ctx);
    unit_ctx.now += apr_time_from_sec(2);
    record = cookie;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_DONE);
    /* Without a change the database is not asked for anything. */
    site()->store = NULL;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_NONE);
    site()->refreshes = NULL;
    record = cookie;
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_LATER);
    sso_fault_clear(&unit_ctx);
}

static void test_refresh_ends_the_session_of_who_may_not_be_here(void **state)
{
    (void)state;
    begin(false);
    people_policy.required = true;
    const char *id = people_add(ADA);
    sso_record_t record = people_record();
    assert_rc(SSO_OK, sso_directory_fill(&unit_ctx, site(), &record));
    people_policy.match = SSO_MATCH_UPN;
    assert_rc(SSO_OK, sso_keep_new(&unit_ctx, site(), &record, &(sso_tokens_t){NULL}, apr_time_now()));
    /* The name is somebody else's from now on. */
    people_patch(SSO_SCIM_USER, id,
                 PEOPLE_PATCH("{\"op\":\"replace\",\"path\":\"userName\",\"value\":\"b@example.com\"}"));
    people_poll();
    assert_int_equal(sso_refresh(&unit_ctx, site(), &record), SSO_REFRESH_OUT);
    assert_rc(SSO_R_DIRECTORY_UNKNOWN, unit_ctx.fault.rc);
    assert_rc(SSO_R_SESSION_ENDED, sso_ended_check(&unit_ctx, site()->ended, record.id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        people_test(test_refresh_reads_after_a_change_and_once),
        people_test(test_refresh_without_the_database_leaves_nothing_of_the_directory),
        people_test(test_refresh_ends_the_session_of_who_may_not_be_here),
    };
    return site_run(tests);
}
