/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter claims to the letter, and challenges: every spelling that is allowed, and nothing that is not. */
#include "entra/challenge.h"

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"

/* As in Microsoft's documents. */
#define NBF "{\"access_token\":{\"nbf\":{\"essential\":true, \"value\":\"1790000000\"}}}"
#define NBF_BASE64 "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTc5MDAwMDAwMCJ9fX0="
#define BEARER "Bearer realm=\"\", authorization_uri=\"https://login.example/common/oauth2/authorize\", "
#define CLAIMS "error=\"insufficient_claims\", claims=\"" NBF_BASE64 "\""

static const char *composed(const char *acr, bool continuous, const char *challenge)
{
    const char *claims = "unset";
    const sso_claims_parts_t parts = {acr, continuous, challenge};
    assert_rc(SSO_OK, sso_claims_compose(&unit_ctx, &parts, &claims));
    return claims;
}

static void test_claims_compose_each_part_and_all(void **state)
{
    (void)state;
    assert_null(composed(NULL, false, NULL));
    assert_string_equal(composed(NULL, true, NULL), "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}");
    assert_string_equal(composed("c1", false, NULL), "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}");
    assert_string_equal(composed("c1", true, NULL), "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}},"
                                                    "\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}");
    assert_string_equal(composed(NULL, true, NBF), "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":"
                                                   "\"1790000000\"},\"xms_cc\":{\"values\":[\"cp1\"]}}}");
    assert_string_equal(composed("c1", true, "{\"id_token\":{\"x\":null},\"access_token\":{\"y\":null}}"),
                        "{\"id_token\":{\"x\":null,\"acrs\":{\"essential\":true,\"value\":\"c1\"}},\"access_token\":"
                        "{\"y\":null,\"xms_cc\":{\"values\":[\"cp1\"]}}}");
}

/* SECURITY: a challenge cannot take back what the client says of itself, nor a context that a page asks for. */
static void test_claims_compose_own_parts_win(void **state)
{
    (void)state;
    assert_string_equal(composed(NULL, true, "{\"access_token\":{\"xms_cc\":{\"values\":[\"none\"]}}}"),
                        "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}");
    assert_string_equal(
        composed("c1", false, "{\"id_token\":{\"acrs\":{\"value\":\"c9\"}},\"access_token\":{\"nbf\":null}}"),
        "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}},\"access_token\":{\"nbf\":null}}");
}

static void test_claims_compose_escapes(void **state)
{
    (void)state;
    assert_string_equal(composed("a\"b", false, NULL),
                        "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"a\\\"b\"}}}");
}

static void test_claims_compose_refuses_what_is_no_claims_request(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"access_token\":{}}",
                                      "{\"access_token\":[1]}",
                                      "{\"access_token\":{\"a\":null},\"b\":1}",
                                      "{\"id_token\":{\"a\":null}}",
                                      NBF "x"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *claims = "before";
        const sso_claims_parts_t parts = {NULL, true, bad[i]};
        assert_rc(SSO_R_PROBE_CHALLENGE, sso_claims_compose(&unit_ctx, &parts, &claims));
        assert_string_equal(claims, "before");
    }
}

/* ---- challenges ---- */

static const char *challenge_of(const char *header)
{
    const char *claims = "before";
    sso_fault_clear(&unit_ctx);
    sso_rc rc = sso_challenge_read(&unit_ctx, header, &claims);
    if (rc != SSO_OK) {
        unit_fail("%s: %s", header, unit_ctx.fault.detail);
    }
    return claims;
}

static void test_challenge_in_every_spelling(void **state)
{
    static const char *const good[] = {
        BEARER CLAIMS,
        "Bearer " CLAIMS,
        "bearer " CLAIMS,
        "BEARER   CLAIMS=\"" NBF_BASE64 "\" ,\tERROR=\"insufficient_claims\"",
        "Bearer claims=\"" NBF_BASE64 "\", error=insufficient_claims",
        "Bearer error = \"insufficient_claims\" , claims = \"" NBF_BASE64 "\"",
        "Bearer error=\"\\i\\nsufficient_claims\", claims=\"" NBF_BASE64 "\"",
        "Bearer realm=\"a, error=\\\"x\\\", Basic b\", " CLAIMS,
        "Basic realm=\"x\", " BEARER CLAIMS,
        BEARER CLAIMS ", Basic realm=\"x\"",
        "Negotiate, " BEARER CLAIMS,
        "Negotiate YWJj==, " BEARER CLAIMS ", NTLM",
        "Bearer, " BEARER CLAIMS,
        "Bearer realm=\"\", error=\"invalid_token\", " BEARER CLAIMS,
        ", ," BEARER CLAIMS ", , ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const char *claims = challenge_of(good[i]);
        if (claims == NULL || strcmp(claims, NBF) != 0) {
            unit_fail("%s: %s", good[i], claims == NULL ? "-" : claims);
        }
    }
}

