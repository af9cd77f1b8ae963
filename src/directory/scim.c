/* SPDX-License-Identifier: Apache-2.0 */
/* From path and method to what is done, and from there to status, headers and body. */
#include "directory/scim.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_escape.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/federated.h"
#include "directory/operation.h"
#include "directory/question.h"
#include "directory/schemas.h"
#include "directory/token.h"

/* Largest answer: a page of the largest documents with their members. */
#define ANSWER_AT_MOST ((apr_size_t)64 * 1024 * 1024)
#define CHALLENGE "Bearer realm=\"SCIM\""

typedef enum {
    PLACE_NONE,
    PLACE_RESOURCES, /* /Users */
    PLACE_RESOURCE,  /* /Users/ID */
    PLACE_SEARCH,    /* /.search, /Users/.search */
    PLACE_BULK,
    PLACE_ME,
    PLACE_SERVICE,
    PLACE_TYPES,
    PLACE_SCHEMAS
} place_kind_t;

typedef struct {
    place_kind_t place;
    sso_scim_kind_t kind;
    bool both;      /* of a search: users and groups */
    const char *id; /* of a resource, of a type or schema; NULL: all of them */
} place_t;

/* ---- paths ---- */

/* The second part of a path, decoded; NULL when there is none, "" when it cannot be anybody's. */
static const char *second_part(apr_pool_t *pool, const char *rest)
{
    if (*rest != '/') {
        return NULL;
    }
    const char *decoded = strchr(rest + 1, '/') == NULL ? apr_punescape_url(pool, rest + 1, "/", NULL, 0) : NULL;
    return decoded == NULL || *decoded == '\0' ? "" : decoded;
}

static place_t place_of(apr_pool_t *pool, const char *path)
{
    static const struct {
        const char *word;
        place_kind_t place;
        bool parts; /* takes a second part */
    } places[] = {{"ServiceProviderConfig", PLACE_SERVICE, false},
                  {"ResourceTypes", PLACE_TYPES, true},
                  {"Schemas", PLACE_SCHEMAS, true},
                  {"Bulk", PLACE_BULK, false},
                  {"Me", PLACE_ME, true},
                  {".search", PLACE_SEARCH, false}};
    place_t place = {.place = PLACE_NONE};
    const char *word = *path == '/' ? path + 1 : path;
    apr_size_t len = strcspn(word, "/");
    place.id = second_part(pool, word + len);
    if (sso_operation_kind_of(word, len, &place.kind)) {
        place.place = place.id == NULL                   ? PLACE_RESOURCES
                      : strcmp(place.id, ".search") == 0 ? PLACE_SEARCH
                                                         : PLACE_RESOURCE;
        return place;
    }
    for (apr_size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strlen(places[i].word) == len && strncmp(places[i].word, word, len) == 0 &&
            (places[i].parts || place.id == NULL)) {
            place.place = places[i].place;
            place.both = place.place == PLACE_SEARCH;
        }
    }
    return place;
}

static const char *methods_of(place_kind_t place)
{
    switch (place) {
    case PLACE_RESOURCES:
        return "GET, HEAD, POST, OPTIONS";
    case PLACE_RESOURCE:
        return "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
    case PLACE_SEARCH:
    case PLACE_BULK:
        return "POST, OPTIONS";
    case PLACE_SERVICE:
    case PLACE_TYPES:
    case PLACE_SCHEMAS:
        return "GET, HEAD, OPTIONS";
    case PLACE_ME:
    case PLACE_NONE:
        break;
    }
    return "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
}

