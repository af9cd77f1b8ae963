/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flow/state.c: what a sign-in remembers, that it opens for its own site only, and that the login cookie never
 * grows. */
#include "flow/state.h"

#include <string.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "site.h"

/* ---- states ---- */

static sso_state_t state_make(const char *return_path)
{
    sso_state_t state = {
        .kind = SSO_STATE_SIGN_IN,
        .attempts = 2,
        .issued = SSO_TEST_NOW,
        .browser = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255},
        .nonce = {255, 254, 253},
        .verifier = {0, 1, 2, 3, 128, 255},
        .return_path = return_path,
    };
    return state;
}

static const char *seal_state(const sso_state_t *state)
{
    const char *text = NULL;
    assert_rc(SSO_OK, sso_state_seal(&unit_ctx, &site_world->site, state, &text));
    return text;
}

static sso_rc open_state(const char *text, sso_state_t *state)
{
    const char *copy = unit_exact_copy(text, strlen(text) + 1);
    sso_rc rc = sso_state_open(&unit_ctx, &site_world->site, copy, state);
    sso_fault_clear(&unit_ctx);
    return rc;
}

static void assert_state_equal(const sso_state_t *expected, const sso_state_t *got)
{
    assert_int_equal(expected->kind, got->kind);
    assert_int_equal(expected->attempts, got->attempts);
    assert_int_equal(expected->issued, got->issued);
    assert_memory_equal(expected->browser, got->browser, sizeof(got->browser));
    assert_memory_equal(expected->nonce, got->nonce, sizeof(got->nonce));
    assert_memory_equal(expected->verifier, got->verifier, sizeof(got->verifier));
    assert_string_equal(expected->return_path, got->return_path);
}

static const char *path_of(apr_size_t len)
{
    char *path = apr_palloc(unit_pool, len + 1);
    memset(path, 'p', len);
    path[0] = '/';
    path[len] = '\0';
    return path;
}

static void test_state_of_any_return_path_opens_equal(void **state)
{
    static const apr_size_t sizes[] = {1, 2, 100, SSO_MAX_RETURN_PATH - 1, SSO_MAX_RETURN_PATH};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        sso_state_t made = state_make(path_of(sizes[i]));
        sso_state_t got;
        const char *text = seal_state(&made);
        assert_in_range(strlen(text), 1, SSO_MAX_STATE);
        assert_rc(SSO_OK, open_state(text, &got));
        assert_state_equal(&made, &got);
    }
    sso_state_t out = state_make("");
    sso_state_t got;
    out.kind = SSO_STATE_SIGN_OUT;
    out.attempts = 0;
    assert_rc(SSO_OK, open_state(seal_state(&out), &got));
    assert_state_equal(&out, &got);
}

static const char *hint_of(apr_size_t len)
{
    return path_of(len) + 1;
}

static void test_state_keeps_the_wishes_of_its_sign_in(void **state)
{
    (void)state;
    sso_state_t got;
    sso_state_t made = state_make(path_of(SSO_MAX_RETURN_PATH));
    made.wishes = (sso_wishes_t){.acr = hint_of(SSO_MAX_ACR + 1),
                                 .max_age = 10 * SITE_MINUTE,
                                 .prompt = "select_account",
                                 .login_hint = hint_of(SSO_MAX_HINT + 1),
                                 .domain_hint = hint_of(SSO_MAX_HINT + 1)};
    const char *text = seal_state(&made);
    /* The largest of all fits into what is opened again. */
    assert_in_range(strlen(text), 1, SSO_MAX_STATE);
    assert_rc(SSO_OK, open_state(text, &got));
    assert_string_equal(got.wishes.acr, made.wishes.acr);
    assert_int_equal(got.wishes.max_age, made.wishes.max_age);
    assert_string_equal(got.wishes.prompt, "select_account");
    assert_string_equal(got.wishes.login_hint, made.wishes.login_hint);
    assert_string_equal(got.wishes.domain_hint, made.wishes.domain_hint);
    sso_state_t none = state_make("/");
    assert_rc(SSO_OK, open_state(seal_state(&none), &got));
    assert_true(got.wishes.acr == NULL && got.wishes.prompt == NULL && got.wishes.login_hint == NULL &&
                got.wishes.domain_hint == NULL && got.wishes.max_age == 0);
}

