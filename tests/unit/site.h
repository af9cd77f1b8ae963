/* SPDX-License-Identifier: Apache-2.0 */
/* A protected application for the tests of session and flow: key rings, a site whose authority is an invented Entra
 * that keeps codes and checks PKCE, and browsers that keep cookies. Included by tests only, after unit.h. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/limits.h"
#include "database.h"
#include "fake_http.h"
#include "fixture.h"
#include "flow/flow.h"
#include "flow/signin.h"
#include "flow/state.h"
#include "lists.h"

#define SITE_ORIGIN "https://app.example.com"
#define SITE_HOUR apr_time_from_sec(3600)
#define SITE_MINUTE apr_time_from_sec(60)
#define SITE_SECRET "planted-client-secret"
#define SITE_REFRESH_TOKEN "planted-refresh-token"
#define SITE_APP "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
#define SITE_KID "kid-a"
#define SITE_CODES_MAX 64
/* As httpd has it by default (LimitRequestFieldSize), with room for cookies of the application. */
#define SITE_MAX_COOKIE 7000

/* ---- key rings: made once per program ---- */

static sso_keyring_t *site_ring UNIT_MAYBE_UNUSED;
static sso_keyring_t *site_other_ring UNIT_MAYBE_UNUSED;

static sso_keyring_t *site_ring_make(sso_ctx_t *ctx)
{
    char folder[] = "/tmp/entra_unit.XXXXXX";
    sso_keyring_t *ring = NULL;
    bool made;
    if (mkdtemp(folder) == NULL) {
        return NULL;
    }
    const char *path = apr_pstrcat(ctx->pool, folder, "/cookie.keys", NULL);
    if (sso_keyring_make(ctx, path, &made) != SSO_OK || sso_keyring_load(ctx, ctx->pool, path, &ring) != SSO_OK) {
        ring = NULL;
    }
    unlink(path);
    rmdir(folder);
    return ring;
}

static int UNIT_MAYBE_UNUSED site_group_setup(void **state)
{
    sso_ctx_t ctx;
    if (unit_group_setup(state) != 0) {
        return -1;
    }
    sso_ctx_init(&ctx, unit_process_pool, SSO_TEST_NOW);
    if (sso_crypto_init(&ctx, unit_process_pool) != SSO_OK) {
        return -1;
    }
    site_ring = site_ring_make(&ctx);
    site_other_ring = site_ring_make(&ctx);
    return site_ring != NULL && site_other_ring != NULL ? 0 : -1;
}

/* ---- one application and its Entra: made anew for each test ---- */

/* A code that Entra gave out. */
typedef struct {
    const char *code, *nonce, *challenge;
    bool used;
} site_code_t;

typedef struct {
    sso_site_t site;
    fake_http_t *fake;
    fake_row_t *token;              /* what the token endpoint says */
    bool scripted;                  /* the test has written that row */
    bool no_refresh_token;          /* Entra gives none */
    const fixture_claim_t *changes; /* of the claims in tokens to come; NULL none */
    site_code_t codes[SITE_CODES_MAX];
    int code_count;
} site_world_t;

static site_world_t *site_world UNIT_MAYBE_UNUSED;

static UNIT_MAYBE_UNUSED const char *site_id_token(const char *nonce)
{
    apr_time_t seconds = apr_time_sec(unit_ctx.now);
    fixture_claim_t changes[32] = {
        {"iat", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"nbf", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds - 300)},
        {"exp", apr_psprintf(unit_pool, "%" APR_TIME_T_FMT, seconds + 3600)},
        {"nonce", apr_pstrcat(unit_pool, "\"", nonce, "\"", NULL)},
    };
    size_t count = 4;
    for (const fixture_claim_t *change = site_world->changes; change != NULL && change->name != NULL; change++) {
        assert_true(count < 31);
        changes[count++] = *change;
    }
    return fixture_token(unit_pool, FIXTURE_KEY_A, fixture_header(unit_pool, SITE_KID),
                         fixture_claims(unit_pool, changes));
}

static UNIT_MAYBE_UNUSED const char *site_token_body(const char *nonce)
{
    const char *refresh = site_world->no_refresh_token ? "" : "\"refresh_token\":\"" SITE_REFRESH_TOKEN "\",";
    return apr_pstrcat(unit_pool,
                       "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"planted-access-token\",",
                       refresh, "\"id_token\":\"", site_id_token(nonce), "\"}", NULL);
}

