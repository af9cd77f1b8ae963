/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values for the backend. What the client sent under these names was removed when the request arrived. */
#include "build_config.h"

#include "httpd/export.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "httpd/attest.h"

/* The first group of a match, or the whole of it; or the replacement with $0..$9 filled in. */
static const char *apply_regex(request_rec *r, const sso_remote_user_t *user, const char *name)
{
    ap_regmatch_t match[AP_MAX_REG_MATCH];
    if (ap_regexec(user->regex, name, AP_MAX_REG_MATCH, match, 0) != 0) {
        return NULL;
    }
    if (user->replacement != NULL) {
        return ap_pregsub(r->pool, user->replacement, name, AP_MAX_REG_MATCH, match);
    }
    const ap_regmatch_t *part = match[1].rm_so >= 0 ? &match[1] : &match[0];
    return apr_pstrmemdup(r->pool, name + part->rm_so, (apr_size_t)(part->rm_eo - part->rm_so));
}

/* SECURITY: the name of an application without a user, which no user can have. */
#define APP_PREFIX "app:"

static bool is_app_name(const char *name)
{
    return strncmp(name, APP_PREFIX, sizeof(APP_PREFIX) - 1) == 0 && sso_is_guid(name + sizeof(APP_PREFIX) - 1);
}

const char *sso_export_user(request_rec *r, const sso_visit_t *visit)
{
    if (visit->session == SSO_VISIT_BEARER && visit->bearer.app_only) {
        return apr_pstrcat(r->pool, APP_PREFIX, visit->bearer.client, NULL);
    }
    const sso_dir_config_t *dir = sso_config_dir(r);
    const sso_value_t *option = &dir->option[SSO_DIR_REMOTE_USER];
    const char *separator = dir->option[SSO_DIR_LIST_SEPARATOR].first;
    const sso_remote_user_t *user = option->object;
    const sso_template_t *template = option->set ? user->template : visit->site->remote_user;
    const char *name = sso_template_render(r->pool, template, &visit->record, separator);
    if (name != NULL && option->set && user->regex != NULL) {
        name = apply_regex(r, user, name);
        /* An expression works on bytes, and may cut a letter in half. */
        name = name != NULL && sso_is_utf8(name, strlen(name)) ? name : NULL;
    }
    /* An empty REMOTE_USER would pass for a user in many an application, and one with outer blanks for another user. */
    if (name == NULL || *name == '\0' || *name == ' ' || name[strlen(name) - 1] == ' ' || is_app_name(name)) {
        return NULL;
    }
    return name;
}

/* UTF-8 to ISO 8859-1; what it has no letter for becomes '?'. Claims are well-formed, an administrator's literal may
 * not be. */
static const char *to_latin1(apr_pool_t *pool, const char *text)
{
    char *latin = apr_palloc(pool, strlen(text) + 1);
    char *end = latin;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x80) {
            *end++ = (char)*p;
        } else if ((*p & 0xfe) == 0xc2 && (p[1] & 0xc0) == 0x80) {
            *end++ = (char)(((*p & 0x03) << 6) | (p[1] & 0x3f));
            p++;
        } else if ((*p & 0xc0) == 0xc0) {
            *end++ = '?';
        }
    }
    *end = '\0';
    return latin;
}

static const char *encode(apr_pool_t *pool, sso_encoding_t encoding, const char *value)
{
    switch (encoding) {
    case SSO_ENCODING_LATIN1:
        return to_latin1(pool, value);
    case SSO_ENCODING_PERCENT:
        return sso_percent_encode(pool, value);
    case SSO_ENCODING_BASE64:
        return sso_base64(pool, value, strlen(value));
    case SSO_ENCODING_UTF8:
        break;
    }
    return value;
}

const sso_list_t *sso_export_roles(request_rec *r, sso_visit_t *visit)
{
    const sso_dir_config_t *dir = sso_config_dir(r);
    /* SECURITY: a subrequest's configuration and roles end with it, and another may come to stand at the same place. */
    if (visit->roles_for != dir || r->main != NULL) {
        visit->roles = sso_roles_of(r->pool, &visit->record, dir->option[SSO_DIR_ROLE].items);
        visit->roles_for = r->main == NULL ? dir : NULL;
    }
    return &visit->roles;
}

/* A table and how names come into it. */
typedef struct {
    apr_table_t *table; /* NULL: none */
    void (*put)(apr_table_t *table, const char *name, const char *value);
} target_t;

