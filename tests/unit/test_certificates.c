/* SPDX-License-Identifier: Apache-2.0 */
/* Two certificates of one application: which files are good, whose turn it is, and what the node remembers. */
#include "entra/certificates.h"

#include "unit.h"

#include "base/limits.h"
#include "files.h"
#include "fixture.h"

#define SEC(n) apr_time_from_sec(n)

/* Two pairs, the same in every test. The certificates end a year from today on, that is after SSO_TEST_NOW or, once
 * that has passed, after today. */
static sso_pem_pair_t pair_a, pair_b;
static apr_time_t now;

static const sso_certificate_t *parse(const sso_pem_pair_t *pair)
{
    const sso_certificate_t *cert = NULL;
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, pair->cert_pem, pair->key_pem, &cert));
    return cert;
}

static int setup(void **state)
{
    if (unit_setup(state) != 0 || sso_crypto_init(&unit_ctx, unit_process_pool) != SSO_OK) {
        return -1;
    }
    fixture_certificate_of(unit_pool, FIXTURE_KEY_A, 7200, &pair_a.cert_pem, &pair_a.key_pem);
    fixture_certificate_of(unit_pool, FIXTURE_KEY_B, 7200, &pair_b.cert_pem, &pair_b.key_pem);
    /* Two hours before the end, whatever the machine's clock says. */
    now = sso_certificate_expires(parse(&pair_a)) - SEC(7200);
    unit_ctx.now = now;
    return 0;
}

static const char *pem_file(const char *text, mode_t mode)
{
    return file_of(text, strlen(text), mode);
}

static void test_certificate_read_takes_one_file_or_two(void **state)
{
    (void)state;
    sso_pem_pair_t pair;
    const sso_certificate_t *cert = NULL;
    const char *both = apr_pstrcat(unit_pool, pair_a.cert_pem, pair_a.key_pem, NULL);
    assert_rc(SSO_OK, sso_certificate_read(&unit_ctx, unit_pool, pem_file(both, 0600), NULL, &pair, &cert));
    assert_ptr_equal(pair.cert_pem, pair.key_pem);
    assert_rc(SSO_OK, sso_certificate_read(&unit_ctx, unit_pool, pem_file(pair_a.cert_pem, 0644),
                                           pem_file(pair_a.key_pem, 0600), &pair, &cert));
    assert_string_equal(sso_certificate_thumbprint(cert, SSO_SIGN_PS256),
                        sso_certificate_thumbprint(parse(&pair_a), SSO_SIGN_PS256));
}

static void test_certificate_read_refuses_what_is_no_pair(void **state)
{
    (void)state;
    sso_pem_pair_t pair = {NULL, NULL};
    const sso_certificate_t *cert = NULL;
    const char *both = apr_pstrcat(unit_pool, pair_a.cert_pem, pair_a.key_pem, NULL);
    const char *a_cert = pem_file(pair_a.cert_pem, 0644);
    const char *b_key = pem_file(pair_b.key_pem, 0600);
    assert_rc(SSO_R_CERTIFICATE, sso_certificate_read(&unit_ctx, unit_pool, a_cert, b_key, &pair, &cert));
    assert_rc(SSO_R_SECRET_MODE, sso_certificate_read(&unit_ctx, unit_pool, pem_file(both, 0644), NULL, &pair, &cert));
    assert_rc(SSO_R_SECRET_MODE,
              sso_certificate_read(&unit_ctx, unit_pool, a_cert, pem_file(pair_a.key_pem, 0644), &pair, &cert));
    assert_rc(SSO_R_SECRET_SOURCE, sso_certificate_read(&unit_ctx, unit_pool, "/nonexistent", NULL, &pair, &cert));
    assert_rc(SSO_R_SECRET_SOURCE, sso_certificate_read(&unit_ctx, unit_pool, a_cert, "/nonexistent", &pair, &cert));
    assert_null(pair.cert_pem);
}

/* ---- what is handed over ---- */

