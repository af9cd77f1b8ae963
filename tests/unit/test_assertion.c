/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/assertion.c: what an assertion says, of whom, for how long one is given again, and that the key set has
 * public numbers alone. */
#include "flow/assertion.h"

#include "unit.h"

#include "base/json.h"
#include "site.h"

#define OTHER_OID "99999999-3c44-4a1f-9f2e-6d8a0c1b2e3f"

/* The pair that signs. */
static const sso_signing_key_t *key_of(const sso_keyring_t *ring)
{
    const sso_signing_key_t *keys[SSO_MAX_RING_KEYS];
    assert_true(sso_keyring_signing_keys(&unit_ctx, ring, keys) > 0);
    return keys[0];
}

/* A session of an ordinary user. */
static sso_record_t record_of(const char *oid, unsigned char id)
{
    sso_record_t record = {.sid = "entra-sid", .login_hint = "hint", .created = SSO_TEST_NOW};
    memset(record.id, id, sizeof(record.id));
    record.oid = oid;
    record.tid = FIXTURE_TENANT;
    record.username = "ada@contoso.example";
    record.name = "Ada \xc3\xa9";
    record.email = "";
    record.roles = list_of(TEXTS("reader"));
    record.groups = list_of(TEXTS("g1", "g2"));
    return record;
}

static const char *get(sso_kept_t *kept, const sso_record_t *record, const sso_list_t *roles, const char *user)
{
    const sso_subject_t subject = {record, roles, user};
    const char *token = NULL;
    assert_rc(SSO_OK, sso_assertion_get(&unit_ctx, &site_world->site, &subject, kept, &token));
    assert_non_null(token);
    return apr_pstrdup(unit_pool, token);
}

static const sso_json_t *json_of(const char *text, apr_size_t len)
{
    const sso_json_t *json = NULL;
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, text, len, SSO_MAX_JWT, &json));
    return json;
}

/* Part 0 is the header, part 1 the claims. */
static const sso_json_t *part_of(const char *token, int part)
{
    const char *start = part == 0 ? token : strchr(token, '.') + 1;
    apr_size_t len;
    unsigned char *text = sso_base64url_decode(unit_pool, start, strcspn(start, "."), &len);
    assert_non_null(text);
    return json_of((const char *)text, len);
}

static const char *claim_of(const char *token, const char *name)
{
    return sso_json_get_text(part_of(token, 1), name);
}

static int64_t moment_of(const char *token, const char *name)
{
    int64_t number = 0;
    assert_true(sso_json_integer(sso_json_get(part_of(token, 1), name), &number));
    return number;
}

static void test_assertion_says_who_where_and_when(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_of(FIXTURE_OID, 7);
    sso_list_t roles = list_of(TEXTS("reader", "editor"));
    const char *token = get(&kept, &record, &roles, "ada");
    const sso_json_t *header = part_of(token, 0);
    assert_string_equal(sso_json_get_text(header, "alg"), "ES256");
    assert_string_equal(sso_json_get_text(header, "typ"), "JWT");
    assert_string_equal(sso_json_get_text(header, "kid"), sso_signing_key_id(key_of(site_ring)));
    assert_int_equal(sso_json_size(header), 3);
    assert_string_equal(claim_of(token, "iss"), SITE_ORIGIN "/.entra");
    assert_string_equal(claim_of(token, "aud"), SITE_ORIGIN);
    assert_string_equal(claim_of(token, "sub"), FIXTURE_OID "@" FIXTURE_TENANT);
    assert_string_equal(claim_of(token, "oid"), FIXTURE_OID);
    assert_string_equal(claim_of(token, "tid"), FIXTURE_TENANT);
    assert_string_equal(claim_of(token, "user"), "ada");
    assert_string_equal(claim_of(token, "preferred_username"), "ada@contoso.example");
    assert_string_equal(claim_of(token, "name"), "Ada \xc3\xa9");
    assert_null(sso_json_get(part_of(token, 1), "email")); /* who has none has no claim */
    assert_int_equal(moment_of(token, "iat"), SSO_TEST_NOW_S);
    assert_int_equal(moment_of(token, "nbf"), SSO_TEST_NOW_S - 5);
    assert_int_equal(moment_of(token, "exp"), SSO_TEST_NOW_S + 60);
    assert_true(sso_is_guid(claim_of(token, "jti")));
    const sso_json_t *list = sso_json_get(part_of(token, 1), "roles");
    assert_int_equal(sso_json_size(list), 2);
    assert_string_equal(sso_json_text(sso_json_at(list, 1)), "editor");
    list = sso_json_get(part_of(token, 1), "groups");
    assert_int_equal(sso_json_size(list), 2);
    assert_string_equal(sso_json_text(sso_json_at(list, 0)), "g1");
}

