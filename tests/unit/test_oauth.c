/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the code flow: URLs to the letter, callbacks judged, token answers and refusals each with their
 * reason. */
#include "entra/oauth.h"

#include "unit.h"

#include "base/limits.h"
#include "fake_http.h"
#include "fixture.h"

#define AUTHORIZE FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/authorize"
#define TOKEN FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/token"
#define LOGOUT FIXTURE_LOGIN "/" FIXTURE_TENANT "/oauth2/v2.0/logout"
#define CALLBACK "https://app.contoso.example/.entra/callback"
#define CORRELATION "2f9c0d8e-7b1a-4e55-9a3d-1c2b3a4d5e6f"
/* The pair of RFC 7636 appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static const sso_metadata_t metadata = {
    .issuer = FIXTURE_ISSUER,
    .authorization_endpoint = AUTHORIZE,
    .token_endpoint = TOKEN,
    .end_session_endpoint = LOGOUT,
};

static sso_authorize_t authorize_request(void)
{
    sso_authorize_t request = {
        .client_id = FIXTURE_CLIENT,
        .redirect_uri = CALLBACK,
        .scope = "openid profile email",
        .state = "s-1",
        .nonce = "n-1",
        .code_verifier = VERIFIER,
    };
    return request;
}

#define AUTHORIZE_QUERY                                                                                                \
    "client_id=" FIXTURE_CLIENT                                                                                        \
    "&response_type=code&redirect_uri=https%3A%2F%2Fapp.contoso.example%2F.entra%2Fcallback"                           \
    "&response_mode=query&scope=openid%20profile%20email&state=s-1&nonce=n-1&code_challenge=" CHALLENGE                \
    "&code_challenge_method=S256"

static void test_oauth_authorize_url_is_exact(void **state)
{
    (void)state;
    const sso_authorize_t request = authorize_request();
    assert_string_equal(sso_authorize_url(unit_pool, &metadata, &request), AUTHORIZE "?" AUTHORIZE_QUERY);
}

static void test_oauth_authorize_url_takes_what_is_wanted(void **state)
{
    (void)state;
    sso_authorize_t request = authorize_request();
    request.prompt = "select_account";
    request.login_hint = "ada+x@contoso.example";
    request.domain_hint = "contoso.example";
    request.claims = "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}";
    request.max_age = "600";
    request.correlation_id = CORRELATION;
    assert_string_equal(sso_authorize_url(unit_pool, &metadata, &request), AUTHORIZE
                        "?" AUTHORIZE_QUERY
                        "&prompt=select_account&login_hint=ada%2Bx%40contoso.example&domain_hint=contoso.example"
                        "&claims=%7B%22id_token%22%3A%7B%22acrs%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%22c1%"
                        "22%7D%7D%7D&max_age=600"
                        "&client-request-id=" CORRELATION);
}

/* No value can leave its place, whatever it holds. */
static void test_oauth_authorize_url_encodes_hostile_values(void **state)
{
    (void)state;
    sso_authorize_t request = authorize_request();
    request.login_hint = "a&client_id=evil#\r\nX: y\"<>% \xc3\xa4";
    const char *url = sso_authorize_url(unit_pool, &metadata, &request);
    assert_non_null(strstr(url, "&login_hint=a%26client_id%3Devil%23%0D%0AX%3A%20y%22%3C%3E%25%20%C3%A4"));
    assert_null(strpbrk(url, "#\r\n\"<> "));
}

