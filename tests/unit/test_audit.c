/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/audit.c: every line is one line, JSON, bounded, and says what it must, whatever stands in the event. */
#include "flow/audit.h"

#include "unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/bytes.h"

static const unsigned char SESSION[SSO_SESSION_ID_BYTES] = {0xde, 0xad, 0xbe, 0xef, 1, 2,  3,  4,
                                                            5,    6,    7,    8,    9, 10, 11, 12};

/* The line as JSON, after all that must be true of every line. */
static const sso_json_t *line_of(const sso_audit_event_t *event)
{
    const sso_json_t *json = NULL;
    const char *line = sso_audit_line(unit_pool, event, SSO_TEST_NOW + 7000);
    size_t len = strlen(line);
    assert_in_range(len, 2, SSO_MAX_AUDIT_LINE);
    assert_int_equal(line[len - 1], '\n');
    for (size_t i = 0; i + 1 < len; i++) {
        assert_in_range(line[i], 0x20, 0x7e);
    }
    assert_rc(SSO_OK, sso_json_parse(&unit_ctx, unit_pool, line, len - 1, SSO_MAX_AUDIT_LINE, &json));
    return json;
}

static const char *text_of(const sso_json_t *json, const char *name)
{
    const char *text = sso_json_get_text(json, name);
    return text == NULL ? "(none)" : text;
}

static const char *first_of(const sso_json_t *json, const char *name)
{
    return sso_json_text(sso_json_at(sso_json_get(json, name), 0));
}

static void test_line_sign_in_has_the_fields(void **state)
{
    (void)state;
    const sso_audit_event_t event = {.action = SSO_AUDIT_SIGN_IN,
                                     .code = 2001,
                                     .oid = "0a",
                                     .tid = "7f",
                                     .user_name = "ada@contoso.example",
                                     .session = SESSION,
                                     .ip = "192.0.2.1",
                                     .method = "GET",
                                     .path = "/.entra/callback",
                                     .agent = "Browser/1",
                                     .service = "https://app.example.com",
                                     .trace = "c0ffee"};
    const sso_json_t *json = line_of(&event);
    assert_string_equal(text_of(json, "@timestamp"), "2026-11-23T15:00:00.007Z");
    assert_string_equal(text_of(json, "event.action"), "sign-in");
    assert_string_equal(text_of(json, "event.outcome"), "success");
    assert_string_equal(text_of(json, "event.code"), "ENTRA2001");
    assert_string_equal(first_of(json, "event.category"), "authentication");
    assert_string_equal(first_of(json, "event.type"), "start");
    assert_string_equal(text_of(json, "user.id"), "0a");
    assert_string_equal(text_of(json, "user.name"), "ada@contoso.example");
    assert_string_equal(text_of(json, "user.domain"), "contoso.example");
    assert_string_equal(text_of(json, "organization.id"), "7f");
    assert_string_equal(text_of(json, "session.id"), "deadbeef");
    assert_string_equal(text_of(json, "source.ip"), "192.0.2.1");
    assert_string_equal(text_of(json, "http.request.method"), "GET");
    assert_string_equal(text_of(json, "url.path"), "/.entra/callback");
    assert_string_equal(text_of(json, "user_agent.original"), "Browser/1");
    assert_string_equal(text_of(json, "service.name"), "https://app.example.com");
    assert_string_equal(text_of(json, "trace.id"), "c0ffee");
    assert_string_equal(text_of(json, "ecs.version"), "8.11.0");
}

static void test_line_refusal_has_rule_and_reason(void **state)
{
    (void)state;
    const sso_audit_event_t event = {.action = SSO_AUDIT_ACCESS_REFUSED,
                                     .code = 1502,
                                     .reason = "the Require rules do not let this user in",
                                     .rule = "entra-group Finance",
                                     .aadsts = 50105};
    const sso_json_t *json = line_of(&event);
    assert_string_equal(text_of(json, "event.action"), "access-refused");
    assert_string_equal(text_of(json, "event.outcome"), "failure");
    assert_string_equal(text_of(json, "event.code"), "ENTRA1502");
    assert_string_equal(text_of(json, "event.reason"), "the Require rules do not let this user in");
    assert_string_equal(text_of(json, "rule.name"), "entra-group Finance");
    assert_string_equal(text_of(json, "error.code"), "AADSTS50105");
}