static void test_assertion_lists_are_there_when_empty(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_of(FIXTURE_OID, 7);
    const sso_list_t none = {NULL, 0, 0};
    record.groups = none;
    const char *token = get(&kept, &record, &none, "ada");
    assert_int_equal(sso_json_type(sso_json_get(part_of(token, 1), "roles")), SSO_JSON_ARRAY);
    assert_int_equal(sso_json_size(sso_json_get(part_of(token, 1), "roles")), 0);
    assert_int_equal(sso_json_type(sso_json_get(part_of(token, 1), "groups")), SSO_JSON_ARRAY);
}

/* The backend can tell sessions apart, but learns no id of ours or of Entra's. */
static void test_assertion_sid_is_no_id_of_the_session(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t a = record_of(FIXTURE_OID, 7), b = record_of(FIXTURE_OID, 8);
    const char *first = get(&kept, &a, &a.roles, "ada");
    const char *second = get(&kept, &b, &b.roles, "ada");
    const char *again = get(&kept, &a, &a.roles, "ada");
    assert_string_not_equal(claim_of(first, "sid"), claim_of(second, "sid"));
    assert_string_equal(claim_of(first, "sid"), claim_of(again, "sid"));
    assert_string_not_equal(claim_of(first, "sid"), sso_base64url(unit_pool, a.id, sizeof(a.id)));
    assert_int_equal(strlen(claim_of(first, "sid")), 43);
}

static void test_assertion_is_kept_for_45_seconds(void **state)
{
    (void)state;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_of(FIXTURE_OID, 7);
    const char *first = get(&kept, &record, &record.roles, "ada");
    unit_ctx.now = SSO_TEST_NOW + apr_time_from_sec(45);
    assert_string_equal(get(&kept, &record, &record.roles, "ada"), first);
    unit_ctx.now += 1;
    const char *second = get(&kept, &record, &record.roles, "ada");
    assert_string_not_equal(second, first);
    assert_int_equal(moment_of(second, "exp"), SSO_TEST_NOW_S + 45 + 60);
    assert_string_not_equal(claim_of(first, "jti"), claim_of(second, "jti"));
    /* A clock that was set back. */
    unit_ctx.now = SSO_TEST_NOW;
    assert_int_equal(moment_of(get(&kept, &record, &record.roles, "ada"), "iat"), SSO_TEST_NOW_S);
}