#define SITE_INVALID_GRANT                                                                                             \
    "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS54005: OAuth2 Authorization code was already "         \
    "redeemed.\"}"

/* Entra's token endpoint: a code is good once, and for whoever knows the verifier (RFC 7636 4.6). */
static void UNIT_MAYBE_UNUSED site_token_endpoint(fake_http_t *fake, const char *url)
{
    if (strstr(url, "/token") == NULL || site_world->scripted) {
        return;
    }
    const fake_request_t *request = fake_http_last(fake);
    const char *code = fake_http_field(request, "code");
    const char *verifier = fake_http_field(request, "code_verifier");
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(verifier, strlen(verifier), digest);
    site_world->token->status = 400;
    site_world->token->body = SITE_INVALID_GRANT;
    for (int i = 0; i < site_world->code_count; i++) {
        site_code_t *known = &site_world->codes[i];
        if (strcmp(known->code, code) == 0 && !known->used &&
            strcmp(known->challenge, sso_base64url(unit_pool, digest, sizeof(digest))) == 0) {
            known->used = true;
            site_world->token->status = 200;
            site_world->token->body = site_token_body(known->nonce);
        }
    }
}

/* A table that was filled. Not from the pool: most of it is never touched. */
static UNIT_MAYBE_UNUSED sso_ended_t *site_table(void)
{
    sso_ended_t *table = calloc(1, sso_ended_size());
    assert_non_null(table);
    apr_pool_cleanup_register(unit_pool, table, unit_free, apr_pool_cleanup_null);
    sso_ended_set_filled(table, unit_ctx.now);
    return table;
}

static void UNIT_MAYBE_UNUSED site_init(sso_site_t *site, sso_authority_t *authority, const sso_http_policy_t *policy)
{
    const char *why;
    site->authority = authority;
    site->credential = sso_credential_secret(unit_pool, SITE_SECRET);
    site->http_policy = policy;
    site->client_id = FIXTURE_CLIENT;
    site->scope = "openid profile email offline_access";
    site->authorize_scope = site->scope;
    site->skew = 5 * SITE_MINUTE;
    site->origin = sso_origin_parse(unit_pool, SITE_ORIGIN, &why);
    site->path = "/.entra";
    site->redirect_uri = SITE_ORIGIN "/.entra/callback";
    site->claims = apr_array_make(unit_pool, 1, sizeof(const char *));
    site->session.keyring = site_ring;
    memset(site->session.binding, 0x5a, sizeof(site->session.binding));
    sso_cookie_policy_init(unit_pool, true, NULL, &site->session.cookies);
    site->session.max_age = 8 * SITE_HOUR;
    site->session.idle = SITE_HOUR;
    site->session.skew = site->skew;
    site->session.max_cookie = SITE_MAX_COOKIE;
    site->ended = site_table();
    site->session.ended = site->ended;
    site->app = SITE_APP;
    site->store = database_store();
}

/* A process of the site with an empty memory: a fresh Entra, or the one before, which still knows its codes. */
static void UNIT_MAYBE_UNUSED site_restart(void)
{
    static const sso_http_policy_t policy = {NULL, NULL, 100000, 100000};
    static const sso_authority_config_t config = {FIXTURE_LOGIN, FIXTURE_TENANT, &policy};
    site_world_t *world = apr_pcalloc(unit_pool, sizeof(*world));
    fake_http_t *fake = fake_http_make(unit_pool);
    void *shared = apr_pcalloc(unit_pool, sso_authority_shared_size());
    if (site_world != NULL) {
        memcpy(world->codes, site_world->codes, sizeof(world->codes));
        world->code_count = site_world->code_count;
    }
    fake_http_always(fake, "/openid-configuration", 200, fixture_discovery(unit_pool, FIXTURE_TENANT, FIXTURE_TENANT));
    fake_http_always(
        fake, "/keys", 200,
        fixture_jwks(unit_pool, fixture_entra_jwk(unit_pool, FIXTURE_KEY_A, SITE_KID, FIXTURE_ISSUER), NULL));
    world->token = fake_http_always(fake, "/token", 400, SITE_INVALID_GRANT);
    world->fake = fake;
    fake->during = site_token_endpoint;
    site_init(&world->site, sso_authority_make(unit_pool, &config, shared, &fake->face), &policy);
    site_world = world;
}