static void test_wishes_on_their_way_open_as_wishes_only(void **state)
{
    (void)state;
    const char *text = NULL;
    sso_state_t got;
    sso_wishes_t opened;
    const sso_wishes_t wishes = {.prompt = "login", .login_hint = "ada@contoso.example"};
    assert_rc(SSO_OK, sso_wishes_seal(&unit_ctx, &site_world->site, &wishes, &text));
    assert_rc(SSO_OK, sso_wishes_open(&unit_ctx, &site_world->site, text, &opened));
    assert_string_equal(opened.prompt, "login");
    assert_string_equal(opened.login_hint, "ada@contoso.example");
    assert_null(opened.acr);
    assert_rc(SSO_OK, open_state(text, &got));
    assert_int_equal(got.kind, SSO_STATE_WISHES);
    sso_state_t made = state_make("/");
    assert_rc(SSO_R_STATE_INVALID, sso_wishes_open(&unit_ctx, &site_world->site, seal_state(&made), &opened));
    assert_rc(SSO_R_STATE_INVALID, sso_wishes_open(&unit_ctx, &site_world->site, "x", &opened));
}

static void test_state_of_a_return_path_over_its_bound_is_not_sealed(void **state)
{
    (void)state;
    const char *text = NULL;
    sso_state_t made = state_make(path_of(SSO_MAX_RETURN_PATH + 200));
    assert_rc(SSO_R_CRYPTO, sso_state_seal(&unit_ctx, &site_world->site, &made, &text));
    assert_null(text);
}

/* An old one tells where its owner wanted to go. */
static void test_state_of_any_age_opens(void **state)
{
    (void)state;
    sso_state_t made = state_make("/");
    sso_state_t got;
    const char *text = seal_state(&made);
    unit_ctx.now += 400 * 24 * SITE_HOUR;
    assert_rc(SSO_OK, open_state(text, &got));
    assert_int_equal(got.issued, SSO_TEST_NOW);
}

static void test_state_sealed_twice_is_two_texts(void **state)
{
    (void)state;
    sso_state_t made = state_make("/");
    assert_string_not_equal(seal_state(&made), seal_state(&made));
}

static void test_state_of_another_site_or_key_is_refused(void **state)
{
    (void)state;
    sso_state_t made = state_make("/");
    sso_state_t got;
    const char *text = seal_state(&made);
    site_world->site.session.binding[0] ^= 1;
    assert_rc(SSO_R_STATE_INVALID, open_state(text, &got));
    site_world->site.session.binding[0] ^= 1;
    site_world->site.session.keyring = site_other_ring;
    assert_rc(SSO_R_STATE_INVALID, open_state(text, &got));
    site_world->site.session.keyring = site_ring;
    assert_rc(SSO_OK, open_state(text, &got));
}

static const char *seal_bytes(sso_purpose_t purpose, const void *data, apr_size_t len)
{
    const char *text;
    assert_rc(SSO_OK, sso_seal(&unit_ctx, site_ring, purpose, site_world->site.session.binding, data, len, &text));
    return text;
}

/* The bytes inside a sealed text. */
static const unsigned char *bytes_of(sso_purpose_t purpose, const char *text, apr_size_t *ret_len)
{
    unsigned char *data;
    assert_rc(SSO_OK, sso_open(&unit_ctx, site_ring, purpose, site_world->site.session.binding, text, strlen(text),
                               &data, ret_len));
    return data;
}