/* Whatever of the subject differs, nobody gets the assertion that was made for it before. */
static void test_assertion_of_another_is_never_given(void **state)
{
    (void)state;
    static const char *const what[] = {"session", "oid",   "tid",    "user name",   "name",
                                       "email",   "roles", "groups", "REMOTE_USER", "moved boundary"};
    for (int i = 0; i < (int)(sizeof(what) / sizeof(what[0])); i++) {
        sso_kept_t kept = {.parent = unit_pool};
        sso_record_t record = record_of(FIXTURE_OID, 7), other = record;
        const char *user = "ada";
        switch (i) {
        case 0:
            other.id[15] ^= 1;
            break;
        case 1:
            other.oid = OTHER_OID;
            break;
        case 2:
            other.tid = FIXTURE_OTHER_TENANT;
            break;
        case 3:
            other.username = "eve@contoso.example";
            break;
        case 4:
            other.name = "Eve";
            break;
        case 5:
            other.email = "eve@contoso.example";
            break;
        case 6:
            other.roles = list_of(TEXTS("readers"));
            break;
        case 7:
            other.groups = list_of(TEXTS("g1", "g3"));
            break;
        case 8:
            user = "eve";
            break;
        default:
            record.name = "ab";
            record.email = "c";
            other.name = "a";
            other.email = "bc";
            break;
        }
        const char *first = get(&kept, &record, &record.roles, "ada");
        const char *second = get(&kept, &other, &other.roles, user);
        if (strcmp(first, second) == 0) {
            unit_fail("the assertion was given to somebody of another %s", what[i]);
        }
        assert_string_equal(claim_of(second, "oid"), other.oid);
        assert_string_equal(claim_of(second, "name"), other.name);
        assert_string_equal(claim_of(second, "user"), user);
        /* And back: the place holds one. */
        assert_string_equal(claim_of(get(&kept, &record, &record.roles, "ada"), "name"), record.name);
    }
}

/* The place of a connection serves several sites, and the key may be rotated meanwhile. */
static void test_assertion_of_another_site_or_key_is_never_given(void **state)
{
    (void)state;
    const char *why;
    sso_kept_t kept = {.parent = unit_pool};
    sso_record_t record = record_of(FIXTURE_OID, 7);
    const char *first = get(&kept, &record, &record.roles, "ada");
    site_world->site.origin = sso_origin_parse(unit_pool, "https://other.example.com", &why);
    const char *second = get(&kept, &record, &record.roles, "ada");
    assert_string_equal(claim_of(second, "aud"), "https://other.example.com");
    assert_string_not_equal(first, second);
    site_world->site.session.keyring = site_other_ring;
    const char *third = get(&kept, &record, &record.roles, "ada");
    assert_string_equal(sso_json_get_text(part_of(third, 0), "kid"), sso_signing_key_id(key_of(site_other_ring)));
}

static void test_assertion_keys_are_public_numbers_alone(void **state)
{
    (void)state;
    static const char *const MEMBERS[] = {"kty", "crv", "use", "alg", "kid", "x", "y"};
    const char *text = sso_assertion_keys(&unit_ctx, site_ring);
    const sso_json_t *keys = sso_json_get(json_of(text, strlen(text)), "keys");
    assert_int_equal(sso_json_size(keys), 1);
    const sso_json_t *key = sso_json_at(keys, 0);
    /* These and no others: no `d`, whatever it would be called. */
    assert_int_equal(sso_json_size(key), sizeof(MEMBERS) / sizeof(MEMBERS[0]));
    for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
        assert_non_null(sso_json_get_text(key, MEMBERS[i]));
    }
    const sso_signing_key_t *pair = key_of(site_ring);
    assert_string_equal(sso_json_get_text(key, "kty"), "EC");
    assert_string_equal(sso_json_get_text(key, "crv"), "P-256");
    assert_string_equal(sso_json_get_text(key, "kid"), sso_signing_key_id(pair));
    assert_string_equal(sso_json_get_text(key, "x"), sso_signing_key_x(pair));
    assert_string_equal(sso_json_get_text(key, "y"), sso_signing_key_y(pair));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_assertion_says_who_where_and_when),
        site_test(test_assertion_lists_are_there_when_empty),
        site_test(test_assertion_sid_is_no_id_of_the_session),
        site_test(test_assertion_is_kept_for_45_seconds),
        site_test(test_assertion_of_another_is_never_given),
        site_test(test_assertion_of_another_site_or_key_is_never_given),
        site_test(test_assertion_keys_are_public_numbers_alone),
    };
    return site_run(tests);
}
