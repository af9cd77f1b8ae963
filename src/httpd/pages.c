/* SPDX-License-Identifier: Apache-2.0 */
/* Pages without scripts, under a policy that forbids them; every value goes through the escaper. */
#include "build_config.h"

#include "httpd/pages.h"

#include <string.h>

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "entra/aadsts.h"
#include "flow/access.h"
#include "flow/form.h"
#include "flow/stepup.h"
#include "httpd/auditlog.h"
#include "httpd/log.h"

static const char STYLE[] =
    ":root{color-scheme:light "
    "dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--ground:#f3f4f6;--line:#d0d7de;--act:#0b57a4}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9ba6b2;--paper:#1c2128;--ground:#0f1318;--line:#"
    "373e47;"
    "--act:#78b4f4}}"
    "*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;"
    "background:var(--ground);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}"
    "main{max-width:34rem;width:100%;padding:2rem;background:var(--paper);border:1px solid "
    "var(--line);border-radius:.75rem}"
    "h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.25}p{margin:0 0 1rem}"
    ".act{display:inline-block;padding:.6rem "
    "1.1rem;border:0;border-radius:.5rem;background:var(--act);color:var(--paper);"
    "font:inherit;text-decoration:none;cursor:pointer}.act:focus-visible{outline:3px solid "
    "var(--ink);outline-offset:2px}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem;margin:1.5rem 0 0;padding-top:1rem;"
    "border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}dd{margin:0;overflow-wrap:anywhere;"
    "font-family:ui-monospace,monospace}"
    "main.wide{max-width:64rem}h2{margin:2rem 0 .5rem;font-size:1.1rem}table{width:100%;border-collapse:collapse}"
    "th,td{padding:.3rem .75rem .3rem 0;text-align:left;vertical-align:top;border-top:1px solid var(--line);"
    "overflow-wrap:anywhere}th{width:16rem;font-weight:400;color:var(--soft)}"
    "td,code{font-family:ui-monospace,monospace;font-size:.85rem}ul{margin:0;padding:0;list-style:none}"
    "li{margin:0 0 .6rem;padding:.5rem .75rem;border-left:4px solid var(--line)}li b{margin-right:.5rem}"
    "li.wrong{border-color:#c62828}li.note{border-color:#b26a00}li.good{border-color:#2e7d32}li small{display:block;"
    "color:var(--soft)}.wide form{display:inline-block;margin-right:.75rem}";

/* One page of ours, before escaping. */
typedef struct {
    int status;
    const char *title;
    const char *sentence;
    const char *advice;
    const char *label;       /* of the link or button; NULL: none */
    const char *target;      /* path of the link */
    const char *form_action; /* a form button instead of a link, and the policy for where it may lead */
    const char *other_label; /* of a second form button; NULL: none */
    const char *other_target;
    const sso_form_t *form; /* whose fields the form has; NULL: it has none */
    const char *number;     /* ENTRAnnnn; NULL: no details */
    const char *id;
    const char *time;
    unsigned aadsts;
} page_t;

static const struct {
    const char *title, *sentence, *advice, *label;
} PAGES[] = {
#define PAGE(key, title, sentence, advice, label) [SSO_PAGE_##key] = {title, sentence, advice, label},
#include "httpd/sentences.def"
#undef PAGE
};

void sso_pages_set_cookies(request_rec *r, const apr_array_header_t *lines)
{
    for (int i = 0; i < lines->nelts; i++) {
        apr_table_addn(r->err_headers_out, "Set-Cookie", sso_text_at(lines, i));
    }
}

