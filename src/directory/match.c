/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation of filters: by descent as deep as the brackets of the filter, which the parser has bounded. */
#include "directory/match.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "directory/fold.h"

typedef struct {
    apr_pool_t *scratch;
    const sso_json_t *document;
    const sso_json_t *entry; /* within brackets, else NULL */
} question_t;

static bool ask(const question_t *question, const sso_filter_t *filter);

/* A value that counts as assigned (RFC 7643 section 2.5: null and empty lists do not). */
static bool is_assigned(const sso_json_t *value)
{
    switch (sso_json_type(value)) {
    case SSO_JSON_NULL:
        return false;
    case SSO_JSON_ARRAY:
    case SSO_JSON_OBJECT:
        return sso_json_size(value) > 0;
    case SSO_JSON_STRING:
        return *sso_json_text(value) != '\0';
    case SSO_JSON_BOOL:
    case SSO_JSON_INTEGER:
    case SSO_JSON_REAL:
        break;
    }
    return true;
}

static bool order_holds(sso_op_t op, int order)
{
    switch (op) {
    case SSO_OP_EQ:
        return order == 0;
    case SSO_OP_NE:
        return order != 0;
    case SSO_OP_GT:
        return order > 0;
    case SSO_OP_GE:
        return order >= 0;
    case SSO_OP_LT:
        return order < 0;
    case SSO_OP_LE:
        return order <= 0;
    case SSO_OP_NONE:
    case SSO_OP_PR:
    case SSO_OP_CO:
    case SSO_OP_SW:
    case SSO_OP_EW:
        break;
    }
    return false;
}

static bool text_holds(sso_op_t op, const char *text, const char *with)
{
    apr_size_t len = strlen(text);
    apr_size_t with_len = strlen(with);
    switch (op) {
    case SSO_OP_CO:
        return strstr(text, with) != NULL;
    case SSO_OP_SW:
        return strncmp(text, with, with_len) == 0;
    case SSO_OP_EW:
        return len >= with_len && strcmp(text + len - with_len, with) == 0;
    case SSO_OP_NONE:
    case SSO_OP_PR:
    case SSO_OP_EQ:
    case SSO_OP_NE:
    case SSO_OP_GT:
    case SSO_OP_GE:
    case SSO_OP_LT:
    case SSO_OP_LE:
        break;
    }
    /* Bytes of UTF-8 order as code points do. */
    return order_holds(op, strcmp(text, with));
}

static bool string_holds(const question_t *question, const sso_filter_t *term, const char *text)
{
    bool exact = term->leaf != NULL && term->leaf->case_exact;
    bool part = term->op == SSO_OP_CO || term->op == SSO_OP_SW || term->op == SSO_OP_EW;
    apr_time_t moment = 0;
    if (term->leaf != NULL && term->leaf->type == SSO_TYPE_DATETIME && !part) {
        return term->literal.is_time && sso_datetime_parse(text, &moment) &&
               order_holds(term->op, (moment > term->literal.time) - (moment < term->literal.time));
    }
    return exact ? text_holds(term->op, text, term->literal.text)
                 : text_holds(term->op, sso_fold(question->scratch, text), term->literal.key);
}

static bool number_holds(const question_t *question, const sso_filter_t *term, const sso_json_t *value)
{
    double left = 0;
    double right = 0;
    int64_t left_whole = 0;
    int64_t right_whole = 0;
    if (sso_json_integer(value, &left_whole) && sso_json_integer(term->literal.value, &right_whole)) {
        return order_holds(term->op, (left_whole > right_whole) - (left_whole < right_whole));
    }
    if (sso_json_number(value, &left) && sso_json_number(term->literal.value, &right)) {
        return order_holds(term->op, (left > right) - (left < right));
    }
    return text_holds(term->op, sso_json_print_value(question->scratch, value, SSO_MAX_SCIM_VALUE), term->literal.key);
}

/* One value that is neither list nor object, with a literal that is not null. */
static bool scalar_holds(const question_t *question, const sso_filter_t *term, const sso_json_t *value)
{
    bool equality = term->op == SSO_OP_EQ || term->op == SSO_OP_NE;
    switch (sso_json_type(value)) {
    case SSO_JSON_STRING:
        return string_holds(question, term, sso_json_text(value));
    case SSO_JSON_INTEGER:
    case SSO_JSON_REAL:
        return number_holds(question, term, value);
    case SSO_JSON_BOOL:
        return equality && text_holds(term->op, sso_json_is_true(value) ? "true" : "false", term->literal.key);
    case SSO_JSON_NULL:
    case SSO_JSON_ARRAY:
    case SSO_JSON_OBJECT:
        break;
    }
    return term->op == SSO_OP_NE;
}

