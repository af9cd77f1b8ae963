/* SPDX-License-Identifier: Apache-2.0 */
/* Forms that wait. What comes back is byte by byte what was sent, or nothing: a form that a page could not send again
 * so is not kept. */
#include "flow/form.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_escape.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "flow/access.h"
#include "session/posts.h"

#define FORM_VERSION 1
/* A page that was left open over a weekend and a holiday still knows its user. */
#define OWNER_FOR apr_time_from_sec(7 * 24 * 60 * 60)
#define ENCODING "application/x-www-form-urlencoded"

bool sso_form_is_one(const sso_site_t *site, const sso_request_t *request)
{
    return site->preserve_post > 0 && strcmp(request->method, "POST") == 0 && sso_request_is_navigation(request);
}

bool sso_form_owner(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, sso_record_t *ret_owner)
{
    bool known = sso_session_owner(ctx, &site->session, request->cookies, OWNER_FOR, ret_owner) == SSO_OK;
    /* SECURITY: for unknown visitors nothing is stored, so they cannot fill the database. */
    sso_fault_clear(ctx);
    return known;
}

/* SECURITY: no other site may have its form sent here later, with a click of the user's. The browser's own word, and
 * where it gives an origin, it is ours; one of both must be there. */
static bool is_from_this_site(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    const char *origin = sso_request_header(request, "Origin");
    /* "null": a page under Referrer-Policy no-referrer, or one that has no origin at all. */
    bool named = *origin != '\0' && strcmp(origin, "null") != 0;
    bool ours = named && sso_url_same_origin(ctx->pool, origin, site->origin->text);
    if (*sso_request_header(request, "Sec-Fetch-Site") != '\0') {
        return sso_request_header_is(request, "Sec-Fetch-Site", "same-origin") && (ours || !named);
    }
    return ours;
}

/* The address as a form's action that leads to just there; NULL when there is none. */
static const char *target_of(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    apr_size_t len = strlen(site->origin->text);
    const char *path = request->path;
    if (request->host == NULL || apr_cstr_casecmp(request->host, site->origin->host) != 0) {
        return NULL;
    }
    if (strncmp(path, site->origin->text, len) == 0) {
        path += len;
    }
    return strcmp(sso_return_path(ctx->pool, site->origin, path), path) == 0 ? path : NULL;
}

sso_rc sso_form_check(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request)
{
    int64_t length = 0;
    const char *type = sso_request_header(request, "Content-Type");
    if (!is_from_this_site(ctx, site, request)) {
        return sso_fail(ctx, SSO_R_FORM_ORIGIN, "Sec-Fetch-Site \"%s\", Origin \"%s\"",
                        sso_printable(ctx->pool, sso_request_header(request, "Sec-Fetch-Site")),
                        sso_printable(ctx->pool, sso_request_header(request, "Origin")));
    }
    if (apr_cstr_casecmp(type, ENCODING) != 0 || *sso_request_header(request, "Content-Encoding") != '\0') {
        return sso_fail(ctx, SSO_R_FORM_KIND, "%s", sso_printable(ctx->pool, type));
    }
    if (target_of(ctx, site, request) == NULL) {
        return sso_fail(ctx, SSO_R_FORM_ADDRESS, "%" APR_SIZE_T_FMT " characters", strlen(request->path));
    }
    if (sso_integer_parse(sso_request_header(request, "Content-Length"), &length) &&
        length > (int64_t)site->preserve_post) {
        return sso_fail(ctx, SSO_R_FORM_SIZE, "%lld bytes", (long long)length);
    }
    return SSO_OK;
}

/* ---- its fields ---- */

/* What a browser leaves as it is; it writes '+' for a blank, and %XX for all else (URL Standard, 5.2). */
static bool is_plain(char c)
{
    return apr_isalnum(c) || (c != '\0' && strchr("*-._", c) != NULL);
}

