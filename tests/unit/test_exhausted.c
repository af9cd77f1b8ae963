/* SPDX-License-Identifier: Apache-2.0 */
/* Without random numbers, and without memory: every way out refuses. The n-th call for random bytes fails, then the
 * n-th allocation of the C library, of OpenSSL, jansson, cjose and SQLite alike, for every n. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/keyring.h"
#include "base/rotate.h"
#include "base/seal.h"
#include "directory/federated.h"
#include "directory/token.h"
#include "entra/jwt.h"
#include "entra/keys.h"
#include "site.h"

/* More than any of the scenarios needs. */
#define RANDOM_MOST 64
#define MEMORY_MOST 20000

/* ---- random bytes: the call that fails, 0 for none ---- */

static int random_calls;
static int random_fails_at;

int __real_RAND_bytes(unsigned char *data, int len);
int __wrap_RAND_bytes(unsigned char *data, int len);
int __wrap_RAND_bytes(unsigned char *data, int len)
{
    return ++random_calls == random_fails_at ? 0 : __real_RAND_bytes(data, len);
}

static char folder[sizeof("/tmp/entra_unit.XXXXXX")];

static const char *key_path(void)
{
    return apr_pstrcat(unit_pool, folder, "/cookie.keys", NULL);
}

/* Each gives what its call gave, and sees that nothing came of it when it failed. */

static sso_rc seals(void)
{
    static const unsigned char binding[SSO_BINDING_BYTES] = {1};
    const char *text = NULL;
    sso_rc rc = sso_seal(&unit_ctx, site_ring, SSO_PURPOSE_SESSION, binding, "data", 4, &text);
    assert_true(rc == SSO_OK ? text != NULL : text == NULL);
    return rc;
}

static sso_rc makes_a_key_file(void)
{
    bool made = false;
    unlink(key_path());
    sso_rc rc = sso_keyring_make(&unit_ctx, key_path(), &made);
    assert_true(made == (rc == SSO_OK));
    assert_int_equal(access(key_path(), F_OK) == 0, rc == SSO_OK);
    return rc;
}

static sso_rc rotates_a_key_file(void)
{
    sso_rotation_t rotation;
    const char *before = NULL;
    const char *after = NULL;
    const int fails_at = random_fails_at;
    random_fails_at = 0;
    assert_rc(SSO_OK, makes_a_key_file());
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, key_path(), &before));
    random_fails_at = fails_at;
    random_calls = 0;
    sso_rc rc = sso_keyfile_prepare(&unit_ctx, key_path(), &rotation);
    const sso_rc fault = unit_ctx.fault.rc;
    assert_int_equal(rc, fault);
    sso_fault_clear(&unit_ctx);
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, key_path(), &after));
    assert_true((strcmp(before, after) == 0) == (rc != SSO_OK));
    return rc;
}

static sso_rc makes_a_scim_token(void)
{
    const char *token = NULL;
    sso_scim_token_t row;
    int ended = 0;
    /* The first use makes the tables. */
    assert_rc(SSO_OK, sso_scim_token_list(&unit_ctx, site_world->site.store,
                                          apr_array_make(unit_pool, 1, sizeof(sso_scim_token_t))));
    database_sql("DELETE FROM entra_scim_token");
    sso_rc rc = sso_scim_token_make(&unit_ctx, site_world->site.store, SITE_APP, 0, &token, &row, &ended);
    assert_true((token == NULL) == (rc != SSO_OK));
    assert_string_equal(database_sql("SELECT COUNT(*) FROM entra_scim_token"), rc == SSO_OK ? "1" : "0");
    return rc;
}

/* From the first visit to the session's cookie. */
static sso_rc signs_in(void)
{
    sso_record_t record;
    site_browser_t *browser = site_browser();
    sso_answer_t answer = site_visit(browser, "/page");
    sso_rc rc = unit_ctx.fault.rc;
    if (rc == SSO_OK) {
        const int calls = random_calls;
        answer = site_call_back(browser, site_entra_signs_in(answer.location));
        assert_true(random_calls > calls);
        rc = unit_ctx.fault.rc;
    }
    if (rc != SSO_OK) {
        assert_fault(SSO_R_RANDOM, answer);
        assert_false(answer.signed_in);
    }
    assert_int_equal(site_session(browser, &record) == SSO_OK, rc == SSO_OK);
    return rc;
}