static void set_common_headers(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    /* mod_cache can be told to keep what says no-store (CacheStoreNoStore), but not against this. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");
}

static void set_page_headers(request_rec *r, const char *form_action)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(STYLE, sizeof(STYLE) - 1, digest);
    apr_table_setn(r->err_headers_out, "X-Frame-Options", "DENY");
    apr_table_setn(r->err_headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'sha256-%s'; form-action %s; base-uri 'none'; "
                                "frame-ancestors 'none'",
                                sso_base64(r->pool, digest, sizeof(digest)), form_action));
}

static const char *escape(request_rec *r, const char *text)
{
    return apr_pescape_entity(r->pool, text, 0);
}

static void write_button(request_rec *r, const char *label, const char *target)
{
    ap_rvputs(r, "<form method=\"post\" action=\"", escape(r, target), "\"><p><button class=\"act\">", escape(r, label),
              "</button></p></form>", NULL);
}

/* An attribute whose every byte counts: a browser would read a carriage return of the page's source as a line feed. */
static void write_attribute(request_rec *r, const char *name, const char *value)
{
    const char *text = escape(r, value);
    ap_rvputs(r, " ", name, "=\"", NULL);
    for (apr_size_t len = strcspn(text, "\r"); text[len] != '\0'; len = strcspn(text, "\r")) {
        (void)ap_rwrite(text, (int)len, r);
        ap_rputs("&#13;", r);
        text += len + 1;
    }
    ap_rvputs(r, text, "\"", NULL);
}

/* Another's form as hidden fields: text for the browser, whatever stands in it. */
static void write_form(request_rec *r, const page_t *page)
{
    const sso_field_t *field = (const void *)page->form->fields->elts;
    ap_rvputs(r, "<form method=\"post\" autocomplete=\"off\" action=\"", escape(r, page->form->target), "\">", NULL);
    for (int i = 0; i < page->form->fields->nelts; i++, field++) {
        ap_rputs("<input type=\"hidden\"", r);
        write_attribute(r, "name", field->name);
        write_attribute(r, "value", field->value);
        ap_rputs(">", r);
    }
    ap_rvputs(r, "<p><button class=\"act\">", escape(r, page->label), "</button></p></form><p><a href=\"",
              escape(r, page->form->back), "\">Do not send</a></p>", NULL);
}

static void write_action(request_rec *r, const page_t *page)
{
    if (page->form != NULL) {
        write_form(r, page);
        return;
    }
    if (page->label == NULL) {
        return;
    }
    if (page->form_action != NULL) {
        write_button(r, page->label, page->target);
        if (page->other_label != NULL) {
            write_button(r, page->other_label, page->other_target);
        }
    } else {
        ap_rvputs(r, "<p><a class=\"act\" href=\"", escape(r, page->target), "\">", escape(r, page->label), "</a></p>",
                  NULL);
    }
}

static void write_details(request_rec *r, const page_t *page)
{
    if (page->number == NULL) {
        return;
    }
    ap_rvputs(r, "<dl><dt>Error</dt><dd>", page->number, NULL);
    if (page->aadsts != 0) {
        ap_rprintf(r, " / AADSTS%u", page->aadsts);
    }
    ap_rvputs(r, "</dd><dt>Correlation id</dt><dd>", escape(r, page->id), "</dd><dt>Time</dt><dd>", page->time,
              "</dd></dl>", NULL);
}

static void write_beginning(request_rec *r, const char *title, const char *form_action, const char *class)
{
    set_common_headers(r);
    if (form_action != NULL) {
        /* Under no-referrer a browser would say "Origin: null" of our own form, which proves nothing. */
        apr_table_setn(r->err_headers_out, "Referrer-Policy", "same-origin");
    }
    set_page_headers(r, form_action == NULL ? "'none'" : form_action);
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r,
              "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>",
              escape(r, title), "</title><style>", STYLE, "</style></head>\n<body><main", class, "><h1>",
              escape(r, title), "</h1>", NULL);
}

static void write_end(request_rec *r)
{
    ap_rputs("</main></body></html>\n", r);
}

/* Writes the whole response. DONE keeps httpd from running any handler behind it: nothing can follow our page. */
static int write_page(request_rec *r, const page_t *page)
{
    r->status = page->status;
    write_beginning(r, page->title, page->form_action, "");
    if (page->form != NULL) {
        /* The address of a form that was given back has its id, which is nobody's business. */
        apr_table_setn(r->err_headers_out, "Referrer-Policy", "strict-origin");
    }
    ap_rvputs(r, "<p>", escape(r, page->sentence), "</p><p>", escape(r, page->advice), "</p>", NULL);
    write_action(r, page);
    write_details(r, page);
    write_end(r);
    return DONE;
}

