/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on standard output. One line each, so that a pipeline can count and search them. */
#include "command/report.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "command/notes.h"
#include "entra/aadsts.h"

static const char *const words[SSO_FOUND_KINDS] = {"ok", "warn", "FAIL", "unknown"};

/* Texts of the configuration and of Entra are shown on a terminal. */
static const char *one_line(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text);
    for (char *at = copy; *at != '\0'; at++) {
        if (apr_iscntrl(*at)) {
            *at = ' ';
        }
    }
    return copy;
}

const char *sso_finding_print(apr_pool_t *pool, const sso_finding_t *finding, bool json)
{
    const char *word = words[finding->found];
    const char *sentence = one_line(pool, finding->sentence);
    const char *mend = finding->mend == NULL ? NULL : one_line(pool, finding->mend);
    if (json) {
        sso_json_writer_t *object = sso_json_object_make(pool);
        sso_json_set_text(object, "found", finding->found == SSO_FOUND_FAULT ? "fail" : word);
        sso_json_set_text(object, "application", finding->application);
        sso_json_set_text(object, "subject", finding->subject);
        sso_json_set_text(object, "sentence", sentence);
        sso_json_set_text(object, "mend", mend);
        return apr_pstrcat(pool, sso_json_print(pool, object), "\n", NULL);
    }
    return apr_psprintf(pool, "%-7s  %s: %s\n%s%s%s", word, finding->subject, sentence,
                        mend == NULL ? "" : "         mend: ", mend == NULL ? "" : mend, mend == NULL ? "" : "\n");
}

const char *sso_report_until(apr_pool_t *pool, apr_time_t now, apr_time_t when)
{
    int days = (int)(apr_time_sec(when - now) / (24 * 60 * 60));
    return apr_psprintf(pool, "%s, in %d day%s", sso_time_print(pool, when), days, days == 1 ? "" : "s");
}

void sso_report_turn(sso_report_t *report, const char *application)
{
    report->application = application;
    if (!report->json) {
        apr_file_printf(report->out, "\n%s\n", application == NULL ? "all applications" : application);
    }
}

static void report_add(sso_report_t *report, sso_found_t found, const char *subject, const char *mend,
                       const char *sentence)
{
    const sso_finding_t finding = {found, report->application, subject, sentence, mend};
    report->counts[found]++;
    apr_file_puts(sso_finding_print(report->pool, &finding, report->json), report->out);
}

void sso_report_good(sso_report_t *report, const char *subject, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_add(report, SSO_FOUND_OK, subject, NULL, apr_pvsprintf(report->pool, fmt, args));
    va_end(args);
}

void sso_report_say(sso_report_t *report, sso_found_t found, const char *subject, const char *mend, const char *fmt,
                    ...)
{
    va_list args;
    va_start(args, fmt);
    report_add(report, found, subject, mend, apr_pvsprintf(report->pool, fmt, args));
    va_end(args);
}

void sso_report_fault(sso_report_t *report, sso_found_t found, const char *subject, sso_ctx_t *ctx)
{
    const sso_reason_t *reason = sso_reason(ctx->fault.rc);
    const sso_aadsts_t *entra = ctx->fault.aadsts == 0 ? NULL : sso_aadsts_find(ctx->fault.aadsts);
    const char *mend = entra != NULL ? entra->mend : sso_note_mend(report->pool, reason->number);
    sso_report_say(report, found, subject, mend, "ENTRA%04d: %s%s%s", reason->number, reason->sentence,
                   ctx->fault.detail == NULL ? "" : ": ", ctx->fault.detail == NULL ? "" : ctx->fault.detail);
    sso_fault_clear(ctx); /* said; the next check begins anew */
}

bool sso_report_end(sso_report_t *report)
{
    const int *counts = report->counts;
    if (!report->json) {
        apr_file_printf(report->out, "\n%d ok, %d to look at, %d wrong, %d unknown\n", counts[SSO_FOUND_OK],
                        counts[SSO_FOUND_WARN], counts[SSO_FOUND_FAULT], counts[SSO_FOUND_UNKNOWN]);
    }
    return counts[SSO_FOUND_FAULT] == 0;
}