static void test_exhausted_random_numbers_refuse_everything(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        sso_rc (*run)(void);
        int least; /* calls for random bytes */
    } scenarios[] = {{"seal", seals, 1},
                     {"a key file", makes_a_key_file, 3},
                     {"a rotation", rotates_a_key_file, 3},
                     {"a SCIM token", makes_a_scim_token, 2},
                     {"a sign-in", signs_in, 5}};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        sso_rc rc = SSO_R_RANDOM;
        int at = 0;
        while (rc != SSO_OK && ++at < RANDOM_MOST) {
            random_calls = 0;
            random_fails_at = at;
            sso_fault_clear(&unit_ctx);
            rc = scenarios[i].run();
            random_fails_at = 0;
            if (rc != SSO_OK && rc != SSO_R_RANDOM) {
                unit_fail("%s, call %d: %s", scenarios[i].name, at, sso_reason(rc)->name);
            }
        }
        /* Every call but the last round's failed the whole. */
        if (rc != SSO_OK || at <= scenarios[i].least) {
            unit_fail("%s: works with call %d failing", scenarios[i].name, at);
        }
    }
    sso_fault_clear(&unit_ctx);
    assert_int_equal(sso_reason(SSO_R_RANDOM)->status, 503);
}

/* ---- memory ---- */

#ifndef UNDER_SANITIZER
static struct {
    bool on;
    long calls, fails_at;
} memory;

/* Stands in front of the C library's own, for this program and every library that it loads. */
#define FAILING(name, parameters, arguments)                                                                           \
    __attribute__((visibility("default"))) void *name parameters                                                       \
    {                                                                                                                  \
        static void *(*next)parameters;                                                                                \
        if (!next) {                                                                                                   \
            void *found = dlsym(RTLD_NEXT, #name);                                                                     \
            memcpy(&next, &found, sizeof(next));                                                                       \
        }                                                                                                              \
        return memory.on && ++memory.calls == memory.fails_at ? NULL : next arguments;                                 \
    }

FAILING(malloc, (size_t size), (size))
FAILING(calloc, (size_t count, size_t size), (count, size))
FAILING(realloc, (void *data, size_t size), (data, size))

typedef enum { REFUSED, DONE, WRONG } outcome_t;

static const unsigned char binding[SSO_BINDING_BYTES] = {1};
static const char *ring_text, *sealed, *good_token, *forged_token, *jwks_text;
static char *altered;

/* A ring from its text, a record sealed and opened again. */
static outcome_t seal_and_open(void)
{
    sso_keyring_t *ring;
    const char *text;
    unsigned char *data;
    apr_size_t len;
    if (sso_keyring_parse(&unit_ctx, unit_pool, ring_text, "the test's", &ring) != SSO_OK ||
        sso_seal(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, "data", 4, &text) != SSO_OK ||
        sso_open(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, text, strlen(text), &data, &len) != SSO_OK) {
        return REFUSED;
    }
    return len == 4 && memcmp(data, "data", 4) == 0 ? DONE : WRONG;
}

static outcome_t open_altered(void)
{
    sso_keyring_t *ring;
    unsigned char *data;
    apr_size_t len;
    if (sso_keyring_parse(&unit_ctx, unit_pool, ring_text, "the test's", &ring) != SSO_OK) {
        return REFUSED;
    }
    return sso_open(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, altered, strlen(altered), &data, &len) == SSO_OK
               ? WRONG
               : REFUSED;
}

static sso_rc verify(const char *token, const sso_json_t **ret_claims)
{
    const sso_keyset_t *keys;
    sso_jwt_t jwt;
    sso_rc rc = sso_keys_parse(&unit_ctx, unit_pool, jwks_text, strlen(jwks_text), &keys);
    rc = rc == SSO_OK ? sso_jwt_parse(&unit_ctx, token, &jwt) : rc;
    const sso_key_t *key = rc == SSO_OK ? sso_keys_find(keys, jwt.kid) : NULL;
    if (rc != SSO_OK || key == NULL) {
        return SSO_R_CRYPTO;
    }
    return sso_jwt_verify(&unit_ctx, &jwt, key->jwk, ret_claims);
}

static outcome_t verify_good(void)
{
    const sso_json_t *claims;
    if (verify(good_token, &claims) != SSO_OK) {
        return REFUSED;
    }
    const char *oid = sso_json_get_text(claims, "oid");
    return oid != NULL && strcmp(oid, FIXTURE_OID) == 0 ? DONE : WRONG;
}

static outcome_t verify_forged(void)
{
    const sso_json_t *claims;
    return verify(forged_token, &claims) == SSO_OK ? WRONG : REFUSED;
}

/* A signature that is given out is one that the public half takes. */
static outcome_t sign(void)
{
    static const unsigned char secret[SSO_KEY_BYTES] = {7};
    const sso_signing_key_t *key;
    unsigned char sig[SSO_ES256_BYTES];
    if (sso_signing_key_derive(&unit_ctx, unit_pool, secret, &key) != SSO_OK ||
        sso_signing_key_sign(&unit_ctx, key, "data", 4, sig) != SSO_OK) {
        return REFUSED;
    }
    return strlen(sso_signing_key_x(key)) == 43 && strlen(sso_signing_key_y(key)) == 43 ? DONE : WRONG;
}

/* As httpd's pools do. */
static int end_process(int code)
{
    (void)code;
    abort();
}

typedef struct {
    const char *name;
    outcome_t (*run)(void);
    bool forged;
    bool cjose; /* cjose does not look whether it got memory, and crashes: that too is the end of a process */
} scenario_t;

/* In a process of its own, which may end for want of memory: a request that is not answered lets nobody in. */
static bool run_with_failure(const scenario_t *scenario, long at)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's own would go on here with the parent's tests */
        apr_pool_abort_set(end_process, unit_pool);
        memory.fails_at = at;
        memory.calls = 0;
        memory.on = true;
        outcome_t outcome = scenario->run();
        memory.on = false;
        bool failed = memory.calls >= at;
        bool wrong = outcome == WRONG || (!failed && outcome != (scenario->forged ? REFUSED : DONE));
        _exit(wrong ? 2 : failed ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool ended = signal_number == SIGABRT || (signal_number == SIGSEGV && scenario->cjose);
    if (!ended && !(WIFEXITED(status) && WEXITSTATUS(status) < 2)) {
        unit_fail("%s, allocation %ld: signal %d, result %d", scenario->name, at, signal_number, WEXITSTATUS(status));
    }
    return !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

static void prepare(void)
{
    makes_a_key_file();
    assert_rc(SSO_OK, sso_keyring_read(&unit_ctx, unit_pool, key_path(), &ring_text));
    sso_keyring_t *ring;
    assert_rc(SSO_OK, sso_keyring_parse(&unit_ctx, unit_pool, ring_text, "the test's", &ring));
    assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, "data", 4, &sealed));
    altered = apr_pstrdup(unit_pool, sealed);
    altered[strlen(altered) - 8] = altered[strlen(altered) - 8] == 'A' ? 'B' : 'A';
    const char *header = fixture_header(unit_pool, SITE_KID);
    good_token = fixture_token(unit_pool, FIXTURE_KEY_A, header, fixture_claims(unit_pool, NULL));
    forged_token = fixture_token(unit_pool, FIXTURE_KEY_B, header, fixture_claims(unit_pool, NULL));
    jwks_text = fixture_jwks(unit_pool, fixture_entra_jwk(unit_pool, FIXTURE_KEY_A, SITE_KID, FIXTURE_ISSUER), NULL);
}

