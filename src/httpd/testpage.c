/* SPDX-License-Identifier: Apache-2.0 */
/* Every value goes through the escaper, and no token is ever shown: a picture of this page may end up in a ticket. */
#include "build_config.h"

#include "httpd/testpage.h"

#include <string.h>

#include <http_core.h>
#include <http_protocol.h>

#include <apr_cstr.h>
#include <apr_escape.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "flow/diagnosis.h"
#include "httpd/export.h"
#include "httpd/log.h"
#include "httpd/pages.h"

bool sso_testpage_admits(request_rec *r, sso_visit_t *visit)
{
    return r->user != NULL && r->ap_auth_type != NULL && apr_cstr_casecmp(r->ap_auth_type, "Entra") == 0 &&
           visit->session == SSO_VISIT_SESSION;
}

bool sso_testpage_is_other(const sso_visit_t *visit)
{
    return visit->query != NULL && strcmp(visit->query, "account=other") == 0;
}

/* ---- parts of a page ---- */

static const char *escape(request_rec *r, const char *text)
{
    return apr_pescape_entity(r->pool, text, 0);
}

static void write_heading(request_rec *r, const char *text)
{
    ap_rvputs(r, "<h2>", escape(r, text), "</h2>\n<table>", NULL);
}

/* SECURITY: the isolating element keeps a text that turns the direction of writing within its cell. */
static void write_row(request_rec *r, const char *name, const char *value)
{
    if (value != NULL && *value != '\0') {
        ap_rvputs(r, "<tr><th>", escape(r, name), "</th><td><bdi>", escape(r, value), "</bdi></td></tr>\n", NULL);
    }
}

static void write_list(request_rec *r, const char *name, const sso_list_t *list)
{
    const char *items = sso_list_join(r->pool, list, ", ");
    write_row(r, name, items == NULL ? "(none)" : items);
}

static void write_moment(request_rec *r, const char *name, apr_time_t when)
{
    write_row(r, name, when == 0 ? NULL : sso_time_print(r->pool, when));
}

static void write_buttons(request_rec *r, const sso_visit_t *visit)
{
    const char *path = apr_pstrcat(r->pool, visit->site->site.path, "/" SSO_TRIAL_PATH, NULL);
    sso_pages_button(r, "Test sign-in", path);
    sso_pages_button(r, "Test with another account", apr_pstrcat(r->pool, path, "?account=other", NULL));
}

/* ---- what Entra sent ---- */

