/* SPDX-License-Identifier: Apache-2.0 */
/* The text of EntraDatabase: what is taken, and that no password is ever shown. */
#include "session/source.h"

#include "unit.h"

#include "base/limits.h"

static void test_source_good_text_is_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *driver, *params;
    } rows[] = {
        {"sqlite3:/var/lib/x/entra.db", "sqlite3", "/var/lib/x/entra.db"},
        {"sqlite3:entra.db", "sqlite3", "entra.db"},
        {"sqlite3: /a b", "sqlite3", "/a b"},
        {"pgsql:host=db", "pgsql", "host=db"},
        {"pgsql: host = db  dbname='a \\' b' user=e\\ f ", "pgsql", "host = db  dbname='a \\' b' user=e\\ f "},
        {"pgsql:password=", "pgsql", "password="},
        {"pgsql:postgresql://u:p@db/x?sslmode=require", "pgsql", "postgresql://u:p@db/x?sslmode=require"},
        {"pgsql:postgres://db", "pgsql", "postgres://db"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *driver = NULL;
        const char *params = NULL;
        const char *wrong = sso_store_source(unit_pool, rows[i].text, &driver, &params);
        if (wrong != NULL) {
            unit_fail("%s: %s", rows[i].text, wrong);
        }
        assert_string_equal(driver, rows[i].driver);
        assert_string_equal(params, rows[i].params);
    }
}

static void test_source_bad_text_is_refused(void **state)
{
    (void)state;
    char *longer = apr_palloc(unit_pool, SSO_MAX_SOURCE + 2);
    memset(longer, 'x', SSO_MAX_SOURCE + 1);
    longer[SSO_MAX_SOURCE + 1] = '\0';
    memcpy(longer, "sqlite3:", 8);
    const char *const rows[] = {
        "",
        "sqlite3",
        "sqlite3:",
        "sqlite3: ",
        "sqlite3::memory:",
        "sqlite3:file:x?mode=memory",
        "/x/y.db",
        "mysql:host=db",
        "pgsql:",
        "pgsql: ",
        "pgsql:host",
        "pgsql:=db",
        "pgsql:HOST",
        "pgsql:host=db db2",
        "oracle:x",
        "SQLITE3:/x",
        "pgsql:host='db",
        "pgsql:host=db dbname='x\\'",
        "pgsql:'a'",
        longer,
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *driver;
        const char *params;
        if (sso_store_source(unit_pool, rows[i], &driver, &params) == NULL) {
            unit_fail("taken: %s", rows[i]);
        }
    }
    longer[SSO_MAX_SOURCE] = '\0';
    const char *driver;
    const char *params;
    assert_null(sso_store_source(unit_pool, longer, &driver, &params));
}

static void test_source_password_is_masked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"sqlite3:/x/password=y.db", "sqlite3:/x/password=y.db"},
        {"pgsql:host=db  user=e", "pgsql:host=db user=e"},
        {"pgsql:host=db password=hunter2 user=e", "pgsql:host=db password=*** user=e"},
        {"pgsql:password = 'hunter2 \\' x' sslpassword=hunter2 passfile=/p",
         "pgsql:password=*** sslpassword=*** passfile=/p"},
        {"pgsql:user=e\\ password=hunter2", "pgsql:user=e\\ password=hunter2"},
        {"pgsql:host=db password='hunter2", "pgsql:(unreadable)"},
        {"pgsql:postgresql://u:hunter2@db:5432/x", "pgsql:postgresql://u:***@db:5432/x"},
        {"pgsql:postgresql://u:hunter2@hunter2@db/x", "pgsql:postgresql://u:***@db/x"},
        {"pgsql:postgresql://u@db:5432/x", "pgsql:postgresql://u@db:5432/x"},
        {"pgsql:postgres://db/x?password=hunter2&sslmode=require&sslpassword=hunter2",
         "pgsql:postgres://db/x?password=***&sslmode=require&sslpassword=***"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_source_masked(unit_pool, rows[i].text), rows[i].shown);
    }
}

static void test_source_bounds_stand_where_ours_can_be_overruled(void **state)
{
    (void)state;
    const char *bounded = sso_source_bounded(unit_pool, "host=db connect_timeout=9");
    assert_true(strstr(bounded, "connect_timeout=3") < strstr(bounded, "connect_timeout=9"));
    assert_non_null(strstr(bounded, "tcp_user_timeout=5000"));
    assert_string_equal(sso_source_bounded(unit_pool, "postgres://db/x"),
                        "postgres://db/"
                        "x?connect_timeout=3&tcp_user_timeout=5000&client_encoding=UTF8&fallback_application_name=mod_"
                        "entra_sso");
    bounded = sso_source_bounded(unit_pool, "postgres://db/x?connect_timeout=9");
    assert_true(strstr(bounded, "?connect_timeout=3&") < strstr(bounded, "&connect_timeout=9"));
    bounded = sso_source_bounded(unit_pool, "postgres://db/x?");
    assert_string_equal(bounded + strlen(bounded) - 9, "entra_sso");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_source_good_text_is_split),
        unit_test(test_source_bad_text_is_refused),
        unit_test(test_source_password_is_masked),
        unit_test(test_source_bounds_stand_where_ours_can_be_overruled),
    };
    return unit_run(tests);
}