static void test_state_of_another_purpose_is_refused(void **state)
{
    (void)state;
    sso_state_t made = state_make("/");
    sso_state_t got;
    apr_size_t len;
    const unsigned char *data = bytes_of(SSO_PURPOSE_STATE, seal_state(&made), &len);
    assert_rc(SSO_OK, open_state(seal_bytes(SSO_PURPOSE_STATE, data, len), &got));
    assert_rc(SSO_R_STATE_INVALID, open_state(seal_bytes(SSO_PURPOSE_LOGIN, data, len), &got));
    assert_rc(SSO_R_STATE_INVALID, open_state(seal_bytes(SSO_PURPOSE_SESSION, data, len), &got));
}

static void test_state_that_is_no_sealed_text_is_refused_with_one_reason(void **state)
{
    static const char *const texts[] = {
        "",     "a",         "AQID",
        ".",    "%00",       "%s%n",
        "null", "undefined", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    (void)state;
    sso_state_t got;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_rc(SSO_R_STATE_INVALID, open_state(texts[i], &got));
    }
    char *longest = apr_palloc(unit_pool, SSO_MAX_STATE + 2);
    memset(longest, 'A', SSO_MAX_STATE + 1);
    longest[SSO_MAX_STATE + 1] = '\0';
    assert_rc(SSO_R_STATE_INVALID, open_state(longest, &got));
}

static void test_state_with_any_bit_flipped_or_cut_is_refused(void **state)
{
    (void)state;
    sso_state_t made = state_make("/page");
    sso_state_t got = state_make("untouched");
    char *text = apr_pstrdup(unit_pool, seal_state(&made));
    for (apr_size_t bit = 0; bit < 8 * strlen(text); bit++) {
        char right = text[bit / 8];
        text[bit / 8] = (char)(right ^ (1 << (bit % 8)));
        assert_rc(SSO_R_STATE_INVALID, open_state(text, &got));
        text[bit / 8] = right;
    }
    for (apr_size_t len = strlen(text); len > 0; len--) {
        text[len - 1] = '\0';
        assert_rc(SSO_R_STATE_INVALID, open_state(text, &got));
    }
    assert_string_equal(got.return_path, "untouched");
}

/* Of a faulty or later version: the seal is right, the inside is not. */
static void test_state_of_another_form_is_refused(void **state)
{
    (void)state;
    sso_state_t made = state_make("/page");
    sso_state_t got;
    apr_size_t len;
    const unsigned char *data = bytes_of(SSO_PURPOSE_STATE, seal_state(&made), &len);
    unsigned char *changed = unit_exact_copy(data, len);
    for (unsigned value = 0; value <= 255; value++) {
        changed[0] = (unsigned char)value;
        assert_rc(value == data[0] ? SSO_OK : SSO_R_STATE_INVALID,
                  open_state(seal_bytes(SSO_PURPOSE_STATE, changed, len), &got));
        changed[0] = data[0];
        changed[1] = (unsigned char)value;
        assert_rc((value >= 1 && value <= 3) || value == 10 ? SSO_OK : SSO_R_STATE_INVALID,
                  open_state(seal_bytes(SSO_PURPOSE_STATE, changed, len), &got));
        changed[1] = data[1];
    }
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_rc(SSO_R_STATE_INVALID, open_state(seal_bytes(SSO_PURPOSE_STATE, data, cut), &got));
    }
    unsigned char *more = apr_pcalloc(unit_pool, len + 1);
    memcpy(more, data, len);
    more[len] = 'x';
    assert_rc(SSO_R_STATE_INVALID, open_state(seal_bytes(SSO_PURPOSE_STATE, more, len + 1), &got));
}

