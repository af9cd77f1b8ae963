/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in which group. Locks are taken groups first, then users in the order of their ids, so that no two
 * transactions of PostgreSQL wait for each other. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/rows.h"

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ids of a step, each once and sorted; what is no id of ours is nobody's. */
static apr_array_header_t *ids_of(apr_pool_t *pool, const sso_members_step_t *step)
{
    apr_array_header_t *sorted = apr_array_make(pool, step->ids->nelts, sizeof(const char *));
    for (int i = 0; i < step->ids->nelts; i++) {
        if (sso_is_guid(sso_text_at(step->ids, i))) {
            APR_ARRAY_PUSH(sorted, const char *) = sso_text_at(step->ids, i);
        }
    }
    if (sorted->nelts > 1) {
        qsort(sorted->elts, (size_t)sorted->nelts, sizeof(const char *), compare_ids);
    }
    apr_array_header_t *ids = apr_array_make(pool, sorted->nelts, sizeof(const char *));
    for (int i = 0; i < sorted->nelts; i++) {
        if (i == 0 || strcmp(sso_text_at(sorted, i - 1), sso_text_at(sorted, i)) != 0) {
            APR_ARRAY_PUSH(ids, const char *) = sso_text_at(sorted, i);
        }
    }
    return ids;
}

static sso_rc touch_one(sso_ctx_t *ctx, sso_connection_t *connection, const char *id)
{
    static const sso_statement_t touch = {"scim_user_touch",
                                          "UPDATE entra_scim_user SET touched = " SSO_SCIM_TOUCH " WHERE id = %s"};
    return sso_connection_change(ctx, connection, &touch, &id, NULL);
}

static sso_rc add_one(sso_ctx_t *ctx, sso_connection_t *connection, const char *app, const char *group, const char *id,
                      bool *changed)
{
    static const sso_statement_t user = {
        "scim_member_add_user",
        "INSERT INTO entra_scim_member (group_id, member_id) SELECT CAST(%s AS VARCHAR(36)), id "
        "FROM entra_scim_user WHERE id = %s AND app = %s "
        "ON CONFLICT (group_id, member_id) DO NOTHING"};
    static const sso_statement_t nested = {
        "scim_member_add_group", "INSERT INTO entra_scim_member (group_id, member_id) SELECT CAST(%s AS VARCHAR(36)), "
                                 "id FROM entra_scim_group WHERE id = %s AND app = %s "
                                 "ON CONFLICT (group_id, member_id) DO NOTHING"};
    const char *args[] = {group, id, app};
    int rows = 0;
    sso_rc rc = sso_connection_change(ctx, connection, &user, args, &rows);
    if (rc == SSO_OK && rows > 0) {
        *changed = true;
        return touch_one(ctx, connection, id);
    }
    if (rc == SSO_OK) {
        rc = sso_connection_change(ctx, connection, &nested, args, &rows);
    }
    *changed = *changed || (rc == SSO_OK && rows > 0);
    return rc;
}

static sso_rc remove_one(sso_ctx_t *ctx, sso_connection_t *connection, const char *group, const char *id, bool *changed)
{
    static const sso_statement_t remove = {"scim_member_remove",
                                           "DELETE FROM entra_scim_member WHERE group_id = %s AND member_id = %s"};
    const char *args[] = {group, id};
    int rows = 0;
    sso_rc rc = sso_connection_change(ctx, connection, &remove, args, &rows);
    if (rc == SSO_OK && rows > 0) {
        *changed = true;
        rc = touch_one(ctx, connection, id);
    }
    return rc;
}

static sso_rc add_id(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    if (columns[0] != NULL) {
        APR_ARRAY_PUSH((apr_array_header_t *)baton, const char *) = apr_pstrdup(ctx->pool, columns[0]);
    }
    return SSO_OK;
}

/* Those who are in it and not in ids go. */
static sso_rc remove_others(sso_ctx_t *ctx, sso_connection_t *connection, const char *group,
                            const apr_array_header_t *ids, bool *changed)
{
    static const sso_statement_t list = {
        "scim_member_ids", "SELECT member_id FROM entra_scim_member WHERE group_id = %s ORDER BY member_id"};
    apr_array_header_t *present = apr_array_make(ctx->pool, 64, sizeof(const char *));
    sso_rc rc = sso_connection_select(ctx, connection, &list, &group, add_id, present);
    for (int i = 0; rc == SSO_OK && i < present->nelts; i++) {
        const char *id = sso_text_at(present, i);
        bool stays =
            ids->nelts > 0 && bsearch(&id, ids->elts, (size_t)ids->nelts, sizeof(const char *), compare_ids) != NULL;
        rc = stays ? SSO_OK : remove_one(ctx, connection, group, id, changed);
    }
    return rc;
}

