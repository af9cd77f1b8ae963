/* SPDX-License-Identifier: Apache-2.0 */
/* A real database for tests: SQLite in a temporary folder, or the PostgreSQL that ENTRA_TEST_PGSQL names (a conninfo),
 * whose tables are dropped first. Included by tests only, after unit.h. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_file_io.h>
#include <apr_file_info.h>

#include "base/crypto.h"
#include "session/store.h"

/* The first needs the others: it says that they are there. */
#define DATABASE_STEP_4                                                                                                \
    "entra_scim_user, entra_scim_group, entra_scim_member, entra_scim_unique, entra_scim_barred, entra_scim_token, "   \
    "entra_scim_audit"
#define DATABASE_TABLES                                                                                                \
    "entra_schema, entra_session, entra_ended, entra_audit, entra_watch, entra_post, " DATABASE_STEP_4

static const char *database_driver UNIT_MAYBE_UNUSED;
static const char *database_params UNIT_MAYBE_UNUSED;
static char database_folder[64] UNIT_MAYBE_UNUSED;

static UNIT_MAYBE_UNUSED bool database_is_pgsql(void)
{
    return getenv("ENTRA_TEST_PGSQL") != NULL;
}

/* SQL over a connection of its own, behind the store's back. Gives the first column of the last row, or NULL. */
static UNIT_MAYBE_UNUSED const char *database_sql(const char *sql)
{
    const apr_dbd_driver_t *driver = NULL;
    apr_dbd_t *handle = NULL;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    const char *error = NULL;
    const char *value = NULL;
    assert_int_equal(apr_dbd_init(unit_pool), APR_SUCCESS);
    assert_int_equal(apr_dbd_get_driver(unit_pool, database_driver, &driver), APR_SUCCESS);
    if (apr_dbd_open_ex(driver, unit_pool, database_params, &handle, &error) != APR_SUCCESS) {
        unit_fail("no connection of the test's own: %s", error);
    }
    int code = apr_dbd_select(driver, unit_pool, handle, &results, sql, 1);
    if (code != 0) {
        unit_fail("%s: %s", sql, apr_dbd_error(driver, handle, code));
    }
    while (results != NULL && apr_dbd_get_row(driver, unit_pool, results, &row, -1) == 0) {
        const char *entry = apr_dbd_get_entry(driver, row, 0);
        value = entry == NULL ? NULL : apr_pstrdup(unit_pool, entry);
    }
    apr_dbd_close(driver, handle);
    return value;
}

static int UNIT_MAYBE_UNUSED database_group_setup(void **state)
{
    sso_ctx_t ctx;
    if (unit_group_setup(state) != 0) {
        return -1;
    }
    sso_ctx_init(&ctx, unit_process_pool, SSO_TEST_NOW);
    return sso_crypto_init(&ctx, unit_process_pool) == SSO_OK ? 0 : -1;
}

static int UNIT_MAYBE_UNUSED database_setup(void **state)
{
    if (unit_setup(state) != 0) {
        return -1;
    }
    snprintf(database_folder, sizeof(database_folder), "/tmp/entra_store.XXXXXX");
    if (mkdtemp(database_folder) == NULL) {
        return -1;
    }
    if (database_is_pgsql()) {
        database_driver = "pgsql";
        database_params = getenv("ENTRA_TEST_PGSQL");
        database_sql("DROP TABLE IF EXISTS " DATABASE_TABLES);
    } else {
        database_driver = "sqlite3";
        database_params = apr_pstrcat(unit_pool, database_folder, "/entra.db", NULL);
    }
    return 0;
}

static int UNIT_MAYBE_UNUSED database_teardown(void **state)
{
    /* The store first, which is in the pool: it closes the files. */
    int failed = unit_teardown(state);
    static const char *const files[] = {"/entra.db", "/entra.db-wal", "/entra.db-shm", "/entra.db-journal", NULL};
    chmod(database_folder, 0700);
    for (int i = 0; files[i] != NULL; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", database_folder, files[i]);
        unlink(path);
    }
    rmdir(database_folder);
    return failed;
}

static UNIT_MAYBE_UNUSED sso_store_t *database_store(void)
{
    sso_store_t *store = NULL;
    assert_rc(SSO_OK, sso_store_make(&unit_ctx, unit_pool, database_driver, database_params, &store));
    return store;
}

#undef database_test
#define database_test(function) cmocka_unit_test_setup_teardown(function, database_setup, database_teardown)