static void test_challenge_of_another_kind_is_none(void **state)
{
    static const char *const others[] = {
        NULL,
        "",
        " , ",
        "Bearer",
        "Negotiate",
        "Bearer realm=\"\"",
        "Bearer error=\"invalid_token\", error_description=\"expired\"",
        "Bearer error=\"Insufficient_Claims\", claims=\"" NBF_BASE64 "\"",
        "DPoP " CLAIMS,
        "Basic realm=\"Bearer error=insufficient_claims\"",
        "Bearer claims=\"" NBF_BASE64 "\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (challenge_of(others[i]) != NULL) {
            unit_fail("%s", others[i]);
        }
    }
}

static void assert_refused(const char *header)
{
    const char *claims = "before";
    sso_fault_clear(&unit_ctx);
    if (sso_challenge_read(&unit_ctx, header, &claims) != SSO_R_PROBE_CHALLENGE) {
        unit_fail("accepted: %s", header);
    }
    assert_string_equal(claims, "before");
}

static void test_challenge_malformed_is_refused(void **state)
{
    static const char *const bad[] = {
        "Bearer error=\"insufficient_claims\"",
        "Bearer error=\"insufficient_claims\", claims=\"\"",
        "Bearer error=\"insufficient_claims\", claims=\"not base64!\"",
        "Bearer error=\"insufficient_claims\", claims=\"e30=\"",
        "Bearer error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnt9fQ==\"",
        "Bearer error=\"insufficient_claims\", claims=\"AAAA\"",
        "Bearer " CLAIMS ", claims=\"" NBF_BASE64 "\"",
        "Bearer " CLAIMS ", error=\"insufficient_claims\"",
        BEARER CLAIMS ", " BEARER CLAIMS,
        BEARER CLAIMS "x",
        BEARER "error=\"insufficient_claims\" claims=\"" NBF_BASE64 "\"",
        BEARER "error=\"insufficient_claims",
        BEARER "error=\"insufficient_claims\\",
        "Bearer error=\"insufficient_claims\n\", claims=\"" NBF_BASE64 "\"",
        "Bearer =x, " CLAIMS,
        "\"Bearer\" " CLAIMS,
        "Bearer: " CLAIMS,
        "{}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i]);
    }
}

static void test_challenge_at_its_bounds(void **state)
{
    (void)state;
    apr_size_t most = SSO_MAX_CHALLENGE_CLAIMS;
    const char *head = "{\"access_token\":{\"a\":\"";
    for (apr_size_t size = most - 1; size <= most + 3; size++) {
        char *json = apr_palloc(unit_pool, size + 1);
        memset(json, 'x', size);
        json[size] = '\0';
        memcpy(json, head, strlen(head));
        memcpy(json + size - 3, "\"}}", 3);
        const char *header = apr_pstrcat(unit_pool, "Bearer error=\"insufficient_claims\", claims=\"",
                                         sso_base64(unit_pool, json, size), "\"", NULL);
        if (size <= most) {
            assert_string_equal(challenge_of(header), json);
        } else {
            assert_refused(header);
        }
    }
    char *blank = apr_palloc(unit_pool, SSO_MAX_CHALLENGE + 2);
    memset(blank, ' ', SSO_MAX_CHALLENGE + 1);
    blank[SSO_MAX_CHALLENGE + 1] = '\0';
    assert_refused(blank);
    blank[SSO_MAX_CHALLENGE] = '\0';
    assert_null(challenge_of(blank));
}

/* Every length and every flipped bit: what comes out is nothing, a refusal, or a claims request that can be sent on. */
static void test_challenge_mutated_stays_within_its_bounds(void **state)
{
    (void)state;
    static const char seed[] = "Basic realm=\"x\", Bearer realm=\"\", " CLAIMS ", Negotiate YWJj==";
    size_t len = sizeof(seed) - 1;
    for (size_t i = 0; i < len * 8 + len; i++) {
        size_t cut = i < len * 8 ? len : i - len * 8;
        /* A copy of exactly this size, so that AddressSanitizer sees a read past it. */
        char *text = malloc(cut + 1);
        const char *claims = NULL;
        assert_non_null(text);
        memcpy(text, seed, cut);
        text[cut] = '\0';
        if (i < len * 8) {
            text[i / 8] = (char)((unsigned char)text[i / 8] ^ (1U << (i % 8)));
        }
        sso_fault_clear(&unit_ctx);
        sso_rc rc = sso_challenge_read(&unit_ctx, text, &claims);
        assert_true(rc == SSO_OK || rc == SSO_R_PROBE_CHALLENGE);
        if (rc == SSO_OK && claims != NULL) {
            assert_non_null(composed(NULL, true, claims));
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_claims_compose_each_part_and_all),
        unit_test(test_claims_compose_own_parts_win),
        unit_test(test_claims_compose_escapes),
        unit_test(test_claims_compose_refuses_what_is_no_claims_request),
        unit_test(test_challenge_in_every_spelling),
        unit_test(test_challenge_of_another_kind_is_none),
        unit_test(test_challenge_malformed_is_refused),
        unit_test(test_challenge_at_its_bounds),
        unit_test(test_challenge_mutated_stays_within_its_bounds),
    };
    return unit_run(tests);
}