/* Of the right form and seal, but longer than any state that we seal. */
static void test_state_of_more_text_than_the_bound_is_refused(void **state)
{
    (void)state;
    sso_state_t made = state_make("");
    sso_state_t got;
    sso_writer_t w;
    apr_size_t len;
    const unsigned char *data = bytes_of(SSO_PURPOSE_STATE, seal_state(&made), &len);
    sso_writer_init(&w, unit_pool, SSO_MAX_STATE);
    sso_write_bytes(&w, data, len - 3);
    sso_write_text(&w, path_of(3500));
    const char *text = seal_bytes(SSO_PURPOSE_STATE, w.data, w.len);
    assert_in_range(strlen(text), SSO_MAX_STATE + 1, 2 * SSO_MAX_STATE);
    assert_rc(SSO_R_STATE_INVALID, open_state(text, &got));
}

/* RFC 7636 4.1: 43 characters at least, of the unreserved ones. */
static void test_state_verifier_and_nonce_are_fit_for_a_url(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (void)state;
    sso_state_t made = state_make("/");
    const char *verifier = sso_state_verifier(unit_pool, &made);
    const char *nonce = sso_state_nonce(unit_pool, &made);
    assert_int_equal(strlen(verifier), 43);
    assert_int_equal(strspn(verifier, alphabet), 43);
    assert_int_equal(strlen(nonce), 22);
    assert_int_equal(strspn(nonce, alphabet), 22);
}

/* ---- the login cookie ---- */

static const char *write_login(const sso_login_t *login)
{
    apr_array_header_t *lines = apr_array_make(unit_pool, 1, sizeof(const char *));
    assert_rc(SSO_OK, sso_login_write(&unit_ctx, &site_world->site, login, lines));
    assert_int_equal(lines->nelts, 1);
    return sso_text_at(lines, 0);
}

/* The value of a Set-Cookie line. */
static const char *value_of(const char *line)
{
    const char *value = strchr(line, '=') + 1;
    return apr_pstrmemdup(unit_pool, value, strcspn(value, ";"));
}

static bool read_login(const char *value, sso_login_t *login)
{
    sso_cookies_t cookies = {.login = value};
    return sso_login_read(&unit_ctx, &site_world->site, &cookies, login);
}

static void test_login_cookie_has_one_size_whatever_is_in_it(void **state)
{
    (void)state;
    sso_login_t login;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    apr_size_t size = strlen(write_login(&login));
    for (unsigned completed = 0; completed < 256; completed++) {
        login.completed = completed;
        login.since = completed % 2 == 0 ? INT64_MAX - completed : -(apr_time_t)completed;
        login.steps = 255 - completed;
        login.stepped = -login.since;
        assert_int_equal(strlen(write_login(&login)), size);
    }
    assert_in_range(size, 1, 200);
}

static void test_login_of_a_moment_before_all_is_none(void **state)
{
    (void)state;
    sso_login_t login;
    sso_login_t got;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    login.since = INT64_MIN;
    assert_false(read_login(value_of(write_login(&login)), &got));
    login.since = unit_ctx.now;
    login.stepped = -1;
    assert_false(read_login(value_of(write_login(&login)), &got));
    login.stepped = 0;
    assert_true(read_login(value_of(write_login(&login)), &got));
}

static void test_login_that_was_written_reads_equal(void **state)
{
    (void)state;
    sso_login_t login;
    sso_login_t got;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    assert_int_equal(login.completed, 0);
    assert_int_equal(login.since, SSO_TEST_NOW);
    login.completed = 2;
    assert_true(read_login(value_of(write_login(&login)), &got));
    assert_memory_equal(got.browser, login.browser, sizeof(login.browser));
    assert_int_equal(got.completed, 2);
    assert_int_equal(got.since, SSO_TEST_NOW);
}

static void test_login_of_two_browsers_differs(void **state)
{
    (void)state;
    sso_login_t one, two;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &one));
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &two));
    assert_memory_not_equal(one.browser, two.browser, sizeof(one.browser));
}