static int UNIT_MAYBE_UNUSED site_setup(void **state)
{
    if (database_setup(state) != 0) {
        return -1;
    }
    site_world = NULL;
    site_restart();
    return 0;
}

#define site_test(function) cmocka_unit_test_setup_teardown(function, site_setup, database_teardown)
#define site_run(tests) cmocka_run_group_tests((tests), site_group_setup, fixture_teardown)

/* How often the token endpoint was called. */
static int UNIT_MAYBE_UNUSED site_token_calls(void)
{
    return fake_http_count(site_world->fake, "/token");
}

/* ---- URLs ---- */

/* A parameter of a URL, decoded; NULL when absent. */
static UNIT_MAYBE_UNUSED const char *site_param(const char *url, const char *name)
{
    apr_table_t *pairs;
    const char *value = NULL;
    const char *query = strchr(url, '?');
    assert_int_equal(sso_query_parse(&unit_ctx, query == NULL ? NULL : query + 1, &pairs), SSO_OK);
    assert_int_equal(sso_query_one(&unit_ctx, pairs, name, &value), SSO_OK);
    return value;
}

static bool UNIT_MAYBE_UNUSED site_begins(const char *text, const char *start)
{
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

/* What the person does at Entra: signs in, and is sent back. The callback's query. */
static UNIT_MAYBE_UNUSED const char *site_entra_signs_in(const char *location)
{
    assert_true(site_begins(location, FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/authorize?"));
    assert_true(site_world->code_count < SITE_CODES_MAX);
    site_code_t *given = &site_world->codes[site_world->code_count];
    given->code = apr_psprintf(unit_pool, "planted-code-%d", site_world->code_count++);
    given->nonce = site_param(location, "nonce");
    given->challenge = site_param(location, "code_challenge");
    return apr_pstrcat(unit_pool, "code=", given->code, "&state=", site_param(location, "state"), "&session_state=s",
                       NULL);
}

/* ---- browsers ---- */

typedef struct {
    apr_table_t *jar;                /* cookie name to value */
    const char *const *headers;      /* name and value in turn, up to NULL; NULL none */
    const char *host;                /* NULL unknown */
    bool drops_session, drops_login; /* it does not keep such a cookie */
    const sso_wishes_t *wishes;      /* of the page that it visits; NULL none */
} site_browser_t;

static UNIT_MAYBE_UNUSED site_browser_t *site_browser(void)
{
    site_browser_t *browser = apr_pcalloc(unit_pool, sizeof(*browser));
    browser->jar = apr_table_make(unit_pool, 4);
    browser->host = "app.example.com";
    return browser;
}

static void UNIT_MAYBE_UNUSED site_keep_cookies(site_browser_t *browser, const apr_array_header_t *lines)
{
    for (int i = 0; i < lines->nelts; i++) {
        const char *line = sso_text_at(lines, i);
        const char *value = strchr(line, '=');
        assert_non_null(value);
        const char *name = apr_pstrmemdup(unit_pool, line, (apr_size_t)(value - line));
        if (strstr(line, "; Max-Age=0") != NULL) {
            apr_table_unset(browser->jar, name);
        } else if (!(browser->drops_session && strstr(name, "Session") != NULL) &&
                   !(browser->drops_login && strstr(name, "Login") != NULL)) {
            apr_table_set(browser->jar, name, apr_pstrmemdup(unit_pool, value + 1, strcspn(value + 1, ";")));
        }
    }
}

/* The Cookie header; NULL when there are none. */
static UNIT_MAYBE_UNUSED const char *site_cookie_header(const site_browser_t *browser)
{
    const apr_array_header_t *rows = apr_table_elts(browser->jar);
    const apr_table_entry_t *row = (const void *)rows->elts;
    const char *header = NULL;
    for (int i = 0; i < rows->nelts; i++, row++) {
        header = apr_pstrcat(unit_pool, header == NULL ? "" : header, header == NULL ? "" : "; ", row->key, "=",
                             row->val, NULL);
    }
    return header;
}

static UNIT_MAYBE_UNUSED const sso_cookies_t *site_cookies(const site_browser_t *browser)
{
    sso_cookies_t *cookies = apr_palloc(unit_pool, sizeof(*cookies));
    sso_cookie_read(unit_pool, &site_world->site.session.cookies, site_cookie_header(browser), cookies);
    return cookies;
}

static UNIT_MAYBE_UNUSED const char *site_header(const void *baton, const char *name)
{
    const site_browser_t *browser = baton;
    for (const char *const *header = browser->headers; header != NULL && *header != NULL; header += 2) {
        if (strcasecmp(header[0], name) == 0) {
            return header[1];
        }
    }
    return NULL;
}

static UNIT_MAYBE_UNUSED sso_request_t site_request(const site_browser_t *browser, const char *method,
                                                    const char *query)
{
    sso_request_t request = {
        .method = method,
        .host = browser->host,
        .path = "/",
        .query = query,
        .cookies = site_cookies(browser),
        .header = site_header,
        .baton = browser,
    };
    return request;
}

/* The browser asks for a page and is sent to sign in. */
static UNIT_MAYBE_UNUSED sso_answer_t site_visit(site_browser_t *browser, const char *page)
{
    sso_answer_t answer;
    sso_request_t request = site_request(browser, "GET", NULL);
    sso_fault_clear(&unit_ctx);
    sso_signin_start(&unit_ctx, &site_world->site, &request, page, browser->wishes, &answer);
    site_keep_cookies(browser, answer.cookies);
    return answer;
}

static UNIT_MAYBE_UNUSED sso_answer_t site_call_back(site_browser_t *browser, const char *query)
{
    sso_answer_t answer;
    sso_request_t request = site_request(browser, "GET", query);
    sso_fault_clear(&unit_ctx);
    sso_signin_callback(&unit_ctx, &site_world->site, &request, &answer);
    site_keep_cookies(browser, answer.cookies);
    return answer;
}

/* A whole sign-in that works. */
static UNIT_MAYBE_UNUSED sso_answer_t site_sign_in(site_browser_t *browser, const char *page)
{
    sso_answer_t answer = site_visit(browser, page);
    assert_int_equal(answer.kind, SSO_ANSWER_REDIRECT);
    return site_call_back(browser, site_entra_signs_in(answer.location));
}

/* Opens the browser's session. */
static UNIT_MAYBE_UNUSED sso_rc site_session(const site_browser_t *browser, sso_record_t *record)
{
    sso_fault_clear(&unit_ctx);
    sso_rc rc = sso_session_open(&unit_ctx, &site_world->site.session, site_cookies(browser), record);
    sso_fault_clear(&unit_ctx);
    return rc;
}

/* ---- what an answer must be ---- */

static void UNIT_MAYBE_UNUSED site_check_redirect(sso_answer_t answer, const char *location, bool whole,
                                                  const char *file, int line)
{
    bool fits = answer.kind == SSO_ANSWER_REDIRECT &&
                (whole ? strcmp(answer.location, location) == 0 : site_begins(answer.location, location));
    if (!fits) {
        print_error("answer %d to %s (fault %s: %s), expected a redirect to %s\n", (int)answer.kind,
                    answer.location == NULL ? "-" : answer.location, sso_reason(unit_ctx.fault.rc)->name,
                    unit_ctx.fault.detail == NULL ? "-" : unit_ctx.fault.detail, location);
        _fail(file, line);
    }
}

static void UNIT_MAYBE_UNUSED site_check_fault(sso_answer_t answer, sso_rc expected, const char *file, int line)
{
    if (answer.kind != SSO_ANSWER_FAULT || unit_ctx.fault.rc != expected || answer.signed_in) {
        print_error("answer %d to %s (fault %s: %s), expected %s\n", (int)answer.kind,
                    answer.location == NULL ? "-" : answer.location, sso_reason(unit_ctx.fault.rc)->name,
                    unit_ctx.fault.detail == NULL ? "-" : unit_ctx.fault.detail, sso_reason(expected)->name);
        _fail(file, line);
    }
}

/* Fails unless the answer is a redirect to that page of the site. */
#define assert_page(page, answer) site_check_redirect((answer), SITE_ORIGIN page, true, __FILE__, __LINE__)
/* Fails unless the answer sends the browser to Entra. */
#define assert_to_entra(answer) site_check_redirect((answer), FIXTURE_LOGIN "/", false, __FILE__, __LINE__)
/* Fails unless the answer is the fault of that reason, which stands in the context. */
#define assert_fault(reason, answer) site_check_fault((answer), (reason), __FILE__, __LINE__)