static bool is_encoded(const char *raw)
{
    while (*raw != '\0') {
        if (is_plain(*raw) || *raw == '+') {
            raw++;
        } else if (*raw == '%' && strspn(raw + 1, "0123456789ABCDEF") >= 2) {
            raw += 3;
        } else {
            return false;
        }
    }
    return true;
}

/* Bytes that a browser makes of text. */
static apr_size_t encoded_len(const char *text)
{
    apr_size_t len = 0;
    for (; *text != '\0'; text++) {
        len += is_plain(*text) || *text == ' ' ? 1 : 3;
    }
    return len;
}

/* A browser makes CR LF of every end of a line that it sends. */
static bool has_whole_lines(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((*p == '\r' && p[1] != '\n') || (*p == '\n' && (p == text || p[-1] != '\r'))) {
            return false;
        }
    }
    return true;
}

/* The text that a browser would send as raw; NULL when none gives these bytes. */
static const char *decode(apr_pool_t *pool, const char *raw)
{
    /* NULL for %00, which no page can hold; the 1 reads '+' as a blank. */
    const char *text = is_encoded(raw) ? apr_punescape_url(pool, raw, NULL, NULL, 1) : NULL;
    if (text == NULL) {
        return NULL;
    }
    sso_wipe_later(pool, (void *)(apr_uintptr_t)text, strlen(text));
    bool good = encoded_len(text) == strlen(raw) && sso_is_utf8(text, strlen(text)) && has_whole_lines(text);
    return good ? text : NULL;
}

/* A field without name is not sent by any browser, and of one with this name it chooses the value. */
static bool is_sent_as_it_is(const sso_field_t *field)
{
    return *field->name != '\0' &&
           (apr_cstr_casecmp(field->name, "_charset_") != 0 || strcmp(field->value, "UTF-8") == 0);
}

/* The names and values stay out of every detail: they may be anything that a person types. */
static sso_rc fields_parse(sso_ctx_t *ctx, const char *body, apr_size_t len, apr_array_header_t **ret_fields)
{
    apr_array_header_t *fields = apr_array_make(ctx->pool, 16, sizeof(sso_field_t));
    if (strlen(body) != len) {
        return sso_fail(ctx, SSO_R_FORM_TEXT, "it holds a NUL");
    }
    char *next = apr_pstrmemdup(ctx->pool, body, len);
    sso_wipe_later(ctx->pool, next, len);
    while (len > 0 && next != NULL) {
        char *pair = next;
        next = strchr(pair, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *value = strchr(pair, '=');
        if (value == NULL || fields->nelts >= SSO_MAX_FORM_FIELDS) {
            return sso_fail(ctx, SSO_R_FORM_TEXT, value == NULL ? "field %d has no '='" : "more than %d fields",
                            fields->nelts + (value == NULL ? 1 : 0));
        }
        *value++ = '\0';
        const sso_field_t field = {decode(ctx->pool, pair), decode(ctx->pool, value)};
        if (field.name == NULL || field.value == NULL || !is_sent_as_it_is(&field)) {
            return sso_fail(ctx, SSO_R_FORM_TEXT, "field %d", fields->nelts + 1);
        }
        APR_ARRAY_PUSH(fields, sso_field_t) = field;
    }
    *ret_fields = fields;
    return SSO_OK;
}

/* ---- keeping ---- */

static void key_fill(const sso_site_t *site, const sso_record_t *user, sso_post_key_t *key)
{
    key->app = site->app;
    key->tid = user->tid;
    key->oid = user->oid;
}

/* SECURITY: sealed for this application and this id, with its user, its address and its moment inside: whoever can
 * write to the database can neither read a form nor give it to another user, send it elsewhere or keep it longer. The
 * origin is a part of the address, since hosts of one EntraCookieDomain are one application here. */
static sso_rc form_seal(sso_ctx_t *ctx, const sso_site_t *site, const sso_post_key_t *key, const sso_form_t *form,
                        const char *body, apr_size_t len, const char **ret_sealed)
{
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, len + strlen(site->origin->text) + strlen(form->target) + strlen(form->back) + 256);
    sso_write_u8(&w, FORM_VERSION);
    sso_write_i64(&w, ctx->now);
    sso_write_text(&w, key->tid);
    sso_write_text(&w, key->oid);
    sso_write_text(&w, site->origin->text);
    sso_write_text(&w, form->target);
    sso_write_text(&w, form->back);
    sso_write_u32(&w, (uint32_t)len);
    sso_write_bytes(&w, body, len);
    sso_wipe_later(ctx->pool, w.data, w.len);
    if (w.failed) {
        return sso_fail(ctx, SSO_R_FORM_ADDRESS, "it does not fit");
    }
    return sso_session_seal(ctx, &site->session, SSO_PURPOSE_POST, key->id, w.data, w.len, ret_sealed);
}