static void test_exhausted_memory_lets_nobody_in(void **state)
{
    (void)state;
    static const scenario_t scenarios[] = {{"seal and open", seal_and_open, false, false},
                                           {"an altered record", open_altered, true, false},
                                           {"a good token", verify_good, false, true},
                                           {"a forged token", verify_forged, true, true},
                                           {"signing", sign, false, false}};
    if (getenv("UNDER_VALGRIND") != NULL) {
        skip(); /* it puts its own functions before ours */
    }
    random_fails_at = 0;
    prepare();
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        long at = 1;
        while (at < MEMORY_MOST && run_with_failure(&scenarios[i], at)) {
            at++;
        }
        if (at < 10 || at >= MEMORY_MOST) {
            unit_fail("%s: %ld allocations", scenarios[i].name, at);
        }
    }
}
#endif

static int exhausted_setup(void **state)
{
    memcpy(folder, "/tmp/entra_unit.XXXXXX", sizeof(folder));
    return mkdtemp(folder) == NULL ? -1 : site_setup(state);
}

static int exhausted_teardown(void **state)
{
    unlink(key_path());
    rmdir(folder);
    return database_teardown(state);
}

#define exhausted_test(function) cmocka_unit_test_setup_teardown(function, exhausted_setup, exhausted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        exhausted_test(test_exhausted_random_numbers_refuse_everything),
#ifndef UNDER_SANITIZER
        exhausted_test(test_exhausted_memory_lets_nobody_in),
#endif
    };
    return site_run(tests);
}
