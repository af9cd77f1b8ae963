/* SPDX-License-Identifier: Apache-2.0 */
/* Between the code and apr_dbd in unit tests over SQLite: a statement whose plan looks at every row of a table, or at
 * every user of an application, ends the test. What may do so is listed here with the reason. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_dbd.h>
#include <apr_strings.h>

int __real_apr_dbd_prepare(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, const char *query,
                           const char *label, apr_dbd_prepared_t **statement);
int __wrap_apr_dbd_prepare(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, const char *query,
                           const char *label, apr_dbd_prepared_t **statement);

/* By the label of the statement, as it is prepared. */
static bool may_look_at_all(const char *label)
{
    static const char *const labels[] = {
        /* A list of everything is asked for, a page of it at a time; and how much there is. */
        "entra_scim_user_list_",
        "entra_scim_user_count_",
        "session_list_n",
        "scim_token_list",
        /* Counts for status, metrics and `entra-sso check`. */
        "tally",
        "scim_survey_users",
        "scim_survey_groups",
        /* A handful of rows by their nature: tokens, and forms that wait for their user to sign in. */
        "purge_scim_token",
        "scim_token_older",
        "post_add",
    };
    bool found = false;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        found = found || strcmp(label, labels[i]) == 0;
    }
    return found;
}

/* With a text for each argument: a plan does not depend on them. */
static const char *explained(apr_pool_t *pool, const char *query)
{
    const char *whole = "EXPLAIN QUERY PLAN ";
    for (const char *at = strstr(query, "%s"); at != NULL; at = strstr(query, "%s")) {
        whole = apr_pstrcat(pool, whole, apr_pstrmemdup(pool, query, (apr_size_t)(at - query)), "'1'", NULL);
        query = at + strlen("%s");
    }
    return apr_pstrcat(pool, whole, query, NULL);
}

static bool looks_at_all(const char *step)
{
    return strncmp(step, "SCAN entra_", strlen("SCAN entra_")) == 0 ||
           (strncmp(step, "SEARCH entra_", strlen("SEARCH entra_")) == 0 && strstr(step, " (app=?)") != NULL);
}

static void check_plan(const apr_dbd_driver_t *driver, apr_dbd_t *handle, const char *query, const char *label)
{
    apr_pool_t *pool;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    apr_pool_create(&pool, NULL);
    /* A broken table or connection is the test's own matter, and tells at once. */
    if (apr_dbd_select(driver, pool, handle, &results, explained(pool, query), 1) == 0) {
        while (apr_dbd_get_row(driver, pool, results, &row, -1) == 0) {
            const char *step = apr_dbd_get_entry(driver, row, 3);
            if (looks_at_all(step) && !may_look_at_all(label)) {
                fprintf(stderr, "the statement %s looks at every row (%s): %s\n", label, step, query);
                abort();
            }
        }
    }
    apr_pool_destroy(pool);
}

int __wrap_apr_dbd_prepare(const apr_dbd_driver_t *driver, apr_pool_t *pool, apr_dbd_t *handle, const char *query,
                           const char *label, apr_dbd_prepared_t **statement)
{
    if (strcmp(apr_dbd_name(driver), "sqlite3") == 0) {
        check_plan(driver, handle, query, label);
    }
    return __real_apr_dbd_prepare(driver, pool, handle, query, label, statement);
}
