/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a form that waits for a sign-in. The store keeps one text, in memory. Invariants: what is taken is given
 * back once, and a browser makes the same bytes of it; what is refused is not kept. */
#include "flow/form.h"
#include "session/posts.h"

#include "site.h"

static const char *kept_text;

/* The linker puts these in the place of the database's (tests/fuzz/local.mk). */
sso_rc __wrap_sso_posts_add(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char *sealed,
                            apr_time_t until, bool *ret_kept);
sso_rc __wrap_sso_posts_add(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char *sealed,
                            apr_time_t until, bool *ret_kept)
{
    (void)ctx, (void)store, (void)key, (void)until;
    kept_text = sealed;
    *ret_kept = true;
    return SSO_OK;
}

sso_rc __wrap_sso_posts_take(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char **ret_sealed);
sso_rc __wrap_sso_posts_take(sso_ctx_t *ctx, sso_store_t *store, const sso_post_key_t *key, const char **ret_sealed)
{
    (void)ctx, (void)store, (void)key;
    *ret_sealed = kept_text;
    kept_text = NULL;
    return SSO_OK;
}

static const char *navigation(const void *baton, const char *name)
{
    (void)baton;
    return strcmp(name, "Sec-Fetch-Mode") == 0 ? "navigate" : strcmp(name, "Sec-Fetch-Dest") == 0 ? "document" : NULL;
}

/* As a browser does it (URL standard, application/x-www-form-urlencoded). */
static const char *form_encode(apr_pool_t *pool, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = apr_palloc(pool, 3 * strlen(text) + 1);
    char *end = encoded;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("*-._", c) != NULL) {
            *end++ = *text;
        } else if (c == ' ') {
            *end++ = '+';
        } else {
            *end++ = '%';
            *end++ = digits[c >> 4];
            *end++ = digits[c & 15];
        }
    }
    *end = '\0';
    return encoded;
}

FUZZ_TARGET(form)
{
    sso_site_t site = *fuzz_site();
    sso_cookies_t cookies = {.session = NULL};
    sso_answer_t answer;
    const char *id = NULL;
    const sso_record_t user = {
        .tid = FUZZ_TENANT, .oid = FUZZ_OID, .sid = "", .username = "", .name = "", .email = "", .login_hint = ""};
    sso_request_t request = {
        .method = "POST", .host = "app.example.com", .path = "/order", .cookies = &cookies, .header = navigation};
    const char *body = apr_pstrmemdup(ctx->pool, (const char *)data, len);
    site.store = (sso_store_t *)&site; /* never looked at */
    kept_text = NULL;
    if (sso_form_keep(ctx, &site, &request, &user, "/page", body, len, &id) != SSO_OK) {
        fuzz_check(kept_text == NULL);
        return;
    }
    request.method = "GET";
    request.query = apr_pstrcat(ctx->pool, "id=", id, "&rd=%2Fpage", NULL);
    sso_form_resend(ctx, &site, &request, &user, &answer);
    fuzz_check(answer.kind == SSO_ANSWER_FORM && strcmp(answer.form->target, "/order") == 0);
    const sso_field_t *field = (const void *)answer.form->fields->elts;
    const char *again = "";
    for (int i = 0; i < answer.form->fields->nelts; i++) {
        fuzz_check(sso_is_utf8(field[i].name, strlen(field[i].name)) &&
                   sso_is_utf8(field[i].value, strlen(field[i].value)));
        again = apr_pstrcat(ctx->pool, again, i == 0 ? "" : "&", form_encode(ctx->pool, field[i].name), "=",
                            form_encode(ctx->pool, field[i].value), NULL);
    }
    fuzz_check(answer.form->fields->nelts <= SSO_MAX_FORM_FIELDS && strlen(again) == len && strcmp(again, body) == 0);
    sso_form_resend(ctx, &site, &request, &user, &answer);
    fuzz_check(answer.kind == SSO_ANSWER_FAULT);
}