/* One entry of what was named: its sub-attribute, else its `value`, else itself. */
static const sso_json_t *compared(const sso_filter_t *term, const sso_json_t *item)
{
    if (term->name.sub != NULL) {
        return sso_attribute_member(item, term->name.sub);
    }
    return sso_json_type(item) == SSO_JSON_OBJECT && term->op != SSO_OP_PR ? sso_attribute_member(item, "value") : item;
}

static bool item_holds(const question_t *question, const sso_filter_t *term, const sso_json_t *value)
{
    if (term->op == SSO_OP_PR) {
        return is_assigned(value);
    }
    if (term->literal.text == NULL) {
        return is_assigned(value) == (term->op == SSO_OP_NE);
    }
    return is_assigned(value) ? scalar_holds(question, term, value) : term->op == SSO_OP_NE;
}

/* A plural attribute holds when one of its entries does; without any, what is absent answers. */
static bool value_holds(const question_t *question, const sso_filter_t *term, const sso_json_t *value)
{
    if (sso_json_type(value) != SSO_JSON_ARRAY || sso_json_size(value) == 0) {
        return item_holds(question, term, compared(term, value));
    }
    /* "Nothing is assigned" has to hold for all of them. */
    bool absence = term->op == SSO_OP_EQ && term->literal.text == NULL;
    for (apr_size_t i = 0; i < sso_json_size(value); i++) {
        if (item_holds(question, term, compared(term, sso_json_at(value, i))) != absence) {
            return !absence;
        }
    }
    return absence;
}

/* Within brackets a name is of the entry, and its value stands there as it is. */
static bool term_holds(const question_t *question, const sso_filter_t *term)
{
    if (question->entry == NULL) {
        return value_holds(question, term, sso_attribute_value(question->document, &term->name));
    }
    return item_holds(question, term, sso_attribute_member(question->entry, term->name.sub));
}

static bool entry_holds(const question_t *question, const sso_filter_t *filter)
{
    const sso_json_t *value = sso_attribute_value(question->document, &filter->name);
    bool list = sso_json_type(value) == SSO_JSON_ARRAY;
    apr_size_t count = list ? sso_json_size(value) : is_assigned(value) ? 1 : 0;
    for (apr_size_t i = 0; i < count; i++) {
        const sso_json_t *item = list ? sso_json_at(value, i) : value;
        question_t inner = {question->scratch, question->document, item};
        if (sso_json_type(item) == SSO_JSON_OBJECT && ask(&inner, filter->first) &&
            (filter->op == SSO_OP_NONE || item_holds(question, filter, compared(filter, item)))) {
            return true;
        }
    }
    return false;
}

static bool ask(const question_t *question, const sso_filter_t *filter)
{
    bool any = filter->kind == SSO_FILTER_OR;
    switch (filter->kind) {
    case SSO_FILTER_TERM:
        return term_holds(question, filter);
    case SSO_FILTER_ENTRY:
        return entry_holds(question, filter);
    case SSO_FILTER_NOT:
        return !ask(question, filter->first);
    case SSO_FILTER_AND:
    case SSO_FILTER_OR:
        break;
    }
    for (const sso_filter_t *operand = filter->first; operand != NULL; operand = operand->next) {
        if (ask(question, operand) == any) {
            return any;
        }
    }
    return !any;
}

bool sso_filter_matches(apr_pool_t *scratch, const sso_filter_t *filter, const sso_json_t *document, unsigned decided)
{
    question_t question = {scratch, document, NULL};
    const sso_filter_t *term = filter->kind == SSO_FILTER_AND ? filter->first : filter;
    while (term != NULL) {
        sso_index_term_t index;
        bool known = decided != 0 && sso_filter_index_of(term, &index) && (decided & SSO_INDEX_BIT(index.index)) != 0;
        if (!known && !ask(&question, term)) {
            return false;
        }
        term = filter->kind == SSO_FILTER_AND ? term->next : NULL;
    }
    return true;
}

bool sso_filter_fits(apr_pool_t *scratch, const sso_filter_t *filter, const sso_json_t *entry)
{
    question_t question = {scratch, NULL, entry};
    return ask(&question, filter);
}
