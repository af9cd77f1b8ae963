/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled templates; nothing here parses while a request waits. */
#include "session/template.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"

typedef enum {
    PART_LITERAL,
    PART_OID,
    PART_TID,
    PART_SID,
    PART_USERNAME,
    PART_NAME,
    PART_EMAIL,
    PART_LOGIN_HINT,
    PART_ROLES,
    PART_GROUPS,
    PART_CLAIM
} part_kind_t;

typedef struct {
    part_kind_t kind;
    const char *text; /* the literal, or the name of a further claim */
} part_t;

struct sso_template_t {
    const part_t *parts;
    int count;
};

/* The claims that every record has a field for. */
static const struct {
    const char *name;
    part_kind_t kind;
} FIELDS[] = {
    {"oid", PART_OID},     {"tid", PART_TID},       {"sid", PART_SID},
    {"name", PART_NAME},   {"email", PART_EMAIL},   {"preferred_username", PART_USERNAME},
    {"roles", PART_ROLES}, {"groups", PART_GROUPS}, {"login_hint", PART_LOGIN_HINT},
};

static part_kind_t kind_of(const char *name)
{
    for (apr_size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        if (strcmp(FIELDS[i].name, name) == 0) {
            return FIELDS[i].kind;
        }
    }
    return PART_CLAIM;
}

static const char *check_name(apr_pool_t *pool, const char *name)
{
    apr_size_t len = strlen(name);
    if (len == 0 || len > SSO_MAX_CLAIM_NAME) {
        return "a claim's name in %{...} is empty or too long";
    }
    if (strcmp(name, "scim:") == 0) {
        return "%{scim:} names no attribute of the directory; write one such as %{scim:department}";
    }
    for (const char *p = name; *p != '\0'; p++) {
        if (!apr_isalnum(*p) && strchr("_.-:/", *p) == NULL) {
            return apr_psprintf(pool, "%%{%s} is no name of a claim", name);
        }
    }
    return NULL;
}

static void add_literal(apr_array_header_t *parts, apr_pool_t *pool, const char *from, apr_size_t len)
{
    if (len > 0) {
        part_t *part = &APR_ARRAY_PUSH(parts, part_t);
        part->kind = PART_LITERAL;
        part->text = apr_pstrmemdup(pool, from, len);
    }
}

const char *sso_template_parse(apr_pool_t *pool, const char *text, const sso_template_t **ret_template)
{
    apr_array_header_t *parts = apr_array_make(pool, 4, sizeof(part_t));
    const char *from = text;
    const char *p = text;
    if (sso_has_control(text)) {
        return "a template holds a control character";
    }
    while ((p = strchr(p, '%')) != NULL) {
        if (p[1] == '%') {
            add_literal(parts, pool, from, (apr_size_t)(p + 1 - from));
            p += 2;
            from = p;
            continue;
        }
        const char *close = p[1] == '{' ? strchr(p, '}') : NULL;
        if (close == NULL) {
            return "'%' in a template begins %{claim}; a percent sign itself is %%";
        }
        add_literal(parts, pool, from, (apr_size_t)(p - from));
        const char *name = apr_pstrmemdup(pool, p + 2, (apr_size_t)(close - p - 2));
        const char *wrong = check_name(pool, name);
        if (wrong != NULL) {
            return wrong;
        }
        part_t *part = &APR_ARRAY_PUSH(parts, part_t);
        part->kind = kind_of(name);
        part->text = name;
        p = close + 1;
        from = p;
    }
    add_literal(parts, pool, from, strlen(from));
    if (parts->nelts == 0) {
        return "the template is empty";
    }
    sso_template_t *template = apr_palloc(pool, sizeof(*template));
    template->parts = (const void *)parts->elts;
    template->count = parts->nelts;
    *ret_template = template;
    return NULL;
}

void sso_template_claims(const sso_template_t *template, apr_array_header_t *names)
{
    for (int i = 0; i < template->count; i++) {
        const part_t *part = &template->parts[i];
        bool known = part->kind != PART_CLAIM;
        for (int k = 0; k < names->nelts && !known; k++) {
            known = strcmp(sso_text_at(names, k), part->text) == 0;
        }
        if (!known) {
            APR_ARRAY_PUSH(names, const char *) = part->text;
        }
    }
}

bool sso_template_has_email(const sso_template_t *template)
{
    bool has = false;
    for (int i = 0; i < template->count; i++) {
        has = has || template->parts[i].kind == PART_EMAIL;
    }
    return has;
}

/* One value is itself, whatever is in it; several are a list. */
static const char *claim_text(apr_pool_t *pool, const sso_list_t *values, const char *separator)
{
    apr_size_t at = 0;
    return values->count == 1 ? sso_list_next(values, &at) : sso_list_join(pool, values, separator);
}

/* NULL when the record has no such value. */
static const char *part_value(apr_pool_t *pool, const part_t *part, const sso_record_t *record, const char *separator)
{
    sso_list_t values;
    const char *value = NULL;
    switch (part->kind) {
    case PART_LITERAL:
        return part->text;
    case PART_OID:
        value = record->oid;
        break;
    case PART_TID:
        value = record->tid;
        break;
    case PART_SID:
        value = record->sid;
        break;
    case PART_USERNAME:
        value = record->username;
        break;
    case PART_NAME:
        value = record->name;
        break;
    case PART_EMAIL:
        value = record->email;
        break;
    case PART_LOGIN_HINT:
        value = record->login_hint;
        break;
    case PART_ROLES:
        value = sso_list_join(pool, &record->roles, separator);
        break;
    case PART_GROUPS:
        value = sso_list_join(pool, &record->groups, separator);
        break;
    case PART_CLAIM:
        value = sso_record_claim(record, part->text, &values) ? claim_text(pool, &values, separator) : NULL;
        break;
    }
    return value == NULL || *value == '\0' ? NULL : value;
}

const char *sso_template_render(apr_pool_t *pool, const sso_template_t *template, const sso_record_t *record,
                                const char *separator)
{
    if (template->count == 1) {
        return part_value(pool, &template->parts[0], record, separator);
    }
    const char *text = "";
    for (int i = 0; i < template->count; i++) {
        const char *value = part_value(pool, &template->parts[i], record, separator);
        if (value == NULL) {
            return NULL;
        }
        text = apr_pstrcat(pool, text, value, NULL);
    }
    return text;
}
