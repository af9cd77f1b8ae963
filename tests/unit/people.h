/* SPDX-License-Identifier: Apache-2.0 */
/* A directory with people and groups in it, for tests of what it decides. Included by tests only, after site.h. */
#pragma once

#include "directory/provision.h"
#include "flow/directory.h"
#include "flow/groups.h"

#define PEOPLE_OID FIXTURE_OID
#define PEOPLE_GROUP "0f6b2d1e-5a44-4c0f-8a07-20f1c5f9a9d1"

static sso_directory_policy_t people_policy UNIT_MAYBE_UNUSED;

static UNIT_MAYBE_UNUSED const sso_json_t *people_json(const char *text)
{
    const sso_json_t *json = NULL;
    assert_rc(SSO_OK, sso_resource_parse(&unit_ctx, unit_pool, text, strlen(text), &json));
    return json;
}

/* One change, as SCIM makes it. Gives the id. */
static UNIT_MAYBE_UNUSED const char *people_change(sso_provision_op_t op, sso_scim_kind_t kind, const char *id,
                                                   const char *body)
{
    const sso_scim_t scim = {.app = SITE_APP,
                             .base = SITE_ORIGIN "/.entra/scim/v2",
                             .match = people_policy.match,
                             .ending = {site_world->site.store, site_world->site.ended}};
    const sso_provision_t provision = {op, kind, id, body == NULL ? NULL : people_json(body), NULL, "test", false};
    sso_provisioned_t provisioned;
    assert_rc(SSO_OK, sso_provision(&unit_ctx, &scim, &provision, &provisioned));
    return provisioned.row.id;
}

static UNIT_MAYBE_UNUSED const char *people_add(const char *body)
{
    return people_change(SSO_PROVISION_CREATE, SSO_SCIM_USER, NULL, body);
}

static UNIT_MAYBE_UNUSED const char *people_add_group(const char *external_id, const char *display, const char *member)
{
    const char *members =
        member == NULL ? "" : apr_pstrcat(unit_pool, ",\"members\":[{\"value\":\"", member, "\"}]", NULL);
    const char *body = apr_pstrcat(unit_pool, "{\"externalId\":\"", external_id, "\",\"displayName\":\"", display, "\"",
                                   members, "}", NULL);
    return people_change(SSO_PROVISION_CREATE, SSO_SCIM_GROUP, NULL, body);
}

#define PEOPLE_PATCH(operations) "{\"Operations\":[" operations "]}"
static UNIT_MAYBE_UNUSED void people_patch(sso_scim_kind_t kind, const char *id, const char *body)
{
    (void)people_change(SSO_PROVISION_PATCH, kind, id, body);
}

/* What a poll of the node does. */
static UNIT_MAYBE_UNUSED void people_poll(void)
{
    assert_rc(SSO_OK, sso_touched_poll(&unit_ctx, site_world->site.touched, site_world->site.store));
}

static UNIT_MAYBE_UNUSED sso_touched_t *people_table(void)
{
    sso_touched_t *table = calloc(1, sso_touched_size());
    assert_non_null(table);
    apr_pool_cleanup_register(unit_pool, table, unit_free, apr_pool_cleanup_null);
    return table;
}

/* The site's directory: by object id, groups and department are its business, nobody is required. */
static UNIT_MAYBE_UNUSED int people_setup(void **state)
{
    static sso_group_policy_t groups;
    if (site_setup(state) != 0) {
        return -1;
    }
    sso_site_t *site = &site_world->site;
    apr_array_header_t *attributes = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(attributes, const char *) = "scim:department";
    APR_ARRAY_PUSH(attributes, const char *) = "scim:urn:ietf:params:scim:schemas:extension:Corp:2.0:User:tags";
    people_policy = (sso_directory_policy_t){.match = SSO_MATCH_OID, .groups = true, .attributes = attributes};
    apr_array_header_t *referenced = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(referenced, const char *) = "Payroll Readers";
    APR_ARRAY_PUSH(referenced, const char *) = PEOPLE_GROUP;
    groups = (sso_group_policy_t){.referenced = referenced, .elsewhere = true};
    site->groups = &groups;
    site->directory = &people_policy;
    site->touched = people_table();
    people_poll();
    return 0;
}

#define people_test(function) cmocka_unit_test_setup_teardown(function, people_setup, database_teardown)

/* A record of the fixture's user, as a token alone makes it. */
static UNIT_MAYBE_UNUSED sso_record_t people_record(void)
{
    sso_record_t record = {.sid = "",
                           .tid = FIXTURE_TENANT,
                           .oid = PEOPLE_OID,
                           .username = "ada@example.com",
                           .name = "",
                           .email = "",
                           .login_hint = "",
                           .created = unit_ctx.now,
                           .ends = unit_ctx.now + 8 * SITE_HOUR,
                           .seen = unit_ctx.now,
                           .revalidated = unit_ctx.now};
    memset(record.id, 7, sizeof(record.id));
    return record;
}

/* All values of a claim with "|" between them; NULL when the record does not have it. */
static UNIT_MAYBE_UNUSED const char *people_claim(const sso_record_t *record, const char *name)
{
    sso_list_t values;
    return sso_record_claim(record, name, &values) ? sso_list_join(unit_pool, &values, "|") : NULL;
}
