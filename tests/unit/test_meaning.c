/* SPDX-License-Identifier: Apache-2.0 */
/* What `entra-sso explain` says of a number, and that it knows every number that the module can log. */
#include "command/meaning.h"

#include "unit.h"

#include "command/notes.h"

static void test_meaning_of_what_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *word, *first, *holds;
    } rows[] = {
        {"AADSTS50011", "AADSTS50011\n", "who acts:    an administrator"},
        {"aadsts50011", "AADSTS50011\n", "error?code=50011"},
        {"50011", "AADSTS50011\n", "App registration > Authentication > Web"},
        {"ENTRA1101", "ENTRA1101\n", "log line:"},
        {"entra1101", "ENTRA1101\n", "EntraTenant"},
        {"1101", "ENTRA1101\n", "what to do:"},
        {"ENTRA4001", "ENTRA4001\n", "level emerg"},
        {"invalid_client", "invalid_client\n", "EntraClientID"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *missing = NULL;
        const char *text = sso_meaning(unit_pool, rows[i].word, &missing);
        if (text == NULL || strncmp(text, rows[i].first, strlen(rows[i].first)) != 0 ||
            strstr(text, rows[i].holds) == NULL) {
            unit_fail("%s: %s", rows[i].word, text == NULL ? missing : text);
        }
        assert_null(missing);
    }
}

static void test_meaning_of_what_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *word, *holds;
    } rows[] = {
        {"AADSTS123456789", "error?code=123456789"},
        {"AADSTS1234567890", "is no number"},
        {"ENTRA9999", "docs/messages.md"},
        {"0", "ENTRA0000"},
        {"AADSTS", "is no number"},
        {"ENTRA12x", "is no number"},
        {"-50011", "is no number"},
        {"", "is no number"},
        {"no_such_error", "is no number"},
        {"x\n\x1b[31m", "\\x1b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *missing = "";
        assert_null(sso_meaning(unit_pool, rows[i].word, &missing));
        if (strstr(missing, rows[i].holds) == NULL) {
            unit_fail("%s: %s", rows[i].word, missing);
        }
    }
}

static void test_meaning_of_every_reason(void **state)
{
    (void)state;
    for (int rc = SSO_OK + 1; rc < SSO_RC_COUNT; rc++) {
        const sso_reason_t *reason = sso_reason((sso_rc)rc);
        const sso_note_t *note = sso_note_find(reason->number);
        const char *mend = sso_note_mend(unit_pool, reason->number);
        if (note == NULL || *note->meaning == '\0' || *mend == '\0') {
            unit_fail("ENTRA%04d has no note", reason->number);
        }
        if (strncmp(mend, "As ENTRA", 8) == 0 || strchr(mend, '`') != NULL) {
            unit_fail("ENTRA%04d: %s", reason->number, mend);
        }
    }
}

static void test_meaning_follows_references(void **state)
{
    (void)state;
    const char *other = sso_note_mend(unit_pool, 1020);
    assert_string_equal(sso_note_mend(unit_pool, 1021), other);
    /* "As ENTRA1201. Entra signs ...": the words behind the reference stay. */
    assert_non_null(strstr(sso_note_mend(unit_pool, 1204), "RS256"));
    assert_non_null(strstr(sso_note_mend(unit_pool, 1204), sso_note_find(1201)->mend));
    assert_string_equal(sso_note_mend(unit_pool, 9999), "Read the detail of this line.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_meaning_of_what_is_known),
        unit_test(test_meaning_of_what_is_not),
        unit_test(test_meaning_of_every_reason),
        unit_test(test_meaning_follows_references),
    };
    return unit_run(tests);
}
