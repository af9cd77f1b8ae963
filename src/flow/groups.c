/* SPDX-License-Identifier: Apache-2.0 */
/* Groups at sign-in. Fails closed: an unanswered question about groups is no sign-in, never a sign-in without groups.
 */
#include "flow/groups.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "entra/graph.h"
#include "session/identity.h"

/* Without a prefix a scope is one of Graph's, of whatever cloud. */
#define SCOPE_OWN_GROUPS "User.Read"
#define SCOPE_GROUP_NAMES "GroupMember.Read.All"
/* A group that was renamed is found anew within this time; one that was not there, sooner. */
#define NAME_LIFE apr_time_from_sec(3600)
#define NO_NAME_LIFE apr_time_from_sec(300)

/* ---- names of groups ---- */

typedef struct {
    const char *id; /* "" when there is no group of that name */
    apr_time_t until;
} name_t;

/* As many entries as the configuration has names, so it cannot grow. */
struct sso_group_names_t {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    apr_hash_t *names;
};

static apr_status_t end_pool(void *names_pool)
{
    apr_pool_destroy(names_pool);
    return APR_SUCCESS;
}

sso_group_names_t *sso_group_names_make(apr_pool_t *pool)
{
    sso_group_names_t *names = apr_palloc(pool, sizeof(*names));
    /* Of its own: threads take memory from it under this mutex alone. */
    if (apr_pool_create_unmanaged_ex(&names->pool, apr_pool_abort_get(pool), NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, names->pool, end_pool, apr_pool_cleanup_null);
    names->names = apr_hash_make(names->pool);
    return apr_thread_mutex_create(&names->mutex, APR_THREAD_MUTEX_DEFAULT, pool) == APR_SUCCESS ? names : NULL;
}

/* Copies the id out, since another thread may renew the entry. False when nothing fresh is known. */
static bool name_get(sso_ctx_t *ctx, sso_group_names_t *names, const char *name, const char **ret_id)
{
    bool known = false;
    apr_thread_mutex_lock(names->mutex);
    const name_t *entry = apr_hash_get(names->names, name, APR_HASH_KEY_STRING);
    if (entry != NULL && entry->until > ctx->now) {
        *ret_id = apr_pstrdup(ctx->pool, entry->id);
        known = true;
    }
    apr_thread_mutex_unlock(names->mutex);
    return known;
}

static void name_set(sso_ctx_t *ctx, sso_group_names_t *names, const char *name, const char *id)
{
    apr_thread_mutex_lock(names->mutex);
    name_t *entry = apr_hash_get(names->names, name, APR_HASH_KEY_STRING);
    if (entry == NULL) {
        entry = apr_pcalloc(names->pool, sizeof(*entry));
        entry->id = "";
        apr_hash_set(names->names, apr_pstrdup(names->pool, name), APR_HASH_KEY_STRING, entry);
    }
    /* An id changes when a group is made anew under an old name, so this hardly ever takes memory. */
    if (strcmp(entry->id, id) != 0) {
        entry->id = apr_pstrdup(names->pool, id);
    }
    entry->until = ctx->now + (*id == '\0' ? NO_NAME_LIFE : NAME_LIFE);
    apr_thread_mutex_unlock(names->mutex);
}

/* ---- one sign-in ---- */

typedef struct {
    sso_ctx_t *ctx;
    const sso_site_t *site;
    const sso_idtoken_t *token;
    sso_graph_t graph;
    apr_array_header_t *members; /* const char *: ids, or names where the token holds names */
    bool offline;                /* Graph cannot be asked: what is not known stays so */
    bool unknown;
} question_t;

const char *sso_groups_scopes(const sso_group_policy_t *policy)
{
    bool names = false;
    if (policy->elsewhere) {
        return "";
    }
    for (int i = 0; i < policy->referenced->nelts; i++) {
        names = names || !sso_is_guid(sso_text_at(policy->referenced, i));
    }
    bool own = policy->overage == SSO_OVERAGE_GRAPH && (policy->all || policy->referenced->nelts > 0);
    if (names) {
        return own ? SCOPE_OWN_GROUPS " " SCOPE_GROUP_NAMES : SCOPE_GROUP_NAMES;
    }
    return own ? SCOPE_OWN_GROUPS : "";
}

/* Among the first count items. */
static bool is_among(const apr_array_header_t *groups, int count, const char *group)
{
    for (int i = 0; i < count; i++) {
        if (apr_cstr_casecmp(sso_text_at(groups, i), group) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_member(const apr_array_header_t *members, const char *group)
{
    return is_among(members, members->nelts, group);
}

/* The token says that it left the groups out (Entra: _claim_names, or hasgroups). The URL that it names instead is not
 * used: it is of a service that is no more. */
static bool is_overage(const sso_json_t *claims)
{
    return sso_json_get(sso_json_get(claims, "_claim_names"), "groups") != NULL ||
           sso_json_is_true(sso_json_get(claims, "hasgroups"));
}

static sso_rc read_claim(question_t *q, const sso_json_t *groups)
{
    apr_size_t count = sso_json_size(groups);
    if (sso_json_type(groups) != SSO_JSON_ARRAY || count > SSO_MAX_GRAPH_GROUPS) {
        return sso_fail(q->ctx, SSO_R_GROUPS_TYPE, "no array, or too long");
    }
    for (apr_size_t i = 0; i < count; i++) {
        const char *group = sso_json_text(sso_json_at(groups, i));
        if (group == NULL || !sso_identity_is_exact(q->ctx->pool, group)) {
            return sso_fail(q->ctx, SSO_R_GROUPS_TYPE, "item %" APR_SIZE_T_FMT, i);
        }
        APR_ARRAY_PUSH(q->members, const char *) = group;
    }
    return SSO_OK;
}

/* The id of a referenced group: itself, or what the directory has for the name; "" when there is none. */
static sso_rc id_of(question_t *q, const char *group, const char **ret_id)
{
    if (sso_is_guid(group)) {
        *ret_id = group;
        return SSO_OK;
    }
    if (name_get(q->ctx, q->site->group_names, group, ret_id)) {
        return SSO_OK;
    }
    if (q->offline) {
        q->unknown = true;
        *ret_id = "";
        return SSO_OK;
    }
    const char *id = NULL;
    sso_rc rc = sso_graph_group_id(q->ctx, &q->graph, group, &id);
    if (rc != SSO_OK) {
        return rc;
    }
    if (id == NULL) {
        sso_debug(q->ctx, "the directory has no group named %s", sso_printable(q->ctx->pool, group));
        id = "";
    }
    name_set(q->ctx, q->site->group_names, group, id);
    *ret_id = id;
    return SSO_OK;
}

/* Asks Graph only about the groups that the configuration names. */
static sso_rc ask_about_referenced(question_t *q)
{
    const apr_array_header_t *referenced = q->site->groups->referenced;
    apr_array_header_t *ids = apr_array_make(q->ctx->pool, referenced->nelts + 1, sizeof(const char *));
    for (int i = 0; i < referenced->nelts; i++) {
        const char *id = "";
        sso_rc rc = id_of(q, sso_text_at(referenced, i), &id);
        if (rc != SSO_OK) {
            return rc;
        }
        if (*id != '\0' && !is_member(ids, id)) {
            APR_ARRAY_PUSH(ids, const char *) = id;
        }
    }
    return ids->nelts == 0 ? SSO_OK : sso_graph_check_groups(q->ctx, &q->graph, ids, q->members);
}

static sso_rc resolve_overage(question_t *q)
{
    const sso_group_policy_t *policy = q->site->groups;
    switch (policy->overage) {
    case SSO_OVERAGE_DENY:
        return sso_fail(q->ctx, SSO_R_GROUPS_OVERAGE, "oid %s", q->token->oid);
    case SSO_OVERAGE_IGNORE:
        sso_debug(q->ctx, "more groups than the token holds are ignored, as EntraGroupOverage says");
        return SSO_OK;
    case SSO_OVERAGE_GRAPH:
        break;
    }
    return policy->all ? sso_graph_all_groups(q->ctx, &q->graph, q->members) : ask_about_referenced(q);
}

/* Adds a referenced group, in its own spelling, when the user is in it. A name may stand in the token itself. */
static sso_rc keep_if_member(question_t *q, const char *group, apr_array_header_t *kept)
{
    bool member = is_member(q->members, group);
    if (!member && !sso_is_guid(group) && q->members->nelts > 0) {
        const char *id = "";
        sso_rc rc = id_of(q, group, &id);
        if (rc != SSO_OK) {
            return rc;
        }
        member = *id != '\0' && is_member(q->members, id);
    }
    if (member && !is_member(kept, group)) {
        APR_ARRAY_PUSH(kept, const char *) = group;
    }
    return SSO_OK;
}

static sso_rc keep(question_t *q, sso_record_t *record)
{
    const sso_group_policy_t *policy = q->site->groups;
    apr_array_header_t *kept = apr_array_make(q->ctx->pool, 8, sizeof(const char *));
    for (int i = 0; i < policy->referenced->nelts; i++) {
        sso_rc rc = keep_if_member(q, sso_text_at(policy->referenced, i), kept);
        if (rc != SSO_OK) {
            return rc;
        }
    }
    int named = kept->nelts;
    for (int i = 0; policy->all && i < q->members->nelts; i++) {
        if (!is_among(kept, named, sso_text_at(q->members, i))) {
            APR_ARRAY_PUSH(kept, const char *) = sso_text_at(q->members, i);
        }
    }
    record->groups = sso_list_make(q->ctx->pool, kept);
    return SSO_OK;
}

static bool keeps_none(const sso_group_policy_t *policy)
{
    return policy == NULL || policy->elsewhere || (!policy->all && policy->referenced->nelts == 0);
}

sso_rc sso_groups_fill(sso_ctx_t *ctx, const sso_site_t *site, const sso_idtoken_t *token, const char *access_token,
                       sso_record_t *record)
{
    const sso_group_policy_t *policy = site->groups;
    const sso_json_t *groups = sso_json_get(token->claims, "groups");
    if (keeps_none(policy)) {
        return SSO_OK;
    }
    question_t q = {.ctx = ctx, .site = site, .token = token};
    q.members = apr_array_make(ctx->pool, 32, sizeof(const char *));
    q.graph = (sso_graph_t){.http = sso_authority_http(site->authority),
                            .policy = site->http_policy,
                            .graph_url = policy->graph_url,
                            .access_token = access_token};
    sso_rc rc = SSO_OK;
    if (groups != NULL) {
        rc = read_claim(&q, groups);
    } else if (is_overage(token->claims)) {
        rc = resolve_overage(&q);
    }
    return rc != SSO_OK ? rc : keep(&q, record);
}

sso_rc sso_groups_of_token(sso_ctx_t *ctx, const sso_site_t *site, const sso_idtoken_t *token, sso_record_t *record,
                           bool *ret_unknown)
{
    const sso_group_policy_t *policy = site->groups;
    const sso_json_t *groups = sso_json_get(token->claims, "groups");
    *ret_unknown = false;
    if (keeps_none(policy)) {
        return SSO_OK;
    }
    question_t q = {.ctx = ctx, .site = site, .token = token, .offline = true};
    q.members = apr_array_make(ctx->pool, 32, sizeof(const char *));
    /* SECURITY: "left out" is not "none"; only an administrator who says ignore has it so. */
    q.unknown = groups == NULL && is_overage(token->claims) && policy->overage != SSO_OVERAGE_IGNORE;
    sso_rc rc = groups == NULL ? SSO_OK : read_claim(&q, groups);
    if (rc == SSO_OK) {
        rc = keep(&q, record);
    }
    *ret_unknown = q.unknown;
    return rc;
}