static void test_oauth_authorize_url_keeps_the_endpoints_query(void **state)
{
    (void)state;
    const sso_authorize_t request = authorize_request();
    static const char *const rows[][2] = {
        {AUTHORIZE "?p=b2c", AUTHORIZE "?p=b2c&" AUTHORIZE_QUERY},
        {AUTHORIZE "?", AUTHORIZE "?" AUTHORIZE_QUERY},
        {AUTHORIZE "?p=1&", AUTHORIZE "?p=1&" AUTHORIZE_QUERY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_metadata_t other = {.authorization_endpoint = rows[i][0]};
        assert_string_equal(sso_authorize_url(unit_pool, &other, &request), rows[i][1]);
    }
}

static void test_oauth_logout_url_is_exact(void **state)
{
    (void)state;
    const sso_metadata_t without = {.issuer = FIXTURE_ISSUER};
    assert_string_equal(sso_logout_url(unit_pool, &metadata, "https://app/x?a=b", NULL),
                        LOGOUT "?post_logout_redirect_uri=https%3A%2F%2Fapp%2Fx%3Fa%3Db");
    assert_string_equal(sso_logout_url(unit_pool, &metadata, "https://app/", "O.Ci=="),
                        LOGOUT "?post_logout_redirect_uri=https%3A%2F%2Fapp%2F&logout_hint=O.Ci%3D%3D");
    assert_null(sso_logout_url(unit_pool, &without, "https://app/", NULL));
}

/* ---- the callback ---- */

static void test_oauth_callback_of_success_is_read(void **state)
{
    (void)state;
    sso_callback_t callback;
    assert_rc(SSO_OK, sso_callback_parse(&unit_ctx, "code=1.AX-o_A%7E&state=s%2D1&session_state=005c1f2a", &callback));
    assert_string_equal(callback.code, "1.AX-o_A~");
    assert_string_equal(callback.state, "s-1");
    assert_string_equal(callback.session_state, "005c1f2a");
    assert_null(callback.error);
}

static void test_oauth_callback_of_error_is_read(void **state)
{
    (void)state;
    sso_callback_t callback;
    assert_rc(SSO_OK, sso_callback_parse(&unit_ctx, "error=access_denied&error_description=AADSTS65004%3a+no&state=s",
                                         &callback));
    assert_string_equal(callback.error, "access_denied");
    assert_string_equal(callback.error_description, "AADSTS65004: no");
    assert_null(callback.code);
}

static void test_oauth_callback_that_is_wrong_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        sso_rc rc;
    } rows[] = {
        {NULL, SSO_R_STATE_MISSING},
        {"", SSO_R_STATE_MISSING},
        {"&", SSO_R_STATE_MISSING},
        {"&&&", SSO_R_STATE_MISSING},
        {"code=c", SSO_R_STATE_MISSING},
        {"code=c&state=", SSO_R_STATE_MISSING},
        {"error=e", SSO_R_STATE_MISSING},
        {"Your+account+is+blocked,+call+555", SSO_R_STATE_MISSING},
        {"state=s", SSO_R_CALLBACK_CODE},
        {"state=s&code=", SSO_R_CALLBACK_CODE},
        {"state=s&error=", SSO_R_CALLBACK_CODE},
        {"state=s&code=c&error=e", SSO_R_CALLBACK_CODE},
        {"state=s&code=a%0Ab", SSO_R_CALLBACK_CODE},
        {"state=s&code=%7F", SSO_R_CALLBACK_CODE},
        {"state=s&code=%C3%A4", SSO_R_CALLBACK_CODE},
        {"admin_consent=True&tenant=x&state=s", SSO_R_CALLBACK_CODE},
        {"state=s&code=%00", SSO_R_QUERY_FORMAT},
        {"state=s&code=%4", SSO_R_QUERY_FORMAT},
        {"state=s&code=%zz", SSO_R_QUERY_FORMAT},
        {"state=a&state=b&code=c", SSO_R_QUERY_DUPLICATE},
        {"state=a&code=c&code=c", SSO_R_QUERY_DUPLICATE},
        {"state=a&code=c&other=1&other=2", SSO_R_QUERY_DUPLICATE},
        {"state=a&error=e&error=f", SSO_R_QUERY_DUPLICATE},
        {"state=a&code=c&%73tate=b", SSO_R_QUERY_DUPLICATE},
        {"a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1&r=1&s=1&t=1&u=1&v=1&w=1&x=1&y=1&z=1"
         "&aa=1&ab=1&ac=1&ad=1&ae=1&state=s&code=c",
         SSO_R_QUERY_FORMAT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_callback_t callback = {.state = "before"};
        sso_rc rc = sso_callback_parse(&unit_ctx, rows[i].query, &callback);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].query, sso_reason(rc)->name);
        }
        assert_string_equal(callback.state, "before");
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_callback_bounds_the_code(void **state)
{
    (void)state;
    sso_callback_t callback;
    char *code = apr_palloc(unit_pool, SSO_MAX_CODE + 2);
    memset(code, 'c', SSO_MAX_CODE + 1);
    code[SSO_MAX_CODE + 1] = '\0';
    assert_rc(SSO_R_CALLBACK_CODE,
              sso_callback_parse(&unit_ctx, apr_pstrcat(unit_pool, "state=s&code=", code, NULL), &callback));
    code[SSO_MAX_CODE] = '\0';
    assert_rc(SSO_OK, sso_callback_parse(&unit_ctx, apr_pstrcat(unit_pool, "state=s&code=", code, NULL), &callback));
}

