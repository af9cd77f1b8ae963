/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction of a change. It may run a second time, so it begins its results anew each time. */
#include "directory/provision.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "base/crypto.h"
#include "directory/barred.h"
#include "directory/changed.h"
#include "directory/patch.h"

typedef struct {
    const sso_scim_t *scim;
    const sso_provision_t *asked;
    const char *id; /* of the resource: asked->id, or a new one */
    sso_provisioned_t *done;
    apr_array_header_t *ended;
} work_t;

/* ---- versions ---- */

/* W/"3" and "3" are one: a document is its version (RFC 7644 section 3.14 wants weak ones). */
static const char *without_weakness(const char *version)
{
    return strncmp(version, "W/", 2) == 0 ? version + 2 : version;
}

bool sso_version_is_named(const char *header, const char *version)
{
    const char *wanted = without_weakness(version);
    apr_size_t len = strlen(wanted);
    const char *at = header;
    while (*at != '\0') {
        at += strspn(at, " \t,");
        if (*at == '*') {
            return true;
        }
        const char *given = without_weakness(at);
        if (strncmp(given, wanted, len) == 0 && strchr(" \t,", given[len]) != NULL) {
            return true;
        }
        at += strcspn(at, ",");
    }
    return false;
}

static sso_rc check_version(sso_ctx_t *ctx, const sso_provision_t *asked, const sso_scim_row_t *row)
{
    const char *tag = sso_scim_row_tag(ctx->pool, row);
    if (asked->if_match != NULL && !sso_version_is_named(asked->if_match, tag)) {
        return sso_fail(ctx, SSO_R_SCIM_VERSION, "it is %s", tag);
    }
    return SSO_OK;
}

/* ---- sessions ---- */

static sso_barred_who_t who_of(const sso_scim_t *scim, const char *oid, const char *user_key)
{
    bool by_oid = scim->match == SSO_MATCH_OID && *oid != '\0';
    return (sso_barred_who_t){scim->app, by_oid ? oid : NULL, by_oid ? NULL : user_key};
}

/* SECURITY: in this transaction, so that no moment has the user disabled and the sessions alive. */
static sso_rc end_sessions(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const char *oid,
                           const char *user_key, const char *cause)
{
    const sso_barred_who_t who = who_of(work->scim, oid, user_key);
    const sso_store_which_t which = {.app = work->scim->app, .oid = who.oid, .username = who.user_key};
    const char *actor = apr_pstrcat(ctx->pool, "SCIM token ", work->asked->actor, NULL);
    sso_rc rc = sso_barred_lock(ctx, connection, &who, true);
    rc = rc == SSO_OK ? sso_barred_note(ctx, connection, &who, work->id) : rc;
    return rc == SSO_OK ? sso_store_end_within(ctx, connection, &which, cause, actor, work->ended) : rc;
}

/* What a change of a user means for its sessions. old NULL: it is new. */
static sso_rc user_effect(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const sso_scim_row_t *old,
                          const sso_resource_keys_t *keys)
{
    const char *oid = keys->oid == NULL ? "" : keys->oid;
    bool same = old != NULL && strcmp(old->oid, oid) == 0 && strcmp(old->user_key, keys->user_name) == 0;
    work->done->event.oid = oid;
    work->done->event.unmatched = work->scim->match == SSO_MATCH_OID && *oid == '\0';
    if (keys->active || (same && !old->active)) {
        return SSO_OK;
    }
    work->done->event.ended = work->ended;
    return end_sessions(ctx, connection, work, oid, keys->user_name, "disabled by SCIM");
}

/* ---- the four changes ---- */

static const char *what(const sso_provision_t *asked, const sso_scim_row_t *old, const sso_resource_keys_t *keys)
{
    static const char *const words[][4] = {
        [SSO_SCIM_USER] = {"user created", "user replaced", "user changed", "user deleted"},
        [SSO_SCIM_GROUP] = {"group created", "group replaced", "group changed", "group deleted"},
    };
    if (asked->kind == SSO_SCIM_USER && old != NULL && keys != NULL && old->active != keys->active) {
        return keys->active ? "user enabled" : "user disabled";
    }
    return words[asked->kind][asked->op];
}

static sso_rc finish(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const char *words)
{
    work->done->changed = true;
    work->done->event.what = words;
    work->done->event.id = work->id;
    return sso_scim_audit(ctx, connection, work->scim->app, work->asked->actor, words, work->id);
}

/* For the audit: which attributes, and of their values no more than says who it is. NULL: it was not there, or is not
 * any more. */
static void describe(sso_ctx_t *ctx, work_t *work, const sso_json_t *before, const sso_json_t *after, bool members)
{
    sso_scim_event_t *event = &work->done->event;
    const sso_json_t *document = after != NULL ? after : before;
    sso_resource_keys_t keys;
    apr_array_header_t *changed = sso_changed_names(ctx->pool, before, after);
    if (members) {
        APR_ARRAY_PUSH(changed, const char *) = "members";
    }
    sso_resource_keys(ctx->pool, work->asked->kind, document, &keys);
    event->changed = changed;
    event->user_name = sso_json_get_text(document, "userName");
    event->external_id = keys.external_id;
    event->is_user = work->asked->kind == SSO_SCIM_USER;
    event->active = keys.active;
}

