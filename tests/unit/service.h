/* SPDX-License-Identifier: Apache-2.0 */
/* A SCIM service over a real database, with a token of its own, and requests to it. Included after unit.h. */
#pragma once

#include "base/limits.h"
#include "base/bytes.h"
#include "directory/scim.h"
#include "directory/token.h"

#include "database.h"
#include "scim.h"

#define SERVICE_APP "0123456789abcdef0123456789abcdef"
#define SERVICE_OTHER_APP "ffffffffffffffffffffffffffffffff"
#define SERVICE_OID "11111111-0000-4000-8000-000000000001"
#define SERVICE_PLACES 2
#define SERVICE_PATCH(operation)                                                                                       \
    "{'schemas':['urn:ietf:params:scim:api:messages:2.0:PatchOp'],'Operations':[" operation "]}"
#define SERVICE_TENANT "22222222-0000-4000-8000-000000000002"

static sso_scim_t service UNIT_MAYBE_UNUSED;
static const char *service_token UNIT_MAYBE_UNUSED;
static sso_scim_answer_t service_answer UNIT_MAYBE_UNUSED;

static int UNIT_MAYBE_UNUSED service_setup(void **state)
{
    static const unsigned char binding[SSO_BINDING_BYTES] = {7};
    sso_keyring_t *ring = NULL;
    sso_scim_token_t row;
    int ended;
    if (database_setup(state) != 0) {
        return -1;
    }
    void *memory = apr_pcalloc(unit_pool, sso_gate_shared_size(2));
    sso_gate_shared_init(memory, 2, SERVICE_PLACES);
    assert_rc(SSO_OK,
              sso_keyring_parse(&unit_ctx, unit_pool,
                                "key 01020304 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 2026-11-23T15:00:00Z\n",
                                "keys", &ring));
    service = (sso_scim_t){.app = SERVICE_APP,
                           .base = "https://app.example.com/.entra/scim/v2",
                           .match = SSO_MATCH_OID,
                           .ending = {database_store(), apr_pcalloc(unit_pool, sso_ended_size())},
                           .keyring = ring,
                           .binding = binding,
                           .gate = sso_gate_join(unit_pool, memory)};
    assert_rc(SSO_OK,
              sso_scim_token_make(&unit_ctx, service.ending.store, SERVICE_APP, 0, &service_token, &row, &ended));
    return 0;
}

#define service_test(function) cmocka_unit_test_setup_teardown(function, service_setup, database_teardown)

/* A request with these headers; body with ' for ", NULL for none. Gives its status; the answer is service_answer. */
static UNIT_MAYBE_UNUSED int service_send(const sso_scim_request_t *head, const char *body)
{
    sso_scim_request_t request = *head;
    if (request.authorization == NULL) {
        request.authorization = apr_pstrcat(unit_pool, "Bearer ", service_token, NULL);
    }
    if (body != NULL) {
        char *copy = apr_pstrdup(unit_pool, body);
        for (char *p = copy; *p != '\0'; p++) {
            *p = *p == '\'' ? '"' : *p;
        }
        request.body = copy;
        request.len = strlen(copy);
    }
    if (sso_scim_admit(&unit_ctx, &service, &request, &service_answer)) {
        sso_scim_serve(&unit_ctx, &service, &request, &service_answer);
    }
    return service_answer.status;
}

static UNIT_MAYBE_UNUSED int service_do(const char *method, const char *path, const char *query, const char *body)
{
    const sso_scim_request_t request = {.method = method, .path = path, .query = query};
    return service_send(&request, body);
}

static UNIT_MAYBE_UNUSED const sso_json_t *service_json(void)
{
    assert_non_null(service_answer.body);
    return scim_parse(service_answer.body);
}

/* Makes it and gives its id. */
static UNIT_MAYBE_UNUSED const char *service_make(const char *path, const char *body)
{
    if (service_do("POST", path, NULL, body) != 201) {
        unit_fail("%s: %s", body, service_answer.body);
    }
    return apr_pstrdup(unit_pool, sso_json_get_text(service_json(), "id"));
}

static UNIT_MAYBE_UNUSED const char *service_path(const char *resource, const char *id)
{
    return apr_pstrcat(unit_pool, "/", resource, "/", id, NULL);
}

/* totalResults of a filter, written with ' for ". */
static UNIT_MAYBE_UNUSED int service_count(const char *resource, const char *filter)
{
    int64_t total = -1;
    char *copy = apr_pstrdup(unit_pool, filter);
    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    const char *query = apr_pstrcat(unit_pool, "filter=", sso_percent_encode(unit_pool, copy), NULL);
    if (service_do("GET", apr_pstrcat(unit_pool, "/", resource, NULL), query, NULL) != 200) {
        unit_fail("%s: %s", filter, service_answer.body);
    }
    assert_true(sso_json_integer(sso_json_get(service_json(), "totalResults"), &total));
    return (int)total;
}

/* A live session of the user in the store. */
static UNIT_MAYBE_UNUSED sso_stored_t service_session(unsigned char number, const char *oid, const char *username)
{
    sso_stored_t session = {.app = SERVICE_APP,
                            .tid = SERVICE_TENANT,
                            .oid = oid,
                            .sid = "",
                            .username = username,
                            .created = unit_ctx.now,
                            .ends = unit_ctx.now + apr_time_from_sec(3600),
                            .revalidated = unit_ctx.now,
                            .refresh = "",
                            .identity = "",
                            .access = ""};
    memset(session.id, number, sizeof(session.id));
    return session;
}

static UNIT_MAYBE_UNUSED bool service_is_ended(const sso_stored_t *session)
{
    bool ended = false;
    assert_rc(SSO_OK, sso_store_is_ended(&unit_ctx, service.ending.store, session->id, &ended));
    return ended;
}