/* What the page says of the fault: Entra's own error, where the table knows it, else the reason's page. */
static void describe(const sso_ctx_t *ctx, page_t *page)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    page->title = PAGES[reason->page].title;
    page->sentence = PAGES[reason->page].sentence;
    page->advice = PAGES[reason->page].advice;
    page->label = PAGES[reason->page].label;
    page->aadsts = ctx->fault.aadsts;
    if (ctx->fault.aadsts != 0 || ctx->fault.oauth_error != NULL) {
        const sso_aadsts_t *row = ctx->fault.aadsts != 0 ? sso_aadsts_find(ctx->fault.aadsts) : NULL;
        row = row != NULL ? row : sso_aadsts_for_error(ctx->fault.oauth_error == NULL ? "" : ctx->fault.oauth_error);
        page->sentence = row->sentence;
        page->advice = row->advice;
    }
}

/* The id that the page and the log line share: the sign-in's, Entra's, or one made of the connection. */
static const char *fault_id(request_rec *r, const sso_ctx_t *ctx, const char *id)
{
    unsigned char random[8];
    if (id != NULL) {
        return id;
    }
    if (r->log_id != NULL) {
        return r->log_id;
    }
    sso_ctx_t scratch;
    sso_ctx_init(&scratch, r->pool, ctx->now);
    return sso_random(&scratch, random, sizeof(random)) == SSO_OK ? sso_hex(r->pool, random, sizeof(random)) : "none";
}

static int status_of(request_rec *r, const sso_ctx_t *ctx, const char *allow)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    if (reason->status == HTTP_SERVICE_UNAVAILABLE) {
        int wait = ctx->fault.retry_after_s > 0 ? ctx->fault.retry_after_s : 10;
        apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, wait));
    }
    if (allow != NULL) {
        apr_table_setn(r->err_headers_out, "Allow", allow);
    }
    return reason->status >= 400 ? reason->status : HTTP_BAD_REQUEST;
}

/* An ErrorDocument of the administrator takes the place of our page; it finds what we know in the environment. */
static bool has_error_document(request_rec *r, int status, const page_t *page)
{
    if (ap_response_code_string(r, ap_index_of_response(status)) == NULL) {
        return false;
    }
    apr_table_setn(r->subprocess_env, "ENTRA_ERROR", page->number);
    apr_table_setn(r->subprocess_env, "ENTRA_ERROR_TEXT", page->sentence);
    apr_table_setn(r->subprocess_env, "ENTRA_ERROR_ID", page->id);
    return true;
}

static int write_problem(request_rec *r, const page_t *page, const char *login_url)
{
    sso_json_writer_t *problem = sso_json_object_make(r->pool);
    sso_json_set_text(problem, "type", "about:blank");
    sso_json_set_text(problem, "title", page->title);
    sso_json_set_integer(problem, "status", page->status);
    sso_json_set_text(problem, "detail", page->sentence);
    sso_json_set_text(problem, "advice", page->advice);
    sso_json_set_text(problem, "login", login_url);
    sso_json_set_text(problem, "error", page->number);
    sso_json_set_text(problem, "id", page->id);
    set_common_headers(r);
    r->status = page->status;
    ap_set_content_type(r, "application/problem+json");
    ap_rvputs(r, sso_json_print(r->pool, problem), "\n", NULL);
    return DONE;
}

/* The link of a page: a sign-in for faults of the sign-in. Who was denied would come back as the same person by single
 * sign-on, so the way to another account is a sign-out. */
static const char *retry_target(request_rec *r, const sso_visit_t *visit, const sso_ctx_t *ctx,
                                const sso_answer_t *answer)
{
    sso_page_t page = sso_reason(ctx->fault.rc)->page;
    if (page == SSO_PAGE_DENIED || page == SSO_PAGE_ACCOUNT) {
        return apr_pstrcat(r->pool, visit->site->site.path, "/logout?rd=/", NULL);
    }
    if (page == SSO_PAGE_REQUEST) {
        return "/";
    }
    if (page == SSO_PAGE_SIGNOUT || page == SSO_PAGE_FORM) {
        return answer->retry_path;
    }
    return sso_login_url(r->pool, &visit->site->site, answer->retry_path, answer->wishes);
}

