/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of filters and paths: by descent, whose depth the brackets' bound limits; chains of and/or stay flat. */
#include "directory/filter.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "directory/fold.h"

typedef struct {
    sso_ctx_t *ctx;
    apr_pool_t *pool;
    sso_scim_kind_t kind;
    const char *text; /* the whole */
    const char *at;
    const sso_attribute_name_t *entry; /* within brackets: of what; else NULL */
    int depth;
    int terms;
} parser_t;

static sso_rc parse_or(parser_t *p, const sso_filter_t **ret_filter);

#define refuse(p, what)                                                                                                \
    sso_fail((p)->ctx, SSO_R_SCIM_FILTER, "%s, at character %d", what, (int)((p)->at - (p)->text) + 1)

static void skip_blanks(parser_t *p)
{
    while (*p->at == ' ') {
        p->at++;
    }
}

/* The letters at p->at are this word, and it ends there. */
static bool is_word(const parser_t *p, const char *word)
{
    apr_size_t len = strlen(word);
    return apr_cstr_casecmpn(p->at, word, len) == 0 && (p->at[len] == ' ' || p->at[len] == '(' || p->at[len] == '\0');
}

static sso_filter_t *make(parser_t *p, sso_filter_kind_t kind)
{
    sso_filter_t *filter = apr_pcalloc(p->pool, sizeof(*filter));
    filter->kind = kind;
    return filter;
}

static const sso_attribute_t *leaf_of(const sso_attribute_name_t *name)
{
    if (name->part != NULL || name->attribute == NULL) {
        return name->part;
    }
    /* A complex attribute is compared by its value. */
    const sso_attribute_t *value = sso_attribute_part(name->attribute, "value");
    return value != NULL ? value : name->attribute;
}

/* ---- values ---- */

/* A JSON value by the one parser of JSON: its escapes, its refusal of NUL and lone surrogates. */
static const sso_json_t *parse_json(parser_t *p, const char *from, apr_size_t len)
{
    /* In a context of its own, since most words are no JSON and that is no fault. */
    sso_ctx_t ctx;
    const sso_json_t *value = NULL;
    sso_ctx_init(&ctx, p->pool, p->ctx->now);
    return sso_json_parse_deep(&ctx, p->pool, from, len, SSO_MAX_FILTER, 1, &value) == SSO_OK ? value : NULL;
}

static sso_rc parse_quoted(parser_t *p, sso_literal_t *literal)
{
    const char *end = p->at + 1;
    while (*end != '\0' && *end != '"') {
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    }
    const sso_json_t *value = *end == '"' ? parse_json(p, p->at, (apr_size_t)(end + 1 - p->at)) : NULL;
    if (sso_json_type(value) != SSO_JSON_STRING) {
        return refuse(p, "a string is not closed, or no JSON string");
    }
    literal->text = sso_json_text(value);
    p->at = end + 1;
    return SSO_OK;
}

static sso_rc parse_value(parser_t *p, sso_literal_t *literal)
{
    if (*p->at == '"') {
        sso_rc rc = parse_quoted(p, literal);
        if (rc != SSO_OK) {
            return rc;
        }
    } else {
        apr_size_t len = strcspn(p->at, " ()[]\"");
        const char *word = apr_pstrmemdup(p->pool, p->at, len);
        if (len == 0 || sso_has_control(word)) {
            return refuse(p, "a value is missing");
        }
        const sso_json_t *value = parse_json(p, p->at, len);
        sso_json_type_t type = sso_json_type(value);
        bool scalar = type != SSO_JSON_STRING && type != SSO_JSON_ARRAY && type != SSO_JSON_OBJECT;
        literal->value = scalar ? value : NULL;
        literal->text = literal->value != NULL && type == SSO_JSON_NULL ? NULL : word;
        p->at += len;
    }
    if (*p->at != '\0' && strchr(" )]", *p->at) == NULL) {
        return refuse(p, "a value does not end here");
    }
    literal->key = sso_fold(p->pool, literal->text);
    literal->is_time = literal->text != NULL && sso_datetime_parse(literal->text, &literal->time);
    return SSO_OK;
}