/* Where our own names go. To set one means to look for it among all that begin like it, which is each of ours: where
 * none is there yet, they are added without a look. */
static target_t target_of(apr_table_t *table, const char *prefix)
{
    const apr_array_header_t *pairs = apr_table_elts(table);
    const apr_table_entry_t *entry = (const void *)pairs->elts;
    apr_size_t len = strlen(prefix);
    target_t target = {table, apr_table_addn};
    for (int i = 0; i < pairs->nelts; i++) {
        if (strncasecmp(entry[i].key, prefix, len) == 0) {
            target.put = apr_table_setn;
        }
    }
    return target;
}

static void put(const target_t *target, const char *name, const char *value)
{
    if (target->table != NULL && value != NULL && *value != '\0') {
        target->put(target->table, name, value);
    }
}

static void set_defaults(request_rec *r, const sso_record_t *record, const sso_list_t *roles, bool headers,
                         const char *separator)
{
    const char *joined_roles = sso_list_join(r->pool, roles, separator);
    const char *joined_groups = sso_list_join(r->pool, &record->groups, separator);
    const target_t header = headers ? target_of(r->headers_in, "X-Entra-") : (target_t){NULL, NULL};
    const target_t variable = target_of(r->subprocess_env, "ENTRA_");
    put(&header, "X-Entra-User", r->user);
    put(&header, "X-Entra-Name", record->name);
    put(&header, "X-Entra-Email", record->email);
    put(&header, "X-Entra-Object-Id", record->oid);
    put(&header, "X-Entra-Tenant-Id", record->tid);
    put(&header, "X-Entra-Roles", joined_roles);
    put(&header, "X-Entra-Groups", joined_groups);
    put(&variable, "ENTRA_NAME", record->name);
    put(&variable, "ENTRA_EMAIL", record->email);
    put(&variable, "ENTRA_OID", record->oid);
    put(&variable, "ENTRA_TID", record->tid);
    put(&variable, "ENTRA_ROLES", joined_roles);
    put(&variable, "ENTRA_GROUPS", joined_groups);
}

static void set_items(request_rec *r, const sso_value_t *option, const sso_record_t *record, const char *separator,
                      apr_table_t *table)
{
    const sso_export_item_t *items = option->items == NULL ? NULL : (const void *)option->items->elts;
    for (int i = 0; items != NULL && i < option->items->nelts; i++) {
        const sso_export_item_t *item = &items[i];
        const char *value = sso_template_render(r->pool, item->template, record, separator);
        if (value == NULL) {
            /* An inner section may overrule a name that an outer one could fill. */
            apr_table_unset(table, item->name);
        } else {
            apr_table_setn(table, item->name, encode(r->pool, item->encoding, value));
        }
    }
}

sso_rc sso_export_identity(request_rec *r, sso_ctx_t *ctx, sso_visit_t *visit)
{
    const sso_dir_config_t *dir = sso_config_dir(r);
    int set = dir->option[SSO_DIR_HEADERS].choice;
    const char *separator = dir->option[SSO_DIR_LIST_SEPARATOR].first;
    const char *user = sso_export_user(r, visit);
    if (user == NULL) {
        return sso_fail(ctx, SSO_R_IDENTITY_USER, "user with oid %s", visit->record.oid);
    }
    user = apr_pstrdup(r->pool, user);
    /* SECURITY: httpd and backends answer TRACE with the headers that they got. What is said of a user, an assertion
     * above all, is for the application. */
    bool told = r->method_number != M_TRACE;
    const sso_list_t *roles = sso_export_roles(r, visit);
    const sso_subject_t subject = {&visit->record, roles, user};
    sso_rc rc = told ? sso_attest_assertion(r, ctx, visit, &subject) : SSO_OK;
    if (rc != SSO_OK) {
        return rc;
    }
    r->user = (char *)(apr_uintptr_t)user;
    r->ap_auth_type = apr_pstrdup(r->pool, "Entra");
    set_defaults(r, &visit->record, roles, told && set == SSO_HEADERS_DEFAULT, separator);
    if (told && set == SSO_HEADERS_EASYAUTH) {
        sso_attest_principal(r, ctx, &subject);
    }
    if (told) {
        set_items(r, &dir->option[SSO_DIR_HEADER], &visit->record, separator, r->headers_in);
    }
    set_items(r, &dir->option[SSO_DIR_ENV], &visit->record, separator, r->subprocess_env);
    return SSO_OK;
}