/* The WWW-Authenticate of a 401: where a person signs in; or, for a context, the claims challenge that programs of
 * Microsoft's libraries know. */
static const char *challenge_of(request_rec *r, const sso_answer_t *answer, const char *login)
{
    if (answer->wishes == NULL || answer->wishes->acr == NULL) {
        return apr_psprintf(r->pool, "Entra login=\"%s\"", login);
    }
    const char *claims = sso_stepup_claims(r->pool, answer->wishes->acr);
    return apr_psprintf(r->pool, "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"%s\"",
                        sso_base64(r->pool, claims, strlen(claims)));
}

static int refuse(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const sso_answer_t *answer)
{
    sso_request_t request;
    page_t page = {.number = sso_log_number(r->pool, ctx->fault.rc)};
    page.id = fault_id(r, ctx, answer->correlation_id);
    sso_log_fault(r, ctx, page.id);
    sso_audit_refused(r, visit, ctx, &answer->record, page.id);
    describe(ctx, &page);
    page.status = status_of(r, ctx, answer->allow);
    page.time = sso_time_print(r->pool, ctx->now);
    page.target = retry_target(r, visit, ctx, answer);
    sso_visit_request(r, visit, &request);
    bool program = !sso_request_is_navigation(&request);
    const char *login = NULL;
    if (page.status == HTTP_UNAUTHORIZED) {
        const char *back = program ? sso_access_page_path(r->pool, &visit->site->site, &request) : answer->retry_path;
        login = sso_login_url(r->pool, &visit->site->site, back, answer->wishes);
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", challenge_of(r, answer, login));
        if (visit->challenge != NULL) {
            apr_table_addn(r->err_headers_out, "WWW-Authenticate", visit->challenge);
        }
    }
    if (has_error_document(r, page.status, &page)) {
        set_common_headers(r);
        return page.status;
    }
    return program ? write_problem(r, &page, login) : write_page(r, &page);
}

int sso_pages_refuse(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *retry_path)
{
    return sso_pages_challenge(r, visit, ctx, retry_path, NULL);
}

int sso_pages_challenge(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *retry_path,
                        const sso_wishes_t *wishes)
{
    sso_answer_t answer;
    sso_answer_init(&answer, r->pool);
    sso_answer_fault(&answer, retry_path);
    answer.wishes = wishes;
    return refuse(r, visit, ctx, &answer);
}

int sso_pages_deny(request_rec *r, sso_ctx_t *ctx, const char *challenge)
{
    page_t page = {.number = sso_log_number(r->pool, ctx->fault.rc)};
    page.id = fault_id(r, ctx, NULL);
    sso_log_fault(r, ctx, page.id);
    sso_audit_bearer_refused(r, ctx, page.id);
    describe(ctx, &page);
    page.status = status_of(r, ctx, NULL);
    if (challenge != NULL) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", challenge);
    }
    if (has_error_document(r, page.status, &page)) {
        set_common_headers(r);
        return page.status;
    }
    return write_problem(r, &page, NULL);
}

static int redirect(request_rec *r, const char *location)
{
    set_common_headers(r);
    apr_table_setn(r->headers_out, "Location", location);
    return HTTP_MOVED_TEMPORARILY;
}

/* Browsers hold the whole chain of redirects behind a form to this: Entra, and whom it federates with. */
static const char *form_action(request_rec *r, const sso_visit_t *visit)
{
    return apr_pstrcat(r->pool, "'self' https: ", visit->site->authority.login_url, NULL);
}

/* SECURITY: sent by a click, and never by itself: the person sees that it was not sent yet, and where it goes. */
static int give_back(request_rec *r, const sso_visit_t *visit, const sso_form_t *form)
{
    page_t page = {
        .status = HTTP_OK,
        .title = "Send the form now?",
        .sentence = "You sent a form, and had to sign in first. It has not reached the application yet.",
        .advice = apr_psprintf(r->pool, "Press the button to send it, as you filled it in, to %s.",
                               sso_printable(r->pool, form->target)),
        .label = "Send",
        .form = form,
        .form_action = form_action(r, visit),
    };
    return write_page(r, &page);
}