static void test_login_that_does_not_open_is_as_if_absent(void **state)
{
    (void)state;
    sso_login_t login;
    sso_login_t got = {.completed = 77};
    const sso_login_t untouched = got;
    apr_size_t len;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    const char *value = value_of(write_login(&login));
    const unsigned char *data = bytes_of(SSO_PURPOSE_LOGIN, value, &len);
    assert_false(read_login(NULL, &got));
    assert_false(read_login("", &got));
    assert_false(read_login("AQID", &got));
    assert_false(read_login(seal_bytes(SSO_PURPOSE_SESSION, data, len), &got));
    assert_false(read_login(seal_bytes(SSO_PURPOSE_STATE, data, len), &got));
    site_world->site.session.binding[0] ^= 1;
    assert_false(read_login(value, &got));
    site_world->site.session.binding[0] ^= 1;
    site_world->site.session.keyring = site_other_ring;
    assert_false(read_login(value, &got));
    site_world->site.session.keyring = site_ring;
    for (apr_size_t cut = 0; cut < len; cut++) {
        assert_false(read_login(seal_bytes(SSO_PURPOSE_LOGIN, data, cut), &got));
    }
    unsigned char *changed = apr_pcalloc(unit_pool, len + 1);
    memcpy(changed, data, len);
    assert_false(read_login(seal_bytes(SSO_PURPOSE_LOGIN, changed, len + 1), &got));
    changed[0] ^= 1;
    assert_false(read_login(seal_bytes(SSO_PURPOSE_LOGIN, changed, len), &got));
    assert_int_equal(unit_ctx.fault.rc, SSO_OK);
    assert_memory_equal(&got, &untouched, sizeof(got));
    assert_true(read_login(value, &got));
}

/* ---- the loop ---- */