static bool is_moment(const char *name)
{
    static const char *const names[] = {"exp", "iat", "nbf", "auth_time", "xms_edov_time"};
    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool write_claim(void *baton, const char *name, const sso_json_t *value)
{
    request_rec *r = baton;
    int64_t seconds;
    const char *text = sso_json_text(value);
    if (text == NULL) {
        text = sso_json_print_value(r->pool, value, SSO_MAX_JWT);
    }
    if (is_moment(name) && sso_json_integer(value, &seconds) && seconds > 0 && seconds < INT32_MAX) {
        text = apr_psprintf(r->pool, "%s (%s)", text, sso_time_print(r->pool, apr_time_from_sec(seconds)));
    }
    write_row(r, name, text == NULL ? "(too long to show)" : text);
    return true;
}

static void write_token(request_rec *r, const sso_trial_t *trial)
{
    write_heading(r, "What Entra sent: the ID token");
    if (trial->kid != NULL) {
        write_row(r, "header: alg", "RS256");
        write_row(r, "header: kid", trial->kid);
    }
    if (trial->claims == NULL) {
        write_row(r, "claims", "(none that can be believed)");
    }
    sso_json_each(trial->claims, write_claim, r);
    ap_rputs("</table>\n", r);
}

/* ---- what is wrong ---- */

static void write_findings(request_rec *r, const apr_array_header_t *findings)
{
    static const struct {
        const char *class, *word;
    } levels[] = {[SSO_FINDING_GOOD] = {"good", "Good"},
                  [SSO_FINDING_NOTE] = {"note", "Note"},
                  [SSO_FINDING_WRONG] = {"wrong", "Wrong"}};
    ap_rputs("<h2>What is right and what is wrong</h2>\n<ul>", r);
    /* What is wrong first. */
    for (int level = SSO_FINDING_WRONG; level >= SSO_FINDING_GOOD; level--) {
        for (int i = 0; i < findings->nelts; i++) {
            const sso_finding_t *finding = &APR_ARRAY_IDX(findings, i, sso_finding_t);
            if ((int)finding->level != level) {
                continue;
            }
            ap_rvputs(r, "<li class=\"", levels[level].class, "\"><b>", levels[level].word, "</b>",
                      escape(r, finding->what), NULL);
            if (finding->where != NULL) {
                ap_rvputs(r, "<small>Where: ", escape(r, finding->where), "</small>", NULL);
            }
            ap_rputs("</li>\n", r);
        }
    }
    ap_rputs("</ul>\n", r);
}

/* ---- what the application gets ---- */

static int write_pair(void *baton, const char *name, const char *value)
{
    /* SECURITY: a signed assertion is a token, good for a minute. */
    bool token = strcmp(name, "X-Entra-Assertion") == 0;
    write_row(baton, name, token ? "(a signed assertion)" : value);
    return 1;
}

/* Into tables of its own, so that everything in them is ours; the request's are as they were afterwards. */
static void write_export(request_rec *r, sso_ctx_t *ctx, const sso_visit_t *visit, const sso_record_t *record)
{
    apr_table_t *headers = r->headers_in;
    apr_table_t *variables = r->subprocess_env;
    char *user = r->user;
    char *type = r->ap_auth_type;
    sso_visit_t whose = *visit;
    sso_ctx_t scratch = *ctx;
    whose.record = *record;
    whose.session = SSO_VISIT_SESSION;
    whose.roles_for = NULL;
    sso_fault_clear(&scratch);
    r->headers_in = apr_table_make(r->pool, 16);
    r->subprocess_env = apr_table_make(r->pool, 16);
    write_heading(r, "What the application gets");
    if (sso_export_identity(r, &scratch, &whose) == SSO_OK) {
        write_row(r, "REMOTE_USER", r->user);
        apr_table_do(write_pair, r, r->headers_in, NULL);
        apr_table_do(write_pair, r, r->subprocess_env, NULL);
    } else {
        const sso_reason_t *reason = sso_reason(scratch.fault.rc);
        write_row(r, "(nothing)",
                  apr_psprintf(r->pool, "ENTRA%04d: %s; mend it in EntraRemoteUser", reason->number, reason->sentence));
    }
    ap_rputs("</table>\n", r);
    r->headers_in = headers;
    r->subprocess_env = variables;
    r->user = user;
    r->ap_auth_type = type;
}

/* ---- the session ---- */

static void write_record(request_rec *r, const sso_record_t *record, const char *heading)
{
    write_heading(r, heading);
    write_row(r, "object id", record->oid);
    write_row(r, "tenant id", record->tid);
    write_row(r, "user name", record->username);
    write_row(r, "Entra's session (sid)", record->sid);
    write_moment(r, "signed in", record->created);
    write_moment(r, "signed in at Entra", record->auth_time);
    write_moment(r, "ends at the latest", record->ends);
    write_moment(r, "Entra stood by it", record->revalidated);
    write_row(r, "refresh token", record->renewable ? "kept" : "none");
    write_list(r, "roles of the token", &record->roles);
    write_list(r, "groups kept", &record->groups);
    write_list(r, "authentication contexts", &record->acrs);
    ap_rputs("</table>\n", r);
}

/* ---- pages ---- */

int sso_testpage_show(request_rec *r, sso_visit_t *visit, sso_ctx_t *ctx)
{
    sso_pages_begin(r, visit, "Test sign-in");
    ap_rputs(
        "<p>A test signs in at Entra with the state, nonce and checks of every sign-in. It ends in a report and makes "
        "no session; yours stays as it is. Switch EntraTestPage off when you are done.</p>",
        r);
    write_buttons(r, visit);
    write_export(r, ctx, visit, &visit->record);
    write_record(r, &visit->record, "Your session");
    return sso_pages_end(r);
}

int sso_testpage_report(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const sso_answer_t *answer)
{
    const sso_trial_t *trial = answer->trial;
    if (ctx->fault.rc != SSO_OK) {
        sso_log_fault(r, ctx, answer->correlation_id);
    }
    sso_pages_set_cookies(r, answer->cookies);
    sso_pages_begin(r, visit, ctx->fault.rc == SSO_OK ? "The test sign-in worked" : "The test sign-in failed");
    ap_rvputs(r, "<p>Redirect URI: <code>", escape(r, visit->site->site.redirect_uri), "</code><br>Time: <code>",
              sso_time_print(r->pool, ctx->now), "</code><br>Correlation id: <code>",
              escape(r, answer->correlation_id == NULL ? "none" : answer->correlation_id), "</code></p>", NULL);
    write_findings(r, sso_diagnosis_make(ctx, &visit->site->site, trial));
    write_token(r, trial);
    if (trial->complete) {
        write_export(r, ctx, visit, &trial->record);
        write_record(r, &trial->record, "The session that a sign-in would make");
    }
    write_buttons(r, visit);
    return sso_pages_end(r);
}
