/* SPDX-License-Identifier: Apache-2.0 */
/* Counts for an administrator. It reads all rows of the application, which is for a command and not for a request. */
#include "directory/survey.h"

#include <string.h>

#include "base/bytes.h"
#include "directory/rows.h"

typedef struct {
    const char *app;
    sso_survey_t survey;
} surveying_t;

static sso_rc number_read(sso_ctx_t *ctx, const char *text, int *ret_number)
{
    int64_t number;
    if (!sso_integer_parse(text, &number) || number < 0 || number > INT32_MAX) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "a count is no number");
    }
    *ret_number = (int)number;
    return SSO_OK;
}

static sso_rc users_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    surveying_t *surveying = baton;
    sso_rc rc = number_read(ctx, columns[0], &surveying->survey.users);
    return rc != SSO_OK ? rc : number_read(ctx, columns[1], &surveying->survey.without_oid);
}

static sso_rc groups_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    return number_read(ctx, columns[0], &((surveying_t *)baton)->survey.groups);
}

static sso_rc survey_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    /* Rows of first sign-ins that nobody has provisioned since are no provisioned users. */
    static const sso_statement_t users = {"scim_survey_users",
                                          "SELECT COUNT(*), COUNT(CASE WHEN oid = '' THEN 1 END) FROM entra_scim_user "
                                          "WHERE app = %s AND NOT (version = 1 "
                                          "AND document LIKE %s)"};
    static const sso_statement_t groups = {"scim_survey_groups",
                                           "SELECT COUNT(*) FROM entra_scim_group WHERE app = %s"};
    surveying_t *surveying = baton;
    const char *const args[] = {surveying->app, "%" SSO_JIT_MARK "%"};
    memset(&surveying->survey, 0, sizeof(surveying->survey));
    sso_rc rc = sso_connection_select(ctx, connection, &users, args, users_row, surveying);
    return rc != SSO_OK ? rc : sso_connection_select(ctx, connection, &groups, args, groups_row, surveying);
}

sso_rc sso_survey(sso_ctx_t *ctx, sso_store_t *store, const char *app, sso_survey_t *ret_survey)
{
    surveying_t surveying = {.app = app};
    sso_rc rc = sso_database_read(ctx, sso_store_database(store), survey_work, &surveying);
    if (rc == SSO_OK) {
        *ret_survey = surveying.survey;
    }
    return rc;
}
