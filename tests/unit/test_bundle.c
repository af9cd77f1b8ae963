/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle of CAs is judged before libcurl has to. */
#include "base/bundle.h"

#include "unit.h"

#include "base/crypto.h"
#include "files.h"
#include "fixture.h"

static const char *judge(const char *text, mode_t mode, int *ret_count)
{
    return sso_bundle_check(unit_pool, file_of(text, strlen(text), mode), ret_count);
}

static void test_bundle_is_counted(void **state)
{
    (void)state;
    const char *cert;
    const char *key;
    int count = -1;
    fixture_certificate_of(unit_pool, FIXTURE_KEY_A, 7200, &cert, &key);
    assert_null(judge(cert, 0644, &count));
    assert_int_equal(count, 1);
    assert_null(judge(apr_pstrcat(unit_pool, "# a comment\n", cert, "\n", cert, cert, NULL), 0644, &count));
    assert_int_equal(count, 3);
}

static void test_bundle_that_is_none(void **state)
{
    (void)state;
    const char *cert;
    const char *key;
    int count = -1;
    fixture_certificate_of(unit_pool, FIXTURE_KEY_A, 7200, &cert, &key);
    assert_non_null(strstr(judge(cert, 0640, &count), "no file that everyone can read"));
    assert_non_null(strstr(sso_bundle_check(unit_pool, "/nowhere/ca.pem", &count), "no file that everyone can read"));
    assert_non_null(strstr(sso_bundle_check(unit_pool, "/tmp", &count), "no file that everyone can read"));
    const char *const bad[] = {"", "no pem\n", key,
                               "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *wrong = judge(bad[i], 0644, &count);
        if (wrong == NULL || strstr(wrong, "holds no PEM certificate") == NULL) {
            unit_fail("%zu: %s", i, wrong == NULL ? "good" : wrong);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_bundle_is_counted),
        unit_test(test_bundle_that_is_none),
    };
    return unit_run(tests);
}