static bool has_method(const char *methods, const char *method)
{
    apr_size_t len = strlen(method);
    for (const char *at = methods; at != NULL; at = strstr(at, ", ")) {
        at += *at == ',' ? 2 : 0;
        if (strncmp(at, method, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* HEAD is GET without a body, which httpd leaves out. */
static bool is_read(const sso_scim_request_t *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

static bool is_method(const sso_scim_request_t *request, const char *method)
{
    return strcmp(request->method, method) == 0;
}

/* ---- answers ---- */

static sso_rc answer_body(sso_ctx_t *ctx, const sso_json_node_t *node, sso_scim_answer_t *answer)
{
    answer->body = sso_json_print_value(ctx->pool, sso_json_node_view(node), ANSWER_AT_MOST);
    return answer->body != NULL ? SSO_OK : sso_fail(ctx, SSO_R_SCIM_TOO_MANY, "the answer would be too large");
}

static void answer_fault(sso_ctx_t *ctx, sso_scim_answer_t *answer)
{
    const sso_fault_t *fault = &ctx->fault;
    const sso_reason_t *reason = sso_reason(fault->rc);
    answer->status = reason->status;
    answer->tag = NULL;
    answer->location = NULL;
    answer->body = sso_json_print_value(
        ctx->pool, sso_json_node_view(sso_scim_error(ctx->pool, fault->rc, fault->detail)), SSO_MAX_SCIM_BODY);
    if (reason->status == 401) {
        bool none = fault->rc == SSO_R_SCIM_TOKEN_NONE;
        answer->challenge = none ? CHALLENGE : CHALLENGE ", error=\"invalid_token\"";
    }
    if (reason->status == 503) {
        answer->retry_after_s = fault->retry_after_s > 0 ? fault->retry_after_s : 10;
    }
}

/* ---- admission ---- */

/* Only what is JSON is read as JSON; a body without a type is what a client forgot. */
static sso_rc check_media(sso_ctx_t *ctx, const sso_scim_request_t *request)
{
    const char *type = request->content_type;
    bool reads = is_method(request, "POST") || is_method(request, "PUT") || is_method(request, "PATCH");
    if (!reads || type == NULL) {
        return SSO_OK;
    }
    apr_size_t len = strcspn(type, "; \t");
    const char *bare = apr_pstrmemdup(ctx->pool, type, len);
    bool good = apr_cstr_casecmp(bare, "application/scim+json") == 0 || apr_cstr_casecmp(bare, "application/json") == 0;
    return good ? SSO_OK : sso_fail(ctx, SSO_R_SCIM_MEDIA, "%s", sso_printable(ctx->pool, type));
}

static sso_rc check_place(sso_ctx_t *ctx, const sso_scim_request_t *request, sso_scim_answer_t *answer)
{
    const place_t place = place_of(ctx->pool, request->path);
    if (place.place == PLACE_NONE) {
        return sso_fail(ctx, SSO_R_SCIM_NOT_FOUND, "%s", sso_printable(ctx->pool, request->path));
    }
    const char *methods = methods_of(place.place);
    if (!has_method(methods, request->method)) {
        answer->allow = methods;
        return sso_fail(ctx, SSO_R_SCIM_METHOD, "%s", sso_printable(ctx->pool, request->method));
    }
    if (is_method(request, "OPTIONS")) {
        answer->allow = methods;
        return SSO_OK;
    }
    if (place.place == PLACE_ME) {
        return sso_fail(ctx, SSO_R_SCIM_ABSENT, "/Me");
    }
    return check_media(ctx, request);
}

static sso_rc check_token(sso_ctx_t *ctx, const sso_scim_t *scim, const char *authorization, const char **ret_id)
{
    const sso_federated_t federated = {scim->keyring, scim->binding, scim->federated};
    const char *token = sso_federated_read(authorization);
    if (token == NULL) {
        return sso_scim_token_check(ctx, scim->ending.store, scim->app, authorization, ret_id);
    }
    *ret_id = "federated";
    return sso_federated_check(ctx, &federated, token);
}

bool sso_scim_admit(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request,
                    sso_scim_answer_t *ret_answer)
{
    sso_fault_clear(ctx);
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->events = apr_array_make(ctx->pool, 2, sizeof(sso_scim_event_t));
    if (scim->ending.store == NULL) {
        (void)sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store");
    } else if (request->authorization == NULL) {
        /* Strangers take no place at the gate. */
        (void)sso_fail(ctx, SSO_R_SCIM_TOKEN_NONE, NULL);
    } else if (scim->gate == NULL || !sso_gate_enter(scim->gate)) {
        (void)sso_fail(ctx, SSO_R_SCIM_BUSY, "the node works on %d already", SSO_MAX_SCIM_REQUESTS);
    } else {
        sso_rc rc = check_token(ctx, scim, request->authorization, &ret_answer->token);
        rc = rc == SSO_OK ? check_place(ctx, request, ret_answer) : rc;
        if (rc == SSO_OK) {
            return true;
        }
        sso_gate_leave(scim->gate, true);
    }
    answer_fault(ctx, ret_answer);
    return false;
}

void sso_scim_give_up(sso_ctx_t *ctx, const sso_scim_t *scim, sso_scim_answer_t *answer)
{
    sso_gate_leave(scim->gate, true);
    answer_fault(ctx, answer);
}

/* ---- lists ---- */

static void add_all(apr_pool_t *pool, const sso_listed_t *listed, sso_json_node_t *list)
{
    for (int i = 0; i < listed->resources->nelts; i++) {
        sso_list_add(pool, list, APR_ARRAY_IDX(listed->resources, i, sso_json_node_t *));
    }
}

static sso_rc list_one(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_question_t *question, sso_scim_kind_t kind,
                       sso_listed_t *listed)
{
    sso_listing_t listing;
    sso_rc rc = sso_question_listing(ctx, question, kind, &listing);
    return rc == SSO_OK ? sso_listing_make(ctx, scim, &listing, listed) : rc;
}

static sso_rc list_kind(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_question_t *question, sso_scim_kind_t kind,
                        sso_scim_answer_t *answer)
{
    sso_listed_t listed;
    sso_rc rc = list_one(ctx, scim, question, kind, &listed);
    if (rc != SSO_OK) {
        return rc;
    }
    bool by_index = question->cursor == NULL;
    const sso_list_frame_t frame = {listed.total, by_index ? question->start : 0, listed.next_cursor, NULL};
    sso_json_node_t *list = sso_list_begin(ctx->pool, &frame);
    add_all(ctx->pool, &listed, list);
    sso_list_end(ctx->pool, list);
    answer->status = 200;
    return answer_body(ctx, list, answer);
}

/* A kind that does not have the attributes of the filter has no matches; both not having them is a fault. */
static sso_rc list_if_known(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_question_t *question,
                            sso_scim_kind_t kind, bool *known, sso_listed_t *listed)
{
    listed->resources = apr_array_make(ctx->pool, 1, sizeof(sso_json_node_t *));
    listed->total = 0;
    sso_rc rc = list_one(ctx, scim, question, kind, listed);
    if (rc == SSO_R_SCIM_FILTER && (kind == SSO_SCIM_USER || *known)) {
        sso_fault_clear(ctx);
        return SSO_OK;
    }
    *known = true;
    return rc;
}

/* Users, then groups, as if they were one list. */
static sso_rc list_both(sso_ctx_t *ctx, const sso_scim_t *scim, sso_question_t *question, sso_scim_answer_t *answer)
{
    sso_listed_t users;
    sso_listed_t groups;
    bool known = false;
    const apr_int64_t start = question->start;
    if (question->cursor != NULL) {
        return sso_fail(ctx, SSO_R_SCIM_CURSOR, "users and groups together are paged by index");
    }
    sso_rc rc = list_if_known(ctx, scim, question, SSO_SCIM_USER, &known, &users);
    if (rc == SSO_OK) {
        question->start = start > users.total ? start - users.total : 1;
        /* A page of users that ended early goes on with users, not with groups. */
        bool all = start + users.resources->nelts > users.total;
        question->count = all ? question->count - users.resources->nelts : 0;
        rc = list_if_known(ctx, scim, question, SSO_SCIM_GROUP, &known, &groups);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    const sso_list_frame_t frame = {users.total + groups.total, start, NULL, NULL};
    sso_json_node_t *list = sso_list_begin(ctx->pool, &frame);
    add_all(ctx->pool, &users, list);
    add_all(ctx->pool, &groups, list);
    sso_list_end(ctx->pool, list);
    answer->status = 200;
    return answer_body(ctx, list, answer);
}

static sso_rc search(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request, const place_t *place,
                     sso_scim_answer_t *answer)
{
    const sso_json_t *body;
    sso_question_t question;
    sso_rc rc = sso_resource_parse(ctx, ctx->pool, request->body == NULL ? "" : request->body, request->len, &body);
    rc = rc == SSO_OK ? sso_question_of_body(ctx, body, &question) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    return place->both ? list_both(ctx, scim, &question, answer) : list_kind(ctx, scim, &question, place->kind, answer);
}

/* ---- resources ---- */

static sso_operation_kind_t operation_of(const sso_scim_request_t *request)
{
    if (is_read(request)) {
        return SSO_OPERATION_READ;
    }
    if (is_method(request, "PUT")) {
        return SSO_OPERATION_REPLACE;
    }
    if (is_method(request, "PATCH")) {
        return SSO_OPERATION_PATCH;
    }
    return is_method(request, "DELETE") ? SSO_OPERATION_DELETE : SSO_OPERATION_CREATE;
}

static sso_rc operate(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request, const place_t *place,
                      const sso_question_t *question, sso_scim_answer_t *answer)
{
    sso_operation_t operation = {.op = operation_of(request),
                                 .kind = place->kind,
                                 .id = place->id,
                                 .if_match = request->if_match,
                                 .if_none_match = request->if_none_match,
                                 .actor = answer->token};
    sso_operation_result_t result;
    bool has_body = operation.op != SSO_OPERATION_READ && operation.op != SSO_OPERATION_DELETE;
    sso_rc rc = sso_projection_parse(ctx, ctx->pool, place->kind, question->attributes, question->excluded,
                                     &operation.projection);
    if (rc == SSO_OK && has_body) {
        const char *text = request->body == NULL ? "" : request->body;
        rc = sso_resource_parse(ctx, ctx->pool, text, request->len, &operation.body);
    }
    rc = rc == SSO_OK ? sso_operation_run(ctx, scim, &operation, answer->events, &result) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    answer->status = result.status;
    answer->tag = result.tag;
    answer->location = result.location;
    return result.resource == NULL ? SSO_OK : answer_body(ctx, result.resource, answer);
}

/* ---- what the service says about itself ---- */

static sso_rc discover(sso_ctx_t *ctx, const sso_scim_t *scim, const place_t *place, const sso_question_t *question,
                       sso_scim_answer_t *answer)
{
    const sso_scim_service_t service = {.base = scim->base,
                                        .extensions = scim->extensions,
                                        .max_results = SSO_MAX_SCIM_PAGE,
                                        .page = SSO_SCIM_PAGE,
                                        .cursor_s = (int)apr_time_sec(SSO_SCIM_CURSOR_LIFE)};
    const sso_json_node_t *node;
    if (question->filter != NULL) {
        return sso_fail(ctx, SSO_R_SCIM_DISCOVERY, NULL);
    }
    if (place->place == PLACE_SERVICE) {
        node = sso_service_config(ctx->pool, &service);
    } else if (place->place == PLACE_TYPES) {
        node = place->id == NULL ? sso_resource_types_list(ctx->pool, &service)
                                 : sso_resource_types_get(ctx->pool, &service, place->id);
    } else {
        node =
            place->id == NULL ? sso_schemas_list(ctx->pool, &service) : sso_schemas_get(ctx->pool, &service, place->id);
    }
    if (node == NULL) {
        return sso_fail(ctx, SSO_R_SCIM_NOT_FOUND, "%s", sso_printable(ctx->pool, place->id));
    }
    answer->status = 200;
    return answer_body(ctx, node, answer);
}

static sso_rc bulk(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request, sso_scim_answer_t *answer)
{
    const sso_json_t *body;
    sso_json_node_t *node;
    sso_rc rc = sso_resource_parse(ctx, ctx->pool, request->body == NULL ? "" : request->body, request->len, &body);
    rc = rc == SSO_OK ? sso_bulk_run(ctx, scim, body, answer->token, answer->events, &node) : rc;
    answer->status = 200;
    return rc == SSO_OK ? answer_body(ctx, node, answer) : rc;
}

static sso_rc serve(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request,
                    sso_scim_answer_t *answer)
{
    const place_t place = place_of(ctx->pool, request->path);
    sso_question_t question;
    if (is_method(request, "OPTIONS")) {
        answer->status = 204;
        return SSO_OK;
    }
    sso_rc rc = sso_question_of_query(ctx, request->query, &question);
    if (rc != SSO_OK) {
        return rc;
    }
    switch (place.place) {
    case PLACE_RESOURCES:
        return is_read(request) ? list_kind(ctx, scim, &question, place.kind, answer)
                                : operate(ctx, scim, request, &place, &question, answer);
    case PLACE_RESOURCE:
        return operate(ctx, scim, request, &place, &question, answer);
    case PLACE_SEARCH:
        return search(ctx, scim, request, &place, answer);
    case PLACE_BULK:
        return bulk(ctx, scim, request, answer);
    case PLACE_SERVICE:
    case PLACE_TYPES:
    case PLACE_SCHEMAS:
        return discover(ctx, scim, &place, &question, answer);
    case PLACE_ME:
    case PLACE_NONE:
        break;
    }
    return sso_fail(ctx, SSO_R_SCIM_NOT_FOUND, NULL);
}

void sso_scim_serve(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_scim_request_t *request,
                    sso_scim_answer_t *answer)
{
    sso_rc rc = serve(ctx, scim, request, answer);
    sso_gate_leave(scim->gate, rc == SSO_OK || sso_reason(rc)->class != SSO_CLASS_LATER);
    if (rc != SSO_OK) {
        answer_fault(ctx, answer);
    }
}