sso_rc sso_form_keep(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *owner,
                     const char *back, const char *body, apr_size_t len, const char **ret_id)
{
    sso_post_key_t key;
    const char *sealed;
    apr_array_header_t *fields;
    bool kept = false;
    const sso_form_t form = {.target = target_of(ctx, site, request), .back = back};
    if (form.target == NULL) {
        return sso_fail(ctx, SSO_R_FORM_ADDRESS, "%" APR_SIZE_T_FMT " characters", strlen(request->path));
    }
    if (len > site->preserve_post) {
        return sso_fail(ctx, SSO_R_FORM_SIZE, "more than %" APR_SIZE_T_FMT " bytes", site->preserve_post);
    }
    key_fill(site, owner, &key);
    sso_rc rc = site->store == NULL ? sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store") : SSO_OK;
    if (rc == SSO_OK) {
        rc = fields_parse(ctx, body, len, &fields);
    }
    if (rc == SSO_OK) {
        rc = sso_random(ctx, key.id, sizeof(key.id));
    }
    if (rc == SSO_OK) {
        rc = form_seal(ctx, site, &key, &form, body, len, &sealed);
    }
    if (rc == SSO_OK) {
        rc = sso_posts_add(ctx, site->store, &key, sealed, ctx->now + SSO_FORM_LIFE, &kept);
    }
    if (rc == SSO_OK && !kept) {
        rc = sso_fail(ctx, SSO_R_FORM_FULL, "oid %s", owner->oid);
    }
    if (rc == SSO_OK) {
        *ret_id = sso_hex(ctx->pool, key.id, sizeof(key.id));
    }
    return rc;
}

/* ---- giving back ---- */

const char *sso_form_location(sso_ctx_t *ctx, const sso_site_t *site, const char *id, const sso_record_t *user,
                              const char *return_path)
{
    sso_post_key_t key;
    bool dropped = false;
    key_fill(site, user, &key);
    /* SECURITY: the id leaves the sealed state only for the form's own user. */
    if (site->store != NULL && sso_hex_decode(id, key.id, sizeof(key.id)) &&
        sso_posts_drop_foreign(ctx, site->store, &key, &dropped) != SSO_OK) {
        /* The sign-in itself is done; `resend` looks at the user again. */
        sso_fault_clear(ctx);
    }
    return dropped ? NULL
                   : apr_pstrcat(ctx->pool, site->origin->text, site->path, "/resend?id=", id,
                                 "&rd=", sso_percent_encode(ctx->pool, return_path), NULL);
}