static const char *logout_target(request_rec *r, const sso_site_t *site, const char *return_path, bool everywhere)
{
    bool returns = *return_path != '\0';
    return apr_pstrcat(r->pool, site->path, "/logout", everywhere ? "?everywhere=1" : "",
                       !returns     ? ""
                       : everywhere ? "&rd="
                                    : "?rd=",
                       sso_percent_encode(r->pool, return_path), NULL);
}

static int confirm(request_rec *r, const sso_visit_t *visit, const sso_answer_t *answer)
{
    static const struct {
        const char *title, *sentence, *label;
    } texts[] = {
        {"Sign out?", "You are about to sign out of this application and of your work account in this browser.",
         "Sign out"},
        {"Sign out everywhere?",
         "You are about to sign out of this application in all browsers and on all devices, and of your work account "
         "in this browser.",
         "Sign out everywhere"},
    };
    const sso_site_t *site = &visit->site->site;
    bool all = answer->asks_everywhere && answer->offers_everywhere;
    page_t page = {
        .status = HTTP_OK,
        .title = texts[all].title,
        .sentence = texts[all].sentence,
        .advice = "Press the button to sign out, or close this page to stay signed in.",
        .label = texts[all].label,
        .form_action = form_action(r, visit),
        .target = logout_target(r, site, answer->retry_path, all),
        .other_label = !answer->offers_everywhere ? NULL
                       : all                      ? "Sign out here only"
                                                  : "Sign out everywhere",
        .other_target = logout_target(r, site, answer->retry_path, !all),
    };
    return write_page(r, &page);
}

/* Entra's sign-out page loads it in a frame that nobody sees; no other page may. */
static int heard(request_rec *r, const sso_visit_t *visit)
{
    set_common_headers(r);
    apr_table_setn(
        r->err_headers_out, "Content-Security-Policy",
        apr_pstrcat(r->pool, "default-src 'none'; frame-ancestors ", visit->site->authority.login_url, NULL));
    ap_set_content_type(r, "text/plain; charset=utf-8");
    return DONE;
}

static int goodbye(request_rec *r)
{
    page_t page = {
        .status = HTTP_OK,
        .title = "You are signed out",
        .sentence = "You have been signed out of this application.",
        .advice = "On a shared computer, close all windows of the browser now.",
        .label = "Sign in again",
        .target = "/",
    };
    return write_page(r, &page);
}

int sso_pages_send(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const sso_answer_t *answer)
{
    sso_pages_set_cookies(r, answer->cookies);
    switch (answer->kind) {
    case SSO_ANSWER_REDIRECT:
        return redirect(r, answer->location);
    case SSO_ANSWER_CONFIRM:
        return confirm(r, visit, answer);
    case SSO_ANSWER_GOODBYE:
        return goodbye(r);
    case SSO_ANSWER_HEARD:
        return heard(r, visit);
    case SSO_ANSWER_FORM:
        return give_back(r, visit, answer->form);
    case SSO_ANSWER_TRIAL: /* httpd/testpage.c has it */
    case SSO_ANSWER_FAULT:
        break;
    }
    return refuse(r, visit, ctx, answer);
}

void sso_pages_begin(request_rec *r, const sso_visit_t *visit, const char *title)
{
    write_beginning(r, title, form_action(r, visit), " class=\"wide\"");
}

void sso_pages_button(request_rec *r, const char *label, const char *target)
{
    write_button(r, label, target);
}

int sso_pages_end(request_rec *r)
{
    write_end(r);
    return DONE;
}

int sso_pages_json(request_rec *r, const char *json)
{
    set_common_headers(r);
    ap_set_content_type(r, "application/json");
    ap_rvputs(r, json, "\n", NULL);
    return DONE;
}

int sso_pages_keys(request_rec *r, const char *json)
{
    set_common_headers(r);
    apr_table_setn(r->err_headers_out, "Cache-Control", "public, max-age=300");
    ap_set_content_type(r, "application/jwk-set+json");
    ap_rvputs(r, json, "\n", NULL);
    return DONE;
}