sso_rc sso_members_apply(sso_ctx_t *ctx, sso_connection_t *connection, const char *app, const char *group,
                         const apr_array_header_t *steps, bool *ret_changed)
{
    sso_rc rc = SSO_OK;
    *ret_changed = false;
    for (int i = 0; rc == SSO_OK && i < steps->nelts; i++) {
        const sso_members_step_t *step = &APR_ARRAY_IDX(steps, i, sso_members_step_t);
        const apr_array_header_t *ids = ids_of(ctx->pool, step);
        if (step->op == SSO_MEMBERS_REPLACE) {
            rc = remove_others(ctx, connection, group, ids, ret_changed);
        }
        for (int j = 0; rc == SSO_OK && j < ids->nelts; j++) {
            rc = step->op == SSO_MEMBERS_REMOVE
                     ? remove_one(ctx, connection, group, sso_text_at(ids, j), ret_changed)
                     : add_one(ctx, connection, app, group, sso_text_at(ids, j), ret_changed);
        }
    }
    return rc;
}

sso_rc sso_members_touch(sso_ctx_t *ctx, sso_connection_t *connection, const char *group)
{
    static const sso_statement_t sqlite = {"scim_members_touch",
                                           "UPDATE entra_scim_user SET touched = " SSO_SCIM_TOUCH " WHERE id IN "
                                           "(SELECT member_id FROM entra_scim_member WHERE group_id = %s)"};
    static const sso_statement_t pgsql = {
        "scim_members_touch", "UPDATE entra_scim_user SET touched = " SSO_SCIM_TOUCH " WHERE id IN "
                              "(SELECT id FROM entra_scim_user WHERE id IN "
                              "(SELECT member_id FROM entra_scim_member WHERE group_id = %s) ORDER BY id FOR UPDATE)"};
    const sso_statement_t *touch = sso_connection_is_pgsql(connection) ? &pgsql : &sqlite;
    return sso_connection_change(ctx, connection, touch, &group, NULL);
}

sso_rc sso_members_leave(sso_ctx_t *ctx, sso_connection_t *connection, const char *user)
{
    static const sso_statement_t sqlite = {
        "scim_members_leave", "UPDATE entra_scim_group SET modified = {now}, version = version + 1 WHERE id IN "
                              "(SELECT group_id FROM entra_scim_member WHERE member_id = %s)"};
    static const sso_statement_t pgsql = {
        "scim_members_leave", "UPDATE entra_scim_group SET modified = {now}, version = version + 1 WHERE id IN "
                              "(SELECT id FROM entra_scim_group WHERE id IN (SELECT group_id FROM entra_scim_member "
                              "WHERE member_id = %s) ORDER BY id FOR UPDATE)"};
    const sso_statement_t *leave = sso_connection_is_pgsql(connection) ? &pgsql : &sqlite;
    return sso_connection_change(ctx, connection, leave, &user, NULL);
}

/* ---- reading ---- */

static sso_rc add_link(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    if (columns[0] == NULL) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "a member without id");
    }
    sso_resource_link_t *link = &APR_ARRAY_PUSH((apr_array_header_t *)baton, sso_resource_link_t);
    link->id = apr_pstrdup(ctx->pool, columns[0]);
    link->display = columns[1] == NULL || *columns[1] == '\0' ? NULL : apr_pstrdup(ctx->pool, columns[1]);
    link->is_group = columns[2] != NULL && strcmp(columns[2], "1") == 0;
    return SSO_OK;
}

sso_rc sso_members_links(sso_ctx_t *ctx, sso_connection_t *connection, sso_scim_kind_t kind, const char *app,
                         const char *id, apr_array_header_t *ret_links)
{
    /* The display of a member that is a user would need its document; Entra asks for none. */
    static const sso_statement_t members = {
        "scim_links_members",
        "SELECT u.id, '', 0 FROM entra_scim_member m JOIN entra_scim_user u ON u.id = m.member_id "
        "WHERE m.group_id = %s AND u.app = %s UNION ALL SELECT g.id, g.display, 1 "
        "FROM entra_scim_member m JOIN entra_scim_group g ON g.id = m.member_id "
        "WHERE m.group_id = %s AND g.app = %s"};
    static const sso_statement_t groups = {
        "scim_links_groups", "SELECT g.id, g.display, 1 FROM entra_scim_member m JOIN entra_scim_group g "
                             "ON g.id = m.group_id WHERE m.member_id = %s AND g.app = %s ORDER BY g.created, g.id"};
    const char *args[] = {id, app, id, app};
    return sso_connection_select(ctx, connection, kind == SSO_SCIM_GROUP ? &members : &groups, args, add_link,
                                 ret_links);
}