static sso_rc form_open(sso_ctx_t *ctx, const sso_site_t *site, const sso_post_key_t *key, const char *sealed,
                        sso_form_t *form)
{
    unsigned char *data;
    apr_size_t data_len;
    apr_array_header_t *fields = NULL;
    if (sso_session_unseal(ctx, &site->session, SSO_PURPOSE_POST, key->id, sealed, &data, &data_len) != SSO_OK) {
        /* A key that was removed, or another hand in the database. */
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_FORM_GONE, "it does not open");
    }
    sso_reader_t r;
    sso_reader_init(&r, data, data_len);
    unsigned version = sso_read_u8(&r);
    apr_time_t kept = sso_read_i64(&r);
    const char *tid = sso_read_text(&r);
    const char *oid = sso_read_text(&r);
    const char *origin = sso_read_text(&r);
    form->target = sso_read_text(&r);
    form->back = sso_read_text(&r);
    apr_size_t len = sso_read_u32(&r);
    const unsigned char *body = sso_read_bytes(&r, len);
    if (!sso_reader_done(&r) || version != FORM_VERSION || strcmp(tid, key->tid) != 0 || strcmp(oid, key->oid) != 0 ||
        strcmp(origin, site->origin->text) != 0 || kept < ctx->now - SSO_FORM_LIFE || kept > ctx->now + site->skew) {
        return sso_fail(ctx, SSO_R_FORM_GONE, "it is of another version, user, host or time");
    }
    /* The opened data has a NUL behind its end, and the body is its last part. */
    sso_rc rc = fields_parse(ctx, (const char *)body, len, &fields);
    form->fields = fields;
    return rc;
}

/* SECURITY: only for a page that a person opens. A browser that looks ahead, or a script, would use the form up. */
static bool is_opened(const sso_request_t *request)
{
    return sso_request_is_navigation(request) &&
           strstr(sso_request_header(request, "Sec-Purpose"), "prefetch") == NULL &&
           strstr(sso_request_header(request, "Purpose"), "prefetch") == NULL;
}

static sso_rc take(sso_ctx_t *ctx, const sso_site_t *site, const char *id, const sso_record_t *user, sso_form_t *form)
{
    sso_post_key_t key;
    const char *sealed = NULL;
    key_fill(site, user, &key);
    if (id == NULL || !sso_hex_decode(id, key.id, sizeof(key.id)) || site->store == NULL) {
        return sso_fail(ctx, SSO_R_FORM_GONE, "no id");
    }
    sso_rc rc = sso_posts_take(ctx, site->store, &key, &sealed);
    if (rc == SSO_OK && sealed == NULL) {
        rc = sso_fail(ctx, SSO_R_FORM_GONE, "for oid %s", user->oid);
    }
    return rc == SSO_OK ? form_open(ctx, site, &key, sealed, form) : rc;
}

static sso_rc read_link(sso_ctx_t *ctx, const char *query, const char **ret_id, const char **ret_rd)
{
    apr_table_t *pairs;
    sso_rc rc = sso_query_parse(ctx, query, &pairs);
    if (rc == SSO_OK) {
        rc = sso_query_one(ctx, pairs, "id", ret_id);
    }
    return rc == SSO_OK ? sso_query_one(ctx, pairs, "rd", ret_rd) : rc;
}

void sso_form_resend(sso_ctx_t *ctx, const sso_site_t *site, const sso_request_t *request, const sso_record_t *user,
                     sso_answer_t *ret_answer)
{
    const char *id = NULL;
    const char *rd = NULL;
    sso_fault_clear(ctx);
    sso_answer_init(ret_answer, ctx->pool);
    if (strcmp(request->method, "GET") != 0) {
        ret_answer->allow = "GET";
        (void)sso_fail(ctx, SSO_R_CALLBACK_METHOD, "%s", sso_printable(ctx->pool, request->method));
        sso_answer_fault(ret_answer, "/");
        return;
    }
    sso_form_t *form = apr_pcalloc(ctx->pool, sizeof(*form));
    sso_rc rc = read_link(ctx, request->query, &id, &rd);
    if (rc == SSO_OK && !is_opened(request)) {
        rc = sso_fail(ctx, SSO_R_FORM_GONE, "nobody opens the page");
    }
    if (rc == SSO_OK) {
        rc = user == NULL ? sso_fail(ctx, SSO_R_SIGNIN_REQUIRED, "resend") : take(ctx, site, id, user, form);
    }
    if (rc != SSO_OK) {
        sso_answer_fault(ret_answer, sso_return_path(ctx->pool, site->origin, rd));
        return;
    }
    ret_answer->kind = SSO_ANSWER_FORM;
    ret_answer->form = form;
}