/* As the parent does it: its own copy of what was handed, and the shared memory. */
static const unsigned char *handed;
static apr_size_t handed_len;
static sso_handoff_t *handoff;

static bool hand(const sso_pem_pair_t *pair)
{
    apr_size_t len = 0;
    const unsigned char *blob = sso_certificate_pack(unit_pool, pair, handed, handed_len, &len);
    if (blob == NULL) {
        return false;
    }
    handed = blob;
    handed_len = len;
    return sso_handoff_give(handoff, blob, len);
}

static sso_certificates_t *follow(const sso_pem_pair_t *first)
{
    handed = NULL;
    handed_len = 0;
    handoff = apr_pcalloc(unit_pool, sso_handoff_size());
    sso_certificates_t *certs = sso_certificates_make(unit_pool, parse(first));
    assert_true(hand(first));
    assert_true(sso_certificates_follow(certs, unit_pool, handoff));
    return certs;
}

/* 'a' or 'b', whose certificate the turn shows; '-' when there is no turn. */
static char shown(sso_certificates_t *certs, sso_turn_t turn)
{
    if (turn == SSO_TURN_NONE) {
        return '-';
    }
    const char *thumbprint = sso_certificate_thumbprint(sso_certificates_get(certs, turn), SSO_SIGN_PS256);
    return strcmp(thumbprint, sso_certificate_thumbprint(parse(&pair_a), SSO_SIGN_PS256)) == 0 ? 'a' : 'b';
}

static void test_certificates_without_hand_over_have_one_turn(void **state)
{
    (void)state;
    sso_certificates_t *certs = sso_certificates_make(unit_pool, parse(&pair_a));
    sso_turn_t turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(shown(certs, turn), 'a');
    assert_int_equal(sso_certificates_turn(&unit_ctx, certs, turn), SSO_TURN_NONE);
    sso_certificates_taken(&unit_ctx, certs, turn, SSO_TURN_NONE);
}

static void test_certificates_first_one_has_no_other(void **state)
{
    (void)state;
    sso_certificates_t *certs = follow(&pair_a);
    sso_turn_t turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(shown(certs, turn), 'a');
    assert_int_equal(sso_certificates_turn(&unit_ctx, certs, turn), SSO_TURN_NONE);
}

static void test_certificate_pack_of_the_same_pair_is_no_news(void **state)
{
    (void)state;
    (void)follow(&pair_a);
    assert_false(hand(&pair_a));
    assert_true(hand(&pair_b));
    assert_false(hand(&pair_b));
    assert_true(hand(&pair_a)); /* back again: then b is the one before */
    const sso_pem_pair_t other_key = {pair_a.cert_pem, pair_b.key_pem};
    assert_true(hand(&other_key));
}

static void test_certificate_pack_of_what_is_too_large_is_refused(void **state)
{
    (void)state;
    char *large = apr_palloc(unit_pool, SSO_MAX_HANDED + 1);
    memset(large, 'x', SSO_MAX_HANDED);
    large[SSO_MAX_HANDED] = '\0';
    const sso_pem_pair_t pair = {large, large};
    apr_size_t len;
    assert_null(sso_certificate_pack(unit_pool, &pair, NULL, 0, &len));
}