static void test_line_absent_texts_are_no_fields(void **state)
{
    (void)state;
    const sso_audit_event_t event = {.action = SSO_AUDIT_KEY_ROTATED, .oid = ""};
    const sso_json_t *json = line_of(&event);
    assert_null(sso_json_get(json, "user.id"));
    assert_null(sso_json_get(json, "user.domain"));
    assert_null(sso_json_get(json, "session.id"));
    assert_null(sso_json_get(json, "event.code"));
    assert_null(sso_json_get(json, "error.code"));
    assert_null(sso_json_get(json, "entra.scim.operation"));
}

static void test_line_every_action_has_a_name_of_its_own(void **state)
{
    (void)state;
    apr_array_header_t *names = apr_array_make(unit_pool, 16, sizeof(const char *));
    for (int action = SSO_AUDIT_SIGN_IN; action <= SSO_AUDIT_KEY_ROTATED; action++) {
        const sso_audit_event_t event = {.action = (sso_audit_action_t)action};
        const sso_json_t *json = line_of(&event);
        const char *name = sso_json_get_text(json, "event.action");
        assert_non_null(name);
        assert_non_null(first_of(json, "event.category"));
        assert_non_null(first_of(json, "event.type"));
        for (int i = 0; i < names->nelts; i++) {
            assert_string_not_equal(sso_text_at(names, i), name);
        }
        APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(unit_pool, name);
    }
}