/* ---- comparisons ---- */

static sso_rc parse_op(parser_t *p, sso_op_t *ret_op)
{
    static const struct {
        const char *word;
        sso_op_t op;
    } OPS[] = {
        {"pr", SSO_OP_PR}, {"eq", SSO_OP_EQ}, {"ne", SSO_OP_NE}, {"co", SSO_OP_CO}, {"sw", SSO_OP_SW},
        {"ew", SSO_OP_EW}, {"gt", SSO_OP_GT}, {"ge", SSO_OP_GE}, {"lt", SSO_OP_LT}, {"le", SSO_OP_LE},
    };
    skip_blanks(p);
    for (apr_size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]); i++) {
        if (apr_cstr_casecmpn(p->at, OPS[i].word, 2) == 0 && !apr_isalnum(p->at[2])) {
            p->at += 2;
            *ret_op = OPS[i].op;
            return SSO_OK;
        }
    }
    return refuse(p, "an operator is missing");
}

static bool is_order(sso_op_t op)
{
    return op == SSO_OP_GT || op == SSO_OP_GE || op == SSO_OP_LT || op == SSO_OP_LE;
}

static bool is_truth(const sso_literal_t *literal)
{
    return literal->text != NULL &&
           (apr_cstr_casecmp(literal->text, "true") == 0 || apr_cstr_casecmp(literal->text, "false") == 0);
}

/* What no value of this type could ever answer sensibly. */
static const char *check_term(const sso_filter_t *term)
{
    const sso_attribute_t *leaf = term->leaf;
    bool equality = term->op == SSO_OP_EQ || term->op == SSO_OP_NE;
    if (leaf != NULL && leaf->returned == SSO_RETURNED_NEVER) {
        return "this attribute is never compared";
    }
    if (term->op == SSO_OP_PR) {
        return NULL;
    }
    if (term->literal.text == NULL) {
        return equality ? NULL : "null has no order and no parts";
    }
    if (leaf == NULL) {
        return !equality && sso_json_type(term->literal.value) == SSO_JSON_BOOL ? "a boolean has no order" : NULL;
    }
    switch (leaf->type) {
    case SSO_TYPE_COMPLEX:
        return "this attribute is complex and has no value: name a part of it";
    case SSO_TYPE_BOOLEAN:
        return equality && is_truth(&term->literal) ? NULL : "a boolean is compared by eq or ne, with true or false";
    case SSO_TYPE_DATETIME:
        return term->literal.is_time || (!equality && !is_order(term->op)) ? NULL : "this is no date and time";
    case SSO_TYPE_STRING:
    case SSO_TYPE_REFERENCE:
    case SSO_TYPE_BINARY:
        break;
    }
    return NULL;
}