/* New at our side, not known at Entra yet: refused once a minute, and the one before serves meanwhile. */
static void test_certificates_new_one_unknown_to_entra_leaves_the_old_one_in_use(void **state)
{
    (void)state;
    sso_certificates_t *certs = follow(&pair_a);
    assert_true(hand(&pair_b));
    sso_turn_t turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(shown(certs, turn), 'b');
    sso_turn_t second = sso_certificates_turn(&unit_ctx, certs, turn);
    assert_int_equal(shown(certs, second), 'a');
    assert_int_equal(sso_certificates_refused(handoff), 0);
    sso_certificates_taken(&unit_ctx, certs, second, turn);
    assert_int_equal(sso_certificates_refused(handoff), now);
    /* Every process of the node: the old one first. */
    sso_certificates_t *elsewhere = sso_certificates_make(unit_pool, parse(&pair_a));
    assert_true(sso_certificates_follow(elsewhere, unit_pool, handoff));
    unit_ctx.now = now + SEC(59);
    assert_int_equal(shown(elsewhere, sso_certificates_turn(&unit_ctx, elsewhere, SSO_TURN_NONE)), 'a');
    sso_certificates_taken(&unit_ctx, elsewhere, SSO_TURN_PREVIOUS, SSO_TURN_NONE);
    /* After a minute the new one is tried again, and now it is known. */
    unit_ctx.now = now + SEC(60);
    turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(shown(certs, turn), 'b');
    sso_certificates_taken(&unit_ctx, certs, turn, SSO_TURN_NONE);
    assert_int_equal(sso_certificates_refused(handoff), 0);
    assert_int_equal(shown(elsewhere, sso_certificates_turn(&unit_ctx, elsewhere, SSO_TURN_NONE)), 'b');
}

/* The old one was taken away at Entra while it came first here. */
static void test_certificates_old_one_refused_leads_to_the_new_one(void **state)
{
    (void)state;
    sso_certificates_t *certs = follow(&pair_a);
    assert_true(hand(&pair_b));
    sso_certificates_taken(&unit_ctx, certs, SSO_TURN_PREVIOUS, SSO_TURN_CURRENT);
    sso_turn_t turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(shown(certs, turn), 'a');
    sso_turn_t second = sso_certificates_turn(&unit_ctx, certs, turn);
    assert_int_equal(shown(certs, second), 'b');
    sso_certificates_taken(&unit_ctx, certs, second, turn);
    assert_int_equal(sso_certificates_refused(handoff), 0);
}

static void test_certificates_ended_one_has_no_turn(void **state)
{
    (void)state;
    sso_certificates_t *certs = follow(&pair_a);
    assert_true(hand(&pair_b));
    sso_certificates_taken(&unit_ctx, certs, SSO_TURN_PREVIOUS, SSO_TURN_CURRENT);
    unit_ctx.now = sso_certificate_expires(parse(&pair_a));
    sso_handoff_note(handoff, unit_ctx.now);
    sso_turn_t turn = sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE);
    assert_int_equal(turn, SSO_TURN_CURRENT);
    assert_int_equal(sso_certificates_turn(&unit_ctx, certs, turn), SSO_TURN_NONE);
}

/* A third one, and bytes that are none: what was there stays. */
static void test_certificates_unreadable_bytes_change_nothing(void **state)
{
    (void)state;
    sso_certificates_t *certs = follow(&pair_a);
    static const char rubbish[] = "\0\4abcd";
    assert_true(sso_handoff_give(handoff, rubbish, sizeof(rubbish)));
    assert_int_equal(shown(certs, sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE)), 'a');
    const sso_pem_pair_t wrong = {"no certificate", "no key"};
    apr_size_t len = 0;
    const unsigned char *blob = sso_certificate_pack(unit_pool, &wrong, NULL, 0, &len);
    assert_true(sso_handoff_give(handoff, blob, len));
    assert_int_equal(shown(certs, sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE)), 'a');
    assert_rc(SSO_OK, unit_ctx.fault.rc);
    assert_true(hand(&pair_b));
    assert_int_equal(shown(certs, sso_certificates_turn(&unit_ctx, certs, SSO_TURN_NONE)), 'b');
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, unit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_certificate_read_takes_one_file_or_two),
        test(test_certificate_read_refuses_what_is_no_pair),
        test(test_certificates_without_hand_over_have_one_turn),
        test(test_certificates_first_one_has_no_other),
        test(test_certificate_pack_of_the_same_pair_is_no_news),
        test(test_certificate_pack_of_what_is_too_large_is_refused),
        test(test_certificates_new_one_unknown_to_entra_leaves_the_old_one_in_use),
        test(test_certificates_old_one_refused_leads_to_the_new_one),
        test(test_certificates_ended_one_has_no_turn),
        test(test_certificates_unreadable_bytes_change_nothing),
    };
    return fixture_run(tests);
}
