/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: usual filters are served by an index, pages neither repeat nor skip, cursors come to an end. */
#include "directory/listing.h"

#include "unit.h"

#include "service.h"

static const char *rows_of(const char *sql)
{
    const apr_dbd_driver_t *driver = NULL;
    apr_dbd_t *handle = NULL;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    const char *all = "";
    const char *error;
    assert_int_equal(apr_dbd_get_driver(unit_pool, database_driver, &driver), APR_SUCCESS);
    assert_int_equal(apr_dbd_open_ex(driver, unit_pool, database_params, &handle, &error), APR_SUCCESS);
    assert_int_equal(apr_dbd_select(driver, unit_pool, handle, &results, sql, 1), 0);
    while (apr_dbd_get_row(driver, unit_pool, results, &row, -1) == 0) {
        all = apr_pstrcat(unit_pool, all, apr_dbd_get_entry(driver, row, 3), "; ", NULL);
    }
    apr_dbd_close(driver, handle);
    return all;
}

/* The plan of a list, as SQLite tells it. */
static const char *plan(const char *filter, sso_scim_kind_t kind, bool by_cursor)
{
    sso_listing_t listing = {.kind = kind, .by_cursor = by_cursor};
    if (*filter != '\0') {
        assert_rc(SSO_OK, sso_filter_parse(&unit_ctx, unit_pool, kind, filter, &listing.filter));
    }
    const char *sql = sso_listing_sql(unit_pool, &listing);
    const char *whole = "EXPLAIN QUERY PLAN ";
    for (const char *at = strstr(sql, "%s"); at != NULL; at = strstr(sql, "%s")) {
        whole = apr_pstrcat(unit_pool, whole, apr_pstrmemdup(unit_pool, sql, (apr_size_t)(at - sql)), "'1'", NULL);
        sql = at + 2;
    }
    return rows_of(apr_pstrcat(unit_pool, whole, sql, NULL));
}

static void test_listing_uses_an_index(void **state)
{
    (void)state;
    static const struct {
        sso_scim_kind_t kind;
        const char *filter, *index;
    } cases[] = {
        {SSO_SCIM_USER, "userName eq \"a\"", "entra_scim_user_key (app=? AND user_key=?)"},
        {SSO_SCIM_USER, "externalId eq \"a\"", "entra_scim_user_external_id (app=? AND external_id=?)"},
        {SSO_SCIM_USER, "displayName eq \"a\"", "entra_scim_user_display_key (app=? AND display_key=?)"},
        {SSO_SCIM_USER, "emails[type eq \"work\"].value eq \"a\"", "entra_scim_user_email (app=? AND email=?)"},
        {SSO_SCIM_USER, "id eq \"a\"", "(id=?)"},
        {SSO_SCIM_USER, "id eq \"a\" and manager eq \"b\"", "(id=?)"},
        {SSO_SCIM_USER, "manager eq \"b\"", "entra_scim_user_manager (app=? AND manager=?)"},
        {SSO_SCIM_USER, "groups.value eq \"b\"", "(group_id=?)"},
        {SSO_SCIM_USER, "", "entra_scim_user_order (app=?"},
        {SSO_SCIM_GROUP, "displayName eq \"a\"", "entra_scim_group_display_key (app=? AND display_key=?)"},
        {SSO_SCIM_GROUP, "externalId eq \"a\"", "entra_scim_group_external_id (app=? AND external_id=?)"},
        {SSO_SCIM_GROUP, "id eq \"a\" and members eq \"b\"", "(id=?)"},
        {SSO_SCIM_GROUP, "members eq \"b\"", "entra_scim_member_of (member_id=?)"},
    };
    service_make("/Users", "{'userName':'a'}");
    if (database_is_pgsql()) {
        /* Its plans depend on what it has counted. */
        skip();
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = plan(cases[i].filter, cases[i].kind, false);
        if (strstr(found, cases[i].index) == NULL || strstr(found, "SCAN entra") != NULL) {
            unit_fail("%s: %s", cases[i].filter, found);
        }
    }
    const char *found = plan("", SSO_SCIM_USER, true);
    if (strstr(found, "entra_scim_user_order (app=? AND ") == NULL || strstr(found, "B-TREE")) {
        unit_fail("a page by cursor: %s", found);
    }
}

static int walk(const char *query, int page)
{
    const char *cursor = "";
    int seen = 0;
    for (int pages = 0; cursor != NULL; pages++) {
        assert_true(pages < 50);
        const char *all = apr_psprintf(unit_pool, "%scount=%d&cursor=%s", query, page, cursor);
        assert_int_equal(service_do("GET", "/Users", all, NULL), 200);
        seen += (int)sso_json_size(sso_json_get(service_json(), "Resources"));
        cursor = sso_json_get_text(service_json(), "nextCursor");
    }
    return seen;
}

static void test_listing_pages(void **state)
{
    (void)state;
    static const int pages[] = {1, 5, 22, 23, 24};
    for (int i = 0; i < 23; i++) {
        service_make("/Users",
                     apr_psprintf(unit_pool, "{'userName':'u%d','title':'%s'}", i, i % 2 == 0 ? "even" : "odd"));
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        assert_int_equal(walk("", pages[i]), 23);
        assert_int_equal(walk("filter=title+eq+%22even%22&", pages[i]), 12);
        assert_int_equal(walk("filter=title+eq+%22none%22&", pages[i]), 0);
    }
    assert_int_equal(service_count("Users", "title eq 'odd'"), 11);
    assert_int_equal(service_count("Users", "userName eq 'U3' and title eq 'odd'"), 1);
    assert_int_equal(service_count("Users", "userName eq 'U3' and title eq 'even'"), 0);
    assert_int_equal(service_count("Users", "userName eq 'u3' and userName eq 'u4'"), 0);
    assert_int_equal(service_count("Users", "userName eq 'u3' or userName eq 'u4'"), 2);
    assert_int_equal(service_do("GET", "/Users", "count=0", NULL), 200);
    assert_int_equal(sso_json_size(sso_json_get(service_json(), "Resources")), 0);
}

/* More rows than a filter without an index may look at. */
static void test_listing_scan_is_bounded(void **state)
{
    (void)state;
    static const char sqlite[] =
        "INSERT INTO entra_scim_user WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) "
        "SELECT PRINTF('00000000-0000-4000-8000-%%012d', n), '%s', 'k' || n, '', '', '', '', '', 1, n, n, 1, 1, 0, "
        "'{}' "
        "FROM c";
    static const char pgsql[] =
        "INSERT INTO entra_scim_user SELECT '00000000-0000-4000-8000-' || LPAD(CAST(n AS TEXT), 12, '0'), '%2$s', "
        "'k' || n, '', '', '', '', '', 1, n, n, 1, 1, 0, '{}' FROM generate_series(1, %1$d) AS n";
    service_make("/Users", "{'userName':'a'}");
    char sql[512];
    snprintf(sql, sizeof(sql), database_is_pgsql() ? pgsql : sqlite, SSO_MAX_SCIM_SCAN, SERVICE_APP);
    database_sql(sql);
    assert_int_equal(service_do("GET", "/Users", "filter=title+pr", NULL), 400);
    assert_rc(SSO_R_SCIM_TOO_MANY, unit_ctx.fault.rc);
    assert_int_equal(service_count("Users", "userName eq 'a'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        service_test(test_listing_uses_an_index),
        service_test(test_listing_pages),
        service_test(test_listing_scan_is_bounded),
    };
    return cmocka_run_group_tests(tests, database_group_setup, unit_group_teardown);
}