static const apr_array_header_t *replace_step(apr_pool_t *pool, const apr_array_header_t *ids)
{
    apr_array_header_t *steps = apr_array_make(pool, 1, sizeof(sso_members_step_t));
    APR_ARRAY_PUSH(steps, sso_members_step_t) = (sso_members_step_t){SSO_MEMBERS_REPLACE, ids};
    return steps;
}

/* The document and the steps that the request asks for. */
static sso_rc compute(sso_ctx_t *ctx, const sso_provision_t *asked, const sso_scim_row_t *old,
                      const sso_json_t **ret_document, const apr_array_header_t **ret_steps)
{
    const sso_json_t *before = old == NULL ? NULL : old->document;
    if (asked->op == SSO_PROVISION_PATCH) {
        sso_patch_result_t patched;
        sso_rc rc = sso_patch_apply(ctx, ctx->pool, asked->kind, before, asked->body, &patched);
        if (rc == SSO_OK) {
            *ret_document = patched.document;
            *ret_steps = patched.members;
        }
        return rc;
    }
    sso_resource_t made;
    sso_rc rc = sso_resource_make(ctx, ctx->pool, asked->kind, asked->body, before, &made);
    if (rc == SSO_OK) {
        *ret_document = made.document;
        *ret_steps = replace_step(ctx->pool, made.members);
    }
    return rc;
}

/* Rows of first sign-ins that have the name or the object id which a user gets now are of that user, and go. */
static sso_rc make_way(sso_ctx_t *ctx, sso_connection_t *connection, const work_t *work,
                       const sso_scim_written_t *written)
{
    sso_rc rc = SSO_OK;
    bool found = !work->asked->jit;
    /* One by the object id, one by the name. */
    for (int i = 0; rc == SSO_OK && found && i < 2; i++) {
        sso_scim_row_t row;
        rc = sso_scim_row_find_jit(ctx, connection, written->app, &written->keys, written->id, &row, &found);
        if (rc == SSO_OK && found) {
            rc = sso_members_leave(ctx, connection, row.id);
            rc = rc == SSO_OK ? sso_scim_row_delete(ctx, connection, SSO_SCIM_USER, written->app, row.id) : rc;
        }
    }
    return rc;
}

/* Writes the row of a new user: its own, or that of a first sign-in, which is this user's then. */
static sso_rc add_user(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, sso_scim_written_t *written)
{
    sso_scim_row_t old;
    bool found = false;
    sso_rc rc = work->asked->jit
                    ? SSO_OK
                    : sso_scim_row_find_jit(ctx, connection, work->scim->app, &written->keys, "", &old, &found);
    if (rc == SSO_OK && found) {
        work->id = written->id = old.id;
        rc = make_way(ctx, connection, work, written);
        rc = rc != SSO_OK ? rc : sso_scim_row_set(ctx, connection, written, &old);
    } else if (rc == SSO_OK) {
        rc = sso_scim_row_add(ctx, connection, written);
    }
    return rc == SSO_OK ? user_effect(ctx, connection, work, found ? &old : NULL, &written->keys) : rc;
}

static sso_rc create(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work)
{
    const sso_provision_t *asked = work->asked;
    sso_scim_written_t written = {asked->kind, work->scim->app, work->id, NULL, {.active = false}};
    const apr_array_header_t *steps;
    bool members = false;
    sso_rc rc = compute(ctx, asked, NULL, &written.document, &steps);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_resource_keys(ctx->pool, asked->kind, written.document, &written.keys);
    if (asked->kind == SSO_SCIM_USER) {
        rc = add_user(ctx, connection, work, &written);
    } else {
        rc = sso_scim_row_add(ctx, connection, &written);
        rc = rc == SSO_OK ? sso_members_apply(ctx, connection, work->scim->app, work->id, steps, &members) : rc;
    }
    describe(ctx, work, NULL, written.document, members);
    return rc == SSO_OK ? finish(ctx, connection, work, what(asked, NULL, NULL)) : rc;
}

/* What sessions see of a group is its name and its ids. */
static bool is_renamed(const sso_json_t *before, const sso_json_t *after)
{
    return !sso_json_equal(sso_json_get(before, "displayName"), sso_json_get(after, "displayName")) ||
           !sso_json_equal(sso_json_get(before, "externalId"), sso_json_get(after, "externalId"));
}

static sso_rc change_group(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const sso_scim_row_t *old,
                           sso_scim_written_t *written, const apr_array_header_t *steps)
{
    bool members = false;
    sso_rc rc = sso_members_apply(ctx, connection, work->scim->app, work->id, steps, &members);
    if (rc != SSO_OK || (!members && sso_json_equal(old->document, written->document))) {
        return rc;
    }
    if (is_renamed(old->document, written->document)) {
        rc = sso_members_touch(ctx, connection, work->id);
    }
    rc = rc == SSO_OK ? sso_scim_row_set(ctx, connection, written, old) : rc;
    describe(ctx, work, old->document, written->document, members);
    return rc == SSO_OK ? finish(ctx, connection, work, what(work->asked, old, &written->keys)) : rc;
}