/* Operator and value behind what is already in term. */
static sso_rc parse_comparison(parser_t *p, sso_filter_t *term)
{
    term->leaf = leaf_of(&term->name);
    sso_rc rc = parse_op(p, &term->op);
    if (rc == SSO_OK && term->op != SSO_OP_PR) {
        if (*p->at != ' ') {
            return refuse(p, "a blank is missing behind the operator");
        }
        skip_blanks(p);
        rc = parse_value(p, &term->literal);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    const char *wrong = check_term(term);
    return wrong != NULL ? refuse(p, wrong) : SSO_OK;
}

/* ---- terms ---- */

/* How long the name of an attribute at p->at is. */
static apr_size_t name_length(const parser_t *p)
{
    return strspn(p->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:$");
}

static sso_rc enter(parser_t *p)
{
    if (++p->depth > SSO_MAX_FILTER_DEPTH) {
        return refuse(p, "brackets within too many brackets");
    }
    p->at++;
    return SSO_OK;
}

static sso_rc leave(parser_t *p, char bracket)
{
    skip_blanks(p);
    if (*p->at != bracket) {
        return refuse(p, bracket == ']' ? "']' is missing" : "')' is missing");
    }
    p->depth--;
    p->at++;
    return SSO_OK;
}

/* "[filter]" and ".sub", of the attribute in entry->name. */
static sso_rc parse_brackets(parser_t *p, sso_filter_t *entry)
{
    const sso_attribute_name_t *outer = p->entry;
    const sso_attribute_t *row = entry->name.attribute;
    bool complex = row == NULL || row->type == SSO_TYPE_COMPLEX;
    if (outer != NULL || entry->name.sub != NULL || entry->name.name == NULL || !complex) {
        return refuse(p, "brackets belong behind a complex attribute");
    }
    sso_rc rc = enter(p);
    p->entry = &entry->name;
    rc = rc != SSO_OK ? rc : parse_or(p, &entry->first);
    p->entry = outer;
    rc = rc != SSO_OK ? rc : leave(p, ']');
    if (rc != SSO_OK || *p->at != '.') {
        return rc;
    }
    p->at++;
    apr_size_t len = name_length(p);
    sso_attribute_name_t name;
    if (!sso_attribute_parse_part(p->pool, &entry->name, p->at, len, &name)) {
        return refuse(p, "there is no such sub-attribute");
    }
    entry->name = name;
    p->at += len;
    return SSO_OK;
}

static sso_rc parse_attribute(parser_t *p, const sso_filter_t **ret_filter)
{
    sso_filter_t *term = make(p, SSO_FILTER_TERM);
    apr_size_t len = name_length(p);
    if (++p->terms > SSO_MAX_FILTER_TERMS) {
        return refuse(p, "too many terms");
    }
    bool known = p->entry != NULL ? sso_attribute_parse_part(p->pool, p->entry, p->at, len, &term->name)
                                  : sso_attribute_parse(p->pool, p->kind, p->at, len, &term->name);
    if (!known || term->name.name == NULL) {
        return refuse(p, "there is no such attribute");
    }
    p->at += len;
    *ret_filter = term;
    if (*p->at != '[') {
        return *p->at == ' ' ? parse_comparison(p, term) : refuse(p, "an operator is missing");
    }
    term->kind = SSO_FILTER_ENTRY;
    sso_rc rc = parse_brackets(p, term);
    const char *behind = p->at + strspn(p->at, " ");
    bool ends = *behind == '\0' || *behind == ')' || *behind == ']';
    parser_t look = *p;
    look.at = behind;
    if (rc != SSO_OK || (term->name.sub == NULL && (ends || is_word(&look, "and") || is_word(&look, "or")))) {
        return rc;
    }
    return *p->at == ' ' ? parse_comparison(p, term) : refuse(p, "an operator is missing");
}

static sso_rc parse_parentheses(parser_t *p, const sso_filter_t **ret_filter)
{
    sso_rc rc = enter(p);
    rc = rc != SSO_OK ? rc : parse_or(p, ret_filter);
    return rc != SSO_OK ? rc : leave(p, ')');
}

static sso_rc parse_term(parser_t *p, const sso_filter_t **ret_filter)
{
    skip_blanks(p);
    if (*p->at == '(') {
        return parse_parentheses(p, ret_filter);
    }
    const char *behind = is_word(p, "not") ? p->at + 3 + strspn(p->at + 3, " ") : p->at;
    if (behind == p->at || *behind != '(') {
        return parse_attribute(p, ret_filter);
    }
    sso_filter_t *inverse = make(p, SSO_FILTER_NOT);
    p->at = behind;
    *ret_filter = inverse;
    return parse_parentheses(p, &inverse->first);
}

/* Operands between a word; one alone stands for itself. They are copied, since a tree's nodes have one `next` each. */
static sso_rc parse_chain(parser_t *p, const char *word, sso_rc (*operand)(parser_t *, const sso_filter_t **),
                          sso_filter_kind_t kind, const sso_filter_t **ret_filter)
{
    sso_filter_t *chain = make(p, kind);
    const sso_filter_t **link = &chain->first;
    for (;;) {
        const sso_filter_t *parsed = NULL;
        sso_rc rc = operand(p, &parsed);
        if (rc != SSO_OK) {
            return rc;
        }
        sso_filter_t *copy = apr_pmemdup(p->pool, parsed, sizeof(*parsed));
        copy->next = NULL;
        *link = copy;
        link = &copy->next;
        skip_blanks(p);
        bool apart = p->at[-1] == ' ' || p->at[-1] == ')';
        if (!apart || !is_word(p, word)) {
            break;
        }
        p->at += strlen(word);
    }
    *ret_filter = chain->first->next != NULL ? chain : chain->first;
    return SSO_OK;
}

static sso_rc parse_and(parser_t *p, const sso_filter_t **ret_filter)
{
    return parse_chain(p, "and", parse_term, SSO_FILTER_AND, ret_filter);
}

static sso_rc parse_or(parser_t *p, const sso_filter_t **ret_filter)
{
    return parse_chain(p, "or", parse_and, SSO_FILTER_OR, ret_filter);
}

static bool is_acceptable(const char *text)
{
    apr_size_t len = text == NULL ? 0 : strlen(text);
    return len > 0 && len <= SSO_MAX_FILTER && sso_is_utf8(text, len);
}

sso_rc sso_filter_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *text,
                        const sso_filter_t **ret_filter)
{
    const sso_filter_t *filter = NULL;
    parser_t p = {ctx, pool, kind, text, text, NULL, 0, 0};
    if (!is_acceptable(text)) {
        return sso_fail(ctx, SSO_R_SCIM_FILTER, "no filter of UTF-8, %d bytes at most", SSO_MAX_FILTER);
    }
    sso_rc rc = parse_or(&p, &filter);
    if (rc == SSO_OK && *p.at != '\0') {
        rc = refuse(&p, "something stands behind the filter");
    }
    if (rc == SSO_OK) {
        *ret_filter = filter;
    }
    return rc;
}

/* A path for a log line: what its brackets compare with may be somebody's address. */
static const char *bare_path(apr_pool_t *pool, const char *text)
{
    return sso_printable(pool, apr_pstrmemdup(pool, text, strcspn(text, "[")));
}

sso_rc sso_scim_path_parse(sso_ctx_t *ctx, apr_pool_t *pool, sso_scim_kind_t kind, const char *text,
                           const sso_json_t *value, sso_scim_path_t *ret_path)
{
    parser_t p = {ctx, pool, kind, text, text, NULL, 0, 0};
    sso_filter_t *entry = make(&p, SSO_FILTER_ENTRY);
    if (!is_acceptable(text)) {
        return sso_fail(ctx, SSO_R_SCIM_PATH, "no path of UTF-8, %d bytes at most", SSO_MAX_FILTER);
    }
    apr_size_t len = name_length(&p);
    bool known = text[len] == '\0' ? sso_attribute_parse_member(pool, kind, text, value, &entry->name)
                                   : sso_attribute_parse(pool, kind, text, len, &entry->name);
    if (!known || (text[len] != '\0' && text[len] != '[')) {
        return sso_fail(ctx, SSO_R_SCIM_PATH, "%s is no attribute", bare_path(pool, text));
    }
    p.at += len;
    sso_rc rc = *p.at == '[' ? parse_brackets(&p, entry) : SSO_OK;
    if (rc == SSO_OK && *p.at != '\0') {
        rc = sso_fail(ctx, SSO_R_SCIM_PATH, "something stands behind the path of %s", bare_path(pool, text));
    }
    if (rc == SSO_OK) {
        ret_path->name = entry->name;
        ret_path->filter = entry->first;
    }
    return rc;
}

/* ---- what the tables can do ---- */

static bool is_named(const sso_attribute_name_t *name, const char *attribute)
{
    return name->attribute != NULL && strcmp(name->attribute->name, attribute) == 0;
}

bool sso_filter_uses(const sso_filter_t *filter, const char *name)
{
    if (filter == NULL) {
        return false;
    }
    if (filter->kind == SSO_FILTER_TERM || filter->kind == SSO_FILTER_ENTRY) {
        return is_named(&filter->name, name);
    }
    bool used = false;
    for (const sso_filter_t *operand = filter->first; operand != NULL && !used; operand = operand->next) {
        used = sso_filter_uses(operand, name);
    }
    return used;
}

static bool is_equal_text(const sso_filter_t *term)
{
    return term->op == SSO_OP_EQ && term->literal.text != NULL;
}

/* Within the brackets of emails: type eq "work". */
static bool is_work(const sso_filter_t *term)
{
    return term->kind == SSO_FILTER_TERM && is_equal_text(term) && strcmp(term->name.sub, "type") == 0 &&
           strcmp(term->literal.key, "work") == 0;
}

/* emails[type eq "work"].value eq K, or emails[type eq "work" and value eq K]. */
static const char *work_email(const sso_filter_t *entry)
{
    const sso_filter_t *inner = entry->first;
    if (!is_named(&entry->name, "emails")) {
        return NULL;
    }
    if (is_work(inner) && entry->name.sub != NULL && strcmp(entry->name.sub, "value") == 0 && is_equal_text(entry)) {
        return entry->literal.key;
    }
    bool work = false;
    const char *key = NULL;
    for (const sso_filter_t *term = inner->kind == SSO_FILTER_AND ? inner->first : NULL; term != NULL;
         term = term->next) {
        work = work || is_work(term);
        if (term->kind == SSO_FILTER_TERM && is_equal_text(term) && strcmp(term->name.sub, "value") == 0) {
            key = term->literal.key;
        }
    }
    return work ? key : NULL;
}

bool sso_filter_index_of(const sso_filter_t *term, sso_index_term_t *ret_term)
{
    static const struct {
        const char *name;
        sso_index_t index;
        bool folded;
    } COLUMNS[] = {
        {"id", SSO_INDEX_ID, false},
        {"externalId", SSO_INDEX_EXTERNAL_ID, false},
        {"userName", SSO_INDEX_USER_NAME, true},
        {"displayName", SSO_INDEX_DISPLAY_NAME, true},
        {"manager", SSO_INDEX_MANAGER, false},
        {"members", SSO_INDEX_MEMBER, false},
        {"groups", SSO_INDEX_GROUP, false},
    };
    if (term->kind == SSO_FILTER_ENTRY) {
        const char *key = work_email(term);
        *ret_term = key != NULL ? (sso_index_term_t){SSO_INDEX_WORK_EMAIL, key} : *ret_term;
        return key != NULL;
    }
    bool whole = term->name.sub == NULL || strcmp(term->name.sub, "value") == 0;
    if (term->kind != SSO_FILTER_TERM || !is_equal_text(term) || !whole) {
        return false;
    }
    for (apr_size_t i = 0; i < sizeof(COLUMNS) / sizeof(COLUMNS[0]); i++) {
        if (is_named(&term->name, COLUMNS[i].name)) {
            *ret_term =
                (sso_index_term_t){COLUMNS[i].index, COLUMNS[i].folded ? term->literal.key : term->literal.text};
            return true;
        }
    }
    return false;
}

const apr_array_header_t *sso_filter_index(apr_pool_t *pool, const sso_filter_t *filter)
{
    apr_array_header_t *terms = apr_array_make(pool, 2, sizeof(sso_index_term_t));
    const sso_filter_t *term = filter->kind == SSO_FILTER_AND ? filter->first : filter;
    while (term != NULL) {
        sso_index_term_t found;
        if (sso_filter_index_of(term, &found)) {
            APR_ARRAY_PUSH(terms, sso_index_term_t) = found;
        }
        term = filter->kind == SSO_FILTER_AND ? term->next : NULL;
    }
    return terms;
}