static void test_login_loops_after_three_sign_ins_within_two_minutes(void **state)
{
    static const struct {
        const char *name;
        apr_interval_time_t done[4]; /* moments of finished sign-ins; -1 none */
        apr_interval_time_t asked;
        bool loops;
    } rows[] = {
        {"none", {-1, -1, -1, -1}, 0, false},
        {"one", {1, -1, -1, -1}, 2, false},
        {"two", {1, 2, -1, -1}, 3, false},
        {"three", {1, 2, 3, -1}, 4, true},
        {"four", {1, 2, 3, 4}, 5, true},
        {"three, asked at the end of the span", {0, 1, 2, -1}, 2 * SITE_MINUTE, true},
        {"three, asked behind the span", {0, 1, 2, -1}, 2 * SITE_MINUTE + 1, false},
        {"three, the last at the end of the span", {0, 1, 2 * SITE_MINUTE, -1}, 2 * SITE_MINUTE, true},
        {"three, slowly", {0, SITE_MINUTE, 3 * SITE_MINUTE, -1}, 3 * SITE_MINUTE + 1, false},
        {"the first took its time",
         {10 * SITE_MINUTE, 10 * SITE_MINUTE + 1, 10 * SITE_MINUTE + 2, -1},
         10 * SITE_MINUTE + 3,
         true},
        {"the clock went back", {5, 6, 7, -1}, -SITE_HOUR, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_login_t login;
        unit_ctx.now = SSO_TEST_NOW;
        assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
        for (size_t k = 0; k < 4 && rows[i].done[k] >= 0; k++) {
            unit_ctx.now = SSO_TEST_NOW + rows[i].done[k];
            sso_login_count(&unit_ctx, &login);
        }
        unit_ctx.now = SSO_TEST_NOW + rows[i].asked;
        if (sso_login_is_looping(&unit_ctx, &login) != rows[i].loops) {
            unit_fail("%s", rows[i].name);
        }
    }
}

/* The count is one byte in the cookie: it must not come round to nought. */
static void test_login_that_loops_for_ever_stays_known_as_a_loop(void **state)
{
    (void)state;
    sso_login_t login;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    for (int i = 0; i < 256; i++) {
        sso_login_count(&unit_ctx, &login);
        assert_true(read_login(value_of(write_login(&login)), &login));
        assert_int_equal(sso_login_is_looping(&unit_ctx, &login), i + 1 >= SSO_MAX_ATTEMPTS);
    }
}

static void test_login_knows_the_same_step_up_twice_in_a_row(void **state)
{
    static const sso_wishes_t c1 = {.acr = "c1"};
    static const sso_wishes_t c2 = {.acr = "c2"};
    static const sso_wishes_t aged = {.max_age = 60000000};
    static const sso_wishes_t younger = {.max_age = 120000000};
    static const struct {
        const char *name;
        const sso_wishes_t *done[4];
        apr_time_t between; /* seconds */
        const sso_wishes_t *asked;
        bool again;
    } rows[] = {
        {"none", {NULL}, 1, &c1, false},
        {"one", {&c1}, 1, &c1, false},
        {"two", {&c1, &c1}, 1, &c1, true},
        {"many", {&c1, &c1, &c1, &c1}, 1, &c1, true},
        {"two of another", {&c1, &c1}, 1, &c2, false},
        {"in turn", {&c1, &c2, &c1}, 1, &c1, false},
        {"two fresh ones", {&aged, &aged}, 1, &aged, true},
        {"of another age", {&aged, &aged}, 1, &younger, false},
        {"a minute each", {&c1, &c1}, 60, &c1, true},
        {"more than a minute each", {&c1, &c1}, 61, &c1, false},
        {"the clock went back", {&c1, &c1}, -1, &c1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_login_t login;
        unit_ctx.now = SSO_TEST_NOW;
        assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
        for (size_t k = 0; k < 4 && rows[i].done[k] != NULL; k++) {
            sso_login_count_step(&unit_ctx, &login, rows[i].done[k]);
            assert_true(read_login(value_of(write_login(&login)), &login));
            unit_ctx.now += apr_time_from_sec(rows[i].between);
        }
        if (sso_login_is_stepping_again(&unit_ctx, &login, rows[i].asked) != rows[i].again) {
            unit_fail("%s", rows[i].name);
        }
        assert_false(sso_login_is_looping(&unit_ctx, &login));
    }
}

static void test_login_count_after_the_clock_went_back_begins_anew(void **state)
{
    (void)state;
    sso_login_t login;
    assert_rc(SSO_OK, sso_login_make(&unit_ctx, &login));
    login.completed = 3;
    unit_ctx.now = SSO_TEST_NOW - SITE_HOUR;
    sso_login_count(&unit_ctx, &login);
    assert_int_equal(login.completed, 1);
    assert_int_equal(login.since, SSO_TEST_NOW - SITE_HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        site_test(test_state_of_any_return_path_opens_equal),
        site_test(test_state_keeps_the_wishes_of_its_sign_in),
        site_test(test_wishes_on_their_way_open_as_wishes_only),
        site_test(test_state_of_a_return_path_over_its_bound_is_not_sealed),
        site_test(test_state_of_any_age_opens),
        site_test(test_state_sealed_twice_is_two_texts),
        site_test(test_state_of_another_site_or_key_is_refused),
        site_test(test_state_of_another_purpose_is_refused),
        site_test(test_state_that_is_no_sealed_text_is_refused_with_one_reason),
        site_test(test_state_with_any_bit_flipped_or_cut_is_refused),
        site_test(test_state_of_another_form_is_refused),
        site_test(test_state_of_more_text_than_the_bound_is_refused),
        site_test(test_state_verifier_and_nonce_are_fit_for_a_url),
        site_test(test_login_cookie_has_one_size_whatever_is_in_it),
        site_test(test_login_of_a_moment_before_all_is_none),
        site_test(test_login_that_was_written_reads_equal),
        site_test(test_login_of_two_browsers_differs),
        site_test(test_login_that_does_not_open_is_as_if_absent),
        site_test(test_login_loops_after_three_sign_ins_within_two_minutes),
        site_test(test_login_that_loops_for_ever_stays_known_as_a_loop),
        site_test(test_login_knows_the_same_step_up_twice_in_a_row),
        site_test(test_login_count_after_the_clock_went_back_begins_anew),
    };
    return site_run(tests);
}