static void test_oauth_callback_error_is_classed_by_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        sso_rc rc;
    } rows[] = {
        {"access_denied", SSO_R_AUTHORIZE_DENIED},
        {"login_required", SSO_R_AUTHORIZE_DENIED},
        {"interaction_required", SSO_R_AUTHORIZE_DENIED},
        {"consent_required", SSO_R_AUTHORIZE_DENIED},
        {"server_error", SSO_R_AUTHORIZE_LATER},
        {"temporarily_unavailable", SSO_R_AUTHORIZE_LATER},
        {"invalid_request", SSO_R_AUTHORIZE_CONFIG},
        {"unauthorized_client", SSO_R_AUTHORIZE_CONFIG},
        {"unsupported_response_type", SSO_R_AUTHORIZE_CONFIG},
        {"invalid_resource", SSO_R_AUTHORIZE_CONFIG},
        {"ACCESS_DENIED", SSO_R_AUTHORIZE_CONFIG},
        {"something new", SSO_R_AUTHORIZE_CONFIG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* The number says something else, and is not listened to. */
        const sso_callback_t callback = {.state = "s", .error = rows[i].error, .error_description = "AADSTS65004: x"};
        assert_int_equal(sso_callback_error(&unit_ctx, &callback), rows[i].rc);
        assert_int_equal(unit_ctx.fault.rc, rows[i].rc);
        assert_int_equal(unit_ctx.fault.aadsts, 65004);
        assert_string_equal(unit_ctx.fault.oauth_error, rows[i].error);
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_callback_error_finds_the_correlation_id(void **state)
{
    (void)state;
    static const struct {
        const char *description, *correlation;
    } rows[] = {
        {"AADSTS50011: x\r\nTrace ID: 6c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f\r\nCorrelation ID: " CORRELATION
         "\r\nTimestamp: 2026",
         CORRELATION},
        {"Correlation ID: " CORRELATION, CORRELATION},
        {"Correlation ID: 2f9c0d8e-7b1a-4e55-9a3d-1c2b3a4d5e6", NULL},
        {"Correlation ID: <script>alert(1)</script><script>alert", NULL},
        {"Correlation ID:", NULL},
        {"correlation id: " CORRELATION, NULL},
        {"nothing", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const sso_callback_t callback = {.error = "invalid_request", .error_description = rows[i].description};
        assert_int_equal(sso_callback_error(&unit_ctx, &callback), SSO_R_AUTHORIZE_CONFIG);
        if (rows[i].correlation == NULL) {
            assert_null(unit_ctx.fault.correlation_id);
        } else {
            assert_string_equal(unit_ctx.fault.correlation_id, rows[i].correlation);
        }
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_callback_error_text_is_made_printable(void **state)
{
    (void)state;
    const sso_callback_t callback = {.error = "a\r\nb", .error_description = "x\x1b[31m\ny"};
    assert_int_equal(sso_callback_error(&unit_ctx, &callback), SSO_R_AUTHORIZE_CONFIG);
    assert_false(sso_has_control(unit_ctx.fault.detail));
    assert_false(sso_has_control(unit_ctx.fault.oauth_error));
}

/* ---- the token request ---- */

static const sso_http_policy_t policy = {.total_timeout = 1000};

static fake_http_t *fake;

static sso_authority_t *authority_of_fake(void)
{
    sso_authority_config_t *config = apr_pcalloc(unit_pool, sizeof(*config));
    config->login_url = FIXTURE_LOGIN;
    config->tenant = FIXTURE_TENANT;
    config->policy = &policy;
    return sso_authority_make(unit_pool, config, apr_pcalloc(unit_pool, sso_authority_shared_size()), &fake->face);
}

static sso_rc redeem_with(sso_credential_t *credential, const char *scope, sso_tokens_t *ret_tokens)
{
    const sso_redeem_t request = {
        .client_id = FIXTURE_CLIENT,
        .credential = credential,
        .redirect_uri = CALLBACK,
        .scope = scope,
        .code = "1.AXo&A",
        .code_verifier = VERIFIER,
        .correlation_id = CORRELATION,
    };
    return sso_code_redeem(&unit_ctx, authority_of_fake(), &metadata, &request, ret_tokens);
}

static sso_rc redeem(const char *scope, sso_tokens_t *ret_tokens)
{
    return redeem_with(sso_credential_secret(unit_pool, "S3cret~&=+ %"), scope, ret_tokens);
}

static void outside_says(int status, const char *body)
{
    fake = fake_http_make(unit_pool);
    fake_http_always(fake, TOKEN, status, body);
}

#define GOOD_ANSWER                                                                                                    \
    "{\"token_type\":\"Bearer\",\"scope\":\"openid profile\",\"expires_in\":4172,\"ext_expires_in\":4172,"             \
    "\"access_token\":\"at\",\"refresh_token\":\"rt\",\"id_token\":\"a.b.c\"}"

static void test_oauth_redeem_gives_tokens(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    outside_says(200, GOOD_ANSWER);
    assert_rc(SSO_OK, redeem("openid profile email", &tokens));
    assert_string_equal(tokens.id_token, "a.b.c");
    assert_string_equal(tokens.access_token, "at");
    assert_string_equal(tokens.refresh_token, "rt");
    assert_int_equal(tokens.expires_in_s, 4172);
}

static void test_oauth_redeem_posts_the_exact_form_once(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    outside_says(200, GOOD_ANSWER);
    assert_rc(SSO_OK, redeem("openid profile email", &tokens));
    assert_int_equal(fake->request_count, 1);
    const fake_request_t *request = fake_http_last(fake);
    assert_string_equal(request->url, TOKEN);
    assert_string_equal(request->content_type, "application/x-www-form-urlencoded");
    assert_string_equal(request->body,
                        "client_id=" FIXTURE_CLIENT "&grant_type=authorization_code&code=1.AXo%26A"
                        "&redirect_uri=https%3A%2F%2Fapp.contoso.example%2F.entra%2Fcallback&code_verifier=" VERIFIER
                        "&scope=openid%20profile%20email&client-request-id=" CORRELATION
                        "&client_secret=S3cret~%26%3D%2B%20%25");
    assert_string_equal(fake_http_field(request, "client_secret"), "S3cret~&=+ %");
    assert_string_equal(apr_table_get(request->headers, "Accept"), "application/json");
    assert_null(apr_table_get(request->headers, "Origin"));
    assert_int_equal(request->max_response, SSO_MAX_TOKEN_RESPONSE);
    assert_false(request->direct);
    assert_false(request->ungated);
}

static void test_oauth_redeem_leaves_out_what_is_not_wanted(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    outside_says(200, GOOD_ANSWER);
    assert_rc(SSO_OK, redeem(NULL, &tokens));
    assert_null(fake_http_field(fake_http_last(fake), "scope"));
}

static void test_oauth_redeem_answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        sso_rc rc;
    } rows[] = {
        {"{\"id_token\":\"a.b.c\"}", SSO_OK},
        {"{\"id_token\":\"a.b.c\",\"token_type\":\"bearer\"}", SSO_OK},
        {"{\"id_token\":\"a.b.c\",\"token_type\":\"mac\"}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"token_type\":7}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"expires_in\":0}", SSO_OK},
        {"{\"id_token\":\"a.b.c\",\"expires_in\":\"3600\"}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"expires_in\":-1}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"expires_in\":1e300}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"expires_in\":9223372036854775807}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"access_token\":null}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"refresh_token\":[]}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":7}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"\"}", SSO_R_TOKEN_NO_ID_TOKEN},
        {"{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", SSO_R_TOKEN_NO_ID_TOKEN},
        {"{}", SSO_R_TOKEN_NO_ID_TOKEN},
        {"{\"id_token\":\"a.b.c\",\"error\":\"invalid_grant\"}", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\",\"id_token\":\"d.e.f\"}", SSO_R_TOKEN_FORMAT},
        {"[]", SSO_R_TOKEN_FORMAT},
        {"null", SSO_R_TOKEN_FORMAT},
        {"", SSO_R_TOKEN_FORMAT},
        {"<html>", SSO_R_TOKEN_FORMAT},
        {"{\"id_token\":\"a.b.c\"} x", SSO_R_TOKEN_FORMAT},
        {"id_token=a.b.c", SSO_R_TOKEN_FORMAT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tokens_t tokens = {.id_token = "before"};
        outside_says(200, rows[i].body);
        sso_rc rc = redeem(NULL, &tokens);
        if (rc != rows[i].rc) {
            unit_fail("%s: %s", rows[i].body, sso_reason(rc)->name);
        }
        assert_string_equal(tokens.id_token, rc == SSO_OK ? "a.b.c" : "before");
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_redeem_refusals_are_classed_by_status_and_error(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {400, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_GRANT},
        {400, "{\"error\":\"interaction_required\"}", SSO_R_TOKEN_GRANT},
        {400, "{\"error\":\"login_required\"}", SSO_R_TOKEN_GRANT},
        {400, "{\"error\":\"consent_required\"}", SSO_R_TOKEN_GRANT},
        {401, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {400, "{\"error\":\"unauthorized_client\"}", SSO_R_TOKEN_CLIENT},
        {400, "{\"error\":\"invalid_request\"}", SSO_R_TOKEN_REFUSED},
        {400, "{\"error\":\"invalid_scope\"}", SSO_R_TOKEN_REFUSED},
        {400, "{\"error\":\"something_new\"}", SSO_R_TOKEN_REFUSED},
        {400, "{\"error\":\"temporarily_unavailable\"}", SSO_R_TOKEN_LATER},
        {400, "{\"error\":\"server_error\"}", SSO_R_TOKEN_LATER},
        {429, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_LATER},
        {429, "", SSO_R_TOKEN_LATER},
        {500, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_LATER},
        {502, "<html>", SSO_R_TOKEN_LATER},
        {503, "", SSO_R_TOKEN_LATER},
        {600, "", SSO_R_TOKEN_FORMAT},
        {408, "", SSO_R_TOKEN_LATER},
        {400, "", SSO_R_TOKEN_FORMAT},
        {400, "<html>", SSO_R_TOKEN_FORMAT},
        {400, "{\"error\":7}", SSO_R_TOKEN_FORMAT},
        {400, "{\"error\":\"\"}", SSO_R_TOKEN_FORMAT},
        {400, "[]", SSO_R_TOKEN_FORMAT},
        {302, "", SSO_R_TOKEN_FORMAT},
        {201, GOOD_ANSWER, SSO_R_TOKEN_FORMAT},
        {404, "", SSO_R_TOKEN_FORMAT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tokens_t tokens;
        outside_says(rows[i].status, rows[i].body);
        sso_rc rc = redeem(NULL, &tokens);
        if (rc != rows[i].rc || unit_ctx.fault.rc != rc) {
            unit_fail("%d %s: %s", rows[i].status, rows[i].body, sso_reason(rc)->name);
        }
        assert_int_equal(fake->request_count, 1);
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_redeem_refusal_tells_what_entra_said(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    fake = fake_http_make(unit_pool);
    fake_http_always(fake, TOKEN, 400,
                     "{\"error\":\"invalid_grant\",\"suberror\":\"bad_token\",\"error_codes\":[50173,7],"
                     "\"error_description\":\"AADSTS54005: used.\\r\\nTrace ID: x\",\"correlation_id\":\"" CORRELATION
                     "\"}")
        ->retry_after_s = 30;
    assert_int_equal(redeem(NULL, &tokens), SSO_R_TOKEN_GRANT);
    assert_int_equal(unit_ctx.fault.aadsts, 50173);
    assert_string_equal(unit_ctx.fault.oauth_error, "invalid_grant");
    assert_string_equal(unit_ctx.fault.correlation_id, CORRELATION);
    assert_int_equal(unit_ctx.fault.retry_after_s, 30);
    assert_non_null(strstr(unit_ctx.fault.detail, "bad_token"));
    assert_false(sso_has_control(unit_ctx.fault.detail));
}

/* Numbers come from the description where the list is missing or odd; a correlation id that is none is not taken. */
static void test_oauth_redeem_refusal_with_odd_details_is_safe(void **state)
{
    (void)state;
    static const char *const codes[] = {"",
                                        ",\"error_codes\":[]",
                                        ",\"error_codes\":7",
                                        ",\"error_codes\":[\"1\"]",
                                        ",\"error_codes\":[-1]",
                                        ",\"error_codes\":[99999999999]"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        sso_tokens_t tokens;
        outside_says(401, apr_pstrcat(unit_pool,
                                      "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: "
                                      "Invalid\",\"correlation_id\":\"<b>\"",
                                      codes[i], "}", NULL));
        assert_int_equal(redeem(NULL, &tokens), SSO_R_TOKEN_CLIENT);
        assert_int_equal(unit_ctx.fault.aadsts, 7000215);
        assert_null(unit_ctx.fault.correlation_id);
        sso_fault_clear(&unit_ctx);
    }
}

static void test_oauth_redeem_failed_call_is_not_repeated(void **state)
{
    (void)state;
    static const sso_rc reasons[] = {SSO_R_HTTP_CONNECT, SSO_R_HTTP_TLS, SSO_R_HTTP_TIMEOUT, SSO_R_HTTP_SIZE,
                                     SSO_R_HTTP_BUSY};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        sso_tokens_t tokens;
        fake = fake_http_make(unit_pool);
        fake_http_broken(fake, TOKEN, reasons[i]);
        assert_rc(reasons[i], redeem(NULL, &tokens));
        assert_int_equal(fake->request_count, 1);
    }
}

/* Every truncation of a good answer is refused, and no fault repeats a token, a code or a secret. */
static void test_oauth_redeem_truncated_answer_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(GOOD_ANSWER); len++) {
        sso_tokens_t tokens;
        outside_says(200, apr_pstrmemdup(unit_pool, GOOD_ANSWER, len));
        assert_int_equal(redeem(NULL, &tokens), SSO_R_TOKEN_FORMAT);
        assert_null(strstr(unit_ctx.fault.detail, "a.b.c"));
        assert_null(strstr(unit_ctx.fault.detail, "AXo"));
        sso_fault_clear(&unit_ctx);
    }
}

/* ---- a certificate that was renewed ---- */

#define REFUSED_CLIENT(number) "{\"error\":\"invalid_client\",\"error_codes\":[" number "]}"

static sso_handoff_t *handoff;

/* A credential with a new certificate and the one before it. */
static sso_credential_t *renewed_credential(void)
{
    sso_pem_pair_t first, second;
    const sso_certificate_t *cert = NULL;
    apr_size_t len, both_len;
    assert_rc(SSO_OK, sso_crypto_init(&unit_ctx, unit_process_pool));
    fixture_certificate_of(unit_pool, FIXTURE_KEY_A, 7200, &first.cert_pem, &first.key_pem);
    fixture_certificate_of(unit_pool, FIXTURE_KEY_B, 7200, &second.cert_pem, &second.key_pem);
    assert_rc(SSO_OK, sso_certificate_parse(&unit_ctx, unit_pool, first.cert_pem, first.key_pem, &cert));
    unit_ctx.now = sso_certificate_expires(cert) - apr_time_from_sec(7200); /* whatever the machine's clock says */
    handoff = apr_pcalloc(unit_pool, sso_handoff_size());
    sso_credential_t *credential = sso_credential_certificate(unit_pool, cert, SSO_SIGN_PS256);
    assert_true(sso_credential_follow(credential, unit_pool, handoff));
    const unsigned char *one = sso_certificate_pack(unit_pool, &first, NULL, 0, &len);
    const unsigned char *both = sso_certificate_pack(unit_pool, &second, one, len, &both_len);
    assert_true(sso_handoff_give(handoff, both, both_len));
    return credential;
}

static const char *assertion_of(int request)
{
    return fake_http_field(&fake->requests[request], "client_assertion");
}

static void test_oauth_redeem_tries_the_certificate_before_when_entra_refuses_the_new_one(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    sso_credential_t *credential = renewed_credential();
    outside_says(200, GOOD_ANSWER);
    fake_http_once(fake, TOKEN, 401, REFUSED_CLIENT("700027"));
    assert_rc(SSO_OK, redeem_with(credential, "openid", &tokens));
    assert_string_equal(tokens.id_token, "a.b.c");
    assert_int_equal(fake->request_count, 2);
    assert_string_not_equal(assertion_of(0), assertion_of(1));
    assert_string_equal(fake_http_field(&fake->requests[0], "code"), fake_http_field(&fake->requests[1], "code"));
    assert_int_equal(sso_certificates_refused(handoff), unit_ctx.now);
    /* The node remembers: one request is enough now. */
    assert_rc(SSO_OK, redeem_with(credential, "openid", &tokens));
    assert_int_equal(fake->request_count, 3);
    assert_int_equal(strncmp(assertion_of(1), assertion_of(2), 40), 0);
}

static void test_oauth_redeem_refused_with_both_certificates_names_the_first_fault(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    sso_credential_t *credential = renewed_credential();
    outside_says(401, REFUSED_CLIENT("7000222"));
    fake_http_once(fake, TOKEN, 401, REFUSED_CLIENT("700027"));
    sso_rc rc = redeem_with(credential, "openid", &tokens);
    assert_int_equal(unit_ctx.fault.aadsts, 700027);
    assert_rc(SSO_R_TOKEN_CLIENT, rc);
    assert_int_equal(fake->request_count, 2);
    assert_int_equal(sso_certificates_refused(handoff), 0);
}

/* Only the client's own refusal is worth another certificate: all else may have used the code up. */
static void test_oauth_redeem_other_failures_are_not_tried_again(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {400, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_GRANT},
        {400, "{\"error\":\"unauthorized_client\"}", SSO_R_TOKEN_CLIENT},
        {503, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_LATER},
        {400, "{\"error\":\"invalid_request\"}", SSO_R_TOKEN_REFUSED},
        {400, "<html>", SSO_R_TOKEN_FORMAT},
        {200, "{}", SSO_R_TOKEN_NO_ID_TOKEN},
    };
    sso_tokens_t tokens;
    sso_credential_t *credential = renewed_credential();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        outside_says(rows[i].status, rows[i].body);
        assert_rc(rows[i].rc, redeem_with(credential, "openid", &tokens));
        assert_int_equal(fake->request_count, 1);
    }
    /* And a secret has no second turn. */
    outside_says(401, REFUSED_CLIENT("7000215"));
    assert_rc(SSO_R_TOKEN_CLIENT, redeem("openid", &tokens));
    assert_int_equal(fake->request_count, 1);
}

/* ---- refresh ---- */

static sso_rc refresh(const char *claims, sso_tokens_t *ret_tokens)
{
    const sso_refresh_t request = {
        .client_id = FIXTURE_CLIENT,
        .credential = sso_credential_secret(unit_pool, "s~c ret&x"),
        .scope = "openid offline_access",
        .refresh_token = "1.AXoA&old+token",
        .claims = claims,
        .correlation_id = CORRELATION,
    };
    return sso_refresh_redeem(&unit_ctx, authority_of_fake(), &metadata, &request, ret_tokens);
}

/* The token of another resource comes without an ID token, which a sign-in and its renewal must have. */
static void test_oauth_fetch_needs_no_id_token(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    const sso_refresh_t request = {
        .client_id = FIXTURE_CLIENT,
        .credential = sso_credential_secret(unit_pool, "s"),
        .scope = "api://a/x offline_access",
        .refresh_token = "old",
    };
    outside_says(200,
                 "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"at\",\"refresh_token\":\"new\"}");
    assert_rc(SSO_OK, sso_refresh_fetch(&unit_ctx, authority_of_fake(), &metadata, &request, &tokens));
    assert_null(tokens.id_token);
    assert_string_equal(tokens.access_token, "at");
    assert_string_equal(tokens.refresh_token, "new");
    assert_int_equal(tokens.expires_in_s, 3599);
    assert_rc(SSO_R_TOKEN_NO_ID_TOKEN, refresh(NULL, &tokens));
}

static void test_oauth_refresh_posts_the_exact_form_once(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    outside_says(200, GOOD_ANSWER);
    assert_rc(SSO_OK, refresh("{\"access_token\":{}}", &tokens));
    assert_int_equal(fake->request_count, 1);
    assert_string_equal(fake_http_last(fake)->body,
                        "client_id=" FIXTURE_CLIENT "&grant_type=refresh_token&refresh_token=1.AXoA%26old%2Btoken"
                        "&scope=openid%20offline_access&claims=%7B%22access_token%22%3A%7B%7D%7D"
                        "&client-request-id=" CORRELATION "&client_secret=s~c%20ret%26x");
    assert_non_null(tokens.id_token);
}

static void test_oauth_refresh_without_claims_sends_none(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    outside_says(200, GOOD_ANSWER);
    assert_rc(SSO_OK, refresh(NULL, &tokens));
    assert_null(strstr(fake_http_last(fake)->body, "claims"));
}

static void test_oauth_refresh_refusals_are_told_from_outages(void **state)
{
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {400, "{\"error\":\"invalid_grant\",\"suberror\":\"bad_token\"}", SSO_R_TOKEN_GRANT},
        {400, "{\"error\":\"interaction_required\",\"suberror\":\"basic_action\"}", SSO_R_TOKEN_GRANT},
        {429, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_LATER},
        {503, "{\"error\":\"invalid_grant\"}", SSO_R_TOKEN_LATER},
        {401, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {200, "{\"access_token\":\"a\"}", SSO_R_TOKEN_NO_ID_TOKEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tokens_t tokens;
        outside_says(rows[i].status, rows[i].body);
        assert_rc(rows[i].rc, refresh(NULL, &tokens));
    }
}

/* ---- the application's own token ---- */

static sso_rc app_token(fake_http_t *outside, sso_tokens_t *ret_tokens)
{
    static const sso_authority_config_t config = {FIXTURE_LOGIN, FIXTURE_TENANT, &policy};
    sso_authority_t *authority =
        sso_authority_make(unit_pool, &config, apr_pcalloc(unit_pool, sso_authority_shared_size()), &outside->face);
    const sso_app_request_t request = {FIXTURE_CLIENT, sso_credential_secret(unit_pool, "planted-secret"),
                                       "https://graph.example.com/.default"};
    return sso_app_token(&unit_ctx, authority, &metadata, &request, ret_tokens);
}

static void test_oauth_app_token_is_asked_for_to_the_letter(void **state)
{
    (void)state;
    sso_tokens_t tokens;
    fake_http_t *outside = fake_http_make(unit_pool);
    fake_http_once(outside, TOKEN, 200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\"}");
    assert_rc(SSO_OK, app_token(outside, &tokens));
    assert_string_equal(tokens.access_token, "a");
    assert_null(tokens.refresh_token);
    assert_null(tokens.id_token);
    assert_int_equal(tokens.expires_in_s, 3599);
    assert_string_equal(fake_http_last(outside)->body,
                        "client_id=" FIXTURE_CLIENT "&grant_type=client_credentials&scope=https%3A%2F%2Fgraph."
                        "example.com%2F.default&client_secret=planted-secret");
}

static void test_oauth_app_token_refusals_keep_their_reasons(void **state)
{
    static const struct {
        int status;
        const char *body;
        sso_rc rc;
    } rows[] = {
        {401, "{\"error\":\"invalid_client\"}", SSO_R_TOKEN_CLIENT},
        {400, "{\"error\":\"invalid_scope\"}", SSO_R_TOKEN_REFUSED},
        {429, "{}", SSO_R_TOKEN_LATER},
        {200, "{\"token_type\":\"Bearer\"}", SSO_R_TOKEN_FORMAT},
        {200, "{\"access_token\":\"\"}", SSO_R_TOKEN_FORMAT},
        {200, "{\"access_token\":7}", SSO_R_TOKEN_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_tokens_t tokens;
        fake_http_t *outside = fake_http_make(unit_pool);
        fake_http_once(outside, TOKEN, rows[i].status, rows[i].body);
        assert_rc(rows[i].rc, app_token(outside, &tokens));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_oauth_authorize_url_is_exact),
        unit_test(test_oauth_authorize_url_takes_what_is_wanted),
        unit_test(test_oauth_authorize_url_encodes_hostile_values),
        unit_test(test_oauth_authorize_url_keeps_the_endpoints_query),
        unit_test(test_oauth_logout_url_is_exact),
        unit_test(test_oauth_callback_of_success_is_read),
        unit_test(test_oauth_callback_of_error_is_read),
        unit_test(test_oauth_callback_that_is_wrong_has_its_reason),
        unit_test(test_oauth_callback_bounds_the_code),
        unit_test(test_oauth_callback_error_is_classed_by_its_name),
        unit_test(test_oauth_callback_error_finds_the_correlation_id),
        unit_test(test_oauth_callback_error_text_is_made_printable),
        unit_test(test_oauth_redeem_gives_tokens),
        unit_test(test_oauth_redeem_posts_the_exact_form_once),
        unit_test(test_oauth_redeem_leaves_out_what_is_not_wanted),
        unit_test(test_oauth_redeem_answers_are_judged),
        unit_test(test_oauth_redeem_refusals_are_classed_by_status_and_error),
        unit_test(test_oauth_redeem_refusal_tells_what_entra_said),
        unit_test(test_oauth_redeem_refusal_with_odd_details_is_safe),
        unit_test(test_oauth_redeem_failed_call_is_not_repeated),
        unit_test(test_oauth_redeem_truncated_answer_is_refused),
        unit_test(test_oauth_redeem_tries_the_certificate_before_when_entra_refuses_the_new_one),
        unit_test(test_oauth_redeem_refused_with_both_certificates_names_the_first_fault),
        unit_test(test_oauth_redeem_other_failures_are_not_tried_again),
        unit_test(test_oauth_fetch_needs_no_id_token),
        unit_test(test_oauth_refresh_posts_the_exact_form_once),
        unit_test(test_oauth_refresh_without_claims_sends_none),
        unit_test(test_oauth_refresh_refusals_are_told_from_outages),
        unit_test(test_oauth_app_token_is_asked_for_to_the_letter),
        unit_test(test_oauth_app_token_refusals_keep_their_reasons),
    };
    return fixture_run(tests);
}