static void test_line_change_names_what_and_who(void **state)
{
    (void)state;
    apr_array_header_t *changed = apr_array_make(unit_pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(changed, const char *) = "active";
    APR_ARRAY_PUSH(changed, const char *) = "title";
    const sso_audit_change_t change = {"user disabled", "17", "ada@contoso.example", "0a", true, false, changed};
    const sso_audit_event_t event = {.action = SSO_AUDIT_SCIM_CHANGE, .actor = "SCIM token 12", .change = &change};
    const sso_json_t *json = line_of(&event);
    assert_string_equal(text_of(json, "entra.scim.operation"), "user disabled");
    assert_string_equal(text_of(json, "entra.scim.id"), "17");
    assert_string_equal(text_of(json, "entra.scim.user_name"), "ada@contoso.example");
    assert_string_equal(text_of(json, "entra.scim.external_id"), "0a");
    assert_int_equal(sso_json_type(sso_json_get(json, "entra.scim.active")), SSO_JSON_BOOL);
    assert_false(sso_json_is_true(sso_json_get(json, "entra.scim.active")));
    assert_string_equal(first_of(json, "entra.scim.changed"), "active");
    assert_int_equal(sso_json_size(sso_json_get(json, "entra.scim.changed")), 2);
    assert_string_equal(text_of(json, "entra.actor"), "SCIM token 12");
    assert_string_equal(first_of(json, "event.type"), "user");
    assert_string_equal(sso_json_text(sso_json_at(sso_json_get(json, "event.type"), 1)), "change");
}

static void test_line_types_of_changes_follow_their_words(void **state)
{
    (void)state;
    static const struct {
        const char *what, *of, *which;
    } rows[] = {{"user created", "user", "creation"},
                {"group deleted", "group", "deletion"},
                {"group changed", "group", "change"},
                {NULL, "user", "change"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_audit_change_t change = {.what = rows[i].what};
        const sso_audit_event_t event = {.action = SSO_AUDIT_SCIM_CHANGE, .change = &change};
        const sso_json_t *types = sso_json_get(line_of(&event), "event.type");
        assert_string_equal(sso_json_text(sso_json_at(types, 0)), rows[i].of);
        assert_string_equal(sso_json_text(sso_json_at(types, 1)), rows[i].which);
        assert_null(sso_json_get(line_of(&event), "entra.scim.active"));
    }
}

static void test_line_short_text_stays_whole(void **state)
{
    (void)state;
    const sso_audit_event_t event = {.user_name = "Zo\xc3\xab \xf0\x9f\x98\x80 \"x\" \\"};
    assert_string_equal(text_of(line_of(&event), "user.name"), event.user_name);
}

static void test_line_text_of_its_share_is_whole_and_one_more_is_cut(void **state)
{
    (void)state;
    char name[258];
    sso_audit_event_t event = {.user_name = name};
    memset(name, 'a', sizeof(name));
    name[256] = '\0';
    assert_string_equal(text_of(line_of(&event), "user.name"), name);
    name[256] = 'a';
    name[257] = '\0';
    const char *cut = text_of(line_of(&event), "user.name");
    assert_int_equal(strlen(cut), 256);
    assert_string_equal(cut + 253, "...");
}

static void test_line_cut_leaves_no_half_character(void **state)
{
    (void)state;
    /* Each is written in 12 bytes: 21 of them and the mark fit. */
    const char *face = "\xf0\x9f\x98\x80";
    const char *name = "";
    for (int i = 0; i < 40; i++) {
        name = apr_pstrcat(unit_pool, name, face, NULL);
    }
    const sso_audit_event_t event = {.user_name = name};
    const char *cut = text_of(line_of(&event), "user.name");
    assert_int_equal(strlen(cut), 21 * 4 + 3);
    assert_true(sso_is_utf8(cut, strlen(cut)));
}

static void test_line_hostile_text_is_one_line_of_plain_ascii(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n{\"event.action\":\"sign-in\"}\n",
                                        "\r\n\t\b\f\x1b[2J\x7f",
                                        "\",\"event.outcome\":\"success",
                                        "\xe2\x80\xa8\xe2\x80\xa9\xc2\x85",
                                        "\xe2\x80\xae"
                                        "evil",
                                        "\xff\xfe\x80\xc3",
                                        "\xf0\x9f",
                                        "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const sso_audit_event_t event = {.action = SSO_AUDIT_BEARER_REFUSED,
                                         .user_name = texts[i],
                                         .path = texts[i],
                                         .agent = texts[i],
                                         .rule = texts[i],
                                         .reason = texts[i]};
        const sso_json_t *json = line_of(&event);
        assert_string_equal(text_of(json, "event.action"), "bearer-refused");
        assert_string_equal(text_of(json, "event.outcome"), "failure");
        assert_non_null(sso_json_get(json, "user.name"));
    }
}

static void test_line_is_bounded_when_everything_is_too_long(void **state)
{
    (void)state;
    /* Of the kinds of characters, that with the most JSON for a byte, and that with the most for a character. */
    static const char *const kinds[] = {"a", "\"", "\x01", "\xff", "\xc3\xab", "\xf0\x9f\x98\x80", "@"};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        char *text = apr_pcalloc(unit_pool, 6000);
        for (size_t at = 0; at + 8 < 6000; at += strlen(kinds[k])) {
            memcpy(text + at, kinds[k], strlen(kinds[k]));
        }
        memcpy(text, "@", 1);
        apr_array_header_t *changed = apr_array_make(unit_pool, 500, sizeof(const char *));
        for (int i = 0; i < 500; i++) {
            APR_ARRAY_PUSH(changed, const char *) = i % 2 == 0 ? text : "x";
        }
        const sso_audit_change_t change = {text, text, text, text, true, false, changed};
        const sso_audit_event_t event = {SSO_AUDIT_SCIM_TOKEN_REVOKED,
                                         9999,
                                         text,
                                         4294967295U,
                                         text,
                                         text,
                                         text,
                                         SESSION,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         text,
                                         &change};
        const sso_json_t *json = line_of(&event);
        assert_string_equal(text_of(json, "session.id"), "deadbeef");
        assert_in_range(sso_json_size(sso_json_get(json, "entra.scim.changed")), 1, SSO_MAX_AUDIT_NAMES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_line_sign_in_has_the_fields),
        unit_test(test_line_refusal_has_rule_and_reason),
        unit_test(test_line_absent_texts_are_no_fields),
        unit_test(test_line_every_action_has_a_name_of_its_own),
        unit_test(test_line_change_names_what_and_who),
        unit_test(test_line_types_of_changes_follow_their_words),
        unit_test(test_line_short_text_stays_whole),
        unit_test(test_line_text_of_its_share_is_whole_and_one_more_is_cut),
        unit_test(test_line_cut_leaves_no_half_character),
        unit_test(test_line_hostile_text_is_one_line_of_plain_ascii),
        unit_test(test_line_is_bounded_when_everything_is_too_long),
    };
    return unit_run(tests);
}