static sso_rc change_user(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const sso_scim_row_t *old,
                          sso_scim_written_t *written)
{
    if (sso_json_equal(old->document, written->document)) {
        return SSO_OK;
    }
    sso_rc rc = make_way(ctx, connection, work, written);
    rc = rc == SSO_OK ? sso_scim_row_set(ctx, connection, written, old) : rc;
    rc = rc == SSO_OK ? user_effect(ctx, connection, work, old, &written->keys) : rc;
    describe(ctx, work, old->document, written->document, false);
    return rc == SSO_OK ? finish(ctx, connection, work, what(work->asked, old, &written->keys)) : rc;
}

static sso_rc change(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const sso_scim_row_t *old)
{
    const sso_provision_t *asked = work->asked;
    sso_scim_written_t written = {asked->kind, work->scim->app, work->id, NULL, {.active = false}};
    const apr_array_header_t *steps;
    sso_rc rc = compute(ctx, asked, old, &written.document, &steps);
    if (rc != SSO_OK) {
        return rc;
    }
    sso_resource_keys(ctx->pool, asked->kind, written.document, &written.keys);
    return asked->kind == SSO_SCIM_GROUP ? change_group(ctx, connection, work, old, &written, steps)
                                         : change_user(ctx, connection, work, old, &written);
}

static sso_rc delete (sso_ctx_t *ctx, sso_connection_t *connection, work_t *work, const sso_scim_row_t *old)
{
    const sso_provision_t *asked = work->asked;
    sso_rc rc = SSO_OK;
    if (asked->kind == SSO_SCIM_GROUP) {
        rc = sso_members_touch(ctx, connection, work->id);
    } else {
        work->done->event.oid = old->oid;
        work->done->event.ended = work->ended;
        rc = end_sessions(ctx, connection, work, old->oid, old->user_key, "deleted by SCIM");
    }
    rc = rc == SSO_OK ? sso_scim_row_delete(ctx, connection, asked->kind, work->scim->app, work->id) : rc;
    describe(ctx, work, old->document, NULL, false);
    return rc == SSO_OK ? finish(ctx, connection, work, what(asked, old, NULL)) : rc;
}

/* ---- the transaction ---- */

/* The resource as it is now, for the answer. */
static sso_rc read_back(sso_ctx_t *ctx, sso_connection_t *connection, work_t *work)
{
    const sso_provision_t *asked = work->asked;
    sso_rc rc = sso_scim_row_get(ctx, connection, asked->kind, work->scim->app, work->id, false, &work->done->row);
    if (rc == SSO_OK && asked->kind == SSO_SCIM_USER) {
        apr_array_header_t *links = apr_array_make(ctx->pool, 4, sizeof(sso_resource_link_t));
        rc = sso_members_links(ctx, connection, asked->kind, work->scim->app, work->id, links);
        work->done->links = links;
    }
    return rc;
}

static sso_rc provision_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    work_t *work = baton;
    const sso_provision_t *asked = work->asked;
    sso_scim_row_t old;
    memset(work->done, 0, sizeof(*work->done));
    apr_array_clear(work->ended);
    work->done->event.oid = "";
    if (asked->op == SSO_PROVISION_CREATE) {
        sso_rc rc = create(ctx, connection, work);
        return rc == SSO_OK ? read_back(ctx, connection, work) : rc;
    }
    bool deletes = asked->op == SSO_PROVISION_DELETE;
    /* Groups are locked before users, everywhere. */
    sso_rc rc = deletes && sso_is_guid(work->id) ? sso_members_leave(ctx, connection, work->id) : SSO_OK;
    rc = rc == SSO_OK ? sso_scim_row_get(ctx, connection, asked->kind, work->scim->app, work->id, true, &old) : rc;
    rc = rc == SSO_OK ? check_version(ctx, asked, &old) : rc;
    if (rc == SSO_OK && deletes) {
        work->done->row = old;
        return delete (ctx, connection, work, &old);
    }
    rc = rc == SSO_OK ? change(ctx, connection, work, &old) : rc;
    return rc == SSO_OK ? read_back(ctx, connection, work) : rc;
}

sso_rc sso_provision(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_provision_t *provision,
                     sso_provisioned_t *ret_provisioned)
{
    work_t work = {scim, provision, provision->id, ret_provisioned,
                   apr_array_make(ctx->pool, 2, sizeof(sso_store_ended_t))};
    sso_rc rc = SSO_OK;
    if (provision->op == SSO_PROVISION_CREATE) {
        rc = sso_random_guid(ctx, &work.id);
    }
    rc = rc == SSO_OK ? sso_database_change(ctx, sso_store_database(scim->ending.store), provision_work, &work) : rc;
    if (rc == SSO_OK) {
        /* Died here: the next poll sees the rows. */
        sso_ending_note(&scim->ending, work.ended, ctx->now);
        sso_count_many(ctx, SSO_COUNT_ENDED_SCIM, (unsigned)work.ended->nelts);
    }
    return rc;
}
